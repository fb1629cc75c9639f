//! Routers behind routers: which way a datagram takes through them, and which of them stops it.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use floe_sim::{
    Attachment, DropReason, Family, Firewall, Hairpin, Happening, NatConfig, Network, RouterConfig, RouterId,
    StreamChange, StreamKind, StreamPolicy,
};

use super::lab::{Socket, dropped, send, world};

fn socket_v6(net: &mut Network, place: Attachment) -> Socket {
    let host = net.add_host(place);
    let ip = net.add_address(host, Family::V6);
    (host, net.bind(host, Some(SocketAddr::new(ip, 0))).unwrap())
}

fn behind(router: RouterId) -> Attachment {
    Attachment::Behind(router)
}

/// A carrier's NAT, and two homes behind it.
fn carrier(net: &mut Network, carrier: NatConfig) -> (RouterId, [RouterId; 2]) {
    let outer = net.add_nat(carrier);
    (outer, [(); 2].map(|()| net.add_router(behind(outer), NatConfig::port_restricted())))
}

#[test]
fn a_datagram_passes_every_nat_on_its_way_out_and_the_answer_passes_them_on_its_way_in() {
    let mut net = world();
    let (outer, [home, _]) = carrier(&mut net, NatConfig::port_restricted());
    let server = net.add_socket(Attachment::Public);
    let inside = net.add_socket(behind(home));
    let (_, seen) = send(&mut net, inside, server.1).unwrap();
    assert_eq!(seen.ip(), net.external_address(outer).unwrap());
    assert_eq!(send(&mut net, server, seen), Some((inside, server.1)));
    let other = net.add_socket(Attachment::Public);
    assert_eq!(send(&mut net, other, seen), None);
    assert_eq!(dropped(&net, DropReason::Filtered(outer)), 1, "the outermost filter is asked first");
}

#[test]
fn the_inner_filter_stops_what_the_outer_lets_through() {
    let mut net = world();
    let (_, [home, _]) = carrier(&mut net, NatConfig::full_cone());
    let [server, other] = [(); 2].map(|()| net.add_socket(Attachment::Public));
    let inside = net.add_socket(behind(home));
    let (_, seen) = send(&mut net, inside, server.1).unwrap();
    assert_eq!(send(&mut net, other, seen), None);
    assert_eq!(dropped(&net, DropReason::Filtered(home)), 1);
    net.reboot(home);
    assert_eq!(send(&mut net, server, seen), None);
    assert_eq!(dropped(&net, DropReason::NoMapping(home)), 1);
}

#[test]
fn two_homes_of_one_carrier_meet_in_its_network_and_by_its_hairpin() {
    for hairpin in [Hairpin::None, Hairpin::InternalSource, Hairpin::ExternalSource] {
        let mut net = world();
        let (outer, homes) = carrier(&mut net, NatConfig::full_cone().with_hairpin(hairpin));
        let server = net.add_socket(Attachment::Public);
        let [alice, bob] = homes.map(|home| net.add_socket(behind(home)));
        let [alice_seen, bob_seen] = [alice, bob].map(|of| send(&mut net, of, server.1).unwrap().1);
        // In the carrier's own network they have the addresses of their homes' boxes.
        let [_, in_between] = [(homes[0], alice), (homes[1], bob)]
            .map(|(home, of)| SocketAddr::new(net.external_address(home).unwrap().into(), of.1.port()));
        assert_eq!(send(&mut net, alice, in_between), None, "filtered by bob's box");
        assert_eq!(dropped(&net, DropReason::Filtered(homes[1])), 1);
        // By the carrier's external address.
        send(&mut net, alice, bob_seen);
        let got = send(&mut net, bob, alice_seen);
        match hairpin {
            Hairpin::None => {
                assert_eq!(got, None);
                assert_eq!(dropped(&net, DropReason::NoHairpin(outer)), 2);
            }
            // It shows the address of bob's box, which alice's has sent to above.
            Hairpin::InternalSource => assert_eq!(got, Some((alice, in_between))),
            Hairpin::ExternalSource => assert_eq!(got, Some((alice, bob_seen))),
        }
    }
}

