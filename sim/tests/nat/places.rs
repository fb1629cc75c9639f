//! The model's reading of RFC 4787 §4.1 to §4.2: which external address and port a mapping may have, and when there is none.

use core::net::{Ipv4Addr, SocketAddrV4};

use floe_sim::{Pooling, PortAssignment};

use super::model::{Answer, Model, Time, Verdict};

impl Model {
    pub(super) fn is_taken(&self, now: Time, external: SocketAddrV4) -> Answer {
        if self.config.port_assignment == PortAssignment::Overloading {
            return Answer::No;
        }
        let here = self.mappings.iter().find(|known| known.external == external);
        here.map_or(Answer::No, |known| known.is_alive(now))
    }

    /// §4.1: who is not yet seen to be paired with one may get any.
    fn addresses(&self, internal: Ipv4Addr) -> Vec<Ipv4Addr> {
        let pair = self.pairs.iter().find(|(own, _)| *own == internal);
        match (self.config.pooling, pair) {
            (Pooling::Paired, Some((_, external))) => vec![*external],
            _ => self.externals.clone(),
        }
    }

    /// The ports that an internal address may have on an external one, in ascending order.
    fn range(&self, internal: SocketAddrV4, address: Ipv4Addr) -> (u32, u32) {
        let (low, high) = (u32::from(*self.config.ports.start()), u32::from(*self.config.ports.end()) + 1);
        match self.config.port_assignment {
            PortAssignment::Overloading => (internal.port().into(), u32::from(internal.port()) + 1),
            PortAssignment::Block { size } => {
                let size = u32::from(size.max(1));
                let here = || self.blocks.iter().filter(move |(on, ..)| *on == address);
                let own = here().find(|(.., own)| own == internal.ip()).map(|(_, block, _)| *block);
                let block = own.unwrap_or(here().count() as u32);
                if low + (block + 1) * size <= high {
                    (low + block * size, low + (block + 1) * size)
                } else {
                    (low, low)
                }
            }
            _ => (low, high),
        }
    }

    pub(super) fn places(&self, internal: SocketAddrV4) -> impl Iterator<Item = SocketAddrV4> {
        self.addresses(*internal.ip()).into_iter().flat_map(move |address| {
            let (low, high) = self.range(internal, address);
            (low..high).map(move |port| SocketAddrV4::new(address, port as u16))
        })
    }

    pub(super) fn is_in_reach(&self, internal: SocketAddrV4, external: SocketAddrV4) -> Verdict {
        let wrong = |what: &str| Err(format!("{internal} got {external}: {what}"));
        if !self.addresses(*internal.ip()).contains(external.ip()) {
            return wrong("not its external address");
        }
        let (low, high) = match self.config.port_assignment {
            // A rebinding moves it.
            PortAssignment::Overloading => (0, 1 << 16),
            PortAssignment::Block { size } => {
                let number = (u32::from(external.port()) - u32::from(*self.config.ports.start()))
                    / u32::from(size.max(1));
                let own = self.blocks.iter().find(|row| (row.0, row.2) == (*external.ip(), *internal.ip()));
                let of_others = |row: &&(Ipv4Addr, u32, Ipv4Addr)| (row.0, row.1) == (*external.ip(), number);
                if own.map_or(self.blocks.iter().any(|row| of_others(&row)), |own| own.1 != number) {
                    return wrong("not in its block");
                }
                (u32::from(*self.config.ports.start()), u32::from(*self.config.ports.end()) + 1)
            }
            _ => self.range(internal, *external.ip()),
        };
        if (low..high).contains(&u32::from(external.port())) { Ok(()) } else { wrong("not one of its ports") }
    }

    /// §4.2: whether a new mapping may have this place.
    pub(super) fn may_be_given(&self, now: Time, internal: SocketAddrV4, external: SocketAddrV4) -> Verdict {
        let wrong = |what: &str| Err(format!("{internal} got {external}: {what}"));
        let addresses = self.addresses(*internal.ip());
        if !addresses.contains(external.ip()) {
            return wrong("not its external address");
        }
        let (low, high) = self.range(internal, *external.ip());
        if !(low..high).contains(&u32::from(external.port())) {
            return wrong("not one of its ports");
        }
        if self.is_taken(now, external) == Answer::Yes {
            return wrong("in use");
        }
        let last = self.last.iter().rev().find(|(on, _)| on == external.ip()).map(|(_, port)| *port);
        let first = match self.config.port_assignment {
            PortAssignment::Preserving if self.config.ports.contains(&internal.port()) => {
                let paired = self.config.pooling == Pooling::Paired;
                let within = addresses.iter().filter(|address| !paired || *address == external.ip());
                let same = within.map(|address| SocketAddrV4::new(*address, internal.port()));
                let mut preserving = same.filter(|at| self.is_taken(now, *at) == Answer::No);
                if external.port() != internal.port() && preserving.next().is_some() {
                    return wrong("the port could have been preserved");
                }
                u32::from(internal.port())
            }
            PortAssignment::Sequential { step } if last.is_some() => {
                u32::from(last.unwrap()) + u32::from(step.max(1))
            }
            _ => return Ok(()),
        };
        let mut port = low + (first - low) % (high - low);
        while port != u32::from(external.port()) {
            if self.is_taken(now, SocketAddrV4::new(*external.ip(), port as u16)) == Answer::No {
                return wrong(&format!("{port} comes first"));
            }
            port = if port + 1 == high { low } else { port + 1 };
        }
        Ok(())
    }

    pub(super) fn may_be_refused(&self, now: Time, internal: SocketAddrV4) -> Verdict {
        let is_free = |place: &SocketAddrV4| self.is_taken(now, *place) == Answer::No;
        let addresses = self.addresses(*internal.ip());
        let is_full = |address: &Ipv4Addr| {
            !self.places(internal).filter(|place| place.ip() == address).any(|place| is_free(&place))
        };
        let fits = match self.config.pooling {
            Pooling::Paired => addresses.iter().any(is_full),
            Pooling::Arbitrary => addresses.iter().all(is_full),
        };
        fits.then_some(()).ok_or(format!("{internal} got nothing, though there are free ports"))
    }

    pub(super) fn own_block(&mut self, internal: SocketAddrV4, external: SocketAddrV4) {
        if let PortAssignment::Block { size } = self.config.port_assignment {
            let low = u32::from(*self.config.ports.start());
            let block = (u32::from(external.port()) - low) / u32::from(size.max(1));
            let row = (*external.ip(), block, *internal.ip());
            if !self.blocks.contains(&row) {
                self.blocks.push(row);
            }
        }
    }
}
