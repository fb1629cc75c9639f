//! A socket, a candidate or a relay goes away while another one is in use: that one does not notice.

use floe_core::{AgentConfig, CandidateType, Event, Nomination, PairReport, Role, SocketId};
use floe_sim::NatConfig;
use floe_sim::scenario::{PeerId, PeerSpec, World, behind, both_selected, millis, open, secs};

const POLICIES: [Nomination; 2] = [Nomination::Fast, Nomination::Renominate];

fn with(policy: Nomination) -> PeerSpec {
    open().with(AgentConfig { nomination: policy, ..Default::default() })
}

/// Two who are connected, and whose other pairs have been checked, or are gone.
fn connected(alice: PeerSpec, bob: PeerSpec) -> (World, [PeerId; 2]) {
    let mut world = World::seeded(20);
    let bob = bob.with_role(Role::Controlled);
    let peers = world.pair(alice, bob);
    world.run_until(both_selected).within(secs(2));
    world.run_for(secs(3));
    (world, peers)
}

fn pairs(world: &mut World, peer: PeerId) -> Vec<PairReport> {
    world.agent(peer).explain().pairs
}

/// Something happens. Whatever it was, the selected pair is the same, data flows on without a loss, and nobody hears of any trouble.
/// Gives which pairs each side had before, and has a minute after.
fn survives(
    world: &mut World,
    peers: [PeerId; 2],
    happens: impl FnOnce(&mut World),
) -> [[Vec<PairReport>; 2]; 2] {
    let selected = peers.map(|peer| world.selected(peer).unwrap().pair);
    let events = peers.map(|peer| world.events(peer).len());
    let before = peers.map(|peer| pairs(world, peer));
    world.start_traffic(millis(10));
    world.run_for(secs(1));
    happens(world);
    world.run_for(secs(60));
    world.stop_traffic();
    for ((peer, events), selected) in peers.into_iter().zip(events).zip(selected) {
        let is_harmless = |e: &Event| {
            matches!(e, Event::CandidateRemoved { .. } | Event::LocalCandidate { .. } | Event::GatheringDone)
        };
        let told: Vec<_> = world.events(peer)[events..].iter().filter(|(_, e)| !is_harmless(e)).collect();
        assert!(told.is_empty(), "{told:?}");
        assert!(world.traffic(peer).is_lossless(), "{}", world.traffic(peer));
        assert_eq!(world.selected(peer).unwrap().pair, selected);
    }
    assert!(world.agree(peers[0], peers[1]));
    [before, peers.map(|peer| pairs(world, peer))]
}

/// Of the pairs from before only those that `belong` to what went are missing.
fn assert_only_gone(before: &[PairReport], after: &[PairReport], belongs: impl Fn(&PairReport) -> bool) {
    assert!(before.iter().any(&belongs), "there was nothing to go");
    for pair in before {
        let is_there = after.iter().any(|p| p.id == pair.id);
        assert_eq!(is_there, !belongs(pair), "{pair}");
    }
}

/// Either side loses an interface that carries nothing.
#[test]
fn an_interface_that_is_not_in_use_goes_down() {
    for policy in POLICIES {
        for who in 0..2 {
            let side = || with(policy).with_addresses(2);
            let (mut world, peers) = connected(side(), side());
            let used = world.selected(peers[who]).unwrap().base.ip();
            let both = [0, 1].map(|n| world.address(peers[who], SocketId(n)).ip());
            let lost = both.into_iter().find(|ip| *ip != used).unwrap();
            let [before, after] = survives(&mut world, peers, |w| w.interface_down(peers[who], lost));
            // Without renomination other pairs went when one was selected (RFC 8445 §8.1.2).
            if policy == Nomination::Renominate {
                assert_only_gone(&before[who], &after[who], |p| p.local.ip() == lost);
                assert_only_gone(&before[1 - who], &after[1 - who], |p| p.remote.ip() == lost);
            }
            assert!(!after[who].iter().any(|p| p.local.ip() == lost));
        }
    }
}

