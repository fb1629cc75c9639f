//! From a flow to what carries it: a datagram of ours as it is, or, out of a relayed address, within a frame for the relay's
//! server, or over a connection behind its length. The way back is here, too.

use core::net::SocketAddr;
use core::ops::Range;

use super::carriers::Purpose;
use super::tcp::HEADER;
use super::{Agent, Life, MAX_TRANSMIT, Received, SendError, Transmit};
use crate::base::{Instant, SocketId, StreamId, Tuple};
use crate::gather::{Relay, Via};
use crate::relay::{FromServer, NotFramed};
use crate::trace::{DropReason, TraceEvent};
use crate::wire::TransactionId;

/// What lies in the scratch buffer and is to go out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Departure {
    socket: SocketId,
    remote: SocketAddr,
    stream: Option<StreamId>,
    length: usize,
}

impl Departure {
    pub(super) fn transmit(self, scratch: &[u8; MAX_TRANSMIT]) -> Transmit<'_> {
        let contents = scratch.get(..self.length).unwrap_or_default();
        Transmit { stream: self.stream, ..Transmit::new(self.socket, self.remote, contents) }
    }
}

/// Which Ta slots new requests to servers may use (RFC 8445 §14.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Slots {
    /// It is the checks' turn.
    None,
    /// The next one, if it has come.
    Free,
    /// There are no checks any more.
    Any,
}

impl Slots {
    pub(super) fn allow(self, now: Instant, next: Instant) -> bool {
        match self {
            Self::None => false,
            Self::Free => now >= next,
            Self::Any => true,
        }
    }
}

/// What a message of a relay's server comes to.
pub(super) enum Unpacked {
    /// A peer's datagram: these of the bytes, on that flow.
    Data(Tuple, Range<usize>),
    Consumed,
    Dropped(DropReason),
    /// It is not the relay's.
    NotMine,
}

impl Agent {
    /// A message of the engine lies in `scratch`: what goes out for it, if anything does.
    pub(super) fn carry(
        &mut self,
        tuple: Tuple,
        length: usize,
        scratch: &mut [u8; MAX_TRANSMIT],
    ) -> Option<Departure> {
        if !tuple.socket.is_of_agent() && !self.is_tcp(tuple) {
            return Some(Departure { socket: tuple.socket, remote: tuple.remote, stream: None, length });
        }
        let message = *scratch;
        let message = message.get(..length)?;
        match self.frame(tuple, message, scratch) {
            Ok(departure) => Some(departure),
            Err(SendError::NoPermission) => {
                // RFC 8656 §9: it takes a round trip, and then the message goes.
                let key = self.gatherer.relays.named(tuple.socket)?.key;
                if self.permit_at(key, tuple.remote.ip()) {
                    self.gatherer.relays.get_mut(key)?.hold(tuple.remote, message);
                }
                None
            }
            Err(_) => None,
        }
    }

    /// Frames what goes to a peer from a relayed address, or over a connection.
    pub(super) fn frame(
        &mut self,
        tuple: Tuple,
        payload: &[u8],
        scratch: &mut [u8; MAX_TRANSMIT],
    ) -> Result<Departure, SendError> {
        if self.is_tcp(tuple) {
            let stream = Some(self.frame_for_peer(tuple, payload, scratch)?);
            let length = payload.len() + HEADER;
            return Ok(Departure { socket: tuple.socket, remote: tuple.remote, stream, length });
        }
        let Self { gatherer, random, carriers, .. } = self;
        let relay = gatherer.relays.named_mut(tuple.socket).ok_or(SendError::NoPath)?;
        // Nobody answers an indication, so nobody has to know its name.
        let id = TransactionId(random.transaction_id());
        let length = relay.allocation.frame(self.now, id, tuple.remote, payload, scratch);
        let length = length.map_err(|error| match error {
            NotFramed::NoPermission => SendError::NoPermission,
            NotFramed::TooLong => SendError::TooLong {
                largest: MAX_TRANSMIT - relay.allocation.overhead(self.now, tuple.remote),
            },
        })?;
        let (socket, stream) = match relay.via {
            Via::Socket(socket) => (socket, None),
            Via::Awaited => return Err(SendError::NoPath),
            Via::Stream => {
                let stream = carriers.stream_for(Purpose::Relay(relay.key)).ok_or(SendError::NoPath)?;
                if !carriers.on_given(stream, length) {
                    return Err(SendError::Backlog);
                }
                (relay.attempt.host.id(), Some(stream))
            }
        };
        Ok(Departure { socket, remote: relay.attempt.address, stream, length })
    }

    /// The next message to a TURN server. A new request uses the Ta that the checks would.
    pub(super) fn next_for_relays(
        &mut self,
        scratch: &mut [u8; MAX_TRANSMIT],
        slots: Slots,
    ) -> Option<Departure> {
        if self.gatherer.relays.is_empty() {
            return None;
        }
        if let Some(departure) = self.next_held(scratch, slots) {
            return Some(departure);
        }
        let Self { gatherer, carriers, generations, random, tracer, now, .. } = self;
        let checks = &mut generations.current.checks;
        let has_slot = slots.allow(*now, checks.next_slot());
        let mut took_slot = false;
        for relay in gatherer.relays.iter_mut() {
            let Some(stream) = way(relay, carriers) else { continue };
            let written = match relay.allocation.repeat(*now, scratch) {
                Some(written) => written,
                None if has_slot && relay.allocation.wants_slot(*now) => {
                    let Some(written) = relay.allocation.begin(*now, random, scratch) else { continue };
                    checks.take_slot(*now);
                    gatherer.inquiries.on_slot_taken();
                    took_slot = true;
                    written
                }
                None => continue,
            };
            let socket = relay.carrier();
            let remote = relay.attempt.address;
            if let Some(stream) = stream {
                carriers.on_given(stream, written.length);
            }
            tracer.emit(
                *now,
                TraceEvent::RelayAsked {
                    tuple: Tuple { socket, remote },
                    method: written.method,
                    transaction: written.id,
                    attempt: written.transmission,
                },
            );
            let departure = Departure { socket, remote, stream, length: written.length };
            if took_slot {
                gatherer.relays.on_slot_taken(true);
            }
            return Some(departure);
        }
        // A request that was not answered has run out, instead of being repeated.
        self.take_relay_news();
        None
    }

