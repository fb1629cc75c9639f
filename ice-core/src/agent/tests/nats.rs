//! What is known of the NATs on both sides decides which checks go last, or not at all, and explains what does not connect.

use super::puppet::*;
use super::*;
use crate::base::SocketId;
use crate::check::{HopelessPairs, Reach};
use crate::nat::{
    Access, FilteringBehaviour, Finding, HairpinBehaviour, MappingBehaviour, NatBehaviour, NatTraits,
    Prospect,
};
use crate::wire::RoleClaim;

const STRICT: NatTraits = NatTraits {
    access: Finding::Known(Access::Translated),
    mapping: Finding::Known(MappingBehaviour::AddressAndPortDependent),
    filtering: Finding::Known(FilteringBehaviour::AddressAndPortDependent),
    hairpin: Finding::Known(HairpinBehaviour::No),
};

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

/// The peer's server-reflexive address, the best of its candidates here.
fn reflexive() -> SocketAddr {
    at("203.0.113.2:7000")
}

fn relayed() -> SocketAddr {
    at("198.51.100.9:49152")
}

fn ours() -> NatBehaviour {
    let mut behaviour = NatBehaviour::of_peer(at("203.0.113.1:6000"), STRICT);
    behaviour.local = Some(address(0));
    behaviour
}

fn theirs() -> NatBehaviour {
    NatBehaviour::of_peer(reflexive(), STRICT)
}

fn add(stage: &mut Stage, address: SocketAddr, kind: &str, priority: u32) {
    let (ip, port) = (address.ip(), address.port());
    let line = format!("candidate:{kind} 1 UDP {priority} {ip} {port} typ {kind} raddr 0.0.0.0 rport 9");
    stage.agent.add_remote_candidate(stage.now, &line.parse().unwrap()).unwrap();
}

/// Reflexive, then relayed, then a third one of the lowest priority.
fn add_all(stage: &mut Stage) {
    add(stage, reflexive(), "srflx", 1_694_498_815);
    add(stage, relayed(), "relay", 16_777_215);
    stage.add_candidate(PEER, 1_000);
}

/// To whom the first check of each pair went, in order.
fn order(stage: &Stage) -> Vec<SocketAddr> {
    let mut order = Vec::new();
    for (to, _) in &stage.sent {
        if !order.contains(to) {
            order.push(*to);
        }
    }
    order
}

fn stage(hopeless_pairs: HopelessPairs) -> Stage {
    Stage::new(AgentConfig { hopeless_pairs, ..role(Role::Controlling) })
}

#[test]
fn what_cannot_work_is_checked_last() {
    let mut plain = stage(HopelessPairs::Last);
    add_all(&mut plain);
    plain.wait(Duration::from_secs(1));
    assert_eq!(order(&plain), [reflexive(), relayed(), PEER]);

    // Told before the candidates and after them makes no difference.
    for before in [true, false] {
        let mut stage = stage(HopelessPairs::Last);
        if !before {
            add_all(&mut stage);
        }
        stage.agent.set_nat_behaviour(stage.now, ours());
        stage.agent.set_remote_nat_behaviour(stage.now, theirs());
        if before {
            add_all(&mut stage);
        }
        stage.wait(Duration::from_secs(1));
        assert_eq!(order(&stage), [relayed(), PEER, reflexive()]);
    }
}

#[test]
fn only_what_is_known_for_these_addresses_counts() {
    let elsewhere = |mut behaviour: NatBehaviour| {
        behaviour.local = Some(at("10.0.0.77:5000"));
        behaviour.mapped = Some(at("203.0.113.77:7000"));
        behaviour
    };
    for (ours, theirs) in [
        (ours(), NatBehaviour::UNKNOWN),
        (NatBehaviour::UNKNOWN, theirs()),
        (elsewhere(ours()), theirs()),
        (ours(), elsewhere(theirs())),
    ] {
        let mut stage = stage(HopelessPairs::Skip);
        stage.agent.set_nat_behaviour(stage.now, ours);
        stage.agent.set_remote_nat_behaviour(stage.now, theirs);
        add_all(&mut stage);
        stage.wait(Duration::from_secs(1));
        assert_eq!(order(&stage), [reflexive(), relayed(), PEER], "{ours:?} {theirs:?}");
    }
}

#[test]
fn skipped_pairs_are_not_checked_until_the_peer_is_heard_on_them() {
    let mut stage = stage(HopelessPairs::Skip);
    stage.agent.set_nat_behaviour(stage.now, ours());
    stage.agent.set_remote_nat_behaviour(stage.now, theirs());
    add_all(&mut stage);
    stage.wait(Duration::from_secs(3));
    assert_eq!(order(&stage), [relayed(), PEER]);
    let request = stage.request(RoleClaim::Controlled(1), false);
    assert_eq!(stage.receive(reflexive(), &request), Outcome::Consumed);
    stage.wait(Duration::from_secs(1));
    assert!(stage.take_request(reflexive()).is_some(), "it was heard");
    // And saying it again does not take that back.
    stage.agent.set_nat_behaviour(stage.now, ours());
    stage.sent.clear();
    stage.wait(Duration::from_secs(1));
    assert!(stage.take_request(reflexive()).is_some());
}

#[test]
fn a_better_measurement_brings_skipped_pairs_back() {
    let mut stage = stage(HopelessPairs::Skip);
    stage.agent.set_nat_behaviour(stage.now, ours());
    stage.agent.set_remote_nat_behaviour(stage.now, theirs());
    add_all(&mut stage);
    stage.wait(Duration::from_secs(1));
    assert!(!order(&stage).contains(&reflexive()));
    stage.agent.set_nat_behaviour(stage.now, NatBehaviour::UNKNOWN);
    stage.wait(Duration::from_secs(1));
    assert!(order(&stage).contains(&reflexive()));
}

