//! What goes wrong around allocations: servers that come and go, permissions without end, ends in the middle of something.

use super::puppet::{PEER, Stage};
use super::*;
use crate::base::{SocketId, StreamEnd, StreamId};
use crate::candidate::CandidateFilter;
use crate::gather::TurnServer;
use crate::wire::{
    Class, ErrorCode, Message, MessageWriter, Method, RoleClaim, ServerAttributes, TransactionId, is_stun,
};

const MAPPED: &str = "203.0.113.9:6000";
const RELAYED: &str = "192.0.2.9:50000";

fn server() -> SocketAddr {
    "192.0.2.9:3478".parse().unwrap()
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn hidden(which: Role) -> AgentConfig {
    AgentConfig { local_filter: CandidateFilter::relay_only(), ..role(which) }
}

fn method(bytes: &[u8]) -> Option<Method> {
    is_stun(bytes).then(|| Message::parse(bytes).unwrap().method())
}

fn lifetime_of(bytes: &[u8]) -> Option<Duration> {
    let message = Message::parse(bytes).unwrap();
    ServerAttributes::read(&message).unwrap().lifetime()
}

fn granted(request: &[u8]) -> Vec<u8> {
    let message = Message::parse(request).unwrap();
    let mut buffer = [0; 256];
    let writer = MessageWriter::new(&mut buffer, Class::Success, message.method(), message.transaction_id());
    let lifetime = lifetime_of(request).unwrap_or_default();
    let length = match message.method() {
        Method::ALLOCATE => {
            writer.xor_relayed_address(at(RELAYED)).lifetime(lifetime).xor_mapped_address(at(MAPPED)).finish()
        }
        Method::REFRESH => writer.lifetime(lifetime).finish(),
        _ => writer.finish(),
    };
    buffer[..length.unwrap()].to_vec()
}

fn refused(request: &[u8], error: ErrorCode<'_>, challenge: bool) -> Vec<u8> {
    let message = Message::parse(request).unwrap();
    let mut buffer = [0; 256];
    let writer = MessageWriter::new(&mut buffer, Class::Error, message.method(), message.transaction_id());
    let writer = writer.error_code(error);
    let writer = if challenge { writer.realm("example.org").nonce(b"nonce") } else { writer };
    let length = writer.finish();
    buffer[..length.unwrap()].to_vec()
}

/// What a peer has sent to the relayed address, as the client gets it.
fn relayed_from(peer: SocketAddr, data: &[u8]) -> Vec<u8> {
    let mut buffer = [0; 600];
    let message = MessageWriter::new(&mut buffer, Class::Indication, Method::DATA, TransactionId([9; 12]));
    let length = message.xor_peer_address(peer).data(data).finish().unwrap();
    buffer[..length].to_vec()
}

/// What goes to which peer in a Send indication.
fn sent_on(bytes: &[u8]) -> Option<(SocketAddr, Vec<u8>)> {
    let message = Message::parse(bytes).ok().filter(|m| m.method() == Method::SEND)?;
    let attributes = ServerAttributes::read(&message).unwrap();
    let peer = attributes.xor_peer_addresses().next()?;
    Some((peer, attributes.data()?.to_vec()))
}

impl Stage {
    /// The requests that went to the server, over datagrams.
    fn asked(&mut self) -> Vec<Vec<u8>> {
        let is_request = |bytes: &[u8]| {
            is_stun(bytes) && {
                let message = Message::parse(bytes).unwrap();
                message.class() == Class::Request && message.method() != Method::BINDING
            }
        };
        let all = core::mem::take(&mut self.sent);
        let (asked, rest) = all.into_iter().partition(|(to, bytes)| *to == server() && is_request(bytes));
        self.sent = rest;
        let asked: Vec<(SocketAddr, Vec<u8>)> = asked;
        asked.into_iter().map(|(_, bytes)| bytes).collect()
    }

    /// Answers what was asked, until nothing is. What was asked.
    fn serve_with(&mut self, answer: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            self.poll();
            let asked = self.asked();
            if asked.is_empty() {
                return all;
            }
            for request in &asked {
                if let Some(answer) = answer(request) {
                    self.receive(server(), &answer);
                }
            }
            all.extend(asked);
        }
    }

    fn serve(&mut self) -> Vec<Vec<u8>> {
        self.serve_with(|request| Some(granted(request)))
    }

    /// So long, with a server that answers.
    fn serve_for(&mut self, time: Duration, answer: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Vec<Vec<u8>> {
        let (end, mut all) = (self.now + time, Vec::new());
        while self.now < end {
            all.extend(self.serve_with(&answer));
            self.wait(Duration::from_millis(100).min(end.since(self.now)));
        }
        all.extend(self.serve_with(&answer));
        all
    }

    fn over_stream(&mut self, stream: StreamId, bytes: &[u8]) {
        let (mut input, mut scratch) = (bytes, vec![0; 70_000]);
        while !input.is_empty() {
            let _ = self.agent.stream_input(self.now, stream, &mut input, &mut scratch);
        }
    }

    /// The connections that were asked for since.
    fn connects(&mut self) -> Vec<StreamId> {
        let all = core::mem::take(&mut self.requests);
        let connect = |request: &SocketRequest| match request {
            SocketRequest::Connect { stream, .. } => Some(*stream),
            _ => None,
        };
        all.iter().filter_map(connect).collect()
    }

    /// Answers what was asked over the stream.
    fn serve_stream(&mut self, stream: StreamId, written: bool) {
        loop {
            self.poll();
            let all = core::mem::take(&mut self.streamed);
            if all.is_empty() {
                return;
            }
            for (of, bytes) in all {
                assert_eq!(of, stream);
                if written {
                    self.agent.stream_written(self.now, stream, bytes.len());
                }
                let is_request = is_stun(&bytes) && Message::parse(&bytes).unwrap().class() == Class::Request;
                if is_request {
                    self.over_stream(stream, &granted(&bytes));
                } else if let Some((peer, check)) = sent_on(&bytes).filter(|(_, data)| is_stun(data))
                    && Message::parse(&check).unwrap().class() == Class::Request
                {
                    let response = self.response(&check, at(RELAYED));
                    self.over_stream(stream, &relayed_from(peer, &response));
                }
            }
        }
    }

    /// Opens the connection that was asked for, and allocates.
    fn open(&mut self, stream: StreamId) {
        self.agent.stream_opened(self.now, stream, at("10.0.0.1:40000")).unwrap();
        self.serve_stream(stream, true);
    }

    fn with_relay(config: AgentConfig) -> Self {
        Self::allocated(Self::new(config))
    }

    fn allocated(mut stage: Self) -> Self {
        stage.agent.add_turn_server(stage.now, TurnServer::udp(server(), "user", "secret")).unwrap();
        stage.serve();
        stage.wait(secs(1));
        assert!(stage.told().iter().any(|line| line.contains("typ relay")), "{:?}", stage.events);
        stage
    }

    fn with_tcp_relay(config: AgentConfig) -> (Self, StreamId) {
        Self::allocated_over_tcp(Self::new(config))
    }

    fn allocated_over_tcp(mut stage: Self) -> (Self, StreamId) {
        stage.agent.add_turn_server(stage.now, TurnServer::tcp(server(), "user", "secret")).unwrap();
        stage.poll();
        let stream = stage.connects()[0];
        stage.open(stream);
        stage.wait(secs(1));
        stage.serve_stream(stream, true);
        assert!(stage.told().iter().any(|line| line.contains("typ relay")), "{:?}", stage.events);
        (stage, stream)
    }

    /// Polls a closed agent until it says that it is; what it has asked for meanwhile.
    fn until_closed(&mut self) -> Vec<SocketRequest> {
        let (start, mut scratch, mut requests) = (self.now, [0; MAX_TRANSMIT], Vec::new());
        for _ in 0..10_000 {
            assert!(self.now.since(start) <= secs(2), "two seconds have passed: {requests:?}");
            match self.agent.poll(self.now, &mut scratch) {
                Output::Closed => return requests,
                Output::Wait(Some(next)) => self.now = self.now.max(next),
                Output::Wait(None) => panic!("it waits for nothing, and is not closed: {requests:?}"),
                Output::Socket(request) => requests.push(request),
                _ => {}
            }
        }
        panic!("it does not come to an end: {requests:?}");
    }
}

/// A server may well close the connection as soon as the allocation is deleted (or the network breaks it).
#[test]
fn a_stream_that_ends_while_closing_is_not_made_anew() {
    let (mut stage, stream) = Stage::with_tcp_relay(hidden(Role::Controlling));
    stage.agent.close(stage.now);
    stage.poll();
    stage.agent.stream_closed(stage.now, stream, StreamEnd::Ended).unwrap();
    let requests = stage.until_closed();
    assert!(!requests.iter().any(|r| matches!(r, SocketRequest::Connect { .. })), "{requests:?}");
}

/// The request is forgotten, after 39.5 s, within the second that the deletion may take.
#[test]
fn closing_ends_when_an_allocate_times_out_meanwhile() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.agent.add_turn_server(stage.now, TurnServer::udp(server(), "user", "secret")).unwrap();
    stage.wait(secs(39));
    stage.agent.close(stage.now);
    stage.until_closed();
}

