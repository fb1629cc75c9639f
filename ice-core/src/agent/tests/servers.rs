//! Server-reflexive candidates, gathered by the agent itself (RFC 8445 §5.1.1.2).

use super::*;
use crate::base::{SocketId, Tuple};
use crate::candidate::CandidateType;
use crate::gather::{GATHERING_PATIENCE, MAX_STUN_SERVERS, ServerError};
use crate::trace::DropReason;
use crate::wire::{Class, ErrorCode, Message, MessageWriter, Method, TransactionId};

pub(super) const RTT: u64 = 40;
pub(super) const HOME: &str = "10.0.0.1:5000";

/// An agent, and servers that answer as the test says.
pub(super) struct Place {
    pub(super) now: Instant,
    pub(super) agent: Agent,
    /// When what went from which socket to whom.
    pub(super) asked: Vec<(u64, Tuple)>,
    /// Other requests: checks.
    pub(super) checks: Vec<u64>,
    pub(super) events: Vec<(u64, Event)>,
    answers: Vec<(u64, Tuple, Vec<u8>)>,
}

pub(super) enum Reply {
    Nothing,
    Sees(&'static str),
    /// As a server of before RFC 5389 would.
    SeesClassic(&'static str),
    Refuses(ErrorCode<'static>),
}

pub(super) fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(super) fn server(number: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, number], 3478))
}

fn answer(id: TransactionId, reply: &Reply) -> Option<Vec<u8>> {
    let mut buffer = [0; 128];
    let class = if matches!(reply, Reply::Refuses(_)) { Class::Error } else { Class::Success };
    let message = MessageWriter::new(&mut buffer, class, Method::BINDING, id);
    // Servers need not add a FINGERPRINT.
    let length = match reply {
        Reply::Nothing => return None,
        Reply::Sees(address) => message.xor_mapped_address(at(address)).finish(),
        Reply::SeesClassic(address) => message.mapped_address(at(address)).finish(),
        Reply::Refuses(code) => message.error_code(*code).finish(),
    };
    Some(buffer[..length.unwrap()].to_vec())
}

impl Place {
    pub(super) fn new(config: AgentConfig) -> Self {
        let agent = Agent::new(config, [7; 32]).unwrap();
        let (asked, checks, events, answers) = (vec![], vec![], vec![], vec![]);
        let mut place = Self { now: Instant::ZERO, agent, asked, checks, events, answers };
        place.up(0, HOME);
        place
    }

    pub(super) fn up(&mut self, id: u32, local: &str) {
        self.agent.socket_up(self.now, Socket::udp(SocketId(id), at(local))).unwrap();
    }

    pub(super) fn add(&mut self, number: u8) {
        self.agent.add_stun_server(self.now, server(number)).unwrap();
    }

    pub(super) fn run(&mut self, until: u64, reply: impl Fn(Tuple) -> Reply) {
        let until = Instant::from_millis(until);
        loop {
            let wake = self.poll(&reply);
            let next = wake.into_iter().chain(self.answers.first().map(|a| Instant::from_millis(a.0))).min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            let (due, rest) =
                core::mem::take(&mut self.answers).into_iter().partition(|a| a.0 <= self.now.as_millis());
            self.answers = rest;
            let due: Vec<_> = due;
            for (_, tuple, bytes) in due {
                self.receive(tuple, bytes).ok();
            }
        }
        self.now = until;
        self.poll(&reply);
    }

    fn receive(&mut self, tuple: Tuple, mut bytes: Vec<u8>) -> Result<(), DropReason> {
        match self.agent.receive(self.now, Datagram::new(tuple.socket, tuple.remote, &mut bytes)) {
            Received::Dropped(reason) => Err(reason),
            _ => Ok(()),
        }
    }