#[test]
fn without_udp_relays_of_the_peer_are_out_of_reach_too() {
    let mut stage = stage(HopelessPairs::Skip);
    let mut blocked = ours();
    blocked.traits.access = Finding::Known(Access::NoUdp);
    stage.agent.set_nat_behaviour(stage.now, blocked);
    add_all(&mut stage);
    stage.wait(Duration::from_secs(1));
    assert_eq!(order(&stage), [PEER], "only what may be in our own network");
}

#[test]
fn it_survives_a_restart() {
    let mut stage = stage(HopelessPairs::Skip);
    stage.agent.set_nat_behaviour(stage.now, ours());
    stage.agent.set_remote_nat_behaviour(stage.now, theirs());
    stage.agent.restart(stage.now).unwrap();
    let credentials = Credentials::new("anew", "another-password-of-the-peer").unwrap();
    stage.agent.set_remote_credentials(stage.now, credentials).unwrap();
    add_all(&mut stage);
    stage.wait(Duration::from_secs(1));
    assert_eq!(order(&stage), [relayed(), PEER]);
}

#[test]
fn what_does_not_connect_is_explained_with_it() {
    let mut stage = stage(HopelessPairs::Last);
    stage.agent.set_nat_behaviour(stage.now, ours());
    add(&mut stage, reflexive(), "srflx", 1_694_498_815);
    stage.wait(Duration::from_secs(3));
    let causes = stage.agent.explain().causes;
    assert!(matches!(causes[0], Cause::NothingThrough { mapping: MappingKnowledge::EndpointDependent, .. }));
    assert!(matches!(causes[1], Cause::Nats { prospect: Prospect::Possible, .. }));
    assert_eq!(
        causes[1].to_string(),
        "our NAT maps each socket to another port for each address and port and lets in only addresses and ports that \
         were sent to"
    );
    stage.agent.set_remote_nat_behaviour(stage.now, theirs());
    let causes = stage.agent.explain().causes;
    assert!(matches!(causes[0], Cause::Nats { prospect: Prospect::NoCommonGround, .. }), "{causes:?}");
    assert!(causes[0].to_string().starts_with("the two NATs cannot meet without a relay: our NAT maps each"));
    assert_eq!(stage.agent.mapping(), MappingKnowledge::EndpointDependent);
    // A path makes all of that void.
    stage.answer_all(reflexive());
    let causes = stage.agent.explain().causes;
    assert!(!causes.iter().any(|cause| matches!(cause, Cause::Nats { .. })), "{causes:?}");
}

#[test]
fn what_is_taken_back_or_was_never_told_explains_nothing() {
    let mut stage = stage(HopelessPairs::Last);
    add(&mut stage, reflexive(), "srflx", 1_694_498_815);
    let explains =
        |stage: &Stage| stage.agent.explain().causes.iter().any(|cause| matches!(cause, Cause::Nats { .. }));
    stage.agent.set_remote_nat_behaviour(stage.now, theirs());
    stage.wait(Duration::from_secs(3));
    assert!(!explains(&stage), "of our own NAT nothing is known");
    stage.agent.set_nat_behaviour(stage.now, ours());
    assert!(explains(&stage));
    stage.agent.set_nat_behaviour(stage.now, NatBehaviour::UNKNOWN);
    assert!(!explains(&stage));
}

#[test]
fn once_a_pair_is_selected_skipped_ones_stay_away() {
    let mut stage = stage(HopelessPairs::Skip);
    stage.agent.set_nat_behaviour(stage.now, ours());
    stage.agent.set_remote_nat_behaviour(stage.now, theirs());
    add_all(&mut stage);
    for _ in 0..50 {
        stage.wait(Duration::from_millis(100));
        stage.answer_all(relayed());
    }
    assert_eq!(stage.selected(), Some(relayed()));
    stage.agent.set_nat_behaviour(stage.now, NatBehaviour::UNKNOWN);
    stage.wait(Duration::from_secs(1));
    assert!(!order(&stage).contains(&reflexive()), "RFC 8445 section 8.1.2");
}

#[test]
fn the_reserve_skips_what_cannot_work_too() {
    let wide = AgentConfig { reach: Reach::Wide, hopeless_pairs: HopelessPairs::Skip, ..Default::default() };
    let mut stage = Stage::new(wide);
    for n in 1..4 {
        let local = SocketAddr::from(([10, 0, 0, 1], 5000 + n));
        stage.agent.socket_up(stage.now, Socket::udp(SocketId(n.into()), local)).unwrap();
    }
    for n in 1..=40 {
        let line =
            format!("candidate:{n} 1 UDP 1694498815 203.0.113.{n} 7000 typ srflx raddr 0.0.0.0 rport 9");
        stage.agent.add_remote_candidate(stage.now, &line.parse().unwrap()).unwrap();
    }
    // The pairs that the list has no place for wait in the reserve by now.
    let mut blocked = ours();
    blocked.traits.access = Finding::Known(Access::NoUdp);
    stage.agent.set_nat_behaviour(stage.now, blocked);
    stage.add_candidate(PEER, 1_000);
    stage.wait(Duration::from_secs(30));
    assert_eq!(order(&stage), [PEER]);
}

#[test]
fn after_the_end_nothing_is_judged() {
    let mut stage = stage(HopelessPairs::Skip);
    stage.agent.close(stage.now);
    stage.agent.set_nat_behaviour(stage.now, ours());
    assert_eq!(stage.agent.mapping(), MappingKnowledge::Unknown);
}
