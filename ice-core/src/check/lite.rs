//! Lite agents (RFC 8445 §2.5): one that checks nothing and follows its peer's nomination (§7.3.2), two that pair what
//! they have told each other (§6.2, §8.2), and a full agent that knows its peer to be lite (§6.1.1).

use core::net::{IpAddr, SocketAddr};

use super::checklist::{Checklist, Occasion, Reach};
use super::pair::{PairState, Standing, Valid, is_relayed};
use super::responder::find;
use super::role::Role;
use super::{Accepted, CheckConfig, Checks, Context, Effect, MAX_PAIRS, Pair, Request};
use crate::base::{ComponentId, PairId};
use crate::candidate::{LocalCandidate, LocalId, Origin, RemoteCandidate, RemoteId};
use crate::wire::RoleClaim;

/// How many pairs a lite agent keeps of those that its peer has nominated, one after the other; the oldest goes first. Data may
/// still come over them (RFC 8445 §12.2).
pub(crate) const MAX_LITE_PAIRS: usize = 8;

/// Who is lite, and what follows from it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lite {
    ours: bool,
    theirs: bool,
    /// The role between two lite agents: only the application knows who initiated (RFC 8445 §6.1.1).
    configured: Role,
    /// Between two lite agents: a candidate has come since the pairs were chosen.
    unsettled: bool,
    /// Between two lite agents: the controlling one has told its choice, which holds.
    told: bool,
}

impl Lite {
    pub(super) fn new(config: &CheckConfig) -> Self {
        Self { ours: config.lite, theirs: false, configured: config.role, unsettled: false, told: false }
    }

    /// In the next generation (RFC 8445 §9).
    pub(super) fn successor(self) -> Self {
        Self { unsettled: false, told: false, ..self }
    }

    /// Takes over who is lite, but not how far that generation has come.
    pub(super) fn take_over(&mut self, other: Self) {
        *self = other.successor();
    }

    /// Whether we check at all.
    pub(super) fn checks(self) -> bool {
        !self.ours
    }

    pub(super) fn peer_is_lite(self) -> bool {
        self.theirs
    }

    fn both(self) -> bool {
        self.ours && self.theirs
    }
}

impl CheckConfig {
    /// A lite agent is controlled until its peer turns out to be lite, too (RFC 8445 §6.1.1), and the limit on checks does not
    /// bind who checks nothing.
    pub(super) fn for_lite(self) -> Self {
        match self.lite {
            true => Self { role: Role::Controlled, reach: Reach::Pairs(MAX_PAIRS), ..self },
            false => self,
        }
    }
}

impl Checks {
    /// The peer is lite, or is not. A full agent controls a lite one; of two lite ones the configured roles hold; a lite agent
    /// is controlled by a full one (RFC 8445 §6.1.1).
    pub(crate) fn set_remote_lite(&mut self, cx: &mut Context<'_>, theirs: bool) {
        if self.lite.theirs == theirs {
            return;
        }
        self.lite = Lite { theirs, unsettled: true, ..self.lite };
        let role = match (self.lite.ours, theirs) {
            (false, false) => self.role,
            (false, true) => Role::Controlling,
            (true, false) => Role::Controlled,
            (true, true) => self.lite.configured,
        };
        if self.role != role {
            self.switch_role(cx);
        }
    }

    /// Whether both sides are lite.
    pub(crate) fn are_both_lite(&self) -> bool {
        self.lite.both()
    }

    /// Whether we are lite.
    pub(crate) fn is_lite(&self) -> bool {
        self.lite.ours
    }

    /// A candidate has come. A lite agent has no checklist to put its pairs into (RFC 8445 §6.2).
    pub(super) fn is_left_to_lite(&mut self) -> bool {
        self.lite.unsettled |= self.lite.ours;
        self.lite.ours
    }

