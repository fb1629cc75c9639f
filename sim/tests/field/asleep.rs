//! Case 11: a NAT that forgets soon, and a host that sleeps for ten minutes. Whether its clock counts the sleep decides what it knows
//! when it wakes.

use core::time::Duration;

use floe_core::{Cause, Event, Instant, Profile, Role, SendError};
use floe_sim::scenario::{PeerId, World, behind, both_selected, for_seeds, millis, open, secs};
use floe_sim::{Clock, HostId, LogEvent, NatConfig, Refresh};

use super::story::{alarms, assert_calm, assert_talking};

const NIGHT: Duration = secs(600);
const TA: Duration = millis(50);

/// When a host has sent since then. The network has kept its log.
fn sent_since(world: &mut World, host: HostId, since: Instant) -> Vec<Instant> {
    let log = world.network().log().iter();
    log.filter(|e| e.from == host && e.event == LogEvent::Sent && e.at >= since).map(|e| e.at).collect()
}

fn told_at(world: &World, peer: PeerId, wanted: impl Fn(&Event) -> bool) -> Option<Instant> {
    world.events(peer).iter().find(|(_, event)| wanted(event)).map(|(at, _)| *at)
}

/// Nobody says a word for ten minutes. Then what is said arrives, and nobody has noticed anything.
#[test]
fn case_11_a_mapping_that_lives_twenty_seconds_is_there_after_ten_minutes_of_silence() {
    for profile in [Profile::Active, Profile::Idle] {
        for refresh in [Refresh::Outbound, Refresh::Inbound, Refresh::Both] {
            for_seeds(0..10, |world| {
                let nat = || NatConfig::port_restricted().with_lifetime(secs(20)).with_refresh(refresh);
                let side = || behind(nat()).with_reflexive_candidate();
                let peers = world.pair(side(), side());
                world.run_until(both_selected).within(secs(1));
                for peer in peers {
                    let now = world.now();
                    world.agent(peer).set_profile(now, profile);
                }
                world.run_for(NIGHT);
                assert_talking(world, peers);
                assert_calm(world, peers);
            });
        }
    }
}

/// The phone is in a pocket. Its agent is asked to send, or polled, for the first time when it wakes.
#[test]
fn case_11_a_phone_wakes_after_ten_minutes_that_its_clock_has_counted() {
    for role in [Role::Controlling, Role::Controlled] {
        for_seeds(0..20, |world| {
            let home = || behind(NatConfig::port_restricted()).with_reflexive_candidate();
            let peers @ [alice, bob] = world.pair(home().with_role(role), home().with_role(role.opposite()));
            world.run_until(both_selected).within(secs(1));
            world.run_for(secs(3) + millis(world.seed() * 313 % 6_000));
            let fell_asleep = world.now();
            world.sleep(alice, NIGHT, Clock::Jumps);
            world.network().record(true);
            let wakes = fell_asleep + NIGHT;
            // Before it is polled; consent has gone with the time.
            world.at(wakes, move |world| assert_eq!(world.send(alice, b"?"), Err(SendError::NoConsent)));
            world.run_for(NIGHT);
            let is_asked = |e: &Event| matches!(e, Event::RestartNeeded(Cause::ConsentExpired));
            assert_eq!(told_at(world, alice, is_asked), Some(wakes));
            assert_eq!(world.send(alice, b"?"), Err(SendError::NoPath));
            // The other side has known for long.
            assert!(told_at(world, bob, is_asked).unwrap().since(fell_asleep) <= secs(30));
            world.run_for(secs(1));
            let host = world.host(alice);
            // Nothing is sent to who may not be there any more, let alone a burst.
            assert_eq!(sent_since(world, host, wakes), []);
            world.restart(alice);
            let restarted = world.now();
            let is_back = move |w: &World| {
                peers.iter().all(|p| w.selected(*p).is_some_and(|path| path.pair.generation() > 0))
            };
            world.run_until(is_back).within(secs(1));
            assert_eq!(world.now().since(restarted), millis(140));
            assert_talking(world, peers);
        });
    }
}

/// For the sleeper no time has passed. It goes on as if nothing had been, and needs no restart of its own. Who was awake has given up.
#[test]
fn case_11_a_laptop_wakes_whose_clock_has_stood_still() {
    for role in [Role::Controlling, Role::Controlled] {
        for_seeds(0..20, |world| {
            let peers @ [alice, bob] = world.pair(open().with_role(role), open().with_role(role.opposite()));
            world.run_until(both_selected).within(secs(1));
            world.run_for(secs(3) + millis(world.seed() * 313 % 6_000));
            world.sleep(alice, NIGHT, Clock::Pauses);
            world.network().record(true);
            let wakes = world.now() + NIGHT;
            world.run_for(NIGHT);
            world.send(alice, b"good morning").unwrap();
            world.run_for(secs(30));
            let host = world.host(alice);
            let sent = sent_since(world, host, wakes);
            // The datagram and a keepalive at the most; and from then on one each four to six seconds.
            let soon = sent.iter().filter(|at| **at < wakes + secs(1)).count();
            assert!(soon <= 2 && (6..=9).contains(&sent.len()), "{sent:?}");
            assert_eq!(world.inbox(bob), [b"good morning"]);
            assert_eq!(alarms(world, alice), Vec::<&Event>::new());
            assert!(
                told_at(world, bob, |e| matches!(e, Event::RestartNeeded(Cause::ConsentExpired))).is_some()
            );
            world.restart(bob);
            world.run_for(secs(2));
            assert_talking(world, peers);
        });
    }
}

/// Alice has a lot to check, and nothing gets through. She falls asleep meanwhile, or does not. Gives when she has sent since, how long
/// after she woke or would have fallen asleep.
fn checks_after(seed: u64, sleep: Option<Clock>) -> Vec<Duration> {
    let mut world = World::seeded(seed);
    let [alice, bob] = world.pair(open(), open().with_dead_addresses(30));
    world.block(alice, bob);
    world.block(bob, alice);
    world.run_for(secs(1) + millis(seed * 113 % 500) + Duration::from_micros(1));
    world.network().record(true);
    if let Some(clock) = sleep {
        world.sleep(alice, NIGHT, clock);
        world.run_for(NIGHT);
    }
    let wakes = world.now();
    world.run_for(secs(20));
    let host = world.host(alice);
    sent_since(&mut world, host, wakes).into_iter().map(|at| at.since(wakes)).collect()
}

#[test]
fn case_11_checks_go_on_where_they_were_when_the_clock_has_stood_still() {
    for seed in 0..10 {
        let (awake, slept) = (checks_after(seed, None), checks_after(seed, Some(Clock::Pauses)));
        assert!(awake.len() > 100);
        assert_eq!(slept, awake);
    }
}

/// Ten minutes of repetitions are overdue.
#[test]
fn case_11_checks_go_on_at_the_pace_of_ta_when_the_clock_has_counted_the_sleep() {
    for seed in 0..10 {
        let sent = checks_after(seed, Some(Clock::Jumps));
        let first: Vec<_> = sent.into_iter().take_while(|after| *after < millis(500)).collect();
        assert!(!first.is_empty());
        assert!(first.windows(2).all(|w| w[1] - w[0] >= TA), "{first:?}");
    }
}
