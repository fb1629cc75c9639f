//! What a runtime has to give: sockets, timers and a spawner. A driver implements these three traits and has the rest.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::task::{Context, Poll};
use std::time::Instant;

use crate::Resolver;

/// A handle to an async runtime. A session keeps one, to register the sockets that come later.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// A UDP socket that is registered with the runtime's reactor.
    type Socket: AsyncDatagram;
    /// A timer of the runtime.
    type Timer: AsyncTimer;

    /// Registers `socket`, which is bound and non-blocking.
    ///
    /// # Errors
    /// If the reactor does not take it.
    fn register(&self, socket: UdpSocket) -> io::Result<Self::Socket>;

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

/// A timer that can be set again and again.
pub trait AsyncTimer: Send + Unpin + 'static {
    /// Sets it to `at`, in place of what it was set to.
    fn reset(&mut self, at: Instant);

    /// Ready when its time has come, else has the task woken then. One that is not set is never ready.
    fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}
