//! Links, addresses, sockets and the books: everything but NATs.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use core::net::SocketAddr;
use core::time::Duration;

use floe_sim::{
    Attachment, BindError, Delivery, DropReason, Family, Fate, HostId, Instant, LinkConfig, LogEvent,
    NatConfig, Network, Passing,
};

const MS: Duration = Duration::from_millis(1);
type Socket = (HostId, SocketAddr);

/// Two public hosts with a socket each.
fn two_hosts(seed: u64, link: LinkConfig) -> (Network, Socket, Socket) {
    let mut net = Network::seeded(seed);
    net.set_link(link);
    let [one, two] = [(); 2].map(|()| {
        let host = net.add_host(Attachment::Public);
        (host, net.bind(host, None).unwrap())
    });
    (net, one, two)
}

fn drain(net: &mut Network) -> Vec<Delivery> {
    let until = net.now() + Duration::from_secs(10);
    core::iter::from_fn(|| net.advance(until)).collect()
}

#[test]
fn a_datagram_arrives_at_exactly_the_latency() {
    let (mut net, one, two) = two_hosts(1, LinkConfig::one_way(20 * MS));
    assert_eq!(net.advance(Instant::from_millis(7)), None);
    assert_eq!(net.now(), Instant::from_millis(7));
    net.send(one, two.1, b"hello");
    assert_eq!(net.next_event(), Some(Instant::from_millis(27)));
    assert_eq!(net.advance(Instant::from_nanos(26_999_999)), None);
    let expected = Delivery {
        at: Instant::from_millis(27),
        host: two.0,
        local: two.1,
        remote: one.1,
        bytes: b"hello".to_vec(),
    };
    assert_eq!(net.advance(Instant::from_millis(100)), Some(expected));
    assert_eq!(net.now(), Instant::from_millis(27));
    assert_eq!(net.advance(Instant::from_millis(5)), None);
    assert_eq!(net.now(), Instant::from_millis(27), "time never goes back");
    assert_eq!(net.next_event(), None);
}

#[test]
fn what_arrives_together_arrives_in_the_order_of_sending() {
    let (mut net, one, two) = two_hosts(1, LinkConfig::default());
    (0..50_u8).for_each(|n| net.send(one, two.1, &[n]));
    let got: Vec<u8> = drain(&mut net).iter().flat_map(|delivery| delivery.bytes.clone()).collect();
    assert_eq!(got, (0..50).collect::<Vec<u8>>());
}

#[test]
fn each_fault_occurs_about_as_often_as_it_should() {
    const SENT: u64 = 10_000;
    let link =
        LinkConfig::one_way(20 * MS).with_loss(0.2).with_duplication(0.05).with_reordering(0.1, 3 * MS);
    let (mut net, one, two) = two_hosts(5, link);
    for n in 0..SENT {
        net.send(one, two.1, &n.to_be_bytes());
        net.advance(Instant::from_millis(n));
    }
    let mut counters = net.counters().clone();
    let lost = counters.dropped_for(DropReason::Loss);
    assert!((1_880..=2_120).contains(&lost), "{lost} of {SENT} lost");
    assert!((330..=470).contains(&counters.duplicated), "{} of 8000 doubled", counters.duplicated);
    let books = |net: &Network| {
        let counters = net.counters();
        counters.sent + counters.duplicated
            == counters.delivered + counters.dropped() + net.in_flight() as u64
    };
    assert!(books(&net));
    drain(&mut net);
    counters = net.counters().clone();
    assert!(books(&net) && net.in_flight() == 0);
    assert_eq!(counters.delivered, SENT - lost + counters.duplicated);
}

