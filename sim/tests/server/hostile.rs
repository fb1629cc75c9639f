//! Whatever bytes come, in whatever order: no panic, no loop, nothing that grows past its limit.

use core::time::Duration;

use floe_sim::server::{Allocation, FiveTuple, StunServer, Transport, TurnOutput};
use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

use crate::client::{
    ALLOCATE, BINDING, CHANNEL_BIND, CREATE_PERMISSION, DATA, DONT_FRAGMENT, EVEN_PORT, Lab, REFRESH, SEND,
    channel, lifetime, peer, server_address, udp,
};

const ROUNDS: u32 = 20_000;

struct Chance(ChaCha12Rng);

impl Chance {
    fn new(seed: u8) -> Self {
        Self(ChaCha12Rng::from_seed([seed; 32]))
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0.next_u32() as usize % limit
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let mut bytes = vec![0; self.below(most + 1)];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// The same with a few bytes changed, left out or added.
    fn spoil(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        for _ in 0..self.below(4) {
            let at = self.below(bytes.len().max(1));
            match self.below(4) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at.min(bytes.len()), 0xFF),
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << (self.0.next_u32() % 8);
                    }
                }
            }
        }
        bytes
    }
}

/// Something that a client may send, right in form.
fn message(lab: &mut Lab, chance: &mut Chance) -> Vec<u8> {
    let peer = || peer(["192.0.2.9:1", "192.0.2.8:2", "[2001:db8::9]:3", "127.0.0.1:4"][0]);
    let junk = (chance.0.next_u32() as u16, chance.bytes(40));
    let attributes = match chance.below(8) {
        0 => vec![udp()],
        1 => vec![udp(), (EVEN_PORT, vec![0x80])],
        2 => vec![udp(), (DONT_FRAGMENT, vec![]), junk],
        3 => vec![peer(), (DATA, chance.bytes(100))],
        4 => vec![peer(), channel(0x4000 + chance.below(4) as u16)],
        5 => vec![lifetime(chance.below(2) as u32 * 700)],
        6 => vec![peer(), peer(), junk],
        _ => vec![junk],
    };
    let method = [BINDING, ALLOCATE, REFRESH, CREATE_PERMISSION, CHANNEL_BIND, SEND][chance.below(6)];
    match chance.below(6) {
        0 => lab.unsigned(method, &attributes),
        1 => lab.indication(SEND, &attributes),
        2 => [&[0x40, chance.below(4) as u8, 0, 5][..], b"hello\0\0\0"].concat(),
        _ => lab.signed(method, &attributes),
    }
}

#[test]
fn a_turn_server_survives_anything() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut chance = Chance::new(1);
        let mut lab = Lab::new(|config| {
            config.max_relays = 20;
            config.max_permissions = 3;
            config.max_channels = 3;
            config.nonce_lifetime = Duration::MAX;
        });
        lab.client.transport = transport;
        let challenges = [0, 1, 2, 3].map(|n| {
            lab.client(40_000 + n).request(REFRESH, &[]);
            lab.challenge.clone()
        });
        let (mut answered, mut relayed) = (0, 0);
        for round in 0..ROUNDS {
            // Few clients, so that their requests meet.
            let client = chance.below(4);
            lab.client(40_000 + client as u16).challenge = challenges[client].clone();
            if chance.below(200) == 0 {
                lab.server.stream_closed(lab.client, &mut lab.sockets);
            }
            // Junk ends a stream, and the allocation with it.
            let bytes = match chance.below(if transport == Transport::Udp { 4 } else { 40 }) {
                0 => chance.bytes(1600),
                1 => {
                    let whole = message(&mut lab, &mut chance);
                    chance.spoil(whole)
                }
                _ => message(&mut lab, &mut chance),
            };
            let outputs = lab.raw(&bytes);
            // A frame is at least four bytes, and brings about one thing at most.
            assert!(outputs.len() <= 1 + bytes.len() / 4, "round {round}");
            answered += outputs.iter().filter(|o| matches!(o, TurnOutput::ToClient { .. })).count();
            relayed += outputs.iter().filter(|o| matches!(o, TurnOutput::ToPeer { .. })).count();
            assert!(lab.sockets.open.len() <= 20 && lab.server.allocations().count() <= 4);
            for relay in lab.server.allocations().flat_map(Allocation::relays) {
                assert!(relay.permissions(lab.now).count() <= 3 && relay.channels(lab.now).count() <= 3);
            }
            let passed = Duration::from_millis(chance.below(1_000) as u64);
            lab.pass(passed);
        }
        assert!(answered > 1_000, "{answered} answers");
        assert!(relayed > 10, "{relayed} relayed");
        lab.pass(Duration::from_secs(3_600));
        assert!(lab.sockets.open.is_empty(), "everything has ended");
    }
}

#[test]
fn a_stun_server_survives_anything() {
    let mut chance = Chance::new(2);
    let other = "198.51.100.2:3479".parse().unwrap();
    let mut server = StunServer::with_other(server_address(), other).unwrap();
    let mut lab = Lab::new(|_| {});
    let mut answered = 0;
    for _ in 0..ROUNDS {
        let junk = (chance.below(0x30) as u16, chance.bytes(8));
        let request = lab.unsigned(BINDING, &[junk]);
        let bytes = if chance.below(2) == 0 { chance.bytes(1600) } else { chance.spoil(request) };
        answered += u32::from(server.receive(server_address(), lab.client.client, &bytes).is_some());
    }
    assert!(answered > 1_000, "{answered} answers");
}

/// What waits to be fetched is bounded, whether or not anybody fetches it.
#[test]
fn outputs_that_nobody_fetches_do_not_pile_up() {
    let mut lab = Lab::new(|_| {});
    let request = lab.unsigned(BINDING, &[]);
    for port in 0..20_000 {
        let client = FiveTuple::udp(([203, 0, 113, 7], port).into(), server_address());
        lab.server.receive(lab.now, client, &request, &mut lab.sockets);
    }
    assert_eq!(core::iter::from_fn(|| lab.server.poll()).count(), 4_096);
    assert_eq!(lab.server.counts().dropped, 20_000 - 4_096);
}

/// The 10,001st stream is closed; those that are there go on.
#[test]
fn there_are_only_so_many_streams() {
    let mut lab = Lab::new(|_| {});
    let stream = |port| FiveTuple {
        transport: Transport::Tcp,
        client: ([203, 0, 113, 7], port).into(),
        server: server_address(),
    };
    for port in 0..10_000 {
        lab.server.stream_input(lab.now, stream(port), b"\0", &mut lab.sockets);
        assert_eq!(lab.server.poll(), None);
    }
    lab.server.stream_input(lab.now, stream(10_000), b"\0", &mut lab.sockets);
    assert_eq!(lab.server.poll(), Some(TurnOutput::CloseStream(stream(10_000))));
    lab.server.stream_input(lab.now, stream(0), b"\x01", &mut lab.sockets);
    assert_eq!(lab.server.poll(), None);
    lab.server.stream_closed(stream(0), &mut lab.sockets);
    lab.server.stream_input(lab.now, stream(10_000), b"\0", &mut lab.sockets);
    assert_eq!(lab.server.poll(), None);
}
