//! What RFCs 8838, 8863 and 7675 ask of an agent whose peer is late, or gone. `docs/conformance.md` names these tests.

use super::puppet::{Outcome, PEER, Stage};
use super::*;
use crate::trace::{CheckFailure, DropReason, PairPhase};
use crate::wire::{ErrorCode, RoleClaim};

const CONTROLLING: RoleClaim = RoleClaim::Controlling(1);

fn source(n: u16) -> SocketAddr {
    SocketAddr::from(([10, 1, (n / 250) as u8, (n % 250) as u8 + 1], 4_000))
}

/// RFC 8838 §10: the peer is to know of a candidate before it sees a check from there.
#[test]
fn a_candidate_is_told_before_any_check_goes_from_it() {
    let mut agent = Agent::new(role(Role::Controlling), [1; 32]).unwrap();
    let credentials = Credentials::new("peer", "the-password-of-the-peer").unwrap();
    agent.set_remote_credentials(Instant::ZERO, credentials).unwrap();
    let line = "candidate:1 1 UDP 7 10.0.0.2 5000 typ host";
    agent.add_remote_candidate(Instant::ZERO, &line.parse().unwrap()).unwrap();
    for n in 0..2 {
        let socket = Socket::udp(crate::base::SocketId(n), SocketAddr::from(([10, 9, 0, n as u8 + 1], 5000)));
        agent.socket_up(Instant::ZERO, socket).unwrap();
        let mut scratch = [0; MAX_TRANSMIT];
        let now = Instant::from_millis(u64::from(n) * 100);
        assert!(matches!(agent.poll(now, &mut scratch), Output::Event(Event::LocalCandidate { .. })));
        assert!(matches!(agent.poll(now, &mut scratch), Output::Event(Event::GatheringDone)));
        let Output::Transmit(check) = agent.poll(now, &mut scratch) else { panic!("no check") };
        assert_eq!(check.socket.0, n);
    }
}

/// RFC 8838 §17: pairs are formed as their candidates come, not by what they are worth.
#[test]
fn candidates_are_paired_in_the_order_in_which_they_come() {
    let mut stage = Stage::new(role(Role::Controlled));
    for (n, priority) in [(1, 500), (2, 900), (3, 100)] {
        stage.add_candidate(source(n), priority);
    }
    let mut pairs = stage.agent.explain().pairs;
    pairs.sort_by_key(|p| p.id);
    assert_eq!(pairs.iter().map(|p| p.remote).collect::<Vec<_>>(), [source(1), source(2), source(3)]);
}

/// RFC 8838 §10 and §11: a failed pair goes before one that still may succeed, whatever their priorities.
#[test]
fn a_failed_pair_makes_room_for_a_new_one() {
    let mut stage = Stage::new(role(Role::Controlled));
    for n in 0..crate::check::DEFAULT_PAIRS {
        stage.add_candidate(source(n), 2_000 - u32::from(n));
    }
    stage.poll();
    let check = stage.take_request(source(0)).unwrap();
    let refused = stage.error(&check, ErrorCode::BAD_REQUEST, true);
    stage.receive(source(0), &refused);
    stage.add_candidate(PEER, 1);
    let report = stage.agent.explain();
    assert_eq!(report.pairs.len(), usize::from(crate::check::DEFAULT_PAIRS));
    assert!(report.pairs.iter().any(|p| p.remote == PEER));
    assert!(report.pairs.iter().all(|p| p.remote != source(0)));
    // When none has failed, the one of the lowest priority gives way.
    stage.add_candidate(source(300), 2);
    let report = stage.agent.explain();
    assert!(report.pairs.iter().any(|p| p.remote == source(300)), "{report}");
    assert!(report.pairs.iter().all(|p| p.remote != PEER), "{report}");
}

/// RFC 8863 §4 and §5: every pair has failed and no candidate will come, and still the peer may.
#[test]
fn patience_outlasts_failed_pairs_and_the_end_of_candidates() {
    let fail_all = || {
        let mut stage = Stage::new(role(Role::Controlled));
        stage.add_candidate(source(1), 1_000);
        stage.agent.end_of_remote_candidates(stage.now);
        stage.poll();
        let check = stage.take_request(source(1)).unwrap();
        let refused = stage.error(&check, ErrorCode::BAD_REQUEST, true);
        stage.receive(source(1), &refused);
        let failed = PairPhase::Failed(CheckFailure::Refused(400));
        assert!(stage.agent.explain().pairs.iter().all(|p| p.phase == failed));
        stage.wait(Duration::from_millis(39_499));
        assert!(!stage.events.iter().any(|e| matches!(e, Event::Failed(_))), "{:?}", stage.events);
        stage
    };
    let mut stage = fail_all();
    stage.wait(Duration::from_millis(1));
    assert!(matches!(stage.events.last(), Some(Event::Failed(_))), "{:?}", stage.events);
    let mut stage = fail_all();
    let request = stage.request(CONTROLLING, true);
    stage.receive(PEER, &request);
    stage.poll();
    stage.answer_all(PEER);
    assert_eq!(stage.selected(), Some(PEER));
}

/// RFC 7675 §5.1: what was asked before consent ended is forgotten with it.
#[test]
fn a_late_answer_to_a_consent_check_revives_nothing() {
    let mut stage = Stage::new(role(Role::Controlled));
    let request = stage.request(CONTROLLING, true);
    stage.receive(PEER, &request);
    stage.poll();
    stage.answer_all(PEER);
    stage.wait(Duration::from_secs(29));
    let mut asked = Vec::new();
    while let Some(check) = stage.take_request(PEER) {
        asked.push(check);
    }
    assert!(asked.len() >= 4);
    stage.wait(Duration::from_secs(2));
    assert_eq!(stage.events.last(), Some(&Event::RestartNeeded(Cause::ConsentExpired)));
    for check in asked {
        let late = stage.response(&check, address(0));
        assert_eq!(stage.receive(PEER, &late), Outcome::Dropped(DropReason::UnknownTransaction));
    }
    let mut scratch = [0; MAX_TRANSMIT];
    assert_eq!(stage.agent.send(stage.now, ComponentId::FIRST, b"x", &mut scratch), Err(SendError::NoPath));
}

/// The same as above, but the machine slept, and the datagrams are read before the first poll.
#[test]
fn a_late_answer_before_the_poll_revives_nothing_either() {
    let mut stage = Stage::new(role(Role::Controlled));
    let request = stage.request(CONTROLLING, true);
    stage.receive(PEER, &request);
    stage.poll();
    stage.answer_all(PEER);
    stage.wait(Duration::from_secs(6));
    let check = stage.take_request(PEER).unwrap();
    stage.now = stage.now + Duration::from_secs(600);
    let late = stage.response(&check, address(0));
    let outcome = stage.receive(PEER, &late);
    stage.poll();
    let mut scratch = [0; MAX_TRANSMIT];
    let sent = stage.agent.send(stage.now, ComponentId::FIRST, b"x", &mut scratch).map(|_| ());
    assert_eq!((outcome, sent), (Outcome::Dropped(DropReason::UnknownTransaction), Err(SendError::NoPath)));
}

#[test]
fn a_check_is_not_answered_ten_minutes_later() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.add_candidate(PEER, 7);
    stage.poll();
    let check = stage.take_request(PEER).unwrap();
    stage.now = stage.now + Duration::from_secs(600);
    let late = stage.response(&check, address(0));
    stage.receive(PEER, &late);
    assert_eq!(stage.agent.path(ComponentId::FIRST).map(|p| p.rtt), None);
}
