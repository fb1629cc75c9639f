//! Case 13: hosts with many addresses, of which most lead nowhere: bridges of containers, VPNs, a dozen of IPv6. Which of them an
//! application uses at all is for the driver's filter; here the engine is given all.

use core::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

use floe_core::CandidateType::Host;
use floe_core::trace::TraceEvent;
use floe_core::{AgentConfig, Event, PairReport, Reach, Role, Socket, SocketId};
use floe_sim::scenario::{PeerId, PeerSpec, World, at, behind, both_selected, for_seeds, millis, secs};
use floe_sim::{Attachment, Firewall, NatConfig, RouterConfig, StreamPolicy};

use super::story::{assert_calm, assert_talking, times, types, words};

const ROLES: [Role; 2] = [Role::Controlling, Role::Controlled];
/// RFC 8445 §6.1.2.5: so many pairs are checked by default.
const PAIRS: usize = 100;

fn candidates(world: &World, peer: PeerId) -> usize {
    world.events(peer).iter().filter(|(_, e)| matches!(e, Event::LocalCandidate { .. })).count()
}

/// Checks and their repetitions that a peer has sent so far.
fn checks(world: &World, peer: PeerId) -> usize {
    world.decisions(peer).iter().filter(|(_, e)| matches!(e, TraceEvent::CheckSent { .. })).count()
}

fn dozen() -> PeerSpec {
    behind(RouterConfig::ipv6_only()).with_addresses(12)
}

#[test]
fn case_13_twelve_ipv6_addresses_on_either_host_take_no_longer_than_one() {
    for role in ROLES {
        let mut world = World::seeded(13);
        let peers = world.pair(dozen().with_role(role), dozen().with_role(role.opposite()));
        world.run_until(both_selected).within(secs(1));
        let (controlling, controlled) = ([40, 90], [40, 70]);
        let by_role =
            if role == Role::Controlling { [controlling, controlled] } else { [controlled, controlling] };
        assert_eq!(times(&world, peers), by_role);
        assert_eq!(peers.map(|peer| candidates(&world, peer)), [12; 2]);
        assert_talking(&mut world, peers);
        world.run_for(secs(60));
        // One check and one nomination, or an answer to it; the other 143 pairs were never needed.
        assert_eq!(peers.map(|peer| checks(&world, peer)), [2; 2]);
        assert_calm(&world, peers);
    }
}

fn mostly_dead(dead: usize, reach: Reach) -> PeerSpec {
    let config = AgentConfig { reach, ..Default::default() };
    behind(RouterConfig::ipv6_only()).with_dead_addresses(dead).with_config(config)
}

/// Those that lead nowhere are the preferred ones. Each costs Ta where one side has them.
#[test]
fn case_13_eleven_of_twelve_ipv6_addresses_lead_nowhere() {
    for role in ROLES {
        let (dead, fine) = (mostly_dead(11, Reach::default()), mostly_dead(0, Reach::default()));
        let mut world = World::seeded(13);
        let peers = world.pair(dead.with_role(role), fine.with_role(role.opposite()));
        world.run_until(both_selected).within(millis(640));
        assert!(peers.iter().all(|peer| checks(&world, *peer) <= 16));
        assert_talking(&mut world, peers);
        assert_calm(&world, peers);
    }
}

/// That makes 144 pairs, of which the last works. With the default limit of 100 it is never tried, and that is said; with the
/// wide reach it is found.
#[test]
fn case_13_eleven_of_twelve_ipv6_addresses_lead_nowhere_on_both_hosts() {
    for reach in [Reach::default(), Reach::Wide] {
        let mut world = World::seeded(13);
        let peers = world.pair(mostly_dead(11, reach), mostly_dead(11, reach));
        if reach == Reach::Wide {
            // 144 times Ta, and the nomination.
            world.run_until(both_selected).within(millis(7_300));
            assert_talking(&mut world, peers);
            continue;
        }
        world.run_for(secs(5));
        for peer in peers {
            assert_eq!(world.usable_at(peer), None);
            let said = words(&world, peer);
            assert!(
                said.iter().any(|w| w == "the limit on pairs kept 44 pairs from being tried"),
                "{said:?}"
            );
            assert!(world.agent(peer).explain().pairs.len() <= PAIRS);
        }
    }
}

/// A bridge for containers has the same address on every host, and both applications have the same port: who checks that
/// pair finds himself. The way out is the second interface.
#[test]
fn case_13_docker_gives_both_hosts_the_same_address() {
    for role in ROLES {
        for_seeds(0..5, |world| {
            let bridge = |world: &mut World| {
                let sealed = Firewall { streams: StreamPolicy::Nothing, ..Firewall::NO_UDP };
                let bridge = RouterConfig::from(NatConfig::port_restricted().with_overlapping_addresses());
                Attachment::Behind(
                    world.network().add_router(Attachment::Public, bridge.with_firewall(sealed)),
                )
            };
            let [left, right] = [bridge(world), bridge(world)].map(|place| at(place).with_port(5000));
            let peers = world.pair(left.with_role(role), right.with_role(role.opposite()));
            assert_eq!(world.address(peers[0], SocketId(0)), world.address(peers[1], SocketId(0)));
            for peer in peers {
                world.interface_up(peer);
            }
            world.run_until(both_selected).within(secs(1));
            assert!(
                times(world, peers).as_flattened().iter().all(|at| *at <= 240),
                "{:?}",
                times(world, peers)
            );
            for peer in peers {
                assert_eq!(world.selected(peer).unwrap().base, world.address(peer, SocketId(1)));
            }
            assert_talking(world, peers);
            world.run_for(secs(40));
            assert_calm(world, peers);
        });
    }
}

/// A link-local address with a zone, one of 6to4, a unique local one of a VPN: none of them gets anywhere, and none is in the way.
#[test]
fn case_13_link_local_deprecated_and_vpn_addresses_are_tried_and_do_no_harm() {
    let odd = ["fe80::1", "2002:c000:201::1", "fec0::1", "fd00::1"].map(|ip| ip.parse::<Ipv6Addr>().unwrap());
    for role in ROLES {
        let mut world = World::seeded(13);
        let v6 = || behind(RouterConfig::from(NatConfig::port_restricted()).dual_stack());
        let peers = world.pair(v6().with_role(role), v6().with_role(role.opposite()));
        for peer in peers {
            for (number, ip) in (100..).zip(odd) {
                let zone = if ip.is_unicast_link_local() { 3 } else { 0 };
                let now = world.now();
                let local = SocketAddr::V6(SocketAddrV6::new(ip, 5000, 0, zone));
                world.agent(peer).socket_up(now, Socket::udp(SocketId(number), local)).unwrap();
            }
        }
        world.run_until(both_selected).within(secs(1));
        assert!(times(&world, peers).as_flattened().iter().all(|at| *at <= 90), "{:?}", times(&world, peers));
        assert_eq!(types(&world, peers[0]), [Host; 2]);
        let is_odd_pair = |pair: &PairReport| {
            [pair.local, pair.remote]
                .iter()
                .filter(|a| matches!(a.ip(), core::net::IpAddr::V6(ip) if ip.is_unicast_link_local()))
                .count()
                == 1
        };
        for peer in peers {
            assert!(!world.agent(peer).explain().pairs.iter().any(is_odd_pair));
        }
        assert_talking(&mut world, peers);
        assert_calm(&world, peers);
    }
}
