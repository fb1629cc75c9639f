//! Peers who reach each other through TURN servers that they have asked themselves.

use floe_core::CandidateType;
use floe_sim::NatConfig;
use floe_sim::scenario::{PeerId, World, behind, both_selected, millis, open, secs};

/// The types at both ends of a peer's selected path.
fn ends(world: &World, peer: PeerId) -> [CandidateType; 2] {
    let path = world.selected(peer).unwrap();
    [path.local_type, path.remote_type]
}

fn exchange(world: &mut World, alice: PeerId, bob: PeerId) {
    world.send(alice, b"hello").unwrap();
    world.send(bob, b"hello yourself").unwrap();
    world.run_for(millis(300));
    assert_eq!(world.inbox(bob), [b"hello".to_vec()], "{}", world.timeline());
    assert_eq!(world.inbox(alice), [b"hello yourself".to_vec()]);
}

#[test]
fn hard_nats_on_both_sides_meet_through_the_relay() {
    for seed in 0..20 {
        let mut world = World::seeded(seed);
        let (relay, stun) = (world.turn_server(), world.stun_server());
        // A relay lets in who was told to it: bob has to know from where he is seen.
        let hard = || behind(NatConfig::symmetric());
        let [alice, bob] = world.pair(hard().using(relay), hard().asking(stun));
        world.run_until(both_selected).within(secs(3));
        assert!(world.agree(alice, bob), "{}", world.timeline());
        assert_eq!(ends(&world, alice)[0], CandidateType::Relayed, "{}", world.timeline());
        exchange(&mut world, alice, bob);
    }
}

#[test]
fn relay_to_relay() {
    for seed in 0..20 {
        let mut world = World::seeded(seed);
        let [one, other] = [world.turn_server(), world.turn_server()];
        let [alice, bob] = world.pair(open().using(one).relay_only(), open().using(other).relay_only());
        world.run_until(both_selected).within(secs(4));
        assert!(world.agree(alice, bob), "{}", world.timeline());
        assert_eq!(ends(&world, alice), [CandidateType::Relayed; 2], "{}", world.timeline());
        exchange(&mut world, alice, bob);
        let path = world.selected(alice).unwrap();
        assert_eq!((path.relay, path.overhead), (Some(world.turn_address(one)), 4), "a channel carries it");
    }
}

#[test]
fn closing_releases_the_allocation() {
    let mut world = World::seeded(1);
    let relay = world.turn_server();
    let [alice, bob] = world.pair(open().using(relay).relay_only(), open());
    world.run_until(both_selected).within(secs(3));
    let _ = bob;
    assert_eq!(world.turn(relay).allocations().count(), 1);
    let now = world.now();
    world.agent(alice).close(now);
    world.run_for(secs(1));
    assert_eq!(world.turn(relay).allocations().count(), 0, "{}", world.timeline());
}
