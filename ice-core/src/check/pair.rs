//! One candidate pair: who the two are, and how far its check has come.

use core::time::Duration;

use super::connection::Link;
use super::counters::Counters;
use super::reserve::Turn;
use super::role::Role;
use crate::base::{ComponentId, Instant, PairId, Tuple};
use crate::candidate::{
    CandidateType, Candidates, Foundation, LocalCandidate, LocalId, RemoteCandidate, RemoteId, pair_priority,
};
use crate::trace::{CheckFailure, PairPhase};
use crate::transaction::PATIENCE;

#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) id: PairId,
    pub(crate) component: ComponentId,
    /// A candidate that is its own base: reflexive ones are replaced by it (RFC 8445 §6.1.2.4).
    pub(crate) local: LocalId,
    pub(crate) remote: RemoteId,
    pub(crate) tuple: Tuple,
    pub(crate) link: Link,
    pub(crate) foundation: PairFoundation,
    pub(crate) priority: u64,
    pub(crate) state: PairState,
    pub(crate) nomination: PairNomination,
    /// The number of our own nomination of it; 0 if there was none.
    pub(crate) numbered: u32,
    pub(crate) turn: Turn,
    pub(crate) outlook: Outlook,
    pub(crate) stats: PairStats,
}

/// The foundations of both ends (RFC 8445 §6.1.2.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PairFoundation {
    local: Foundation,
    remote: u16,
}

/// RFC 8445 §6.1.2.6.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PairState {
    Frozen,
    Waiting,
    InProgress { since: Instant },
    Succeeded(Valid),
    Failed(CheckFailure),
}

/// What the valid list knows of a pair (RFC 8445 §7.2.5.3.2). The flow is that of the pair which
/// produced it; only the local candidate, and so the priority, may differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Valid {
    /// The candidate with the mapped address.
    pub(crate) local: LocalId,
    pub(crate) priority: u64,
    /// Between the first transmission of the request and its answer: never too short.
    pub(crate) rtt: Duration,
    /// Whether either end is a relayed candidate.
    pub(crate) relayed: bool,
}

/// The nominated flag (RFC 8445 §7.2.5.3.4, §7.3.1.5), and what leads up to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PairNomination {
    None,
    /// The peer nominated it before our own check succeeded.
    Wanted(Standing),
    Done(Standing),
}

impl PairNomination {
    /// The greater one of what it has and this.
    pub(crate) fn raised_to(self, standing: Standing) -> Standing {
        match self {
            Self::None => standing,
            Self::Wanted(had) | Self::Done(had) => had.max(standing),
        }
    }
}

/// How much a nomination counts: the greater one holds, and among equal ones the priority of the pair.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub(crate) struct Standing {
    pub(crate) tenure: Tenure,
    /// Of the NOMINATION attribute; 0 from whoever does not send it.
    pub(crate) number: u32,
}

/// Counts who was in control, one after the other: a role conflict may be repaired more than once, and both sides may
/// have nominated in the meantime. What the later one says holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub(crate) struct Tenure(u32);

impl Tenure {
    pub(crate) fn end(&mut self) {
        self.0 = self.0.saturating_add(1);
    }
}

/// What the NATs on both sides let hope for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outlook {
    Fair,
    /// It cannot work, as far as they are known.
    Poor,
}

/// What went over a pair, for reports.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PairStats {
    pub(crate) first_request: Option<Instant>,
    pub(crate) last_request: Option<Instant>,
    pub(crate) requests_sent: u32,
    pub(crate) responses_received: u32,
    pub(crate) requests_received: u32,
    pub(crate) first_received: Option<Instant>,
    pub(crate) counters: Counters,
    pub(crate) last_received: Option<Instant>,
    /// Between the last two of the peer's requests that were as far apart as consent checks are, since a pair was selected.
    pub(crate) rhythm: Option<Duration>,
}

