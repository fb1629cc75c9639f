//! Statistics: exact numbers of scripted sessions.

use super::puppet::{Outcome, PEER, Stage};
use super::*;
use crate::candidate::CandidateType;
use crate::path::MAX_COUNTED;
use crate::trace::{DropReason, PairPhase};
use crate::wire::{ErrorCode, Message, RoleClaim};

const CONTROLLING: RoleClaim = RoleClaim::Controlling(1);
/// Its first byte is not STUN's (RFC 7983 §7).
const DATA: [u8; 64] = [0x80; 64];

fn other(n: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 1, n as u8 + 1], 5_000))
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn send(stage: &mut Stage, bytes: usize) -> Result<SocketAddr, SendError> {
    let mut scratch = [0; MAX_TRANSMIT];
    let transmit = stage.agent.send(stage.now, ComponentId::FIRST, &DATA[..bytes], &mut scratch);
    transmit.map(|t| t.remote)
}

fn pair_to(stage: &Stage, remote: SocketAddr) -> CandidatePairStats {
    let stats = stage.agent.stats();
    let is_it = |id| stats.candidate(id).is_some_and(|c| (c.address, c.port) == (remote.ip(), remote.port()));
    stats.candidate_pairs.iter().find(|p| is_it(p.remote_candidate_id)).unwrap().clone()
}

fn transport(agent: &Agent) -> TransportStats {
    agent.stats().transports[0].clone()
}

/// Controlled, with a valid pair that the peer has nominated at 20 ms.
fn connected() -> Stage {
    let mut stage = Stage::new(role(Role::Controlled));
    stage.add_candidate(PEER, 2_000);
    stage.wait(ms(20));
    let nomination = stage.request(CONTROLLING, true);
    stage.receive(PEER, &nomination);
    stage.answer_all(PEER);
    assert_eq!(stage.selected(), Some(PEER));
    stage.sent.clear();
    stage
}

/// Lets time pass up to the very moment of the next consent check.
fn next_consent_check(stage: &mut Stage) -> Vec<u8> {
    let mut scratch = [0; MAX_TRANSMIT];
    loop {
        match stage.agent.poll(stage.now, &mut scratch) {
            Output::Transmit(transmit) => return transmit.contents.to_vec(),
            Output::Wait(next) => stage.now = next.unwrap(),
            Output::Event(_) | Output::Resolve(_) | Output::Socket(_) | Output::Closed => {}
        }
    }
}

#[test]
fn a_check_counts_once_however_often_it_is_sent_and_a_new_one_counts_again() {
    let mut stage = Stage::new(role(Role::Controlled));
    stage.add_candidate(PEER, 2_000);
    stage.add_candidate(other(0), 1_000);
    // The better one goes at 0 ms, and again as a new transaction at 500 ms; the other at 50 ms and, the same again, at
    // 550 ms.
    stage.wait(ms(600));
    let sent_to = |to| stage.sent.iter().filter(|(remote, _)| *remote == to).count();
    assert_eq!((sent_to(PEER), sent_to(other(0))), (2, 2));
    assert_eq!((pair_to(&stage, PEER).requests_sent, pair_to(&stage, other(0)).requests_sent), (2, 1));
    assert_eq!(pair_to(&stage, PEER).state, PairPhase::InProgress);

    let first = stage.take_request(PEER).unwrap();
    let second = stage.take_request(PEER).unwrap();
    let response = stage.response(&second, address(0));
    stage.receive(PEER, &response);
    let after = pair_to(&stage, PEER);
    assert_eq!((after.state, after.responses_received), (PairPhase::Succeeded, 1));
    assert_eq!(after.total_round_trip_time, ms(100));
    // Nobody waits for it any more.
    let late = stage.response(&first, address(0));
    assert_eq!(stage.receive(PEER, &late), Outcome::Dropped(DropReason::UnknownTransaction));
    assert_eq!(pair_to(&stage, PEER).responses_received, 1);
    // An error is no measurement.
    let check = stage.take_request(other(0)).unwrap();
    let refusal = stage.error(&check, ErrorCode::BAD_REQUEST, true);
    stage.receive(other(0), &refusal);
    let refused = pair_to(&stage, other(0));
    assert!(matches!(refused.state, PairPhase::Failed(_)));
    assert_eq!((refused.responses_received, refused.average_round_trip_time()), (0, None));
}

