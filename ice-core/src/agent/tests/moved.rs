//! Our NAT moves the selected flow in the middle of it, and nobody may nominate again: a restart is asked for when the peer's silence shows
//! that it does not reach us, and not before.

use super::puppet::{PEER, Stage};
use super::*;
use crate::check::Nomination;
use crate::wire::{Class, Message, RoleClaim};

/// The longest interval between two consent checks, and a second for the network.
const PATIENCE: u64 = 7_000;

fn mapped(port: u16) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 9], port))
}

/// A pair is selected, and the peer, which asks for consent every 5 s, has just done so.
fn connected(config: AgentConfig) -> Stage {
    let mut stage = Stage::new(config);
    stage.add_candidate(PEER, 2_130_706_431);
    live(&mut stage, 1_000, mapped(1), &[]);
    if stage.agent.role() == Role::Controlled {
        let nomination = stage.request(RoleClaim::Controlling(1), true);
        stage.receive(PEER, &nomination);
    }
    live(&mut stage, 4_000, mapped(1), &[0]);
    live(&mut stage, 5_000, mapped(1), &[0, 4_990]);
    assert_eq!(stage.selected(), Some(PEER));
    stage
}

/// Lets so many milliseconds pass. The peer answers at once, sees us at `seen`, and asks for consent so long after the beginning.
fn live(stage: &mut Stage, millis: u64, seen: SocketAddr, asks: &[u64]) {
    for ms in (0..millis).step_by(10) {
        if asks.contains(&ms) {
            let claim = match stage.agent.role() {
                Role::Controlling => RoleClaim::Controlled(1),
                Role::Controlled => RoleClaim::Controlling(1),
            };
            let request = stage.request(claim, false);
            stage.receive(PEER, &request);
        }
        stage.poll();
        for (to, bytes) in core::mem::take(&mut stage.sent) {
            if to == PEER && Message::parse(&bytes).unwrap().class() == Class::Request {
                let response = stage.response(&bytes, seen);
                stage.receive(to, &response);
            }
        }
        stage.now = stage.now + Duration::from_millis(10);
    }
    stage.poll();
}

fn asked(stage: &Stage) -> Vec<Cause> {
    let cause = |e: &Event| match e {
        Event::RestartNeeded(cause) => Some(*cause),
        _ => None,
    };
    stage.events.iter().filter_map(cause).collect()
}

fn changed() -> Cause {
    Cause::MappingChanged { mapped: mapped(2) }
}

fn fast(role: Role) -> AgentConfig {
    AgentConfig { role, nomination: Nomination::Fast, ..Default::default() }
}

#[test]
fn a_peer_that_is_silent_since_we_were_moved_asks_for_a_restart_a_keepalive_later() {
    for role in [Role::Controlling, Role::Controlled] {
        let mut stage = connected(fast(role));
        live(&mut stage, PATIENCE - 20, mapped(2), &[]);
        assert_eq!(asked(&stage), []);
        assert!(stage.agent.explain().causes.is_empty());
        live(&mut stage, 20, mapped(2), &[]);
        assert_eq!(asked(&stage), [changed()]);
        // What there is goes on, one way, and the reason can be asked for.
        assert!(stage.agent.path(ComponentId::FIRST).is_some());
        assert_eq!(stage.agent.explain().causes, [changed()]);
        assert!(changed().to_string().contains("203.0.113.9:2"));
        live(&mut stage, 60_000, mapped(2), &[]);
        assert_eq!(asked(&stage).len(), 1, "once");
        stage.agent.restart(stage.now).unwrap();
        live(&mut stage, 60_000, mapped(2), &[]);
        assert_eq!(asked(&stage).len(), 1, "it was done");
    }
}

#[test]
fn whoever_restarts_by_itself_does_so() {
    let config = AgentConfig { restart_by_itself: true, ..fast(Role::Controlling) };
    let mut stage = connected(config);
    live(&mut stage, PATIENCE, mapped(2), &[]);
    assert_eq!(asked(&stage), [changed()]);
    let restarts = stage.events.iter().filter(|e| matches!(e, Event::Restarted { .. })).count();
    assert_eq!(restarts, 1);
}

