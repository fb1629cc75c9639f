//! What carries bytes besides the sockets that the application has brought: streams, and sockets that the agent has asked
//! for. This file owns their names, how far each has come, and the frame that a stream has begun. Who uses one is in its
//! [`Purpose`]; what a frame means is decided elsewhere.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use super::tcp::Standing;
use super::{Agent, CarrierError, Life, Received, SocketRequest, StreamEnd};
use crate::base::{Instant, SocketId, StreamId, Tuple};
use crate::trace::{DropReason, TraceEvent};
use crate::wire::{FrameDecoder, FrameError, Framing};

/// How many streams an agent has at a time, those included that are being opened: peers can open connections to us
/// (RFC 6544 §5.2), and servers cost one for each of our addresses.
pub const MAX_STREAMS: usize = 64;
/// How many bytes of a stream wait outside of the agent to be written. The system's own buffers come on top.
pub const MAX_STREAM_BACKLOG: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(super) struct Carriers {
    pub(super) requests: VecDeque<SocketRequest>,
    pub(super) streams: Vec<Stream>,
    binds: Vec<Bind>,
    next_stream: u32,
    next_socket: u32,
}

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: StreamId,
    pub(super) purpose: Purpose,
    /// Our end, once it is open.
    pub(super) local: Option<SocketAddr>,
    decoder: FrameDecoder,
    /// Bytes that were given out and are not written.
    pub(super) backlog: usize,
    /// If the peer is at the other end.
    pub(super) standing: Standing,
}

/// A socket that was asked for.
#[derive(Clone, Copy, Debug)]
struct Bind {
    socket: SocketId,
    local: IpAddr,
    purpose: Purpose,
}

/// What a stream or a socket is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// An allocation, by its name among the sockets.
    Relay(SocketId),
    /// A connection to the peer (RFC 6544): the flow that it carries.
    Peer(Tuple),
}

impl Purpose {
    const fn framing(self) -> Framing {
        match self {
            Self::Relay(_) => Framing::Turn,
            Self::Peer(_) => Framing::Rfc4571,
        }
    }
}

impl Carriers {
    /// Asks for a connection. `None`: there are too many.
    pub(super) fn connect(
        &mut self,
        purpose: Purpose,
        (local, port): (IpAddr, Option<u16>),
        remote: SocketAddr,
        tls: Option<String>,
    ) -> Option<StreamId> {
        let stream = self.add(purpose, None)?;
        self.requests.push_back(SocketRequest::Connect { stream, local, port, remote, tls });
        Some(stream)
    }

    /// A connection that somebody has opened to us.
    pub(super) fn accept(&mut self, purpose: Purpose, local: SocketAddr) -> Option<StreamId> {
        self.add(purpose, Some(local))
    }

    fn add(&mut self, purpose: Purpose, local: Option<SocketAddr>) -> Option<StreamId> {
        if self.streams.len() >= MAX_STREAMS {
            return None;
        }
        let id = StreamId(self.next_stream);
        self.next_stream = self.next_stream.checked_add(1)?;
        let decoder = FrameDecoder::new(purpose.framing());
        let standing = Standing::default();
        self.streams.push(Stream { id, purpose, local, decoder, backlog: 0, standing });
        Some(id)
    }

    /// Asks for a UDP socket on `local`.
    pub(super) fn bind(&mut self, purpose: Purpose, local: IpAddr) -> Option<SocketId> {
        let socket = self.name()?;
        self.binds.push(Bind { socket, local, purpose });
        self.requests.push_back(SocketRequest::Bind { socket, local });
        Some(socket)
    }

    /// A name for a socket of the agent's own.
    pub(super) fn name(&mut self) -> Option<SocketId> {
        let number = self.next_socket;
        self.next_socket = number.checked_add(1).filter(|n| *n < SocketId::FIRST_OF_AGENT.0)?;
        Some(SocketId(SocketId::FIRST_OF_AGENT.0 + number))
    }

