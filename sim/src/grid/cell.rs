//! One cell of the grid: two agents, the boxes in front of them, a STUN server and perhaps a relay.

use core::net::SocketAddr;
use core::time::Duration;

use floe_core::candidate::Address;
use floe_core::trace::TraceEvent;
use floe_core::{AgentConfig, CandidateType, Cause, Event, Nomination, Path, Report, Role};

use crate::scenario::{PeerId, PeerSpec, TurnId, TurnReach, World, at, behind, both_selected, millis, secs};
use crate::server::TurnConfig;
use crate::{Attachment, Hairpin, Instant, LinkConfig, Preset, RouterConfig};

/// The round-trip time between any two hosts.
pub const RTT: Duration = millis(40);
/// How much later the left side learns of the right where it is late: by then the right has checked all that it can.
pub const LATE: Duration = millis(900);
/// Who has no path by then has said what the trouble is.
pub const VERDICT: Duration = secs(5);
/// How long a path that is usable by then may take to be selected.
const PATIENCE: Duration = secs(15);
/// In which steps it is looked whether that is so.
const STEP: Duration = millis(20);
/// Of both hosts, as if they ran the same program. Behind one box they get into each other's way.
const PORT: u16 = 50_000;

/// A box, and what it is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamedRouter {
    /// For people, and for the seed.
    pub name: &'static str,
    /// What it does.
    pub router: RouterConfig,
}

/// Where the two sides are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Setting {
    /// Each behind a box of its own.
    Apart,
    /// The same, and signalling brings what the right tells [`LATE`] to the left.
    ApartLate,
    /// Both behind the left's box.
    SameBox {
        /// Whether the box keeps them from reaching each other directly, as in a guest network.
        isolated: bool,
        /// How it hairpins, if not as it does by itself.
        hairpin: Option<Hairpin>,
    },
}

/// What a cell is to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CellSpec {
    /// The box of the controlling side.
    pub left: NamedRouter,
    /// The box of the controlled side.
    pub right: NamedRouter,
    /// Where they are.
    pub setting: Setting,
    /// How both reach the same TURN server, if there is one.
    pub relay: Option<TurnReach>,
    /// How the left chooses.
    pub nomination: Nomination,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Cell {
    /// What it was.
    pub spec: CellSpec,
    /// The controlling side.
    pub left: SideOutcome,
    /// The controlled side.
    pub right: SideOutcome,
    /// Whether both have selected the same pair of addresses.
    pub agrees: bool,
    /// Everything that happened, as text.
    pub timeline: String,
}

/// What one side has seen.
#[derive(Clone, Debug)]
pub struct SideOutcome {
    /// The types of the candidates that it gathered, the most preferred first.
    pub candidates: Vec<CandidateType>,
    /// The address that the first server which was reached has seen, and the port that this was at home.
    pub seen: Option<(SocketAddr, u16)>,
    /// When it first had a path that could carry data.
    pub usable: Option<Instant>,
    /// When it selected one, and which.
    pub selected: Option<(Instant, Path)>,
    /// Checks that it sent until then, repeated ones included.
    pub checks: usize,
    /// When the first check of the other side arrived.
    pub heard: Option<Instant>,
    /// What it told as trouble.
    pub troubles: Vec<(Instant, Cause)>,
    /// What became of each pair, at the end.
    pub report: Report,
}

impl NamedRouter {
    /// A box of this name.
    pub fn new(name: &'static str, router: impl Into<RouterConfig>) -> Self {
        Self { name, router: router.into() }
    }
}

impl From<&Preset> for NamedRouter {
    fn from(preset: &Preset) -> Self {
        Self { name: preset.name, router: preset.router() }
    }
}

impl CellSpec {
    /// Two boxes apart, without a relay.
    pub fn new(left: NamedRouter, right: NamedRouter) -> Self {
        Self { left, right, setting: Setting::Apart, relay: None, nomination: Nomination::Regular }
    }

    /// From its name, so that it does not depend on what else is run.
    fn seed(&self) -> u64 {
        let name = self.to_string();
        name.bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }
}

impl Cell {
    /// Plays it: until both sides have selected a pair, or have had the time to say why they cannot.
    pub fn run(spec: &CellSpec) -> Self {
        Self::run_traced(spec).0
    }

