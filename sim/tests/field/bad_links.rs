//! Case 17: links that lose a lot, all the time or in bursts, and that fail altogether for a while.

use std::cell::RefCell;

use floe_sim::scenario::{both_selected, for_seeds, millis, open, secs};
use floe_sim::{Bursts, LinkConfig};

use super::story::{alarms, assert_kept, assert_talking};

/// Half of everything is lost, four datagrams or so in a row.
fn in_bursts() -> LinkConfig {
    LinkConfig::rtt(millis(40)).with_bursts(Bursts { begin: 0.25, end: 0.25, loss: 1.0 })
}

#[test]
fn case_17_two_connect_over_a_link_that_loses_a_lot_for_twenty_seconds() {
    for (link, median) in [(LinkConfig::rtt(millis(40)).with_loss(0.3), 600), (in_bursts(), 1_700)] {
        let times = RefCell::new(Vec::new());
        for_seeds(0..200, |world| {
            world.set_link(link);
            world
                .at(floe_core::Instant::ZERO + secs(20), |world| world.set_link(LinkConfig::rtt(millis(40))));
            let peers = world.pair(open(), open());
            world.run_until(both_selected).within(secs(21));
            times.borrow_mut().push(world.now().as_millis());
            world.run_until(|w| w.now() >= floe_core::Instant::ZERO + secs(35)).within(secs(40));
            assert_talking(world, peers);
        });
        let mut times = times.into_inner();
        times.sort_unstable();
        assert!(times[100] <= median && times[199] < 20_000, "{times:?}");
    }
}

/// Consent ends 30 s after the last answer, and is asked for every four to six seconds and no more often (RFC 7675 §5.1): whatever happens
/// in less than 18 s is survived in any case.
#[test]
fn case_17_a_call_in_which_a_lot_is_lost_for_some_time_is_degraded_and_not_dead() {
    for (link, time) in [(LinkConfig::rtt(millis(40)).with_loss(0.3), secs(20)), (in_bursts(), secs(15))] {
        let degraded = RefCell::new(0);
        for_seeds(0..200, |world| {
            let peers = world.pair(open(), open());
            world.run_until(both_selected).within(secs(1));
            world.run_for(secs(3) + millis(world.seed() * 371 % 6_000));
            world.start_traffic(millis(20));
            world.set_link(link);
            world.run_for(time);
            world.set_link(LinkConfig::rtt(millis(40)));
            world.run_for(secs(15));
            world.stop_traffic();
            for peer in peers {
                let tally = world.traffic(peer);
                assert!(tally.refusals.is_empty(), "{tally}");
                assert!(tally.longest_silence < secs(1), "{tally}");
                *degraded.borrow_mut() += usize::from(!alarms(world, peer).is_empty());
            }
            assert_kept(world, peers);
            assert_talking(world, peers);
        });
        // Many, and not because of nothing: a few come through without that.
        assert!((100..390).contains(&degraded.into_inner()));
    }
}

#[test]
fn case_17_five_seconds_without_anything_are_survived() {
    for_seeds(0..100, |world| {
        let peers @ [alice, bob] = world.pair(open(), open());
        world.run_until(both_selected).within(secs(1));
        world.run_for(secs(3) + millis(world.seed() * 371 % 6_000));
        world.start_traffic(millis(20));
        world.run_for(secs(1));
        world.block(alice, bob);
        world.block(bob, alice);
        world.run_for(secs(5));
        world.unblock(alice, bob);
        world.unblock(bob, alice);
        world.run_for(secs(20));
        world.stop_traffic();
        for peer in peers {
            let tally = world.traffic(peer);
            assert!(tally.refusals.is_empty(), "{tally}");
            assert!(tally.longest_silence <= secs(5) + millis(20), "{tally}");
        }
        assert_kept(world, peers);
        assert_talking(world, peers);
    });
}
