//! The loop that runs a [`Scenario`]: two agents, a simulated network between them, signals that come when the
//! scenario says. It records everything and judges nothing.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a scenario that cannot be set up ends its test"
)]

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::sync::{Arc, Mutex};

use floe_core::trace::TraceEvent;
use floe_core::{
    Agent, AgentConfig, ComponentId, Credentials, Event, Instant, MAX_TRANSMIT, Output, PairId, Path, Role,
    Socket, SocketId,
};
use floe_sim::{Attachment, Family, HostId, Network};

use crate::scenario::Side;
use crate::signal::{News, Signals};
use crate::{Renewal, Scenario};

/// A running scenario. Side 0 is Alice, side 1 is Bob.
pub struct Run {
    scenario: Scenario,
    network: Network,
    peers: [Peer; 2],
    signals: Signals,
    /// When each side is told credentials last: they do not overtake each other.
    told: [Instant; 2],
    /// Whether credentials may change, and may come too late.
    renews: bool,
    datagrams: Vec<Datagram>,
}

struct Peer {
    agent: Agent,
    host: HostId,
    sockets: Vec<SocketAddr>,
    dead: usize,
    signalled: u64,
    /// When the other side has the last of our candidates.
    all_told: Instant,
    /// How long signalling takes to tell of our credentials, and which it was told of.
    telling: Duration,
    offered: Vec<Credentials>,
    events: Vec<(Instant, Event)>,
    trace: Arc<Mutex<Vec<(Instant, TraceEvent)>>>,
}

/// A datagram that an agent sent, or that came to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Datagram {
    /// When.
    pub at: Instant,
    /// Whose.
    pub side: usize,
    /// Whether it came, or went.
    pub received: bool,
    /// On which socket.
    pub socket: SocketId,
    /// The other end.
    pub remote: SocketAddr,
    /// The payload.
    pub bytes: Vec<u8>,
}

/// All that can be told of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Alice and Bob.
    pub sides: [SideOutcome; 2],
    /// Every datagram that either sent or got.
    pub datagrams: Vec<Datagram>,
}

/// What became of one agent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SideOutcome {
    /// At the end.
    pub role: Role,
    /// The last path that it said to have selected.
    pub selected: Option<Path>,
    /// What it told its application.
    pub events: Vec<(Instant, Event)>,
    /// What it decided.
    pub trace: Vec<(Instant, TraceEvent)>,
}

/// Runs a scenario until both sides have selected a pair, or 40 s after all was signalled, and then for 12 s more: long
/// enough for whoever wants to change their mind.
pub fn run(scenario: &Scenario) -> Outcome {
    let mut run = Run::new(scenario);
    let end = Instant::ZERO + scenario.all_signalled_after() + Duration::from_secs(40);
    run.run_until_selected(end);
    let settled = run.now() + Duration::from_secs(12);
    run.advance_to(settled);
    run.outcome()
}

impl Run {
    /// The moment before anything happens.
    pub fn new(scenario: &Scenario) -> Self {
        let mut network = Network::seeded(scenario.seed);
        network.set_link(scenario.link.config());
        let nat_of = |network: &mut Network, side: &Side| match side.nat.config() {
            Some(mut nat) => {
                nat.overlapping = scenario.overlapping;
                Attachment::Behind(network.add_nat(nat))
            }
            None => Attachment::Public,
        };
        let alice_place = nat_of(&mut network, &scenario.alice);
        let bob_place = if scenario.neighbours { alice_place } else { nat_of(&mut network, &scenario.bob) };
        let sides = [(&scenario.alice, alice_place), (&scenario.bob, bob_place)];
        let mut index = 0;
        let peers = sides.map(|(side, place)| {
            index += 1;
            Peer::new(scenario, side, (&mut network, place), index)
        });
        let mut signals = Signals::default();
        let mut told = [Instant::ZERO; 2];
        for (side, of) in [&scenario.alice, &scenario.bob].into_iter().enumerate() {
            signals.push(Instant::from_millis(of.sockets_ms), side, News::Sockets);
            let credentials = peers[side].agent.local_credentials().clone();
            told[1 - side] = Instant::from_millis(of.credentials_ms);
            signals.push(told[1 - side], 1 - side, News::Credentials(credentials, None));
        }
        let (scenario, datagrams) = (scenario.clone(), Vec::new());
        Self { scenario, network, peers, signals, told, renews: false, datagrams }
    }

