//! Which check goes next, and when (RFC 8445 §6.1.4): at most one new check each Ta. Triggered checks and
//! nominations first, then the best pair that waits, then, in a slot that would stay empty, what went
//! unanswered and matters most.

use core::time::Duration;

use super::checklist::{Checklist, Occasion};
use super::connection::Link;
use super::pair::{PairFoundation, PairState};
use super::reserve::Turn;
use super::{CheckRequest, Checks, Context, Pair, Progress};
use crate::base::{ComponentId, Instant, PairId};
use crate::candidate::{LocalId, RemoteId};
use crate::trace::{CheckFailure, TraceEvent};
use crate::transaction::{BindingRequest, Due, PATIENCE, RTO};

/// Under `Reach::Wide`, how long a pair waits for an answer before it steps back for others: four
/// transmissions.
const PARK_AFTER: Duration = Duration::from_secs(5);

impl Checks {
    /// Lets time pass: what has waited long enough fails. Call before [`Self::poll_request`].
    pub(crate) fn on_time(&mut self, cx: &mut Context<'_>) {
        while let Some(late) = self.set.first(|p| is_over(p, cx.now)) {
            self.fail(cx, late, CheckFailure::Timeout);
        }
        self.settle_doubts(cx.now);
        self.consider_nominations(cx);
    }

    /// The next request to send at this moment, if any. The peer's credentials must be known.
    pub(crate) fn poll_request(&mut self, cx: &mut Context<'_>) -> Option<BindingRequest> {
        if !self.lite.checks() {
            return None;
        }
        self.settle_initial_states(cx);
        if let Some(request) = self.poll_ready(cx) {
            return Some(request);
        }
        // A new check replaces the retransmission that is due at the same moment for the same pair.
        while cx.now >= self.next_slot
            && let Some(pair) = self.pick(cx)
        {
            // Else it waits for its connection now, or has failed for want of one.
            if let Some(request) = self.send(cx, pair) {
                return Some(request);
            }
        }
        while let Some(due) = self.transactions.due(cx.now) {
            if let Due::Retransmit { id, purpose, transmission } = due
                && let Some(request) = self.request(cx, id, purpose, transmission)
            {
                return Some(request);
            }
        }
        None
    }

    /// When [`Self::on_time`] or [`Self::poll_request`] will have something to do.
    pub(crate) fn next_deadline(&self, now: Instant) -> Option<Instant> {
        if !self.lite.checks() {
            return None;
        }
        let overdue = self.set.iter().filter_map(|p| match p.state {
            PairState::InProgress { since } => Some(since + PATIENCE),
            _ => None,
        });
        let slot = self.wants_slot(now).map(|at| at.max(self.next_slot));
        overdue
            .chain(slot)
            .chain(self.next_thaw(now))
            .chain(self.next_silence())
            .chain(self.transactions.next_deadline())
            .chain((!self.ready.is_empty()).then_some(now))
            .chain(self.next_nomination_deadline(now))
            .min()
    }

    /// When the next new transaction may begin: gathering and checks share the pace (RFC 8445 §14.1).
    pub(crate) fn next_slot(&self) -> Instant {
        self.next_slot
    }

    /// Ta, at this moment.
    pub(crate) fn ta(&self) -> core::time::Duration {
        self.pacing.ta()
    }

    /// Gathering uses the slot that is free.
    pub(crate) fn take_slot(&mut self, now: Instant) {
        self.next_slot = now + self.pacing.ta();
    }

    /// Gives a new pair its state. RFC 8838 §12: Waiting when it leads its foundation or the foundation is
    /// known to work, else Frozen.
    pub(super) fn place(&mut self, cx: &mut Context<'_>, id: PairId) {
        let Some(pair) = self.set.get(id) else { return };
        let kin = |p: &&Pair| p.id != id && p.foundation == pair.foundation;
        let leads = !self.set.iter().filter(kin).any(|p| rank(p) <= rank(pair));
        let proven = self.set.iter().filter(kin).any(|p| p.valid().is_some());
        if leads || proven {
            self.set_state(cx, id, PairState::Waiting);
        }
        self.judge(cx, id);
    }

    /// Puts a pair into the triggered-check queue (RFC 8445 §7.3.1.4).
    pub(super) fn trigger(&mut self, cx: &mut Context<'_>, id: PairId) {
        self.transactions.cancel(|t| t.pair == id);
        self.set_state(cx, id, PairState::Waiting);
        self.enqueue(id);
    }

