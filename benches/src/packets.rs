//! The simulator at work: packets from a host through its NAT, through the other's NAT, to the other host, and the other way round.

use core::time::Duration;
use std::error::Error;
use std::net::SocketAddr;

use floe_sim::{Attachment, DropReason, HostId, LinkConfig, NatConfig, Network};

/// Packets in one iteration: one each way.
pub const PACKETS: u32 = 2;
/// Bytes in each.
pub const PAYLOAD: usize = 100;
/// A packet each way every millisecond, and 20 of them on their way.
const INTERVAL: Duration = Duration::from_millis(1);
const LATENCY: Duration = Duration::from_millis(20);

/// Two hosts behind a NAT each, with holes made for each other.
pub struct Path {
    net: Network,
    /// A socket, and where the other is seen.
    sides: [((HostId, SocketAddr), SocketAddr); 2],
    received: u64,
}

impl Path {
    /// Both NATs behave like this.
    ///
    /// # Errors
    /// If such NATs do not let them meet.
    pub fn through(config: &NatConfig) -> Result<Self, Box<dyn Error>> {
        let mut net = Network::seeded(1);
        net.set_link(LinkConfig::one_way(LATENCY));
        let server = net.add_host(Attachment::Public);
        let server_at = net.bind(server, None)?;
        let mut host = || -> Result<_, Box<dyn Error>> {
            let nat = net.add_nat(config.clone());
            let host = net.add_host(Attachment::Behind(nat));
            let local = net.bind(host, None)?;
            Ok((host, local))
        };
        let sockets = [host()?, host()?];
        let mut seen =
            |(host, local)| -> Result<SocketAddr, DropReason> { net.mapped_address(host, local, server_at) };
        let [alice, bob] = [seen(sockets[0]), seen(sockets[1])];
        let sides = [(sockets[0], bob.map_err(|_| "no port")?), (sockets[1], alice.map_err(|_| "no port")?)];
        let mut path = Self { net, sides, received: 0 };
        for _ in 0..100 {
            path.step();
        }
        path.received = 0;
        path.step();
        if path.received == u64::from(PACKETS) { Ok(path) } else { Err("no hole was made".into()) }
    }

    /// A millisecond passes: each side sends a packet, and gets one.
    pub fn step(&mut self) {
        for (from, to) in self.sides {
            self.net.send(from, to, &[7; PAYLOAD]);
        }
        let until = self.net.now() + INTERVAL;
        while let Some(delivery) = self.net.advance(until) {
            self.received += u64::from(delivery.bytes.len() == PAYLOAD);
        }
    }

    /// Packets that have come, since this path was made.
    pub fn received(&self) -> u64 {
        self.received
    }
}
