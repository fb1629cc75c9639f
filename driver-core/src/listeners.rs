//! The TCP sockets at which the peer may connect (RFC 6544 §7.2), one beside each UDP socket. Who connects is told to the engine, which
//! takes the connection or does not.

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Instant as Clock;

use floe_core::{Socket, SocketId};
use tracing::{debug, warn};

use crate::rest::Rest;
use crate::shared::State;
use crate::socket::without_zone;
use crate::stats::bump;
use crate::stream::listen;
use crate::{AsyncListener, Runtime};

/// How many connections are accepted at one listener before the next has its turn, and the engine its time to send strangers away.
const ACCEPTS: usize = 4;

/// One listener.
pub(crate) struct Listener<L> {
    id: SocketId,
    /// The UDP socket that it stands beside, and goes with.
    beside: SocketId,
    socket: L,
    rest: Rest,
}

impl<L> Listener<L> {
    /// When its rest is over, if it has one.
    pub(crate) fn rests_until(&self) -> Option<Clock> {
        self.rest.until()
    }
}

impl<L: AsyncListener> Listener<L> {
    /// The next who has connected; `None` when there is nobody, or it rests.
    fn accept(&mut self, cx: &mut Context<'_>, now: Clock) -> Option<io::Result<(L::Stream, SocketAddr)>> {
        if self.rest.lasts(now) {
            return None;
        }
        let Poll::Ready(accepted) = self.socket.poll_accept(cx) else { return None };
        match &accepted {
            Ok(_) => self.rest.on_success(),
            Err(error) => {
                debug!(target: "floe", socket = self.id.0, %error, "a connection was not accepted");
                if self.rest.on_error(now) {
                    warn!(target: "floe", socket = self.id.0, %error, "a listener fails again and again: it rests");
                }
            }
        }
        Some(accepted)
    }
}

impl<R: Runtime> State<R> {
    /// Listens at the address of the UDP socket `beside`, at any port. Where that cannot be had, datagrams do alone.
    pub(crate) fn listen_beside(&mut self, runtime: &R, beside: SocketId) {
        let Some(mut local) = self.port(beside).map(|port| port.local()) else { return };
        local.set_port(0);
        let open = || {
            let socket = runtime.register_listener(listen(local)?)?;
            let bound = socket.local_addr()?;
            Ok::<_, io::Error>((socket, bound))
        };
        let (socket, bound) = match open() {
            Ok(opened) => opened,
            Err(error) => return debug!(target: "floe", %local, %error, "no listener there"),
        };
        let (id, now) = (self.fresh_socket_id(), self.now());
        match self.agent.socket_up(now, Socket::tcp(id, without_zone(bound))) {
            Ok(()) => {
                self.listeners.push(Listener { id, beside, socket, rest: Rest::default() });
                self.wake_task();
            }
            // A lite agent has one candidate on an address.
            Err(error) => debug!(target: "floe", %local, %error, "a listener is of no use"),
        }
    }

    /// Closes the listener that `socket` names, or that stands beside it.
    pub(crate) fn close_listeners(&mut self, socket: SocketId) {
        let now = self.now();
        for listener in self.listeners.extract_if(.., |l| l.id == socket || l.beside == socket) {
            // One that was named is known to be gone.
            let _ = self.agent.socket_down(now, listener.id);
        }
    }

    /// Takes those who have connected. True if something has happened.
    pub(crate) fn poll_listeners(&mut self, cx: &mut Context<'_>, now: Clock) -> bool {
        let mut listeners = std::mem::take(&mut self.listeners);
        let mut progress = false;
        for listener in &mut listeners {
            let id = listener.id;
            for accepted in (0..ACCEPTS).map_while(|_| listener.accept(cx, now)) {
                progress = true;
                match accepted {
                    Ok((stream, remote)) => self.on_accepted(id, without_zone(remote), stream),
                    Err(_) => bump(&mut self.stats.receive_errors),
                }
            }
        }
        self.listeners = listeners;
        progress
    }

    /// Dropped is closed: whom the engine does not take has nothing to wait for.
    fn on_accepted(&mut self, listener: SocketId, remote: SocketAddr, stream: R::Stream) {
        let now = self.now();
        match self.agent.stream_accepted(now, listener, remote) {
            Some(id) => self.streams.accept(id, remote, stream),
            None => debug!(target: "floe", socket = listener.0, %remote, "a connection is not wanted"),
        }
    }
}