#[test]
fn a_hairpin_belongs_to_the_box_that_owns_the_address() {
    let mut net = world();
    // That the carrier keeps its customers apart is no matter of what one of them sends to itself.
    let outer = net.add_router(Attachment::Public, RouterConfig::from(NatConfig::full_cone()).isolated());
    let home = net.add_router(behind(outer), NatConfig::full_cone().with_hairpin(Hairpin::ExternalSource));
    let [alice, bob] = [(); 2].map(|()| net.add_socket(behind(home)));
    let server = net.add_socket(Attachment::Public);
    let bob_seen = send(&mut net, bob, server.1).unwrap().1;
    let box_of_home = SocketAddr::new(net.external_address(home).unwrap().into(), bob.1.port());
    let (who, from) = send(&mut net, alice, box_of_home).unwrap();
    assert_eq!((who, from.ip()), (bob, box_of_home.ip()), "the home's box turns it back");
    assert_eq!(send(&mut net, alice, bob_seen), None);
    assert_eq!(dropped(&net, DropReason::NoHairpin(outer)), 1, "the carrier's does not");
}

#[test]
fn private_addresses_mean_another_host_in_each_network() {
    let mut net = world();
    let config = || NatConfig::full_cone().with_overlapping_addresses();
    let outer = net.add_nat(config());
    let homes = [(); 2].map(|()| net.add_router(behind(outer), config()));
    let [alice, bob] = homes.map(|home| net.add_socket(behind(home)));
    assert_eq!(alice.1.ip(), bob.1.ip());
    let neighbour = net.add_socket(behind(homes[0]));
    assert_eq!(send(&mut net, neighbour, alice.1), Some((alice, neighbour.1)));
    assert_eq!(send(&mut net, neighbour, bob.1), None, "nobody has this port at that address here");
    // The carrier's network uses the same prefix, so that what is in it cannot be named from a home.
    let beside = net.add_socket(behind(outer));
    assert_eq!(beside.1.ip(), "192.168.1.4".parse::<IpAddr>().unwrap());
    assert_eq!(send(&mut net, alice, beside.1), None);
    assert_eq!(dropped(&net, DropReason::NoRoute), 1);
}

#[test]
fn guests_are_kept_apart_but_for_a_hairpin() {
    let mut net = world();
    let nat = NatConfig::full_cone().with_hairpin(Hairpin::ExternalSource);
    let hotel = net.add_router(Attachment::Public, RouterConfig::from(nat).isolated());
    let server = net.add_socket(Attachment::Public);
    let [alice, bob] = [(); 2].map(|()| net.add_socket(behind(hotel)));
    let bob_seen = send(&mut net, bob, server.1).unwrap().1;
    assert_eq!(send(&mut net, alice, bob.1), None);
    assert_eq!(dropped(&net, DropReason::Isolated(hotel)), 1);
    assert_eq!(send(&mut net, alice, bob_seen).map(|(who, _)| who), Some(bob));
    let again = net.bind(alice.0, None).unwrap();
    assert_eq!(
        send(&mut net, alice, again).map(|(who, _)| who),
        Some((alice.0, again)),
        "a host reaches itself"
    );
}

#[test]
fn a_stateful_firewall_lets_answers_in_and_forgets() {
    for v6 in [false, true] {
        let mut net = world();
        let office =
            net.add_router(Attachment::Public, RouterConfig::default().with_firewall(Firewall::STATEFUL));
        let socket = if v6 { socket_v6 } else { Network::add_socket };
        let [server, other] = [(); 2].map(|()| socket(&mut net, Attachment::Public));
        let [inside, beside] = [(); 2].map(|()| socket(&mut net, behind(office)));
        assert_eq!(send(&mut net, server, inside.1), None, "nobody has asked for it");
        assert_eq!(send(&mut net, inside, server.1), Some((server, inside.1)), "nothing is translated");
        assert_eq!(send(&mut net, server, inside.1), Some((inside, server.1)));
        assert_eq!(send(&mut net, other, inside.1), None);
        assert_eq!(dropped(&net, DropReason::RouterFirewall(office)), 2);
        assert_eq!(send(&mut net, beside, inside.1), Some((inside, beside.1)), "it is not between them");
        // An answer is remembered like a question.
        for from_inside in [true, false, false] {
            net.advance(net.now() + Firewall::STATEFUL.memory - Duration::from_nanos(1));
            let (from, to) = if from_inside { (inside, server) } else { (server, inside) };
            assert_eq!(send(&mut net, from, to.1), Some((to, from.1)));
        }
        net.advance(net.now() + Firewall::STATEFUL.memory);
        assert_eq!(send(&mut net, server, inside.1), None);
        assert_eq!(send(&mut net, inside, server.1), Some((server, inside.1)));
        net.reboot(office);
        assert_eq!(send(&mut net, server, inside.1), None);
    }
}

