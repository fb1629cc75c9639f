//! The peer checks from elsewhere: the selected pair is asked whether it lives, soon, and never too often.

use super::puppet::{PEER, Stage};
use super::*;
use crate::check::Nomination;
use crate::wire::{Class, Message, RoleClaim, TransactionId};

const ELSEWHERE: SocketAddr =
    SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::new(10, 9, 0, 2)), 5000);

/// A request of the agent's.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Asked {
    at: u64,
    to: SocketAddr,
    id: TransactionId,
    /// Consent checks never nominate, and checks of a pair that we have selected always do.
    nominates: bool,
}

fn stage(role: Role, renominates: bool) -> Stage {
    let config = AgentConfig { role, nomination: Nomination::Renominate, ..Default::default() };
    let mut stage = Stage::new(config);
    stage.agent.set_remote_renomination(stage.now, renominates);
    stage.add_candidate(PEER, 2_130_706_431);
    stage
}

/// The pair with PEER is selected, and has been for so long that its next keepalive may come at any moment.
fn selected(renominates: bool) -> Stage {
    let mut stage = stage(Role::Controlling, renominates);
    live(&mut stage, 3_900, &[PEER]);
    assert_eq!(stage.selected(), Some(PEER));
    stage
}

/// Lets so many milliseconds pass. Who is in `answering` answers at once. Gives what the agent has asked.
fn live(stage: &mut Stage, millis: u64, answering: &[SocketAddr]) -> Vec<Asked> {
    let mut asked = Vec::new();
    for _ in 0..millis {
        stage.poll();
        for (to, bytes) in core::mem::take(&mut stage.sent) {
            let message = Message::parse(&bytes).unwrap();
            if message.class() != Class::Request {
                continue;
            }
            let (at, id, nominates) =
                (stage.now.as_millis(), message.transaction_id(), message.use_candidate());
            asked.push(Asked { at, to, id, nominates });
            if answering.contains(&to) {
                let response = stage.response(&bytes, address(0));
                stage.receive(to, &response);
            }
        }
        stage.now = stage.now + Duration::from_millis(1);
    }
    asked
}

fn check_from(stage: &mut Stage, from: SocketAddr, claim: RoleClaim) {
    let request = stage.request(claim, false);
    stage.receive(from, &request);
}

/// Checks of PEER's pair that are not keepalives.
fn questions(asked: &[Asked]) -> Vec<u64> {
    asked.iter().filter(|a| a.to == PEER && a.nominates).map(|a| a.at).collect()
}

#[test]
fn a_selected_pair_that_is_silent_is_left_when_the_peer_checks_from_elsewhere() {
    let mut stage = selected(true);
    check_from(&mut stage, ELSEWHERE, RoleClaim::Controlled(1));
    let start = stage.now.as_millis();
    let asked = live(&mut stage, 400, &[ELSEWHERE]);
    assert_eq!(
        questions(&asked),
        [50, 100, 150, 200].map(|ms| start + ms),
        "after the check of the new pair"
    );
    assert!(stage.events.iter().any(|e| matches!(e, Event::PathDegraded(_))));
    assert_eq!(stage.selected(), Some(ELSEWHERE));
}

#[test]
fn a_selected_pair_that_answers_is_asked_once_and_stays() {
    let mut stage = selected(true);
    check_from(&mut stage, ELSEWHERE, RoleClaim::Controlled(1));
    let asked = live(&mut stage, 30_000, &[PEER, ELSEWHERE]);
    assert_eq!(questions(&asked).len(), 1);
    assert_eq!(stage.selected(), Some(PEER));
    assert!(!stage.events.iter().any(|e| matches!(e, Event::PathDegraded(_))));
}

