//! Connections to the peer (RFC 6544), call by call.

use super::puppet::{Outcome, PEER, Stage};
use super::*;
use crate::base::{SocketId, StreamEnd, StreamId};
use crate::trace::{CheckFailure, DropReason, PairPhase};
use crate::wire::{Class, Message, RoleClaim};

const LISTENER: SocketId = SocketId(7);
const CONTROLLED: RoleClaim = RoleClaim::Controlled(1);

fn at() -> SocketAddr {
    "10.0.0.1:7000".parse().unwrap()
}

/// The port that the peer connects from.
fn guest(port: u16) -> SocketAddr {
    SocketAddr::new(PEER.ip(), port)
}

/// A controlling agent with a socket for datagrams and one for connections.
fn stage() -> Stage {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.agent.socket_up(stage.now, Socket::tcp(LISTENER, at())).unwrap();
    stage.poll();
    stage
}

/// Signals a candidate of the peer's that it listens at.
fn add_passive(stage: &mut Stage, port: u16) {
    let line = format!("candidate:9 1 TCP 1518280447 10.0.0.2 {port} typ host tcptype passive");
    stage.agent.add_remote_candidate(stage.now, &line.parse().unwrap()).unwrap();
}

fn phases(stage: &Stage) -> Vec<PairPhase> {
    stage.agent.explain().pairs.iter().map(|p| p.phase).collect()
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes()[..], message].concat()
}

/// What comes of bytes that came out of a stream, frame by frame.
fn input(stage: &mut Stage, stream: StreamId, mut bytes: &[u8]) -> Vec<Outcome> {
    let (mut scratch, mut outcomes) = (vec![0; 70_000], Vec::new());
    while !bytes.is_empty() {
        let received = stage.agent.stream_input(stage.now, stream, &mut bytes, &mut scratch);
        outcomes.push(Outcome::from(received));
    }
    outcomes
}

/// The STUN messages of this class that the agent has written to a stream.
fn written(stage: &mut Stage, stream: StreamId, class: Class) -> Vec<Vec<u8>> {
    let of_stream = stage.streamed.iter().filter(|(of, _)| *of == stream);
    let messages = of_stream.map(|(_, frame)| {
        let (length, message) = frame.split_at(2);
        assert_eq!(usize::from(u16::from_be_bytes([length[0], length[1]])), message.len());
        message.to_vec()
    });
    messages.filter(|m| Message::parse(m).is_ok_and(|m| m.class() == class)).collect()
}

/// A connection of ours that is open and was checked with success.
fn connected() -> (Stage, StreamId) {
    let mut stage = stage();
    add_passive(&mut stage, 5000);
    stage.poll();
    let stream = StreamId(0);
    stage.agent.stream_opened(stage.now, stream, "10.0.0.1:40000".parse().unwrap()).unwrap();
    for _ in 0..2 {
        stage.wait(Duration::from_millis(100));
        for request in written(&mut stage, stream, Class::Request) {
            let response = framed(&stage.response(&request, "10.0.0.1:40000".parse().unwrap()));
            assert!(input(&mut stage, stream, &response).len() == 1);
        }
        stage.streamed.clear();
    }
    assert_eq!(stage.selected(), Some(PEER));
    (stage, stream)
}

#[test]
fn a_tcp_socket_is_told_as_an_active_and_a_passive_candidate() {
    let told = stage().told();
    // RFC 6544 §4.2: 90 or less in place of 126; 6 is for active, 4 for passive.
    let expected = [
        "candidate:1 1 UDP 2130706431 10.0.0.1 5000 typ host",
        "candidate:2 1 TCP 1524629503 10.0.0.1 9 typ host tcptype active",
        "candidate:2 1 TCP 1520435199 10.0.0.1 7000 typ host tcptype passive",
    ];
    assert_eq!(told, expected);
    let mut stage = Stage::new(role(Role::Controlling));
    let active = Socket::tcp_active(LISTENER, at().ip());
    stage.agent.socket_up(stage.now, active).unwrap();
    stage.poll();
    assert_eq!(stage.told(), expected[..2]);
    assert_eq!(
        stage.agent.add_mapped(stage.now, LISTENER, "192.0.2.1:1".parse().unwrap()),
        Err(SocketError::ActiveOnly(LISTENER))
    );
}

