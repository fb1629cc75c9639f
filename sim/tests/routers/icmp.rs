//! What a host is told of datagrams and requests to connect that do not get through.

use core::net::SocketAddr;
use core::time::Duration;

use floe_sim::{
    Attachment, Clock, DatagramRefusal, DropReason, Family, Firewall, Happening, IcmpError, IcmpKind,
    Instant, Ipv6, NatConfig, Network, RouterConfig, StreamChange, StreamKind, StreamPolicy, SynRefusal,
};

use super::lab::Socket;

/// All that happens within a minute.
fn run(net: &mut Network) -> Vec<Happening> {
    let end = net.now() + Duration::from_secs(60);
    core::iter::from_fn(|| net.advance_all(end)).collect()
}

fn told(net: &mut Network) -> Vec<(Socket, SocketAddr, IcmpKind, u64)> {
    let start = net.now();
    let error = |happening| match happening {
        Happening::Icmp(IcmpError { at, host, local, remote, kind }) => {
            ((host, local), remote, kind, at.since(start).as_millis() as u64)
        }
        other => panic!("{other:?}"),
    };
    run(net).into_iter().map(error).collect()
}

fn refusing() -> NatConfig {
    NatConfig { datagram_refusal: DatagramRefusal::Unreachable, ..NatConfig::port_restricted() }
}

#[test]
fn a_nat_that_refuses_says_so_after_a_round_trip_unless_another_swallows_it() {
    for swallowed in [false, true] {
        let mut net = Network::seeded(1);
        let nat = net.add_nat(refusing());
        let mine = RouterConfig::from(NatConfig::full_cone());
        let mine = net.add_router(Attachment::Public, if swallowed { mine.swallowing_icmp() } else { mine });
        let server = net.add_socket(Attachment::Public);
        let [inside, caller] = [nat, mine].map(|router| net.add_socket(Attachment::Behind(router)));
        net.send(inside, server.1, b"x");
        let Some(Happening::Datagram(seen)) = run(&mut net).pop() else { panic!("lost") };
        net.send(caller, seen.remote, b"x");
        let expected = (caller, seen.remote, IcmpKind::PortUnreachable, 40);
        assert_eq!(told(&mut net), if swallowed { vec![] } else { vec![expected] });
        assert_eq!(net.counters().dropped_for(DropReason::Filtered(nat)), 1);
        // Nobody has this port: refused just so.
        let nobody = SocketAddr::new(seen.remote.ip(), 1_234);
        net.send(caller, nobody, b"x");
        assert_eq!(told(&mut net).len(), usize::from(!swallowed));
    }
}

#[test]
fn a_firewall_that_rejects_tells_its_own_side_at_once() {
    let office = |net: &mut Network, firewall| {
        let config = RouterConfig::from(NatConfig::full_cone()).with_firewall(firewall);
        Attachment::Behind(net.add_router(Attachment::Public, config.swallowing_icmp()))
    };
    for (firewall, says) in [(Firewall::NO_UDP, false), (Firewall::NO_UDP.rejecting(), true)] {
        let mut net = Network::seeded(1);
        let server = net.add_socket(Attachment::Public);
        let place = office(&mut net, firewall);
        let inside = net.add_socket(place);
        net.send(inside, server.1, b"x");
        let expected = (inside, server.1, IcmpKind::Prohibited, 0);
        assert_eq!(told(&mut net), if says { vec![expected] } else { vec![] });
        // One of the host itself says it to those outside, too, but for what it sends.
        net.set_firewall(server.0, firewall);
        net.send(server, inside.1, b"x");
        assert_eq!(told(&mut net).len(), usize::from(says));
    }
}

#[test]
fn ports_where_nobody_is_answer_if_they_are_to() {
    let mut net = Network::seeded(1);
    let [one, two] = [(); 2].map(|()| net.add_socket(Attachment::Public));
    let nobody = SocketAddr::new(two.1.ip(), 9);
    net.send(one, nobody, b"x");
    assert_eq!(told(&mut net), []);
    net.set_ports_answer(true);
    net.send(one, nobody, b"x");
    assert_eq!(told(&mut net), [(one, nobody, IcmpKind::PortUnreachable, 40)]);
    net.block(two.0, one.0);
    net.send(one, nobody, b"x");
    assert_eq!(told(&mut net), [], "the answer is cut off");
}

