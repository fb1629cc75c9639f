//! What RFC 8445 asks of every check and of every answer. `docs/conformance.md` names these tests.

use super::puppet::{Outcome, PEER, Stage};
use super::*;
use crate::base::SocketId;
use crate::candidate::{CandidateType, MAX_PEER_REFLEXIVE};
use crate::trace::{CheckFailure, DropReason, PairPhase};
use crate::wire::{
    AttributeType, Class, ErrorCode, Message, MessageWriter, Method, RoleClaim, TransactionId,
};

const CONTROLLING: RoleClaim = RoleClaim::Controlling(1);
const CONTROLLED: RoleClaim = RoleClaim::Controlled(1);

fn other() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 3], 5000))
}

/// The requests that the agent has sent and nobody has taken.
fn requests(stage: &Stage) -> Vec<Message<'_>> {
    let parsed = stage.sent.iter().map(|(_, bytes)| Message::parse(bytes).unwrap());
    parsed.filter(|m| m.class() == Class::Request).collect()
}

fn phases(stage: &Stage) -> Vec<PairPhase> {
    stage.agent.explain().pairs.iter().map(|p| p.phase).collect()
}

/// §7.1 and §7.2.2: everything that a peer needs to take a check for what it is.
#[test]
fn a_check_carries_what_the_peer_needs_and_is_signed_with_its_password() {
    for (ours, controls) in [(Role::Controlling, true), (Role::Controlled, false)] {
        let mut stage = Stage::new(role(ours));
        stage.add_candidate(PEER, 1_000);
        stage.poll();
        let check = stage.take_request(PEER).unwrap();
        let check = Message::parse(&check).unwrap();
        let ours = stage.agent.local_credentials().ufrag();
        assert_eq!(check.username(), Some(&*format!("peer:{ours}")));
        assert!(check.verify(&IntegrityKey::short_term(stage.credentials.password())).is_ok());
        assert!(check.has_fingerprint());
        // §5.1.2.1 with the type preference of a peer-reflexive candidate, for the only address that there is.
        assert_eq!(check.priority(), Some((110 << 24) + (65_535 << 8) + 255));
        assert_eq!(matches!(check.role(), Some(RoleClaim::Controlling(_))), controls);
        assert!(!check.use_candidate());
    }
}

#[test]
fn a_controlled_agent_never_nominates() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.add_candidate(PEER, 2_000);
    stage.poll();
    stage.answer_all(PEER);
    stage.wait(Duration::from_millis(60));
    let nomination = stage.take_request(PEER).unwrap();
    assert!(Message::parse(&nomination).unwrap().use_candidate());
    let conflict = stage.error(&nomination, ErrorCode::ROLE_CONFLICT, true);
    stage.receive(PEER, &conflict);
    assert_eq!(stage.agent.role(), Role::Controlled);
    stage.sent.clear();
    let request = stage.request(CONTROLLING, true);
    stage.receive(PEER, &request);
    stage.add_candidate(other(), 3_000);
    stage.wait(Duration::from_secs(20));
    let sent = requests(&stage);
    assert!(sent.len() > 3);
    assert!(sent.iter().all(|m| !m.use_candidate() && matches!(m.role(), Some(RoleClaim::Controlled(_)))));
}

/// §8.1.1: whatever comes later, better candidates and the peer's checks on them included.
#[test]
fn one_pair_is_nominated_and_no_other_after_it() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.add_candidate(PEER, 1_000);
    for _ in 0..4 {
        stage.wait(Duration::from_millis(60));
        stage.answer_all(PEER);
    }
    assert_eq!(stage.selected(), Some(PEER));
    stage.add_candidate(other(), 2_000);
    let mut nominated = Vec::new();
    for _ in 0..120 {
        let request = stage.request(CONTROLLED, false);
        stage.receive(other(), &request);
        stage.wait(Duration::from_millis(500));
        let nominations = stage.sent.iter().filter(|(_, b)| Message::parse(b).unwrap().use_candidate());
        nominated.extend(nominations.map(|(remote, _)| *remote));
        stage.answer_all(PEER);
        stage.answer_all(other());
    }
    assert!(nominated.iter().all(|remote| *remote == PEER), "{nominated:?}");
    assert_eq!(stage.selected(), Some(PEER));
}

