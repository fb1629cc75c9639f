//! STUN and TURN servers that are dead, slow, full, restarted or wrong: what a user of the agent sees of it.

use floe_core::{
    AgentConfig, CandidateType, ComponentId, Event, GATHERING_PATIENCE, Nomination, Role, ServerFault,
};
use floe_sim::NatConfig;
use floe_sim::scenario::{PeerId, PeerSpec, World, behind, both_selected, open, secs};
use floe_sim::server::{Fault, Request, TurnConfig};

/// When a peer has told its signalling of a candidate of that kind.
fn told(world: &World, peer: PeerId, kind: CandidateType) -> Vec<u64> {
    let is_told = |e: &Event| matches!(e, Event::LocalCandidate { candidate, .. } if candidate.kind == kind);
    world.events(peer).iter().filter(|(_, e)| is_told(e)).map(|(at, _)| at.as_millis()).collect()
}

fn gathered_at(world: &World, peer: PeerId) -> u64 {
    world.events(peer).iter().find(|(_, e)| *e == Event::GatheringDone).unwrap().0.as_millis()
}

fn faults(world: &World, peer: PeerId) -> Vec<ServerFault> {
    let fault = |e: &Event| match e {
        Event::ServerError { fault, .. } => Some(fault.clone()),
        _ => None,
    };
    world.events(peer).iter().filter_map(|(_, e)| fault(e)).collect()
}

fn is_over_relay(world: &mut World, peer: PeerId) -> bool {
    world.agent(peer).path(ComponentId::FIRST).is_some_and(|path| path.relay.is_some())
}

/// What one side sends reaches the other within a second, both ways.
fn data_flows(world: &mut World, [alice, bob]: [PeerId; 2]) {
    for (from, to) in [(alice, bob), (bob, alice)] {
        let before = world.inbox(to).len();
        world.send(from, b"are you there?").unwrap_or_else(|e| panic!("{e}\n{}", world.timeline()));
        world.run_for(secs(1));
        assert_eq!(world.inbox(to).len(), before + 1, "{}", world.timeline());
    }
}

/// One side that has only what its relay gives, and another one that is open.
fn relayed(world: &mut World, change: impl FnOnce(PeerSpec) -> PeerSpec) -> [PeerId; 2] {
    let peers = world.pair(change(open().relay_only()), open());
    world.run_until(both_selected).within(secs(10));
    assert!(is_over_relay(world, peers[0]));
    peers
}

/// Allocations live so many seconds, whatever is asked for.
fn shorten(config: &mut TurnConfig, seconds: u64) {
    (config.max_lifetime, config.default_lifetime) = (secs(seconds), secs(seconds));
}

/// Those who may change paths whenever they find a better one.
fn agile(role: Role) -> PeerSpec {
    open().with(AgentConfig { role, nomination: Nomination::Renominate, ..Default::default() })
}

#[test]
fn case_25_a_dead_server_among_three_delays_nobody() {
    let mut world = World::seeded(25);
    let stun = [world.stun_server(), world.stun_server(), world.stun_server()];
    let turn = [world.turn_server(), world.turn_server()];
    let spec = stun.into_iter().fold(behind(NatConfig::symmetric()), PeerSpec::asking);
    let spec = turn.into_iter().fold(spec, PeerSpec::using);
    let [alice, bob] = world.pair(spec, open());
    let (home, dead) = (world.host(alice), [world.stun_host(stun[0]), world.turn_host(turn[0])]);
    for server in dead {
        world.network().block(server, home);
    }
    world.run_until(both_selected).within(secs(1));
    world.run_for(secs(10));
    // A question in each Ta, and one round trip; a TURN server wants two.
    assert!(told(&world, alice, CandidateType::ServerReflexive)[0] <= 200, "{}", world.timeline());
    assert!(told(&world, alice, CandidateType::Relayed)[0] <= 700, "{}", world.timeline());
    let patience = GATHERING_PATIENCE.as_millis() as u64;
    assert!((patience..=patience + 500).contains(&gathered_at(&world, alice)), "{}", world.timeline());
    let _ = bob;
}

