//! The three things that tokio gives: sockets, timers, tasks.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use floe_driver::{AsyncDatagram, AsyncTimer, Resolver, Runtime};
use tokio::io::ReadBuf;
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
    type Timer = Timer;

    fn register(&self, socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        let _context = self.0.enter();
        tokio::net::UdpSocket::from_std(socket).map(UdpSocket)
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
