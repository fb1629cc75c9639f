//! A reading of RFC 4787 that shares nothing with the simulator but the words of its settings: a list of mappings and a list
//! of permits for each, searched from end to end, and tables of what matters. It is told what a NAT was seen to do, and says what was
//! wrong with it. Where a NAT may choose, it knows what may be chosen; where a lifetime is drawn, it narrows it down by what it sees.
//! Which external addresses and ports may be chosen is in `places`.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use floe_sim::{Filtering, Hairpin, Mapping, NatConfig, PortAssignment, Refresh};

pub(crate) type Verdict = Result<(), String>;
/// Since the beginning.
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
    pub(super) config: NatConfig,
    pub(super) externals: Vec<Ipv4Addr>,
    pub(super) mappings: Vec<Known>,
    /// Which external address an internal one has, where they are paired.
    pub(super) pairs: Vec<(Ipv4Addr, Ipv4Addr)>,
    /// Which block, counted from the lowest, on which external address belongs to which internal one.
    pub(super) blocks: Vec<(Ipv4Addr, u32, Ipv4Addr)>,
    /// The last port of each external address, if that is known.
    pub(super) last: Vec<(Ipv4Addr, u16)>,
    datagrams: u64,
}

/// A mapping that is not known to be gone.
pub(super) struct Known {
    internal: SocketAddrV4,
    made_for: SocketAddrV4,
    pub(super) external: SocketAddrV4,
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
pub(super) enum Answer {
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

    fn give(&mut self, now: Time, internal: SocketAddrV4, made_for: SocketAddrV4, external: SocketAddrV4) {
        if self.config.port_assignment != PortAssignment::Overloading {
            self.mappings.retain(|known| known.external != external);
        }
        self.own_block(internal, external);
        if !self.pairs.iter().any(|(own, _)| own == internal.ip()) {
            self.pairs.push((*internal.ip(), *external.ip()));
        }
        self.last.push((*external.ip(), external.port()));
        let (life, used) = (self.fresh_life(), (now, now));
        let (permits, sent) = (Vec::new(), Vec::new());
        self.mappings.push(Known { internal, made_for, external, used, life, permits, sent });
    }
}

impl Known {
    pub(super) fn is_alive(&self, now: Time) -> Answer {
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
