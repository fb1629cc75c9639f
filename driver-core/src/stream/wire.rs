//! What carries a stream's bytes: TCP as it is, or TLS over it; and what becomes of its errors.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use floe_core::StreamEnd;

use super::tls::Session;
use crate::AsyncStream;

/// Why a stream is none, or none any more.
#[derive(Debug)]
pub(crate) struct Failure {
    /// For the engine.
    pub(crate) end: StreamEnd,
    /// For the log.
    pub(crate) why: String,
}

impl Failure {
    pub(super) fn new(end: StreamEnd, why: impl ToString) -> Self {
        Self { end, why: why.to_string() }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind as Kind;
        let end = match error.kind() {
            Kind::ConnectionRefused
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::AddrNotAvailable
            | Kind::AddrInUse
            | Kind::PermissionDenied => StreamEnd::Refused,
            Kind::TimedOut => StreamEnd::TimedOut,
            Kind::UnexpectedEof => StreamEnd::Ended,
            _ => StreamEnd::Reset,
        };
        Self::new(end, error)
    }
}

pub(super) struct Wire<S> {
    io: S,
    is_connected: bool,
    tls: Option<Session>,
}

impl<S: AsyncStream> Wire<S> {
    pub(super) fn new(io: S, tls: Option<Session>) -> Self {
        Self { io, is_connected: false, tls }
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }

    /// Ready when it carries bytes.
    pub(super) fn poll_open(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Failure> {
        if !self.is_connected {
            if self.io.poll_connected(cx)?.is_pending() {
                return Ok(Poll::Pending);
            }
            self.is_connected = true;
        }
        self.tls.as_mut().map_or(Ok(Poll::Ready(())), |tls| tls.poll_handshake(&mut self.io, cx))
    }

    /// Reads some bytes; none is the end.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Result<Poll<usize>, Failure> {
        match &mut self.tls {
            Some(tls) => tls.poll_read(&mut self.io, cx, buffer),
            None => Ok(self.io.poll_read(cx, buffer)?),
        }
    }

    /// Takes some bytes of what is to be written, which is something.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Result<Poll<usize>, Failure> {
        let written = match &mut self.tls {
            Some(tls) => tls.poll_write(&mut self.io, cx, bytes)?,
            None => self.io.poll_write(cx, bytes)?,
        };
        match written {
            Poll::Ready(0) => Err(Failure::new(StreamEnd::Reset, "it takes no bytes")),
            other => Ok(other),
        }
    }

    /// Ready when all that was taken has gone.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Failure> {
        self.tls.as_mut().map_or(Ok(Poll::Ready(())), |tls| tls.poll_flush(&mut self.io, cx))
    }

    /// Tells the other side that nothing more will come. Ready when that, too, has gone.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Failure> {
        if let Some(tls) = &mut self.tls {
            tls.close();
            if tls.poll_flush(&mut self.io, cx)?.is_pending() {
                return Ok(Poll::Pending);
            }
        }
        Ok(self.io.poll_shutdown(cx)?)
    }
}

/// An [`AsyncStream`] for those who read and write with what `std` has: `WouldBlock` where it is pending.
#[cfg(feature = "tls")]
pub(super) struct Pipe<'a, 'c, S> {
    pub(super) io: &'a mut S,
    pub(super) cx: &'a mut Context<'c>,
}

#[cfg(feature = "tls")]
impl<S: AsyncStream> io::Read for Pipe<'_, '_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        or_would_block(self.io.poll_read(self.cx, buffer))
    }
}

#[cfg(feature = "tls")]
impl<S: AsyncStream> io::Write for Pipe<'_, '_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        or_would_block(self.io.poll_write(self.cx, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(feature = "tls")]
fn or_would_block(polled: Poll<io::Result<usize>>) -> io::Result<usize> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}
