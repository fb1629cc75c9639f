//! RFC 8445 §6 to §8: from candidates to one selected pair for each component. This room owns the
//! checklist, the requests that are out, the role and the nomination. The agent feeds it candidates,
//! authenticated messages and time, sends the requests that it asks for, and acts on its effects.
//! It never sees bytes, and it knows nothing of what happens to a pair once it is selected.

mod checklist;
mod conclusion;
mod conflict;
mod connection;
mod counters;
mod doubt;
mod forecast;
mod lite;
mod moved;
mod nomination;
mod pacing;
mod pair;
mod renomination;
mod requester;
mod reserve;
mod responder;
mod role;
mod schedule;
mod set;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use smallvec::SmallVec;

use crate::base::{ComponentId, Instant, PairId, Random, SocketId};
use crate::candidate::{Candidates, LocalId, Origin, RemoteId};
use crate::trace::{CheckFailure, TraceEvent, Tracer};
use crate::transaction::Transactions;
use crate::wire::RoleClaim;
use checklist::{Checklist, Occasion};
use conclusion::Conclusion;
use conflict::Conflict;
use doubt::Doubt;
use lite::Lite;
use pacing::Pacing;
use pair::{PairState, Standing, Tenure};
use renomination::Renomination;
use set::ChecklistSet;

pub use checklist::{DEFAULT_PAIRS, MAX_PAIRS, MAX_PAIRS_PER_REMOTE_ADDRESS, Reach};
pub use forecast::HopelessPairs;
pub use nomination::{Nomination, PathMeasure, Preference};
pub use role::Role;

#[cfg(test)]
pub(crate) use conflict::MAX_REFUSED;
pub(crate) use forecast::Forecast;
#[cfg(test)]
pub(crate) use lite::MAX_LITE_PAIRS;
pub(crate) use moved::Whereabouts;
pub(crate) use pacing::{DEFAULT_TA, MAX_TA};
pub(crate) use pair::{Pair, PairNomination};
pub(crate) use responder::{Accepted, Request};

/// What the checks need of the agent for a moment.
pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    pub(crate) candidates: &'a mut Candidates,
    pub(crate) random: &'a mut Random,
    pub(crate) tracer: &'a mut Tracer,
}

/// How an agent checks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckConfig {
    pub(crate) role: Role,
    pub(crate) tie_breaker: u64,
    pub(crate) nomination: Nomination,
    pub(crate) reach: Reach,
    /// What we wish for (RFC 8445 §14.2).
    pub(crate) ta: Duration,
    /// Whether we are a lite agent (RFC 8445 §2.5).
    pub(crate) lite: bool,
}

/// News for the agent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    /// A check of this pair was answered: it is valid, perhaps for long.
    Valid(PairId),
    /// A pair that was valid is not any more.
    Invalid(PairId),
    /// The peer, or we, have nominated this valid pair.
    Nominated(PairId),
    /// This pair carries its component's data from now on.
    Selected(PairId),
    /// The selected pair is gone, and no other takes its place.
    Unselected(CheckFailure),
    /// The selected pair is gone, and another may be nominated without a restart.
    Reopened(ComponentId),
    /// The selected pair does not answer, though the peer is there: it checks from elsewhere.
    Silent(PairId),
    /// The priorities of pairs have changed.
    Revalued,
    /// A check of this pair wants its connection to be opened (RFC 6544 §7.1).
    Connect(PairId),
    /// A conflict was repaired on our side.
    RoleSwitched(Role),
}

#[derive(Debug)]
pub(crate) struct Checks {
    role: Role,
    tie_breaker: u64,
    policy: Nomination,
    reach: Reach,
    pacing: Pacing,
    lite: Lite,
    set: ChecklistSet,
    /// RFC 8445 §6.1.4.1: the triggered-check queues of all streams in one. Nominations stand in front.
    triggered: VecDeque<PairId>,
    /// Checks whose connections have opened, and which go next.
    ready: Vec<PairId>,
    transactions: Transactions<CheckRequest>,
    components: SmallVec<[ComponentChecks; 1]>,
    /// Whose turn it is: the stream after the one that was checked last.
    turn: usize,
    /// No new check before this (RFC 8445 §6.1.4.2).
    next_slot: Instant,
    progress: Progress,
    conflict: Conflict,
    tenure: Tenure,
    /// Whether both sides renominate.
    renominates: bool,
    /// Of our latest nomination.
    last_number: u32,
    effects: VecDeque<Effect>,
    tally: Tally,
    forecast: Option<Box<Forecast>>,
}