/// RFC 7675 §5.1: keepalives come every four to six seconds. A standby has them, too.
#[test]
fn keepalives_on_a_standby_raise_no_doubt() {
    let mut stage = selected(true);
    check_from(&mut stage, ELSEWHERE, RoleClaim::Controlled(1));
    live(&mut stage, 4_000, &[PEER, ELSEWHERE]);
    for millis in [5_000, 4_100, 6_000] {
        check_from(&mut stage, ELSEWHERE, RoleClaim::Controlled(1));
        assert_eq!(questions(&live(&mut stage, millis, &[PEER, ELSEWHERE])), []);
    }
    check_from(&mut stage, ELSEWHERE, RoleClaim::Controlled(1));
    live(&mut stage, 500, &[PEER, ELSEWHERE]);
    check_from(&mut stage, ELSEWHERE, RoleClaim::Controlled(1));
    assert_eq!(questions(&live(&mut stage, 500, &[PEER, ELSEWHERE])).len(), 1, "sooner than any keepalive");
}

/// The address that is in use is no elsewhere, whichever socket of ours it writes to.
#[test]
fn a_peer_that_does_not_renominate_and_one_that_has_not_moved_raise_no_doubt() {
    let mut stage = selected(false);
    check_from(&mut stage, ELSEWHERE, RoleClaim::Controlled(1));
    assert_eq!(questions(&live(&mut stage, 3_000, &[])), []);

    let mut stage = selected(true);
    check_from(&mut stage, PEER, RoleClaim::Controlled(1));
    assert_eq!(questions(&live(&mut stage, 3_000, &[])), []);
}

/// RFC 8445 §14: new checks are Ta apart, whatever the peer does. And what it makes us ask is little.
#[test]
fn a_peer_that_checks_without_end_does_not_make_us_check_without_end() {
    for answers in [true, false] {
        let mut stage = selected(true);
        let from = |n: u64| SocketAddr::from(([10, 9, 1, (n % 20) as u8], 5000));
        let mut answering: Vec<_> = (0..20).map(from).collect();
        if answers {
            answering.push(PEER);
        }
        let mut asked = Vec::new();
        for n in 0..10_000 {
            check_from(&mut stage, from(n), RoleClaim::Controlled(1));
            asked.extend(live(&mut stage, 1, &answering));
        }
        let limit = if answers { 10_000 / 500 + 1 } else { 10_000 / 50 };
        let count = questions(&asked).len();
        assert!((1..=limit).contains(&count), "{count} questions");
        let mut ids: Vec<_> = asked.iter().map(|a| a.id.0).collect();
        ids.sort_unstable();
        ids.dedup();
        // A check in each slot, and the keepalives of the selected pair and three standbys.
        let most = 10_000 / 50 + 1 + 4 * 10_000 / 4_000;
        assert!(ids.len() <= most, "{} checks in ten seconds", ids.len());
    }
}

/// The controlled side cannot nominate. That the peer's candidate is gone it knows; whether the peer does, it does not.
#[test]
fn who_has_lost_its_selected_pair_and_cannot_nominate_checks_what_is_left_for_a_while() {
    for nominated in [false, true] {
        let mut stage = stage(Role::Controlled, true);
        stage.add_candidate(ELSEWHERE, 500);
        let nomination = stage.request(RoleClaim::Controlling(1), true);
        stage.receive(PEER, &nomination);
        live(&mut stage, 3_900, &[PEER, ELSEWHERE]);
        assert_eq!(stage.selected(), Some(PEER));
        let gone = "candidate:1 1 UDP 1000 10.0.0.2 5000 typ host".parse().unwrap();
        stage.agent.remove_remote_candidate(stage.now, 0, &gone).unwrap();
        let start = stage.now.as_millis();
        if nominated {
            live(&mut stage, 1, &[ELSEWHERE]);
            let nomination = stage.request(RoleClaim::Controlling(1), true);
            stage.receive(ELSEWHERE, &nomination);
            assert_eq!(stage.selected(), Some(ELSEWHERE));
        }
        let asked = live(&mut stage, 30_000, &[ELSEWHERE]);
        let soon = asked.windows(2).filter(|pair| pair[1].at - pair[0].at < 4_000).count();
        if nominated {
            assert_eq!(soon, 0, "keepalives only");
        } else {
            assert_eq!([asked[0].at - start, asked[1].at - start], [0, 500]);
            assert!((19..25).contains(&soon), "{soon} in ten seconds, and no more");
        }
    }
}