/// The network is dead, and TCP takes no more bytes.
#[test]
fn closing_ends_although_a_stream_takes_nothing_more() {
    let (mut stage, stream) = Stage::with_tcp_relay(hidden(Role::Controlling));
    stage.add_candidate(PEER, 2_130_706_431);
    for _ in 0..20 {
        stage.serve_stream(stream, true);
        stage.wait(Duration::from_millis(100));
    }
    stage.serve_stream(stream, true);
    let mut scratch = [0; MAX_TRANSMIT];
    let mut send = || stage.agent.send(stage.now, ComponentId::FIRST, &[0x80; 1_000], &mut scratch).map(drop);
    assert_eq!(send(), Ok(()));
    while send().is_ok() {}
    assert_eq!(send(), Err(SendError::Backlog));
    stage.agent.close(stage.now);
    stage.until_closed();
}

#[test]
fn an_agent_whose_relay_is_full_gives_up_all_the_same() {
    let failed_at = |stage: &Stage| stage.events.iter().any(|e| matches!(e, Event::Failed(_)));
    let mut stage = Stage::new(role(Role::Controlling));
    stage.add_candidate(PEER, 2_130_706_431);
    stage.wait(secs(60));
    assert!(failed_at(&stage), "without a relay it does");
    let mut stage = Stage::new(role(Role::Controlling));
    stage.add_candidate(PEER, 2_130_706_431);
    stage.agent.add_turn_server(stage.now, TurnServer::udp(server(), "user", "secret")).unwrap();
    stage.serve_for(secs(1_800), |r| Some(refused(r, ErrorCode::ALLOCATION_QUOTA_REACHED, false)));
    let ends = stage.events.iter().filter(|e| **e == Event::GatheringDone).count();
    assert!(failed_at(&stage), "half an hour has passed; gathering was done {ends} times");
}

