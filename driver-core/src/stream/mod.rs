//! Streams that the engine has asked for or accepted: opened, read, written and closed for it by the session's task.
//!
//! `socket` makes connections and listeners, `wire` is what carries the bytes, `tls` what protects them. What a byte means is the engine's.

mod socket;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;
mod wire;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::{Duration, Instant as Clock};

use floe_core::{Received, StreamEnd, StreamId};
use tracing::{debug, warn};

use crate::shared::{State, Topic};
use crate::socket::without_zone;
use crate::stats::bump;
use crate::{AsyncStream, Runtime};
#[cfg(feature = "contract")]
pub(crate) use socket::connect;
pub(crate) use socket::listen;
pub(crate) use tls::Trust;
use wire::{Failure, Wire};

/// How long a connection may take to carry bytes, TLS included (RFC 6544 §7 leaves it open; what is slower than this is no use to checks).
const OPENING: Duration = Duration::from_secs(10);
/// How long the last bytes may take to go out.
const CLOSING: Duration = Duration::from_secs(2);
/// How many streams may still have last bytes to write. Where there are more, the oldest of these goes at once: who neither reads nor
/// is known to the engine any more shall not fill up the process.
const MAX_CLOSING: usize = 32;
/// How often a stream is read before the next one has its turn.
const READS: usize = 16;
/// How much is read at once.
const READ: usize = 16 * 1024;
/// The longest frame that the engine may put together (RFC 4571 §2, and a header of RFC 8656 §12.4).
const FRAME: usize = 65_552;

/// The streams of a session.
pub(crate) struct Streams<S> {
    all: Vec<Stream<S>>,
    trust: Trust,
    /// Made when there is a stream.
    buffers: Option<Box<Buffers>>,
}

struct Buffers {
    read: [u8; READ],
    frame: [u8; FRAME],
}

struct Stream<S> {
    id: StreamId,
    remote: SocketAddr,
    /// Whose certificate is wanted, for the log.
    name: Option<String>,
    wire: Wire<S>,
    phase: Phase,
    /// What is to be written: the engine gives no more than `MAX_STREAM_BACKLOG` bytes.
    out: VecDeque<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Opening {
        until: Clock,
    },
    Open,
    /// What is to be written still goes out.
    Closing {
        until: Clock,
    },
}

/// A connection that the engine wants.
pub(crate) struct Wanted {
    pub(crate) stream: StreamId,
    /// Our address with its zone, and the port, 0 for any.
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) tls: Option<String>,
}

/// What came of a look at a stream.
enum Look {
    /// It is there. Whether something has happened, so that the engine may have more to say.
    Goes(bool),
    /// It is over, and the engine wants to know.
    Over(Failure),
    /// It is over, and nobody asks any more.
    Gone,
}

impl<S: AsyncStream> Streams<S> {
    pub(crate) fn new(trust: Trust) -> Self {
        Self { all: Vec::new(), trust, buffers: None }
    }

    /// Takes what is to be written. False if there is no such stream.
    pub(crate) fn write(&mut self, id: StreamId, bytes: &[u8]) -> bool {
        let stream = self.all.iter_mut().find(|stream| stream.id == id && !stream.is_closing());
        stream.map(|stream| stream.out.extend(bytes)).is_some()
    }

    /// The engine wants this stream no more.
    pub(crate) fn close(&mut self, id: StreamId, now: Clock) {
        self.all.retain(|stream| stream.id != id || stream.phase == Phase::Open);
        for stream in self.all.iter_mut().filter(|stream| stream.id == id) {
            stream.phase = Phase::Closing { until: now + CLOSING };
        }
        if self.all.iter().filter(|stream| stream.is_closing()).count() > MAX_CLOSING {
            let oldest =
                self.all.iter().filter(|stream| stream.is_closing()).min_by_key(|stream| stream.id.0);
            let oldest = oldest.map(|stream| stream.id);
            self.all.retain(|stream| Some(stream.id) != oldest);
        }
    }

    /// Closes all at once.
    pub(crate) fn clear(&mut self) {
        self.all.clear();
    }

    /// When one of them has taken too long.
    pub(crate) fn next_deadline(&self) -> Option<Clock> {
        self.all.iter().filter_map(Stream::until).min()
    }

    /// Takes a connection that was opened from the other side, and that the engine knows.
    pub(crate) fn accept(&mut self, id: StreamId, remote: SocketAddr, io: S) {
        let (wire, phase) = (Wire::new(io, None), Phase::Open);
        self.all.push(Stream { id, remote, name: None, wire, phase, out: VecDeque::new() });
    }

    fn open<R: Runtime<Stream = S>>(
        &mut self,
        runtime: &R,
        wanted: Wanted,
        now: Clock,
    ) -> Result<(), Failure> {
        let Wanted { stream: id, local, remote, tls: name } = wanted;
        let tls = name.as_deref().map(|name| self.trust.session(name)).transpose()?;
        let io = runtime.register_stream(socket::connect(local, remote)?)?;
        let phase = Phase::Opening { until: now + OPENING };
        self.all.push(Stream { id, remote, name, wire: Wire::new(io, tls), phase, out: VecDeque::new() });
        Ok(())
    }
}

impl<S> Stream<S> {
    fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing { .. })
    }

    fn until(&self) -> Option<Clock> {
        match self.phase {
            Phase::Opening { until } | Phase::Closing { until } => Some(until),
            Phase::Open => None,
        }
    }

    fn log(&self, failure: &Failure) {
        let (remote, name, why) = (self.remote, self.name.as_deref().unwrap_or("-"), &failure.why);
        match failure.end {
            // Nothing that goes away by itself.
            StreamEnd::Certificate | StreamEnd::Tls => {
                warn!(target: "floe", stream = self.id.0, server = name, %remote, why, "no TLS with this server");
            }
            _ => {
                debug!(target: "floe", stream = self.id.0, server = name, %remote, why, "a stream has ended");
            }
        }
    }
}

