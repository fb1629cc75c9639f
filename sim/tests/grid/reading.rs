//! The predictor against what the RFCs say in so many words.

use super::axes::{
    Axes, Case, Dependence, FULL_CONE, Hairpin, PORT_RESTRICTED, PRESETS, Place, Pooling, Ports, Relay,
    SYMMETRIC, axes,
};
use super::predictor::{Gap, Kind, Outcome, Trouble, predict};
use Kind::{Host, PeerReflexive, Relayed, ServerReflexive};

fn apart(left: &str, right: &str, relay: Relay) -> Outcome {
    predict(&Case { left: axes(left), right: axes(right), place: Place::Apart, relay })
}

fn same(of: Axes, isolated: bool, relay: Relay) -> Outcome {
    predict(&Case { left: of, right: of, place: Place::Same { isolated }, relay })
}

#[test]
fn which_nats_meet_without_a_relay() {
    // RFC 5128 §3.3, §3.4: a symmetric NAT meets those whose filter does not look at ports.
    let open = ["full_cone", "address_restricted", "carrier_grade"];
    let blocked = ["corporate_udp_blocked", "https_only"];
    let symmetric = ["symmetric", "hard"];
    for (left, _) in PRESETS {
        for (right, _) in PRESETS {
            let is = |these: &[&str], one| these.contains(&one);
            let udp = !is(&blocked, left) && !is(&blocked, right);
            let varies = is(&symmetric, left) || is(&symmetric, right);
            let meets = udp && (!varies || is(&open, left) || is(&open, right));
            let outcome = apart(left, right, Relay::None);
            assert_eq!(outcome.left.selected.is_some(), meets, "{left} and {right}");
            assert_eq!(outcome.right.selected.is_some(), meets, "{left} and {right}");
        }
    }
}

#[test]
fn a_symmetric_nat_shows_peer_reflexive_addresses() {
    let outcome = apart("symmetric", "full_cone", Relay::None);
    assert_eq!(outcome.left.selected, Some((PeerReflexive, ServerReflexive)));
    assert_eq!(outcome.right.selected, Some((ServerReflexive, PeerReflexive)));
    // RFC 4787 §4.2.1: with overloading, all of its mappings look the same.
    let left = Axes { ports: Ports::Overloading, ..SYMMETRIC };
    let outcome = predict(&Case { left, right: FULL_CONE, place: Place::Apart, relay: Relay::None });
    assert_eq!(outcome.left.selected, Some((ServerReflexive, ServerReflexive)));
    let outcome = apart("port_restricted", "easy", Relay::None);
    assert_eq!(outcome.left.selected, Some((ServerReflexive, ServerReflexive)));
}

#[test]
fn relays_are_taken_on_one_side_where_that_is_enough() {
    // Both ends of equal types otherwise: the controlling side's end is the better one.
    let outcome = apart("symmetric", "symmetric", Relay::Udp);
    assert_eq!(outcome.left.selected, Some((PeerReflexive, Relayed)));
    assert_eq!(outcome.right.selected, Some((Relayed, PeerReflexive)));
    assert_eq!(outcome.left.candidates, [Host, ServerReflexive, ServerReflexive, Relayed]);
    // A peer-reflexive end is better than a server-reflexive one.
    let outcome = apart("port_restricted", "symmetric", Relay::Tcp);
    assert_eq!(outcome.left.selected, Some((Relayed, PeerReflexive)));
    let outcome = apart("corporate_udp_blocked", "https_only", Relay::Tls);
    assert_eq!(outcome.left.selected, Some((Relayed, Relayed)));
    let outcome = apart("corporate_udp_blocked", "https_only", Relay::Tcp);
    assert_eq!(outcome.left.troubles, [Trouble::ServerSilent, Trouble::NothingThrough { relay: true }]);
    let troubles = [Trouble::ServerSilent, Trouble::NoRelay, Trouble::NothingThrough { relay: false }];
    assert_eq!(outcome.right.troubles, troubles);
}

#[test]
fn neighbours_meet_directly_or_by_hairpin() {
    for (name, of) in PRESETS {
        assert_eq!(same(of, false, Relay::None).left.selected, Some((Host, Host)), "{name}");
    }
    let hairpin = |hairpin| same(Axes { hairpin, ..PORT_RESTRICTED }, true, Relay::None);
    assert_eq!(hairpin(Hairpin::None).left.troubles, [Trouble::NothingThrough { relay: false }]);
    assert_eq!(hairpin(Hairpin::InternalSource).left.troubles, [Trouble::OneWay]);
    let selected = Some((ServerReflexive, ServerReflexive));
    assert_eq!(hairpin(Hairpin::ExternalSource).left.selected, selected);
}

#[test]
fn an_independent_filter_before_a_dependent_mapping_only_lets_requests_be_heard() {
    let left = Axes { filtering: Dependence::Independent, ..SYMMETRIC };
    let outcome = predict(&Case { left, right: PORT_RESTRICTED, place: Place::Apart, relay: Relay::None });
    assert_eq!(outcome.left.troubles, [Trouble::OneWay]);
    let late =
        |left| predict(&Case { left, right: PORT_RESTRICTED, place: Place::ApartLate, relay: Relay::None });
    assert_eq!(late(FULL_CONE).heard_early, Some(true));
    assert_eq!(late(PORT_RESTRICTED).heard_early, Some(false));
}

#[test]
fn ports_of_neighbours_tell_how_they_are_chosen() {
    let neighbours = |ports, addresses, pooling| {
        same(Axes { ports, addresses, pooling, ..PORT_RESTRICTED }, true, Relay::None).neighbours
    };
    let one = |ports| neighbours(ports, 1, Pooling::Paired);
    assert_eq!(one(Ports::Preserving), Some((Some(true), Some(Gap::Step(1)))));
    assert_eq!(one(Ports::Overloading), Some((Some(true), None)));
    assert_eq!(one(Ports::Sequential(2)), Some((Some(true), Some(Gap::Step(2)))));
    assert_eq!(one(Ports::Random), Some((Some(true), Some(Gap::Far))));
    assert_eq!(one(Ports::Block), Some((Some(true), Some(Gap::Low))));
    assert_eq!(neighbours(Ports::Block, 2, Pooling::Paired), Some((Some(false), Some(Gap::Low))));
    assert_eq!(neighbours(Ports::Block, 2, Pooling::Arbitrary), Some((None, Some(Gap::Low))));
}