#[test]
fn a_peer_that_moves_from_place_to_place_gets_permissions_still() {
    let mut stage = Stage::with_relay(hidden(Role::Controlling));
    for round in 0..16_u8 {
        for host in 0..9 {
            stage.add_candidate(
                SocketAddr::from(([10, 1, round, host + 1], 5000)),
                2_000_000_000 - u32::from(host),
            );
        }
        stage.serve_for(secs(3), |request| Some(granted(request)));
        stage.agent.restart(stage.now).unwrap();
        let name = format!("peer{round}");
        let credentials = Credentials::new(&name, "another-password-of-the-peer").unwrap();
        stage.agent.set_remote_credentials(stage.now, credentials).unwrap();
    }
    stage.serve_for(secs(3), |request| Some(granted(request)));
    stage.add_candidate(at("10.9.9.9:5000"), 2_130_706_431);
    stage.serve_for(secs(3), |request| Some(granted(request)));
    let through = stage.sent.iter().filter_map(|(_, bytes)| sent_on(bytes));
    assert!(through.into_iter().any(|(peer, _)| peer == at("10.9.9.9:5000")), "no permission for it");
}

/// As while the server is started anew.
#[test]
fn a_lost_relay_over_tcp_is_asked_for_until_the_server_is_back() {
    let (mut stage, stream) = Stage::with_tcp_relay(hidden(Role::Controlling));
    stage.agent.stream_closed(stage.now, stream, StreamEnd::Reset).unwrap();
    stage.wait(secs(1));
    let again = stage.connects();
    assert_eq!(again.len(), 1);
    stage.agent.stream_closed(stage.now, again[0], StreamEnd::Refused).unwrap();
    stage.wait(secs(25));
    assert!(!stage.connects().is_empty(), "the relay was lost, and is given up after one try");
}

