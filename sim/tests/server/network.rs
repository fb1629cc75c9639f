//! Servers on hosts of a simulated network, and in a scenario.

use core::net::SocketAddr;
use core::time::Duration;

use floe_core::wire::Message;
use floe_sim::scenario::{TURN_USER, TurnId, World, both_selected, millis, open, secs};
use floe_sim::server::{Fault, FiveTuple, Request};
use floe_sim::{
    Attachment, DropReason, Firewall, Happening, HostId, LogEvent, NatConfig, Network, Pieces, StreamChange,
    StreamKind, StunHost, TurnHost,
};

use crate::client::{
    ALLOCATE, Answer, BINDING, CHANNEL_BIND, CREATE_PERMISSION, Pen, REFRESH, XOR_RELAYED_ADDRESS, channel,
    peer, udp,
};

/// A network with a TURN server, a client of it behind a NAT that lets nobody in, and a peer on the public network.
struct Net {
    net: Network,
    turn: TurnHost,
    client: (HostId, SocketAddr),
    peer: (HostId, SocketAddr),
    pen: Pen,
    /// What came to the client and to the peer: from whom, and what.
    heard: [Vec<(SocketAddr, Vec<u8>)>; 2],
}

impl Net {
    fn new() -> Self {
        let mut net = Network::seeded(1);
        let turn = TurnHost::new(&mut net, [4; 32], |config| {
            config.users.push((TURN_USER.0.into(), TURN_USER.1.into()));
        });
        let turn = turn.unwrap();
        let nat = net.add_nat(NatConfig::symmetric());
        let [client, peer] = [Attachment::Behind(nat), Attachment::Public].map(|place| net.add_host(place));
        let client = (client, net.bind(client, None).unwrap());
        let peer = (peer, net.bind(peer, None).unwrap());
        Self { net, turn, client, peer, pen: Pen::new(TURN_USER), heard: Default::default() }
    }

    fn run(&mut self, time: Duration) {
        let end = self.net.now() + time;
        loop {
            let next = self.turn.next_deadline().unwrap_or(end).min(end);
            match self.net.advance(next) {
                Some(delivery) if self.turn.on_delivery(&mut self.net, &delivery) => {}
                Some(delivery) => {
                    let who = usize::from(delivery.host != self.client.0);
                    self.heard[who].push((delivery.remote, delivery.bytes));
                }
                None => {
                    self.turn.advance(&mut self.net);
                    if next == end {
                        return;
                    }
                }
            }
        }
    }

    fn ask(&mut self, request: &[u8]) -> Answer {
        self.net.send(self.client, self.turn.address(), request);
        self.run(secs(1));
        Answer(self.heard[0].pop().expect("an answer").1)
    }

    fn request(&mut self, method: u16, attributes: &[(u16, Vec<u8>)]) -> Answer {
        let request = self.pen.signed(method, attributes);
        self.ask(&request)
    }

    fn allocate(&mut self) -> SocketAddr {
        let request = self.pen.unsigned(ALLOCATE, &[udp()]);
        let challenge = self.ask(&request);
        self.pen.accept(&challenge);
        self.request(ALLOCATE, &[udp()]).address(XOR_RELAYED_ADDRESS).unwrap()
    }
}

#[test]
fn a_relay_makes_two_meet_that_cannot() {
    let mut net = Net::new();
    let relay = net.allocate();
    let seen = net.turn.server().allocations().next().unwrap().client();
    assert_ne!(seen.client, net.client.1, "the server sees the NAT");
    assert_eq!(seen, FiveTuple::udp(seen.client, net.turn.address()));
    let bound = net.request(CHANNEL_BIND, &[channel(0x4000), peer(&net.peer.1.to_string())]);
    assert_eq!(bound.code(), None);

    net.net.send(net.peer, relay, b"knock");
    let sent = net.net.now();
    net.net.send(net.client, net.turn.address(), b"\x40\0\0\x05hello");
    net.run(millis(80));
    assert_eq!(net.net.now(), sent + millis(80));
    assert_eq!(net.heard[0], [(net.turn.address(), b"\x40\0\0\x05knock".to_vec())]);
    assert_eq!(net.heard[1], [(relay, b"hello".to_vec())]);
}

#[test]
fn a_relayed_address_is_gone_with_its_allocation() {
    let mut net = Net::new();
    let relay = net.allocate();
    net.request(CREATE_PERMISSION, &[peer(&net.peer.1.to_string())]);
    let not_bound = |net: &mut Net| {
        net.net.send(net.peer, relay, b"anybody there?");
        net.run(secs(1));
        net.net.counters().dropped_for(DropReason::NotBound)
    };
    assert_eq!(not_bound(&mut net), 0);
    net.run(secs(600));
    assert_eq!(not_bound(&mut net), 1);
    assert_eq!(net.turn.next_deadline(), None);
}

