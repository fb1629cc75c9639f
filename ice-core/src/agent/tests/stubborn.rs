//! Peers that answer late, refuse, move again and again or are only ever heard.
use super::puppet::{PEER, Stage};
use super::*;
use crate::check::Nomination;
use crate::wire::{Class, ErrorCode, Message, MessageWriter, Method, RoleClaim};

pub(super) const CG: RoleClaim = RoleClaim::Controlling(1);

pub(super) fn other() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 3], 5000))
}
pub(super) fn source(n: usize) -> SocketAddr {
    SocketAddr::from(([10, 1, (n / 250) as u8, (n % 250) as u8 + 1], 4_000))
}

pub(super) fn renominating(role: Role) -> Stage {
    let mut stage =
        Stage::new(AgentConfig { nomination: Nomination::Renominate, role, ..Default::default() });
    stage.agent.set_remote_renomination(stage.now, true);
    stage
}

pub(super) fn nomination(stage: &mut Stage, number: u32) -> Vec<u8> {
    let id = stage.fresh_id();
    let mut buffer = [0; 256];
    let ours = stage.agent.local_credentials().clone();
    let message = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id)
        .username(ours.ufrag(), stage.credentials.ufrag())
        .priority(1_862_270_975)
        .role(CG)
        .use_candidate()
        .nomination(number);
    let length = message.sign(&IntegrityKey::short_term(ours.password())).unwrap();
    buffer[..length].to_vec()
}

pub(super) fn to_requests(stage: &Stage, to: SocketAddr) -> usize {
    stage
        .sent
        .iter()
        .filter(|(r, b)| *r == to && Message::parse(b).unwrap().class() == Class::Request)
        .count()
}
pub(super) fn to_nominations(stage: &Stage, to: SocketAddr) -> usize {
    stage.sent.iter().filter(|(r, b)| *r == to && Message::parse(b).unwrap().use_candidate()).count()
}

pub(super) fn connect(stage: &mut Stage, to: SocketAddr) {
    for _ in 0..5 {
        stage.wait(Duration::from_millis(60));
        stage.answer_all(to);
    }
    assert_eq!(stage.selected(), Some(to));
}

/// Two valid pairs, PEER selected, other() valid; then the selected is in trouble and other() is renominated.
fn renominated() -> Stage {
    let mut stage = renominating(Role::Controlling);
    stage.add_candidate(PEER, 2_000);
    stage.add_candidate(other(), 1_000);
    for _ in 0..8 {
        stage.wait(Duration::from_millis(60));
        stage.answer_all(PEER);
        stage.answer_all(other());
    }
    assert_eq!(stage.selected(), Some(PEER));
    stage.wait(Duration::from_secs(1));
    stage.answer_all(PEER);
    stage.answer_all(other());
    stage.sent.clear();
    stage.agent.note_trouble(stage.now, ComponentId::FIRST);
    stage.wait(Duration::from_millis(60));
    assert!(to_nominations(&stage, other()) > 0);
    stage
}

/// The selected pair goes while a renomination is out: is there an end to the polling?
#[test]
fn no_deadline_lies_in_the_past() {
    let mut stage = renominated();
    // Something is still to be tried, so that the agent does not fail.
    let check = stage.take_request(PEER);
    let _ = check;
    let line = format!("candidate:2000 1 UDP 2000 {} {} typ host", PEER.ip(), PEER.port());
    stage.agent.remove_remote_candidate(stage.now, 0, &line.parse().unwrap()).unwrap();
    stage.poll();
    let end = stage.now + Duration::from_secs(12);
    let mut scratch = [0; MAX_TRANSMIT];
    let mut now = stage.now;
    let mut idle = 0;
    while now < end {
        match stage.agent.poll(now, &mut scratch) {
            Output::Wait(Some(at)) if at <= now => {
                idle += 1;
                if idle > 100 {
                    panic!(
                        "at {} ms the agent waits for {} ms: {}",
                        now.as_millis(),
                        at.as_millis(),
                        stage.agent.explain()
                    );
                }
                now = now + Duration::from_micros(1);
            }
            Output::Wait(Some(at)) => {
                idle = 0;
                now = at;
            }
            Output::Wait(None) | Output::Closed => break,
            _ => {}
        }
    }
}

