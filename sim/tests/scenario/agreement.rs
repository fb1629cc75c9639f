//! However much is lost, both sides end with one pair for each component, and it is the same one: several streams, restarts
//! under traffic, glare at any moment, nominations one after the other. Each story is told with 200 seeds, without loss, with
//! 10 % and with 30 % each way; `--nocapture` shows how long the slowest of a hundred take.

use core::time::Duration;
use std::cell::RefCell;

use floe_core::{AgentConfig, ComponentId, Nomination, Role};
use floe_sim::LinkConfig;
use floe_sim::scenario::{PeerId, World, both_selected, for_seeds, millis, open, secs};

pub(super) const SEEDS: core::ops::Range<u64> = 0..200;
const LOSSES: [f64; 3] = [0.0, 0.1, 0.3];
/// Past anything that was seen, and far from the patience of an agent.
pub(super) const LONG: Duration = Duration::from_secs(30);

/// Tells a story with each seed and each loss; the story says how long it took.
pub(super) fn for_losses(name: &str, story: impl Fn(&mut World) -> Duration) {
    for loss in LOSSES {
        let times = RefCell::new(Vec::new());
        for_seeds(SEEDS, |world| {
            world.set_link(LinkConfig::rtt(millis(40)).with_loss(loss));
            times.borrow_mut().push(story(world));
        });
        let mut times = times.into_inner();
        times.sort_unstable();
        let slow = times.get(times.len() * 99 / 100);
        println!("{name}, {:.0} % loss: 99th percentile {slow:?}, worst {:?}", loss * 100.0, times.last());
    }
}

fn restarted(world: &World, peers: [PeerId; 2]) -> bool {
    peers.iter().all(|&peer| world.selected(peer).is_some_and(|path| path.pair.generation() > 0))
}

pub(super) fn assert_together(world: &mut World, peers: [PeerId; 2]) {
    assert!(world.agree(peers[0], peers[1]));
    let roles = peers.map(|peer| world.agent(peer).role());
    assert_eq!(roles[0], roles[1].opposite());
}

#[test]
fn three_streams_of_two_components_agree_on_a_pair_each() {
    for_losses("three streams", |world| {
        let config = AgentConfig { streams: vec![2, 2, 2], ..Default::default() };
        let side = || open().with_addresses(2).with(config.clone());
        let [alice, bob] = world.pair(side(), side().with_role(Role::Controlled));
        world.run_until(both_selected).within(LONG);
        let time = world.now().since(floe_core::Instant::ZERO);
        // Long enough for whoever would change their mind.
        world.run_for(secs(3));
        assert_together(world, [alice, bob]);
        time
    });
}

#[test]
fn a_restart_under_traffic_ends_with_the_same_new_pair_whoever_asks() {
    for who in [&[0][..], &[1], &[0, 1]] {
        for_losses("restart", |world| {
            let peers = world.pair(open().with_addresses(2), open().with_addresses(2));
            world.run_until(both_selected).within(LONG);
            world.start_traffic(millis(50));
            world.run_for(millis(500));
            let start = world.now();
            for &index in who {
                world.restart(peers[index]);
            }
            world.run_until(move |w| restarted(w, peers)).within(LONG);
            let time = world.now().since(start);
            world.run_for(secs(1));
            // It panics if anything but the link's own losses is missing.
            world.stop_traffic();
            assert_together(world, peers);
            for peer in peers {
                let tally = world.traffic(peer);
                assert!(tally.refusals.is_empty() && tally.unclaimed == 0, "{tally}");
            }
            time
        });
    }
}

/// Both want the same role, and one restarts before that is settled, or while it is, or after.
#[test]
fn glare_at_any_moment_ends_with_opposite_roles_and_one_pair() {
    for role in [Role::Controlling, Role::Controlled] {
        for_losses("glare", |world| {
            let seed = world.seed();
            let peers = world.pair(open().with_role(role), open().with_role(role).with_addresses(2));
            world.run_for(millis(seed * 7 % 500));
            let start = world.now();
            world.restart(peers[seed as usize % 2]);
            world.run_until(move |w| restarted(w, peers)).within(LONG);
            let time = world.now().since(start);
            world.run_for(secs(2));
            assert_together(world, peers);
            time
        });
    }
}

/// The controlling side changes its mind again and again, faster than a nomination takes when some are lost.
#[test]
fn nominations_one_after_the_other_end_with_the_last() {
    for_losses("renomination", |world| {
        let config = AgentConfig { nomination: Nomination::Renominate, ..Default::default() };
        let side = || open().with_addresses(3).with(config.clone());
        let [alice, bob] = world.pair(side(), side().with_role(Role::Controlled));
        world.run_until(both_selected).within(LONG);
        world.run_for(secs(2));
        for round in 0..4 {
            let now = world.now();
            world.agent(alice).note_trouble(now, ComponentId::FIRST);
            world.run_for(millis(20 + world.seed() * (round + 1) * 13 % 300));
        }
        let start = world.now();
        world.run_until(move |w| w.agree(alice, bob)).within(LONG);
        let time = world.now().since(start);
        world.run_for(secs(12));
        // Loss degrades paths all the time, and the last of it shows two consent checks later.
        world.set_link(LinkConfig::rtt(millis(40)));
        world.run_for(secs(15));
        assert_together(world, [alice, bob]);
        time
    });
}
