//! Answers to our checks (RFC 8445 §7.2.5). Only authenticated ones get here.

use super::pair::{Pair, PairNomination, PairState, Standing, Valid, is_relayed, priority};
use super::{CheckRequest, Checks, Context, Effect, Role};
use crate::base::{PairId, Tuple};
use crate::candidate::{AddedLocal, CandidateType, LocalId, NewLocal};
use crate::trace::{CheckFailure, TraceEvent};
use crate::transaction::Transaction;
use crate::wire::{ErrorCode, RoleClaim, TransactionId};
use core::net::SocketAddr;

impl Checks {
    /// Whether this is the answer to a check of ours that we still wait for.
    pub(crate) fn awaits(&self, id: TransactionId) -> bool {
        self.transactions.get(id).is_some()
    }

    /// A success response with our mapped address came in on `from`.
    pub(crate) fn on_success(
        &mut self,
        cx: &mut Context<'_>,
        id: TransactionId,
        from: Tuple,
        mapped: SocketAddr,
    ) {
        let live = |t: &Transaction<CheckRequest>| cx.now < t.schedule.expiry();
        let Some(transaction) = self.transactions.take(id).filter(live) else { return };
        let request = transaction.purpose;
        if !self.is_symmetric(cx, request.pair, from) {
            return;
        }
        let Some(local) = self.mapped_candidate(cx, request.pair, mapped) else { return };
        self.on_answered(cx, &transaction, mapped);
        self.set_valid(cx, request.pair, local, &transaction);
        match self.set.get(request.pair).map(|p| p.nomination) {
            Some(PairNomination::Wanted(standing)) if self.role == Role::Controlled => {
                self.on_nominated(cx, request.pair, standing);
            }
            // Whatever our role is by now: the peer has heard the nomination and taken it.
            _ if request.use_candidate => self.on_nominated(cx, request.pair, request.standing),
            Some(PairNomination::Wanted(_)) => self.adopt_nomination(cx, request.pair),
            _ => {}
        }
        self.consider_nominations(cx);
    }

    /// An error response came in on `from`.
    pub(crate) fn on_error(&mut self, cx: &mut Context<'_>, id: TransactionId, from: Tuple, code: u16) {
        let live = |t: &Transaction<CheckRequest>| cx.now < t.schedule.expiry();
        let Some(transaction) = self.transactions.take(id).filter(live) else { return };
        let request = transaction.purpose;
        if code == ErrorCode::ROLE_CONFLICT.code() {
            // RFC 8445 §7.2.5.1 comes before §7.2.5.2.1: the peer keeps its role, from whichever address it says so.
            self.repair_role(cx, request);
        }
        if !self.is_symmetric(cx, request.pair, from) {
            return;
        }
        cx.tracer.emit(cx.now, TraceEvent::CheckRefused { pair: request.pair, transaction: id, code });
        if code == ErrorCode::ROLE_CONFLICT.code() {
            self.ask_again(cx, request.pair);
        } else {
            self.tally.refused = Some(code);
            self.fail(cx, request.pair, CheckFailure::Refused(code));
            self.consider_nominations(cx);
        }
    }

    /// RFC 8445 §7.2.5.1: the peer keeps the role that our request claimed. We take the other, unless a request of
    /// its own has made us do so already, and take a new tie-breaker.
    fn repair_role(&mut self, cx: &mut Context<'_>, request: CheckRequest) {
        if request.claim == self.claim() {
            // RFC 8445 §6.1.1: a lite peer is controlled, whatever it says.
            if !self.lite.peer_is_lite() {
                self.switch_role(cx);
            }
            self.tie_breaker = cx.random.number();
        }
    }

    /// RFC 8445 §7.2.5.1: the pair that met the conflict is checked in the other role. Also where it was a nomination that met it: with no
    /// check under way, two agents that have both just given in would never find out.
    fn ask_again(&mut self, cx: &mut Context<'_>, pair: PairId) {
        match self.set.get(pair) {
            Some(known) if known.valid().is_some() => self.enqueue(pair),
            Some(known) if known.is_undecided() => self.trigger(cx, pair),
            _ => {}
        }
    }

    /// A consent check, which claims a role as any check does, met a conflict: repaired in the same way.
    pub(crate) fn on_consent_conflict(&mut self, cx: &mut Context<'_>, pair: PairId, claim: RoleClaim) {
        let request = CheckRequest { pair, claim, standing: Standing::default(), use_candidate: false };
        self.repair_role(cx, request);
        self.ask_again(cx, pair);
    }

