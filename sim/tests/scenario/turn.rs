//! Peers who reach each other through TURN servers that they have asked themselves.

use floe_core::{
    AgentConfig, CandidateFilter, CandidateType, Event, Nomination, RelayFamilies, Role, TurnServer,
};
use floe_sim::scenario::{
    PeerId, PeerSpec, TURN_USER, TurnReach, World, behind, both_selected, for_seeds, millis, open, secs,
};
use floe_sim::{Firewall, NatConfig, Pieces};

/// The types at both ends of a peer's selected path.
fn ends(world: &World, peer: PeerId) -> [CandidateType; 2] {
    let path = world.selected(peer).unwrap();
    [path.local_type, path.remote_type]
}

fn exchange(world: &mut World, alice: PeerId, bob: PeerId) {
    world.send(alice, b"hello").unwrap();
    world.send(bob, b"hello yourself").unwrap();
    world.run_for(millis(300));
    assert_eq!(world.inbox(bob), [b"hello".to_vec()], "{}", world.timeline());
    assert_eq!(world.inbox(alice), [b"hello yourself".to_vec()]);
}

#[test]
fn hard_nats_on_both_sides_meet_through_the_relay() {
    for seed in 0..20 {
        let mut world = World::seeded(seed);
        let (relay, stun) = (world.turn_server(), world.stun_server());
        // A relay lets in who was told to it: bob has to know from where he is seen.
        let hard = || behind(NatConfig::symmetric());
        let [alice, bob] = world.pair(hard().using(relay), hard().asking(stun));
        world.run_until(both_selected).within(secs(3));
        assert!(world.agree(alice, bob), "{}", world.timeline());
        assert_eq!(ends(&world, alice)[0], CandidateType::Relayed, "{}", world.timeline());
        exchange(&mut world, alice, bob);
    }
}

#[test]
fn relay_to_relay() {
    for seed in 0..20 {
        let mut world = World::seeded(seed);
        let [one, other] = [world.turn_server(), world.turn_server()];
        let [alice, bob] = world.pair(open().using(one).relay_only(), open().using(other).relay_only());
        world.run_until(both_selected).within(secs(4));
        assert!(world.agree(alice, bob), "{}", world.timeline());
        assert_eq!(ends(&world, alice), [CandidateType::Relayed; 2], "{}", world.timeline());
        exchange(&mut world, alice, bob);
        let path = world.selected(alice).unwrap();
        assert_eq!((path.relay, path.overhead), (Some(world.turn_address(one)), 4), "a channel carries it");
    }
}

#[test]
fn closing_releases_the_allocation() {
    let mut world = World::seeded(1);
    let relay = world.turn_server();
    let [alice, bob] = world.pair(open().using(relay).relay_only(), open());
    world.run_until(both_selected).within(secs(3));
    let _ = bob;
    assert_eq!(world.turn(relay).allocations().count(), 1);
    let now = world.now();
    world.agent(alice).close(now);
    world.run_for(secs(1));
    assert_eq!(world.turn(relay).allocations().count(), 0, "{}", world.timeline());
}

/// As in an office: nothing but what the firewall lets through.
fn behind_firewalls(world: &mut World, firewall: Firewall, peers: [PeerId; 2]) {
    for peer in peers {
        let host = world.host(peer);
        world.network().set_firewall(host, firewall);
    }
}

#[test]
fn with_udp_blocked_they_meet_through_turn_over_tcp_and_over_tls() {
    for (firewall, reach) in [
        (Firewall::NO_UDP, TurnReach::Tcp),
        (Firewall::NO_UDP, TurnReach::Tls),
        (Firewall::WEB_ONLY, TurnReach::Tls),
    ] {
        for (seed, pieces) in [(1, Pieces::Whole), (2, Pieces::Of(1)), (3, Pieces::Random)] {
            let mut world = World::seeded(seed);
            let relay = world.turn_server();
            world.network().set_pieces(pieces);
            let peers = world.pair(open().using_over(relay, reach), open().using_over(relay, reach));
            behind_firewalls(&mut world, firewall, peers);
            world.run_until(both_selected).within(secs(5));
            assert!(world.agree(peers[0], peers[1]), "{}", world.timeline());
            assert_eq!(ends(&world, peers[0]), [CandidateType::Relayed; 2], "{}", world.timeline());
            world.start_traffic(millis(10));
            world.run_for(secs(30));
            world.stop_traffic();
            for peer in peers {
                assert!(world.traffic(peer).is_lossless(), "{}", world.traffic(peer));
            }
        }
    }
}

