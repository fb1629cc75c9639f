//! Connections between the peers (RFC 6544): where datagrams do not get through, and where they do.

use floe_core::candidate::Transport;
use floe_core::{
    AgentConfig, CandidateType, Cause, Event, MAX_ACCEPTED_STREAMS, MAX_TRANSMIT, Nomination, Role,
    SendError, StreamEnd,
};
use floe_sim::scenario::{PeerId, World, behind, both_selected, for_seeds, millis, open, secs};
use floe_sim::{Attachment, Firewall, NatConfig, Pieces, StreamKind};

/// Alice, in this role, sits behind a firewall that lets no datagrams through and nothing in; bob does not.
fn walled(world: &mut World, role: Role) -> [PeerId; 2] {
    let pair = world.pair(open().with_tcp().with_role(role), open().with_tcp().with_role(role.opposite()));
    let alice = world.host(pair[0]);
    world.network().set_firewall(alice, Firewall::NO_UDP);
    pair
}

fn transports(world: &World, peers: [PeerId; 2]) -> [Transport; 2] {
    peers.map(|peer| world.selected(peer).unwrap().transport)
}

fn streams(world: &World, peers: [PeerId; 2]) -> [usize; 2] {
    peers.map(|peer| world.streams(peer).len())
}

fn losses(world: &World, peer: PeerId) -> Vec<Cause> {
    let cause = |event: &Event| match event {
        Event::PathLost { cause, .. } => Some(*cause),
        _ => None,
    };
    world.events(peer).iter().filter_map(|(_, event)| cause(event)).collect()
}

fn is_restart_needed(world: &World, peer: PeerId) -> bool {
    world.events(peer).iter().any(|(_, event)| matches!(event, Event::RestartNeeded(_)))
}

/// Whoever controls, the one that can connect does.
#[test]
fn peers_without_datagrams_meet_over_a_connection() {
    for role in [Role::Controlling, Role::Controlled] {
        for_seeds(0..10, |world| {
            let peers @ [alice, bob] = walled(world, role);
            world.run_until(both_selected).within(secs(3));
            assert!(world.agree(alice, bob));
            assert_eq!(transports(world, peers), [Transport::Tcp; 2]);
            let path = world.selected(bob).unwrap();
            assert_eq!((path.local, path.local_type), (world.tcp_address(bob), CandidateType::Host));
            assert_eq!(path.remote_type, CandidateType::PeerReflexive);
            assert_eq!((path.overhead, path.largest_payload), (2, MAX_TRANSMIT - 2));
            world.send(alice, b"over").unwrap();
            world.send(bob, b"and back").unwrap();
            world.run_for(secs(120));
            assert_eq!(world.inbox(bob), [b"over"]);
            assert_eq!(world.inbox(alice), [b"and back"]);
            // Consent goes on, and what came of no use was closed.
            assert!(world.agent(alice).path(floe_core::ComponentId::FIRST).is_some());
            assert_eq!(streams(world, peers), [1, 1]);
        });
    }
}

#[test]
fn a_peer_behind_a_nat_connects_to_one_that_is_not() {
    for role in [Role::Controlling, Role::Controlled] {
        for nat in [NatConfig::symmetric(), NatConfig::port_restricted()] {
            for_seeds(0..5, |world| {
                let home = behind(nat.clone()).tcp_only().with_role(role);
                let [alice, bob] = world.pair(home, open().tcp_only().with_role(role.opposite()));
                world.run_until(both_selected).within(secs(2));
                assert!(world.agree(alice, bob));
                assert_eq!(world.selected(alice).unwrap().local_type, CandidateType::PeerReflexive);
            });
        }
    }
}

