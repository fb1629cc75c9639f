//! The mappings of one NAT and the filter of each. Time is told to it; what has expired is taken
//! away when it is next looked at.

use core::net::{Ipv4Addr, SocketAddrV4};
use std::collections::BTreeMap;

use floe_core::base::Instant;

use super::{Filtering, Mapping, NatConfig, PortAssignment, Refresh};
use crate::dice::Dice;

/// One NAT: its external address, and what it remembers.
pub(crate) struct NatTable {
    config: NatConfig,
    external: Ipv4Addr,
    /// By external port. Every binding has its session in `sessions` and the other way round.
    bindings: BTreeMap<u16, Binding>,
    sessions: BTreeMap<Session, u16>,
    last_port: Option<u16>,
}

/// What a mapping is for. What the mapping does not depend on is left at zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Session {
    internal: SocketAddrV4,
    remote: Remote,
}

/// A remote address and port, as far as they matter.
type Remote = (Ipv4Addr, u16);

struct Binding {
    session: Session,
    expires: Instant,
    /// Who was sent to, and until when that counts.
    permits: BTreeMap<Remote, Instant>,
}

impl NatTable {
    pub(crate) fn new(config: NatConfig, external: Ipv4Addr) -> Self {
        Self { config, external, bindings: BTreeMap::new(), sessions: BTreeMap::new(), last_port: None }
    }

    /// A datagram goes out: the source address that it leaves with. None if no port is left.
    pub(crate) fn outbound(
        &mut self,
        now: Instant,
        internal: SocketAddrV4,
        remote: SocketAddrV4,
        dice: &mut Dice,
    ) -> Option<SocketAddrV4> {
        let session = Session { internal, remote: self.config.mapping.relevant(remote) };
        let expires = now + self.config.lifetime;
        let port = match self.sessions.get(&session) {
            Some(port) if self.is_live(now, *port) => *port,
            _ => self.open(now, session, expires, dice)?,
        };
        let permit = self.config.filtering.relevant(remote);
        let refresh = self.config.refresh != Refresh::Inbound;
        if let Some(binding) = self.bindings.get_mut(&port) {
            if refresh {
                binding.expires = expires;
            }
            if let Some(permit) = permit {
                binding.permit(now, permit, expires);
            }
        }
        Some(SocketAddrV4::new(self.external, port))
    }

    /// The internal address behind an external port, if it is mapped.
    pub(crate) fn internal(&self, now: Instant, port: u16) -> Option<SocketAddrV4> {
        self.bindings
            .get(&port)
            .filter(|binding| now < binding.expires)
            .map(|binding| binding.session.internal)
    }

    /// A datagram comes in at a mapped port: whether the filter lets it pass.
    pub(crate) fn inbound(&mut self, now: Instant, port: u16, remote: SocketAddrV4) -> bool {
        let permit = self.config.filtering.relevant(remote);
        let expires = now + self.config.lifetime;
        let refresh = self.config.refresh != Refresh::Outbound;
        let Some(binding) = self.bindings.get_mut(&port).filter(|binding| now < binding.expires) else {
            return false;
        };
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
        true
    }

    /// Forgets everything, as after a power cut. The next mappings are as if it were new.
    pub(crate) fn reboot(&mut self) {
        self.bindings.clear();
        self.sessions.clear();
        self.last_port = None;
    }

    fn is_live(&self, now: Instant, port: u16) -> bool {
        self.bindings.get(&port).is_some_and(|binding| now < binding.expires)
    }

    fn open(&mut self, now: Instant, session: Session, expires: Instant, dice: &mut Dice) -> Option<u16> {
        if is_time_to_sweep(self.bindings.len()) {
            self.sweep(now);
        }
        let port = self.free_port(now, session.internal.port(), dice)?;
        self.last_port = Some(port);
        // The session's own expired binding may sit at another port, and another's at this one.
        if let Some(stale) = self.sessions.insert(session, port) {
            self.bindings.remove(&stale);
        }
        let binding = Binding { session, expires, permits: BTreeMap::new() };
        if let Some(stale) = self.bindings.insert(port, binding)
            && stale.session != session
        {
            self.sessions.remove(&stale.session);
        }
        Some(port)
    }

