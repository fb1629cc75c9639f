//! Against a server that the test plays itself: wrong, forged, late and missing answers, and callers who do things in the wrong order.

mod caller;
mod hostile;

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::*;
use crate::base::{Instant, SocketId};
use crate::wire::{Class, Message, MessageWriter, Method, ServerAttributes, TransactionId};

const MAPPED: &str = "203.0.113.5:6000";
const OTHER: &str = "198.51.100.2:3479";

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

fn server() -> SocketAddr {
    at("198.51.100.1:3478")
}

fn spot(index: u32) -> Spot {
    Spot { socket: SocketId(index), local: SocketAddr::from(([10, 0, 0, 2], 50_000 + index as u16)) }
}

fn config() -> DiscoveryConfig {
    DiscoveryConfig { second: Some(spot(1)), ..DiscoveryConfig::new(server(), spot(0)) }
}

/// A discovery, and what it has sent.
struct Table {
    discovery: Discovery,
    now: Instant,
    sent: Vec<Sent>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Sent {
    at: Instant,
    socket: SocketId,
    remote: SocketAddr,
    id: TransactionId,
    change: Option<(bool, bool)>,
    response_port: Option<u16>,
}

impl Table {
    fn new(config: DiscoveryConfig) -> Self {
        Self { discovery: Discovery::new(config, [1; 32]).unwrap(), now: Instant::ZERO, sent: Vec::new() }
    }

    /// Takes what there is to be sent now, and tells until when to wait.
    fn drain(&mut self) -> Result<Instant, NatBehaviour> {
        let mut scratch = [0; MAX_PROBE];
        for _ in 0..100 {
            match self.discovery.poll(self.now, &mut scratch) {
                DiscoveryOutput::Transmit(probe) => {
                    let message = Message::parse(probe.contents).unwrap();
                    let attributes = ServerAttributes::read(&message).unwrap();
                    self.sent.push(Sent {
                        at: self.now,
                        socket: probe.socket,
                        remote: probe.remote,
                        id: message.transaction_id(),
                        change: attributes.change_request().map(|change| (change.ip, change.port)),
                        response_port: attributes.response_port(),
                    });
                }
                DiscoveryOutput::Wait(until) => {
                    assert!(until > self.now, "it waits for now");
                    return Ok(until);
                }
                DiscoveryOutput::Done(found) => return Err(found),
            }
        }
        panic!("it sends without end")
    }

    /// Runs to the end; `answer` is asked for each datagram and gives what comes back at once, to which socket and from where.
    fn run(&mut self, mut answer: impl FnMut(&Sent) -> Vec<(SocketId, SocketAddr, Vec<u8>)>) -> NatBehaviour {
        loop {
            let known = self.sent.len();
            let drained = self.drain();
            let new: Vec<Sent> = self.sent[known..].into();
            for sent in &new {
                for (socket, remote, bytes) in answer(sent) {
                    self.discovery.receive(self.now, socket, remote, &bytes);
                }
            }
            match drained {
                Err(found) => return found,
                Ok(until) if self.sent.len() == known => self.now = until,
                Ok(_) => {}
            }
        }
    }
}

/// A success, as a server of two addresses writes it.
fn success(id: TransactionId, mapped: SocketAddr) -> Vec<u8> {
    let mut buffer = [0; 128];
    let length = MessageWriter::new(&mut buffer, Class::Success, Method::BINDING, id)
        .xor_mapped_address(mapped)
        .mapped_address(mapped)
        .other_address(at(OTHER))
        .finish()
        .unwrap();
    buffer[..length].to_vec()
}

/// The answer of a faultless server, through a NAT that lets everything in and maps by the socket.
fn honest(sent: &Sent) -> Vec<(SocketId, SocketAddr, Vec<u8>)> {
    let mapped = |socket: SocketId| SocketAddr::new(at(MAPPED).ip(), at(MAPPED).port() + socket.0 as u16);
    if sent.remote.ip() == at(MAPPED).ip() {
        return Vec::new();
    }
    let socket = match sent.response_port {
        Some(port) => SocketId(u32::from(port - at(MAPPED).port())),
        None => sent.socket,
    };
    let from = match sent.change {
        Some((true, true)) => at(OTHER),
        Some((false, true)) => SocketAddr::new(server().ip(), at(OTHER).port()),
        _ => sent.remote,
    };
    alloc::vec![(socket, from, success(sent.id, mapped(sent.socket)))]
}