    /// The next message that has waited for a permission.
    fn next_held(&mut self, scratch: &mut [u8; MAX_TRANSMIT], slots: Slots) -> Option<Departure> {
        loop {
            // RFC 8445 §14: several that were let through at once keep their distance all the same.
            let requests = slots.allow(self.now, self.generations.current.checks.next_slot());
            let held = self.gatherer.relays.iter_mut().find_map(|relay| {
                let (peer, bytes, request) = relay.take_held(requests)?;
                Some((relay.name_for(peer), peer, bytes, request))
            });
            let (name, peer, bytes, request) = held?;
            if request {
                self.generations.current.checks.take_slot(self.now);
                self.gatherer.inquiries.on_slot_used();
            }
            let Some(socket) = name else { continue };
            if let Ok(departure) = self.frame(Tuple { socket, remote: peer }, &bytes, scratch) {
                return Some(departure);
            }
        }
    }

    /// When a relay will have something to do.
    pub(super) fn next_relay_deadline(&self) -> Option<Instant> {
        let slot = match self.life {
            Life::Closed => self.now,
            Life::Running | Life::Failed => self.generations.current.checks.next_slot(),
        };
        let deadlines = self.gatherer.relays.iter().filter_map(|relay| match way(relay, &self.carriers) {
            // Nothing can go, but what there is ends all the same.
            None => relay.allocation.next_end(),
            Some(_) => {
                let held = relay.next_held(self.now, slot);
                held.into_iter().chain(relay.allocation.next_deadline(slot)).min()
            }
        });
        deadlines.chain(self.gatherer.relays.next_attempt()).min()
    }

    /// What came from a relay's server, over whatever carries it.
    pub(super) fn unpack(&mut self, key: SocketId, bytes: &[u8]) -> Unpacked {
        let Some(relay) = self.gatherer.relays.get_mut(key) else { return Unpacked::NotMine };
        match relay.allocation.on_message(self.now, bytes) {
            FromServer::Data { peer, payload } => match relay.name_for(peer) {
                Some(socket) => Unpacked::Data(Tuple { socket, remote: peer }, payload),
                None => Unpacked::Dropped(DropReason::NoPermission),
            },
            FromServer::Handled => {
                self.take_relay_news();
                Unpacked::Consumed
            }
            FromServer::IcmpError { peer, .. } => {
                if let Some(socket) = relay.name_for(peer) {
                    self.send_failed(self.now, Tuple { socket, remote: peer });
                }
                Unpacked::Consumed
            }
            FromServer::Dropped(reason) => Unpacked::Dropped(reason),
            FromServer::NotMine => Unpacked::NotMine,
        }
    }

    /// What an unpacked message is to whoever has received `bytes`.
    pub(super) fn deliver<'d>(
        &mut self,
        from: Tuple,
        unpacked: Unpacked,
        bytes: &'d mut [u8],
    ) -> Received<'d> {
        match unpacked {
            Unpacked::Data(tuple, payload) => match bytes.get_mut(payload) {
                Some(payload) => self.receive_on(tuple, payload),
                None => Received::Consumed,
            },
            Unpacked::Consumed => Received::Consumed,
            Unpacked::Dropped(reason) => {
                self.tracer
                    .emit(self.now, TraceEvent::Dropped { socket: from.socket, remote: from.remote, reason });
                Received::Dropped(reason)
            }
            Unpacked::NotMine => Received::Unclaimed(bytes),
        }
    }

    /// A whole frame has come out of a stream.
    pub(super) fn on_frame<'d>(&mut self, purpose: Purpose, frame: &'d mut [u8]) -> Received<'d> {
        match purpose {
            Purpose::Relay(key) => {
                let Some(relay) = self.gatherer.relays.get(key) else { return Received::Consumed };
                let from = Tuple { socket: relay.attempt.host.id(), remote: relay.attempt.address };
                match self.unpack(key, frame) {
                    Unpacked::NotMine => {
                        let nothing = Unpacked::Dropped(DropReason::UnknownTransaction);
                        self.deliver(from, nothing, frame)
                    }
                    unpacked => self.deliver(from, unpacked, frame),
                }
            }
            Purpose::Peer(tuple) => self.receive_framed(tuple, frame),
        }
    }
}

/// How a relay's messages go now: `None` if nothing can go, else the stream if it is one that carries them.
fn way(relay: &Relay, carriers: &super::carriers::Carriers) -> Option<Option<StreamId>> {
    match relay.via {
        Via::Socket(_) => Some(None),
        Via::Awaited => None,
        Via::Stream => {
            let stream = carriers.stream_for(Purpose::Relay(relay.key))?;
            carriers.has_room(stream).then_some(Some(stream))
        }
    }
}
