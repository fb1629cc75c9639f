//! The pairs that wait outside the checklist under `Reach::Wide`: four bytes each, in order. First those
//! that were never tried, by priority; then those that were tried for a while and stepped back.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::candidate::{LocalId, RemoteId};

/// How often a pair has come in from the reserve. There is no third turn: two of five seconds are eight
/// transmissions, one more than RFC 8445 §14.3 asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    First,
    Second,
}

#[derive(Debug, Default)]
pub(crate) struct Reserve {
    /// Lowest priority first, so that the next one is at the end.
    untried: Vec<(LocalId, RemoteId)>,
    /// The one that has rested longest first.
    parked: VecDeque<(LocalId, RemoteId)>,
}

impl Reserve {
    pub(crate) fn len(&self) -> usize {
        self.untried.len() + self.parked.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a pair that was never tried.
    pub(crate) fn insert(
        &mut self,
        local: LocalId,
        remote: RemoteId,
        priority: impl Fn(LocalId, RemoteId) -> u64,
    ) {
        let ours = priority(local, remote);
        let place = self.untried.partition_point(|&(l, r)| priority(l, r) < ours);
        self.untried.insert(place, (local, remote));
    }

    /// Forgets the pair whose turn would come last; whether it was never tried.
    pub(crate) fn drop_last(&mut self) -> bool {
        let was_tried = self.parked.pop_back().is_some();
        if !was_tried && !self.untried.is_empty() {
            self.untried.remove(0);
        }
        !was_tried
    }

    /// A pair steps back.
    pub(crate) fn park(&mut self, local: LocalId, remote: RemoteId) {
        self.parked.push_back((local, remote));
    }

    /// The next pair to try, and whether it has been tried before.
    pub(crate) fn pop(&mut self) -> Option<(LocalId, RemoteId, Turn)> {
        let untried = self.untried.pop().map(|(local, remote)| (local, remote, Turn::First));
        untried.or_else(|| self.parked.pop_front().map(|(local, remote)| (local, remote, Turn::Second)))
    }

    /// Takes a pair out, wherever it is; whether it was there.
    pub(crate) fn remove(&mut self, local: LocalId, remote: RemoteId) -> bool {
        let before = self.len();
        if before > 0 {
            self.untried.retain(|&pair| pair != (local, remote));
            self.parked.retain(|&pair| pair != (local, remote));
        }
        self.len() != before
    }

    /// Keeps the pairs whose local candidate `keep` names.
    pub(crate) fn retain(&mut self, keep: impl Fn(LocalId) -> bool) {
        self.untried.retain(|&(local, _)| keep(local));
        self.parked.retain(|&(local, _)| keep(local));
    }

    pub(crate) fn sort_by_key(&mut self, priority: impl Fn(LocalId, RemoteId) -> u64) {
        self.untried.sort_by_key(|&(local, remote)| priority(local, remote));
    }
}
