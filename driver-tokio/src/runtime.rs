//! What tokio gives: sockets, streams, timers, tasks.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use floe_driver::{AsyncDatagram, AsyncListener, AsyncStream, AsyncTimer, Resolver, Runtime, is_connected};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::runtime::Handle;
use tokio::time::Sleep;

/// A tokio runtime whose I/O and time drivers are on (`enable_all`).
#[derive(Clone, Debug)]
pub struct Tokio(Handle);

impl Tokio {
    /// The runtime that the caller runs on.
    ///
    /// # Errors
    /// If there is none.
    pub fn current() -> io::Result<Self> {
        Handle::try_current().map(Self).map_err(io::Error::other)
    }
}

impl From<Handle> for Tokio {
    fn from(handle: Handle) -> Self {
        Self(handle)
    }
}

impl Runtime for Tokio {
    type Socket = UdpSocket;
    type Stream = TcpStream;
    type Listener = TcpListener;
    type Timer = Timer;

    fn register(&self, socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        let _context = self.0.enter();
        tokio::net::UdpSocket::from_std(socket).map(UdpSocket)
    }

    fn register_stream(&self, stream: std::net::TcpStream) -> io::Result<TcpStream> {
        let _context = self.0.enter();
        tokio::net::TcpStream::from_std(stream).map(TcpStream)
    }

    fn register_listener(&self, listener: std::net::TcpListener) -> io::Result<TcpListener> {
        let _context = self.0.enter();
        tokio::net::TcpListener::from_std(listener).map(TcpListener)
    }

    fn timer(&self) -> Timer {
        Timer { runtime: self.0.clone(), sleep: None }
    }

    fn resolver(&self) -> Resolver {
        let runtime = self.0.clone();
        Box::new(move |name| {
            // The system's resolver blocks, and does so on a thread for that.
            let lookup = runtime.spawn(async move {
                let found = tokio::net::lookup_host((name, 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            });
            Box::pin(async move { lookup.await.map_err(io::Error::other)? })
        })
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // The task ends by itself when the session does.
        drop(self.0.spawn(task));
    }
}

/// A UDP socket of tokio.
#[derive(Debug)]
pub struct UdpSocket(tokio::net::UdpSocket);

impl AsyncDatagram for UdpSocket {
    fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        let mut buffer = ReadBuf::new(buffer);
        let remote = ready!(self.0.poll_recv_from(cx, &mut buffer))?;
        Poll::Ready(Ok((buffer.filled().len(), remote)))
    }

    fn try_send_to(&self, payload: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.0.try_send_to(payload, to)
    }

    fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_send_ready(cx)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A TCP connection of tokio.
#[derive(Debug)]
pub struct TcpStream(tokio::net::TcpStream);

impl AsyncStream for TcpStream {
    fn poll_connected(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            let look = || is_connected(self.0.take_error(), self.0.peer_addr());
            match self.0.try_io(Interest::WRITABLE, look) {
                // Woken too early: now tokio knows that it was.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A TCP socket of tokio that listens.
#[derive(Debug)]
pub struct TcpListener(tokio::net::TcpListener);

impl AsyncListener for TcpListener {
    type Stream = TcpStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let (stream, remote) = ready!(self.0.poll_accept(cx))?;
        Poll::Ready(Ok((TcpStream(stream), remote)))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A timer of tokio.
#[derive(Debug)]
pub struct Timer {
    runtime: Handle,
    /// Made at the first reset, and then used again.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl AsyncTimer for Timer {
    fn reset(&mut self, at: Instant) {
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(at.into()),
            none => {
                let _context = self.runtime.enter();
                *none = Some(Box::pin(tokio::time::sleep_until(at.into())));
            }
        }
    }

    fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}