/// §8.1.2: the pairs of the component go with their checks, and the peer's requests are answered on any of them.
#[test]
fn after_selection_what_waited_is_never_checked_and_every_request_is_answered() {
    let mut stage = Stage::new(role(Role::Controlled));
    stage.add_candidate(PEER, 90_000);
    for n in 0..20 {
        stage.add_candidate(SocketAddr::from(([10, 1, 0, n + 1], 4_000)), 1_000 + u32::from(n));
    }
    let request = stage.request(CONTROLLING, true);
    stage.receive(PEER, &request);
    stage.wait(Duration::from_millis(110));
    stage.answer_all(PEER);
    assert_eq!(stage.selected(), Some(PEER));
    stage.sent.clear();
    stage.wait(Duration::from_secs(10));
    assert!(stage.sent.iter().all(|(remote, _)| *remote == PEER), "checked though another was selected");
    stage.sent.clear();
    let asked = [other(), SocketAddr::from(([10, 1, 0, 3], 4_000)), PEER];
    for from in asked {
        let request = stage.request(CONTROLLING, false);
        assert_eq!(stage.receive(from, &request), Outcome::Consumed);
    }
    stage.poll();
    let answered: Vec<_> =
        stage.sent.iter().map(|(remote, bytes)| (*remote, Message::parse(bytes).unwrap())).collect();
    assert!(answered.iter().all(|(remote, m)| m.xor_mapped_address() == Some(*remote)));
    assert_eq!(answered.iter().map(|(remote, _)| *remote).collect::<Vec<_>>(), asked);
}

/// §7.2.5.2.1: both ends of the answer's flow are compared, ours too.
#[test]
fn an_answer_on_another_socket_fails_the_pair() {
    let mut stage = Stage::new(role(Role::Controlled));
    let second = Socket::udp(SocketId(1), SocketAddr::from(([10, 9, 0, 1], 5000)));
    stage.agent.socket_up(stage.now, second).unwrap();
    stage.add_candidate(PEER, 1_000);
    stage.poll();
    let mut scratch = stage.take_request(PEER).map(|check| stage.response(&check, address(0))).unwrap();
    let first = phases(&stage).iter().position(|p| *p == PairPhase::InProgress).unwrap();
    let sent_from = stage.agent.explain().pairs[first].local;
    let wrong = SocketId(u32::from(sent_from == address(0)));
    stage.agent.receive(stage.now, Datagram::new(wrong, PEER, &mut scratch));
    assert_eq!(phases(&stage)[first], PairPhase::Failed(CheckFailure::Asymmetric));
    assert!(stage.agent.path(ComponentId::FIRST).is_none());
}

/// §7.2.5.2.3.
#[test]
fn a_check_that_nobody_answers_fails_when_its_transaction_ends() {
    let mut stage = Stage::new(role(Role::Controlled));
    stage.add_candidate(PEER, 1_000);
    stage.wait(Duration::from_millis(39_499));
    assert_eq!(phases(&stage), [PairPhase::InProgress]);
    stage.wait(Duration::from_millis(1));
    assert_eq!(phases(&stage), [PairPhase::Failed(CheckFailure::Timeout)]);
}

/// §7.2.5.2.4, and §7.3: ALTERNATE-SERVER leads nowhere.
#[test]
fn an_error_response_fails_the_pair_and_redirects_nobody() {
    let mut stage = Stage::new(role(Role::Controlled));
    stage.add_candidate(PEER, 1_000);
    stage.poll();
    let check = stage.take_request(PEER).unwrap();
    let id = Message::parse(&check).unwrap().transaction_id();
    let try_alternate = ErrorCode::new(300, "Try Alternate").unwrap();
    let elsewhere = [0, 1, 5000_u16.to_be_bytes()[0], 5000_u16.to_be_bytes()[1], 10, 0, 0, 3];
    let mut buffer = [0; 256];
    let length = MessageWriter::new(&mut buffer, Class::Error, Method::BINDING, id)
        .error_code(try_alternate)
        .attribute(AttributeType(0x8023), &elsewhere)
        .sign(&IntegrityKey::short_term(stage.credentials.password()))
        .unwrap();
    assert_eq!(stage.receive(PEER, &buffer[..length]), Outcome::Consumed);
    assert_eq!(phases(&stage), [PairPhase::Failed(CheckFailure::Refused(300))]);
    stage.wait(Duration::from_secs(30));
    assert!(stage.sent.is_empty());
}

