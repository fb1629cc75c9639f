//! Sockets for datagrams: those that clients talk to, and those that are relayed from.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use floe_sim::server::{MAX_DATAGRAM, RelaySockets};
use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::mpsc::Sender;
use tokio::task::AbortHandle;

/// A pause after an error of a socket, so that one that lasts does not keep the machine busy.
const AFTER_ERROR: Duration = Duration::from_millis(10);

/// A datagram that has come to a socket.
pub(super) struct Datagram {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

/// Sockets by their addresses. What comes to them goes into a queue.
pub(super) struct Sockets<I> {
    queue: Sender<I>,
    wrap: fn(Datagram) -> I,
    open: BTreeMap<SocketAddr, Open>,
}

struct Open {
    socket: Arc<UdpSocket>,
    reader: AbortHandle,
}

impl<I: Send + 'static> Sockets<I> {
    /// None yet. What comes is made an input by `wrap`.
    pub(super) fn new(queue: Sender<I>, wrap: fn(Datagram) -> I) -> Self {
        Self { queue, wrap, open: BTreeMap::new() }
    }

    /// Binds one, and gives the address that it has got.
    pub(super) fn bind(&mut self, at: SocketAddr) -> io::Result<SocketAddr> {
        let socket = Arc::new(UdpSocket::from_std(bound(at, Type::DGRAM)?.into())?);
        let local = socket.local_addr()?;
        let reader = read(socket.clone(), local, self.queue.clone(), self.wrap);
        let reader = tokio::spawn(reader).abort_handle();
        self.open.insert(local, Open { socket, reader });
        Ok(local)
    }

    pub(super) fn has(&self, at: SocketAddr) -> bool {
        self.open.contains_key(&at)
    }

    /// Sends now or never: who waits for one slow link keeps all others waiting. False if it has not left.
    pub(super) fn send(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> bool {
        // Past tokio, which takes a new socket for one that is not ready.
        self.open
            .get(&from)
            .is_some_and(|open| SockRef::from(&*open.socket).send_to(bytes, &to.into()).is_ok())
    }
}

impl<I: Send + 'static> RelaySockets for Sockets<I> {
    fn open(&mut self, at: SocketAddr) -> bool {
        self.bind(at).is_ok()
    }

    fn close(&mut self, at: SocketAddr) {
        if let Some(open) = self.open.remove(&at) {
            open.reader.abort();
        }
    }
}

/// A socket of one family only: an IPv6 one does not take an IPv4 port away, nor lead there.
pub(super) fn bound(at: SocketAddr, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(at), kind, None)?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A port whose connections of a moment ago still linger can be listened on again. Elsewhere than on Unix, this would let
    // another program take the port over.
    if cfg!(unix) && kind == Type::STREAM {
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    Ok(socket)
}

/// Moves datagrams from a socket into the queue, waiting for room there.
async fn read<I>(socket: Arc<UdpSocket>, local: SocketAddr, queue: Sender<I>, wrap: fn(Datagram) -> I) {
    // One byte more than servers take: what is too long is not cut to what is right, and they drop it.
    let mut buffer = [0; MAX_DATAGRAM + 1];
    loop {
        let Ok((length, remote)) = socket.recv_from(&mut buffer).await else {
            tokio::time::sleep(AFTER_ERROR).await;
            continue;
        };
        let bytes = buffer.get(..length).unwrap_or_default().to_vec();
        let datagram = Datagram { local, remote, bytes };
        if queue.send(wrap(datagram)).await.is_err() {
            return;
        }
    }
}
