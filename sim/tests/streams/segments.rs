//! What is in a stream passes the boxes on its way, and shares the link with everything else.

use core::net::SocketAddr;
use core::time::Duration;

use floe_sim::{
    Attachment, Bursts, Firewall, Hairpin, Happening, HostId, Instant, LinkConfig, NatConfig, Network,
    Pieces, PortAssignment, Refusal, RouterConfig, STREAM_BUFFER, StreamChange, StreamEvent, StreamId,
    StreamKind, TcpLifetimes,
};

use super::lab::{Lab, MS, SECOND, lab, listening, run};

impl Lab {
    /// Writes into one end, and tells what comes of it within two minutes: at which end, when, and what.
    fn write(&mut self, end: StreamId) -> Vec<(StreamId, u64, StreamChange)> {
        let start = self.net.now();
        assert!(self.net.write(end, b"x"));
        let events = run(&mut self.net, 120 * SECOND);
        events.into_iter().map(|e| (e.stream, e.at.since(start).as_millis() as u64, e.change)).collect()
    }

    /// Whether what is written into an end comes to the other one, after as long as it takes.
    fn passes(&mut self, end: StreamId) -> bool {
        let other = if end == self.ours { self.theirs } else { self.ours };
        let start = self.net.now();
        assert!(self.net.write(end, b"x"));
        let events = run(&mut self.net, 20 * MS);
        events.iter().any(|e| {
            (e.stream, &e.change) == (other, &StreamChange::Bytes(b"x".to_vec()))
                && e.at.since(start) == 20 * MS
        })
    }
}

fn nat() -> NatConfig {
    NatConfig::port_restricted()
}

/// RFC 5382 §5: what a NAT says to what it does not know is left to it.
#[test]
fn a_nat_that_has_forgotten_a_stream_is_silent_until_each_side_gives_up_or_resets_it() {
    for symmetric in [false, true] {
        let config = if symmetric { NatConfig::symmetric() } else { nat() };
        let mut lab = lab(config.clone());
        assert!(lab.passes(lab.ours) && lab.passes(lab.theirs));
        lab.net.reboot(lab.router);
        assert_eq!(lab.write(lab.ours), [(lab.ours, 60_000, StreamChange::TimedOut)]);
        assert_eq!(lab.write(lab.theirs), [(lab.theirs, 60_020, StreamChange::TimedOut)]);

        let mut lab = self::lab(config.with_segment_refusal(Refusal::Reject));
        lab.net.reboot(lab.router);
        assert_eq!(lab.write(lab.ours), [(lab.ours, 0, StreamChange::Reset)]);
        assert_eq!(lab.write(lab.theirs), [(lab.theirs, 40, StreamChange::Reset)]);
    }
}

#[test]
fn where_both_sides_have_something_to_say_each_gives_up_by_itself() {
    let mut lab = lab(nat());
    lab.net.reboot(lab.router);
    let (start, ours, theirs) = (lab.net.now(), lab.ours, lab.theirs);
    assert!(lab.net.write(theirs, b"x"));
    assert_eq!(run(&mut lab.net, 5 * SECOND), []);
    assert!(lab.net.write(ours, b"x"));
    let events = run(&mut lab.net, 120 * SECOND);
    let told: Vec<_> =
        events.into_iter().map(|e| (e.stream, e.at.since(start).as_millis(), e.change)).collect();
    assert_eq!(told, [(theirs, 60_020, StreamChange::TimedOut), (ours, 65_000, StreamChange::TimedOut)]);
}

#[test]
fn a_firewall_that_has_forgotten_a_stream_stops_it_too() {
    for replaced in [false, true] {
        let mut lab = lab(RouterConfig::default().with_firewall(Firewall::STATEFUL));
        assert!(lab.passes(lab.ours) && lab.passes(lab.theirs));
        let forget = |lab: &mut Lab, firewall| {
            if replaced {
                lab.net.set_router_firewall(lab.router, firewall);
            } else {
                lab.net.reboot(lab.router);
            }
        };
        forget(&mut lab, Firewall::STATEFUL);
        assert_eq!(lab.write(lab.ours), [(lab.ours, 60_000, StreamChange::TimedOut)]);
        assert_eq!(lab.write(lab.theirs), [(lab.theirs, 60_020, StreamChange::TimedOut)]);
        let rejecting = Firewall::STATEFUL.rejecting();
        let mut lab = self::lab(RouterConfig::default().with_firewall(rejecting));
        forget(&mut lab, rejecting);
        assert_eq!(lab.write(lab.ours), [(lab.ours, 0, StreamChange::Reset)]);
        assert_eq!(lab.write(lab.theirs), [(lab.theirs, 40, StreamChange::Reset)]);
    }
    // One in front of a host; where it lets everything through, it has nothing to forget.
    let mut lab = lab(nat());
    lab.net.set_firewall(lab.client, Firewall::STATEFUL.rejecting());
    assert_eq!(lab.write(lab.theirs), [(lab.theirs, 40, StreamChange::Reset)]);
    let mut lab = self::lab(RouterConfig::default());
    lab.net.reboot(lab.router);
    lab.net.set_firewall(lab.client, Firewall::OPEN);
    assert!(lab.passes(lab.ours) && lab.passes(lab.theirs));
}

