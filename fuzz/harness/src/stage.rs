//! An agent with a puppet for a peer and a script for an application. After each step the agent is checked: `poll` comes
//! to an end, waits for something that is yet to come, and keeps to its limits.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use floe_core::trace::DropReason;
use floe_core::wire::{Class, ErrorCode, Message, RoleClaim, TransactionId};
use floe_core::{
    Agent, AgentConfig, ComponentId, Credentials, DEFAULT_PAIRS, Datagram, Event, Instant, MAX_PAIRS,
    MAX_TRANSMIT, Nomination, Output, Reach, Received, Role, SocketId, Transmit, Tuple,
};

use crate::forge::Forge;
use crate::places::{Place, own};
use crate::script::{Action, Setting, Step, pick};

mod act;

/// The agent and what is around it.
pub struct Stage {
    agent: Agent,
    now: Instant,
    /// When the agent wants to be polled.
    wake: Option<Instant>,
    forge: Forge,
    /// The most pairs that it may have.
    pairs: usize,
    sockets: BTreeMap<SocketId, SocketAddr>,
    /// The newest requests of the agent, and the newest datagrams.
    asked: VecDeque<(Tuple, TransactionId)>,
    sent: VecDeque<Vec<u8>>,
    /// Flows on which the peer has proven who it is.
    proven: BTreeSet<Tuple>,
    signalled: bool,
    /// The agent has told of a path.
    told_of_path: bool,
    failed: bool,
    closed: bool,
    /// What is left to do, so that no input takes for ever.
    effort: u32,
}

impl Stage {
    /// An agent without sockets that knows nothing of its peer. `config`: role, nomination, reach (two bits),
    /// Ta (two bits); `limits`: tie-breaker (two bits), deadline (two bits). The rest is for the targets.
    pub fn new(setting: Setting) -> Self {
        let Setting { config, limits } = setting;
        let some = Reach::Pairs;
        let reach = pick([Reach::default(), some(1), some(7), Reach::Wide], config >> 2);
        let config = AgentConfig {
            role: if config & 1 == 0 { Role::Controlling } else { Role::Controlled },
            nomination: if config & 2 == 0 { Nomination::Fast } else { Nomination::Regular },
            reach,
            ta: Duration::from_millis(pick([50, 5, 500, 10_000], config >> 4)),
            tie_breaker: pick([None, Some(0), Some(7), Some(u64::MAX)], limits),
            deadline: pick([None, Some(0), Some(1), Some(90)], limits >> 2).map(Duration::from_secs),
            ..Default::default()
        };
        let agent = Agent::new(config, SEED).expect("a good configuration");
        let theirs = Credentials::new("peer", "the-password-of-the-peer").expect("good credentials");
        Self {
            forge: Forge::new(agent.local_credentials().clone(), theirs),
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
            signalled: false,
            told_of_path: false,
            failed: false,
            closed: false,
            effort: MOST_EFFORT,
        }
    }

    /// Plays a step, and polls if the step says so. False when the input has been worked on for long enough.
    pub fn play(&mut self, step: &Step) -> bool {
        self.act(step);
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
                Output::Wait(until) => {
                    assert!(!self.closed, "a closed agent waits");
                    assert!(until.is_none_or(|at| at > self.now), "{until:?} is not after {:?}", self.now);
                    self.wake = until;
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

    /// The end of the story: a last look, and the agent alone.
    pub fn finish(mut self) -> Agent {
        self.poll();
        assert!(self.agent.explain().to_string().len() < 64 * 1_024);
        self.agent
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
        assert!(!self.closed && !self.failed, "it has ended and sends");
        let local = self.sockets.get(&transmit.socket).expect("a socket of ours");
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
                assert_eq!(message.verify(&self.forge.their_key), Ok(()));
                assert_eq!(
                    message.username_halves(),
                    Some((self.forge.theirs().ufrag(), self.forge.ours().ufrag()))
                );
                assert!(message.priority().is_some() && message.role().is_some());
                remember(&mut self.asked, (tuple, message.transaction_id()));
            }
            Class::Success => assert_eq!(message.verify(&self.forge.our_key), Ok(())),
            Class::Error => {
                let code = message.error_code().expect("an error has a code").code();
                let refused = [ErrorCode::BAD_REQUEST, ErrorCode::UNAUTHENTICATED].map(ErrorCode::code);
                let signed = message.verify(&self.forge.our_key).is_ok();
                assert!(signed || !message.has_integrity() && refused.contains(&code), "{code}");
            }
            Class::Indication => panic!("the engine sends none"),
        }
        remember(&mut self.sent, transmit.contents.to_vec());
    }

    fn on_event(&mut self, event: &Event) {
        assert!(!self.closed && !self.failed, "it has ended and tells {event:?}");
        match event {
            Event::LocalCandidate { candidate, .. } => {
                assert_eq!(candidate.to_string().parse().as_ref(), Ok(candidate));
            }
            Event::PathUsable(path) | Event::PathSelected(path) => {
                assert!(self.sockets.contains_key(&path.socket));
                assert_eq!(path.base.is_ipv4(), path.remote.is_ipv4());
                self.told_of_path = true;
            }
            Event::Failed(report) => {
                assert!(report.pairs.len() <= self.pairs);
                assert!(!report.causes.is_empty(), "it has failed and does not know why");
                self.failed = true;
            }
            _ => {}
        }
    }

    /// What holds after every step.
    fn check_report(&self) {
        let report = self.agent.explain();
        assert!(report.pairs.len() <= self.pairs, "{} pairs of {}", report.pairs.len(), self.pairs);
        assert!(report.reserved <= usize::from(MAX_PAIRS - DEFAULT_PAIRS), "{} reserved", report.reserved);
        assert!(report.pairs.iter().filter(|pair| pair.selected).count() <= 1);
    }

    /// What holds whenever the agent waits.
    fn check(&mut self) {
        let path = self.agent.path(ComponentId::FIRST);
        let mut scratch = [0; MAX_TRANSMIT];
        let sent = self.agent.send(self.now, ComponentId::FIRST, b"\x80", &mut scratch);
        match (path, sent) {
            (Some(path), Ok(transmit)) if !self.failed => {
                assert_eq!((path.socket, path.remote), (transmit.socket, transmit.remote));
                assert!(self.told_of_path, "nobody was told of {path}");
            }
            (path, sent) => assert!(sent.is_err() && (path.is_none() || self.failed), "{path:?}, {sent:?}"),
        }
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
        self.sockets.get(&socket).copied().unwrap_or(own(0))
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

/// What the agent draws its password and its ids from: always the same, so that an input always tells the same story.
pub const SEED: [u8; 32] = [3; 32];
/// More outputs at one moment are a loop.
const MOST_OUTPUTS: u32 = 10_000;
/// Datagrams and wakings in one story.
const MOST_EFFORT: u32 = 400;
/// How much of what the agent has sent is kept.
const MEMORY: usize = 64;

/// The newest first.
fn remember<T>(of: &mut VecDeque<T>, new: T) {
    of.push_front(new);
    of.truncate(MEMORY);
}