/// The same over UDP: it has forgotten us, and then it is away for a minute.
#[test]
fn a_lost_relay_over_udp_is_asked_for_until_the_server_is_back() {
    // Nothing is known of a peer, so patience has no end.
    let mut stage = Stage::allocated(Stage::without_credentials(hidden(Role::Controlling)));
    stage.serve_for(secs(500), |request| match method(request) {
        Some(Method::REFRESH) => Some(refused(request, ErrorCode::ALLOCATION_MISMATCH, false)),
        _ => None,
    });
    let forgotten = |e: &Event| matches!(e, Event::ServerError { fault: ServerFault::Forgotten, .. });
    assert!(stage.events.iter().any(forgotten), "{:?}", stage.events);
    stage.serve_for(secs(60), |_| None);
    let asked = stage.serve_for(secs(300), |request| Some(granted(request)));
    assert!(!asked.is_empty(), "the relay was lost, and is given up after one try");
}

#[test]
fn a_component_that_is_removed_takes_its_allocation_along() {
    let of = |component| ComponentId { stream: 0, component };
    let config = AgentConfig { streams: vec![2], ..role(Role::Controlling) };
    let mut stage = Stage::without_credentials(config);
    stage.agent.socket_up(stage.now, Socket::udp(SocketId(1), at("10.0.0.1:5001")).component(of(2))).unwrap();
    stage.agent.add_turn_server(stage.now, TurnServer::udp(server(), "user", "secret")).unwrap();
    // Each at an address of its own: the second is the second component's.
    let other = |request: &[u8]| Some(granted(request));
    let mut scratch = [0; MAX_TRANSMIT];
    let mut allocations = 0;
    for _ in 0..100 {
        match stage.agent.poll(stage.now, &mut scratch) {
            Output::Transmit(t) if method(t.contents) == Some(Method::ALLOCATE) => {
                let socket = t.socket;
                let mut answer = other(t.contents).unwrap();
                if socket == SocketId(1) {
                    let message = Message::parse(t.contents).unwrap();
                    let mut buffer = [0; 256];
                    let length = MessageWriter::new(
                        &mut buffer,
                        Class::Success,
                        Method::ALLOCATE,
                        message.transaction_id(),
                    )
                    .xor_relayed_address(at("192.0.2.9:50001"))
                    .lifetime(secs(600))
                    .xor_mapped_address(at("203.0.113.9:6001"))
                    .finish()
                    .unwrap();
                    answer = buffer[..length].to_vec();
                }
                allocations += 1;
                let _ = stage.agent.receive(stage.now, Datagram::new(socket, server(), &mut answer));
            }
            Output::Wait(_) => stage.now = stage.now + Duration::from_millis(50),
            _ => {}
        }
    }
    assert_eq!(allocations, 2);
    stage.agent.remove_component(stage.now, of(2)).unwrap();
    let mut from_removed = Vec::new();
    let start = stage.now;
    while stage.now.since(start) < secs(700) {
        match stage.agent.poll(stage.now, &mut scratch) {
            Output::Transmit(t) if t.remote == server() => {
                let (socket, bytes) = (t.socket, t.contents.to_vec());
                if socket == SocketId(1) {
                    from_removed.push((stage.now.since(start).as_secs(), lifetime_of(&bytes)));
                }
                if Message::parse(&bytes).unwrap().class() == Class::Request {
                    let mut answer = granted(&bytes);
                    let _ = stage.agent.receive(stage.now, Datagram::new(socket, server(), &mut answer));
                }
            }
            Output::Wait(Some(next)) => stage.now = stage.now.max(next),
            Output::Wait(None) => break,
            _ => {}
        }
    }
    assert_eq!(from_removed, [(0, Some(Duration::ZERO))], "deleted, and nothing more out of that socket");
}

