//! Glare: both sides want the same role.

use floe_core::{AgentConfig, Role};
use floe_sim::LinkConfig;
use floe_sim::scenario::{World, both_selected, millis, open, secs};

#[test]
fn glare_ends_with_one_controlling_agent_and_a_shared_pair() {
    let ties = [0, 1, 7, u64::MAX];
    let delays = [0, 10, 35, 200];
    for (one, other) in both([Role::Controlling, Role::Controlled]) {
        for (first, second) in both(ties) {
            for delay in delays {
                let mut world = World::seeded(first ^ second ^ delay);
                let side = |role, tie| {
                    open().with(AgentConfig { role, tie_breaker: Some(tie), ..Default::default() })
                };
                let [alice, bob] =
                    world.pair(side(one, first), side(other, second).signalled_after(millis(delay)));
                world.run_until(both_selected).within(secs(3));
                world.run_for(secs(10));
                let roles = [alice, bob].map(|peer| world.agent(peer).role());
                let context = format!("{one} {first} against {other} {second}, signalled after {delay} ms");
                assert_eq!(roles[0], roles[1].opposite(), "{context}\n{}", world.timeline());
                assert!(world.agree(alice, bob), "{context}\n{}", world.timeline());
            }
        }
    }
}

#[test]
fn the_larger_tie_breaker_controls() {
    for role in [Role::Controlling, Role::Controlled] {
        let mut world = World::seeded(1);
        let side = |tie| open().with(AgentConfig { role, tie_breaker: Some(tie), ..Default::default() });
        let [alice, bob] = world.pair(side(9), side(3));
        world.run_until(both_selected).within(secs(3));
        assert_eq!(world.agent(alice).role(), Role::Controlling, "{}", world.timeline());
        assert_eq!(world.agent(bob).role(), Role::Controlled);
    }
}

#[test]
fn glare_under_loss_is_repaired_too() {
    for seed in 0..500 {
        let mut world = World::seeded(seed);
        world.set_link(
            LinkConfig::rtt(millis(40)).with_loss(0.2).with_jitter(millis(30)).with_duplication(0.1),
        );
        let role = if seed % 2 == 0 { Role::Controlling } else { Role::Controlled };
        let side = || open().with(AgentConfig { role, ..Default::default() });
        let [alice, bob] = world.pair(side(), side());
        world.run_until(both_selected).within(secs(20));
        world.run_for(secs(10));
        let roles = [alice, bob].map(|peer| world.agent(peer).role());
        assert_eq!(roles[0], roles[1].opposite(), "seed {seed}\n{}", world.timeline());
        assert!(world.agree(alice, bob), "seed {seed}\n{}", world.timeline());
    }
}

fn both<T: Copy, const N: usize>(values: [T; N]) -> impl Iterator<Item = (T, T)> {
    values.into_iter().flat_map(move |one| values.into_iter().map(move |other| (one, other)))
}