#[test]
fn a_port_that_is_mapped_to_a_listener_is_a_passive_candidate() {
    let mut stage = stage();
    stage.agent.add_mapped(stage.now, LISTENER, "192.0.2.1:443".parse().unwrap()).unwrap();
    stage.poll();
    let line =
        "candidate:3 1 TCP 1180696575 192.0.2.1 443 typ srflx raddr 10.0.0.1 rport 7000 tcptype passive";
    assert_eq!(stage.told().last().unwrap(), line);
}

#[test]
fn a_lite_agent_tells_of_listeners_only() {
    let mut stage = Stage::new(AgentConfig { lite: true, ..Default::default() });
    stage.agent.socket_up(stage.now, Socket::tcp(LISTENER, at())).unwrap();
    let active = Socket::tcp_active(SocketId(8), "10.0.0.9".parse().unwrap());
    assert_eq!(stage.agent.socket_up(stage.now, active), Err(SocketError::ActiveOnly(SocketId(8))));
    stage.poll();
    let tcp: Vec<_> = stage.told().into_iter().filter(|line| line.contains("TCP")).collect();
    assert_eq!(tcp.len(), 1);
    assert!(tcp[0].ends_with("tcptype passive"));
}

#[test]
fn a_filter_that_opens_tells_of_both_directions() {
    let local_filter = crate::candidate::CandidateFilter::relay_only();
    let mut stage = Stage::new(AgentConfig { local_filter, ..Default::default() });
    stage.agent.socket_up(stage.now, Socket::tcp(LISTENER, at())).unwrap();
    stage.poll();
    assert_eq!(stage.told(), [""; 0]);
    stage.agent.set_local_filter(stage.now, Default::default()).unwrap();
    stage.poll();
    let tcp = stage.told().into_iter().filter(|line| line.contains("TCP"));
    assert_eq!(tcp.count(), 2);
}

/// RFC 6544 §6.2, §4.5: to connect takes one of ours that does and one of the peer's that waits.
#[test]
fn only_active_and_passive_candidates_are_paired() {
    let mut stage = stage();
    let line = "candidate:9 1 TCP 1524629503 10.0.0.2 9 typ host tcptype active";
    stage.agent.add_remote_candidate(stage.now, &line.parse().unwrap()).unwrap();
    assert_eq!(phases(&stage), []);
    add_passive(&mut stage, 5000);
    assert_eq!(phases(&stage).len(), 1);
    // Datagrams and connections to one address have nothing to do with each other.
    stage.add_candidate(PEER, 2_130_706_431);
    assert_eq!(phases(&stage).len(), 2);
    // Without a TCP socket there is nothing to pair.
    let mut stage = Stage::new(role(Role::Controlling));
    add_passive(&mut stage, 5000);
    stage.wait(Duration::from_secs(1));
    assert!(phases(&stage).is_empty() && stage.requests.is_empty() && stage.sent.is_empty());
}

/// RFC 6544 §7.1: first the connection, then the request, once.
#[test]
fn a_check_opens_its_connection_and_goes_over_it_once() {
    let mut stage = stage();
    add_passive(&mut stage, 5000);
    stage.poll();
    let connect =
        SocketRequest::Connect { stream: StreamId(0), local: at().ip(), port: None, remote: PEER, tls: None };
    assert_eq!(stage.requests, [connect]);
    stage.wait(Duration::from_secs(2));
    assert!(stage.streamed.is_empty() && stage.sent.is_empty());
    stage.agent.stream_opened(stage.now, StreamId(0), "10.0.0.1:40000".parse().unwrap()).unwrap();
    stage.poll();
    assert_eq!(written(&mut stage, StreamId(0), Class::Request).len(), 1);
    stage.wait(Duration::from_secs(37));
    assert_eq!(written(&mut stage, StreamId(0), Class::Request).len(), 1);
    assert_eq!(phases(&stage), [PairPhase::InProgress]);
    stage.wait(Duration::from_millis(600));
    assert_eq!(phases(&stage), [PairPhase::Failed(CheckFailure::Timeout)]);
}

