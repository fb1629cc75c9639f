//! A connection: datagrams to and from the peer over whatever path the engine has.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use floe_core::wire::is_stun;
use floe_core::{ComponentId, MAX_TRANSMIT, NotSent, Path, Report, Tuple};

use crate::session::Handle;
use crate::shared::{Life, Shared, State, Topic};
use crate::stats::bump;
use crate::{ConnectError, RecvError, Runtime, SendError, Session, Stats};

/// Unreliable, unordered datagrams to one peer, like a connected UDP socket. The data is not encrypted.
///
/// It is a handle: clones share one queue of received datagrams. When the last clone and the last
/// [`Session`](crate::Session) are dropped, the task ends and the sockets are closed.
pub struct Connection<R: Runtime> {
    handle: Arc<Handle<R>>,
}

/// What fits into a UDP datagram over IPv4: 65,535 bytes less the IP and UDP headers.
const MAX_PAYLOAD: usize = 65_507;

impl<R: Runtime> Connection<R> {
    pub(crate) fn new(handle: Arc<Handle<R>>) -> Self {
        Self { handle }
    }

    /// Sends one datagram on the path of this moment. Waits only while the socket has no room. Dropped before it is
    /// ready, it has sent nothing.
    ///
    /// Above some 1,200 bytes a datagram may be fragmented or lost on the way, which nobody reports.
    ///
    /// # Errors
    /// If there is no path or no consent at this moment, if the payload cannot be sent, or if the socket refuses.
    pub async fn send(&self, payload: &[u8]) -> Result<(), SendError> {
        self.shared().wait(Topic::Room, |state| unless_blocked(state.send(payload))).await
    }

    /// As [`send`](Self::send), and never waits.
    ///
    /// # Errors
    /// As [`send`](Self::send), and [`SendError::WouldBlock`].
    pub fn try_send(&self, payload: &[u8]) -> Result<(), SendError> {
        self.shared().with(|state| state.send(payload))
    }

    /// As [`send`](Self::send). Only the last caller's task is woken.
    pub fn poll_send(&self, cx: &mut Context<'_>, payload: &[u8]) -> Poll<Result<(), SendError>> {
        self.shared().poll(cx, Topic::Room, |state| unless_blocked(state.send(payload)))
    }

    /// The next datagram. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// When no more will come, after the last that did.
    pub async fn recv(&self) -> Result<Bytes, RecvError> {
        self.shared().wait(Topic::Arrival, State::take_received).await
    }

    /// The next datagram if one waits.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn try_recv(&self) -> Result<Option<Bytes>, RecvError> {
        self.shared().with(State::take_received).transpose()
    }

    /// As [`recv`](Self::recv). Only the last caller's task is woken.
    pub fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Result<Bytes, RecvError>> {
        self.shared().poll(cx, Topic::Arrival, State::take_received)
    }

    /// The session that it belongs to: for what is to be signalled, restarts, sockets.
    pub fn session(&self) -> Session<R> {
        Session { handle: Arc::clone(&self.handle) }
    }

    /// The path that data takes at this moment, if there is one.
    pub fn path(&self) -> Option<Path> {
        self.shared().with(|state| state.agent.path(ComponentId::FIRST))
    }

    /// The path that the two sides have agreed on (RFC 8445 §8.1.2), if they have.
    pub fn selected_path(&self) -> Option<Path> {
        self.shared().with(|state| state.agent.selected_path(ComponentId::FIRST))
    }

    /// Waits until the two sides have agreed on a path.
    ///
    /// # Errors
    /// If they never will.
    pub async fn selected(&self) -> Result<Path, ConnectError> {
        let look = |state: &mut State<R>| state.reached(|agent| agent.selected_path(ComponentId::FIRST));
        self.shared().wait(Topic::News, look).await
    }

    /// The engine's report at this moment, or at the end.
    pub fn explain(&self) -> Report {
        self.shared().with(|state| state.agent.explain())
    }

    /// What was counted so far.
    pub fn stats(&self) -> Stats {
        self.shared().with(|state| state.stats)
    }

    /// Ends the session and waits until its task has ended and its sockets are closed. It ends even if the future is
    /// dropped. The peer is not told: it sees that consent expires.
    pub async fn close(&self) {
        self.handle.close().await;
    }

    fn shared(&self) -> &Shared<R> {
        &self.handle.shared
    }
}

fn unless_blocked(result: Result<(), SendError>) -> Option<Result<(), SendError>> {
    match result {
        Err(SendError::WouldBlock) => None,
        other => Some(other),
    }
}

impl<R: Runtime> State<R> {
    fn send(&mut self, payload: &[u8]) -> Result<(), SendError> {
        if self.life != Life::Open {
            return Err(SendError::Closed);
        }
        if payload.len() > MAX_PAYLOAD {
            return Err(SendError::TooLong(payload.len()));
        }
        if is_stun(payload) {
            return Err(SendError::LooksLikeStun);
        }
        let now = self.now();
        let mut scratch = [0; MAX_TRANSMIT];
        let transmit = match self.agent.send(now, ComponentId::FIRST, payload, &mut scratch) {
            Err(floe_core::SendError::TooLong { .. }) => return Err(SendError::TooLong(payload.len())),
            other => other?,
        };
        let (socket, remote) = (transmit.socket, transmit.remote);
        if let Some(stream) = transmit.stream {
            if !self.streams.write(stream, transmit.contents) {
                self.agent.not_sent(now, ComponentId::FIRST, payload.len(), NotSent::Discarded);
                return Err(SendError::NoPath);
            }
            bump(&mut self.stats.sent);
            self.wake_task();
            return Ok(());
        }
        let Some(port) = self.port(socket) else {
            self.agent.not_sent(now, ComponentId::FIRST, payload.len(), NotSent::Discarded);
            return Err(SendError::NoPath);
        };
        match port.send(remote, transmit.contents) {
            Ok(()) => {
                bump(&mut self.stats.sent);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.agent.not_sent(now, ComponentId::FIRST, payload.len(), NotSent::WouldBlock);
                // The task waits for room on behalf of all.
                self.wake_task();
                Err(SendError::WouldBlock)
            }
            Err(error) => {
                self.agent.not_sent(now, ComponentId::FIRST, payload.len(), NotSent::Discarded);
                self.on_send_failure(Tuple { socket, remote }, &error);
                self.wake_task();
                Err(SendError::Io(error))
            }
        }
    }
}

impl<R: Runtime> Clone for Connection<R> {
    fn clone(&self) -> Self {
        Self { handle: Arc::clone(&self.handle) }
    }
}

impl<R: Runtime> fmt::Debug for Connection<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("path", &self.path()).finish_non_exhaustive()
    }
}
