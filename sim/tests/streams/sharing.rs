//! What streams leave to each other, to themselves and to datagrams on the links and in the NATs that they share.

use core::net::SocketAddr;
use core::time::Duration;

use floe_sim::{
    Attachment, Happening, HostId, LinkConfig, NatConfig, Network, StreamChange, StreamEvent, StreamKind,
};

use super::lab::{MS, SECOND, listening, run};

/// A client and a server that listens, and nothing between them.
fn two(seed: u64) -> (Network, HostId, HostId, SocketAddr) {
    let mut net = Network::seeded(seed);
    let [client, server] = [(); 2].map(|()| net.add_host(Attachment::Public));
    let at = listening(&mut net, server);
    (net, client, server, at)
}

fn size(event: &StreamEvent) -> usize {
    match &event.change {
        StreamChange::Bytes(bytes) => bytes.len(),
        _ => 0,
    }
}

/// Whoever has begun first, and whatever is in their packets.
#[test]
fn streams_that_fill_a_link_take_turns() {
    for sizes in [[1_000; 3], [1_460, 1_000, 300], [300, 1_000, 1_460]] {
        let (mut net, client, server, at) = two(1);
        let streams = [(); 3].map(|()| net.connect(client, None, at, StreamKind::Tcp).unwrap());
        let accepted: Vec<_> =
            run(&mut net, SECOND).into_iter().filter(|e| e.host == server).map(|e| e.stream).collect();
        net.set_link(LinkConfig::one_way(20 * MS).with_bandwidth(1_000_000, 12_500));
        let (mut read, mut packets) = (0, [0; 3]);
        for n in 0..10_000 {
            for (place, (stream, size)) in streams.into_iter().zip(sizes).enumerate() {
                while n >= place && net.write(stream, &vec![7; size]) {}
            }
            for event in run(&mut net, Duration::from_micros(1_003)) {
                let place = accepted.iter().position(|stream| *stream == event.stream).unwrap();
                read += size(&event);
                packets[place] += size(&event) / sizes[place];
            }
        }
        assert!((1_080_000..1_250_000).contains(&read), "{sizes:?} {read}");
        let [least, most] = [packets.iter().min(), packets.iter().max()].map(|of| *of.unwrap());
        assert!(most - least <= 20, "{sizes:?} {packets:?}");
    }
}

#[test]
fn a_request_to_connect_waits_its_turn_too_and_is_lost_where_there_is_no_room() {
    let (mut net, client, server, at) = two(1);
    net.set_link_from(client, server, LinkConfig::one_way(20 * MS).with_bandwidth(320_000, 4_000));
    net.connect(client, None, at, StreamKind::Tcp).unwrap();
    // 40 bytes take a millisecond.
    let after = |events: Vec<StreamEvent>| events.iter().map(|e| e.at.as_millis()).collect::<Vec<_>>();
    assert_eq!(after(run(&mut net, SECOND)), [21, 41]);
    let [from, to] = [client, server].map(|host| net.bind(host, None).unwrap());
    for _ in 0..4 {
        net.send((client, from), to, &[0; 972]);
    }
    let start = net.now();
    net.connect(client, None, at, StreamKind::Tcp).unwrap();
    let mut events = Vec::new();
    let end = net.now() + 3 * SECOND;
    while let Some(happening) = net.advance_all(end) {
        if let Happening::Stream(event) = happening {
            events.push(event.at.since(start).as_millis());
        }
    }
    assert_eq!(events, [1_021, 1_041]);
}

/// What is in many packets is there when the last of them is.
#[test]
fn each_packet_of_what_is_written_may_be_lost() {
    let late = |size: usize| {
        let (mut net, client, _, at) = two(1);
        let stream = net.connect(client, None, at, StreamKind::Tcp).unwrap();
        run(&mut net, SECOND);
        net.set_link(LinkConfig::one_way(20 * MS).with_loss(0.02));
        let is_late = |_: &usize| {
            assert!(net.write(stream, &vec![7; size]));
            let start = net.now();
            let events = run(&mut net, 60 * SECOND);
            assert_eq!(events.iter().map(self::size).sum::<usize>(), size);
            events[0].at.since(start) > 20 * MS
        };
        (0..500).filter(is_late).count()
    };
    // One packet: one of fifty. 45 packets: all but 0.98^45, that is 60 %.
    assert!((3..25).contains(&late(1_000)));
    assert!((250..350).contains(&late(45 * 1_460)));
}

#[test]
fn datagrams_keep_their_ports_and_their_luck_when_there_are_streams_too() {
    let play = |with_streams: bool| {
        let (mut net, server, _, at) = two(1);
        net.set_link(LinkConfig::one_way(20 * MS).with_loss(0.3).with_jitter(30 * MS));
        let nat = NatConfig::symmetric().with_lifetime_jitter(SECOND);
        let nat = net.add_nat(nat);
        let [client, other] = [(); 2].map(|()| net.add_host(Attachment::Behind(nat)));
        let local = net.bind(client, None).unwrap();
        let mut came = Vec::new();
        for _ in 0..50 {
            let to = net.bind(server, None).unwrap();
            if with_streams {
                net.connect(other, None, at, StreamKind::Tcp).unwrap();
            }
            net.send((client, local), to, b"x");
            let end = net.now() + SECOND;
            while let Some(happening) = net.advance_all(end) {
                if let Happening::Datagram(got) = happening {
                    came.push((got.at, got.remote));
                }
            }
        }
        came
    };
    let alone = play(false);
    assert!((25..50).contains(&alone.len()));
    assert_eq!(play(true), alone);
}
