//! ICE agents in the simulated network: scenarios that read as prose. This is the only part of the crate that
//! knows ICE. A [`World`] owns the network, the agents, the signalling between them and the timeline; nothing
//! in it sleeps or reads a clock.
//!
//! ```
//! use floe_core::CandidateType::{PeerReflexive, ServerReflexive};
//! use floe_sim::NatConfig;
//! use floe_sim::scenario::{World, behind, both_selected, secs};
//!
//! let mut world = World::seeded(7);
//! let home = || behind(NatConfig::port_restricted()).with_reflexive_candidate();
//! let [alice, bob] = world.pair(home(), home());
//! world.run_until(both_selected).within(secs(1));
//! assert_eq!(world.selected(alice).map(|path| path.local_type), Some(ServerReflexive));
//! assert!(world.agree(alice, bob), "{}", world.timeline());
//! ```
//!
//! What else a scenario may need: [`for_seeds`] plays it many times; [`World::start_traffic`] lets data flow meanwhile
//! and accounts for it; [`World::pair_with_puppet`] makes a peer that does exactly what the scenario says;
//! [`Network::set_rule`] meddles with single datagrams; [`World::tell`] and [`PeerSpec`] decide what signalling brings;
//! [`World::interface_down`] and [`World::interface_up`] let a peer roam.
//! [`World::stun_server`] and [`World::turn_server`] put servers into the network.

mod carriers;
mod interfaces;
mod peer;
mod puppet;
mod run;
mod servers;
mod signalling;
mod timeline;
mod traffic;

use core::net::{IpAddr, SocketAddr};
use core::ops::Range;
use core::time::Duration;
use std::sync::{Arc, Mutex};

use floe_core::trace::TraceEvent;
use floe_core::{Agent, Cause, ComponentId, Event, Path, Report, Role, SocketId};

pub use peer::{PeerSpec, TurnReach, at, behind, open};
pub use puppet::{Heard, PuppetId, Reply, is_nomination, is_request, is_response};
pub use run::Goal;
pub use servers::{StunId, TURN_USER, TurnId};
pub use signalling::Untold;
pub use timeline::Timeline;
pub use traffic::Tally;

use crate::queue::Queue;
use crate::{Attachment, HostId, Instant, LinkConfig, Network};
use peer::{Peer, Place};
use puppet::Puppet;
use servers::Servers;
use signalling::Signal;
use traffic::Traffic;

/// Something that a scenario wants done at a time.
type Script = Box<dyn FnOnce(&mut World)>;

/// One agent of a world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeerId(usize);

/// A network with agents in it, all from one seed.
///
/// When a test that owns it panics, it prints its seed and its timeline.
pub struct World {
    seed: u64,
    network: Network,
    peers: Vec<Peer>,
    puppets: Vec<Puppet>,
    servers: Servers,
    signals: Vec<Signal>,
    traffic: Option<Traffic>,
    traffic_begun: u32,
    /// Restarts are offered and answered, and not only told.
    uses_offers: bool,
    /// What names stand for.
    names: Vec<(String, IpAddr)>,
    /// What is to happen.
    scripts: Queue<Script>,
    /// Steps since time moved on.
    idle: u32,
    timeline: Arc<Mutex<Timeline>>,
    /// Nothing is written into it.
    is_quiet: bool,
}

impl World {
    /// An empty world. The same seed and the same calls give the same run, byte for byte.
    pub fn seeded(seed: u64) -> Self {
        Self {
            seed,
            network: Network::seeded(seed),
            peers: Vec::new(),
            puppets: Vec::new(),
            servers: Servers::default(),
            signals: Vec::new(),
            traffic: None,
            traffic_begun: 0,
            uses_offers: false,
            names: Vec::new(),
            scripts: Queue::new(),
            idle: 0,
            timeline: Arc::default(),
            is_quiet: false,
        }
    }