#[test]
fn all_ways_to_the_relay_are_tried_and_the_one_over_udp_is_used() {
    let mut world = World::seeded(5);
    let relay = world.turn_server();
    let all = || {
        let by = |spec: PeerSpec, reach| spec.using_over(relay, reach);
        [TurnReach::Tls, TurnReach::Tcp, TurnReach::Udp].into_iter().fold(open(), by).relay_only()
    };
    let [alice, bob] = world.pair(all(), all());
    world.run_until(both_selected).within(secs(5));
    world.run_for(secs(1));
    assert_eq!(world.turn(relay).allocations().count(), 6);
    for peer in [alice, bob] {
        let path = world.selected(peer).unwrap();
        assert_eq!(path.relay, Some(world.turn_address(relay)), "{}", world.timeline());
        let overhead = path.overhead;
        assert_eq!(overhead, 4, "a stream would pad");
    }
    exchange(&mut world, alice, bob);
}

#[test]
fn a_broken_connection_to_the_relay_is_made_anew() {
    let mut world = World::seeded(6);
    let relay = world.turn_server();
    let tcp = || {
        let nomination = Nomination::Renominate;
        let config = |role| AgentConfig { role, nomination, ..Default::default() };
        [Role::Controlling, Role::Controlled]
            .map(|role| open().with(config(role)).using_over(relay, TurnReach::Tcp).relay_only())
    };
    let [alice, bob] = tcp();
    let [alice, bob] = world.pair(alice, bob);
    world.run_until(both_selected).within(secs(5));
    world.run_for(secs(1));
    let before = world.selected(alice).unwrap();
    world.restart_turn(relay);
    world.run_for(secs(3));
    let after = world.selected(alice).unwrap();
    assert_ne!(before.local, after.local, "{}", world.timeline());
    exchange(&mut world, alice, bob);
}

#[test]
fn two_families_in_one_allocation_and_in_two() {
    for families in [RelayFamilies::Both, RelayFamilies::Apart, RelayFamilies::Ipv4, RelayFamilies::Ipv6] {
        let mut world = World::seeded(8);
        let relay = world.turn_server();
        let [alice, _] = world.pair(open().relay_only(), open());
        let (name, password) = TURN_USER;
        let server = TurnServer::udp(world.turn_address(relay), name, password).with_families(families);
        let now = world.now();
        world.agent(alice).add_turn_server(now, server).unwrap();
        world.run_for(secs(2));
        let told = |e: &Event| match e {
            Event::LocalCandidate { candidate, .. } => candidate.address.socket_addr().map(|a| a.is_ipv6()),
            _ => None,
        };
        let mut told: Vec<bool> = world.events(alice).iter().filter_map(|(_, e)| told(e)).collect();
        told.sort_unstable();
        let (expected, allocations): (&[bool], usize) = match families {
            RelayFamilies::Both => (&[false, true], 1),
            RelayFamilies::Apart => (&[false, true], 2),
            RelayFamilies::Ipv4 => (&[false], 1),
            _ => (&[true], 1),
        };
        assert_eq!(told, expected, "{families:?}\n{}", world.timeline());
        assert_eq!(world.turn(relay).allocations().count(), allocations);
    }
}

/// As a messenger that hides its users' addresses from strangers, and does not when they have accepted the call.
#[test]
fn relay_only_at_first_and_direct_when_that_is_allowed() {
    for_seeds(0..50, |world| {
        let (relay, stun) = (world.turn_server(), world.stun_server());
        let peer = |role| {
            let nomination = Nomination::Renominate;
            open().with(AgentConfig { role, nomination, ..Default::default() }).relay_only()
        };
        let sides = [Role::Controlling, Role::Controlled].map(|role| peer(role).using(relay).asking(stun));
        let [alice, bob] = sides;
        let peers = world.pair(alice, bob);
        world.run_until(both_selected).within(secs(5));
        assert_eq!(ends(world, peers[0]), [CandidateType::Relayed; 2]);
        for peer in peers {
            let host = |e: &Event| matches!(e, Event::LocalCandidate { candidate, .. } if candidate.kind != CandidateType::Relayed);
            assert!(!world.events(peer).iter().any(|(_, e)| host(e)), "{}", world.timeline());
        }
        world.start_traffic(millis(5));
        world.run_for(secs(1));
        for peer in peers {
            let now = world.now();
            world.agent(peer).set_local_filter(now, CandidateFilter::default()).unwrap();
        }
        let direct = |world: &World| peers.iter().all(|&p| ends(world, p) == [CandidateType::Host; 2]);
        world.run_until(direct).within(secs(2));
        world.stop_traffic();
        for peer in peers {
            assert!(world.traffic(peer).is_lossless(), "{}", world.traffic(peer));
        }
    });
}
