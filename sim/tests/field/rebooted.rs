//! Case 10: the NAT loses its memory in the middle of a call, or gives the same flow another port.
//!
//! Where the port stays the same, whoever is behind the NAT makes the hole again with the next datagram. Where it is another one, ICE
//! lets the path be learned anew in two ways. If the peer's NAT lets a check from the new address in, that gives the peer a candidate,
//! which whoever controls may nominate if both renominate. Otherwise it takes a restart, which is asked for by whoever learns first: the one
//! who was moved, if the other still answers, or else both, when consent is gone.

use core::time::Duration;

use floe_core::CandidateType::PeerReflexive;
use floe_core::{AgentConfig, Cause, Event, Instant, Nomination, Role};
use floe_sim::scenario::{PeerId, PeerSpec, World, at, behind, both_selected, for_seeds, millis, open, secs};
use floe_sim::{Attachment, NatConfig, PortAssignment, RouterId};

use super::story::{assert_calm, assert_kept, assert_talking, choosing};

const ROLES: [Role; 2] = [Role::Controlling, Role::Controlled];
/// RFC 7675 §5.1: the longest time between two consent checks.
const KEEPALIVE: Duration = secs(6);

/// What happens to the NAT.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Mishap {
    /// It forgets all, and gives the same port again.
    Reboot,
    /// It forgets all, and gives another port.
    RebootToOtherPorts,
    /// It moves the flow to another port.
    Rebind,
}

/// Alice behind the NAT that it happens to, and bob at his place. They have been connected for some time.
fn call(
    world: &mut World,
    mishap: Mishap,
    bob: PeerSpec,
    (nomination, role): (Nomination, Role),
) -> ([PeerId; 2], RouterId) {
    call_with(world, mishap, bob, (choosing(nomination), role))
}

fn call_with(
    world: &mut World,
    mishap: Mishap,
    bob: PeerSpec,
    (config, role): (AgentConfig, Role),
) -> ([PeerId; 2], RouterId) {
    let mut nat = NatConfig::port_restricted();
    if mishap == Mishap::RebootToOtherPorts {
        nat = nat.with_port_assignment(PortAssignment::Random);
    }
    let stun = world.stun_server();
    let home = world.network().add_nat(nat);
    let side = |place: PeerSpec, role| place.asking(stun).with_config(config.clone()).with_role(role);
    let peers = world.pair(side(at(Attachment::Behind(home)), role), side(bob, role.opposite()));
    world.run_until(both_selected).within(secs(2));
    world.run_for(secs(20) + millis(world.seed() * 371 % 6_000));
    (peers, home)
}

fn strike(world: &mut World, home: RouterId, mishap: Mishap) -> Instant {
    world.note(format!("{mishap:?}"));
    match mishap {
        Mishap::Rebind => world.network().rebind(home),
        Mishap::Reboot | Mishap::RebootToOtherPorts => world.network().reboot(home),
    }
    world.now()
}

/// Those who let in what they have never sent to, or not to that port.
fn lenient() -> [PeerSpec; 3] {
    [open(), behind(NatConfig::full_cone()), behind(NatConfig::address_restricted())]
}

fn restart_asked(world: &World, peer: PeerId) -> Option<Instant> {
    let is_asked = |e: &Event| matches!(e, Event::RestartNeeded(_));
    world.events(peer).iter().find(|(_, e)| is_asked(e)).map(|(at, _)| *at)
}

#[test]
fn case_10_a_nat_that_reboots_and_keeps_its_ports_costs_what_was_under_way() {
    for role in ROLES {
        for nomination in [Nomination::Fast, Nomination::Renominate] {
            for_seeds(0..10, |world| {
                let bob = behind(NatConfig::port_restricted());
                let (peers, home) = call(world, Mishap::Reboot, bob, (nomination, role));
                world.start_traffic(millis(20));
                world.run_for(secs(1));
                strike(world, home, Mishap::Reboot);
                world.run_for(secs(10));
                world.stop_traffic();
                for peer in peers {
                    let tally = world.traffic(peer);
                    assert!(tally.refusals.is_empty() && tally.longest_silence <= 3 * millis(20), "{tally}");
                }
                assert_calm(world, peers);
                assert_talking(world, peers);
            });
        }
    }
}

/// Nobody speaks: then it is the keepalive that makes the hole again. The other side may have called its path degraded meanwhile.
#[test]
fn case_10_a_nat_that_reboots_in_a_silence_is_open_again_after_a_keepalive() {
    for role in ROLES {
        for_seeds(0..20, |world| {
            let bob = behind(NatConfig::port_restricted());
            let (peers, home) = call(world, Mishap::Reboot, bob, (Nomination::Fast, role));
            strike(world, home, Mishap::Reboot);
            world.run_for(KEEPALIVE);
            assert_talking(world, peers);
            world.run_for(secs(60));
            assert_kept(world, peers);
        });
    }
}

