//! What comes out of streams: whole and in order, whatever the links, NATs and firewalls do.

use core::net::SocketAddr;
use core::time::Duration;

use floe_sim::{
    Attachment, BindError, DropReason, Firewall, HostId, Instant, LinkConfig, NatConfig, Network, Pieces,
    StreamChange, StreamEvent, StreamId, StreamKind,
};

use super::lab::run;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn changes(events: Vec<StreamEvent>) -> Vec<StreamChange> {
    events.into_iter().map(|event| event.change).collect()
}

/// A client, perhaps behind a NAT, and a server that listens.
fn two(seed: u64, nat: Option<NatConfig>) -> (Network, HostId, HostId, SocketAddr) {
    let mut net = Network::seeded(seed);
    let place = nat.map_or(Attachment::Public, |nat| Attachment::Behind(net.add_nat(nat)));
    let (client, server) = (net.add_host(place), net.add_host(Attachment::Public));
    let at = SocketAddr::new(net.addresses(server).next().unwrap(), 3478);
    assert_eq!(net.listen(server, at, StreamKind::Tcp), Ok(at));
    (net, client, server, at)
}

/// The two ends of a stream that is open.
fn connected(net: &mut Network, client: HostId, at: SocketAddr) -> [StreamId; 2] {
    let ours = net.connect(client, None, at, StreamKind::Tcp).unwrap();
    let events = run(net, secs(1));
    let theirs = events.iter().find(|e| e.change == StreamChange::Accepted(StreamKind::Tcp)).unwrap().stream;
    assert!(events.iter().any(|e| (e.stream, &e.change) == (ours, &StreamChange::Connected)));
    [ours, theirs]
}

#[test]
fn a_connection_takes_a_round_trip_and_shows_the_nat() {
    let (mut net, client, server, at) = two(1, Some(NatConfig::symmetric()));
    let ours = net.connect(client, None, at, StreamKind::Tcp).unwrap();
    let events = run(&mut net, secs(30));
    let [accepted, connected] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((accepted.at, accepted.host), (Instant::from_millis(20), server));
    assert_eq!(accepted.change, StreamChange::Accepted(StreamKind::Tcp));
    assert_eq!((connected.at, connected.stream, connected.remote), (Instant::from_millis(40), ours, at));
    assert_ne!(accepted.remote, connected.local);
    assert_ne!(accepted.remote.ip(), connected.local.ip());
}

