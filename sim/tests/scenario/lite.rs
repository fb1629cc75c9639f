//! Lite agents in the network (RFC 8445 §2.5): with a full peer on either side, and among themselves.

use floe_core::{AgentConfig, Cause, ComponentId, Event, Role};
use floe_sim::scenario::{PeerSpec, World, behind, both_selected, millis, open, secs};
use floe_sim::{LinkConfig, NatConfig};

fn lite() -> PeerSpec {
    open().with(AgentConfig { lite: true, ..Default::default() })
}

/// The lite one is on the public network; the full one may call or be called, and is behind a NAT that lets nobody in.
#[test]
fn a_full_agent_and_a_lite_one_agree_whoever_calls() {
    for lite_calls in [false, true] {
        let mut world = World::seeded(3);
        world.set_link(LinkConfig::rtt(millis(40)));
        let full = |role| behind(NatConfig::symmetric()).with_role(role);
        let [alice, bob] = if lite_calls {
            world.pair(lite().with_role(Role::Controlling), full(Role::Controlled))
        } else {
            world.pair(full(Role::Controlling), lite().with_role(Role::Controlled))
        };
        world.run_until(both_selected).within(millis(200));
        assert!(world.agree(alice, bob), "{}", world.timeline());
        let (lite, full) = if lite_calls { (alice, bob) } else { (bob, alice) };
        assert_eq!(world.agent(full).role(), Role::Controlling);
        assert_eq!(world.agent(lite).role(), Role::Controlled);
        world.send(full, b"to the lite one").unwrap();
        world.send(lite, b"to the full one").unwrap();
        // Long enough for consent to run out, were it not for the answers of the lite side.
        world.run_for(secs(60));
        assert_eq!(world.inbox(lite), [b"to the lite one"]);
        assert_eq!(world.inbox(full), [b"to the full one"]);
        assert!(world.send(full, b"still").is_ok() && world.send(lite, b"still").is_ok());
        let name = if lite_calls { " alice " } else { " bob " };
        let timeline = world.timeline();
        let mut own = timeline.lines().filter(|l| l.contains(name));
        assert!(!own.any(|l| l.contains(" sent") || l.contains("consent check")), "{timeline}");
    }
}

/// The full peer goes away. The lite one has no consent of its own: it goes on until its application has had enough of the
/// silence, which it can see.
#[test]
fn a_lite_agent_outlives_its_peer_and_shows_for_how_long() {
    let mut world = World::seeded(4);
    let [alice, bob] = world.pair(open(), lite().with_role(Role::Controlled));
    world.run_until(both_selected).within(secs(1));
    world.run_for(secs(20));
    let alive = world.agent(bob).last_check_received(ComponentId::FIRST).unwrap();
    assert!(world.now().since(alive) <= secs(6), "consent checks tell that the peer is there");
    world.block(alice, bob);
    world.block(bob, alice);
    world.run_for(secs(40));
    let last = world.agent(bob).last_check_received(ComponentId::FIRST).unwrap();
    assert!(world.now().since(last) >= secs(40));
    assert!(world.send(bob, b"into the void").is_ok());
    assert!(world.events(alice).iter().any(|(_, e)| matches!(e, Event::PathLost { cause, .. }
        if *cause == Cause::ConsentExpired)));
    assert!(!world.events(bob).iter().any(|(_, e)| matches!(e, Event::PathLost { .. })));
}

#[test]
fn two_lite_agents_with_several_addresses_choose_the_same_pair_without_a_check() {
    for (alice_has, bob_has) in [(1, 1), (1, 3), (4, 2)] {
        let mut world = World::seeded(5);
        let one = lite().with_addresses(alice_has).with_role(Role::Controlling);
        let [alice, bob] = world.pair(one, lite().with_addresses(bob_has).with_role(Role::Controlled));
        world.run_until(both_selected).within(millis(1));
        assert!(world.agree(alice, bob), "{}", world.timeline());
        world.send(alice, b"hello").unwrap();
        world.run_for(secs(60));
        assert_eq!(world.inbox(bob), [b"hello"]);
        assert!(!world.timeline().contains(" sent"), "{}", world.timeline());
    }
}