    /// Closes whatever serves this purpose.
    pub(super) fn close(&mut self, purpose: Purpose) {
        let Self { requests, streams, binds, .. } = self;
        streams.retain(|s| {
            if s.purpose == purpose {
                requests.push_back(SocketRequest::CloseStream(s.id));
            }
            s.purpose != purpose
        });
        binds.retain(|b| {
            if b.purpose == purpose {
                requests.push_back(SocketRequest::Close(b.socket));
            }
            b.purpose != purpose
        });
    }

    /// Closes everything.
    pub(super) fn close_all(&mut self) {
        let streams = self.streams.drain(..).map(|s| SocketRequest::CloseStream(s.id));
        let sockets = self.binds.drain(..).map(|b| SocketRequest::Close(b.socket));
        // What was not opened yet need not be, but the order of requests tells that by itself.
        self.requests.extend(streams.chain(sockets));
    }

    pub(super) fn poll(&mut self) -> Option<SocketRequest> {
        self.requests.pop_front()
    }

    /// The stream that serves this purpose, if it is open.
    pub(super) fn stream_for(&self, purpose: Purpose) -> Option<StreamId> {
        self.streams.iter().find(|s| s.purpose == purpose && s.local.is_some()).map(|s| s.id)
    }

    /// Takes note that `bytes` go out. False if there is no room for them, or no such stream.
    pub(super) fn on_given(&mut self, stream: StreamId, bytes: usize) -> bool {
        let Some(of) = self.get_mut(stream) else { return false };
        let backlog = of.backlog.saturating_add(bytes);
        if backlog > MAX_STREAM_BACKLOG {
            return false;
        }
        of.backlog = backlog;
        true
    }

    /// Whether the stream takes a message of the engine's without delay.
    pub(super) fn has_room(&self, stream: StreamId) -> bool {
        self.has_room_for(stream, super::MAX_TRANSMIT)
    }

    pub(super) fn get_mut(&mut self, id: StreamId) -> Option<&mut Stream> {
        self.streams.iter_mut().find(|s| s.id == id)
    }

    /// The next frame of a stream, copied into `scratch`, and whose it is.
    fn next_frame(
        &mut self,
        id: StreamId,
        input: &mut &[u8],
        scratch: &mut [u8],
    ) -> Result<Option<(Purpose, usize)>, Unframed> {
        let stream = self.get_mut(id).filter(|s| s.local.is_some()).ok_or(Unframed::Unknown)?;
        let purpose = stream.purpose;
        match stream.decoder.next(input) {
            Ok(None) => Ok(None),
            Ok(Some(frame)) => {
                let room = scratch.get_mut(..frame.len()).ok_or(Unframed::TooLong)?;
                room.copy_from_slice(frame);
                Ok(Some((purpose, frame.len())))
            }
            Err(error) => Err(Unframed::NoFrame(purpose, error)),
        }
    }
}

/// Why there is no frame.
enum Unframed {
    Unknown,
    TooLong,
    NoFrame(Purpose, FrameError),
}

impl Agent {
    /// The answer to [`SocketRequest::Bind`]: the socket is open, at this address.
    ///
    /// # Errors
    /// If it was not asked for (any more): close it.
    pub fn socket_opened(
        &mut self,
        now: Instant,
        socket: SocketId,
        local: SocketAddr,
    ) -> Result<(), CarrierError> {
        let bind = self.asked_for(now, socket)?;
        if local.ip() != bind.local || local.port() == 0 {
            self.carriers.requests.push_back(SocketRequest::Close(socket));
            self.carriers.binds.retain(|b| b.socket != socket);
            self.on_carrier_lost(bind.purpose, StreamEnd::Refused);
            return Err(CarrierError::WrongAddress(local));
        }
        self.on_socket_opened(bind.purpose, socket);
        Ok(())
    }

