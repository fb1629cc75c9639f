//! A relay over TCP: what it is to an agent that its stream goes through a box that forgets it, and that it shares a narrow link.

use core::time::Duration;

use floe_core::{Cause, ComponentId, Event, Instant, SendError, ServerFault, StreamEnd};
use floe_sim::scenario::{PeerId, TurnReach, World, at, both_selected, for_seeds, millis, open, secs};
use floe_sim::{Attachment, HostId, LinkConfig, NatConfig, Refusal, RouterId, TcpLifetimes};

use super::story::{assert_kept, assert_talking};

/// Alice behind this NAT, with nothing but what her relay gives her, which she reaches over TCP. Bob is anywhere.
fn over_tcp(world: &mut World, nat: NatConfig) -> ([PeerId; 2], RouterId, HostId) {
    let relay = world.turn_server();
    let home = world.network().add_nat(nat);
    let alice = at(Attachment::Behind(home)).relay_only().using_over(relay, TurnReach::Tcp);
    let peers = world.pair(alice, open());
    world.run_until(both_selected).within(secs(5));
    let server = world.turn_host(relay);
    (peers, home, server)
}

/// How long after `since` this was first told.
fn told(world: &World, peer: PeerId, since: Instant, what: impl Fn(&Event) -> bool) -> Duration {
    let first = world.events(peer).iter().find(|(at, event)| *at >= since && what(event));
    first.unwrap_or_else(|| panic!("{}", world.timeline())).0.since(since)
}

fn is_stream_fault(end: StreamEnd) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::ServerError { fault: ServerFault::Stream(e), .. } if *e == end)
}

/// The stream itself would be patient for a minute. But an answer is missing over it, and then the relay's, too.
#[test]
fn a_nat_that_reboots_in_silence_has_the_relay_back_within_a_quarter_of_a_minute() {
    for_seeds(0..10, |world| {
        let ([alice, bob], home, _) = over_tcp(world, NatConfig::port_restricted());
        world.run_for(secs(30));
        world.network().reboot(home);
        let rebooted = world.now();
        world.run_for(secs(40));
        let ended = told(world, alice, rebooted, is_stream_fault(StreamEnd::TimedOut));
        assert!((secs(5)..=secs(15)).contains(&ended), "{ended:?}\n{}", world.timeline());
        assert_has_another_relay(world, alice, rebooted + ended);
        // Bob is told that the candidate is gone, and need not wait for consent to end.
        let is_lost = |event: &Event| matches!(event, Event::PathLost { cause: Cause::PathRemoved, .. });
        assert_eq!(told(world, bob, rebooted, is_lost), ended);
    });
}

/// Another relayed address is another candidate, to be used after a restart.
fn assert_has_another_relay(world: &World, peer: PeerId, since: Instant) {
    let is_told = |event: &Event| matches!(event, Event::LocalCandidate { .. });
    assert!(told(world, peer, since, is_told) <= millis(200), "{}", world.timeline());
    told(world, peer, since, |event| matches!(event, Event::RestartNeeded(_)));
}

#[test]
fn a_nat_that_resets_what_it_has_forgotten_has_the_relay_back_with_the_next_keepalive() {
    for_seeds(0..10, |world| {
        let nat = NatConfig::port_restricted().with_segment_refusal(Refusal::Reject);
        let (peers, home, _) = over_tcp(world, nat);
        world.run_for(secs(30));
        world.network().reboot(home);
        let rebooted = world.now();
        world.run_for(secs(20));
        let ended = told(world, peers[0], rebooted, is_stream_fault(StreamEnd::Reset));
        assert!(ended <= secs(6), "{ended:?}\n{}", world.timeline());
        assert_has_another_relay(world, peers[0], rebooted + ended);
    });
}

/// NATs that forget idle connections sooner than RFC 5382 REQ-5 allows. Over a path that is used something goes every few seconds; after
/// that is gone the permissions are still renewed, every three minutes.
#[test]
fn an_idle_stream_to_the_relay_outlives_its_nat_where_something_goes_over_it_in_time() {
    for (forgets_after, survives) in [(secs(240), true), (secs(120), false)] {
        for is_used in [true, false] {
            let mut world = World::seeded(4);
            let lifetimes = TcpLifetimes { established: forgets_after, transitory: secs(60) };
            let (peers, ..) =
                over_tcp(&mut world, NatConfig::port_restricted().with_tcp_lifetimes(lifetimes));
            if !is_used {
                // Nobody has anything to say to a peer that is gone.
                let bob = world.host(peers[1]);
                world.network().kill(bob);
            }
            world.run_for(secs(1_200));
            let fault = is_stream_fault(StreamEnd::TimedOut);
            let has_ended = world.events(peers[0]).iter().any(|(_, event)| fault(event));
            assert_eq!(has_ended, !is_used && !survives, "{forgets_after:?} {is_used}\n{}", world.timeline());
            if is_used {
                assert_talking(&mut world, peers);
            }
        }
    }
}

#[test]
fn a_narrow_link_pushes_back_on_who_sends_over_the_relay_and_keeps_its_datagrams() {
    for_seeds(0..5, |world| {
        let (peers @ [alice, bob], _, server) = over_tcp(world, NatConfig::port_restricted());
        let client = world.host(alice);
        let narrow = LinkConfig::rtt(millis(40)).with_bandwidth(1_000_000, 12_500);
        world.network().set_link_from(client, server, narrow);
        // Something else of alice's host, at 100 kbit/s.
        let other = world.network().bind(client, None).unwrap();
        let sink = world.network().bind(server, None).unwrap();
        let apart = world.network().count_apart(b"voice");
        let (mut refused, mut sent) = (0, 0);
        for _ in 0..500 {
            world.network().send((client, other), sink, &[&b"voice"[..], &[0; 200]].concat());
            for _ in 0..5 {
                match world
                    .agent(alice)
                    .path(ComponentId::FIRST)
                    .is_some()
                    .then(|| world.send(alice, &[b'z'; 1_000]))
                {
                    Some(Ok(())) => sent += 1,
                    Some(Err(SendError::Backlog)) => refused += 1,
                    error => panic!("{error:?}\n{}", world.timeline()),
                }
            }
            world.run_for(millis(20));
        }
        world.run_for(secs(2));
        // Two megabits a second are offered, and what is left of one gets through; nothing of it is lost.
        assert_eq!(world.inbox(bob).len(), sent);
        assert!((1_000..=1_200).contains(&sent) && refused > 1_000, "{sent} {refused}");
        assert_eq!(world.network().counters_of(apart).dropped(), 0);
        assert_kept(world, peers);
        assert_talking(world, peers);
    });
}