    /// The same for a session with restarts.
    pub fn renewing(renewal: &Renewal) -> Self {
        let mut run = Self::new(&renewal.session());
        run.renews = true;
        for restart in &renewal.restarts {
            let told = Duration::from_millis(restart.told_ms);
            let news = News::Restart { offered: restart.offered, told };
            run.signals.push(Instant::from_millis(restart.at_ms), restart.side, news);
        }
        for peer in &mut run.peers {
            peer.agent.set_remote_renomination(Instant::ZERO, renewal.renominates);
        }
        run
    }

    /// What time it is.
    pub fn now(&self) -> Instant {
        self.network.now()
    }

    /// An agent. Who changes it polls with [`Self::advance_to`].
    pub fn agent(&mut self, side: usize) -> &mut Agent {
        &mut self.peers[side].agent
    }

    /// The sockets of a side, by their ids.
    pub fn sockets(&self, side: usize) -> &[SocketAddr] {
        &self.peers[side].sockets
    }

    /// What was sent and received so far.
    pub fn datagrams(&self) -> &[Datagram] {
        &self.datagrams
    }

    /// Whether both have a selected pair.
    pub fn both_selected(&self) -> bool {
        self.peers.iter().all(|p| p.agent.selected_path(ComponentId::FIRST).is_some())
    }

    /// Cuts the way from one side to the other, or mends it.
    pub fn set_cut(&mut self, from: usize, cut: bool) {
        let (from, to) = (self.peers[from].host, self.peers[1 - from].host);
        if cut { self.network.block(from, to) } else { self.network.unblock(from, to) }
    }

    /// Opposite roles, each other's credentials, and the pair of one side is that of the other seen in a mirror.
    pub fn agreement(&self) -> Result<(), String> {
        let [alice, bob] = self.peers.each_ref().map(|p| &p.agent);
        let selected = [alice, bob].map(|agent| agent.selected_path(ComponentId::FIRST));
        let ends = selected.map(|path| path.map(|p| (p.local, p.remote)));
        let mirrored = ends[1].map(|(local, remote)| (remote, local));
        if alice.role() == bob.role() {
            Err(format!("both are {}", alice.role()))
        } else if ends[0].is_none() || ends[0] != mirrored {
            Err(format!("selected {selected:?}"))
        } else if alice.remote_credentials() != Some(bob.local_credentials()) {
            Err(format!("Alice believes in {:?}", alice.remote_credentials()))
        } else if bob.remote_credentials() != Some(alice.local_credentials()) {
            Err(format!("Bob believes in {:?}", bob.remote_credentials()))
        } else {
            Ok(())
        }
    }

    /// Runs until the two agree, but not past `end`.
    pub fn run_until_agreed(&mut self, end: Instant) {
        while self.agreement().is_err() && self.step(end) {}
    }

    /// Runs until both sides have selected a pair, but not past `end`.
    pub fn run_until_selected(&mut self, end: Instant) {
        while !self.both_selected() && self.step(end) {}
    }

    /// Lets everything happen up to `end`.
    pub fn advance_to(&mut self, end: Instant) {
        while self.step(end) {}
    }

    /// One side's application sends; the pair that the engine names if it lets it.
    pub fn send(&mut self, side: usize, data: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
        let now = self.now();
        let mut scratch = [0; MAX_TRANSMIT];
        let peer = &mut self.peers[side];
        let transmit = peer.agent.send(now, ComponentId::FIRST, data, &mut scratch).ok()?;
        Some((peer.sockets[transmit.socket.0 as usize], transmit.remote))
    }

    /// Ends the run.
    pub fn outcome(self) -> Outcome {
        Outcome { sides: self.peers.map(Peer::outcome), datagrams: self.datagrams }
    }

    /// Goes on to the next thing that happens; `false` when there is none up to `end`, which it then is.
    fn step(&mut self, end: Instant) -> bool {
        let wake = [self.drain(0), self.drain(1)];
        let next =
            wake.into_iter().flatten().chain(self.network.next_event()).chain(self.signals.next_at()).min();
        let next = next.map_or(end, |next| next.max(self.now()));
        let until = next.min(end);
        while let Some(delivery) = self.network.advance(until) {
            let side = usize::from(delivery.host != self.peers[0].host);
            self.receive(side, delivery.local, delivery.remote, &delivery.bytes);
        }
        while let Some(signal) = self.signals.pop(self.now()) {
            self.bring(signal.to, signal.news);
            self.drain(signal.to);
        }
        if next > end || (next == end && wake.iter().flatten().all(|at| *at > end)) {
            for side in [0, 1] {
                self.drain(side);
            }
            return false;
        }
        true
    }

