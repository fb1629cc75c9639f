//! What NAT this machine is behind, measured with sockets of its own (RFC 5780): the engine's discovery on real sockets.

use std::io;
use std::net::SocketAddr;

use floe_core::nat::{
    Discovery, DiscoveryConfig, DiscoveryOutput, LifetimeSearch, MAX_PROBE, NatBehaviour, Spot,
};
use floe_core::{Instant, SocketId};
use tokio::net::UdpSocket;
use tokio::time::sleep_until;

/// More than any answer has.
const MAX_ANSWER: usize = 1500;

/// Measures the way to `server`. With `lifetime`, that of a mapping too, which takes many minutes.
pub(crate) async fn discover(server: SocketAddr, lifetime: bool) -> io::Result<NatBehaviour> {
    let local = local_towards(server).await?;
    // Fresh ports, which no filter knows yet (RFC 5780 §4.1).
    let sockets = [UdpSocket::bind((local, 0)).await?, UdpSocket::bind((local, 0)).await?];
    let spot = |index: u32, socket: &UdpSocket| -> io::Result<Spot> {
        Ok(Spot { socket: SocketId(index), local: socket.local_addr()? })
    };
    let [first, second] = &sockets;
    let config = DiscoveryConfig {
        second: Some(spot(1, second)?),
        lifetime: lifetime.then(LifetimeSearch::default),
        ..DiscoveryConfig::new(server, spot(0, first)?)
    };
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let mut discovery = Discovery::new(config, seed).map_err(io::Error::other)?;
    let start = tokio::time::Instant::now();
    let now = || {
        let nanos = u64::try_from(start.elapsed().as_nanos());
        Instant::from_nanos(nanos.unwrap_or(u64::MAX))
    };
    let mut scratch = [0; MAX_PROBE];
    let mut answers = [[0; MAX_ANSWER]; 2];
    loop {
        match discovery.poll(now(), &mut scratch) {
            DiscoveryOutput::Transmit(probe) => {
                let (socket, remote) = (probe.socket, probe.remote);
                let from = if socket == SocketId(0) { first } else { second };
                if from.send_to(probe.contents, remote).await.is_err() {
                    // Only counted: the network may be back for the next one.
                    let _ = discovery.send_failed(now(), socket, remote);
                }
            }
            DiscoveryOutput::Wait(until) => {
                let [of_first, of_second] = &mut answers;
                let (socket, received) = tokio::select! {
                    received = first.recv_from(of_first) => (SocketId(0), received),
                    received = second.recv_from(of_second) => (SocketId(1), received),
                    () = sleep_until(start + until.since(Instant::ZERO)) => continue,
                };
                // Windows tells here that an earlier datagram was refused.
                let Ok((size, remote)) = received else { continue };
                let [of_first, of_second] = &answers;
                let answer = if socket == SocketId(0) { of_first } else { of_second };
                discovery.receive(now(), socket, remote, answer.get(..size).unwrap_or_default());
            }
            DiscoveryOutput::Done(found) => return Ok(found),
        }
    }
}

/// The address that this machine sends from towards there.
async fn local_towards(server: SocketAddr) -> io::Result<std::net::IpAddr> {
    let any: SocketAddr = if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    Ok(socket.local_addr()?.ip())
}
