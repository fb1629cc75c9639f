//! The books of traffic: whatever happens to a session, each datagram is in them once.

use floe_core::SendError;
use floe_sim::scenario::{World, behind, both_selected, for_seeds, millis, open, secs};
use floe_sim::{DropReason, Fate, LinkConfig, NatConfig};

#[test]
fn the_books_reconcile_over_a_bad_network_with_an_outage() {
    for_seeds(0..200, |world| {
        world.set_link(
            LinkConfig::rtt(millis(60)).with_loss(0.1).with_duplication(0.1).with_jitter(millis(90)),
        );
        let home = || behind(NatConfig::port_restricted()).with_reflexive_candidate();
        let [alice, bob] = world.pair(home(), home());
        world.start_traffic(millis(50));
        world.run_for(secs(10));
        world.block(alice, bob);
        world.run_for(secs(2));
        world.unblock(alice, bob);
        world.run_for(secs(18));
        world.stop_traffic();
        let [out, back] = [alice, bob].map(|peer| world.traffic(peer));
        for tally in [&out, &back] {
            // What there was no path for was refused, and none of it went out.
            assert_eq!(tally.sent + tally.refusals.len() as u64, 600);
            assert!(tally.refusals.iter().all(|(_, e)| *e == SendError::NoPath));
            assert_eq!(tally.network.sent, tally.sent);
            assert!(tally.received > 400 && tally.copies > 0 && tally.late > 0);
        }
        assert!(out.network.dropped_for(DropReason::Blocked) > 25);
        assert!(out.longest_silence >= millis(1_950), "{out}");
        assert_eq!(back.network.dropped_for(DropReason::Blocked), 0);
    });
}

#[test]
fn a_perfect_network_loses_nothing_and_the_gaps_are_even() {
    let mut world = World::seeded(1);
    let [alice, bob] = world.pair(open(), open());
    world.run_until(both_selected).within(secs(1));
    world.start_traffic(millis(20));
    world.run_for(secs(10));
    world.stop_traffic();
    for peer in [alice, bob] {
        let tally = world.traffic(peer);
        assert!(tally.is_lossless() && tally.sent == 500, "{tally}");
        assert_eq!(tally.longest_silence, millis(20));
        assert_eq!((tally.copies, tally.late, tally.unclaimed, tally.astray), (0, 0, 0, 0));
    }
    assert_eq!(world.inbox(alice).len() + world.inbox(bob).len(), 0);
}

/// Data from an address where the peer has not proven itself is not the application's. It is missed in no sum.
#[test]
fn what_the_agent_does_not_take_is_unclaimed() {
    let mut world = World::seeded(2);
    let [alice, bob] = world.pair(open(), open());
    world.run_until(both_selected).within(secs(1));
    let (host, from) = (world.host(alice), world.address(alice, floe_core::SocketId(0)));
    world.start_traffic(millis(100));
    world.run_for(secs(1));
    world.network().set_rule(move |d| {
        let is_data = d.from == host && d.bytes.first() == Some(&b'f');
        if is_data {
            Fate::ComeFrom(core::net::SocketAddr::new(from.ip(), from.port() ^ 1))
        } else {
            Fate::Pass
        }
    });
    world.run_for(secs(1));
    world.stop_traffic();
    let tally = world.traffic(alice);
    assert_eq!((tally.sent, tally.received, tally.unclaimed), (20, 10, 10), "{tally}");
    assert!(world.traffic(bob).is_lossless());
}

#[test]
fn two_runs_of_one_seed_have_the_same_books() {
    let run = |seed| {
        let mut world = World::seeded(seed);
        world.set_link(LinkConfig::default().with_loss(0.2));
        let [alice, _] = world.pair(open(), open());
        world.start_traffic(millis(30));
        world.run_for(secs(5));
        world.stop_traffic();
        (world.traffic(alice).to_string(), world.timeline())
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}
