//! What happens to a pair once it is valid: it carries data, as long as the peer consents. This room owns
//! consent, the choice of the flow that data takes, and the list of flows on which data is accepted.
//! The agent tells it what the checks have found. It knows nothing of how a pair became valid.

mod consent;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use core::time::Duration;

use smallvec::SmallVec;

use crate::base::{ComponentId, Instant, PairId, Random, Tuple};
use crate::trace::{TraceEvent, Tracer};
use crate::wire::TransactionId;
use consent::{Consent, HealthChange};

pub(crate) use consent::CONSENT_LIFETIME;

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
    /// The selected path is gone: only a restart can select another (RFC 8445 §8.1.1).
    RestartNeeded {
        why: Loss,
    },
    /// Consent for a pair has ended, whether it carried data or not.
    ConsentEnded(PairId),
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
}

/// A consent check to be written and sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConsentRequest {
    pub(crate) pair: PairId,
    pub(crate) tuple: Tuple,
    pub(crate) id: TransactionId,
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
/// On how many flows that are not valid for us data is accepted because the peer's authenticated checks came in
/// there (RFC 8445 §12.2); the oldest goes first.
pub(crate) const MAX_INBOUND: usize = 32;

#[derive(Debug)]
pub(crate) struct Paths {
    components: SmallVec<[ComponentPaths; 1]>,
    inbound: VecDeque<(Tuple, ComponentId)>,
    effects: VecDeque<Effect>,
}