    /// The answer to [`SocketRequest::Bind`]: there is no such socket to be had.
    ///
    /// # Errors
    /// If it was not asked for (any more).
    pub fn socket_refused(&mut self, now: Instant, socket: SocketId) -> Result<(), CarrierError> {
        let bind = self.asked_for(now, socket)?;
        self.carriers.binds.retain(|b| b.socket != socket);
        self.on_carrier_lost(bind.purpose, StreamEnd::Refused);
        Ok(())
    }

    fn asked_for(&mut self, now: Instant, socket: SocketId) -> Result<Bind, CarrierError> {
        self.advance(now);
        if self.life == Life::Closed {
            return Err(CarrierError::Ended);
        }
        let bind = self.carriers.binds.iter().find(|b| b.socket == socket);
        bind.copied().ok_or(CarrierError::UnknownSocket(socket))
    }

    /// The answer to [`SocketRequest::Connect`]: the stream carries bytes. `local` is our end of it.
    ///
    /// # Errors
    /// If it was not asked for (any more): close it.
    pub fn stream_opened(
        &mut self,
        now: Instant,
        stream: StreamId,
        local: SocketAddr,
    ) -> Result<(), CarrierError> {
        self.advance(now);
        let of = self.carriers.get_mut(stream).ok_or(CarrierError::UnknownStream(stream))?;
        if of.local.replace(local).is_some() {
            return Err(CarrierError::OpenedBefore(stream));
        }
        if let Purpose::Peer(tuple) = of.purpose {
            self.on_connected(tuple);
        }
        Ok(())
    }

    /// A stream was not opened, or has ended. It is known no more.
    ///
    /// # Errors
    /// If it was not known.
    pub fn stream_closed(
        &mut self,
        now: Instant,
        stream: StreamId,
        end: StreamEnd,
    ) -> Result<(), CarrierError> {
        self.advance(now);
        let known = self.carriers.streams.iter().position(|s| s.id == stream);
        let index = known.ok_or(CarrierError::UnknownStream(stream))?;
        let Stream { purpose, .. } = self.carriers.streams.swap_remove(index);
        self.on_carrier_lost(purpose, end);
        Ok(())
    }

    /// `bytes` of what was given for the stream are written. An agent has no more than [`MAX_STREAM_BACKLOG`] bytes of each waiting.
    pub fn stream_written(&mut self, now: Instant, stream: StreamId, bytes: usize) {
        self.advance(now);
        if let Some(of) = self.carriers.get_mut(stream) {
            of.backlog = of.backlog.saturating_sub(bytes);
        }
    }

    /// Bytes have come out of a stream. Call it again until `input` is empty: each call takes one frame at the most, and puts it into
    /// `scratch`, which should have room for 65,552 bytes; a longer one than there is room for is dropped. What cannot
    /// be framed ends the stream.
    pub fn stream_input<'d>(
        &mut self,
        now: Instant,
        stream: StreamId,
        input: &mut &[u8],
        scratch: &'d mut [u8],
    ) -> Received<'d> {
        self.advance(now);
        let reason = match self.carriers.next_frame(stream, input, scratch) {
            Ok(None) => return Received::Consumed,
            Ok(Some((purpose, length))) => {
                let frame = scratch.get_mut(..length).unwrap_or_default();
                return self.on_frame(purpose, frame);
            }
            Err(Unframed::Unknown) => {
                *input = &[];
                DropReason::UnknownStream
            }
            Err(Unframed::TooLong) => DropReason::FrameTooLong,
            Err(Unframed::NoFrame(purpose, error)) => {
                self.carriers.requests.push_back(SocketRequest::CloseStream(stream));
                self.carriers.streams.retain(|s| s.id != stream);
                self.on_carrier_lost(purpose, StreamEnd::Reset);
                DropReason::Unframed(error)
            }
        };
        self.tracer.emit(self.now, TraceEvent::StreamDropped { stream, reason });
        Received::Dropped(reason)
    }
}
