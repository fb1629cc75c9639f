//! Connections to the peer (RFC 6544). Checks ask for those that we open, the peer opens others; each carries the frames of one flow,
//! and is closed when neither checks nor paths need it. Who they are proves itself by STUN, as over datagrams.

use core::net::SocketAddr;
use core::time::Duration;

use super::carriers::{Carriers, MAX_STREAM_BACKLOG, MAX_STREAMS, Purpose, Stream};
use super::{Agent, Life, MAX_TRANSMIT, Received, SendError};
use crate::base::{Instant, PairId, SocketId, StreamEnd, StreamId, Tuple};
use crate::candidate::{Candidate, TcpType, Transport, is_transport_address};
use crate::trace::{CheckFailure, DropReason, TraceEvent};
use crate::wire::is_stun;

/// How many connections that others have opened an agent has at a time: half of all, so that there are some for those that we open
/// (RFC 6544 §7.2 has each accepted).
pub const MAX_ACCEPTED_STREAMS: usize = MAX_STREAMS / 2;
/// How long somebody who has connected has time to prove that it is the peer: a check comes at once, unless its credentials
/// are to be signalled first.
const STRANGER_PATIENCE: Duration = Duration::from_secs(30);
/// How long a connection that nothing needs any more stays open: the peer may decide a moment later (RFC 6544 §8).
const LINGER: Duration = Duration::from_secs(5);
/// What the application leaves of [`MAX_STREAM_BACKLOG`] for checks and their answers. Those that find no room are lost, as if the
/// network had lost them.
const RESERVE: usize = 4 * 1024;
/// The length in front of each frame (RFC 4571 §2).
pub(super) const HEADER: usize = 2;

/// What is known of the connection to a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Standing {
    /// It was opened from the other side.
    pub(super) accepted: bool,
    /// The peer's agent has authenticated itself there.
    pub(super) proven: bool,
    /// When it is closed, if nothing needs it until then.
    pub(super) doomed: Option<Instant>,
}

impl Agent {
    /// Somebody has connected to `listener`, a [`Socket::tcp`](crate::Socket::tcp), from `remote`. What comes in is given to
    /// [`stream_input`](Self::stream_input). `None`: it is not wanted; close it. At most [`MAX_ACCEPTED_STREAMS`] are taken, and one that
    /// has proven nothing makes room for another; who has sent no authenticated check for thirty seconds is closed.
    pub fn stream_accepted(
        &mut self,
        now: Instant,
        listener: SocketId,
        remote: SocketAddr,
    ) -> Option<StreamId> {
        self.advance(now);
        if self.life != Life::Running {
            return None;
        }
        self.gather();
        let socket = *self.gatherer.socket(listener).filter(|s| s.listens())?;
        if socket.local().is_ipv4() != remote.is_ipv4() || !is_transport_address(remote) {
            return None;
        }
        let tuple = Tuple { socket: listener, remote };
        match self.carriers.peer(tuple).map(|s| s.standing.accepted) {
            // From where we connect to, which is another connection with the same ends.
            Some(false) => return None,
            // The one before is dead, or these could not be its addresses.
            Some(true) => self.drop_connection(tuple, StreamEnd::Reset),
            None => {}
        }
        let accepted = self.carriers.accepted().count();
        if accepted >= MAX_ACCEPTED_STREAMS || self.carriers.streams.len() >= MAX_STREAMS {
            let oldest = self.carriers.accepted().find(|s| !s.standing.proven)?.purpose;
            if let Purpose::Peer(stranger) = oldest {
                self.drop_connection(stranger, StreamEnd::Ended);
            }
        }
        let id = self.carriers.accept(Purpose::Peer(tuple), socket.local())?;
        let doomed = Some(self.now + STRANGER_PATIENCE);
        self.carriers.get_mut(id)?.standing = Standing { accepted: true, proven: false, doomed };
        self.tracer.emit(self.now, TraceEvent::StreamOpened { stream: id, tuple, accepted: true });
        Some(id)
    }

    /// Whether a flow goes over a connection.
    pub(super) fn is_tcp(&self, tuple: Tuple) -> bool {
        self.gatherer.socket(tuple.socket).is_some_and(crate::gather::Socket::is_tcp)
    }

    /// Who of the two has opened the connection of a flow; `None` for datagrams.
    pub(super) fn direction(&self, tuple: Tuple) -> Option<TcpType> {
        let accepted = self.carriers.peer(tuple)?.standing.accepted;
        Some(if accepted { TcpType::Passive } else { TcpType::Active })
    }

