//! A reading of RFC 4787 that shares nothing with the simulator but the words of its settings: a list of mappings and a list
//! of permits for each, searched from end to end, and tables of what matters. It is told what a NAT was seen to do, and says what was
//! wrong with it. Where a NAT may choose, it knows what may be chosen; where a lifetime is drawn, it narrows it down by what it sees.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use floe_sim::{Filtering, Hairpin, Mapping, NatConfig, Pooling, PortAssignment, Refresh};

pub(crate) type Verdict = Result<(), String>;

/// Time since the beginning.
pub(crate) type Time = Duration;

/// What became of a datagram that came to an external address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Arrival {
    DeliveredTo(SocketAddrV4),
    Filtered,
    NoMapping,
}

/// Which parts of a remote address matter: the IP address, the port. §4.1 for mappings, §5 for filters.
const MAPPING: [(Mapping, bool, bool); 3] = [
    (Mapping::EndpointIndependent, false, false),
    (Mapping::AddressDependent, true, false),
    (Mapping::AddressAndPortDependent, true, true),
];
const FILTER: [(Filtering, bool, bool); 3] = [
    (Filtering::EndpointIndependent, false, false),
    (Filtering::AddressDependent, true, false),
    (Filtering::AddressAndPortDependent, true, true),
];
/// What restarts the timer: datagrams that go out, datagrams that come in. §4.3.
const REFRESH: [(Refresh, bool, bool); 3] =
    [(Refresh::Outbound, true, false), (Refresh::Inbound, false, true), (Refresh::Both, true, true)];

pub(crate) struct Model {
    config: NatConfig,
    externals: Vec<Ipv4Addr>,
    mappings: Vec<Known>,
    /// Which external address an internal one has, where they are paired.
    pairs: Vec<(Ipv4Addr, Ipv4Addr)>,
    /// Which block, counted from the lowest, on which external address belongs to which internal one.
    blocks: Vec<(Ipv4Addr, u32, Ipv4Addr)>,
    /// The last port of each external address, if that is known.
    last: Vec<(Ipv4Addr, u16)>,
    datagrams: u64,
}

/// A mapping that is not known to be gone.
struct Known {
    internal: SocketAddrV4,
    made_for: SocketAddrV4,
    external: SocketAddrV4,
    /// When its timer was started: not before, not after.
    used: (Time, Time),
    /// It lives for at least this, and not longer than that.
    life: (Duration, Duration),
    permits: Vec<Permit>,
    /// What was sent through it: to whom, and its number.
    sent: Vec<(SocketAddrV4, u64)>,
}

struct Permit {
    remote: SocketAddrV4,
    since: Time,
    /// Whether it might have been forgotten.
    doubtful: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answer {
    Yes,
    No,
    Perhaps,
}

const TICK: Duration = Duration::from_nanos(1);

impl Model {
    pub(crate) fn new(config: NatConfig, externals: Vec<Ipv4Addr>) -> Self {
        let (mappings, pairs, blocks, last) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { config, externals, mappings, pairs, blocks, last, datagrams: 0 }
    }

    /// §6. Whether a datagram from the inside to an external address gets anywhere, and the source that it then has to show.
    pub(crate) fn hairpinned(&self, internal: SocketAddrV4, mapped: SocketAddrV4) -> Option<SocketAddrV4> {
        match self.config.hairpin {
            Hairpin::None => None,
            Hairpin::InternalSource => Some(internal),
            Hairpin::ExternalSource => Some(mapped),
        }
    }

