//! Once connected, a datagram costs no allocation: sent, received, or a check that is answered.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end with a panic"
)]

use std::net::SocketAddr;
use std::time::Duration;

use floe_core::{
    Agent, AgentConfig, ComponentId, Datagram, Event, Instant, MAX_TRANSMIT, Output, Received, Role, Socket,
    SocketId,
};

/// Two agents with nothing between them.
struct Pair {
    now: Instant,
    agents: [Agent; 2],
}

fn address(side: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1 + side as u8], 4_000))
}

impl Pair {
    fn connected() -> Self {
        let agents = [Role::Controlling, Role::Controlled].map(|role| {
            let config = AgentConfig { role, ..Default::default() };
            Agent::new(config, [role as u8; 32]).unwrap()
        });
        let mut pair = Self { now: Instant::ZERO, agents };
        for side in 0..2 {
            let other = pair.agents[1 - side].local_credentials().clone();
            let agent = &mut pair.agents[side];
            agent.socket_up(Instant::ZERO, Socket::udp(SocketId(0), address(side))).unwrap();
            agent.set_remote_credentials(Instant::ZERO, other).unwrap();
        }
        for _ in 0..200 {
            pair.exchange();
            pair.now = pair.now + Duration::from_millis(10);
        }
        assert!(pair.agents.iter().all(|a| a.selected_path(ComponentId::FIRST).is_some()));
        pair
    }

    /// Polls both until neither has anything to say; tells how many datagrams went over.
    fn exchange(&mut self) -> usize {
        let mut datagrams = 0;
        loop {
            let mut quiet = true;
            for side in 0..2 {
                let mut scratch = [0; MAX_TRANSMIT];
                match self.agents[side].poll(self.now, &mut scratch) {
                    Output::Transmit(transmit) => {
                        let length = transmit.contents.len();
                        let datagram = Datagram::new(SocketId(0), address(side), &mut scratch[..length]);
                        self.agents[1 - side].receive(self.now, datagram);
                        datagrams += 1;
                        quiet = false;
                    }
                    Output::Event(Event::LocalCandidate { candidate, .. }) => {
                        self.agents[1 - side].add_remote_candidate(self.now, &candidate).unwrap();
                        quiet = false;
                    }
                    Output::Event(_) => quiet = false,
                    Output::Resolve(_) | Output::Socket(_) | Output::Wait(_) | Output::Closed => {}
                }
            }
            if quiet {
                return datagrams;
            }
        }
    }
}

#[test]
fn data_is_sent_and_received_without_an_allocation() {
    let mut pair = Pair::connected();
    let now = pair.now;
    let mut received = 0;
    let cost = allocation_counter::measure(|| {
        for n in 0..1_000_u32 {
            let mut scratch = [0; MAX_TRANSMIT];
            // The first byte is not STUN's (RFC 7983 §7).
            let payload = [0x80, n as u8, 1, 2, 3, 4, 5, 6];
            let transmit = pair.agents[0].send(now, ComponentId::FIRST, &payload, &mut scratch).unwrap();
            let mut arrived = [0; 8];
            arrived.copy_from_slice(transmit.contents);
            match pair.agents[1].receive(now, Datagram::new(SocketId(0), address(0), &mut arrived)) {
                Received::Data { payload, .. } => received += payload.len(),
                other => panic!("{other:?}"),
            }
        }
    });
    assert_eq!(received, 8_000);
    assert_eq!(cost.count_total, 0, "{cost:?}");
}

/// Ten minutes of consent checks, each a request, its verification, its answer and that one's verification.
#[test]
fn checks_are_sent_answered_and_taken_without_an_allocation() {
    let mut pair = Pair::connected();
    let mut datagrams = 0;
    let cost = allocation_counter::measure(|| {
        for _ in 0..6_000 {
            pair.now = pair.now + Duration::from_millis(100);
            datagrams += pair.exchange();
        }
    });
    assert!(datagrams > 400, "{datagrams}");
    assert_eq!(cost.count_total, 0, "{cost:?}");
}

/// A header is four bytes, and may promise 64 kB: who opens many connections must not get that for each of them.
#[test]
fn a_stream_gets_the_memory_that_it_has_filled_and_not_what_it_promises() {
    use floe_core::wire::{FrameDecoder, Framing};

    let mut frame = vec![7; 60_002];
    frame[..2].copy_from_slice(&60_000_u16.to_be_bytes());
    let mut decoder = FrameDecoder::new(Framing::Rfc4571);
    for (from, to) in [(0, 3), (3, 500), (500, 1_000)] {
        let mut held = 0;
        let heap = allocation_counter::measure(|| {
            assert_eq!(decoder.next(&mut &frame[from..to]), Ok(None));
            held = decoder.held();
        });
        assert!(heap.bytes_max <= 3 * to as u64, "{held} bytes are held in {} new ones", heap.bytes_max);
    }
    let whole = decoder.next(&mut &frame[1_000..]).unwrap().map(<[u8]>::len);
    assert_eq!(whole, Some(60_000));
    // And again and again, in what is there already.
    let heap = allocation_counter::measure(|| {
        for _ in 0..100 {
            assert_eq!(decoder.next(&mut &frame[..9]), Ok(None));
            assert!(decoder.next(&mut &frame[9..]).unwrap().is_some());
        }
    });
    assert_eq!(heap.count_total, 0);
}
