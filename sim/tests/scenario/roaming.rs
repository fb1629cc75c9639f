//! Wi-Fi to cellular: one side loses the interface that carries the data, and has another, or gets one at that moment. The peer
//! renominates, and signalling takes no time. Each story is told with 200 seeds for each loss; `--nocapture` shows how long it
//! takes until what is sent after the change has come, both ways.

use core::time::Duration;

use floe_core::{AgentConfig, Event, Nomination, Role};
use floe_sim::LinkConfig;
use floe_sim::scenario::{PeerId, PeerSpec, World, both_selected, for_seeds, millis, open, secs};

use super::agreement::{LONG, SEEDS, assert_together, for_losses};

const RTT: Duration = millis(40);
const TA: Duration = millis(50);
/// Between two datagrams of the data: how exactly a time can be told.
const TICK: Duration = millis(1);
const ROLES: [Role; 2] = [Role::Controlling, Role::Controlled];

/// What the one that moves has besides the interface that it loses.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Other {
    /// A second one, which was there all the time.
    Standby,
    /// One that comes up when the first goes down.
    Fresh,
}

/// Whether signalling tells that a candidate is gone.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Removal {
    Told,
    Untold,
}

/// One that moves, in this role, and one that stays. Both are connected, and have been for some time.
fn on_wifi(world: &mut World, role: Role, other: Other, removal: Removal) -> [PeerId; 2] {
    let config = AgentConfig { nomination: Nomination::Renominate, ..Default::default() };
    let side = |role| -> PeerSpec { open().with(config.clone()).with_role(role) };
    let mut mover = side(role).with_addresses(if other == Other::Standby { 2 } else { 1 });
    if removal == Removal::Untold {
        mover = mover.without_signalled_removals();
    }
    let peers = world.pair(mover, side(role.opposite()));
    world.run_until(both_selected).within(LONG);
    // At any moment between two keepalives.
    world.run_for(secs(3) + millis(world.seed() * 37 % 6_000));
    peers
}

/// The mover loses its interface. Gives how long it takes until what is sent from now on has come on both sides. Data flows all the
/// time.
fn roam(world: &mut World, peers: [PeerId; 2], other: Other) -> Duration {
    let lost = world.selected(peers[0]).unwrap().base.ip();
    world.interface_down(peers[0], lost);
    if other == Other::Fresh {
        world.interface_up(peers[0]);
    }
    let start = world.now();
    world.start_traffic(TICK);
    world.run_until(move |w| peers.iter().all(|&p| w.traffic_has_come(p))).within(LONG);
    world.now().since(start)
}

/// From now on nothing is lost or refused, and both mean the same pair.
fn assert_settled(world: &mut World, peers: [PeerId; 2]) {
    world.start_traffic(millis(50));
    world.run_for(secs(5));
    world.stop_traffic();
    assert_together(world, peers);
    for peer in peers {
        assert!(world.traffic(peer).is_lossless(), "{}", world.traffic(peer));
        assert!(
            !world.events(peer).iter().any(|(_, e)| matches!(e, Event::Failed(_) | Event::Restarted { .. }))
        );
    }
}

/// A standby takes over: not a datagram is lost or refused, either way.
#[test]
fn with_a_standby_data_goes_at_once_and_both_ways_within_a_round_trip_and_ta() {
    for role in ROLES {
        for_seeds(SEEDS, |world| {
            world.set_link(LinkConfig::rtt(RTT));
            let peers = on_wifi(world, role, Other::Standby, Removal::Told);
            let start = world.now();
            let gap = roam(world, peers, Other::Standby);
            assert!(gap <= RTT + TA, "{gap:?}");
            let outbound = world.traffic(peers[0]);
            assert!(outbound.refusals.is_empty(), "{outbound}");
            let (first, _) = outbound.between.unwrap();
            assert!(first.since(start) <= RTT / 2 + TICK, "{first}");
            assert_settled(world, peers);
            let asks = |e: &Event| matches!(e, Event::RestartNeeded(_));
            assert!(!peers.iter().any(|&p| world.events(p).iter().any(|(_, e)| asks(e))));
        });
    }
}

#[test]
fn without_a_standby_data_goes_both_ways_within_three_round_trips_and_ta() {
    for role in ROLES {
        for_seeds(SEEDS, |world| {
            world.set_link(LinkConfig::rtt(RTT));
            let peers = on_wifi(world, role, Other::Fresh, Removal::Told);
            let gap = roam(world, peers, Other::Fresh);
            assert!(gap <= 3 * RTT + TA, "{gap:?}");
            assert_settled(world, peers);
        });
    }
}

/// Nobody tells the one that stays. Controlled, it follows the nomination; controlling, it has to find out: the other checks
/// from elsewhere, and its own checks of the old path are not answered.
#[test]
fn without_word_of_it_the_one_that_stays_finds_out_by_the_checks_of_the_other() {
    for (role, other, bound) in [
        (Role::Controlling, Other::Standby, RTT + TA),
        (Role::Controlling, Other::Fresh, 3 * RTT + TA),
        (Role::Controlled, Other::Fresh, millis(500)),
        // Its first check may look like a keepalive. The second, half a second later, does not.
        (Role::Controlled, Other::Standby, secs(1)),
    ] {
        for_seeds(SEEDS, |world| {
            world.set_link(LinkConfig::rtt(RTT));
            let peers = on_wifi(world, role, other, Removal::Untold);
            let gap = roam(world, peers, other);
            assert!(gap <= bound, "{role} {other:?}: {gap:?}");
            assert_settled(world, peers);
        });
    }
}

#[test]
fn however_much_is_lost_both_end_with_the_same_pair_elsewhere() {
    lose_and_roam(Removal::Told);
}

#[test]
fn however_much_is_lost_both_end_with_the_same_pair_elsewhere_without_word_of_it() {
    lose_and_roam(Removal::Untold);
}

fn lose_and_roam(removal: Removal) {
    for other in [Other::Standby, Other::Fresh] {
        for role in ROLES {
            for_losses(&format!("{role} roams, {other:?}, {removal:?}"), |world| {
                let peers = on_wifi(world, role, other, removal);
                let gap = roam(world, peers, other);
                world.stop_traffic();
                world.run_for(secs(5));
                // Loss degrades paths all the time, and the last of it shows two consent checks later.
                world.set_link(LinkConfig::rtt(RTT));
                world.run_for(secs(15));
                assert_settled(world, peers);
                gap
            });
        }
    }
}