    /// The NAT has let a datagram out with this source, or with none because it had no port left.
    pub(crate) fn went_out(
        &mut self,
        now: Time,
        internal: SocketAddrV4,
        remote: SocketAddrV4,
        seen: Option<SocketAddrV4>,
    ) -> Verdict {
        self.forget_the_dead(now);
        self.pair(*internal.ip());
        let (_, ip, port) = MAPPING.into_iter().find(|row| row.0 == self.config.mapping).unwrap();
        let is_its = |known: &Known| known.internal == internal && same(known.made_for, remote, ip, port);
        if let Some(place) = self.mappings.iter().position(is_its) {
            let known = &self.mappings[place];
            let (alive, external) = (known.is_alive(now), known.external);
            if seen != Some(external) {
                if alive == Answer::Yes {
                    return Err(format!("{internal} to {remote} has {external} and got {seen:?}"));
                }
                self.mappings.remove(place);
            } else if alive == Answer::Perhaps {
                let old = self.mappings.remove(place);
                let could_be_new = self.may_be_given(now, internal, external).is_ok();
                self.mappings.push(old);
                let fresh = self.fresh_life();
                let known = self.mappings.last_mut().unwrap();
                if could_be_new {
                    // In either case it has this place now, and nobody knows which of them came last.
                    self.last.retain(|(on, _)| on != external.ip());
                    known.used.1 = now;
                    known.life = fresh;
                    known.permits.iter_mut().for_each(|permit| permit.doubtful = true);
                } else {
                    known.learn(now, true);
                }
            }
        }
        if !self.mappings.iter().any(is_its) {
            let Some(external) = seen else { return self.may_be_refused(now, internal) };
            self.may_be_given(now, internal, external)?;
            self.give(now, internal, remote, external);
        }
        self.datagrams += 1;
        let (number, out) = (self.datagrams, self.refreshed_by().0);
        let known = self.mappings.iter_mut().find(|known| is_its(known)).unwrap();
        if out {
            known.used = (now, now);
        }
        known.permit(remote, now);
        known.sent.push((remote, number));
        Ok(())
    }

    /// A datagram has come to an external address: so the NAT did with it.
    pub(crate) fn came_in(
        &mut self,
        now: Time,
        external: SocketAddrV4,
        remote: SocketAddrV4,
        seen: Arrival,
    ) -> Verdict {
        self.forget_the_dead(now);
        let Some(place) = self.addressee(external, remote) else {
            let fits = (seen == Arrival::NoMapping).then_some(());
            return fits.ok_or(format!("nothing is mapped at {external}: {seen:?}"));
        };
        let (_, ip, port) = FILTER.into_iter().find(|row| row.0 == self.config.filtering).unwrap();
        let inward = self.refreshed_by().1;
        let known = &mut self.mappings[place];
        if seen == Arrival::NoMapping {
            if known.is_alive(now) == Answer::Yes {
                return Err(format!("{external} is mapped to {}", known.internal));
            }
            known.learn(now, false);
            self.mappings.remove(place);
            return Ok(());
        }
        known.learn(now, true);
        let matching: Vec<usize> = (0..known.permits.len())
            .filter(|place| same(known.permits[*place].remote, remote, ip, port))
            .collect();
        let open = matching.iter().map(|place| known.is_open(now, *place));
        let open = if !ip || open.clone().any(|open| open == Answer::Yes) {
            Answer::Yes
        } else if open.clone().any(|open| open == Answer::Perhaps) {
            Answer::Perhaps
        } else {
            Answer::No
        };
        match (seen, open) {
            (Arrival::Filtered, Answer::No | Answer::Perhaps) => {
                // What might have let it in is not there, and the youngest says most about the lifetime.
                let certain = matching.iter().map(|place| &known.permits[*place]).filter(|p| !p.doubtful);
                if let Some(since) = certain.map(|permit| permit.since).max() {
                    known.life.1 = known.life.1.min(now - since);
                }
                for place in matching.into_iter().rev() {
                    known.permits.remove(place);
                }
                Ok(())
            }
            (Arrival::DeliveredTo(internal), Answer::Yes | Answer::Perhaps) if internal == known.internal => {
                if let (Answer::Perhaps, [only]) = (open, &matching[..]) {
                    let permit = &mut known.permits[*only];
                    permit.doubtful = false;
                    known.life.0 = known.life.0.max(now - permit.since + TICK);
                }
                if inward {
                    known.used = (now, now);
                    known.permit(remote, now);
                }
                Ok(())
            }
            _ => Err(format!("{external} is {}, open to {remote}: {open:?}, but {seen:?}", known.internal)),
        }
    }

    /// A power cut.
    pub(crate) fn rebooted(&mut self) {
        *self = Self::new(self.config.clone(), self.externals.clone());
    }

