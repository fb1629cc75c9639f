//! One peer, complete by itself. The agent owns the rooms below (gathering, checks, paths), gives each what the others
//! have found, and turns their intents into bytes. It decides when to give up and says why; all else is decided below.

mod account;
mod answer;
mod carriers;
mod carry;
mod compose;
mod config;
mod description;
mod diagnosis;
mod explain;
mod fragment;
mod generation;
mod lite;
mod local;
mod moved;
mod nats;
mod output;
mod poll;
mod preference;
mod profile;
mod receive;
mod relays;
mod remembered;
mod remote;
mod report;
mod resolve;
mod restart;
mod roaming;
mod server_fault;
mod server_names;
mod servers;
mod socket_request;
mod stats;
#[cfg(feature = "serde")]
mod stats_json;
mod streams;
mod tcp;
#[cfg(test)]
mod tests;
mod trickle;
mod watch;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;

use crate::base::{ComponentId, Instant, PairId, Random, Tuple};
use crate::candidate::{Candidate, CandidateFilter};
use crate::check::{self, CheckConfig, Checks, HopelessPairs, Nomination, Role};
use crate::description::Credentials;
use crate::gather::{Gatherer, Socket, SocketError};
use crate::path::{Flow, Gate, Outlet, Paths};
use crate::trace::{CheckFailure, Observer, TraceEvent, Tracer};
use crate::wire::{IntegrityKey, is_stun};
use answer::Answers;
use carriers::Carriers;
use diagnosis::Evidence;
use generation::{Generation, Generations, draw_credentials};
use moved::Moves;
use preference::Inclination;
use resolve::Names;
use server_names::ServerNames;
use trickle::EarlyEnd;
use watch::Watch;

pub use crate::base::StreamEnd;
pub use answer::MAX_PENDING_ANSWERS;
pub use carriers::{MAX_STREAM_BACKLOG, MAX_STREAMS};
pub use config::{AgentConfig, ConfigError, MAX_COMPONENTS};
pub use description::{Taken, Untaken};
pub use diagnosis::{Cause, MappingKnowledge};
pub use generation::MAX_OLD_GENERATIONS;
pub use output::{Datagram, Event, MAX_TRANSMIT, Output, Path, Received, RemoteError, SendError, Transmit};
pub use report::{PairReport, Report};
pub use resolve::{MAX_QUERIES, Query, QueryId, ResolveError, Unresolved};
pub use restart::RestartError;
pub use server_fault::ServerFault;
pub use server_names::MAX_SERVER_NAMES;
pub use socket_request::{CarrierError, SocketRequest};
pub use stats::{
    CandidateId, CandidatePairStats, CandidateStats, IceTransportState, NotSent, Stats, TransportStats,
};
pub use streams::ComponentError;
pub use tcp::MAX_ACCEPTED_STREAMS;
pub use trickle::MAX_EARLY_ENDS;

/// An ICE agent for one peer.
///
/// It is a state machine: feed it sockets, what the peer signals, datagrams and time; after any call,
/// [`poll`](Self::poll) it until it says [`Output::Wait`]. The [crate's front page](crate) has a complete example.
///
/// Commands do no work by themselves: they change what `poll` will say. Every call that has a time takes `now`;
/// a `now` that goes backwards is taken for the latest one seen.
pub struct Agent {
    generations: Generations,
    components: smallvec::SmallVec<[ComponentId; 1]>,
    now: Instant,
    life: Life,
    random: Random,
    tracer: Tracer,
    gatherer: Gatherer,
    paths: Paths,
    answers: Answers,
    events: VecDeque<Event>,
    watch: Watch,
    hints: Hints,
    policy: Nomination,
    restart_by_itself: bool,
    /// One for each component.
    inclinations: smallvec::SmallVec<[Inclination; 1]>,
    next_inclination: Option<Instant>,
    moves: Moves,
    /// Why the path that carried data last was lost.
    last_loss: Option<CheckFailure>,
    /// Candidates that say which credentials they belong to, and came before these. At most
    /// `MAX_REMOTE_CANDIDATES`.
    early: Vec<(u16, Candidate)>,
    /// At most [`MAX_EARLY_ENDS`], the oldest first.
    early_ends: VecDeque<EarlyEnd>,
    names: Names,
    remote_filter: CandidateFilter,
    carriers: Carriers,
    server_names: ServerNames,
    hopeless_pairs: HopelessPairs,
}

