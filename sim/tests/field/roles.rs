//! Two applications that both believe they made the call, and answers that say so.

use floe_core::wire::{IntegrityKey, Message, RoleClaim};
use floe_core::{AgentConfig, Event, Role};
use floe_sim::LinkConfig;
use floe_sim::scenario::{PeerId, Reply, World, both_selected, for_seeds, millis, open, secs};

fn with_role(role: Role, tie_breaker: u64) -> AgentConfig {
    AgentConfig { role, tie_breaker: Some(tie_breaker), ..Default::default() }
}

fn switches(world: &World, peer: PeerId) -> usize {
    world.events(peer).iter().filter(|(_, e)| matches!(e, Event::RoleSwitched(_))).count()
}

/// Both sides call each other at the same moment, or a gateway made both of them answer. Whoever has the larger
/// tie-breaker, whoever's description comes first and whichever way is the faster one: exactly one side gives in, once.
/// (Where the tie-breakers are equal, both may, and draw new ones.)
#[test]
fn both_sides_start_in_the_same_role_and_only_one_gives_in() {
    let times = [(0, 0), (0, 30), (30, 0), (0, 500), (500, 0)];
    for role in [Role::Controlling, Role::Controlled] {
        for ties in [(1, 2), (2, 1), (5, 5), (0, u64::MAX), (u64::MAX, 0)] {
            for told in times {
                for ways in [(20, 20), (5, 90), (90, 5)] {
                    let mut world = World::seeded(1);
                    world.note(format!("both {role}, {ties:?}, told after {told:?}, ways take {ways:?}"));
                    let alice = open().with(with_role(role, ties.0)).signalled_after(millis(told.0));
                    let bob = open().with(with_role(role, ties.1)).signalled_after(millis(told.1));
                    let [alice, bob] = world.pair(alice, bob);
                    let hosts = [world.host(alice), world.host(bob)];
                    let link = |ms| LinkConfig::one_way(millis(ms));
                    world.network().set_link_from(hosts[0], hosts[1], link(ways.0));
                    world.network().set_link_from(hosts[1], hosts[0], link(ways.1));
                    world.run_until(both_selected).within(secs(2));
                    world.run_for(secs(12));
                    assert!(world.agree(alice, bob));
                    let roles = [alice, bob].map(|peer| world.agent(peer).role());
                    assert_eq!(roles[0], roles[1].opposite());
                    if ties.0 != ties.1 {
                        assert_eq!(switches(&world, alice) + switches(&world, bob), 1);
                        assert_eq!(roles[0] == Role::Controlling, ties.0 > ties.1);
                    }
                }
            }
        }
    }
}

/// The same with a bad network, where requests, refusals and their copies come late, twice or never.
#[test]
fn both_sides_start_in_the_same_role_over_a_bad_network() {
    for_seeds(0..200, |world| {
        let link = LinkConfig::rtt(millis(80)).with_loss(0.2).with_jitter(millis(60)).with_duplication(0.2);
        world.set_link(link);
        let role = if world.seed() % 2 == 0 { Role::Controlling } else { Role::Controlled };
        let side = || open().with(AgentConfig { role, ..Default::default() }).with_addresses(2);
        let [alice, bob] = world.pair(side(), side().signalled_after(millis(world.seed() % 7 * 40)));
        world.run_until(both_selected).within(secs(30));
        world.run_for(secs(15));
        assert!(world.agree(alice, bob));
        let roles = [alice, bob].map(|peer| world.agent(peer).role());
        assert_eq!(roles[0], roles[1].opposite());
    });
}

/// Another engine's 487 had no MESSAGE-INTEGRITY. Nobody can know who sent such a thing: it must not turn us around,
/// nor end the check that it claims to answer.
#[test]
fn a_role_conflict_that_nobody_has_signed_changes_nothing() {
    for role in [Role::Controlling, Role::Controlled] {
        let mut world = World::seeded(2);
        let (alice, puppet) = world.pair_with_puppet(open().with(with_role(role, 1)), 1);
        world.set_reply(puppet, Reply::Error { code: 487, signed: false });
        world.run_for(secs(2));
        assert!(world.heard(puppet).len() >= 3, "the check goes on");
        world.set_reply(puppet, Reply::Honest);
        world.puppet_checks(puppet, 0, role == Role::Controlled);
        world.run_until(both_selected).within(secs(2));
        assert_eq!(world.agent(alice).role(), role);
        assert_eq!(switches(&world, alice), 0);
    }
}

/// A peer that checks signatures drops an unsigned 487 and keeps the wrong role for ever. Ours is signed, and the peer
/// that obeys it connects.
#[test]
fn the_peer_can_trust_our_refusal_of_its_role() {
    let mut world = World::seeded(3);
    let (alice, puppet) = world.pair_with_puppet(open().with(with_role(Role::Controlling, 9)), 1);
    world.set_reply(puppet, Reply::Silence);
    world.set_claim(puppet, RoleClaim::Controlling(3));
    world.puppet_checks(puppet, 0, true);
    world.run_for(millis(50));
    let key = IntegrityKey::short_term(world.agent(alice).local_credentials().password());
    let refusals: Vec<Message<'_>> = world
        .heard(puppet)
        .iter()
        .filter_map(|h| Message::parse(&h.bytes).ok())
        .filter(|m| m.error_code().is_some_and(|e| e.code() == 487))
        .collect();
    assert_eq!(refusals.len(), 1, "{}", world.timeline());
    assert!(refusals[0].verify(&key).is_ok());
    world.set_claim(puppet, RoleClaim::Controlled(4));
    world.set_reply(puppet, Reply::Honest);
    world.puppet_checks(puppet, 0, false);
    world.run_until(both_selected).within(secs(1));
    assert_eq!(world.agent(alice).role(), Role::Controlling);
}
