//! What discovery finds, and what two agents then do: the forecast from two measurements against what happens.

use floe_core::nat::{NatBehaviour, NatTraits, Prospect, prospect};
use floe_core::{AgentConfig, Cause, Event, HopelessPairs, Instant, Role, SocketId};
use floe_sim::scenario::{PeerId, PeerSpec, World, behind, both_selected, secs};
use floe_sim::{Filtering, Mapping, NatConfig, PortAssignment};

use crate::lab::Lab;

const MAPPINGS: [Mapping; 3] =
    [Mapping::EndpointIndependent, Mapping::AddressDependent, Mapping::AddressAndPortDependent];
const FILTERINGS: [Filtering; 3] =
    [Filtering::EndpointIndependent, Filtering::AddressDependent, Filtering::AddressAndPortDependent];

fn measured(nat: &NatConfig) -> NatTraits {
    Lab::behind(1, nat.clone()).discover().traits
}

/// The behaviours that each side would know, of the world that `specs` make: what they measured, and at which addresses.
fn known(seed: u64, specs: [PeerSpec; 2], nats: [NatTraits; 2]) -> [NatBehaviour; 2] {
    let mut world = World::seeded(seed);
    let [alice, bob] = specs;
    let peers = world.pair(alice, bob);
    world.run_for(secs(1));
    [0, 1].map(|side| {
        let mapped = world.events(peers[side]).iter().find_map(|(_, event)| match event {
            Event::LocalCandidate { candidate, .. } if candidate.kind.sdp_name() == "srflx" => {
                candidate.address.socket_addr()
            }
            _ => None,
        });
        let mut behaviour = NatBehaviour::of_peer(mapped.unwrap(), nats[side]);
        behaviour.local = Some(world.address(peers[side], SocketId(0)));
        behaviour
    })
}

fn tell(world: &mut World, [alice, bob]: [PeerId; 2], [of_alice, of_bob]: [NatBehaviour; 2]) {
    let now = world.now();
    world.agent(alice).set_nat_behaviour(now, of_alice);
    world.agent(alice).set_remote_nat_behaviour(now, of_bob);
    world.agent(bob).set_nat_behaviour(now, of_bob);
    world.agent(bob).set_remote_nat_behaviour(now, of_alice);
}

fn with(hopeless_pairs: HopelessPairs, [alice, bob]: [PeerSpec; 2]) -> [PeerSpec; 2] {
    let config = |role| AgentConfig { role, hopeless_pairs, ..Default::default() };
    [alice.with(config(Role::Controlling)), bob.with(config(Role::Controlled))]
}

/// Every mapping and filter against every other: the forecast is what happens, with ports that nobody can guess.
#[test]
fn the_forecast_is_what_happens() {
    let kinds: Vec<(NatConfig, NatTraits)> = MAPPINGS
        .into_iter()
        .flat_map(|mapping| FILTERINGS.map(|filtering| NatConfig::new(mapping, filtering)))
        .map(|nat| nat.with_port_assignment(PortAssignment::Random))
        .map(|nat| (nat.clone(), measured(&nat)))
        .collect();
    let mut apart = 0;
    for (index, (left, ours)) in kinds.iter().enumerate() {
        for (right, theirs) in kinds.iter().skip(index) {
            let specs = || [left, right].map(|nat| behind(nat.clone()).with_reflexive_candidate());
            let both = known(3, specs(), [*ours, *theirs]);
            let mut world = World::seeded(3);
            let [alice, bob] = specs();
            let peers = world.pair(alice, bob);
            world.run_for(secs(8));
            let met = both_selected(&world);
            let expected = prospect(&both[0], &both[1]);
            assert_eq!(met, expected == Prospect::Possible, "{left:?}\n{right:?}\n{}", world.timeline());
            apart += usize::from(!met);
            // And if they know it, they still meet where they can, and say so where they cannot.
            let mut world = World::seeded(3);
            let [alice, bob] = with(HopelessPairs::Skip, specs());
            let peers_again = world.pair(alice, bob);
            assert_eq!(peers, peers_again);
            tell(&mut world, peers_again, both);
            world.run_for(secs(8));
            assert_eq!(both_selected(&world), met, "{left:?}\n{right:?}\n{}", world.timeline());
            if !met {
                for peer in peers_again {
                    let trouble = world.trouble(peer);
                    let told = trouble.iter().find(|(_, cause)| {
                        matches!(cause, Cause::Nats { prospect: Prospect::NoCommonGround, .. })
                    });
                    let (at, cause) = told.unwrap_or_else(|| panic!("{trouble:?}"));
                    assert!(*at <= Instant::from_millis(5_000), "{at}");
                    assert!(cause.to_string().contains("our NAT maps each socket to "), "{cause}");
                }
            }
        }
    }
    assert!(apart >= 10, "{apart}");
}

fn hard(hopeless_pairs: HopelessPairs) -> [PeerSpec; 2] {
    let spec = || behind(NatConfig::symmetric()).with_reflexive_candidate().with_virtual_relay();
    with(hopeless_pairs, [spec(), spec()])
}

/// With a relay, nothing is lost by knowing, and the time that goes into waiting for better pairs is saved by skipping them.
#[test]
fn who_knows_that_only_the_relay_works_is_there_sooner() {
    let traits = measured(&NatConfig::symmetric());
    let both = known(4, hard(HopelessPairs::Last), [traits; 2]);
    let selected = |hopeless: HopelessPairs, tells: bool| {
        let mut world = World::seeded(4);
        let [alice, bob] = hard(hopeless);
        let peers = world.pair(alice, bob);
        if tells {
            tell(&mut world, peers, both);
        }
        world.run_until(both_selected).within(secs(3));
        assert!(world.agree(peers[0], peers[1]), "{}", world.timeline());
        world.selected_at(peers[0]).max(world.selected_at(peers[1])).unwrap()
    };
    let plain = selected(HopelessPairs::Last, false);
    let last = selected(HopelessPairs::Last, true);
    assert!(last <= plain, "{last} {plain}");
    assert!(selected(HopelessPairs::Skip, true) < plain, "{plain}");
}

/// RFC 5780 §1: what was measured may not be true any more. By default that costs a few checks' time, and no connection.
#[test]
fn a_stale_measurement_keeps_nobody_apart_unless_it_is_asked_to() {
    let traits = measured(&NatConfig::symmetric());
    for (hopeless_pairs, meet) in [(HopelessPairs::Last, true), (HopelessPairs::Skip, false)] {
        let spec = || behind(NatConfig::port_restricted()).with_reflexive_candidate();
        let specs = || with(hopeless_pairs, [spec(), spec()]);
        let both = known(5, specs(), [traits; 2]);
        let mut world = World::seeded(5);
        let [alice, bob] = specs();
        let peers = world.pair(alice, bob);
        tell(&mut world, peers, both);
        world.run_for(secs(5));
        assert_eq!(both_selected(&world), meet, "{}", world.timeline());
    }
}