#[test]
fn the_average_round_trip_is_over_checks_and_consent_checks() {
    let mut stage = connected();
    let before = pair_to(&stage, PEER);
    assert_eq!((before.requests_sent, before.responses_received), (1, 1));
    assert_eq!((before.total_round_trip_time, before.current_round_trip_time), (ms(20), Some(ms(20))));
    assert_eq!(before.consent_requests_sent, 0);
    // One consent check is lost, the next is answered after 50 ms, the third after 80 ms.
    for answer_after in [None, Some(50), Some(80)] {
        let check = next_consent_check(&mut stage);
        let Some(delay) = answer_after else { continue };
        stage.wait(ms(delay));
        let response = stage.response(&check, address(0));
        stage.receive(PEER, &response);
    }
    let after = pair_to(&stage, PEER);
    assert_eq!((after.consent_requests_sent, after.responses_received, after.requests_sent), (3, 3, 1));
    assert_eq!((after.total_round_trip_time, after.current_round_trip_time), (ms(150), Some(ms(80))));
    assert_eq!(after.average_round_trip_time(), Some(ms(50)));
}

#[test]
fn requests_of_the_peer_count_whatever_became_of_them_and_those_of_strangers_do_not() {
    let mut stage = Stage::new(AgentConfig { tie_breaker: Some(0), ..role(Role::Controlled) });
    stage.add_candidate(PEER, 2_000);
    let good = stage.request(CONTROLLING, false);
    for _ in 0..2 {
        assert_eq!(stage.receive(PEER, &good), Outcome::Consumed);
    }
    let conflict = stage.request(RoleClaim::Controlled(7), false);
    assert_eq!(stage.receive(PEER, &conflict), Outcome::Consumed);
    let strange =
        Credentials::new(stage.agent.local_credentials().ufrag(), "a-password-of-a-stranger").unwrap();
    for _ in 0..2 {
        let forged = stage.request_to(&strange, "peer", CONTROLLING);
        assert_eq!(stage.receive(PEER, &forged), Outcome::Dropped(DropReason::WrongPassword));
    }
    let pair = pair_to(&stage, PEER);
    assert_eq!((pair.requests_received, pair.responses_sent), (3, 0), "nothing was polled");
    stage.poll();
    let pair = pair_to(&stage, PEER);
    assert_eq!((pair.requests_received, pair.responses_sent), (3, 3));
}

#[test]
fn data_counts_for_the_pair_and_its_transport_both_ways() {
    let mut stage = connected();
    stage.wait(ms(100));
    for bytes in [10, 20, 30] {
        assert_eq!(send(&mut stage, bytes), Ok(PEER));
    }
    stage.wait(ms(5));
    for bytes in [5, 7] {
        assert_eq!(stage.receive(PEER, &DATA[..bytes]), Outcome::Data);
    }
    // From nobody we know.
    assert_eq!(stage.receive(other(9), &DATA), Outcome::Unclaimed);
    let pair = pair_to(&stage, PEER);
    assert_eq!((pair.packets_sent, pair.bytes_sent), (3, 60));
    assert_eq!((pair.packets_received, pair.bytes_received), (2, 12));
    assert_eq!(pair.last_packet_sent_timestamp, Some(Instant::from_millis(120)));
    assert_eq!(pair.last_packet_received_timestamp, Some(Instant::from_millis(125)));
    assert_eq!((pair.timestamp, pair.nominated), (Instant::from_millis(125), true));
    let whole = transport(&stage.agent);
    assert_eq!((whole.packets_sent, whole.bytes_sent), (3, 60));
    assert_eq!((whole.packets_received, whole.bytes_received), (2, 12));
    assert_eq!((pair.packets_discarded_on_send, pair.bytes_discarded_on_send), (0, 0));
}

#[test]
fn what_is_refused_or_not_taken_by_the_socket_is_discarded_and_not_sent() {
    let mut stage = connected();
    for (bytes, why) in [(10, None), (20, Some(NotSent::Discarded)), (30, Some(NotSent::WouldBlock))] {
        send(&mut stage, bytes).unwrap();
        if let Some(why) = why {
            stage.agent.not_sent(stage.now, ComponentId::FIRST, bytes, why);
        }
    }
    // Consent expires, and nobody has polled meanwhile.
    stage.now = Instant::from_millis(31_000);
    assert_eq!(send(&mut stage, 40), Err(SendError::NoConsent));
    let pair = pair_to(&stage, PEER);
    assert_eq!((pair.packets_sent, pair.bytes_sent), (1, 10));
    assert_eq!((pair.packets_discarded_on_send, pair.bytes_discarded_on_send), (2, 60));
    assert_eq!((transport(&stage.agent).packets_sent, transport(&stage.agent).bytes_sent), (1, 10));
    assert_eq!(transport(&stage.agent).ice_state, IceTransportState::Disconnected);
    // The numbers outlive the flow.
    stage.poll();
    assert_eq!(send(&mut stage, 50), Err(SendError::NoPath));
    let pair = pair_to(&stage, PEER);
    assert_eq!((pair.bytes_sent, pair.bytes_discarded_on_send), (10, 60));
    assert_eq!(transport(&stage.agent).ice_state, IceTransportState::Failed);
}

