//! An agent with a puppet for a peer and a script for an application. After each step the agent is checked: `poll` comes
//! to an end, waits for something that is yet to come, and keeps to its limits.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use floe_core::candidate::MAX_NETWORK_COST;
use floe_core::trace::DropReason;
use floe_core::wire::{Class, ErrorCode, Message, RoleClaim, TransactionId};
use floe_core::{
    Agent, AgentConfig, ComponentId, DEFAULT_PAIRS, Datagram, Event, Instant, MAX_PAIRS, MAX_TRANSMIT,
    Nomination, Output, PathMeasure, Preference, Reach, Received, Role, Socket, SocketId, Transmit, Tuple,
};

use crate::forge::Forge;
use crate::memory::MOST_BYTES;
use crate::places::{Place, own};
use crate::script::{Action, Setting, Step, pick};

mod act;
mod known;
mod servers;
mod signalling;

use known::Known;
use servers::Servers;

/// The agent and what is around it.
pub struct Stage {
    agent: Agent,
    now: Instant,
    /// When the agent wants to be polled.
    wake: Option<Instant>,
    forge: Forge,
    /// The most pairs that it may have.
    pairs: usize,
    /// Those that are up, and their components.
    sockets: BTreeMap<SocketId, (SocketAddr, ComponentId)>,
    known: Known,
    /// The newest requests of the agent, each to one generation of the peer, and the newest datagrams.
    asked: VecDeque<(Tuple, TransactionId, usize)>,
    sent: VecDeque<Vec<u8>>,
    /// Flows on which the peer has proven who it is.
    proven: BTreeSet<Tuple>,
    /// When a check or a consent check of the agent was last answered there.
    answered: BTreeMap<Tuple, Instant>,
    signalled: bool,
    /// The components that the agent has told of a path for.
    told_of_path: BTreeSet<ComponentId>,
    failed: bool,
    closed: bool,
    servers: Servers,
    /// What is left to do, so that no input takes for ever.
    effort: u32,
}

impl Stage {
    /// An agent without sockets that knows nothing of its peer. `config`: role, nomination, reach (two bits),
    /// Ta (two bits), whether it nominates again, whether it restarts by itself; `limits`: tie-breaker (two bits),
    /// deadline (two bits). The rest is for the targets. `streams`: two bits.
    pub fn new(setting: Setting, streams: u8) -> Self {
        let Setting { config, limits } = setting;
        let some = Reach::Pairs;
        let reach = pick([Reach::default(), some(1), some(7), Reach::Wide], config >> 2);
        let ta = Duration::from_millis(pick([50, 5, 500, 10_000], config >> 4));
        let config = AgentConfig {
            role: if config & 1 == 0 { Role::Controlling } else { Role::Controlled },
            nomination: match (config & 2, config & 0x40) {
                (0, 0) => Nomination::Fast,
                (_, 0) => Nomination::Regular,
                (0, _) => Nomination::Renominate,
                _ => Nomination::Application(Preference(quickest)),
            },
            restart_by_itself: config & 0x80 != 0,
            streams: pick([&[1][..], &[2], &[1, 1], &[1, 2, 1]], streams).to_vec(),
            reach,
            ta,
            tie_breaker: pick([None, Some(0), Some(7), Some(u64::MAX)], limits),
            deadline: pick([None, Some(0), Some(1), Some(90)], limits >> 2).map(Duration::from_secs),
            ..Default::default()
        };
        let mut agent = Agent::new(config, SEED).expect("a good configuration");
        let ours = agent.local_credentials().clone();
        // The peer wishes for the same, so that the shorter ones are used, too.
        agent.set_remote_pacing(Instant::ZERO, Some(ta)).expect("nothing was told before");
        Self {
            forge: Forge::new(ours.clone()),
            known: Known::new(ours),
            agent,
            now: Instant::ZERO,
            wake: None,
            pairs: match reach {
                Reach::Pairs(most) => most.into(),
                Reach::Wide => DEFAULT_PAIRS.into(),
            },
            sockets: BTreeMap::new(),
            asked: VecDeque::new(),
            sent: VecDeque::new(),
            proven: BTreeSet::new(),
            answered: BTreeMap::new(),
            signalled: false,
            told_of_path: BTreeSet::new(),
            failed: false,
            closed: false,
            servers: Servers::default(),
            effort: MOST_EFFORT,
        }
    }

