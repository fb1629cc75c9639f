//! What agents ask of their hosts, and what comes of it: sockets of their own, and streams. It does what a driver does with TCP: an
//! agent hears that its bytes are written when they have left for the link.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use floe_core::{Received, SocketId, SocketRequest, StreamEnd, StreamId};

use super::traffic::Arrival;
use super::{PeerId, World};
use crate::{Instant, StreamChange, StreamEvent, StreamKind};

/// What one agent has asked for, and has.
#[derive(Default)]
pub(super) struct Carriers {
    sockets: Vec<(SocketId, SocketAddr)>,
    /// TCP sockets of the application's.
    listeners: Vec<(SocketId, SocketAddr)>,
    streams: Vec<Stream>,
}

/// A stream: its name at the agent, and in the network.
struct Stream {
    id: StreamId,
    carrier: crate::StreamId,
    remote: SocketAddr,
    /// Until when it has to open, if it has not.
    opens_until: Option<Instant>,
    /// How many bytes the agent takes to be waiting.
    unsent: usize,
}

impl Carriers {
    /// Where a socket is that the agent has asked for.
    pub(super) fn address(&self, socket: SocketId) -> Option<SocketAddr> {
        self.sockets.iter().find(|(id, _)| *id == socket).map(|(_, local)| *local)
    }

    /// The socket of the agent's own that is there.
    pub(super) fn socket_at(&self, local: SocketAddr) -> Option<SocketId> {
        self.sockets.iter().find(|(_, at)| *at == local).map(|(id, _)| *id)
    }

    /// A listener more, that the agent is to be told of by this name.
    pub(super) fn add_listener(&mut self, local: SocketAddr) -> SocketId {
        let number = u32::try_from(self.listeners.len()).unwrap_or(u32::MAX);
        let id = SocketId(FIRST_LISTENER + number);
        self.listeners.push((id, local));
        id
    }

    /// The listeners that there were ever at an address.
    pub(super) fn listeners_at(&self, ip: IpAddr) -> Vec<(SocketId, SocketAddr)> {
        self.listeners.iter().copied().filter(|(_, local)| local.ip() == ip).collect()
    }

    /// When an attempt to connect has taken too long.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.streams.iter().filter_map(|s| s.opens_until).min()
    }

    /// What it is called in the network.
    pub(super) fn carrier(&self, id: StreamId) -> Option<crate::StreamId> {
        self.streams.iter().find(|s| s.id == id).map(|s| s.carrier)
    }

    fn name(&self, carrier: crate::StreamId) -> Option<StreamId> {
        self.streams.iter().find(|s| s.carrier == carrier).map(|s| s.id)
    }

    fn forget(&mut self, id: StreamId) -> Option<crate::StreamId> {
        let carrier = self.carrier(id);
        self.streams.retain(|s| s.id != id);
        carrier
    }
}

impl World {
    /// Where the first TCP socket of a peer listens.
    ///
    /// # Panics
    /// If it has none.
    #[expect(clippy::expect_used, reason = "a scenario that is wrong ends")]
    pub fn tcp_address(&self, peer: PeerId) -> SocketAddr {
        self.peer(peer).carriers.listeners.first().expect("a TCP socket of this peer").1
    }

    /// The network's name of a stream of a peer's agent, as [`Transmit::stream`](floe_core::Transmit::stream) tells it: to be broken
    /// off, perhaps. `None`: it has ended.
    pub fn stream(&self, peer: PeerId, id: StreamId) -> Option<crate::StreamId> {
        self.peer(peer).carriers.carrier(id)
    }

    /// The network's names of all streams that a peer has at this moment, in the order in which they began.
    pub fn streams(&self, peer: PeerId) -> Vec<crate::StreamId> {
        self.peer(peer).carriers.streams.iter().map(|s| s.carrier).collect()
    }

    /// Every stream of a peer is broken off, as by something on the way that forgets them all. Its agent is told at once.
    pub fn break_streams(&mut self, peer: PeerId) {
        self.break_those(peer, |_| true);
    }

