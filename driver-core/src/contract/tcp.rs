//! TCP candidates: peers between which no datagram gets through. What is not signalled is not tried, so that TCP is all that they have.

use std::future::poll_fn;
use std::net::{SocketAddr, TcpListener};
use std::task::{Context, Poll};
use std::time::Duration;

use floe_core::candidate::{TcpType, Transport};
use floe_core::{AgentConfig, Cause, Event, Role, StreamEnd};
use socket2::SockRef;

use super::streams::listening;
use super::tools::{LOOPBACK, beside, both, exchange, forward, session, within, yielding_until};
use crate::stream::connect;
use crate::{
    AsyncListener, AsyncStream, Config, Connection, Description, InterfacePolicy, RecvError, Runtime, Session,
};

/// How many datagrams are sent before one is read: more than a stream's backlog has room for, and fewer than wait to be received.
const BURST: u8 = 200;

fn session_over_tcp<R: Runtime>(runtime: &R, role: Role) -> Session<R> {
    let agent = AgentConfig { role, ..Default::default() };
    let interfaces = InterfacePolicy::loopback_only();
    Session::bind(runtime, Config { agent, interfaces, tcp: true, ..Default::default() }).unwrap()
}

/// What is to be told of a session whose datagrams do not get through.
fn tcp_alone<R: Runtime>(session: &Session<R>) -> Description {
    let mut description = session.local_description();
    description.candidates.retain(|candidate| candidate.transport == Transport::Tcp);
    description
}

/// Where a session listens.
fn listeners<R: Runtime>(session: &Session<R>) -> Vec<SocketAddr> {
    let candidates = session.local_description().candidates;
    let passive = candidates.iter().filter(|c| c.extensions.tcp_type() == Some(TcpType::Passive));
    passive.filter_map(|c| c.address.socket_addr()).collect()
}

async fn connected_over_tcp<R: Runtime>(runtime: &R) -> (Connection<R>, Connection<R>) {
    let (left, right) =
        (session_over_tcp(runtime, Role::Controlling), session_over_tcp(runtime, Role::Controlled));
    assert_eq!(left.set_remote_description(&tcp_alone(&right)), Ok(Vec::new()));
    assert_eq!(right.set_remote_description(&tcp_alone(&left)), Ok(Vec::new()));
    let (left, right) = within(runtime, both(left.connect(), right.connect())).await;
    let (left, right) = (left.unwrap(), right.unwrap());
    let (chosen, same) = within(runtime, both(left.selected(), right.selected())).await;
    assert_eq!((chosen.unwrap().transport, same.unwrap().transport), (Transport::Tcp, Transport::Tcp));
    (left, right)
}

/// Peers without datagrams connect, and each datagram of theirs arrives, however many there are. When one side closes, the other is told.
pub async fn connects_over_tcp_alone<R: Runtime>(runtime: &R) {
    assert!(listeners(&session(runtime, Role::Controlling)).is_empty());
    let (left, right) = connected_over_tcp(runtime).await;
    exchange(runtime, &left, &right).await;

    let long = |number| [number; 1200];
    let send = async {
        for number in 0..BURST {
            left.send(&long(number)).await.unwrap();
        }
    };
    let receive = async {
        for number in 0..BURST {
            assert_eq!(&right.recv().await.unwrap()[..], long(number));
        }
    };
    within(runtime, send).await;
    within(runtime, receive).await;

    let places = listeners(&right.session());
    within(runtime, right.close()).await;
    assert!(places.iter().all(|place| TcpListener::bind(place).is_ok()));
    assert!(matches!(within(runtime, left.recv()).await, Err(RecvError::Lost(Cause::Disconnected(_)))));
}

/// A connection that somebody on the way resets is a lost path, and that is why.
pub async fn resets_are_told<R: Runtime>(runtime: &R) {
    let (left, right) =
        (session_over_tcp(runtime, Role::Controlling), session_over_tcp(runtime, Role::Controlled));
    let (listener, middle) = listening();
    let target = *listeners(&right).first().unwrap();
    let mut through = tcp_alone(&right);
    through.candidates.retain(|candidate| candidate.address.socket_addr() == Some(target));
    through.candidates.iter_mut().for_each(|candidate| candidate.address = middle.into());
    assert_eq!(through.candidates.len(), 1);
    assert_eq!(left.set_remote_description(&through), Ok(Vec::new()));
    right.set_remote_credentials(left.local_credentials()).unwrap();

    let talk = async {
        let (here, there) = both(left.connect(), right.connect()).await;
        let (here, there) = (here.unwrap(), there.unwrap());
        let (chosen, same) = both(here.selected(), there.selected()).await;
        assert!(chosen.is_ok() && same.is_ok());
        exchange(runtime, &here, &there).await;
        there
    };
    // What stands in the middle is dropped with its connections when they have talked.
    let there = within(runtime, beside(talk, carry(runtime, listener, target))).await;
    let reset = Cause::Disconnected(StreamEnd::Reset);
    let is_told = |event: &Event| matches!(event, Event::RestartNeeded(cause) if *cause == reset);
    within(runtime, forward(&right, &left, is_told)).await;
    assert_eq!(within(runtime, there.recv()).await, Err(RecvError::Lost(reset)));
}

/// A listener that a session has no more takes nobody, and its candidates are taken back; one comes with each new socket.
pub async fn listeners_go_with_their_sockets<R: Runtime>(runtime: &R) {
    let (left, right) = connected_over_tcp(runtime).await;
    let session = left.session();
    let before = listeners(&session);
    assert_eq!(before.len(), session.sockets().len());
    for (id, _) in session.sockets() {
        session.socket_down(id).unwrap();
    }
    assert!(listeners(&session).is_empty());
    assert!(matches!(within(runtime, right.recv()).await, Err(RecvError::Lost(Cause::Disconnected(_)))));
    assert!(before.iter().all(|place| TcpListener::bind(place).is_ok()));

    session.socket_up(LOOPBACK).unwrap();
    within(runtime, yielding_until(|| listeners(&session).len() == 1)).await;
}

/// Carries bytes between whoever connects to `listener` and `to`, which gets a reset when this is dropped.
async fn carry<R: Runtime>(runtime: &R, listener: TcpListener, to: SocketAddr) {
    let mut listener = runtime.register_listener(listener).unwrap();
    let (mut near, _) = poll_fn(|cx| listener.poll_accept(cx)).await.unwrap();
    let far = connect(LOOPBACK, to).unwrap();
    SockRef::from(&far).set_linger(Some(Duration::ZERO)).unwrap();
    let mut far = runtime.register_stream(far).unwrap();
    poll_fn(|cx| far.poll_connected(cx)).await.unwrap();
    poll_fn(|cx| {
        pump(cx, &mut near, &mut far);
        pump(cx, &mut far, &mut near);
        Poll::<()>::Pending
    })
    .await;
}

/// There is room for all that is said here.
fn pump<S: AsyncStream>(cx: &mut Context<'_>, from: &mut S, to: &mut S) {
    let mut buffer = [0; 4096];
    while let Poll::Ready(Ok(length @ 1..)) = from.poll_read(cx, &mut buffer) {
        let bytes = buffer.get(..length).unwrap_or_default();
        assert!(matches!(to.poll_write(cx, bytes), Poll::Ready(Ok(written)) if written == length));
    }
}