#[test]
fn what_waits_for_a_way_gets_through_when_there_is_one_again() {
    let mut lab = lab(RouterConfig::default().with_firewall(Firewall::STATEFUL));
    lab.net.reboot(lab.router);
    let router = lab.router;
    lab.net.at(lab.net.now() + 10_500 * MS, move |net| net.set_router_firewall(router, Firewall::OPEN));
    let theirs = lab.theirs;
    assert_eq!(lab.write(lab.ours), [(theirs, 11_000, StreamChange::Bytes(b"x".to_vec()))]);
    assert!(lab.passes(lab.ours));
}

#[test]
fn a_stream_that_a_nat_has_moved_is_reset_by_the_host_that_does_not_know_it() {
    let mut lab = lab(nat());
    lab.net.rebind(lab.router);
    assert_eq!(lab.write(lab.ours), [(lab.ours, 40, StreamChange::Reset)]);
    // The other side sends to where nobody is.
    assert_eq!(lab.write(lab.theirs), [(lab.theirs, 60_020, StreamChange::TimedOut)]);
    // The same port is free for another.
    let again = lab.net.connect(lab.client, None, lab.at, StreamKind::Tcp).unwrap();
    assert!(run(&mut lab.net, SECOND).iter().any(|e| e.stream == again));
}

/// RFC 5382 REQ-5, with shorter times than it allows.
#[test]
fn an_idle_stream_is_forgotten_and_one_with_keepalives_is_not() {
    let four = 240 * SECOND;
    let lifetimes = TcpLifetimes { established: four, transitory: 60 * SECOND };
    let routers: [RouterConfig; 2] = [
        nat().with_tcp_lifetimes(lifetimes).into(),
        RouterConfig::default().with_firewall(Firewall { stream_memory: lifetimes, ..Firewall::STATEFUL }),
    ];
    for router in routers {
        // Either side's keepalives are enough.
        for keeps in 0..2 {
            let mut lab = lab(router.clone());
            for _ in 0..10 {
                let end = [lab.ours, lab.theirs][keeps];
                assert!(lab.passes(end));
                // 20 ms have passed already; from pass to pass it is a nanosecond less than it takes to be forgotten.
                let between = four - 20 * MS - Duration::from_nanos(1);
                assert_eq!(run(&mut lab.net, between), []);
            }
            assert!(lab.passes(lab.ours));
            run(&mut lab.net, four);
            assert_eq!(lab.write(lab.ours), [(lab.ours, 60_000, StreamChange::TimedOut)]);
        }
    }
}

/// Lets a server listen where its NAT shows it: it has connected to somebody outside from there.
fn listening_behind_a_nat(net: &mut Network, server: HostId) -> SocketAddr {
    let outside = net.add_host(Attachment::Public);
    let public = listening(net, outside);
    let local = listening(net, server);
    net.connect(server, Some(local), public, StreamKind::Tcp).unwrap();
    run(net, SECOND).iter().find(|e| e.host == outside).unwrap().remote
}

#[test]
fn two_behind_boxes_speak_whoever_has_begun() {
    // The mapping that lets the request in is not the one that an answer would make.
    for server_nat in [
        NatConfig::full_cone(),
        NatConfig { filtering: floe_sim::Filtering::EndpointIndependent, ..NatConfig::symmetric() },
    ] {
        let mut net = Network::seeded(1);
        let nats = [nat(), server_nat].map(|nat| net.add_nat(nat));
        let [client, server] = nats.map(|nat| net.add_host(Attachment::Behind(nat)));
        let seen = listening_behind_a_nat(&mut net, server);
        let ours = net.connect(client, None, seen, StreamKind::Tcp).unwrap();
        let theirs = run(&mut net, SECOND).iter().find(|e| e.host == server).unwrap().stream;
        assert!(net.write(ours, b"to") && net.write(theirs, b"fro"));
        let got: Vec<StreamChange> = run(&mut net, SECOND).into_iter().map(|e| e.change).collect();
        assert_eq!(got, [b"to".to_vec(), b"fro".to_vec()].map(StreamChange::Bytes));
    }
}