#[test]
fn case_26_a_stale_nonce_at_any_request_again_and_again_costs_round_trips_only() {
    for request in [Request::Allocate, Request::Refresh, Request::CreatePermission, Request::ChannelBind] {
        let mut world = World::seeded(26);
        let relay = world.turn_server_with(|config| shorten(config, 100));
        world.turn(relay).add_fault(Fault::next(request).times(3).answered_with(438));
        let peers = relayed(&mut world, |spec| spec.using(relay));
        // And a nonce that is old whenever something is to be renewed.
        for _ in 0..30 {
            world.turn(relay).forget_nonces();
            world.run_for(secs(20));
            data_flows(&mut world, peers);
        }
        assert_eq!(faults(&world, peers[0]), [], "{request:?}\n{}", world.timeline());
        let again = |e: &Event| matches!(e, Event::PathLost { .. } | Event::RestartNeeded(_));
        assert!(!world.events(peers[0]).iter().any(|(_, e)| again(e)), "{}", world.timeline());
    }
}

#[test]
fn case_26_another_realm_is_followed() {
    let mut world = World::seeded(26);
    let relay = world.turn_server_with(|config| shorten(config, 60));
    let peers = relayed(&mut world, |spec| spec.using(relay));
    world.turn(relay).config_mut().realm = "elsewhere.test".into();
    world.turn(relay).forget_nonces();
    world.run_for(secs(600));
    data_flows(&mut world, peers);
}

#[test]
fn case_26_another_server_is_asked_where_the_first_one_says() {
    let mut world = World::seeded(26);
    let [first, second] = [world.turn_server(), world.turn_server()];
    let to = world.turn_address(second);
    world.turn(first).config_mut().alternates = vec![to];
    let peers = relayed(&mut world, |spec| spec.using(first));
    assert_eq!(world.selected(peers[0]).unwrap().relay, Some(to));
    data_flows(&mut world, peers);
    assert_eq!(faults(&world, peers[0]), []);
}

#[test]
fn case_26_servers_that_send_us_in_circles_are_given_up() {
    let mut world = World::seeded(26);
    let servers = [world.turn_server(), world.turn_server()];
    for (from, to) in [(0, 1), (1, 0)] {
        let to = world.turn_address(servers[to]);
        world.turn(servers[from]).config_mut().alternates = vec![to];
    }
    let [alice, _] = world.pair(open().relay_only().using(servers[0]), open());
    world.run_for(secs(10));
    assert_eq!(faults(&world, alice), [ServerFault::RedirectLoop], "{}", world.timeline());
}

#[test]
fn case_26_a_port_that_the_server_knows_from_before_is_left_for_another() {
    let mut world = World::seeded(26);
    let relay = world.turn_server();
    world.turn(relay).add_fault(Fault::next(Request::Allocate).answered_with(437));
    let peers = relayed(&mut world, |spec| spec.using(relay));
    let ports: Vec<_> = world.turn(relay).allocations().map(|a| a.client().client).collect();
    let home = world.address(peers[0], floe_core::SocketId(0));
    assert!(ports.len() == 1 && ports[0] != home, "{ports:?}");
    data_flows(&mut world, peers);
}

#[test]
fn case_26_a_refusal_is_told_with_its_code_and_the_other_relay_is_used() {
    for code in [403, 486, 508] {
        let mut world = World::seeded(26);
        let [full, other] = [world.turn_server(), world.turn_server()];
        world.turn(full).add_fault(Fault::every(Request::Allocate).answered_with(code));
        let peers = relayed(&mut world, |spec| spec.using(full).using(other));
        let refused = |f: &ServerFault| matches!(f, ServerFault::Refused { code: told, .. } if *told == code);
        assert!(faults(&world, peers[0]).iter().any(refused), "{}", world.timeline());
        assert_eq!(world.selected(peers[0]).unwrap().relay, Some(world.turn_address(other)));
    }
}

#[test]
fn case_26_a_relay_without_room_still_tells_how_we_are_seen() {
    let mut world = World::seeded(26);
    let relay = world.turn_server();
    world.turn(relay).add_fault(Fault::every(Request::Allocate).answered_with(508));
    // So late that it is not bob who shows it first.
    let bob = open().signalled_after(secs(3));
    let [alice, _] = world.pair(behind(NatConfig::full_cone()).using(relay), bob);
    world.run_for(secs(5));
    assert_eq!(told(&world, alice, CandidateType::Relayed), []);
    assert_eq!(told(&world, alice, CandidateType::ServerReflexive).len(), 1, "{}", world.timeline());
}