#[test]
fn a_datagram_that_is_held_back_is_overtaken() {
    let link = LinkConfig::one_way(20 * MS).with_reordering(0.1, 3 * MS);
    let (mut net, one, two) = two_hosts(5, link);
    let mut got = Vec::new();
    for n in 0..1_000_u64 {
        while let Some(delivery) = net.advance(Instant::from_millis(n)) {
            got.push(delivery);
        }
        net.send(one, two.1, &n.to_be_bytes());
    }
    got.extend(drain(&mut net));
    let number = |delivery: &Delivery| u64::from_be_bytes(delivery.bytes[..].try_into().unwrap());
    let late = got.iter().filter(|d| d.at == Instant::from_millis(number(d)) + 23 * MS).count();
    let in_time = got.iter().filter(|d| d.at == Instant::from_millis(number(d)) + 20 * MS).count();
    assert_eq!(late + in_time, 1_000);
    assert!((65..=135).contains(&late), "{late} of 1000 held back");
    assert!(got.windows(2).any(|pair| number(&pair[0]) > number(&pair[1])));
}

#[test]
fn jitter_stays_in_its_range_and_uses_it() {
    let (mut net, one, two) = two_hosts(2, LinkConfig::one_way(20 * MS).with_jitter(10 * MS));
    (0..1_000).for_each(|_| net.send(one, two.1, b"x"));
    let arrivals: Vec<u64> = drain(&mut net).iter().map(|delivery| delivery.at.as_millis()).collect();
    assert_eq!((arrivals.first(), arrivals.last()), (Some(&20), Some(&29)));
}

#[test]
fn a_seed_is_a_run() {
    let run = |seed| {
        let link = LinkConfig::default().with_jitter(5 * MS).with_loss(0.1).with_duplication(0.1);
        let (mut net, _, server) = two_hosts(seed, link);
        let nat = net.add_nat(NatConfig::symmetric());
        let inside = net.add_host(Attachment::Behind(nat));
        let inside = (inside, net.bind(inside, None).unwrap());
        (0..200_u8).for_each(|n| net.send(inside, server.1, &[n]));
        drain(&mut net)
    };
    assert_eq!(run(1), run(1));
    let [one, other] = [1, 2].map(run);
    let times = |run: &[Delivery]| run.iter().map(|delivery| delivery.at).collect::<Vec<_>>();
    assert_ne!(times(&one), times(&other));
    assert_ne!(one[0].remote, other[0].remote, "the NAT's random port comes from the seed as well");
}

#[test]
fn a_lossier_link_leaves_the_ports_of_nats_alone() {
    let port = |loss| {
        let (mut net, one, server) = two_hosts(3, LinkConfig::default().with_loss(loss));
        net.send(one, server.1, b"x");
        let nat = net.add_nat(NatConfig::symmetric());
        let inside = net.add_host(Attachment::Behind(nat));
        let local = net.bind(inside, None).unwrap();
        net.mapped_address(inside, local, server.1).unwrap()
    };
    assert_eq!(port(0.0), port(0.5));
}

#[test]
fn a_cut_is_one_way_and_can_be_undone() {
    let (mut net, one, two) = two_hosts(1, LinkConfig::default());
    net.send(one, two.1, b"under way");
    net.block(one.0, two.0);
    net.send(one, two.1, b"cut");
    net.send(two, one.1, b"back");
    let got = drain(&mut net);
    assert_eq!(got.iter().map(|delivery| &delivery.bytes[..]).collect::<Vec<_>>(), [b"back"]);
    assert_eq!(net.counters().dropped_for(DropReason::Blocked), 2);
    net.unblock(one.0, two.0);
    net.send(one, two.1, b"again");
    assert_eq!(drain(&mut net).len(), 1);
}

#[test]
fn a_direction_can_have_a_link_of_its_own_for_a_while() {
    let (mut net, one, two) = two_hosts(1, LinkConfig::one_way(20 * MS));
    let delay = |net: &mut Network, from: Socket, to: Socket| {
        let sent = net.now();
        net.send(from, to.1, b"x");
        drain(net)[0].at.since(sent)
    };
    net.set_link_from(one.0, two.0, LinkConfig::one_way(70 * MS));
    assert_eq!(delay(&mut net, one, two), 70 * MS);
    assert_eq!(delay(&mut net, two, one), 20 * MS);
    net.reset_link_from(one.0, two.0);
    assert_eq!(delay(&mut net, one, two), 20 * MS);
}