    /// The same for those with this other end.
    pub fn break_stream_to(&mut self, peer: PeerId, remote: SocketAddr) {
        self.break_those(peer, |stream| stream.remote == remote);
    }

    fn break_those(&mut self, peer: PeerId, which: impl Fn(&Stream) -> bool) {
        let streams = self.peer(peer).carriers.streams.iter().filter(|s| which(s));
        for (stream, carrier) in streams.map(|s| (s.id, s.carrier)).collect::<Vec<_>>() {
            self.note(format!("{} loses a stream", self.peer(peer).name));
            self.network.reset_stream(carrier);
            self.end_stream(peer, stream, StreamEnd::Reset);
        }
    }

    /// Does what an agent asks for.
    pub(super) fn on_socket_request(&mut self, id: PeerId, request: &SocketRequest) {
        let (now, host) = (self.clock(id), self.host(id));
        match request {
            SocketRequest::Bind { socket, local } => {
                let bound = self.network.bind(host, Some(SocketAddr::new(*local, 0)));
                let peer = self.peer_mut(id);
                let answered = match bound {
                    Ok(local) => {
                        peer.carriers.sockets.push((*socket, local));
                        peer.agent.socket_opened(now, *socket, local)
                    }
                    Err(_) => peer.agent.socket_refused(now, *socket),
                };
                debug_assert_eq!(answered, Ok(()), "what was asked for");
            }
            SocketRequest::Close(socket) => {
                if let Some(local) = self.peer(id).carriers.address(*socket) {
                    self.network.close(host, local);
                    self.peer_mut(id).carriers.sockets.retain(|(other, _)| other != socket);
                }
            }
            SocketRequest::Connect { stream, local, port, remote, tls } => {
                let kind = if tls.is_some() { StreamKind::Tls } else { StreamKind::Tcp };
                let from = SocketAddr::new(*local, port.unwrap_or(0));
                let carrier = self.network.connect(host, Some(from), *remote, kind);
                let begun = self.now();
                let peer = self.peer_mut(id);
                match carrier {
                    Ok(carrier) => {
                        let opens_until = Some(begun + CONNECT_PATIENCE);
                        peer.carriers.streams.push(Stream {
                            id: *stream,
                            carrier,
                            remote: *remote,
                            opens_until,
                            unsent: 0,
                        });
                    }
                    Err(_) => {
                        let answered = peer.agent.stream_closed(now, *stream, StreamEnd::Refused);
                        debug_assert_eq!(answered, Ok(()), "what was asked for");
                    }
                }
            }
            SocketRequest::CloseStream(stream) => {
                if let Some(carrier) = self.peer_mut(id).carriers.forget(*stream) {
                    self.network.close_stream(carrier);
                }
            }
            // What is asked for some day is refused by not being answered.
            _ => {}
        }
    }

    /// Writes a frame to a stream of a peer. Nothing of it waits outside of the network, and an agent has no more waiting than that takes.
    pub(super) fn write_to_stream(&mut self, id: PeerId, stream: StreamId, bytes: &[u8]) {
        let carrier = self.peer(id).carriers.carrier(stream);
        if carrier.is_some_and(|carrier| self.network.write(carrier, bytes)) {
            for of in self.peer_mut(id).carriers.streams.iter_mut().filter(|s| s.id == stream) {
                of.unsent += bytes.len();
            }
            self.tell_written(id);
        } else {
            let now = self.clock(id);
            self.agent(id).stream_written(now, stream, bytes.len());
        }
    }

    /// Tells an agent what of its bytes has left. Whether there was anything to tell.
    fn tell_written(&mut self, id: PeerId) -> bool {
        let now = self.clock(id);
        let mut has_told = false;
        let Some(peer) = self.peers.get_mut(id.0) else { return false };
        for stream in &mut peer.carriers.streams {
            let unsent = self.network.unsent(stream.carrier).min(stream.unsent);
            if unsent < stream.unsent {
                peer.agent.stream_written(now, stream.id, stream.unsent - unsent);
                stream.unsent = unsent;
                has_told = true;
            }
        }
        has_told
    }

