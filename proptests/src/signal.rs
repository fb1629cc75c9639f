//! What goes from one side's application to the other's, each thing with a delay of its own.

use core::time::Duration;

use floe_core::{Candidate, Credentials, Instant};

/// Something on its way through signalling.
pub(crate) struct Signal {
    pub(crate) at: Instant,
    /// The side that it is for.
    pub(crate) to: usize,
    pub(crate) news: News,
}

pub(crate) enum News {
    /// Not for the peer, but for the side itself: its sockets come up now.
    Sockets,
    /// And which of the receiver's they were made for.
    Credentials(Credentials, Option<String>),
    Candidate(Candidate),
    /// Of the credentials with this username fragment.
    EndOfCandidates(String),
    /// Nor this: the restart that was offered is in force.
    Apply,
    /// Not for the peer either: a restart, and how long signalling takes to tell of it.
    Restart {
        offered: bool,
        told: Duration,
    },
}

/// Signals by time; of the same time, those that were sent first come first.
#[derive(Default)]
pub(crate) struct Signals(Vec<Signal>);

impl Signals {
    pub(crate) fn push(&mut self, at: Instant, to: usize, news: News) {
        let place = self.0.partition_point(|signal| signal.at <= at);
        self.0.insert(place, Signal { at, to, news });
    }

    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.0.first().map(|signal| signal.at)
    }

    /// The next that is due.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Signal> {
        let is_due = self.next_at().is_some_and(|at| at <= now);
        is_due.then(|| self.0.remove(0))
    }
}
