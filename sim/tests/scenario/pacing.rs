//! `ice-pacing`: the distance between checks is the higher of both sides' wishes (RFC 8445 §14.2).

use core::time::Duration;

use floe_core::{AgentConfig, Instant};
use floe_sim::LinkConfig;
use floe_sim::scenario::{PeerSpec, World, both_selected, millis, open, secs};

/// Five candidates, each on an address of its own, of which only the last leads anywhere.
fn only_the_last_of_five() -> PeerSpec {
    open().with_dead_addresses(4).with(AgentConfig { ta: millis(5), ..Default::default() })
}

#[test]
fn with_five_milliseconds_on_both_sides_the_last_of_25_pairs_is_selected_within_210() {
    let mut world = World::seeded(1);
    world.set_link(LinkConfig::rtt(millis(40)));
    let bob = only_the_last_of_five().with_role(floe_core::Role::Controlled);
    let [alice, bob] = world.pair(only_the_last_of_five(), bob);
    world.run_until(both_selected).within(secs(1));
    assert!(world.agree(alice, bob));
    for (name, peer) in [("alice", alice), ("bob", bob)] {
        assert!(world.usable_at(peer).unwrap() <= Instant::from_millis(165), "{}", world.timeline());
        assert!(world.selected_at(peer).unwrap() <= Instant::from_millis(210), "{}", world.timeline());
        assert_eq!(shortest_distance(&world, name), millis(5), "{}", world.timeline());
    }
}

#[test]
fn a_peer_without_ice_pacing_is_paced_at_fifty_milliseconds() {
    let mut world = World::seeded(2);
    world.set_link(LinkConfig::rtt(millis(40)));
    let bob = only_the_last_of_five().with_role(floe_core::Role::Controlled).without_signalled_pacing();
    let [alice, bob] = world.pair(only_the_last_of_five(), bob);
    world.run_until(both_selected).within(secs(2));
    assert!(world.agree(alice, bob));
    assert_eq!(shortest_distance(&world, "alice"), millis(50), "{}", world.timeline());
    assert_eq!(shortest_distance(&world, "bob"), millis(5), "it knows Alice's wish, and has its own");
}

/// Between two new checks of a peer. Retransmissions are not new.
fn shortest_distance(world: &World, name: &str) -> Duration {
    let timeline = world.timeline();
    let starts: Vec<u64> = timeline
        .lines()
        .filter(|l| l.contains(&format!(" {name} ")) && l.contains(" sent") && !l.contains("transmission"))
        .map(|l| (l.split_whitespace().next().unwrap().parse::<f64>().unwrap() * 1_000.0).round() as u64)
        .collect();
    let distances = starts.windows(2).map(|w| Duration::from_micros(w[1] - w[0]));
    distances.min().unwrap()
}
