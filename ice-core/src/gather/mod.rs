//! Local candidates (RFC 8445 §5.1.1): those that a socket has by itself, and those that the application knows.
//! This room owns the sockets' names, gives each candidate its priority and foundation, and keeps out what the
//! application's filter does not let through. It opens nothing.

mod doubt;
mod filtered;
mod inquiry;
mod relays;
mod remembered;
mod socket;
#[cfg(test)]
mod tests;
mod turn_server;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use smallvec::SmallVec;

use crate::base::{ComponentId, Instant, SocketId};
use crate::candidate::{
    AddedLocal, CandidateFilter, CandidateType, Candidates, FoundationTable, LocalId, LocalPreferences,
    MAX_LOCAL_CANDIDATES, MAX_NETWORK_COST, NewLocal, Secrecy, TcpType, Transport, is_transport_address,
    tcp_preference,
};

pub(crate) use inquiry::{Answered, Inquiries, Inquiry, Silence};
pub use inquiry::{GATHERING_PATIENCE, MAX_STUN_SERVERS, ServerError};
pub(crate) use relays::{Attempt, Relay, Relays, Via};
pub use relays::{MAX_ALLOCATIONS, MAX_TURN_SERVERS};
pub use socket::{Socket, SocketError};
pub use turn_server::{RelayFamilies, TurnServer, TurnTransport};

/// The preference of the first virtual relay; later ones go below. What a relay of another kind has is above.
const VIRTUAL_RELAY_PREFERENCE: u16 = MAX_LOCAL_CANDIDATES as u16 - 1;

/// How many addresses, of sockets that are up and of former ones, keep their preference. All sockets that can be up fit.
const MAX_RANKED: usize = 2 * MAX_LOCAL_CANDIDATES;

#[derive(Debug, Default)]
pub(crate) struct Gatherer {
    sockets: SmallVec<[Known; 4]>,
    /// Sockets that have come up since the last batch: their preferences are chosen together (RFC 8421 §4).
    fresh: SmallVec<[Socket; 4]>,
    preferences: LocalPreferences,
    /// The preference of an address; the second socket that one component has on it counts as another.
    ranked: SmallVec<[((IpAddr, usize), u16); 4]>,
    foundations: FoundationTable,
    /// The mapped addresses that the application knows by itself, each of which is a candidate.
    vouched: SmallVec<[(SocketId, SocketAddr); 1]>,
    filter: CandidateFilter,
    /// Whether the agent is lite.
    lite: bool,
    pub(crate) inquiries: Inquiries,
    pub(crate) relays: Relays,
}

/// A socket that has had its turn.
#[derive(Clone, Copy, Debug)]
struct Known {
    socket: Socket,
    preference: u16,
}

/// What became of a reflexive candidate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Reflexive {
    /// To be signalled.
    pub(crate) announced: Option<LocalId>,
    /// A base that was hidden so far, and is checked from now on (RFC 8445 §6.1.2.4).
    pub(crate) lent: Option<LocalId>,
}

impl Gatherer {
    pub(crate) fn new(filter: CandidateFilter, lite: bool) -> Self {
        Self { filter, lite, ..Self::default() }
    }

    /// Takes note of a socket; [`Self::gather`] makes its candidate.
    pub(crate) fn socket_up(&mut self, socket: Socket) -> Result<(), SocketError> {
        check_address(socket.local())?;
        if let Some(cost) = socket.network_cost()
            && cost > MAX_NETWORK_COST
        {
            return Err(SocketError::NetworkCost(cost));
        }
        if self.all().any(|s| s.id() == socket.id()) {
            return Err(SocketError::DuplicateId(socket.id()));
        }
        if self.all().any(|s| is_same_place(s, &socket)) {
            return Err(SocketError::DuplicateAddress(socket.local()));
        }
        let of_component = self.all().filter(|s| s.for_component() == socket.for_component());
        if of_component.count() >= MAX_LOCAL_CANDIDATES {
            return Err(SocketError::TooMany);
        }
        self.fresh.push(socket);
        Ok(())
    }

    pub(crate) fn socket(&self, id: SocketId) -> Option<&Socket> {
        self.known(id).map(|k| &k.socket)
    }

