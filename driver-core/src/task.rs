//! The task of a session: reads the sockets, accepts connections, lets the engine have its time, does what the engine says, and waits.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant as Clock};

use floe_core::{Datagram, Instant, MAX_TRANSMIT, Output, Received, SocketId, SocketRequest, Tuple};
use tracing::{debug, warn};

use crate::listeners::Listener;
use crate::names::Lookups;
use crate::rest::Rest;
use crate::shared::{Life, Shared, State, Topic};
use crate::socket::{self, Origin, Port, Sent, without_zone};
use crate::stats::bump;
use crate::stream::Wanted;
use crate::{AsyncDatagram, AsyncTimer, Runtime};

/// How many datagrams of one socket are read before the next socket has its turn, and then the other tasks.
const READS: usize = 32;
/// How many outputs of the engine are worked off before handles get the lock.
const OUTPUTS: usize = 64;
/// A time that has passed already would make the loop spin.
const LEAST_WAIT: Duration = Duration::from_millis(1);

pub(crate) struct Task<R: Runtime> {
    shared: Arc<Shared<R>>,
    runtime: R,
    readers: Vec<Reader<R::Socket>>,
    timer: R::Timer,
    lookups: Lookups,
    scratch: Box<[u8; MAX_TRANSMIT]>,
    /// Any datagram fits, so that none is cut.
    buffer: Box<[u8]>,
}

/// One socket, as the receiving side sees it.
struct Reader<S> {
    id: SocketId,
    socket: Arc<S>,
    rest: Rest,
}

/// What a turn with the engine came to.
enum Turn {
    /// There is more to do.
    More,
    Wait(Option<Clock>),
    Ended,
}

impl<R: Runtime> Task<R> {
    pub(crate) fn new(shared: Arc<Shared<R>>, runtime: R) -> Self {
        Self {
            shared,
            readers: Vec::new(),
            timer: runtime.timer(),
            lookups: Lookups::new(runtime.resolver()),
            runtime,
            scratch: Box::new([0; MAX_TRANSMIT]),
            buffer: vec![0; usize::from(u16::MAX)].into(),
        }
    }

    /// Lets the engine make candidates of its sockets, before anybody asks for them.
    pub(crate) fn gather(&mut self) {
        while let Turn::More = self.turn() {}
    }

    /// Reads these sockets from now on. Those that it has keep their state.
    fn follow(&mut self, sockets: Vec<(SocketId, Arc<R::Socket>)>) {
        self.readers.retain(|reader| sockets.iter().any(|(id, _)| *id == reader.id));
        for (id, socket) in sockets {
            if !self.readers.iter().any(|reader| reader.id == id) {
                self.readers.push(Reader { id, socket, rest: Rest::default() });
            }
        }
    }

    /// Reads what has come. True if there may be more.
    fn read(&mut self, cx: &mut Context<'_>) -> bool {
        let now = Clock::now();
        let mut more = false;
        for reader in &mut self.readers {
            more |= reader.read(cx, now, &mut self.buffer, &self.shared);
        }
        more
    }

    /// Does what the engine says, for a while.
    fn turn(&mut self) -> Turn {
        self.shared.with(|state| {
            let now = state.now();
            if state.life == Life::Closing {
                state.agent.close(now);
            }
            for _ in 0..OUTPUTS {
                match state.agent.poll(now, &mut self.scratch) {
                    Output::Transmit(t) if t.stream.is_some() => {
                        let written = t.stream.map(|stream| state.streams.write(stream, t.contents));
                        bump(if written == Some(true) {
                            &mut state.stats.sent
                        } else {
                            &mut state.stats.send_failures
                        });
                    }
                    Output::Transmit(t) => {
                        let tuple = Tuple { socket: t.socket, remote: t.remote };
                        let sent = state.port(t.socket).map(|port| port.send_or_queue(t.remote, t.contents));
                        state.on_sent(tuple, sent);
                    }
                    Output::Event(event) => state.on_event(event),
                    Output::Resolve(query) => self.lookups.want(query),
                    Output::Socket(request) => state.on_request(&self.runtime, request),
                    Output::Wait(until) => {
                        let until = until.map(|at| if at > now { at } else { now + LEAST_WAIT });
                        return Turn::Wait(until.and_then(|at| state.clock(at)));
                    }
                    Output::Closed => return Turn::Ended,
                }
            }
            Turn::More
        })
    }

