//! The checklist set (RFC 8445 §6.1.2.6): one checklist for each data stream, in the order of the session description. Pairs
//! have names that are unique over the set, and foundations mean the same in all of its lists.

use smallvec::SmallVec;

use super::checklist::{Checklist, Occasion, Reach, Shared};
use super::pair::Pair;
use super::role::Role;
use crate::base::{ComponentId, Instant, PairId, SocketId};
use crate::candidate::{Candidates, LocalCandidate, LocalId, RemoteCandidate, RemoteId};
use crate::trace::Tracer;

#[derive(Debug)]
pub(crate) struct ChecklistSet {
    lists: SmallVec<[Checklist; 1]>,
    shared: Shared,
}

impl ChecklistSet {
    /// A set for `streams` data streams. Its first pair is called `first_id`.
    pub(crate) fn new(reach: Reach, streams: usize, first_id: PairId) -> Self {
        let streams = streams.max(1);
        Self {
            lists: (0..streams).map(|_| Checklist::new(reach, streams)).collect(),
            shared: Shared::new(first_id),
        }
    }

    /// The name of the next pair, if there is one left.
    pub(crate) fn next_id(&self) -> Option<PairId> {
        self.shared.next_id()
    }

    pub(crate) fn streams(&self) -> usize {
        self.lists.len()
    }

    pub(crate) fn stream(&self, stream: usize) -> Option<&Checklist> {
        self.lists.get(stream)
    }

    pub(crate) fn stream_mut(&mut self, stream: usize) -> Option<&mut Checklist> {
        self.lists.get_mut(stream)
    }

    pub(crate) fn lists(&self) -> impl Iterator<Item = &Checklist> {
        self.lists.iter()
    }

    /// List by list, each from the highest priority.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Pair> + Clone {
        self.lists.iter().flat_map(Checklist::iter)
    }

    /// For changes that leave the order as it is.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Pair> {
        self.lists.iter_mut().flat_map(Checklist::iter_mut)
    }

    /// The first pair that is `wanted`.
    pub(crate) fn first(&self, wanted: impl Fn(&Pair) -> bool) -> Option<PairId> {
        self.iter().find(|p| wanted(p)).map(|p| p.id)
    }

    pub(crate) fn get(&self, id: PairId) -> Option<&Pair> {
        self.iter().find(|p| p.id == id)
    }

    pub(crate) fn get_mut(&mut self, id: PairId) -> Option<&mut Pair> {
        self.iter_mut().find(|p| p.id == id)
    }

    pub(crate) fn find(&self, local: LocalId, remote: RemoteId) -> Option<PairId> {
        self.first(|p| p.local == local && p.remote == remote)
    }

    /// Adds the pair of two candidates to the list of their stream: see [`Checklist::form`].
    pub(crate) fn form(
        &mut self,
        occasion: Occasion,
        role: Role,
        both: (&LocalCandidate, &RemoteCandidate),
        candidates: &Candidates,
        trace: (Instant, &mut Tracer),
    ) -> Option<PairId> {
        let list = self.lists.get_mut(usize::from(both.0.component.stream))?;
        list.form(occasion, role, both, candidates, &mut self.shared, trace)
    }

    pub(crate) fn remove(&mut self, doomed: impl Fn(&Pair) -> bool) {
        self.lists.iter_mut().for_each(|list| list.remove(&doomed));
    }

    /// Forgets the pairs of a remote candidate; flows that have lost consent are remembered.
    pub(crate) fn forget_remote(&mut self, remote: RemoteId) {
        for list in &mut self.lists {
            list.iter().filter(|p| p.remote == remote).for_each(|p| self.shared.remember(p));
            list.remove(|p| p.remote == remote);
        }
    }

    /// A socket of ours is gone, and its pairs are about to go.
    pub(crate) fn on_socket_down(&mut self, socket: SocketId) {
        let gone = self.lists.iter().flat_map(Checklist::iter).filter(|p| p.tuple.socket == socket);
        gone.for_each(|p| self.shared.give_back(p));
        self.shared.on_socket_down(socket);
    }

    pub(crate) fn revalue(&mut self, role: Role, candidates: &Candidates) {
        self.lists.iter_mut().for_each(|list| list.revalue(role, candidates));
    }

    pub(crate) fn conclude(&mut self, component: ComponentId, candidates: &Candidates) {
        if let Some(list) = self.lists.get_mut(usize::from(component.stream)) {
            list.conclude(component, candidates);
        }
    }

    pub(crate) fn take_displaced(&mut self) -> bool {
        self.lists.iter_mut().fold(false, |any, list| list.take_displaced() | any)
    }

    /// How many pairs a limit kept from ever being tried.
    pub(crate) fn untried(&self) -> u32 {
        self.lists.iter().fold(0, |sum, list| sum.saturating_add(list.untried()))
    }

    /// How many pairs wait outside the lists.
    pub(crate) fn reserved(&self) -> usize {
        self.lists.iter().map(|list| list.reserve.len()).sum()
    }

    /// How many pairs the lists hold at the most.
    pub(crate) fn capacity(&self) -> usize {
        self.lists.iter().map(Checklist::capacity).sum()
    }
}