impl<R: Runtime> State<R> {
    /// Begins to open a stream. How it went is told to the engine.
    pub(crate) fn open_stream(&mut self, runtime: &R, wanted: Wanted) {
        let (id, remote, name) = (wanted.stream, wanted.remote, wanted.tls.clone());
        if let Err(failure) = self.streams.open(runtime, wanted, Clock::now()) {
            warn!(
                target: "floe", stream = id.0, server = name.as_deref().unwrap_or("-"), %remote, why = failure.why,
                "a stream cannot be opened"
            );
            let now = self.now();
            // An engine that does not want to know is fine.
            let _ = self.agent.stream_closed(now, id, failure.end);
        }
    }

    /// Moves bytes in all streams. True if something has happened.
    pub(crate) fn poll_streams(&mut self, cx: &mut Context<'_>, now: Clock) -> bool {
        if self.streams.all.is_empty() {
            return false;
        }
        let buffers = self.streams.buffers.take();
        let mut buffers = buffers.unwrap_or_else(|| Box::new(Buffers { read: [0; READ], frame: [0; FRAME] }));
        let mut progress = false;
        let mut all = std::mem::take(&mut self.streams.all);
        all.retain_mut(|stream| match stream.poll(cx, now, &mut buffers, self) {
            Look::Goes(moved) => {
                progress |= moved;
                true
            }
            Look::Over(failure) => {
                stream.log(&failure);
                let now = self.now();
                let _ = self.agent.stream_closed(now, stream.id, failure.end);
                progress = true;
                false
            }
            Look::Gone => false,
        });
        self.streams.all = all;
        self.streams.buffers = Some(buffers);
        progress
    }

    fn on_stream_bytes(&mut self, id: StreamId, mut bytes: &[u8], frame: &mut [u8]) {
        let now = self.now();
        while !bytes.is_empty() {
            match self.agent.stream_input(now, id, &mut bytes, frame) {
                Received::Consumed => continue,
                Received::Data { payload, .. } => self.on_data(payload),
                Received::Dropped(_) => bump(&mut self.stats.rejected),
                Received::Unclaimed(_) => bump(&mut self.stats.unclaimed),
            }
            bump(&mut self.stats.received);
        }
    }
}

impl<S: AsyncStream> Stream<S> {
    fn poll<R: Runtime>(
        &mut self,
        cx: &mut Context<'_>,
        now: Clock,
        buffers: &mut Buffers,
        state: &mut State<R>,
    ) -> Look {
        match self.poll_all(cx, now, buffers, state) {
            Ok(look) => look,
            Err(_) if self.is_closing() => Look::Gone,
            Err(failure) => Look::Over(failure),
        }
    }

    fn poll_all<R: Runtime>(
        &mut self,
        cx: &mut Context<'_>,
        now: Clock,
        buffers: &mut Buffers,
        state: &mut State<R>,
    ) -> Result<Look, Failure> {
        let mut moved = false;
        if let Phase::Opening { until } = self.phase {
            match self.wire.poll_open(cx)? {
                Poll::Pending if now >= until => {
                    return Err(Failure::new(StreamEnd::TimedOut, "it was not open within ten seconds"));
                }
                Poll::Pending => return Ok(Look::Goes(false)),
                Poll::Ready(()) => {
                    let (local, now) = (without_zone(self.wire.local_addr()?), state.now());
                    if state.agent.stream_opened(now, self.id, local).is_err() {
                        return Ok(Look::Gone);
                    }
                    self.phase = Phase::Open;
                    moved = true;
                }
            }
        }
        moved |= self.poll_write(cx, state)?;
        if let Phase::Closing { until } = self.phase {
            let done = self.out.is_empty() && self.wire.poll_shutdown(cx)?.is_ready();
            return Ok(if done || now >= until { Look::Gone } else { Look::Goes(false) });
        }
        Ok(Look::Goes(moved | self.poll_read(cx, buffers, state)?))
    }

    /// True if bytes have left.
    fn poll_write<R: Runtime>(
        &mut self,
        cx: &mut Context<'_>,
        state: &mut State<R>,
    ) -> Result<bool, Failure> {
        let mut moved = false;
        while !self.out.is_empty() {
            let Poll::Ready(written) = self.wire.poll_write(cx, self.out.as_slices().0)? else { break };
            self.out.drain(..written.min(self.out.len()));
            let now = state.now();
            state.agent.stream_written(now, self.id, written);
            state.wake(Topic::Room);
            moved = true;
        }
        // If it blocks, the task is woken when it does no more.
        let _blocked = self.wire.poll_flush(cx)?;
        Ok(moved)
    }

    /// True if bytes have come.
    fn poll_read<R: Runtime>(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut Buffers,
        state: &mut State<R>,
    ) -> Result<bool, Failure> {
        for count in 0..READS {
            let Poll::Ready(length) = self.wire.poll_read(cx, &mut buffers.read)? else {
                return Ok(count > 0);
            };
            if length == 0 {
                return Err(Failure::new(StreamEnd::Ended, "the other side has closed it"));
            }
            state.on_stream_bytes(
                self.id,
                buffers.read.get(..length).unwrap_or_default(),
                &mut buffers.frame,
            );
        }
        Ok(true)
    }
}
