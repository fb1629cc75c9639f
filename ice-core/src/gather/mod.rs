//! Local candidates (RFC 8445 §5.1.1): those that a socket has by itself, and those that the application knows.
//! This room owns the sockets' names and gives each candidate its priority and foundation. It opens nothing.

use core::fmt;
use core::net::{IpAddr, SocketAddr};

use smallvec::SmallVec;

use crate::base::{ComponentId, SocketId};
use crate::candidate::{
    AddedLocal, CandidateType, Candidates, FoundationTable, LocalId, LocalPreferences, NewLocal, Transport,
    is_transport_address,
};

/// Something that carries datagrams and is open: told to the agent with `socket_up`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Socket {
    id: SocketId,
    local: SocketAddr,
    component: ComponentId,
}

impl Socket {
    /// A UDP socket that is bound to `local`: one address of one interface, with its port, never the
    /// unspecified address (RFC 8445 §5.1.1.1: a host candidate is a transport address).
    pub const fn udp(id: SocketId, local: SocketAddr) -> Self {
        Self { id, local, component: ComponentId::FIRST }
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

    /// The address that it is bound to.
    pub const fn local(&self) -> SocketAddr {
        self.local
    }
}

/// Why a socket or an address was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SocketError {
    /// A socket of this name is up already.
    DuplicateId(SocketId),
    /// Another socket is bound to this address.
    DuplicateAddress(SocketAddr),
    /// Not a transport address that a peer could send to: unspecified, multicast, or port 0.
    NotATransportAddress(SocketAddr),
    /// The agent has no such component.
    UnknownComponent(ComponentId),
    /// No socket of this name is up.
    UnknownSocket(SocketId),
    /// The address is of another family than the socket.
    FamilyMismatch(SocketAddr),
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
            Self::DuplicateId(id) => write!(f, "socket {} is up already", id.0),
            Self::DuplicateAddress(address) => write!(f, "another socket is bound to {address}"),
            Self::NotATransportAddress(address) => {
                write!(f, "{address} is no address that a peer could send to (RFC 8445 section 5.1.1.1)")
            }
            Self::UnknownComponent(component) => write!(f, "the agent has no component {component}"),
            Self::UnknownSocket(id) => write!(f, "no socket {} is up", id.0),
            Self::FamilyMismatch(address) => {
                write!(f, "{address} is of another address family than its socket")
            }
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

#[derive(Debug, Default)]
pub(crate) struct Gatherer {
    sockets: SmallVec<[Socket; 4]>,
    /// Sockets that have come up since the last batch: their preferences are chosen together (RFC 8421 §4).
    fresh: SmallVec<[Socket; 4]>,
    preferences: LocalPreferences,
    /// The preference of an address; the second socket that one component has on it counts as another.
    ranked: SmallVec<[((IpAddr, usize), u16); 4]>,
    foundations: FoundationTable,
}

impl Gatherer {
    /// Takes note of a socket; [`Self::gather`] makes its candidate.
    pub(crate) fn socket_up(&mut self, socket: Socket) -> Result<(), SocketError> {
        check_address(socket.local)?;
        let mut known = self.sockets.iter().chain(&self.fresh);
        if known.clone().any(|s| s.id == socket.id) {
            return Err(SocketError::DuplicateId(socket.id));
        }
        if known.any(|s| s.local == socket.local) {
            return Err(SocketError::DuplicateAddress(socket.local));
        }
        if self.sockets.len() + self.fresh.len() >= crate::candidate::MAX_LOCAL_CANDIDATES {
            return Err(SocketError::TooMany);
        }
        self.fresh.push(socket);
        Ok(())
    }

    pub(crate) fn socket(&self, id: SocketId) -> Option<&Socket> {
        self.sockets.iter().find(|s| s.id == id)
    }

    /// Whether a component has a socket on this IP address.
    pub(crate) fn has_address(&self, component: ComponentId, ip: IpAddr) -> bool {
        let mut known = self.sockets.iter().chain(&self.fresh);
        known.any(|s| (s.component, s.local.ip()) == (component, ip))
    }

    /// The component is not used any more: its sockets, which are given back, are forgotten. Their owner closes them.
    pub(crate) fn remove_component(&mut self, component: ComponentId) -> SmallVec<[SocketId; 4]> {
        let of_it = |s: &&Socket| s.component == component;
        let gone = self.sockets.iter().chain(&self.fresh).filter(of_it).map(|s| s.id).collect();
        self.sockets.retain(|s| s.component != component);
        self.fresh.retain(|s| s.component != component);
        gone
    }

