//! One agent, and an application, a peer and a clock that do whatever they like.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end with a panic"
)]

use core::net::SocketAddr;
use core::time::Duration;

use floe_core::base::Tuple;
use floe_core::trace::{DropReason, PairPhase};
use floe_core::wire::{
    Class, ErrorCode, IntegrityKey, Message, MessageWriter, Method, RoleClaim, TransactionId, is_stun,
};
use floe_core::{
    Agent, AgentConfig, Candidate, ComponentId, Credentials, Datagram, Instant, MAX_TRANSMIT, Nomination,
    Output, Reach, Received, RemoteError, Role, SendError, Socket, SocketError, SocketId,
};
use floe_proptests::forge::mend;
use floe_proptests::thousand;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

mod servers;
mod steps;

use servers::Servers;
use steps::{Step, Whose, steps};

prop_state_machine! {
    #![proptest_config(thousand())]

    /// An agent lives in programs that err, under clocks that jump, facing peers that lie: whatever comes in whatever
    /// order, it must not panic, not spin, not send without a path, and stay closed once it is closed.
    #[test]
    fn any_order_of_inputs_is_survived(sequential 1..60 => Machine);
}

/// How many outputs one drain may give: pairs, answers and events are all bounded well below this.
const BUDGET: usize = 10_000;

/// What the application did, as far as it matters.
#[derive(Clone, Debug)]
struct Model {
    role: Role,
    nomination: Nomination,
    reach: Reach,
    deadline_ms: Option<u64>,
    is_closed: bool,
}

struct Machine;

impl ReferenceStateMachine for Machine {
    type State = Model;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Model> {
        let role = select(vec![Role::Controlling, Role::Controlled]);
        let nomination = select(vec![Nomination::Fast, Nomination::Regular, Nomination::Renominate]);
        let reach =
            prop_oneof![Just(Reach::Wide), (1_u16..20).prop_map(Reach::Pairs), Just(Reach::default())];
        (role, nomination, reach, prop::option::of(0_u64..60_000))
            .prop_map(|(role, nomination, reach, deadline_ms)| Model {
                role,
                nomination,
                reach,
                deadline_ms,
                is_closed: false,
            })
            .boxed()
    }

    fn transitions(_: &Model) -> BoxedStrategy<Step> {
        steps().boxed()
    }

    fn apply(mut model: Model, step: &Step) -> Model {
        model.is_closed |= matches!(step, Step::Close);
        model
    }
}

/// The agent, its clock, and what it has sent.
struct Bench {
    agent: Agent,
    peer: Credentials,
    /// What the agent is told.
    clock: Instant,
    /// The latest that it was told.
    latest: Instant,
    requests: Vec<(SocketId, SocketAddr, Vec<u8>)>,
    counter: u64,
    /// When the peer last answered a check with success.
    answered: Option<Instant>,
    is_closed: bool,
    /// Sockets that have been up and are not.
    sockets_down: Vec<SocketId>,
    servers: Servers,
}

impl StateMachineTest for Machine {
    type SystemUnderTest = Bench;
    type Reference = Self;

    fn init_test(model: &Model) -> Bench {
        let config = AgentConfig {
            role: model.role,
            nomination: model.nomination,
            reach: model.reach,
            deadline: model.deadline_ms.map(Duration::from_millis),
            ..Default::default()
        };
        Bench {
            agent: Agent::new(config, [1; 32]).unwrap(),
            peer: Credentials::new("peer", "the-password-of-the-peer").unwrap(),
            clock: Instant::ZERO,
            latest: Instant::ZERO,
            requests: Vec::new(),
            counter: 0,
            answered: None,
            is_closed: false,
            sockets_down: Vec::new(),
            servers: Servers::default(),
        }
    }

    fn apply(mut bench: Bench, model: &Model, step: Step) -> Bench {
        bench.take(step);
        assert_eq!(bench.is_closed, model.is_closed);
        bench
    }

