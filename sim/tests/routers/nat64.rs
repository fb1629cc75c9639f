//! Networks without IPv4, and the way out of them (RFC 6146).

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use floe_sim::{
    Attachment, DropReason, Firewall, Hairpin, LinkConfig, Nat64Prefix, NatConfig, Network, RouterConfig,
};

use super::lab::{Socket, send};

fn lab(config: RouterConfig) -> (Network, Attachment, Nat64Prefix, [Socket; 2]) {
    let mut net = Network::seeded(1);
    net.set_link(LinkConfig::one_way(Duration::ZERO));
    let router = net.add_router(Attachment::Public, config);
    let outside = [(); 2].map(|()| net.add_socket(Attachment::Public));
    let prefix = net.nat64_prefix(router).unwrap();
    (net, Attachment::Behind(router), prefix, outside)
}

fn shown(prefix: Nat64Prefix, at: SocketAddr) -> SocketAddr {
    let IpAddr::V4(ip) = at.ip() else { return at };
    SocketAddr::new(prefix.synthesize(ip).into(), at.port())
}

#[test]
fn a_host_without_ipv4_reaches_it_and_hears_the_answer_from_where_it_sent() {
    let other = Nat64Prefix::new("2001:db8:64::".parse().unwrap(), 48);
    for prefix in [Some(Nat64Prefix::WELL_KNOWN), other] {
        let config = RouterConfig { nat64: prefix, ..RouterConfig::nat64(NatConfig::port_restricted()) };
        let (mut net, place, prefix, [server, other]) = lab(config);
        let [inside, beside] = [(); 2].map(|()| net.add_socket(place));
        assert!(inside.1.is_ipv6() && net.addresses(inside.0).count() == 1);
        let (_, seen) = send(&mut net, inside, shown(prefix, server.1)).unwrap();
        assert!(seen.is_ipv4());
        assert_eq!(send(&mut net, server, seen), Some((inside, shown(prefix, server.1))));
        assert_eq!(send(&mut net, other, seen), None, "it filters like any NAT");
        // Another one with the same port has another mapping.
        let same_port = net.bind(beside.0, Some(SocketAddr::new(beside.1.ip(), inside.1.port()))).unwrap();
        let beside = (beside.0, same_port);
        let (_, besides) = send(&mut net, beside, shown(prefix, server.1)).unwrap();
        assert_ne!(besides, seen);
        assert_eq!(send(&mut net, server, besides), Some((beside, shown(prefix, server.1))));
    }
}

#[test]
fn what_is_inside_meets_by_ipv6_and_by_the_hairpin() {
    // There is no internal source that could be shown under the prefix.
    for hairpin in [Hairpin::ExternalSource, Hairpin::InternalSource] {
        let nat = NatConfig::full_cone().with_hairpin(hairpin);
        let (mut net, place, prefix, [server, _]) = lab(RouterConfig::nat64(nat));
        let [alice, bob] = [(); 2].map(|()| net.add_socket(place));
        assert_eq!(send(&mut net, alice, bob.1), Some((bob, alice.1)));
        let [alice_seen, bob_seen] =
            [alice, bob].map(|of| send(&mut net, of, shown(prefix, server.1)).unwrap().1);
        let got = send(&mut net, alice, shown(prefix, bob_seen));
        assert_eq!(got, Some((bob, shown(prefix, alice_seen))));
    }
}

#[test]
fn a_gateway_that_rewrites_payloads_finds_no_ipv4_of_those_inside() {
    let nat = NatConfig::full_cone().with_payload_rewriting();
    let (mut net, place, prefix, [server, _]) = lab(RouterConfig::nat64(nat));
    let inside = net.add_socket(place);
    for payload in [[0, 0, 0, 1], [0, 0, 0, 0], [10, 0, 0, 2]] {
        net.send(inside, shown(prefix, server.1), &payload);
        assert_eq!(net.advance(net.now()).map(|got| got.bytes), Some(payload.to_vec()));
    }
}

#[test]
fn private_addresses_are_not_shown_under_the_well_known_prefix() {
    let own = Nat64Prefix::new("2001:db8:64::".parse().unwrap(), 96).unwrap();
    for (prefix, passes) in [(Nat64Prefix::WELL_KNOWN, false), (own, true)] {
        let mut net = Network::seeded(1);
        net.set_link(LinkConfig::one_way(Duration::ZERO));
        let carrier = Attachment::Behind(net.add_nat(NatConfig::full_cone()));
        let config = RouterConfig { nat64: Some(prefix), ..RouterConfig::nat64(NatConfig::full_cone()) };
        let home = net.add_router(carrier, config);
        let private = net.add_socket(carrier);
        let inside = net.add_socket(Attachment::Behind(home));
        let got = send(&mut net, inside, shown(prefix, private.1));
        assert_eq!(got.map(|(who, _)| who), passes.then_some(private));
        assert_eq!(net.counters().dropped_for(DropReason::NoRoute), u64::from(!passes));
    }
}

fn router_of(place: Attachment) -> floe_sim::RouterId {
    match place {
        Attachment::Behind(router) => router,
        Attachment::Public => unreachable!("the lab is behind a router"),
    }
}

#[test]
fn its_firewall_knows_the_addresses_that_its_hosts_know() {
    let config = RouterConfig::nat64(NatConfig::full_cone()).with_firewall(Firewall::STATEFUL);
    let (mut net, place, prefix, [server, other]) = lab(config);
    let inside = net.add_socket(place);
    let (_, seen) = send(&mut net, inside, shown(prefix, server.1)).unwrap();
    assert_eq!(send(&mut net, server, seen), Some((inside, shown(prefix, server.1))));
    assert_eq!(send(&mut net, other, seen), None);
    assert_eq!(net.counters().dropped_for(DropReason::RouterFirewall(router_of(place))), 1);
}

#[test]
fn the_prefix_is_known_behind_further_routers_too() {
    let (mut net, place, prefix, [server, _]) = lab(RouterConfig::nat64(NatConfig::port_restricted()));
    let inner = net.add_router(place, RouterConfig::ipv6_only().with_firewall(Firewall::STATEFUL));
    assert_eq!(net.nat64_prefix(inner), Some(prefix));
    let inside = net.add_socket(Attachment::Behind(inner));
    let (_, seen) = send(&mut net, inside, shown(prefix, server.1)).unwrap();
    assert_eq!(send(&mut net, server, seen), Some((inside, shown(prefix, server.1))));
}
