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
use crate::transaction::{PATIENCE, RTO};

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
/// A server that has given nothing for so long is called silent: over datagrams, it was asked four times by then.
const SILENT_AFTER: Duration = Duration::from_millis(3_500);

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
    /// Our address as the server has seen it.
    pub(crate) mapped: Option<SocketAddr>,
    started: Instant,
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
    /// Since when there was an allocation, if there ever was.
    pub(crate) lived: Option<Instant>,
    /// How often in a row the server had no room.
    pub(crate) refusals: u8,
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
    pub(crate) fn after_loss(mut self, now: Instant, server: SocketAddr) -> (Duration, Self) {
        if self.lived.is_some_and(|since| now.since(since) > LONGEST_PAUSE) {
            self.losses = 0;
        }
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
    /// It is a request, and not an answer to one.
    request: bool,
    bytes: Vec<u8>,
    granted: bool,
}

impl Relays {
    /// Takes note of a server. One that is known has these credentials from now on.
    pub(crate) fn add(&mut self, server: TurnServer) -> Result<usize, ServerError> {
        if !is_transport_address(server.address) {
            return Err(ServerError::NotATransportAddress(server.address));
        }
        let credentials = RelayCredentials::new(&server.username, &server.password)
            .map_err(|_| ServerError::UsernameTooLong(server.username.len()))?;
        // A name may stand for another of its addresses each time.
        let same = |known: &TurnServer| {
            let place = |s: &TurnServer| (s.address, s.families);
            let origin = |s: &TurnServer| (s.origin.clone(), s.address.is_ipv4());
            known.transport == server.transport
                && (place(known) == place(&server)
                    || known.origin.is_some() && origin(known) == origin(&server))
        };
        if let Some(index) = self.servers.iter().position(same) {
            for relay in self.all.iter_mut().filter(|r| r.attempt.server == index) {
                relay.allocation.set_credentials(credentials.clone());
            }
            if let Some(known) = self.servers.get_mut(index) {
                *known = TurnServer { address: known.address, ..server };
            }
            return Ok(index);
        }
        if self.servers.len() >= MAX_TURN_SERVERS {
            return Err(ServerError::TooMany);
        }
        self.servers.push(server);
        Ok(self.servers.len() - 1)
    }

    pub(crate) fn server(&self, index: usize) -> Option<&TurnServer> {
        self.servers.get(index)
    }

    /// How many servers there are.
    pub(crate) fn servers(&self) -> usize {
        self.servers.len()
    }

    /// Whether a socket has asked this server, and something may still come of that.
    pub(crate) fn asks(&self, host: SocketId, server: usize) -> bool {
        let is_it = |a: &Attempt| a.server == server && a.host.id() == host;
        self.all.iter().any(|r| is_it(&r.attempt)) || self.later.iter().any(|(_, a)| is_it(a))
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
            lived: None,
            refusals: 0,
        };
        families.iter().map(attempt).collect()
    }

    /// Begins to allocate under this name, while so many questions to STUN servers wait.
    pub(crate) fn start(
        &mut self,
        started: Instant,
        (key, attempt, via): (SocketId, Attempt, Via),
        (ta, waiting): (Duration, u32),
    ) {
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
        let mapped = None;
        self.all.insert(place, Relay { key, attempt, via, allocation, names, mapped, started, held });
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
        // A server that has no room a second time is no hope, and what takes too long is none.
        let is_hope = |a: &Attempt| a.refusals <= 1;
        let asked = self.all.iter().filter(|r| r.is_gathering() && is_hope(&r.attempt)).map(|r| r.started);
        let later = self.later.iter().filter(|(_, a)| is_hope(a)).map(|(at, _)| *at);
        asked.map(|at| at + PATIENCE + RTO).chain(later.map(|at| at + HOPE)).filter(|at| *at > now).max()
    }

    /// A server that was asked a while ago, and has neither given an address nor refused.
    pub(crate) fn silent(&self, now: Instant) -> Option<SocketAddr> {
        let mut asked = self.all.iter().filter(|r| r.is_gathering() && r.started + SILENT_AFTER <= now);
        asked.next().map(|r| r.attempt.address)
    }

    /// Whether there is a server to ask.
    pub(crate) fn are_configured(&self) -> bool {
        !self.servers.is_empty()
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
        self.all.iter().any(Relay::is_gathering)
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

    /// Whether it may still bring a first candidate.
    fn is_gathering(&self) -> bool {
        !self.allocation.is_alive() && !self.allocation.is_over() && self.names.is_empty()
    }

    /// Keeps a message until its peer may be sent to; the newest request and the newest answer for each address, and no more than
    /// there are permissions.
    pub(crate) fn hold(&mut self, peer: SocketAddr, message: &[u8]) {
        // RFC 8489 §5: the two bits of the class.
        let request =
            message.first().is_some_and(|b| b & 1 == 0) && message.get(1).is_some_and(|b| b & 0x10 == 0);
        self.held.retain(|h| (h.peer, h.request) != (peer, request));
        if self.held.len() >= MAX_PERMISSIONS {
            self.held.pop_front();
        }
        self.held.push_back(Held { peer, request, bytes: message.into(), granted: false });
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

    /// The next message that may go at last, and whether it is a request; with `requests`, or answers only.
    pub(crate) fn take_held(&mut self, requests: bool) -> Option<(SocketAddr, Vec<u8>, bool)> {
        let index = self.held.iter().position(|h| h.granted && (requests || !h.request))?;
        self.held.remove(index).map(|h| (h.peer, h.bytes, h.request))
    }

    /// When the next of these goes: a request waits for `slot`.
    pub(crate) fn next_held(&self, now: Instant, slot: Instant) -> Option<Instant> {
        self.held.iter().filter(|h| h.granted).map(|h| if h.request { slot.max(now) } else { now }).min()
    }
}
