//! How a NAT chooses the external address and port of a new mapping.

use core::net::{Ipv4Addr, SocketAddrV4};
use std::collections::BTreeMap;

use super::{NatConfig, Pooling, PortAssignment};
use crate::dice::Dice;

/// The external addresses of one NAT, and what it has given out.
pub(crate) struct Ports {
    assignment: PortAssignment,
    pooling: Pooling,
    /// The lowest port that may be used, and how many.
    low: u16,
    count: u32,
    outsides: Vec<Outside>,
    /// Which of the external addresses an internal one has. Only where they are paired.
    pairs: BTreeMap<Ipv4Addr, usize>,
}

/// One external address.
struct Outside {
    address: Ipv4Addr,
    last: Option<u16>,
    /// Ports that have mappings, those included that have expired and are not yet taken away.
    taken: u32,
    /// Which block an internal address has, counted from the lowest port.
    blocks: BTreeMap<Ipv4Addr, u32>,
}

/// In which order ports are tried: so many, counted from the `first`th of them, in a circle.
struct Range {
    low: u32,
    count: u32,
    first: u32,
}

impl Ports {
    pub(crate) fn new(config: &NatConfig, externals: Vec<Ipv4Addr>) -> Self {
        let outside = |address| Outside { address, last: None, taken: 0, blocks: BTreeMap::new() };
        let (low, high) = (*config.ports.start(), *config.ports.end());
        Self {
            assignment: config.port_assignment,
            pooling: config.pooling,
            low,
            count: (u32::from(high) + 1).saturating_sub(u32::from(low)),
            outsides: externals.into_iter().map(outside).collect(),
            pairs: BTreeMap::new(),
        }
    }

    pub(crate) fn externals(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.outsides.iter().map(|outside| outside.address)
    }

    /// An external address and port for a new mapping of `internal`. None if none is left.
    pub(crate) fn choose(
        &mut self,
        internal: SocketAddrV4,
        dice: &mut Dice,
        is_free: impl Fn(SocketAddrV4) -> bool,
    ) -> Option<SocketAddrV4> {
        if self.count == 0 || self.outsides.is_empty() {
            return None;
        }
        let first = self.first_outside(*internal.ip(), dice);
        let all = self.outsides.len();
        let candidates = match self.pooling {
            Pooling::Paired => first..first + 1,
            Pooling::Arbitrary => first..first + all,
        };
        let candidates = candidates.map(|number| number % all);
        if self.assignment == PortAssignment::Overloading {
            let outside = self.outsides.get(first)?;
            let preferred = SocketAddrV4::new(outside.address, internal.port());
            if is_free(preferred) {
                return Some(preferred);
            }
        }
        if self.assignment == PortAssignment::Preserving && self.contains(internal.port()) {
            let same = |number| {
                let outside: &Outside = self.outsides.get(number)?;
                Some(SocketAddrV4::new(outside.address, internal.port()))
            };
            if let Some(found) = candidates.clone().filter_map(same).find(|external| is_free(*external)) {
                return Some(found);
            }
        }
        for number in candidates {
            let (assignment, low, count) = (self.assignment, self.low, self.count);
            let outside = self.outsides.get_mut(number)?;
            if outside.taken >= count {
                continue;
            }
            let Some(range) = outside.range(assignment, low, count, internal, dice) else { continue };
            let external = |port| SocketAddrV4::new(outside.address, port);
            if let Some(port) = range.ports().find(|port| is_free(external(*port))) {
                outside.last = Some(port);
                return Some(external(port));
            }
        }
        None
    }

    /// Whether one of the external addresses has mappings, dead or alive, on all its ports.
    pub(crate) fn is_any_full(&self) -> bool {
        self.outsides.iter().any(|outside| outside.taken >= self.count)
    }

    /// An external port has its first mapping.
    pub(crate) fn take(&mut self, external: SocketAddrV4) {
        if let Some(outside) = self.outsides.iter_mut().find(|outside| outside.address == *external.ip()) {
            outside.taken += 1;
        }
    }

    /// An external port has lost its last mapping.
    pub(crate) fn release(&mut self, external: SocketAddrV4) {
        if let Some(outside) = self.outsides.iter_mut().find(|outside| outside.address == *external.ip()) {
            outside.taken = outside.taken.saturating_sub(1);
        }
    }

    /// As if nothing had been given out.
    pub(crate) fn forget(&mut self) {
        self.pairs.clear();
        for outside in &mut self.outsides {
            (outside.last, outside.taken) = (None, 0);
            outside.blocks.clear();
        }
    }

    fn contains(&self, port: u16) -> bool {
        u32::from(port).checked_sub(self.low.into()).is_some_and(|offset| offset < self.count)
    }

    /// Where there is one address, nothing is taken from the dice.
    fn first_outside(&mut self, internal: Ipv4Addr, dice: &mut Dice) -> usize {
        let count = self.outsides.len();
        match self.pooling {
            _ if count <= 1 => 0,
            Pooling::Paired => {
                let next = self.pairs.len() % count;
                *self.pairs.entry(internal).or_insert(next)
            }
            Pooling::Arbitrary => dice.below(u32::try_from(count).unwrap_or(u32::MAX)) as usize,
        }
    }
}

impl Outside {
    /// Which ports to try on this address. None if the internal address finds no block.
    fn range(
        &mut self,
        assignment: PortAssignment,
        low: u16,
        count: u32,
        internal: SocketAddrV4,
        dice: &mut Dice,
    ) -> Option<Range> {
        let low = u32::from(low);
        let offset = |port: u16| u32::from(port).saturating_sub(low);
        let first = match (assignment, self.last) {
            (PortAssignment::Preserving | PortAssignment::Overloading, _) => offset(internal.port()),
            (PortAssignment::Sequential { step }, Some(last)) => offset(last) + u32::from(step.max(1)),
            (PortAssignment::Sequential { .. }, None) | (PortAssignment::Random, _) => dice.below(count),
            (PortAssignment::Block { size }, _) => {
                let size = u32::from(size.max(1));
                let next = u32::try_from(self.blocks.len()).unwrap_or(u32::MAX);
                let is_left = next < count / size;
                let block = match self.blocks.get(internal.ip()) {
                    Some(block) => *block,
                    None if is_left => *self.blocks.entry(*internal.ip()).or_insert(next),
                    None => return None,
                };
                return Some(Range { low: low + block * size, count: size, first: dice.below(size) });
            }
        };
        Some(Range { low, count, first })
    }
}

impl Range {
    fn ports(&self) -> impl Iterator<Item = u16> {
        let Self { low, count, first } = *self;
        (0..count).map(move |tried| (low + (first + tried) % count) as u16)
    }
}
