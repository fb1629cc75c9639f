//! What happens to a pair once it is valid: it carries data, as long as the peer consents. This room owns
//! consent, the choice of the flow that data takes, and the list of flows on which data is accepted.
//! The agent tells it what the checks have found. It knows nothing of how a pair became valid.

mod component;
mod connection;
mod consent;
mod health;
mod lite;
mod profile;
#[cfg(test)]
mod tests;
mod traffic;

use alloc::collections::VecDeque;
use core::time::Duration;

use smallvec::SmallVec;

use crate::base::{ComponentId, Instant, PairId, Random, SocketId, StreamEnd, Tuple};
use crate::trace::{TraceEvent, Tracer};
use crate::wire::{RoleClaim, TransactionId};
use component::{Choice, ComponentPaths, Kept};
use consent::{Consent, HealthChange};
use traffic::Traffic;

pub(crate) use lite::Gate;
pub use profile::Profile;
#[cfg(test)]
pub(crate) use traffic::MAX_COUNTED;

/// A flow that a check has proven.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Flow {
    pub(crate) component: ComponentId,
    pub(crate) pair: PairId,
    pub(crate) tuple: Tuple,
    /// Of the valid pair (RFC 8445 §7.2.5.3.2).
    pub(crate) priority: u64,
}

/// News for the agent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    /// The component had no path and has one.
    Usable(PairId),
    Degraded(PairId),
    Recovered(PairId),
    /// The path that carried the data is gone.
    Lost {
        pair: PairId,
        why: Loss,
    },
    /// Consent for a pair has ended, whether it carried data or not.
    ConsentEnded {
        pair: PairId,
        why: Loss,
    },
}

/// How a path was lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Loss {
    /// No answer for 30 s (RFC 7675 §5.1).
    Expired,
    /// The peer said 403 (RFC 7675 §5.2).
    Revoked,
    /// The checks took it back: its nomination was never answered.
    Withdrawn,
    /// Its socket, or the peer's candidate, is gone.
    Removed,
    /// Its connection has ended.
    Disconnected(StreamEnd),
}

/// A consent check to be written and sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConsentRequest {
    pub(crate) pair: PairId,
    pub(crate) tuple: Tuple,
    pub(crate) id: TransactionId,
    /// The one before went unanswered.
    pub(crate) missed: bool,
}

/// Where a component's data goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outlet {
    Open(Flow),
    /// There is a flow, and the peer has not consented for too long.
    NoConsent,
    /// There never was one, or it was lost.
    Closed,
}

/// How many valid flows of a component are kept in mind; those of the lowest priority go first.
pub(crate) const MAX_FLOWS: usize = 8;
/// How many valid flows besides the selected one are kept alive towards a peer that renominates: one to change to at once,
/// and one more for each of the usual other networks. Each costs a request in five seconds.
pub(crate) const MAX_STANDBY: usize = 3;
/// On how many flows that are not valid for us data is accepted because the peer's authenticated checks came in
/// there (RFC 8445 §12.2); the oldest goes first.
pub(crate) const MAX_INBOUND: usize = 32;

#[derive(Debug)]
pub(crate) struct Paths {
    /// The one that the checks work on.
    generation: u16,
    /// Whether flows are kept alive to change to.
    standby: bool,
    profile: Profile,
    gate: Gate,
    components: SmallVec<[ComponentPaths; 1]>,
    inbound: VecDeque<(Tuple, ComponentId)>,
    effects: VecDeque<Effect>,
}

impl Paths {
    pub(crate) fn new(gate: Gate, components: &[ComponentId]) -> Self {
        Self {
            generation: 0,
            standby: false,
            profile: Profile::default(),
            gate,
            components: components
                .iter()
                .map(|&component| ComponentPaths {
                    component,
                    flows: SmallVec::new(),
                    choice: Choice::Best,
                    traffic: Traffic::default(),
                })
                .collect(),
            inbound: VecDeque::new(),
            effects: VecDeque::with_capacity(8),
        }
    }

    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// A check of this flow was answered at `now`.
    pub(crate) fn on_valid(&mut self, now: Instant, flow: Flow, random: &mut Random) {
        if self.gate == Gate::ValidList {
            return self.on_listed(flow);
        }
        let Some(of) = self.components.iter_mut().find(|c| c.component == flow.component) else { return };
        let had_path = of.carrier(now).is_some();
        let chosen = of.chosen().map(|f| f.pair);
        match of.flows.iter_mut().find(|kept| kept.flow.pair == flow.pair) {
            Some(kept) => {
                kept.flow = flow;
                let change = kept.consent.on_check_answered(now);
                if change == Some(HealthChange::Recovered) && chosen == Some(flow.pair) {
                    self.effects.push_back(Effect::Recovered(flow.pair));
                }
            }
            None => of.add(Kept { flow, consent: Consent::granted(now, random), nominated: false }),
        }
        self.effects.extend(of.reopened(now, had_path));
    }

