//! The client against a scripted server, over a link with a delay, of 20 ms each way unless told, that may lose, in simulated time.

mod life;
mod limits;
mod loss;
mod refusals;
mod server;
mod trust;

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::allocation::MAX_REQUEST;
use super::{Allocation, AllocationConfig, Carrier, Families, FromServer, RelayCredentials, RelayEvent};
use crate::base::{Instant, Random};
use crate::wire::{Method, TransactionId};
use server::{Manner, PASSWORD, Server, USER};

const TA: Duration = Duration::from_millis(50);

struct Stage {
    now: Instant,
    allocation: Allocation,
    server: Server,
    random: Random,
    slot: Instant,
    /// Of 100 messages so many are lost, in each direction.
    loss: u64,
    delay: Duration,
    luck: Random,
    /// When it arrives, whether at the server, and what.
    link: Vec<(Instant, bool, Vec<u8>)>,
    events: Vec<(Instant, RelayEvent)>,
    /// When, what, and in which transmission.
    sent: Vec<(Instant, Method, u8)>,
    /// What came from the server and was not an answer.
    received: Vec<FromServer>,
}

fn config() -> AllocationConfig {
    AllocationConfig {
        server: address("203.0.113.1:3478"),
        carrier: Carrier::Datagrams,
        families: Families::V4,
        credentials: RelayCredentials::new(USER, PASSWORD).unwrap(),
        rto: Duration::from_millis(500),
        redirected_by: smallvec::SmallVec::new(),
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Stage {
    fn new(config: AllocationConfig, server: Server) -> Self {
        Self {
            now: Instant::ZERO,
            allocation: Allocation::new(config),
            server,
            random: Random::new([1; 32]),
            slot: Instant::ZERO,
            loss: 0,
            delay: Duration::from_millis(20),
            luck: Random::new([2; 32]),
            link: Vec::new(),
            events: Vec::new(),
            sent: Vec::new(),
            received: Vec::new(),
        }
    }

    /// With an allocation.
    fn allocated(config: AllocationConfig, manner: Manner) -> Self {
        let mut stage = Self::new(config, Server::new(manner));
        stage.run(secs(1));
        assert!(stage.allocation.is_alive(), "{:?}", stage.events);
        stage.events.clear();
        stage
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.listen();
    }

    /// To the next thing that happens; whether it is before the end.
    fn step(&mut self, end: Instant) -> bool {
        let arrival = self.link.iter().map(|(at, ..)| *at).min();
        let next = self.allocation.next_deadline(self.slot).into_iter().chain(arrival).min();
        let Some(next) = next.filter(|at| *at <= end) else {
            self.now = end;
            return false;
        };
        assert!(next >= self.now || next <= self.slot, "time stands still at {}", self.now);
        self.now = self.now.max(next);
        while let Some(index) = self.link.iter().position(|(at, ..)| *at <= self.now) {
            let (_, to_server, bytes) = self.link.remove(index);
            if to_server {
                if let Some(answer) = self.server.on_message(self.now, &bytes) {
                    self.carry(false, answer);
                }
            } else {
                let outcome = self.allocation.on_message(self.now, &bytes);
                if outcome != FromServer::Handled {
                    self.received.push(outcome);
                }
            }
        }
        let mut buffer = [0; MAX_REQUEST];
        while let Some(written) = self.allocation.repeat(self.now, &mut buffer) {
            self.sent.push((self.now, written.method, written.transmission));
            self.carry(true, buffer[..written.length].to_vec());
        }
        if self.slot <= self.now && self.allocation.wants_slot(self.now) {
            let written = self.allocation.begin(self.now, &mut self.random, &mut buffer).unwrap();
            self.slot = self.now + TA;
            self.sent.push((self.now, written.method, written.transmission));
            self.carry(true, buffer[..written.length].to_vec());
        }
        self.listen();
        true
    }

    fn listen(&mut self) {
        while let Some(event) = self.allocation.next_event() {
            self.events.push((self.now, event));
        }
    }

    fn carry(&mut self, to_server: bool, bytes: Vec<u8>) {
        if self.luck.within(0..100) >= self.loss {
            self.link.push((self.now + self.delay, to_server, bytes));
        }
    }

    /// A datagram from a peer, if the server relays it: what the client makes of it.
    fn peer_sends(&mut self, peer: SocketAddr, data: &[u8]) -> Option<FromServer> {
        let bytes = self.server.peer_sends(self.now, peer, data)?;
        let outcome = self.allocation.on_message(self.now, &bytes);
        if let FromServer::Data { payload, .. } = &outcome {
            assert_eq!(bytes[payload.clone()], *data);
        }
        Some(outcome)
    }

    /// Sends to a peer; gives the bytes on the wire.
    fn send(&mut self, peer: SocketAddr, data: &[u8]) -> Result<usize, super::NotFramed> {
        let mut buffer = [0; 1500];
        let id = TransactionId(self.random.transaction_id());
        let length = self.allocation.frame(self.now, id, peer, data, &mut buffer)?;
        self.server.on_message(self.now, &buffer[..length]);
        Ok(length)
    }

    /// All that changes something.
    fn said(&self) -> Vec<RelayEvent> {
        let events = self.events.iter().map(|(_, event)| event.clone());
        events.filter(|event| !matches!(event, RelayEvent::Refused { .. })).collect()
    }
}
