//! Relayed candidates (RFC 8445 §5.1.1.2): which socket has asked which TURN server, how far that has come, and under which
//! names the rest of the agent knows the relayed addresses. The protocol is in `relay`; what carries it, and what becomes of
//! what it tells, is for the agent.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use smallvec::SmallVec;

use super::inquiry::ServerError;
use super::socket::Socket;
use super::turn_server::{RelayFamilies, TurnServer, TurnTransport};
use crate::base::{Instant, SocketId, Tuple};
use crate::candidate::is_transport_address;
use crate::relay::{Allocation, AllocationConfig, Carrier, Families, MAX_PERMISSIONS, RelayCredentials};
use crate::transaction::RTO;

/// How many TURN servers an agent asks: each costs an allocation for each socket (RFC 8445 §5.1.1.2).
pub const MAX_TURN_SERVERS: usize = 8;
/// How many allocations an agent has at a time, those included that are being made (RFC 8656 §5: servers have quotas).
pub const MAX_ALLOCATIONS: usize = 32;
/// How many ports are tried when a server knows ours from somebody else (RFC 8656 §7.4).
const MAX_PORTS: u8 = 3;
/// After an allocation was lost, or could not be made for now, it is tried again; this long after the first loss in a row, and
/// twice as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// How long an allocation that is asked for counts as a hope: five transmissions of its request.
const HOPE: Duration = Duration::from_secs(10);

/// All servers, and what was asked of them.
#[derive(Debug, Default)]
pub(crate) struct Relays {
    servers: Vec<TurnServer>,
    all: Vec<Relay>,
    /// Those that are to be tried (again), and when.
    later: Vec<(Instant, Attempt)>,
    had_last_slot: bool,
}

/// One allocation, and how it is reached.
#[derive(Debug)]
pub(crate) struct Relay {
    /// Its name, which is also that of its first relayed address.
    pub(crate) key: SocketId,
    pub(crate) attempt: Attempt,
    pub(crate) via: Via,
    pub(crate) allocation: Allocation,
    /// The relayed addresses, by the names that they have as sockets.
    pub(crate) names: SmallVec<[(SocketId, SocketAddr); 2]>,
    held: VecDeque<Held>,
}

/// What is between us and the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Via {
    /// A socket, the agent's own or not.
    Socket(SocketId),
    /// A socket that was asked for.
    Awaited,
    /// A stream, if it is open.
    Stream,
}

/// What it takes to make an allocation, once more if need be.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    /// Which server was meant at first: its credentials are used.
    pub(crate) server: usize,
    /// Where it has redirected us to, or it itself.
    pub(crate) address: SocketAddr,
    /// The name in the certificate there, if a redirection has told one.
    pub(crate) domain: Option<String>,
    pub(crate) redirected_by: SmallVec<[SocketAddr; 2]>,
    /// The socket that it is made for.
    pub(crate) host: Socket,
    pub(crate) families: Families,
    over_datagrams: bool,
    /// How many ports the server has refused.
    pub(crate) ports: u8,
    /// How often in a row it was lost.
    pub(crate) losses: u8,
}

impl Attempt {
    /// Whether it goes over datagrams, out of the socket that it is made for.
    pub(crate) fn is_over_datagrams(&self) -> bool {
        self.over_datagrams && self.ports == 0
    }

    /// Once more, if another port may be tried.
    pub(crate) fn after_mismatch(mut self) -> Option<Self> {
        self.ports += 1;
        (self.ports < MAX_PORTS).then_some(self)
    }

    /// Once more at the server itself, and how long to wait before.
    pub(crate) fn after_loss(mut self, server: SocketAddr) -> (Duration, Self) {
        let pause = match self.losses {
            0 => Duration::ZERO,
            n => (FIRST_PAUSE * 2_u32.saturating_pow(u32::from(n) - 1)).min(LONGEST_PAUSE),
        };
        self.losses = self.losses.saturating_add(1);
        self.ports = 0;
        self.address = server;
        self.domain = None;
        self.redirected_by.clear();
        (pause, self)
    }
}

/// A message that waits for a permission.
#[derive(Debug)]
struct Held {
    peer: SocketAddr,
    bytes: Vec<u8>,
    granted: bool,
}