    /// Something has happened to a stream. Whether it is a peer's.
    pub(super) fn tell_peers(&mut self, event: &StreamEvent) -> bool {
        let StreamEvent { host, stream: carrier, local, remote, change, .. } = event;
        let Some(id) = self.peers.iter().position(|p| p.host == *host).map(PeerId) else { return false };
        let now = self.clock(id);
        let peer = self.peer_mut(id);
        if *change == StreamChange::Accepted(StreamKind::Tcp)
            && let Some((listener, _)) = peer.carriers.listeners.iter().find(|(_, at)| at == local)
            && let Some(id) = peer.agent.stream_accepted(now, *listener, *remote)
        {
            let (carrier, remote) = (*carrier, *remote);
            peer.carriers.streams.push(Stream { id, carrier, remote, opens_until: None, unsent: 0 });
        }
        let Some(stream) = peer.carriers.name(*carrier) else {
            // Not wanted, or closed on this side before it was on the other.
            self.network.close_stream(*carrier);
            return true;
        };
        let end = match change {
            StreamChange::Connected => {
                for of in peer.carriers.streams.iter_mut().filter(|s| s.id == stream) {
                    of.opens_until = None;
                }
                let known = peer.agent.stream_opened(now, stream, *local);
                debug_assert_eq!(known, Ok(()), "what was asked for");
                None
            }
            StreamChange::Bytes(bytes) => {
                self.read_from_stream(id, stream, bytes);
                None
            }
            StreamChange::Accepted(_) => None,
            StreamChange::Refused => Some(StreamEnd::Refused),
            StreamChange::TimedOut => Some(StreamEnd::TimedOut),
            StreamChange::Ended => Some(StreamEnd::Ended),
            StreamChange::Reset => Some(StreamEnd::Reset),
        };
        if let Some(end) = end {
            self.end_stream(id, stream, end);
        }
        self.drain(id);
        true
    }

    /// Tells agents what was written, and gives up connections that have not opened in time, as [`SocketRequest::Connect`] has it.
    pub(super) fn advance_carriers(&mut self) {
        let now = self.now();
        for id in (0..self.peers.len()).map(PeerId) {
            if self.tell_written(id) {
                self.drain(id);
            }
            let streams = &self.peer(id).carriers.streams;
            let late = streams.iter().filter(|s| s.opens_until.is_some_and(|until| until <= now));
            for (stream, carrier) in late.map(|s| (s.id, s.carrier)).collect::<Vec<_>>() {
                self.network.close_stream(carrier);
                self.end_stream(id, stream, StreamEnd::TimedOut);
                self.drain(id);
            }
        }
    }

    fn end_stream(&mut self, id: PeerId, stream: StreamId, end: StreamEnd) {
        let now = self.clock(id);
        let peer = self.peer_mut(id);
        peer.carriers.forget(stream);
        // The agent may have closed it meanwhile, and not been polled.
        let _ = peer.agent.stream_closed(now, stream, end);
    }

    fn read_from_stream(&mut self, id: PeerId, stream: StreamId, mut bytes: &[u8]) {
        let now = self.clock(id);
        let mut scratch = vec![0; LARGEST_FRAME];
        while !bytes.is_empty() {
            match self.peer_mut(id).agent.stream_input(now, stream, &mut bytes, &mut scratch) {
                Received::Data { payload, .. } => {
                    let payload = payload.to_vec();
                    if !self.on_traffic(&payload, Arrival::Delivered) {
                        self.peer_mut(id).inbox.push(payload);
                    }
                }
                Received::Unclaimed(payload) => {
                    let payload = payload.to_vec();
                    self.on_traffic(&payload, Arrival::Unclaimed);
                }
                Received::Consumed | Received::Dropped(_) => {}
            }
            self.drain(id);
        }
    }
}

/// The name of the first TCP socket.
const FIRST_LISTENER: u32 = 1_000;
/// How long a driver waits for a connection: see [`SocketRequest::Connect`].
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// See [`Agent::stream_input`](floe_core::Agent::stream_input).
const LARGEST_FRAME: usize = 65_552;