    /// The same, with every decision of the left and of the right.
    pub fn run_traced(spec: &CellSpec) -> (Self, [Vec<(Instant, TraceEvent)>; 2]) {
        let mut world = World::seeded(spec.seed());
        world.set_link(LinkConfig::rtt(RTT));
        let stun = world.stun_server();
        // Boxes translate IPv4, and that is what the grid is about.
        let v4_only = |config: &mut TurnConfig| config.relay_addresses.retain(core::net::IpAddr::is_ipv4);
        let turn = spec.relay.map(|reach| (world.turn_server_with(v4_only), reach));
        let [left, right] = places(spec, &mut world);
        let side = |place: PeerSpec, role| {
            let config = AgentConfig { role, nomination: spec.nomination, ..Default::default() };
            let asking = place.with(config).with_port(PORT).asking(stun);
            turn.into_iter().fold(asking, |peer, (turn, reach)| peer.using_over(turn, reach))
        };
        let late = if spec.setting == Setting::ApartLate { LATE } else { Duration::ZERO };
        let pair =
            world.pair(side(left, Role::Controlling), side(right, Role::Controlled).signalled_after(late));
        let mut addresses = [None, None];
        while !is_over(&world, pair) {
            world.run_for(STEP);
            for (known, peer) in addresses.iter_mut().zip(pair) {
                *known = known.or_else(|| stream_address(&mut world, peer));
            }
        }
        let decisions = pair.map(|peer| world.decisions(peer));
        let [left, right] = {
            let mut outcomes = Vec::new();
            for ((peer, decisions), stream) in pair.into_iter().zip(&decisions).zip(addresses) {
                outcomes.push(outcome(&mut world, peer, decisions, (turn.map(|(id, _)| id), stream)));
            }
            <[SideOutcome; 2]>::try_from(outcomes).unwrap_or_else(|_| unreachable!("two peers"))
        };
        let [alice, bob] = pair;
        let agrees = world.agree(alice, bob);
        (Self { spec: spec.clone(), left, right, agrees, timeline: world.timeline() }, decisions)
    }

    /// Whether the left heard the right before it knew anything of it; none where that is not late.
    pub fn heard_early(&self) -> Option<bool> {
        let early = || self.left.heard.is_some_and(|at| at < Instant::ZERO + LATE);
        (self.spec.setting == Setting::ApartLate).then(early)
    }
}

/// Where each side is plugged in.
fn places(spec: &CellSpec, world: &mut World) -> [PeerSpec; 2] {
    match spec.setting {
        Setting::Apart | Setting::ApartLate => {
            [behind(spec.left.router.clone()), behind(spec.right.router.clone())]
        }
        Setting::SameBox { isolated, hairpin } => {
            let mut router = RouterConfig { isolated, ..spec.left.router.clone() };
            if let (Some(nat), Some(hairpin)) = (&mut router.nat, hairpin) {
                nat.hairpin = hairpin;
            }
            let router = world.network().add_router(Attachment::Public, router);
            [at(Attachment::Behind(router)), at(Attachment::Behind(router))]
        }
    }
}

/// Both have selected a pair and know their own candidates; or nobody will do so any more, or has had time enough.
fn is_over(world: &World, pair: [PeerId; 2]) -> bool {
    let is_done = |(_, event): &(Instant, Event)| matches!(event, Event::GatheringDone);
    let gathered = || pair.into_iter().all(|peer| world.events(peer).iter().any(is_done));
    if both_selected(world) {
        return gathered() || world.now() >= Instant::ZERO + VERDICT;
    }
    let hope = pair.into_iter().any(|peer| world.usable_at(peer).is_some());
    world.now() >= Instant::ZERO + if hope { PATIENCE } else { VERDICT }
}

/// The address from which a peer's first stream goes out.
fn stream_address(world: &mut World, peer: PeerId) -> Option<SocketAddr> {
    let stream = world.streams(peer).into_iter().next()?;
    world.network().stream_address(stream)
}

fn outcome(
    world: &mut World,
    peer: PeerId,
    decisions: &[(Instant, TraceEvent)],
    (turn, stream): (Option<TurnId>, Option<SocketAddr>),
) -> SideOutcome {
    let gathered: Vec<(CandidateType, SocketAddr)> = world
        .events(peer)
        .iter()
        .filter_map(|(_, event)| match event {
            Event::LocalCandidate { candidate, .. } => match candidate.address {
                Address::Ip(address) => Some((candidate.kind, address)),
                _ => None,
            },
            _ => None,
        })
        .collect();
    let of = |wanted| gathered.iter().find(|(kind, _)| *kind == wanted).map(|(_, address)| *address);
    let reflexive = of(CandidateType::ServerReflexive).map(|seen| (seen, PORT));
    let relayed = of(CandidateType::Relayed);
    let seen = reflexive.or_else(|| {
        let mut allocations = world.turn(turn?).allocations();
        let ours = allocations.find(|a| a.relays().iter().any(|relay| Some(relay.address()) == relayed))?;
        Some((ours.client().client, stream?.port()))
    });
    let mut candidates: Vec<CandidateType> = gathered.iter().map(|(kind, _)| *kind).collect();
    candidates.sort_unstable_by_key(|kind| core::cmp::Reverse(kind.type_preference()));
    let selected_at = world.selected_at(peer);
    let is_check = |(at, event): &&(Instant, TraceEvent)| {
        matches!(event, TraceEvent::CheckSent { .. }) && selected_at.is_none_or(|selected| *at <= selected)
    };
    let is_heard = |event: &TraceEvent| matches!(event, TraceEvent::RequestReceived { .. });
    SideOutcome {
        candidates,
        seen,
        usable: world.usable_at(peer),
        selected: selected_at.zip(world.selected(peer)),
        checks: decisions.iter().filter(is_check).count(),
        heard: decisions.iter().find(|(_, event)| is_heard(event)).map(|(at, _)| *at),
        troubles: world.trouble(peer),
        report: world.agent(peer).explain(),
    }
}
