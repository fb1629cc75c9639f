//! The generations of an agent (RFC 8445 §9): each has credentials, candidates and checks of its own. The current one is
//! being connected or is in use; one that a restart has staged answers and does no more; old ones answer, and lend their
//! paths until the current one has selected. Roles, sockets and paths are the agent's, whatever the generation.

use alloc::collections::VecDeque;
use alloc::string::String;

use super::Remote;
use super::description::Told;
use crate::base::{ComponentId, PairId, Random};
use crate::candidate::{Candidate, Candidates, LocalCandidate};
use crate::check::{CheckConfig, Checks, Effect};
use crate::description::Credentials;
use crate::wire::IntegrityKey;

/// How many generations besides the current and the staged one still answer. The peer leaves the one before last as soon as
/// it has heard of the last; three cover restarts that follow each other faster than signalling (RFC 8445 §9).
pub const MAX_OLD_GENERATIONS: usize = 3;

pub(super) struct Generation {
    /// Counted from 0; part of the names of its pairs.
    pub(super) number: u16,
    pub(super) local: Credentials,
    pub(super) local_key: IntegrityKey,
    pub(super) remote: Option<Remote>,
    /// The peer's username fragment in its checks for this generation.
    pub(super) heard: Option<String>,
    pub(super) told: Told,
    /// The peer is told that no more candidates of ours come (RFC 8838 §13).
    pub(super) ended: bool,
    pub(super) candidates: Candidates,
    pub(super) checks: Checks,
    /// The username fragment of the peer's that it was made for; `None` if it began with us.
    pub(super) answers: Option<String>,
}

impl Generation {
    pub(super) fn first(local: Credentials, config: CheckConfig, components: &[ComponentId]) -> Self {
        Self {
            number: 0,
            local_key: IntegrityKey::short_term(local.password()),
            local,
            remote: None,
            heard: None,
            told: Told::default(),
            ended: false,
            candidates: Candidates::default(),
            checks: Checks::new(config, components),
            answers: None,
        }
    }

    /// The next one: the role stays, and so do our own candidates (RFC 8445 §9). Both credentials change.
    pub(super) fn successor(&self, number: u16, components: &[ComponentId], random: &mut Random) -> Self {
        let local = loop {
            let drawn = draw_credentials(random);
            if drawn.ufrag() != self.local.ufrag() && drawn.password() != self.local.password() {
                break drawn;
            }
        };
        Self {
            number,
            local_key: IntegrityKey::short_term(local.password()),
            local,
            remote: None,
            heard: None,
            told: Told::default(),
            ended: false,
            candidates: self.candidates.successor(),
            checks: self.checks.successor(PairId::first_of(number), components),
            answers: None,
        }
    }

    /// Forgets the peer of this generation: it has told us of other credentials before it ever used these.
    pub(super) fn forget_remote(&mut self, components: &[ComponentId]) {
        self.remote = None;
        self.told = Told::default();
        self.candidates.clear_remotes();
        self.checks = self.checks.successor(self.checks.next_pair(), components);
    }

    /// Whether a request with this USERNAME is for this generation (RFC 8445 §7.3): ours, and, as far as we know it, the
    /// peer's half, too, so that two generations that were never meant for each other do not connect.
    pub(super) fn is_addressed_by(&self, (ours, theirs): (&str, &str)) -> bool {
        ours == self.local.ufrag() && self.remote.as_ref().is_none_or(|r| r.credentials.ufrag() == theirs)
    }

    /// An authenticated request came. Its USERNAME says which of the peer's generations meets this one.
    pub(super) fn on_heard(&mut self, ufrag: &str) {
        if self.remote.is_none() && self.heard.as_deref() != Some(ufrag) {
            self.heard = Some(ufrag.into());
        }
    }

    /// Whether the peer had gone on to others when it sent the checks that we have.
    fn has_heard_later_than(&self, credentials: &Credentials) -> bool {
        self.remote.is_none() && self.heard.as_ref().is_some_and(|heard| heard != credentials.ufrag())
    }

    /// A candidate of ours as the peer is told of it (RFC 8840 §4.1: `ufrag`), with what there is to tell of its network.
    pub(super) fn signalled(&self, local: &LocalCandidate) -> Candidate {
        let mut candidate = local.to_signalled();
        // Always possible: a fragment is an extension's value, and so is a number.
        let extensions = candidate.extensions.clone().with_ufrag(self.local.ufrag());
        if let Ok(extensions) = extensions.and_then(|it| local.network.tell(it)) {
            candidate.extensions = extensions;
        }
        candidate
    }

    pub(super) fn has_remote(&self, credentials: &Credentials) -> bool {
        self.remote.as_ref().is_some_and(|r| r.credentials == *credentials)
    }
}

/// What becomes of credentials that the peer has signalled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Meeting {
    /// Nothing: those that it has gone on to are on their way.
    Outdated,
    /// They are for the current generation, instead of the ones that it may have.
    Current,
    /// They are for the staged generation.
    Staged,
    /// They ask for another generation.
    Next,
}

/// All that an agent has.
pub(super) struct Generations {
    pub(super) current: Generation,
    pub(super) staged: Option<Generation>,
    /// The latest first; at most [`MAX_OLD_GENERATIONS`].
    pub(super) old: VecDeque<Generation>,
    /// The number of the last one that was staged.
    last: u16,
}