    fn teardown(mut bench: Bench, _: Model) {
        bench.follow(50);
    }
}

impl Bench {
    fn take(&mut self, step: Step) {
        match step {
            Step::SocketUp { id, address } => {
                let now = self.now();
                let up = self.agent.socket_up(now, Socket::udp(SocketId(id), address));
                assert!(!self.is_closed || up == Err(SocketError::Ended));
                if up.is_ok() {
                    self.sockets_down.retain(|down| *down != SocketId(id));
                }
            }
            Step::Reflexive { id, address } => {
                let server = SocketAddr::from(([192, 0, 2, 1], 3478));
                let now = self.now();
                let added = self.agent.add_server_reflexive(now, SocketId(id), address, server);
                assert!(!self.is_closed || added == Err(SocketError::Ended));
            }
            Step::Credentials(whose) => {
                let credentials = self.credentials(whose);
                let now = self.now();
                let set = self.agent.set_remote_credentials(now, credentials);
                assert!(!self.is_closed || set == Err(RemoteError::Ended));
                assert!(!matches!(whose, Whose::Own) || set.is_err());
            }
            Step::Candidate(line) => {
                let candidate: Candidate = line.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
                let now = self.now();
                let added = self.agent.add_remote_candidate(now, &candidate);
                assert!(!self.is_closed || added == Err(RemoteError::Ended));
            }
            Step::EndOfCandidates => {
                let now = self.now();
                self.agent.end_of_remote_candidates(now);
            }
            Step::EndOf(whose) => {
                let ufrag = self.credentials(whose).ufrag().to_owned();
                let now = self.now();
                let ended = self.agent.end_of_remote_candidates_of(now, None, &ufrag);
                assert!(!self.is_closed || ended == Err(RemoteError::Ended));
            }
            Step::EndOfOurs => {
                let now = self.now();
                self.agent.end_of_local_candidates(now);
            }
            Step::Request { socket, remote, claim, priority, use_candidate } => {
                let bytes = self.request(claim, priority, use_candidate);
                self.receive(SocketId(socket), remote, bytes);
            }
            Step::Answer { request, from_elsewhere, code, mapped } => {
                if let Some((socket, remote, bytes)) = self.recall(request) {
                    let elsewhere = SocketAddr::from(([10, 9, 9, 9], 9));
                    let bytes = self.answer(&bytes, code, mapped);
                    if code.is_none() {
                        let now = self.now();
                        self.answered = Some(self.latest.max(now));
                    }
                    self.receive(socket, if from_elsewhere { elsewhere } else { remote }, bytes);
                }
            }
            Step::Damaged { model, all, how } => {
                if let Some((socket, remote, mut bytes)) = self.recall(model) {
                    all.iter().for_each(|one| one.apply(&mut bytes));
                    mend(&mut bytes, how);
                    self.receive(socket, remote, bytes);
                }
            }
            Step::Noise { socket, remote, bytes } => self.receive(SocketId(socket), remote, bytes),
            Step::Later(millis) => self.clock = self.clock + Duration::from_millis(millis),
            Step::Earlier(millis) => self.clock = self.clock - Duration::from_millis(millis),
            Step::Poll => {
                self.drain();
            }
            Step::Follow(times) => self.follow(times),
            Step::Send(payload) => self.send(&payload),
            Step::SendFailed(remote) => {
                let now = self.now();
                self.agent.send_failed(now, Tuple { socket: SocketId(0), remote });
            }
            Step::Restart(how) => {
                let now = self.now();
                let taken = match how {
                    0 => self.agent.prepare_restart(now).is_ok(),
                    1 => self.agent.apply_restart(now).is_ok(),
                    2 => self.agent.cancel_restart(now).is_ok() && !self.is_closed,
                    _ => self.agent.restart(now).is_ok(),
                };
                assert!(!(self.is_closed && taken));
            }
            Step::Accept(whose) => {
                let (now, credentials) = (self.now(), self.credentials(whose));
                let accepted = self.agent.accept_credentials(now, credentials, None);
                assert!(!self.is_closed || accepted == Err(RemoteError::Ended));
                assert!(!matches!(whose, Whose::Own) || accepted.is_err());
            }
            Step::SocketDown(id) => {
                let now = self.now();
                let down = self.agent.socket_down(now, SocketId(id));
                assert!(!self.is_closed || down == Err(SocketError::Ended));
                self.sockets_down.extend(down.is_ok().then_some(SocketId(id)));
            }
            Step::CandidateGone(line) => {
                let (now, candidate) = (self.now(), line.parse::<Candidate>().unwrap());
                let removed = self.agent.remove_remote_candidate(now, 0, &candidate);
                assert!(!self.is_closed || removed == Err(RemoteError::Ended));
            }
            Step::Renomination(understood) => {
                let now = self.now();
                self.agent.set_remote_renomination(now, understood);
            }
            Step::Note(trouble) => {
                let now = self.now();
                if trouble {
                    self.agent.note_trouble(now, ComponentId::FIRST);
                } else {
                    self.agent.note_alive(now, ComponentId::FIRST);
                }
            }
            Step::RemoveComponent => {
                let now = self.now();
                assert!(self.agent.remove_component(now, ComponentId::FIRST).is_err(), "it is the only one");
            }
            Step::Server { how, host } => self.server(how, host),
            Step::SocketAnswer { id, how } => self.socket_answer(id, how),
            Step::StreamAnswer { id, how, bytes } => self.stream_answer(id, how, &bytes),
            Step::Close => {
                let now = self.now();
                self.agent.close(now);
                self.is_closed = true;
            }
        }
    }