#[test]
fn credentials_that_are_replaced_after_they_were_refused_are_used() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.agent.add_turn_server(stage.now, TurnServer::udp(server(), "user", "expired")).unwrap();
    let no = |request: &[u8]| Some(refused(request, ErrorCode::UNAUTHENTICATED, true));
    stage.serve_for(secs(1), no);
    let fault = |e: &Event| matches!(e, Event::ServerError { fault: ServerFault::Credentials { .. }, .. });
    assert!(stage.events.iter().any(fault), "{:?}", stage.events);
    stage.agent.add_turn_server(stage.now, TurnServer::udp(server(), "user", "fresh")).unwrap();
    let asked = stage.serve_for(secs(20), no);
    assert!(!asked.is_empty(), "nobody asks with the new ones");
}

#[test]
fn a_channel_that_is_refused_is_not_asked_for_with_every_datagram() {
    let mut stage = Stage::with_relay(hidden(Role::Controlling));
    stage.add_candidate(PEER, 2_130_706_431);
    let answer = |request: &[u8]| match method(request) {
        Some(Method::CHANNEL_BIND) => Some(refused(request, ErrorCode::FORBIDDEN, false)),
        _ => Some(granted(request)),
    };
    let mut binds = 0;
    let mut sent = 0;
    for _ in 0..300 {
        let asked = stage.serve_for(Duration::from_millis(20), answer);
        binds += asked.iter().filter(|r| method(r) == Some(Method::CHANNEL_BIND)).count();
        let all = core::mem::take(&mut stage.sent);
        for (peer, check) in all.iter().filter_map(|(_, bytes)| sent_on(bytes)).filter(|(_, d)| is_stun(d)) {
            if Message::parse(&check).unwrap().class() == Class::Request {
                let response = stage.response(&check, at(RELAYED));
                stage.receive(server(), &relayed_from(peer, &response));
            }
        }
        let mut scratch = [0; MAX_TRANSMIT];
        sent +=
            usize::from(stage.agent.send(stage.now, ComponentId::FIRST, &[0x80; 100], &mut scratch).is_ok());
    }
    assert!(sent > 200, "{sent}");
    assert!(binds <= 10, "{binds} requests for a channel in six seconds, for {sent} datagrams");
}

#[test]
fn losses_in_a_row_are_forgotten_by_an_allocation_that_has_lived() {
    let (mut stage, mut stream) =
        Stage::allocated_over_tcp(Stage::without_credentials(hidden(Role::Controlling)));
    let mut waits = Vec::new();
    for _ in 0..9 {
        // Hours may pass as well.
        stage.wait(secs(300));
        stage.serve_stream(stream, true);
        let before = stage.now;
        stage.agent.stream_closed(stage.now, stream, StreamEnd::Reset).unwrap();
        stream = loop {
            stage.poll();
            if let Some(stream) = stage.connects().pop() {
                break stream;
            }
            assert!(stage.now.since(before) < secs(600), "never: {waits:?}");
            stage.wait(secs(1));
        };
        waits.push(stage.now.since(before).as_secs());
        stage.open(stream);
    }
    assert!(waits.iter().all(|wait| *wait <= 2), "seconds without a try: {waits:?}");
}