    /// Whether the socket's component has another of the same transport on the same IP address.
    pub(crate) fn has_address_of(&self, socket: &Socket) -> bool {
        let place = |s: &Socket| (s.for_component(), s.transport(), s.local().ip());
        self.all().any(|s| place(s) == place(socket))
    }

    /// The component is not used any more: its sockets, which are given back, are forgotten. Their owner closes them.
    pub(crate) fn remove_component(&mut self, component: ComponentId) -> SmallVec<[SocketId; 4]> {
        let gone: SmallVec<[SocketId; 4]> =
            self.all().filter(|s| s.for_component() == component).map(Socket::id).collect();
        self.sockets.retain(|k| k.socket.for_component() != component);
        self.fresh.retain(|s| s.for_component() != component);
        self.vouched.retain(|(socket, _)| !gone.contains(socket));
        self.inquiries.on_sockets_gone(|id| gone.contains(&id));
        gone
    }

    /// A socket is gone; it may come back under the same name. Whether it was there.
    pub(crate) fn socket_down(&mut self, id: SocketId) -> bool {
        let before = self.sockets.len() + self.fresh.len();
        self.sockets.retain(|k| k.socket.id() != id);
        self.fresh.retain(|s| s.id() != id);
        self.vouched.retain(|(socket, _)| *socket != id);
        self.inquiries.on_sockets_gone(|gone| gone == id);
        self.sockets.len() + self.fresh.len() != before
    }

    /// A STUN server is there: all sockets of its family ask it (RFC 8445 §5.1.1.2).
    pub(crate) fn add_stun_server(&mut self, now: Instant, server: SocketAddr) -> Result<(), ServerError> {
        if self.inquiries.add(server)? {
            for socket in self.askers() {
                self.inquiries.ask(now, socket.id(), socket.local(), Some(server));
            }
        }
        Ok(())
    }

    /// One socket asks a server that is perhaps none of STUN only.
    pub(crate) fn ask_once(
        &mut self,
        now: Instant,
        id: SocketId,
        server: SocketAddr,
    ) -> Result<(), ServerError> {
        let Some(socket) = self.socket(id).copied().filter(|s| self.may_ask(s)) else { return Ok(()) };
        if self.inquiries.add(server)? {
            self.inquiries.ask(now, id, socket.local(), Some(server));
        }
        Ok(())
    }

    /// The sockets that are up and may get reflexive candidates.
    fn askers(&self) -> SmallVec<[Socket; 4]> {
        self.sockets.iter().map(|k| k.socket).filter(|s| self.may_ask(s)).collect()
    }

    /// The sockets that are about to have their turn, and may get relayed addresses.
    pub(crate) fn fresh_allocators(&self) -> SmallVec<[Socket; 4]> {
        self.fresh.iter().copied().filter(|s| self.may_allocate(s)).collect()
    }

    /// The sockets that are up and may get relayed addresses.
    pub(crate) fn allocators(&self) -> SmallVec<[Socket; 4]> {
        self.sockets.iter().map(|k| k.socket).filter(|s| self.may_allocate(s)).collect()
    }

    /// Whether the socket may get relayed addresses.
    pub(crate) fn may_allocate(&self, socket: &Socket) -> bool {
        socket.kind() == CandidateType::Host
            && !socket.is_tcp()
            && self.filter.types.contains(CandidateType::Relayed)
            && self.filter.admits_base(socket.local().ip(), socket.interface())
    }

    /// Whether the socket may get reflexive candidates.
    fn may_ask(&self, socket: &Socket) -> bool {
        socket.kind() == CandidateType::Host
            && !socket.is_tcp()
            && self.filter.types.contains(CandidateType::ServerReflexive)
            && self.filter.admits_base(socket.local().ip(), socket.interface())
    }

    pub(crate) fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// How many sockets are up.
    pub(crate) fn sockets(&self) -> usize {
        self.sockets.len() + self.fresh.len()
    }