/// Whether a check was sent yet: until then the initial states are computed over all pairs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Progress {
    Unstarted,
    Started,
}

/// How far one component has come.
#[derive(Debug)]
struct ComponentChecks {
    component: ComponentId,
    conclusion: Conclusion,
    /// Whether it has had a selected pair, whose loss was not told as the loss of all.
    was_selected: bool,
    /// A nomination beside the selected pair, which carries on until it is answered.
    renomination: Option<Renomination>,
    /// Whether the selected pair lives is being asked.
    doubt: Option<Doubt>,
    /// Since when the selected pair is gone, and another may be nominated.
    reopened: Option<Instant>,
}

/// What a request was sent for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckRequest {
    pub(crate) pair: PairId,
    pub(crate) claim: RoleClaim,
    /// Of the nomination, if it is one.
    pub(crate) standing: Standing,
    pub(crate) use_candidate: bool,
}

/// What happened so far, for the diagnosis.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) requests_sent: u32,
    pub(crate) responses_received: u32,
    pub(crate) requests_received: u32,
    pub(crate) asymmetric: u32,
    /// The last error code that failed a pair.
    pub(crate) refused: Option<u16>,
}

/// How many requests are remembered at the least while their answers may come: one for each pair of the list, and the
/// cancelled ones that triggered and repeated checks leave behind (RFC 8445 §7.3.1.4). A longer list remembers two
/// for each of its pairs.
pub(crate) const MAX_TRANSACTIONS: usize = 256;

impl Checks {
    pub(crate) fn new(config: CheckConfig, components: &[ComponentId]) -> Self {
        let lite = Lite::new(&config);
        let pacing = Pacing::new(config.ta);
        Self::with_first_pair(config.for_lite(), (pacing, lite), components, PairId::first_of(0))
    }

    fn with_first_pair(
        config: CheckConfig,
        (pacing, lite): (Pacing, Lite),
        components: &[ComponentId],
        first: PairId,
    ) -> Self {
        let streams = components.iter().map(|c| usize::from(c.stream) + 1).max().unwrap_or(1);
        let set = ChecklistSet::new(config.reach, streams, first);
        Self {
            role: config.role,
            tie_breaker: config.tie_breaker,
            policy: config.nomination,
            reach: config.reach,
            pacing,
            lite,
            triggered: VecDeque::new(),
            ready: Vec::new(),
            transactions: Transactions::new(MAX_TRANSACTIONS.max(2 * set.capacity())),
            set,
            turn: 0,
            components: components
                .iter()
                .map(|&component| ComponentChecks {
                    component,
                    conclusion: Conclusion::Open,
                    was_selected: false,
                    renomination: None,
                    doubt: None,
                    reopened: None,
                })
                .collect(),
            next_slot: Instant::ZERO,
            progress: Progress::Unstarted,
            conflict: Conflict::default(),
            tenure: Tenure::default(),
            renominates: false,
            last_number: 0,
            effects: VecDeque::with_capacity(8),
            tally: Tally::default(),
            forecast: None,
        }
    }

    /// Checks that begin anew: everything is forgotten but the roles (RFC 8445 §9), and the pace of checks goes on.
    pub(crate) fn successor(&self, first: PairId, components: &[ComponentId]) -> Self {
        let config = CheckConfig {
            role: self.role,
            tie_breaker: self.tie_breaker,
            nomination: self.policy,
            reach: self.reach,
            ta: self.pacing.ta(),
            lite: !self.lite.checks(),
        };
        let kept = (self.pacing, self.lite.successor());
        let mut next = Self::with_first_pair(config, kept, components, first);
        next.conflict = self.conflict.clone();
        next.renominates = self.renominates;
        next.last_number = self.last_number;
        next.next_slot = self.next_slot;
        next.forecast = self.forecast.clone();
        next
    }

