//! New credentials in the middle of things: what is late, what is old, and what is in a hurry.

use std::sync::{Arc, Mutex};

use floe_core::{AgentConfig, Event, RemoteError, Role, SocketId};
use floe_sim::scenario::{
    PeerId, PeerSpec, World, behind, both_selected, for_seeds, is_nomination, is_request, is_response,
    millis, open, secs,
};
use floe_sim::{Fate, LinkConfig, NatConfig};

fn generation(world: &World, peer: PeerId) -> Option<u16> {
    world.selected(peer).map(|path| path.pair.generation())
}

/// Both have selected the same pair, and each has the credentials that the other uses now.
fn assert_together(world: &mut World, peers: [PeerId; 2]) {
    assert!(world.agree(peers[0], peers[1]));
    for (one, other) in [(0, 1), (1, 0)] {
        let theirs = world.agent(peers[other]).local_credentials().clone();
        assert_eq!(world.agent(peers[one]).remote_credentials(), Some(&theirs));
    }
    for peer in peers {
        let bad =
            |e: &Event| matches!(e, Event::PathLost { .. } | Event::RestartNeeded(_) | Event::Failed(_));
        assert!(!world.events(peer).iter().any(|(_, e)| bad(e)));
    }
}

/// Both have selected a pair of a generation that is not the first.
fn both_restarted(world: &World, peers: [PeerId; 2]) -> bool {
    peers.iter().all(|&peer| generation(world, peer).is_some_and(|number| number > 0))
}

/// Candidates trickle slowly, and those from before the restart come after it. They say which credentials they belong to;
/// they are refused as old, and not taken for the new ones.
#[test]
fn candidates_of_the_old_generation_trickle_in_after_the_restart() {
    let mut world = World::seeded(1);
    let [alice, bob] = world.pair(open(), open().candidates_signalled_after(secs(2)).with_addresses(2));
    world.run_until(both_selected).within(secs(1));
    world.restart(alice);
    world.run_until(move |w| both_restarted(w, [alice, bob])).within(secs(1));
    // A restart later his candidates are told as those of the second generation. Those of the third come then.
    world.run_for(millis(200));
    world.restart(bob);
    world.run_for(secs(6));
    let old = world.untaken(alice).iter().filter(|(_, e)| *e == RemoteError::OtherGeneration).count();
    assert!(old >= 2, "{:?}", world.untaken(alice));
    assert_eq!(world.agent(alice).explain().pairs.iter().filter(|p| p.selected).count(), 1);
    assert_eq!(generation(&world, alice), generation(&world, bob));
    assert_together(&mut world, [alice, bob]);
}

/// The network holds back datagrams of before the restart, and delivers them when all is new: requests (some nominating) and
/// answers. By then the pair that they were for is not the selected one any more. They change nothing.
#[test]
fn requests_of_an_old_generation_come_after_the_restart() {
    for restarts in 1..7 {
        let mut world = World::seeded(restarts);
        let old = Arc::new(Mutex::new(Vec::new()));
        let [alice, bob] = world.pair(open(), open().with_addresses(2));
        let (from, best, kept) = (world.host(alice), world.address(bob, SocketId(0)), Arc::clone(&old));
        world.network().set_rule(move |datagram| {
            if datagram.from == from && (is_request(datagram.bytes) || is_response(datagram.bytes)) {
                kept.lock().unwrap().push((datagram.local, datagram.bytes.to_vec()));
            }
            Fate::Pass
        });
        world.run_until(both_selected).within(secs(1));
        world.run_for(secs(6));
        let old: Vec<_> = old.lock().unwrap().drain(..).collect();
        assert!(old.iter().any(|(_, bytes)| is_nomination(bytes)) && old.len() > 4);
        world
            .network()
            .set_rule(move |d| if d.local == best || d.to == best { Fate::Lose } else { Fate::Pass });
        for _ in 0..restarts {
            world.offer_restart(alice);
            world.run_for(secs(1));
        }
        world.network().clear_rule();
        let before = (world.selected(bob), world.events(bob).len(), world.agent(bob).role());
        assert_ne!(before.0.unwrap().base, best);
        for (local, bytes) in old {
            world.inject(bob, local, &bytes);
            world.run_for(millis(100));
        }
        assert_eq!((world.selected(bob), world.events(bob).len(), world.agent(bob).role()), before);
        world.run_for(secs(40));
        assert_eq!(generation(&world, bob), u16::try_from(restarts).ok());
        assert_together(&mut world, [alice, bob]);
    }
}

/// A restart at any moment of the first second: before the first candidate is out, between the candidates, before the peer's
/// answer, with the nomination in flight. The candidates that are found after it belong to the new generation.
#[test]
fn a_restart_in_the_middle_of_gathering() {
    for who in 0..2 {
        for ms in (0..400).step_by(5) {
            let mut world = World::seeded(ms);
            let home = || behind(NatConfig::port_restricted()).signalled_after(millis(30));
            let peers = world.pair(home(), home());
            world.run_for(millis(ms));
            world.offer_restart(peers[who]);
            // The STUN server's answer comes now.
            for peer in peers {
                let (host, local) = (world.host(peer), world.address(peer, SocketId(0)));
                let (now, server) = (world.now(), "192.0.2.1:3478".parse().unwrap());
                let mapped = world.network().mapped_address(host, local, server).unwrap();
                world.agent(peer).add_server_reflexive(now, SocketId(0), mapped, server).unwrap();
            }
            world.run_until(move |w| both_restarted(w, peers)).within(secs(5));
            world.run_for(secs(5));
            assert_together(&mut world, peers);
        }
    }
}

