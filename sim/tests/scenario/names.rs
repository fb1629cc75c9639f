//! Peers who signal names instead of addresses.

use floe_core::{AgentConfig, CandidateFilter, Cause};
use floe_sim::scenario::{World, both_failed, both_selected, millis, open, secs};

#[test]
fn names_are_resolved_and_cost_no_time() {
    let mut world = World::seeded(1);
    let [alice, bob] = world.pair(open().with_names(), open().with_names());
    world.run_until(both_selected).within(secs(1));
    assert!(world.agree(alice, bob));
    assert!(world.usable_at(alice).unwrap() <= floe_core::Instant::from_millis(40));
}

#[test]
fn names_that_nobody_knows_are_the_cause_that_is_told() {
    let mut world = World::seeded(1);
    let hidden = || open().with_names().signalled_after(millis(10));
    let [alice, bob] = world.pair(hidden(), hidden());
    world.run_for(millis(5));
    world.forget_names();
    world.run_until(both_failed).within(secs(41));
    for peer in [alice, bob] {
        assert_eq!(world.report(peer).unwrap().causes, [Cause::UnresolvedNames { names: 1 }]);
    }
}

/// The path comes up by checks of the side that knows an address, and what it shows is learned.
#[test]
fn one_side_without_names_is_enough() {
    let mut world = World::seeded(1);
    let [alice, bob] = world.pair(open().with_names().signalled_after(millis(10)), open());
    world.run_for(millis(5));
    world.forget_names();
    world.run_until(both_selected).within(secs(1));
    assert!(world.agree(alice, bob));
}

#[test]
fn a_filter_on_one_side_ends_what_would_have_worked_and_says_so() {
    let mut world = World::seeded(1);
    let remote_filter = CandidateFilter { ipv4: false, ..Default::default() };
    let [alice, bob] = world.pair(open().with(AgentConfig { remote_filter, ..Default::default() }), open());
    world.run_until(both_failed).within(secs(41));
    let causes = &world.report(alice).unwrap().causes;
    assert!(matches!(causes[..], [Cause::RemoteFiltered { candidates: 1, requests: 1.. }]), "{causes:?}");
    assert!(matches!(world.report(bob).unwrap().causes[..], [Cause::NothingThrough { .. }]));
}