/// The messages of a check come byte by byte, and data too.
#[test]
fn frames_are_put_together_from_any_pieces() {
    for pieces in [Pieces::Of(1), Pieces::Of(3), Pieces::Random] {
        for_seeds(0..5, |world| {
            world.network().set_pieces(pieces);
            let [alice, bob] = walled(world, Role::Controlling);
            world.run_until(both_selected).within(secs(3));
            let data: Vec<Vec<u8>> = (0..20).map(|n| vec![b'a' + n; 1 + 70 * usize::from(n)]).collect();
            for one in &data {
                world.send(alice, one).unwrap();
                world.send(bob, one).unwrap();
            }
            let longest = vec![b'z'; MAX_TRANSMIT - 2];
            world.send(alice, &longest).unwrap();
            let largest = SendError::TooLong { largest: MAX_TRANSMIT - 2 };
            assert_eq!(world.send(alice, &[b'z'; MAX_TRANSMIT - 1]), Err(largest));
            world.run_for(secs(1));
            assert_eq!(world.inbox(alice), data);
            assert_eq!(world.inbox(bob), [data, vec![longest]].concat());
        });
    }
}

#[test]
fn where_datagrams_get_through_they_are_preferred() {
    for_seeds(0..20, |world| {
        let home = || behind(NatConfig::port_restricted()).with_tcp().with_reflexive_candidate();
        let away = open().with_tcp();
        let peers @ [alice, bob] = match world.seed() % 2 {
            0 => world.pair(open().with_tcp(), away),
            _ => world.pair(home(), away),
        };
        world.run_until(both_selected).within(secs(2));
        assert!(world.agree(alice, bob));
        assert_eq!(transports(world, peers), [Transport::Udp; 2]);
        // RFC 6544 §8: nobody needs the connections any more.
        world.run_for(secs(40));
        assert_eq!(streams(world, peers), [0, 0]);
    });
}

#[test]
fn a_refused_connection_fails_its_pair_and_nothing_else() {
    for_seeds(0..10, |world| {
        let peers @ [alice, bob] = world.pair(open().tcp_only(), open().tcp_only().with_addresses(2));
        let (host, first) = (world.host(bob), world.tcp_address(bob));
        // It is told to the peer, and nobody listens there.
        assert!(world.network().unlisten(host, first));
        let alices = world.host(alice);
        world.network().set_firewall(alices, Firewall::NO_UDP);
        world.run_until(both_selected).within(secs(2));
        assert!(world.agree(alice, bob));
        assert_eq!(transports(world, peers), [Transport::Tcp; 2]);
        assert_ne!(world.selected(alice).unwrap().remote, first);
        let report = world.agent(alice).explain().to_string();
        assert!(report.contains("failed: the connection was refused"), "{report}");
    });
}

#[test]
fn a_reset_connection_is_a_lost_path_and_a_restart_opens_another() {
    for_seeds(0..10, |world| {
        let peers @ [alice, bob] = walled(world, Role::Controlling);
        world.run_until(both_selected).within(secs(3));
        world.run_for(secs(10));
        world.break_streams(alice);
        world.run_for(secs(1));
        for peer in peers {
            assert_eq!(losses(world, peer), [Cause::Disconnected(StreamEnd::Reset)]);
            assert!(is_restart_needed(world, peer));
            assert_eq!(world.send(peer, b"into nothing"), Err(SendError::NoPath));
        }
        world.restart(bob);
        world.run_until(both_selected).within(secs(3));
        assert!(world.agree(alice, bob));
        world.send(bob, b"again").unwrap();
        world.run_for(secs(1));
        assert_eq!(world.inbox(alice), [b"again"]);
    });
}

/// Towards a peer that renominates another valid pair takes over.
#[test]
fn a_standby_follows_a_connection_that_is_reset() {
    for_seeds(0..10, |world| {
        let config = |role| AgentConfig { role, nomination: Nomination::Renominate, ..Default::default() };
        let peer = |role| open().tcp_only().with(config(role));
        let two = peer(Role::Controlled).with_addresses(2);
        let peers @ [alice, bob] = world.pair(peer(Role::Controlling), two);
        world.run_until(both_selected).within(secs(3));
        world.run_for(secs(10));
        let before = world.selected(alice).unwrap();
        world.break_stream_to(alice, before.remote);
        world.run_for(secs(3));
        for peer in peers {
            assert!(!is_restart_needed(world, peer));
        }
        assert_ne!(world.selected(alice).unwrap().pair, before.pair);
        assert!(world.agree(alice, bob));
        world.send(alice, b"goes on").unwrap();
        world.run_for(secs(1));
        assert_eq!(world.inbox(bob), [b"goes on"]);
    });
}

