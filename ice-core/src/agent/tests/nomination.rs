//! Nominations as peers of all kinds make them.

use super::puppet::{PEER, Stage};
use super::*;
use crate::trace::{CheckFailure, PairPhase};
use crate::wire::{ErrorCode, Message, RoleClaim};

const CONTROLLING: RoleClaim = RoleClaim::Controlling(1);
const CONTROLLED: RoleClaim = RoleClaim::Controlled(1);

fn other() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 3], 5000))
}

fn controlled() -> AgentConfig {
    role(Role::Controlled)
}

/// aioice puts USE-CANDIDATE into every check.
#[test]
fn of_several_nominated_pairs_the_highest_priority_wins() {
    let mut stage = Stage::new(controlled());
    stage.add_candidate(other(), 1_000);
    stage.add_candidate(PEER, 2_000);
    stage.poll();
    let low = stage.request(CONTROLLING, true);
    stage.receive(other(), &low);
    stage.wait(Duration::from_millis(60));
    stage.answer_all(other());
    assert_eq!(stage.selected(), Some(other()));
    let high = stage.request(CONTROLLING, true);
    stage.receive(PEER, &high);
    stage.wait(Duration::from_millis(60));
    stage.answer_all(PEER);
    assert_eq!(stage.selected(), Some(PEER));
    // The lower one again changes nothing.
    let low = stage.request(CONTROLLING, true);
    stage.receive(other(), &low);
    stage.wait(Duration::from_millis(200));
    stage.answer_all(other());
    assert_eq!(stage.selected(), Some(PEER));
}

#[test]
fn a_nomination_before_our_own_check_succeeds_counts_when_it_does() {
    let mut stage = Stage::new(controlled());
    let request = stage.request(CONTROLLING, true);
    stage.receive(PEER, &request);
    stage.poll();
    assert_eq!(stage.selected(), None);
    stage.wait(Duration::from_millis(60));
    stage.answer_all(PEER);
    assert_eq!(stage.selected(), Some(PEER));
}

#[test]
fn checks_before_credentials_are_answered_at_once_and_used_when_they_come() {
    let mut stage = Stage::without_credentials(controlled());
    let request = stage.request(CONTROLLING, true);
    assert_eq!(stage.receive(PEER, &request), super::puppet::Outcome::Consumed);
    stage.poll();
    assert_eq!(stage.sent.len(), 1, "answered at once, and nothing else can be said");
    assert!(
        Message::parse(&stage.sent[0].1).unwrap().verify(&stage.agent.generations.current.local_key).is_ok()
    );
    stage.wait(Duration::from_secs(20));
    assert_eq!(stage.sent.len(), 1);
    let credentials = stage.credentials.clone();
    stage.agent.set_remote_credentials(stage.now, credentials).unwrap();
    stage.poll();
    stage.answer_all(PEER);
    assert_eq!(stage.selected(), Some(PEER));
}

#[test]
fn a_learned_candidate_that_is_signalled_later_is_upgraded_under_a_nomination_in_flight() {
    let mut stage = Stage::new(role(Role::Controlling));
    let request = stage.request(CONTROLLED, false);
    stage.receive(PEER, &request);
    stage.poll();
    stage.answer_all(PEER);
    stage.wait(Duration::from_millis(60));
    let nomination = stage.take_request(PEER).unwrap();
    assert!(Message::parse(&nomination).unwrap().use_candidate());
    stage.add_candidate(PEER, 2_130_706_431);
    stage.poll();
    let response = stage.response(&nomination, address(0));
    stage.receive(PEER, &response);
    stage.poll();
    assert_eq!(stage.selected(), Some(PEER));
    let path = stage.agent.selected_path(ComponentId::FIRST).unwrap();
    assert_eq!(path.remote_type, crate::candidate::CandidateType::Host);
    assert_eq!(stage.agent.explain().pairs.len(), 1);
}

#[test]
fn an_unauthenticated_role_conflict_is_ignored_and_an_authenticated_one_repaired() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.add_candidate(PEER, 1_000);
    stage.poll();
    let check = stage.take_request(PEER).unwrap();
    let forged = stage.error(&check, ErrorCode::ROLE_CONFLICT, false);
    stage.receive(PEER, &forged);
    assert_eq!(stage.agent.role(), Role::Controlling);
    let before = Message::parse(&check).unwrap().role();
    let real = stage.error(&check, ErrorCode::ROLE_CONFLICT, true);
    stage.receive(PEER, &real);
    assert_eq!(stage.agent.role(), Role::Controlled);
    stage.wait(Duration::from_millis(60));
    let again = stage.take_request(PEER).unwrap();
    // RFC 8445 §7.2.5.1: in the other role, and with another tie-breaker.
    let (Some(RoleClaim::Controlling(old)), Some(RoleClaim::Controlled(new))) =
        (before, Message::parse(&again).unwrap().role())
    else {
        panic!("claims are {before:?} and that of {again:?}")
    };
    assert_ne!(old, new);
}