#[test]
fn what_does_not_fit_is_dropped_and_not_cut() {
    let (mut net, one, two) = two_hosts(1, LinkConfig::default().with_mtu(1280));
    net.send(one, two.1, &[0; 1252]);
    net.send(one, two.1, &[0; 1253]);
    assert_eq!(drain(&mut net).len(), 1);
    assert_eq!(net.counters().dropped_for(DropReason::TooBig), 1);
}

#[test]
fn a_host_has_several_addresses_and_answers_on_each() {
    let (mut net, one, two) = two_hosts(1, LinkConfig::default());
    let second = net.add_address(two.0, Family::V4);
    let six = [one.0, two.0].map(|host| {
        let address = net.add_address(host, Family::V6);
        (host, net.bind(host, Some(SocketAddr::new(address, 0))).unwrap())
    });
    let second = net.bind(two.0, Some(SocketAddr::new(second, 0))).unwrap();
    net.send(one, second, b"x");
    assert_eq!(drain(&mut net)[0].local, second);
    net.send(six[0], six[1].1, b"x");
    let got = &drain(&mut net)[0];
    assert_eq!((got.local, got.remote), (six[1].1, six[0].1));
    // One family does not speak to the other.
    net.send(one, six[1].1, b"x");
    assert_eq!(net.counters().dropped_for(DropReason::NoRoute), 1);

    assert!(net.remove_address(two.0, second.ip()) && !net.remove_address(two.0, second.ip()));
    net.send(one, second, b"x");
    net.send((two.0, second), one.1, b"x");
    assert_eq!(drain(&mut net), []);
    assert_eq!(net.counters().dropped_for(DropReason::NoRoute), 3);
    // Its sockets there are gone for good.
    assert_eq!(net.assign(two.0, Attachment::Public, second.ip()), Ok(()));
    net.send(one, second, b"x");
    assert_eq!(drain(&mut net), []);
    assert_eq!(net.bind(two.0, Some(second)), Ok(second));
    net.send(one, second, b"x");
    assert_eq!(drain(&mut net).len(), 1);
}

#[test]
fn sockets_are_bound_once_and_only_to_the_hosts_addresses() {
    let (mut net, one, two) = two_hosts(1, LinkConfig::default());
    assert_eq!(net.bind(one.0, Some(one.1)), Err(BindError::InUse));
    assert_eq!(net.bind(one.0, Some(two.1)), Err(BindError::NotAnAddress));
    assert!(net.close(two.0, two.1) && !net.close(two.0, two.1));
    net.send(one, two.1, b"to a closed one");
    net.send(two, one.1, b"from a closed one");
    assert_eq!(drain(&mut net), []);
    assert_eq!(net.counters().dropped_for(DropReason::NotBound), 2);
    assert_eq!(net.bind(two.0, Some(two.1)), Ok(two.1));
}

#[test]
fn the_log_tells_each_event_and_is_kept_on_request_only() {
    let (mut net, one, two) = two_hosts(1, LinkConfig::default());
    net.send(one, two.1, b"before");
    drain(&mut net);
    assert_eq!(net.log(), []);
    net.record(true);
    let sent = net.now();
    net.send(one, two.1, b"seen");
    net.set_link(LinkConfig::default().with_loss(1.0));
    net.send(one, two.1, b"lost");
    drain(&mut net);
    let events: Vec<_> = net.log().iter().map(|line| (line.at.since(sent), line.event)).collect();
    let expected = [
        (Duration::ZERO, LogEvent::Sent),
        (Duration::ZERO, LogEvent::Sent),
        (Duration::ZERO, LogEvent::Dropped(DropReason::Loss)),
        (20 * MS, LogEvent::Delivered(two.0)),
    ];
    assert_eq!(events, expected);
    net.record(false);
    net.send(one, two.1, b"after");
    assert_eq!(net.log(), []);
}

