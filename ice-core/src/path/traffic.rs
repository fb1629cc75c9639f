//! How much data went over which pair, for statistics. It is counted and never decides anything. A datagram costs a few
//! additions; the first one of a pair makes its entry.

use core::fmt;

use smallvec::SmallVec;

use super::{Choice, ComponentPaths, Paths};
use crate::base::{ComponentId, Instant, PairId};

/// Payload, and nothing else: no checks, no framing.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Volume {
    pub(crate) packets_sent: u64,
    pub(crate) packets_received: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
}

/// What went over one pair.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct PairTraffic {
    pub(crate) volume: Volume,
    pub(crate) last_sent: Option<Instant>,
    pub(crate) last_received: Option<Instant>,
    pub(crate) packets_discarded: u64,
    pub(crate) bytes_discarded: u64,
}

/// Of how many pairs of a component the data is remembered; those on which nothing went for the longest are forgotten
/// first. A peer can move its data from pair to pair as often as it likes (RFC 8445 §12.2), and few pairs ever carry
/// any.
pub(crate) const MAX_COUNTED: usize = 32;

/// The books of one component.
#[derive(Default)]
pub(super) struct Traffic {
    total: Volume,
    pairs: SmallVec<[(PairId, PairTraffic); 1]>,
    selected: Option<PairId>,
    selected_changes: u32,
}

impl Paths {
    /// Data was handed out to be sent over this pair.
    pub(crate) fn on_sent(&mut self, now: Instant, component: ComponentId, pair: PairId, bytes: usize) {
        let Some(traffic) = self.traffic_mut(component) else { return };
        traffic.total.add_sent(bytes);
        let Some(entry) = traffic.entry(pair) else { return };
        entry.volume.add_sent(bytes);
        entry.last_sent = Some(now);
    }

    /// The same data could not be sent after all.
    pub(crate) fn on_unsent(&mut self, component: ComponentId, pair: PairId, bytes: usize) {
        let Some(traffic) = self.traffic_mut(component) else { return };
        traffic.total.take_sent(bytes);
        let Some(entry) = traffic.entry(pair) else { return };
        entry.volume.take_sent(bytes);
    }

    /// Data for this pair was thrown away.
    pub(crate) fn on_discarded(&mut self, component: ComponentId, pair: PairId, bytes: usize) {
        let Some(entry) = self.traffic_mut(component).and_then(|t| t.entry(pair)) else { return };
        entry.packets_discarded = entry.packets_discarded.saturating_add(1);
        entry.bytes_discarded = entry.bytes_discarded.saturating_add(wide(bytes));
    }

    /// Data came in; `pair` is what it came over, as far as that is known.
    pub(crate) fn on_received(
        &mut self,
        now: Instant,
        component: ComponentId,
        pair: Option<PairId>,
        bytes: usize,
    ) {
        let Some(traffic) = self.traffic_mut(component) else { return };
        traffic.total.add_received(bytes);
        let Some(entry) = pair.and_then(|pair| traffic.entry(pair)) else { return };
        entry.volume.add_received(bytes);
        entry.last_received = Some(now);
    }

    /// The dust has settled: counts where another pair is selected than before.
    pub(crate) fn on_settled(&mut self) {
        for of in &mut self.components {
            let selected = of.selected();
            if of.traffic.selected != selected {
                of.traffic.selected = selected;
                of.traffic.selected_changes = of.traffic.selected_changes.saturating_add(1);
            }
        }
    }

    pub(crate) fn traffic_of(&self, component: ComponentId, pair: PairId) -> PairTraffic {
        let of = self.of(component);
        let entry = of.and_then(|c| c.traffic.pairs.iter().find(|(known, _)| *known == pair));
        entry.map(|(_, traffic)| *traffic).unwrap_or_default()
    }

    pub(crate) fn volume(&self, component: ComponentId) -> Volume {
        self.of(component).map(|c| c.traffic.total).unwrap_or_default()
    }

    /// The pair that is selected, which after a restart is the old one until there is a new one, and how often that
    /// has changed.
    pub(crate) fn selection(&self, component: ComponentId) -> (Option<PairId>, u32) {
        self.of(component).map(|c| (c.selected(), c.traffic.selected_changes)).unwrap_or_default()
    }

    /// The pair that data is to take, whether or not there is consent.
    pub(crate) fn chosen(&self, component: ComponentId) -> Option<PairId> {
        self.of(component)?.chosen().map(|flow| flow.pair)
    }

    /// Whether the pair that data takes goes unanswered.
    pub(crate) fn is_degraded(&self, now: Instant, component: ComponentId) -> bool {
        let carrier = self.of(component).and_then(|c| Some((c, c.carrier(now)?.pair)));
        carrier.is_some_and(|(c, pair)| {
            c.flows.iter().any(|kept| kept.flow.pair == pair && kept.consent.is_degraded())
        })
    }

    fn of(&self, component: ComponentId) -> Option<&ComponentPaths> {
        self.components.iter().find(|c| c.component == component)
    }

    fn traffic_mut(&mut self, component: ComponentId) -> Option<&mut Traffic> {
        self.components.iter_mut().find(|c| c.component == component).map(|c| &mut c.traffic)
    }

    #[cfg(test)]
    pub(crate) fn counted_len(&self) -> usize {
        self.components.iter().map(|c| c.traffic.pairs.len()).sum()
    }
}

impl ComponentPaths {
    fn selected(&self) -> Option<PairId> {
        match self.choice {
            Choice::Selected(pair) => self.flows.iter().any(|kept| kept.flow.pair == pair).then_some(pair),
            Choice::Best => None,
        }
    }
}

impl Traffic {
    /// There always is one, or it is made.
    fn entry(&mut self, pair: PairId) -> Option<&mut PairTraffic> {
        let index = match self.pairs.iter().position(|(known, _)| *known == pair) {
            Some(index) => index,
            None => {
                self.make_room();
                self.pairs.push((pair, PairTraffic::default()));
                self.pairs.len() - 1
            }
        };
        self.pairs.get_mut(index).map(|(_, traffic)| traffic)
    }

    fn make_room(&mut self) {
        if self.pairs.len() < MAX_COUNTED {
            return;
        }
        let idle = self.pairs.iter().enumerate();
        if let Some((index, _)) = idle.min_by_key(|(_, (_, it))| it.last_sent.max(it.last_received)) {
            self.pairs.remove(index);
        }
    }
}

impl Volume {
    fn add_sent(&mut self, bytes: usize) {
        self.packets_sent = self.packets_sent.saturating_add(1);
        self.bytes_sent = self.bytes_sent.saturating_add(wide(bytes));
    }

    fn take_sent(&mut self, bytes: usize) {
        self.packets_sent = self.packets_sent.saturating_sub(1);
        self.bytes_sent = self.bytes_sent.saturating_sub(wide(bytes));
    }

    fn add_received(&mut self, bytes: usize) {
        self.packets_received = self.packets_received.saturating_add(1);
        self.bytes_received = self.bytes_received.saturating_add(wide(bytes));
    }
}

impl fmt::Debug for Traffic {
    /// Nothing of it: data is not authenticated, and may not change anything but these numbers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

fn wide(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
