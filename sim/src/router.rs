//! Routers: the boxes between a network and the one in front of it. A router may translate, may filter, and may keep those behind it
//! apart; all of it is off where nothing is said.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use crate::firewall::{Cargo, Firewall, Refusal, Wall};
use crate::nat::{DatagramRefusal, NatConfig, NatTable, Protocol, SynRefusal};
use crate::nat64::Nat64Prefix;

/// What a router does. The default is one that only forwards: those behind it have addresses of the network in front of it.
///
/// ```
/// # use floe_sim::{Firewall, NatConfig, RouterConfig};
/// let hotel = RouterConfig::from(NatConfig::symmetric()).isolated().with_firewall(Firewall::NO_UDP);
/// ```
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RouterConfig {
    /// How it translates IPv4; none: it does not.
    pub nat: Option<NatConfig>,
    /// What it lets through, of both families. It stands on the inner side of the NAT.
    pub firewall: Firewall,
    /// Whether those behind it are kept from reaching each other directly, as in a guest network. What they send to the router's own
    /// external address and what it hairpins is not.
    pub isolated: bool,
    /// Which addresses hosts get that are plugged in behind it.
    pub families: Families,
    /// What becomes of IPv6 on its way through.
    pub ipv6: Ipv6,
    /// The prefix under which it shows IPv4 to IPv6, if it does. It translates as `nat` says (RFC 6146 §3).
    pub nat64: Option<Nat64Prefix>,
    /// Whether it keeps ICMP errors that come from outside to itself, against RFC 5382 REQ-9 and RFC 4787 §9.
    pub swallows_icmp: bool,
}

/// Which addresses hosts get on a network.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Families {
    /// IPv4.
    #[default]
    V4,
    /// IPv4 and IPv6.
    Dual,
    /// IPv6.
    V6,
}

/// What becomes of IPv6 on its way through a router, in and out. Addresses are given out whatever it is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Ipv6 {
    /// It passes.
    #[default]
    Working,
    /// It is dropped without a word.
    Vanishing,
    /// It is dropped, and the sender is told that the host is unreachable.
    Unreachable,
}

impl RouterConfig {
    /// A port-restricted NAT whose firewall lets streams out and no datagrams.
    pub fn corporate_udp_blocked() -> Self {
        Self { firewall: Firewall::NO_UDP, ..NatConfig::port_restricted().into() }
    }

    /// The same, and the only streams are TLS to port 443.
    pub fn https_only() -> Self {
        Self { firewall: Firewall::WEB_ONLY, ..Self::corporate_udp_blocked() }
    }

    /// The same router with this firewall.
    #[must_use]
    pub fn with_firewall(self, firewall: Firewall) -> Self {
        Self { firewall, ..self }
    }

    /// A router that forwards IPv6 and has no IPv4 behind it.
    pub fn ipv6_only() -> Self {
        Self { families: Families::V6, ..Self::default() }
    }

    /// The same, with all of IPv4 under the well-known prefix of NAT64, translated by this NAT.
    pub fn nat64(nat: NatConfig) -> Self {
        Self { nat: Some(nat), nat64: Some(Nat64Prefix::WELL_KNOWN), ..Self::ipv6_only() }
    }

    /// The same router with IPv4 and IPv6 behind it.
    #[must_use]
    pub fn dual_stack(self) -> Self {
        Self { families: Families::Dual, ..self }
    }

    /// The same router doing this to IPv6.
    #[must_use]
    pub fn with_ipv6(self, ipv6: Ipv6) -> Self {
        Self { ipv6, ..self }
    }

    /// The same router keeping ICMP errors to itself that come from outside.
    #[must_use]
    pub fn swallowing_icmp(self) -> Self {
        Self { swallows_icmp: true, ..self }
    }

    /// The same router keeping those behind it apart.
    #[must_use]
    pub fn isolated(self) -> Self {
        Self { isolated: true, ..self }
    }
}

impl From<NatConfig> for RouterConfig {
    /// A NAT without a firewall.
    fn from(nat: NatConfig) -> Self {
        Self { nat: Some(nat), ..Self::default() }
    }
}

