//! Case 8: both peers are behind the same NAT, or behind the same carrier's. Whether they meet, and where, is a matter of what lies
//! between them inside, and of the hairpin. The round trip takes 40 ms wherever it goes.

use floe_core::CandidateType::{self, Host, PeerReflexive, Relayed, ServerReflexive};
use floe_sim::scenario::{PeerId, PeerSpec, World, at, both_selected, secs};
use floe_sim::{Attachment, Hairpin, NatConfig, RouterConfig};

use super::story::{assert_calm, assert_talking, times, types, words};

const HAIRPINS: [Hairpin; 3] = [Hairpin::None, Hairpin::InternalSource, Hairpin::ExternalSource];

/// Who knows how the outermost NAT shows it.
fn guest(of: Attachment) -> PeerSpec {
    at(of).with_reflexive_candidate()
}

fn router(world: &mut World, place: Attachment, config: impl Into<RouterConfig>) -> Attachment {
    Attachment::Behind(world.network().add_router(place, config))
}

/// They connect without an alarm, over candidates of these types as the controlling side sees them, after so many milliseconds.
fn assert_meet(world: &mut World, peers: [PeerId; 2], ends: [CandidateType; 2], usable: u64) {
    world.run_until(both_selected).within(secs(2));
    assert_eq!(types(world, peers[0]), ends);
    // The nomination goes in the next slot, and takes a round trip.
    assert_eq!(times(world, peers), [[usable, usable + 50], [usable, usable + 30]]);
    assert_talking(world, peers);
    assert_calm(world, peers);
}

/// Within five seconds they say that nothing got through, and that no relay is there that could help.
fn assert_never_meet(world: &mut World, peers: [PeerId; 2]) {
    world.run_for(secs(5));
    for peer in peers {
        assert_eq!(world.usable_at(peer), None);
        let said = words(world, peer);
        let first = said.first().unwrap();
        assert!(first.contains("checks was answered and none of the peer's arrived"), "{said:?}");
        assert!(first.contains("no relay is configured"), "{said:?}");
    }
}

#[test]
fn case_08_two_in_one_flat_meet_inside_whatever_the_hairpin_does() {
    for hairpin in HAIRPINS {
        for nat in [NatConfig::port_restricted(), NatConfig::full_cone(), NatConfig::symmetric()] {
            let mut world = World::seeded(8);
            let flat = router(&mut world, Attachment::Public, nat.with_hairpin(hairpin));
            let peers = world.pair(guest(flat), guest(flat));
            assert_meet(&mut world, peers, [Host, Host], 40);
        }
    }
}

#[test]
fn case_08_guests_kept_apart_meet_by_a_hairpin_that_shows_the_outer_address() {
    for nat in [NatConfig::port_restricted(), NatConfig::address_restricted(), NatConfig::full_cone()] {
        let mut world = World::seeded(8);
        let hotel = RouterConfig::from(nat.with_hairpin(Hairpin::ExternalSource)).isolated();
        let hotel = router(&mut world, Attachment::Public, hotel);
        let peers = world.pair(guest(hotel), guest(hotel));
        assert_meet(&mut world, peers, [ServerReflexive, ServerReflexive], 90);
    }
}

#[test]
fn case_08_guests_kept_apart_without_a_hairpin_find_no_path_and_say_so() {
    let mut world = World::seeded(8);
    let hotel =
        router(&mut world, Attachment::Public, RouterConfig::from(NatConfig::port_restricted()).isolated());
    let peers = world.pair(guest(hotel), guest(hotel));
    assert_never_meet(&mut world, peers);
}

/// The checks arrive, and seem to come from inside, where the answers cannot go.
#[test]
fn case_08_guests_kept_apart_with_a_hairpin_that_shows_the_inner_address_are_told_that_it_is_one_way() {
    let mut world = World::seeded(8);
    let nat = NatConfig::port_restricted().with_hairpin(Hairpin::InternalSource);
    let hotel = router(&mut world, Attachment::Public, RouterConfig::from(nat).isolated());
    let peers = world.pair(guest(hotel), guest(hotel));
    world.run_for(secs(5));
    for peer in peers {
        assert_eq!(world.usable_at(peer), None);
        let said = words(&world, peer);
        assert!(said[0].starts_with("one way only: "), "{said:?}");
    }
}