/// RFC 8445 §7.2.5.1 comes before §7.2.5.2.1: a peer behind a NAT that maps by address refuses from elsewhere than it was asked.
#[test]
fn a_role_conflict_is_repaired_although_its_pair_fails_for_the_address_of_the_refusal() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.add_candidate(PEER, 1_000);
    stage.poll();
    let check = stage.take_request(PEER).unwrap();
    let refusal = stage.error(&check, ErrorCode::ROLE_CONFLICT, true);
    stage.receive(other(), &refusal);
    assert_eq!(stage.agent.role(), Role::Controlled);
    assert_eq!(stage.agent.explain().pairs[0].phase, PairPhase::Failed(CheckFailure::Asymmetric));
}

#[test]
fn a_lost_nomination_is_repeated_every_half_second_and_never_another_pair_nominated() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.add_candidate(PEER, 2_000);
    stage.add_candidate(other(), 1_000);
    stage.poll();
    stage.answer_all(PEER);
    stage.wait(Duration::from_millis(50));
    // Its nomination takes this slot; the other pair waits for the next and is answered.
    stage.wait(Duration::from_millis(60));
    while let Some(check) = stage.take_request(other()) {
        let response = stage.response(&check, address(0));
        stage.receive(other(), &response);
    }
    stage.wait(Duration::from_secs(3));
    let nominations: Vec<SocketAddr> = stage
        .sent
        .iter()
        .filter(|(_, bytes)| Message::parse(bytes).unwrap().use_candidate())
        .map(|(remote, _)| *remote)
        .collect();
    assert!(nominations.len() >= 6, "{}", nominations.len());
    assert!(nominations.iter().all(|remote| *remote == PEER));
    // After ten seconds without an answer the other valid pair is worth more.
    stage.wait(Duration::from_secs(8));
    stage.answer_all(other());
    assert_eq!(stage.selected(), Some(other()));
}

#[test]
fn an_answer_from_another_address_fails_the_pair() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.add_candidate(PEER, 1_000);
    stage.poll();
    let check = stage.take_request(PEER).unwrap();
    let response = stage.response(&check, address(0));
    stage.receive(other(), &response);
    let report = stage.agent.explain();
    let failed = crate::trace::PairPhase::Failed(crate::trace::CheckFailure::Asymmetric);
    assert_eq!(report.pairs[0].phase, failed);
    assert!(report.causes.contains(&Cause::Asymmetric { answers: 1 }), "{report}");
}

#[test]
fn the_mapped_address_makes_the_valid_pair() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.add_candidate(PEER, 1_000);
    stage.poll();
    let check = stage.take_request(PEER).unwrap();
    let outside = SocketAddr::from(([203, 0, 113, 5], 40_000));
    let response = stage.response(&check, outside);
    stage.receive(PEER, &response);
    let path = stage.agent.path(ComponentId::FIRST).unwrap();
    assert_eq!((path.local, path.base), (outside, address(0)));
    assert_eq!(path.local_type, crate::candidate::CandidateType::PeerReflexive);
}

#[test]
fn consent_is_revoked_by_an_authenticated_403_only() {
    let mut stage = Stage::new(controlled());
    let request = stage.request(CONTROLLING, true);
    stage.receive(PEER, &request);
    stage.poll();
    stage.answer_all(PEER);
    assert_eq!(stage.selected(), Some(PEER));
    stage.wait(Duration::from_secs(6));
    let check = stage.take_request(PEER).unwrap();
    let forged = stage.error(&check, ErrorCode::FORBIDDEN, false);
    stage.receive(PEER, &forged);
    let elsewhere = stage.error(&check, ErrorCode::FORBIDDEN, true);
    stage.receive(other(), &elsewhere);
    stage.poll();
    let mut scratch = [0; MAX_TRANSMIT];
    assert!(stage.agent.send(stage.now, ComponentId::FIRST, b"x", &mut scratch).is_ok());
    let real = stage.error(&check, ErrorCode::FORBIDDEN, true);
    stage.receive(PEER, &real);
    stage.poll();
    assert_eq!(stage.events.last(), Some(&Event::RestartNeeded(Cause::ConsentRevoked)));
    assert_eq!(stage.agent.send(stage.now, ComponentId::FIRST, b"x", &mut scratch), Err(SendError::NoPath));
}