    pub(super) fn poll(&mut self, reply: &impl Fn(Tuple) -> Reply) -> Option<Instant> {
        let (now, mut scratch) = (self.now.as_millis(), [0; MAX_TRANSMIT]);
        loop {
            match self.agent.poll(self.now, &mut scratch) {
                Output::Transmit(t) => {
                    let message = Message::parse(t.contents).unwrap();
                    let tuple = Tuple { socket: t.socket, remote: t.remote };
                    if message.username_halves().is_some() {
                        self.checks.push(now);
                        continue;
                    }
                    assert!(!message.has_integrity());
                    self.asked.push((now, tuple));
                    let answer = answer(message.transaction_id(), &reply(tuple));
                    self.answers.extend(answer.map(|bytes| (now + RTT, tuple, bytes)));
                }
                Output::Event(event) => self.events.push((now, event)),
                Output::Wait(at) => return at,
                Output::Resolve(_) | Output::Socket(_) | Output::Closed => return None,
            }
        }
    }

    pub(super) fn reflexive(&self) -> Vec<(u64, SocketAddr)> {
        let told = self.events.iter().filter_map(|(at, e)| match e {
            Event::LocalCandidate { candidate, .. } if candidate.kind == CandidateType::ServerReflexive => {
                Some((*at, candidate.address.socket_addr()?))
            }
            _ => None,
        });
        told.collect()
    }

    pub(super) fn ends(&self) -> Vec<u64> {
        self.events.iter().filter(|(_, e)| *e == Event::GatheringDone).map(|(at, _)| *at).collect()
    }
}

#[test]
fn the_answer_of_an_old_server_is_understood() {
    let mut place = Place::new(role(Role::Controlling));
    place.add(1);
    place.run(1_000, |_| Reply::SeesClassic("203.0.113.9:6000"));
    assert_eq!(place.reflexive(), [(RTT, at("203.0.113.9:6000"))]);
}

#[test]
fn each_socket_asks_each_server_of_its_family_and_gathering_ends_with_the_last_answer() {
    let mut place = Place::new(role(Role::Controlling));
    place.up(1, "[2001:db8::1]:5000");
    place.add(1);
    place.add(2);
    place.run(3_000, |_| Reply::Sees("203.0.113.9:6000"));
    let tuple = |number| Tuple { socket: SocketId(0), remote: server(number) };
    assert_eq!(place.asked, [(0, tuple(1)), (50, tuple(2))]);
    // Both see the same: the second is redundant (RFC 8445 §5.1.3).
    assert_eq!(place.reflexive(), [(RTT, at("203.0.113.9:6000"))]);
    assert_eq!(place.ends(), [50 + RTT]);
}

#[test]
fn a_dead_server_delays_nothing_but_the_end() {
    let mut place = Place::new(role(Role::Controlling));
    place.add(1);
    place.add(2);
    place.run(
        60_000,
        |t| if t.remote == server(1) { Reply::Nothing } else { Reply::Sees("203.0.113.9:6000") },
    );
    assert_eq!(place.reflexive(), [(50 + RTT, at("203.0.113.9:6000"))]);
    assert_eq!(place.ends(), [GATHERING_PATIENCE.as_millis() as u64]);
    let dead: Vec<u64> =
        place.asked.iter().filter(|(_, t)| t.remote == server(1)).map(|(at, _)| *at).collect();
    assert_eq!(dead, [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]);
}

#[test]
fn a_late_answer_still_gives_a_candidate() {
    let mut place = Place::new(role(Role::Controlling));
    place.add(1);
    place.run(6_000, |_| Reply::Nothing);
    place.run(20_000, |_| Reply::Sees("203.0.113.9:6000"));
    assert_eq!(place.reflexive(), [(7_500 + RTT, at("203.0.113.9:6000"))]);
}

#[test]
fn servers_and_sockets_that_come_later_are_asked_too() {
    let mut place = Place::new(role(Role::Controlling));
    place.add(1);
    let seen =
        |t: Tuple| Reply::Sees(if t.socket == SocketId(0) { "203.0.113.9:6000" } else { "203.0.113.9:7000" });
    place.run(1_000, seen);
    place.up(1, "10.0.0.2:5000");
    place.run(2_000, seen);
    place.agent.add_stun_server(place.now, server(1)).unwrap();
    place.add(2);
    place.run(3_000, seen);
    assert_eq!(place.asked.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 1_000, 2_000, 2_050]);
    assert_eq!(place.reflexive().len(), 2);
    assert_eq!(place.ends(), [RTT, 1_000 + RTT, 2_050 + RTT]);
}

