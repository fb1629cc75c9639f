//! The TCP connections of a NAT: which of its mappings each goes through, and whether it is established (RFC 5382 §5). What belongs to a
//! connection passes as long as the NAT knows of it, and makes nothing new.

use core::net::SocketAddrV4;

use floe_core::base::Instant;

use super::table::{Binding, NatTable, is_time_to_sweep};

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
        let with = (*remote.ip(), remote.port());
        if ends {
            binding.connections.remove(&with);
        } else {
            // The answer to the request to connect is the first.
            binding.connections.insert(with, true);
        }
        binding.expires = now + binding.lifetime(&self.config, self.protocol);
        if let Some(permit) = self.config.filtering.relevant(remote) {
            binding.permit(now, permit, binding.expires);
        }
        true
    }
}

impl Binding {
    /// A request to connect has passed, in or out.
    pub(super) fn begin(&mut self, remote: SocketAddrV4) {
        if is_time_to_sweep(self.connections.len()) {
            self.connections.retain(|_, is_established| *is_established);
        }
        self.connections.entry((*remote.ip(), remote.port())).or_insert(false);
    }

    fn connects(&self, now: Instant, remote: SocketAddrV4) -> bool {
        now < self.expires && self.connections.contains_key(&(*remote.ip(), remote.port()))
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
        for n in 0..10_000_u32 {
            assert!(nat.inbound(Instant::ZERO, mapped, SocketAddrV4::new(Ipv4Addr::from(n), 9)));
            assert!(nat.bindings.values().flatten().all(|binding| binding.connections.len() <= 64));
        }
        assert_eq!(nat.connected(Instant::ZERO, mapped, remote), Some(inside), "an established one is kept");
    }
}
