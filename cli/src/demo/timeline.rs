//! From the engine's trace to the steps of a story: pure functions from what the two observers saw, in the order in
//! which they saw it, to numbered paths and a few kinds of step.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use floe_core::trace::{CheckFailure, PairPhase, TraceEvent};
use floe_core::wire::TransactionId;
use floe_core::{CandidateType, PairId};
use serde::Serialize;

use crate::millis::Millis;

/// One of the two agents.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    /// Controlling.
    Alice,
    /// Controlled.
    Bob,
}

impl Side {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Alice => Self::Bob,
            Self::Bob => Self::Alice,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Alice => "alice",
            Self::Bob => "bob",
        })
    }
}

/// What one observer saw.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    /// Since the start.
    pub(crate) at: Duration,
    pub(crate) side: Side,
    pub(crate) event: TraceEvent,
}

/// What happened between the two.
#[derive(PartialEq, Debug, Default)]
pub(crate) struct Timeline {
    /// Best first. The number of a path is its place, counted from 1.
    pub(crate) paths: Vec<PathLine>,
    /// In the order of time.
    pub(crate) steps: Vec<Step>,
}

/// A candidate pair, as both sides together see it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct PathLine {
    /// Its name in the steps: 1 for the best.
    pub(crate) number: usize,
    /// Alice's end.
    pub(crate) alice: SocketAddr,
    /// Bob's end.
    pub(crate) bob: SocketAddr,
    /// Pair priority (RFC 8445 §6.1.2.3).
    pub(crate) priority: u64,
}

/// Something that a reader wants to know of.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Step {
    /// Since the start.
    pub(crate) ms: Millis,
    /// Who did or saw it.
    pub(crate) who: Side,
    /// Which path, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<usize>,
    #[serde(flatten)]
    pub(crate) what: What,
}

/// The kinds of step; in JSON the kind stands in the field `what`.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub(crate) enum What {
    /// A Binding request went out.
    Check {
        /// Because the peer's check of the same path had just come in (RFC 8445 §7.3.1.4).
        triggered: bool,
        /// With USE-CANDIDATE.
        nominates: bool,
        /// 1, or more for a retransmission.
        attempt: u8,
    },
    /// The answer to a check came in.
    Answer {
        /// Whether that check nominated.
        nominates: bool,
        /// Since its first transmission.
        rtt_ms: Millis,
    },
    /// The answer to a check was an error.
    Refused { code: u16 },
    /// The peer's check was answered with an error.
    Refuses { code: u16 },
    /// An address showed itself that nobody had signalled.
    Learned {
        /// Whose it is.
        whose: Side,
        address: SocketAddr,
    },
    /// The path is given up.
    Failed { why: String },
    /// The path carries the data from now on.
    Selected,
    /// A role conflict was repaired.
    RoleSwitched { role: &'static str },
    /// A datagram came in and was thrown away.
    Dropped { remote: SocketAddr, why: String },
    /// A datagram could not be sent.
    SendFailed { remote: SocketAddr },
}

/// Tells the story of `moments`, which must be in the order in which they happened.
pub(crate) fn timeline(moments: &[Moment]) -> Timeline {
    let paths = paths(moments);
    let mut teller = Teller::new(&paths, moments);
    let steps = moments.iter().filter_map(|moment| teller.step(moment)).collect();
    Timeline { paths, steps }
}

/// Every pair of either side once, best first.
fn paths(moments: &[Moment]) -> Vec<PathLine> {
    let mut ends: BTreeMap<(SocketAddr, SocketAddr), u64> = BTreeMap::new();
    for moment in moments {
        if let Some((_, ends_of, priority)) = formed(moment) {
            ends.insert(ends_of, priority);
        }
    }
    let mut paths: Vec<PathLine> = ends
        .into_iter()
        .map(|((alice, bob), priority)| PathLine { number: 0, alice, bob, priority })
        .collect();
    paths.sort_by_key(|path| std::cmp::Reverse(path.priority));
    for (place, path) in paths.iter_mut().enumerate() {
        path.number = place + 1;
    }
    paths
}

