//! Signalling is slower than the network, or slow, or brings odd things.

use floe_core::candidate::CandidateError;
use floe_core::{
    AgentConfig, CandidateType, ComponentId, Event, Instant, Reach, RemoteError, Role, SocketId,
};
use floe_sim::scenario::{PeerId, Untold, World, behind, both_selected, millis, open, secs};
use floe_sim::{LinkConfig, NatConfig};

fn selections(world: &World, peer: PeerId) -> usize {
    world.events(peer).iter().filter(|(_, e)| matches!(e, Event::PathSelected(_))).count()
}

/// The datagrams between the two take 20 ms, signalling goes through a server far away. Bob's checks are answered at once
/// although his candidates are not known, and what he is learned as becomes what he signals, in place.
#[test]
fn checks_come_before_the_candidates_that_they_come_from() {
    let mut world = World::seeded(1);
    let [alice, bob] = world.pair(open(), open().candidates_signalled_after(secs(5)));
    world.run_until(both_selected).within(millis(150));
    assert_eq!(world.usable_at(bob), Some(Instant::from_millis(40)));
    let before = world.selected(alice).unwrap();
    assert_eq!(before.remote_type, CandidateType::PeerReflexive);
    world.run_for(secs(10));
    let after = world.selected(alice).unwrap();
    assert_eq!(
        (after.pair, after.remote, after.remote_type),
        (before.pair, before.remote, CandidateType::Host)
    );
    assert_eq!(world.agent(alice).explain().pairs.len(), 1);
    assert!(world.agree(alice, bob));
    assert_eq!((selections(&world, alice), selections(&world, bob)), (1, 1));
}

/// The offer has come, the answer is under way, and so are the answerer's checks, which are faster. They cannot be
/// returned yet, but they can be answered: the answerer sees a path at once, and the offerer needs one round trip when
/// the answer comes.
#[test]
fn checks_come_before_the_credentials_that_they_are_made_with() {
    let mut world = World::seeded(2);
    let [alice, bob] = world.pair(open(), open().signalled_after(secs(3)));
    world.run_for(millis(40));
    assert_eq!(world.usable_at(bob), Some(world.now()));
    world.run_until(both_selected).within(millis(3_060));
    assert!(world.usable_at(alice).unwrap() <= Instant::from_millis(3_040));
    assert!(world.agree(alice, bob));
}

/// Whenever the late candidate comes, before the check, during it, with a nomination in flight or after all is over: one
/// pair, one selection, no time lost.
#[test]
fn the_late_candidate_comes_while_its_nomination_is_in_flight() {
    for late in 0..2 {
        for ms in (0..1_000).step_by(10) {
            let mut world = World::seeded(ms);
            world.set_link(LinkConfig::rtt(millis(200)));
            let delays = if late == 0 { [ms, 0] } else { [0, ms] };
            let [alice, bob] = delays.map(|ms| open().candidates_signalled_after(millis(ms)));
            let [alice, bob] = world.pair(alice, bob);
            // A check and a nomination, a round trip each, and a slot between them; half a round trip for the first word.
            world.run_until(both_selected).within(millis(550));
            world.run_for(secs(2));
            assert!(world.agree(alice, bob));
            for peer in [alice, bob] {
                assert_eq!(world.selected(peer).unwrap().remote_type, CandidateType::Host);
                assert_eq!(world.agent(peer).explain().pairs.len(), 1);
                assert_eq!(selections(&world, peer), 1);
            }
        }
    }
}

/// Somebody has to click before the answer is made. The offerer is neither failed nor in need of a restart by then, and
/// behind their NATs the two connect at once: what the answerer has tried for 20 s in vain is tried on.
#[test]
fn the_answer_takes_twenty_seconds() {
    let mut world = World::seeded(4);
    let home = || behind(NatConfig::port_restricted()).with_reflexive_candidate();
    let [alice, bob] = world.pair(home(), home().signalled_after(secs(20)));
    world.run_for(secs(20));
    for peer in [alice, bob] {
        let over = |e: &Event| matches!(e, Event::Failed(_) | Event::RestartNeeded(_));
        assert!(!world.events(peer).iter().any(|(_, e)| over(e)));
    }
    world.run_until(both_selected).within(millis(700));
    assert!(world.agree(alice, bob));
}