#[test]
fn broken_ipv6_has_addresses_and_goes_nowhere() {
    for (ipv6, says) in [(Ipv6::Vanishing, false), (Ipv6::Unreachable, true)] {
        let mut net = Network::seeded(1);
        let config = RouterConfig::from(NatConfig::full_cone()).dual_stack().with_ipv6(ipv6);
        let home = net.add_router(Attachment::Public, config);
        let server = net.add_host(Attachment::Public);
        let v6 = net.add_address(server, Family::V6);
        let server = (server, net.bind(server, Some(SocketAddr::new(v6, 0))).unwrap());
        let [inside, beside] = [(); 2].map(|()| {
            let host = net.add_host(Attachment::Behind(home));
            let v6 = net.addresses(host).find(core::net::IpAddr::is_ipv6).unwrap();
            (host, net.bind(host, Some(SocketAddr::new(v6, 0))).unwrap())
        });
        net.send(inside, beside.1, b"x");
        assert!(matches!(&run(&mut net)[..], [Happening::Datagram(_)]), "in the house it works");
        net.send(inside, server.1, b"x");
        let expected = (inside, server.1, IcmpKind::HostUnreachable, 0);
        assert_eq!(told(&mut net), if says { vec![expected] } else { vec![] });
        net.send(server, inside.1, b"x");
        let expected = (server, inside.1, IcmpKind::HostUnreachable, 40);
        assert_eq!(told(&mut net), if says { vec![expected] } else { vec![] });
        assert_eq!(net.counters().dropped_for(DropReason::BrokenIpv6(home)), 2);
    }
}

/// When the caller is told that its request is refused, in milliseconds.
fn refused(net: &mut Network) -> Option<u64> {
    let start: Instant = net.now();
    let happened = run(net);
    happened.iter().find_map(|happening| match happening {
        Happening::Stream(event) if event.change == StreamChange::Refused => {
            Some(event.at.since(start).as_millis() as u64)
        }
        _ => None,
    })
}

#[test]
fn a_request_to_connect_is_refused_by_nats_as_they_do_it() {
    let six = Duration::from_secs(6);
    for (syn_refusal, swallowed, told) in [
        (SynRefusal::Silent, false, None),
        (SynRefusal::Reset { after: Duration::ZERO }, true, Some(40)),
        (SynRefusal::Unreachable { after: six }, false, Some(6_040)),
        (SynRefusal::Unreachable { after: six }, true, None),
    ] {
        let mut net = Network::seeded(1);
        let nat = net.add_nat(NatConfig { syn_refusal, ..NatConfig::port_restricted() });
        let mine = RouterConfig::from(NatConfig::full_cone());
        let mine = net.add_router(Attachment::Public, if swallowed { mine.swallowing_icmp() } else { mine });
        let caller = net.add_host(Attachment::Behind(mine));
        let nobody = SocketAddr::new(net.external_address(nat).unwrap().into(), 1_234);
        net.connect(caller, None, nobody, StreamKind::Tcp).unwrap();
        assert_eq!(refused(&mut net), told, "{syn_refusal:?}");
    }
}

#[test]
fn two_that_connect_at_the_same_time_are_not_told_of_the_first_refusal() {
    let mut net = Network::seeded(1);
    let six = Duration::from_secs(6);
    let config =
        || NatConfig { syn_refusal: SynRefusal::Unreachable { after: six }, ..NatConfig::port_restricted() };
    let nats = [(); 2].map(|()| net.add_nat(config()));
    let hosts = nats.map(|nat| net.add_host(Attachment::Behind(nat)));
    let at = |net: &Network, n: usize| {
        let (host, nat) = (*hosts.get(n).unwrap(), *nats.get(n).unwrap());
        let inside = SocketAddr::new(net.addresses(host).next().unwrap(), 5_000);
        (host, inside, SocketAddr::new(net.external_address(nat).unwrap().into(), 5_000))
    };
    let (alice, alice_in, alice_out) = at(&net, 0);
    let (bob, bob_in, bob_out) = at(&net, 1);
    net.connect(alice, Some(alice_in), bob_out, StreamKind::Tcp).unwrap();
    // His request goes out just before the NAT would answer hers, and is under way when it would.
    net.advance_all(net.now() + Duration::from_millis(6_010));
    net.connect(bob, Some(bob_in), alice_out, StreamKind::Tcp).unwrap();
    let happened = run(&mut net);
    let changes: Vec<_> = happened
        .iter()
        .filter_map(|h| if let Happening::Stream(event) = h { Some(&event.change) } else { None })
        .collect();
    assert_eq!(changes, [&StreamChange::Connected; 2]);
}

