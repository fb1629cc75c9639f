//! Many candidates, pairs, components and moves: lists and tables that are full, and sessions that go on all the same.

use super::puppet::{PEER, Stage};
use super::stubborn::*;
use super::*;
use crate::base::SocketId;
use crate::check::{Nomination, Reach};
use crate::wire::{Class, ErrorCode, Message, RoleClaim};

/// The peer is heard for ever on the pair that leads its foundation; the other one of the foundation is frozen.
#[test]
fn a_pair_that_is_only_heard_does_not_hold_back_its_foundation_for_ever() {
    let mut stage = Stage::new(role(Role::Controlled));
    for host in [2, 3] {
        let line = format!("candidate:a 1 UDP {} 10.0.0.{host} 5000 typ host", 3_000 - host);
        stage.agent.add_remote_candidate(stage.now, &line.parse().unwrap()).unwrap();
    }
    for _ in 0..600 {
        let request = stage.request(CG, false);
        stage.receive(PEER, &request);
        stage.wait(Duration::from_millis(500));
    }
    let phases: Vec<_> = stage.agent.explain().pairs.iter().map(|p| (p.remote, p.phase)).collect();
    assert!(
        to_requests(&stage, other()) > 0,
        "never checked in {} s: {phases:?}",
        stage.now.as_millis() / 1000
    );
}
#[test]
fn a_peer_that_is_only_heard_does_not_keep_the_agent_from_failing() {
    let mut stage = Stage::new(role(Role::Controlled));
    for host in [2, 3] {
        let line = format!("candidate:a 1 UDP {} 10.0.0.{host} 5000 typ host", 3_000 - host);
        stage.agent.add_remote_candidate(stage.now, &line.parse().unwrap()).unwrap();
    }
    for _ in 0..600 {
        let request = stage.request(CG, false);
        stage.receive(PEER, &request);
        stage.wait(Duration::from_millis(500));
    }
    assert!(stage.events.iter().any(|e| matches!(e, Event::Failed(_))), "{}", stage.agent.explain());
}

/// Many streams to one host.
#[test]
fn many_components_have_sockets_and_pairs_each() {
    let config = AgentConfig { streams: vec![2; 12], ..role(Role::Controlling) };
    let mut agent = Agent::new(config, [5; 32]).unwrap();
    let components = agent.components().to_vec();
    let mut id = 0;
    for (number, of) in (0_u16..).zip(&components) {
        for network in 0..3 {
            let local = SocketAddr::from(([10, network, 0, 1], 5000 + number));
            agent.socket_up(Instant::ZERO, Socket::udp(SocketId(id), local).component(*of)).unwrap();
            id += 1;
        }
    }
    for (number, of) in (0_u16..).zip(&components) {
        let line = format!(
            "candidate:1 {} UDP {} 192.0.2.7 {} typ host",
            of.component,
            2_130_706_432 - u32::from(of.component),
            6000 + number
        );
        agent.add_stream_candidate(Instant::ZERO, of.stream, &line.parse().unwrap()).unwrap();
    }
    let report = agent.explain();
    let per: Vec<_> =
        components.iter().map(|c| report.pairs.iter().filter(|p| p.component == *c).count()).collect();
    assert!(per.iter().all(|n| *n > 0), "{per:?}, untried {}", report.untried);
}

/// One laptop, many networks, one session.
#[test]
fn the_seventieth_network_is_as_good_as_the_first() {
    let mut stage = renominating(Role::Controlling);
    stage.add_candidate(PEER, 1_000);
    connect(&mut stage, PEER);
    for n in 0..70_u32 {
        let socket = SocketId(100 + n);
        let local = SocketAddr::from(([10, 9, n as u8, 1], 5000));
        stage.agent.socket_up(stage.now, Socket::udp(socket, local)).unwrap();
        stage.poll();
        assert!(stage.agent.explain().pairs.iter().any(|p| p.local == local), "network {n}");
        stage.agent.socket_down(stage.now, socket).unwrap();
        stage.poll();
    }
}

