//! Two agents, a network that does what networks do, and what must hold all the same.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end with a panic"
)]

use core::time::Duration;
use std::collections::BTreeMap;

use floe_core::trace::TraceEvent;
use floe_core::wire::{Class, Message};
use floe_core::{Event, Instant, PairId};
use floe_proptests::paste::*;
use floe_proptests::{Datagram, Outcome, Run, SideOutcome, outages, renewals, run, scenarios, thousand};
use proptest::prelude::*;

proptest! {
    #![proptest_config(thousand())]

    /// A user sends as soon as their side says that a path is selected: both sides must mean the same one, whatever the
    /// network and the signalling do in the meantime.
    #[test]
    fn two_agents_end_with_opposite_roles_and_the_same_pair(scenario in scenarios()) {
        let outcome = run(&scenario);
        // Seven transmissions can all be lost, once in many thousand sessions that have one way only.
        if scenario.link.loss_percent == 0 || !was_never_heard(&outcome) {
            agree(&outcome)?;
        }
    }

    /// Users change networks, and so do both sides at once, while the last change is still being signalled: whoever
    /// restarts, the two meet again, in the same generation.
    #[test]
    fn two_agents_that_restart_end_with_the_same_pair_of_the_same_generation(renewal in renewals()) {
        let (run, since) = renew(&renewal);
        let agreed = run.agreement();
        let outcome = run.outcome();
        let gave_up = was_never_heard_since(&outcome, since) || has_lost_consent(&outcome);
        if renewal.scenario.link.loss_percent == 0 || !gave_up {
            prop_assert!(agreed.is_ok(), "{agreed:?}");
        }
    }

    /// Checks go to addresses that a stranger may have put into signalling: pacing is what keeps an agent from
    /// flooding them (RFC 8445 §14.2, §19.5.1).
    #[test]
    fn no_new_check_comes_sooner_than_ta_after_the_last(scenario in scenarios()) {
        let ta = Duration::from_millis(scenario.ta_ms);
        for side in &run(&scenario).sides {
            let new = |(at, event): &(Instant, TraceEvent)| {
                matches!(event, TraceEvent::CheckSent { attempt: 1, .. }).then_some(*at)
            };
            let times: Vec<_> = side.trace.iter().filter_map(new).collect();
            prop_assert!(!times.is_empty());
            for pair in times.windows(2) {
                let distance = pair[1].since(pair[0]);
                prop_assert!(distance >= ta, "{distance:?} at {}", pair[1]);
            }
        }
    }

    /// Whoever meets a bug in the field replays its trace: the same seed and inputs must give the same datagrams, byte for
    /// byte, and the same decisions at the same times.
    #[test]
    fn the_same_scenario_gives_the_same_run_byte_for_byte(scenario in scenarios()) {
        let [first, second] = [run(&scenario), run(&scenario)];
        prop_assert!(!first.datagrams.is_empty());
        prop_assert!(first == second, "{:?}", first_difference(&first, &second));
    }

    /// A peer that has gone must not be flooded with the user's data (RFC 7675): nothing is sent later than 30 s after
    /// its last authenticated answer on that path, and asking for it is paced at four to six seconds.
    #[test]
    fn data_is_sent_within_thirty_seconds_of_the_last_consent_only(outage in outages()) {
        let (outcome, sent) = run_outage(&outage);
        for side in [0, 1] {
            let answers = answers(&outcome, side);
            for (at, base, remote) in sent.iter().filter(|s| s.0 == side).map(|s| (s.1, s.2, s.3)) {
                let last = answers.iter().rev().find(|a| a.0 <= at && (a.1, a.2) == (base, remote));
                let age = last.map(|last| at.since(last.0));
                prop_assert!(age.is_some_and(|age| age < Duration::from_secs(30)), "sent at {at}, {age:?} old");
            }
            genuine(&outcome, side, &answers)?;
            consent_is_paced(&outcome.sides[side])?;
        }
    }
}