/// RFC 8445 §14.1: one new transaction in each Ta, and neither starves the other.
#[test]
fn questions_and_checks_take_turns() {
    let mut place = Place::new(role(Role::Controlling));
    let peer = Credentials::new("peer", "a-password-of-twenty-two").unwrap();
    place.agent.set_remote_credentials(place.now, peer).unwrap();
    for host in 1..=4 {
        let line = format!("candidate:{host} 1 UDP {} 10.0.1.{host} 5000 typ host", 2_130_706_431 - host);
        place.agent.add_remote_candidate(place.now, &line.parse().unwrap()).unwrap();
    }
    for number in 1..=4 {
        place.add(number);
    }
    place.run(399, |_| Reply::Nothing);
    assert_eq!(place.asked.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 100, 200, 300]);
    assert_eq!(place.checks, [50, 150, 250, 350]);
}

#[test]
fn answers_that_nobody_asked_for_change_nothing() {
    let mut place = Place::new(role(Role::Controlling));
    place.add(1);
    place.run(10, |_| Reply::Nothing);
    let tuple = place.asked[0].1;
    let forged = |id| answer(id, &Reply::Sees("198.51.100.66:6")).unwrap();
    let stranger = forged(TransactionId([1; 12]));
    assert!(place.receive(tuple, stranger).is_err());
    // Rightly numbered, from elsewhere.
    let mut scratch = [0; MAX_TRANSMIT];
    place.now = Instant::from_millis(500);
    let Output::Transmit(again) = place.agent.poll(place.now, &mut scratch) else { panic!("it is repeated") };
    let id = Message::parse(again.contents).unwrap().transaction_id();
    assert!(place.receive(Tuple { remote: server(2), ..tuple }, forged(id)).is_err());
    place.run(600, |_| Reply::Nothing);
    assert_eq!(place.reflexive(), []);
    assert_eq!(place.receive(tuple, forged(id)), Ok(()));
    place.run(700, |_| Reply::Nothing);
    assert_eq!(place.reflexive().len(), 1);
    assert!(place.receive(tuple, forged(id)).is_err(), "a copy");
}

#[test]
fn a_refusal_is_told_and_gives_no_candidate() {
    let mut place = Place::new(role(Role::Controlling));
    place.add(1);
    place.run(100, |_| Reply::Refuses(ErrorCode::BAD_REQUEST));
    let reason = ErrorCode::BAD_REQUEST.reason().into();
    let fault = ServerFault::Refused { code: 400, reason };
    let refused = Event::ServerError { server: server(1), socket: SocketId(0), fault };
    assert!(place.events.contains(&(RTT, refused)), "{:?}", place.events);
    assert_eq!((place.reflexive(), place.ends()), (vec![], vec![RTT]));
}

/// RFC 8445 §5.1.1.4: the NAT is to keep the mapping until there is no more need of it.
#[test]
fn mappings_are_kept_alive_until_a_pair_is_selected() {
    let mut place = Place::new(role(Role::Controlling));
    place.add(1);
    let seen = |_| Reply::Sees("203.0.113.9:6000");
    place.run(40_000, seen);
    let times = |place: &Place| place.asked.iter().map(|(at, _)| *at).collect::<Vec<_>>();
    assert_eq!(times(&place), [0, 15_000 + RTT, 30_000 + 2 * RTT]);
    assert_eq!(place.ends().len(), 1, "a refresh is no gathering");
    place.agent.socket_down(place.now, SocketId(0)).unwrap();
    place.run(100_000, seen);
    assert_eq!(times(&place).len(), 3, "the socket is gone");

    // Of two agents that have selected, nobody asks any more.
    let mut bench = Bench::new([role(Role::Controlling), role(Role::Controlled)]);
    bench.agents[0].add_stun_server(Instant::ZERO, server(1)).unwrap();
    bench.run(Instant::ZERO);
    let (.., question) = bench.flying.remove(0);
    let id = Message::parse(&question).unwrap().transaction_id();
    let mut answer = answer(id, &Reply::Sees("203.0.113.9:6000")).unwrap();
    let received = bench.agents[0].receive(bench.now, Datagram::new(SocketId(0), server(1), &mut answer));
    assert!(matches!(received, Received::Consumed));
    assert_eq!(bench.agents[0].next_server_deadline(), Some(Instant::from_millis(15_000)));
    bench.signal();
    bench.run(Instant::from_millis(2_000));
    assert!(bench.agents[0].selected_path(ComponentId::FIRST).is_some());
    assert_eq!(bench.agents[0].next_server_deadline(), None);
}