/// Gathering goes on, and back: while the offer waits for its answer, or the answer is on its way, either side loses the interface that
/// is in use and gets another. Both end with a new pair, which is none of the lost interface.
#[test]
fn an_interface_changes_while_an_offer_to_restart_waits() {
    for (who, loser) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        // After 100 ms both know all, and the new pair is soon selected: that would be the next restart's story.
        for ms in (0..=100).step_by(5) {
            let mut world = World::seeded(ms);
            let side = || open().with_addresses(2).signalled_after(millis(50));
            let peers = world.pair(side(), side());
            world.run_until(both_selected).within(secs(1));
            world.run_for(secs(2));
            let lost = world.selected(peers[loser]).unwrap().base.ip();
            world.offer_restart(peers[who]);
            world.run_for(millis(ms));
            world.interface_down(peers[loser], lost);
            world.interface_up(peers[loser]);
            world.run_until(move |w| both_restarted(w, peers) && w.agree(peers[0], peers[1])).within(secs(3));
            world.start_traffic(millis(20));
            world.run_for(secs(5));
            world.stop_traffic();
            assert!(world.agree(peers[0], peers[1]));
            let pairs = world.agent(peers[loser]).explain().pairs;
            assert!(!pairs.iter().any(|p| p.local.ip() == lost), "{pairs:?}");
            for peer in peers {
                assert!(world.traffic(peer).is_lossless(), "{}", world.traffic(peer));
                assert!(!world.events(peer).iter().any(|(_, e)| matches!(e, Event::Failed(_))));
            }
        }
    }
}

/// Restarts in a row, of the same side or of both, faster than signalling, or at the very same moment: both end with the same
/// generation of credentials, and not a datagram of the data is lost or refused on the way.
#[test]
fn two_restarts_in_a_row() {
    let turns: [&[usize]; 5] = [&[0, 0], &[1, 1], &[0, 1], &[1, 0], &[0, 1, 0, 1]];
    let tell = World::restart as fn(&mut World, PeerId);
    for (turn, restart) in
        turns.iter().map(|t| (t, World::offer_restart as _)).chain(turns.iter().take(4).map(|t| (t, tell)))
    {
        for gap in [0, 10, 60, 100, 120, 150, 500, 2_000] {
            let mut world = World::seeded(gap);
            world.note(format!("{turn:?} restart, {gap} ms between them"));
            let side = || open().signalled_after(millis(50)).with_addresses(2);
            let peers = world.pair(side(), side());
            world.run_until(both_selected).within(secs(1));
            world.start_traffic(millis(5));
            for &who in *turn {
                restart(&mut world, peers[who]);
                world.run_for(millis(gap));
            }
            world.run_until(move |w| both_restarted(w, peers)).within(secs(2));
            world.run_for(secs(40));
            world.stop_traffic();
            assert_together(&mut world, peers);
            for peer in peers {
                let tally = world.traffic(peer);
                assert!(tally.is_lossless() && tally.late == 0, "{tally}");
            }
        }
    }
}

/// The same over a network that loses, doubles and delays, behind NATs, in any role: what is sent is lost by the network or
/// comes, and it is never refused.
#[test]
fn restarts_in_a_row_over_a_bad_network() {
    for_seeds(0..200, |world| {
        world.set_link(
            LinkConfig::rtt(millis(80)).with_loss(0.15).with_jitter(millis(60)).with_duplication(0.1),
        );
        let seed = world.seed();
        let side = |role| -> PeerSpec {
            let config = AgentConfig { role, ..Default::default() };
            behind(NatConfig::port_restricted()).with_reflexive_candidate().with(config)
        };
        let other = if seed % 3 == 0 { Role::Controlling } else { Role::Controlled };
        let slow = millis(seed % 5 * 40);
        let peers = world.pair(side(Role::Controlling), side(other).signalled_after(slow));
        world.run_until(both_selected).within(secs(30));
        world.start_traffic(millis(50));
        for round in 0..3 {
            world.offer_restart(peers[(seed >> round) as usize % 2]);
            world.run_for(millis(seed * 37 % 900));
        }
        world.run_for(secs(20));
        world.stop_traffic();
        assert!(both_restarted(world, peers));
        assert_together(world, peers);
        for peer in peers {
            let tally = world.traffic(peer);
            assert!(tally.refusals.is_empty() && tally.unclaimed == 0, "{tally}");
        }
    });
}

/// Signalling that knows no offers: one side restarts before the other has heard a single check, and hears nothing of the other's
/// credentials any more, which it needs for its new generation.
#[test]
fn a_restart_without_an_offer_before_anything_got_through() {
    let mut world = World::seeded(6);
    let home = || behind(NatConfig::port_restricted()).with_reflexive_candidate().signalled_after(millis(30));
    let peers = world.pair(home(), home());
    world.run_for(millis(30));
    world.restart(peers[0]);
    world.run_until(both_selected).within(secs(5));
    assert_together(&mut world, peers);
}

/// The same when both sides restart in turns, each before it has heard of the other's.
#[test]
fn restarts_without_offers_cross_each_other() {
    let mut world = World::seeded(7);
    let side = || open().signalled_after(millis(50)).with_addresses(2);
    let peers = world.pair(side(), side());
    world.run_until(both_selected).within(secs(1));
    for who in [0, 1, 0, 1] {
        world.restart(peers[who]);
        world.run_for(millis(60));
    }
    world.run_until(move |w| both_restarted(w, peers)).within(secs(2));
    assert_together(&mut world, peers);
}