/// A router of a network. Where it is attached is in the address book.
pub(crate) struct Router {
    pub(crate) nat: Option<Nat>,
    pub(crate) wall: Option<Wall>,
    pub(crate) isolated: bool,
    pub(crate) families: Families,
    pub(crate) ipv6: Ipv6,
    pub(crate) nat64: Option<Nat64>,
    pub(crate) swallows_icmp: bool,
    pub(crate) datagram_refusal: DatagramRefusal,
    pub(crate) syn_refusal: SynRefusal,
    pub(crate) segment_refusal: Refusal,
}

impl Router {
    pub(crate) fn new(config: RouterConfig, externals: Vec<Ipv4Addr>) -> Self {
        let RouterConfig { nat, firewall, isolated, families, ipv6, nat64, swallows_icmp } = config;
        let of_nat = |nat: &NatConfig| (nat.datagram_refusal, nat.syn_refusal, nat.segment_refusal);
        let (datagram_refusal, syn_refusal, segment_refusal) =
            nat.as_ref().map_or((DatagramRefusal::Silent, SynRefusal::Silent, Refusal::Drop), of_nat);
        Self {
            nat: nat.map(|nat| Nat::new(nat, externals)),
            wall: Wall::new(firewall),
            isolated,
            families,
            ipv6,
            nat64: nat64.map(|prefix| Nat64 { prefix, inside: Vec::new() }),
            swallows_icmp,
            datagram_refusal,
            syn_refusal,
            segment_refusal,
        }
    }

    /// Forgets everything that it has learnt, as after a power cut.
    pub(crate) fn reboot(&mut self) {
        if let Some(nat) = &mut self.nat {
            nat.udp.reboot();
            nat.tcp.reboot();
        }
        if let Some(wall) = &mut self.wall {
            wall.forget();
        }
    }
}

/// The translating half of a router. Each protocol has mappings of its own.
pub(crate) struct Nat {
    pub(crate) rewrites_payload: bool,
    pub(crate) udp: NatTable,
    pub(crate) tcp: NatTable,
}

impl Nat {
    fn new(config: NatConfig, externals: Vec<Ipv4Addr>) -> Self {
        let rewrites_payload = config.payload_rewriting;
        let udp = NatTable::new(config.clone(), externals.clone(), Protocol::Udp);
        Self { rewrites_payload, udp, tcp: NatTable::new(config, externals, Protocol::Tcp) }
    }

    pub(crate) fn table(&mut self, cargo: Cargo) -> &mut NatTable {
        match cargo {
            Cargo::Datagram => &mut self.udp,
            Cargo::Stream(_) | Cargo::Segment { .. } => &mut self.tcp,
        }
    }
}

/// The half of a NAT64 that knows IPv6. Its table of mappings knows only stand-ins for the addresses inside.
pub(crate) struct Nat64 {
    pub(crate) prefix: Nat64Prefix,
    inside: Vec<Ipv6Addr>,
}

impl Nat64 {
    /// Both ends as the table has them. None if the destination does not stand for an IPv4 address.
    pub(crate) fn outward(
        &mut self,
        internal: SocketAddrV6,
        remote: SocketAddrV6,
    ) -> Option<(SocketAddrV4, SocketAddrV4)> {
        let to = self.prefix.extract(*remote.ip()).filter(|to| self.prefix.may_show(*to))?;
        let known = self.inside.iter().position(|ip| ip == internal.ip());
        let number = known.unwrap_or_else(|| {
            self.inside.push(*internal.ip());
            self.inside.len() - 1
        });
        let stand_in = Ipv4Addr::from(u32::try_from(number).ok()? + 1);
        Some((SocketAddrV4::new(stand_in, internal.port()), SocketAddrV4::new(to, remote.port())))
    }

    /// Whom a stand-in stands for.
    pub(crate) fn inward(&self, internal: SocketAddrV4) -> Option<SocketAddrV6> {
        let number = usize::try_from(u32::from(*internal.ip())).ok()?.checked_sub(1)?;
        Some(SocketAddrV6::new(*self.inside.get(number)?, internal.port(), 0, 0))
    }
}