    /// Tells the engine what names stand for. False if there was nothing to tell.
    fn answer(&mut self, cx: &mut Context<'_>) -> bool {
        let ended = self.lookups.poll(cx);
        for (query, addresses) in &ended {
            self.shared.with(|state| {
                let now = state.now();
                // An engine that has ended does not want to know any more.
                let _ = state.agent.resolved(now, *query, Ok(addresses));
            });
        }
        !ended.is_empty()
    }

    /// Sends what waits for room, and wakes those who do. False if a socket has to be asked again.
    fn flush(&mut self, cx: &mut Context<'_>) -> bool {
        self.shared.with(|state| {
            let mut settled = true;
            for index in 0..state.ports.len() {
                settled &= state.flush(index, cx);
            }
            settled
        })
    }

    fn sleep_until(&mut self, engine: Option<Clock>) -> Option<Clock> {
        let rests = self.readers.iter().filter_map(|r| r.rest.until()).min();
        self.shared.with(|state| {
            let listeners = state.listeners.iter().filter_map(Listener::rests_until);
            engine.into_iter().chain(rests).chain(listeners).chain(state.streams.next_deadline()).min()
        })
    }

    /// Closes the sockets, then tells those who wait for that.
    fn end(&mut self) {
        self.readers.clear();
        self.shared.with(State::on_end);
    }
}

