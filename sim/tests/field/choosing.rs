//! Which pair is used, and that both sides mean the same one.

use core::net::SocketAddr;

use floe_core::trace::{CheckFailure, PairPhase};
use floe_core::wire::{Class, Message};
use floe_core::{AgentConfig, Cause, ComponentId, Event, Instant, PairReport, Role, SocketId};
use floe_sim::scenario::{
    PeerId, PuppetId, Reply, World, both_selected, for_seeds, is_nomination, is_response, millis, open, secs,
};
use floe_sim::{Fate, LinkConfig};

fn controlled() -> AgentConfig {
    AgentConfig { role: Role::Controlled, ..Default::default() }
}

fn selections(world: &World, peer: PeerId) -> usize {
    world.events(peer).iter().filter(|(_, e)| matches!(e, Event::PathSelected(_))).count()
}

fn other_port(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port() ^ 1)
}

fn pair_to(world: &mut World, peer: PeerId, remote: SocketAddr) -> Vec<PairReport> {
    world.agent(peer).explain().pairs.into_iter().filter(|p| p.remote == remote).collect()
}

/// A NAT with several addresses lets answers out through another than requests came in at. Such a pair can carry data in
/// one direction only: it fails, and the other one is taken. If there is no other, both sides hear of it.
#[test]
fn answers_come_from_another_address_than_was_asked() {
    for addresses in [1, 2] {
        let mut world = World::seeded(1);
        let impatient = AgentConfig { deadline: Some(secs(10)), ..Default::default() };
        let [alice, bob] = world.pair(open().with(impatient), open().with_addresses(addresses));
        let odd = world.address(bob, SocketId(0));
        world.network().set_rule(move |datagram| {
            let is_odd = datagram.local == odd && is_response(datagram.bytes);
            if is_odd { Fate::ComeFrom(other_port(odd)) } else { Fate::Pass }
        });
        if addresses == 2 {
            world.run_until(both_selected).within(secs(1));
            assert!(world.agree(alice, bob));
            assert_ne!(world.selected(alice).unwrap().remote, odd);
            world.run_for(secs(60));
            assert_ne!(world.selected(alice).unwrap().remote, odd);
        } else {
            world.run_for(secs(11));
            let (at, cause) = world.trouble(alice)[0];
            assert!(
                at <= Instant::from_millis(5_000) && matches!(cause, Cause::Asymmetric { .. }),
                "{cause}"
            );
            assert!(matches!(world.report(alice).unwrap().causes[0], Cause::Asymmetric { .. }));
            let failed = PairPhase::Failed(CheckFailure::Asymmetric);
            let report = world.report(alice).unwrap();
            assert!(report.pairs.iter().any(|p| p.remote == odd && p.phase == failed), "{report}");
        }
    }
}

/// The same NAT has a bad day in the middle of the call: of the answers to keepalives most come from elsewhere. The path
/// lives on, as it would had they been lost; and not a datagram of the data is.
#[test]
fn keepalives_are_answered_from_another_address_for_a_while() {
    for_seeds(0..50, |world| {
        let [alice, bob] = world.pair(open(), open());
        world.run_until(both_selected).within(secs(1));
        let odd = world.address(bob, SocketId(0));
        let mut answers = 0;
        world.network().set_rule(move |datagram| {
            let is_answer = datagram.local == odd && is_response(datagram.bytes);
            answers += u32::from(is_answer);
            // Every fourth is right: one in 24 s at the latest.
            if is_answer && answers % 4 != 0 { Fate::ComeFrom(other_port(odd)) } else { Fate::Pass }
        });
        world.start_traffic(millis(100));
        world.run_for(secs(120));
        world.stop_traffic();
        for peer in [alice, bob] {
            assert!(!world.events(peer).iter().any(|(_, e)| matches!(e, Event::PathLost { .. })));
            assert!(world.traffic(peer).is_lossless(), "{}", world.traffic(peer));
        }
        assert_eq!(pair_to(world, alice, odd)[0].phase, PairPhase::Succeeded);
    });
}