#[test]
fn a_mapping_that_changes_is_a_new_candidate() {
    let mut place = Place::new(role(Role::Controlling));
    place.add(1);
    place.run(10_000, |_| Reply::Sees("203.0.113.9:6000"));
    place.run(20_000, |_| Reply::Sees("203.0.113.9:7000"));
    assert_eq!(
        place.reflexive(),
        [(RTT, at("203.0.113.9:6000")), (15_000 + 2 * RTT, at("203.0.113.9:7000"))]
    );
}

#[test]
fn silent_servers_are_named_and_two_answers_tell_of_the_nat() {
    let mut place = Place::new(role(Role::Controlling));
    place.add(1);
    place.run(5_000, |_| Reply::Nothing);
    let silent = Cause::NoServerAnswered { server: server(1), servers: 1, requests: 4 };
    assert!(place.events.iter().any(|(_, e)| *e == Event::Trouble(silent)), "{:?}", place.events);

    for (other, expected) in [
        ("203.0.113.9:6000", MappingKnowledge::EndpointIndependent),
        ("203.0.113.9:6001", MappingKnowledge::EndpointDependent),
    ] {
        let mut place = Place::new(role(Role::Controlling));
        place.add(1);
        assert_eq!(place.agent.mapping(), MappingKnowledge::Unknown);
        place.add(2);
        place.run(1_000, |t| {
            if t.remote == server(1) { Reply::Sees("203.0.113.9:6000") } else { Reply::Sees(other) }
        });
        assert_eq!(place.agent.mapping(), expected);
    }
}

#[test]
fn servers_are_bounded_and_checked() {
    let mut place = Place::new(role(Role::Controlling));
    for number in 1..=MAX_STUN_SERVERS as u8 {
        place.add(number);
    }
    assert_eq!(place.agent.add_stun_server(place.now, server(99)), Err(ServerError::TooMany));
    let nowhere = at("0.0.0.0:3478");
    let refused = Err(ServerError::NotATransportAddress(nowhere));
    assert_eq!(place.agent.add_stun_server(place.now, nowhere), refused);
    place.agent.close(place.now);
    assert_eq!(place.agent.add_stun_server(place.now, server(1)), Err(ServerError::Ended));
    let lite = AgentConfig { lite: true, ..role(Role::Controlled) };
    let mut place = Place::new(lite);
    assert_eq!(place.agent.add_stun_server(place.now, server(1)), Err(ServerError::HostOnly));
}

#[test]
fn the_more_is_asked_the_later_it_is_asked_again() {
    for (servers, again) in [(1, 500), (8, 800)] {
        let mut place = Place::new(AgentConfig::default());
        place.up(1, "10.0.0.1:5001");
        (0..servers).for_each(|number| place.add(number));
        place.run(2_000, |_| Reply::Nothing);
        let first = place.asked[0].1;
        let times: Vec<u64> = place.asked.iter().filter(|(_, tuple)| *tuple == first).map(|a| a.0).collect();
        // RFC 8445 section 14.3: Ta times sixteen questions is more than 500 ms.
        assert_eq!(times[..2], [0, again]);
    }
}
