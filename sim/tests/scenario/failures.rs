//! Every way to fail has a cause of its own: as trouble within five seconds, and in the report at the deadline.

use core::mem::discriminant;

use floe_core::{AgentConfig, Cause, Instant, MappingKnowledge, Role};
use floe_sim::scenario::{PeerId, PeerSpec, TurnReach, World, both_failed, both_selected, open, secs};

fn with_deadline(role: Role) -> PeerSpec {
    open().with(AgentConfig { role, deadline: Some(secs(12)), ..Default::default() })
}

fn pair() -> [PeerSpec; 2] {
    [with_deadline(Role::Controlling), with_deadline(Role::Controlled)]
}

/// The first cause that `peer` told within five seconds, and the first of its report, are both of this kind.
fn assert_cause(world: &World, peer: PeerId, expected: Cause) {
    let trouble = world.trouble(peer);
    let (at, first) = trouble.first().unwrap_or_else(|| panic!("no trouble was told\n{}", world.timeline()));
    assert!(*at <= Instant::from_millis(5_000), "told at {at}");
    assert_eq!(discriminant(first), discriminant(&expected), "trouble {first:?}, not {expected:?}");
    let report = world.report(peer).unwrap();
    assert_eq!(discriminant(&report.causes[0]), discriminant(&expected), "{report}");
    assert_eq!(report.elapsed, secs(12));
}

#[test]
fn nothing_comes_by_signalling() {
    let mut world = World::seeded(1);
    let [a, b] = pair();
    let [alice, bob] = world.pair(a.never_signalled(), b.never_signalled());
    world.run_until(both_failed).within(secs(13));
    assert_cause(&world, alice, Cause::NoRemoteDescription);
    assert_cause(&world, bob, Cause::NoRemoteDescription);
}

#[test]
fn no_candidates_come() {
    let mut world = World::seeded(2);
    let [a, b] = pair();
    let [alice, bob] = world.pair(a.without_signalled_candidates(), b.without_signalled_candidates());
    world.run_until(both_failed).within(secs(13));
    assert_cause(&world, alice, Cause::NoRemoteCandidates { ended: false });
    assert_cause(&world, bob, Cause::NoRemoteCandidates { ended: false });
}

#[test]
fn the_password_is_wrong() {
    let mut world = World::seeded(3);
    let [a, b] = pair();
    let [alice, bob] = world.pair(a.with_wrong_password_signalled(), b.with_wrong_password_signalled());
    world.run_until(both_failed).within(secs(13));
    let expected = Cause::Authentication { rejected: 0, refused: 0, misaddressed: 0 };
    assert_cause(&world, alice, expected);
    assert_cause(&world, bob, expected);
    assert!(world.report(alice).unwrap().to_string().contains("signalling mixed up"));
}

/// Bob knows Alice's password wrongly. Alice can check and select; Bob is told 401 and can never send.
#[test]
fn the_password_is_wrong_on_one_side() {
    let mut world = World::seeded(4);
    let [a, b] = pair();
    let [alice, bob] = world.pair(a.with_wrong_password_signalled(), b);
    world.run_for(secs(13));
    assert_cause(&world, bob, Cause::Authentication { rejected: 0, refused: 0, misaddressed: 0 });
    assert!(world.selected(alice).is_some());
}

#[test]
fn a_one_way_filter() {
    let mut world = World::seeded(5);
    let [a, b] = pair();
    let [alice, bob] = world.pair(a, b);
    world.block(bob, alice);
    world.run_until(both_failed).within(secs(13));
    let nothing =
        Cause::NothingThrough { requests_sent: 0, relay: false, mapping: MappingKnowledge::Unknown };
    assert_cause(&world, alice, nothing);
    assert_cause(&world, bob, Cause::OneWay { requests_received: 0, requests_sent: 0 });
}

#[test]
fn everything_is_blocked() {
    let mut world = World::seeded(6);
    let [a, b] = pair();
    let [alice, bob] = world.pair(a, b);
    world.block(bob, alice);
    world.block(alice, bob);
    world.run_until(both_failed).within(secs(13));
    let nothing =
        Cause::NothingThrough { requests_sent: 0, relay: false, mapping: MappingKnowledge::Unknown };
    assert_cause(&world, alice, nothing);
    assert_cause(&world, bob, nothing);
    assert!(world.report(bob).unwrap().to_string().contains("no relay is configured"));
}