    /// This flow was nominated by either side: from now on it is kept alive whatever else is selected.
    pub(crate) fn on_nominated(&mut self, now: Instant, flow: Flow) {
        let Some(of) = self.components.iter_mut().find(|c| c.component == flow.component) else { return };
        if !of.flows.iter().any(|kept| kept.flow.pair == flow.pair) {
            // It was valid once, and too many others have been since.
            of.add(Kept { flow, consent: Consent::forgotten(now), nominated: true });
        }
        if let Some(kept) = of.flows.iter_mut().find(|kept| kept.flow.pair == flow.pair) {
            kept.nominated = true;
            kept.consent.on_wanted(now);
        }
    }

    /// This flow was selected (RFC 8445 §8.1.2). What older generations have lent is given back: data may still come over
    /// it, since the peer selects a moment earlier or later.
    pub(crate) fn on_selected(&mut self, now: Instant, flow: Flow) {
        self.on_nominated(now, flow);
        let Some(of) = self.components.iter_mut().find(|c| c.component == flow.component) else { return };
        let had_path = of.carrier(now).is_some();
        of.choice = Choice::Selected(flow.pair);
        let is_old = |kept: &Kept| kept.flow.pair.generation() != flow.pair.generation();
        let given_back: SmallVec<[Tuple; 2]> =
            of.flows.iter().filter(|kept| is_old(kept)).map(|kept| kept.flow.tuple).collect();
        of.flows.retain(|kept| !is_old(kept));
        self.effects.extend(of.reopened(now, had_path));
        for tuple in given_back {
            self.on_request(tuple, flow.component);
        }
    }

    /// Whether valid flows are kept alive although another one is selected, to change to: at most [`MAX_STANDBY`].
    pub(crate) fn set_standby(&mut self, standby: bool) {
        self.standby = standby;
    }

    /// The selected flow is gone, and any valid one may follow it.
    pub(crate) fn on_reopened(&mut self, now: Instant, component: ComponentId) {
        let Some(of) = self.components.iter_mut().find(|c| c.component == component) else { return };
        let had_path = of.carrier(now).is_some();
        of.choice = Choice::Best;
        self.effects.extend(of.reopened(now, had_path));
    }

    /// A restart: flows of this generation are the old ones from now on. They carry data as before until another is
    /// selected (RFC 8445 §9).
    pub(crate) fn on_restarted(&mut self, generation: u16) {
        self.generation = generation;
        // Where the selected flow is gone already, the first valid one carries (RFC 8445 §12.1).
        for of in self.components.iter_mut().filter(|of| of.chosen().is_none()) {
            of.choice = Choice::Best;
        }
    }

    /// Takes the priorities of pairs from `priority`, which knows them anew.
    pub(crate) fn on_revalued(&mut self, priority: impl Fn(PairId) -> Option<u64>) {
        for kept in self.components.iter_mut().flat_map(|c| c.flows.iter_mut()) {
            kept.flow.priority = priority(kept.flow.pair).unwrap_or(kept.flow.priority);
        }
    }

    /// Whether flows of this generation are there.
    pub(crate) fn lends(&self, generation: u16) -> bool {
        let mut flows = self.components.iter().flat_map(|c| c.flows.iter());
        flows.any(|kept| kept.flow.pair.generation() == generation)
    }

    /// The flows of these pairs cannot be used any more.
    pub(crate) fn remove(&mut self, now: Instant, doomed: impl Fn(&Flow) -> bool) {
        self.end(now, Loss::Removed, doomed);
    }