/// RFC 8445 §14: no two new transactions sooner than Ta after each other.
#[test]
fn checks_that_wait_for_a_permission_keep_their_distance() {
    let mut stage = Stage::with_relay(hidden(Role::Controlling));
    for port in 0..20 {
        stage.add_candidate(SocketAddr::new(PEER.ip(), 5000 + port), 2_000_000_000 - u32::from(port));
    }
    // The answer takes as long as over a satellite, or after one loss.
    stage.poll();
    let mut asked = stage.asked();
    stage.wait(Duration::from_millis(600));
    asked.extend(stage.asked());
    stage.sent.clear();
    let permit = asked.iter().find(|r| method(r) == Some(Method::CREATE_PERMISSION)).unwrap();
    stage.receive(server(), &granted(permit));
    stage.poll();
    let at_once = stage.sent.iter().filter_map(|(_, bytes)| sent_on(bytes)).count();
    assert!(at_once <= 1, "{at_once} checks at the same moment");
}

/// The peer's check has overtaken the server's answer, or that was lost.
#[test]
fn an_answer_that_waits_for_a_permission_is_not_replaced_by_a_check() {
    let mut stage = Stage::with_relay(hidden(Role::Controlled));
    stage.add_candidate(PEER, 2_130_706_431);
    stage.poll();
    let mut asked = stage.asked();
    stage.wait(Duration::from_millis(60));
    asked.extend(stage.asked());
    let permit = asked.iter().find(|r| method(r) == Some(Method::CREATE_PERMISSION)).unwrap().clone();
    let check = stage.request(RoleClaim::Controlling(1), false);
    stage.receive(server(), &relayed_from(PEER, &check));
    stage.wait(Duration::from_millis(60));
    stage.sent.clear();
    stage.receive(server(), &granted(&permit));
    stage.poll();
    let classes: Vec<Class> = stage
        .sent
        .iter()
        .filter_map(|(_, bytes)| sent_on(bytes))
        .map(|(_, message)| Message::parse(&message).unwrap().class())
        .collect();
    assert!(classes.contains(&Class::Success), "{classes:?}");
}

/// Names of servers have several addresses, which come in another order each time.
#[test]
fn fresh_credentials_reach_the_allocation_whatever_the_order_of_addresses() {
    let mut stage = Stage::without_credentials(role(Role::Controlling));
    let give = |stage: &mut Stage, password: &str, first: u8| {
        let uris = vec!["turn:turn.example.org".parse().unwrap()];
        let entry = crate::server::IceServer::with_credentials(uris, "user", password).unwrap();
        stage.agent.add_ice_server(stage.now, &entry).unwrap();
        stage.poll();
        if let Some(query) = stage.queries.pop() {
            let addresses = [first, 10 + first].map(|n| core::net::IpAddr::from([192, 0, 2, n]));
            stage.agent.resolved(stage.now, query.id, Ok(&addresses)).unwrap();
        }
        stage.wait(secs(60));
    };
    for round in 1..=12 {
        give(&mut stage, &format!("password {round}"), round);
    }
    let servers = stage.agent.gatherer.relays.servers();
    let last = (0..servers).filter_map(|n| stage.agent.gatherer.relays.server(n)).next_back().unwrap();
    assert_eq!((servers, last.password.as_str()), (1, "password 12"));
}

/// The TURN server is the only one that knows from where we are seen.
#[test]
fn the_mapped_address_of_an_allocation_is_told_when_the_filter_lets_it_through() {
    let mut stage = Stage::with_relay(hidden(Role::Controlling));
    stage.agent.set_local_filter(stage.now, CandidateFilter::default()).unwrap();
    stage.serve_for(secs(10), |request| Some(granted(request)));
    let told = stage.told();
    assert!(told.iter().any(|line| line.contains("typ host")), "{told:?}");
    assert!(told.iter().any(|line| line.contains("typ srflx")), "{told:?}");
}