    /// Plays a step, and polls if the step says so. False when the input has been worked on for long enough.
    pub fn play(&mut self, step: &Step) -> bool {
        self.act(step);
        self.follow();
        if !step.unpolled {
            self.poll();
        }
        self.check_report();
        self.effort > 0
    }

    /// Polls until the agent waits, and checks it.
    pub fn poll(&mut self) {
        let mut scratch = [0; MAX_TRANSMIT];
        for _ in 0..MOST_OUTPUTS {
            match self.agent.poll(self.now, &mut scratch) {
                Output::Transmit(transmit) => self.on_transmit(&transmit),
                Output::Event(event) => self.on_event(&event),
                Output::Resolve(query) => self.on_query(&query),
                Output::Socket(request) => self.servers.on_request(request),
                Output::Wait(until) => {
                    let has_ended = self.closed || self.failed && until.is_some();
                    assert!(!has_ended || self.servers.may_linger(self.now, until), "it has ended and waits");
                    assert!(until.is_none_or(|at| at > self.now), "{until:?} is not after {:?}", self.now);
                    self.wake = until;
                    self.follow();
                    return self.check();
                }
                Output::Closed => {
                    assert!(self.closed, "nobody has closed it");
                    self.wake = None;
                    return;
                }
            }
        }
        panic!("{MOST_OUTPUTS} outputs at {:?} and no end", self.now);
    }

    /// The end of the story: a last look, and the agent alone, with how many bytes it may hold.
    pub fn finish(mut self) -> (Agent, i64) {
        self.poll();
        assert!(self.agent.explain().to_string().len() < 64 * 1_024);
        let most = self.known.count() as i64 * MOST_BYTES + self.servers.most_bytes();
        (self.agent, most)
    }

    /// The peer learns what credentials are in force, and uses those that the agent knows.
    fn follow(&mut self) {
        self.known.on_in_force(self.agent.local_credentials());
        self.forge.ours = self.known.current().clone();
        let theirs = self.agent.remote_credentials().and_then(|known| self.forge.number_of(known.ufrag()));
        self.forge.theirs = theirs.unwrap_or(self.forge.theirs);
    }

    /// What the agent is now, as far as the network can change it.
    pub fn fingerprint(&self) -> u64 {
        self.agent.state_fingerprint()
    }

    /// A connected agent with a consent check out.
    pub fn connect(&mut self) {
        let peer = Place::default();
        let steps = [
            Action::SocketUp { socket: 0, bound: 0, component: 1 },
            Action::SocketUp { socket: 1, bound: 1, component: 1 },
            Action::Credentials { whose: 0 },
            Action::Candidate { address: 0, kind: 0, priority: 200, foundation: 1 },
            Action::Answer { which: 0, place: peer, shape: 0, mapped: 0 },
            Action::Wake {},
            Action::Answer { which: 0, place: peer, shape: 0, mapped: 0 },
            Action::Request { place: peer, shape: crate::forge::NOMINATES, tie_breaker: 1, priority: 200 },
            Action::Answer { which: 0, place: peer, shape: 0, mapped: 0 },
            Action::Sleep { millis: 6_500 },
        ];
        for action in steps {
            self.play(&action.into());
        }
    }

    /// Whether a pair is selected.
    pub fn is_connected(&self) -> bool {
        self.agent.selected_path(ComponentId::FIRST).is_some()
    }