impl<R: Runtime> Future for Task<R> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let changed = this.shared.with(|state| {
            state.attach_task(cx.waker());
            state.changed_sockets()
        });
        if let Some(sockets) = changed {
            this.follow(sockets);
        }
        let mut more = this.read(cx);
        let until = match this.turn() {
            Turn::Ended => {
                this.end();
                return Poll::Ready(());
            }
            Turn::More => {
                more = true;
                None
            }
            Turn::Wait(until) => until,
        };
        more |= this.answer(cx);
        more |= this.shared.with(|state| {
            let now = Clock::now();
            state.poll_listeners(cx, now) | state.poll_streams(cx, now)
        });
        more |= !this.flush(cx);
        if let Some(at) = this.sleep_until(until) {
            this.timer.reset(at);
            more |= this.timer.poll_elapsed(cx).is_ready();
        }
        if more {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl<R: Runtime> Drop for Task<R> {
    /// The runtime may drop the task, or the engine panic: nobody shall wait for it then.
    fn drop(&mut self) {
        self.end();
    }
}

impl<S: AsyncDatagram> Reader<S> {
    /// Reads a bounded number of datagrams. True if there may be more.
    fn read<R: Runtime>(
        &mut self,
        cx: &mut Context<'_>,
        now: Clock,
        buffer: &mut [u8],
        shared: &Shared<R>,
    ) -> bool {
        if self.rest.lasts(now) {
            return false;
        }
        for _ in 0..READS {
            match self.socket.poll_recv_from(cx, buffer) {
                Poll::Pending => return false,
                Poll::Ready(Ok((length, remote))) => {
                    self.rest.on_success();
                    if let Some(bytes) = buffer.get_mut(..length) {
                        shared.with(|state| state.on_datagram(self.id, remote, bytes));
                    }
                }
                Poll::Ready(Err(error)) => {
                    // Mostly an ICMP error for what was sent before. It is not signed, so that it proves nothing.
                    debug!(target: "floe", socket = self.id.0, %error, "receive error");
                    shared.with(|state| bump(&mut state.stats.receive_errors));
                    if self.rest.on_error(now) {
                        warn!(target: "floe", socket = self.id.0, %error, "a socket fails again and again: it rests");
                        return false;
                    }
                }
            }
        }
        true
    }
}

impl<R: Runtime> State<R> {
    pub(crate) fn port(&mut self, id: SocketId) -> Option<&mut Port<R::Socket>> {
        self.ports.iter_mut().find(|port| port.id() == id)
    }

    fn on_datagram(&mut self, socket: SocketId, remote: SocketAddr, bytes: &mut [u8]) {
        bump(&mut self.stats.received);
        let now = self.now();
        match self.agent.receive(now, Datagram::new(socket, without_zone(remote), bytes)) {
            Received::Data { payload, .. } => self.on_data(payload),
            Received::Consumed => {}
            Received::Dropped(_) => bump(&mut self.stats.rejected),
            Received::Unclaimed(_) => bump(&mut self.stats.unclaimed),
        }
    }

    /// Opens or closes what the engine wants.
    fn on_request(&mut self, runtime: &R, request: SocketRequest) {
        match request {
            SocketRequest::Bind { socket, local } => self.bind_for_engine(runtime, socket, local),
            SocketRequest::Connect { stream, local, port, remote, tls } => {
                let mut local = self.with_zone(local);
                local.set_port(port.unwrap_or(0));
                self.open_stream(runtime, Wanted { stream, local, remote, tls });
            }
            SocketRequest::CloseStream(stream) => self.streams.close(stream, Clock::now()),
            SocketRequest::Close(socket) => {
                self.ports.retain(|port| port.id() != socket);
                self.on_ports_changed();
            }
            other => debug!(target: "floe", request = ?other, "not done: this driver does not know it"),
        }
    }

    fn bind_for_engine(&mut self, runtime: &R, id: SocketId, local: IpAddr) {
        let now = self.now();
        let open = || {
            let socket = runtime.register(socket::open(self.with_zone(local))?)?;
            let bound = socket.local_addr()?;
            Ok::<_, io::Error>((Arc::new(socket), bound))
        };
        match open() {
            Ok((socket, bound)) => {
                if self.agent.socket_opened(now, id, without_zone(bound)).is_ok() {
                    self.ports.push(Port::new(id, socket, bound, Origin::Engine));
                    self.on_ports_changed();
                }
            }
            Err(error) => {
                debug!(target: "floe", %local, %error, "a further socket cannot be bound");
                // An engine that does not want to know is fine.
                let _ = self.agent.socket_refused(now, id);
            }
        }
    }

    /// An address of this host at any port, with the zone of our socket there: link-local ones cannot do without.
    fn with_zone(&self, ip: IpAddr) -> SocketAddr {
        let port = self.ports.iter().find(|port| port.local().ip() == ip);
        let mut local = port.map_or(SocketAddr::new(ip, 0), Port::local);
        local.set_port(0);
        local
    }

    fn on_sent(&mut self, tuple: Tuple, sent: Option<Sent>) {
        match sent {
            Some(Sent::Now) => bump(&mut self.stats.sent),
            Some(Sent::Later) => {}
            Some(Sent::Dropped) | None => bump(&mut self.stats.send_overflows),
            Some(Sent::Refused(error)) => self.on_send_failure(tuple, &error),
        }
    }

    pub(crate) fn on_send_failure(&mut self, tuple: Tuple, error: &io::Error) {
        debug!(target: "floe", remote = %tuple.remote, %error, "send error");
        bump(&mut self.stats.send_failures);
        let now: Instant = self.now();
        self.agent.send_failed(now, tuple);
    }

    /// Gives a socket that was full another chance, once. True if nothing waits, or the reactor will say when to try.
    fn flush(&mut self, index: usize, cx: &mut Context<'_>) -> bool {
        let Some(port) = self.ports.get(index) else { return true };
        let id = port.id();
        let Some(socket) = port.blocked() else { return true };
        match socket.poll_send_ready(cx) {
            Poll::Pending => return true,
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => debug!(target: "floe", %error, "a socket cannot be waited for"),
        }
        while let Some((remote, result)) = self.ports.get_mut(index).and_then(Port::send_waiting) {
            match result {
                Ok(()) => bump(&mut self.stats.sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) => self.on_send_failure(Tuple { socket: id, remote }, &error),
            }
        }
        if let Some(port) = self.ports.get_mut(index) {
            port.on_room();
        }
        self.wake(Topic::Room);
        true
    }
}
