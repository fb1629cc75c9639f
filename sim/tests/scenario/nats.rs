//! Peers behind NATs, with the server-reflexive candidate given by hand.

use floe_core::{AgentConfig, CandidateType, Nomination};
use floe_sim::scenario::{TurnReach, World, at, behind, both_selected, open, secs};
use floe_sim::{Attachment, Filtering, Hairpin, Mapping, NatConfig, RouterConfig};

const FILTERINGS: [Filtering; 3] =
    [Filtering::EndpointIndependent, Filtering::AddressDependent, Filtering::AddressAndPortDependent];

#[test]
fn every_filtering_behind_endpoint_independent_mapping_connects() {
    for left in FILTERINGS {
        for right in FILTERINGS {
            let mut world = World::seeded(1);
            let side = |filtering| {
                behind(NatConfig::new(Mapping::EndpointIndependent, filtering)).with_reflexive_candidate()
            };
            let [alice, bob] = world.pair(side(left), side(right));
            world.run_until(both_selected).within(secs(2));
            let context = format!("{left:?} against {right:?}\n{}", world.timeline());
            assert!(world.agree(alice, bob), "{context}");
            assert_eq!(
                world.selected(alice).unwrap().local_type,
                CandidateType::ServerReflexive,
                "{context}"
            );
        }
    }
}

#[test]
fn a_symmetric_nat_shows_the_open_side_a_peer_reflexive_candidate() {
    let mut world = World::seeded(2);
    let [alice, bob] = world.pair(behind(NatConfig::symmetric()).with_reflexive_candidate(), open());
    world.run_until(both_selected).within(secs(2));
    assert!(world.agree(alice, bob));
    assert_eq!(world.selected(bob).unwrap().remote_type, CandidateType::PeerReflexive);
    assert_eq!(world.selected(alice).unwrap().local_type, CandidateType::PeerReflexive);
}

#[test]
fn a_mapping_that_lives_twenty_seconds_is_kept_alive_by_consent_checks() {
    let mut world = World::seeded(3);
    let nat = || NatConfig::port_restricted().with_lifetime(secs(20));
    let [alice, bob] =
        world.pair(behind(nat()).with_reflexive_candidate(), behind(nat()).with_reflexive_candidate());
    world.run_until(both_selected).within(secs(2));
    world.run_for(secs(600));
    world.send(alice, b"still there").unwrap();
    world.run_for(secs(1));
    assert_eq!(world.inbox(bob), [b"still there".to_vec()], "{}", world.timeline());
}

#[test]
fn regular_nomination_waits_for_better_pairs_and_takes_the_best_that_works() {
    let mut world = World::seeded(4);
    let config = AgentConfig { nomination: Nomination::Regular, ..Default::default() };
    let nat = || behind(NatConfig::port_restricted()).with_reflexive_candidate();
    let [alice, bob] = world.pair(nat().with(config), nat());
    world.run_until(both_selected).within(secs(3));
    assert!(world.agree(alice, bob));
    assert!(
        world.selected_at(alice).unwrap() >= floe_core::Instant::from_millis(2_000),
        "{}",
        world.timeline()
    );
}

#[test]
fn two_guests_of_one_hotel_meet_only_by_its_hairpin() {
    for hairpin in [Hairpin::None, Hairpin::ExternalSource] {
        let mut world = World::seeded(5);
        let nat = NatConfig::port_restricted().with_hairpin(hairpin);
        let hotel = world.network().add_router(Attachment::Public, RouterConfig::from(nat).isolated());
        let guest = || at(Attachment::Behind(hotel)).with_reflexive_candidate();
        let [alice, bob] = world.pair(guest(), guest());
        world.run_for(secs(5));
        let met = hairpin != Hairpin::None;
        assert_eq!(world.selected(alice).is_some(), met, "{}", world.timeline());
        assert!(!met || world.agree(alice, bob));
    }
}

#[test]
fn two_homes_of_one_carrier_meet_by_the_carriers_hairpin() {
    let mut world = World::seeded(6);
    let nat = NatConfig::full_cone().with_hairpin(Hairpin::ExternalSource);
    let carrier = Attachment::Behind(world.network().add_nat(nat));
    let homes = [(); 2].map(|()| world.network().add_router(carrier, NatConfig::port_restricted()));
    let [alice, bob] = homes.map(|home| at(Attachment::Behind(home)).with_reflexive_candidate());
    let [alice, bob] = world.pair(alice, bob);
    world.run_until(both_selected).within(secs(2));
    assert!(world.agree(alice, bob), "{}", world.timeline());
    assert_eq!(world.selected(alice).unwrap().remote_type, CandidateType::ServerReflexive);
}

#[test]
fn an_office_without_udp_gets_out_by_the_streams_that_its_firewall_lets_out() {
    let [no_udp, https] = [RouterConfig::corporate_udp_blocked(), RouterConfig::https_only()];
    for (office, reach, meets) in [
        (&no_udp, TurnReach::Udp, false),
        (&no_udp, TurnReach::Tcp, true),
        (&no_udp, TurnReach::Tls, true),
        (&https, TurnReach::Tcp, false),
        (&https, TurnReach::Tls, true),
    ] {
        let mut world = World::seeded(7);
        let relay = world.turn_server();
        let [alice, bob] = world.pair(behind(office.clone()).using_over(relay, reach), open());
        world.run_for(secs(3));
        assert_eq!(both_selected(&world), meets, "{reach:?}, {office:?}\n{}", world.timeline());
        assert!(!meets || world.agree(alice, bob));
    }
}