/// Plays a peer that puts USE-CANDIDATE into each of its checks until they are answered, as aggressive nomination has it
/// (RFC 5245 §8.1.1.2). Gives the sockets of the puppet whose pairs are valid for it.
fn check_aggressively(world: &mut World, puppet: PuppetId, sockets: &[usize]) -> Vec<usize> {
    let mut checks = vec![Vec::new(); sockets.len()];
    for _ in 0..100 {
        for (&socket, ids) in sockets.iter().zip(&mut checks) {
            if !ids.iter().any(|id| world.was_answered(puppet, *id)) {
                ids.push(world.puppet_checks(puppet, socket, true));
            }
            world.run_for(millis(50));
        }
    }
    let answered = |ids: &[_]| ids.iter().any(|id| world.was_answered(puppet, *id));
    sockets.iter().zip(&checks).filter(|(_, ids)| answered(ids)).map(|(socket, _)| *socket).collect()
}

/// An older engine nominates every pair. Of those that both sides have as valid, the one of highest priority is meant, in
/// whatever order they became so, and whatever was lost.
#[test]
fn the_peer_nominates_every_pair_that_it_checks() {
    for_seeds(0..60, |world| {
        world.set_link(LinkConfig::rtt(millis(40)).with_loss(0.3).with_jitter(millis(30)));
        let (alice, puppet) = world.pair_with_puppet(open().with(controlled()), 4);
        let order = [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]][world.seed() as usize % 3];
        let valid = check_aggressively(world, puppet, &order);
        let best = *valid.iter().min().unwrap();
        assert_eq!(world.selected(alice).unwrap().remote, world.puppet_address(puppet, best));
    });
}

/// A peer repeats its nomination with each keepalive. That is one selection.
#[test]
fn the_peer_nominates_the_same_pair_again_and_again() {
    let mut world = World::seeded(4);
    let (alice, puppet) = world.pair_with_puppet(open().with(controlled()), 2);
    for _ in 0..40 {
        world.puppet_checks(puppet, 1, true);
        world.run_for(millis(500));
    }
    assert_eq!(selections(&world, alice), 1, "{}", world.timeline());
    assert_eq!(world.selected(alice).unwrap().remote, world.puppet_address(puppet, 1));
}

/// The peer's nomination comes before our own check has been answered, and is not repeated. It counts as soon as our check
/// is.
#[test]
fn the_peer_nominates_before_our_own_check_has_succeeded() {
    for silence in [0, 10, 700, 3_000, 20_000] {
        let mut world = World::seeded(5);
        let (alice, puppet) = world.pair_with_puppet(open().with(controlled()), 1);
        world.set_reply(puppet, Reply::Silence);
        world.puppet_checks(puppet, 0, true);
        world.run_for(millis(silence));
        assert_eq!(world.selected(alice), None);
        world.set_reply(puppet, Reply::Honest);
        world.run_until(both_selected).within(millis(600));
        assert_eq!(world.selected(alice).unwrap().remote, world.puppet_address(puppet, 0));
    }
}

/// The same with a better pair when another has been selected long ago: the peer sends on the better one already.
#[test]
fn the_peer_nominates_a_better_pair_before_our_own_check_of_it_has_succeeded() {
    for silence in [10, 700, 1_600, 3_600, 20_000] {
        let mut world = World::seeded(5);
        let (alice, puppet) = world.pair_with_puppet(open().with(controlled()), 2);
        let [best, spare] = [0, 1].map(|n| world.puppet_address(puppet, n));
        world.network().set_rule(move |d| if d.to == best { Fate::Lose } else { Fate::Pass });
        world.puppet_checks(puppet, 1, true);
        world.run_until(both_selected).within(secs(1));
        world.puppet_checks(puppet, 0, true);
        world.run_for(millis(silence));
        assert_eq!(world.selected(alice).unwrap().remote, spare);
        world.network().clear_rule();
        world.run_until(|w| w.selected(alice).unwrap().remote == best).within(millis(600));
    }
}

