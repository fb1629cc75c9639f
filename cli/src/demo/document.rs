//! What a demo has to tell, as data. The text for a person and the JSON document are both made of this.

use std::fmt;
use std::net::SocketAddr;

use floe_core::CandidateType;
use floe_core::trace::TraceEvent;
use serde::Serialize;

use super::timeline::{Moment, PathLine, Side, Step, What};
use crate::args::RuntimeName;
use crate::millis::Millis;
use crate::stats::Percentiles;

/// The whole demo; the JSON document of `floe demo --json`. Times are in milliseconds, those of steps since the start.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    /// Both sides have selected the same pair, every datagram is accounted for, and none was lost.
    pub(crate) well: bool,
    /// Whether only the loopback interface could be used.
    pub(crate) loopback: bool,
    pub(crate) runtime: RuntimeName,
    pub(crate) alice: Gathered,
    pub(crate) bob: Gathered,
    /// Every pair, best first.
    pub(crate) paths: Vec<PathLine>,
    /// What happened, in the order of time.
    pub(crate) steps: Vec<Step>,
    pub(crate) selected: Selected,
    pub(crate) moved: Moved,
}

/// What one side has to offer.
#[derive(Debug, Serialize)]
pub(crate) struct Gathered {
    /// `controlling` or `controlled`, at the start.
    pub(crate) role: &'static str,
    /// Highest priority first.
    pub(crate) candidates: Vec<CandidateLine>,
}

/// A candidate of one side.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct CandidateLine {
    /// `host`, `srflx`, `prflx` or `relay`.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) address: SocketAddr,
    /// RFC 8445 §5.1.2.
    pub(crate) priority: u32,
}

/// One side's view of the selected pair.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct View {
    /// Its own address as the peer sees it.
    pub(crate) local: SocketAddr,
    pub(crate) local_type: &'static str,
    /// The peer's address as it sees it.
    pub(crate) remote: SocketAddr,
    pub(crate) remote_type: &'static str,
    /// Of the check that proved it.
    pub(crate) rtt_ms: Millis,
}

/// Which path won, and why.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Selected {
    pub(crate) alice: View,
    pub(crate) bob: View,
    /// Alice's local address is Bob's remote one, and the other way round.
    pub(crate) agreed: bool,
    /// When both had proven it, so that data could flow both ways.
    pub(crate) usable_after_ms: Millis,
    /// When the later of the two had selected it.
    pub(crate) after_ms: Millis,
    /// The number of the path, unless it was found under other addresses than were signalled.
    pub(crate) path: Option<usize>,
    /// Why this path and no other, in words.
    pub(crate) why: String,
    #[serde(flatten)]
    pub(crate) reason: Reason,
}

/// Why a path was chosen: what the others had come to when Alice chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Reason {
    /// How many paths Alice had proven to work, the chosen one included.
    pub(crate) worked: usize,
    /// How many with a higher priority had not answered.
    pub(crate) better_unanswered: usize,
    /// How many were given up because they failed.
    pub(crate) failed: usize,
    /// How many did not need to be tried any further.
    pub(crate) not_needed: usize,
}

/// The data that went over the selected path.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Moved {
    /// UDP payload of each datagram.
    pub(crate) bytes_each: usize,
    /// The most that were sent and neither answered nor given up.
    pub(crate) window: usize,
    pub(crate) alice_to_bob: Direction,
    pub(crate) bob_to_alice: Direction,
    /// Datagrams of Alice whose echo did not arrive in time: those that were lost either way.
    pub(crate) unanswered: u32,
    /// From sending a datagram to the arrival of its echo; none if no echo arrived.
    pub(crate) round_trip_ms: Option<Percentiles>,
    pub(crate) took_ms: Millis,
}

/// One way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Direction {
    pub(crate) sent: u32,
    pub(crate) received: u32,
    /// Did not arrive in time.
    pub(crate) lost: u32,
}

impl Moved {
    /// Whether every datagram arrived, and something was sent.
    pub(crate) fn is_complete(&self) -> bool {
        self.adds_up()
            && [self.alice_to_bob, self.bob_to_alice].iter().all(|way| way.sent > 0 && way.lost == 0)
    }