#[derive(Debug)]
struct ComponentPaths {
    component: ComponentId,
    flows: SmallVec<[(Flow, Consent); 2]>,
    choice: Choice,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Choice {
    /// The best valid flow, if there is one.
    Best,
    Selected(PairId),
}

impl Paths {
    pub(crate) fn new(components: &[ComponentId]) -> Self {
        Self {
            components: components
                .iter()
                .map(|&component| ComponentPaths { component, flows: SmallVec::new(), choice: Choice::Best })
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
        let Some(of) = self.components.iter_mut().find(|c| c.component == flow.component) else { return };
        let had_path = of.carrier(now).is_some();
        let chosen = of.chosen().map(|f| f.pair);
        match of.flows.iter_mut().find(|(known, _)| known.pair == flow.pair) {
            Some((known, consent)) => {
                *known = flow;
                if consent.on_check_answered(now) == Some(HealthChange::Recovered)
                    && chosen == Some(flow.pair)
                {
                    self.effects.push_back(Effect::Recovered(flow.pair));
                }
            }
            None => of.add(flow, Consent::granted(now, random)),
        }
        if !had_path && of.carrier(now).is_some_and(|f| f.pair == flow.pair) {
            self.effects.push_back(Effect::Usable(flow.pair));
        }
    }

    /// This flow was selected (RFC 8445 §8.1.2).
    pub(crate) fn on_selected(&mut self, now: Instant, flow: Flow, random: &mut Random) {
        let Some(of) = self.components.iter_mut().find(|c| c.component == flow.component) else { return };
        of.choice = Choice::Selected(flow.pair);
        if !of.flows.iter().any(|(known, _)| known.pair == flow.pair) {
            of.add(flow, Consent::granted(now - CONSENT_LIFETIME, random));
        }
        of.flows.iter_mut().filter(|(known, _)| known.pair == flow.pair).for_each(|(_, c)| c.on_wanted(now));
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
        let mut flows = self.components.iter().flat_map(|c| c.flows.iter());
        if let Some((flow, _)) = flows.find(|(flow, _)| flow.tuple == tuple) {
            return Some((flow.component, Some(flow.pair)));
        }
        self.inbound.iter().find(|(known, _)| *known == tuple).map(|(_, component)| (*component, None))
    }

    /// Where data of this component goes at `now`; `None` if there is no such component.
    pub(crate) fn outlet(&self, now: Instant, component: ComponentId) -> Option<Outlet> {
        let of = self.components.iter().find(|c| c.component == component)?;
        Some(match of.carrier(now) {
            Some(flow) => Outlet::Open(flow),
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
        let of =
            self.components.iter_mut().find(|c| c.flows.iter().any(|(_, consent)| consent.awaits(id)))?;
        let chosen = of.chosen().map(|f| f.pair);
        let (flow, consent) = of.flows.iter_mut().find(|(flow, c)| flow.tuple == from && c.awaits(id))?;
        let (rtt, change) = consent.on_response(now, id)?;
        tracer.emit(now, TraceEvent::ConsentGranted { pair: flow.pair, rtt });
        if change == Some(HealthChange::Recovered) && chosen == Some(flow.pair) {
            self.effects.push_back(Effect::Recovered(flow.pair));
        }
        Some(rtt)
    }

    /// An authenticated 403 to a consent check (RFC 7675 §5.2).
    pub(crate) fn on_revoked(&mut self, now: Instant, id: TransactionId, from: Tuple, tracer: &mut Tracer) {
        let flows = self.components.iter().flat_map(|c| c.flows.iter());
        let revoked =
            flows.into_iter().find(|(flow, c)| flow.tuple == from && c.awaits(id)).map(|(f, _)| f.pair);
        if let Some(pair) = revoked {
            tracer.emit(now, TraceEvent::ConsentLost { pair, revoked: true });
            self.lose(now, pair, Loss::Revoked);
            self.effects.push_back(Effect::ConsentEnded(pair));
        }
    }

    pub(crate) fn awaits(&self, id: TransactionId) -> bool {
        self.components.iter().flat_map(|c| c.flows.iter()).any(|(_, consent)| consent.awaits(id))
    }

    /// Ends what has run out. Call before [`Self::poll_request`].
    pub(crate) fn on_time(&mut self, now: Instant, tracer: &mut Tracer) {
        let over = |c: &ComponentPaths| {
            c.flows
                .iter()
                .find(|(flow, consent)| c.is_maintained(flow.pair) && consent.is_over(now))
                .map(|(f, _)| f.pair)
        };
        while let Some(pair) = self.components.iter().find_map(over) {
            tracer.emit(now, TraceEvent::ConsentLost { pair, revoked: false });
            self.lose(now, pair, Loss::Expired);
            self.effects.push_back(Effect::ConsentEnded(pair));
        }
    }

    /// The next consent check to send at `now`, if any.
    pub(crate) fn poll_request(
        &mut self,
        now: Instant,
        random: &mut Random,
        tracer: &mut Tracer,
    ) -> Option<ConsentRequest> {
        for of in &mut self.components {
            let (choice, chosen) = (of.choice, of.chosen().map(|f| f.pair));
            for (flow, consent) in of.flows.iter_mut().filter(|(f, _)| choice.maintains(f.pair)) {
                let Some((id, change)) = consent.poll_check(now, random) else { continue };
                tracer.emit(now, TraceEvent::ConsentSent { pair: flow.pair, transaction: id });
                if change == Some(HealthChange::Degraded) && chosen == Some(flow.pair) {
                    self.effects.push_back(Effect::Degraded(flow.pair));
                }
                return Some(ConsentRequest { pair: flow.pair, tuple: flow.tuple, id });
            }
        }
        None
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let maintained = |c: &ComponentPaths| {
            c.flows
                .iter()
                .filter(|(f, _)| c.is_maintained(f.pair))
                .map(|(_, consent)| consent.next_deadline())
                .min()
        };
        self.components.iter().filter_map(maintained).min()
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
        for of in self.components.iter_mut().filter(|c| c.flows.iter().any(|(f, _)| f.pair == pair)) {
            // The one that carries data, or would if it still had consent.
            let carried = of.chosen().is_some_and(|f| f.pair == pair);
            of.flows.retain(|(f, _)| f.pair != pair);
            if !carried {
                continue;
            }
            self.effects.push_back(Effect::Lost { pair, why });
            match of.choice {
                Choice::Selected(_) => self.effects.push_back(Effect::RestartNeeded { why }),
                Choice::Best => {
                    self.effects.extend(of.carrier(now).map(|next| Effect::Usable(next.pair)));
                }
            }
        }
    }
}

impl ComponentPaths {
    /// The flow that data takes, whether or not there is consent.
    fn chosen(&self) -> Option<Flow> {
        let flows = self.flows.iter().map(|(flow, _)| *flow);
        match self.choice {
            Choice::Selected(pair) => flows.into_iter().find(|f| f.pair == pair),
            Choice::Best => flows.into_iter().max_by_key(|f| f.priority),
        }
    }

    /// The flow that data takes now.
    fn carrier(&self, now: Instant) -> Option<Flow> {
        let granted = self.flows.iter().filter(|(_, consent)| consent.is_granted(now)).map(|(flow, _)| *flow);
        match self.choice {
            Choice::Selected(pair) => granted.into_iter().find(|f| f.pair == pair),
            Choice::Best => granted.into_iter().max_by_key(|f| f.priority),
        }
    }

    fn is_maintained(&self, pair: PairId) -> bool {
        self.choice.maintains(pair)
    }

    fn add(&mut self, flow: Flow, consent: Consent) {
        if self.flows.len() >= MAX_FLOWS {
            let expendable =
                self.flows.iter().enumerate().filter(|(_, (f, _))| self.choice != Choice::Selected(f.pair));
            if let Some((index, _)) = expendable.min_by_key(|(_, (f, _))| f.priority) {
                self.flows.remove(index);
            }
        }
        self.flows.push((flow, consent));
    }
}

impl Choice {
    /// Before selection every valid flow is kept alive; after it, the selected one.
    fn maintains(self, pair: PairId) -> bool {
        match self {
            Self::Best => true,
            Self::Selected(selected) => selected == pair,
        }
    }
}