impl Pair {
    pub(crate) fn new(id: PairId, local: &LocalCandidate, remote: &RemoteCandidate, role: Role) -> Self {
        Self {
            id,
            component: local.component,
            local: local.id,
            remote: remote.id,
            tuple: Tuple { socket: local.socket, remote: remote.address },
            link: Link::of(local.tcp),
            foundation: PairFoundation { local: local.foundation, remote: remote.foundation_key },
            priority: priority(role, local.priority, remote.priority),
            state: PairState::Frozen,
            nomination: PairNomination::None,
            numbered: 0,
            turn: Turn::First,
            outlook: Outlook::Fair,
            stats: PairStats::default(),
        }
    }

    /// Takes priorities, foundation and types from what its candidates are now.
    pub(crate) fn revalue(&mut self, role: Role, candidates: &Candidates) {
        let (Some(local), Some(remote)) = (candidates.local(self.local), candidates.remote(self.remote))
        else {
            return;
        };
        self.foundation.remote = remote.foundation_key;
        self.priority = priority(role, local.priority, remote.priority);
        if let PairState::Succeeded(valid) = &mut self.state
            && let Some(mapped) = candidates.local(valid.local)
        {
            valid.priority = priority(role, mapped.priority, remote.priority);
            valid.relayed = is_relayed(local, remote);
        }
    }

    /// Whether the peer has nominated it and our own check has not succeeded yet.
    pub(crate) fn is_wanted(&self) -> bool {
        matches!(self.nomination, PairNomination::Wanted(_))
    }

    /// Whether its flow has lost consent: RFC 7675 §5.1 forbids to use it again with these credentials.
    pub(crate) fn is_spent(&self) -> bool {
        matches!(self.state, PairState::Failed(CheckFailure::ConsentLost | CheckFailure::ConsentRevoked))
    }

    /// Whether an authenticated request came in on it: then it is worth more than any that is only hoped for.
    pub(crate) fn was_heard(&self) -> bool {
        self.stats.requests_received > 0
    }

    /// Whether it is hoped for least: the NATs speak against it, and nothing was heard on it.
    pub(crate) fn is_poor(&self) -> bool {
        self.outlook == Outlook::Poor && !self.was_heard()
    }

    pub(crate) fn valid(&self) -> Option<Valid> {
        match self.state {
            PairState::Succeeded(valid) => Some(valid),
            _ => None,
        }
    }

    /// Until when an answer may be hoped for. The peer's checks trigger ours again and again (RFC 8445 §7.3.1.4); once the
    /// first of each is so long ago, what was never answered will not be.
    pub(crate) fn hopeful_until(&self) -> Instant {
        let Some(first) = self.stats.first_request else { return Instant::MAX };
        first.max(self.stats.first_received.unwrap_or(first)) + PATIENCE
    }

    /// Never checked, or to be checked again.
    pub(crate) fn is_waiting_or_frozen(&self) -> bool {
        matches!(self.state, PairState::Waiting | PairState::Frozen)
    }

    /// Neither succeeded nor failed.
    pub(crate) fn is_undecided(&self) -> bool {
        !matches!(self.state, PairState::Succeeded(_) | PairState::Failed(_))
    }

    pub(crate) fn phase(&self) -> PairPhase {
        match self.state {
            PairState::Frozen => PairPhase::Frozen,
            PairState::Waiting => PairPhase::Waiting,
            PairState::InProgress { .. } => PairPhase::InProgress,
            PairState::Succeeded(_) => PairPhase::Succeeded,
            PairState::Failed(failure) => PairPhase::Failed(failure),
        }
    }
}

/// Whether either end is a relay.
pub(crate) fn is_relayed(local: &LocalCandidate, remote: &RemoteCandidate) -> bool {
    local.kind == CandidateType::Relayed || remote.kind == CandidateType::Relayed
}

/// RFC 8445 §6.1.2.3, from our side.
pub(crate) fn priority(role: Role, local: u32, remote: u32) -> u64 {
    match role {
        Role::Controlling => pair_priority(local, remote),
        Role::Controlled => pair_priority(remote, local),
    }
}