/// The peer has nominated a pair, and another one later. It may send on either, and what it sends arrives. When the pair
/// that we use dies, the other takes its place without a restart.
#[test]
fn the_peer_nominates_another_pair_later() {
    for (first, second) in [(0, 1), (1, 0)] {
        let mut world = World::seeded(6);
        let (alice, puppet) = world.pair_with_puppet(open().with(controlled()), 2);
        world.puppet_checks(puppet, first, true);
        world.run_until(both_selected).within(secs(1));
        world.run_for(secs(20));
        world.puppet_checks(puppet, second, true);
        world.run_for(secs(1));
        let [best, spare] = [0, 1].map(|n| world.puppet_address(puppet, n));
        assert_eq!(world.selected(alice).unwrap().remote, best, "the one of higher priority");
        for socket in [first, second] {
            world.puppet_sends(puppet, socket, format!("on {socket}").as_bytes());
        }
        world.run_for(millis(50));
        assert_eq!(world.inbox(alice).len(), 2);
        world
            .network()
            .set_rule(move |d| if d.local == best || d.to == best { Fate::Lose } else { Fate::Pass });
        world.note("the pair of highest priority dies");
        world.run_for(secs(31));
        assert_eq!(world.selected(alice).unwrap().remote, spare);
        assert!(!world.events(alice).iter().any(|(_, e)| matches!(e, Event::RestartNeeded(_))));
        world.send(alice, b"hello?").unwrap();
        world.run_for(millis(50));
        let last = world.heard(puppet).last().unwrap();
        assert_eq!((last.socket, &last.bytes[..]), (1, &b"hello?"[..]));
    }
}

/// The first so many nominations, or the answers to them, are lost on their way. The two ends mean the same pair in the end,
/// and data flows meanwhile.
#[test]
fn nominations_or_their_answers_are_lost_in_transit() {
    for requests in [true, false] {
        for lost in [1, 2, 5, 12] {
            let mut world = World::seeded(lost);
            let [alice, bob] = world.pair(open().with_addresses(2), open().with_addresses(2));
            let (mut left, mut nominations) = (lost, Vec::new());
            world.network().set_rule(move |datagram| {
                if is_nomination(datagram.bytes) {
                    nominations.extend(Message::parse(datagram.bytes).map(|m| m.transaction_id()));
                }
                let id = Message::parse(datagram.bytes).map(|m| m.transaction_id());
                let is_answer = is_response(datagram.bytes) && id.is_ok_and(|id| nominations.contains(&id));
                let hit = left > 0 && if requests { is_nomination(datagram.bytes) } else { is_answer };
                left -= u64::from(hit);
                if hit { Fate::Lose } else { Fate::Pass }
            });
            world.run_for(millis(100));
            world.start_traffic(millis(20));
            world.run_until(both_selected).within(secs(8));
            world.run_for(secs(15));
            world.stop_traffic();
            assert!(world.agree(alice, bob));
            for peer in [alice, bob] {
                assert!(world.traffic(peer).is_lossless(), "{}", world.traffic(peer));
            }
        }
    }
}

/// A filter that never lets the nomination of the best pair through (or its answer), while plain checks pass: another pair
/// is nominated after some time. Whether or not the peer has heard of the first, data flows both ways all the time.
#[test]
fn the_nomination_of_the_best_pair_never_gets_through() {
    for requests in [true, false] {
        let mut world = World::seeded(7);
        let [alice, bob] = world.pair(open(), open().with_addresses(2));
        let best = world.address(bob, SocketId(0));
        let mut nominations = Vec::new();
        world.network().set_rule(move |datagram| {
            let Ok(message) = Message::parse(datagram.bytes) else { return Fate::Pass };
            if message.use_candidate() {
                nominations.push(message.transaction_id());
            }
            let of_best = datagram.local == best || datagram.to == best;
            let is_answer =
                message.class() == Class::Success && nominations.contains(&message.transaction_id());
            let hit = if requests { message.use_candidate() } else { is_answer };
            if of_best && hit { Fate::Lose } else { Fate::Pass }
        });
        world.run_for(millis(100));
        world.start_traffic(millis(20));
        world.run_until(both_selected).within(secs(15));
        world.run_for(secs(60));
        world.stop_traffic();
        assert_ne!(world.selected(alice).unwrap().remote, best);
        if requests {
            assert!(world.agree(alice, bob));
        }
        for peer in [alice, bob] {
            assert!(world.traffic(peer).is_lossless(), "{}", world.traffic(peer));
            assert!(world.agent(peer).path(ComponentId::FIRST).is_some());
        }
    }
}