/// Whoever controls may nominate again: bob, because the next keepalive shows him where alice is now; alice, because its answer shows
/// her that she has moved.
#[test]
fn case_10_a_new_port_is_learned_within_a_keepalive_by_peers_that_renominate() {
    for mishap in [Mishap::RebootToOtherPorts, Mishap::Rebind] {
        for bob in lenient() {
            for_seeds(0..20, |world| {
                let role = ROLES[world.seed() as usize % 2];
                let settings = (Nomination::Renominate, role);
                let (peers, home) = call(world, mishap, bob.clone(), settings);
                let before = world.selected(peers[1]).unwrap().remote;
                let start = strike(world, home, mishap);
                world.start_traffic(millis(5));
                world.run_until(move |w| peers.iter().all(|&p| w.traffic_has_come(p))).within(secs(7));
                let took = world.now().since(start);
                assert!(took <= KEEPALIVE + millis(500), "{took:?}");
                world.stop_traffic();
                let now = world.selected(peers[1]).unwrap();
                assert_ne!(now.remote, before);
                assert_eq!(now.remote_type, PeerReflexive);
                assert_eq!(peers.map(|peer| restart_asked(world, peer)), [None; 2]);
                world.start_traffic(millis(20));
                world.run_for(secs(30));
                world.stop_traffic();
                for peer in peers {
                    assert!(world.traffic(peer).is_lossless(), "{}", world.traffic(peer));
                }
            });
        }
    }
}

/// Without renomination nothing may be nominated any more (RFC 8445 §8.1.1). The answer to her keepalive shows alice that she has moved, and
/// that bob's next one does not come, that he has not followed: after the longest time between two of them, and a second.
#[test]
fn case_10_a_new_port_that_cannot_be_learned_takes_a_restart_which_is_asked_for_within_seven_seconds() {
    for bob in lenient() {
        for mishap in [Mishap::RebootToOtherPorts, Mishap::Rebind] {
            for role in ROLES {
                for_seeds(0..5, |world| {
                    let (peers, home) = call(world, mishap, bob.clone(), (Nomination::Fast, role));
                    let start = strike(world, home, mishap);
                    world.run_until(move |w| restart_asked(w, peers[0]).is_some()).within(secs(8));
                    let took = restart_asked(world, peers[0]).unwrap().since(start);
                    assert!(took <= KEEPALIVE + secs(1), "{took:?}");
                    assert!(matches!(
                        world.events(peers[0]).last(),
                        Some((_, Event::RestartNeeded(Cause::MappingChanged { .. })))
                    ));
                    assert_eq!(restart_asked(world, peers[1]), None);
                    assert_restarts_within(world, peers, 0, millis(240));
                });
            }
        }
    }
}

/// The same where the agent restarts by itself: all that bob says comes again within eight seconds, signalling included.
#[test]
fn case_10_an_agent_that_restarts_by_itself_talks_again_within_eight_seconds() {
    for bob in lenient() {
        for mishap in [Mishap::RebootToOtherPorts, Mishap::Rebind] {
            for_seeds(0..20, |world| {
                let role = ROLES[world.seed() as usize % 2];
                let by_itself = AgentConfig { restart_by_itself: true, ..choosing(Nomination::Fast) };
                let (peers, home) = call_with(world, mishap, bob.clone(), (by_itself, role));
                let start = strike(world, home, mishap);
                world.start_traffic(millis(5));
                world.run_until(move |w| peers.iter().all(|&p| w.traffic_has_come(p))).within(secs(8));
                assert!(world.now().since(start) <= secs(8));
                world.stop_traffic();
                assert_talking(world, peers);
            });
        }
    }
}

/// Neither NAT lets in what it has not been sent to, port by port: alice learns by herself where she is now, from her server, before she
/// tells it. What she told before would be checked first (RFC 8445 §6.1.2.6). One round trip to the server, one for the credentials'
/// way, and the checks.
#[test]
fn case_10_behind_two_strict_nats_a_restart_takes_half_a_second() {
    for mishap in [Mishap::RebootToOtherPorts, Mishap::Rebind] {
        for role in ROLES {
            for who in 0..2 {
                for_seeds(0..20, |world| {
                    let bob = behind(NatConfig::port_restricted());
                    let (peers, home) = call(world, mishap, bob, (Nomination::Fast, role));
                    strike(world, home, mishap);
                    world
                        .run_until(move |w| peers.iter().any(|&p| restart_asked(w, p).is_some()))
                        .within(secs(40));
                    assert_restarts_within(world, peers, who, millis(500));
                });
            }
        }
    }
}

/// Bob's NAT maps each destination differently, so that alice's cannot let him in. He has a relay, which alice reaches from wherever
/// she is.
#[test]
fn case_10_a_strict_nat_and_a_symmetric_one_meet_again_at_the_relay() {
    for mishap in [Mishap::RebootToOtherPorts, Mishap::Rebind] {
        for role in ROLES {
            for who in 0..2 {
                for_seeds(0..20, |world| {
                    let relay = world.turn_server();
                    let bob = behind(NatConfig::symmetric()).using(relay);
                    let (peers, home) = call(world, mishap, bob, (Nomination::Fast, role));
                    strike(world, home, mishap);
                    world
                        .run_until(move |w| peers.iter().any(|&p| restart_asked(w, p).is_some()))
                        .within(secs(40));
                    assert_restarts_within(world, peers, who, millis(1_500));
                });
            }
        }
    }
}

/// One of them restarts, and they talk again.
fn assert_restarts_within(world: &mut World, peers: [PeerId; 2], who: usize, time: Duration) {
    let asked = world.now();
    world.restart(peers[who]);
    let is_back =
        move |w: &World| peers.iter().all(|p| w.selected(*p).is_some_and(|path| path.pair.generation() > 0));
    world.run_until(is_back).within(secs(100));
    let took = world.now().since(asked);
    assert!(took <= time, "{took:?}");
    assert_talking(world, peers);
}