    /// A check wants to go over this connection (RFC 6544 §7.1), which may be there from before a restart.
    pub(super) fn connect(&mut self, pair: PairId) {
        let Some(generation) = self.generations.of(pair) else { return };
        let Some(tuple) = generation.checks.pair(pair).map(|p| p.tuple) else { return };
        let Some(local) = self.gatherer.socket(tuple.socket).map(|s| s.local().ip()) else { return };
        match self.carriers.peer(tuple).map(|s| (s.local.is_some(), s.standing.accepted)) {
            Some((_, true)) => self.fail_connection(tuple, CheckFailure::Disconnected(StreamEnd::Refused)),
            Some((true, false)) => self.on_ready(tuple),
            Some((false, false)) => {}
            None if self
                .carriers
                .connect(Purpose::Peer(tuple), (local, None), tuple.remote, None)
                .is_none() =>
            {
                self.fail_connection(tuple, CheckFailure::TooManyConnections);
            }
            None => {}
        }
    }

    /// A connection that we asked for is open.
    pub(super) fn on_connected(&mut self, tuple: Tuple) {
        if let Some(stream) = self.carriers.peer(tuple).map(|s| s.id) {
            self.tracer.emit(self.now, TraceEvent::StreamOpened { stream, tuple, accepted: false });
        }
        self.on_ready(tuple);
    }

    fn on_ready(&mut self, tuple: Tuple) {
        self.generations.current.checks.on_connected(tuple);
    }

    /// A connection was not to be had, or has ended: so have the flow and the pairs that it carried, and nothing else.
    pub(super) fn on_disconnected(&mut self, tuple: Tuple, end: StreamEnd) {
        self.tracer.emit(self.now, TraceEvent::StreamClosed { tuple, end: Some(end) });
        self.end_flow(tuple, end);
    }

    fn end_flow(&mut self, tuple: Tuple, end: StreamEnd) {
        self.answers.forget_flow(tuple);
        // What ends on the paths is told first, with its reason.
        self.paths.on_disconnected(self.now, tuple, end);
        self.absorb();
        self.fail_connection(tuple, CheckFailure::Disconnected(end));
        self.absorb();
    }

    fn fail_connection(&mut self, tuple: Tuple, why: CheckFailure) {
        for number in self.generations.numbers() {
            let Self { generations, random, tracer, .. } = self;
            let Some(generation) = generations.get_mut(number) else { continue };
            let candidates = &mut generation.candidates;
            let mut cx = crate::check::Context { now: self.now, candidates, random, tracer };
            generation.checks.on_disconnected(&mut cx, tuple, why);
        }
    }

    /// Closes a connection from our side.
    fn drop_connection(&mut self, tuple: Tuple, end: StreamEnd) {
        self.tracer.emit(self.now, TraceEvent::StreamClosed { tuple, end: None });
        self.carriers.close(Purpose::Peer(tuple));
        self.end_flow(tuple, end);
    }

    /// Closes those connections whose flows are gone already.
    pub(super) fn close_connections(&mut self, which: impl Fn(Tuple) -> bool) {
        let gone = |carriers: &Carriers| carriers.peers().map(|(tuple, _)| tuple).find(|t| which(*t));
        while let Some(tuple) = gone(&self.carriers) {
            self.answers.forget_flow(tuple);
            self.carriers.close(Purpose::Peer(tuple));
        }
    }

    /// Closes what nothing has needed for a while (RFC 6544 §8, §11.1).
    pub(super) fn sweep_connections(&mut self) {
        if !self.carriers.has_peers() {
            return;
        }
        let current = &self.generations.current.checks;
        let staged = self.generations.staged.as_ref().map(|g| &g.checks);
        let lite = current.is_lite();
        for stream in &mut self.carriers.streams {
            let Purpose::Peer(tuple) = stream.purpose else { continue };
            let Standing { accepted, proven, doomed } = &mut stream.standing;
            let is_used = self.paths.keeps(tuple)
                || current.uses_connection(tuple)
                || staged.is_some_and(|checks| checks.uses_connection(tuple))
                // RFC 6544 §4.4: a lite agent leaves it to the peer.
                || lite && *proven;
            if is_used {
                *doomed = None;
            } else if !*accepted || *proven {
                doomed.get_or_insert(self.now + LINGER);
            }
        }
        let now = self.now;
        let is_over = |s: &&Stream| s.standing.doomed.is_some_and(|at| at <= now);
        let over = |carriers: &Carriers| carriers.streams.iter().find(is_over).map(|s| s.purpose);
        while let Some(Purpose::Peer(tuple)) = over(&self.carriers) {
            self.fail_connection(tuple, CheckFailure::Concluded);
            self.absorb();
            self.drop_connection(tuple, StreamEnd::Ended);
        }
    }