#[test]
fn a_firewall_refuses_streams_out_at_once() {
    let mut net = Network::seeded(1);
    let config = RouterConfig::default().with_firewall(Firewall::WEB_ONLY.rejecting());
    let office = net.add_router(Attachment::Public, config);
    let inside = net.add_host(Attachment::Behind(office));
    let server = net.add_socket(Attachment::Public);
    net.connect(inside, None, server.1, StreamKind::Tcp).unwrap();
    assert_eq!(refused(&mut net), Some(0));
    // Through to one port, and there refused by the host, where nobody listens.
    let one_port = Firewall { streams: StreamPolicy::Ports(&[80]), ..Firewall::NO_UDP };
    net.set_router_firewall(office, one_port.rejecting());
    for (port, when) in [(80, 40), (81, 0)] {
        net.connect(inside, None, (server.1.ip(), port).into(), StreamKind::Tcp).unwrap();
        assert_eq!(refused(&mut net), Some(when), "port {port}");
    }
    let behind = SocketAddr::new(net.addresses(inside).next().unwrap(), 80);
    net.connect(server.0, None, behind, StreamKind::Tcp).unwrap();
    assert_eq!(refused(&mut net), Some(40));
}

#[test]
fn a_neighbours_error_does_not_come_from_outside() {
    let mut net = Network::seeded(1);
    net.set_ports_answer(true);
    let swallows = || RouterConfig::from(NatConfig::full_cone()).swallowing_icmp();
    let home = net.add_router(Attachment::Public, swallows());
    let [one, two] = [(); 2].map(|()| net.add_socket(Attachment::Behind(home)));
    let nobody = SocketAddr::new(two.1.ip(), 9);
    net.send(one, nobody, b"x");
    assert_eq!(told(&mut net), [(one, nobody, IcmpKind::PortUnreachable, 40)]);
    // A customer of the same carrier, whose box refuses requests to connect.
    let carrier = Attachment::Behind(net.add_router(Attachment::Public, swallows()));
    let syn_refusal = SynRefusal::Unreachable { after: Duration::ZERO };
    let refusing = net.add_router(carrier, NatConfig { syn_refusal, ..NatConfig::port_restricted() });
    let mine = net.add_router(carrier, NatConfig::full_cone());
    let caller = net.add_host(Attachment::Behind(mine));
    let nobody = SocketAddr::new(net.external_address(refusing).unwrap().into(), 1_234);
    net.connect(caller, None, nobody, StreamKind::Tcp).unwrap();
    assert_eq!(refused(&mut net), Some(40));
}

#[test]
fn who_sleeps_or_has_died_is_told_nothing() {
    for dies in [false, true] {
        let mut net = Network::seeded(1);
        net.set_ports_answer(true);
        let [one, two] = [(); 2].map(|()| net.add_socket(Attachment::Public));
        let nobody = SocketAddr::new(two.1.ip(), 9);
        net.send(one, nobody, b"x");
        if dies {
            net.kill(one.0);
        } else {
            net.sleep(one.0, net.now() + Duration::from_secs(1), Clock::Jumps);
        }
        // What happens after it happens nevertheless.
        let later = net.now() + Duration::from_millis(50);
        net.at(later, move |net| net.send(two, (two.1.ip(), 10).into(), b"x"));
        let after = SocketAddr::new(two.1.ip(), 10);
        assert_eq!(told(&mut net), [(two, after, IcmpKind::PortUnreachable, 90)]);
    }
}

#[test]
fn a_hosts_firewall_that_rejects_tells_those_outside() {
    for (firewall, says) in [(Firewall::STATEFUL, false), (Firewall::STATEFUL.rejecting(), true)] {
        let mut net = Network::seeded(1);
        let [one, two] = [(); 2].map(|()| net.add_socket(Attachment::Public));
        net.set_firewall(two.0, firewall);
        net.send(one, two.1, b"x");
        let expected = (one, two.1, IcmpKind::Prohibited, 40);
        assert_eq!(told(&mut net), if says { vec![expected] } else { vec![] });
    }
}

#[test]
fn a_refusal_does_not_come_through_a_cut() {
    let mut net = Network::seeded(1);
    let [one, two] = [(); 2].map(|()| net.add_socket(Attachment::Public));
    net.block(two.0, one.0);
    // Nobody is there, and then somebody who does not listen.
    net.connect(one.0, None, (two.1.ip(), 9).into(), StreamKind::Tcp).unwrap();
    assert_eq!(refused(&mut net), None);
    net.listen(two.0, (two.1.ip(), 10).into(), StreamKind::Tls).unwrap();
    net.connect(one.0, None, (two.1.ip(), 10).into(), StreamKind::Tcp).unwrap();
    assert_eq!(refused(&mut net), None);
}