    /// RFC 8445 §7.3.2: a nomination is followed at once, and nothing else has any effect. Who checks is full and controls,
    /// whatever it claims and whatever was told of it (§6.1.1).
    ///
    /// The latest nomination holds: RFC 5245 §8.1.1 forbids aggressive nomination towards a lite agent, and RFC 8445 §8.1.1
    /// a second one towards any; a peer that nominates again all the same has changed its mind.
    pub(super) fn on_request_as_lite(&mut self, cx: &mut Context<'_>, request: Request) -> Accepted {
        if matches!(request.claim, Some(RoleClaim::Controlled(_))) {
            return Accepted::RoleConflict;
        }
        if let (Role::Controlling, Some(RoleClaim::Controlling(_))) = (self.role, request.claim) {
            self.switch_role(cx);
        }
        let known = find(cx, &request).map(|r| r.id);
        let known = known.and_then(|remote| self.set.find(request.local, remote));
        self.note_heard(cx, known);
        if !request.use_candidate || self.role != Role::Controlled {
            return Accepted::Success;
        }
        let is_past =
            |p: &Pair| p.component == request.component && request.nomination.is_some_and(|n| n < p.numbered);
        if self.set.first(is_past).is_some() {
            return Accepted::Success;
        }
        if known.is_none() {
            self.make_room_as_lite(cx, request.component);
        }
        let remote = self.learn(cx, &request);
        match remote.and_then(|remote| self.conclude_as_lite(cx, request.local, remote)) {
            Some(pair) => {
                // A pair that is new could not take note of it before.
                self.note_heard(cx, Some(pair).filter(|_| known.is_none()));
                if let Some(pair) = self.set.get_mut(pair) {
                    pair.numbered = request.nomination.unwrap_or(0);
                }
                Accepted::Success
            }
            None => Accepted::NominationRefused,
        }
    }

    /// Between two lite agents: chooses a pair for each component from what both have told (RFC 8445 §8.2). The peer's
    /// credentials must be known.
    pub(crate) fn settle_as_lite(&mut self, cx: &mut Context<'_>) {
        if !self.lite.both() || self.lite.told || !core::mem::take(&mut self.lite.unsettled) {
            return;
        }
        for index in 0..self.components.len() {
            let Some(component) = self.components.get(index).map(|of| of.component) else { return };
            if let Some((local, remote)) = best_of(cx, component) {
                self.conclude_as_lite(cx, local, remote);
            }
        }
    }

    /// Between two lite agents: the peer, controlling, has chosen this pair (RFC 8445 §8.2, RFC 8839 §4.4.2.2). Who controls
    /// itself, and is told so all the same, yields. `false` if it is no pair of ours.
    pub(crate) fn follow_lite_choice(
        &mut self,
        cx: &mut Context<'_>,
        component: ComponentId,
        (local, remote): (SocketAddr, SocketAddr),
    ) -> bool {
        let ours = cx.candidates.find_local(component, None, local);
        let theirs = cx.candidates.find_remote(component, None, remote);
        let (Some(ours), Some(theirs)) = (ours, theirs) else { return false };
        if !self.lite.both() || !Checklist::fits(ours, theirs) {
            return false;
        }
        let (ours, theirs) = (ours.id, theirs.id);
        if self.role == Role::Controlling {
            self.switch_role(cx);
        }
        self.lite.told = true;
        self.conclude_as_lite(cx, ours, theirs).is_some()
    }

    /// The pair of these two is the valid and the selected one from now on.
    fn conclude_as_lite(&mut self, cx: &mut Context<'_>, local: LocalId, remote: RemoteId) -> Option<PairId> {
        let (ours, theirs) = (cx.candidates.local(local)?, cx.candidates.remote(remote)?);
        let component = ours.component;
        let relayed = is_relayed(ours, theirs);
        let trace = (cx.now, &mut *cx.tracer);
        let id = self.set.form(Occasion::Triggered, self.role, (ours, theirs), cx.candidates, trace)?;
        if self.selected(component) == Some(id) {
            return Some(id);
        }
        let priority = self.set.get(id)?.priority;
        // No check of ours has ever been answered, and so no time was measured.
        let valid = Valid { local, priority, rtt: core::time::Duration::ZERO, relayed };
        self.set_state(cx, id, PairState::Succeeded(valid));
        self.effects.push_back(Effect::Valid(id));
        self.tenure.end();
        self.on_nominated(cx, id, Standing { tenure: self.tenure, number: 0 });
        Some(id)
    }

    fn note_heard(&mut self, cx: &Context<'_>, pair: Option<PairId>) {
        if let Some(pair) = pair.and_then(|id| self.set.get_mut(id)) {
            pair.stats.requests_received = pair.stats.requests_received.saturating_add(1);
            pair.stats.first_received.get_or_insert(cx.now);
            pair.stats.last_received = Some(cx.now);
        }
    }

