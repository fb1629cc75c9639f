//! A TURN server (RFC 8656): it lends clients an address of its own, and relays between it and their peers.
//!
//! [`TurnServer`] is the face: what comes in from clients and peers, what goes out, and what can be seen and be broken from
//! outside. `request` answers requests, `allocate` makes allocations, `data` relays, `allocation` is what a client has, `event` what
//! an operator is told.

mod allocate;
mod allocation;
mod config;
mod data;
mod event;
mod memory;
mod request;

use core::net::SocketAddr;
use std::collections::{BTreeMap, VecDeque};

use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};
use stun_codec::MessageClass;

use super::codec::Incoming;
use super::fault::{Fault, Faults};
use super::framing::Framing;
use super::gate::{Gate, Terms};
use super::{FiveTuple, MAX_DATAGRAM, Transport};
use crate::Instant;
use event::Events;
use memory::Memory;

pub use allocation::{Allocation, Channel, Relay};
pub use config::{TurnConfig, TurnConfigError};
pub use data::IcmpError;
pub use event::{TurnEnd, TurnEvent, TurnEventKind};

/// Binds the sockets that are relayed from, and closes them. Whoever runs a [`TurnServer`] does this for it.
pub trait RelaySockets {
    /// Binds a socket for datagrams at this very address. False if that is not possible: another port is tried then.
    fn open(&mut self, at: SocketAddr) -> bool;

    /// Closes it.
    fn close(&mut self, at: SocketAddr);
}

/// What a [`TurnServer`] sends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TurnOutput {
    /// To a client: a datagram, or bytes for its stream.
    ToClient {
        /// Which client, and which socket or stream.
        client: FiveTuple,
        /// The message.
        bytes: Vec<u8>,
    },
    /// From a relayed address to a peer.
    ToPeer {
        /// The socket that it leaves.
        relay: SocketAddr,
        /// Where it goes.
        peer: SocketAddr,
        /// Whether it may not be fragmented (RFC 8656 §14).
        dont_fragment: bool,
        /// The payload.
        bytes: Vec<u8>,
    },
    /// A client's stream is of no use any more, and is to be closed. [`TurnServer::stream_closed`] need not be told.
    CloseStream(FiveTuple),
}

/// What a [`TurnServer`] has done.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct TurnCounts {
    /// Requests that came, retransmissions included.
    pub requests: u64,
    /// Responses that were sent.
    pub replies: u64,
    /// Datagrams that went to peers.
    pub to_peers: u64,
    /// Datagrams of peers that went to clients.
    pub to_clients: u64,
    /// Everything that came and was neither answered nor relayed.
    pub dropped: u64,
}

/// A TURN server (RFC 8656).
///
/// It answers Binding requests too, without credentials. What it has to send is fetched with [`poll`](Self::poll) after each call.
///
/// ```
/// use std::net::SocketAddr;
/// use floe_sim::Instant;
/// use floe_sim::server::{FiveTuple, RelaySockets, TurnConfig, TurnOutput, TurnServer};
///
/// struct NoSockets;
/// impl RelaySockets for NoSockets {
///     fn open(&mut self, _: SocketAddr) -> bool { true }
///     fn close(&mut self, _: SocketAddr) {}
/// }
///
/// let config = TurnConfig::new("example.org", "198.51.100.1".parse()?).with_user("alice", "secret");
/// let mut server = TurnServer::new(config, [7; 32])?;
/// let alice = FiveTuple::udp("203.0.113.7:40000".parse()?, "198.51.100.1:3478".parse()?);
/// let allocate = b"\x00\x03\x00\x00\x21\x12\xa4\x42abcdefghijkl";
/// server.receive(Instant::ZERO, alice, allocate, &mut NoSockets);
/// let Some(TurnOutput::ToClient { bytes, .. }) = server.poll() else { return Err("no answer".into()) };
/// assert_eq!(bytes[..2], [0x01, 0x13], "401 with a realm and a nonce");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TurnServer {
    config: TurnConfig,
    gate: Gate,
    dice: ChaCha12Rng,
    allocations: BTreeMap<FiveTuple, Allocation>,
    /// By relayed address, whose it is.
    relays: BTreeMap<SocketAddr, FiveTuple>,
    /// By token.
    reservations: BTreeMap<u64, Reservation>,
    streams: BTreeMap<FiveTuple, Framing>,
    memory: Memory,
    faults: Faults,
    outputs: VecDeque<TurnOutput>,
    events: Events,
    /// Nothing ends before.
    due: Option<Instant>,
    counts: TurnCounts,
}

