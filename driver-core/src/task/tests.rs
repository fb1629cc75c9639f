use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Wake, Waker};

use floe_core::Credentials;

use super::*;
use crate::rest::{ERRORS, REST};
use crate::socket::{MAX_BACKLOG, Origin};
use crate::testing::{Puppet, PuppetSocket, Reads, peer, shared};

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

fn reader(socket: &Arc<PuppetSocket>) -> Reader<PuppetSocket> {
    Reader { id: SocketId(0), socket: Arc::clone(socket), rest: Rest::default() }
}

fn port(socket: &Arc<PuppetSocket>) -> Port<PuppetSocket> {
    Port::new(SocketId(0), Arc::clone(socket), socket.local_addr().unwrap(), Origin::Policy)
}

/// A session with one socket.
fn session(socket: &Arc<PuppetSocket>) -> (Arc<Shared<Puppet>>, Task<Puppet>) {
    let shared = shared();
    shared.with(|state| {
        let local = socket.local_addr().unwrap();
        state.agent.socket_up(Instant::ZERO, floe_core::Socket::udp(SocketId(0), local)).unwrap();
        state.ports.push(port(socket));
        state.on_ports_changed();
    });
    let mut task = Task::new(Arc::clone(&shared), Puppet);
    task.gather();
    (shared, task)
}

/// The engine will check `peer()` at its next turn.
fn introduce(shared: &Shared<Puppet>) {
    shared.command(|agent, now| {
        agent.set_remote_credentials(now, Credentials::new("them", "a".repeat(22)).unwrap()).unwrap();
        let line = format!("candidate:1 1 UDP 1 {} {} typ host", peer().ip(), peer().port());
        agent.add_remote_candidate(now, &line.parse().unwrap()).unwrap();
    });
}

#[test]
fn a_busy_socket_yields() {
    let (shared, socket) = (shared(), PuppetSocket::that_reads(Reads::Garbage));
    let more =
        reader(&socket).read(&mut Context::from_waker(Waker::noop()), Clock::now(), &mut [0; 9], &shared);
    assert!(more);
    assert_eq!(socket.read_calls.load(Relaxed), READS);
    assert_eq!(
        shared.with(|state| (state.stats.received, state.stats.unclaimed)),
        (READS as u64, READS as u64)
    );
}

#[test]
fn a_broken_socket_rests_and_is_tried_again() {
    let (shared, socket) = (shared(), PuppetSocket::that_reads(Reads::Errors));
    let mut reader = reader(&socket);
    let start = Clock::now();
    let mut read = |at| {
        let more = reader.read(&mut Context::from_waker(Waker::noop()), at, &mut [0; 9], &shared);
        (more, socket.read_calls.swap(0, Relaxed))
    };
    assert_eq!(read(start), (false, ERRORS as usize));
    assert_eq!(read(start + REST / 2), (false, 0));
    assert_eq!(read(start + REST), (false, ERRORS as usize));
    *socket.reads.lock().unwrap() = Reads::Garbage;
    assert_eq!(read(start + 2 * REST), (true, READS));
    assert_eq!(shared.with(|state| state.stats.receive_errors), u64::from(2 * ERRORS));
}

#[test]
fn the_task_wakes_up_when_a_rest_is_over() {
    let socket = PuppetSocket::that_reads(Reads::Errors);
    let (_shared, mut task) = session(&socket);
    let count = Arc::new(Count::default());
    assert!(
        Pin::new(&mut task).poll(&mut Context::from_waker(&Waker::from(Arc::clone(&count)))).is_pending()
    );
    assert!(task.timer.0.is_some_and(|at| at > Clock::now() && at <= Clock::now() + REST));
    assert_eq!(count.0.load(Relaxed), 0);
}

#[test]
fn a_name_is_looked_up_and_its_candidate_is_checked() {
    for (name, expected) in [("peer.example.org", 1), ("nobody.example.org", 0)] {
        let socket = PuppetSocket::that_reads(Reads::Nothing);
        let (shared, mut task) = session(&socket);
        shared.command(|agent, now| {
            agent.set_remote_credentials(now, Credentials::new("them", "a".repeat(22)).unwrap()).unwrap();
            let line = format!("candidate:1 1 UDP 1 {name} 7 typ host");
            agent.add_remote_candidate(now, &line.parse().unwrap()).unwrap();
        });
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut cx = Context::from_waker(&waker);
        // As long as somebody wakes the task.
        while Pin::new(&mut task).poll(&mut cx).is_pending() && count.0.swap(0, Relaxed) > 0 {}
        assert_eq!(socket.sent().len(), expected, "{name}");
        let causes = shared.with(|state| state.agent.explain().causes);
        assert_eq!(causes.contains(&floe_core::Cause::UnresolvedNames { names: 1 }), expected == 0);
    }
}

