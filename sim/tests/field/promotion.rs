//! A better path appears when another has long been in use: it is taken, once. One that is as good is not.

use floe_core::{
    AgentConfig, CandidateType, ComponentId, Event, Nomination, Path, PathMeasure, Preference, Role, SocketId,
};
use floe_sim::scenario::{PeerId, PeerSpec, World, both_selected, for_seeds, millis, open, secs};
use floe_sim::{Fate, LinkConfig};

fn with(policy: Nomination, role: Role) -> PeerSpec {
    open().with(AgentConfig { nomination: policy, ..Default::default() }).with_role(role)
}

fn is_relayed(path: &Path) -> bool {
    path.local_type == CandidateType::Relayed || path.remote_type == CandidateType::Relayed
}

fn selections(world: &World, peer: PeerId) -> usize {
    world.events(peer).iter().filter(|(_, e)| matches!(e, Event::PathSelected(_))).count()
}

/// Two who cannot reach each other but by the relay of the one, and have been talking over it.
fn over_the_relay(world: &mut World, policy: Nomination, role: Role) -> [PeerId; 2] {
    let peers = world.pair(with(policy, role).with_virtual_relay(), with(policy, role.opposite()));
    world.block(peers[0], peers[1]);
    world.block(peers[1], peers[0]);
    world.run_until(both_selected).within(secs(3));
    for peer in peers {
        assert!(is_relayed(&world.selected(peer).unwrap()));
    }
    world.start_traffic(millis(10));
    world.run_for(secs(5));
    peers
}

/// Both have gone over to the direct path, once, and no datagram was lost, doubled or refused on the way.
fn assert_promoted(world: &mut World, peers: [PeerId; 2], before: [usize; 2]) {
    world.stop_traffic();
    assert!(world.agree(peers[0], peers[1]));
    for (peer, before) in peers.into_iter().zip(before) {
        assert!(!is_relayed(&world.selected(peer).unwrap()));
        assert_eq!(selections(world, peer), before + 1);
        assert!(world.traffic(peer).is_lossless(), "{}", world.traffic(peer));
        let bad = |e: &Event| {
            matches!(e, Event::PathLost { .. } | Event::PathDegraded(_) | Event::RestartNeeded(_))
        };
        assert!(!world.events(peer).iter().any(|(_, e)| bad(e)));
    }
}

/// The firewall between the two opens while the checks of the direct pair still go on.
#[test]
fn the_direct_path_opens_after_the_relay_was_selected() {
    for role in [Role::Controlling, Role::Controlled] {
        for_seeds(0..20, |world| {
            world.set_link(LinkConfig::rtt(millis(40)));
            let peers = over_the_relay(world, Nomination::Renominate, role);
            world.run_for(millis(world.seed() * 997 % 20_000));
            let before = peers.map(|peer| selections(world, peer));
            world.unblock(peers[0], peers[1]);
            world.unblock(peers[1], peers[0]);
            world.run_for(secs(40));
            assert_promoted(world, peers, before);
        });
    }
}

/// A host joins the network of the other.
#[test]
fn a_direct_path_appears_with_a_new_interface_after_the_relay_was_selected() {
    for role in [Role::Controlling, Role::Controlled] {
        for_seeds(0..20, |world| {
            world.set_link(LinkConfig::rtt(millis(40)));
            let peers = over_the_relay(world, Nomination::Renominate, role);
            world.run_for(millis(world.seed() * 2_997 % 60_000));
            let before = peers.map(|peer| selections(world, peer));
            // Whatever was in the way was on the old interface.
            let dead = peers.map(|peer| world.address(peer, SocketId(0)));
            let [alice, bob] = dead;
            world.network().set_rule(move |d| {
                let is_old = (d.local, d.to) == (alice, bob) || (d.local, d.to) == (bob, alice);
                if is_old { Fate::Lose } else { Fate::Pass }
            });
            world.unblock(peers[0], peers[1]);
            world.unblock(peers[1], peers[0]);
            world.interface_up(peers[world.seed() as usize % 2]);
            world.run_for(secs(40));
            assert_promoted(world, peers, before);
        });
    }
}

/// A peer that does not renominate is not to be nominated twice (RFC 8445 §8.1.1): a restart does it, made before it breaks.
#[test]
fn towards_a_peer_that_does_not_renominate_a_restart_takes_the_direct_path() {
    for_seeds(0..20, |world| {
        world.set_link(LinkConfig::rtt(millis(40)));
        let peers = over_the_relay(world, Nomination::Fast, Role::Controlling);
        let before = peers.map(|peer| selections(world, peer));
        world.unblock(peers[0], peers[1]);
        world.unblock(peers[1], peers[0]);
        world.run_for(secs(10));
        assert_eq!(peers.map(|peer| selections(world, peer)), before);
        world.restart(peers[world.seed() as usize % 2]);
        world.run_for(secs(20));
        assert_promoted(world, peers, before);
    });
}

/// Two interfaces each on networks that are alike, with a delay that wavers. By priority the first is better and stays; a
/// measure of the application's that wavers with the delay changes nothing either.
#[test]
fn paths_of_like_quality_do_not_flap() {
    fn by_rtt(path: &PathMeasure) -> u64 {
        u64::try_from(1_000_000_000_000 / (path.rtt.as_nanos() + 1)).unwrap_or(0)
    }
    for (policy, most) in [(Nomination::Renominate, 1), (Nomination::Application(Preference(by_rtt)), 2)] {
        for_seeds(0..20, |world| {
            world.set_link(LinkConfig::rtt(millis(40)).with_jitter(millis(8)));
            let side = |role| with(policy, role).with_addresses(2);
            let peers = world.pair(side(Role::Controlling), side(Role::Controlled));
            world.run_until(both_selected).within(secs(2));
            world.start_traffic(millis(100));
            world.run_for(secs(600));
            world.stop_traffic();
            assert!(world.agree(peers[0], peers[1]));
            for peer in peers {
                assert!(selections(world, peer) <= most);
                assert!(world.traffic(peer).is_lossless(), "{}", world.traffic(peer));
                assert!(world.agent(peer).path(ComponentId::FIRST).is_some());
            }
        });
    }
}
