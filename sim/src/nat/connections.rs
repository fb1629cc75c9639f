//! The TCP connections of a NAT: which of its mappings each goes through, and in which phase it is (RFC 5382 §5). What belongs to a
//! connection passes as long as the NAT knows of it, and makes nothing new.

use core::net::SocketAddrV4;
use core::time::Duration;

use floe_core::base::Instant;

use super::NatConfig;
use super::table::{Binding, NatTable, is_time_to_sweep};

/// A connection that goes through a mapping. Each has its own time (REQ-5), whatever else goes through that.
pub(super) struct Connection {
    phase: Phase,
    until: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    PartiallyOpen,
    Established,
    /// What was sent before the end, and the end itself, may have to be sent again.
    Closing,
}

impl NatTable {
    /// A segment goes out: the source address that it leaves with. None if this connection is not known here (any more).
    pub(crate) fn segment_out(
        &mut self,
        now: Instant,
        internal: SocketAddrV4,
        remote: SocketAddrV4,
        ends: bool,
    ) -> Option<SocketAddrV4> {
        let owns = |binding: &Binding| binding.session.internal == internal && binding.connects(now, remote);
        // Its own mapping, or, if the other side has begun, the one through which that came in.
        let first = self.sessions.get(&self.session(internal, remote)).copied();
        let is_there = |at: &SocketAddrV4| self.bindings.get(at).is_some_and(|here| here.iter().any(owns));
        let external = first.filter(is_there).or_else(|| self.bindings.keys().copied().find(is_there))?;
        self.pass_segment(now, external, remote, ends, owns).then_some(external)
    }

    /// Who is inside of the connection that has come in from this remote address to this external one.
    pub(crate) fn connected(
        &self,
        now: Instant,
        external: SocketAddrV4,
        remote: SocketAddrV4,
    ) -> Option<SocketAddrV4> {
        let here = self.bindings.get(&external)?;
        here.iter().find(|binding| binding.connects(now, remote)).map(|binding| binding.session.internal)
    }

    /// A segment comes in at a mapped address: whether its connection is known here.
    pub(crate) fn segment_in(
        &mut self,
        now: Instant,
        external: SocketAddrV4,
        remote: SocketAddrV4,
        ends: bool,
    ) -> bool {
        self.pass_segment(now, external, remote, ends, |binding| binding.connects(now, remote))
    }

    /// Either way it shows that the connection is in use, which is what counts (RFC 5382 REQ-5), whatever refreshes mappings for UDP.
    fn pass_segment(
        &mut self,
        now: Instant,
        external: SocketAddrV4,
        remote: SocketAddrV4,
        ends: bool,
        owns: impl Fn(&Binding) -> bool,
    ) -> bool {
        let Some(here) = self.bindings.get_mut(&external) else { return false };
        let Some(binding) = here.iter_mut().find(|binding| owns(binding)) else { return false };
        let Some(connection) = binding.connections.get_mut(&(*remote.ip(), remote.port())) else {
            return false;
        };
        connection.phase = match connection.phase {
            _ if ends => Phase::Closing,
            // The answer to the request to connect is the first.
            Phase::PartiallyOpen => Phase::Established,
            phase => phase,
        };
        connection.until = now + connection.phase.lifetime(&self.config).saturating_add(binding.jitter);
        binding.expires = now + binding.lifetime(now, &self.config, self.protocol);
        if let Some(permit) = self.config.filtering.relevant(remote) {
            binding.permit(now, permit, binding.expires);
        }
        true
    }
}

impl Binding {
    /// A request to connect has passed, in or out.
    pub(super) fn begin(&mut self, now: Instant, remote: SocketAddrV4, config: &NatConfig) {
        if is_time_to_sweep(self.connections.len()) {
            self.connections.retain(|_, connection| now < connection.until);
        }
        // It may be one that was repeated.
        if !self.connection(now, remote).is_some_and(|known| known.phase == Phase::Established) {
            let phase = Phase::PartiallyOpen;
            let connection =
                Connection { phase, until: now + phase.lifetime(config).saturating_add(self.jitter) };
            self.connections.insert((*remote.ip(), remote.port()), connection);
        }
    }

    /// Whether a connection goes through it that is established.
    pub(super) fn carries(&self, now: Instant) -> bool {
        self.connections.values().any(|with| with.phase == Phase::Established && now < with.until)
    }

    fn connects(&self, now: Instant, remote: SocketAddrV4) -> bool {
        now < self.expires && self.connection(now, remote).is_some()
    }

    fn connection(&self, now: Instant, remote: SocketAddrV4) -> Option<&Connection> {
        self.connections.get(&(*remote.ip(), remote.port())).filter(|connection| now < connection.until)
    }
}

