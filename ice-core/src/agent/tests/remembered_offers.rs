//! What servers had seen, in a restart that is prepared for an offer: the staged generation and the current one wait for the same answers.

use super::remembered::{NEW, OLD};
use super::servers::{HOME, Place, RTT, Reply, at};
use super::*;

/// The answer is of both generations: the current one, in which the old mapping has been told, and the staged one, in which it has not.
#[test]
fn a_restart_that_is_prepared_describes_what_was_confirmed() {
    for (seen, in_current) in [(OLD, 0), (NEW, 1)] {
        let mut place = Place::gathered(1);
        let current = place.agent.local_credentials().clone();
        let staged = place.agent.prepare_restart(place.now).unwrap();
        place.run(1_010, |_| Reply::Sees(seen));
        assert_eq!(place.agent.local_description().streams[0].candidates.len(), 1);
        // Asked again, it asks nobody again.
        place.agent.prepare_restart(place.now).unwrap();
        place.run(2_000, |_| Reply::Sees(seen));
        assert_eq!((place.asked_at(), place.ends()), (vec![1_000], vec![1_000 + RTT]));
        assert_eq!(place.told_for(staged.ufrag()), [(1_000, at(HOME)), (1_000 + RTT, at(seen))]);
        assert_eq!(place.told_for(current.ufrag()).len(), in_current);
        let described = &place.agent.local_description().streams[0].candidates;
        let addresses: Vec<_> = described.iter().filter_map(|c| c.address.socket_addr()).collect();
        assert_eq!(addresses, [at(HOME), at(seen)]);
        place.forget();
        place.agent.apply_restart(place.now).unwrap();
        place.run(3_000, |_| Reply::Sees(seen));
        assert_eq!((place.reflexive(), place.ends()), (vec![], vec![]), "all was told");
    }
}

/// The NAT has moved us there and back again: what it maps now is old to the current generation, and new to the staged one.
#[test]
fn a_restart_that_is_prepared_describes_an_address_that_has_come_back() {
    let mut place = Place::gathered(1);
    place.run(20_000, |_| Reply::Sees(NEW));
    let staged = place.agent.prepare_restart(place.now).unwrap();
    place.run(21_000, |_| Reply::Sees(OLD));
    assert_eq!(place.told_for(staged.ufrag()), [(20_000, at(HOME)), (20_000 + RTT, at(OLD))]);
    assert_eq!(place.agent.local_description().streams[0].candidates.len(), 2);
}

#[test]
fn what_was_confirmed_is_not_asked_again_when_a_prepared_restart_is_applied() {
    let mut place = Place::gathered(1);
    place.agent.prepare_restart(place.now).unwrap();
    place.run(1_900, |_| Reply::Sees(OLD));
    place.forget();
    place.restart();
    assert_eq!(place.agent.local_description().streams[0].candidates.len(), 2);
    place.run(9_000, |_| Reply::Sees(OLD));
    assert_eq!(place.asked, []);
}

/// What was told for the current generation stays told, and what it still waits for is its own.
#[test]
fn a_staged_generation_settles_its_own_doubts_only() {
    let mut place = Place::gathered(1);
    place.agent.prepare_restart(place.now).unwrap();
    place.run(1_900, |_| Reply::Sees(NEW));
    place.agent.cancel_restart(place.now).unwrap();
    let described = &place.agent.local_description().streams[0].candidates;
    let addresses: Vec<_> = described.iter().filter_map(|c| c.address.socket_addr()).collect();
    assert_eq!(addresses, [at(HOME), at(OLD), at(NEW)]);

    let mut place = Place::gathered(1);
    place.restart();
    let current = place.agent.local_credentials().clone();
    let staged = place.agent.prepare_restart(place.now).unwrap();
    place.agent.end_of_local_candidates(place.now);
    place.run(1_900, |_| Reply::Sees(NEW));
    assert_eq!(place.told_for(staged.ufrag()), [(1_000, at(HOME)), (1_000, at(OLD))]);
    assert_eq!(place.told_for(current.ufrag()), [(1_000, at(HOME)), (1_000 + RTT, at(NEW))]);
}

#[test]
fn a_restart_that_is_taken_back_changes_nothing() {
    let mut place = Place::gathered(1);
    place.agent.prepare_restart(place.now).unwrap();
    place.agent.cancel_restart(place.now).unwrap();
    place.run(2_000, |_| Reply::Sees(OLD));
    assert_eq!((place.reflexive(), place.ends()), (vec![], vec![1_000 + RTT]));
    assert_eq!(place.agent.local_description().streams[0].candidates.len(), 2);
}