/// What was allocated for a socket goes with it: nothing is to be promised of it in the same breath.
#[test]
fn a_socket_that_goes_does_not_offer_its_relay() {
    let mut stage = Stage::with_relay(role(Role::Controlled));
    stage.add_candidate(PEER, 2_130_706_431);
    for _ in 0..30 {
        stage.serve_for(Duration::from_millis(50), |request| Some(granted(request)));
        stage.answer_all(PEER);
        let all = core::mem::take(&mut stage.sent);
        for (peer, check) in all.iter().filter_map(|(_, bytes)| sent_on(bytes)).filter(|(_, d)| is_stun(d)) {
            if Message::parse(&check).unwrap().class() == Class::Request {
                let response = stage.response(&check, at(RELAYED));
                stage.receive(server(), &relayed_from(peer, &response));
            }
        }
    }
    stage.events.clear();
    stage.agent.socket_down(stage.now, SocketId(0)).unwrap();
    stage.poll();
    let usable = |e: &Event| matches!(e, Event::PathUsable(_));
    assert!(!stage.events.iter().any(usable), "{:#?}", stage.events.iter().map(short).collect::<Vec<_>>());
}

#[test]
fn a_server_that_is_silent_is_told_of_at_once() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.agent.add_turn_server(stage.now, TurnServer::udp(server(), "user", "secret")).unwrap();
    stage.wait(Duration::from_millis(39_500));
    let told = |e: &Event| matches!(e, Event::ServerError { fault: ServerFault::NoAnswer, .. });
    assert!(stage.events.iter().any(told), "polled at the moment when it is given up, it says nothing");
}

/// Failed is the last word, as `absorb` says: who has ended has no more to tell.
#[test]
fn nothing_is_told_after_the_report() {
    let (mut stage, stream) = Stage::with_tcp_relay(role(Role::Controlling));
    stage.wait(secs(60));
    assert!(matches!(stage.events.last(), Some(Event::Failed(_))), "{:?}", stage.events.last());
    // It may be known no more: what it carried was given back.
    let _ = stage.agent.stream_closed(stage.now, stream, StreamEnd::Ended);
    stage.poll();
    assert!(matches!(stage.events.last(), Some(Event::Failed(_))), "{:?}", stage.events.last());
}

/// An agent that has failed relays nothing; what it has allocated would stay at the server for ten minutes.
#[test]
fn an_agent_that_fails_gives_its_allocation_back() {
    let mut stage = Stage::with_relay(role(Role::Controlling));
    let asked = stage.serve_for(secs(60), |request| Some(granted(request)));
    assert!(matches!(stage.events.last(), Some(Event::Failed(_))), "{:?}", stage.events.last());
    assert!(
        asked.iter().any(|r| lifetime_of(r) == Some(Duration::ZERO)),
        "{} requests, no deletion",
        asked.len()
    );
}

/// The answer to `Bind` is of no use, and the agent has said so.
#[test]
fn a_socket_at_a_wrong_address_is_not_waited_for() {
    let mut stage = Stage::new(role(Role::Controlling));
    stage.add_candidate(PEER, 2_130_706_431);
    stage.agent.add_turn_server(stage.now, TurnServer::udp(server(), "user", "secret")).unwrap();
    stage.serve_for(secs(1), |r| Some(refused(r, ErrorCode::ALLOCATION_MISMATCH, false)));
    let bind = |r: &SocketRequest| match r {
        SocketRequest::Bind { socket, .. } => Some(*socket),
        _ => None,
    };
    let socket = stage.requests.iter().find_map(bind).unwrap();
    let wrong = at("10.0.0.77:9999");
    assert_eq!(stage.agent.socket_opened(stage.now, socket, wrong), Err(CarrierError::WrongAddress(wrong)));
    stage.wait(secs(600));
    assert!(stage.events.iter().any(|e| matches!(e, Event::Failed(_))), "ten minutes have passed");
}
