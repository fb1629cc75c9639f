//! What a candidate is made of: something that is open and carries datagrams.

use core::fmt;
use core::net::{IpAddr, SocketAddr};

use crate::base::{ComponentId, InterfaceId, SocketId};
use crate::candidate::{CandidateType, MAX_NETWORK_COST, Network, TcpType, Transport};

/// Something that carries datagrams and is open: told to the agent with `socket_up`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Socket {
    id: SocketId,
    local: SocketAddr,
    component: ComponentId,
    carrier: Carrier,
    interface: Option<InterfaceId>,
    network: Network,
}

/// What carries the datagrams.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Carrier {
    Udp,
    /// A listener, and connections from its address.
    Tcp,
    /// Connections only.
    TcpActive,
    VirtualRelay,
    /// An address on a TURN server.
    Turn,
}

impl Socket {
    /// A UDP socket that is bound to `local`: one address of one interface, with its port, never the
    /// unspecified address (RFC 8445 §5.1.1.1: a host candidate is a transport address).
    pub const fn udp(id: SocketId, local: SocketAddr) -> Self {
        let network = Network { id: None, cost: None };
        Self { id, local, component: ComponentId::FIRST, carrier: Carrier::Udp, interface: None, network }
    }

    /// A TCP socket that listens at `local`, for connections from the peer (RFC 6544 §3): a passive candidate, and an active one for
    /// connections that the agent opens from the same IP address. Of a lite agent, only the former (§4.4).
    ///
    /// Whoever connects to it is told to the agent by [`Agent::stream_accepted`](crate::Agent::stream_accepted), and what the agent
    /// wants to be connected it asks for with [`SocketRequest::Connect`](crate::SocketRequest::Connect). Two that open at the same time
    /// (`so`) are not supported.
    pub const fn tcp(id: SocketId, local: SocketAddr) -> Self {
        Self { carrier: Carrier::Tcp, ..Self::udp(id, local) }
    }

    /// TCP connections from an IP address of this host, without a listener: an active candidate.
    pub const fn tcp_active(id: SocketId, ip: IpAddr) -> Self {
        Self { carrier: Carrier::TcpActive, ..Self::udp(id, SocketAddr::new(ip, DISCARD)) }
    }

    /// Anything of the application's own that carries datagrams, a connection to its server for instance. It becomes
    /// a relayed candidate that is its own base, of a lower preference than any other, so that what starts on it
    /// goes over to a direct path when one is proven.
    ///
    /// `address` is what the peer is told to send to. It need not exist, but it must be unlike the address of anything
    /// else: checks and data for it, and from it, go the application's own way.
    pub const fn virtual_relay(id: SocketId, address: SocketAddr) -> Self {
        Self { carrier: Carrier::VirtualRelay, ..Self::udp(id, address) }
    }

    /// A relayed address that was allocated for `host`.
    pub(crate) const fn relayed(name: SocketId, address: SocketAddr, host: &Self) -> Self {
        Self { id: name, local: address, carrier: Carrier::Turn, ..*host }
    }

    /// The same socket, on this interface: see `CandidateFilter::except_interfaces`.
    #[must_use]
    pub const fn on_interface(mut self, interface: InterfaceId) -> Self {
        self.interface = Some(interface);
        self
    }

    /// The same socket, in this network of the host's. The peer is told so (`network-id`, as libwebrtc has it): candidates
    /// of one network are likely to go with it.
    #[must_use]
    pub const fn in_network(mut self, id: u16) -> Self {
        self.network.id = Some(id);
        self
    }

    /// The same socket, at this cost: 0 for a network that may be used freely, up to [`MAX_NETWORK_COST`] for one that is to be
    /// spared. libwebrtc has 0 for a wire, 10 for Wi-Fi, 50 for what it does not know, and 250 to 980 for mobile networks.
    ///
    /// The peer is told so (`network-cost`, as libwebrtc has it). It decides nothing by itself: a
    /// [`Preference`](crate::Preference) sees both sides' costs.
    #[must_use]
    pub const fn at_cost(mut self, cost: u16) -> Self {
        self.network.cost = Some(cost);
        self
    }

    /// The same socket for another component.
    #[must_use]
    pub const fn component(mut self, component: ComponentId) -> Self {
        self.component = component;
        self
    }

    /// The driver's name for it.
    pub const fn id(&self) -> SocketId {
        self.id
    }

    /// What its datagrams belong to.
    pub const fn for_component(&self) -> ComponentId {
        self.component
    }

    /// The address that it is bound to, or the relay's.
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// The interface that it is on, if the driver has told.
    pub const fn interface(&self) -> Option<InterfaceId> {
        self.interface
    }

    /// Which of the host's networks it is in, if the driver has told.
    pub const fn network_id(&self) -> Option<u16> {
        self.network.id
    }

    /// What its network costs, if the driver has told.
    pub const fn network_cost(&self) -> Option<u16> {
        self.network.cost
    }

    pub(crate) const fn network(&self) -> Network {
        self.network
    }