    /// RFC 8445 §6.1.4.1: each pair stands in the queue once.
    pub(super) fn enqueue(&mut self, id: PairId) {
        if !self.triggered.contains(&id) {
            self.triggered.push_back(id);
        }
    }

    /// RFC 8445 §6.1.2.6: until the first check, exactly one pair of each foundation waits, whatever the order
    /// in which the candidates came (RFC 8838 §12 asks that trickling makes no difference).
    fn settle_initial_states(&mut self, cx: &mut Context<'_>) {
        if self.progress != Progress::Unstarted {
            return;
        }
        let demoted: alloc::vec::Vec<PairId> = self
            .set
            .iter()
            .filter(|p| p.state == PairState::Waiting && !self.triggered.contains(&p.id))
            .filter(|p| self.set.iter().any(|q| q.foundation == p.foundation && rank(q) < rank(p)))
            .map(|p| p.id)
            .collect();
        for id in demoted {
            self.set_state(cx, id, PairState::Frozen);
        }
    }

    /// RFC 8445 §6.1.4.2: the checklists take turns; one that has nothing to check is passed over.
    fn pick(&mut self, cx: &mut Context<'_>) -> Option<PairId> {
        self.in_turn(|checks, stream| checks.pick_in(cx, stream))
            // What the peer was heard on comes before what is only hoped for.
            .or_else(|| self.to_repeat(cx.now, Pair::was_heard))
            .or_else(|| self.in_turn(|checks, stream| checks.next_of_reserve(cx, stream)))
            .or_else(|| self.in_turn(Self::next_hopeless))
            .or_else(|| self.to_repeat(cx.now, |_| true))
    }

    /// The first stream from whose turn it is on that has something, and the turn goes to the one after it.
    fn in_turn(&mut self, mut pick: impl FnMut(&mut Self, usize) -> Option<PairId>) -> Option<PairId> {
        let streams = self.set.streams();
        for step in 0..streams {
            let stream = (self.turn + step) % streams;
            if let Some(picked) = pick(self, stream) {
                self.turn = (stream + 1) % streams;
                return Some(picked);
            }
        }
        None
    }

    /// RFC 8445 §6.1.4.2 steps 1 to 3, for one checklist.
    fn pick_in(&mut self, cx: &mut Context<'_>, stream: usize) -> Option<PairId> {
        // A question has waited its turn after a slot: a peer that triggers without end does not put it off.
        let overdue = self.next_question(cx.now - self.pacing.ta(), stream);
        let occasion = overdue.or_else(|| self.next_triggered(stream));
        if let Some(id) = occasion.or_else(|| self.next_question(cx.now, stream)) {
            return Some(id);
        }
        self.unfreeze_if_idle(cx, stream);
        self.set.stream(stream)?.first(is_next)
    }

    /// What cannot work, as far as is known, comes last.
    fn next_hopeless(&mut self, stream: usize) -> Option<PairId> {
        self.set.stream(stream)?.first(|p| p.state == PairState::Waiting)
    }

    fn next_triggered(&mut self, stream: usize) -> Option<PairId> {
        let set = &self.set;
        self.triggered.retain(|&id| set.get(id).is_some());
        let of_stream = |&id: &PairId| set.get(id).is_some_and(|p| usize::from(p.component.stream) == stream);
        let index = self.triggered.iter().position(of_stream)?;
        self.triggered.remove(index)
    }

    /// RFC 8445 §6.1.4.2 step 2.
    fn unfreeze_if_idle(&mut self, cx: &mut Context<'_>, stream: usize) {
        let first = |checks: &Self, wanted: &dyn Fn(&Pair) -> bool| checks.set.stream(stream)?.first(wanted);
        if first(self, &is_next).is_some() {
            return;
        }
        while let Some(id) = first(self, &|p| self.is_thawed(p, cx.now)) {
            self.set_state(cx, id, PairState::Waiting);
        }
    }

    /// Frozen, and nobody of its foundation is waiting or in progress.
    fn is_thawed(&self, pair: &Pair, now: Instant) -> bool {
        pair.state == PairState::Frozen && !self.is_spoken_for(pair.foundation, now)
    }