#[test]
fn a_server_that_is_started_anew_has_no_sockets_and_no_nonces_left() {
    let mut net = Net::new();
    let relay = net.allocate();
    net.turn.restart(&mut net.net);
    net.net.send(net.peer, relay, b"anybody there?");
    net.run(secs(1));
    assert_eq!(net.net.counters().dropped_for(DropReason::NotBound), 1);
    let stale = net.request(REFRESH, &[]);
    assert_eq!(stale.code(), Some(438));
    net.pen.accept(&stale);
    assert_eq!(net.request(REFRESH, &[]).code(), Some(437));
}

/// RFC 5780 §4.4, as a client does it: a filter that depends on the address lets only the other port in.
#[test]
fn filters_show_by_the_addresses_that_get_through() {
    for (nat, through) in [
        (NatConfig::full_cone(), [true, true]),
        (NatConfig::address_restricted(), [false, true]),
        (NatConfig::port_restricted(), [false, false]),
    ] {
        let mut net = Network::seeded(1);
        let mut stun = StunHost::new(&mut net).unwrap();
        let nat = net.add_nat(nat);
        let host = net.add_host(Attachment::Behind(nat));
        let local = net.bind(host, None).unwrap();
        let mut pen = Pen::new(TURN_USER);
        let mut ask = |flags: u8| {
            net.send((host, local), stun.address(), &pen.unsigned(BINDING, &[(3, vec![0, 0, 0, flags])]));
            let soon = net.now() + secs(1);
            let mut heard = None;
            while let Some(delivery) = net.advance(soon) {
                if !stun.on_delivery(&mut net, &delivery) {
                    heard = Some(delivery);
                }
            }
            heard
        };
        let plain = ask(0).expect("an answer");
        assert_eq!(plain.remote.port(), 3478);
        assert!(Message::parse(&plain.bytes).unwrap().xor_mapped_address().is_some());
        assert_eq!([0b110, 0b010].map(|flags| ask(flags).is_some()), through);
    }
}

#[test]
fn an_ipv6_client_is_served_too() {
    let mut net = Network::seeded(1);
    let mut stun = StunHost::new(&mut net).unwrap();
    let host = net.add_host(Attachment::Public);
    let ip = net.add_address(host, floe_sim::Family::V6);
    let local = net.bind(host, Some(SocketAddr::new(ip, 0))).unwrap();
    let server = *stun.addresses().last().unwrap();
    net.send((host, local), server, &Pen::new(TURN_USER).unsigned(BINDING, &[]));
    let soon = net.now() + secs(1);
    let request = net.advance(soon).unwrap();
    assert!(stun.on_delivery(&mut net, &request));
    let answer = Answer(net.advance(soon).unwrap().bytes);
    assert_eq!(answer.message().xor_mapped_address(), Some(local));
    assert_eq!(answer.value(0x802C), None, "it has no other address in this family");
}

/// The requests of a host that is no peer of the scenario, and how many answers it got.
fn ask_in(world: &mut World, turn: TurnId, requests: &[Vec<u8>]) -> usize {
    let address = world.turn_address(turn);
    let net = world.network();
    net.record(true);
    let host = net.add_host(Attachment::Public);
    let local = net.bind(host, None).unwrap();
    for request in requests {
        net.send((host, local), address, request);
    }
    world.run_for(secs(1));
    world.network().log().iter().filter(|line| line.event == LogEvent::Delivered(host)).count()
}

#[test]
fn a_scenario_has_servers_that_answer_and_misbehave_and_can_be_looked_at() {
    let mut world = World::seeded(7);
    let (stun, turn) = (world.stun_server(), world.turn_server_with(|config| config.quota = 0));
    let mut pen = Pen::new(TURN_USER);
    let mut requests = || [pen.unsigned(ALLOCATE, &[udp()]), pen.unsigned(BINDING, &[])];
    assert_eq!(ask_in(&mut world, turn, &requests()), 2);
    world.turn(turn).add_fault(Fault::next(Request::Allocate).ignored());
    assert_eq!(ask_in(&mut world, turn, &requests()), 1);
    assert_eq!((world.turn(turn).counts().requests, world.turn(turn).counts().replies), (4, 3));
    assert_eq!(world.stun(stun).counts().requests, 0);
    assert_ne!(world.stun_address(stun).ip(), world.turn_address(turn).ip());

    let (host, client) = (world.turn_host(turn), world.network().add_host(Attachment::Public));
    world.network().block(client, host);
    let local = world.network().bind(client, None).unwrap();
    let address = world.turn_address(turn);
    world.network().send((client, local), address, &requests()[0]);
    world.run_for(secs(1));
    assert_eq!(world.turn(turn).counts().requests, 4, "cut off");
}

