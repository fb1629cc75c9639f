//! What happens at its time: boxes that reboot and rebind, hosts that sleep and die, ways that are not the same in both directions.

use core::net::SocketAddr;
use core::time::Duration;

use floe_sim::{
    Attachment, Clock, DropReason, Firewall, Happening, Instant, LinkConfig, NatConfig, Network,
    RouterConfig, StreamChange, StreamKind,
};

use super::lab::{dropped, seen, world};

const SECOND: Duration = Duration::from_secs(1);

fn wait(net: &mut Network, time: Duration) {
    assert_eq!(net.advance(net.now() + time), None);
}

#[test]
fn a_script_comes_at_its_time_and_before_what_arrives_then() {
    let mut net = world();
    let nat = net.add_nat(NatConfig::full_cone());
    let inside = net.add_socket(Attachment::Behind(nat));
    let server = net.add_socket(Attachment::Public);
    let seen = seen(&mut net, inside, server.1).unwrap();
    let five = Instant::ZERO + 5 * SECOND;
    net.at(five, move |net| {
        assert_eq!(net.now(), five);
        net.reboot(nat);
        net.at(five + SECOND, move |net| net.send(server, inside.1, b"late"));
    });
    assert_eq!(net.next_event(), Some(five));
    net.set_link(LinkConfig::one_way(SECOND));
    for second in [3, 4] {
        net.at(Instant::from_millis(second * 1_000), move |net| net.send(server, seen, b"x"));
    }
    let got = net.advance(five + SECOND).map(|got| got.at);
    assert_eq!(got, Some(Instant::from_millis(4_000)), "the other comes when the NAT has just forgotten it");
    assert_eq!(net.advance(five + SECOND), None);
    assert_eq!(dropped(&net, DropReason::NoMapping(nat)), 1);
    assert_eq!((net.counters().sent, net.in_flight()), (4, 1), "a script may leave another behind");
}

#[test]
fn a_router_that_rebinds_moves_a_flow_to_another_port() {
    let mut net = world();
    let nat = net.add_nat(NatConfig::port_restricted());
    let inside = net.add_socket(Attachment::Behind(nat));
    let server = net.add_socket(Attachment::Public);
    let before = seen(&mut net, inside, server.1).unwrap();
    net.rebind(nat);
    assert_eq!(seen(&mut net, server, before), None);
    assert_eq!(dropped(&net, DropReason::NoMapping(nat)), 1);
    let after = seen(&mut net, inside, server.1).unwrap();
    assert_ne!(after, before);
    assert_eq!(seen(&mut net, server, after), Some(server.1));
}

#[test]
fn a_host_that_sleeps_hears_and_says_nothing_and_its_clock_jumps_or_pauses() {
    for (clock, behind) in [(Clock::Jumps, 0), (Clock::Pauses, 600)] {
        let mut net = world();
        let [one, two] = [(); 2].map(|()| net.add_socket(Attachment::Public));
        wait(&mut net, 10 * SECOND);
        let wakes = net.now() + 600 * SECOND;
        net.sleep(one.0, wakes, clock);
        wait(&mut net, 200 * SECOND);
        assert_eq!(net.sleeps_until(one.0), Some(wakes));
        assert_eq!(seen(&mut net, two, one.1), None);
        assert_eq!(seen(&mut net, one, two.1), None);
        assert_eq!(dropped(&net, DropReason::Asleep), 2);
        let stood = if behind > 0 { 10 } else { 210 };
        assert_eq!(net.clock(one.0), Instant::from_millis(stood * 1_000));
        // What its clock should have said in the meantime is said when it wakes, or as much later.
        let alarm = Instant::from_millis(300_000);
        let rings = if behind > 0 { 900_000 } else { 610_000 };
        assert_eq!(net.when(one.0, alarm), Instant::from_millis(rings));
        wait(&mut net, 400 * SECOND);
        assert_eq!(net.sleeps_until(one.0), None);
        assert_eq!(seen(&mut net, two, one.1), Some(two.1));
        assert_eq!(net.clock(one.0), Instant::from_millis((610 - behind) * 1_000));
        assert_eq!(net.when(one.0, net.clock(one.0)), net.now());
        assert_eq!(net.clock(two.0), net.now());
        // Once more, and woken early by another sleep.
        net.sleep(one.0, net.now() + 100 * SECOND, clock);
        wait(&mut net, 50 * SECOND);
        net.sleep(one.0, net.now(), clock);
        assert_eq!(net.sleeps_until(one.0), None);
        let behind = if behind > 0 { behind + 50 } else { 0 };
        assert_eq!(net.clock(one.0), Instant::from_millis((660 - behind) * 1_000));
    }
}

#[test]
fn a_stream_to_a_host_that_sleeps_waits_for_it() {
    let mut net = world();
    let [client, server] = [(); 2].map(|()| net.add_host(Attachment::Public));
    let at = net.addresses(server).next().unwrap();
    let at = net.listen(server, SocketAddr::new(at, 0), StreamKind::Tcp).unwrap();
    let stream = net.connect(client, None, at, StreamKind::Tcp).unwrap();
    let bytes_at = |net: &mut Network, end| {
        let happened: Vec<_> = core::iter::from_fn(|| net.advance_all(end)).collect();
        happened.into_iter().find_map(|happening| match happening {
            Happening::Stream(event) if matches!(event.change, StreamChange::Bytes(_)) => Some(event.at),
            _ => None,
        })
    };
    assert_eq!(bytes_at(&mut net, Instant::from_millis(1_000)), None);
    net.sleep(server, Instant::from_millis(10_000), Clock::Jumps);
    net.write(stream, b"hello");
    let came = bytes_at(&mut net, Instant::from_millis(60_000)).unwrap();
    assert!((10_000..=11_000).contains(&came.as_millis()), "{came}");
}

#[test]
fn a_host_that_has_died_is_silent_until_it_is_revived() {
    let mut net = world();
    let [one, two] = [(); 2].map(|()| net.add_socket(Attachment::Public));
    net.kill(one.0);
    assert_eq!(seen(&mut net, two, one.1), None);
    assert_eq!(seen(&mut net, one, two.1), None);
    assert_eq!(dropped(&net, DropReason::Dead), 2);
    net.revive(one.0);
    assert_eq!(seen(&mut net, two, one.1), Some(two.1));
}

#[test]
fn a_way_that_is_another_back_misses_the_firewall_that_waits_for_it() {
    let mut net = world();
    let office =
        net.add_router(Attachment::Public, RouterConfig::default().with_firewall(Firewall::STATEFUL));
    let inside = net.add_socket(Attachment::Behind(office));
    let other = net.add_interface(inside.0, Attachment::Public, floe_sim::Family::V4);
    let server = net.add_socket(Attachment::Public);
    net.set_exit(inside.0, inside.1.ip(), other).unwrap();
    assert_eq!(seen(&mut net, inside, server.1), Some(inside.1), "the source stays");
    assert_eq!(seen(&mut net, server, inside.1), None, "the firewall has seen nothing go out");
    assert_eq!(dropped(&net, DropReason::RouterFirewall(office)), 1);
    net.set_exit(inside.0, inside.1.ip(), inside.1.ip()).unwrap();
    assert_eq!(seen(&mut net, inside, server.1), Some(inside.1));
    assert_eq!(seen(&mut net, server, inside.1), Some(server.1));
    assert!(net.set_exit(inside.0, inside.1.ip(), server.1.ip()).is_err());
}