    /// A frame has come. RFC 6544 §7.1: before the peer's agent has proven to be there, nothing but STUN makes sense; who sends
    /// something else is somebody else.
    pub(super) fn receive_framed<'d>(&mut self, tuple: Tuple, frame: &'d mut [u8]) -> Received<'d> {
        if self.carriers.peer(tuple).is_some_and(|s| !s.standing.proven) && !is_stun(frame) {
            self.drop_connection(tuple, StreamEnd::Reset);
            let Tuple { socket, remote } = tuple;
            let reason = DropReason::NotOfAgent;
            self.tracer.emit(self.now, TraceEvent::Dropped { socket, remote, reason });
            return Received::Dropped(reason);
        }
        self.receive_on(tuple, frame)
    }

    /// Puts what goes to the peer over a connection into its frame (RFC 6544 §10.1): a message of the engine, or data, which leaves
    /// some room.
    pub(super) fn frame_for_peer(
        &mut self,
        tuple: Tuple,
        payload: &[u8],
        scratch: &mut [u8; MAX_TRANSMIT],
    ) -> Result<StreamId, SendError> {
        let framed = payload.len() + HEADER;
        let too_long = SendError::TooLong { largest: MAX_TRANSMIT - HEADER };
        let (Ok(length), Some(room)) = (u16::try_from(payload.len()), scratch.get_mut(..framed)) else {
            return Err(too_long);
        };
        let stream = self.carriers.stream_for(Purpose::Peer(tuple)).ok_or(SendError::NoPath)?;
        let reserve = if is_stun(payload) { 0 } else { RESERVE };
        if !self.carriers.has_room_for(stream, framed + reserve) || !self.carriers.on_given(stream, framed) {
            return Err(SendError::Backlog);
        }
        let (header, body) = room.split_at_mut(HEADER);
        header.copy_from_slice(&length.to_be_bytes());
        body.copy_from_slice(payload);
        Ok(stream)
    }
}

impl Carriers {
    /// The connection of a flow.
    pub(super) fn peer(&self, tuple: Tuple) -> Option<&Stream> {
        self.streams.iter().find(|s| s.purpose == Purpose::Peer(tuple))
    }

    pub(super) fn has_peers(&self) -> bool {
        self.peers().next().is_some()
    }

    /// The peer's agent is at the other end.
    pub(super) fn on_proven(&mut self, tuple: Tuple) {
        if let Some(stream) = self.streams.iter_mut().find(|s| s.purpose == Purpose::Peer(tuple))
            && !core::mem::replace(&mut stream.standing.proven, true)
        {
            stream.standing.doomed = None;
        }
    }

    /// When the next connection is closed, if nothing happens before.
    pub(super) fn next_doom(&self) -> Option<Instant> {
        self.streams.iter().filter_map(|s| s.standing.doomed).min()
    }

    fn peers(&self) -> impl Iterator<Item = (Tuple, &Stream)> {
        self.streams.iter().filter_map(|s| match s.purpose {
            Purpose::Peer(tuple) => Some((tuple, s)),
            Purpose::Relay(_) => None,
        })
    }

    /// Those that others have opened.
    fn accepted(&self) -> impl Iterator<Item = &Stream> {
        self.streams.iter().filter(|s| s.standing.accepted)
    }

    /// Whether so many bytes may still be given for the stream.
    pub(super) fn has_room_for(&self, stream: StreamId, bytes: usize) -> bool {
        self.streams.iter().any(|s| s.id == stream && s.backlog.saturating_add(bytes) <= MAX_STREAM_BACKLOG)
    }
}

/// Who opens the connections of a signalled candidate, if it is of TCP. The outer `None`: it is not one that we speak to.
pub(super) fn tcp_type(candidate: &Candidate) -> Option<Option<TcpType>> {
    match (candidate.transport, candidate.extensions.tcp_type()) {
        (Transport::Udp, _) => Some(None),
        (Transport::Tcp, Some(tcp @ (TcpType::Active | TcpType::Passive))) => Some(Some(tcp)),
        (Transport::Tcp, _) => None,
    }
}