/// RFC 8445 §12.2: the peer may have validated first.
#[test]
fn data_before_our_own_check_has_succeeded_counts_for_its_pair() {
    let mut stage = Stage::new(role(Role::Controlled));
    stage.add_candidate(PEER, 2_000);
    let request = stage.request(CONTROLLING, false);
    stage.receive(PEER, &request);
    assert_eq!(stage.receive(PEER, &DATA[..9]), Outcome::Data);
    stage.answer_all(PEER);
    assert_eq!(stage.receive(PEER, &DATA[..8]), Outcome::Data);
    let pair = pair_to(&stage, PEER);
    assert_eq!((pair.packets_received, pair.bytes_received), (2, 17));
    assert_eq!(transport(&stage.agent).bytes_received, 17);
}

#[test]
fn selections_are_counted_from_and_to_none_and_a_takeover_is_one() {
    let mut stage = Stage::new(role(Role::Controlled));
    stage.add_candidate(PEER, 2_000);
    stage.add_candidate(other(0), 1_000);
    assert_eq!(transport(&stage.agent).ice_state, IceTransportState::Checking);
    stage.wait(ms(100));
    stage.answer_all(other(0));
    let stats = transport(&stage.agent);
    assert_eq!((stats.ice_state, stats.selected_candidate_pair_changes), (IceTransportState::Connected, 0));
    for (remote, changes) in [(other(0), 1), (PEER, 2)] {
        let nomination = stage.request(CONTROLLING, true);
        stage.receive(remote, &nomination);
        stage.poll();
        stage.wait(ms(100));
        stage.answer_all(remote);
        assert_eq!(stage.selected(), Some(remote));
        let stats = transport(&stage.agent);
        assert_eq!(
            (stats.ice_state, stats.selected_candidate_pair_changes),
            (IceTransportState::Completed, changes)
        );
        assert_eq!(stats.selected_candidate_pair_id, Some(pair_to(&stage, remote).id));
    }
    // The peer takes its consent back from one, then from the other.
    for (remote, expected, changes) in [(PEER, Some(other(0)), 3), (other(0), None, 4)] {
        stage.sent.clear();
        let check = loop {
            stage.wait(ms(10));
            if let Some(check) = stage.take_request(remote) {
                break check;
            }
        };
        let forbidden = stage.error(&check, ErrorCode::FORBIDDEN, true);
        stage.receive(remote, &forbidden);
        assert_eq!(stage.selected(), expected);
        let stats = transport(&stage.agent);
        assert_eq!(stats.selected_candidate_pair_changes, changes, "{remote}");
        assert_eq!(stats.selected_candidate_pair_id, expected.map(|to| pair_to(&stage, to).id));
    }
    assert_eq!(transport(&stage.agent).ice_state, IceTransportState::Failed);
    stage.agent.close(stage.now);
    assert_eq!(transport(&stage.agent).ice_state, IceTransportState::Closed);
}

#[test]
fn a_path_that_goes_unanswered_is_disconnected_until_it_is_answered() {
    let mut stage = connected();
    let state = |stage: &Stage| transport(&stage.agent).ice_state;
    stage.wait(Duration::from_secs(19));
    assert_eq!(state(&stage), IceTransportState::Disconnected);
    stage.answer_all(PEER);
    assert_eq!(state(&stage), IceTransportState::Completed);
}

