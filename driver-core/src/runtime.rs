//! What a runtime has to give: sockets, streams, timers and a spawner. A driver implements these traits and has the rest.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::task::{Context, Poll};
use std::time::Instant;

use crate::Resolver;

/// A handle to an async runtime. A session keeps one, to register the sockets that come later.
pub trait Runtime: Clone + Send + Sync + Unpin + 'static {
    /// A UDP socket that is registered with the runtime's reactor.
    type Socket: AsyncDatagram;
    /// A TCP connection that is registered with it.
    type Stream: AsyncStream;
    /// A TCP socket that listens, and is registered with it.
    type Listener: AsyncListener<Stream = Self::Stream>;
    /// A timer of the runtime.
    type Timer: AsyncTimer;

    /// Registers `socket`, which is bound and non-blocking.
    ///
    /// # Errors
    /// If the reactor does not take it.
    fn register(&self, socket: UdpSocket) -> io::Result<Self::Socket>;

    /// Registers `stream`, which is non-blocking. Its connection may be under way:
    /// [`poll_connected`](AsyncStream::poll_connected) tells.
    ///
    /// # Errors
    /// If the reactor does not take it.
    fn register_stream(&self, stream: TcpStream) -> io::Result<Self::Stream>;

    /// Registers `listener`, which listens and is non-blocking.
    ///
    /// # Errors
    /// If the reactor does not take it.
    fn register_listener(&self, listener: TcpListener) -> io::Result<Self::Listener>;

    /// A timer that is not set.
    fn timer(&self) -> Self::Timer;

    /// What looks up the names of candidates.
    fn resolver(&self) -> Resolver;

    /// Runs `task` in the background until it ends. If the runtime ends first, it drops the task.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);
}

/// A UDP socket. Only the session's task polls it, so that one waker for each direction is enough; sending may happen
/// from anywhere.
pub trait AsyncDatagram: Send + Sync + 'static {
    /// Receives one datagram, or has the task woken when there is one.
    ///
    /// # Errors
    /// What the socket says; never `WouldBlock`.
    fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>>;

    /// Sends one datagram now.
    ///
    /// # Errors
    /// What the socket says; `WouldBlock` if it has no room.
    fn try_send_to(&self, payload: &[u8], to: SocketAddr) -> io::Result<usize>;

    /// Ready when [`try_send_to`](Self::try_send_to) is worth trying again after it said `WouldBlock`, else has the
    /// task woken then. It may be ready too early.
    ///
    /// # Errors
    /// If the reactor has gone.
    fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// The address that it is bound to.
    ///
    /// # Errors
    /// What the system says.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// A TCP connection. Only the session's task polls it.
pub trait AsyncStream: Send + 'static {
    /// Ready when the connection is made, or cannot be; else has the task woken then. [`is_connected`] tells the one from the other.
    ///
    /// # Errors
    /// Why it cannot be made.
    fn poll_connected(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Reads some bytes, none at the end, or has the task woken when there are some.
    ///
    /// # Errors
    /// What the socket says; never `WouldBlock`.
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes some bytes, or has the task woken when there is room.
    ///
    /// # Errors
    /// What the socket says; never `WouldBlock`.
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// Closes our direction, once what was written has gone.
    ///
    /// # Errors
    /// What the socket says.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Our end of it.
    ///
    /// # Errors
    /// What the system says.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// What a TCP socket's pending error and its other end say of a connection that was under way when the socket became writable.
///
/// # Errors
/// Why it cannot be made; `WouldBlock` if it still is under way.
pub fn is_connected(error: io::Result<Option<io::Error>>, remote: io::Result<SocketAddr>) -> io::Result<()> {
    if let Some(error) = error? {
        return Err(error);
    }
    match remote {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Err(io::ErrorKind::WouldBlock.into()),
        other => other.map(|_| ()),
    }
}

/// A TCP socket that listens. Only the session's task polls it.
pub trait AsyncListener: Send + 'static {
    /// What it accepts.
    type Stream: AsyncStream;

    /// The next connection and its other end, or has the task woken when there is one.
    ///
    /// # Errors
    /// What the socket says; never `WouldBlock`.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Stream, SocketAddr)>>;

    /// The address that it listens on.
    ///
    /// # Errors
    /// What the system says.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// A timer that can be set again and again.
pub trait AsyncTimer: Send + Unpin + 'static {
    /// Sets it to `at`, in place of what it was set to.
    fn reset(&mut self, at: Instant);

    /// Ready when its time has come, else has the task woken then. One that is not set is never ready.
    fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}
