//! Which addresses of this host become host candidates (RFC 8445 §5.1.1.1). [`select`] is a pure function of what the
//! host has and what the application wants; [`of_this_host`] asks the system.

mod system;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

pub use system::of_this_host;

use crate::error::{Unused, UnusedReason};

/// Which addresses an application wants to use. The default is all that RFC 8445 §5.1.1.1 allows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InterfacePolicy {
    /// Loopback addresses, which RFC 8445 §5.1.1.1 forbids: for peers on the same host, in tests above all.
    pub loopback: bool,
    /// Addresses that are not loopback.
    pub external: bool,
    /// Point-to-point interfaces: VPNs and dial-up, mostly. RFC 8445 §5.1.1.1 wants them.
    pub point_to_point: bool,
    /// IPv4 addresses.
    pub ipv4: bool,
    /// IPv6 addresses.
    pub ipv6: bool,
    /// If not empty: interfaces of these names only.
    pub include: Vec<String>,
    /// No interfaces of these names, whatever `include` says.
    pub exclude: Vec<String>,
}

impl Default for InterfacePolicy {
    fn default() -> Self {
        Self {
            loopback: false,
            external: true,
            point_to_point: true,
            ipv4: true,
            ipv6: true,
            include: Vec::new(),
            exclude: Vec::new(),
        }
    }
}

impl InterfacePolicy {
    /// Loopback addresses and no others: nothing leaves the host.
    pub fn loopback_only() -> Self {
        Self { loopback: true, external: false, ..Self::default() }
    }
}

/// A network interface, as far as it matters here.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Interface {
    /// As the system calls it.
    pub name: String,
    /// The system's number for it: the zone of its link-local addresses.
    pub index: u32,
    /// Whether it is switched on.
    pub up: bool,
    /// Whether it leads back to this host.
    pub loopback: bool,
    /// Whether there is one peer at its other end, as for most VPNs.
    pub point_to_point: bool,
    /// Its unicast addresses.
    pub addresses: Vec<Address>,
}

/// An address of an interface. The flags are those of IPv6, false where the system does not tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Address {
    /// The address itself.
    pub ip: IpAddr,
    /// The length of its network's prefix, in bits.
    pub prefix: u8,
    /// Not to be used for anything new (RFC 4862 §5.5.4).
    pub deprecated: bool,
    /// Changes from time to time, so that it does not give the host away (RFC 8981).
    pub temporary: bool,
    /// Not known to be unique, or known not to be (RFC 4862 §5.4): it cannot be bound.
    pub tentative: bool,
}

/// What came out of a selection.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Selection {
    /// In the order of the interfaces.
    pub usable: Vec<Usable>,
    /// In no particular order.
    pub skipped: Vec<Skipped>,
}

/// An address to bind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Usable {
    /// The interface that it is on.
    pub interface: String,
    /// With port 0, and with the zone if it is link-local.
    pub address: SocketAddr,
}

/// An address that is not to be bound.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Skipped {
    /// The interface that it is on.
    pub interface: String,
    /// The address.
    pub ip: IpAddr,
    /// Why not.
    pub reason: Skip,
}

/// Why an address is not to be bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Skip {
    /// The interface is down.
    Down,
    /// The policy excludes the interface by its name or kind, or the address by its family.
    Policy,
    /// A loopback address, and the policy does not ask for them.
    Loopback,
    /// Unspecified, multicast or broadcast.
    NotUnicast,
    /// IPv4-compatible IPv6 (RFC 4291 §2.5.5.1).
    Ipv4Compatible,
    /// IPv4-mapped IPv6 (RFC 4291 §2.5.5.2).
    Ipv4Mapped,
    /// Site-local IPv6 (RFC 3879).
    SiteLocal,
    /// Not known to be unique.
    Tentative,
    /// Not to be used for anything new.
    Deprecated,
    /// There is a temporary address of the same network, which gives less away.
    Traceable,
    /// Link-local IPv6, and there are temporary addresses, which give less away.
    TraceableLinkLocal,
    /// Link-local IPv4, and there are better addresses.
    LinkLocal,
    /// The address was there before, on another interface.
    Duplicate,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Down => "the interface is down",
            Self::Policy => "excluded by the policy",
            Self::Loopback => "loopback",
            Self::NotUnicast => "not a unicast address",
            Self::Ipv4Compatible => "IPv4-compatible",
            Self::Ipv4Mapped => "IPv4-mapped",
            Self::SiteLocal => "site-local",
            Self::Tentative => "not known to be unique",
            Self::Deprecated => "deprecated",
            Self::Traceable => "a temporary address of the same network is used instead",
            Self::TraceableLinkLocal => "link-local, and temporary addresses are used instead",
            Self::LinkLocal => "link-local, and there are better addresses",
            Self::Duplicate => "already seen on another interface",
        })
    }
}