#[test]
fn a_rule_decides_what_becomes_of_a_datagram() {
    let (mut net, one, two) = two_hosts(1, LinkConfig::one_way(20 * MS));
    let elsewhere = SocketAddr::from(([192, 0, 2, 77], 7));
    net.set_rule(move |datagram: &Passing<'_>| match datagram.bytes {
        b"lose" => Fate::Lose,
        b"late" => Fate::Delay(30 * MS),
        b"else" if datagram.from == one.0 && datagram.local == one.1 => Fate::ComeFrom(elsewhere),
        _ => Fate::Pass,
    });
    for bytes in [b"lose", b"late", b"else", b"pass"] {
        net.send(one, two.1, bytes);
    }
    let got: Vec<(u64, SocketAddr, Vec<u8>)> =
        drain(&mut net).into_iter().map(|d| (d.at.as_millis(), d.remote, d.bytes)).collect();
    let expected = [(20, elsewhere, b"else"), (20, one.1, b"pass"), (50, one.1, b"late")];
    assert_eq!(got, expected.map(|(at, from, bytes)| (at, from, bytes.to_vec())));
    assert_eq!(net.counters().dropped_for(DropReason::Rule), 1);
    net.clear_rule();
    net.send(one, two.1, b"lose");
    assert_eq!(drain(&mut net).len(), 1);
}

/// A filter judges a datagram by the address that a rule gives it.
#[test]
fn what_a_rule_makes_come_from_elsewhere_is_filtered_as_that() {
    let mut net = Network::seeded(1);
    let nat = net.add_nat(NatConfig::port_restricted());
    let (inside, outside) = (net.add_host(Attachment::Behind(nat)), net.add_host(Attachment::Public));
    let inside = (inside, net.bind(inside, None).unwrap());
    let outside = (outside, net.bind(outside, None).unwrap());
    net.send(inside, outside.1, b"knock");
    let mapped = drain(&mut net)[0].remote;
    net.set_rule(move |_| Fate::ComeFrom(SocketAddr::new(outside.1.ip(), outside.1.port() ^ 1)));
    net.send(outside, mapped, b"who is there?");
    assert!(drain(&mut net).is_empty());
    assert_eq!(net.counters().dropped_for(DropReason::Filtered(nat)), 1);
}

#[test]
fn datagrams_with_a_needle_are_counted_apart() {
    let (mut net, one, two) = two_hosts(3, LinkConfig::default().with_loss(0.3).with_duplication(0.3));
    let [red, blue] = [&b"red"[..], b"blue"].map(|needle| net.count_apart(needle));
    for bytes in [&b"red"[..], b"a red one", b"blue, not red", b"green"].into_iter().cycle().take(400) {
        net.send(one, two.1, bytes);
    }
    net.set_link(LinkConfig::default());
    net.send(one, SocketAddr::from(([192, 0, 2, 9], 9)), b"blue");
    assert!(net.counters_of(blue).in_flight() > 0);
    let got = drain(&mut net);
    let with =
        |needle: &[u8]| got.iter().filter(|d| d.bytes.windows(needle.len()).any(|w| w == needle)).count();
    // A datagram with both counts for the needle that was given first.
    assert_eq!((net.counters_of(red).sent, net.counters_of(blue).sent), (300, 1));
    assert_eq!(net.counters_of(red).delivered, with(b"red") as u64);
    assert_eq!(net.counters_of(blue).dropped_for(DropReason::NoRoute), 1);
    let red = net.counters_of(red);
    assert_eq!(red.sent + red.duplicated, red.delivered + red.dropped());
    assert!(red.duplicated > 0 && red.dropped_for(DropReason::Loss) > 0);
    assert_eq!(net.counters().sent, 401);
}