impl Relays {
    /// Takes note of a server. `None`: it was known, and has other credentials from now on.
    pub(crate) fn add(&mut self, server: TurnServer) -> Result<Option<usize>, ServerError> {
        if !is_transport_address(server.address) {
            return Err(ServerError::NotATransportAddress(server.address));
        }
        let credentials = RelayCredentials::new(&server.username, &server.password)
            .map_err(|_| ServerError::UsernameTooLong(server.username.len()))?;
        let same = |known: &TurnServer| {
            (known.address, &known.transport, known.families)
                == (server.address, &server.transport, server.families)
        };
        if let Some(index) = self.servers.iter().position(same) {
            for relay in self.all.iter_mut().filter(|r| r.attempt.server == index) {
                relay.allocation.set_credentials(credentials.clone());
            }
            if let Some(known) = self.servers.get_mut(index) {
                *known = server;
            }
            return Ok(None);
        }
        if self.servers.len() >= MAX_TURN_SERVERS {
            return Err(ServerError::TooMany);
        }
        self.servers.push(server);
        Ok(Some(self.servers.len() - 1))
    }

    pub(crate) fn server(&self, index: usize) -> Option<&TurnServer> {
        self.servers.get(index)
    }

    /// How many servers there are.
    pub(crate) fn servers(&self) -> usize {
        self.servers.len()
    }

    /// What a socket asks a server for.
    pub(crate) fn attempts(&self, host: Socket, server: usize) -> SmallVec<[Attempt; 2]> {
        let Some(of) = self.servers.get(server) else { return SmallVec::new() };
        if of.address.is_ipv4() != host.local().is_ipv4() {
            return SmallVec::new();
        }
        let families: &[Families] = match of.families {
            RelayFamilies::Ipv4 => &[Families::V4],
            RelayFamilies::Ipv6 => &[Families::V6],
            RelayFamilies::Both => &[Families::Both],
            RelayFamilies::Apart => &[Families::V4, Families::V6],
        };
        let attempt = |&families: &Families| Attempt {
            server,
            address: of.address,
            domain: None,
            redirected_by: SmallVec::new(),
            host,
            families,
            over_datagrams: of.transport == TurnTransport::Udp,
            ports: 0,
            losses: 0,
        };
        families.iter().map(attempt).collect()
    }

    /// Begins to allocate under this name, while so many questions to STUN servers wait.
    pub(crate) fn start(&mut self, key: SocketId, attempt: Attempt, via: Via, ta: Duration, waiting: u32) {
        let Some(server) = self.servers.get(attempt.server) else { return };
        let Ok(credentials) = RelayCredentials::new(&server.username, &server.password) else { return };
        let gathering = self.all.iter().filter(|r| r.names.is_empty()).count();
        let gathering = u32::try_from(gathering).unwrap_or(u32::MAX / 4);
        let carrier = match server.transport {
            TurnTransport::Udp => Carrier::Datagrams,
            TurnTransport::Tcp | TurnTransport::Tls { .. } => Carrier::Stream,
        };
        // Those over datagrams have their turn first: they are the better ones.
        let place = match carrier {
            Carrier::Datagrams => self.all.iter().take_while(|r| r.via != Via::Stream).count(),
            Carrier::Stream => self.all.len(),
        };
        let allocation = Allocation::new(AllocationConfig {
            server: attempt.address,
            carrier,
            families: attempt.families,
            credentials,
            rto: RTO.max(ta * waiting.saturating_add(2 * (gathering + 1))),
            redirected_by: attempt.redirected_by.clone(),
        });
        let (names, held) = (SmallVec::new(), VecDeque::new());
        self.all.insert(place, Relay { key, attempt, via, allocation, names, held });
    }

    /// Whether there is room for another allocation.
    pub(crate) fn has_room(&self) -> bool {
        self.all.len() + self.later.len() < MAX_ALLOCATIONS
    }

    /// To be tried then.
    pub(crate) fn try_later(&mut self, at: Instant, attempt: Attempt) {
        self.later.push((at, attempt));
    }