/// The application signals everything again after each reconnect of its own, and its gateway renumbers.
#[test]
fn the_same_candidate_comes_twice() {
    let mut world = World::seeded(5);
    let [alice, bob] = world.pair(open(), open());
    let address = world.address(bob, SocketId(0));
    let (ip, port) = (address.ip(), address.port());
    for line in [
        format!("candidate:1 1 UDP 2130706431 {ip} {port} typ host"),
        format!("candidate:1 1 UDP 2130706431 {ip} {port} typ host"),
        format!("a=candidate:9 1 udp 2113937151 {ip} {port} typ host generation 0"),
        format!("candidate:7 1 UDP 1694498815 {ip} {port} typ srflx raddr 10.1.1.1 rport 9"),
    ] {
        assert_eq!(world.tell(alice, &line), Ok(()));
        assert_eq!(world.agent(alice).explain().pairs.len(), 1, "{line}");
    }
    world.run_until(both_selected).within(secs(1));
    world.run_for(secs(5));
    assert_eq!(world.agent(alice).explain().pairs.len(), 1);
    assert_eq!(world.selected(alice).unwrap().remote_type, CandidateType::Host);
    assert!(world.agree(alice, bob));
}

/// A server with many interfaces and virtual networks: most of what it signals leads nowhere, and that has the higher
/// priorities. Behind NATs nobody can learn the good one from a check before it has been tried.
#[test]
fn sixty_candidates_of_which_fifty_are_dead() {
    let home = || behind(NatConfig::port_restricted()).with_reflexive_candidate();
    let wide = || home().with(AgentConfig { reach: Reach::Wide, ..Default::default() });
    // Without NATs, behind them, and with such a server at both ends: that is 260 pairs, more than are tried by default.
    for (here, there, both, seconds) in [
        (open(), open().with_addresses(10), true, 1),
        (home(), home().with_addresses(5), false, 5),
        (wide(), wide().with_addresses(5).with_role(Role::Controlled), true, 30),
    ] {
        let mut world = World::seeded(6);
        let [alice, bob] = world.pair(here, there);
        for peer in [alice, bob].into_iter().take(1 + usize::from(both)) {
            for n in 0..50 {
                let (priority, host) = (2_130_706_400 - n, 100 + n);
                let line = format!("candidate:d{n} 1 UDP {priority} 192.0.2.{host} 9000 typ host");
                assert_eq!(world.tell(peer, &line), Ok(()));
            }
        }
        world.run_until(both_selected).within(secs(seconds));
        assert!(world.agree(alice, bob));
    }
}

/// The peer knows types, transports and extensions that we do not, hides its address behind a name that nobody knows, or writes nonsense.
/// Each is refused with its reason, or taken for what we do know of it; the session does not care.
#[test]
fn candidates_that_we_cannot_use() {
    let mut world = World::seeded(7);
    let [alice, bob] = world.pair(open(), open().without_signalled_candidates());
    let address = world.address(bob, SocketId(0));
    let unknown_type = world.tell(alice, "candidate:1 1 UDP 1 192.0.2.7 4 typ quantum").unwrap_err();
    assert!(matches!(unknown_type, Untold::Line(CandidateError::UnknownType(_))), "{unknown_type}");
    let unknown_transport = world.tell(alice, "candidate:1 1 DCCP 1 192.0.2.7 4 typ host").unwrap_err();
    assert!(matches!(unknown_transport, Untold::Line(CandidateError::UnknownTransport(_))));
    for (line, reason) in [
        ("candidate:1 1 UDP 1 a.3f1c.local 4 typ host", RemoteError::UnresolvedName),
        ("candidate:1 1 TCP 1 192.0.2.7 4 typ host tcptype so", RemoteError::UnsupportedTransport),
        (
            "candidate:1 2 UDP 1 192.0.2.7 4 typ host",
            RemoteError::UnknownComponent(ComponentId { stream: 0, component: 2 }),
        ),
    ] {
        assert_eq!(world.tell(alice, line), Err(Untold::Refused(reason)));
    }
    // Browsers signal these, and nobody connects to them.
    assert_eq!(world.tell(alice, "candidate:1 1 TCP 1 192.0.2.7 9 typ host tcptype active"), Ok(()));
    // Nobody knows this name, which is found out later.
    assert_eq!(world.tell(alice, "candidate:1 1 UDP 1 3f1c.local 4 typ host"), Ok(()));
    for nonsense in ["", "candidate:", "candidate:1 1 UDP 1 192.0.2.7 70000 typ host", "m=audio 9"] {
        assert!(matches!(world.tell(alice, nonsense), Err(Untold::Line(_))), "{nonsense:?}");
    }
    assert!(world.agent(alice).explain().pairs.is_empty());
    let (ip, port) = (address.ip(), address.port());
    let newer = format!("candidate:1 1 UDP 2130706431 {ip} {port} typ host x-colour blue network-cost 10");
    assert_eq!(world.tell(alice, &newer), Ok(()));
    world.run_until(both_selected).within(millis(200));
    assert!(world.agree(alice, bob));
}