    /// The type of the candidate that it is by itself.
    pub(crate) const fn kind(&self) -> CandidateType {
        match self.carrier {
            Carrier::Udp | Carrier::Tcp | Carrier::TcpActive => CandidateType::Host,
            Carrier::VirtualRelay | Carrier::Turn => CandidateType::Relayed,
        }
    }

    /// What its candidates are told to be reached over.
    pub const fn transport(&self) -> Transport {
        match self.carrier {
            Carrier::Udp | Carrier::VirtualRelay | Carrier::Turn => Transport::Udp,
            Carrier::Tcp | Carrier::TcpActive => Transport::Tcp,
        }
    }

    /// Whether it is for connections.
    pub(crate) fn is_tcp(&self) -> bool {
        self.transport() == Transport::Tcp
    }

    /// Whether others can connect to it.
    pub(crate) fn listens(&self) -> bool {
        self.carrier == Carrier::Tcp
    }

    /// Whether nobody can.
    pub(crate) fn is_active_only(&self) -> bool {
        self.carrier == Carrier::TcpActive
    }

    /// The candidates that it is by itself: `None` for datagrams, else who opens the connections.
    pub(crate) fn directions(&self) -> &'static [Option<TcpType>] {
        match self.carrier {
            Carrier::Udp | Carrier::VirtualRelay | Carrier::Turn => &[None],
            Carrier::Tcp => &[Some(TcpType::Active), Some(TcpType::Passive)],
            Carrier::TcpActive => &[Some(TcpType::Active)],
        }
    }

    /// The address of such a candidate. RFC 6544 §4.5: the port of an active one means nothing.
    pub(crate) fn address(&self, tcp: Option<TcpType>) -> SocketAddr {
        match tcp {
            Some(TcpType::Active) => SocketAddr::new(self.local.ip(), DISCARD),
            _ => self.local,
        }
    }
}

/// RFC 6544 §4.5.
const DISCARD: u16 = 9;

/// Why a socket or an address was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SocketError {
    /// This name is one of those that the agent gives: [`SocketId::FIRST_OF_AGENT`].
    NameOfAgent(SocketId),
    /// A socket of this name is up already.
    DuplicateId(SocketId),
    /// Another socket is bound to this address.
    DuplicateAddress(SocketAddr),
    /// Not a transport address that a peer could send to: unspecified, multicast, or port 0.
    NotATransportAddress(SocketAddr),
    /// The cost of its network is over [`MAX_NETWORK_COST`].
    NetworkCost(u16),
    /// The agent has no such component.
    UnknownComponent(ComponentId),
    /// No socket of this name is up.
    UnknownSocket(SocketId),
    /// The address is of another family than the socket.
    FamilyMismatch(SocketAddr),
    /// The socket is a virtual relay, behind which nothing is mapped.
    VirtualRelay(SocketId),
    /// The socket opens TCP connections only: nothing that is mapped would reach it. Nor is it of use to a lite agent (RFC 6544 §4.4).
    ActiveOnly(SocketId),
    /// The agent has as many candidates as it takes (`MAX_LOCAL_CANDIDATES`).
    TooMany,
    /// The agent is lite, and has host candidates only (RFC 8445 §5.2).
    HostOnly,
    /// The agent is lite, and has a candidate on this IP address for the component (RFC 8445 §5.2).
    SecondOnAddress(SocketAddr),
    /// The agent is closed or has failed.
    Ended,
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameOfAgent(id) => write!(f, "{} is a name that only the agent gives", id.0),
            Self::DuplicateId(id) => write!(f, "socket {} is up already", id.0),
            Self::DuplicateAddress(address) => write!(f, "another socket is bound to {address}"),
            Self::NotATransportAddress(address) => {
                write!(f, "{address} is no address that a peer could send to (RFC 8445 section 5.1.1.1)")
            }
            Self::NetworkCost(cost) => {
                write!(f, "a network cost of {cost} is not in 0 to {MAX_NETWORK_COST}")
            }
            Self::UnknownComponent(component) => write!(f, "the agent has no component {component}"),
            Self::UnknownSocket(id) => write!(f, "no socket {} is up", id.0),
            Self::FamilyMismatch(address) => {
                write!(f, "{address} is of another address family than its socket")
            }
            Self::VirtualRelay(id) => write!(f, "socket {} is a relay: it has no mapped address", id.0),
            Self::ActiveOnly(id) => write!(f, "socket {} takes no connections (RFC 6544 section 4.4)", id.0),
            Self::TooMany => f.write_str("the agent takes no more local candidates"),
            Self::HostOnly => f.write_str("a lite agent has host candidates only (RFC 8445 section 5.2)"),
            Self::SecondOnAddress(address) => {
                write!(f, "a lite agent has one candidate on {} (RFC 8445 section 5.2)", address.ip())
            }
            Self::Ended => f.write_str("the agent has ended"),
        }
    }
}

impl core::error::Error for SocketError {}
