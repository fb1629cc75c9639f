use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::*;
use crate::rest::{ERRORS, REST};
use crate::shared::Shared;
use crate::socket::{Origin, Port};
use crate::task::Task;
use crate::testing::{Puppet, PuppetSocket, shared};

const PATIENCE: Duration = Duration::from_secs(20);

/// A session with a listener beside its socket.
fn listening() -> (Arc<Shared<Puppet>>, SocketAddr) {
    let shared = shared();
    let address = shared.with(|state| {
        let local = "127.0.0.1:1".parse().unwrap();
        let (id, now) = (state.fresh_socket_id(), state.now());
        state.agent.socket_up(now, Socket::udp(id, local)).unwrap();
        let socket = PuppetSocket { bound: Some(local), ..PuppetSocket::default() };
        state.ports.push(Port::new(id, Arc::new(socket), local, Origin::Policy));
        state.listen_beside(&Puppet, id);
        state.listeners[0].socket.local_addr().unwrap()
    });
    (shared, address)
}

fn poll(shared: &Shared<Puppet>, now: Clock) -> (bool, usize) {
    let mut cx = Context::from_waker(Waker::noop());
    shared.with(|state| {
        let progress = state.poll_listeners(&mut cx, now);
        (progress, std::mem::take(&mut state.listeners[0].socket.calls))
    })
}

#[test]
fn a_listener_is_told_as_candidates() {
    let (shared, address) = listening();
    let mut task = Task::new(Arc::clone(&shared), Puppet);
    task.gather();
    let told = shared.with(|state| state.agent.local_description().streams.remove(0).candidates);
    let told: Vec<_> = told.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().any(|line| line.contains(" 127.0.0.1 9 typ host tcptype active")), "{told:?}");
    let passive = format!(" 127.0.0.1 {} typ host tcptype passive", address.port());
    assert!(told.iter().any(|line| line.contains(&passive)), "{told:?}");
}

#[test]
fn a_stranger_is_let_in_and_sent_away_for_its_first_word() {
    let (shared, address) = listening();
    let mut task = Task::new(Arc::clone(&shared), Puppet);
    let mut stranger = TcpStream::connect(address).unwrap();
    stranger.write_all(&[0, 3, b'x', b'y', b'z']).unwrap();
    stranger.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let start = Clock::now();
    let end = loop {
        let _ = std::pin::Pin::new(&mut task).poll(&mut Context::from_waker(Waker::noop()));
        match stranger.read(&mut [0; 9]) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            end => break end,
        }
        assert!(start.elapsed() < PATIENCE);
    };
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    assert_eq!(shared.with(|state| state.stats.rejected), 1);
}

#[test]
fn a_crowd_is_taken_a_few_at_a_time() {
    let (shared, address) = listening();
    let crowd: Vec<_> = (0..=ACCEPTS).map(|_| TcpStream::connect(address).unwrap()).collect();
    assert_eq!(poll(&shared, Clock::now()), (true, ACCEPTS));
    assert_eq!(poll(&shared, Clock::now()), (true, crowd.len() - ACCEPTS + 1));
    assert_eq!(poll(&shared, Clock::now()), (false, 1));
}

#[test]
fn who_is_not_wanted_is_hung_up_on() {
    let (shared, address) = listening();
    shared.command(floe_core::Agent::close);
    let mut late = TcpStream::connect(address).unwrap();
    late.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(poll(&shared, Clock::now()), (true, 2));
    assert_eq!(late.read(&mut [0; 9]).unwrap(), 0);
}

#[test]
fn a_listener_that_fails_rests_and_is_tried_again() {
    let (shared, _) = listening();
    shared.with(|state| state.listeners[0].socket.broken = true);
    let start = Clock::now();
    let mut calls = 0;
    loop {
        let (progress, more) = poll(&shared, start);
        calls += more;
        if !progress {
            break;
        }
        assert!(calls <= ERRORS as usize);
    }
    assert_eq!(calls, ERRORS as usize);
    assert_eq!(shared.with(|state| state.stats.receive_errors), u64::from(ERRORS));
    assert_eq!(shared.with(|state| state.listeners[0].rests_until()), Some(start + REST));
    assert_eq!(poll(&shared, start + REST / 2), (false, 0));
    assert_eq!(poll(&shared, start + REST), (true, ACCEPTS));
}
