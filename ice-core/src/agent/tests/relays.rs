//! Allocations as the agent's application sees them, where the server does nothing, or does it too late.

use super::*;
use crate::base::{SocketId, StreamId};
use crate::candidate::CandidateType;
use crate::gather::TurnServer;
use crate::wire::{Class, Message, MessageWriter, Method};

const SERVER: &str = "192.0.2.9:3478";

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// An agent of two components, with a socket for each and a TURN server that asks no questions.
struct Place {
    now: Instant,
    agent: Agent,
    /// When the server was asked what, from which socket.
    asked: Vec<(u64, Method, SocketId)>,
    events: Vec<(u64, Event)>,
    /// Those that were asked for, and those that are open.
    streams: Vec<StreamId>,
    open: Vec<StreamId>,
    answers: bool,
    /// What the server gives, if not a port of its own for each socket.
    relayed: Option<SocketAddr>,
    is_over: bool,
}

impl Place {
    fn new(config: AgentConfig, server: TurnServer, answers: bool) -> Self {
        let config = AgentConfig { streams: vec![2], ..config };
        let mut agent = Agent::new(config, [7; 32]).unwrap();
        for (id, component) in [(0, 1), (1, 2)] {
            let local = SocketAddr::from(([10, 0, 0, 1], 5_000 + component));
            let socket = Socket::udp(SocketId(id), local).component(ComponentId { stream: 0, component });
            agent.socket_up(Instant::ZERO, socket).unwrap();
        }
        agent.add_turn_server(Instant::ZERO, server).unwrap();
        let (asked, events, streams, open) = (vec![], vec![], vec![], vec![]);
        Self {
            now: Instant::ZERO,
            agent,
            asked,
            events,
            streams,
            open,
            answers,
            relayed: None,
            is_over: false,
        }
    }

    fn run(&mut self, until: u64) {
        let until = Instant::from_millis(until);
        let mut scratch = [0; MAX_TRANSMIT];
        loop {
            match self.agent.poll(self.now, &mut scratch) {
                Output::Transmit(t) if t.remote == at(SERVER) => {
                    let (socket, stream) = (t.socket, t.stream);
                    let asked = Message::parse(t.contents).unwrap();
                    self.asked.push((self.now.as_millis(), asked.method(), socket));
                    if !self.answers || asked.class() != Class::Request {
                        continue;
                    }
                    let mut bytes = grant(&asked, self.relayed.unwrap_or_else(|| relayed(socket)));
                    match stream {
                        Some(stream) => {
                            let mut room = [0; 2_048];
                            self.agent.stream_input(self.now, stream, &mut &bytes[..], &mut room);
                        }
                        None => {
                            self.agent.receive(self.now, Datagram::new(socket, at(SERVER), &mut bytes));
                        }
                    }
                }
                Output::Transmit(_) => {}
                Output::Event(event) => self.events.push((self.now.as_millis(), event)),
                Output::Socket(SocketRequest::Connect { stream, .. }) => self.streams.push(stream),
                Output::Wait(Some(at)) if at <= until => self.now = at.max(self.now),
                Output::Wait(_) => break,
                Output::Closed => {
                    self.is_over = true;
                    break;
                }
                Output::Socket(_) => {}
                other @ Output::Resolve(_) => panic!("{other:?}"),
            }
        }
        self.now = until;
    }

    /// Opens the streams that were asked for.
    fn open(&mut self) {
        self.run(0);
        for stream in core::mem::take(&mut self.streams) {
            self.agent.stream_opened(self.now, stream, at("10.0.0.1:6000")).unwrap();
            self.open.push(stream);
        }
        assert_eq!(self.open.len(), 2);
    }

    /// How many relayed candidates were told.
    fn relayed(&self) -> usize {
        let is_relayed = |(_, event): &&(u64, Event)| matches!(event, Event::LocalCandidate { candidate, .. } if candidate.kind == CandidateType::Relayed);
        self.events.iter().filter(is_relayed).count()
    }

    fn faults(&self) -> Vec<(u64, SocketId, ServerFault)> {
        let fault = |(at, event): &(u64, Event)| match event {
            Event::ServerError { socket, fault, .. } => Some((*at, *socket, fault.clone())),
            _ => None,
        };
        self.events.iter().filter_map(fault).collect()
    }
}

