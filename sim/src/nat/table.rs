//! The mappings of one NAT and the filter of each. Time is told to it; what has expired is taken
//! away when it is next looked at.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use std::collections::BTreeMap;

use floe_core::base::Instant;

use super::connections::Connection;
use super::ports::Ports;
use super::{Filtering, Hairpin, Mapping, NatConfig, PortAssignment, Protocol, Refresh};
use crate::dice::Dice;

/// One NAT for one protocol: what it remembers.
pub(crate) struct NatTable {
    pub(super) config: NatConfig,
    pub(super) protocol: Protocol,
    ports: Ports,
    /// By external address and port; several at one only if ports are overloaded. Every binding has its session in
    /// `sessions` and the other way round.
    pub(super) bindings: BTreeMap<SocketAddrV4, Vec<Binding>>,
    pub(super) sessions: BTreeMap<Session, SocketAddrV4>,
    /// Counts what goes out, to tell later from earlier at the same moment.
    sent: u64,
}

/// What a mapping is for. What the mapping does not depend on is left at zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Session {
    pub(super) internal: SocketAddrV4,
    remote: Remote,
}

/// A remote address and port, as far as they matter.
pub(super) type Remote = (Ipv4Addr, u16);

pub(super) struct Binding {
    pub(super) session: Session,
    pub(super) expires: Instant,
    /// What has been drawn for this mapping.
    pub(super) jitter: Duration,
    /// With whom there are TCP connections.
    pub(super) connections: BTreeMap<Remote, Connection>,
    /// Who was sent to, and until when that counts.
    permits: BTreeMap<Remote, Instant>,
    /// Where ports are overloaded: the number of the last datagram to each remote, and of the last to any.
    contacts: BTreeMap<Remote, u64>,
    last_sent: u64,
}

impl NatTable {
    /// Without external addresses it maps nothing.
    pub(crate) fn new(config: NatConfig, externals: Vec<Ipv4Addr>, protocol: Protocol) -> Self {
        let ports = Ports::new(&config, externals);
        Self { config, protocol, ports, bindings: BTreeMap::new(), sessions: BTreeMap::new(), sent: 0 }
    }

    pub(crate) fn externals(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.ports.externals()
    }

    pub(crate) fn hairpin(&self) -> Hairpin {
        self.config.hairpin
    }

    /// A datagram goes out: the source address that it leaves with. None if no port is left.
    pub(crate) fn outbound(
        &mut self,
        now: Instant,
        internal: SocketAddrV4,
        remote: SocketAddrV4,
        dice: &mut Dice,
    ) -> Option<SocketAddrV4> {
        let session = self.session(internal, remote);
        let known = self.sessions.get(&session).copied();
        let external = match known.filter(|external| self.live(now, *external, session).is_some()) {
            Some(external) => external,
            None => self.open(now, session, dice)?,
        };
        self.sent += 1;
        let (sent, config, protocol) = (self.sent, &self.config, self.protocol);
        let here = self.bindings.get_mut(&external)?;
        let binding = here.iter_mut().find(|binding| binding.session == session)?;
        let expires = now + binding.lifetime(now, config, protocol);
        if config.refresh != Refresh::Inbound {
            binding.expires = expires;
        }
        if let Some(permit) = config.filtering.relevant(remote) {
            binding.permit(now, permit, expires);
        }
        if config.port_assignment == PortAssignment::Overloading {
            binding.contacts.insert((*remote.ip(), remote.port()), sent);
            binding.last_sent = sent;
        }
        if protocol == Protocol::Tcp {
            binding.begin(now, remote, config);
        }
        Some(external)
    }

    /// The internal address behind an external one, if that is mapped. The remote one tells mappings apart that share
    /// it; the filter has no say in it.
    pub(crate) fn internal(
        &self,
        now: Instant,
        external: SocketAddrV4,
        remote: SocketAddrV4,
    ) -> Option<SocketAddrV4> {
        let here = self.bindings.get(&external)?;
        let found = chosen(here, now, remote)?;
        here.get(found).map(|binding| binding.session.internal)
    }

    /// A datagram comes in at a mapped address: whether the filter lets it pass.
    pub(crate) fn inbound(&mut self, now: Instant, external: SocketAddrV4, remote: SocketAddrV4) -> bool {
        let permit = self.config.filtering.relevant(remote);
        let refresh = self.config.refresh != Refresh::Outbound;
        let Some(here) = self.bindings.get_mut(&external) else { return false };
        let Some(found) = chosen(here, now, remote) else { return false };
        let Some(binding) = here.get_mut(found) else { return false };
        let expires = now + binding.lifetime(now, &self.config, self.protocol);
        if let Some(permit) = permit {
            let Some(until) = binding.permits.get_mut(&permit).filter(|until| now < **until) else {
                return false;
            };
            if refresh {
                *until = expires;
            }
        }
        if refresh {
            binding.expires = expires;
        }
        if self.protocol == Protocol::Tcp {
            binding.begin(now, remote, &self.config);
        }
        true
    }

