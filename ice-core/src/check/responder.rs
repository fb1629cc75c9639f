//! The peer's checks (RFC 8445 §7.3.1). Only authenticated requests get here; the answer itself is the agent's.

use super::checklist::Occasion;
use super::conflict::Era;
use super::connection::Link;
use super::pair::{PairNomination, PairState, Standing};
use super::role::{Role, Verdict, judge};
use super::{Checks, Context, Pair};
use crate::base::{ComponentId, PairId, Tuple};
use crate::candidate::{AddedRemote, LocalCandidate, LocalId, Origin, RemoteCandidate, RemoteId};
use crate::trace::TraceEvent;
use crate::wire::{RoleClaim, TransactionId};

/// What matters of an authenticated Binding request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) id: TransactionId,
    pub(crate) tuple: Tuple,
    /// The candidate whose base it came in on.
    pub(crate) local: LocalId,
    pub(crate) component: ComponentId,
    pub(crate) priority: u32,
    pub(crate) claim: Option<RoleClaim>,
    pub(crate) use_candidate: bool,
    /// The NOMINATION attribute, which counts the peer's nominations.
    pub(crate) nomination: Option<u32>,
}

/// How a request is to be answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Accepted {
    /// With success.
    Success,
    /// With success, but a limit kept us from making anything of it.
    SuccessOnly,
    /// With 400: a nomination that a limit or lost consent keeps us from following (RFC 8445 §7.3.1.5).
    NominationRefused,
    /// With 487.
    RoleConflict,
}

impl Checks {
    /// RFC 8445 §7.3.1: roles first, then candidates, then the triggered check and the nomination.
    ///
    /// The peer's credentials need not be known yet: what the request asks for waits until they are.
    pub(crate) fn on_request(&mut self, cx: &mut Context<'_>, request: Request) -> Accepted {
        self.tally.requests_received = self.tally.requests_received.saturating_add(1);
        cx.tracer.emit(
            cx.now,
            TraceEvent::RequestReceived {
                tuple: request.tuple,
                transaction: request.id,
                nominates: request.use_candidate,
            },
        );
        if !self.lite.checks() {
            return self.on_request_as_lite(cx, request);
        }
        let era = self.conflict.on_claim(request.claim);
        if era == Era::New {
            self.tenure.end();
        }
        // The peer has drawn its conclusion from the first answer, and our role may have changed since.
        if era == Era::Past || self.conflict.was_refused(request.id) {
            return Accepted::RoleConflict;
        }
        match judge(self.role, self.tie_breaker, request.claim) {
            Verdict::PeerYields => {
                self.confirm_selection();
                self.conflict.refuse(request.id);
                return Accepted::RoleConflict;
            }
            Verdict::WeYield => self.switch_role(cx),
            Verdict::NoConflict => {}
        }
        let number = request.nomination.unwrap_or(0);
        let standing = Standing { tenure: self.tenure, number };
        let nominated = (request.use_candidate && self.role == Role::Controlled).then_some(standing);
        // RFC 8445 §8.1.2: once a pair is selected, only a nomination can bring in another.
        let known = find(cx, &request).map(|r| r.id);
        let pair = known.and_then(|remote| self.set.find(request.local, remote));
        if self.is_closed(request.component) && nominated.is_none() && pair.is_none() {
            return Accepted::Success;
        }
        let beyond_limits =
            if nominated.is_some() { Accepted::NominationRefused } else { Accepted::SuccessOnly };
        let Some(remote) = self.learn(cx, &request) else {
            return beyond_limits;
        };
        let Some(pair) = self.pair_of(cx, request.local, remote) else { return beyond_limits };
        self.on_pair_requested(cx, pair, nominated);
        match self.set.get(pair) {
            Some(pair) if nominated.is_some() && pair.is_spent() => Accepted::NominationRefused,
            _ => Accepted::Success,
        }
    }