#[test]
fn after_a_restart_the_old_pair_keeps_its_numbers_and_the_transport_goes_on() {
    let mut bench = Bench::new([role(Role::Controlling), role(Role::Controlled)]);
    bench.signal();
    bench.run(Instant::from_millis(1_000));
    let mut scratch = [0; MAX_TRANSMIT];
    let now = bench.now;
    bench.agents[0].send(now, ComponentId::FIRST, &DATA[..10], &mut scratch).unwrap();
    let before = bench.agents[0].stats();
    let old = before.selected_pair(ComponentId::FIRST).unwrap().clone();
    // A check and a nomination, 40 ms each.
    assert_eq!((old.requests_sent, old.responses_received), (2, 2));
    assert_eq!(old.average_round_trip_time(), Some(2 * LATENCY));
    // The peer's own check.
    assert_eq!((old.requests_received, old.responses_sent), (1, 1));

    for agent in &mut bench.agents {
        agent.restart(now).unwrap();
    }
    let between = bench.agents[0].stats();
    assert_eq!(between.transports[0].selected_candidate_pair_id, Some(old.id));
    assert_eq!(between.transports[0].selected_candidate_pair_changes, 1);
    assert_ne!(
        between.transports[0].ice_local_username_fragment,
        before.transports[0].ice_local_username_fragment
    );
    bench.signal();
    bench.run(Instant::from_millis(2_000));
    bench.agents[0].send(bench.now, ComponentId::FIRST, &DATA[..20], &mut scratch).unwrap();
    let after = bench.agents[0].stats();
    let new = after.selected_pair(ComponentId::FIRST).unwrap();
    assert_eq!((new.id.generation(), new.bytes_sent, new.requests_sent), (1, 20, 2));
    assert_eq!(after.candidate_pair(old.id).unwrap().bytes_sent, 10);
    assert_eq!(after.transports[0].bytes_sent, 30);
    assert_eq!(after.transports[0].selected_candidate_pair_changes, 2);
    // Each pair names candidates that are there, of its own generation's credentials.
    for pair in &after.candidate_pairs {
        let local = after.candidate(pair.local_candidate_id).unwrap();
        let remote = after.candidate(pair.remote_candidate_id).unwrap();
        assert_eq!((local.address, remote.address), (address(0).ip(), address(1).ip()));
        let is_new = local.username_fragment.as_deref() == Some(bench.agents[0].local_credentials().ufrag());
        assert_eq!(is_new, pair.id.generation() == 1);
    }
}

#[test]
fn related_addresses_are_those_of_server_reflexive_candidates() {
    let mut stage = Stage::new(role(Role::Controlled));
    let mapped = SocketAddr::from(([203, 0, 113, 9], 6_000));
    let server = SocketAddr::from(([192, 0, 2, 1], 3_478));
    stage.agent.add_server_reflexive(stage.now, crate::base::SocketId(0), mapped, server).unwrap();
    let stats = stage.agent.stats();
    let told: Vec<_> = stats
        .local_candidates
        .iter()
        .map(|c| (c.candidate_type, c.address, c.port, c.related_address, c.related_port))
        .collect();
    let base = address(0);
    let expected = [
        (CandidateType::Host, base.ip(), base.port(), None, None),
        (CandidateType::ServerReflexive, mapped.ip(), mapped.port(), Some(base.ip()), Some(base.port())),
    ];
    assert_eq!(told, expected);
}

/// A peer that sends data from everywhere.
#[test]
fn the_pairs_whose_data_is_remembered_are_bounded_and_the_transport_counts_all() {
    let mut stage = Stage::new(role(Role::Controlled));
    let all = MAX_COUNTED + 5;
    for n in 0..all {
        stage.add_candidate(other(n), 1_000 + n as u32);
    }
    for n in 0..all {
        stage.wait(ms(1));
        let request = stage.request(CONTROLLING, false);
        stage.receive(other(n), &request);
        assert_eq!(stage.receive(other(n), &DATA[..3]), Outcome::Data, "{n}");
    }
    assert_eq!(stage.agent.paths.counted_len(), MAX_COUNTED);
    assert_eq!(transport(&stage.agent).bytes_received, 3 * all as u64);
    // Those on which nothing went for the longest are forgotten.
    let counted: Vec<u64> = (0..all).map(|n| pair_to(&stage, other(n)).bytes_received).collect();
    assert_eq!(counted[..5], [0; 5]);
    assert!(counted[5..].iter().all(|bytes| *bytes == 3), "{counted:?}");
}

/// Data is not authenticated: it is counted, and changes nothing.
#[test]
fn counting_is_no_state() {
    let mut stage = connected();
    let before = stage.agent.state_fingerprint();
    stage.receive(PEER, &DATA);
    send(&mut stage, 10).unwrap();
    assert_eq!(stage.agent.state_fingerprint(), before);
    assert!(Message::parse(&DATA).is_err());
}