    fn free_port(&mut self, now: Instant, internal: u16, dice: &mut Dice) -> Option<u16> {
        let (low, high) = (u32::from(*self.config.ports.start()), u32::from(*self.config.ports.end()));
        let count = (high + 1).checked_sub(low)?;
        if self.bindings.len() as u32 >= count {
            self.sweep(now);
        }
        if self.bindings.len() as u32 >= count {
            return None;
        }
        let offset = |port: u16| u32::from(port).saturating_sub(low);
        let first = match (self.config.port_assignment, self.last_port) {
            (PortAssignment::Preserving, _) => offset(internal),
            (PortAssignment::Sequential { step }, Some(last)) => offset(last) + u32::from(step.max(1)),
            (PortAssignment::Sequential { .. }, None) | (PortAssignment::Random, _) => dice.below(count),
        };
        let mut ports = (0..count).map(|tried| (low + (first + tried) % count) as u16);
        ports.find(|port| !self.is_live(now, *port))
    }

    fn sweep(&mut self, now: Instant) {
        self.bindings.retain(|_, binding| now < binding.expires);
        let bindings = &self.bindings;
        self.sessions.retain(|_, port| bindings.contains_key(port));
    }
}

impl Binding {
    fn permit(&mut self, now: Instant, remote: Remote, until: Instant) {
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
    fn relevant(self, remote: SocketAddrV4) -> Option<Remote> {
        match self {
            Self::EndpointIndependent => None,
            Self::AddressDependent => Some((*remote.ip(), 0)),
            Self::AddressAndPortDependent => Some((*remote.ip(), remote.port())),
        }
    }
}

/// A table that grows is swept whenever it has doubled: it holds at most twice what lives, and the
/// work is spread out evenly.
fn is_time_to_sweep(len: usize) -> bool {
    len >= 64 && len.is_power_of_two()
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    const LAN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
    const OUT: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

    #[test]
    fn what_has_expired_does_not_pile_up() {
        let mut nat = NatTable::new(NatConfig::symmetric(), OUT);
        let mut dice = Dice::new(1, 0);
        for n in 0..10_000_u64 {
            let remote = SocketAddrV4::new(Ipv4Addr::from(n as u32), 9);
            let now = Instant::from_millis(n * 2_000);
            assert!(nat.outbound(now, SocketAddrV4::new(LAN, 5000), remote, &mut dice).is_some());
            assert!(nat.bindings.len() <= 128 && nat.bindings.len() == nat.sessions.len());
        }
        let mut nat = NatTable::new(NatConfig::port_restricted(), OUT);
        for n in 0..10_000_u64 {
            let remote = SocketAddrV4::new(Ipv4Addr::from(n as u32), 9);
            let now = Instant::from_millis(n * 2_000);
            nat.outbound(now, SocketAddrV4::new(LAN, 5000), remote, &mut dice);
            assert!(nat.bindings.values().all(|binding| binding.permits.len() <= 128));
        }
    }

    #[test]
    fn an_expired_mapping_is_closed_from_both_sides() {
        let config = NatConfig::full_cone();
        let end = Instant::ZERO + config.lifetime;
        let mut nat = NatTable::new(config, OUT);
        let (internal, remote) = (SocketAddrV4::new(LAN, 5000), SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9));
        let mapped = nat.outbound(Instant::ZERO, internal, remote, &mut Dice::new(3, 0)).unwrap();
        let before = end - Duration::from_nanos(1);
        assert_eq!(nat.internal(before, mapped.port()), Some(internal));
        assert!(nat.inbound(before, mapped.port(), remote));
        assert_eq!(nat.internal(end, mapped.port()), None);
        assert!(!nat.inbound(end, mapped.port(), remote));
    }

    #[test]
    fn a_port_is_given_to_one_session_at_a_time() {
        let config = NatConfig::symmetric().with_ports(6000..=6029);
        let mut nat = NatTable::new(config, OUT);
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
            assert!(nat.sessions.iter().all(|(session, port)| nat.bindings[port].session == *session));
        }
        assert!((1..2_000).contains(&refused), "{refused}");
    }
}
