//! Case 15: a network that lets no datagrams through.

use floe_core::candidate::Transport;
use floe_core::{CandidateType, Event, Role};
use floe_sim::scenario::{PeerSpec, TurnReach, World, behind, both_selected, for_seeds, millis, open, secs};
use floe_sim::{Firewall, NatConfig, RouterConfig};

use super::story::{assert_calm, types, words};

fn offices() -> [RouterConfig; 2] {
    let silent = RouterConfig::corporate_udp_blocked();
    let outspoken = silent.clone().with_firewall(Firewall::NO_UDP.rejecting());
    [silent, outspoken]
}

/// Data over streams.
fn assert_streaming(world: &mut World, peers: [floe_sim::scenario::PeerId; 2]) {
    assert!(world.agree(peers[0], peers[1]));
    world.start_traffic(millis(20));
    world.run_for(secs(5));
    world.stop_traffic();
    for peer in peers {
        assert!(world.traffic(peer).is_lossless(), "{}", world.traffic(peer));
    }
}

#[test]
fn case_15_an_office_without_udp_connects_to_an_open_peer_over_tcp() {
    for office in offices() {
        for role in [Role::Controlling, Role::Controlled] {
            for_seeds(0..5, |world| {
                let peers = world.pair(
                    behind(office.clone()).with_tcp().with_role(role),
                    open().with_tcp().with_role(role.opposite()),
                );
                world.run_until(both_selected).within(secs(3));
                assert!(world.usable_at(peers[0]).unwrap().as_millis() <= 130);
                assert!(world.selected_at(peers[0]).unwrap().as_millis() <= 700);
                for peer in peers {
                    assert_eq!(world.selected(peer).unwrap().transport, Transport::Tcp);
                }
                assert_streaming(world, peers);
                assert_calm(world, peers);
            });
        }
    }
}

#[test]
fn case_15_two_offices_without_udp_meet_at_the_relay_over_tcp_or_tls() {
    let https = RouterConfig::https_only();
    let all = |office: &RouterConfig| [(office.clone(), TurnReach::Tcp), (office.clone(), TurnReach::Tls)];
    let [silent, outspoken] = offices();
    for (office, reach) in
        [all(&silent), all(&outspoken)].concat().into_iter().chain([(https, TurnReach::Tls)])
    {
        for_seeds(0..5, |world| {
            let relay = world.turn_server();
            let side = || behind(office.clone()).using_over(relay, reach);
            let peers = world.pair(side(), side());
            world.run_until(both_selected).within(secs(1));
            assert_eq!(types(world, peers[0]), [CandidateType::Relayed; 2]);
            assert_streaming(world, peers);
            assert_calm(world, peers);
        });
    }
}

/// Everything is configured, as an application does that does not know where it will run.
#[test]
fn case_15_who_asks_the_relay_in_every_way_gets_through_by_the_one_that_is_open() {
    let [silent, outspoken] = offices();
    for (office, ways) in [(silent, 2), (outspoken, 2), (RouterConfig::https_only(), 1)] {
        for_seeds(0..5, |world| {
            let stun = world.stun_server();
            let relay = world.turn_server();
            let side = |place: PeerSpec| {
                [TurnReach::Udp, TurnReach::Tcp, TurnReach::Tls]
                    .into_iter()
                    .fold(place.asking(stun).with_tcp(), |peer, reach| peer.using_over(relay, reach))
            };
            let peers = world.pair(side(behind(office.clone())), side(behind(NatConfig::port_restricted())));
            world.run_until(both_selected).within(secs(3));
            assert_eq!(types(world, peers[0])[0], CandidateType::Relayed);
            let local = |e: &Event| match e {
                Event::LocalCandidate { candidate, .. } => Some(candidate.kind),
                _ => None,
            };
            world.run_for(secs(6));
            let told = world.events(peers[0]).iter().filter_map(|(_, e)| local(e));
            let relays = told.filter(|kind| *kind == CandidateType::Relayed).count();
            assert_eq!(relays, 2 * ways, "one of each family by every way that is open");
            assert_streaming(world, peers);
            assert_calm(world, peers);
        });
    }
}

#[test]
fn case_15_an_office_without_udp_and_nothing_but_udp_says_so_within_five_seconds() {
    for office in offices() {
        let mut world = World::seeded(15);
        let (stun, relay) = (world.stun_server(), world.turn_server());
        let peers = world.pair(behind(office).asking(stun).using(relay), open());
        world.run_for(secs(5));
        let said = words(&world, peers[0]);
        assert!(
            said[0].starts_with("the STUN server") && said[0].contains("did not answer any of"),
            "{said:?}"
        );
        assert!(said[1].starts_with("the TURN server") && said[1].contains("was not reached"), "{said:?}");
        assert!(said[2].contains("checks was answered and none of the peer's arrived"), "{said:?}");
        let said = words(&world, peers[1]);
        assert!(said[0].contains("checks was answered and none of the peer's arrived"), "{said:?}");
    }
}