/// The peer revokes consent on (or refuses) the pair that is being nominated.
#[test]
fn a_renomination_that_is_refused_is_over() {
    let mut stage = renominated();
    let nomination = stage.take_request(other()).unwrap();
    let refused = stage.error(&nomination, ErrorCode::BAD_REQUEST, true);
    stage.receive(other(), &refused);
    stage.sent.clear();
    stage.wait(Duration::from_secs(9));
    assert_eq!(to_requests(&stage, other()), 0, "{}", stage.agent.explain());
}

#[test]
fn a_flow_whose_consent_was_revoked_is_not_checked_again() {
    let mut stage = renominating(Role::Controlling);
    stage.add_candidate(PEER, 2_000);
    stage.add_candidate(other(), 1_000);
    for _ in 0..8 {
        stage.wait(Duration::from_millis(60));
        stage.answer_all(PEER);
        stage.answer_all(other());
    }
    assert_eq!(stage.selected(), Some(PEER));
    stage.sent.clear();
    // until a consent check on other() is out
    while to_requests(&stage, other()) == 0 {
        stage.wait(Duration::from_millis(100));
        stage.answer_all(PEER);
    }
    let consent = stage.take_request(other()).unwrap();
    stage.agent.note_trouble(stage.now, ComponentId::FIRST);
    stage.wait(Duration::from_millis(60));
    assert!(to_nominations(&stage, other()) > 0);
    let revoked = stage.error(&consent, ErrorCode::FORBIDDEN, true);
    stage.receive(other(), &revoked);
    stage.poll();
    stage.sent.clear();
    stage.wait(Duration::from_secs(9));
    assert_eq!(to_requests(&stage, other()), 0, "{}", stage.agent.explain());
}

/// Given up, and still sent.
#[test]
fn a_renomination_that_was_given_up_is_not_sent_again() {
    let mut stage = renominated();
    for _ in 0..101 {
        stage.wait(Duration::from_millis(100));
        stage.answer_all(PEER);
    }
    // PEER recovered, so nothing draws us to other() any more.
    stage.sent.clear();
    for _ in 0..200 {
        stage.wait(Duration::from_millis(100));
        stage.answer_all(PEER);
    }
    assert_eq!(to_nominations(&stage, other()), 0);
}

/// A lite agent that renominates, and a late copy of an earlier nomination.
#[test]
fn a_lite_agent_goes_by_the_numbers_of_nominations() {
    let config = AgentConfig { lite: true, nomination: Nomination::Renominate, ..role(Role::Controlled) };
    let mut stage = Stage::new(config);
    stage.agent.set_remote_renomination(stage.now, true);
    let first = nomination(&mut stage, 1);
    stage.receive(other(), &first);
    let second = nomination(&mut stage, 2);
    stage.receive(PEER, &second);
    stage.poll();
    assert_eq!(stage.selected(), Some(PEER));
    stage.receive(other(), &first);
    stage.poll();
    assert_eq!(stage.selected(), Some(PEER));
}

/// Full controlled, stale copies of 1 and 2 after 3.
#[test]
fn an_old_number_does_not_lower_a_nominated_pair() {
    let mut stage = renominating(Role::Controlled);
    stage.add_candidate(PEER, 1_000);
    stage.add_candidate(other(), 2_000);
    for _ in 0..8 {
        stage.wait(Duration::from_millis(60));
        stage.answer_all(PEER);
        stage.answer_all(other());
    }
    let [one, two, three] = [1, 2, 3].map(|n| nomination(&mut stage, n));
    stage.receive(PEER, &one);
    stage.receive(other(), &two);
    stage.receive(PEER, &three);
    stage.poll();
    assert_eq!(stage.selected(), Some(PEER));
    // The network held copies back.
    stage.receive(PEER, &one);
    stage.receive(other(), &two);
    stage.poll();
    assert_eq!(stage.selected(), Some(PEER));
}

/// Before our check succeeds.
#[test]
fn an_old_number_does_not_lower_a_wanted_pair() {
    let mut stage = renominating(Role::Controlled);
    stage.add_candidate(PEER, 1_000);
    stage.add_candidate(other(), 2_000);
    for _ in 0..8 {
        stage.wait(Duration::from_millis(60));
        stage.answer_all(other());
    }
    let [one, two, three] = [1, 2, 3].map(|n| nomination(&mut stage, n));
    stage.receive(other(), &two);
    stage.receive(PEER, &three);
    stage.receive(PEER, &one);
    stage.wait(Duration::from_millis(60));
    stage.answer_all(PEER);
    assert_eq!(stage.selected(), Some(PEER));
}
