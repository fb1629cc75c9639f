//! Routers: the boxes between a network and the one in front of it. A router may translate, may filter, and may keep those behind it
//! apart; all of it is off where nothing is said.

use core::net::Ipv4Addr;

use crate::firewall::{Cargo, Firewall, Wall};
use crate::nat::{NatConfig, NatTable, Protocol};

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
}

impl Router {
    pub(crate) fn new(config: RouterConfig, externals: Vec<Ipv4Addr>) -> Self {
        let RouterConfig { nat, firewall, isolated } = config;
        Self { nat: nat.map(|nat| Nat::new(nat, externals)), wall: Wall::new(firewall), isolated }
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
    pub(crate) udp: NatTable,
    pub(crate) tcp: NatTable,
}

impl Nat {
    fn new(config: NatConfig, externals: Vec<Ipv4Addr>) -> Self {
        let udp = NatTable::new(config.clone(), externals.clone(), Protocol::Udp);
        Self { udp, tcp: NatTable::new(config, externals, Protocol::Tcp) }
    }

    pub(crate) fn table(&mut self, cargo: Cargo) -> &mut NatTable {
        match cargo {
            Cargo::Datagram => &mut self.udp,
            Cargo::Stream(_) => &mut self.tcp,
        }
    }
}