#[test]
fn connections_are_opened_at_the_pace_of_checks_and_no_more_than_a_bound() {
    let mut stage = stage();
    for number in 0..MAX_STREAMS + 6 {
        let line = format!("candidate:{number} 1 TCP 9 10.0.1.{number} 5000 typ host tcptype passive");
        stage.agent.add_remote_candidate(stage.now, &line.parse().unwrap()).unwrap();
    }
    let ta = stage.agent.generations.current.checks.ta();
    for number in 1..=MAX_STREAMS {
        stage.poll();
        assert_eq!(stage.requests.len(), number);
        stage.poll();
        stage.now = stage.now + ta;
    }
    stage.wait(Duration::from_secs(1));
    assert_eq!(stage.requests.len(), MAX_STREAMS);
    let over =
        phases(&stage).into_iter().filter(|p| *p == PairPhase::Failed(CheckFailure::TooManyConnections));
    assert_eq!(over.count(), 6);
}

#[test]
fn a_connection_that_is_refused_fails_its_pair() {
    let mut stage = stage();
    add_passive(&mut stage, 5000);
    stage.poll();
    stage.agent.stream_closed(stage.now, StreamId(0), StreamEnd::Refused).unwrap();
    assert_eq!(phases(&stage), [PairPhase::Failed(CheckFailure::Disconnected(StreamEnd::Refused))]);
    assert_eq!(
        stage.agent.stream_closed(stage.now, StreamId(0), StreamEnd::Refused),
        Err(CarrierError::UnknownStream(StreamId(0)))
    );
}

/// RFC 6544 §7.2.
#[test]
fn a_check_over_an_accepted_connection_is_answered_there_and_triggers_another() {
    let mut stage = stage();
    let stream = stage.agent.stream_accepted(stage.now, LISTENER, guest(40_001)).unwrap();
    let request = framed(&stage.request(CONTROLLED, false));
    assert_eq!(input(&mut stage, stream, &request), [Outcome::Consumed]);
    stage.poll();
    assert_eq!(written(&mut stage, stream, Class::Success).len(), 1);
    let ours = written(&mut stage, stream, Class::Request);
    assert_eq!(ours.len(), 1);
    let response = framed(&stage.response(&ours[0], at()));
    assert_eq!(input(&mut stage, stream, &response), [Outcome::Consumed]);
    let path = stage.agent.path(ComponentId::FIRST).unwrap();
    assert_eq!((path.local, path.remote), (at(), guest(40_001)));
    assert_eq!(path.remote_type, crate::candidate::CandidateType::PeerReflexive);
    assert!(stage.sent.is_empty() && stage.requests.is_empty());
    // Data of any length comes over it.
    let long = framed(&[b'x'; 65_535]);
    assert_eq!(input(&mut stage, stream, &long), [Outcome::Data]);
}

#[test]
fn who_cannot_be_the_peer_is_not_accepted() {
    let mut stage = stage();
    let mut accept = |socket, remote: &str| {
        stage.agent.stream_accepted(stage.now, socket, remote.parse().unwrap()).is_some()
    };
    assert!(!accept(SocketId(0), "10.0.0.2:1"));
    assert!(!accept(SocketId(99), "10.0.0.2:1"));
    assert!(!accept(LISTENER, "[2001:db8::1]:1"));
    assert!(!accept(LISTENER, "10.0.0.2:0"));
    assert!(accept(LISTENER, "10.0.0.2:1"));
    stage.agent.close(stage.now);
    assert_eq!(stage.agent.stream_accepted(stage.now, LISTENER, guest(2)), None);
}

#[test]
fn a_stranger_is_sent_away_for_a_word_and_for_long_silence() {
    let mut stage = stage();
    let talks = stage.agent.stream_accepted(stage.now, LISTENER, guest(1)).unwrap();
    let waits = stage.agent.stream_accepted(stage.now, LISTENER, guest(2)).unwrap();
    let outcomes = input(&mut stage, talks, b"GET / HTTP/1.1\r\n\r\n");
    assert!(outcomes.iter().all(|o| matches!(o, Outcome::Consumed)), "half of a frame: {outcomes:?}");
    let outcomes = input(&mut stage, waits, &framed(b"hello"));
    assert_eq!(outcomes, [Outcome::Dropped(DropReason::NotOfAgent)]);
    stage.poll();
    assert_eq!(core::mem::take(&mut stage.requests), [SocketRequest::CloseStream(waits)]);
    stage.wait(Duration::from_millis(29_900));
    assert_eq!(stage.requests, []);
    stage.wait(Duration::from_millis(200));
    assert_eq!(stage.requests, [SocketRequest::CloseStream(talks)]);
    // What still comes of it is nobody's.
    assert_eq!(input(&mut stage, talks, b"x"), [Outcome::Dropped(DropReason::UnknownStream)]);
}