    fn end(&mut self, now: Instant, why: Loss, doomed: impl Fn(&Flow) -> bool) {
        let flows = self.components.iter().flat_map(|c| c.flows.iter()).map(|kept| kept.flow);
        let gone: SmallVec<[PairId; MAX_FLOWS]> = flows.filter(|flow| doomed(flow)).map(|f| f.pair).collect();
        for pair in gone {
            self.lose(now, pair, why);
            self.effects.push_back(Effect::ConsentEnded { pair, why });
        }
    }

    /// Nothing comes in on this socket any more.
    pub(crate) fn on_socket_down(&mut self, now: Instant, socket: SocketId) {
        self.inbound.retain(|(tuple, _)| tuple.socket != socket);
        self.remove(now, |flow| flow.tuple.socket == socket);
    }

    /// The component is not used any more.
    pub(crate) fn remove_component(&mut self, component: ComponentId) {
        let was_open = self.is_open(component.stream);
        self.components.retain(|c| c.component != component);
        self.inbound.retain(|(_, of)| *of != component);
        self.tell_opened(component.stream, was_open);
    }

    /// The checks take a valid pair back.
    pub(crate) fn on_invalid(&mut self, now: Instant, pair: PairId) {
        self.lose(now, pair, Loss::Withdrawn);
    }

    /// An authenticated request came in: data may follow before our own check has succeeded (RFC 8445 §12.2).
    pub(crate) fn on_request(&mut self, tuple: Tuple, component: ComponentId) {
        if self.source(tuple).is_some() {
            return;
        }
        if self.inbound.len() >= MAX_INBOUND {
            self.inbound.pop_front();
        }
        self.inbound.push_back((tuple, component));
    }

    /// Whether data from there is ours: of which component, and whether our own check has succeeded there.
    pub(crate) fn source(&self, tuple: Tuple) -> Option<(ComponentId, Option<PairId>)> {
        let mut flows = self.components.iter().flat_map(|c| c.flows.iter()).map(|kept| kept.flow);
        if let Some(flow) = flows.find(|flow| flow.tuple == tuple) {
            return Some((flow.component, Some(flow.pair)));
        }
        self.inbound.iter().find(|(known, _)| *known == tuple).map(|(_, component)| (*component, None))
    }

    /// Where data of this component goes at `now`; `None` if there is no such component.
    pub(crate) fn outlet(&self, now: Instant, component: ComponentId) -> Option<Outlet> {
        let of = self.components.iter().find(|c| c.component == component)?;
        Some(match of.carrier(now) {
            Some(flow) if self.is_open(component.stream) => Outlet::Open(flow),
            Some(_) => Outlet::Closed,
            None if of.flows.is_empty() => Outlet::Closed,
            None => Outlet::NoConsent,
        })
    }

    /// The answer to a consent check came in on `from`. RFC 7675 §5.1 asks for the peer's own address: from
    /// elsewhere it says nothing.
    pub(crate) fn on_response(
        &mut self,
        now: Instant,
        id: TransactionId,
        from: Tuple,
        tracer: &mut Tracer,
    ) -> Option<Duration> {
        let of = self.components.iter_mut().find(|c| c.flows.iter().any(|kept| kept.consent.awaits(id)))?;
        let chosen = of.chosen().map(|f| f.pair);
        let had_path = of.carrier(now).is_some();
        let kept = of.flows.iter_mut().find(|kept| kept.flow.tuple == from && kept.consent.awaits(id))?;
        let (rtt, change) = kept.consent.on_response(now, id)?;
        let pair = kept.flow.pair;
        tracer.emit(now, TraceEvent::ConsentGranted { pair, rtt });
        if change == Some(HealthChange::Recovered) && chosen == Some(pair) {
            self.effects.push_back(Effect::Recovered(pair));
        }
        self.effects.extend(of.reopened(now, had_path));
        Some(rtt)
    }

    /// A consent check met a role conflict: which pair it was for, and the role that it claimed.
    pub(crate) fn on_conflict(&mut self, id: TransactionId, from: Tuple) -> Option<(PairId, RoleClaim)> {
        let mut flows = self.components.iter_mut().flat_map(|c| c.flows.iter_mut());
        let kept = flows.find(|kept| kept.flow.tuple == from && kept.consent.awaits(id))?;
        Some((kept.flow.pair, kept.consent.take_claim(id)?))
    }

