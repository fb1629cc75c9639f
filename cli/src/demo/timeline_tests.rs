//! A fixed trace and the steps that come of it.

use floe_core::{SocketId, Tuple};

use super::*;

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn id(number: u8) -> TransactionId {
    TransactionId([number; 12])
}

fn at(micros: u64, side: Side, event: TraceEvent) -> Moment {
    Moment { at: Duration::from_micros(micros), side, event }
}

fn pair_formed(pair: u32, local: &str, remote: &str, priority: u64) -> TraceEvent {
    TraceEvent::PairFormed { pair: PairId(pair), local: addr(local), remote: addr(remote), priority }
}

fn sent(pair: u32, transaction: u8, nominates: bool) -> TraceEvent {
    TraceEvent::CheckSent { pair: PairId(pair), transaction: id(transaction), attempt: 1, nominates }
}

fn received(transaction: u8, remote: &str) -> TraceEvent {
    let tuple = Tuple { socket: SocketId(0), remote: addr(remote) };
    TraceEvent::RequestReceived { tuple, transaction: id(transaction), nominates: false }
}

fn answered(pair: u32, transaction: u8, micros: u64) -> TraceEvent {
    let (rtt, mapped) = (Duration::from_micros(micros), addr("10.0.0.1:1"));
    TraceEvent::CheckAnswered { pair: PairId(pair), transaction: id(transaction), rtt, mapped }
}

/// Two pairs, which the sides name differently. The better one works; Alice nominates it.
pub(crate) fn trace() -> Vec<Moment> {
    use Side::{Alice, Bob};
    vec![
        at(0, Alice, pair_formed(0, "10.0.0.1:1", "10.0.0.2:2", 50)),
        at(10, Alice, pair_formed(1, "[fd00::1]:1", "[fd00::2]:2", 90)),
        at(20, Bob, pair_formed(0, "[fd00::2]:2", "[fd00::1]:1", 90)),
        at(30, Bob, pair_formed(1, "10.0.0.2:2", "10.0.0.1:1", 50)),
        at(100, Alice, sent(1, 1, false)),
        at(200, Bob, received(1, "[fd00::1]:1")),
        at(210, Bob, sent(0, 2, false)),
        at(300, Alice, received(2, "[fd00::2]:2")),
        at(310, Alice, answered(1, 1, 210)),
        at(320, Bob, answered(0, 2, 110)),
        at(400, Alice, sent(1, 3, true)),
        at(450, Bob, received(3, "[fd00::1]:1")),
        at(460, Bob, TraceEvent::Nominated { pair: PairId(0) }),
        at(460, Bob, TraceEvent::Selected { pair: PairId(0) }),
        at(500, Alice, answered(1, 3, 100)),
        at(510, Alice, TraceEvent::Selected { pair: PairId(1) }),
        at(
            520,
            Alice,
            TraceEvent::PairState { pair: PairId(0), phase: PairPhase::Failed(CheckFailure::Concluded) },
        ),
    ]
}

fn steps(moments: &[Moment]) -> Vec<(Side, Option<usize>, What)> {
    timeline(moments).steps.into_iter().map(|step| (step.who, step.path, step.what)).collect()
}

#[test]
fn both_sides_names_for_a_pair_become_one_number_by_priority() {
    let paths = timeline(&trace()).paths;
    let ends: Vec<_> = paths.iter().map(|path| (path.number, path.alice, path.bob, path.priority)).collect();
    let expected =
        [(1, addr("[fd00::1]:1"), addr("[fd00::2]:2"), 90), (2, addr("10.0.0.1:1"), addr("10.0.0.2:2"), 50)];
    assert_eq!(ends, expected);
}

#[test]
fn a_check_that_follows_the_peers_is_told_as_triggered() {
    use Side::{Alice, Bob};
    let check = |triggered, nominates| What::Check { triggered, nominates, attempt: 1 };
    let answer =
        |nominates, micros| What::Answer { nominates, rtt_ms: Millis(Duration::from_micros(micros)) };
    let expected = [
        (Alice, Some(1), check(false, false)),
        (Bob, Some(1), check(true, false)),
        (Alice, Some(1), answer(false, 210)),
        (Bob, Some(1), answer(false, 110)),
        (Alice, Some(1), check(false, true)),
        (Bob, Some(1), What::Selected),
        (Alice, Some(1), answer(true, 100)),
        (Alice, Some(1), What::Selected),
    ];
    assert_eq!(steps(&trace()), expected);
}

#[test]
fn what_goes_wrong_is_told() {
    use Side::{Alice, Bob};
    let failed = |failure| TraceEvent::PairState { pair: PairId(0), phase: PairPhase::Failed(failure) };
    let tuple = Tuple { socket: SocketId(0), remote: addr("10.0.0.9:9") };
    let moments = [
        at(0, Alice, pair_formed(0, "10.0.0.1:1", "10.0.0.2:2", 50)),
        at(1, Alice, sent(0, 1, false)),
        at(2, Bob, TraceEvent::RequestAnswered { tuple, transaction: id(1), error: Some(487) }),
        at(3, Alice, TraceEvent::CheckRefused { pair: PairId(0), transaction: id(1), code: 487 }),
        at(4, Alice, TraceEvent::RoleSwitched { controlling: false }),
        at(5, Alice, failed(CheckFailure::Timeout)),
        at(6, Bob, TraceEvent::SendFailed { tuple }),
    ];
    let expected = [
        (Alice, Some(1), What::Check { triggered: false, nominates: false, attempt: 1 }),
        (Bob, Some(1), What::Refuses { code: 487 }),
        (Alice, Some(1), What::Refused { code: 487 }),
        (Alice, None, What::RoleSwitched { role: "controlled" }),
        (Alice, Some(1), What::Failed { why: "no answer".to_owned() }),
        (Bob, None, What::SendFailed { remote: addr("10.0.0.9:9") }),
    ];
    assert_eq!(steps(&moments), expected);
}