impl Phase {
    /// How long a connection in it is known without being used.
    fn lifetime(self, config: &NatConfig) -> Duration {
        match self {
            Self::PartiallyOpen | Self::Closing => config.tcp_lifetimes.transitory,
            Self::Established => config.tcp_lifetimes.established,
        }
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;
    use crate::dice::Dice;
    use crate::nat::{NatConfig, Protocol};

    #[test]
    fn requests_to_connect_that_come_to_nothing_do_not_pile_up() {
        let out = Ipv4Addr::new(203, 0, 113, 1);
        let mut nat = NatTable::new(NatConfig::full_cone(), vec![out], Protocol::Tcp);
        let [inside, remote] = [[10, 0, 0, 2], [192, 0, 2, 9]].map(|ip| SocketAddrV4::new(ip.into(), 5_000));
        let mapped = nat.outbound(Instant::ZERO, inside, remote, &mut Dice::new(1, 0)).unwrap();
        assert!(nat.segment_in(Instant::ZERO, mapped, remote, false));
        for n in 0..10_000_u64 {
            let now = Instant::from_millis(n * 4_000);
            assert!(nat.segment_in(now, mapped, remote, false));
            assert!(nat.inbound(now, mapped, SocketAddrV4::new(Ipv4Addr::from(n as u32), 9)));
            assert!(nat.bindings.values().flatten().all(|binding| binding.connections.len() <= 128));
        }
        let now = Instant::from_millis(40_000_000);
        assert_eq!(nat.connected(now, mapped, remote), Some(inside), "an established one is kept");
    }

    const HOUR: u64 = 3_600;

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1_000)
    }

    /// A NAT through which this inside has asked for connections to these ports of one remote address.
    fn asked(config: NatConfig, ports: &[u16]) -> (NatTable, [SocketAddrV4; 2], Vec<SocketAddrV4>) {
        let mut nat = NatTable::new(config, vec![Ipv4Addr::new(203, 0, 113, 1)], Protocol::Tcp);
        let inside = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 5_000);
        let remotes: Vec<_> =
            ports.iter().map(|port| SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 9), *port)).collect();
        let mapped = remotes.iter().map(|to| nat.outbound(at(0), inside, *to, &mut Dice::new(1, 0)).unwrap());
        let mapped = mapped.last().unwrap();
        (nat, [inside, mapped], remotes)
    }

    #[test]
    fn a_request_that_is_repeated_does_not_make_an_established_connection_transitory() {
        let (mut nat, [inside, mapped], remotes) = asked(NatConfig::full_cone(), &[1]);
        assert!(nat.segment_in(at(1), mapped, remotes[0], false));
        assert_eq!(nat.outbound(at(2), inside, remotes[0], &mut Dice::new(1, 0)), Some(mapped));
        assert_eq!(nat.connected(at(2 * HOUR), mapped, remotes[0]), Some(inside));
    }

    #[test]
    fn what_comes_late_does_not_reopen_a_connection_that_is_closing() {
        let (mut nat, [inside, mapped], remotes) = asked(NatConfig::full_cone(), &[1]);
        assert!(nat.segment_in(at(1), mapped, remotes[0], false));
        assert_eq!(nat.segment_out(at(2), inside, remotes[0], true), Some(mapped));
        assert!(nat.segment_in(at(3), mapped, remotes[0], false));
        assert_eq!(nat.connected(at(242), mapped, remotes[0]), Some(inside));
        assert_eq!(nat.connected(at(243), mapped, remotes[0]), None);
        // Another between the same two is a new one.
        assert_eq!(nat.outbound(at(242), inside, remotes[0], &mut Dice::new(1, 0)), Some(mapped));
        assert!(nat.segment_in(at(242), mapped, remotes[0], false));
        assert_eq!(nat.connected(at(2 * HOUR), mapped, remotes[0]), Some(inside));
    }

    #[test]
    fn a_connection_that_is_forgotten_keeps_no_mapping() {
        let (mut nat, [inside, mapped], remotes) = asked(NatConfig::full_cone(), &[1, 2]);
        for remote in &remotes {
            assert!(nat.segment_in(at(1), mapped, *remote, false));
        }
        assert!(nat.segment_in(at(2 * HOUR), mapped, remotes[1], false));
        // By then the first is forgotten.
        assert!(nat.segment_in(at(3 * HOUR), mapped, remotes[1], true));
        assert_eq!(nat.internal(at(3 * HOUR + 239), mapped, remotes[0]), Some(inside));
        assert_eq!(nat.internal(at(3 * HOUR + 240), mapped, remotes[0]), None);
    }

    #[test]
    fn what_goes_over_a_connection_keeps_the_filter_open_to_its_address() {
        let (mut nat, [_, mapped], remotes) = asked(NatConfig::address_restricted(), &[1]);
        assert!(nat.segment_in(at(1), mapped, remotes[0], false));
        assert!(nat.segment_in(at(2 * HOUR), mapped, remotes[0], false));
        let beside = SocketAddrV4::new(*remotes[0].ip(), 9);
        assert!(nat.inbound(at(4 * HOUR), mapped, beside));
        assert!(!nat.inbound(at(4 * HOUR), mapped, SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 8), 9)));
    }
}