impl From<Skipped> for Unused {
    fn from(Skipped { interface, ip, reason }: Skipped) -> Self {
        Self { interface, address: ip, reason: UnusedReason::Skipped(reason) }
    }
}

/// The addresses of `interfaces` to bind under `policy`.
pub fn select(interfaces: &[Interface], policy: &InterfacePolicy) -> Selection {
    let all = || interfaces.iter().flat_map(|i| i.addresses.iter().map(move |a| (i, a)));
    // What may be bound by itself; the other rules compare with these.
    let eligible: Vec<_> = all().filter(|(i, a)| unfit(i, a, policy).is_none()).collect();
    let mut seen = HashSet::new();
    let mut selection = Selection::default();
    for (interface, address) in all() {
        let reason = unfit(interface, address, policy)
            .or_else(|| outdone(interface, address, &eligible))
            .or_else(|| (!seen.insert(bindable(interface, address))).then_some(Skip::Duplicate));
        let name = interface.name.clone();
        match reason {
            None => selection.usable.push(Usable { interface: name, address: bindable(interface, address) }),
            Some(reason) => selection.skipped.push(Skipped { interface: name, ip: address.ip, reason }),
        }
    }
    selection
}

/// Why `address` cannot be used, whatever else there is.
fn unfit(interface: &Interface, address: &Address, policy: &InterfacePolicy) -> Option<Skip> {
    let named = |names: &[String]| names.contains(&interface.name);
    if !interface.up {
        return Some(Skip::Down);
    }
    if (!policy.include.is_empty() && !named(&policy.include)) || named(&policy.exclude) {
        return Some(Skip::Policy);
    }
    let wanted = if address.ip.is_ipv4() { policy.ipv4 } else { policy.ipv6 };
    if !wanted || (interface.point_to_point && !policy.point_to_point) {
        return Some(Skip::Policy);
    }
    if is_loopback(interface, address) {
        if !policy.loopback {
            return Some(Skip::Loopback);
        }
    } else if !policy.external {
        return Some(Skip::Policy);
    }
    match address.ip {
        IpAddr::V4(ip) => unfit_v4(ip),
        IpAddr::V6(ip) => unfit_v6(ip, address),
    }
}

fn unfit_v4(ip: Ipv4Addr) -> Option<Skip> {
    (ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast()).then_some(Skip::NotUnicast)
}

fn unfit_v6(ip: Ipv6Addr, address: &Address) -> Option<Skip> {
    let [first, rest @ ..] = ip.segments();
    if ip.is_unspecified() || ip.is_multicast() {
        Some(Skip::NotUnicast)
    } else if ip.to_ipv4_mapped().is_some() {
        Some(Skip::Ipv4Mapped)
    } else if first == 0 && matches!(rest, [0, 0, 0, 0, 0, _, _]) && !ip.is_loopback() {
        Some(Skip::Ipv4Compatible)
    } else if first & 0xffc0 == 0xfec0 {
        Some(Skip::SiteLocal)
    } else if address.tentative {
        Some(Skip::Tentative)
    } else if address.deprecated {
        Some(Skip::Deprecated)
    } else {
        None
    }
}

/// Why `address` is not used beside the others that could be.
fn outdone(interface: &Interface, address: &Address, eligible: &[(&Interface, &Address)]) -> Option<Skip> {
    match address.ip {
        IpAddr::V4(ip) if ip.is_link_local() => {
            let better = |(i, a): &(&Interface, &Address)| !is_loopback(i, a) && !is_link_local(a.ip);
            eligible.iter().any(better).then_some(Skip::LinkLocal)
        }
        IpAddr::V6(ip) if ip.is_unicast_link_local() => {
            // RFC 8445 §5.1.1.1 does not limit this to the same interface, as it does the rule below.
            eligible.iter().any(|(_, a)| a.temporary).then_some(Skip::TraceableLinkLocal)
        }
        IpAddr::V6(ip) if !address.temporary => {
            let replaces = |(i, a): &(&Interface, &Address)| {
                a.temporary && i.index == interface.index && is_same_network(ip, a)
            };
            eligible.iter().any(replaces).then_some(Skip::Traceable)
        }
        _ => None,
    }
}

fn is_loopback(interface: &Interface, address: &Address) -> bool {
    interface.loopback || address.ip.is_loopback()
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Whether `ip` is in the network of the IPv6 address `of`.
fn is_same_network(ip: Ipv6Addr, of: &Address) -> bool {
    let IpAddr::V6(other) = of.ip else { return false };
    let differing = u128::from(ip) ^ u128::from(other);
    differing.leading_zeros() >= u32::from(of.prefix)
}

fn bindable(interface: &Interface, address: &Address) -> SocketAddr {
    match address.ip {
        IpAddr::V6(ip) if ip.is_unicast_link_local() => SocketAddrV6::new(ip, 0, 0, interface.index).into(),
        ip => SocketAddr::new(ip, 0),
    }
}
