//! Case 9: a NAT that gives every destination another port, so that what a STUN server has seen is of no use to the peer.

use floe_core::CandidateType::{PeerReflexive, Relayed, ServerReflexive};
use floe_core::{AgentConfig, Cause, MappingKnowledge, Role};
use floe_sim::NatConfig;
use floe_sim::scenario::{PeerSpec, World, behind, both_failed, both_selected, for_seeds, open, secs};

use super::story::{assert_calm, assert_talking, times, types, words};

const ROLES: [Role; 2] = [Role::Controlling, Role::Controlled];

fn hard_nats() -> [NatConfig; 2] {
    [NatConfig::symmetric(), NatConfig::hard()]
}

/// The peer learns from a check which port it is, and answers to that one.
#[test]
fn case_09_symmetric_on_one_side_shows_the_other_a_peer_reflexive_candidate() {
    for hard in hard_nats() {
        for role in ROLES {
            for soft in [None, Some(NatConfig::full_cone()), Some(NatConfig::address_restricted())] {
                for_seeds(0..10, |world| {
                    let stun = world.stun_server();
                    let other =
                        soft.clone().map_or_else(open, behind).asking(stun).with_role(role.opposite());
                    let left = behind(hard.clone()).asking(stun).with_role(role);
                    let peers = world.pair(left, other);
                    world.run_until(both_selected).within(secs(2));
                    assert_eq!(types(world, peers[0])[0], PeerReflexive);
                    assert_eq!(types(world, peers[1])[1], PeerReflexive);
                    // Through a NAT it takes one slot more: the host candidate is tried first.
                    let more = if soft.is_some() {
                        assert_eq!(types(world, peers[1])[0], ServerReflexive);
                        50
                    } else {
                        0
                    };
                    let bare = match role {
                        Role::Controlling => [[90, 140], [140, 140]],
                        Role::Controlled => [[90, 170], [140, 190]],
                    };
                    assert_eq!(times(world, peers), bare.map(|side: [u64; 2]| side.map(|at| at + more)));
                    assert_talking(world, peers);
                    assert_calm(world, peers);
                });
            }
        }
    }
}

fn hopeless() -> Vec<[NatConfig; 2]> {
    let mut all = Vec::new();
    for hard in hard_nats() {
        for other in [NatConfig::symmetric(), NatConfig::hard(), NatConfig::port_restricted()] {
            all.push([hard.clone(), other.clone()]);
            all.push([other, hard.clone()]);
        }
    }
    all
}

#[test]
fn case_09_symmetric_on_both_sides_meets_at_the_relay_of_either() {
    for [left, right] in hopeless() {
        for owner in 0..2 {
            for_seeds(0..3, |world| {
                let stun = world.stun_server();
                let relay = world.turn_server();
                let side = |nat: &NatConfig, index| -> PeerSpec {
                    let side = behind(nat.clone()).asking(stun);
                    if index == owner { side.using(relay) } else { side }
                };
                let peers = world.pair(side(&left, 0), side(&right, 1));
                world.run_until(both_selected).within(secs(1));
                assert_eq!(types(world, peers[owner])[0], Relayed);
                assert_talking(world, peers);
                assert_calm(world, peers);
            });
        }
    }
}

/// It says what it knows: that nothing got through, that there is no relay, and what two servers have seen of its own NAT. Later
/// it gives up with the same words.
#[test]
fn case_09_symmetric_on_both_sides_without_a_relay_says_within_five_seconds_that_there_is_none() {
    for [left, right] in hopeless() {
        let mut world = World::seeded(9);
        let [one, two] = [world.stun_server(), world.stun_server()];
        let patient = || AgentConfig { deadline: Some(secs(12)), ..Default::default() };
        let side = |nat: &NatConfig| behind(nat.clone()).asking(one).asking(two).with_config(patient());
        let peers = world.pair(side(&left), side(&right));
        world.run_until(both_failed).within(secs(13));
        for (peer, nat) in peers.into_iter().zip([&left, &right]) {
            let is_easy = *nat == NatConfig::port_restricted();
            let knows = if is_easy {
                MappingKnowledge::EndpointIndependent
            } else {
                MappingKnowledge::EndpointDependent
            };
            let said = words(&world, peer);
            assert!(said[0].contains("none of the peer's arrived; no relay is configured"), "{said:?}");
            let is_it = |cause: &Cause| matches!(cause, Cause::NothingThrough { relay: false, mapping, .. } if *mapping == knows);
            let (at, _) = world.trouble(peer).into_iter().find(|(_, cause)| is_it(cause)).unwrap();
            assert!(at.as_millis() <= 5_000);
            assert!(is_it(&world.report(peer).unwrap().causes[0]), "{}", world.report(peer).unwrap());
            assert_eq!(world.usable_at(peer), None);
        }
    }
}