    /// Makes the candidates that new sockets are by themselves (RFC 8445 §5.1.1.1): those to be signalled and checked.
    pub(crate) fn gather(&mut self, now: Instant, candidates: &mut Candidates) -> SmallVec<[LocalId; 4]> {
        let mut batch = core::mem::take(&mut self.fresh);
        self.rank(&batch);
        // RFC 8838 §17: the lower component is told first.
        batch.sort_by_key(Socket::for_component);
        let mut made = SmallVec::new();
        for socket in batch {
            let preference = match socket.kind() {
                CandidateType::Host => self.preference(&socket),
                kind => unique(candidates, socket.for_component(), kind, VIRTUAL_RELAY_PREFERENCE),
            };
            let known = Known { socket, preference };
            self.sockets.push(known);
            if self.may_ask(&socket) {
                self.inquiries.ask(now, socket.id(), socket.local(), None);
            }
            for tcp in self.told_as(socket) {
                if let AddedLocal::New(id) = self.add_base(candidates, (known, tcp), Secrecy::Told) {
                    made.push(id);
                }
            }
        }
        made
    }

    /// Chooses the preferences of new addresses. One address has the same for each component, so that the components'
    /// pairs come in the same order (RFC 8445 §5.1.2.1 wants it unique for each component).
    fn rank(&mut self, batch: &[Socket]) {
        let mut fresh: SmallVec<[(IpAddr, usize); 4]> = SmallVec::new();
        let all: SmallVec<[Socket; 8]> =
            self.sockets.iter().map(|k| k.socket).chain(batch.iter().copied()).collect();
        let new = all.iter().enumerate().skip(self.sockets.len());
        for (index, socket) in new.filter(|(_, s)| s.kind() == CandidateType::Host) {
            let place = (socket.local().ip(), nth(all.iter().take(index), socket));
            if !fresh.contains(&place) && !self.ranked.iter().any(|(known, _)| *known == place) {
                fresh.push(place);
            }
        }
        let addresses: SmallVec<[IpAddr; 4]> = fresh.iter().map(|(ip, _)| *ip).collect();
        self.ranked.extend(fresh.into_iter().zip(self.preferences.assign(&addresses)));
        // An address that comes back has what it had, unless it was one of many.
        while self.ranked.len() > MAX_RANKED
            && let Some(oldest) =
                self.ranked.iter().position(|((ip, _), _)| !all.iter().any(|s| s.local().ip() == *ip))
        {
            self.ranked.remove(oldest);
        }
    }

    /// That of a host socket which comes after all others.
    fn preference(&self, socket: &Socket) -> u16 {
        let place = (socket.local().ip(), nth(self.sockets.iter().map(|k| &k.socket), socket));
        self.ranked.iter().find(|(known, _)| *known == place).map_or(0, |(_, preference)| *preference)
    }

    /// A server-reflexive candidate that the application knows of (RFC 8445 §5.1.1.2): `server` saw the socket as
    /// `address`, or, without one, something on the way is known to map it so. Such mappings come from no server, and
    /// so their foundation is that of no server's candidates (§5.1.1.3).
    ///
    /// One that is redundant (§5.1.3), or that the filter does not let through, is ignored.
    pub(crate) fn add_reflexive(
        &mut self,
        candidates: &mut Candidates,
        id: SocketId,
        address: SocketAddr,
        server: Option<IpAddr>,
    ) -> Result<Reflexive, SocketError> {
        check_address(address)?;
        let known = *self.known(id).ok_or(SocketError::UnknownSocket(id))?;
        let socket = known.socket;
        if socket.kind() != CandidateType::Host {
            return Err(SocketError::VirtualRelay(id));
        }
        if socket.local().is_ipv4() != address.is_ipv4() {
            return Err(SocketError::FamilyMismatch(address));
        }
        if socket.is_active_only() {
            return Err(SocketError::ActiveOnly(id));
        }
        let tcp = socket.listens().then_some(TcpType::Passive);
        let kind = CandidateType::ServerReflexive;
        if !self.filter.admits_base(socket.local().ip(), socket.interface())
            || !self.filter.admits(kind, address.ip())
        {
            return Ok(Reflexive::default());
        }
        let lent = match self.add_base(candidates, (known, tcp), Secrecy::Hidden) {
            AddedLocal::New(id) => Some(id),
            AddedLocal::Redundant(_) => None,
            AddedLocal::Full => return Err(SocketError::TooMany),
        };
        let component = socket.for_component();
        let reflexive = NewLocal {
            component,
            socket: id,
            base: socket.local(),
            address,
            tcp,
            kind,
            local_preference: unique(candidates, component, kind, preference(kind, tcp, known.preference)),
            foundation: self.foundations.intern(kind, socket.local().ip(), socket.transport(), server),
            related: Some(if self.tells_of(socket) { socket.local() } else { untold(address) }),
            secrecy: Secrecy::Told,
            network: socket.network(),
        };
        match candidates.add_local(reflexive) {
            AddedLocal::New(id) => Ok(Reflexive { announced: Some(id), lent }),
            // There is no NAT: the hidden base is as public as the reflexive candidate that it stands for.
            AddedLocal::Redundant(id) => {
                Ok(Reflexive { announced: candidates.reveal(id).then_some(id), lent })
            }
            AddedLocal::Full => {
                // Without it, nobody may be checked from its base.
                lent.map(|id| candidates.remove_local(id));
                Err(SocketError::TooMany)
            }
        }
    }

