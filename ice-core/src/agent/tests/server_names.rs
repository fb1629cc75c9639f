//! Servers by their URIs, with names for addresses.

use core::net::IpAddr;

use super::*;
use crate::agent::{Query, ResolveError, SocketRequest, Unresolved};
use crate::base::SocketId;
use crate::gather::ServerError;
use crate::server::IceServer;

/// What an agent with a socket of each family says, all in one list.
struct Told {
    agent: Agent,
    now: Instant,
    queries: Vec<Query>,
    asked: Vec<SocketAddr>,
    connects: Vec<(SocketAddr, Option<String>)>,
    events: Vec<Event>,
}

impl Told {
    fn new() -> Self {
        let mut agent = Agent::new(AgentConfig::default(), [7; 32]).unwrap();
        for (id, local) in [(0, "10.0.0.1:5000"), (1, "[2001:db8::1]:5000")] {
            agent.socket_up(Instant::ZERO, Socket::udp(SocketId(id), local.parse().unwrap())).unwrap();
        }
        let (queries, asked, connects, events) = (vec![], vec![], vec![], vec![]);
        Self { agent, now: Instant::ZERO, queries, asked, connects, events }
    }

    fn run(&mut self, millis: u64) {
        let until = Instant::from_millis(millis);
        let mut scratch = [0; MAX_TRANSMIT];
        loop {
            match self.agent.poll(self.now, &mut scratch) {
                Output::Transmit(t) => self.asked.push(t.remote),
                Output::Event(event) => self.events.push(event),
                Output::Resolve(query) => self.queries.push(query),
                Output::Socket(SocketRequest::Connect { remote, tls, .. }) => {
                    self.connects.push((remote, tls));
                }
                Output::Socket(_) => {}
                Output::Wait(Some(at)) if at <= until => self.now = at.max(self.now),
                Output::Wait(_) | Output::Closed => break,
            }
        }
        self.now = until;
    }

    fn is_done(&self) -> bool {
        self.events.contains(&Event::GatheringDone)
    }
}

fn server(uris: &[&str]) -> IceServer {
    let uris = uris.iter().map(|uri| uri.parse().unwrap()).collect();
    IceServer::with_credentials(uris, "user", "secret").unwrap()
}

fn ips(list: &[&str]) -> Vec<IpAddr> {
    list.iter().map(|ip| ip.parse().unwrap()).collect()
}

#[test]
fn a_name_is_asked_for_once_and_its_servers_at_an_address_of_each_family() {
    let mut told = Told::new();
    let uris = ["stun:a.example:3479", "turn:a.example", "turns:A.example:443", "turn:192.0.2.7:5000"];
    told.agent.add_ice_server(told.now, &server(&uris)).unwrap();
    told.run(1_000);
    assert_eq!(told.queries.iter().map(|q| q.name.as_str()).collect::<Vec<_>>(), ["a.example"]);
    assert!(told.asked.iter().all(|to| to.to_string() == "192.0.2.7:5000"), "{:?}", told.asked);
    assert!(!told.is_done(), "the name may bring more");
    let id = told.queries[0].id;
    let found = ips(&["224.0.0.1", "192.0.2.1", "2001:db8::9", "192.0.2.2", "2001:db8::a"]);
    told.asked.clear();
    told.agent.resolved(told.now, id, Ok(&found)).unwrap();
    told.run(1_400);
    let mut asked: Vec<String> = told.asked.iter().map(ToString::to_string).collect();
    asked.sort();
    asked.dedup();
    let expected = ["192.0.2.1:3478", "192.0.2.1:3479", "[2001:db8::9]:3478", "[2001:db8::9]:3479"];
    assert!(expected.iter().all(|e| asked.iter().any(|a| a == e)), "{asked:?}");
    assert!(!asked.iter().any(|a| a.contains("0.2.2") || a.contains("::a") || a.contains("224.")));
    told.connects.sort();
    let tls = Some(String::from("A.example"));
    let expected = ["192.0.2.1:443", "[2001:db8::9]:443"].map(|to| (to.parse().unwrap(), tls.clone()));
    assert_eq!(told.connects, expected);
    // Asked for and answered.
    let again = told.agent.resolved(told.now, id, Ok(&found));
    assert_eq!(again, Err(ResolveError::UnknownQuery(id)));
}

#[test]
fn a_name_without_an_address_is_told_and_ends_the_wait() {
    let mut told = Told::new();
    told.agent.add_ice_server(told.now, &server(&["turn:gone.example"])).unwrap();
    told.run(100);
    assert!(!told.is_done());
    told.agent.resolved(told.now, told.queries[0].id, Err(Unresolved)).unwrap();
    told.run(110);
    assert!(told.events.contains(&Event::ServerUnresolved { name: "gone.example".into() }));
    assert!(told.is_done(), "{:?}", told.events);
}

#[test]
fn a_resolver_that_never_answers_does_not_hold_up_the_end_of_gathering() {
    let mut told = Told::new();
    told.agent.add_ice_server(told.now, &server(&["stun:slow.example"])).unwrap();
    told.run(4_999);
    assert!(!told.is_done());
    told.run(5_000);
    assert!(told.is_done());
}

#[test]
fn an_entry_that_cannot_be_asked_is_refused_as_a_whole() {
    for uri in ["stuns:a.example", "turns:a.example?transport=udp"] {
        let mut told = Told::new();
        let error = told.agent.add_ice_server(told.now, &server(&["stun:192.0.2.1", uri])).unwrap_err();
        assert!(matches!(error, ServerError::Unsupported(_)), "{error}");
        assert!(error.to_string().contains(uri), "{error}");
        told.run(1_000);
        assert_eq!(told.asked, []);
    }
}

#[test]
fn names_without_end_are_refused() {
    let mut told = Told::new();
    let most = crate::agent::MAX_SERVER_NAMES;
    for n in 0..most {
        told.agent.add_ice_server(told.now, &server(&[&format!("stun:n{n}.example")])).unwrap();
    }
    let error = told.agent.add_ice_server(told.now, &server(&["stun:one.more.example"]));
    assert_eq!(error, Err(ServerError::TooMany));
    told.run(10);
    assert_eq!(told.queries.len(), most);
}
