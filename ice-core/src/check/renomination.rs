//! Nominating another pair when one is selected: only towards a peer that has said that it understands
//! (`ice-options:renomination`), since RFC 8445 §8.1.1 forbids it otherwise. Each nomination is numbered, and the latest
//! holds, whatever the order in which they arrive. Pairs stay, and are checked on, so that there is something to change to.

use core::time::Duration;

use super::conclusion::Conclusion;
use super::pair::{PairNomination, Standing};
use super::role::Role;
use super::{Checks, Context};
use crate::base::{ComponentId, Instant, PairId};

/// A pair whose nomination is under way while another one is selected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Renomination {
    pub(super) pair: PairId,
    pub(super) since: Instant,
}

/// How long a renomination is repeated: some twenty requests, as for a first nomination. After that the selected pair is
/// as good as any.
const PATIENCE: Duration = Duration::from_secs(10);

impl Checks {
    /// Whether both sides renominate.
    pub(crate) fn set_renominates(&mut self, both: bool) {
        self.renominates = both;
    }

    pub(crate) fn renominates(&self) -> bool {
        self.renominates
    }

    /// Whether the component takes no more pairs: one is selected, and only a restart could change that.
    pub(super) fn is_closed(&self, component: ComponentId) -> bool {
        self.is_concluded(component) && !self.renominates
    }

    /// Controlling: nominates this valid pair in place of the selected one; whether that is possible.
    pub(crate) fn renominate(&mut self, cx: &mut Context<'_>, id: PairId) -> bool {
        let Some(pair) = self.set.get(id).filter(|p| p.valid().is_some()) else { return false };
        let component = pair.component;
        if self.role != Role::Controlling || !self.renominates {
            return false;
        }
        let Some(of) = self.components.iter_mut().find(|c| c.component == component) else { return false };
        let Conclusion::Selected { pair: selected } = of.conclusion else { return false };
        if selected == id || of.renomination.is_some_and(|r| r.pair == id) {
            return false;
        }
        of.renomination = Some(Renomination { pair: id, since: cx.now });
        self.number(id);
        self.triggered.retain(|&t| t != id);
        self.triggered.push_front(id);
        true
    }

    /// Controlling: a renomination that nobody answers is given up. The peer may have heard it all the same, so the selected
    /// pair is nominated once more: then both mean that one.
    pub(super) fn give_up_renominations(&mut self, now: Instant) {
        for index in 0..self.components.len() {
            let Some(of) = self.components.get_mut(index) else { return };
            let (Some(given_up), Conclusion::Selected { pair }) = (of.renomination, of.conclusion) else {
                continue;
            };
            if now >= given_up.since + PATIENCE {
                of.renomination = (given_up.pair != pair).then_some(Renomination { pair, since: now });
                self.transactions.cancel(|t| t.pair == given_up.pair);
                self.number(pair);
                self.enqueue(pair);
            }
        }
    }

    pub(super) fn next_renomination_deadline(&self) -> Option<Instant> {
        self.components.iter().filter_map(|c| c.renomination.map(|r| r.since + PATIENCE)).min()
    }

    /// The pairs whose renomination is under way.
    pub(super) fn renominating(&self) -> impl Iterator<Item = PairId> {
        self.components.iter().filter_map(|c| c.renomination.map(|r| r.pair))
    }

    /// The peer has heard the nomination of this pair. An earlier one may be answered while a later one is out.
    pub(super) fn on_renominated(&mut self, component: ComponentId, id: PairId, standing: Standing) {
        if self.set.get(id).is_none_or(|p| p.numbered != standing.number) {
            return;
        }
        if let Some(of) = self.components.iter_mut().find(|c| c.component == component) {
            of.renomination = of.renomination.filter(|r| r.pair != id);
        }
    }

    /// This pair is gone: a renomination of it, or beside it, is over. Of one the peer may have heard, so what is selected is
    /// nominated once more.
    pub(super) fn end_renomination(&mut self, component: ComponentId, gone: PairId) {
        let Some(of) = self.components.iter_mut().find(|c| c.component == component) else { return };
        let Conclusion::Selected { pair } = of.conclusion else { return };
        if pair == gone {
            of.renomination = None;
        } else if of.renomination.is_some_and(|r| r.pair == gone) {
            of.renomination = None;
            self.number(pair);
            self.enqueue(pair);
        }
    }

    /// The peer nominates from now on.
    pub(super) fn forget_renominations(&mut self) {
        self.components.iter_mut().for_each(|of| of.renomination = None);
    }

    /// We nominate this pair: it counts more than all that we nominated before.
    pub(super) fn number(&mut self, id: PairId) {
        self.last_number = self.last_number.saturating_add(1);
        if let Some(pair) = self.set.get_mut(id) {
            pair.numbered = self.last_number;
        }
    }

    /// What our nomination of this pair counts.
    pub(super) fn standing_of(&self, id: PairId) -> Standing {
        let number = match self.set.get(id) {
            Some(pair) if self.renominates => pair.numbered,
            _ => 0,
        };
        Standing { tenure: self.tenure, number }
    }

    /// The selected pair has failed. Towards a peer that renominates any other may follow, once it is valid.
    pub(super) fn reopen(&mut self, now: Instant, component: ComponentId) {
        if let Some(of) = self.components.iter_mut().find(|c| c.component == component) {
            of.reopened = Some(now);
        }
        for pair in self.set.iter_mut().filter(|p| p.component == component) {
            pair.nomination = PairNomination::None;
        }
    }
}