/// A relayed address that is held for an allocation to come (RFC 8656 §7.2).
struct Reservation {
    address: SocketAddr,
    until: Instant,
}

/// What waits to be fetched: more than one call can bring about, were it fetched after each.
const MAX_OUTPUTS: usize = 4096;
/// Streams that are open at once; one more is closed.
const MAX_STREAMS: usize = 10_000;

impl TurnServer {
    /// A server without allocations. The seed is where its nonces, ports and tokens come from: on a real network, it has to
    /// come from the system's generator.
    ///
    /// # Errors
    /// The configuration cannot be served.
    pub fn new(config: TurnConfig, seed: [u8; 32]) -> Result<Self, TurnConfigError> {
        config.check()?;
        let mut dice = ChaCha12Rng::from_seed(seed);
        let mut secret = [0; 32];
        dice.fill_bytes(&mut secret);
        let terms = Terms {
            realm: config.realm.clone(),
            plain: config.plain,
            algorithms: config.password_algorithms.clone(),
            username_anonymity: config.username_anonymity,
            nonce_lifetime: config.nonce_lifetime,
        };
        let gate = Gate::new(terms, &config.users, secret);
        Ok(Self {
            config,
            gate,
            dice,
            allocations: BTreeMap::new(),
            relays: BTreeMap::new(),
            reservations: BTreeMap::new(),
            streams: BTreeMap::new(),
            memory: Memory::default(),
            faults: Faults::default(),
            outputs: VecDeque::new(),
            events: Events::default(),
            due: None,
            counts: TurnCounts::default(),
        })
    }

    /// A datagram has come from a client.
    pub fn receive(&mut self, now: Instant, client: FiveTuple, bytes: &[u8], sockets: &mut dyn RelaySockets) {
        self.advance(now, sockets);
        if bytes.len() > MAX_DATAGRAM {
            self.counts.dropped += 1;
            return;
        }
        self.on_frame(now, client, bytes, sockets);
    }

    /// Bytes of a client's stream have come. A stream is known from its first bytes on.
    pub fn stream_input(
        &mut self,
        now: Instant,
        client: FiveTuple,
        mut bytes: &[u8],
        sockets: &mut dyn RelaySockets,
    ) {
        self.advance(now, sockets);
        if !self.streams.contains_key(&client) && self.streams.len() >= MAX_STREAMS {
            return self.push(TurnOutput::CloseStream(client));
        }
        let mut framing = self.streams.remove(&client).unwrap_or_default();
        loop {
            match framing.next(&mut bytes) {
                Ok(Some(frame)) => self.on_frame(now, client, &frame, sockets),
                Ok(None) => break,
                Err(_) => {
                    self.stream_closed(client, sockets);
                    return self.push(TurnOutput::CloseStream(client));
                }
            }
        }
        self.streams.insert(client, framing);
    }

    /// A client's stream has ended: so has its allocation, which nobody could reach any more.
    pub fn stream_closed(&mut self, client: FiveTuple, sockets: &mut dyn RelaySockets) {
        self.streams.remove(&client);
        self.end(client, TurnEnd::StreamClosed, sockets, |_| true);
    }

    /// What is to be sent next.
    pub fn poll(&mut self) -> Option<TurnOutput> {
        self.outputs.pop_front()
    }

    /// From now on, [`next_event`](Self::next_event) tells what happens. It is then to be called after each call.
    pub fn watch(&mut self) {
        self.events.watch();
    }

    /// What has happened, in order.
    pub fn next_event(&mut self) -> Option<TurnEvent> {
        self.events.next()
    }