    /// Whether it is known of every mapping whether it lives. Only then can what a rebinding moves be told from what it loses.
    pub(crate) fn is_certain(&mut self, now: Time) -> bool {
        self.forget_the_dead(now);
        self.mappings.iter().all(|known| known.is_alive(now) == Answer::Yes)
    }

    /// What has to be sent, from where to where, to see what a rebinding has done.
    pub(crate) fn flows(&self) -> Vec<(SocketAddrV4, SocketAddrV4)> {
        self.mappings.iter().map(|known| (known.internal, known.made_for)).collect()
    }

    /// All mappings were moved, and these are the sources that [`flows`](Self::flows) have now, in their order.
    pub(crate) fn rebound(&mut self, now: Time, seen: &[Option<SocketAddrV4>]) -> Verdict {
        let before: Vec<SocketAddrV4> = self.mappings.iter().map(|known| known.external).collect();
        let moved = |seen: &Option<SocketAddrV4>| seen.filter(|external| !before.contains(external));
        let after: Vec<SocketAddrV4> = seen.iter().filter_map(moved).collect();
        let (mut lost, first) = (Vec::new(), self.datagrams);
        self.datagrams += seen.len() as u64;
        for (number, (mut known, seen)) in
            (first..).zip(core::mem::take(&mut self.mappings).into_iter().zip(seen))
        {
            let Some(external) = moved(seen) else {
                lost.push((number, known, *seen));
                continue;
            };
            let twice = after.iter().filter(|other| **other == external).count() > 1;
            if twice && self.config.port_assignment != PortAssignment::Overloading {
                return Err(format!("{external} was given to two"));
            }
            self.is_in_reach(known.internal, external)?;
            self.own_block(known.internal, external);
            known.external = external;
            self.mappings.push(known);
            self.note_flow(now, number);
        }
        // Lost, and perhaps mapped anew: then no place was left that nobody had before or has now.
        let is_left = |at: &SocketAddrV4| !before.contains(at) && !after.contains(at);
        for (_, known, _) in &lost {
            if let Some(left) = self.places(known.internal).find(is_left) {
                return Err(format!("{} was lost, though {left} was left", known.internal));
            }
        }
        for (number, known, seen) in lost {
            if let Some(external) = seen {
                self.is_in_reach(known.internal, external)?;
                if self.is_taken(now, external) != Answer::No {
                    return Err(format!("{external} was given to two"));
                }
                self.give(now, known.internal, known.made_for, external);
                self.note_flow(now, number);
            }
        }
        // Nobody knows which of them was moved last.
        self.last.clear();
        Ok(())
    }

    /// The last mapping has been sent through to the remote that it was made for.
    fn note_flow(&mut self, now: Time, number: u64) {
        let (out, _) = self.refreshed_by();
        let known = self.mappings.last_mut().unwrap();
        known.used = if out { (now, now) } else { known.used };
        known.permit(known.made_for, now);
        known.sent.push((known.made_for, number + 1));
    }

    fn forget_the_dead(&mut self, now: Time) {
        self.mappings.retain(|known| known.is_alive(now) != Answer::No);
    }

    fn refreshed_by(&self) -> (bool, bool) {
        let its = |row: &(Refresh, bool, bool)| row.0 == self.config.refresh;
        REFRESH.into_iter().find(its).map(|(_, out, inward)| (out, inward)).unwrap()
    }

    fn fresh_life(&self) -> (Duration, Duration) {
        (self.config.lifetime, self.config.lifetime + self.config.lifetime_jitter)
    }

    /// Whose a datagram is. Several have one address only where ports are overloaded: then it is his who sent last to that very remote,
    /// then his who sent last to its address, then his who sent last.
    fn addressee(&self, external: SocketAddrV4, remote: SocketAddrV4) -> Option<usize> {
        let mut best = None;
        for (place, known) in self.mappings.iter().enumerate().filter(|(_, known)| known.external == external)
        {
            let last = |ip: bool, port: bool| {
                let to_it = known.sent.iter().filter(|(to, _)| same(*to, remote, ip, port));
                to_it.map(|(_, number)| *number).max()
            };
            let claim = (last(true, true), last(true, false), last(false, false));
            if best.is_none_or(|(_, other)| claim > other) {
                best = Some((place, claim));
            }
        }
        best.map(|(place, _)| place)
    }

