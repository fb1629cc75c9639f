//! Case 29: the TURN server is started anew in the middle of a call, and knows no allocation any more. The first consent check that goes
//! unanswered has it asked for the allocation, and its refusal tells: nobody waits for the next refresh, which is minutes away.

use core::time::Duration;

use floe_core::{AgentConfig, Event, Nomination, Role, ServerFault};
use floe_sim::scenario::{
    PeerId, PeerSpec, TurnId, TurnReach, World, both_selected, for_seeds, millis, open, secs,
};

use super::story::{assert_talking, choosing};

/// RFC 7675 §5.1: an unanswered check is noticed when the next one is due. Each is 6 s from the one before at the most.
const NOTICED: Duration = secs(12);
/// The refusal, another allocation with the server's new nonce, signalling, permissions, checks.
const MENDED: Duration = secs(2);

/// Both are at the public network and show relays only, or one of them does.
fn call(world: &mut World, config: &AgentConfig, both: bool, reach: TurnReach) -> ([PeerId; 2], TurnId) {
    let relay = world.turn_server();
    let role = [Role::Controlling, Role::Controlled][world.seed() as usize % 2];
    let side = |role: Role| -> PeerSpec { open().with_config(config.clone()).with_role(role) };
    let hidden = |role: Role| side(role).relay_only().using_over(relay, reach);
    let bob = role.opposite();
    let peers = world.pair(hidden(role), if both { hidden(bob) } else { side(bob) });
    world.run_until(both_selected).within(secs(10));
    world.run_for(secs(30) + millis(world.seed() * 371 % 6_000));
    (peers, relay)
}

/// Both have selected another pair of relayed addresses, and data flows over it.
fn assert_talks_again(world: &mut World, peers: [PeerId; 2], relay: TurnId, time: Duration) {
    let ends = |w: &World, peer| w.selected(peer).map(|path| (path.local, path.remote));
    let before = peers.map(|peer| ends(world, peer));
    world.restart_turn(relay);
    let start = world.now();
    let is_other = move |w: &World, n: usize| {
        ends(w, peers[n]).zip(before[n]).is_some_and(|(now, then)| now.0 != then.0 || now.1 != then.1)
    };
    world
        .run_until(move |w| is_other(w, 0) && is_other(w, 1) && w.agree(peers[0], peers[1]))
        .within(secs(60));
    let took = world.now().since(start);
    assert!(took <= time, "{took:?}");
    assert_talking(world, peers);
}

#[test]
fn case_29_agents_that_restart_by_themselves_talk_again_within_fourteen_seconds() {
    for both in [false, true] {
        for_seeds(0..20, |world| {
            let config = AgentConfig { restart_by_itself: true, ..choosing(Nomination::Fast) };
            let (peers, relay) = call(world, &config, both, TurnReach::Udp);
            assert_talks_again(world, peers, relay, NOTICED + MENDED);
            let is_forgotten =
                |e: &Event| matches!(e, Event::ServerError { fault: ServerFault::Forgotten, .. });
            assert!(world.events(peers[0]).iter().any(|(_, e)| is_forgotten(e)));
        });
    }
}

#[test]
fn case_29_agents_that_renominate_talk_again_within_fourteen_seconds() {
    for both in [false, true] {
        for_seeds(0..20, |world| {
            let (peers, relay) = call(world, &choosing(Nomination::Renominate), both, TurnReach::Udp);
            assert_talks_again(world, peers, relay, NOTICED + MENDED);
        });
    }
}

/// Over a connection the end is told at once.
#[test]
fn case_29_over_connections_they_talk_again_within_two_seconds() {
    for nomination in [Nomination::Fast, Nomination::Renominate] {
        for_seeds(0..10, |world| {
            let config = AgentConfig { restart_by_itself: true, ..choosing(nomination) };
            let (peers, relay) = call(world, &config, true, TurnReach::Tcp);
            assert_talks_again(world, peers, relay, MENDED);
        });
    }
}