/// As behind a NAT that has given us a second mapping and keeps the first.
#[test]
fn a_peer_that_still_reaches_us_where_we_were_raises_no_alarm() {
    let mut stage = connected(fast(Role::Controlling));
    // Every interval of RFC 7675, with what the network adds.
    let gaps = [4_000, 6_000, 6_500, 4_000, 6_900].into_iter().cycle().take(40);
    let asks: Vec<u64> = gaps
        .scan(0, |at, gap| {
            *at += gap;
            Some(*at)
        })
        .collect();
    live(&mut stage, *asks.last().unwrap() + 6_900, mapped(2), &asks);
    assert_eq!(asked(&stage), []);
    // Its checks are lost, and its data is not.
    for _ in 0..20 {
        stage.receive(PEER, b"\x80data");
        live(&mut stage, 6_000, mapped(2), &[]);
    }
    assert_eq!(asked(&stage), []);
    live(&mut stage, PATIENCE + 20, mapped(2), &[]);
    assert_eq!(asked(&stage), [changed()]);
}

#[test]
fn a_nat_that_moves_us_back_raises_no_alarm_and_what_is_lost_later_is_told() {
    let mut stage = connected(fast(Role::Controlling));
    live(&mut stage, 5_000, mapped(2), &[]);
    live(&mut stage, 12_000, mapped(1), &[1_500, 6_500]);
    // Where we are known to be, nothing is made of its silence.
    live(&mut stage, 60_000, mapped(1), &[]);
    assert_eq!(asked(&stage), []);

    let mut stage = connected(fast(Role::Controlling));
    live(&mut stage, PATIENCE, mapped(2), &[]);
    live(&mut stage, 6_000, mapped(1), &[]);
    assert!(stage.agent.explain().causes.is_empty());
    stage.wait(Duration::from_secs(40));
    assert_eq!(asked(&stage), [changed(), Cause::ConsentExpired]);
}

/// `Profile::Idle` asks every 10 to 15 s.
#[test]
fn a_peer_that_asks_rarely_is_given_as_long_as_it_takes() {
    let mut stage = connected(fast(Role::Controlling));
    live(&mut stage, 10_000, mapped(1), &[9_990]);
    live(&mut stage, 46_000, mapped(2), &[15_000, 25_000, 40_000]);
    assert_eq!(asked(&stage), []);
    live(&mut stage, 16_000, mapped(2), &[]);
    assert_eq!(asked(&stage), []);
    live(&mut stage, 2_000, mapped(2), &[]);
    assert_eq!(asked(&stage), [changed()], "15 s before, and half as much again");
}

/// As browsers do, which ask every 2.5 s: more often than RFC 7675 allows.
#[test]
fn a_peer_that_asks_often_is_missed_as_soon() {
    let mut stage = Stage::new(fast(Role::Controlling));
    stage.add_candidate(PEER, 2_130_706_431);
    live(&mut stage, 20_000, mapped(1), &[0, 2_500, 5_000, 7_500, 10_000, 12_500, 15_000, 17_500, 19_990]);
    live(&mut stage, PATIENCE - 20, mapped(2), &[]);
    assert_eq!(asked(&stage), []);
    live(&mut stage, 20, mapped(2), &[]);
    assert_eq!(asked(&stage), [changed()]);
}

/// RFC 8445 §14.3: a check is repeated at growing distances. Without RFC 7675 nothing follows.
#[test]
fn checks_that_are_repeated_promise_no_others() {
    let mut stage = Stage::new(fast(Role::Controlled));
    stage.add_candidate(PEER, 2_130_706_431);
    live(&mut stage, 10_000, mapped(1), &[0, 500, 1_500, 3_500, 7_500]);
    let nomination = stage.request(RoleClaim::Controlling(1), true);
    stage.receive(PEER, &nomination);
    live(&mut stage, 120_000, mapped(2), &[]);
    assert_eq!(stage.selected(), Some(PEER));
    assert_eq!(asked(&stage), []);
}