    /// The same without a timeline: for many runs of which only the outcome counts.
    #[must_use]
    pub fn without_timeline(mut self) -> Self {
        self.is_quiet = true;
        self
    }

    /// What it was made from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The network below, for what a scenario does to it.
    pub fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    /// How all links behave from now on.
    pub fn set_link(&mut self, link: LinkConfig) {
        self.network.set_link(link);
    }

    /// Two peers who want to connect: `alice` controlling, `bob` controlled, unless they say otherwise. Signalling tells credentials,
    /// `ice-lite`, `ice-pacing`, `ice-options` and candidates; it starts at once and takes no time, unless they say otherwise.
    pub fn pair(&mut self, alice: PeerSpec, bob: PeerSpec) -> [PeerId; 2] {
        let alice = self.add("alice", Role::Controlling, alice);
        let bob = self.add("bob", Role::Controlled, bob);
        for (from, to) in [(alice, bob), (bob, alice)] {
            if let Some(peer) = self.peers.get_mut(from.0) {
                peer.other = Some(to);
            }
            self.signal_credentials(from, None);
        }
        [alice, bob]
    }

    /// What time it is.
    pub fn now(&self) -> Instant {
        self.network.now()
    }

    /// The agent itself.
    pub fn agent(&mut self, peer: PeerId) -> &mut Agent {
        &mut self.peer_mut(peer).agent
    }

    /// Where a peer lives in the network.
    pub fn host(&self, peer: PeerId) -> HostId {
        self.peer(peer).host
    }

    /// The address that a socket of a peer is bound to. The ids are given in the order of its addresses.
    ///
    /// # Panics
    /// If there is no such socket.
    #[expect(clippy::expect_used, reason = "a scenario that is wrong ends")]
    pub fn address(&self, peer: PeerId, socket: SocketId) -> SocketAddr {
        self.peer(peer).address(socket).expect("a socket of this peer")
    }

    /// Nothing that `from` sends reaches `to` any more; what is in flight neither.
    pub fn block(&mut self, from: PeerId, to: PeerId) {
        self.note(format!("nothing gets from {} to {} any more", self.peer(from).name, self.peer(to).name));
        let (from, to) = (self.host(from), self.host(to));
        self.network.block(from, to);
    }

    /// No name that was signalled so far can be resolved from now on.
    pub fn forget_names(&mut self) {
        self.names.clear();
    }

    /// Takes [`Self::block`] back.
    pub fn unblock(&mut self, from: PeerId, to: PeerId) {
        self.note(format!("datagrams get from {} to {} again", self.peer(from).name, self.peer(to).name));
        let (from, to) = (self.host(from), self.host(to));
        self.network.unblock(from, to);
    }

    /// The path that a peer has selected for its first component.
    pub fn selected(&self, peer: PeerId) -> Option<Path> {
        self.peer(peer).agent.selected_path(ComponentId::FIRST)
    }

    /// Whether the two have selected the same pair of addresses for every component.
    pub fn agree(&self, one: PeerId, other: PeerId) -> bool {
        let [one, other] = [one, other].map(|id| &self.peer(id).agent);
        let same = |&component| match (one.selected_path(component), other.selected_path(component)) {
            (Some(ours), Some(theirs)) => ours.local == theirs.remote && ours.remote == theirs.local,
            _ => false,
        };
        one.components().iter().all(same)
    }

    /// When a peer first had a usable path.
    pub fn usable_at(&self, peer: PeerId) -> Option<Instant> {
        self.peer(peer).when(|e| matches!(e, Event::PathUsable(_)))
    }

    /// When a peer first had a selected pair.
    pub fn selected_at(&self, peer: PeerId) -> Option<Instant> {
        self.peer(peer).when(|e| matches!(e, Event::PathSelected(_)))
    }

    /// Everything that an agent told its application, with its time.
    pub fn events(&self, peer: PeerId) -> &[(Instant, Event)] {
        &self.peer(peer).events
    }

