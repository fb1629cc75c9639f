//! What every driver has to do, whatever its runtime: the suite that each runs in its own tests.
//!
//! Each function is one test, and [`contract_tests!`](crate::contract_tests) makes all of them. It runs on `runtime`, on
//! loopback, and panics if the driver breaks its word. Nothing sleeps and hopes; a guard of ten seconds stands for
//! "never".

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "these are tests; a panic is a verdict"
)]

mod changes;
mod streams;
mod tcp;
mod tools;

use std::future::poll_fn;
use std::net::UdpSocket;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use floe_core::{AgentConfig, Candidate, Event, RemoteError, Role};

use crate::{AsyncDatagram, AsyncTimer, ConnectError, RecvError, Runtime, SendError};
pub use changes::{
    notes_profiles_and_statistics, restarts_break_nothing, restarts_need_no_offers, sockets_may_come_and_go,
};
pub use streams::{streams_carry_bytes, streams_say_why_they_do_not_open};
pub use tcp::{connects_over_tcp_alone, listeners_go_with_their_sockets, resets_are_told};
use tools::{
    NEVER, Witness, Woken, addresses, bind, both, can_be_bound, closed_ports, connected, exchange, introduce,
    is_pending, session, within, yielding_until,
};

/// Makes a `#[test]` of each function of the suite, in the module where it stands.
///
/// `$block_on` runs a future to its end; `$runtime` is evaluated in that future and gives the runtime.
#[macro_export]
macro_rules! contract_tests {
    ($block_on:expr, $runtime:expr) => {
        $crate::contract_tests! {
            $block_on, $runtime;
            connects_both_ways
            candidates_may_trickle
            names_are_looked_up
            recv_is_cancel_safe
            send_errors_are_typed
            close_ends_what_waits
            dropping_ends_the_task
            sockets_survive_closed_ports
            events_tell_what_happened
            failure_is_a_report
            restarts_break_nothing
            restarts_need_no_offers
            sockets_may_come_and_go
            notes_profiles_and_statistics
            timers_can_be_set_again
            sockets_wake_who_waits
            streams_carry_bytes
            streams_say_why_they_do_not_open
            connects_over_tcp_alone
            resets_are_told
            listeners_go_with_their_sockets
        }
    };
    ($block_on:expr, $runtime:expr; $($name:ident)*) => {$(
        #[test]
        fn $name() {
            $block_on(async { $crate::contract::$name(&$runtime).await });
        }
    )*};
}

/// Data flows both ways, and both sides agree on one path.
pub async fn connects_both_ways<R: Runtime>(runtime: &R) {
    let (left, right) = connected(runtime).await;
    exchange(runtime, &left, &right).await;
    let (chosen, same) = within(runtime, both(left.selected(), right.selected())).await;
    let (chosen, same) = (chosen.unwrap(), same.unwrap());
    assert_eq!((chosen.local, chosen.remote), (same.remote, same.local));
    exchange(runtime, &left, &right).await;
}

/// Candidates that come while `connect` waits are used, and those that are of no use are told apart.
pub async fn candidates_may_trickle<R: Runtime>(runtime: &R) {
    let (left, right) = (session(runtime, Role::Controlling), session(runtime, Role::Controlled));
    let (from_left, from_right) = (left.local_description(), right.local_description());
    right.set_remote_description(&from_left).unwrap();
    left.set_remote_credentials(from_right.credentials.clone()).unwrap();

    // A peer-reflexive path would come up by itself, so that what counts is that nothing gets lost or stuck.
    let trickle = async {
        for candidate in &from_right.candidates {
            left.add_remote_candidate(candidate).unwrap();
        }
        left.end_of_remote_candidates();
    };
    let (connection, ()) = within(runtime, both(left.connect(), trickle)).await;
    connection.unwrap();
    within(runtime, right.connect()).await.unwrap();

    let mut again = from_right.clone();
    let name = "candidate:1 1 UDP 1 many.dots.local 9 typ host".parse::<Candidate>().unwrap();
    again.candidates.push(name.clone());
    let unusable = left.set_remote_description(&again).unwrap();
    assert_eq!(unusable.len(), 1);
    assert_eq!(
        unusable.first().map(|u| (&u.candidate, u.reason)),
        Some((&name, RemoteError::UnresolvedName))
    );
    assert_eq!(left.set_remote_description(&from_left), Err(RemoteError::OurOwnCredentials));

    let late = "candidate:1 1 UDP 1 192.0.2.1 9 typ host".parse().unwrap();
    assert_eq!(left.add_remote_candidate(&late), Err(RemoteError::AfterEnd));
    right.end_of_local_candidates();
    assert!(!from_right.end_of_candidates && right.local_description().end_of_candidates);
}

/// The runtime's resolver finds what the system knows, and says so when it does not.
pub async fn names_are_looked_up<R: Runtime>(runtime: &R) {
    let resolver = runtime.resolver();
    let addresses = within(runtime, resolver("localhost".to_owned())).await.unwrap();
    assert!(!addresses.is_empty() && addresses.iter().all(std::net::IpAddr::is_loopback), "{addresses:?}");
    assert!(within(runtime, resolver("not..a.name".to_owned())).await.is_err());
}