    /// A relayed address, under its name among the sockets (RFC 8445 §5.1.1.2): it is its own base. `None` if the filter does not let
    /// it through, it is nothing that a peer could send to, or there are too many candidates.
    pub(crate) fn add_relayed(
        &mut self,
        candidates: &mut Candidates,
        attempt: &Attempt,
        (name, address): (SocketId, SocketAddr),
        mapped: Option<SocketAddr>,
    ) -> Option<LocalId> {
        let kind = CandidateType::Relayed;
        let known = *self.known(attempt.host.id())?;
        if !is_transport_address(address)
            || !self.filter.admits(kind, address.ip())
            || self.all().any(|s| s.local() == address)
        {
            return None;
        }
        let transport = self.relays.server(attempt.server)?.transport().clone();
        let socket = Socket::relayed(name, address, &known.socket);
        let component = socket.for_component();
        let reach = match transport {
            TurnTransport::Udp => Transport::Udp,
            TurnTransport::Tcp | TurnTransport::Tls { .. } => Transport::Tcp,
        };
        let preference = relay_preference(&transport, known.preference);
        // RFC 8839 §5.1: the related address is the mapped one, where its kind may be told.
        let mapped = mapped.filter(|mapped| {
            self.filter.admits(CandidateType::ServerReflexive, mapped.ip()) && self.may_ask(&known.socket)
        });
        let relayed = NewLocal {
            component,
            socket: name,
            base: address,
            address,
            tcp: None,
            kind,
            local_preference: unique(candidates, component, kind, preference),
            foundation: self.foundations.intern(kind, address.ip(), reach, Some(attempt.address.ip())),
            related: Some(mapped.unwrap_or_else(|| untold(address))),
            secrecy: Secrecy::Told,
            network: socket.network(),
        };
        match candidates.add_local(relayed) {
            AddedLocal::New(id) => {
                self.sockets.push(Known { socket, preference });
                Some(id)
            }
            AddedLocal::Redundant(_) | AddedLocal::Full => None,
        }
    }

    /// Another filter. Gives the candidates that it lets through and that were not there, or not told. What was told stays.
    pub(crate) fn set_filter(
        &mut self,
        now: Instant,
        candidates: &mut Candidates,
        filter: CandidateFilter,
    ) -> SmallVec<[LocalId; 4]> {
        let might_ask = self.askers();
        self.filter = filter;
        let mut made = SmallVec::new();
        for known in self.sockets.clone() {
            let is_host = known.socket.kind() == CandidateType::Host;
            for tcp in self.told_as(known.socket).filter(|_| is_host) {
                match self.add_base(candidates, (known, tcp), Secrecy::Told) {
                    AddedLocal::New(id) => made.push(id),
                    AddedLocal::Redundant(id) if candidates.reveal(id) => made.push(id),
                    AddedLocal::Redundant(_) | AddedLocal::Full => {}
                }
            }
        }
        for socket in self.askers().into_iter().filter(|s| !might_ask.contains(s)) {
            self.inquiries.ask(now, socket.id(), socket.local(), None);
        }
        made
    }

