//! Sockets, streams and timers of async-io, the reactor under both async-std and smol.
//!
//! async-std has timers of its own, but they are these, in a wrapper that cannot be set again.

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use async_io::Async;
use floe_driver::{AsyncDatagram, AsyncListener, AsyncStream, AsyncTimer, is_connected};

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

/// A TCP connection of async-io.
#[derive(Debug)]
pub struct TcpStream(Async<std::net::TcpStream>);

impl TcpStream {
    pub(crate) fn register(stream: std::net::TcpStream) -> io::Result<Self> {
        Async::new_nonblocking(stream).map(Self)
    }
}

impl AsyncStream for TcpStream {
    fn poll_connected(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_writable(cx))?;
            match is_connected(self.0.get_ref().take_error(), self.0.get_ref().peer_addr()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.0.get_ref().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.0.poll_readable(cx))?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.0.get_ref().write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.0.poll_writable(cx))?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.get_ref().shutdown(Shutdown::Write))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().local_addr()
    }
}

/// A TCP socket of async-io that listens.
#[derive(Debug)]
pub struct TcpListener(Async<std::net::TcpListener>);

impl TcpListener {
    pub(crate) fn register(listener: std::net::TcpListener) -> io::Result<Self> {
        Async::new_nonblocking(listener).map(Self)
    }
}

impl AsyncListener for TcpListener {
    type Stream = TcpStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        loop {
            match self.0.get_ref().accept() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.0.poll_readable(cx))?,
                result => {
                    let (stream, remote) = result?;
                    return Poll::Ready(Async::new(stream).map(|stream| (TcpStream(stream), remote)));
                }
            }
        }
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