    fn is_taken(&self, now: Time, external: SocketAddrV4) -> Answer {
        if self.config.port_assignment == PortAssignment::Overloading {
            return Answer::No;
        }
        let here = self.mappings.iter().find(|known| known.external == external);
        here.map_or(Answer::No, |known| known.is_alive(now))
    }

    /// §4.1: "paired" is by internal address, in turn.
    fn pair(&mut self, internal: Ipv4Addr) {
        if !self.pairs.iter().any(|(own, _)| *own == internal) {
            let turn = self.pairs.len() % self.externals.len();
            self.pairs.push((internal, self.externals[turn]));
        }
    }

    fn addresses(&self, internal: Ipv4Addr) -> Vec<Ipv4Addr> {
        match self.config.pooling {
            Pooling::Arbitrary => self.externals.clone(),
            Pooling::Paired => {
                self.pairs.iter().filter(|(own, _)| *own == internal).map(|(_, external)| *external).collect()
            }
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

    fn places(&self, internal: SocketAddrV4) -> impl Iterator<Item = SocketAddrV4> {
        self.addresses(*internal.ip()).into_iter().flat_map(move |address| {
            let (low, high) = self.range(internal, address);
            (low..high).map(move |port| SocketAddrV4::new(address, port as u16))
        })
    }

    fn is_in_reach(&self, internal: SocketAddrV4, external: SocketAddrV4) -> Verdict {
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
    fn may_be_given(&self, now: Time, internal: SocketAddrV4, external: SocketAddrV4) -> Verdict {
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
                let same = addresses.iter().map(|address| SocketAddrV4::new(*address, internal.port()));
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

    fn may_be_refused(&self, now: Time, internal: SocketAddrV4) -> Verdict {
        match self.places(internal).find(|place| self.is_taken(now, *place) == Answer::No) {
            Some(place) => Err(format!("{internal} got nothing, though {place} is free")),
            None => Ok(()),
        }
    }

    fn own_block(&mut self, internal: SocketAddrV4, external: SocketAddrV4) {
        if let PortAssignment::Block { size } = self.config.port_assignment {
            let low = u32::from(*self.config.ports.start());
            let block = (u32::from(external.port()) - low) / u32::from(size.max(1));
            let row = (*external.ip(), block, *internal.ip());
            if !self.blocks.contains(&row) {
                self.blocks.push(row);
            }
        }
    }

    fn give(&mut self, now: Time, internal: SocketAddrV4, made_for: SocketAddrV4, external: SocketAddrV4) {
        if self.config.port_assignment != PortAssignment::Overloading {
            self.mappings.retain(|known| known.external != external);
        }
        self.own_block(internal, external);
        self.last.push((*external.ip(), external.port()));
        let (life, used) = (self.fresh_life(), (now, now));
        let (permits, sent) = (Vec::new(), Vec::new());
        self.mappings.push(Known { internal, made_for, external, used, life, permits, sent });
    }
}

impl Known {
    fn is_alive(&self, now: Time) -> Answer {
        if now - self.used.0 < self.life.0 {
            Answer::Yes
        } else if now - self.used.1 >= self.life.1 {
            Answer::No
        } else {
            Answer::Perhaps
        }
    }

    /// Whether a permit still counts.
    fn is_open(&self, now: Time, place: usize) -> Answer {
        let permit = &self.permits[place];
        let age = now - permit.since;
        if age >= self.life.1 {
            Answer::No
        } else if age < self.life.0 && !permit.doubtful {
            Answer::Yes
        } else {
            Answer::Perhaps
        }
    }

    fn learn(&mut self, now: Time, alive: bool) {
        if alive {
            self.life.0 = self.life.0.max(now - self.used.1 + TICK);
        } else {
            self.life.1 = self.life.1.min(now - self.used.0);
        }
    }

    fn permit(&mut self, remote: SocketAddrV4, since: Time) {
        self.permits.retain(|permit| permit.remote != remote);
        self.permits.push(Permit { remote, since, doubtful: false });
    }
}

fn same(one: SocketAddrV4, other: SocketAddrV4, ip: bool, port: bool) -> bool {
    (!ip || one.ip() == other.ip()) && (!port || one.port() == other.port())
}