/// RFC 6544 §9.2: the connection that there is carries the checks of the new generation, too.
#[test]
fn a_restart_keeps_the_connection() {
    for_seeds(0..10, |world| {
        let peers @ [alice, bob] = walled(world, Role::Controlling);
        world.run_until(both_selected).within(secs(3));
        world.run_for(secs(40));
        let carriers = peers.map(|peer| world.streams(peer));
        world.start_traffic(millis(20));
        world.restart(alice);
        world.run_for(secs(20));
        world.stop_traffic();
        assert!(both_selected(world) && world.agree(alice, bob));
        assert_eq!(peers.map(|peer| world.streams(peer)), carriers);
        for peer in peers {
            assert!(world.traffic(peer).is_lossless(), "{}", world.traffic(peer));
            assert_eq!(losses(world, peer), []);
        }
    });
}

#[test]
fn a_lite_agent_is_reached_over_a_connection() {
    for_seeds(0..5, |world| {
        let lite = open().with_tcp().with(AgentConfig { lite: true, ..Default::default() });
        let [alice, bob] = world.pair(open().with_tcp(), lite);
        let host = world.host(alice);
        world.network().set_firewall(host, Firewall::NO_UDP);
        world.run_until(both_selected).within(secs(3));
        assert!(world.agree(alice, bob));
        world.send(bob, b"served").unwrap();
        world.run_for(secs(60));
        assert_eq!(world.inbox(alice), [b"served"]);
        assert_eq!(streams(world, [alice, bob]), [1, 1]);
    });
}

#[test]
fn the_names_of_passive_candidates_are_resolved() {
    let mut world = World::seeded(1);
    let [alice, bob] = world.pair(open().tcp_only(), open().tcp_only().with_names());
    let host = world.host(alice);
    world.network().set_firewall(host, Firewall::NO_UDP);
    world.run_until(both_selected).within(secs(3));
    assert!(world.agree(alice, bob));
}

/// Who talks of something else is sent away at once, and who says nothing after a while.
#[test]
fn strangers_who_connect_harm_nothing() {
    for_seeds(0..10, |world| {
        let [alice, bob] = walled(world, Role::Controlling);
        let (at, mallory) = (world.tcp_address(bob), world.network().add_host(Attachment::Public));
        let talks: [&[u8]; 4] = [b"GET / HTTP/1.1\r\n\r\n", &[0, 3, 1, 2, 3], &[0xff; 300], b""];
        let strangers = talks.map(|_| world.network().connect(mallory, None, at, StreamKind::Tcp).unwrap());
        world.run_for(millis(40));
        for (stranger, talk) in strangers.into_iter().zip(talks) {
            assert!(world.network().write(stranger, talk));
        }
        world.run_until(both_selected).within(secs(3));
        assert!(world.agree(alice, bob));
        world.send(alice, b"undisturbed").unwrap();
        world.run_for(secs(40));
        assert_eq!(world.inbox(bob), [b"undisturbed"]);
        assert_eq!(streams(world, [alice, bob]), [1, 1]);
    });
}

#[test]
fn a_crowd_of_strangers_does_not_keep_the_peer_out() {
    for_seeds(0..5, |world| {
        let [alice, bob] = walled(world, Role::Controlling);
        let (at, mallory) = (world.tcp_address(bob), world.network().add_host(Attachment::Public));
        for _ in 0..4 * MAX_ACCEPTED_STREAMS {
            world.network().connect(mallory, None, at, StreamKind::Tcp).unwrap();
        }
        world.run_until(both_selected).within(secs(3));
        assert!(world.agree(alice, bob));
        // And the one that bob tries to open.
        assert!(world.streams(bob).len() <= MAX_ACCEPTED_STREAMS + 1);
        world.run_for(secs(60));
        assert_eq!(streams(world, [alice, bob]), [1, 1]);
    });
}