/// A `recv` that is dropped while it waits takes nothing with it.
pub async fn recv_is_cancel_safe<R: Runtime>(runtime: &R) {
    let (left, right) = connected(runtime).await;
    let other = right.clone();
    for round in 0..20_u8 {
        let payload = [b'a' + round];
        // All three wait. Data comes and wakes them: one has it, one is dropped although it was woken, and one was
        // dropped while it waited.
        let (mut early, mut woken) = (Box::pin(right.recv()), Box::pin(right.recv()));
        assert!(is_pending(&mut early).await && is_pending(&mut woken).await);
        drop(early);
        let (received, sent) = within(runtime, both(other.recv(), left.send(&payload))).await;
        sent.unwrap();
        assert_eq!(&received.unwrap()[..], payload);
        drop(woken);

        let mut only = Box::pin(right.recv());
        assert!(is_pending(&mut only).await);
        // It is dropped with the datagram before its eyes.
        let before = right.stats().received;
        within(runtime, left.send(&payload)).await.unwrap();
        within(runtime, yielding_until(|| right.stats().received > before)).await;
        drop(only);
        assert_eq!(&within(runtime, right.recv()).await.unwrap()[..], payload);
    }
}

/// Before there is a path, and after the end, sending is an error that says so. So is what cannot be sent.
pub async fn send_errors_are_typed<R: Runtime>(runtime: &R) {
    let lonely = session(runtime, Role::Controlling);
    let connection = lonely.connection();
    assert!(matches!(connection.send(b"hello").await, Err(SendError::NoPath)));
    assert!(matches!(connection.try_send(b"hello"), Err(SendError::NoPath)));
    assert!(matches!(connection.try_recv(), Ok(None)));
    within(runtime, lonely.close()).await;
    assert!(matches!(connection.send(b"hello").await, Err(SendError::Closed)));
    assert!(matches!(within(runtime, connection.recv()).await, Err(RecvError::Closed)));

    let (left, right) = connected(runtime).await;
    assert!(matches!(left.send(&[1, 2, 3]).await, Err(SendError::LooksLikeStun)));
    assert!(matches!(left.send(&[b'x'; 65_508]).await, Err(SendError::TooLong(65_508))));
    // An empty datagram is one too, and a first byte that STUN has as well is not enough to be taken for it.
    for payload in [&b""[..], &[1; 148]] {
        within(runtime, left.send(payload)).await.unwrap();
        assert_eq!(&within(runtime, right.recv()).await.unwrap()[..], payload);
    }
}

/// Closing while checks are under way ends whatever waits, and is over when the sockets are closed.
pub async fn close_ends_what_waits<R: Runtime>(runtime: &R) {
    let closed = session(runtime, Role::Controlling);
    let peer = session(runtime, Role::Controlled);
    let addresses = addresses(&closed.local_description());
    let mut nowhere = peer.local_description();
    nowhere.candidates = closed_ports(&nowhere);
    closed.set_remote_description(&nowhere).unwrap();

    let connection = closed.connection();
    let (mut connect, mut recv) = (Box::pin(closed.connect()), Box::pin(connection.recv()));
    assert!(is_pending(&mut connect).await && is_pending(&mut recv).await);
    within(runtime, yielding_until(|| closed.stats().sent > 0)).await;
    // Begun and dropped: it goes on.
    let _ = is_pending(&mut Box::pin(closed.close())).await;
    // From the first moment on, before the task has seen it.
    assert!(matches!(connection.try_send(b"too late"), Err(SendError::Closed)));
    let ((connected, received), ()) = within(runtime, both(both(connect, recv), closed.close())).await;
    assert!(matches!(connected, Err(ConnectError::Closed)));
    assert!(matches!(received, Err(RecvError::Closed)));
    assert!(can_be_bound(&addresses));
    assert_eq!(closed.set_remote_description(&closed.local_description()), Err(RemoteError::Ended));
    within(runtime, closed.close()).await;
}

/// When the last handle is gone, session or connection, no task is left behind, and the ports are free.
pub async fn dropping_ends_the_task<R: Runtime>(runtime: &R) {
    let witness = Witness::of(runtime.clone());
    let lonely = session(&witness, Role::Controlling);
    let mut events = lonely.events();
    let ports = addresses(&lonely.local_description());
    let clone = lonely.clone();
    drop(lonely);
    assert!(!can_be_bound(&ports) && witness.tasks() == 1);
    drop(clone);
    within(runtime, async { while events.next().await.is_some() {} }).await;
    assert!(can_be_bound(&ports));
    within(runtime, yielding_until(|| witness.tasks() == 0)).await;

    let (left, right) = (session(&witness, Role::Controlling), session(&witness, Role::Controlled));
    let ports = [addresses(&left.local_description()), addresses(&right.local_description())].concat();
    introduce(&left, &right);
    let (one, two) = within(runtime, both(left.connect(), right.connect())).await;
    let (one, two) = (one.unwrap(), two.unwrap());
    drop((left, right));
    // A connection keeps what it needs.
    exchange(&witness, &one, &two).await;
    assert_eq!(witness.tasks(), 2);
    drop(one);
    within(runtime, yielding_until(|| witness.tasks() == 1)).await;
    drop(two);
    within(runtime, yielding_until(|| witness.tasks() == 0)).await;
    assert!(can_be_bound(&ports));
}