    /// RFC 8445 §7.3.1.3: an unknown source is a peer-reflexive candidate.
    pub(super) fn learn(&mut self, cx: &mut Context<'_>, request: &Request) -> Option<RemoteId> {
        if let Some(known) = find(cx, request) {
            return Some(known.id);
        }
        let Request { component, tuple: Tuple { remote: address, .. }, priority, .. } = *request;
        let tcp = cx.candidates.local(request.local).and_then(LocalCandidate::counterpart);
        let mut added = cx.candidates.learn_remote(component, tcp, address, priority);
        if added == AddedRemote::Full && self.forget_a_dead_source(cx) {
            added = cx.candidates.learn_remote(component, tcp, address, priority);
        }
        let AddedRemote::New(id) = added else { return None };
        let learned = cx.candidates.remote(id)?;
        cx.tracer.emit(
            cx.now,
            TraceEvent::RemoteCandidate {
                component,
                kind: learned.kind,
                address,
                priority: learned.priority,
            },
        );
        Some(id)
    }

    /// Makes room among the learned candidates: one whose pairs have all failed, or are gone, has had its chance.
    fn forget_a_dead_source(&mut self, cx: &mut Context<'_>) -> bool {
        let alive = |p: &Pair| !matches!(p.state, PairState::Failed(_));
        let learned = cx.candidates.remotes().iter().filter(|r| r.origin == Origin::Learned).map(|r| r.id);
        let dead = learned.into_iter().find(|&id| !self.set.iter().any(|p| p.remote == id && alive(p)));
        let Some(dead) = dead else { return false };
        self.set.forget_remote(dead);
        cx.candidates.remove_remote(dead).is_some()
    }

    fn pair_of(&mut self, cx: &mut Context<'_>, local: LocalId, remote: RemoteId) -> Option<PairId> {
        if let Some(known) = self.set.find(local, remote) {
            return Some(known);
        }
        let both = (cx.candidates.local(local)?, cx.candidates.remote(remote)?);
        let formed =
            self.set.form(Occasion::Triggered, self.role, both, cx.candidates, (cx.now, &mut *cx.tracer));
        self.forget_displaced();
        formed
    }

    /// RFC 8445 §7.3.1.4 and §7.3.1.5, by the state of the pair.
    fn on_pair_requested(&mut self, cx: &mut Context<'_>, id: PairId, nominated: Option<Standing>) {
        let Some(pair) = self.set.get_mut(id) else { return };
        if pair.link != Link::Datagrams {
            pair.link = Link::Open;
        }
        pair.stats.requests_received = pair.stats.requests_received.saturating_add(1);
        pair.stats.first_received.get_or_insert(cx.now);
        let before = pair.stats.last_received.replace(cx.now);
        let component = pair.component;
        let closed = self.is_closed(component);
        self.on_checked(cx.now, id, before);
        let Some(pair) = self.set.get_mut(id) else { return };
        if closed {
            pair.stats.on_received_after(before.map(|before| cx.now.since(before)));
        }
        match (pair.state, nominated) {
            (PairState::Succeeded(_), Some(standing)) => self.on_nominated(cx, id, standing),
            (PairState::Succeeded(_), None) => {}
            // RFC 7675 §5.1: these credentials are spent on this flow.
            (PairState::Failed(_), _) if pair.is_spent() => {}
            _ if closed && nominated.is_none() => {}
            _ => {
                if let Some(standing) = nominated {
                    pair.nomination = PairNomination::Wanted(pair.nomination.raised_to(standing));
                }
                self.trigger(cx, id);
            }
        }
    }
}

/// The candidate that a request came from, over whatever the candidate that it came to is reached over.
pub(super) fn find<'c>(cx: &'c Context<'_>, request: &Request) -> Option<&'c RemoteCandidate> {
    let tcp = cx.candidates.local(request.local)?.counterpart();
    cx.candidates.find_remote(request.component, tcp, request.tuple.remote)
}