#[test]
fn bytes_take_the_time_that_the_link_gives_them_and_wait_for_room() {
    let mut lab = lab(RouterConfig::default());
    // 10,000 bytes are seven packets of at most 1,460 with 40 bytes of headers each.
    lab.net.set_link(LinkConfig::one_way(20 * MS).with_bandwidth(1_000_000, 8_000));
    let start = lab.net.now();
    assert!(lab.net.write(lab.ours, &[7; 10_000]));
    // What fits into half of the queue has left: two packets of 1,500.
    assert_eq!(lab.net.unsent(lab.ours), 10_000 - 2 * 1_460);
    let events = run(&mut lab.net, SECOND);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].at.since(start), Duration::from_micros(20_000 + 10_280 * 8));
    assert_eq!(lab.net.unsent(lab.ours), 0);
    // The end comes after the last byte, and from another stream it waits its turn.
    let start = lab.net.now();
    assert!(lab.net.write(lab.ours, &[7; 10_000]) && lab.net.close_stream(lab.ours));
    let other = lab.net.connect(lab.client, None, lab.at, StreamKind::Tcp).unwrap();
    let changes: Vec<StreamChange> = run(&mut lab.net, SECOND).into_iter().map(|e| e.change).collect();
    assert_eq!(changes.len(), 4, "{changes:?}");
    assert!(matches!(changes[2], StreamChange::Bytes(_)) && changes[3] == StreamChange::Ended);
    assert!(lab.net.write(other, b"x") && lab.net.now() > start);
}

#[test]
fn what_waits_in_a_stream_is_bounded_by_what_it_takes() {
    let mut lab = lab(RouterConfig::default());
    lab.net.set_link(LinkConfig::one_way(20 * MS).with_bandwidth(1_000_000, 8_000));
    let mut taken = 0;
    while lab.net.write(lab.ours, &[7; 1_000]) {
        taken += 1_000;
        assert!(taken < 2 * STREAM_BUFFER, "there is no end");
    }
    assert!(lab.net.unsent(lab.ours) >= STREAM_BUFFER && lab.net.unsent(lab.ours) < STREAM_BUFFER + 1_000);
    let got = |events: Vec<StreamEvent>| {
        let bytes = events.into_iter().map(|event| match event.change {
            StreamChange::Bytes(bytes) => bytes.len(),
            other => panic!("{other:?}"),
        });
        bytes.sum::<usize>()
    };
    // A megabit is 125,000 bytes; four per cent are headers.
    let first = got(run(&mut lab.net, 100 * MS));
    assert!((9_000..12_500).contains(&first), "{first}");
    assert!(lab.net.write(lab.ours, &[7; 1_000]), "there is room again");
    assert_eq!(first + got(run(&mut lab.net, SECOND)), taken + 1_000);
}

#[test]
fn a_stream_that_fills_its_link_leaves_room_for_datagrams() {
    let mut lab = lab(RouterConfig::default());
    let [ours, theirs] = [lab.client, lab.server].map(|host| (host, lab.net.bind(host, None).unwrap()));
    lab.net.set_link(LinkConfig::one_way(20 * MS).with_bandwidth(1_000_000, 12_500));
    let (mut read, mut slowest) = (0, Duration::ZERO);
    for n in 0..500_u64 {
        while lab.net.write(lab.ours, &[7; 1_000]) {}
        // 100 kbit/s of voice.
        lab.net.send(ours, theirs.1, &n.to_be_bytes().repeat(27));
        let (sent, end) = (lab.net.now(), lab.net.now() + 20 * MS);
        while let Some(happening) = lab.net.advance_all(end) {
            match happening {
                Happening::Datagram(got) => {
                    let number = u64::from_be_bytes(got.bytes[..8].try_into().unwrap());
                    slowest = slowest.max(got.at.since(sent - (n - number) as u32 * 20 * MS));
                }
                Happening::Stream(event) => {
                    if let StreamChange::Bytes(bytes) = event.change {
                        read += bytes.len();
                    }
                }
                Happening::Icmp(error) => panic!("{error:?}"),
            }
        }
    }
    assert_eq!(lab.net.counters().dropped(), 0);
    // Half of the queue is 50 ms; a packet of each more.
    assert!((65 * MS..=85 * MS).contains(&slowest), "{slowest:?}");
    // The stream has what is left of ten seconds of a megabit: 1,250,000 bytes less 122,000, and less its headers.
    assert!((1_050_000..=1_128_000).contains(&read), "{read}");
}

