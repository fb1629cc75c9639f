//! What a session's task and its handles share: the engine, the sockets, and the queues between them and the
//! application. Everything is behind one mutex that is held for single steps only, never across an await.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant as Clock};

use bytes::Bytes;
use floe_core::{Agent, Cause, ComponentId, Event, Instant, Report, SocketId};

use crate::events::EventQueue;
use crate::listeners::Listener;
use crate::socket::Port;
use crate::stats::{Stats, bump};
use crate::stream::{Streams, Trust};
use crate::waiters::{Key, Waiters};
use crate::{InterfacePolicy, RecvError, Runtime};

/// How many datagrams wait to be received. As in a socket's buffer, what comes when it is full is dropped; it is
/// counted in [`Stats::overflowed`].
pub const MAX_RECEIVED: usize = 256;

pub(crate) struct Shared<R: Runtime>(Mutex<State<R>>);

pub(crate) struct State<R: Runtime> {
    /// The engine's epoch.
    epoch: Clock,
    pub(crate) agent: Agent,
    /// Empty when the session has ended.
    pub(crate) ports: Vec<Port<R::Socket>>,
    /// Whether the peer may connect over TCP.
    pub(crate) tcp: bool,
    pub(crate) listeners: Vec<Listener<R::Listener>>,
    pub(crate) streams: Streams<R::Stream>,
    /// Whether the task has not seen them as they are.
    ports_changed: bool,
    /// Names of sockets are not used twice.
    next_socket: u32,
    pub(crate) policy: InterfacePolicy,
    pub(crate) life: Life,
    pub(crate) failed: Option<Report>,
    pub(crate) lost: Option<Cause>,
    pub(crate) stats: Stats,
    received: VecDeque<Bytes>,
    events: EventQueue,
    waiters: [Waiters; 3],
    task: Option<Waker>,
    /// Wakers are woken and dropped outside of the lock: either may run code of the application's executor.
    to_wake: Vec<Waker>,
    to_drop: Vec<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Life {
    Open,
    /// The task has been told to end.
    Closing,
    /// The task has ended and the sockets are closed.
    Ended,
}

/// What can be waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Topic {
    /// An event, or the end.
    News,
    /// A datagram, or the end.
    Arrival,
    /// Room in a socket, or an event, or the end.
    Room,
}

impl<R: Runtime> Shared<R> {
    pub(crate) fn new(agent: Agent, policy: InterfacePolicy, tcp: bool, trust: Trust) -> Self {
        Self(Mutex::new(State {
            epoch: Clock::now(),
            agent,
            ports: Vec::new(),
            tcp,
            listeners: Vec::new(),
            streams: Streams::new(trust),
            ports_changed: false,
            next_socket: 0,
            policy,
            life: Life::Open,
            failed: None,
            lost: None,
            stats: Stats::default(),
            received: VecDeque::new(),
            events: EventQueue::default(),
            waiters: Default::default(),
            task: None,
            to_wake: Vec::new(),
            to_drop: Vec::new(),
        }))
    }

    /// One step on the state; then whoever it concerns is woken.
    pub(crate) fn with<T>(&self, step: impl FnOnce(&mut State<R>) -> T) -> T {
        // A panic in the engine ends the task, which tells everybody; what can still be read may be read.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let result = step(&mut state);
        let (to_wake, to_drop) = (std::mem::take(&mut state.to_wake), std::mem::take(&mut state.to_drop));
        drop(state);
        to_wake.into_iter().for_each(Waker::wake);
        drop(to_drop);
        result
    }

    /// A command to the engine; then the task has a look.
    pub(crate) fn command<T>(&self, command: impl FnOnce(&mut Agent, Instant) -> T) -> T {
        self.with(|state| {
            let now = state.now();
            let result = command(&mut state.agent, now);
            state.wake_task();
            result
        })
    }

    /// Ends the session, soon.
    pub(crate) fn close(&self) {
        self.with(|state| {
            if state.life == Life::Open {
                state.life = Life::Closing;
                state.wake_task();
                state.wake_all();
            }
        });
    }

    /// Waits until `look` finds something.
    pub(crate) fn wait<T, F>(&self, topic: Topic, look: F) -> Wait<'_, R, F>
    where
        F: FnMut(&mut State<R>) -> Option<T> + Unpin,
    {
        Wait { shared: self, topic, look, key: None }
    }

    /// As [`wait`](Self::wait), for the one caller of a `poll_` function.
    pub(crate) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        topic: Topic,
        look: impl FnOnce(&mut State<R>) -> Option<T>,
    ) -> Poll<T> {
        self.with(|state| match look(state) {
            Some(found) => Poll::Ready(found),
            None => {
                let replaced = state.waiters(topic).wait_polling(cx.waker());
                state.to_drop.extend(replaced);
                Poll::Pending
            }
        })
    }

    pub(crate) async fn next_event(&self) -> Option<Event> {
        self.wait(Topic::News, State::take_event).await
    }

    pub(crate) fn poll_event(&self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll(cx, Topic::News, State::take_event)
    }
}

