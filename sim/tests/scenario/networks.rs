//! Peers on networks of other kinds than IPv4 behind a NAT, and networks to which something happens.

use floe_core::{CandidateType, Cause, Event, Instant, SocketId};
use floe_sim::scenario::{World, behind, both_selected, millis, open, secs};
use floe_sim::{Clock, DatagramRefusal, Ipv6, NatConfig, RouterConfig};

fn home() -> NatConfig {
    NatConfig::port_restricted()
}

#[test]
fn two_with_ipv6_meet_by_it_and_by_ipv4_where_it_is_broken() {
    for (ipv6, by_v6) in [(Ipv6::Working, true), (Ipv6::Vanishing, false), (Ipv6::Unreachable, false)] {
        let mut world = World::seeded(1);
        let stun = world.stun_server();
        let side = || behind(RouterConfig::from(home()).dual_stack().with_ipv6(ipv6)).asking(stun);
        let [alice, bob] = world.pair(side(), side());
        world.run_until(both_selected).within(secs(3));
        assert!(world.agree(alice, bob));
        assert_eq!(world.selected(alice).unwrap().remote.is_ipv6(), by_v6, "{}", world.timeline());
    }
}

#[test]
fn a_peer_without_ipv4_meets_one_without_ipv6_through_nat64_and_a_relay() {
    let mut world = World::seeded(2);
    let relay = world.turn_server();
    let mobile = behind(RouterConfig::nat64(home())).using(relay).through_nat64();
    let [alice, bob] = world.pair(mobile, behind(home()).using(relay));
    world.run_until(both_selected).within(secs(3));
    assert!(world.agree(alice, bob), "{}", world.timeline());
    assert_eq!(world.selected(alice).unwrap().local_type, CandidateType::Relayed);
}

#[test]
fn two_without_ipv4_meet_directly() {
    let mut world = World::seeded(3);
    let stun = world.stun_server();
    let [alice, bob] = world.pair(
        behind(RouterConfig::ipv6_only()).asking(stun),
        behind(RouterConfig::nat64(home())).asking(stun),
    );
    world.run_until(both_selected).within(secs(2));
    assert!(world.agree(alice, bob));
    assert!(world.selected(alice).unwrap().remote.is_ipv6());
}

/// Checks carry no plain address, so they pass. The answer of a server that gives the plain address, too, no longer
/// fits its fingerprint.
#[test]
fn a_gateway_that_rewrites_payloads_spoils_what_says_an_address_plainly_and_nothing_else() {
    let side = || behind(NatConfig { payload_rewriting: true, ..home() });
    let mut world = World::seeded(4);
    let [alice, bob] = world.pair(side().with_reflexive_candidate(), side().with_reflexive_candidate());
    world.run_until(both_selected).within(secs(1));
    assert!(world.agree(alice, bob));
    let mut world = World::seeded(4);
    let stun = world.stun_server();
    let [alice, bob] = world.pair(side().asking(stun), side().asking(stun));
    world.run_for(secs(3));
    assert!([alice, bob].iter().all(|peer| world.selected(*peer).is_none()), "{}", world.timeline());
}

/// The agents count what their sockets say, and connect all the same: an error may be of the past, or forged.
#[test]
fn nats_that_refuse_by_icmp_are_no_hindrance() {
    let mut world = World::seeded(5);
    let side = || {
        behind(NatConfig { datagram_refusal: DatagramRefusal::Unreachable, ..home() })
            .with_reflexive_candidate()
    };
    // Alice sends while bob knows nothing of her, so that his NAT refuses it.
    let [alice, bob] = world.pair(side().candidates_signalled_after(millis(200)), side());
    world.run_for(millis(150));
    let causes = world.agent(alice).explain().causes;
    assert!(causes.iter().any(|cause| matches!(cause, Cause::SendFailed { .. })), "{causes:?}");
    world.run_until(both_selected).within(secs(3));
    assert!(world.agree(alice, bob), "{}", world.timeline());
}

#[test]
fn a_script_moves_a_peer_to_another_network() {
    let mut world = World::seeded(6);
    let [alice, bob] = world.pair(open(), open());
    world.at(Instant::ZERO + secs(5), move |world| {
        let before = world.address(alice, SocketId(0)).ip();
        world.interface_up(alice);
        world.interface_down(alice, before);
        world.restart(alice);
    });
    world.run_until(both_selected).within(secs(1));
    let before = world.selected(alice).unwrap().local;
    world.run_for(secs(30));
    assert!(world.agree(alice, bob), "{}", world.timeline());
    assert_ne!(world.selected(alice).unwrap().local, before);
}

fn losses(world: &World, peer: floe_sim::scenario::PeerId) -> Vec<u64> {
    let lost =
        |(at, event): &(Instant, Event)| matches!(event, Event::PathLost { .. }).then_some(at.as_millis());
    world.events(peer).iter().filter_map(lost).collect()
}

#[test]
fn a_laptop_that_sleeps_loses_its_path_when_its_clock_has_jumped_and_its_peer_does_in_any_case() {
    for clock in [Clock::Jumps, Clock::Pauses] {
        let mut world = World::seeded(7);
        let [alice, bob] = world.pair(open(), open());
        world.run_until(both_selected).within(secs(1));
        let start = world.now();
        world.at(start + secs(10), move |world| world.sleep(alice, secs(600), clock));
        world.run_for(secs(100));
        assert_eq!(losses(&world, alice), [], "it does nothing while it sleeps");
        let bobs = losses(&world, bob);
        assert!(bobs.len() == 1 && bobs[0] < 45_000, "{bobs:?}\n{}", world.timeline());
        world.run_for(secs(512));
        let alices = losses(&world, alice);
        match clock {
            Clock::Jumps => assert!(alices.len() == 1 && alices[0] >= 610_000, "{alices:?}"),
            Clock::Pauses => assert_eq!(alices, [], "for it, no time has passed"),
        }
        assert_eq!(world.clock(alice) == world.now(), clock == Clock::Jumps);
    }
}
