//! The same seed gives the same run.

use floe_sim::LinkConfig;
use floe_sim::scenario::{World, behind, millis, secs};
use floe_sim::{DropReason, LogEvent, NatConfig};

/// The whole story of a lossy session behind NATs: decisions, events, and every datagram with its time.
fn run(seed: u64) -> (String, Vec<(u64, usize, bool)>) {
    let mut world = World::seeded(seed);
    world.network().record(true);
    world.set_link(LinkConfig::rtt(millis(60)).with_loss(0.2).with_jitter(millis(40)).with_duplication(0.1));
    let side = || behind(NatConfig::symmetric()).with_reflexive_candidate().with_addresses(2);
    world.pair(side(), side());
    world.run_for(secs(20));
    let log = world.network().log();
    let datagrams = log
        .iter()
        .map(|e| (e.at.as_nanos(), e.size, matches!(e.event, LogEvent::Dropped(DropReason::Loss))))
        .collect();
    (world.timeline(), datagrams)
}

#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte() {
    let (first, second) = (run(42), run(42));
    assert!(first.0.lines().count() > 50 && !first.1.is_empty());
    assert_eq!(first, second);
    assert_ne!(first.0, run(43).0);
}