    /// The candidates that the socket is by itself, and that are let through.
    fn told_as(&self, socket: Socket) -> impl Iterator<Item = Option<TcpType>> + use<> {
        let (lite, told) = (self.lite, self.tells_of(socket));
        // RFC 6544 §4.4: a lite agent opens no connections.
        let opens = |tcp: &Option<TcpType>| *tcp == Some(TcpType::Active);
        socket.directions().iter().copied().filter(move |tcp| told && !(lite && opens(tcp)))
    }

    /// Whether the socket's own candidate is let through.
    fn tells_of(&self, socket: Socket) -> bool {
        let base = socket.local().ip();
        self.filter.types.contains(socket.kind()) && self.filter.admits_base(base, socket.interface())
    }

    fn add_base(
        &mut self,
        candidates: &mut Candidates,
        (known, tcp): (Known, Option<TcpType>),
        secrecy: Secrecy,
    ) -> AddedLocal {
        let socket = known.socket;
        let (local, kind) = (socket.address(tcp), socket.kind());
        candidates.add_local(NewLocal {
            component: socket.for_component(),
            socket: socket.id(),
            base: local,
            address: local,
            tcp,
            kind,
            local_preference: preference(kind, tcp, known.preference),
            foundation: self.foundations.intern(kind, local.ip(), socket.transport(), None),
            // RFC 8839 §5.1 wants one for a relayed candidate; a virtual relay has none.
            related: (kind == CandidateType::Relayed).then(|| untold(local)),
            secrecy,
            network: socket.network(),
        })
    }

    /// The sockets that have had their turn.
    pub(crate) fn living(&self) -> impl Iterator<Item = &Socket> {
        self.sockets.iter().map(|k| &k.socket)
    }

    fn all(&self) -> impl Iterator<Item = &Socket> {
        self.sockets.iter().map(|k| &k.socket).chain(&self.fresh)
    }

    fn known(&self, id: SocketId) -> Option<&Known> {
        self.sockets.iter().find(|k| k.socket.id() == id)
    }
}

/// The highest preference, `from` at the most, that no candidate of this component and type has (RFC 8445 §5.1.2.1).
fn unique(candidates: &Candidates, component: ComponentId, kind: CandidateType, from: u16) -> u16 {
    let is_taken = |preference: u16| {
        let same = |l: &&crate::candidate::LocalCandidate| l.component == component && l.kind == kind;
        candidates.locals().iter().filter(same).any(|l| l.local_preference == preference)
    };
    // One of these is free: there are no more candidates than that.
    (0..=MAX_LOCAL_CANDIDATES as u16)
        .map(|step| from.saturating_sub(step))
        .find(|&preference| !is_taken(preference))
        .unwrap_or(0)
}

/// The local preference of a candidate whose address is worth this much.
fn preference(kind: CandidateType, tcp: Option<TcpType>, of_address: u16) -> u16 {
    tcp.map_or(of_address, |tcp| tcp_preference(kind, tcp, of_address))
}

/// Two that take no connections share their address, which means nothing, among components.
fn is_same_place(one: &Socket, other: &Socket) -> bool {
    (one.transport(), one.local()) == (other.transport(), other.local())
        && (!one.is_active_only() || one.for_component() == other.for_component())
}

/// Of relayed candidates, those over UDP come before those over TCP, and these before those over TLS: each adds to what a
/// lost packet costs. Among equals the socket's own preference decides.
fn relay_preference(transport: &TurnTransport, of_socket: u16) -> u16 {
    let band = match transport {
        TurnTransport::Udp => 3,
        TurnTransport::Tcp => 2,
        TurnTransport::Tls { .. } => 1,
    };
    // A quarter of the range each; the lowest is that of virtual relays.
    band * 0x4000 + of_socket / 4
}

/// RFC 8839 §5.1: a related address that is not to be known.
fn untold(like: SocketAddr) -> SocketAddr {
    let ip = match like {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(ip, 9)
}

/// How many of these host sockets are for the same component and transport, and on the same address.
fn nth<'s>(sockets: impl Iterator<Item = &'s Socket>, of: &Socket) -> usize {
    let place = |s: &Socket| (s.kind(), s.transport(), s.for_component(), s.local().ip());
    sockets.filter(|s| place(s) == place(of)).count()
}

fn check_address(address: SocketAddr) -> Result<(), SocketError> {
    if is_transport_address(address) { Ok(()) } else { Err(SocketError::NotATransportAddress(address)) }
}