    fn credentials(&self, whose: Whose) -> Credentials {
        match whose {
            Whose::Peers => self.peer.clone(),
            Whose::Own => self.agent.local_credentials().clone(),
            Whose::Others => Credentials::new("other", "the-password-of-another").unwrap(),
        }
    }

    /// What the agent is told now.
    fn now(&mut self) -> Instant {
        self.latest = self.latest.max(self.clock);
        self.clock
    }

    /// Polls until the agent waits.
    fn drain(&mut self) -> Option<Instant> {
        let now = self.now();
        let mut scratch = [0; MAX_TRANSMIT];
        for _ in 0..BUDGET {
            match self.agent.poll(now, &mut scratch) {
                Output::Closed => {
                    assert!(self.is_closed);
                    return None;
                }
                Output::Wait(until) => {
                    // Allocations are deleted within a second.
                    assert!(!self.is_closed || self.servers.has_turn && until.is_some());
                    // Nothing is later than the end of time.
                    let is_over = self.latest == Instant::MAX;
                    assert!(
                        is_over || until.is_none_or(|at| at > self.latest),
                        "{until:?} at {}",
                        self.latest
                    );
                    return until;
                }
                Output::Transmit(transmit)
                    if transmit.stream.is_some() || servers::is_server(transmit.remote) =>
                {
                    assert!(!self.is_closed || self.servers.has_turn);
                    assert!(!self.sockets_down.contains(&transmit.socket), "it is gone");
                }
                Output::Transmit(transmit) => {
                    assert!(!self.is_closed);
                    assert!(!self.sockets_down.contains(&transmit.socket), "it is gone");
                    let message = Message::parse(transmit.contents).unwrap();
                    if message.class() == Class::Request {
                        self.requests.push((transmit.socket, transmit.remote, transmit.contents.to_vec()));
                    }
                }
                Output::Event(_) => assert!(!self.is_closed),
                Output::Socket(request) => assert!(self.servers.has_turn, "nobody gave one: {request:?}"),
                Output::Resolve(query) => {
                    assert!(!self.is_closed);
                    let addresses = [[10, 0, 0, 2].into(), [224, 0, 0, 1].into()];
                    self.agent.resolved(now, query.id, Ok(&addresses)).unwrap();
                }
            }
        }
        panic!("polls never end");
    }