    /// An authenticated 403 to a consent check (RFC 7675 §5.2).
    pub(crate) fn on_revoked(&mut self, now: Instant, id: TransactionId, from: Tuple, tracer: &mut Tracer) {
        let mut flows = self.components.iter().flat_map(|c| c.flows.iter());
        let revoked =
            flows.find(|kept| kept.flow.tuple == from && kept.consent.awaits(id)).map(|kept| kept.flow.pair);
        if let Some(pair) = revoked {
            tracer.emit(now, TraceEvent::ConsentLost { pair, revoked: true });
            self.lose(now, pair, Loss::Revoked);
            self.effects.push_back(Effect::ConsentEnded { pair, why: Loss::Revoked });
        }
    }

    /// Of which pair this is the consent check that we wait for the answer to.
    pub(crate) fn awaits(&self, id: TransactionId) -> Option<PairId> {
        let mut flows = self.components.iter().flat_map(|c| c.flows.iter());
        flows.find(|kept| kept.consent.awaits(id)).map(|kept| kept.flow.pair)
    }

    /// Ends what has run out. Call before [`Self::poll_request`].
    pub(crate) fn on_time(&mut self, now: Instant, tracer: &mut Tracer) {
        self.relieve(now);
        let standby = self.standby;
        let over = |c: &ComponentPaths| {
            let mut maintained = c.flows.iter().filter(|kept| c.maintains(kept, standby));
            maintained.find(|kept| kept.consent.is_over(now)).map(|kept| kept.flow.pair)
        };
        while let Some(pair) = self.components.iter().find_map(over) {
            tracer.emit(now, TraceEvent::ConsentLost { pair, revoked: false });
            self.lose(now, pair, Loss::Expired);
            self.effects.push_back(Effect::ConsentEnded { pair, why: Loss::Expired });
        }
    }

    /// The next consent check to send at `now`, if any. It claims the role that every request claims.
    pub(crate) fn poll_request(
        &mut self,
        now: Instant,
        claim: RoleClaim,
        random: &mut Random,
        tracer: &mut Tracer,
    ) -> Option<ConsentRequest> {
        let (standby, profile) = (self.standby, self.profile);
        for of in &mut self.components {
            let chosen = of.chosen().map(|f| f.pair);
            let maintained: SmallVec<[bool; MAX_FLOWS]> =
                of.flows.iter().map(|kept| of.maintains(kept, standby)).collect();
            for (kept, _) in of.flows.iter_mut().zip(maintained).filter(|(_, maintained)| *maintained) {
                let Some((id, change)) = kept.consent.poll_check(now, profile, claim, random) else {
                    continue;
                };
                let Flow { pair, tuple, .. } = kept.flow;
                tracer.emit(now, TraceEvent::ConsentSent { pair, transaction: id });
                if change == Some(HealthChange::Degraded) && chosen == Some(pair) {
                    self.effects.push_back(Effect::Degraded(pair));
                }
                return Some(ConsentRequest { pair, tuple, id, missed: !kept.consent.was_answered() });
            }
        }
        None
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let standby = self.standby;
        let maintained = |c: &ComponentPaths| {
            c.flows
                .iter()
                .filter(|kept| c.maintains(kept, standby))
                .map(|kept| kept.consent.next_deadline(self.profile))
                .min()
        };
        self.components.iter().filter_map(maintained).min().filter(|at| *at < Instant::MAX)
    }

    #[cfg(test)]
    pub(crate) fn flows_len(&self) -> usize {
        self.components.iter().map(|c| c.flows.len()).sum()
    }

    #[cfg(test)]
    pub(crate) fn inbound_len(&self) -> usize {
        self.inbound.len()
    }

    fn lose(&mut self, now: Instant, pair: PairId, why: Loss) {
        for of in self.components.iter_mut().filter(|c| c.flows.iter().any(|kept| kept.flow.pair == pair)) {
            let carried = of.chosen().is_some_and(|f| f.pair == pair);
            of.flows.retain(|kept| kept.flow.pair != pair);
            if !carried {
                continue;
            }
            self.effects.push_back(Effect::Lost { pair, why });
            // After selection the checks say which of the nominated flows comes next; those of an old generation do not.
            if matches!(of.choice, Choice::Selected(pair) if pair.generation() != self.generation) {
                of.choice = Choice::Best;
            }
            if of.choice == Choice::Best {
                self.effects.extend(of.carrier(now).map(|next| Effect::Usable(next.pair)));
            }
        }
    }
}