    fn receive(&mut self, side: usize, local: SocketAddr, remote: SocketAddr, bytes: &[u8]) {
        let at = self.now();
        let peer = &mut self.peers[side];
        let Some(index) = peer.sockets.iter().position(|s| *s == local).filter(|i| *i >= peer.dead) else {
            return;
        };
        let socket = SocketId(index as u32);
        self.datagrams.push(Datagram { at, side, received: true, socket, remote, bytes: bytes.to_vec() });
        let mut bytes = bytes.to_vec();
        let _ = peer.agent.receive(at, floe_core::Datagram::new(socket, remote, &mut bytes));
        self.drain(side);
    }

    fn bring(&mut self, side: usize, news: News) {
        let now = self.now();
        let peer = &mut self.peers[side];
        match news {
            News::Sockets => peer.bring_up(now, &mut self.network),
            News::Credentials(credentials, answers) if self.renews => {
                // Of an old generation, or known, is fine; what comes of it is told by an event.
                let _ = peer.agent.accept_credentials(now, credentials, answers.as_deref());
            }
            News::Candidate(candidate) if self.renews => {
                let _ = peer.agent.add_remote_candidate(now, &candidate);
            }
            News::Apply => {
                // The answer may have done it.
                let _ = peer.agent.apply_restart(now);
            }
            News::Restart { offered, told } => {
                peer.telling = told;
                if offered {
                    let credentials = peer.agent.prepare_restart(now).expect("it lives");
                    self.tell(side, credentials, None);
                    self.signals.push(now + 2 * told, side, News::Apply);
                } else {
                    peer.agent.restart(now).expect("it lives");
                }
            }
            News::Credentials(credentials, _) => {
                peer.agent.set_remote_credentials(now, credentials).expect("the first and only credentials");
            }
            News::Candidate(candidate) => {
                peer.agent.add_remote_candidate(now, &candidate).expect("a candidate of the other agent");
            }
            News::EndOfCandidates(ufrag) => {
                // Of an old generation is fine.
                let _ = peer.agent.end_of_remote_candidates_of(now, None, &ufrag);
            }
        }
    }

    /// Signalling takes credentials to the other side, unless it has done so.
    fn tell(&mut self, side: usize, credentials: Credentials, answers: Option<String>) {
        let peer = &mut self.peers[side];
        if peer.offered.contains(&credentials) {
            return;
        }
        peer.offered.push(credentials.clone());
        let at = (self.network.now() + peer.telling).max(self.told[1 - side]);
        self.told[1 - side] = at;
        self.signals.push(at, 1 - side, News::Credentials(credentials, answers));
    }

    /// Polls an agent until it waits.
    fn drain(&mut self, side: usize) -> Option<Instant> {
        let at = self.now();
        let of = if side == 0 { self.scenario.alice.clone() } else { self.scenario.bob.clone() };
        let mut scratch = [0; MAX_TRANSMIT];
        loop {
            let peer = &mut self.peers[side];
            match peer.agent.poll(at, &mut scratch) {
                Output::Transmit(transmit) => {
                    let (socket, remote, bytes) =
                        (transmit.socket, transmit.remote, transmit.contents.to_vec());
                    let index = socket.0 as usize;
                    if index >= peer.dead {
                        self.network.send((peer.host, peer.sockets[index]), remote, &bytes);
                    }
                    self.datagrams.push(Datagram { at, side, received: false, socket, remote, bytes });
                }
                Output::Event(event) => {
                    match &event {
                        Event::LocalCandidate { candidate, .. } => {
                            // Each generation tells all of them again.
                            let number = if self.renews { peer.signalled % 10 } else { peer.signalled };
                            let number = if of.reversed { 9_u64.saturating_sub(number) } else { number };
                            peer.signalled += 1;
                            let delay = Duration::from_millis(of.candidates_ms + of.trickle_ms * number);
                            peer.all_told = peer.all_told.max(at + delay);
                            self.signals.push(at + delay, 1 - side, News::Candidate(candidate.clone()));
                        }
                        Event::GatheringDone => peer.agent.end_of_local_candidates(at),
                        Event::EndOfCandidates { ufrag } => {
                            let told = (at + Duration::from_millis(of.end_ms)).max(peer.all_told);
                            self.signals.push(told, 1 - side, News::EndOfCandidates(ufrag.clone()));
                        }
                        Event::Restarted { credentials, answers } => {
                            self.tell(side, credentials.clone(), answers.clone());
                        }
                        _ => {}
                    }
                    self.peers[side].events.push((at, event));
                }
                // Nobody signals names.
                Output::Resolve(_) | Output::Socket(_) => {}
                Output::Wait(until) => return until,
                Output::Closed => return None,
            }
        }
    }
}

