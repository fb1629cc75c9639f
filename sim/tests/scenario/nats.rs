//! Peers behind NATs, with the server-reflexive candidate given by hand.

use floe_core::{AgentConfig, CandidateType, Nomination};
use floe_sim::scenario::{World, behind, both_selected, open, secs};
use floe_sim::{Filtering, Mapping, NatConfig};

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