/// An answer of a pair that was taken back by selection is not asymmetric.
#[test]
fn an_answer_for_a_pair_that_is_gone_is_not_asymmetric() {
    let mut stage = Stage::new(role(Role::Controlled));
    stage.add_candidate(other(), 1_000);
    stage.poll();
    let check = stage.take_request(other()).unwrap();
    stage.add_candidate(PEER, 2_000);
    stage.wait(Duration::from_millis(60));
    stage.answer_all(PEER);
    stage.wait(Duration::from_millis(60));
    let request = stage.request(CG, false);
    stage.receive(other(), &request);
    let nomination = stage.request(CG, true);
    stage.receive(PEER, &nomination);
    stage.answer_all(PEER);
    assert_eq!(stage.selected(), Some(PEER));
    let late = stage.response(&check, address(0));
    stage.receive(other(), &late);
    assert_eq!(stage.agent.generations.current.checks.tally().asymmetric, 0);
}

/// Everything in the list was refused; the reserve still has pairs.
#[test]
fn wide_reach_goes_on_when_the_list_has_failed() {
    let mut stage = Stage::new(AgentConfig { reach: Reach::Wide, ..role(Role::Controlled) });
    for n in 0..120 {
        stage.add_candidate(source(n), 10_000 - n as u32);
    }
    for _ in 0..400 {
        stage.wait(Duration::from_millis(50));
        for n in 0..100 {
            while let Some(check) = stage.take_request(source(n)) {
                let refused = stage.error(&check, ErrorCode::BAD_REQUEST, true);
                stage.receive(source(n), &refused);
            }
        }
    }
    stage.wait(Duration::from_secs(600));
    let report = stage.agent.explain();
    assert_eq!(
        report.reserved,
        0,
        "{} pairs, failed: {}",
        report.pairs.len(),
        stage.events.iter().any(|e| matches!(e, Event::Failed(_)))
    );
}

/// A peer that moves about and renominates.
#[test]
fn the_fortieth_move_of_the_peer_is_followed() {
    let mut stage = renominating(Role::Controlled);
    for n in 0..40 {
        let request = nomination(&mut stage, n as u32 + 1);
        stage.receive(source(n), &request);
        stage.wait(Duration::from_millis(60));
        stage.answer_all(source(n));
        assert_eq!(stage.selected(), Some(source(n)), "move {n}");
        for _ in 0..32 {
            stage.wait(Duration::from_secs(1));
            stage.answer_all(source(n));
        }
    }
}

/// Deadline of the application, long over, and a renominating session that loses its path for a moment.
#[test]
fn a_deadline_that_was_met_does_not_end_the_agent_later() {
    let config = AgentConfig {
        nomination: Nomination::Renominate,
        deadline: Some(Duration::from_secs(10)),
        ..Default::default()
    };
    let mut stage = Stage::new(config);
    stage.agent.set_remote_renomination(stage.now, true);
    stage.add_candidate(PEER, 1_000);
    connect(&mut stage, PEER);
    for _ in 0..20 {
        stage.wait(Duration::from_secs(1));
        stage.answer_all(PEER);
    }
    // A new network comes up just before the old one goes.
    stage
        .agent
        .socket_up(stage.now, Socket::udp(SocketId(1), SocketAddr::from(([10, 9, 0, 1], 5000))))
        .unwrap();
    stage.agent.socket_down(stage.now, SocketId(0)).unwrap();
    stage.poll();
    let tail: Vec<_> = stage.events.iter().rev().take(4).map(short).collect();
    assert!(!stage.events.iter().any(|e| matches!(e, Event::Failed(_))), "{tail:#?}");
}