impl Peer {
    fn new(scenario: &Scenario, side: &Side, place: (&mut Network, Attachment), index: u8) -> Self {
        let (network, place) = place;
        let host = network.add_host(place);
        for _ in 1..side.addresses + side.dead {
            network.add_address(host, Family::V4);
        }
        if side.ipv6 {
            network.add_address(host, Family::V6);
        }
        let config_ta = Duration::from_millis(scenario.ta_ms);
        let config = AgentConfig {
            role: side.role,
            tie_breaker: side.tie_breaker,
            nomination: side.nomination,
            ta: config_ta,
            // Who is slow is not dead.
            deadline: Some(Duration::from_secs(3_600)),
            ..Default::default()
        };
        let mut seed = [index; 32];
        seed[..8].copy_from_slice(&scenario.seed.to_le_bytes());
        let mut agent = Agent::new(config, seed).expect("a valid configuration");
        agent.set_remote_pacing(Instant::ZERO, Some(config_ta)).expect("both sides agree");
        let trace: Arc<Mutex<Vec<(Instant, TraceEvent)>>> = Arc::default();
        let log = Arc::clone(&trace);
        agent.set_observer(Box::new(move |at: Instant, event: &TraceEvent| {
            log.lock().expect("nobody panics with it").push((at, event.clone()));
        }));
        let (sockets, events) = (Vec::new(), Vec::new());
        let (telling, offered) = (Duration::ZERO, Vec::new());
        Self {
            agent,
            host,
            sockets,
            dead: side.dead,
            signalled: 0,
            all_told: Instant::ZERO,
            telling,
            offered,
            events,
            trace,
        }
    }

    /// Binds a socket on each address; the first ones are dead. Each IPv4 socket asks where a server sees it.
    fn bring_up(&mut self, now: Instant, network: &mut Network) {
        let addresses: Vec<_> = network.addresses(self.host).collect();
        for (number, ip) in (0..).zip(addresses) {
            let local = network.bind(self.host, Some(SocketAddr::new(ip, 0))).expect("a free port");
            self.agent.socket_up(now, Socket::udp(SocketId(number), local)).expect("a new socket");
            self.sockets.push(local);
        }
        for (number, local) in (0..).zip(self.sockets.clone()).filter(|(_, local)| local.is_ipv4()) {
            if let Ok(mapped) = network.mapped_address(self.host, local, STUN_SERVER) {
                let added = self.agent.add_server_reflexive(now, SocketId(number), mapped, STUN_SERVER);
                added.expect("a socket that is up");
            }
        }
    }

    fn outcome(self) -> SideOutcome {
        let selected = self.events.iter().rev().find_map(|(_, event)| match event {
            Event::PathSelected(path) => Some(*path),
            _ => None,
        });
        let trace = self.trace.lock().expect("nobody panics with it").clone();
        SideOutcome { role: self.agent.role(), selected, events: self.events, trace }
    }
}

impl SideOutcome {
    /// Our base and the peer's address of a pair.
    pub fn ends_of(&self, pair: PairId) -> Option<(SocketAddr, SocketAddr)> {
        self.trace.iter().find_map(|(_, event)| match event {
            TraceEvent::PairFormed { pair: formed, local, remote, .. } if *formed == pair => {
                Some((*local, *remote))
            }
            _ => None,
        })
    }
}

/// Where a STUN server would stand. Nobody lives there.
const STUN_SERVER: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 3478);