/// §7.2.5.2.2 would fail the pair; nobody has signed an ICMP error, and what is behind it may pass.
#[test]
fn a_send_failure_is_reported_and_fails_no_pair() {
    let mut stage = Stage::new(role(Role::Controlled));
    stage.add_candidate(PEER, 1_000);
    stage.poll();
    stage.agent.send_failed(stage.now, crate::base::Tuple { socket: SocketId(0), remote: PEER });
    assert_eq!(phases(&stage), [PairPhase::InProgress]);
    stage.answer_all(PEER);
    assert!(stage.agent.path(ComponentId::FIRST).is_some());
}

/// §6.1.2.6 and §7.2.5.3.3: one of a foundation at first, the others when it has succeeded.
#[test]
fn a_success_thaws_the_pairs_of_its_foundation() {
    let mut stage = Stage::new(role(Role::Controlled));
    for (foundation, host, priority) in [("a", 2, 3_000), ("a", 3, 2_000), ("b", 4, 1_000)] {
        let line = format!("candidate:{foundation} 1 UDP {priority} 10.0.0.{host} 5000 typ host");
        stage.agent.add_remote_candidate(stage.now, &line.parse().unwrap()).unwrap();
    }
    stage.poll();
    assert_eq!(phases(&stage), [PairPhase::InProgress, PairPhase::Frozen, PairPhase::Waiting]);
    let check = stage.take_request(PEER).unwrap();
    let response = stage.response(&check, address(0));
    stage.receive(PEER, &response);
    assert_eq!(phases(&stage), [PairPhase::Succeeded, PairPhase::Waiting, PairPhase::Waiting]);
}

/// §7.3.1.4, by the state of the pair: in progress, failed, and not checked yet.
#[test]
fn the_peers_check_triggers_ours_whatever_the_state_of_the_pair() {
    let mut stage = Stage::new(role(Role::Controlled));
    stage.add_candidate(PEER, 2_000);
    stage.poll();
    let first = stage.take_request(PEER).unwrap();
    let request = stage.request(CONTROLLING, false);
    stage.receive(PEER, &request);
    assert_eq!(phases(&stage), [PairPhase::Waiting]);
    stage.wait(Duration::from_millis(50));
    let second = stage.take_request(PEER).unwrap();
    let id = |bytes: &[u8]| Message::parse(bytes).unwrap().transaction_id();
    assert_ne!(id(&first), id(&second));
    let refused = stage.error(&second, ErrorCode::BAD_REQUEST, true);
    stage.receive(PEER, &refused);
    assert_eq!(phases(&stage), [PairPhase::Failed(CheckFailure::Refused(400))]);
    let request = stage.request(CONTROLLING, false);
    stage.receive(PEER, &request);
    assert_eq!(phases(&stage), [PairPhase::Waiting]);
    // A better pair waits, too; the one that the peer has asked for goes first.
    for n in 0..3 {
        stage.add_candidate(SocketAddr::from(([10, 1, 0, n + 1], 4_000)), 90_000 + u32::from(n));
    }
    let request = stage.request(CONTROLLING, false);
    stage.receive(other(), &request);
    stage.sent.clear();
    stage.wait(Duration::from_millis(101));
    let asked: Vec<SocketAddr> = stage
        .sent
        .iter()
        .filter(|(_, b)| Message::parse(b).unwrap().class() == Class::Request)
        .map(|(remote, _)| *remote)
        .collect();
    assert_eq!(asked[..2], [PEER, other()]);
}

/// §7.3.1.4: a check that another has replaced is not sent again, and its answer still counts.
#[test]
fn the_answer_to_a_cancelled_check_still_makes_the_pair_valid() {
    let mut stage = Stage::new(role(Role::Controlled));
    stage.add_candidate(PEER, 2_000);
    stage.poll();
    let first = stage.take_request(PEER).unwrap();
    let request = stage.request(CONTROLLING, false);
    stage.receive(PEER, &request);
    stage.wait(Duration::from_millis(60));
    let response = stage.response(&first, address(0));
    stage.receive(PEER, &response);
    assert_eq!(phases(&stage), [PairPhase::Succeeded]);
}