    /// Forgets everything, as after a power cut. The next mappings are as if it were new.
    pub(crate) fn reboot(&mut self) {
        self.bindings.clear();
        self.sessions.clear();
        self.ports.forget();
    }

    /// Moves every mapping, as it is, to an external address and port that none had before. One for which none is left
    /// is lost. An overloaded port moves to the next higher one.
    pub(crate) fn rebind(&mut self, now: Instant, dice: &mut Dice) {
        self.sweep(now);
        let before = core::mem::take(&mut self.bindings);
        self.sessions.clear();
        for external in before.keys() {
            self.ports.release(*external);
        }
        let old: Vec<SocketAddrV4> = before.keys().copied().collect();
        for binding in before.into_values().flatten() {
            let (bindings, ports) = (&self.bindings, &mut self.ports);
            let is_shared = self.config.port_assignment == PortAssignment::Overloading;
            let is_free = |external| {
                old.binary_search(&external).is_err() && (is_shared || !bindings.contains_key(&external))
            };
            if let Some(external) = ports.choose(binding.session.internal, dice, is_free) {
                self.put(external, binding);
            }
        }
    }

    pub(super) fn session(&self, internal: SocketAddrV4, remote: SocketAddrV4) -> Session {
        Session { internal, remote: self.config.mapping.relevant(remote) }
    }

    fn live(&self, now: Instant, external: SocketAddrV4, session: Session) -> Option<&Binding> {
        let here = self.bindings.get(&external)?;
        here.iter().find(|binding| binding.session == session && now < binding.expires)
    }

    fn open(&mut self, now: Instant, session: Session, dice: &mut Dice) -> Option<SocketAddrV4> {
        if is_time_to_sweep(self.sessions.len()) || self.ports.is_any_full() {
            self.sweep(now);
        }
        let (bindings, ports) = (&self.bindings, &mut self.ports);
        let is_shared = self.config.port_assignment == PortAssignment::Overloading;
        let is_free = |external| {
            let here = bindings.get(&external).map_or(&[][..], Vec::as_slice);
            is_shared || here.iter().all(|binding| now >= binding.expires)
        };
        let external = ports.choose(session.internal, dice, is_free)?;
        // The session's own expired binding may sit at another port, and another's at this one.
        if let Some(stale) = self.sessions.get(&session).copied() {
            self.take_away(stale, |binding| binding.session == session);
        }
        self.take_away(external, |binding| now >= binding.expires);
        let jitter = dice.up_to(self.config.lifetime_jitter);
        let mut binding = Binding {
            session,
            expires: now,
            jitter,
            connections: BTreeMap::new(),
            permits: BTreeMap::new(),
            contacts: BTreeMap::new(),
            last_sent: 0,
        };
        binding.expires = now + binding.lifetime(now, &self.config, self.protocol);
        self.put(external, binding);
        Some(external)
    }

    fn put(&mut self, external: SocketAddrV4, binding: Binding) {
        self.sessions.insert(binding.session, external);
        let here = self.bindings.entry(external).or_default();
        if here.is_empty() {
            self.ports.take(external);
        }
        here.push(binding);
    }

    fn take_away(&mut self, external: SocketAddrV4, which: impl Fn(&Binding) -> bool) {
        let Some(here) = self.bindings.get_mut(&external) else { return };
        let sessions = &mut self.sessions;
        here.retain(|binding| {
            let goes = which(binding);
            if goes {
                sessions.remove(&binding.session);
            }
            !goes
        });
        if here.is_empty() {
            self.bindings.remove(&external);
            self.ports.release(external);
        }
    }

    fn sweep(&mut self, now: Instant) {
        let (sessions, ports) = (&mut self.sessions, &mut self.ports);
        self.bindings.retain(|external, here| {
            here.retain(|binding| {
                let lives = now < binding.expires;
                if !lives {
                    sessions.remove(&binding.session);
                }
                lives
            });
            if here.is_empty() {
                ports.release(*external);
            }
            !here.is_empty()
        });
    }
}

/// The place of the binding, of those at one external address, to which this remote belongs.
fn chosen(here: &[Binding], now: Instant, remote: SocketAddrV4) -> Option<usize> {
    let live = here.iter().enumerate().filter(|(_, binding)| now < binding.expires);
    live.max_by_key(|(_, binding)| binding.claim(remote)).map(|(place, _)| place)
}

impl Binding {
    /// How long it lives from now on.
    pub(super) fn lifetime(&self, now: Instant, config: &NatConfig, protocol: Protocol) -> Duration {
        let at_least = match protocol {
            Protocol::Udp => config.lifetime,
            Protocol::Tcp if self.carries(now) => config.tcp_lifetimes.established,
            Protocol::Tcp => config.tcp_lifetimes.transitory,
        };
        at_least.saturating_add(self.jitter)
    }