/// The peer's credentials, ready for use.
#[derive(Clone)]
struct Remote {
    credentials: Credentials,
    key: IntegrityKey,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Life {
    Running,
    Failed,
    Closed,
}

/// What was seen and proves nothing, because it could not be authenticated. It is only ever told in a diagnosis.
#[derive(Clone, Copy, Debug, Default)]
struct Hints {
    /// Requests for us with a wrong password.
    rejected: u32,
    /// Requests for somebody else.
    strangers: u32,
    /// Error responses that say that ours are wrong.
    refused_credentials: u32,
    /// Candidates of the peer that the filter did not let through.
    filtered_candidates: u32,
    /// Requests that the filter did not let through.
    filtered_requests: u32,
    send_failures: u32,
    /// A TURN server that gave no address, and why.
    relay_fault: Option<(SocketAddr, Option<u16>)>,
}

impl Agent {
    /// An agent that draws everything random from `seed`: 32 bytes from the system's generator, or a fixed seed in a
    /// test. Who knows the seed can forge the agent's messages.
    ///
    /// # Errors
    /// If a value of `config` is out of its range.
    pub fn new(config: AgentConfig, seed: [u8; 32]) -> Result<Self, ConfigError> {
        config.check()?;
        let mut random = Random::new(seed);
        let drawn_credentials = draw_credentials(&mut random);
        let drawn_tie_breaker = random.number();
        let components: smallvec::SmallVec<[ComponentId; 1]> = config.components().collect();
        let credentials = config.credentials.unwrap_or(drawn_credentials);
        let checks = CheckConfig {
            role: config.role,
            tie_breaker: config.tie_breaker.unwrap_or(drawn_tie_breaker),
            nomination: config.nomination,
            reach: config.reach,
            ta: config.ta,
            lite: config.lite,
        };
        let gate = if config.lite { Gate::ValidList } else { Gate::Consent };
        Ok(Self {
            generations: Generations::new(Generation::first(credentials, checks, &components)),
            now: Instant::ZERO,
            life: Life::Running,
            random,
            tracer: Tracer::default(),
            gatherer: Gatherer::new(config.local_filter, config.lite),
            paths: Paths::new(gate, &components),
            answers: Answers::default(),
            events: VecDeque::new(),
            watch: Watch::new(config.deadline),
            hints: Hints::default(),
            policy: config.nomination,
            restart_by_itself: config.restart_by_itself,
            inclinations: smallvec::smallvec![Inclination::default(); components.len()],
            next_inclination: None,
            moves: Moves::new(),
            last_loss: None,
            early: Vec::new(),
            early_ends: VecDeque::new(),
            names: Names::default(),
            remote_filter: config.remote_filter,
            carriers: Carriers::default(),
            server_names: ServerNames::default(),
            hopeless_pairs: config.hopeless_pairs,
            components,
        })
    }

    /// Hands every decision from now on to `observer`, instead of the one before.
    pub fn set_observer(&mut self, observer: Box<dyn Observer + Send>) {
        self.tracer.set(observer);
    }

    /// What the peer needs to know to authenticate its checks: send it by signalling.
    pub fn local_credentials(&self) -> &Credentials {
        &self.generations.current.local
    }

    /// What the peer has signalled, if it has.
    pub fn remote_credentials(&self) -> Option<&Credentials> {
        self.generations.current.remote.as_ref().map(|r| &r.credentials)
    }

    /// The role at this moment: a conflict may change it.
    pub fn role(&self) -> Role {
        self.generations.current.checks.role()
    }