    /// What is to be tried now.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Attempt> {
        let index = self.later.iter().position(|(at, _)| *at <= now)?;
        Some(self.later.swap_remove(index).1)
    }

    /// When something is to be tried again.
    pub(crate) fn next_attempt(&self) -> Option<Instant> {
        self.later.iter().map(|(at, _)| *at).min()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Relay> {
        self.all.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> core::slice::IterMut<'_, Relay> {
        self.all.iter_mut()
    }

    pub(crate) fn get(&self, key: SocketId) -> Option<&Relay> {
        self.all.iter().find(|r| r.key == key)
    }

    pub(crate) fn get_mut(&mut self, key: SocketId) -> Option<&mut Relay> {
        self.all.iter_mut().find(|r| r.key == key)
    }

    /// The one that has a relayed address of this name.
    pub(crate) fn named_mut(&mut self, name: SocketId) -> Option<&mut Relay> {
        self.all.iter_mut().find(|r| r.names.iter().any(|(known, _)| *known == name))
    }

    /// The same.
    pub(crate) fn named(&self, name: SocketId) -> Option<&Relay> {
        self.all.iter().find(|r| r.names.iter().any(|(known, _)| *known == name))
    }

    /// The one whose datagrams go over this flow.
    pub(crate) fn over(&self, tuple: Tuple) -> Option<SocketId> {
        let is_over = |r: &&Relay| r.via == Via::Socket(tuple.socket) && r.attempt.address == tuple.remote;
        self.all.iter().find(is_over).map(|r| r.key)
    }

    pub(crate) fn remove(&mut self, key: SocketId) -> Option<Relay> {
        let index = self.all.iter().position(|r| r.key == key)?;
        Some(self.all.remove(index))
    }

    /// What was to be tried for these sockets is not tried.
    pub(crate) fn forget_attempts(&mut self, gone: impl Fn(&Socket) -> bool) {
        self.later.retain(|(_, attempt)| !gone(&attempt.host));
    }

    /// Until when something may come of an allocation that there is not: a little longer than it takes to ask for it.
    pub(crate) fn hope(&self, now: Instant) -> Option<Instant> {
        let asked = self.is_gathering().then_some(now);
        asked.into_iter().chain(self.later.iter().map(|(at, _)| *at)).max().map(|at| at + HOPE)
    }

    /// Whether the last Ta that gathering had was for an allocation: others take turns with these.
    pub(crate) fn had_last_slot(&self) -> bool {
        self.had_last_slot
    }

    pub(crate) fn on_slot_taken(&mut self, by_allocation: bool) {
        self.had_last_slot = by_allocation;
    }

    /// Whether one may still bring a first candidate.
    pub(crate) fn is_gathering(&self) -> bool {
        self.all.iter().any(|r| !r.allocation.is_alive() && !r.allocation.is_over() && r.names.is_empty())
    }
}

impl Relay {
    /// The socket that its messages go out of, or for which they go over a stream.
    pub(crate) fn carrier(&self) -> SocketId {
        match self.via {
            Via::Socket(socket) => socket,
            Via::Awaited | Via::Stream => self.attempt.host.id(),
        }
    }

    /// The relayed address of the peer's family, by its name.
    pub(crate) fn name_for(&self, peer: SocketAddr) -> Option<SocketId> {
        self.names.iter().find(|(_, a)| a.is_ipv4() == peer.is_ipv4()).map(|(name, _)| *name)
    }

    /// Keeps a message until its peer may be sent to; the newest one for each address, and no more than there are permissions.
    pub(crate) fn hold(&mut self, peer: SocketAddr, message: &[u8]) {
        self.held.retain(|h| h.peer != peer);
        if self.held.len() >= MAX_PERMISSIONS {
            self.held.pop_front();
        }
        self.held.push_back(Held { peer, bytes: message.into(), granted: false });
    }

    /// What waits for this address may go.
    pub(crate) fn on_granted(&mut self, peer: IpAddr) {
        for held in self.held.iter_mut().filter(|h| h.peer.ip() == peer) {
            held.granted = true;
        }
    }

    /// What waits for this address will never go.
    pub(crate) fn on_refused(&mut self, peer: IpAddr) {
        self.held.retain(|h| h.peer.ip() != peer);
    }

    /// The next message that may go at last.
    pub(crate) fn take_held(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        let index = self.held.iter().position(|h| h.granted)?;
        self.held.remove(index).map(|h| (h.peer, h.bytes))
    }

    /// Whether there is one.
    pub(crate) fn has_held(&self) -> bool {
        self.held.iter().any(|h| h.granted)
    }
}