/// As proptest printed it. Both sides start with the same role and the same tie-breaker. A retransmission of the time
/// before the repair makes Alice control for a moment, when she has been told of the nomination and cannot follow yet.
#[test]
fn a_late_request_with_an_old_role_does_not_lose_a_nomination() {
    let scenario = Scenario {
        seed: 8697192276526489884,
        link: Link {
            latency_ms: 89,
            jitter_ms: 114,
            loss_percent: 18,
            duplication_percent: 10,
            reordering_percent: 20,
            reorder_ms: 111,
        },
        ta_ms: 68,
        overlapping: false,
        neighbours: false,
        alice: Side {
            role: Controlled,
            tie_breaker: Some(1),
            nomination: Fast,
            nat: PortRestricted,
            addresses: 2,
            dead: 0,
            ipv6: false,
            sockets_ms: 0,
            credentials_ms: 7183,
            candidates_ms: 0,
            trickle_ms: 0,
            reversed: false,
            end_ms: 0,
        },
        bob: Side {
            role: Controlled,
            tie_breaker: Some(1),
            nomination: Fast,
            nat: Open,
            addresses: 2,
            dead: 2,
            ipv6: false,
            sockets_ms: 4692,
            credentials_ms: 0,
            candidates_ms: 3661,
            trickle_ms: 245,
            reversed: false,
            end_ms: 0,
        },
    };
    agree(&run(&scenario)).unwrap();
}

/// As proptest printed it, from the same beginning: Bob follows Alice's nomination, and then both change their roles. He
/// has selected and does not nominate, she waits for it.
#[test]
fn who_comes_to_control_after_following_a_nomination_nominates_again() {
    let scenario = Scenario {
        seed: 1292132705612626377,
        link: Link {
            latency_ms: 210,
            jitter_ms: 62,
            loss_percent: 20,
            duplication_percent: 14,
            reordering_percent: 8,
            reorder_ms: 178,
        },
        ta_ms: 11,
        overlapping: false,
        neighbours: false,
        alice: Side {
            role: Controlling,
            tie_breaker: Some(18446744073709551615),
            nomination: Fast,
            nat: PortRestricted,
            addresses: 3,
            dead: 0,
            ipv6: true,
            sockets_ms: 0,
            credentials_ms: 0,
            candidates_ms: 0,
            trickle_ms: 166,
            reversed: true,
            end_ms: 0,
        },
        bob: Side {
            role: Controlling,
            tie_breaker: Some(18446744073709551615),
            nomination: Regular,
            nat: Open,
            addresses: 3,
            dead: 2,
            ipv6: true,
            sockets_ms: 0,
            credentials_ms: 0,
            candidates_ms: 548,
            trickle_ms: 150,
            reversed: true,
            end_ms: 0,
        },
    };
    agree(&run(&scenario)).unwrap();
}

/// As proptest printed it, from the same beginning over a link that hardly loses anything.
#[test]
fn equal_tie_breakers_and_duplicates_do_not_lose_a_nomination() {
    let scenario = Scenario {
        seed: 967437399705254958,
        link: Link {
            latency_ms: 177,
            jitter_ms: 37,
            loss_percent: 2,
            duplication_percent: 24,
            reordering_percent: 8,
            reorder_ms: 206,
        },
        ta_ms: 41,
        overlapping: false,
        neighbours: false,
        alice: Side {
            role: Controlling,
            tie_breaker: Some(2),
            nomination: Fast,
            nat: PortRestricted,
            addresses: 3,
            dead: 0,
            ipv6: false,
            sockets_ms: 76,
            credentials_ms: 0,
            candidates_ms: 716,
            trickle_ms: 172,
            reversed: false,
            end_ms: 0,
        },
        bob: Side {
            role: Controlling,
            tie_breaker: Some(2),
            nomination: Fast,
            nat: FullCone,
            addresses: 3,
            dead: 1,
            ipv6: false,
            sockets_ms: 192,
            credentials_ms: 0,
            candidates_ms: 116,
            trickle_ms: 261,
            reversed: false,
            end_ms: 0,
        },
    };
    agree(&run(&scenario)).unwrap();
}

