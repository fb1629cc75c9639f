//! Many candidates, and what the limits do.

use floe_core::{AgentConfig, Cause, Instant, Reach, Role};
use floe_sim::scenario::{PeerSpec, World, both_failed, both_selected, open, secs};

/// `count` candidates, each on an address of its own, of which only the one of lowest priority leads anywhere.
fn only_the_last(count: usize, role: Role, reach: Reach) -> PeerSpec {
    let config = AgentConfig { role, reach, deadline: Some(secs(40)), ..Default::default() };
    let config = if reach == Reach::Wide { AgentConfig { deadline: None, ..config } } else { config };
    open().with_dead_addresses(count - 1).with(config)
}

#[test]
fn twenty_by_twenty_of_which_only_the_last_works_connects_with_wide_reach() {
    let mut world = World::seeded(1);
    let [alice, bob] = world.pair(
        only_the_last(20, Role::Controlling, Reach::Wide),
        only_the_last(20, Role::Controlled, Reach::Wide),
    );
    world.run_until(both_selected).within(secs(30));
    println!("20 x 20: {}", world.now());
    assert!(world.agree(alice, bob));
}

#[test]
fn fifty_by_fifty_of_which_only_the_last_works_connects_with_wide_reach() {
    let mut world = World::seeded(2);
    let [alice, bob] = world.pair(
        only_the_last(50, Role::Controlling, Reach::Wide),
        only_the_last(50, Role::Controlled, Reach::Wide),
    );
    world.run_until(both_selected).within(secs(150));
    println!("50 x 50: {}", world.now());
    assert!(world.agree(alice, bob));
}

/// The first pass over 400 pairs takes 20 s. What was tried in vain by then has a second turn.
#[test]
fn with_wide_reach_a_pair_that_failed_at_first_has_a_second_turn() {
    let mut world = World::seeded(5);
    let [alice, bob] = world.pair(
        only_the_last(20, Role::Controlling, Reach::Wide),
        only_the_last(20, Role::Controlled, Reach::Wide),
    );
    world.block(alice, bob);
    world.block(bob, alice);
    world.run_for(secs(30));
    world.unblock(alice, bob);
    world.unblock(bob, alice);
    world.run_until(both_selected).within(secs(30));
    assert!(world.agree(alice, bob));
}

#[test]
fn with_the_default_limit_the_report_says_that_pairs_were_not_tried() {
    let mut world = World::seeded(3);
    let [alice, bob] = world.pair(
        only_the_last(20, Role::Controlling, Reach::default()),
        only_the_last(20, Role::Controlled, Reach::default()),
    );
    world.run_until(both_failed).within(secs(60));
    for peer in [alice, bob] {
        let report = world.report(peer).unwrap();
        assert!(report.causes.contains(&Cause::PairLimit { untried: 300 }), "{report}");
        assert_eq!(report.pairs.len(), 100);
    }
}

/// Ta bounds new checks; whatever is sent again besides is bounded by its own schedule.
#[test]
fn checks_are_paced_however_many_wait() {
    let mut world = World::seeded(4);
    let [alice, _] = world.pair(open().with_addresses(6), open().with_dead_addresses(5));
    world.run_until(both_selected).within(secs(10));
    let timeline = world.timeline();
    let first_sends: Vec<f64> = timeline
        .lines()
        .filter(|l| l.contains(" alice ") && l.contains(" sent") && !l.contains("transmission"))
        .map(|l| l.split_whitespace().next().unwrap().parse().unwrap())
        .collect();
    assert!(first_sends.len() >= 3, "{timeline}");
    assert!(first_sends.windows(2).all(|w| w[1] - w[0] >= 50.0), "{first_sends:?}");
    assert!(world.usable_at(alice).unwrap() > Instant::ZERO);
}
