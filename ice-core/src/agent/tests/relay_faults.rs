//! What goes wrong around allocations: servers that come and go, permissions without end, ends in the middle of something.

use super::puppet::{PEER, Stage};
use super::relay_bench::*;
use super::*;
use crate::base::{SocketId, StreamEnd};
use crate::candidate::CandidateFilter;
use crate::gather::TurnServer;
use crate::wire::{Class, ErrorCode, Message, MessageWriter, Method, RoleClaim, is_stun};

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