/// Host and server-reflexive candidate of the peer are one socket. One of the two is taken back, and the other is in use.
#[test]
fn a_reflexive_candidate_goes_and_the_host_candidate_of_the_same_socket_is_in_use() {
    for policy in POLICIES {
        let (mut world, peers) = connected(with(policy), with(policy));
        let base = world.address(peers[1], SocketId(0));
        let line = format!(
            "candidate:9 1 UDP 1694498815 203.0.113.9 4000 typ srflx raddr {} rport {}",
            base.ip(),
            base.port()
        );
        if policy == Nomination::Renominate {
            world.tell(peers[0], &line).unwrap();
            world.run_for(secs(1));
        }
        let [before, after] = survives(&mut world, peers, |w| w.tell_gone(peers[0], &line).unwrap());
        assert_eq!(world.selected(peers[0]).unwrap().remote, base);
        if policy == Nomination::Renominate {
            assert_only_gone(&before[0], &after[0], |p| p.remote.ip().to_string() == "203.0.113.9");
        }
    }
}

/// The other way round: behind its NAT the peer is reached by the address that the NAT shows, which it has told or which was learned
/// from its checks.
#[test]
fn a_host_candidate_goes_and_the_reflexive_candidate_of_the_same_socket_is_in_use() {
    for policy in POLICIES {
        for reflexive in [true, false] {
            let config = AgentConfig { nomination: policy, ..Default::default() };
            let home = behind(NatConfig::port_restricted()).with(config);
            let home = if reflexive { home.with_reflexive_candidate() } else { home };
            let (mut world, peers) = connected(with(policy), home);
            let is_host = |e: &Event| match e {
                Event::LocalCandidate { candidate, .. } if candidate.kind == CandidateType::Host => {
                    Some(candidate.to_string())
                }
                _ => None,
            };
            let line = world.events(peers[1]).iter().find_map(|(_, e)| is_host(e)).unwrap();
            let private = world.address(peers[1], SocketId(0));
            let [before, after] = survives(&mut world, peers, |w| w.tell_gone(peers[0], &line).unwrap());
            let kind = if reflexive { CandidateType::ServerReflexive } else { CandidateType::PeerReflexive };
            assert_eq!(world.selected(peers[0]).unwrap().remote_type, kind);
            if policy == Nomination::Renominate {
                assert_only_gone(&before[0], &after[0], |p| p.remote == private);
            }
        }
    }
}

#[test]
fn a_relay_goes_and_the_direct_path_is_in_use() {
    for policy in POLICIES {
        let (mut world, peers) = connected(with(policy).with_virtual_relay(), with(policy));
        assert_eq!(world.selected(peers[0]).unwrap().local_type, CandidateType::Host);
        let [before, after] = survives(&mut world, peers, |w| w.relay_down(peers[0]));
        if policy == Nomination::Renominate {
            assert_only_gone(&before[0], &after[0], |p| p.local_type == CandidateType::Relayed);
            assert_only_gone(&before[1], &after[1], |p| p.remote_type == CandidateType::Relayed);
        }
    }
}

#[test]
fn the_interface_goes_and_the_relay_is_in_use() {
    for policy in POLICIES {
        let mut world = World::seeded(20);
        let peers = world.pair(with(policy).with_virtual_relay(), with(policy).with_role(Role::Controlled));
        world.block(peers[0], peers[1]);
        world.block(peers[1], peers[0]);
        world.run_until(both_selected).within(secs(3));
        world.run_for(secs(3));
        assert_eq!(world.selected(peers[0]).unwrap().local_type, CandidateType::Relayed);
        let lost = world.address(peers[0], SocketId(0)).ip();
        let [before, after] = survives(&mut world, peers, |w| w.interface_down(peers[0], lost));
        if policy == Nomination::Renominate {
            assert_only_gone(&before[0], &after[0], |p| p.local.ip() == lost);
        }
    }
}
