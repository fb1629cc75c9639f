//! The peer's checks (RFC 8445 §7.3.1). Only authenticated requests get here; the answer itself is the agent's.

use core::net::SocketAddr;

use super::checklist::Occasion;
use super::pair::{PairNomination, PairState};
use super::role::{Role, Verdict, judge};
use super::{Checks, Context};
use crate::base::{ComponentId, PairId, Tuple};
use crate::candidate::{AddedRemote, LocalId, RemoteId};
use crate::trace::{CheckFailure, TraceEvent};
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
}

/// How a request is to be answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Accepted {
    /// With success.
    Success,
    /// With success, but a limit kept us from making anything of it.
    SuccessOnly,
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
        match judge(self.role, self.tie_breaker, request.claim) {
            Verdict::PeerYields => return Accepted::RoleConflict,
            Verdict::WeYield => self.switch_role(cx),
            Verdict::NoConflict => {}
        }
        let nominated = request.use_candidate && self.role == Role::Controlled;
        let Some(remote) = self.learn(cx, request.component, request.tuple.remote, request.priority) else {
            return Accepted::SuccessOnly;
        };
        // RFC 8445 §8.1.2: once a pair is selected, only a nomination can bring in another.
        if self.is_selected(request.component)
            && !nominated
            && self.list.find(request.local, remote).is_none()
        {
            return Accepted::Success;
        }
        let Some(pair) = self.pair_of(cx, request.local, remote) else { return Accepted::SuccessOnly };
        self.on_pair_requested(cx, pair, nominated);
        Accepted::Success
    }

    /// RFC 8445 §7.3.1.3: an unknown source is a peer-reflexive candidate.
    fn learn(
        &mut self,
        cx: &mut Context<'_>,
        component: ComponentId,
        address: SocketAddr,
        priority: u32,
    ) -> Option<RemoteId> {
        if let Some(known) = cx.candidates.find_remote(component, address) {
            return Some(known.id);
        }
        let AddedRemote::New(id) = cx.candidates.learn_remote(component, address, priority) else {
            return None;
        };
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

    fn pair_of(&mut self, cx: &mut Context<'_>, local: LocalId, remote: RemoteId) -> Option<PairId> {
        if let Some(known) = self.list.find(local, remote) {
            return Some(known);
        }
        let both = (cx.candidates.local(local)?, cx.candidates.remote(remote)?);
        self.list.form(Occasion::Triggered, self.role, both, cx.candidates, (cx.now, &mut *cx.tracer))
    }

    /// RFC 8445 §7.3.1.4 and §7.3.1.5, by the state of the pair.
    fn on_pair_requested(&mut self, cx: &mut Context<'_>, id: PairId, nominated: bool) {
        let Some(pair) = self.list.get_mut(id) else { return };
        pair.stats.requests_received = pair.stats.requests_received.saturating_add(1);
        let concluded = self.is_selected_pair_component(id);
        let Some(pair) = self.list.get_mut(id) else { return };
        match pair.state {
            PairState::Succeeded(_) if nominated => self.on_nominated(cx, id),
            PairState::Succeeded(_) => {}
            // RFC 7675 §5.1: these credentials are spent on this flow.
            PairState::Failed(CheckFailure::ConsentLost) => {}
            _ if concluded && !nominated => {}
            _ => {
                if nominated {
                    pair.nomination = PairNomination::Wanted;
                }
                self.trigger(cx, id);
            }
        }
    }

    fn is_selected_pair_component(&self, id: PairId) -> bool {
        self.list.get(id).is_some_and(|p| self.is_selected(p.component))
    }
}
