//! One session: two agents in a network that was drawn, until they have selected a pair or their time is over.

use core::time::Duration;

use floe_core::{AgentConfig, CandidateType, Cause};

use super::mix::{Draw, Home, Mix};
use crate::scenario::{PeerSpec, World, at, both_failed, both_selected};
use crate::{Attachment, HostId, LinkConfig};

/// How both agents of every session are set up: what may be compared.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// Nomination, Ta, reach and the rest. The role is not from here: who was drawn first controls.
    pub config: AgentConfig,
}

/// What became of a session.
#[derive(Clone, PartialEq, Debug)]
pub struct Session {
    /// Where the two hosts live, by index into [`Mix::homes`].
    pub homes: [usize; 2],
    /// How it ended.
    pub outcome: Outcome,
    /// How many datagrams all hosts have sent by then, servers included.
    pub datagrams: u64,
}

/// How a session ended.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Outcome {
    /// Both sides have selected a pair without a relayed candidate.
    Direct {
        /// When both had a usable path, from the beginning.
        usable: Duration,
        /// When both had selected one.
        selected: Duration,
    },
    /// Both sides have selected a pair with a relayed candidate.
    Relayed {
        /// When both had a usable path, from the beginning.
        usable: Duration,
        /// When both had selected one.
        selected: Duration,
    },
    /// They have not within the mix's patience.
    Failed {
        /// What the controlling side says is the cause, or the other if that one says nothing.
        cause: Option<Cause>,
    },
}

/// Plays what was drawn.
pub(super) fn play(mix: &Mix, draw: &Draw, setting: &Setting) -> Session {
    let mut world = World::seeded(draw.seed).without_timeline();
    let stun = world.stun_server();
    let turn = (!mix.relay.is_empty()).then(|| world.turn_server());
    let home = |index: usize| mix.homes.get(index).map(|(_, home)| home);
    let alice_at = home(draw.homes[0]).map_or(Attachment::Public, |home| settle(&mut world, home));
    let bob_at = match home(draw.homes[1]) {
        Some(home) if !draw.neighbours => settle(&mut world, home),
        _ => alice_at,
    };
    let spec = |place: Attachment, ipv6: bool| {
        let mut spec = at(place).with_config(setting.config.clone()).asking(stun);
        for reach in &mix.relay {
            spec = turn.into_iter().fold(spec, |spec: PeerSpec, turn| spec.using_over(turn, *reach));
        }
        if ipv6 { spec.dual_stack() } else { spec }
    };
    // The links are there before anything is sent.
    let link = |round_trip: Duration| LinkConfig::rtt(round_trip).with_loss(draw.loss);
    world.set_link(link(draw.round_trips[0]));
    let [alice, bob] = world.pair(spec(alice_at, draw.ipv6[0]), spec(bob_at, draw.ipv6[1]));
    let servers: Vec<HostId> =
        turn.map(|turn| world.turn_host(turn)).into_iter().chain([world.stun_host(stun)]).collect();
    for (peer, round_trip) in [(alice, draw.round_trips[1]), (bob, draw.round_trips[2])] {
        let host = world.host(peer);
        for &server in &servers {
            world.network().set_link_from(host, server, link(round_trip));
            world.network().set_link_from(server, host, link(round_trip));
        }
    }
    let over = |world: &World| both_selected(world) || both_failed(world);
    let _ = world.run_until(over).is_reached_within(mix.patience);
    let outcome = match (both_selected(&world), world.selected(alice)) {
        (true, Some(path)) => {
            let when = |of: fn(&World, _) -> Option<crate::Instant>| {
                let both = [alice, bob].map(|peer| of(&world, peer).unwrap_or_default());
                both[0].max(both[1]).since(crate::Instant::ZERO)
            };
            let (usable, selected) = (when(World::usable_at), when(World::selected_at));
            if [path.local_type, path.remote_type].contains(&CandidateType::Relayed) {
                Outcome::Relayed { usable, selected }
            } else {
                Outcome::Direct { usable, selected }
            }
        }
        _ => Outcome::Failed {
            cause: [alice, bob]
                .into_iter()
                .find_map(|peer| world.agent(peer).explain().causes.first().copied()),
        },
    };
    Session { homes: draw.homes, outcome, datagrams: world.network().counters().sent }
}

/// Puts the routers of a home into the network, and tells where its hosts are plugged in.
fn settle(world: &mut World, home: &Home) -> Attachment {
    home.routers.iter().fold(Attachment::Public, |place, router| {
        Attachment::Behind(world.network().add_router(place, router.clone()))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Home, Mix, Population};
    use super::*;
    use crate::scenario::TurnReach;
    use crate::{NatConfig, RouterConfig};

    fn first(mix: Mix) -> Session {
        Population::new(mix, 5).unwrap().session(&Setting::default(), 0)
    }

    fn alone<R: Into<RouterConfig>>(routers: impl IntoIterator<Item = R>) -> Mix {
        Mix::of([(1.0, Home::behind("here", routers))])
    }

    #[test]
    fn cones_meet_directly_and_symmetric_ones_by_the_relay_or_not_at_all() {
        let outcome = |mix| first(mix).outcome;
        assert!(matches!(outcome(alone([NatConfig::full_cone()])), Outcome::Direct { .. }));
        assert!(matches!(
            outcome(alone([NatConfig::full_cone(), NatConfig::full_cone()])),
            Outcome::Direct { .. }
        ));
        let hard = || alone([NatConfig::symmetric()]);
        let cause = match outcome(hard()) {
            Outcome::Failed { cause } => cause.map(|cause| cause.name()),
            other => panic!("{other:?}"),
        };
        assert_eq!(cause, Some("nothing-through"));
        for reach in [TurnReach::Udp, TurnReach::Tcp, TurnReach::Tls] {
            let relayed = outcome(Mix { relay: vec![reach], ..hard() });
            assert!(matches!(relayed, Outcome::Relayed { .. }), "{reach:?}: {relayed:?}");
        }
        // Behind one box they need none.
        let neighbours = outcome(Mix { neighbours: 1.0, ..hard() });
        assert!(matches!(neighbours, Outcome::Direct { .. }), "{neighbours:?}");
    }

    #[test]
    fn ipv6_goes_around_the_nat_and_times_are_of_the_links_that_were_drawn() {
        let mut mix = alone([NatConfig::symmetric()]);
        mix.homes[0].1.ipv6 = 1.0;
        mix.round_trips = vec![(1.0, Duration::from_millis(100)..=Duration::from_millis(100))];
        let Outcome::Direct { usable, selected } = first(mix).outcome else { panic!("no path") };
        assert!(usable >= Duration::from_millis(100) && usable < Duration::from_millis(250), "{usable:?}");
        assert!(selected >= usable);
    }

    #[test]
    fn patience_ends_a_session() {
        let mix = Mix { patience: Duration::from_millis(30), ..alone([NatConfig::full_cone()]) };
        assert!(matches!(first(mix).outcome, Outcome::Failed { .. }));
    }
}
