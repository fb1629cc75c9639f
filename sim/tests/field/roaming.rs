//! Case 12: from Wi-Fi to cellular, behind NATs on all sides. The peer renominates and signalling takes no time, unless it is said.

use core::time::Duration;

use floe_core::{Event, Nomination, Role};
use floe_sim::NatConfig;
use floe_sim::scenario::{PeerId, World, behind, both_selected, for_seeds, millis, secs};

use super::story::{assert_talking, choosing};

const RTT: Duration = millis(40);
const TA: Duration = millis(50);
const ROLES: [Role; 2] = [Role::Controlling, Role::Controlled];

/// One at home on Wi-Fi, perhaps with a cellular interface besides, and one who stays; they have been connected for some time.
fn on_wifi(world: &mut World, nomination: Nomination, role: Role, standby: bool) -> [PeerId; 2] {
    let home =
        || behind(NatConfig::port_restricted()).with_reflexive_candidate().with_config(choosing(nomination));
    let peers = world.pair(home().with_role(role), home().with_role(role.opposite()));
    if standby {
        world.interface_up_behind(peers[0], NatConfig::carrier_grade());
    }
    world.run_until(both_selected).within(secs(2));
    world.run_for(secs(3) + millis(world.seed() * 371 % 6_000));
    peers
}

/// The interface goes that carries the data. Gives how long it takes until what is sent from now on has come, each way.
fn leave_the_house(world: &mut World, peers: [PeerId; 2], standby: bool) -> [Duration; 2] {
    let lost = world.selected(peers[0]).unwrap().base.ip();
    world.interface_down(peers[0], lost);
    if !standby {
        world.interface_up_behind(peers[0], NatConfig::carrier_grade());
    }
    let start = world.now();
    world.start_traffic(millis(1));
    world.run_for(secs(2));
    world.stop_traffic();
    peers.map(|peer| world.traffic(peer).between.map_or(secs(99), |(first, _)| first.since(start)))
}

fn asks_for_a_restart(world: &World, peer: PeerId) -> bool {
    world.events(peer).iter().any(|(_, event)| matches!(event, Event::RestartNeeded(_)))
}

#[test]
fn case_12_wifi_goes_and_cellular_was_there() {
    for role in ROLES {
        for_seeds(0..50, |world| {
            let peers = on_wifi(world, Nomination::Renominate, role, true);
            let [out, back] = leave_the_house(world, peers, true);
            assert!(out <= RTT + TA && back <= RTT + TA, "{out:?} {back:?}");
            assert!(world.traffic(peers[0]).refusals.is_empty());
            assert_talking(world, peers);
            assert!(!peers.into_iter().any(|peer| asks_for_a_restart(world, peer)));
        });
    }
}

#[test]
fn case_12_wifi_goes_and_cellular_comes() {
    for role in ROLES {
        for_seeds(0..50, |world| {
            let peers = on_wifi(world, Nomination::Renominate, role, false);
            let [out, back] = leave_the_house(world, peers, false);
            assert!(out <= 3 * RTT + TA && back <= 3 * RTT + TA, "{out:?} {back:?}");
            assert_talking(world, peers);
        });
    }
}

/// Nobody may be nominated twice here (RFC 8445 §8.1.1): the one who moves is told at once that it takes a restart.
#[test]
fn case_12_wifi_goes_towards_a_peer_that_does_not_renominate() {
    for role in ROLES {
        for standby in [true, false] {
            for_seeds(0..20, |world| {
                let peers = on_wifi(world, Nomination::Fast, role, standby);
                let lost = world.selected(peers[0]).unwrap().base.ip();
                world.interface_down(peers[0], lost);
                if !standby {
                    world.interface_up_behind(peers[0], NatConfig::carrier_grade());
                }
                world.run_for(Duration::ZERO);
                assert!(asks_for_a_restart(world, peers[0]));
                world.restart(peers[0]);
                let is_back = move |w: &World| {
                    peers.iter().all(|p| w.selected(*p).is_some_and(|s| s.pair.generation() > 0))
                };
                world.run_until(is_back).within(3 * RTT + TA);
                assert_talking(world, peers);
            });
        }
    }
}
