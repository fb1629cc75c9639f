//! What the stories of networks have in common: who has selected what, whether data flows, what was told that should not be.

use floe_core::{AgentConfig, CandidateType, Cause, Event, Nomination};
use floe_sim::scenario::{PeerId, World, millis, secs};

/// The types of the two ends of a peer's selected pair: its own first.
pub(super) fn types(world: &World, peer: PeerId) -> [CandidateType; 2] {
    let path = world.selected(peer).unwrap();
    [path.local_type, path.remote_type]
}

/// Both have selected the same pair. What they send in the next five seconds comes, all of it, both ways.
pub(super) fn assert_talking(world: &mut World, peers: [PeerId; 2]) {
    assert!(world.agree(peers[0], peers[1]), "they mean different pairs");
    world.start_traffic(millis(20));
    world.run_for(secs(5));
    world.stop_traffic();
    for peer in peers {
        assert!(world.traffic(peer).is_lossless(), "{}", world.traffic(peer));
    }
}

/// What was told of a path that is worse or gone, or of no path.
pub(super) fn alarms(world: &World, peer: PeerId) -> Vec<&Event> {
    let is_alarm = |event: &&Event| {
        matches!(
            event,
            Event::Trouble(_)
                | Event::PathDegraded(_)
                | Event::PathLost { .. }
                | Event::RestartNeeded(_)
                | Event::Failed(_)
        )
    };
    world.events(peer).iter().map(|(_, event)| event).filter(is_alarm).collect()
}

/// Nobody was told of anything bad.
pub(super) fn assert_calm(world: &World, peers: [PeerId; 2]) {
    for peer in peers {
        let alarms = alarms(world, peer);
        assert!(alarms.is_empty(), "{alarms:?}");
    }
}

/// Nobody was told of a path that is gone, or that a restart is needed; of one that is worse only together with its recovery.
pub(super) fn assert_kept(world: &World, peers: [PeerId; 2]) {
    for peer in peers {
        let count = |wanted: fn(&Event) -> bool| world.events(peer).iter().filter(|(_, e)| wanted(e)).count();
        let degraded = count(|e| matches!(e, Event::PathDegraded(_)));
        assert_eq!(count(|e| matches!(e, Event::PathRecovered(_))), degraded);
        assert_eq!(alarms(world, peer).len(), degraded, "{:?}", alarms(world, peer));
    }
}

/// When each of the two had a usable path and a selected one, in milliseconds.
pub(super) fn times(world: &World, peers: [PeerId; 2]) -> [[u64; 2]; 2] {
    peers.map(|peer| [world.usable_at(peer), world.selected_at(peer)].map(|at| at.unwrap().as_millis()))
}

/// The words in which a peer told its trouble in the first five seconds, the first cause first.
pub(super) fn words(world: &World, peer: PeerId) -> Vec<String> {
    let early = |(at, _): &(floe_core::Instant, Cause)| at.as_millis() <= 5_000;
    world.trouble(peer).into_iter().filter(early).map(|(_, cause)| cause.to_string()).collect()
}

/// Nominating in this way.
pub(super) fn choosing(nomination: Nomination) -> AgentConfig {
    AgentConfig { nomination, ..Default::default() }
}
