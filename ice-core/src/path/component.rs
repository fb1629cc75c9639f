//! The flows of one component, which of them data takes, and which are kept.

use smallvec::SmallVec;

use super::consent::Consent;
use super::traffic::Traffic;
use super::{Effect, Flow, MAX_FLOWS, MAX_STANDBY};
use crate::base::{ComponentId, Instant, PairId};

#[derive(Debug)]
pub(super) struct ComponentPaths {
    pub(super) component: ComponentId,
    pub(super) flows: SmallVec<[Kept; 2]>,
    pub(super) choice: Choice,
    pub(super) traffic: Traffic,
}

/// A valid flow and what keeps it.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) flow: Flow,
    pub(super) consent: Consent,
    /// The nominated flag (RFC 8445 §7.2.5.3.4): it is selected, or may have to stand in for the one that is.
    pub(super) nominated: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Choice {
    /// The best valid flow, if there is one.
    Best,
    Selected(PairId),
}

impl ComponentPaths {
    /// The flow that data is to take, whether or not there is consent.
    pub(super) fn chosen(&self) -> Option<Flow> {
        match self.choice {
            Choice::Selected(pair) => self.flows.iter().map(|kept| kept.flow).find(|f| f.pair == pair),
            Choice::Best => self.flows.iter().map(|kept| kept.flow).max_by_key(|f| f.priority),
        }
    }

    /// The flow that data takes now. While the selected one waits for consent, another nominated one serves.
    pub(super) fn carrier(&self, now: Instant) -> Option<Flow> {
        let granted = || self.flows.iter().filter(|kept| kept.consent.is_granted(now));
        match self.choice {
            Choice::Selected(pair) => {
                let selected = granted().find(|kept| kept.flow.pair == pair);
                let stand_in =
                    || granted().filter(|kept| kept.nominated).max_by_key(|kept| kept.flow.priority);
                selected.or_else(stand_in).map(|kept| kept.flow)
            }
            Choice::Best => granted().map(|kept| kept.flow).max_by_key(|f| f.priority),
        }
    }

    /// Before selection every valid flow is kept alive; after it, those that were nominated. A generation that has not
    /// selected is not bound by the choice of the one before.
    pub(super) fn maintains(&self, kept: &Kept, standby: bool) -> bool {
        let better = || self.flows.iter().filter(|other| other.flow.priority > kept.flow.priority).count();
        if standby && !self.is_choice(kept) {
            return better() <= MAX_STANDBY;
        }
        kept.nominated
            || match self.choice {
                Choice::Best => true,
                Choice::Selected(pair) => pair.generation() != kept.flow.pair.generation(),
            }
    }

    fn is_choice(&self, kept: &Kept) -> bool {
        self.choice == Choice::Selected(kept.flow.pair)
    }

    /// The news that data may flow, if it could not before.
    pub(super) fn reopened(&self, now: Instant, had_path: bool) -> Option<Effect> {
        self.carrier(now).filter(|_| !had_path).map(|flow| Effect::Usable(flow.pair))
    }

    pub(super) fn add(&mut self, new: Kept) {
        if self.flows.len() >= MAX_FLOWS {
            let expendable = |kept: &Kept| self.choice != Choice::Selected(kept.flow.pair);
            let others = self.flows.iter().enumerate().filter(|(_, kept)| expendable(kept));
            if let Some((index, _)) = others.min_by_key(|(_, kept)| (kept.nominated, kept.flow.priority)) {
                self.flows.remove(index);
            }
        }
        self.flows.push(new);
    }
}