/// §7.3.1.5: the peer must not believe in a nomination that a limit keeps us from following.
#[test]
fn a_nomination_beyond_the_limits_is_refused() {
    let mut stage = Stage::new(role(Role::Controlled));
    for n in 0..MAX_PEER_REFLEXIVE {
        let request = stage.request(CONTROLLING, false);
        stage.receive(SocketAddr::from(([10, 1, 0, n as u8 + 1], 4_000)), &request);
    }
    stage.poll();
    stage.sent.clear();
    for (nominates, outcome, code) in
        [(false, DropReason::TooManyCandidates, None), (true, DropReason::NominationRefused, Some(400))]
    {
        let request = stage.request(CONTROLLING, nominates);
        assert_eq!(stage.receive(PEER, &request), Outcome::Dropped(outcome));
        stage.poll();
        let (_, answer) = stage.sent.iter().find(|(remote, _)| *remote == PEER).unwrap();
        assert_eq!(Message::parse(answer).unwrap().error_code().map(ErrorCode::code), code);
        stage.sent.clear();
    }
}

/// §7.2.4 and §7.3: no backwards compatibility with RFC 3489.
#[test]
fn a_request_without_the_cookie_gets_no_answer() {
    let mut stage = Stage::new(role(Role::Controlled));
    let mut request = stage.request(CONTROLLING, false);
    request[4] ^= 1;
    let expected = DropReason::Malformed(crate::wire::WireError::WrongCookie);
    assert_eq!(stage.receive(PEER, &request), Outcome::Dropped(expected));
    stage.poll();
    assert!(stage.sent.is_empty());
}

/// §12.2: the peer may have validated first, and its data must not wait for our check.
#[test]
fn data_is_taken_from_where_the_peer_has_proven_itself() {
    let mut stage = Stage::new(role(Role::Controlled));
    assert_eq!(stage.receive(PEER, b"\x40 data"), Outcome::Unclaimed);
    let request = stage.request(CONTROLLING, false);
    stage.receive(PEER, &request);
    let mut bytes = *b"\x40 data";
    let received = stage.agent.receive(stage.now, Datagram::new(SocketId(0), PEER, &mut bytes));
    assert!(
        matches!(received, Received::Data { component: ComponentId::FIRST, path: None, .. }),
        "{received:?}"
    );
    stage.answer_all(PEER);
    stage.wait(Duration::from_millis(60));
    stage.answer_all(PEER);
    let received = stage.agent.receive(stage.now, Datagram::new(SocketId(0), PEER, &mut bytes));
    assert!(matches!(received, Received::Data { path: Some(_), .. }), "{received:?}");
}

/// §5.1.2.1: a NAT may show one socket to each server under another address.
#[test]
fn reflexive_candidates_of_one_socket_have_priorities_of_their_own() {
    let mut stage = Stage::new(role(Role::Controlled));
    let second = Socket::udp(SocketId(1), SocketAddr::from(([10, 9, 0, 1], 5000)));
    stage.agent.socket_up(stage.now, second).unwrap();
    for (socket, port) in [(0, 1), (0, 2), (1, 3), (1, 4)] {
        let outside = SocketAddr::from(([203, 0, 113, 5], 40_000 + port));
        let server = SocketAddr::from(([198, 51, 100, port as u8], 3_478));
        stage.agent.add_server_reflexive(stage.now, SocketId(socket), outside, server).unwrap();
    }
    stage.poll();
    let candidates = stage.agent.generations.current.candidates.locals();
    let reflexive: Vec<u16> = candidates
        .iter()
        .filter(|c| c.kind == CandidateType::ServerReflexive)
        .map(|c| c.local_preference)
        .collect();
    assert_eq!(reflexive, [65_535, 65_534, 65_533, 65_532]);
    let mut priorities: Vec<u32> = candidates.iter().map(|c| c.priority).collect();
    priorities.sort_unstable();
    priorities.dedup();
    assert_eq!(priorities.len(), 6);
}

/// §5.3 and RFC 8839 §5.4: six bits a character.
#[test]
fn credentials_are_drawn_anew_and_long_enough() {
    let drawn = |seed| Agent::new(AgentConfig::default(), [seed; 32]).unwrap().local_credentials().clone();
    let (one, another) = (drawn(1), drawn(2));
    assert!(one.ufrag().len() * 6 >= 24 && one.password().len() * 6 >= 128);
    assert!(one.ufrag() != another.ufrag() && one.password() != another.password());
    assert!(Credentials::new(one.ufrag(), one.password()).is_ok());
}

