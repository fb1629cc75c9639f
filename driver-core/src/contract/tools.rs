//! What the suite is made with: sessions on loopback, a witness of tasks, and futures run side by side on any runtime.

use std::future::{Future, poll_fn};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Poll, Wake};
use std::time::{Duration, Instant};

use floe_core::{AgentConfig, Candidate, Event, Role, SocketId};

use crate::{AsyncTimer, Config, Connection, Description, InterfacePolicy, Resolver, Runtime, Session};

pub(super) const NEVER: Duration = Duration::from_secs(10);
/// Any port of this host's.
pub(super) const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A runtime that knows how many of the tasks spawned on it are still there.
#[derive(Clone)]
pub(super) struct Witness<R> {
    runtime: R,
    tasks: Arc<Tasks>,
}

/// Each task holds a clone of what is in it.
#[derive(Default)]
struct Tasks(Arc<()>);

impl<R> Witness<R> {
    pub(super) fn of(runtime: R) -> Self {
        Self { runtime, tasks: Arc::default() }
    }

    pub(super) fn tasks(&self) -> usize {
        Arc::strong_count(&self.tasks.0) - 1
    }
}

impl<R: Runtime> Runtime for Witness<R> {
    type Socket = R::Socket;
    type Stream = R::Stream;
    type Listener = R::Listener;
    type Timer = R::Timer;

    fn register(&self, socket: UdpSocket) -> std::io::Result<R::Socket> {
        self.runtime.register(socket)
    }

    fn register_stream(&self, stream: TcpStream) -> std::io::Result<R::Stream> {
        self.runtime.register_stream(stream)
    }

    fn register_listener(&self, listener: TcpListener) -> std::io::Result<R::Listener> {
        self.runtime.register_listener(listener)
    }

    fn timer(&self) -> R::Timer {
        self.runtime.timer()
    }

    fn resolver(&self) -> Resolver {
        self.runtime.resolver()
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let held = Arc::clone(&self.tasks.0);
        self.runtime.spawn(async move {
            task.await;
            drop(held);
        });
    }
}

/// A waker of its own, since a runtime's may be woken for other reasons too.
#[derive(Default)]
pub(super) struct Woken(AtomicBool);

impl Woken {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Relaxed)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

pub(super) fn session<R: Runtime>(runtime: &R, role: Role) -> Session<R> {
    bind(runtime, AgentConfig { role, ..Default::default() })
}

pub(super) fn bind<R: Runtime>(runtime: &R, agent: AgentConfig) -> Session<R> {
    let interfaces = InterfacePolicy::loopback_only();
    Session::bind(runtime, Config { agent, interfaces, ..Default::default() }).unwrap()
}

pub(super) fn introduce<R: Runtime>(left: &Session<R>, right: &Session<R>) {
    assert_eq!(left.set_remote_description(&right.local_description()), Ok(Vec::new()));
    assert_eq!(right.set_remote_description(&left.local_description()), Ok(Vec::new()));
}

pub(super) async fn connected<R: Runtime>(runtime: &R) -> (Connection<R>, Connection<R>) {
    let (left, right) = (session(runtime, Role::Controlling), session(runtime, Role::Controlled));
    introduce(&left, &right);
    let (left, right) = within(runtime, both(left.connect(), right.connect())).await;
    (left.unwrap(), right.unwrap())
}

pub(super) async fn exchange<R: Runtime>(runtime: &R, left: &Connection<R>, right: &Connection<R>) {
    within(runtime, left.send(b"hello from the left")).await.unwrap();
    assert_eq!(&within(runtime, right.recv()).await.unwrap()[..], b"hello from the left");
    within(runtime, right.send(b"hello from the right")).await.unwrap();
    assert_eq!(&within(runtime, left.recv()).await.unwrap()[..], b"hello from the right");
}

pub(super) fn addresses(description: &Description) -> Vec<SocketAddr> {
    let addresses: Vec<_> = description.candidates.iter().filter_map(|c| c.address.socket_addr()).collect();
    assert!(!addresses.is_empty());
    addresses
}

pub(super) fn can_be_bound(addresses: &[SocketAddr]) -> bool {
    addresses.iter().all(|address| UdpSocket::bind(address).is_ok())
}

/// Candidates like those of `description`, at ports where nobody is.
pub(super) fn closed_ports(description: &Description) -> Vec<Candidate> {
    let elsewhere = |candidate: &Candidate| {
        let address = candidate.address.socket_addr().unwrap();
        let free = UdpSocket::bind(SocketAddr::new(address.ip(), 0)).unwrap().local_addr().unwrap();
        Candidate { address: free.into(), ..candidate.clone() }
    };
    description.candidates.iter().map(elsewhere).collect()
}

/// What `future` gives, unless it takes for ever.
pub(super) async fn within<R: Runtime, T>(runtime: &R, future: impl Future<Output = T>) -> T {
    let mut timer = runtime.timer();
    timer.reset(Instant::now() + NEVER);
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(value),
        Poll::Pending if timer.poll_elapsed(cx).is_ready() => panic!("nothing for {NEVER:?}"),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// What both futures give, run at the same time.
pub(super) async fn both<A, B>(one: impl Future<Output = A>, two: impl Future<Output = B>) -> (A, B) {
    let (mut one, mut two) = (pin!(one), pin!(two));
    let (mut first, mut second) = (None, None);
    poll_fn(move |cx| {
        if first.is_none() {
            first = ready(one.as_mut().poll(cx));
        }
        if second.is_none() {
            second = ready(two.as_mut().poll(cx));
        }
        match (first.take(), second.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (first, second) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}

fn ready<T>(poll: Poll<T>) -> Option<T> {
    match poll {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// What `main` gives, with `other` run beside it as long as that takes.
pub(super) async fn beside<A, B>(main: impl Future<Output = A>, other: impl Future<Output = B>) -> A {
    let (mut main, mut other) = (pin!(main), pin!(other));
    let mut is_over = false;
    poll_fn(move |cx| {
        is_over = is_over || other.as_mut().poll(cx).is_ready();
        main.as_mut().poll(cx)
    })
    .await
}

/// Signals the events of one session to the other, up to the first that is `last`.
pub(super) async fn forward<R: Runtime>(from: &Session<R>, to: &Session<R>, last: impl Fn(&Event) -> bool) {
    while let Some(event) = from.next_event().await {
        match &event {
            // It may be of credentials that the other side has left.
            Event::LocalCandidate { candidate, .. } => drop(to.add_remote_candidate(candidate)),
            Event::CandidateRemoved { candidate, .. } => to.remove_remote_candidate(candidate).unwrap(),
            Event::Restarted { credentials, answers } => {
                to.accept_credentials(credentials.clone(), answers.as_deref()).unwrap();
            }
            _ => {}
        }
        if last(&event) {
            return;
        }
    }
    panic!("it has ended");
}

/// Closes all sockets but this one; the last that was closed.
pub(super) fn close_all_but<R: Runtime>(session: &Session<R>, left: SocketId) -> SocketId {
    let sockets = session.sockets().into_iter().map(|(id, _)| id);
    let others: Vec<_> = sockets.filter(|id| *id != left).collect();
    others.iter().for_each(|id| session.socket_down(*id).unwrap());
    *others.last().unwrap()
}

/// Lets the others run until `seen`.
pub(super) async fn yielding_until(seen: impl Fn() -> bool) {
    poll_fn(|cx| match seen() {
        true => Poll::Ready(()),
        false => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

/// Polls once, for real: the future is left waiting.
pub(super) async fn is_pending<F: Future + Unpin>(future: &mut F) -> bool {
    poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_pending())).await
}
