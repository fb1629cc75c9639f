//! What a scenario makes a server do wrong: single requests refused, ignored, or answered in vain.

use core::net::SocketAddr;

use stun_codec::Method;
use stun_codec::rfc5389::methods::BINDING;
use stun_codec::rfc5766::methods::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH};

/// The requests that a server answers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Request {
    /// Binding (RFC 8489).
    Binding,
    /// Allocate (RFC 8656 §7).
    Allocate,
    /// Refresh (RFC 8656 §8).
    Refresh,
    /// CreatePermission (RFC 8656 §10).
    CreatePermission,
    /// ChannelBind (RFC 8656 §12).
    ChannelBind,
}

impl Request {
    pub(super) fn of(method: Method) -> Option<Self> {
        match method {
            BINDING => Some(Self::Binding),
            ALLOCATE => Some(Self::Allocate),
            REFRESH => Some(Self::Refresh),
            CREATE_PERMISSION => Some(Self::CreatePermission),
            CHANNEL_BIND => Some(Self::ChannelBind),
            _ => None,
        }
    }
}

/// A fault that a server is to have.
///
/// Refusals and redirections hit requests that have passed authentication, because a client believes no others; the rest
/// counts every request that arrives, unsigned ones and retransmissions too. Each can be told to do otherwise.
///
/// ```
/// # use floe_sim::server::{Fault, Request};
/// let full = Fault::next(Request::Allocate).answered_with(508);
/// let lossy = Fault::nth(2, Request::Refresh).with_reply_lost();
/// let deaf = Fault::every(Request::CreatePermission).authenticated().ignored();
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "a server has to be told of it"]
pub struct Fault {
    occasion: Occasion,
    stage: Stage,
    effect: Effect,
}

impl Fault {
    /// Hits the next such request.
    pub const fn next(request: Request) -> Occasion {
        Self::nth(1, request)
    }

    /// Hits the nth such request from now on, the next being the first.
    pub const fn nth(n: u32, request: Request) -> Occasion {
        Occasion { request, skip: n.saturating_sub(1), times: 1, stage: None }
    }

    /// Hits all such requests from now on.
    pub const fn every(request: Request) -> Occasion {
        Occasion { times: u32::MAX, ..Self::next(request) }
    }
}

/// When a [`Fault`] happens.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "say what happens then"]
pub struct Occasion {
    request: Request,
    skip: u32,
    times: u32,
    stage: Option<Stage>,
}

impl Occasion {
    /// Counts and hits so many of them in a row.
    pub const fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    /// Counts and hits only those that have passed authentication.
    pub const fn authenticated(self) -> Self {
        Self { stage: Some(Stage::Authenticated), ..self }
    }

    /// Counts and hits all that arrive.
    pub const fn on_arrival(self) -> Self {
        Self { stage: Some(Stage::Arrival), ..self }
    }

    /// It is refused with this code, 300 to 599, and not carried out. 401 and 438 come with a new nonce, 420 lists what it can.
    pub fn answered_with(self, code: u16) -> Fault {
        self.has(Effect::Code(code), Stage::Authenticated)
    }

    /// 300 with this ALTERNATE-SERVER (RFC 8489 §10).
    pub fn redirected_to(self, server: SocketAddr) -> Fault {
        self.has(Effect::Redirect(server), Stage::Authenticated)
    }

    /// It is neither carried out nor answered.
    pub fn ignored(self) -> Fault {
        self.has(Effect::Ignore, Stage::Arrival)
    }

    /// It is carried out, and its answer lost.
    pub fn with_reply_lost(self) -> Fault {
        self.has(Effect::LoseReply, Stage::Arrival)
    }

    /// It is carried out, and its answer sealed with a key that is not the client's.
    pub fn with_reply_forged(self) -> Fault {
        self.has(Effect::ForgeReply, Stage::Authenticated)
    }

    fn has(self, effect: Effect, default: Stage) -> Fault {
        Fault { stage: self.stage.unwrap_or(default), effect, occasion: self }
    }
}

/// What happens to a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Effect {
    Code(u16),
    Redirect(SocketAddr),
    Ignore,
    LoseReply,
    ForgeReply,
}

/// How far a request has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    Arrival,
    Authenticated,
}

/// The faults that a server has.
#[derive(Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What hits a request that has come this far: the oldest fault that it is the turn of. All others have counted it.
    pub(super) fn hit(&mut self, stage: Stage, request: Request) -> Option<Effect> {
        let mut hit = None;
        for Fault { occasion, effect, .. } in
            self.0.iter_mut().filter(|f| f.stage == stage && f.occasion.request == request)
        {
            if occasion.skip > 0 {
                occasion.skip -= 1;
            } else if hit.is_none() {
                // Every: there is no last one.
                occasion.times = occasion.times.saturating_sub(u32::from(occasion.times != u32::MAX));
                hit = Some(*effect);
            }
        }
        self.0.retain(|fault| fault.occasion.times > 0);
        hit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_hit_when_it_is_their_turn() {
        let mut faults = Faults::default();
        faults.add(Fault::next(Request::Refresh).answered_with(437));
        faults.add(Fault::nth(3, Request::Refresh).answered_with(500));
        faults.add(Fault::next(Request::Refresh).answered_with(441));
        faults.add(Fault::next(Request::Refresh).ignored());
        let mut hit = |stage, request| faults.hit(stage, request);
        assert_eq!(hit(Stage::Authenticated, Request::Allocate), None);
        let codes = [Some(437), Some(441), Some(500), None].map(|code| code.map(Effect::Code));
        assert_eq!([(); 4].map(|()| hit(Stage::Authenticated, Request::Refresh)), codes);
        assert_eq!(hit(Stage::Arrival, Request::Refresh), Some(Effect::Ignore));
        assert_eq!(hit(Stage::Arrival, Request::Refresh), None);
    }

    #[test]
    fn what_hits_every_one_never_ends_and_what_hits_two_does() {
        let mut faults = Faults::default();
        faults.add(Fault::next(Request::Binding).times(2).ignored());
        faults.add(Fault::every(Request::Binding).with_reply_lost());
        let mut hit = || faults.hit(Stage::Arrival, Request::Binding);
        assert_eq!([hit(), hit()], [Some(Effect::Ignore); 2]);
        assert!((0..100).all(|_| hit() == Some(Effect::LoseReply)));
        faults.clear();
        assert_eq!(faults.hit(Stage::Arrival, Request::Binding), None);
    }
}