fn relayed(socket: SocketId) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 1], 50_000 + socket.0 as u16))
}

/// Success, with that relayed address.
fn grant(asked: &Message<'_>, relayed: SocketAddr) -> Vec<u8> {
    let mut buffer = [0; 128];
    let message = MessageWriter::new(&mut buffer, Class::Success, asked.method(), asked.transaction_id());
    let length = message.xor_relayed_address(relayed).lifetime(Duration::from_secs(600)).finish().unwrap();
    buffer[..length].to_vec()
}

#[test]
fn a_server_that_never_answers_is_told_as_soon_as_its_request_has_run_out() {
    let mut place = Place::new(AgentConfig::default(), TurnServer::udp(at(SERVER), "user", "secret"), false);
    place.run(100_000);
    // One in each Ta, and 39.5 s of patience for each.
    let expected =
        [(39_500, SocketId(0), ServerFault::NoAnswer), (39_550, SocketId(1), ServerFault::NoAnswer)];
    assert_eq!(place.faults(), expected);
}

#[test]
fn a_component_that_is_removed_takes_its_allocations_with_it() {
    let mut place = Place::new(AgentConfig::default(), TurnServer::udp(at(SERVER), "user", "secret"), true);
    place.run(1_000);
    let before = place.asked.len();
    place.agent.remove_component(place.now, ComponentId { stream: 0, component: 2 }).unwrap();
    place.run(1_000_000);
    let later = &place.asked[before..];
    // The one thing that still goes out of its socket deletes what the server keeps for it (RFC 8656 §8).
    let (last, later): (Vec<_>, Vec<_>) =
        later.iter().copied().partition(|(_, _, socket)| *socket == SocketId(1));
    assert_eq!(last, [(1_000, Method::REFRESH, SocketId(1))]);
    assert!(later.iter().any(|(_, method, socket)| (*method, *socket) == (Method::REFRESH, SocketId(0))));
}

#[test]
fn an_agent_that_has_failed_says_nothing_of_servers_that_go_then_and_ends_when_it_is_closed() {
    let config = AgentConfig { deadline: Some(Duration::from_secs(5)), ..Default::default() };
    let mut place = Place::new(config, TurnServer::tcp(at(SERVER), "user", "secret"), true);
    place.open();
    place.run(6_000);
    assert_eq!(place.relayed(), 2);
    assert!(matches!(place.events.last(), Some((5_000, Event::Failed(_)))), "{:?}", place.events);
    let told = place.events.len();
    for stream in place.open.clone() {
        // It may be known no more: what it carried was given back.
        let _ = place.agent.stream_closed(place.now, stream, StreamEnd::Reset);
    }
    place.run(60_000);
    assert_eq!(place.events.len(), told, "{:?}", place.events.last());
    place.agent.close(place.now);
    place.run(61_000);
    assert!(place.is_over);
}

#[test]
fn a_closed_agent_asks_for_no_other_allocation_when_its_stream_ends() {
    let server = TurnServer::tcp(at(SERVER), "user", "secret");
    let mut place = Place::new(AgentConfig::default(), server, true);
    place.open();
    place.run(1_000);
    assert_eq!(place.relayed(), 2);
    place.agent.close(place.now);
    place.answers = false;
    let asked = place.asked.len();
    place.run(1_001);
    assert!(place.asked[asked..].iter().all(|(_, method, _)| *method == Method::REFRESH));
    // Servers close the connection with the allocation.
    for stream in place.open.clone() {
        place.agent.stream_closed(place.now, stream, StreamEnd::Ended).unwrap();
    }
    place.run(2_000);
    assert!(place.is_over && place.streams.is_empty(), "it asks for {:?}", place.streams);
}

#[test]
fn a_relayed_address_that_is_a_hosts_is_no_candidate_and_is_given_back() {
    let server = TurnServer::udp(at(SERVER), "user", "secret");
    let mut place = Place::new(AgentConfig::default(), server, true);
    place.relayed = Some(at("10.0.0.1:5001"));
    place.run(5_000);
    assert_eq!(place.relayed(), 0, "{:?}", place.events);
    let asked: Vec<Method> = place.asked.iter().map(|(_, method, _)| *method).collect();
    assert_eq!(asked, [Method::ALLOCATE, Method::REFRESH, Method::ALLOCATE, Method::REFRESH]);
}