impl Generations {
    pub(super) fn new(current: Generation) -> Self {
        Self { last: current.number, current, staged: None, old: VecDeque::new() }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Generation> {
        core::iter::once(&self.current).chain(&self.staged).chain(&self.old)
    }

    pub(super) fn get(&self, number: u16) -> Option<&Generation> {
        self.iter().find(|g| g.number == number)
    }

    pub(super) fn get_mut(&mut self, number: u16) -> Option<&mut Generation> {
        let all = core::iter::once(&mut self.current).chain(&mut self.staged).chain(&mut self.old);
        all.into_iter().find(|g| g.number == number)
    }

    /// Whether both sides renominate, in the current generation and a staged one.
    pub(super) fn set_renominates(&mut self, both: bool) {
        self.current.checks.set_renominates(both);
        if let Some(staged) = &mut self.staged {
            staged.checks.set_renominates(both);
        }
    }

    /// What the checks of the current and the staged generation have to tell. Old ones have no more to say.
    pub(super) fn poll_effect(&mut self) -> Option<Effect> {
        // One that is staged says at its application what has become of it.
        if let Some(staged) = &mut self.staged {
            staged.checks.forget_effects();
        }
        self.current.checks.poll_effect()
    }

    pub(super) fn numbers(&self) -> smallvec::SmallVec<[u16; 5]> {
        self.iter().map(|g| g.number).collect()
    }

    /// The one that a pair belongs to.
    pub(super) fn of(&self, pair: PairId) -> Option<&Generation> {
        self.get(pair.generation())
    }

    /// Whether the peer had this username fragment in an old generation.
    pub(super) fn was_of_old(&self, ufrag: &str) -> bool {
        self.old.iter().any(|g| g.remote.as_ref().is_some_and(|r| r.credentials.ufrag() == ufrag))
    }

    pub(super) fn is_old(&self, number: u16) -> bool {
        self.old.iter().any(|g| g.number == number)
    }

    /// Stages a generation, unless one is.
    pub(super) fn stage(&mut self, components: &[ComponentId], random: &mut Random) -> &Generation {
        let current = &self.current;
        // After the last number the first ones come again, and some of them may still be in use.
        let following = |n: u16| n.wrapping_add(1) & PairId::LAST_GENERATION;
        if self.staged.is_none() {
            self.last = following(self.last);
            while current.number == self.last || self.old.iter().any(|g| g.number == self.last) {
                self.last = following(self.last);
            }
        }
        let number = self.last;
        self.staged.get_or_insert_with(|| current.successor(number, components, random))
    }

    /// Which generation meets credentials of the peer's, signalled in the order in which they were made. `answers` is our
    /// username fragment that they answer.
    ///
    /// An answer to what we have decides. Credentials that began with the peer, if we have not met anyone yet, may have crossed ours:
    /// both sides take them, for the time being. If we have, they ask for an answer. And an answer to what we had
    /// before has crossed one of ours to what the peer had before: both sides take the latest of both, or answers would cross for ever.
    pub(super) fn meeting(&self, credentials: &Credentials, answers: Option<&str>) -> Meeting {
        let is_answered = |g: &Generation| Some(g.local.ufrag()) == answers;
        let Self { current, staged, old, .. } = self;
        if staged.as_ref().is_some_and(is_answered) {
            return Meeting::Staged;
        }
        if is_answered(current) {
            return Meeting::Current;
        }
        let crosses = old.iter().any(is_answered);
        let (of, meeting) = match staged {
            Some(staged) if !crosses => (staged, Meeting::Staged),
            _ if crosses || current.remote.is_none() => (current, Meeting::Current),
            _ => return Meeting::Next,
        };
        if of.has_heard_later_than(credentials) { Meeting::Outdated } else { meeting }
    }

    /// Which old generation has to go before another one can become old: the oldest of those that lend no path, or the
    /// oldest.
    pub(super) fn surplus(&self, lends: impl Fn(u16) -> bool) -> Option<u16> {
        let numbers = || self.old.iter().rev().map(|g| g.number);
        let is_full = self.old.len() >= MAX_OLD_GENERATIONS;
        numbers().find(|n| !lends(*n)).or_else(|| numbers().next()).filter(|_| is_full)
    }

    pub(super) fn forget(&mut self, number: u16) {
        self.old.retain(|g| g.number != number);
    }

    /// The staged generation takes over; whether there was one. Call [`Self::surplus`] before.
    pub(super) fn apply(&mut self) -> bool {
        let Some(mut next) = self.staged.take() else { return false };
        // The role may have changed since it was staged.
        next.checks.take_over(&self.current.checks, &next.candidates);
        let old = core::mem::replace(&mut self.current, next);
        self.old.push_front(old);
        self.old.truncate(MAX_OLD_GENERATIONS);
        true
    }
}

/// RFC 8445 §5.3 asks for 24 bits and 128 bits at the least; six bits a character.
pub(super) fn draw_credentials(random: &mut Random) -> Credentials {
    let (ufrag, password) = (random.ice_chars(UFRAG_LENGTH), random.ice_chars(PASSWORD_LENGTH));
    Credentials::drawn(ufrag, password)
}

const UFRAG_LENGTH: usize = 4;
const PASSWORD_LENGTH: usize = 24;
