//! The behaviour of one NAT: a value for each axis, and the presets that have a common name.

use core::ops::RangeInclusive;
use core::time::Duration;

use super::axes::{
    DatagramRefusal, Filtering, Hairpin, Mapping, Pooling, PortAssignment, Refresh, SynRefusal, TcpLifetimes,
};
use crate::firewall::Refusal;

/// A NAT's behaviour. The presets carry the common names; take one and change what the test is about.
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
    /// How many external addresses it has. Zero counts as one.
    pub addresses: u16,
    /// Which of them a mapping gets.
    pub pooling: Pooling,
    /// Whether hosts behind the NAT meet through its external address.
    pub hairpin: Hairpin,
    /// How long a mapping for UDP, and each entry of its filter, lives without being refreshed. It is gone
    /// when this much time has passed, not a nanosecond later.
    pub lifetime: Duration,
    /// At most this much is added to a mapping's lifetime, and to that of its filter's entries. It is drawn for each mapping when that
    /// is made.
    pub lifetime_jitter: Duration,
    /// The lifetimes of mappings for TCP, and of their filters' entries.
    pub tcp_lifetimes: TcpLifetimes,
    /// What refreshes a mapping. Entries of the filter are refreshed by what goes out to them,
    /// and by what comes in from them if that refreshes the mapping.
    pub refresh: Refresh,
    /// How a datagram that is not let in is answered.
    pub datagram_refusal: DatagramRefusal,
    /// How a request to connect that is not let in is answered.
    pub syn_refusal: SynRefusal,
    /// What it says to a piece of a stream that it does not know (any more), having been rebooted, or after too long a silence. RFC 5382 §5 leaves
    /// that to it. Connections that it has moved ([`rebind`](crate::Network::rebind)) it knows.
    pub segment_refusal: Refusal,
    /// Whether it replaces internal by external addresses in the payloads of datagrams too, wherever it finds their bytes, as a gateway for SIP or
    /// FTP does that does not look what it has before it (RFC 4787 §7).
    pub payload_rewriting: bool,
    /// Whether the network behind it uses 192.168.1.0/24 like every other such NAT, instead of a
    /// private network that no other NAT of the world uses.
    pub overlapping: bool,
}

impl NatConfig {
    /// A NAT of this mapping and filtering. It has one external address, preserves ports, does not hairpin, forgets after
    /// two minutes (the least that RFC 4787 REQ-5 allows), only outbound traffic refreshes, and it says nothing to those that
    /// it does not let in.
    pub const fn new(mapping: Mapping, filtering: Filtering) -> Self {
        Self {
            mapping,
            filtering,
            port_assignment: PortAssignment::Preserving,
            ports: 1024..=u16::MAX,
            addresses: 1,
            pooling: Pooling::Paired,
            hairpin: Hairpin::None,
            lifetime: Duration::from_secs(120),
            lifetime_jitter: Duration::ZERO,
            tcp_lifetimes: TcpLifetimes::REQUIRED,
            refresh: Refresh::Outbound,
            datagram_refusal: DatagramRefusal::Silent,
            syn_refusal: SynRefusal::Silent,
            segment_refusal: Refusal::Drop,
            payload_rewriting: false,
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

    /// A carrier's NAT as RFC 6888 wants it: endpoint-independent mapping and filtering (REQ-1, REQ-7), two external addresses
    /// with paired pooling (REQ-2), a block of 512 ports for each subscriber, hairpinning with the external source, and a lifetime of five
    /// minutes (RFC 4787 REQ-5c).
    pub const fn carrier_grade() -> Self {
        Self::full_cone()
            .with_port_assignment(PortAssignment::Block { size: 512 })
            .with_addresses(2, Pooling::Paired)
            .with_hairpin(Hairpin::ExternalSource)
            .with_lifetime(Duration::from_secs(300))
    }

    /// What is called an easy NAT: port-restricted, port-preserving, and hairpinning with the external source.
    pub const fn easy() -> Self {
        Self::port_restricted().with_hairpin(Hairpin::ExternalSource)
    }

    /// What is called a hard NAT: mapping and filtering both address- and port-dependent, every new port two above the
    /// last, no hairpin.
    pub const fn hard() -> Self {
        Self::symmetric().with_port_assignment(PortAssignment::Sequential { step: 2 })
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

    /// The same NAT with so many external addresses, chosen in this way.
    pub const fn with_addresses(mut self, addresses: u16, pooling: Pooling) -> Self {
        self.addresses = addresses;
        self.pooling = pooling;
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

    /// The same NAT with up to `jitter` added to each mapping's lifetime.
    pub const fn with_lifetime_jitter(mut self, jitter: Duration) -> Self {
        self.lifetime_jitter = jitter;
        self
    }

    /// The same NAT forgetting TCP connections after these times.
    pub const fn with_tcp_lifetimes(mut self, lifetimes: TcpLifetimes) -> Self {
        self.tcp_lifetimes = lifetimes;
        self
    }

    /// The same NAT refreshed by such datagrams.
    pub const fn with_refresh(mut self, refresh: Refresh) -> Self {
        self.refresh = refresh;
        self
    }

    /// The same NAT answering in these ways what it does not let in.
    pub const fn with_refusals(mut self, datagram: DatagramRefusal, syn: SynRefusal) -> Self {
        self.datagram_refusal = datagram;
        self.syn_refusal = syn;
        self
    }

    /// The same NAT answering so to pieces of streams that it does not know.
    pub const fn with_segment_refusal(mut self, refusal: Refusal) -> Self {
        self.segment_refusal = refusal;
        self
    }

    /// The same NAT meddling with payloads.
    pub const fn with_payload_rewriting(mut self) -> Self {
        self.payload_rewriting = true;
        self
    }

    /// The same NAT with private addresses that other NATs use too.
    pub const fn with_overlapping_addresses(mut self) -> Self {
        self.overlapping = true;
        self
    }
}