#[test]
fn a_firewall_behind_a_nat_divides_its_network() {
    let mut net = world();
    let nat = net.add_nat(NatConfig::full_cone());
    let lab = net.add_router(behind(nat), RouterConfig::default().with_firewall(Firewall::STATEFUL));
    let server = net.add_socket(Attachment::Public);
    let [inside, neighbour] = [behind(lab), behind(nat)].map(|place| net.add_socket(place));
    assert_eq!(send(&mut net, neighbour, inside.1), None);
    assert_eq!(send(&mut net, inside, neighbour.1), Some((neighbour, inside.1)));
    assert_eq!(send(&mut net, neighbour, inside.1), Some((inside, neighbour.1)));
    let seen = send(&mut net, inside, server.1).unwrap().1;
    assert_eq!(seen.ip(), net.external_address(nat).unwrap());
    assert_eq!(send(&mut net, server, seen), Some((inside, server.1)));
    let other = net.add_socket(Attachment::Public);
    assert_eq!(send(&mut net, other, seen), None, "the cone lets it in, the firewall does not");
    assert_eq!(dropped(&net, DropReason::RouterFirewall(lab)), 2);
}

#[test]
fn every_firewall_on_the_way_is_asked() {
    for outermost in [true, false] {
        for v6 in [false, true] {
            let mut net = world();
            let walls = [Firewall::STATEFUL, Firewall::OPEN];
            let [outer, inner] = if outermost { walls } else { [walls[1], walls[0]] };
            let router = |firewall| RouterConfig::default().with_firewall(firewall);
            let outer = net.add_router(Attachment::Public, router(outer));
            let inner = net.add_router(behind(outer), router(inner));
            let socket = if v6 { socket_v6 } else { Network::add_socket };
            let [server, inside] = [Attachment::Public, behind(inner)].map(|place| socket(&mut net, place));
            assert_eq!(send(&mut net, server, inside.1), None);
            let asked = if outermost { outer } else { inner };
            assert_eq!(dropped(&net, DropReason::RouterFirewall(asked)), 1);
            assert_eq!(send(&mut net, inside, server.1), Some((server, inside.1)));
            assert_eq!(send(&mut net, server, inside.1), Some((inside, server.1)));
        }
    }
}

#[test]
fn a_full_cone_with_a_firewall_lets_in_only_what_was_asked_for() {
    let mut net = world();
    let config = RouterConfig::from(NatConfig::full_cone()).with_firewall(Firewall::STATEFUL);
    let router = net.add_router(Attachment::Public, config);
    let [server, other] = [(); 2].map(|()| net.add_socket(Attachment::Public));
    let inside = net.add_socket(behind(router));
    let seen = send(&mut net, inside, server.1).unwrap().1;
    assert_eq!(send(&mut net, server, seen), Some((inside, server.1)));
    assert_eq!(send(&mut net, other, seen), None);
    assert_eq!(dropped(&net, DropReason::RouterFirewall(router)), 1);
    net.set_router_firewall(router, Firewall::OPEN);
    assert_eq!(send(&mut net, other, seen), Some((inside, other.1)));
    let deaf = Firewall { streams: StreamPolicy::Nothing, ..Firewall::NO_UDP };
    net.set_router_firewall(router, deaf);
    assert_eq!(send(&mut net, inside, server.1), None);
}

#[test]
fn streams_pass_routers_behind_routers_as_datagrams_do() {
    for hairpin in [Hairpin::None, Hairpin::ExternalSource] {
        let mut net = world();
        let outer = net.add_nat(NatConfig::full_cone().with_hairpin(hairpin));
        let homes = [(); 2].map(|()| net.add_router(behind(outer), NatConfig::full_cone()));
        let [alice, bob, server] = [behind(homes[0]), behind(homes[1]), Attachment::Public].map(|place| {
            let host = net.add_host(place);
            (host, SocketAddr::new(net.addresses(host).next().unwrap(), 5_000))
        });
        for (host, at) in [bob, server] {
            net.listen(host, at, StreamKind::Tcp).unwrap();
        }
        let mut connects = |from: Socket, to: SocketAddr| {
            net.connect(from.0, Some(from.1), to, StreamKind::Tcp).unwrap();
            let end = net.now() + Duration::from_secs(40);
            let happened: Vec<_> = core::iter::from_fn(|| net.advance_all(end)).collect();
            happened.into_iter().find_map(|happening| match happening {
                Happening::Stream(event) if matches!(event.change, StreamChange::Accepted(_)) => {
                    Some(event.remote)
                }
                _ => None,
            })
        };
        // Bob's request makes the mapping by which he is reached.
        let seen = connects(bob, server.1).unwrap();
        let got = connects(alice, seen);
        assert_eq!(got.map(|remote| remote.ip()), (hairpin != Hairpin::None).then_some(seen.ip()));
    }
}
