//! How the flows do: what the application has seen of them, what checks have, and what that makes of them for whoever chooses.

use core::time::Duration;

use super::consent::HealthChange;
use super::{Choice, Effect, Kept, Paths};
use crate::base::{ComponentId, Instant, PairId};

/// How a flow does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Measured {
    pub(crate) pair: PairId,
    /// Smoothed over the consent checks, if one was answered.
    pub(crate) rtt: Option<Duration>,
    pub(crate) loss_per_mille: u16,
    pub(crate) degraded: bool,
}

impl Paths {
    /// What the application has seen of the component's path: trouble, or none.
    pub(crate) fn note(&mut self, now: Instant, component: ComponentId, trouble: bool) {
        let of = self.components.iter().find(|c| c.component == component);
        if let Some(carrier) = of.and_then(|of| of.carrier(now)) {
            self.observe(now, carrier.pair, trouble);
        }
    }

    /// Checks of this flow went unanswered, though the peer is there: it counts as degraded until one is answered.
    pub(crate) fn on_silent(&mut self, now: Instant, pair: PairId) {
        self.observe(now, pair, true);
    }

    /// The flows of the current generation that data could take, with how they do.
    pub(crate) fn measured(
        &self,
        now: Instant,
        component: ComponentId,
    ) -> impl Iterator<Item = Measured> + '_ {
        let generation = self.generation;
        let flows =
            self.components.iter().filter(move |c| c.component == component).flat_map(|c| c.flows.iter());
        flows.filter(move |k| k.flow.pair.generation() == generation && k.consent.is_granted(now)).map(
            |kept| Measured {
                pair: kept.flow.pair,
                rtt: kept.consent.rtt(),
                loss_per_mille: kept.consent.loss_per_mille(),
                degraded: kept.consent.is_degraded(),
            },
        )
    }

    /// While a restart has not selected, nobody can nominate among the paths that the old generation lends. One that is
    /// degraded gives way to the best of the others that is not.
    pub(super) fn relieve(&mut self, now: Instant) {
        let (generation, standby) = (self.generation, self.standby);
        for of in self.components.iter_mut().filter(|_| standby) {
            let Choice::Selected(pair) = of.choice else { continue };
            let is_degraded = |kept: &&Kept| kept.flow.pair == pair && kept.consent.is_degraded();
            if pair.generation() == generation || !of.flows.iter().any(|kept| is_degraded(&kept)) {
                continue;
            }
            let serves = |kept: &&Kept| {
                kept.flow.pair.generation() == pair.generation()
                    && kept.consent.is_granted(now)
                    && !kept.consent.is_degraded()
            };
            let promise = |kept: &&Kept| (kept.consent.was_answered(), kept.flow.priority);
            if let Some(best) = of.flows.iter().filter(serves).max_by_key(promise).map(|kept| kept.flow.pair)
            {
                of.choice = Choice::Selected(best);
                self.effects.push_back(Effect::Usable(best));
            }
        }
    }

    fn observe(&mut self, now: Instant, pair: PairId, trouble: bool) {
        for of in &mut self.components {
            let carrier = of.carrier(now).map(|f| f.pair);
            let Some(kept) = of.flows.iter_mut().find(|kept| kept.flow.pair == pair) else { continue };
            let effect = match kept.consent.note(trouble) {
                Some(HealthChange::Degraded) => Effect::Degraded(pair),
                Some(HealthChange::Recovered) => Effect::Recovered(pair),
                None => continue,
            };
            self.effects.extend((carrier == Some(pair)).then_some(effect));
        }
    }
}
