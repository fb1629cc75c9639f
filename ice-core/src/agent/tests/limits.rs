//! Everything that the network can grow has a bound, and meets it here.

use super::puppet::{Outcome, PEER, Stage};
use super::*;
use crate::candidate::{
    MAX_LOCAL_CANDIDATES, MAX_LOCAL_PEER_REFLEXIVE, MAX_PEER_REFLEXIVE, MAX_REMOTE_CANDIDATES,
};
use crate::check::{MAX_PAIRS_PER_REMOTE_ADDRESS, Reach};
use crate::trace::DropReason;
use crate::wire::{Message, RoleClaim};

const CONTROLLING: RoleClaim = RoleClaim::Controlling(1);

fn source(n: usize) -> SocketAddr {
    SocketAddr::from(([10, 1, (n / 250) as u8, (n % 250) as u8 + 1], 4_000))
}

/// A flood of signed requests from one source, without a poll in between.
#[test]
fn answers_that_nobody_polls_are_bounded_and_the_rest_is_dropped_without_effect() {
    let mut stage = Stage::new(role(Role::Controlled));
    for n in 0..MAX_PENDING_ANSWERS + 10 {
        let request = stage.request(CONTROLLING, false);
        let expected = if n < MAX_PENDING_ANSWERS {
            Outcome::Consumed
        } else {
            Outcome::Dropped(DropReason::AnswerQueueFull)
        };
        assert_eq!(stage.receive(PEER, &request), expected, "{n}");
    }
    let report = stage.agent.explain();
    assert_eq!(report.pairs[0].requests_received as usize, MAX_PENDING_ANSWERS);
}

/// A peer that knows the password can send from any address. All are answered; few are remembered.
#[test]
fn ten_thousand_sources_are_answered_and_the_good_peer_still_connects() {
    let mut stage = Stage::new(role(Role::Controlled));
    stage.add_candidate(PEER, 2_000);
    stage.poll();
    stage.sent.clear();
    for n in 0..10_000 {
        let request = stage.request(CONTROLLING, false);
        let expected = if n < MAX_PEER_REFLEXIVE {
            Outcome::Consumed
        } else {
            Outcome::Dropped(DropReason::TooManyCandidates)
        };
        assert_eq!(stage.receive(source(n), &request), expected, "{n}");
        stage.poll();
    }
    let answers =
        stage.sent.iter().filter(|(_, b)| Message::parse(b).unwrap().xor_mapped_address().is_some());
    assert_eq!(answers.count(), 10_000);
    assert_eq!(stage.agent.explain().pairs.len(), MAX_PEER_REFLEXIVE + 1);
    assert!(stage.agent.paths.inbound_len() <= crate::path::MAX_INBOUND);
    let nomination = stage.request(CONTROLLING, true);
    assert_eq!(stage.receive(PEER, &nomination), Outcome::Consumed);
    for _ in 0..100 {
        stage.wait(Duration::from_millis(100));
        stage.answer_all(PEER);
    }
    assert_eq!(stage.selected(), Some(PEER));
}

#[test]
fn signalled_candidates_are_bounded() {
    let mut stage = Stage::new(role(Role::Controlled));
    for n in 0..=MAX_REMOTE_CANDIDATES {
        let line = format!("candidate:1 1 UDP {} {} 4000 typ host", n + 1, source(n).ip());
        let added = stage.agent.add_remote_candidate(stage.now, &line.parse().unwrap());
        assert_eq!(added.is_ok(), n < MAX_REMOTE_CANDIDATES, "{n}");
    }
    assert_eq!(stage.agent.explain().pairs.len(), usize::from(crate::check::DEFAULT_PAIRS));
    assert_eq!(
        stage.agent.explain().untried as usize,
        MAX_REMOTE_CANDIDATES - usize::from(crate::check::DEFAULT_PAIRS)
    );
}