/// As proptest printed it, from the same beginning: Bob is nominated to before his own check of the pair succeeds, and when
/// it does the choice has become his. What he follows he must say, or Alice waits for it.
#[test]
fn a_nomination_that_is_still_wanted_when_the_roles_change_is_said_aloud() {
    let scenario = Scenario {
        seed: 658437197756600848,
        link: Link {
            latency_ms: 256,
            jitter_ms: 103,
            loss_percent: 18,
            duplication_percent: 12,
            reordering_percent: 10,
            reorder_ms: 226,
        },
        ta_ms: 62,
        overlapping: false,
        neighbours: false,
        alice: Side {
            role: Controlled,
            tie_breaker: Some(1),
            nomination: Fast,
            nat: Open,
            addresses: 2,
            dead: 0,
            ipv6: false,
            sockets_ms: 0,
            credentials_ms: 2546,
            candidates_ms: 0,
            trickle_ms: 0,
            reversed: false,
            end_ms: 0,
        },
        bob: Side {
            role: Controlled,
            tie_breaker: Some(1),
            nomination: Fast,
            nat: AddressRestricted,
            addresses: 1,
            dead: 1,
            ipv6: false,
            sockets_ms: 0,
            credentials_ms: 0,
            candidates_ms: 166,
            trickle_ms: 270,
            reversed: false,
            end_ms: 0,
        },
    };
    agree(&run(&scenario)).unwrap();
}

/// As proptest printed it. Alice hears Bob's second credentials in his checks before signalling brings his first: these are
/// over, and the candidates that came with the second ones are not to be thrown away for them.
#[test]
fn credentials_that_come_after_their_successors_were_heard_are_ignored() {
    let renewal = Renewal {
        scenario: Scenario {
            seed: 483625185500474323,
            link: Link {
                latency_ms: 1,
                jitter_ms: 0,
                loss_percent: 0,
                duplication_percent: 0,
                reordering_percent: 0,
                reorder_ms: 0,
            },
            ta_ms: 5,
            overlapping: false,
            neighbours: false,
            alice: Side {
                role: Controlled,
                tie_breaker: None,
                nomination: Fast,
                nat: Open,
                addresses: 1,
                dead: 0,
                ipv6: false,
                sockets_ms: 0,
                credentials_ms: 0,
                candidates_ms: 0,
                trickle_ms: 0,
                reversed: false,
                end_ms: 0,
            },
            bob: Side {
                role: Controlling,
                tie_breaker: None,
                nomination: Fast,
                nat: Open,
                addresses: 1,
                dead: 0,
                ipv6: false,
                sockets_ms: 0,
                credentials_ms: 2373,
                candidates_ms: 0,
                trickle_ms: 0,
                reversed: false,
                end_ms: 0,
            },
        },
        renominates: false,
        restarts: vec![Restart { at_ms: 0, side: 0, offered: false, told_ms: 2 }],
    };
    assert_eq!(renew(&renewal).0.agreement(), Ok(()));
}

/// Opposite roles, and the pair of one side is that of the other seen in a mirror.
fn agree(outcome: &Outcome) -> Result<(), TestCaseError> {
    let [alice, bob] = &outcome.sides;
    prop_assert_eq!(alice.role, bob.role.opposite());
    let (Some(ours), Some(theirs)) = (alice.selected, bob.selected) else {
        return Err(TestCaseError::fail(format!("selected {:?} and {:?}", alice.selected, bob.selected)));
    };
    prop_assert_eq!((ours.local, ours.remote), (theirs.remote, theirs.local));
    Ok(())
}

/// Runs a session until all its restarts have come to their end, and 12 s more; since when nothing was signalled.
fn renew(renewal: &Renewal) -> (Run, Instant) {
    let mut run = Run::renewing(renewal);
    let signalled = Instant::ZERO + renewal.all_signalled_after();
    run.advance_to(signalled);
    run.run_until_agreed(signalled + Duration::from_secs(40));
    let settled = run.now() + Duration::from_secs(12);
    run.advance_to(settled);
    if renewal.renominates {
        // One may be under way.
        run.run_until_agreed(settled + Duration::from_secs(15));
    }
    (run, signalled)
}

/// Whether the network let no answer through but a refusal, and of requests only as many as one pair sends.
fn was_never_heard(outcome: &Outcome) -> bool {
    was_never_heard_since(outcome, Instant::ZERO)
}

fn was_never_heard_since(outcome: &Outcome, since: Instant) -> bool {
    let received = |class| {
        let of_class = |d: &&Datagram| {
            d.received && d.at >= since && Message::parse(&d.bytes).is_ok_and(|m| m.class() == class)
        };
        outcome.datagrams.iter().filter(of_class).count()
    };
    received(Class::Success) == 0 && received(Class::Request) <= 7
}