    /// When something may end, so that [`advance`](Self::advance) is to be called.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Ends what has not been refreshed in time. All other calls that know the time do this, too.
    pub fn advance(&mut self, now: Instant, sockets: &mut dyn RelaySockets) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        let over: Vec<FiveTuple> = self
            .allocations
            .values()
            .filter(|a| a.expires().is_some_and(|at| at <= now))
            .map(|a| a.client)
            .collect();
        for client in over {
            self.end(client, TurnEnd::Expired, sockets, |relay| relay.expires <= now);
        }
        self.reservations.retain(|_, reservation| {
            let held = reservation.until > now;
            if !held {
                sockets.close(reservation.address);
            }
            held
        });
        let ends = self.allocations.values().filter_map(Allocation::expires);
        self.due = ends.chain(self.reservations.values().map(|r| r.until)).min();
    }

    /// Makes it do something wrong.
    pub fn add_fault(&mut self, fault: Fault) {
        self.faults.add(fault);
    }

    /// Takes all faults away.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// Makes all nonces that are out stale: the next request of every client gets a 438.
    pub fn forget_nonces(&mut self) {
        self.gate.forget_nonces();
    }

    /// Ends an allocation without a word, as a server that is started anew does. False if there was none.
    pub fn forget_allocation(&mut self, client: FiveTuple, sockets: &mut dyn RelaySockets) -> bool {
        self.end(client, TurnEnd::Forgotten, sockets, |_| true)
    }

    /// The configuration, for what is to change for requests to come. Users, realm, algorithms and lifetimes of nonces stay as they
    /// were.
    pub fn config_mut(&mut self) -> &mut TurnConfig {
        &mut self.config
    }

    /// All allocations, by client.
    pub fn allocations(&self) -> impl Iterator<Item = &Allocation> {
        self.allocations.values()
    }

    /// The allocation of a client.
    pub fn allocation(&self, client: FiveTuple) -> Option<&Allocation> {
        self.allocations.get(&client)
    }

    /// The addresses that are held for allocations to come.
    pub fn reserved(&self) -> impl Iterator<Item = SocketAddr> {
        self.reservations.values().map(|reservation| reservation.address)
    }

    /// What it has done so far.
    pub fn counts(&self) -> TurnCounts {
        self.counts
    }

    /// One message: a datagram, or a frame of a stream (RFC 8656 §12, table 3).
    fn on_frame(&mut self, now: Instant, client: FiveTuple, bytes: &[u8], sockets: &mut dyn RelaySockets) {
        if bytes.first().is_some_and(|first| (0x40..=0x4F).contains(first)) {
            return self.on_channel_data(now, client, bytes);
        }
        match Incoming::read(bytes) {
            Some(message) if message.class == MessageClass::Request => {
                self.on_request(now, client, bytes, &message, sockets);
            }
            Some(message) if message.class == MessageClass::Indication => {
                self.on_indication(now, client, &message);
            }
            _ => self.counts.dropped += 1,
        }
    }

    /// Ends those relayed addresses of a client that `over` picks, and the allocation with the last of them. False if there
    /// was no allocation.
    fn end(
        &mut self,
        client: FiveTuple,
        why: TurnEnd,
        sockets: &mut dyn RelaySockets,
        over: impl Fn(&Relay) -> bool,
    ) -> bool {
        let Some(allocation) = self.allocations.get_mut(&client) else { return false };
        let (relays, events) = (&mut self.relays, &mut self.events);
        allocation.relays.retain(|relay| {
            let over = over(relay);
            if over {
                relays.remove(&relay.address);
                sockets.close(relay.address);
                events.tell(client, TurnEventKind::Ended { relay: relay.address, why });
            }
            !over
        });
        if allocation.relays.is_empty() {
            self.allocations.remove(&client);
        }
        true
    }

    fn push(&mut self, output: TurnOutput) {
        if self.outputs.len() < MAX_OUTPUTS {
            self.outputs.push_back(output);
        } else {
            self.counts.dropped += 1;
        }
    }

    /// Sends a message to a client, padded if it goes into a stream (RFC 8656 §12.5). STUN messages never need it.
    fn send_to_client(&mut self, client: FiveTuple, mut bytes: Vec<u8>) {
        if client.transport != Transport::Udp {
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        self.push(TurnOutput::ToClient { client, bytes });
    }

    /// Something ends at this time.
    fn ends_at(&mut self, at: Instant) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }
}