    /// `socket` is open: its host candidate comes as an event (RFC 8445 §5.1.1.1).
    ///
    /// # Errors
    /// If the socket cannot be a candidate, or is known. The agent goes on as it was.
    pub fn socket_up(&mut self, now: Instant, socket: Socket) -> Result<(), SocketError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(SocketError::Ended);
        }
        if !self.components.contains(&socket.for_component()) {
            return Err(SocketError::UnknownComponent(socket.for_component()));
        }
        if socket.id().is_of_agent() {
            return Err(SocketError::NameOfAgent(socket.id()));
        }
        self.admits_as_lite(&socket)?;
        self.gatherer.socket_up(socket)
    }

    /// Data for `component`: what to send where. `payload` is borrowed, not copied, on a direct path; `scratch` is for
    /// the framing of a relay.
    ///
    /// # Errors
    /// If there is no valid path, no consent to send on it (RFC 7675 §5.1), or the peer would take the payload for
    /// STUN. Nothing is queued.
    pub fn send<'a>(
        &mut self,
        now: Instant,
        component: ComponentId,
        payload: &'a [u8],
        scratch: &'a mut [u8; MAX_TRANSMIT],
    ) -> Result<Transmit<'a>, SendError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(SendError::Ended);
        }
        if is_stun(payload) {
            return Err(SendError::LooksLikeStun);
        }
        match self.paths.outlet(self.now, component) {
            Some(Outlet::Open(flow)) if flow.tuple.socket.is_of_agent() || self.is_tcp(flow.tuple) => {
                // RFC 8445 §7.2.1: not before ICE is over.
                if self.generations.current.checks.is_concluded(component) {
                    self.bind_channel(flow.tuple);
                }
                let departure = self.frame(flow.tuple, payload, scratch)?;
                self.paths.on_sent(self.now, component, flow.pair, payload.len());
                Ok(departure.transmit(scratch))
            }
            Some(Outlet::Open(flow)) => {
                self.paths.on_sent(self.now, component, flow.pair, payload.len());
                Ok(Transmit::new(flow.tuple.socket, flow.tuple.remote, payload))
            }
            Some(Outlet::NoConsent) => {
                self.count_refused(component, payload.len());
                Err(SendError::NoConsent)
            }
            Some(Outlet::Closed) => Err(SendError::NoPath),
            None => Err(SendError::UnknownComponent(component)),
        }
    }

    /// The driver could not send to `tuple`, or an ICMP error came back for it. It is remembered for the report;
    /// it fails nothing, because nobody has signed it.
    pub fn send_failed(&mut self, now: Instant, tuple: Tuple) {
        self.advance(now);
        self.hints.send_failures = self.hints.send_failures.saturating_add(1);
        self.tracer.emit(self.now, TraceEvent::SendFailed { tuple });
    }

    /// Ends the agent at once: what waits to be sent is dropped, and connections to the peer are closed. `poll` still deletes the
    /// allocations on TURN servers, which takes a second at the most, and then says [`Output::Closed`].
    pub fn close(&mut self, now: Instant) {
        self.advance(now);
        if self.life != Life::Closed {
            self.life = Life::Closed;
            self.release_relays();
        }
        self.answers.clear();
        self.events.clear();
        self.close_connections(|_| true);
    }

    /// The path that data of `component` takes at this moment.
    pub fn path(&self, component: ComponentId) -> Option<Path> {
        match self.paths.outlet(self.now, component) {
            // What is closed sends nothing.
            Some(Outlet::Open(flow)) if self.life != Life::Closed => self.path_of(flow.pair),
            _ => None,
        }
    }

    /// The pair that the two sides have agreed on, if they have.
    pub fn selected_path(&self, component: ComponentId) -> Option<Path> {
        self.path_of(self.generations.current.checks.selected(component)?)
    }

    /// Time never goes backwards.
    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.watch.on_born(self.now);
    }

    /// Makes candidates of the sockets that have come up.
    fn gather(&mut self) {
        if !self.gatherer.has_fresh() {
            return;
        }
        let allocators = self.gatherer.fresh_allocators();
        for id in self.gatherer.gather(self.now, &mut self.generations.current.candidates) {
            self.on_gathered(id);
        }
        for host in allocators {
            self.allocate_at_all(host);
        }
        if !self.gatherer.inquiries.is_under_way() {
            self.events.push_back(Event::GatheringDone);
        }
    }

    fn checks_and_context(&mut self) -> (&mut Checks, check::Context<'_>) {
        let cx = check::Context {
            now: self.now,
            candidates: &mut self.generations.current.candidates,
            random: &mut self.random,
            tracer: &mut self.tracer,
        };
        (&mut self.generations.current.checks, cx)
    }

    fn flow_of(&self, id: PairId) -> Option<Flow> {
        let pair = self.generations.of(id)?.checks.pair(id)?;
        let valid = pair.valid()?;
        Some(Flow { component: pair.component, pair: id, tuple: pair.tuple, priority: valid.priority })
    }

    fn evidence(&self) -> Evidence {
        let tally = self.generations.current.checks.tally();
        // The one that fares worst: without a path, or else without an agreement.
        let all = || self.components.iter().copied();
        let is_open = |c: &ComponentId| !self.generations.current.checks.is_concluded(*c);
        let component = all().find(|&c| self.path(c).is_none()).or_else(|| all().find(is_open));
        let component = component.or(all().next()).unwrap_or_default();
        Evidence {
            role: self.generations.current.checks.role(),
            lite: self.generations.current.checks.is_lite()
                && !self.generations.current.checks.are_both_lite(),
            local_candidates: self.generations.current.candidates.locals().len(),
            sockets: self.gatherer.sockets(),
            has_remote_credentials: self.generations.current.remote.is_some(),
            remote_candidates: self.generations.current.candidates.remotes().len() + self.early.len(),
            end_of_candidates: self.has_remote_ended(),
            names: self.names.len(),
            unresolved: self.names.unresolved(self.now),
            filtered_candidates: self.hints.filtered_candidates,
            filtered_requests: self.hints.filtered_requests,
            pairs: self.generations.current.checks.pairs().count()
                + self.generations.current.checks.reserved(),
            untried: self.generations.current.checks.untried(),
            requests_sent: tally.requests_sent,
            responses_received: tally.responses_received,
            requests_received: tally.requests_received,
            rejected: self.hints.rejected,
            misaddressed: match self.generations.current.remote {
                Some(_) => u32::try_from(self.early.len()).unwrap_or(u32::MAX),
                None => 0,
            },
            strangers: self.hints.strangers,
            refused_credentials: self.hints.refused_credentials,
            asymmetric: tally.asymmetric,
            refused: tally.refused,
            send_failures: self.hints.send_failures,
            // What an old generation lends says nothing of this one.
            has_valid: matches!(
                self.paths.outlet(self.now, component),
                Some(Outlet::Open(flow)) if flow.pair.generation() == self.generations.current.number
            ),
            silence: self.gatherer.inquiries.silence(),
            mapping: self.mapping(),
            nats: self.generations.current.checks.forecast().and_then(check::Forecast::verdict),
            relay: self.gatherer.relays.are_configured() || self.has_relayed_candidate(),
            relay_fault: self.hints.relay_fault.or_else(|| {
                // It may yet answer, but that it has not is the best that can be said.
                Some((self.gatherer.relays.silent(self.now)?, None))
            }),
            is_nominating: self.generations.current.checks.is_nominating(),
            lost: self.generations.current.checks.lost(component).or(self.last_loss),
            cut_off_at: self.cut_off_at(),
            has_selected: self.generations.current.checks.selected(component).is_some(),
        }
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("credentials", &self.generations.current.local)
            .field("role", &self.role())
            .field("life", &self.life)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}