#[test]
fn consent_checks_answered_from_elsewhere_grant_nothing_and_kill_nothing() {
    let mut stage = Stage::new(controlled());
    let request = stage.request(CONTROLLING, true);
    stage.receive(PEER, &request);
    stage.poll();
    stage.answer_all(PEER);
    let granted = stage.now;
    while stage.now < granted + Duration::from_secs(29) {
        stage.wait(Duration::from_secs(1));
        while let Some(check) = stage.take_request(PEER) {
            let response = stage.response(&check, address(0));
            stage.receive(other(), &response);
        }
    }
    let mut scratch = [0; MAX_TRANSMIT];
    assert!(stage.agent.send(stage.now, ComponentId::FIRST, b"x", &mut scratch).is_ok());
    stage.wait(Duration::from_secs(2));
    assert!(stage.agent.send(stage.now, ComponentId::FIRST, b"x", &mut scratch).is_err());
}

/// RFC 7675 §5.1: after consent is lost, the same credentials are not used on the flow again.
#[test]
fn after_consent_is_lost_the_peer_is_answered_and_not_checked_again() {
    let mut stage = Stage::new(controlled());
    let request = stage.request(CONTROLLING, true);
    stage.receive(PEER, &request);
    stage.poll();
    stage.answer_all(PEER);
    stage.wait(Duration::from_secs(31));
    assert_eq!(stage.events.last(), Some(&Event::RestartNeeded(Cause::ConsentExpired)));
    stage.sent.clear();
    let request = stage.request(CONTROLLING, false);
    stage.receive(PEER, &request);
    stage.wait(Duration::from_secs(60));
    assert_eq!(stage.sent.len(), 1, "one answer, and nothing else");
    assert!(Message::parse(&stage.sent[0].1).unwrap().xor_mapped_address().is_some());
    // RFC 8445 §7.3.1.5: a nomination that leads nowhere is refused.
    stage.sent.clear();
    let nomination = stage.request(CONTROLLING, true);
    stage.receive(PEER, &nomination);
    stage.wait(Duration::from_secs(60));
    let answers: Vec<_> = stage.sent.iter().map(|(_, bytes)| Message::parse(bytes).unwrap()).collect();
    assert_eq!(answers.iter().map(|a| a.error_code().unwrap().code()).collect::<Vec<_>>(), [400]);
    let mut scratch = [0; MAX_TRANSMIT];
    assert_eq!(stage.agent.send(stage.now, ComponentId::FIRST, b"x", &mut scratch), Err(SendError::NoPath));
}

/// The peer nominates two; the lower one is proven first, while the check of the higher still waits for its slot.
#[test]
fn a_nomination_that_waits_for_its_check_survives_the_selection_of_another() {
    let mut stage = Stage::new(controlled());
    stage.add_candidate(other(), 1_000);
    stage.add_candidate(PEER, 2_000);
    let low = stage.request(CONTROLLING, true);
    stage.receive(other(), &low);
    stage.poll();
    let high = stage.request(CONTROLLING, true);
    stage.receive(PEER, &high);
    stage.poll();
    stage.answer_all(other());
    assert_eq!(stage.selected(), Some(other()));
    stage.wait(Duration::from_millis(60));
    stage.answer_all(PEER);
    assert_eq!(stage.selected(), Some(PEER));
}

/// A network doubles the datagrams of a conflict: the second copy meets us in another role.
#[test]
fn a_copy_of_a_refused_nomination_is_refused_too() {
    let mut stage = Stage::new(AgentConfig { tie_breaker: Some(5), ..role(Role::Controlling) });
    stage.add_candidate(PEER, 2_000);
    stage.poll();
    stage.answer_all(PEER);
    let nomination = stage.request(RoleClaim::Controlling(1), true);
    stage.receive(PEER, &nomination);
    // The peer has refused a check of ours meanwhile, so we yield.
    let stronger = stage.request(RoleClaim::Controlling(9), false);
    stage.receive(PEER, &stronger);
    assert_eq!(stage.agent.role(), Role::Controlled);
    stage.poll();
    stage.sent.clear();
    stage.receive(PEER, &nomination);
    stage.poll();
    assert_eq!(stage.selected(), None);
    let answer = Message::parse(&stage.sent[0].1).unwrap();
    assert_eq!(answer.error_code().map(ErrorCode::code), Some(487));
}