/// Nobody at an address that is tried, and a peer that goes away, break nothing.
pub async fn sockets_survive_closed_ports<R: Runtime>(runtime: &R) {
    let (left, right) = (session(runtime, Role::Controlling), session(runtime, Role::Controlled));
    for candidate in closed_ports(&right.local_description()) {
        left.add_remote_candidate(&candidate).unwrap();
    }
    introduce(&left, &right);
    let (one, two) = within(runtime, both(left.connect(), right.connect())).await;
    let (one, two) = (one.unwrap(), two.unwrap());
    exchange(runtime, &one, &two).await;

    within(runtime, two.close()).await;
    for _ in 0..100 {
        match within(runtime, one.send(b"is anybody there?")).await {
            Ok(()) | Err(SendError::Io(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert!(is_pending(&mut Box::pin(one.recv())).await);
}

/// Events come in order and end with the session; nobody has to read them.
pub async fn events_tell_what_happened<R: Runtime>(runtime: &R) {
    let (left, right) = (session(runtime, Role::Controlling), session(runtime, Role::Controlled));
    introduce(&left, &right);
    let connection = within(runtime, left.connect()).await.unwrap();
    within(runtime, connection.selected()).await.unwrap();
    let mut events = left.events();
    within(runtime, connection.close()).await;
    let mut seen = Vec::new();
    while let Some(event) = within(runtime, events.next()).await {
        seen.push(event);
    }
    let of = |wanted: fn(&Event) -> bool| seen.iter().position(wanted).unwrap();
    let candidates = seen.iter().filter(|e| matches!(e, Event::LocalCandidate { .. })).count();
    assert_eq!(candidates, left.local_description().candidates.len());
    let gathered = of(|e| matches!(e, Event::GatheringDone));
    let usable = of(|e| matches!(e, Event::PathUsable(_)));
    let selected = of(|e| matches!(e, Event::PathSelected(_)));
    assert!(gathered < usable && usable < selected, "{seen:?}");
    assert_eq!(left.stats().events_missed, 0);
}

/// An engine that gives up says why, to all who wait.
pub async fn failure_is_a_report<R: Runtime>(runtime: &R) {
    let agent = AgentConfig { deadline: Some(Duration::from_millis(200)), ..Default::default() };
    let left = bind(runtime, agent);
    let peer = session(runtime, Role::Controlled);
    let mut nowhere = peer.local_description();
    nowhere.candidates = closed_ports(&nowhere);
    left.set_remote_description(&nowhere).unwrap();
    let connection = left.connection();
    let (connected, received) = within(runtime, both(left.connect(), connection.recv())).await;
    let Err(ConnectError::Failed(report)) = connected else { panic!("{connected:?}") };
    assert!(!report.causes.is_empty() && !report.pairs.is_empty(), "{report}");
    assert!(matches!(received, Err(RecvError::Failed(_))));
    assert!(matches!(connection.try_send(b"hello"), Err(SendError::Closed)));
}

/// A timer wakes at the time that it was set to last, be it earlier than before, or past.
pub async fn timers_can_be_set_again<R: Runtime>(runtime: &R) {
    let mut timer = runtime.timer();
    assert!(poll_fn(|cx| Poll::Ready(timer.poll_elapsed(cx).is_pending())).await);
    timer.reset(Instant::now() + 2 * NEVER);
    assert!(poll_fn(|cx| Poll::Ready(timer.poll_elapsed(cx).is_pending())).await);
    let soon = Instant::now() + Duration::from_millis(10);
    for _ in 0..2 {
        timer.reset(soon);
        within(runtime, poll_fn(|cx| timer.poll_elapsed(cx))).await;
        assert!(Instant::now() >= soon);
    }
}

/// Whoever waits for a datagram, or for room while there is some, is woken.
pub async fn sockets_wake_who_waits<R: Runtime>(runtime: &R) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let address = socket.local_addr().unwrap();
    let socket = runtime.register(socket).unwrap();
    assert_eq!(socket.local_addr().unwrap(), address);
    within(runtime, poll_fn(|cx| socket.poll_send_ready(cx))).await.unwrap();

    let (mut buffer, woken) = ([0; 16], Arc::new(Woken::default()));
    let waker = Waker::from(Arc::clone(&woken));
    let mut recv = |cx: &mut Context<'_>| socket.poll_recv_from(cx, &mut buffer);
    assert!(recv(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(socket.try_send_to(b"to itself", address).unwrap(), 9);
    within(runtime, yielding_until(|| woken.is_set())).await;
    assert_eq!(within(runtime, poll_fn(recv)).await.unwrap(), (9, address));
    assert!(buffer.starts_with(b"to itself"));
}