#[test]
fn sockets_are_bounded() {
    let mut agent = Agent::new(AgentConfig::default(), [1; 32]).unwrap();
    for n in 0..=MAX_LOCAL_CANDIDATES {
        let socket = Socket::udp(crate::base::SocketId(n as u32), source(n));
        let expected =
            if n < MAX_LOCAL_CANDIDATES { Ok(()) } else { Err(crate::gather::SocketError::TooMany) };
        assert_eq!(agent.socket_up(Instant::ZERO, socket), expected, "{n}");
    }
}

/// A description that names one victim under ever new ports.
#[test]
fn no_remote_address_is_aimed_at_by_more_than_its_share_of_pairs() {
    for reach in [Reach::default(), Reach::Wide] {
        let mut stage = Stage::new(AgentConfig { reach, ..Default::default() });
        for port in 0..MAX_PAIRS_PER_REMOTE_ADDRESS + 20 {
            let victim = SocketAddr::from(([192, 0, 2, 7], 1_000 + port));
            stage.add_candidate(victim, 1_000 + u32::from(port));
        }
        let report = stage.agent.explain();
        assert_eq!(report.pairs.len(), usize::from(MAX_PAIRS_PER_REMOTE_ADDRESS), "{reach:?}");
        assert_eq!(report.untried, 20);
        // Those of the lowest priority were left out, although they came first.
        assert!(report.pairs.iter().all(|p| p.remote.port() >= 1_020), "{report}");
    }
}

#[test]
fn wide_reach_remembers_no_more_pairs_than_it_promises() {
    let mut agent = Agent::new(AgentConfig { reach: Reach::Wide, ..Default::default() }, [1; 32]).unwrap();
    for n in 0..60 {
        agent.socket_up(Instant::ZERO, Socket::udp(crate::base::SocketId(n as u32), source(n))).unwrap();
    }
    for n in 0..100 {
        let line = format!("candidate:{n} 1 UDP {} {} 4000 typ host", n + 1, source(1_000 + n).ip());
        agent.add_remote_candidate(Instant::ZERO, &line.parse().unwrap()).unwrap();
    }
    let report = agent.explain();
    assert_eq!(report.pairs.len(), usize::from(crate::check::DEFAULT_PAIRS));
    assert_eq!(report.pairs.len() + report.reserved, usize::from(crate::check::MAX_PAIRS));
    assert_eq!(report.untried, 6_000 - u32::from(crate::check::MAX_PAIRS));
}

/// A peer that triggers the same check again and again, and never answers: one request each Ta, and a table that
/// stays as it is.
#[test]
fn a_peer_that_triggers_checks_for_ever_gets_one_each_ta() {
    let mut stage = Stage::new(role(Role::Controlled));
    for _ in 0..2_000 {
        let request = stage.request(CONTROLLING, false);
        stage.receive(PEER, &request);
        stage.wait(Duration::from_millis(10));
    }
    let requests = requests_sent(&stage);
    assert!((390..=401).contains(&requests), "{requests} requests in 20 s");
    assert!(stage.agent.generations.current.checks.outstanding() <= crate::check::MAX_TRANSACTIONS);
}

fn requests_sent(stage: &Stage) -> usize {
    let is_request = |bytes: &[u8]| Message::parse(bytes).unwrap().class() == crate::wire::Class::Request;
    stage.sent.iter().filter(|(_, bytes)| is_request(bytes)).count()
}

/// A peer that answers every check with another mapped address.
#[test]
fn mapped_addresses_are_bounded_and_the_pair_is_valid_all_the_same() {
    let mut stage = Stage::new(role(Role::Controlled));
    for n in 0..90 {
        stage.add_candidate(source(n), 1_000 + n as u32);
    }
    stage.wait(Duration::from_secs(5));
    for n in 0..90 {
        let check = stage.take_request(source(n)).unwrap();
        let response = stage.response(&check, SocketAddr::from(([203, 0, 113, 9], 10_000 + n as u16)));
        assert_eq!(stage.receive(source(n), &response), Outcome::Consumed);
    }
    assert_eq!(stage.agent.generations.current.candidates.locals().len(), MAX_LOCAL_PEER_REFLEXIVE + 1);
    let valid = |p: &&PairReport| p.phase == crate::trace::PairPhase::Succeeded;
    assert_eq!(stage.agent.explain().pairs.iter().filter(valid).count(), 90);
    assert!(stage.agent.paths.flows_len() <= crate::path::MAX_FLOWS);
}