#[test]
fn case_26_a_quota_that_is_free_again_is_used() {
    let mut world = World::seeded(26);
    let relay = world.turn_server();
    world.turn(relay).add_fault(Fault::next(Request::Allocate).answered_with(486));
    // Bob is patient by his own choice: nobody has told him that there is hope.
    let deadline = Some(secs(120));
    let bob = open().with(AgentConfig { role: Role::Controlled, deadline, ..Default::default() });
    let [alice, bob] = world.pair(open().relay_only().using(relay), bob);
    // RFC 8656 §7.4: a minute before it is asked again.
    world.run_for(secs(59));
    assert!(world.selected(alice).is_none());
    world.run_until(both_selected).within(secs(10));
    data_flows(&mut world, [alice, bob]);
}

#[test]
fn case_26_a_peer_that_the_relay_refuses_is_reached_otherwise_or_the_report_says_so() {
    let mut world = World::seeded(26);
    let relay = world.turn_server();
    world.turn(relay).add_fault(Fault::every(Request::CreatePermission).answered_with(403));
    let deadline = Some(secs(15));
    let [alice, _] = world
        .pair(open().with(AgentConfig { deadline, ..Default::default() }).relay_only().using(relay), open());
    world.run_for(secs(20));
    let report = world.report(alice).expect("it has given up").to_string();
    assert!(report.contains("refuses the peer's address with 403"), "{report}");
}

#[test]
fn case_27_lost_replies_and_hours_of_renewals_are_not_noticed() {
    for request in [Request::CreatePermission, Request::ChannelBind, Request::Refresh, Request::Allocate] {
        let mut world = World::seeded(27);
        // The lifetime is shortened by the server.
        let relay = world.turn_server_with(|config| shorten(config, 120));
        world.turn(relay).add_fault(Fault::next(request).times(2).with_reply_lost());
        let peers = relayed(&mut world, |spec| spec.using(relay));
        for hour in 0..6 {
            world.turn(relay).add_fault(Fault::next(request).times(2).with_reply_lost());
            world.run_for(secs(3_600));
            data_flows(&mut world, peers);
            assert!(is_over_relay(&mut world, peers[0]), "hour {hour}");
        }
        assert_eq!(faults(&world, peers[0]), [], "{request:?}");
    }
}

#[test]
fn case_28_relays_of_two_servers_meet_in_either_family() {
    for v6 in [false, true] {
        let mut world = World::seeded(28);
        // One server relays to both families; the other side's to one of them only.
        let both = world.turn_server();
        let one = world.turn_server_with(|config| config.relay_addresses.retain(|ip| ip.is_ipv6() == v6));
        let [alice, bob] = world.pair(open().relay_only().using(both), open().relay_only().using(one));
        world.run_until(both_selected).within(secs(10));
        assert!(world.agree(alice, bob), "{}", world.timeline());
        let path = world.selected(alice).unwrap();
        assert_eq!((path.local.is_ipv6(), path.remote.is_ipv6()), (v6, v6), "{}", world.timeline());
        data_flows(&mut world, [alice, bob]);
    }
}

#[test]
fn case_29_a_server_that_is_started_anew_is_noticed_and_the_path_restored() {
    for seed in 0..20 {
        let mut world = World::seeded(seed);
        let relay = world.turn_server();
        let alice = agile(Role::Controlling).relay_only().using(relay);
        let peers = world.pair(alice, agile(Role::Controlled));
        world.run_until(both_selected).within(secs(10));
        world.run_for(secs(30));
        let [alice, bob] = peers;
        let before = world.selected(alice).unwrap().local;
        world.restart_turn(relay);
        let restarted = world.now();
        let restored = move |world: &World| {
            world.selected(alice).is_some_and(|path| path.local != before)
                && world.selected(bob).is_some_and(|path| path.remote != before)
        };
        world.run_until(restored).within(secs(30));
        data_flows(&mut world, peers);
        world.note(format!("restored after {:?}", world.now().since(restarted)));
        assert!(faults(&world, alice).contains(&ServerFault::Forgotten), "{}", world.timeline());
    }
}