    /// Whether a pair of this foundation is waiting or in progress. One that the peer checks again and again, without ever
    /// answering, speaks for its foundation no longer than any other.
    pub(super) fn is_spoken_for(&self, foundation: PairFoundation, now: Instant) -> bool {
        let speaks = |p: &Pair| {
            matches!(p.state, PairState::Waiting | PairState::InProgress { .. }) && p.hopeful_until() > now
        };
        self.set.iter().any(|p| p.foundation == foundation && speaks(p))
    }

    /// When the first pair that is checked again and again stops speaking for others.
    fn next_thaw(&self, now: Instant) -> Option<Instant> {
        let repeated = self.set.iter().filter(|p| p.was_heard() && p.is_undecided());
        repeated.map(Pair::hopeful_until).filter(|at| *at > now && *at < Instant::MAX).min()
    }

    /// The next pair of the reserve that may hope for something, if the list has a place for it.
    fn next_of_reserve(&mut self, cx: &mut Context<'_>, stream: usize) -> Option<PairId> {
        if !self.set.stream(stream)?.has_room() && !self.step_back(cx, stream) {
            return None;
        }
        // A candidate may have gone meanwhile, or the NATs speak against the pair: then it is the next one's turn.
        while self.set.stream(stream)?.has_room()
            && let Some((local, remote, turn)) = self.set.stream_mut(stream)?.reserve.pop()
        {
            let enlisted = self.enlist(cx, local, remote, turn);
            if enlisted.and_then(|id| self.set.get(id)).is_some_and(is_next) {
                return enlisted;
            }
        }
        None
    }

    /// Brings a pair of the reserve into the list, ready to be checked.
    fn enlist(
        &mut self,
        cx: &mut Context<'_>,
        local: LocalId,
        remote: RemoteId,
        turn: Turn,
    ) -> Option<PairId> {
        let both = (cx.candidates.local(local)?, cx.candidates.remote(remote)?);
        let trace = (cx.now, &mut *cx.tracer);
        let id = self.set.form(Occasion::Reserved, self.role, both, cx.candidates, trace)?;
        if let Some(pair) = self.set.get_mut(id) {
            pair.turn = turn;
        }
        self.set_state(cx, id, PairState::Waiting);
        self.judge(cx, id);
        Some(id)
    }

    /// Makes the pair that has waited longest for an answer step back, if others have the better claim.
    fn step_back(&mut self, cx: &mut Context<'_>, stream: usize) -> bool {
        let Some(list) = self.set.stream_mut(stream) else { return false };
        let Some((since, _)) = list.longest_unanswered() else { return false };
        if cx.now < since + PARK_AFTER || list.reserve.is_empty() {
            return false;
        }
        let stepped = list.displace_longest_unanswered();
        self.forget_displaced();
        stepped
    }

    /// Nothing is expected of the requests of pairs that are gone.
    pub(super) fn forget_displaced(&mut self) {
        if self.set.take_displaced() {
            let set = &self.set;
            self.transactions.forget(|t| set.get(t.pair).is_none());
        }
    }

    /// What is worth a free slot: a nomination of either side, else the best open pair of a component that has no valid one, or
    /// none that is not in doubt, when its last request is an RTO old. So loss costs half a second, not a doubling of it.
    fn to_repeat(&self, now: Instant, which: impl Fn(&Pair) -> bool) -> Option<PairId> {
        self.repeatable().find(|p| repeat_at(p) <= now && which(p)).map(|p| p.id)
    }

    fn repeatable(&self) -> impl Iterator<Item = &Pair> {
        let nominating = self.nominating().chain(self.renominating()).filter_map(|id| self.set.get(id));
        // The peer sends there already, and waits for us.
        let wanted =
            self.set.iter().filter(|p| p.is_wanted() && matches!(p.state, PairState::InProgress { .. }));
        let best = self.components.iter().filter_map(|c| self.best_unanswered(c.component));
        // RFC 6544 §7.1: nothing is lost on a connection.
        let lossy = |p: &&Pair| p.link == Link::Datagrams;
        nominating.chain(wanted).chain(best).filter(lossy).chain(self.makeshifts())
    }

    fn best_unanswered(&self, component: ComponentId) -> Option<&Pair> {
        let mut pairs = self.set.iter().filter(|p| p.component == component);
        let lives = |p: &Pair| p.valid().is_some() && !self.is_doubted(p.id);
        if self.is_closed(component) || pairs.clone().any(lives) {
            return None;
        }
        let open = |p: &&Pair| matches!(p.state, PairState::InProgress { .. });
        pairs.clone().filter(open).find(|p| p.was_heard()).or_else(|| pairs.find(open))
    }