#[test]
fn bursts_of_loss_delay_streams() {
    let came_after = |bursts: Option<Bursts>| {
        let mut lab = lab(RouterConfig::default());
        lab.net.set_link(LinkConfig { bursts, ..LinkConfig::one_way(20 * MS) });
        let start = lab.net.now();
        assert!(lab.net.write(lab.ours, b"x"));
        let events = run(&mut lab.net, 60 * SECOND);
        assert_eq!(events.len(), 1);
        events[0].at.since(start)
    };
    assert_eq!(came_after(None), 20 * MS);
    // The bad time ends with the second packet, which is not lost.
    let burst = Bursts { begin: 1.0, end: 1.0, loss: 1.0 };
    assert_eq!(came_after(Some(burst)), 220 * MS);
    // It never ends: six retransmissions are lost, and what is sent then gets through.
    assert_eq!(came_after(Some(Bursts { end: 0.0, ..burst })), 20 * MS + (64 - 1) * 200 * MS);
}

#[test]
fn a_streams_luck_is_its_own() {
    let play = |others: usize| {
        let mut lab = lab(RouterConfig::default());
        lab.net.set_link(LinkConfig::one_way(20 * MS).with_loss(0.3).with_jitter(30 * MS));
        lab.net.set_pieces(Pieces::Random);
        let more: Vec<_> = (0..others)
            .map(|_| lab.net.connect(lab.client, None, lab.at, StreamKind::Tcp).unwrap())
            .collect();
        run(&mut lab.net, 30 * SECOND);
        let (mut events, begun) = (Vec::new(), Instant::ZERO + 31 * SECOND);
        let rest = begun.since(lab.net.now());
        run(&mut lab.net, rest);
        for _ in 0..50 {
            for stream in more.iter().chain([&lab.ours]) {
                lab.net.write(*stream, &[7; 500]);
            }
            events.extend(run(&mut lab.net, SECOND).into_iter().filter(|e| e.stream == lab.theirs));
        }
        events
    };
    let alone = play(0);
    assert!(alone.len() > 50);
    assert_eq!(play(3), alone);
}

/// Two hosts, each behind such NATs, the outermost first; the listener's are given a mapping.
#[test]
fn a_stream_goes_through_nats_behind_nats_and_through_one_that_turns_it_back() {
    let hairpins = NatConfig::full_cone().with_hairpin(Hairpin::ExternalSource);
    let overloads = nat().with_port_assignment(PortAssignment::Overloading);
    for (name, carrier, [home_of_client, home_of_server]) in [
        ("one carrier", hairpins.clone(), [nat(), NatConfig::full_cone()]),
        ("symmetric inside", hairpins.clone(), [NatConfig::symmetric(), NatConfig::full_cone()]),
        ("overloaded", hairpins, [overloads, NatConfig::full_cone()]),
    ] {
        let mut net = Network::seeded(1);
        let carrier = net.add_nat(carrier);
        let homes =
            [home_of_client, home_of_server].map(|nat| net.add_router(Attachment::Behind(carrier), nat));
        let [client, server] = homes.map(|home| net.add_host(Attachment::Behind(home)));
        let seen = listening_behind_a_nat(&mut net, server);
        for _ in 0..2 {
            let ours = net.connect(client, None, seen, StreamKind::Tcp).unwrap();
            let events = run(&mut net, 40 * MS);
            let theirs = events.iter().find(|e| e.host == server).expect(name).stream;
            assert!(net.write(ours, b"to") && net.write(theirs, b"fro"));
            let got: Vec<StreamChange> = run(&mut net, 20 * MS).into_iter().map(|e| e.change).collect();
            assert_eq!(got, [b"to".to_vec(), b"fro".to_vec()].map(StreamChange::Bytes), "{name}");
            // Any of them that forgets stops it.
            assert!(net.write(theirs, b"bye") && net.close_stream(theirs));
            let got: Vec<StreamChange> = run(&mut net, 20 * MS).into_iter().map(|e| e.change).collect();
            assert_eq!(got, [StreamChange::Bytes(b"bye".to_vec()), StreamChange::Ended], "{name}");
            let ours = net.connect(client, None, seen, StreamKind::Tcp).unwrap();
            run(&mut net, 40 * MS);
            net.reboot(homes[0]);
            assert!(net.write(ours, b"x"));
            let events = run(&mut net, 120 * SECOND);
            assert_eq!(events.len(), 1, "{name} {events:?}");
            assert_eq!((events[0].stream, &events[0].change), (ours, &StreamChange::TimedOut), "{name}");
        }
    }
}
