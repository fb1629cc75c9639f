//! Case 14: hosts without IPv4, and hosts whose IPv6 leads nowhere.

use floe_core::CandidateType::Relayed;
use floe_core::{Nomination, Role};
use floe_sim::scenario::{PeerSpec, World, behind, both_selected, for_seeds, secs};
use floe_sim::{Ipv6, NatConfig, RouterConfig};

use super::story::{assert_calm, assert_talking, choosing, times, types, words};

const ROLES: [Role; 2] = [Role::Controlling, Role::Controlled];

fn mobile() -> PeerSpec {
    behind(RouterConfig::nat64(NatConfig::carrier_grade())).through_nat64()
}

#[test]
fn case_14_a_phone_without_ipv4_calls_a_home_without_ipv6_over_the_relay() {
    for role in ROLES {
        for whose in 0..2 {
            for_seeds(0..5, |world| {
                let relay = world.turn_server();
                let stun = world.stun_server();
                let (mut phone, mut home) = (mobile(), behind(NatConfig::port_restricted()).asking(stun));
                if whose == 0 {
                    phone = phone.using(relay);
                } else {
                    home = home.using(relay);
                }
                let peers = world.pair(phone.with_role(role), home.with_role(role.opposite()));
                world.run_until(both_selected).within(secs(1));
                assert_eq!(types(world, peers[whose])[0], Relayed);
                // The phone reaches the relay of its own by NAT64, and that of the home by IPv6.
                assert_eq!(world.selected(peers[0]).unwrap().local.is_ipv6(), whose == 1);
                assert_talking(world, peers);
                assert_calm(world, peers);
            });
        }
    }
}

#[test]
fn case_14_a_phone_without_ipv4_and_a_home_without_ipv6_and_no_relay_say_what_is_the_matter() {
    let mut world = World::seeded(14);
    let stun = world.stun_server();
    let home = behind(NatConfig::port_restricted()).asking(stun);
    let peers = world.pair(mobile().asking(stun), home);
    world.run_for(secs(5));
    for peer in peers {
        let said = words(&world, peer);
        assert!(said[0].contains("they are of another address family"), "{said:?}");
    }
}

/// When both had selected, in milliseconds, in a world in which IPv6 is like this on either side, or is not there.
fn selected(
    seed: u64,
    left: Option<Ipv6>,
    right: Option<Ipv6>,
    setup: impl Fn(PeerSpec) -> PeerSpec,
) -> [[u64; 2]; 2] {
    let mut world = World::seeded(seed);
    let stun = world.stun_server();
    let side = |ipv6: Option<Ipv6>, role| {
        let nat = RouterConfig::from(NatConfig::port_restricted());
        let router = ipv6.map_or(nat.clone(), |ipv6| nat.dual_stack().with_ipv6(ipv6));
        setup(behind(router).asking(stun)).with_role(role)
    };
    let peers = world.pair(side(left, Role::Controlling), side(right, Role::Controlled));
    world.run_until(both_selected).within(secs(3));
    let times = times(&world, peers);
    assert_talking(&mut world, peers);
    assert_calm(&world, peers);
    times
}

#[test]
fn case_14_broken_ipv6_costs_less_than_150_ms() {
    let broken = [Ipv6::Vanishing, Ipv6::Unreachable];
    for nomination in [Nomination::Fast, Nomination::Renominate] {
        let plain = |spec: PeerSpec| spec.with_config(choosing(nomination));
        for seed in 0..5 {
            let without = selected(seed, None, None, plain);
            for left in broken {
                for right in [Some(Ipv6::Working), Some(left), None] {
                    for turned in [false, true] {
                        let (l, r) = if turned { (right, Some(left)) } else { (Some(left), right) };
                        let with = selected(seed, l, r, plain);
                        for (slow, quick) in with.as_flattened().iter().zip(without.as_flattened()) {
                            assert!(
                                *slow < *quick + 150,
                                "{nomination:?} {l:?} {r:?}: {with:?} against {without:?}"
                            );
                        }
                    }
                }
            }
        }
    }
}
