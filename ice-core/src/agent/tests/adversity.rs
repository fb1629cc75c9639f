//! Sessions that go wrong in slow and unlikely ways, and must come right.

use super::puppet::{PEER, Stage};
use super::*;
use crate::check::{Nomination, Reach};
use crate::wire::{Message, RoleClaim};

const CONTROLLING: RoleClaim = RoleClaim::Controlling(1);
const CONTROLLED: RoleClaim = RoleClaim::Controlled(1);

fn source(n: usize) -> SocketAddr {
    SocketAddr::from(([10, 1, (n / 250) as u8, (n % 250) as u8 + 1], 4_000))
}
fn other() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 3], 5000))
}

/// A controlled agent with two valid pairs; that of `PEER` is the better one.
fn two_valid_pairs() -> Stage {
    let mut stage = Stage::new(role(Role::Controlled));
    stage.add_candidate(other(), 1_000);
    stage.add_candidate(PEER, 2_000);
    stage.wait(Duration::from_millis(60));
    for _ in 0..2 {
        stage.answer_all(PEER);
        stage.answer_all(other());
        stage.wait(Duration::from_millis(60));
    }
    stage
}

/// 100 dead pairs in progress, and the peer is heard on a new address.
fn heard(reach: Reach) {
    let mut stage = Stage::new(AgentConfig { reach, role: Role::Controlled, ..Default::default() });
    for n in 0..120 {
        stage.add_candidate(source(n), 1_000 + n as u32);
    }
    stage.wait(Duration::from_millis(5_500));
    stage.sent.clear();
    let request = stage.request(CONTROLLING, true);
    let outcome = stage.receive(PEER, &request);
    stage.wait(Duration::from_secs(3));
    assert!(stage.take_request(PEER).is_some(), "heard and never checked: {outcome:?}");
}
#[test]
fn a_default_reach() {
    heard(Reach::default());
}
#[test]
fn with_wide_reach_the_pair_that_the_peer_was_heard_on_is_checked() {
    heard(Reach::Wide);
}

/// A check overtakes the signalling of its candidate; an aggressive peer then nominates both pairs.
#[test]
fn a_candidate_that_is_signalled_late_counts_with_its_signalled_priority() {
    let mut stage = Stage::new(role(Role::Controlled));
    stage.add_candidate(other(), 2_000_000_000);
    stage.wait(Duration::from_millis(60));
    stage.answer_all(other());
    // PEER is learned first (prflx 1862270975), validated, then signalled as host of higher priority.
    let r = stage.request(CONTROLLING, false);
    stage.receive(PEER, &r);
    stage.wait(Duration::from_millis(60));
    stage.answer_all(PEER);
    stage.add_candidate(PEER, 2_130_706_431);
    for to in [other(), PEER] {
        let r = stage.request(CONTROLLING, true);
        stage.receive(to, &r);
        stage.poll();
    }
    assert_eq!(stage.selected(), Some(PEER));
}

/// Regular nomination, and ninety-five better pairs that nobody answers.
#[test]
fn a_controlling_agent_that_still_hopes_for_a_better_pair_is_not_in_trouble() {
    let mut stage = Stage::new(AgentConfig { nomination: Nomination::Regular, ..Default::default() });
    for n in 0..95 {
        stage.add_candidate(source(n), 1_000 + n as u32);
    }
    stage.add_candidate(PEER, 10);
    let r = stage.request(CONTROLLED, false);
    stage.receive(PEER, &r);
    for _ in 0..60 {
        stage.wait(Duration::from_millis(100));
        stage.answer_all(PEER);
    }
    let troubles: Vec<_> = stage.events.iter().filter(|e| matches!(e, Event::Trouble(_))).collect();
    assert!(troubles.is_empty(), "{troubles:?}");
}

/// More valid pairs than flows are kept, and the peer dies before it nominates.
#[test]
fn an_agent_whose_peer_dies_before_nominating_fails_in_the_end() {
    let mut stage = Stage::new(role(Role::Controlled));
    for n in 0..12 {
        stage.add_candidate(source(n), 1_000 + n as u32);
    }
    stage.wait(Duration::from_millis(2000));
    for n in 0..12 {
        stage.answer_all(source(n));
    }
    stage.wait(Duration::from_secs(600));
    assert!(stage.events.iter().any(|e| matches!(e, Event::Failed(_))), "{}", stage.agent.explain());
}

/// The peer nominates once; our own checks of the pair are lost for seven seconds.
#[test]
fn a_pair_that_was_nominated_never_steps_back() {
    let mut stage =
        Stage::new(AgentConfig { reach: Reach::Wide, role: Role::Controlled, ..Default::default() });
    stage.add_candidate(PEER, 2_000_000);
    for n in 0..127 {
        stage.add_candidate(source(n), 1_000 + n as u32);
    }
    let r = stage.request(CONTROLLING, true);
    stage.receive(PEER, &r);
    // Our checks are lost for a while.
    stage.wait(Duration::from_millis(7_000));
    stage.sent.clear();
    // consent check of the peer, which believes P selected; from here on nothing is lost.
    for _ in 0..100 {
        let r = stage.request(CONTROLLING, false);
        stage.receive(PEER, &r);
        stage.wait(Duration::from_millis(500));
        stage.answer_all(PEER);
    }
    assert_eq!(stage.selected(), Some(PEER));
}