#[test]
fn what_a_full_socket_cannot_take_goes_out_later() {
    let socket = PuppetSocket::that_reads(Reads::Nothing);
    let (shared, mut task) = session(&socket);
    let mut cx = Context::from_waker(Waker::noop());
    introduce(&shared);
    socket.full.store(true, Relaxed);
    assert!(Pin::new(&mut task).poll(&mut cx).is_pending());
    assert_eq!(socket.sent().len(), 0);
    assert_eq!(shared.with(|state| state.stats.sent), 0);
    socket.full.store(false, Relaxed);
    assert!(Pin::new(&mut task).poll(&mut cx).is_pending());
    assert_eq!(socket.sent().len(), 1);
    assert_eq!(shared.with(|state| state.stats.sent), 1);
}

#[test]
fn those_who_wait_for_room_are_woken() {
    let socket = PuppetSocket::that_reads(Reads::Nothing);
    let (shared, mut task) = session(&socket);
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    socket.full.store(true, Relaxed);
    let blocked = shared.with(|state| state.port(SocketId(0)).unwrap().send(peer(), b"data").unwrap_err());
    assert_eq!(blocked.kind(), io::ErrorKind::WouldBlock);
    let mut wait = std::pin::pin!(shared.wait(Topic::Room, |_| None::<()>));
    assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut task).poll(&mut cx).is_pending());
    assert_eq!(count.0.load(Relaxed), 0);
    socket.full.store(false, Relaxed);
    assert!(Pin::new(&mut task).poll(&mut cx).is_pending());
    assert_eq!(count.0.load(Relaxed), 1);
}

#[test]
fn a_send_error_is_counted_and_told_to_the_engine() {
    let socket = PuppetSocket::that_reads(Reads::Nothing);
    let (shared, mut task) = session(&socket);
    introduce(&shared);
    socket.broken.store(true, Relaxed);
    assert!(Pin::new(&mut task).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(shared.with(|state| (state.stats.send_failures, state.stats.sent)), (1, 0));
}

#[test]
fn the_engine_goes_first_and_its_queue_is_bounded() {
    let socket = PuppetSocket::that_reads(Reads::Nothing);
    let mut port = port(&socket);
    socket.full.store(true, Relaxed);
    for _ in 0..MAX_BACKLOG {
        assert!(matches!(port.send_or_queue(peer(), b"check"), Sent::Later));
    }
    assert!(matches!(port.send_or_queue(peer(), b"check"), Sent::Dropped));
    socket.full.store(false, Relaxed);
    // There is room now, and data still has to wait behind the checks.
    assert!(port.send(peer(), b"data").is_err());
    while port.send_waiting().is_some() {}
    port.send(peer(), b"data").unwrap();
    assert_eq!(socket.sent().len(), MAX_BACKLOG + 1);
    assert_eq!(socket.sent().last().unwrap(), b"data");
}

#[test]
fn a_zone_stays_on_this_host() {
    let socket = PuppetSocket::that_reads(Reads::Nothing);
    let local = "[fe80::1%5]:1".parse().unwrap();
    let mut port = Port::new(SocketId(0), Arc::clone(&socket), local, Origin::Policy);
    let [link_local, global]: [SocketAddr; 2] =
        ["[fe80::2%5]:2", "[2001:db8::2]:2"].map(|address| address.parse().unwrap());
    port.send(without_zone(link_local), b"x").unwrap();
    port.send(global, b"x").unwrap();
    assert_eq!(without_zone(link_local).to_string(), "[fe80::2]:2");
    let targets: Vec<_> = socket.sent.lock().unwrap().iter().map(|(to, _)| *to).collect();
    assert_eq!(targets, [link_local, global]);
}

#[test]
fn a_task_that_ends_has_closed_its_sockets() {
    let socket = PuppetSocket::that_reads(Reads::Nothing);
    let (shared, mut task) = session(&socket);
    shared.close();
    assert!(Pin::new(&mut task).poll(&mut Context::from_waker(Waker::noop())).is_ready());
    assert_eq!(shared.with(|state| state.life), Life::Ended);
    assert_eq!(Arc::strong_count(&socket), 1);
}

#[test]
fn a_task_that_is_dropped_tells_those_who_wait() {
    let socket = PuppetSocket::that_reads(Reads::Nothing);
    let (shared, task) = session(&socket);
    drop(task);
    assert_eq!(shared.with(|state| state.life), Life::Ended);
    // This handle is the only one left: the sockets are closed.
    assert_eq!(Arc::strong_count(&socket), 1);
}