/// RFC 8839 §5.4: up to 256 characters are taken from a peer, and 32 are sent.
#[test]
fn a_username_fragment_may_be_longer_when_received_than_when_sent() {
    let password = "0123456789012345678901";
    let of = |length| Credentials::new("u".repeat(length), password);
    assert!(of(3).is_err() && of(4).is_ok() && of(256).is_ok() && of(257).is_err());
    assert!(Credentials::new("user", &password[1..]).is_err());
    let agent = |length| {
        Agent::new(AgentConfig { credentials: Some(of(length).unwrap()), ..Default::default() }, [1; 32])
    };
    assert!(agent(32).is_ok());
    assert_eq!(agent(33).unwrap_err(), ConfigError::UfragLength(33));
    let mut agent = agent(32).unwrap();
    agent.socket_up(Instant::ZERO, Socket::udp(SocketId(0), address(0))).unwrap();
    agent.set_remote_credentials(Instant::ZERO, of(256).unwrap()).unwrap();
    agent
        .add_remote_candidate(Instant::ZERO, &"candidate:1 1 UDP 7 10.0.0.2 5000 typ host".parse().unwrap())
        .unwrap();
    let mut scratch = [0; MAX_TRANSMIT];
    let checked = (0..5)
        .any(|_| matches!(agent.poll(Instant::ZERO, &mut scratch), Output::Transmit(t) if t.remote == PEER));
    assert!(checked, "the longest fragment of a peer does not fit into a check");
}

/// RFC 8839 §4.4.1.1.1: an offer may repeat them elsewhere in the description.
#[test]
fn the_same_credentials_again_change_nothing() {
    let mut stage = Stage::new(role(Role::Controlled));
    let request = stage.request(CONTROLLING, true);
    stage.receive(PEER, &request);
    stage.poll();
    stage.answer_all(PEER);
    let before = stage.agent.state_fingerprint();
    let again = stage.credentials.clone();
    assert_eq!(stage.agent.set_remote_credentials(stage.now, again), Ok(()));
    assert_eq!((stage.selected(), stage.agent.state_fingerprint()), (Some(PEER), before));
}

/// A keepalive of the peer's (§11) asks for nothing and changes nothing.
#[test]
fn a_binding_indication_is_taken_without_an_answer() {
    let mut stage = Stage::new(role(Role::Controlled));
    let mut buffer = [0; 64];
    let message = MessageWriter::new(&mut buffer, Class::Indication, Method::BINDING, TransactionId([9; 12]));
    let length = message.finish_with_fingerprint().unwrap();
    let before = stage.agent.state_fingerprint();
    assert_eq!(stage.receive(PEER, &buffer[..length]), Outcome::Consumed);
    stage.poll();
    assert!(stage.sent.is_empty());
    assert_eq!(stage.agent.state_fingerprint(), before);
}

/// RFC 8839 §4.4.1.1.1 and §4.4.2.1: whatever has happened in between, and in the next generation.
#[test]
fn what_our_descriptions_say_of_ourselves_never_changes() {
    let lite = AgentConfig { lite: true, ..role(Role::Controlled) };
    let quick = AgentConfig {
        ta: Duration::from_millis(10),
        nomination: crate::check::Nomination::Renominate,
        ..role(Role::Controlling)
    };
    for config in [role(Role::Controlling), role(Role::Controlled), lite, quick] {
        let mut stage = Stage::without_credentials(config);
        let of = |stage: &Stage| {
            let ours = stage.agent.local_description();
            (ours.options.to_string(), ours.pacing, ours.lite)
        };
        let first = of(&stage);
        let peer = "a=ice-ufrag:peer\r\na=ice-pwd:the-password-of-the-peer\r\na=ice-options:ice2\r\na=ice-pacing:200\r\n";
        stage.agent.set_remote_description(stage.now, &peer.parse().unwrap()).unwrap();
        stage.add_candidate(PEER, 2_000);
        assert_eq!(of(&stage), first);
        for claim in [CONTROLLING, CONTROLLED] {
            let request = stage.request(claim, matches!(claim, CONTROLLING));
            stage.receive(PEER, &request);
            stage.wait(Duration::from_millis(500));
            stage.answer_all(PEER);
            assert_eq!(of(&stage), first);
        }
        stage.agent.prepare_restart(stage.now).unwrap();
        assert_eq!(of(&stage), first);
        stage.agent.apply_restart(stage.now).unwrap();
        assert_eq!(of(&stage), first);
    }
}