/// Two nominated pairs; the higher dies; the lower still works.
#[test]
fn of_two_nominated_pairs_the_one_that_lives_takes_over() {
    let mut stage = two_valid_pairs();
    let r = stage.request(CONTROLLING, true);
    stage.receive(PEER, &r);
    stage.poll();
    assert_eq!(stage.selected(), Some(PEER));
    // PEER's answers are lost; ten seconds later the peer nominates the other, and uses it.
    for _ in 0..10 {
        stage.wait(Duration::from_secs(1));
    }
    for _ in 0..40 {
        let r = stage.request(CONTROLLING, true);
        stage.receive(other(), &r);
        stage.wait(Duration::from_secs(1));
        stage.answer_all(other());
    }
    assert_eq!(stage.agent.path(ComponentId::FIRST).map(|p| p.remote), Some(other()));
}

#[test]
fn after_a_loss_the_report_says_why() {
    let mut stage = Stage::new(role(Role::Controlled));
    let r = stage.request(CONTROLLING, true);
    stage.receive(PEER, &r);
    stage.wait(Duration::from_millis(60));
    stage.answer_all(PEER);
    stage.wait(Duration::from_secs(40));
    assert!(stage.events.iter().any(|e| matches!(e, Event::RestartNeeded(_))));
    let report = stage.agent.explain();
    assert!(!report.causes.is_empty(), "{report} {:?}", stage.selected());
}

/// Six hundred pairs at Ta 5 ms: all are in flight at once.
#[test]
fn every_pair_of_a_long_list_keeps_its_retransmissions() {
    let mut agent = Agent::new(
        AgentConfig { reach: Reach::Pairs(2_500), ta: Duration::from_millis(5), ..Default::default() },
        [1; 32],
    )
    .unwrap();
    for n in 0..6 {
        agent.socket_up(Instant::ZERO, Socket::udp(crate::base::SocketId(n as u32), source(n))).unwrap();
    }
    let c = Credentials::new("peer", "the-password-of-the-peer").unwrap();
    agent.set_remote_credentials(Instant::ZERO, c).unwrap();
    agent.set_remote_pacing(Instant::ZERO, Some(Duration::from_millis(5))).unwrap();
    for n in 0..100 {
        let line = format!("candidate:{n} 1 UDP {} {} 4000 typ host", n + 1, source(1_000 + n).ip());
        agent.add_remote_candidate(Instant::ZERO, &line.parse().unwrap()).unwrap();
    }
    let mut now = Instant::ZERO;
    let mut scratch = [0; MAX_TRANSMIT];
    while now < Instant::from_millis(30_000) {
        match agent.poll(now, &mut scratch) {
            Output::Wait(Some(at)) => now = at.max(now + Duration::from_micros(1)),
            Output::Wait(None) => break,
            _ => {}
        }
    }
    let report = agent.explain();
    assert!(report.pairs.iter().all(|p| p.requests_sent >= 4));
}

#[test]
fn after_selection_strangers_with_the_password_take_no_room() {
    let mut stage = Stage::new(role(Role::Controlled));
    let r = stage.request(CONTROLLING, true);
    stage.receive(PEER, &r);
    stage.wait(Duration::from_millis(60));
    stage.answer_all(PEER);
    for n in 0..100 {
        let r = stage.request(CONTROLLING, false);
        stage.receive(source(n), &r);
        stage.poll();
    }
    assert_eq!(stage.agent.generations.current.candidates.remotes().len(), 1);
}

/// A long reserve of better pairs, and the peer is heard.
#[test]
fn with_a_long_reserve_of_better_pairs_the_one_that_was_heard_comes_first() {
    let mut stage =
        Stage::new(AgentConfig { reach: Reach::Wide, role: Role::Controlled, ..Default::default() });
    for n in 1..20u32 {
        stage
            .agent
            .socket_up(
                stage.now,
                Socket::udp(crate::base::SocketId(n), SocketAddr::from(([10, 9, 0, n as u8], 5000))),
            )
            .unwrap();
    }
    for n in 0..100 {
        stage.add_candidate(source(n), 2_000_000_000 + n as u32);
    }
    stage.wait(Duration::from_millis(5_500));
    stage.sent.clear();
    let request = stage.request(CONTROLLING, true);
    stage.receive(PEER, &request);
    let heard = stage.now;
    while stage.take_request(PEER).is_none() && stage.now.since(heard) < Duration::from_secs(300) {
        stage.wait(Duration::from_millis(100));
    }
    assert!(stage.now.since(heard) < Duration::from_secs(1));
}

