//! A session of two agents as data: what the network does, who the two are, and when signalling brings what.

use core::time::Duration;

use floe_core::{Nomination, Role};
use floe_sim::{Filtering, LinkConfig, Mapping, NatConfig, PortAssignment};
use proptest::prelude::*;

/// Two agents and what lies between them. All times are in milliseconds.
#[derive(Clone, PartialEq, Debug)]
pub struct Scenario {
    /// Of the network and of both agents.
    pub seed: u64,
    /// How the network carries.
    pub link: Link,
    /// Ta of both agents.
    pub ta_ms: u64,
    /// Whether the networks behind the two NATs use the same private addresses.
    pub overlapping: bool,
    /// Whether both live behind Alice's NAT.
    pub neighbours: bool,
    /// One agent.
    pub alice: Side,
    /// The other.
    pub bob: Side,
}

/// How every datagram travels.
#[derive(Clone, PartialEq, Debug)]
pub struct Link {
    /// One way.
    pub latency_ms: u64,
    /// At most this much more.
    pub jitter_ms: u64,
    /// Of a hundred datagrams, so many are lost.
    pub loss_percent: u8,
    /// So many come twice.
    pub duplication_percent: u8,
    /// So many are held back,
    pub reordering_percent: u8,
    /// for this long.
    pub reorder_ms: u64,
}

/// One agent, where it lives, and when the other side hears of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Side {
    /// At the start.
    pub role: Role,
    /// Drawn from the seed if not given.
    pub tie_breaker: Option<u64>,
    /// Its policy while it controls.
    pub nomination: Nomination,
    /// What is in front of it.
    pub nat: Nat,
    /// How many IPv4 addresses lead somewhere, 1 or more.
    pub addresses: usize,
    /// How many more lead nowhere.
    pub dead: usize,
    /// Whether it has a public IPv6 address, too.
    pub ipv6: bool,
    /// When its sockets come up.
    pub sockets_ms: u64,
    /// When the other side is told its credentials.
    pub credentials_ms: u64,
    /// How long a candidate takes to the other side,
    pub candidates_ms: u64,
    /// and how much longer each next one.
    pub trickle_ms: u64,
    /// Whether the last candidate comes first.
    pub reversed: bool,
    /// How long the end of candidates takes. It does not overtake them (RFC 8838 §18).
    pub end_ms: u64,
}

/// What stands in front of a host, by the terms of RFC 4787.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Nat {
    /// Nothing.
    Open,
    /// Endpoint-independent mapping and filtering.
    FullCone,
    /// Endpoint-independent mapping, address-dependent filtering.
    AddressRestricted,
    /// Endpoint-independent mapping, address- and port-dependent filtering.
    PortRestricted,
    /// Both address-dependent.
    AddressDependent,
    /// Both address- and port-dependent, ports at random.
    Symmetric,
}

impl Scenario {
    /// When the last thing that signalling brings has come: ten candidates on each side at the most.
    pub fn all_signalled_after(&self) -> Duration {
        let of = |side: &Side| {
            let candidates = side.sockets_ms + side.candidates_ms + 10 * side.trickle_ms;
            candidates.max(side.credentials_ms).max(side.sockets_ms + side.end_ms)
        };
        Duration::from_millis(of(&self.alice).max(of(&self.bob)))
    }

    /// Whether there is a way through the two NATs for agents that know their server-reflexive addresses. A NAT
    /// whose mapping depends on the destination shows the peer another port than was signalled, so that the other
    /// side's filter must not look at ports.
    pub fn can_connect(&self) -> bool {
        let (a, b) = (self.alice.nat, self.bob.nat);
        self.neighbours
            || (a.is_predictable() || b.admits_any_port()) && (b.is_predictable() || a.admits_any_port())
    }
}