/// A flood without credentials cannot take the places of the peer's answers.
#[test]
fn strangers_leave_room_for_answers_to_the_peer() {
    let mut stage = Stage::new(role(Role::Controlled));
    let wrong = IntegrityKey::short_term("another-password-altogether");
    for n in 0..200 {
        let mut request = [0; 128];
        let id = stage.fresh_id();
        let ours = stage.agent.local_credentials().ufrag().to_string();
        let message = crate::wire::MessageWriter::new(
            &mut request,
            crate::wire::Class::Request,
            crate::wire::Method::BINDING,
            id,
        );
        let length = message.username(&ours, "peer").priority(1).sign(&wrong).unwrap();
        assert_eq!(stage.receive(source(n), &request[..length]), Outcome::Dropped(DropReason::WrongPassword));
    }
    let request = stage.request(CONTROLLING, false);
    assert_eq!(stage.receive(PEER, &request), Outcome::Consumed);
    stage.poll();
    assert_eq!(stage.sent.iter().filter(|(to, _)| *to != PEER).count(), 16);
    assert!(stage.sent.iter().any(|(to, _)| *to == PEER));
}

#[test]
fn candidates_that_come_before_their_credentials_are_bounded_and_sorted_out_later() {
    let mut stage = Stage::without_credentials(role(Role::Controlled));
    for n in 0..=MAX_REMOTE_CANDIDATES {
        let ufrag = if n == 0 { "peer" } else { "old1" };
        let line = format!("candidate:1 1 UDP {} {} 4000 typ host ufrag {ufrag}", n + 1, source(n).ip());
        let added = stage.agent.add_remote_candidate(stage.now, &line.parse().unwrap());
        assert_eq!(added.is_ok(), n < MAX_REMOTE_CANDIDATES, "{n}");
    }
    let credentials = stage.credentials.clone();
    stage.agent.set_remote_credentials(stage.now, credentials).unwrap();
    assert_eq!(stage.agent.explain().pairs.len(), 1);
}

#[test]
fn what_is_remembered_of_a_role_conflict_is_bounded() {
    let mut stage = Stage::new(AgentConfig { tie_breaker: Some(500), ..role(Role::Controlling) });
    for n in 0..100 {
        let request = stage.request(RoleClaim::Controlling(n), false);
        assert_eq!(stage.receive(PEER, &request), Outcome::Consumed);
        stage.poll();
    }
    let bound = crate::check::MAX_REFUSED;
    assert_eq!(stage.agent.generations.current.checks.conflict_len(), (bound, bound));
}

/// Pairs that are displaced for one that was heard go into a reserve that may be full.
#[test]
fn wide_reach_keeps_its_promise_when_the_peer_is_heard_on_many_pairs() {
    let config = AgentConfig { reach: Reach::Wide, ..role(Role::Controlled) };
    let mut stage = Stage::new(config);
    for n in 1..60 {
        stage.agent.socket_up(stage.now, Socket::udp(crate::base::SocketId(n as u32), source(n))).unwrap();
    }
    for n in 0..100 {
        stage.add_candidate(source(1_000 + n), 1_000 + n as u32);
    }
    stage.wait(Duration::from_millis(4_900));
    for n in 0..80 {
        let request = stage.request(CONTROLLING, false);
        stage.receive(source(1_000 + n), &request);
        stage.poll();
    }
    let report = stage.agent.explain();
    assert!(
        report.pairs.len() + report.reserved <= usize::from(crate::check::MAX_PAIRS),
        "{}",
        report.reserved
    );
}