    /// Whether every datagram is accounted for: what one side lacks is what the other gave up.
    pub(crate) fn adds_up(&self) -> bool {
        let ways = [self.alice_to_bob, self.bob_to_alice];
        ways.iter().all(|way| way.received.checked_add(way.lost) == Some(way.sent))
            && ways.iter().map(|way| way.lost).sum::<u32>() == self.unanswered
    }
}

impl Gathered {
    /// What `side` had before it learned anything from the peer.
    pub(crate) fn of(side: Side, role: &'static str, moments: &[Moment]) -> Self {
        let mut candidates: Vec<CandidateLine> = moments
            .iter()
            .filter(|moment| moment.side == side)
            .filter_map(|moment| match moment.event {
                TraceEvent::LocalCandidate { kind, address, priority, .. }
                    if kind != CandidateType::PeerReflexive =>
                {
                    Some(CandidateLine { kind: kind.sdp_name(), address, priority })
                }
                _ => None,
            })
            .collect();
        candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.priority));
        Self { role, candidates }
    }
}

impl Selected {
    /// Draws the conclusion from both views and from what Alice, who decides, had seen.
    pub(crate) fn conclude(alice: View, bob: View, paths: &[PathLine], steps: &[Step]) -> Self {
        let by = |side| steps.iter().rfind(move |step| step.who == side && step.what == What::Selected);
        let decided = by(Side::Alice);
        let after_ms = [decided, by(Side::Bob)].into_iter().flatten().map(|step| step.ms).max();
        let path = decided.and_then(|step| step.path);
        let proven = |side| {
            let is_answer = |step: &&Step| matches!(step.what, What::Answer { .. });
            steps.iter().filter(is_answer).find(|step| step.who == side && step.path == path)
        };
        let usable_after_ms =
            [Side::Alice, Side::Bob].into_iter().filter_map(proven).map(|step| step.ms).max();
        let of_alice = |number, wanted: fn(&What) -> bool| {
            steps
                .iter()
                .filter(|step| Some(step.ms) <= decided.map(|step| step.ms))
                .any(|step| step.who == Side::Alice && step.path == Some(number) && wanted(&step.what))
        };
        let answered = |number| of_alice(number, |what| matches!(what, What::Answer { .. }));
        let given_up = |number| of_alice(number, |what| matches!(what, What::Failed { .. }));
        let count = |wanted: &dyn Fn(usize) -> bool| paths.iter().filter(|path| wanted(path.number)).count();
        let reason = Reason {
            worked: count(&|number| answered(number)),
            better_unanswered: count(&|number| Some(number) < path && !answered(number)),
            failed: count(&|number| !answered(number) && given_up(number)),
            not_needed: count(&|number| Some(number) > path && !answered(number) && !given_up(number)),
        };
        Self {
            agreed: alice.local == bob.remote && alice.remote == bob.local,
            usable_after_ms: usable_after_ms.unwrap_or_default(),
            after_ms: after_ms.unwrap_or_default(),
            path,
            why: reason.to_string(),
            reason,
            alice,
            bob,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let worked = match self.worked {
            0 | 1 => "it is the first that was proven to work".to_owned(),
            n => format!("of {n} paths that were proven to work it has the highest priority"),
        };
        let better = match self.better_unanswered {
            0 if self.worked <= 1 => ", and none has a higher priority".to_owned(),
            0 => String::new(),
            1 => "; 1 with a higher priority had not answered".to_owned(),
            n => format!("; {n} with a higher priority had not answered"),
        };
        let failed = match self.failed {
            0 => String::new(),
            n => format!("; {n} failed"),
        };
        let not_needed = match self.not_needed {
            0 => String::new(),
            1 => "; the other one was not needed".to_owned(),
            n => format!("; {n} others were not needed"),
        };
        write!(f, "{worked}{better}{failed}{not_needed}")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::demo::timeline;

    pub(crate) fn view(local: &str, remote: &str) -> View {
        View {
            local: local.parse().unwrap(),
            local_type: "host",
            remote: remote.parse().unwrap(),
            remote_type: "host",
            rtt_ms: Millis(Duration::from_micros(210)),
        }
    }

    fn conclude(alice: View, bob: View) -> Selected {
        let told = timeline::timeline(&timeline::tests::trace());
        Selected::conclude(alice, bob, &told.paths, &told.steps)
    }

    #[test]
    fn they_agree_only_if_each_end_is_the_others_other_end() {
        let alice = view("[fd00::1]:1", "[fd00::2]:2");
        assert!(conclude(alice, view("[fd00::2]:2", "[fd00::1]:1")).agreed);
        assert!(!conclude(alice, view("[fd00::2]:2", "[fd00::1]:9")).agreed);
        assert!(!conclude(alice, view("[fd00::2]:9", "[fd00::1]:1")).agreed);
        assert!(!conclude(alice, alice).agreed);
    }

    #[test]
    fn the_reason_counts_what_was_tried_before_the_decision() {
        let mut told = timeline::timeline(&timeline::tests::trace());
        let alice = view("[fd00::1]:1", "[fd00::2]:2");
        let bob = view("[fd00::2]:2", "[fd00::1]:1");
        let selected = Selected::conclude(alice, bob, &told.paths, &told.steps);
        let Selected { path, mut reason, .. } = selected;
        assert_eq!((path, reason.worked, reason.not_needed), (Some(1), 1, 1));
        assert_eq!(selected.usable_after_ms, Millis(Duration::from_micros(320)));
        assert_eq!(selected.after_ms, Millis(Duration::from_micros(510)));
        let why = "it is the first that was proven to work, and none has a higher priority; \
                   the other one was not needed";
        assert_eq!(selected.why, why);

        (reason.better_unanswered, reason.worked, reason.failed, reason.not_needed) = (2, 3, 1, 4);
        let why = "of 3 paths that were proven to work it has the highest priority; 2 with a higher priority had not \
                   answered; 1 failed; 4 others were not needed";
        assert_eq!(reason.to_string(), why);

        // An answer that comes after the decision was no reason for it.
        let mut late = told.steps[2].clone();
        (late.ms, late.path) = (Millis(Duration::from_secs(1)), Some(2));
        told.steps.push(late);
        assert_eq!(Selected::conclude(alice, bob, &told.paths, &told.steps).reason.worked, 1);
    }

    #[test]
    fn a_lost_or_missing_datagram_is_not_well() {
        let all = Direction { sent: 9, received: 9, lost: 0 };
        let moved = |way| Moved {
            bytes_each: 1,
            window: 1,
            alice_to_bob: all,
            bob_to_alice: way,
            unanswered: way.lost,
            round_trip_ms: None,
            took_ms: Millis::default(),
        };
        assert!(moved(all).is_complete());
        assert!(!moved(Direction { received: 8, lost: 1, ..all }).is_complete());
        assert!(!moved(Direction { received: 8, ..all }).is_complete());
        assert!(!moved(Direction { received: 10, ..all }).is_complete());
        assert!(!moved(Direction { sent: 0, received: 0, lost: 0 }).is_complete());
    }

    #[test]
    fn only_what_was_gathered_counts_as_gathered() {
        let local = |kind, address: &str, priority| TraceEvent::LocalCandidate {
            component: Default::default(),
            kind,
            address: address.parse().unwrap(),
            base: "10.0.0.1:1".parse().unwrap(),
            priority,
        };
        let moment = |side, event| Moment { at: Duration::ZERO, side, event };
        let moments = [
            moment(Side::Alice, local(CandidateType::Host, "10.0.0.1:1", 5)),
            moment(Side::Alice, local(CandidateType::Host, "10.0.0.3:1", 7)),
            moment(Side::Bob, local(CandidateType::Host, "10.0.0.2:1", 6)),
            moment(Side::Alice, local(CandidateType::PeerReflexive, "10.0.0.9:1", 4)),
        ];
        let gathered = Gathered::of(Side::Alice, "controlling", &moments);
        let priorities: Vec<u32> = gathered.candidates.iter().map(|candidate| candidate.priority).collect();
        assert_eq!(priorities, [7, 5]);
    }
}