/// The NAT moves us before the peer has asked twice, and keeps the old mapping for as long as nothing goes out of it.
#[test]
fn who_is_moved_early_hears_of_it_when_the_old_mapping_dies() {
    let mut stage = Stage::new(fast(Role::Controlling));
    stage.add_candidate(PEER, 2_130_706_431);
    live(&mut stage, 1_000, mapped(1), &[0]);
    live(&mut stage, 30_000, mapped(2), &[5_000, 10_000, 15_000, 20_000, 25_000, 29_990]);
    assert_eq!(asked(&stage), []);
    live(&mut stage, PATIENCE - 20, mapped(2), &[]);
    assert_eq!(asked(&stage), []);
    live(&mut stage, 20, mapped(2), &[]);
    assert_eq!(asked(&stage), [changed()]);
}

#[test]
fn a_peer_that_is_heard_again_takes_the_alarm_back() {
    let mut stage = connected(fast(Role::Controlling));
    live(&mut stage, PATIENCE + 10, mapped(2), &[PATIENCE]);
    assert_eq!(asked(&stage), [changed()]);
    assert!(stage.agent.explain().causes.is_empty());
    // Half as long again as between the last two, and a second.
    live(&mut stage, 11_400, mapped(2), &[]);
    assert_eq!(asked(&stage), [changed()]);
    live(&mut stage, 200, mapped(2), &[]);
    assert_eq!(asked(&stage), [changed(), changed()], "another silence is another reason");
}

/// Without RFC 7675 a peer need not ask (RFC 8445 §11), and a lite one never does.
#[test]
fn the_silence_of_a_peer_that_never_asks_says_nothing() {
    let mut stage = Stage::new(fast(Role::Controlling));
    stage.add_candidate(PEER, 2_130_706_431);
    live(&mut stage, 1_000, mapped(1), &[0, 200, 400]);
    live(&mut stage, 120_000, mapped(2), &[]);
    assert_eq!(stage.selected(), Some(PEER));
    assert_eq!(asked(&stage), []);
}

/// The alarm is not put off until something else wakes the agent.
#[test]
fn the_agent_wakes_for_the_alarm() {
    let mut stage = connected(fast(Role::Controlling));
    live(&mut stage, PATIENCE - 20, mapped(2), &[]);
    let Output::Wait(until) = stage.agent.poll(stage.now, &mut [0; MAX_TRANSMIT]) else { panic!() };
    // The last request came 10 ms before the move.
    assert_eq!(until, Some(stage.now + Duration::from_millis(10)));
    stage.now = stage.now + Duration::from_millis(10);
    stage.poll();
    assert_eq!(asked(&stage), [changed()]);
}

/// One with a mapping for each packet. It asks once, and says what it has seen last.
#[test]
fn a_nat_that_moves_us_all_the_time_asks_once() {
    let mut stage = connected(fast(Role::Controlling));
    for port in 2..100 {
        live(&mut stage, 5_000, mapped(port), &[]);
        assert_eq!(stage.agent.moves.len(), 1);
    }
    assert_eq!(asked(&stage).len(), 1);
    assert_eq!(stage.agent.explain().causes, [Cause::MappingChanged { mapped: mapped(99) }]);
}

/// Each restart is as good as a call: there is nothing to miss before the peer has asked for consent in it.
#[test]
fn a_restart_by_itself_is_followed_by_another_after_a_new_silence_only() {
    let config = AgentConfig { restart_by_itself: true, ..fast(Role::Controlling) };
    let mut stage = connected(config);
    live(&mut stage, PATIENCE, mapped(2), &[]);
    let next = Credentials::new("peer2", stage.credentials.password()).unwrap();
    stage.credentials = next.clone();
    stage.agent.set_remote_credentials(stage.now, next).unwrap();
    stage.add_candidate(PEER, 2_130_706_431);
    live(&mut stage, 5_000, mapped(3), &[0]);
    assert_eq!(stage.selected(), Some(PEER));
    for port in 4..24 {
        live(&mut stage, 5_000, mapped(port), &[]);
    }
    assert_eq!(asked(&stage), [changed()]);
}

#[test]
fn where_both_renominate_no_restart_is_asked_for() {
    for role in [Role::Controlling, Role::Controlled] {
        let config = AgentConfig { role, nomination: Nomination::Renominate, ..Default::default() };
        let mut stage = connected(config);
        stage.agent.set_remote_renomination(stage.now, true);
        live(&mut stage, 28_000, mapped(2), &[]);
        assert_eq!(asked(&stage), []);
    }
}
