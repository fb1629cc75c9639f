//! Filters: which candidates an application lets the agent have, on either side. Plain data; who asks decides what
//! follows from an answer.

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use super::CandidateType;
use crate::base::InterfaceId;

/// Which candidates are let through. The default lets all through.
///
/// For local candidates (`AgentConfig::local_filter`), **types decide what is told, addresses and interfaces what is
/// used**. A host candidate whose type is not let through is not signalled, and its address is not shown as the
/// related address of others either (RFC 8839 §5.1). Nothing is checked from it, and requests that reach its socket
/// are dropped without an answer, unless a reflexive candidate of the same base is let through: that one is checked
/// from its base (RFC 8445 §6.1.2.4), and then a peer on the same network can see the base's address as the source
/// of a check. An address or interface that is not let through is never used, by no type of candidate.
/// Peer-reflexive candidates of ours are never signalled, so their type makes no difference.
///
/// For remote candidates (`AgentConfig::remote_filter`), what is not let through is no candidate: it is refused with
/// `RemoteError::Filtered`, no name is looked up for it, and a request from an unknown source is dropped without an
/// answer unless a peer-reflexive candidate with that address would be let through. Interfaces do not apply.
///
/// ```
/// use floe_core::{AgentConfig, CandidateFilter, CandidateType, CandidateTypes};
///
/// // Nothing but relays, whichever way: the peer learns no address of ours.
/// let hidden = AgentConfig { local_filter: CandidateFilter::relay_only(), ..Default::default() };
/// // Host addresses stay private, what a server sees of them is told; nothing is sent into 10.0.0.0/8.
/// let config = AgentConfig {
///     local_filter: CandidateFilter {
///         types: CandidateTypes::ALL.without(CandidateType::Host),
///         ..Default::default()
///     },
///     remote_filter: CandidateFilter { except: vec!["10.0.0.0/8".parse()?], ..Default::default() },
///     ..Default::default()
/// };
/// # let _ = (hidden, config); Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CandidateFilter {
    /// How the candidate was obtained.
    pub types: CandidateTypes,
    /// IPv4 addresses.
    pub ipv4: bool,
    /// IPv6 addresses.
    pub ipv6: bool,
    /// If not empty: addresses in one of these only.
    pub only: Vec<AddressPrefix>,
    /// No addresses in these, whatever `only` says.
    pub except: Vec<AddressPrefix>,
    /// No sockets on these interfaces, by the names that `Socket::on_interface` gave them.
    pub except_interfaces: Vec<InterfaceId>,
}

impl Default for CandidateFilter {
    fn default() -> Self {
        Self {
            types: CandidateTypes::ALL,
            ipv4: true,
            ipv6: true,
            only: Vec::new(),
            except: Vec::new(),
            except_interfaces: Vec::new(),
        }
    }
}

impl CandidateFilter {
    /// Relayed candidates of any address.
    pub fn relay_only() -> Self {
        Self { types: CandidateTypes::NONE.with(CandidateType::Relayed), ..Self::default() }
    }

    /// Whether a candidate of this type and address is let through.
    pub fn admits(&self, kind: CandidateType, address: IpAddr) -> bool {
        self.types.contains(kind) && self.admits_address(address)
    }

    /// Whether a candidate of this address is let through if its type is.
    pub fn admits_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let family = if address.is_ipv4() { self.ipv4 } else { self.ipv6 };
        family
            && (self.only.is_empty() || self.only.iter().any(|p| p.contains(address)))
            && !self.except.iter().any(|p| p.contains(address))
    }

    /// Whether a socket with this address on this interface may be used.
    pub fn admits_base(&self, base: IpAddr, interface: Option<InterfaceId>) -> bool {
        self.admits_address(base) && !interface.is_some_and(|i| self.except_interfaces.contains(&i))
    }
}

/// A set of candidate types.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CandidateTypes(u8);

impl CandidateTypes {
    /// Every type.
    pub const ALL: Self = Self(0b1111);
    /// No type.
    pub const NONE: Self = Self(0);

    /// The set with this type in it.
    #[must_use]
    pub const fn with(self, kind: CandidateType) -> Self {
        Self(self.0 | Self::bit(kind))
    }

    /// The set without this type.
    #[must_use]
    pub const fn without(self, kind: CandidateType) -> Self {
        Self(self.0 & !Self::bit(kind))
    }

    /// Whether the type is in it.
    pub const fn contains(self, kind: CandidateType) -> bool {
        self.0 & Self::bit(kind) != 0
    }

    const fn bit(kind: CandidateType) -> u8 {
        match kind {
            CandidateType::Host => 1,
            CandidateType::ServerReflexive => 2,
            CandidateType::PeerReflexive => 4,
            CandidateType::Relayed => 8,
        }
    }
}

impl fmt::Debug for CandidateTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use CandidateType::{Host, PeerReflexive, Relayed, ServerReflexive};
        let all = [Host, ServerReflexive, PeerReflexive, Relayed];
        f.debug_set().entries(all.into_iter().filter(|kind| self.contains(*kind))).finish()
    }
}

