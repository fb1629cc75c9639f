//! A candidate as it is signalled: what one side tells the other.

use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

use super::{Extensions, Foundation};

/// A candidate as it goes through signalling (RFC 8839 §5.1).
///
/// It is parsed from a line with or without `a=` in front and with or without a line end, and
/// displayed as `candidate:...` without either. A canonical line (one space between fields, the
/// transport in capitals, addresses and numbers in their shortest form) comes back as it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Equal for candidates of the same type, base address, server address and transport.
    pub foundation: Foundation,
    /// The component of the data stream, 1 to 256.
    pub component: u16,
    /// What the candidate carries datagrams over.
    pub transport: Transport,
    /// 1 to 2^31-1 from an agent that keeps RFC 8445 §5.1.2, 1 to 2^32-1 from one that does not.
    pub priority: u32,
    /// The transport address itself.
    pub address: Address,
    /// How the candidate was obtained.
    pub kind: CandidateType,
    /// The base of a reflexive candidate, the mapped address of a relayed one; for diagnostics only.
    pub related: Option<Address>,
    /// Name/value pairs behind all others, in the order in which they stand.
    pub extensions: Extensions,
}

/// How a candidate was obtained (RFC 8445 §4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CandidateType {
    /// Bound on an interface of the host.
    Host,
    /// The mapping that a STUN server saw.
    ServerReflexive,
    /// The mapping that the peer saw.
    PeerReflexive,
    /// Allocated on a TURN server.
    Relayed,
}

impl CandidateType {
    /// The recommended type preference: 126, 100, 110 or 0 (RFC 8445 §5.1.2.2).
    pub const fn type_preference(self) -> u8 {
        match self {
            Self::Host => 126,
            Self::PeerReflexive => 110,
            Self::ServerReflexive => 100,
            Self::Relayed => 0,
        }
    }

    /// The type preference over a transport. With UDP preferred, every direct way over UDP comes before every way over TCP, and
    /// relays come last (RFC 6544 §4.2): 90, 70 and 80 in place of 126, 100 and 110.
    pub const fn type_preference_over(self, transport: Transport) -> u8 {
        match (transport, self) {
            (Transport::Tcp, Self::Host) => 90,
            (Transport::Tcp, Self::PeerReflexive) => 80,
            (Transport::Tcp, Self::ServerReflexive) => 70,
            _ => self.type_preference(),
        }
    }

    /// The word for it in SDP: `host`, `srflx`, `prflx` or `relay` (RFC 8839 §5.1).
    pub const fn sdp_name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relayed => "relay",
        }
    }

    pub(super) fn from_sdp(name: &str) -> Option<Self> {
        [Self::Host, Self::ServerReflexive, Self::PeerReflexive, Self::Relayed]
            .into_iter()
            .find(|kind| kind.sdp_name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for CandidateType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.sdp_name())
    }
}

/// The transport protocol of a candidate.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Transport {
    /// Datagrams (RFC 8839 §5.1).
    Udp,
    /// Frames on a connection; who opens it is told by [`Extensions::tcp_type`] (RFC 6544 §4.5).
    Tcp,
}

impl Transport {
    /// The word for it in SDP, as the RFCs spell it: `UDP` or `TCP`. Case does not count in parsing.
    pub const fn sdp_name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        }
    }

    pub(super) fn from_sdp(name: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp].into_iter().find(|transport| transport.sdp_name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.sdp_name())
    }
}

/// A transport address as signalled: an IP address or a name, and a port.
///
/// An IPv6 zone (`fe80::1%eth0`) means something on its own host only: it is dropped when parsed and
/// never written (RFC 4007 §11.2).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Address {
    /// An IP address and port. Port 9 stands for "none" in an active TCP candidate and in a hidden
    /// related address; 0 is not refused, since peers write it in the same places.
    Ip(SocketAddr),
    /// A domain name, `.local` ones included. RFC 8839 §5.1 has it ignored unless the agent can resolve it.
    Name {
        /// At most 253 letters, digits, `-`, `_` and dots, as they were written.
        name: String,
        /// The port.
        port: u16,
    },
}

/// Whether datagrams can be sent to, and come from, this address: it is one host's, with a port.
pub(crate) fn is_transport_address(address: SocketAddr) -> bool {
    let ip = address.ip();
    address.port() != 0
        && !ip.is_unspecified()
        && !ip.is_multicast()
        && ip != IpAddr::V4(core::net::Ipv4Addr::BROADCAST)
}

impl Address {
    /// The IP address and port, unless it is a name.
    pub const fn socket_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Name { .. } => None,
        }
    }

    /// The IP address, unless it is a name.
    pub fn ip(&self) -> Option<IpAddr> {
        self.socket_addr().map(|address| address.ip())
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        match self {
            Self::Ip(address) => address.port(),
            Self::Name { port, .. } => *port,
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address)
    }
}