/// The pair that this moment formed, and its ends: Alice's first.
fn formed(moment: &Moment) -> Option<(PairId, (SocketAddr, SocketAddr), u64)> {
    let TraceEvent::PairFormed { pair, local, remote, priority } = moment.event else { return None };
    let ends = match moment.side {
        Side::Alice => (local, remote),
        Side::Bob => (remote, local),
    };
    Some((pair, ends, priority))
}

/// What is known so far.
struct Teller {
    /// Each side has names of its own for the same pair.
    numbers: BTreeMap<(Side, PairId), usize>,
    checks: BTreeMap<TransactionId, SentCheck>,
    /// Paths on which a check of the peer came in that we have not followed with our own.
    asked: BTreeSet<(Side, Option<usize>)>,
}

#[derive(Clone, Copy)]
struct SentCheck {
    path: Option<usize>,
    nominates: bool,
}

impl Teller {
    fn new(paths: &[PathLine], moments: &[Moment]) -> Self {
        let number = |ends| paths.iter().find(|path| (path.alice, path.bob) == ends).map(|path| path.number);
        let numbers = moments
            .iter()
            .filter_map(|moment| formed(moment).map(|(pair, ends, _)| (moment.side, pair, ends)))
            .filter_map(|(side, pair, ends)| Some(((side, pair), number(ends)?)))
            .collect();
        Self { numbers, checks: BTreeMap::new(), asked: BTreeSet::new() }
    }

    fn step(&mut self, moment: &Moment) -> Option<Step> {
        let who = moment.side;
        let (path, what) = match &moment.event {
            TraceEvent::CheckSent { pair, transaction, attempt, nominates } => {
                let path = self.number(who, *pair);
                self.checks.insert(*transaction, SentCheck { path, nominates: *nominates });
                let triggered = *attempt == 1 && !nominates && self.asked.remove(&(who, path));
                (path, What::Check { triggered, nominates: *nominates, attempt: *attempt })
            }
            TraceEvent::CheckAnswered { pair, transaction, rtt, .. } => {
                let path = self.number(who, *pair);
                self.asked.remove(&(who, path));
                let nominates = self.checks.get(transaction).is_some_and(|check| check.nominates);
                (path, What::Answer { nominates, rtt_ms: Millis(*rtt) })
            }
            TraceEvent::CheckRefused { pair, code, .. } => {
                (self.number(who, *pair), What::Refused { code: *code })
            }
            TraceEvent::RequestReceived { transaction, .. } => {
                if let Some(check) = self.checks.get(transaction) {
                    self.asked.insert((who, check.path));
                }
                return None;
            }
            TraceEvent::RequestAnswered { transaction, error: Some(code), .. } => {
                let path = self.checks.get(transaction).and_then(|check| check.path);
                (path, What::Refuses { code: *code })
            }
            TraceEvent::LocalCandidate { kind: CandidateType::PeerReflexive, address, .. } => {
                (None, What::Learned { whose: who, address: *address })
            }
            TraceEvent::RemoteCandidate { kind: CandidateType::PeerReflexive, address, .. } => {
                (None, What::Learned { whose: who.other(), address: *address })
            }
            TraceEvent::PairState { pair, phase: PairPhase::Failed(failure) } => {
                if *failure == CheckFailure::Concluded {
                    return None;
                }
                (self.number(who, *pair), What::Failed { why: failure.to_string() })
            }
            TraceEvent::ConsentLost { pair, .. } => {
                (self.number(who, *pair), What::Failed { why: "the peer's consent has ended".to_owned() })
            }
            TraceEvent::Selected { pair } => (self.number(who, *pair), What::Selected),
            TraceEvent::RoleSwitched { controlling } => {
                let role = if *controlling { "controlling" } else { "controlled" };
                (None, What::RoleSwitched { role })
            }
            TraceEvent::Dropped { remote, reason, .. } => {
                (None, What::Dropped { remote: *remote, why: reason.to_string() })
            }
            TraceEvent::SendFailed { tuple } => (None, What::SendFailed { remote: tuple.remote }),
            _ => return None,
        };
        Some(Step { ms: Millis(moment.at), who, path, what })
    }

    fn number(&self, side: Side, pair: PairId) -> Option<usize> {
        self.numbers.get(&(side, pair)).copied()
    }
}

#[cfg(test)]
#[path = "timeline_tests.rs"]
pub(crate) mod tests;