/// The addresses that begin with the same bits: `10.0.0.0/8`, `fd00::/8`.
///
/// An IPv4-mapped IPv6 address counts as the IPv4 address in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AddressPrefix {
    address: IpAddr,
    length: u8,
}

impl AddressPrefix {
    /// The addresses whose first `length` bits are those of `address`; its other bits do not matter.
    ///
    /// # Errors
    /// If `length` is over 32 (IPv4) or 128 (IPv6).
    pub const fn new(address: IpAddr, length: u8) -> Result<Self, PrefixError> {
        let longest = if address.is_ipv4() { 32 } else { 128 };
        if length > longest { Err(PrefixError::Length) } else { Ok(Self { address, length }) }
    }

    /// Whether the address is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                (ours.to_bits() ^ other.to_bits()).leading_zeros() >= u32::from(self.length)
            }
            (IpAddr::V6(ours), IpAddr::V6(other)) => {
                (ours.to_bits() ^ other.to_bits()).leading_zeros() >= u32::from(self.length)
            }
            _ => false,
        }
    }
}

impl FromStr for AddressPrefix {
    type Err = PrefixError;

    /// `address/length`, or an address alone for that one address.
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| PrefixError::Address)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let length = length.map_or(Ok(longest), str::parse).map_err(|_| PrefixError::Length)?;
        Self::new(address, length)
    }
}

impl fmt::Display for AddressPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// What is wrong with a prefix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PrefixError {
    /// No IP address stands before the `/`.
    Address,
    /// The length is no number, or larger than the address.
    Length,
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "the prefix has no IP address",
            Self::Length => "the length of the prefix is no number from 0 to the bits of its address",
        })
    }
}

impl core::error::Error for PrefixError {}

#[cfg(test)]
mod tests {
    use super::*;
    use CandidateType::{Host, Relayed, ServerReflexive};
    use alloc::vec;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_prefix_holds_the_addresses_that_begin_like_it() {
        let table = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.9.9.9/8", "10.0.0.1", true),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.0", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("fe80::/10", "febf::1", true),
            ("fe80::/10", "fec0::1", false),
            ("2001:db8::1/128", "2001:db8::1", true),
            ("::/0", "2001:db8::1", true),
        ];
        for (prefix, address, expected) in table {
            let prefix: AddressPrefix = prefix.parse().unwrap();
            assert_eq!(prefix.contains(ip(address)), expected, "{prefix} {address}");
        }
    }

    #[test]
    fn a_bad_prefix_is_refused() {
        let table = [
            ("", PrefixError::Address),
            ("10.0.0/8", PrefixError::Address),
            ("10.0.0.0/33", PrefixError::Length),
            ("::/129", PrefixError::Length),
            ("10.0.0.0/", PrefixError::Length),
            ("10.0.0.0/-1", PrefixError::Length),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse::<AddressPrefix>(), Err(expected), "{text}");
        }
    }

    #[test]
    fn each_part_of_a_filter_can_refuse() {
        let all = CandidateFilter::default();
        let prefix = |text: &str| vec![text.parse().unwrap()];
        let private = CandidateFilter { except: prefix("10.0.0.0/8"), ..all.clone() };
        let table = [
            (all.clone(), Host, "10.0.0.1", true),
            (CandidateFilter::relay_only(), Relayed, "10.0.0.1", true),
            (CandidateFilter::relay_only(), ServerReflexive, "203.0.113.1", false),
            (CandidateFilter { ipv4: false, ..all.clone() }, Host, "10.0.0.1", false),
            (CandidateFilter { ipv4: false, ..all.clone() }, Host, "::ffff:10.0.0.1", false),
            (CandidateFilter { ipv4: false, ..all.clone() }, Host, "2001:db8::1", true),
            (CandidateFilter { ipv6: false, ..all.clone() }, Host, "2001:db8::1", false),
            (private.clone(), Host, "10.0.0.1", false),
            (private.clone(), Host, "203.0.113.1", true),
            (CandidateFilter { only: prefix("10.1.0.0/16"), ..all.clone() }, Host, "10.0.0.1", false),
            (CandidateFilter { only: prefix("10.0.0.0/16"), ..all.clone() }, Host, "10.0.0.1", true),
            (CandidateFilter { only: prefix("10.0.0.0/16"), ..private }, Host, "10.0.0.1", false),
        ];
        for (filter, kind, address, expected) in table {
            assert_eq!(filter.admits(kind, ip(address)), expected, "{filter:?} {kind} {address}");
        }
        let wired = CandidateFilter { except_interfaces: vec![InterfaceId(3)], ..all };
        assert!(wired.admits_base(ip("10.0.0.1"), None));
        assert!(wired.admits_base(ip("10.0.0.1"), Some(InterfaceId(2))));
        assert!(!wired.admits_base(ip("10.0.0.1"), Some(InterfaceId(3))));
    }
}