    /// The oldest pair that is not in use goes when there are too many, with the candidate that was learned for it.
    fn make_room_as_lite(&mut self, cx: &mut Context<'_>, component: ComponentId) {
        let is_full = self.set.stream(component.stream.into()).is_none_or(Checklist::is_full);
        let of_component = self.set.iter().filter(|p| p.component == component);
        if of_component.clone().count() < MAX_LITE_PAIRS && !is_full {
            return;
        }
        let is_spare = |p: &&Pair| self.selected(p.component) != Some(p.id);
        let of_stream = self.set.iter().filter(|p| p.component.stream == component.stream);
        let oldest = |pairs: &mut dyn Iterator<Item = &Pair>| pairs.map(|p| (p.id, p.remote)).min();
        let spare = oldest(&mut of_component.filter(is_spare));
        let Some((id, remote)) = spare.or_else(|| oldest(&mut of_stream.filter(is_spare))) else { return };
        self.set.remove(|p| p.id == id);
        self.effects.push_back(Effect::Invalid(id));
        let is_learned = cx.candidates.remote(remote).is_some_and(|r| r.origin == Origin::Learned);
        if is_learned && !self.set.iter().any(|p| p.remote == remote) {
            cx.candidates.remove_remote(remote);
        }
    }
}

/// The pair that both sides find best without a check: both ends of the same scope, then of the higher precedence (RFC 6724 §5,
/// rules 2 and 6), then of the higher priorities. It does not matter whose end is whose, so that both sides choose the same.
fn best_of(cx: &mut Context<'_>, component: ComponentId) -> Option<(LocalId, RemoteId)> {
    let locals = cx.candidates.locals().iter().filter(|l| l.component == component);
    let pairs = locals.flat_map(|ours| {
        let told = cx.candidates.remotes().iter().filter(|r| r.origin == Origin::Signalled);
        told.filter(move |theirs| Checklist::fits(ours, theirs)).map(move |theirs| (ours, theirs))
    });
    let best = pairs.max_by_key(|(ours, theirs)| preference(ours, theirs))?;
    Some((best.0.id, best.1.id))
}

/// Symmetric: the addresses, in their order, decide what nothing else does.
fn preference(
    ours: &LocalCandidate,
    theirs: &RemoteCandidate,
) -> (bool, u8, u32, u32, SocketAddr, SocketAddr) {
    let (one, other) = (ours.address, theirs.address);
    let (low, high) = (ours.priority.min(theirs.priority), ours.priority.max(theirs.priority));
    let same_scope = scope(one.ip()) == scope(other.ip());
    let precedence = precedence(one.ip()).min(precedence(other.ip()));
    (same_scope, precedence, low, high, one.min(other), one.max(other))
}

/// RFC 6724 §3.1 and §3.2, as far as unicast goes.
fn scope(address: IpAddr) -> u8 {
    let (link_local, site_local) = match address {
        IpAddr::V4(ip) => (ip.is_link_local() || ip.is_loopback(), false),
        IpAddr::V6(ip) => {
            (ip.is_unicast_link_local() || ip.is_loopback(), matches!(ip.segments()[0], 0xfec0..=0xfeff))
        }
    };
    match (link_local, site_local) {
        (true, _) => 0x2,
        (_, true) => 0x5,
        _ => 0xe,
    }
}

/// RFC 6724 §2.1, the default policy table.
fn precedence(address: IpAddr) -> u8 {
    let IpAddr::V6(ip) = address else { return 35 };
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => 50,
        [0, 0, 0, 0, 0, 0xffff, ..] => 35,
        [0x2002, ..] => 30,
        [0x2001, 0, ..] => 5,
        [0xfc00..=0xfdff, ..] => 3,
        [0, 0, 0, 0, 0, 0, ..] | [0xfec0..=0xfeff, ..] | [0x3ffe, ..] => 1,
        _ => 40,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precedences_are_those_of_the_policy_table() {
        let table = [
            ("::1", 50),
            ("2001:db8::1", 40),
            ("203.0.113.1", 35),
            ("::ffff:203.0.113.1", 35),
            ("2002:cb00:7101::1", 30),
            ("2001:0:1::1", 5),
            ("fd00::1", 3),
            ("::203.0.113.1", 1),
            ("fec0::1", 1),
            ("3ffe::1", 1),
        ];
        for (address, expected) in table {
            assert_eq!(precedence(address.parse().unwrap()), expected, "{address}");
        }
    }
}