#[test]
fn allocations_end_in_a_scenario_at_their_time() {
    let mut world = World::seeded(7);
    let turn = world.turn_server_with(|config| config.authentication = false);
    let mut pen = Pen::new(TURN_USER);
    assert_eq!(ask_in(&mut world, turn, &[pen.unsigned(ALLOCATE, &[udp()])]), 1);
    let ends = world.turn(turn).allocations().next().unwrap().relays()[0].expires();
    world.run_for(ends.since(world.now()) - Duration::from_nanos(1));
    assert_eq!(world.turn(turn).allocations().count(), 1);
    world.run_for(Duration::from_nanos(1));
    assert_eq!(world.turn(turn).allocations().count(), 0);
    ask_in(&mut world, turn, &[pen.unsigned(ALLOCATE, &[udp()])]);
    world.restart_turn(turn);
    assert_eq!(world.turn(turn).allocations().count(), 0);
    assert!(world.timeline().contains("started anew"));
}

/// Servers that nobody uses change nothing of what happens between the peers.
#[test]
fn servers_leave_a_scenario_as_it_is() {
    let play = |with_servers: bool| {
        let mut world = World::seeded(3);
        let peers = world.pair(open(), open());
        if with_servers {
            world.stun_server();
            world.turn_server();
        }
        world.run_until(both_selected).within(secs(1));
        peers.map(|peer| world.selected_at(peer))
    };
    assert_eq!(play(true), play(false));
}

/// What only TLS to port 443 gets out of reaches a relay all the same.
#[test]
fn a_relay_is_reached_over_every_kind_of_stream() {
    for (kind, port) in [(StreamKind::Tcp, 3478), (StreamKind::Tls, 5349), (StreamKind::Tls, 443)] {
        let mut net = Net::new();
        let firewall = if port == 443 { Firewall::WEB_ONLY } else { Firewall::NO_UDP };
        net.net.set_firewall(net.client.0, firewall);
        net.net.set_pieces(Pieces::Random);
        let at = SocketAddr::new(net.turn.address().ip(), port);
        let stream = net.net.connect(net.client.0, None, at, kind).unwrap();
        let mut input: Vec<u8> = Vec::new();
        let mut say = |net: &mut Net, bytes: &[u8]| {
            net.net.write(stream, bytes);
            let end = net.net.now() + secs(2);
            while let Some(happening) = net.net.advance_all(end) {
                match happening {
                    Happening::Datagram(delivery) if net.turn.on_delivery(&mut net.net, &delivery) => {}
                    Happening::Datagram(delivery) => net.heard[1].push((delivery.remote, delivery.bytes)),
                    Happening::Stream(event) if net.turn.on_stream(&mut net.net, &event) => {}
                    Happening::Stream(event) => {
                        if let StreamChange::Bytes(bytes) = event.change {
                            input.extend(bytes);
                        }
                    }
                    Happening::Icmp(error) => panic!("{error:?}"),
                }
            }
            core::mem::take(&mut input)
        };
        assert_eq!(say(&mut net, b""), b"", "connected");
        let request = net.pen.unsigned(ALLOCATE, &[udp()]);
        let challenge = Answer(say(&mut net, &request));
        net.pen.accept(&challenge);
        let request = net.pen.signed(ALLOCATE, &[udp()]);
        let relay = Answer(say(&mut net, &request)).address(XOR_RELAYED_ADDRESS).unwrap();
        let request = net.pen.signed(CHANNEL_BIND, &[channel(0x4000), peer(&net.peer.1.to_string())]);
        assert_eq!(Answer(say(&mut net, &request)).code(), None);
        net.net.send(net.peer, relay, b"knock");
        assert_eq!(say(&mut net, b"\x40\0\0\x05hello\0\0\0"), b"\x40\0\0\x05knock\0\0\0");
        assert_eq!(net.heard[1], [(relay, b"hello".to_vec())]);
        net.net.close_stream(stream);
        say(&mut net, b"");
        assert_eq!(net.turn.server().allocations().count(), 0);
    }
}