    /// The earliest moment from which a slot would be used; it may lie in the past.
    fn wants_slot(&self, now: Instant) -> Option<Instant> {
        let waits = !self.triggered.is_empty()
            || self.set.iter().any(|p| p.state == PairState::Waiting)
            || self.set.iter().any(|p| self.is_thawed(p, now));
        if waits || self.set.lists().any(|list| !list.reserve.is_empty() && list.has_room()) {
            return Some(Instant::ZERO);
        }
        let resting = self.set.lists().filter(|list| !list.reserve.is_empty());
        let parked = resting.filter_map(Checklist::longest_unanswered).map(|(since, _)| since + PARK_AFTER);
        let repeated = self.repeatable().map(repeat_at);
        repeated.chain(parked).chain(self.next_question_at()).min()
    }

    pub(super) fn send(&mut self, cx: &mut Context<'_>, id: PairId) -> Option<BindingRequest> {
        if !self.has_link(cx, id) {
            return None;
        }
        let nominates = self.is_nominated_by_us(id);
        let standing = self.standing_of(id);
        let purpose = CheckRequest { pair: id, claim: self.claim(), standing, use_candidate: nominates };
        let pair = self.set.get_mut(id)?;
        pair.stats.first_request.get_or_insert(cx.now);
        let state = match pair.state {
            PairState::Succeeded(valid) => PairState::Succeeded(valid),
            PairState::InProgress { since } => PairState::InProgress { since },
            _ => PairState::InProgress { since: cx.now },
        };
        let reliable = pair.link != Link::Datagrams;
        self.set_state(cx, id, state);
        self.transactions.cancel(|t| t.pair == id);
        let transaction = crate::wire::TransactionId(cx.random.transaction_id());
        match reliable {
            true => self.transactions.start_once(cx.now, transaction, purpose),
            false => self.transactions.start(cx.now, transaction, purpose),
        }
        self.next_slot = cx.now + self.pacing.ta();
        self.progress = Progress::Started;
        self.on_asked(cx.now, id);
        self.request(cx, transaction, purpose, 1)
    }

    /// The intent for one transmission of a request.
    fn request(
        &mut self,
        cx: &mut Context<'_>,
        id: crate::wire::TransactionId,
        purpose: CheckRequest,
        attempt: u8,
    ) -> Option<BindingRequest> {
        let pair = self.set.get_mut(purpose.pair)?;
        let local = cx.candidates.local(pair.local)?;
        pair.stats.requests_sent = pair.stats.requests_sent.saturating_add(1);
        pair.stats.last_request = Some(cx.now);
        if attempt == 1 {
            pair.stats.counters.on_check_sent();
        }
        self.tally.requests_sent = self.tally.requests_sent.saturating_add(1);
        cx.tracer.emit(
            cx.now,
            TraceEvent::CheckSent {
                pair: pair.id,
                transaction: id,
                attempt,
                nominates: purpose.use_candidate,
            },
        );
        Some(BindingRequest {
            pair: pair.id,
            tuple: pair.tuple,
            id,
            priority: local.check_priority(),
            claim: purpose.claim,
            use_candidate: purpose.use_candidate,
            nomination: (purpose.use_candidate && self.renominates).then_some(purpose.standing.number),
        })
    }
}

/// RFC 8445 §6.1.2.6: the first of a foundation has the lowest component, then the highest priority.
fn rank(pair: &Pair) -> (ComponentId, core::cmp::Reverse<u64>, PairId) {
    (pair.component, core::cmp::Reverse(pair.priority), pair.id)
}

/// Whether it waits for an ordinary check, and may hope for something.
fn is_next(pair: &Pair) -> bool {
    pair.state == PairState::Waiting && !pair.is_poor()
}

fn is_over(pair: &Pair, now: Instant) -> bool {
    matches!(pair.state, PairState::InProgress { since } if since + PATIENCE <= now)
}

/// When a pair may be checked again without an occasion.
pub(super) fn repeat_at(pair: &Pair) -> Instant {
    pair.stats.last_request.map_or(Instant::ZERO, |last| last + RTO)
}
