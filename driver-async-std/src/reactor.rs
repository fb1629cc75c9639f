//! Sockets and timers of async-io, the reactor under both async-std and smol.
//!
//! async-std has timers of its own, but they are these, in a wrapper that cannot be set again.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use async_io::Async;
use floe_driver::{AsyncDatagram, AsyncTimer};

/// A UDP socket of async-io.
#[derive(Debug)]
pub struct UdpSocket(Async<std::net::UdpSocket>);

impl UdpSocket {
    pub(crate) fn register(socket: std::net::UdpSocket) -> io::Result<Self> {
        Async::new_nonblocking(socket).map(Self)
    }
}

impl AsyncDatagram for UdpSocket {
    fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        loop {
            match self.0.get_ref().recv_from(buffer) {
                // Ready tells of an event since the last look, which may have been before this read.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.0.poll_readable(cx))?,
                result => return Poll::Ready(result),
            }
        }
    }

    fn try_send_to(&self, payload: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.0.get_ref().send_to(payload, to)
    }

    fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_writable(cx)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().local_addr()
    }
}

/// A timer of async-io.
#[derive(Debug)]
pub struct Timer {
    timer: async_io::Timer,
    /// What it is set to, until then.
    at: Option<Instant>,
}

impl Timer {
    pub(crate) fn unset() -> Self {
        Self { timer: async_io::Timer::never(), at: None }
    }
}

impl AsyncTimer for Timer {
    fn reset(&mut self, at: Instant) {
        // Setting it interrupts the reactor's wait, which each datagram would do if a time that stays cost that too.
        if self.at != Some(at) {
            self.timer.set_at(at);
            self.at = Some(at);
        }
    }

    fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(Pin::new(&mut self.timer).poll(cx));
        self.at = None;
        Poll::Ready(())
    }
}