    fn on_transmit(&mut self, transmit: &Transmit<'_>) {
        if transmit.stream.is_some() || servers::is_server(transmit.remote) {
            return self.servers.on_transmit(self.now, transmit, &self.sockets);
        }
        assert!(!self.closed && !self.failed, "it has ended and sends {transmit:?}");
        self.follow();
        let (local, _) = self.sockets.get(&transmit.socket).expect("a socket that is up");
        assert_eq!(local.is_ipv4(), transmit.remote.is_ipv4(), "one address family");
        let message = Message::parse(transmit.contents).expect("a message of the engine is well-formed");
        assert!(message.has_fingerprint());
        let tuple = Tuple { socket: transmit.socket, remote: transmit.remote };
        match message.class() {
            Class::Request => {
                assert!(self.signalled, "nobody can read it yet");
                let to = transmit.remote;
                assert!(
                    to.port() != 0 && !to.ip().is_multicast() && !to.ip().is_unspecified(),
                    "a check to {to}"
                );
                let (theirs, ours) = message.username_halves().expect("it names both");
                let peer = self.forge.number_of(theirs).expect("the peer's half");
                assert_eq!(message.verify(&self.forge.peer(peer).key), Ok(()));
                assert!(self.known.live().any(|known| known.credentials.ufrag() == ours), "{ours} is over");
                assert!(message.priority().is_some() && message.role().is_some());
                remember(&mut self.asked, (tuple, message.transaction_id(), peer));
            }
            Class::Success => assert!(self.is_signed(&message)),
            Class::Error => {
                let code = message.error_code().expect("an error has a code").code();
                let refused = [ErrorCode::BAD_REQUEST, ErrorCode::UNAUTHENTICATED].map(ErrorCode::code);
                let signed = self.is_signed(&message);
                assert!(signed || !message.has_integrity() && refused.contains(&code), "{code}");
            }
            Class::Indication => panic!("the engine sends none"),
        }
        remember(&mut self.sent, transmit.contents.to_vec());
    }

    /// Whether one of the passwords that the agent may still use made it.
    fn is_signed(&self, message: &Message<'_>) -> bool {
        self.known.live().any(|known| message.verify(&known.key).is_ok())
    }

    fn on_event(&mut self, event: &Event) {
        assert!(!self.closed && !self.failed, "it has ended and tells {event:?}");
        match event {
            Event::LocalCandidate { stream, candidate } => self.known.on_candidate(*stream, candidate),
            Event::CandidateRemoved { stream, candidate } => {
                self.known.on_candidate_removed(*stream, candidate);
            }
            Event::Restarted { credentials, .. } => self.known.on_in_force(credentials),
            Event::PathUsable(path)
            | Event::PathSelected(path)
            | Event::PathDegraded(path)
            | Event::PathRecovered(path)
            | Event::PathLost { path, .. } => {
                assert!(self.agent.components().contains(&path.component), "it was removed: {event:?}");
                assert_eq!(path.base.is_ipv4(), path.remote.is_ipv4());
                self.told_of_path.insert(path.component);
            }
            Event::Failed(report) => {
                assert!(report.pairs.len() <= self.pairs.max(4));
                assert!(!report.causes.is_empty(), "it has failed and does not know why");
                self.failed = true;
                self.servers.on_end(self.now);
            }
            _ => {}
        }
    }

    /// What holds after every step.
    fn check_report(&self) {
        let report = self.agent.explain();
        assert!(report.pairs.len() <= self.pairs.max(4), "{} pairs of {}", report.pairs.len(), self.pairs);
        assert!(report.reserved <= usize::from(MAX_PAIRS - DEFAULT_PAIRS), "{} reserved", report.reserved);
        for component in self.agent.components() {
            let selected = report.pairs.iter().filter(|pair| pair.selected && pair.component == *component);
            assert!(selected.count() <= 1);
        }
        assert!(report.pairs.iter().all(|pair| self.agent.components().contains(&pair.component)));
    }

    /// What holds whenever the agent waits.
    fn check(&mut self) {
        for component in self.agent.components().to_vec() {
            let path = self.agent.path(component);
            let mut scratch = [0; MAX_TRANSMIT];
            let sent = self.agent.send(self.now, component, b"\x80", &mut scratch);
            match (path, sent) {
                (Some(path), Ok(transmit)) if !self.failed => {
                    assert_eq!((path.socket, path.remote), (transmit.socket, transmit.remote));
                    assert!(self.told_of_path.contains(&component), "nobody was told of {path}");
                    let tuple = Tuple { socket: transmit.socket, remote: transmit.remote };
                    self.has_consent(tuple);
                }
                (path, sent) => {
                    assert!(sent.is_err() && (path.is_none() || self.failed), "{path:?}, {sent:?}");
                }
            }
        }
        let is_up = |at, of| self.sockets.values().any(|known| *known == (at, of));
        self.known.check(&self.agent, is_up);
    }