/// RFC 6544 §7.2 has every connection accepted. Strangers give way; who has proven to be the peer does not.
#[test]
fn accepted_connections_are_bounded_and_the_proven_ones_stay() {
    let mut stage = stage();
    let proven = stage.agent.stream_accepted(stage.now, LISTENER, guest(1)).unwrap();
    let request = framed(&stage.request(CONTROLLED, false));
    input(&mut stage, proven, &request);
    for port in 2..500 {
        assert!(stage.agent.stream_accepted(stage.now, LISTENER, guest(port)).is_some());
        assert!(stage.agent.carriers.streams.len() <= MAX_ACCEPTED_STREAMS);
    }
    stage.poll();
    let closed = |request: &SocketRequest| matches!(request, SocketRequest::CloseStream(_));
    assert_eq!(stage.requests.iter().filter(|r| closed(r)).count(), 499 - MAX_ACCEPTED_STREAMS);
    assert!(!stage.requests.contains(&SocketRequest::CloseStream(proven)));
    let all: Vec<_> = stage.agent.carriers.streams.iter().map(|s| s.id).collect();
    for stream in all {
        let request = framed(&stage.request(CONTROLLED, false));
        input(&mut stage, stream, &request);
    }
    assert_eq!(stage.agent.stream_accepted(stage.now, LISTENER, guest(1_000)), None);
}

#[test]
fn consent_is_asked_for_over_a_connection() {
    let (mut stage, stream) = connected();
    stage.wait(Duration::from_secs(7));
    assert_eq!(written(&mut stage, stream, Class::Request).len(), 1);
    stage.wait(Duration::from_secs(25));
    assert!(stage.events.iter().any(|e| matches!(e, Event::PathLost { cause: Cause::ConsentExpired, .. })));
}

#[test]
fn data_is_framed_and_waits_outside_up_to_a_bound() {
    let (mut stage, stream) = connected();
    let (mut scratch, first) = ([0; MAX_TRANSMIT], ComponentId::FIRST);
    let transmit = stage.agent.send(stage.now, first, b"data", &mut scratch).unwrap();
    assert_eq!((transmit.stream, transmit.contents), (Some(stream), &b"\0\x04data"[..]));
    let too_long = stage.agent.send(stage.now, first, &[b'x'; MAX_TRANSMIT - 1], &mut scratch);
    assert_eq!(too_long, Err(SendError::TooLong { largest: MAX_TRANSMIT - 2 }));
    let mut sent = 6;
    while stage.agent.send(stage.now, first, &[b'x'; 1_000], &mut scratch).is_ok() {
        sent += 1_002;
    }
    while stage.agent.send(stage.now, first, b"x", &mut scratch).is_ok() {
        sent += 3;
    }
    assert!(sent <= MAX_STREAM_BACKLOG);
    let full = stage.agent.send(stage.now, first, &[b'x'; 1_000], &mut scratch);
    assert_eq!(full, Err(SendError::Backlog));
    // There is room for the engine.
    stage.wait(Duration::from_secs(7));
    assert_eq!(written(&mut stage, stream, Class::Request).len(), 1);
    stage.agent.stream_written(stage.now, stream, 1_002);
    assert!(stage.agent.send(stage.now, first, &[b'x'; 500], &mut scratch).is_ok(), "{sent}");
}

#[test]
fn a_connection_that_ends_takes_its_path_and_no_other() {
    let (mut stage, stream) = connected();
    stage.agent.stream_closed(stage.now, stream, StreamEnd::Ended).unwrap();
    stage.poll();
    let lost = |e: &Event| matches!(e, Event::PathLost { cause: Cause::Disconnected(StreamEnd::Ended), .. });
    assert!(stage.events.iter().any(lost));
    assert!(stage.events.iter().any(|e| matches!(e, Event::RestartNeeded(_))));
    assert_eq!(stage.agent.path(ComponentId::FIRST), None);
}

#[test]
fn connections_go_with_their_socket_and_with_the_agent() {
    let (mut stage, stream) = connected();
    stage.requests.clear();
    stage.agent.socket_down(stage.now, LISTENER).unwrap();
    stage.poll();
    assert_eq!(stage.requests, [SocketRequest::CloseStream(stream)]);
    let (mut stage, stream) = connected();
    stage.requests.clear();
    stage.agent.close(stage.now);
    stage.poll();
    assert_eq!(stage.requests, [SocketRequest::CloseStream(stream)]);
}