impl Link {
    /// For the simulator.
    pub fn config(&self) -> LinkConfig {
        let probability = |percent: u8| f64::from(percent) / 100.0;
        LinkConfig::one_way(Duration::from_millis(self.latency_ms))
            .with_jitter(Duration::from_millis(self.jitter_ms))
            .with_loss(probability(self.loss_percent))
            .with_duplication(probability(self.duplication_percent))
            .with_reordering(probability(self.reordering_percent), Duration::from_millis(self.reorder_ms))
    }
}

impl Nat {
    /// For the simulator; none for an open host.
    pub fn config(self) -> Option<NatConfig> {
        Some(match self {
            Self::Open => return None,
            Self::FullCone => NatConfig::full_cone(),
            Self::AddressRestricted => NatConfig::address_restricted(),
            Self::PortRestricted => NatConfig::port_restricted(),
            Self::AddressDependent => NatConfig::new(Mapping::AddressDependent, Filtering::AddressDependent)
                .with_port_assignment(PortAssignment::Sequential { step: 3 }),
            Self::Symmetric => NatConfig::symmetric(),
        })
    }

    fn is_predictable(self) -> bool {
        !matches!(self, Self::AddressDependent | Self::Symmetric)
    }

    fn admits_any_port(self) -> bool {
        matches!(self, Self::Open | Self::FullCone | Self::AddressRestricted)
    }
}

/// Sessions that can connect, over links that lose up to a quarter of everything.
pub fn scenarios() -> impl Strategy<Value = Scenario> {
    let world = (any::<u64>(), links(), 5_u64..=100, any::<bool>(), prop::bool::weighted(0.1));
    (world, sides(), sides()).prop_map(|((seed, link, ta_ms, overlapping, neighbours), alice, mut bob)| {
        let neighbours = neighbours && alice.nat != Nat::Open;
        if neighbours {
            // They meet by their private addresses.
            bob.nat = alice.nat;
        }
        let mut scenario = Scenario { seed, link, ta_ms, overlapping, neighbours, alice, bob };
        if !scenario.can_connect() {
            scenario.bob.nat = Nat::Open;
        }
        scenario
    })
}

fn links() -> impl Strategy<Value = Link> {
    (1_u64..=300, 0_u64..=120, 0_u8..=25, 0_u8..=30, 0_u8..=30, 0_u64..=400).prop_map(
        |(latency_ms, jitter_ms, loss_percent, duplication_percent, reordering_percent, reorder_ms)| Link {
            latency_ms,
            jitter_ms,
            loss_percent,
            duplication_percent,
            reordering_percent,
            reorder_ms,
        },
    )
}

fn sides() -> impl Strategy<Value = Side> {
    let role = prop_oneof![Just(Role::Controlling), Just(Role::Controlled)];
    let tie_breaker = prop_oneof![Just(None), (0_u64..3).prop_map(Some), Just(Some(u64::MAX))];
    let nomination = prop_oneof![Just(Nomination::Fast), Just(Nomination::Regular)];
    let place = (nats(), 1_usize..=3, 0_usize..=2, any::<bool>());
    let delays = (delays(), delays(), delays(), 0_u64..=300, any::<bool>(), delays());
    (role, tie_breaker, nomination, place, delays).prop_map(
        |(role, tie_breaker, nomination, place, delays)| {
            let (nat, addresses, dead, ipv6) = place;
            let (sockets_ms, credentials_ms, candidates_ms, trickle_ms, reversed, end_ms) = delays;
            Side {
                role,
                tie_breaker,
                nomination,
                nat,
                addresses,
                dead,
                ipv6,
                sockets_ms,
                credentials_ms,
                candidates_ms,
                trickle_ms,
                reversed,
                end_ms,
            }
        },
    )
}

fn nats() -> impl Strategy<Value = Nat> {
    prop::sample::select(vec![
        Nat::Open,
        Nat::FullCone,
        Nat::AddressRestricted,
        Nat::PortRestricted,
        Nat::AddressDependent,
        Nat::Symmetric,
    ])
}

/// Mostly none or short, now and then longer than a person likes.
fn delays() -> impl Strategy<Value = u64> {
    prop_oneof![3 => Just(0), 3 => 1_u64..=200, 1 => 200_u64..=8_000]
}