/// Eight streams of two components, two addresses of ours, three candidates of the peer on one address.
#[test]
fn one_remote_address_is_shared_evenly_by_the_streams() {
    let config = AgentConfig { streams: vec![2; 8], ..role(Role::Controlling) };
    let mut agent = Agent::new(config, [5; 32]).unwrap();
    let components = agent.components().to_vec();
    let mut id = 0;
    for (number, of) in (0_u16..).zip(&components) {
        for network in 0..2 {
            let local = SocketAddr::from(([10, network, 0, 1], 5000 + number));
            agent.socket_up(Instant::ZERO, Socket::udp(SocketId(id), local).component(*of)).unwrap();
            id += 1;
        }
    }
    for (number, of) in (0_u16..).zip(&components) {
        for n in 0..3_u16 {
            let line = format!(
                "candidate:{n} {} UDP {} 192.0.2.7 {} typ host",
                of.component,
                2_130_706_432 - 1_000 * u32::from(n) - u32::from(of.component),
                6000 + 10 * number + n
            );
            agent.add_stream_candidate(Instant::ZERO, of.stream, &line.parse().unwrap()).unwrap();
        }
    }
    let report = agent.explain();
    let per: Vec<_> =
        components.iter().map(|c| report.pairs.iter().filter(|p| p.component == *c).count()).collect();
    assert!(per.iter().all(|n| *n > 0), "{per:?}, untried {}", report.untried);
}

/// The peer nominates both components, we become controlling for a moment, and it takes the role back.
#[test]
fn each_component_follows_what_was_adopted() {
    let config = AgentConfig { streams: vec![2], tie_breaker: Some(50), ..role(Role::Controlled) };
    let mut stage = Stage::new(config);
    let second = SocketAddr::from(([10, 0, 0, 1], 5001));
    let socket = Socket::udp(SocketId(1), second).component(ComponentId { stream: 0, component: 2 });
    stage.agent.socket_up(stage.now, socket).unwrap();
    stage.poll();
    stage.sent.clear();
    // Both components are nominated, and our own checks are not answered yet.
    for id in [0, 1] {
        let mut request = stage.request(RoleClaim::Controlling(10), true);
        stage.agent.receive(
            stage.now,
            Datagram::new(SocketId(id), if id == 0 { PEER } else { other() }, &mut request),
        );
    }
    stage.poll();
    // A conflict: the peer claims to be controlled, with a smaller tie-breaker, so we control.
    let request = stage.request(RoleClaim::Controlled(11), false);
    stage.receive(PEER, &request);
    assert_eq!(stage.agent.role(), Role::Controlling);
    // Now our checks are answered.
    for _ in 0..4 {
        stage.wait(Duration::from_millis(60));
        let answers: Vec<_> = stage.sent.drain(..).collect();
        for (to, bytes) in answers {
            let m = Message::parse(&bytes).unwrap();
            if m.class() == Class::Request && !m.use_candidate() {
                let mut response = stage.response(&bytes, address(0));
                let id = SocketId(u32::from(to != PEER));
                stage.agent.receive(stage.now, Datagram::new(id, to, &mut response));
            }
        }
    }
    // And it takes the role back.
    let request = stage.request(RoleClaim::Controlling(99), false);
    stage.receive(PEER, &request);
    assert_eq!(stage.agent.role(), Role::Controlled);
    stage.poll();
    let selected: Vec<_> = [1, 2]
        .map(|component| stage.agent.selected_path(ComponentId { stream: 0, component }).is_some())
        .to_vec();
    assert_eq!(selected, [true, true], "{}", stage.agent.explain());
}

/// The selected pair is lost while another one is still being tried, in vain.
#[test]
fn an_agent_that_restarts_by_itself_does_when_the_last_hope_is_gone() {
    let config =
        AgentConfig { nomination: Nomination::Renominate, restart_by_itself: true, ..role(Role::Controlled) };
    let mut stage = Stage::new(config);
    stage.agent.set_remote_renomination(stage.now, true);
    let request = nomination(&mut stage, 1);
    stage.receive(PEER, &request);
    connect(&mut stage, PEER);
    for _ in 0..60 {
        stage.wait(Duration::from_secs(1));
        stage.answer_all(PEER);
    }
    stage.wait(Duration::from_secs(15));
    stage.add_candidate(other(), 5);
    stage.wait(Duration::from_secs(200));
    let tail: Vec<_> = stage.events.iter().rev().take(4).map(short).collect();
    assert!(stage.events.iter().any(|e| matches!(e, Event::Restarted { .. })), "{tail:#?}");
}
