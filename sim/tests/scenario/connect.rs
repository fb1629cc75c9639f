//! How fast two agents connect, and that loss does not stop them.

use floe_core::{AgentConfig, Instant, Nomination, Role};
use floe_sim::LinkConfig;
use floe_sim::scenario::{World, both_selected, millis, open, secs};

#[test]
fn usable_after_one_round_trip_and_selected_in_the_next_slot() {
    let mut world = World::seeded(1);
    let [alice, bob] = world.pair(open(), open());
    world.run_until(both_selected).within(secs(1));
    let at = |ms| Some(Instant::from_millis(ms));
    assert_eq!((world.usable_at(alice), world.usable_at(bob)), (at(40), at(40)));
    // The nomination waits for the slot at Ta, 50 ms, and takes a round trip.
    assert_eq!((world.selected_at(alice), world.selected_at(bob)), (at(90), at(70)));
    assert!(world.agree(alice, bob));
}

#[test]
fn data_flows_on_a_valid_pair_before_it_is_nominated_and_stays_on_it() {
    let mut world = World::seeded(2);
    let [alice, bob] = world.pair(open(), open());
    world.run_for(millis(39));
    assert!(world.send(alice, b"too early").is_err());
    world.run_for(millis(1));
    world.send(alice, b"early").unwrap();
    world.run_until(both_selected).within(secs(1));
    world.send(bob, b"late").unwrap();
    world.run_for(millis(20));
    assert_eq!(world.inbox(bob), [b"early".to_vec()]);
    assert_eq!(world.inbox(alice), [b"late".to_vec()]);
}

/// The promise is for each way; so is the loss.
#[test]
fn thirty_percent_loss_delays_and_does_not_stop() {
    let (mut slow, mut worst) = (0, Instant::ZERO);
    for seed in 0..10_000 {
        let mut world = World::seeded(seed);
        world.set_link(LinkConfig::rtt(millis(40)).with_loss(0.3));
        let [alice, bob] = world.pair(open(), open());
        world.run_until(both_selected).within(millis(39_500));
        assert!(world.agree(alice, bob), "seed {seed}");
        slow += u32::from(world.now() > Instant::from_millis(10_000));
        worst = worst.max(world.now());
    }
    println!("{slow} of 10,000 seeds took more than 10 s; the worst {worst} ms");
    assert!(slow <= 10, "{slow} of 10,000 took more than 10 s");
}

#[test]
fn every_nomination_policy_connects_under_loss_jitter_duplication_and_reordering() {
    for nomination in [Nomination::Fast, Nomination::Regular] {
        for seed in 0..300 {
            let mut world = World::seeded(seed);
            let link = LinkConfig::rtt(millis(80))
                .with_jitter(millis(60))
                .with_loss(0.15)
                .with_duplication(0.2)
                .with_reordering(0.2, millis(150));
            world.set_link(link);
            let config = AgentConfig { nomination, ..Default::default() };
            let [alice, bob] = world.pair(open().with(config).with_addresses(2), open().with_addresses(2));
            world.run_until(both_selected).within(secs(20));
            world.run_for(secs(5));
            assert!(world.agree(alice, bob), "{nomination:?}, seed {seed}\n{}", world.timeline());
        }
    }
}

#[test]
fn an_answer_that_takes_twenty_seconds_connects_at_once_when_it_comes() {
    let mut world = World::seeded(3);
    let [alice, bob] = world.pair(open(), open().signalled_after(secs(20)));
    world.run_until(both_selected).within(millis(20_500));
    assert!(world.agree(alice, bob));
    assert!(world.usable_at(alice).unwrap() <= Instant::from_millis(20_060), "{}", world.timeline());
}

#[test]
fn candidates_that_are_never_signalled_are_learned_from_checks() {
    let mut world = World::seeded(4);
    let [alice, bob] = world.pair(open().without_signalled_candidates(), open());
    world.run_until(both_selected).within(secs(1));
    assert!(world.agree(alice, bob));
    assert_eq!(world.selected(bob).unwrap().remote_type, floe_core::CandidateType::PeerReflexive);
}

#[test]
fn two_streams_of_two_components_all_connect_and_data_comes_out_of_each() {
    let mut world = World::seeded(5);
    let streams = |role| open().with(AgentConfig { role, streams: vec![2, 2], ..Default::default() });
    let [alice, bob] = world
        .pair(streams(Role::Controlling).with_addresses(2), streams(Role::Controlled).with_dead_addresses(1));
    world.run_until(both_selected).within(secs(5));
    assert!(world.agree(alice, bob), "{}", world.timeline());
    for component in world.agent(bob).components().to_vec() {
        world.send_for(bob, component, component.to_string().as_bytes()).unwrap();
    }
    world.run_for(millis(20));
    assert_eq!(world.inbox(alice).len(), 4);
}