/// The peer nominates the other pair once, as floe does.
#[test]
fn of_two_pairs_nominated_once_the_one_that_lives_takes_over() {
    let mut stage = two_valid_pairs();
    let r = stage.request(CONTROLLING, true);
    stage.receive(PEER, &r);
    stage.poll();
    for n in 0..60 {
        stage.wait(Duration::from_secs(1));
        if n >= 10 {
            let r = stage.request(CONTROLLING, n == 10);
            stage.receive(other(), &r);
            stage.poll();
            stage.answer_all(other());
        }
    }
    assert_eq!(stage.agent.path(ComponentId::FIRST).map(|p| p.remote), Some(other()));
}

/// A peer that sends no checks of its own can repair it in no other way.
#[test]
fn a_role_conflict_on_a_consent_check_is_repaired() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.add_candidate(PEER, 1_000);
    for _ in 0..5 {
        stage.wait(Duration::from_millis(60));
        stage.answer_all(PEER);
    }
    assert_eq!(stage.selected(), Some(PEER));
    for _ in 0..60 {
        stage.wait(Duration::from_secs(1));
        while let Some(request) = stage.take_request(PEER) {
            let answer = match Message::parse(&request).unwrap().role() {
                Some(RoleClaim::Controlling(_)) => {
                    stage.error(&request, crate::wire::ErrorCode::ROLE_CONFLICT, true)
                }
                _ => stage.response(&request, address(0)),
            };
            stage.receive(PEER, &answer);
        }
    }
    assert!(stage.agent.path(ComponentId::FIRST).is_some(), "{:?}", stage.events);
}

#[test]
fn mapped_addresses_take_no_room_from_later_sockets() {
    let mut stage = Stage::new(role(Role::Controlled));
    for n in 0..70 {
        stage.add_candidate(source(n), 1_000 + n as u32);
    }
    stage.wait(Duration::from_secs(5));
    for n in 0..70 {
        let check = stage.take_request(source(n)).unwrap();
        let response = stage.response(&check, SocketAddr::from(([203, 0, 113, 9], 10_000 + n as u16)));
        stage.receive(source(n), &response);
    }
    stage.events.clear();
    stage
        .agent
        .socket_up(stage.now, Socket::udp(crate::base::SocketId(1), SocketAddr::from(([10, 9, 0, 1], 5000))))
        .unwrap();
    stage.poll();
    assert!(
        stage.events.iter().any(|e| matches!(e, Event::LocalCandidate { .. })),
        "{:?}",
        stage.events.iter().map(short).collect::<Vec<_>>()
    );
}
#[test]
fn a_stray_datagram_does_not_hide_that_nothing_got_through() {
    let mut stage = Stage::new(role(Role::Controlled));
    stage.add_candidate(PEER, 1_000);
    let mut buffer = [0; 256];
    let id = stage.fresh_id();
    let n = crate::wire::MessageWriter::new(
        &mut buffer,
        crate::wire::Class::Request,
        crate::wire::Method::BINDING,
        id,
    )
    .username("old", "peer")
    .priority(1)
    .role(CONTROLLING)
    .sign(&IntegrityKey::short_term("x"))
    .unwrap();
    stage.receive(source(9), &buffer[..n]);
    stage.wait(Duration::from_secs(6));
    let causes = stage.agent.explain().causes;
    assert!(causes.iter().any(|c| matches!(c, Cause::NothingThrough { .. })), "{causes:?}");
}
/// An aggressive peer nominates a better pair that was checked long ago.
#[test]
fn selecting_another_pair_later_keeps_sending_allowed() {
    let mut stage = two_valid_pairs();
    let r = stage.request(CONTROLLING, true);
    stage.receive(other(), &r);
    for _ in 0..40 {
        stage.wait(Duration::from_secs(1));
        stage.answer_all(other());
        stage.answer_all(PEER);
    }
    assert!(stage.agent.path(ComponentId::FIRST).is_some());
    let r = stage.request(CONTROLLING, true);
    stage.receive(PEER, &r);
    stage.poll();
    assert!(stage.agent.path(ComponentId::FIRST).is_some(), "no path though the old one has consent");
}

#[test]
fn a_peer_that_falls_silent_before_it_nominates_is_told_of_in_the_report() {
    let mut stage = Stage::new(role(Role::Controlled));
    stage.add_candidate(PEER, 1_000);
    stage.poll();
    stage.answer_all(PEER);
    stage.wait(Duration::from_secs(60));
    let Some(Event::Failed(report)) = stage.events.last() else { panic!("{:?}", stage.events.last()) };
    assert_eq!(report.causes, [Cause::ConsentExpired]);
}

#[test]
fn candidates_without_credentials_are_told_of_in_the_report() {
    let config = AgentConfig { deadline: Some(Duration::from_secs(10)), ..Default::default() };
    let mut stage = Stage::without_credentials(config);
    stage.add_candidate(PEER, 1_000);
    stage.wait(Duration::from_secs(11));
    let Some(Event::Failed(report)) = stage.events.last() else { panic!("{:?}", stage.events.last()) };
    assert_eq!(report.causes, [Cause::NoRemoteCredentials]);
}