    /// Takes over where `other` stands: its role, and the moment of the next check.
    pub(crate) fn take_over(&mut self, other: &Self, candidates: &Candidates) {
        self.effects.clear();
        self.effects.extend(self.set.iter().filter(|p| p.valid().is_some()).map(|p| Effect::Valid(p.id)));
        let selected = self.components.iter().filter_map(|c| self.selected(c.component));
        self.effects.extend(selected.map(Effect::Selected).collect::<SmallVec<[Effect; 1]>>());
        if self.role != other.role {
            self.role = other.role;
            self.set.revalue(self.role, candidates);
            self.effects.push_back(Effect::Revalued);
        }
        self.tie_breaker = other.tie_breaker;
        self.pacing = other.pacing;
        self.lite.take_over(other.lite);
        self.conflict = other.conflict.clone();
        self.last_number = self.last_number.max(other.last_number);
        self.next_slot = self.next_slot.max(other.next_slot);
        self.forecast = other.forecast.clone();
    }

    /// The name that a new pair would get; the last one again when all have been used.
    pub(crate) fn next_pair(&self) -> PairId {
        self.set
            .next_id()
            .unwrap_or_else(|| self.set.iter().map(|p| p.id).max().unwrap_or(PairId::first_of(0)))
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    pub(crate) fn claim(&self) -> RoleClaim {
        self.role.claim(self.tie_breaker)
    }

    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    /// How many pairs a limit kept from being tried.
    pub(crate) fn untried(&self) -> u32 {
        self.set.untried()
    }

    /// How many pairs wait outside the list.
    pub(crate) fn reserved(&self) -> usize {
        self.set.reserved()
    }

    pub(crate) fn pair(&self, id: PairId) -> Option<&Pair> {
        self.set.get(id)
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.set.iter()
    }

    #[cfg(test)]
    pub(crate) fn conflict_len(&self) -> (usize, usize) {
        self.conflict.len()
    }

    #[cfg(test)]
    pub(crate) fn outstanding(&self) -> usize {
        self.transactions.len()
    }

    pub(crate) fn forget_effects(&mut self) {
        self.effects.clear();
    }

    /// Next news, oldest first.
    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// A local candidate that sends from itself has come: it is paired with what is known of the peer.
    pub(crate) fn on_local_candidate(&mut self, cx: &mut Context<'_>, id: LocalId) {
        let remotes: SmallVec<[RemoteId; 16]> = cx
            .candidates
            .remotes()
            .iter()
            // RFC 8445 §7.3.1.3: what was learned from a request is paired only where that request came in.
            .filter(|r| r.origin == Origin::Signalled)
            .map(|r| r.id)
            .collect();
        for remote in remotes {
            self.join(cx, id, remote);
        }
    }

    /// A remote candidate was signalled: it is paired with what we have.
    pub(crate) fn on_remote_candidate(&mut self, cx: &mut Context<'_>, id: RemoteId) {
        let locals: SmallVec<[LocalId; 16]> = cx.candidates.locals().iter().map(|l| l.id).collect();
        for local in locals {
            self.join(cx, local, id);
        }
    }

    /// A peer-reflexive candidate was signalled after all: type, priority and foundation change in place,
    /// and what is under way goes on (RFC 8838 §11.4).
    pub(crate) fn on_remote_upgraded(&mut self, cx: &mut Context<'_>, id: RemoteId) {
        self.revalue(cx);
        for index in 0..self.components.len() {
            let Some(of) = self.components.get(index) else { break };
            self.select_best(cx, of.component);
        }
        self.on_remote_candidate(cx, id);
    }

    /// Consent to send on this pair has ended.
    pub(crate) fn on_consent_lost(&mut self, cx: &mut Context<'_>, pair: PairId, why: CheckFailure) {
        self.fail(cx, pair, why);
        // The next best pair may be worth a nomination at this very moment.
        self.consider_nominations(cx);
    }

    /// The component is not used any more: its pairs go, and others of their foundations have their turn (RFC 8839 §5.1,
    /// RTP and RTCP on one component).
    pub(crate) fn remove_component(&mut self, cx: &Context<'_>, component: ComponentId) {
        self.components.retain(|c| c.component != component);
        self.set.remove(|p| p.component == component);
        self.set.conclude(component, cx.candidates);
        let set = &self.set;
        self.triggered.retain(|&id| set.get(id).is_some());
        self.transactions.forget(|t| set.get(t.pair).is_none());
    }

    /// A socket of ours is gone. Call before its candidates are taken away.
    pub(crate) fn on_socket_down(&mut self, socket: SocketId) {
        self.set.on_socket_down(socket);
    }

    /// Candidates are taken away: their pairs go, those that were valid with the news that they are gone. Call before the
    /// candidates leave the table.
    pub(crate) fn on_candidates_removed(&mut self, cx: &mut Context<'_>, is_gone: impl Fn(&Pair) -> bool) {
        while let Some(id) = self.set.first(|p| is_gone(p) && p.valid().is_some()) {
            self.fail(cx, id, CheckFailure::Removed);
        }
        let doomed: SmallVec<[PairId; 8]> = self.set.iter().filter(|p| is_gone(p)).map(|p| p.id).collect();
        self.transactions.forget(|t| doomed.contains(&t.pair));
        self.triggered.retain(|id| !doomed.contains(id));
        self.set.remove(|p| doomed.contains(&p.id));
        self.consider_nominations(cx);
    }

    /// These pairs cannot work, as somebody on the way says.
    pub(crate) fn on_unreachable(
        &mut self,
        cx: &mut Context<'_>,
        why: CheckFailure,
        is_lost: impl Fn(&Pair) -> bool,
    ) {
        while let Some(id) = self.set.first(|p| is_lost(p) && !matches!(p.state, PairState::Failed(_))) {
            self.fail(cx, id, why);
        }
    }

    /// Until when something could still become of the checks; `Instant::MAX` while a pair waits for its first check, `None`
    /// if nothing is out, waits or rests.
    pub(crate) fn hopeful_until(&self) -> Option<Instant> {
        let rests = (self.set.reserved() > 0).then_some(Instant::MAX);
        self.set.iter().filter(|p| p.is_undecided()).map(Pair::hopeful_until).chain(rests).max()
    }

    /// Whether a nomination of ours is out.
    pub(crate) fn is_nominating(&self) -> bool {
        self.nominating().next().is_some()
    }

    fn join(&mut self, cx: &mut Context<'_>, local: LocalId, remote: RemoteId) {
        if self.is_left_to_lite() {
            return;
        }
        let (Some(ours), Some(theirs)) = (cx.candidates.local(local), cx.candidates.remote(remote)) else {
            return;
        };
        if !Checklist::fits(ours, theirs) || self.is_closed(ours.component) {
            return;
        }
        let known = self.set.find(local, remote).is_some();
        let formed = self.set.form(
            Occasion::Signalled,
            self.role,
            (ours, theirs),
            cx.candidates,
            (cx.now, &mut *cx.tracer),
        );
        if let (Some(id), false) = (formed, known) {
            self.place(cx, id);
        }
    }

    fn fail(&mut self, cx: &mut Context<'_>, id: PairId, failure: CheckFailure) {
        self.transactions.forget(|t| t.pair == id);
        self.triggered.retain(|&t| t != id);
        let Some(pair) = self.set.get_mut(id) else { return };
        let component = pair.component;
        let was_valid = pair.valid().is_some();
        pair.nomination = PairNomination::None;
        self.set_state(cx, id, PairState::Failed(failure));
        if was_valid {
            self.effects.push_back(Effect::Invalid(id));
        }
        self.on_pair_lost(cx, component, id, failure);
    }

    fn set_state(&mut self, cx: &mut Context<'_>, id: PairId, state: PairState) {
        let Some(pair) = self.set.get_mut(id) else { return };
        let before = pair.phase();
        pair.state = state;
        let phase = pair.phase();
        if phase != before {
            cx.tracer.emit(cx.now, TraceEvent::PairState { pair: id, phase });
        }
    }
}
