//! How a NAT behaves, on the axes of RFC 4787: mapping and filtering are independent of each other, and
//! some manners come with them. The working of it is in `table`.

mod table;

use core::ops::RangeInclusive;
use core::time::Duration;

pub(crate) use table::NatTable;

/// Which flows of one internal address and port share an external port (RFC 4787 §4.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Mapping {
    /// All of them.
    EndpointIndependent,
    /// Those to the same remote address.
    AddressDependent,
    /// Those to the same remote address and port.
    AddressAndPortDependent,
}

/// Who may send in through a mapping (RFC 4787 §5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Filtering {
    /// Anyone.
    EndpointIndependent,
    /// Addresses that were sent to, from any of their ports.
    AddressDependent,
    /// Addresses and ports that were sent to.
    AddressAndPortDependent,
}

/// How the external port of a new mapping is chosen (RFC 4787 §4.2.1). No two mappings share a port:
/// if the first choice is taken, the next higher free port is used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PortAssignment {
    /// The internal port.
    Preserving,
    /// The last one plus `step`; the first is random.
    Sequential {
        /// The distance from one new mapping to the next. Zero counts as one.
        step: u16,
    },
    /// Any.
    Random,
}

/// What becomes of a datagram from the inside to an external address of the NAT itself (RFC 4787 §6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Hairpin {
    /// It is dropped.
    None,
    /// It comes back in and shows the sender's internal address. The filter still judges it by
    /// the sender's external one.
    InternalSource,
    /// It comes back in and shows the sender's external address, as RFC 4787 REQ-9 wants it.
    ExternalSource,
}

/// Which datagrams restart the lifetime of a mapping (RFC 4787 §4.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Refresh {
    /// Those that go out.
    Outbound,
    /// Those that come in, past the filter.
    Inbound,
    /// Both.
    Both,
}

/// A NAT's behaviour. The presets carry the old names; take one and change what the test is about.
///
/// ```
/// # use core::time::Duration;
/// # use floe_sim::{Hairpin, NatConfig};
/// let forgetful = NatConfig::symmetric()
///     .with_hairpin(Hairpin::ExternalSource)
///     .with_lifetime(Duration::from_secs(10));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NatConfig {
    /// Which flows share an external port.
    pub mapping: Mapping,
    /// Who may send in.
    pub filtering: Filtering,
    /// How ports are chosen.
    pub port_assignment: PortAssignment,
    /// The external ports that may be used.
    pub ports: RangeInclusive<u16>,
    /// Whether hosts behind the NAT meet through its external address.
    pub hairpin: Hairpin,
    /// How long a mapping, and each entry of its filter, lives without being refreshed. It is gone
    /// when this much time has passed, not a nanosecond later.
    pub lifetime: Duration,
    /// What refreshes a mapping. Entries of the filter are refreshed by what goes out to them,
    /// and by what comes in from them if that refreshes the mapping.
    pub refresh: Refresh,
    /// Whether the network behind it uses 192.168.1.0/24 like every other such NAT, instead of a
    /// private network that no other NAT of the world uses.
    pub overlapping: bool,
}

impl NatConfig {
    /// A NAT of this mapping and filtering. It preserves ports, does not hairpin, forgets after
    /// two minutes (the least that RFC 4787 REQ-5 allows), and only outbound traffic refreshes.
    pub const fn new(mapping: Mapping, filtering: Filtering) -> Self {
        Self {
            mapping,
            filtering,
            port_assignment: PortAssignment::Preserving,
            ports: 1024..=u16::MAX,
            hairpin: Hairpin::None,
            lifetime: Duration::from_secs(120),
            refresh: Refresh::Outbound,
            overlapping: false,
        }
    }

    /// Endpoint-independent mapping and filtering.
    pub const fn full_cone() -> Self {
        Self::new(Mapping::EndpointIndependent, Filtering::EndpointIndependent)
    }

    /// Endpoint-independent mapping, address-dependent filtering.
    pub const fn address_restricted() -> Self {
        Self::new(Mapping::EndpointIndependent, Filtering::AddressDependent)
    }

    /// Endpoint-independent mapping, address- and port-dependent filtering.
    pub const fn port_restricted() -> Self {
        Self::new(Mapping::EndpointIndependent, Filtering::AddressAndPortDependent)
    }

    /// Mapping and filtering both address- and port-dependent, ports at random.
    pub const fn symmetric() -> Self {
        Self::new(Mapping::AddressAndPortDependent, Filtering::AddressAndPortDependent)
            .with_port_assignment(PortAssignment::Random)
    }

    /// The same NAT choosing ports in this way.
    pub const fn with_port_assignment(mut self, port_assignment: PortAssignment) -> Self {
        self.port_assignment = port_assignment;
        self
    }

    /// The same NAT using these external ports only. An empty range maps nothing.
    pub const fn with_ports(mut self, ports: RangeInclusive<u16>) -> Self {
        self.ports = ports;
        self
    }

    /// The same NAT hairpinning in this way.
    pub const fn with_hairpin(mut self, hairpin: Hairpin) -> Self {
        self.hairpin = hairpin;
        self
    }

    /// The same NAT forgetting after this time.
    pub const fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// The same NAT refreshed by such datagrams.
    pub const fn with_refresh(mut self, refresh: Refresh) -> Self {
        self.refresh = refresh;
        self
    }

    /// The same NAT with private addresses that other NATs use too.
    pub const fn with_overlapping_addresses(mut self) -> Self {
        self.overlapping = true;
        self
    }
}