impl<R: Runtime> State<R> {
    pub(crate) fn now(&self) -> Instant {
        Instant::from_nanos(u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// When `at` is on the runtime's clock; `None` if that cannot tell a time so far away.
    pub(crate) fn clock(&self, at: Instant) -> Option<Clock> {
        self.epoch.checked_add(Duration::from_nanos(at.as_nanos()))
    }

    pub(crate) fn fresh_socket_id(&mut self) -> SocketId {
        let id = SocketId(self.next_socket);
        self.next_socket = self.next_socket.wrapping_add(1);
        id
    }

    /// A socket has come or gone: the task is to read others.
    pub(crate) fn on_ports_changed(&mut self) {
        self.ports_changed = true;
        self.wake_task();
    }

    /// All sockets, if there are others than when this was asked last.
    pub(crate) fn changed_sockets(&mut self) -> Option<Vec<(SocketId, Arc<R::Socket>)>> {
        let changed = std::mem::take(&mut self.ports_changed);
        changed.then(|| self.ports.iter().map(|port| (port.id(), port.socket())).collect())
    }

    /// Takes the task's waker, to be woken by commands.
    pub(crate) fn attach_task(&mut self, waker: &Waker) {
        if !self.task.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.to_drop.extend(self.task.replace(waker.clone()));
        }
    }

    pub(crate) fn wake_task(&mut self) {
        self.to_wake.extend(self.task.clone());
    }

    pub(crate) fn wake(&mut self, topic: Topic) {
        let [news, arrival, room] = &mut self.waiters;
        let waiters = match topic {
            Topic::News => news,
            Topic::Arrival => arrival,
            Topic::Room => room,
        };
        self.to_wake.extend(waiters.take());
    }

    fn wake_all(&mut self) {
        for topic in [Topic::News, Topic::Arrival, Topic::Room] {
            self.wake(topic);
        }
    }

    fn waiters(&mut self, topic: Topic) -> &mut Waiters {
        let [news, arrival, room] = &mut self.waiters;
        match topic {
            Topic::News => news,
            Topic::Arrival => arrival,
            Topic::Room => room,
        }
    }

    /// The engine has said something.
    pub(crate) fn on_event(&mut self, event: Event) {
        match &event {
            Event::RestartNeeded(cause) => self.lost = Some(*cause),
            Event::Restarted { .. } => self.lost = None,
            Event::Failed(report) => self.failed = Some(report.clone()),
            _ => {}
        }
        if !self.events.push(event) {
            bump(&mut self.stats.events_missed);
        }
        self.wake_all();
    }

    /// Data has come.
    pub(crate) fn on_data(&mut self, payload: &[u8]) {
        if self.received.len() >= MAX_RECEIVED {
            bump(&mut self.stats.overflowed);
            return;
        }
        self.received.push_back(Bytes::copy_from_slice(payload));
        self.wake(Topic::Arrival);
    }

    /// The task has ended.
    pub(crate) fn on_end(&mut self) {
        self.life = Life::Ended;
        self.ports.clear();
        self.listeners.clear();
        self.streams.clear();
        self.to_drop.extend(self.task.take());
        self.wake_all();
    }

    /// A datagram; or that none will come; or nothing yet.
    pub(crate) fn take_received(&mut self) -> Option<Result<Bytes, RecvError>> {
        if let Some(payload) = self.received.pop_front() {
            return Some(Ok(payload));
        }
        if self.life != Life::Open {
            return Some(Err(RecvError::Closed));
        }
        if let Some(report) = &self.failed {
            return Some(Err(RecvError::Failed(report.clone())));
        }
        let cause = self.lost.filter(|_| self.agent.path(ComponentId::FIRST).is_none())?;
        Some(Err(RecvError::Lost(cause)))
    }

    pub(crate) fn take_event(&mut self) -> Option<Option<Event>> {
        match self.events.pop() {
            Some(event) => Some(Some(event)),
            None => (self.life == Life::Ended).then_some(None),
        }
    }
}

/// A future that waits until a look at the state finds something. Dropped before that, it has taken nothing.
pub(crate) struct Wait<'a, R: Runtime, F> {
    shared: &'a Shared<R>,
    topic: Topic,
    look: F,
    key: Option<Key>,
}

impl<R: Runtime, T, F: FnMut(&mut State<R>) -> Option<T> + Unpin> Future for Wait<'_, R, F> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Self { shared, topic, look, key } = self.get_mut();
        shared.with(|state| match look(state) {
            Some(found) => Poll::Ready(found),
            None => {
                let replaced = state.waiters(*topic).wait(key, cx.waker());
                state.to_drop.extend(replaced);
                Poll::Pending
            }
        })
    }
}

impl<R: Runtime, F> Drop for Wait<'_, R, F> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.shared.with(|state| {
                let waker = state.waiters(self.topic).forget(key);
                state.to_drop.extend(waker);
            });
        }
    }
}
