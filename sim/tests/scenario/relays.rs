//! Peers with a way of their own besides UDP: virtual relays.

use floe_core::{AgentConfig, CandidateFilter, CandidateType, Event};
use floe_sim::NatConfig;
use floe_sim::scenario::{World, behind, both_selected, both_usable, millis, open, secs};

/// The types at both ends of a peer's selected path.
fn ends(world: &World, peer: floe_sim::scenario::PeerId) -> [CandidateType; 2] {
    let path = world.selected(peer).unwrap();
    [path.local_type, path.remote_type]
}

#[test]
fn peers_that_cannot_meet_directly_meet_through_a_virtual_relay() {
    for seed in 0..20 {
        let mut world = World::seeded(seed);
        let hard = || behind(NatConfig::symmetric()).with_reflexive_candidate().with_virtual_relay();
        let [alice, bob] = world.pair(hard(), hard());
        world.run_until(both_selected).within(secs(3));
        assert!(world.agree(alice, bob), "{}", world.timeline());
        assert!(ends(&world, alice).contains(&CandidateType::Relayed), "{}", world.timeline());
        world.send(alice, b"hello").unwrap();
        world.run_for(millis(200));
        assert_eq!(world.inbox(bob), [b"hello".to_vec()]);
    }
}

#[test]
fn what_starts_on_a_virtual_relay_goes_direct_when_the_direct_pair_is_proven() {
    let mut world = World::seeded(7);
    let peer = || open().with_virtual_relay();
    let [alice, bob] = world.pair(peer(), peer());
    world.block(alice, bob);
    world.block(bob, alice);
    world.run_until(both_usable).within(millis(300));
    let relayed = |e: &Event| match e {
        Event::PathUsable(path) => {
            Some(path.local_type == CandidateType::Relayed || path.remote_type == CandidateType::Relayed)
        }
        _ => None,
    };
    let first = world.events(alice).iter().find_map(|(_, e)| relayed(e));
    assert_eq!(first, Some(true), "{}", world.timeline());
    world.send(alice, b"over the relay").unwrap();
    world.run_for(millis(40));
    world.unblock(alice, bob);
    world.unblock(bob, alice);
    world.run_until(both_selected).within(secs(2));
    assert!(world.agree(alice, bob));
    assert_eq!(ends(&world, alice), [CandidateType::Host; 2], "{}", world.timeline());
    world.send(alice, b"direct").unwrap();
    world.run_for(millis(40));
    assert_eq!(world.inbox(bob), [b"over the relay".to_vec(), b"direct".to_vec()]);
}

#[test]
fn relay_only_meets_through_the_relays_and_shows_no_other_address() {
    let mut world = World::seeded(3);
    let local_filter = CandidateFilter::relay_only();
    let [alice, bob] = world.pair(
        open().with(AgentConfig { local_filter, ..Default::default() }).with_virtual_relay(),
        open().with_virtual_relay(),
    );
    world.run_until(both_selected).within(secs(3));
    assert!(world.agree(alice, bob));
    assert_eq!(world.selected(bob).unwrap().remote_type, CandidateType::Relayed);
    let of_alice: Vec<_> = world.agent(alice).explain().pairs.iter().map(|p| p.local).collect();
    let by_bob: Vec<_> = world.agent(bob).explain().pairs.iter().map(|p| p.remote).collect();
    assert!(by_bob.iter().all(|remote| of_alice.contains(remote)), "{by_bob:?}");
}