    /// RFC 8445 §7.2.5.2.1: an answer from elsewhere fails the pair.
    fn is_symmetric(&mut self, cx: &mut Context<'_>, pair: PairId, from: Tuple) -> bool {
        // Of a pair that was taken back meanwhile the answer says nothing.
        let Some(tuple) = self.set.get(pair).map(|p| p.tuple) else { return false };
        let symmetric = tuple == from;
        if !symmetric {
            self.tally.asymmetric = self.tally.asymmetric.saturating_add(1);
            if self.set.get(pair).is_some_and(Pair::is_undecided) {
                self.fail(cx, pair, CheckFailure::Asymmetric);
            }
        }
        symmetric
    }

    /// The local candidate with the mapped address; a new peer-reflexive one if there is none
    /// (RFC 8445 §7.2.5.3.1).
    fn mapped_candidate(&self, cx: &mut Context<'_>, pair: PairId, mapped: SocketAddr) -> Option<LocalId> {
        let pair = self.set.get(pair)?;
        let base = cx.candidates.local(pair.local)?;
        if let Some(known) = cx.candidates.find_local(pair.component, base.tcp, mapped) {
            return Some(known.id);
        }
        // RFC 8445 §5.1.1.3 would give it a foundation of its own. It is never signalled and never paired, so nobody
        // could ever compare it.
        let learned = NewLocal {
            component: pair.component,
            socket: base.socket,
            base: base.base,
            address: mapped,
            tcp: base.tcp,
            kind: CandidateType::PeerReflexive,
            local_preference: base.local_preference,
            foundation: base.foundation,
            related: Some(base.base),
            secrecy: base.secrecy,
            network: base.network,
        };
        // A peer that shows us ever new addresses fills our table; the pair is valid all the same.
        let AddedLocal::New(id) = cx.candidates.add_local(learned) else { return Some(pair.local) };
        let learned = cx.candidates.local(id)?;
        cx.tracer.emit(
            cx.now,
            TraceEvent::LocalCandidate {
                component: learned.component,
                kind: learned.kind,
                address: learned.address,
                base: learned.base,
                priority: learned.priority,
            },
        );
        Some(id)
    }

    fn on_answered(
        &mut self,
        cx: &mut Context<'_>,
        transaction: &Transaction<CheckRequest>,
        mapped: SocketAddr,
    ) {
        let rtt = cx.now.since(transaction.schedule.first_sent());
        self.tally.responses_received = self.tally.responses_received.saturating_add(1);
        if let Some(pair) = self.set.get_mut(transaction.purpose.pair) {
            pair.stats.responses_received = pair.stats.responses_received.saturating_add(1);
            pair.stats.counters.on_answered(rtt);
        }
        self.on_life(transaction.purpose.pair, transaction.schedule.first_sent());
        cx.tracer.emit(
            cx.now,
            TraceEvent::CheckAnswered {
                pair: transaction.purpose.pair,
                transaction: transaction.id,
                rtt,
                mapped,
            },
        );
    }

    /// RFC 8445 §7.2.5.3.2 and §7.2.5.3.3.
    fn set_valid(
        &mut self,
        cx: &mut Context<'_>,
        id: PairId,
        local: LocalId,
        transaction: &Transaction<CheckRequest>,
    ) {
        let Some(pair) = self.set.get(id) else { return };
        let (Some(mapped), Some(remote)) = (cx.candidates.local(local), cx.candidates.remote(pair.remote))
        else {
            return;
        };
        let foundation = pair.foundation;
        let relayed = cx.candidates.local(pair.local).is_some_and(|base| is_relayed(base, remote));
        let valid = Valid {
            local,
            priority: priority(self.role, mapped.priority, remote.priority),
            rtt: cx.now.since(transaction.schedule.first_sent()),
            relayed,
        };
        self.set_state(cx, id, PairState::Succeeded(valid));
        // What else is out for this pair need not be answered, save its nomination.
        self.transactions.forget(|t| t.pair == id && !t.use_candidate);
        if !self.nominating().any(|n| n == id) {
            self.triggered.retain(|&t| t != id);
        }
        let kin = |p: &Pair| p.foundation == foundation && p.state == PairState::Frozen;
        while let Some(frozen) = self.set.first(kin) {
            self.set_state(cx, frozen, PairState::Waiting);
        }
        self.effects.push_back(Effect::Valid(id));
    }
}