#[test]
fn a_component_that_is_removed_closes_its_connections() {
    let streams = vec![2];
    let mut agent = Agent::new(AgentConfig { streams, ..Default::default() }, [3; 32]).unwrap();
    let second = ComponentId { stream: 0, component: 2 };
    // Those that take no connections may share their address.
    for (id, component) in [(1, ComponentId::FIRST), (2, second)] {
        let active = Socket::tcp_active(SocketId(id), at().ip()).component(component);
        agent.socket_up(Instant::ZERO, active).unwrap();
    }
    let listener = Socket::tcp(LISTENER, at()).component(second);
    agent.socket_up(Instant::ZERO, listener).unwrap();
    // A socket for datagrams may have the same port, and another listener may not.
    agent.socket_up(Instant::ZERO, Socket::udp(SocketId(3), at())).unwrap();
    let again = agent.socket_up(Instant::ZERO, Socket::tcp(SocketId(4), at()));
    assert_eq!(again, Err(SocketError::DuplicateAddress(at())));
    let stream = agent.stream_accepted(Instant::ZERO, LISTENER, guest(1)).unwrap();
    agent.remove_component(Instant::ZERO, second).unwrap();
    let mut scratch = [0; MAX_TRANSMIT];
    let mut requests = Vec::new();
    loop {
        match agent.poll(Instant::ZERO, &mut scratch) {
            Output::Socket(request) => requests.push(request),
            Output::Wait(_) => break,
            _ => {}
        }
    }
    assert_eq!(requests, [SocketRequest::CloseStream(stream)]);
}

/// RFC 6544 §8: what was tried and is not used is closed, and the report says why.
#[test]
fn a_connection_that_is_not_selected_is_closed_after_a_while() {
    let mut stage = stage();
    stage.add_candidate(PEER, 2_130_706_431);
    let stream = stage.agent.stream_accepted(stage.now, LISTENER, guest(40_001)).unwrap();
    let request = framed(&stage.request(CONTROLLED, false));
    input(&mut stage, stream, &request);
    stage.poll();
    let ours = written(&mut stage, stream, Class::Request);
    let response = framed(&stage.response(&ours[0], at()));
    input(&mut stage, stream, &response);
    for _ in 0..3 {
        stage.wait(Duration::from_millis(60));
        stage.answer_all(PEER);
    }
    assert_eq!(stage.selected(), Some(PEER));
    assert_eq!(stage.requests, []);
    stage.wait(Duration::from_millis(4_700));
    assert_eq!(stage.requests, []);
    stage.wait(Duration::from_millis(400));
    assert_eq!(stage.requests, [SocketRequest::CloseStream(stream)]);
    assert!(phases(&stage).contains(&PairPhase::Failed(CheckFailure::Concluded)));
    assert!(!stage.events.iter().any(|e| matches!(e, Event::PathLost { .. })));
}

/// Nothing that comes before a proof changes anything.
#[test]
fn what_strangers_write_changes_no_state() {
    let mut stage = stage();
    let mut random = Random::new([9; 32]);
    let before = stage.agent.state_fingerprint();
    for port in 1..200 {
        let stream = stage.agent.stream_accepted(stage.now, LISTENER, guest(port)).unwrap();
        for _ in 0..8 {
            let length = random.number() as usize % 80;
            let mut bytes: Vec<u8> = (0..length).map(|_| random.number() as u8).collect();
            let ufrag = String::from(stage.agent.local_credentials().ufrag());
            let guessed = Credentials::new(&*ufrag, "a-password-that-was-guessed").unwrap();
            match port % 3 {
                // Some of it looks like what it should be.
                0 => bytes = framed(&stage.request_to(&guessed, "peer", CONTROLLED)),
                1 => {
                    let mut request = stage.request(CONTROLLED, true);
                    let place = random.number() as usize % request.len();
                    request[place] ^= 1 << (random.number() % 8);
                    bytes = framed(&request);
                }
                _ => {}
            }
            for outcome in input(&mut stage, stream, &bytes) {
                assert!(matches!(outcome, Outcome::Consumed | Outcome::Dropped(_)), "{outcome:?}");
            }
        }
        while stage.agent.answers.pop().is_some() {}
    }
    assert_eq!(stage.agent.state_fingerprint(), before);
    assert_eq!(stage.agent.path(ComponentId::FIRST), None);
}