    /// What speaks for it where several share a port: that it sent to this very remote, to its address, or at all; and
    /// how late.
    fn claim(&self, remote: SocketAddrV4) -> [u64; 3] {
        if self.contacts.is_empty() {
            return [0; 3];
        }
        let at_address = self.contacts.range((*remote.ip(), 0)..=(*remote.ip(), u16::MAX));
        let exact = self.contacts.get(&(*remote.ip(), remote.port())).copied();
        [exact.unwrap_or(0), at_address.map(|(_, sent)| *sent).max().unwrap_or(0), self.last_sent]
    }

    pub(super) fn permit(&mut self, now: Instant, remote: Remote, until: Instant) {
        if is_time_to_sweep(self.permits.len()) {
            self.permits.retain(|_, until| now < *until);
        }
        self.permits.insert(remote, until);
    }
}

impl Mapping {
    fn relevant(self, remote: SocketAddrV4) -> Remote {
        match self {
            Self::EndpointIndependent => (Ipv4Addr::UNSPECIFIED, 0),
            Self::AddressDependent => (*remote.ip(), 0),
            Self::AddressAndPortDependent => (*remote.ip(), remote.port()),
        }
    }
}

impl Filtering {
    /// None where nothing matters.
    pub(super) fn relevant(self, remote: SocketAddrV4) -> Option<Remote> {
        match self {
            Self::EndpointIndependent => None,
            Self::AddressDependent => Some((*remote.ip(), 0)),
            Self::AddressAndPortDependent => Some((*remote.ip(), remote.port())),
        }
    }
}

/// A table that grows is swept whenever it has doubled: it holds at most twice what lives, and the
/// work is spread out evenly.
pub(super) fn is_time_to_sweep(len: usize) -> bool {
    len >= 64 && len.is_power_of_two()
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    const LAN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
    const OUT: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

    fn udp(config: NatConfig) -> NatTable {
        NatTable::new(config, vec![OUT], Protocol::Udp)
    }

    fn bound(nat: &NatTable) -> impl Iterator<Item = &Binding> {
        nat.bindings.values().flatten()
    }

    #[test]
    fn what_has_expired_does_not_pile_up() {
        let mut nat = udp(NatConfig::symmetric());
        let mut dice = Dice::new(1, 0);
        for n in 0..10_000_u64 {
            let remote = SocketAddrV4::new(Ipv4Addr::from(n as u32), 9);
            let now = Instant::from_millis(n * 2_000);
            assert!(nat.outbound(now, SocketAddrV4::new(LAN, 5000), remote, &mut dice).is_some());
            assert!(nat.bindings.len() <= 128 && nat.bindings.len() == nat.sessions.len());
        }
        let mut nat = udp(NatConfig::port_restricted());
        for n in 0..10_000_u64 {
            let remote = SocketAddrV4::new(Ipv4Addr::from(n as u32), 9);
            let now = Instant::from_millis(n * 2_000);
            nat.outbound(now, SocketAddrV4::new(LAN, 5000), remote, &mut dice);
            assert!(bound(&nat).all(|binding| binding.permits.len() <= 128));
        }
    }

    #[test]
    fn an_expired_mapping_is_closed_from_both_sides() {
        let config = NatConfig::full_cone();
        let end = Instant::ZERO + config.lifetime;
        let mut nat = udp(config);
        let (internal, remote) = (SocketAddrV4::new(LAN, 5000), SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9));
        let mapped = nat.outbound(Instant::ZERO, internal, remote, &mut Dice::new(3, 0)).unwrap();
        let before = end - Duration::from_nanos(1);
        assert_eq!(nat.internal(before, mapped, remote), Some(internal));
        assert!(nat.inbound(before, mapped, remote));
        assert_eq!(nat.internal(end, mapped, remote), None);
        assert!(!nat.inbound(end, mapped, remote));
    }

    #[test]
    fn a_port_is_given_to_one_session_at_a_time() {
        let mut nat = udp(NatConfig::symmetric().with_ports(6000..=6029));
        let mut dice = Dice::new(2, 0);
        let mut now = Instant::ZERO;
        let mut refused = 0;
        for n in 0..2_000_u32 {
            // 40 sessions take turns, slowly (they expire before they return, and leave ports behind) and
            // quickly (some find no port).
            let remote = SocketAddrV4::new(Ipv4Addr::from(n * 17 % 40), 9);
            now = now + Duration::from_secs(if n / 200 % 2 == 0 { 7 } else { 1 });
            let mapped = nat.outbound(now, SocketAddrV4::new(LAN, 5000), remote, &mut dice);
            refused += u32::from(mapped.is_none());
            assert!(nat.bindings.len() <= 30 && nat.bindings.len() == nat.sessions.len());
            assert!(nat.bindings.values().all(|here| here.len() == 1));
            assert!(bound(&nat).all(|binding| nat.sessions.contains_key(&binding.session)));
        }
        assert!((1..2_000).contains(&refused), "{refused}");
    }
}
