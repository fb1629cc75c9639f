//! A runtime for the tests of this crate: sockets that do as they are told, and a timer that the test moves.

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Instant;

use floe_core::{Agent, AgentConfig};

use crate::shared::Shared;
use crate::stream::Trust;
use crate::{
    AsyncDatagram, AsyncListener, AsyncStream, AsyncTimer, InterfacePolicy, Resolver, Runtime, TlsRoots,
    is_connected,
};

#[derive(Clone)]
pub(crate) struct Puppet;

/// What a socket says when it is read.
#[derive(Clone, Copy, Default)]
pub(crate) enum Reads {
    #[default]
    Nothing,
    Garbage,
    Errors,
}

#[derive(Default)]
pub(crate) struct PuppetSocket {
    pub(crate) reads: Mutex<Reads>,
    pub(crate) read_calls: AtomicUsize,
    pub(crate) full: AtomicBool,
    pub(crate) broken: AtomicBool,
    pub(crate) sent: Mutex<Vec<(SocketAddr, Vec<u8>)>>,
    /// Where the socket that it stands for was bound, if there was one.
    pub(crate) bound: Option<SocketAddr>,
}

impl PuppetSocket {
    pub(crate) fn that_reads(reads: Reads) -> Arc<Self> {
        Arc::new(Self { reads: Mutex::new(reads), ..Self::default() })
    }

    pub(crate) fn sent(&self) -> Vec<Vec<u8>> {
        self.sent.lock().unwrap().iter().map(|(_, payload)| payload.clone()).collect()
    }
}

/// The address that all puppets send from.
pub(crate) fn peer() -> SocketAddr {
    "192.0.2.7:7".parse().unwrap()
}

/// Knows one name, and says of any other that there is none.
pub(crate) fn resolver() -> Resolver {
    Box::new(|name| {
        Box::pin(async move {
            let known = (name == "peer.example.org").then(|| vec![peer().ip()]);
            known.ok_or_else(|| io::ErrorKind::NotFound.into())
        })
    })
}

pub(crate) fn shared() -> Arc<Shared<Puppet>> {
    Arc::new(Shared::new(
        Agent::new(AgentConfig::default(), [1; 32]).unwrap(),
        InterfacePolicy::default(),
        false,
        Trust::new(&TlsRoots::System).unwrap(),
    ))
}

impl Runtime for Puppet {
    type Socket = PuppetSocket;
    type Stream = PuppetStream;
    type Listener = PuppetListener;
    type Timer = PuppetTimer;

    fn register(&self, socket: std::net::UdpSocket) -> io::Result<PuppetSocket> {
        Ok(PuppetSocket { bound: Some(socket.local_addr()?), ..PuppetSocket::default() })
    }

    fn register_stream(&self, stream: TcpStream) -> io::Result<PuppetStream> {
        Ok(PuppetStream(stream))
    }

    fn register_listener(&self, listener: TcpListener) -> io::Result<PuppetListener> {
        Ok(PuppetListener { listener, broken: false, calls: 0 })
    }

    fn timer(&self) -> PuppetTimer {
        PuppetTimer(None)
    }

    fn resolver(&self) -> Resolver {
        resolver()
    }

    fn spawn(&self, _: impl Future<Output = ()> + Send + 'static) {}
}

impl AsyncDatagram for PuppetSocket {
    fn poll_recv_from(
        &self,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.read_calls.fetch_add(1, Relaxed);
        match *self.reads.lock().unwrap() {
            Reads::Nothing => Poll::Pending,
            Reads::Garbage => {
                buffer[..3].copy_from_slice(b"xyz");
                Poll::Ready(Ok((3, peer())))
            }
            Reads::Errors => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }

    fn try_send_to(&self, payload: &[u8], to: SocketAddr) -> io::Result<usize> {
        if self.full.load(Relaxed) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if self.broken.load(Relaxed) {
            return Err(io::ErrorKind::NetworkUnreachable.into());
        }
        self.sent.lock().unwrap().push((to, payload.to_vec()));
        Ok(payload.len())
    }

    fn poll_send_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.full.load(Relaxed) { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.bound.unwrap_or_else(|| "192.0.2.1:1".parse().unwrap()))
    }
}

/// A real connection that wakes nobody: the test polls again.
pub(crate) struct PuppetStream(TcpStream);

impl AsyncStream for PuppetStream {
    fn poll_connected(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        or_pending(is_connected(self.0.take_error(), self.0.peer_addr()))
    }

    fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        or_pending(self.0.read(buffer))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        or_pending(self.0.write(bytes))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.shutdown(Shutdown::Write))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// Wakes nobody either.
pub(crate) struct PuppetListener {
    pub(crate) listener: TcpListener,
    pub(crate) broken: bool,
    pub(crate) calls: usize,
}

impl AsyncListener for PuppetListener {
    type Stream = PuppetStream;

    fn poll_accept(&mut self, _: &mut Context<'_>) -> Poll<io::Result<(PuppetStream, SocketAddr)>> {
        self.calls += 1;
        if self.broken {
            return Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()));
        }
        or_pending(self.listener.accept().and_then(|(stream, remote)| {
            stream.set_nonblocking(true)?;
            Ok((PuppetStream(stream), remote))
        }))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

fn or_pending<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}

pub(crate) struct PuppetTimer(pub(crate) Option<Instant>);

impl AsyncTimer for PuppetTimer {
    fn reset(&mut self, at: Instant) {
        self.0 = Some(at);
    }

    fn poll_elapsed(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}