#[test]
fn bytes_come_whole_and_in_order_in_whatever_pieces() {
    let text: Vec<u8> = (0..5_000_u32).flat_map(u32::to_be_bytes).collect();
    for (seed, pieces) in [(1, Pieces::Whole), (2, Pieces::Of(7)), (3, Pieces::Random), (4, Pieces::Random)] {
        let (mut net, client, _, at) = two(seed, None);
        let [ours, theirs] = connected(&mut net, client, at);
        net.set_link(LinkConfig::rtt(millis(40)).with_jitter(millis(50)).with_loss(0.2));
        net.set_pieces(pieces);
        for part in text.chunks(1_000) {
            assert!(net.write(ours, part));
            assert!(net.write(theirs, part));
        }
        let events = run(&mut net, secs(60));
        for end in [ours, theirs] {
            let read: Vec<Vec<u8>> = events
                .iter()
                .filter(|event| event.stream == end)
                .map(|event| match &event.change {
                    StreamChange::Bytes(bytes) => bytes.clone(),
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(read.concat(), text, "{pieces:?}");
            match pieces {
                Pieces::Whole => assert_eq!(read.len(), 20),
                Pieces::Of(most) => assert!(read.iter().all(|piece| piece.len() <= most)),
                Pieces::Random => {
                    assert!(read.len() > 20);
                    assert!(read.iter().any(|piece| {
                        !text.chunks(1_000).any(|c| c.windows(piece.len()).any(|w| w == piece))
                    }));
                }
            }
        }
    }
}

#[test]
fn what_is_closed_ends_after_the_last_byte_and_what_is_reset_at_once() {
    let (mut net, client, _, at) = two(1, None);
    let [ours, _] = connected(&mut net, client, at);
    net.write(ours, b"bye");
    assert!(net.close_stream(ours));
    assert!(!net.write(ours, b"more") && !net.close_stream(ours));
    assert_eq!(changes(run(&mut net, secs(1))), [StreamChange::Bytes(b"bye".to_vec()), StreamChange::Ended]);
    let [ours, theirs] = connected(&mut net, client, at);
    net.write(ours, b"lost");
    assert!(net.reset_stream(ours));
    assert!(net.write(theirs, b"to nobody"), "the other side cannot know yet");
    assert_eq!(changes(run(&mut net, secs(1))), [StreamChange::Reset]);
}

#[test]
fn nobody_refuses_and_a_filter_is_silent() {
    let (mut net, client, server, at) = two(1, None);
    let elsewhere = SocketAddr::new(at.ip(), 9);
    for (to, kind) in [(elsewhere, StreamKind::Tcp), (at, StreamKind::Tls)] {
        let start = net.now();
        net.connect(client, None, to, kind).unwrap();
        let events = run(&mut net, secs(60));
        assert_eq!((events.len(), &events[0].change), (1, &StreamChange::Refused), "{to} {kind:?}");
        assert_eq!(events[0].at.since(start), millis(40));
    }
    assert!(net.unlisten(server, at));
    net.connect(client, None, at, StreamKind::Tcp).unwrap();
    assert_eq!(changes(run(&mut net, secs(1))), [StreamChange::Refused]);
    // Behind a NAT nobody is reached who has not asked.
    let nat = net.add_nat(NatConfig::full_cone());
    let external = SocketAddr::new(net.external_address(nat).unwrap().into(), 5_000);
    let start = net.now();
    net.connect(client, None, external, StreamKind::Tcp).unwrap();
    let events = run(&mut net, secs(60));
    assert_eq!((events.len(), &events[0].change), (1, &StreamChange::TimedOut));
    assert_eq!(events[0].at.since(start), secs(31));
}

/// RFC 6544 §3: simultaneous open.
#[test]
fn two_behind_nats_meet_when_both_connect() {
    let mut net = Network::seeded(1);
    let ends = [(); 2].map(|()| {
        let nat = net.add_nat(NatConfig::port_restricted());
        let host = net.add_host(Attachment::Behind(nat));
        let local = SocketAddr::new(net.addresses(host).next().unwrap(), 5_000);
        (host, local, SocketAddr::new(net.external_address(nat).unwrap().into(), 5_000))
    });
    let [(alice, at_alice, alice_outside), (bob, at_bob, bob_outside)] = ends;
    let ours = net.connect(alice, Some(at_alice), bob_outside, StreamKind::Tcp).unwrap();
    assert_eq!(run(&mut net, millis(500)), [], "Bob's NAT lets nobody in");
    let theirs = net.connect(bob, Some(at_bob), alice_outside, StreamKind::Tcp).unwrap();
    let events = run(&mut net, secs(20));
    let mut opened: Vec<_> = events.iter().map(|e| (e.stream, e.change.clone())).collect();
    opened.sort_by_key(|(stream, _)| *stream);
    assert_eq!(opened, [(ours, StreamChange::Connected), (theirs, StreamChange::Connected)]);
    net.write(ours, b"ping");
    net.write(theirs, b"pong");
    assert_eq!(run(&mut net, secs(1)).len(), 2);
}

#[test]
fn a_cut_delays_what_is_under_way_and_breaks_what_waits_too_long() {
    let (mut net, client, server, at) = two(1, None);
    let [ours, theirs] = connected(&mut net, client, at);
    net.block(client, server);
    net.write(ours, b"one");
    net.write(ours, b"two");
    assert_eq!(run(&mut net, secs(30)), []);
    net.write(theirs, b"the other way");
    assert_eq!(run(&mut net, secs(1)).len(), 1);
    net.unblock(client, server);
    let bytes = |text: &[u8]| StreamChange::Bytes(text.to_vec());
    assert_eq!(changes(run(&mut net, secs(2))), [bytes(b"one"), bytes(b"two")]);
    net.block(client, server);
    net.write(ours, b"three");
    assert_eq!(run(&mut net, secs(59)), [], "it waits for a minute again");
    let events = run(&mut net, secs(11));
    assert_eq!(events.iter().map(|e| e.stream).collect::<Vec<_>>(), [ours], "{events:?}");
    assert_eq!(events[0].change, StreamChange::TimedOut);
    // The other side has heard nothing of that. What it sends comes to a host that does not know it any more.
    assert!(!net.write(ours, b"to nobody") && net.write(theirs, b"are you there?"));
    assert_eq!(run(&mut net, secs(30)), [], "the answer does not get back either");
    net.unblock(client, server);
    let events = run(&mut net, secs(2));
    assert_eq!((events.len(), events[0].stream, &events[0].change), (1, theirs, &StreamChange::Reset));
    assert!(!net.write(theirs, b"to nobody"));
}

#[test]
fn a_request_to_connect_is_repeated_through_a_cut_and_accepted_once() {
    let (mut net, client, server, at) = two(1, None);
    net.block(client, server);
    let stream = net.connect(client, None, at, StreamKind::Tcp).unwrap();
    assert_eq!(run(&mut net, secs(10)), []);
    net.unblock(client, server);
    let events = run(&mut net, secs(10));
    assert_eq!(events.last().map(|e| (e.stream, e.at)), Some((stream, Instant::from_millis(15_040))));
    // So late that a second request is under way when the first is accepted.
    net.set_link(LinkConfig::one_way(millis(1_500)));
    net.connect(client, None, at, StreamKind::Tcp).unwrap();
    let both = [StreamChange::Accepted(StreamKind::Tcp), StreamChange::Connected];
    assert_eq!(changes(run(&mut net, secs(60))), both);
}

#[test]
fn requests_that_cross_open_one_stream_and_tell_each_side_once() {
    let (mut net, client, server, _) = two(1, None);
    let [ours, theirs] =
        [client, server].map(|host| SocketAddr::new(net.addresses(host).next().unwrap(), 5_000));
    net.connect(client, Some(ours), theirs, StreamKind::Tcp).unwrap();
    net.connect(server, Some(theirs), ours, StreamKind::Tcp).unwrap();
    assert_eq!(changes(run(&mut net, secs(60))), [StreamChange::Connected, StreamChange::Connected]);
}

#[test]
fn nothing_comes_before_its_time_even_if_it_comes_together() {
    let (mut net, client, _, at) = two(1, None);
    let [ours, theirs] = connected(&mut net, client, at);
    net.set_pieces(Pieces::Random);
    let (mut sent, mut read) = (Vec::new(), 0);
    for _ in 0..500 {
        sent.push(net.now());
        net.write(ours, &[7; 10]);
        for event in run(&mut net, millis(3)) {
            let StreamChange::Bytes(bytes) = event.change else { panic!("{event:?}") };
            assert_eq!(event.stream, theirs);
            read += bytes.len();
            let last = sent.get((read - 1) / 10).unwrap();
            assert!(event.at.since(*last) >= millis(20), "byte {read} at {}", event.at);
        }
    }
}

#[test]
fn ports_of_streams_that_are_no_more_can_be_had_again() {
    let (mut net, client, _, at) = two(1, None);
    for _ in 0..20_000 {
        let stream = net.connect(client, None, at, StreamKind::Tcp).unwrap();
        net.reset_stream(stream);
    }
}

#[test]
fn a_mapping_lets_streams_in_until_its_nat_is_rebound_or_rebooted() {
    let (mut net, outside, _, at) = two(1, None);
    let nat = net.add_nat(NatConfig::full_cone());
    let host = net.add_host(Attachment::Behind(nat));
    let local = SocketAddr::new(net.addresses(host).next().unwrap(), 5_000);
    net.listen(host, local, StreamKind::Tcp).unwrap();
    net.connect(host, Some(local), at, StreamKind::Tcp).unwrap();
    run(&mut net, secs(1));
    let external = net.external_address(nat).unwrap().into();
    let opens = |net: &mut Network| {
        [5_000, 5_001].map(|port| {
            net.connect(outside, None, SocketAddr::new(external, port), StreamKind::Tcp).unwrap();
            changes(run(net, secs(40))).contains(&StreamChange::Connected)
        })
    };
    assert_eq!(opens(&mut net), [true, false]);
    net.rebind(nat);
    assert_eq!(opens(&mut net), [false, true]);
    net.reboot(nat);
    assert_eq!(opens(&mut net), [false; 2]);
}

#[test]
fn firewalls_let_out_what_they_are_for_and_nothing_in() {
    let (mut net, client, server, at) = two(1, None);
    let web = SocketAddr::new(at.ip(), 443);
    net.listen(server, web, StreamKind::Tls).unwrap();
    let local = net.bind(client, None).unwrap();
    let beside = net.bind(server, None).unwrap();
    let behind = SocketAddr::new(local.ip(), 80);
    net.listen(client, behind, StreamKind::Tcp).unwrap();
    for (firewall, datagrams, tcp, tls, in_from_outside) in [
        (Firewall::OPEN, true, true, true, true),
        (Firewall::NO_UDP, false, true, true, false),
        (Firewall::WEB_ONLY, false, false, true, false),
    ] {
        net.set_firewall(client, firewall);
        let mut opens = |host, to, kind| {
            net.connect(host, None, to, kind).unwrap();
            changes(run(&mut net, secs(40))).contains(&StreamChange::Connected)
        };
        assert_eq!(opens(client, at, StreamKind::Tcp), tcp, "{firewall:?}");
        assert_eq!(opens(client, web, StreamKind::Tls), tls, "{firewall:?}");
        assert_eq!(opens(server, behind, StreamKind::Tcp), in_from_outside, "{firewall:?}");
        net.send((client, local), beside, b"out");
        net.send((server, beside), local, b"in");
        let soon = net.now() + secs(1);
        let came = core::iter::from_fn(|| net.advance(soon)).count();
        assert_eq!(came, if datagrams { 2 } else { 0 }, "{firewall:?}");
    }
    assert_eq!(net.counters().dropped_for(DropReason::Firewall), 4);
}

#[test]
fn a_port_is_shared_by_streams_and_given_back() {
    let (mut net, client, _, at) = two(1, None);
    let from = SocketAddr::new(net.addresses(client).next().unwrap(), 5_000);
    net.listen(client, from, StreamKind::Tcp).unwrap();
    assert_eq!(net.listen(client, from, StreamKind::Tcp), Err(BindError::InUse));
    let first = net.connect(client, Some(from), at, StreamKind::Tcp).unwrap();
    assert_eq!(net.connect(client, Some(from), at, StreamKind::Tcp), Err(BindError::InUse));
    let other = SocketAddr::new(at.ip(), 9);
    assert!(net.connect(client, Some(from), other, StreamKind::Tcp).is_ok());
    run(&mut net, secs(1));
    net.close_stream(first);
    assert!(net.connect(client, Some(from), at, StreamKind::Tcp).is_ok());
    let nowhere = SocketAddr::new(at.ip(), 5_000);
    assert_eq!(net.connect(client, Some(nowhere), at, StreamKind::Tcp), Err(BindError::NotAnAddress));
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let play = || {
        let (mut net, client, _, at) = two(5, None);
        net.set_link(LinkConfig::rtt(millis(40)).with_loss(0.3).with_jitter(millis(9)));
        net.set_pieces(Pieces::Random);
        let stream = net.connect(client, None, at, StreamKind::Tcp).unwrap();
        let mut events = run(&mut net, secs(32));
        net.write(stream, &[7; 10_000]);
        events.extend(run(&mut net, secs(60)));
        events
    };
    assert_eq!(play(), play());
}
