//! Streams over loopback, with a runtime that wakes nobody: the tests poll again.

use std::future::Future;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::task::Waker;

use floe_core::{Event, ServerFault, Socket, SocketId, TurnServer};

use super::*;
use crate::shared::Shared;
use crate::task::Task;
use crate::testing::{Puppet, shared};

const PATIENCE: Duration = Duration::from_secs(20);

/// A session whose engine wants a TURN server at a listener of the test's.
struct Bench {
    shared: Arc<Shared<Puppet>>,
    task: Task<Puppet>,
    listener: TcpListener,
}

impl Bench {
    fn new(server: impl FnOnce(SocketAddr) -> TurnServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let shared = shared();
        shared.with(|state| {
            let now = state.now();
            state.agent.socket_up(now, Socket::udp(SocketId(0), "127.0.0.1:1".parse().unwrap())).unwrap();
            state.agent.add_turn_server(now, server(listener.local_addr().unwrap())).unwrap();
        });
        let task = Task::new(Arc::clone(&shared), Puppet);
        Self { shared, task, listener }
    }

    fn tcp() -> Self {
        Self::new(|address| TurnServer::tcp(address, "alice", "secret"))
    }

    fn poll(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        let _ = std::pin::Pin::new(&mut self.task).poll(&mut cx);
    }

    /// Polls until there is something.
    fn until<T>(&mut self, mut look: impl FnMut(&mut State<Puppet>) -> Option<T>) -> T {
        let start = Clock::now();
        loop {
            self.poll();
            if let Some(found) = self.shared.with(&mut look) {
                return found;
            }
            assert!(start.elapsed() < PATIENCE);
            std::thread::yield_now();
        }
    }

    /// What the engine says has gone wrong with the server.
    fn fault(&mut self) -> ServerFault {
        self.until(|state| match state.take_event() {
            Some(Some(Event::ServerError { fault, .. })) => Some(fault),
            _ => None,
        })
    }

    fn accept(&mut self) -> TcpStream {
        self.poll();
        let (stream, _) = self.listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        self.until(|state| (state.streams.all.first()?.phase == Phase::Open).then_some(()));
        stream
    }
}

#[test]
fn a_request_of_the_engine_is_written_and_bytes_reach_it() {
    let mut bench = Bench::tcp();
    let mut server = bench.accept();
    bench.poll();
    let mut request = [0; 20];
    server.read_exact(&mut request).unwrap();
    assert_eq!(request[..2], [0, 3], "Allocate");
    // 300 with no server to go to instead: nothing that the engine could take.
    let mut answer = vec![0x01, 0x13, 0, 8];
    answer.extend(&request[4..]);
    answer.extend([0, 9, 0, 4, 0, 0, 4, 3]);
    for piece in answer.chunks(5) {
        server.write_all(piece).unwrap();
    }
    assert!(matches!(bench.fault(), ServerFault::Refused { code: 403, .. }));
    assert_eq!(bench.shared.with(|state| state.stats.sent), 1);
}

#[test]
fn what_becomes_of_a_stream_is_told() {
    let mut bench = Bench::tcp();
    let address = bench.listener.local_addr().unwrap();
    bench.listener = TcpListener::bind("127.0.0.1:0").unwrap();
    assert_eq!(bench.fault(), ServerFault::Stream(StreamEnd::Refused), "{address}");

    let mut bench = Bench::tcp();
    drop(bench.accept());
    let fault = bench.fault();
    let broken = [StreamEnd::Ended, StreamEnd::Reset].map(ServerFault::Stream);
    assert!(broken.contains(&fault), "{fault:?}");
}

#[cfg(not(feature = "tls"))]
#[test]
fn there_is_no_tls_without_the_feature() {
    let mut bench = Bench::new(|address| TurnServer::tls(address, "localhost", "alice", "secret"));
    assert_eq!(bench.fault(), ServerFault::Stream(StreamEnd::Tls));
}

#[cfg(feature = "tls")]
#[test]
fn a_connection_that_takes_too_long_is_given_up() {
    // TLS to somebody who says nothing.
    let mut bench = Bench::new(|address| TurnServer::tls(address, "localhost", "alice", "secret"));
    bench.poll();
    let start = Clock::now();
    let until = bench.shared.with(|state| state.streams.next_deadline()).unwrap();
    assert!(until <= start + OPENING);
    let mut cx = Context::from_waker(Waker::noop());
    bench.shared.with(|state| state.poll_streams(&mut cx, until - Duration::from_millis(1)));
    assert_eq!(bench.shared.with(|state| state.streams.all.len()), 1);
    bench.shared.with(|state| state.poll_streams(&mut cx, until));
    assert!(bench.shared.with(|state| state.streams.all.is_empty()));
    assert_eq!(bench.fault(), ServerFault::Stream(StreamEnd::TimedOut));
}

#[test]
fn what_was_given_last_still_goes_out_before_the_end() {
    let mut bench = Bench::tcp();
    let mut server = bench.accept();
    let id = bench.shared.with(|state| state.streams.all[0].id);
    bench.shared.with(|state| {
        state.streams.all[0].out.clear();
        assert!(state.streams.write(id, b"bye"));
        state.streams.close(id, Clock::now());
        assert!(!state.streams.write(id, b"too late"));
    });
    bench.until(|state| state.streams.all.is_empty().then_some(()));
    let mut seen = Vec::new();
    server.read_to_end(&mut seen).unwrap();
    assert!(seen.ends_with(b"bye"), "{seen:?}");
}

#[test]
fn no_more_than_a_few_are_being_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let remote = listener.local_addr().unwrap();
    shared().with(|state| {
        let ids: Vec<_> = (0..=MAX_CLOSING as u64).map(|id| StreamId(id.try_into().unwrap())).collect();
        for id in &ids {
            let stream = Puppet.register_stream(TcpStream::connect(remote).unwrap()).unwrap();
            state.streams.accept(*id, remote, stream);
            assert!(state.streams.write(*id, b"nobody reads this"));
        }
        ids.iter().for_each(|id| state.streams.close(*id, Clock::now()));
        let left: Vec<_> = state.streams.all.iter().map(|stream| stream.id).collect();
        assert_eq!(left, ids[1..]);
    });
}

#[test]
fn errors_have_their_ends() {
    use std::io::ErrorKind as Kind;
    for (kind, end) in [
        (Kind::ConnectionRefused, StreamEnd::Refused),
        (Kind::NetworkUnreachable, StreamEnd::Refused),
        (Kind::TimedOut, StreamEnd::TimedOut),
        (Kind::UnexpectedEof, StreamEnd::Ended),
        (Kind::ConnectionReset, StreamEnd::Reset),
        (Kind::BrokenPipe, StreamEnd::Reset),
    ] {
        assert_eq!(Failure::from(std::io::Error::from(kind)).end, end, "{kind}");
    }
}