    fn follow(&mut self, times: usize) {
        for _ in 0..times {
            let Some(at) = self.drain() else { return };
            self.clock = self.clock.max(at);
        }
        self.drain();
    }

    fn send(&mut self, payload: &[u8]) {
        let mut scratch = [0; MAX_TRANSMIT];
        let now = self.now();
        let sent = self.agent.send(now, ComponentId::FIRST, payload, &mut scratch);
        let sent = sent.map(|transmit| (transmit.remote, transmit.contents.to_vec()));
        match sent {
            Ok((remote, contents)) => {
                let age = self.answered.map(|last| self.latest.since(last));
                assert!(age.is_some_and(|age| age < Duration::from_secs(30)), "answered {age:?} ago");
                assert!(!self.is_closed && !is_stun(payload));
                assert_eq!(contents, payload);
                assert_eq!(self.agent.path(ComponentId::FIRST).map(|path| path.remote), Some(remote));
                // A restart shows the pairs of the new generation, and data takes the old one's.
                let (path, pairs) =
                    (self.agent.path(ComponentId::FIRST).unwrap(), self.agent.explain().pairs);
                let of_path = pairs.iter().find(|p| p.id == path.pair);
                let is_lent = pairs.iter().all(|p| p.id.generation() != path.pair.generation());
                assert!(of_path.map_or(is_lent, |p| p.phase == PairPhase::Succeeded));
            }
            Err(error) => assert!(!self.is_closed || error == SendError::Ended),
        }
    }

    fn receive(&mut self, socket: SocketId, remote: SocketAddr, mut bytes: Vec<u8>) {
        let now = self.now();
        match self.agent.receive(now, Datagram::new(socket, remote, &mut bytes)) {
            Received::Unclaimed(_) => {}
            Received::Dropped(reason) => assert!(!self.is_closed || reason == DropReason::Ended),
            Received::Consumed | Received::Data { .. } => assert!(!self.is_closed),
        }
    }

    fn recall(&self, which: Index) -> Option<(SocketId, SocketAddr, Vec<u8>)> {
        // The latest are the most interesting.
        let recent = &self.requests[self.requests.len().saturating_sub(12)..];
        (!recent.is_empty()).then(|| which.get(recent).clone())
    }

    fn request(&mut self, claim: Option<RoleClaim>, priority: Option<u32>, use_candidate: bool) -> Vec<u8> {
        self.counter += 1;
        let mut id = [0x55; 12];
        id[..8].copy_from_slice(&self.counter.to_be_bytes());
        let ours = self.agent.local_credentials();
        let mut buffer = [0; 256];
        let mut message = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, TransactionId(id))
            .username(ours.ufrag(), self.peer.ufrag());
        if let Some(claim) = claim {
            message = message.role(claim);
        }
        if let Some(priority) = priority {
            message = message.priority(priority);
        }
        if use_candidate {
            message = message.use_candidate();
        }
        let length = message.sign(&IntegrityKey::short_term(ours.password())).unwrap();
        buffer[..length].to_vec()
    }

    fn answer(&self, request: &[u8], code: Option<u16>, mapped: SocketAddr) -> Vec<u8> {
        let id = Message::parse(request).unwrap().transaction_id();
        let mut buffer = [0; 256];
        let key = IntegrityKey::short_term(self.peer.password());
        let class = if code.is_some() { Class::Error } else { Class::Success };
        let message = MessageWriter::new(&mut buffer, class, Method::BINDING, id);
        let message = match code {
            Some(code) => message.error_code(ErrorCode::new(code, "").unwrap()),
            None => message.xor_mapped_address(mapped),
        };
        let length = message.sign(&key).unwrap();
        buffer[..length].to_vec()
    }
}
