//! Opens the sockets, and keeps for each what waits to be sent. The engine's messages wait in a short queue, before the
//! application's data: without checks there is no consent to send that data.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, SocketAddrV6, UdpSocket};
use std::sync::Arc;

use floe_core::SocketId;
use socket2::{Domain, Protocol, Socket, Type};

use crate::AsyncDatagram;

/// How many messages of the engine wait for room in one socket. What does not fit is dropped and counted; the engine
/// repeats what matters.
pub const MAX_BACKLOG: usize = 32;

/// What the system is asked to hold for us between two turns of the loop. It may give less.
const RECEIVE_BUFFER: usize = 1024 * 1024;

/// A UDP socket that is bound to `address`, ready for a runtime.
pub(crate) fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    if let Err(error) = socket.set_recv_buffer_size(RECEIVE_BUFFER) {
        tracing::debug!(target: "floe", %address, %error, "the receive buffer stays as it is");
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// `address` as the engine knows it. A zone has no meaning outside of this host (RFC 4007 §11.2), so that the engine
/// would take the same peer with and without it for two.
pub(crate) fn without_zone(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) => SocketAddrV6::new(*v6.ip(), v6.port(), 0, 0).into(),
        v4 => v4,
    }
}

/// One socket, as the sending side sees it.
#[derive(Debug)]
pub(crate) struct Port<S> {
    id: SocketId,
    socket: Arc<S>,
    /// Where it is bound, with the zone of a link-local address.
    local: SocketAddr,
    origin: Origin,
    backlog: VecDeque<(SocketAddr, Box<[u8]>)>,
    /// Whether somebody waits for room.
    wanted: bool,
}

/// Who wanted the socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    Policy,
    Application,
    Engine,
}

/// What became of a message of the engine.
#[derive(Debug)]
pub(crate) enum Sent {
    Now,
    Later,
    Dropped,
    Refused(io::Error),
}

impl<S: AsyncDatagram> Port<S> {
    pub(crate) fn new(id: SocketId, socket: Arc<S>, local: SocketAddr, origin: Origin) -> Self {
        Self { id, socket, local, origin, backlog: VecDeque::new(), wanted: false }
    }

    pub(crate) fn id(&self) -> SocketId {
        self.id
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    pub(crate) fn socket(&self) -> Arc<S> {
        Arc::clone(&self.socket)
    }

    /// Sends the application's data, if there is room and nothing of the engine waits.
    pub(crate) fn send(&mut self, to: SocketAddr, payload: &[u8]) -> io::Result<()> {
        let result = match self.backlog.is_empty() {
            true => self.socket.try_send_to(payload, self.with_zone(to)).map(|_| ()),
            false => Err(io::ErrorKind::WouldBlock.into()),
        };
        self.wanted |= matches!(&result, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        result
    }

    /// Sends a message of the engine, now or when there is room.
    pub(crate) fn send_or_queue(&mut self, to: SocketAddr, message: &[u8]) -> Sent {
        if self.backlog.is_empty() {
            match self.socket.try_send_to(message, self.with_zone(to)) {
                Ok(_) => return Sent::Now,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Sent::Refused(error),
            }
        }
        if self.backlog.len() >= MAX_BACKLOG {
            return Sent::Dropped;
        }
        self.backlog.push_back((to, message.into()));
        Sent::Later
    }

    /// Sends the first message that waits: where it was to go, and how it went. `None` when none waits.
    pub(crate) fn send_waiting(&mut self) -> Option<(SocketAddr, io::Result<()>)> {
        let (to, message) = self.backlog.front()?;
        let to = *to;
        let result = self.socket.try_send_to(message, self.with_zone(to)).map(|_| ());
        if !matches!(&result, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
            self.backlog.pop_front();
        }
        Some((to, result))
    }

    /// The socket, if something waits for room in it.
    pub(crate) fn blocked(&self) -> Option<Arc<S>> {
        (self.wanted || !self.backlog.is_empty()).then(|| self.socket())
    }

    /// Those who wait may try again.
    pub(crate) fn on_room(&mut self) {
        self.wanted = false;
    }

    fn with_zone(&self, to: SocketAddr) -> SocketAddr {
        match (to, self.local) {
            (SocketAddr::V6(v6), SocketAddr::V6(local)) if v6.ip().is_unicast_link_local() => {
                SocketAddrV6::new(*v6.ip(), v6.port(), 0, local.scope_id()).into()
            }
            _ => to,
        }
    }
}