#[test]
fn a_relay_that_is_not_reached_is_told_within_five_seconds() {
    for reach in [TurnReach::Udp, TurnReach::Tcp, TurnReach::Tls] {
        let mut world = World::seeded(6);
        let relay = world.turn_server();
        let server = world.turn_host(relay);
        let [alice, bob] = world.pair(open().using_over(relay, reach), open());
        world.block(bob, alice);
        world.block(alice, bob);
        let host = world.host(alice);
        world.network().block(host, server);
        world.run_for(secs(5));
        let troubles = world.trouble(alice);
        let is_of_relay = |cause: &Cause| matches!(cause, Cause::RelayFailed { code: None, .. });
        assert!(troubles.iter().any(|(_, cause)| is_of_relay(cause)), "{reach:?}: {troubles:?}");
        let says = |text: &str| troubles.iter().any(|(_, cause)| cause.to_string().contains(text));
        assert!(says("the relay did not help") && !says("no relay is configured"), "{troubles:?}");
    }
}

#[test]
fn without_a_deadline_patience_ends_after_thirty_nine_and_a_half_seconds() {
    let mut world = World::seeded(7);
    let [alice, bob] = world.pair(open(), open());
    world.block(bob, alice);
    world.block(alice, bob);
    world.run_until(both_failed).within(secs(41));
    for peer in [alice, bob] {
        let elapsed = world.report(peer).unwrap().elapsed;
        assert!((39_500..=40_500).contains(&elapsed.as_millis()), "{elapsed:?}");
    }
}

#[test]
fn an_offerer_without_an_answer_is_patient_for_ever() {
    let mut world = World::seeded(8);
    let [alice, _] = world.pair(open(), open().never_signalled());
    world.run_for(secs(3_600));
    assert!(world.report(alice).is_none());
}

#[test]
fn a_path_that_goes_silent_is_degraded_then_lost_and_sending_is_refused() {
    use floe_core::{Event, SendError};
    let mut world = World::seeded(9);
    let [alice, bob] = world.pair(open(), open());
    world.run_until(both_selected).within(secs(1));
    world.block(alice, bob);
    world.block(bob, alice);
    let cut = world.now();
    world.run_for(secs(29));
    let degraded =
        world.events(alice).iter().find(|(_, e)| matches!(e, Event::PathDegraded(_))).map(|(at, _)| *at);
    assert!(degraded.is_some_and(|at| at.since(cut) <= secs(18)), "{}", world.timeline());
    world.run_for(secs(8));
    let last = world.events(alice).iter().rev().take(2).map(|(_, e)| e.clone()).collect::<Vec<_>>();
    assert_eq!(last[0], Event::RestartNeeded(Cause::ConsentExpired), "{}", world.timeline());
    assert!(matches!(last[1], Event::PathLost { cause: Cause::ConsentExpired, .. }));
    assert_eq!(world.send(alice, b"into the void"), Err(SendError::NoPath));
    // RFC 7675 §5.1: these credentials are spent on this flow, even if it works again.
    world.unblock(alice, bob);
    world.unblock(bob, alice);
    world.run_for(secs(60));
    assert_eq!(world.send(alice, b"into the void"), Err(SendError::NoPath));
}

#[test]
fn a_five_second_outage_is_survived_without_a_word() {
    use floe_core::Event;
    let mut world = World::seeded(10);
    let [alice, bob] = world.pair(open(), open());
    world.run_until(both_selected).within(secs(1));
    world.run_for(secs(7));
    world.block(alice, bob);
    world.run_for(secs(5));
    world.unblock(alice, bob);
    world.run_for(secs(60));
    for peer in [alice, bob] {
        assert!(
            !world
                .events(peer)
                .iter()
                .any(|(_, e)| matches!(e, Event::PathLost { .. } | Event::PathDegraded(_)))
        );
    }
    world.send(alice, b"here").unwrap();
}