    /// A socket is gone; it may come back under the same name. Whether it was there.
    pub(crate) fn socket_down(&mut self, id: SocketId) -> bool {
        let before = self.sockets.len() + self.fresh.len();
        self.sockets.retain(|s| s.id != id);
        self.fresh.retain(|s| s.id != id);
        self.sockets.len() + self.fresh.len() != before
    }

    pub(crate) fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// Makes the host candidates of all sockets that are new (RFC 8445 §5.1.1.1).
    pub(crate) fn gather(&mut self, candidates: &mut Candidates) -> SmallVec<[LocalId; 4]> {
        let batch = core::mem::take(&mut self.fresh);
        self.rank(&batch);
        let mut made = SmallVec::new();
        for socket in batch {
            let preference = self.preference(self.sockets.len(), &socket);
            self.sockets.push(socket);
            let foundation =
                self.foundations.intern(CandidateType::Host, socket.local.ip(), Transport::Udp, None);
            let host = NewLocal {
                component: socket.component,
                socket: socket.id,
                base: socket.local,
                address: socket.local,
                kind: CandidateType::Host,
                local_preference: preference,
                foundation,
                related: None,
            };
            if let AddedLocal::New(id) = candidates.add_local(host) {
                made.push(id);
            }
        }
        made
    }

    /// Chooses the preferences of new addresses. One address has the same for each component, so that the components'
    /// pairs come in the same order (RFC 8445 §5.1.2.1 wants it unique for each component).
    fn rank(&mut self, batch: &[Socket]) {
        let mut fresh: SmallVec<[(IpAddr, usize); 4]> = SmallVec::new();
        let all: SmallVec<[Socket; 8]> = self.sockets.iter().chain(batch).copied().collect();
        for (index, socket) in all.iter().enumerate().skip(self.sockets.len()) {
            let place = (socket.local.ip(), nth(all.get(..index).unwrap_or_default(), socket));
            if !fresh.contains(&place) && !self.ranked.iter().any(|(known, _)| *known == place) {
                fresh.push(place);
            }
        }
        let addresses: SmallVec<[IpAddr; 4]> = fresh.iter().map(|(ip, _)| *ip).collect();
        self.ranked.extend(fresh.into_iter().zip(self.preferences.assign(&addresses)));
    }

    fn preference(&self, earlier: usize, socket: &Socket) -> u16 {
        let place = (socket.local.ip(), nth(self.sockets.get(..earlier).unwrap_or_default(), socket));
        self.ranked.iter().find(|(known, _)| *known == place).map_or(0, |(_, preference)| *preference)
    }

    /// A server-reflexive candidate that the application knows of: `server` saw `socket` as `address`
    /// (RFC 8445 §5.1.1.2). `Ok(None)` when it is redundant (§5.1.3).
    pub(crate) fn add_server_reflexive(
        &mut self,
        candidates: &mut Candidates,
        id: SocketId,
        address: SocketAddr,
        server: SocketAddr,
    ) -> Result<Option<LocalId>, SocketError> {
        check_address(address)?;
        let socket = *self.socket(id).ok_or(SocketError::UnknownSocket(id))?;
        if socket.local.is_ipv4() != address.is_ipv4() {
            return Err(SocketError::FamilyMismatch(address));
        }
        let kind = CandidateType::ServerReflexive;
        let host = candidates.locals().iter().find(|l| l.socket == id && l.kind == CandidateType::Host);
        let of_host = host.map_or(0, |host| host.local_preference);
        // RFC 8445 §5.1.2.1: unique among those of the type, though a NAT may show one socket to each server differently.
        let is_taken = |preference: u16| {
            let mut others = candidates.locals().iter().filter(|l| l.kind == kind);
            others.any(|l| l.component == socket.component && l.local_preference == preference)
        };
        let preference = (0..=of_host).rev().find(|p| !is_taken(*p)).unwrap_or(of_host);
        let reflexive = NewLocal {
            component: socket.component,
            socket: id,
            base: socket.local,
            address,
            kind,
            local_preference: preference,
            foundation: self.foundations.intern(kind, socket.local.ip(), Transport::Udp, Some(server.ip())),
            related: Some(socket.local),
        };
        match candidates.add_local(reflexive) {
            AddedLocal::New(id) => Ok(Some(id)),
            AddedLocal::Redundant(_) => Ok(None),
            AddedLocal::Full => Err(SocketError::TooMany),
        }
    }
}

/// How many of these sockets are for the same component and on the same address.
fn nth(sockets: &[Socket], of: &Socket) -> usize {
    sockets.iter().filter(|s| (s.component, s.local.ip()) == (of.component, of.local.ip())).count()
}

fn check_address(address: SocketAddr) -> Result<(), SocketError> {
    if is_transport_address(address) { Ok(()) } else { Err(SocketError::NotATransportAddress(address)) }
}