#[test]
fn case_08_guests_kept_apart_without_a_hairpin_meet_at_the_relay() {
    for hairpin in [Hairpin::None, Hairpin::InternalSource] {
        let mut world = World::seeded(8);
        let relay = world.turn_server();
        let nat = NatConfig::port_restricted().with_hairpin(hairpin);
        let hotel = router(&mut world, Attachment::Public, RouterConfig::from(nat).isolated());
        let peers = world.pair(guest(hotel).using(relay), guest(hotel));
        world.run_until(both_selected).within(secs(1));
        assert!(types(&world, peers[0]).contains(&Relayed));
        assert_talking(&mut world, peers);
        assert_calm(&world, peers);
    }
}

/// A carrier, and a home of its own for each.
fn two_homes(world: &mut World, carrier: NatConfig, home: &NatConfig) -> [Attachment; 2] {
    let carrier = router(world, Attachment::Public, carrier);
    [(); 2].map(|()| router(world, carrier, home.clone()))
}

#[test]
fn case_08_two_homes_of_one_carrier_meet_by_its_hairpin_that_shows_the_outer_address() {
    for home in [NatConfig::port_restricted(), NatConfig::full_cone().with_overlapping_addresses()] {
        let mut world = World::seeded(8);
        let homes = two_homes(&mut world, NatConfig::carrier_grade(), &home);
        let [left, right] = homes.map(guest);
        let peers = world.pair(left, right);
        assert_meet(&mut world, peers, [ServerReflexive, ServerReflexive], 90);
    }
}

/// What comes by the hairpin seems to come from the peer's home router. That one lets the answer in if it lets everybody in; one that
/// does not makes it look as if nobody had checked at all.
#[test]
fn case_08_a_carriers_hairpin_that_shows_the_inner_address_helps_homes_that_let_anybody_in() {
    let carrier = || NatConfig::full_cone().with_hairpin(Hairpin::InternalSource);
    let mut world = World::seeded(8);
    let [left, right] = two_homes(&mut world, carrier(), &NatConfig::full_cone()).map(guest);
    let peers = world.pair(left, right);
    assert_meet(&mut world, peers, [PeerReflexive, PeerReflexive], 140);
    let mut world = World::seeded(8);
    let [left, right] = two_homes(&mut world, carrier(), &NatConfig::port_restricted()).map(guest);
    let peers = world.pair(left, right);
    assert_never_meet(&mut world, peers);
}

#[test]
fn case_08_two_homes_of_a_carrier_without_hairpin_need_a_relay() {
    let carrier = || NatConfig::full_cone();
    let mut world = World::seeded(8);
    let [left, right] = two_homes(&mut world, carrier(), &NatConfig::port_restricted()).map(guest);
    let peers = world.pair(left, right);
    assert_never_meet(&mut world, peers);
    let mut world = World::seeded(8);
    let relay = world.turn_server();
    let [left, right] = two_homes(&mut world, carrier(), &NatConfig::port_restricted()).map(guest);
    let peers = world.pair(left, right.using(relay));
    world.run_until(both_selected).within(secs(1));
    assert!(types(&world, peers[0]).contains(&Relayed));
    assert_talking(&mut world, peers);
    assert_calm(&world, peers);
}

#[test]
fn case_08_two_in_one_flat_behind_a_carrier_meet_inside_or_by_the_carriers_hairpin() {
    for isolated in [false, true] {
        let mut world = World::seeded(8);
        let carrier = router(&mut world, Attachment::Public, NatConfig::carrier_grade());
        let flat = RouterConfig { isolated, ..NatConfig::port_restricted().into() };
        let flat = router(&mut world, carrier, flat);
        let peers = world.pair(guest(flat), guest(flat));
        let (kind, usable) = if isolated { (ServerReflexive, 90) } else { (Host, 40) };
        assert_meet(&mut world, peers, [kind, kind], usable);
    }
}