/// Whether a side has lost the pair that it had selected because it heard of it for 30 s no more, and has no other since.
fn has_lost_consent(outcome: &Outcome) -> bool {
    let (expiry, late_copies) = (Duration::from_secs(30), Duration::from_secs(3));
    outcome.sides.iter().zip(0..).any(|(of, side)| {
        let since = of.events.iter().rev().take_while(|(_, e)| !matches!(e, Event::PathSelected(_)));
        since.into_iter().any(|(lost_at, event)| {
            let Event::PathLost { path, .. } = event else { return false };
            let silent = |d: &&Datagram| d.at + expiry > *lost_at + late_copies && d.at <= *lost_at;
            let on_path = |d: &&Datagram| (d.side, d.socket, d.remote) == (side, path.socket, path.remote);
            let answers = |d: &Datagram| {
                d.received && Message::parse(&d.bytes).is_ok_and(|m| m.class() == Class::Success)
            };
            !outcome.datagrams.iter().filter(silent).filter(on_path).any(answers)
        })
    })
}

fn first_difference(first: &Outcome, second: &Outcome) -> String {
    let datagram = first.datagrams.iter().zip(&second.datagrams).find(|(a, b)| a != b);
    let decision = first
        .sides
        .iter()
        .zip(&second.sides)
        .find_map(|(a, b)| a.trace.iter().zip(&b.trace).find(|(a, b)| a != b));
    format!("{datagram:?}, {decision:?}")
}

type Address = core::net::SocketAddr;

/// Runs the session, cuts it, and tries to send on both sides all the while: side, time, base and remote of what the
/// engine let through.
fn run_outage(outage: &Outage) -> (Outcome, Vec<(usize, Instant, Address, Address)>) {
    let mut run = Run::new(&outage.scenario);
    run.run_until_selected(Instant::ZERO + outage.scenario.all_signalled_after() + Duration::from_secs(40));
    let selected = run.now();
    let mut sent = Vec::new();
    // Not a divisor of anything, so that the edges of 30 s are met from all sides.
    for since in (0..130_000_u64).step_by(333) {
        run.advance_to(selected + Duration::from_millis(since));
        for side in [0, 1] {
            run.set_cut(side, outage.is_cut(side, since));
            sent.extend(run.send(side, b"data").map(|(base, remote)| (side, run.now(), base, remote)));
        }
    }
    (run.outcome(), sent)
}

/// When a side's checks were answered, of either kind, with the ends of the pair.
fn answers(outcome: &Outcome, side: usize) -> Vec<(Instant, Address, Address)> {
    let of = &outcome.sides[side];
    let answer = |(at, event): &(Instant, TraceEvent)| match event {
        TraceEvent::CheckAnswered { pair, .. } | TraceEvent::ConsentGranted { pair, .. } => {
            let (base, remote) = of.ends_of(*pair)?;
            Some((*at, base, remote))
        }
        _ => None,
    };
    of.trace.iter().filter_map(answer).collect()
}

/// Each answer that the trace tells of is a datagram: a success response that came at that moment from that address.
fn genuine(
    outcome: &Outcome,
    side: usize,
    answers: &[(Instant, Address, Address)],
) -> Result<(), TestCaseError> {
    let responses: Vec<_> = outcome
        .datagrams
        .iter()
        .filter(|d| d.side == side && d.received)
        .filter(|d| Message::parse(&d.bytes).is_ok_and(|m| m.class() == Class::Success && m.has_integrity()))
        .map(|d| (d.at, d.remote))
        .collect();
    for (at, _, remote) in answers {
        prop_assert!(
            responses.contains(&(*at, *remote)),
            "side {side} has no response from {remote} at {at}"
        );
    }
    Ok(())
}

/// Consent checks of one pair are 4 to 6 s apart for as long as the pair is kept alive.
fn consent_is_paced(side: &SideOutcome) -> Result<(), TestCaseError> {
    let mut last: BTreeMap<PairId, Instant> = BTreeMap::new();
    for (at, event) in &side.trace {
        match event {
            TraceEvent::ConsentSent { pair, .. } => {
                if let Some(last) = last.insert(*pair, *at) {
                    let distance = at.since(last).as_secs_f64();
                    prop_assert!((4.0..=6.0).contains(&distance), "{pair}: {distance} s at {at}");
                }
            }
            // Only the selected pair is kept alive from here on.
            TraceEvent::Selected { pair } => last.retain(|kept, _| kept == pair),
            TraceEvent::ConsentLost { pair, .. } => {
                last.remove(pair);
            }
            _ => {}
        }
    }
    Ok(())
}