    /// Every decision that an agent traced, with its time.
    pub fn decisions(&self, peer: PeerId) -> Vec<(Instant, TraceEvent)> {
        let name = self.peer(peer).name;
        let timeline = self.timeline.lock();
        timeline.map(|t| t.of(name).map(|(at, event)| (at, event.clone())).collect()).unwrap_or_default()
    }

    /// The causes that a peer told as trouble, with their times.
    pub fn trouble(&self, peer: PeerId) -> Vec<(Instant, Cause)> {
        let trouble = |(at, e): &(Instant, Event)| match e {
            Event::Trouble(cause) => Some((*at, *cause)),
            _ => None,
        };
        self.events(peer).iter().filter_map(trouble).collect()
    }

    /// The report of a peer that has failed.
    pub fn report(&self, peer: PeerId) -> Option<&Report> {
        self.events(peer).iter().find_map(|(_, e)| match e {
            Event::Failed(report) => Some(report),
            _ => None,
        })
    }

    /// The datagrams of the application that a peer has got, in their order.
    pub fn inbox(&self, peer: PeerId) -> &[Vec<u8>] {
        &self.peer(peer).inbox
    }

    /// Puts a line of the scenario's own into the timeline.
    pub fn note(&mut self, what: impl Into<String>) {
        if self.is_quiet {
            return;
        }
        let now = self.now();
        if let Ok(mut timeline) = self.timeline.lock() {
            timeline.note(now, what.into());
        }
    }

    /// Everything that happened, as text: a line for each event, with its time and whose it is.
    pub fn timeline(&self) -> String {
        self.timeline.lock().map(|t| t.to_string()).unwrap_or_default()
    }

    fn add(&mut self, name: &'static str, role: Role, spec: PeerSpec) -> PeerId {
        let place = match &spec.place {
            Place::At(place) => *place,
            Place::Behind(router) => {
                Attachment::Behind(self.network.add_router(Attachment::Public, *router.clone()))
            }
        };
        let seed = (self.seed, self.peers.len());
        let (servers, by_nat64) = (spec.servers.clone(), spec.by_nat64);
        let timeline = (!self.is_quiet).then_some(&self.timeline);
        let mut peer = Peer::new(name, role, spec, (&mut self.network, place), seed, timeline);
        for server in servers {
            self.tell_of_server(&mut peer, &server, by_nat64);
        }
        self.peers.push(peer);
        PeerId(self.peers.len() - 1)
    }

    #[expect(clippy::expect_used, reason = "a PeerId comes only from this world")]
    fn peer(&self, id: PeerId) -> &Peer {
        self.peers.get(id.0).expect("a peer of this world")
    }

    #[expect(clippy::expect_used, reason = "a PeerId comes only from this world")]
    fn peer_mut(&mut self, id: PeerId) -> &mut Peer {
        self.peers.get_mut(id.0).expect("a peer of this world")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}\n{}", self.seed, self.timeline());
        }
    }
}

/// Plays a scenario in a world of its own for each of these seeds. The first that panics ends it, and prints
/// its seed and its timeline.
pub fn for_seeds(seeds: Range<u64>, scenario: impl Fn(&mut World)) {
    for seed in seeds {
        scenario(&mut World::seeded(seed));
    }
}

/// Every peer has a path that can carry data for each of its components.
pub fn both_usable(world: &World) -> bool {
    world.peers.iter().all(|p| p.agent.components().iter().all(|&c| p.agent.path(c).is_some()))
}

/// Every peer has selected a pair for each of its components.
pub fn both_selected(world: &World) -> bool {
    world.peers.iter().all(|p| p.agent.components().iter().all(|&c| p.agent.selected_path(c).is_some()))
}

/// Every peer has given up.
pub fn both_failed(world: &World) -> bool {
    world.peers.iter().all(|p| p.when(|e| matches!(e, Event::Failed(_))).is_some())
}

/// So many seconds.
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// So many milliseconds.
pub const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