    /// RFC 7675 §5.1: the peer has answered there within thirty seconds.
    fn has_consent(&self, tuple: Tuple) {
        assert!(self.sockets.contains_key(&tuple.socket), "data for a socket that is gone");
        let last = self.answered.get(&tuple).unwrap_or_else(|| panic!("never answered: {tuple:?}"));
        assert!(
            self.now.since(*last) < Duration::from_secs(30),
            "answered at {last:?}, sent at {:?}",
            self.now
        );
    }

    /// A datagram comes in. `signed`: by who knows the password.
    fn receive(&mut self, at: Instant, tuple: Tuple, bytes: &mut [u8], signed: bool) -> Outcome {
        self.effort = self.effort.saturating_sub(1);
        if signed {
            self.proven.insert(tuple);
        }
        let is_stun = floe_core::wire::is_stun(bytes);
        let outcome = match self.agent.receive(at, Datagram::new(tuple.socket, tuple.remote, bytes)) {
            Received::Data { .. } => Outcome::Data,
            Received::Consumed => Outcome::Consumed,
            Received::Dropped(reason) => Outcome::Dropped(reason),
            Received::Unclaimed(_) => Outcome::Unclaimed,
        };
        assert_eq!(is_stun, matches!(outcome, Outcome::Consumed | Outcome::Dropped(_)), "{outcome:?}");
        assert!(outcome != Outcome::Data || self.proven.contains(&tuple), "data from a stranger");
        if self.closed || self.failed {
            assert!(
                matches!(outcome, Outcome::Unclaimed | Outcome::Dropped(DropReason::Ended)),
                "{outcome:?}"
            );
        }
        outcome
    }

    fn local_of(&self, socket: SocketId) -> SocketAddr {
        self.sockets.get(&socket).map_or(own(0), |(local, _)| *local)
    }

    /// What the peer says of its role; `conflict`: the one that the agent has.
    fn claim(&self, conflict: bool, tie_breaker: u8) -> RoleClaim {
        let number = pick([1, 0, 7, u64::MAX], tie_breaker);
        match (self.agent.role(), conflict) {
            (Role::Controlling, false) | (Role::Controlled, true) => RoleClaim::Controlled(number),
            (Role::Controlling, true) | (Role::Controlled, false) => RoleClaim::Controlling(number),
        }
    }
}

/// [`Received`] without its borrow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    Data,
    Consumed,
    Dropped(DropReason),
    Unclaimed,
}

impl Outcome {
    pub(crate) fn is_refused(self) -> bool {
        matches!(self, Self::Dropped(_))
    }
}

/// What the agent draws its password and its ids from: always the same, so that an input always tells the same story.
pub const SEED: [u8; 32] = [3; 32];
/// More outputs at one moment are a loop.
const MOST_OUTPUTS: u32 = 10_000;
/// Datagrams and wakings in one story.
const MOST_EFFORT: u32 = 400;
/// How much of what the agent has sent is kept.
const MEMORY: usize = 64;

/// An application that wants the path of the shortest round trip.
fn quickest(path: &PathMeasure) -> u64 {
    let costs = [path.local_network_cost, path.remote_network_cost];
    assert!(costs.iter().flatten().all(|cost| *cost <= MAX_NETWORK_COST), "{costs:?}");
    let costs: u64 = costs.into_iter().flatten().map(u64::from).sum();
    u64::MAX - u64::try_from(path.rtt.as_nanos()).unwrap_or(u64::MAX).saturating_add(costs)
}

/// A socket of the application.
fn socket(socket: u8, bound: u8, of: ComponentId) -> Socket {
    Socket::udp(SocketId(socket.into()), own(bound)).component(of)
}

/// The newest first.
fn remember<T>(of: &mut VecDeque<T>, new: T) {
    of.push_front(new);
    of.truncate(MEMORY);
}
