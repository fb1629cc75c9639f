//! Servers on hosts of a simulated network: what comes to their sockets goes into them, and what they send comes out.

use core::net::SocketAddr;
use std::collections::BTreeMap;

use crate::server::{
    Allocation, FiveTuple, RelaySockets, StunServer, Transport, TurnConfig, TurnConfigError, TurnOutput,
    TurnServer,
};
use crate::{
    Attachment, BindError, Delivery, Family, HostId, Instant, Network, StreamChange, StreamEvent, StreamId,
    StreamKind,
};

/// The ports of STUN and TURN (RFC 8489 §18.6), the one that firewalls let through, and another for RFC 5780.
const PORT: u16 = 3478;
const TLS_PORT: u16 = 5349;
const WEB_PORT: u16 = 443;
const OTHER_PORT: u16 = 3479;

/// A [`StunServer`] on a public host: at two IPv4 addresses and two ports of each (RFC 5780), and at one IPv6 address.
///
/// Whoever runs the network gives it each [`Delivery`].
///
/// ```
/// use floe_sim::{Attachment, NatConfig, Network, StunHost};
///
/// let mut net = Network::seeded(1);
/// let mut stun = StunHost::new(&mut net)?;
/// let nat = net.add_nat(NatConfig::symmetric());
/// let alice = net.add_host(Attachment::Behind(nat));
/// let local = net.bind(alice, None)?;
/// net.send((alice, local), stun.address(), b"\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl");
/// let soon = net.now() + std::time::Duration::from_secs(1);
/// let mut answered = None;
/// while let Some(delivery) = net.advance(soon) {
///     if !stun.on_delivery(&mut net, &delivery) {
///         answered = Some(delivery);
///     }
/// }
/// assert_eq!(answered.ok_or("no answer")?.remote, stun.address());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct StunHost {
    host: HostId,
    addresses: Vec<SocketAddr>,
    server: StunServer,
}

impl StunHost {
    /// A server on a host of its own.
    ///
    /// # Errors
    /// None in a network that has addresses left.
    pub fn new(network: &mut Network) -> Result<Self, HostingError> {
        let host = network.add_host(Attachment::Public);
        let other = network.add_address(host, Family::V4);
        let v6 = network.add_address(host, Family::V6);
        let first = network.addresses(host).next().ok_or(BindError::NotAnAddress)?;
        let (main, other) = (SocketAddr::new(first, PORT), SocketAddr::new(other, OTHER_PORT));
        let server = StunServer::with_other(main, other).ok_or(BindError::NotAnAddress)?;
        let mut addresses = server.sockets();
        addresses.push(SocketAddr::new(v6, PORT));
        for address in &addresses {
            network.bind(host, Some(*address))?;
        }
        Ok(Self { host, addresses, server })
    }

    /// Where it lives.
    pub fn host(&self) -> HostId {
        self.host
    }

    /// Where it is asked, over IPv4.
    #[expect(clippy::indexing_slicing, reason = "there are five, since it was made")]
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Where it is asked, the other address and the other ports included.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The server itself.
    pub fn server(&mut self) -> &mut StunServer {
        &mut self.server
    }

    /// A datagram has arrived somewhere. False if that is not here.
    pub fn on_delivery(&mut self, network: &mut Network, delivery: &Delivery) -> bool {
        if delivery.host != self.host {
            return false;
        }
        if let Some(reply) = self.server.receive(delivery.local, delivery.remote, &delivery.bytes) {
            network.send((self.host, reply.from), reply.to, &reply.bytes);
        }
        true
    }
}

/// A [`TurnServer`] on a public host, with an IPv4 and an IPv6 address that it is asked at and relays from: over datagrams and
/// TCP at port 3478, over TLS at ports 5349 and 443.
///
/// Whoever runs the network gives it each [`Delivery`] and [`StreamEvent`], and calls [`advance`](Self::advance) when it wants to.
pub struct TurnHost {
    host: HostId,
    addresses: [SocketAddr; 2],
    server: TurnServer,
    streams: BTreeMap<FiveTuple, StreamId>,
}

impl TurnHost {
    /// A server on a host of its own. `change` may change its configuration, which has no users yet.
    ///
    /// # Errors
    /// The configuration cannot be served.
    pub fn new(
        network: &mut Network,
        seed: [u8; 32],
        change: impl FnOnce(&mut TurnConfig),
    ) -> Result<Self, HostingError> {
        let host = network.add_host(Attachment::Public);
        let v6 = network.add_address(host, Family::V6);
        let v4 = network.addresses(host).next().ok_or(BindError::NotAnAddress)?;
        let mut config = TurnConfig::new("floe.test", v4);
        config.relay_addresses.push(v6);
        change(&mut config);
        let server = TurnServer::new(config, seed)?;
        let addresses = [v4, v6].map(|ip| SocketAddr::new(ip, PORT));
        for address in addresses {
            network.bind(host, Some(address))?;
            network.listen(host, address, StreamKind::Tcp)?;
            for port in [TLS_PORT, WEB_PORT] {
                network.listen(host, SocketAddr::new(address.ip(), port), StreamKind::Tls)?;
            }
        }
        Ok(Self { host, addresses, server, streams: BTreeMap::new() })
    }

    /// Where it lives.
    pub fn host(&self) -> HostId {
        self.host
    }

    /// Where it is asked, over IPv4.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Where it is asked, over IPv4 and over IPv6.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The server itself.
    pub fn server(&mut self) -> &mut TurnServer {
        &mut self.server
    }

    /// A datagram has arrived somewhere. False if that is not here.
    pub fn on_delivery(&mut self, network: &mut Network, delivery: &Delivery) -> bool {
        let Delivery { at, host, local, remote, bytes } = delivery;
        if *host != self.host {
            return false;
        }
        if self.addresses.contains(local) {
            let mut sockets = Bench { network, host: self.host };
            self.server.receive(*at, FiveTuple::udp(*remote, *local), bytes, &mut sockets);
        } else {
            self.server.relay_input(*at, *local, *remote, bytes);
        }
        self.flush(network);
        true
    }

    /// Something has happened to a stream. False if that is not here.
    pub fn on_stream(&mut self, network: &mut Network, event: &StreamEvent) -> bool {
        if event.host != self.host {
            return false;
        }
        let (client, server) = (event.remote, event.local);
        let transport = if server.port() == PORT { Transport::Tcp } else { Transport::Tls };
        let client = FiveTuple { transport, client, server };
        match &event.change {
            StreamChange::Accepted(_) => {
                self.streams.insert(client, event.stream);
            }
            StreamChange::Bytes(bytes) => {
                let mut sockets = Bench { network, host: self.host };
                self.server.stream_input(event.at, client, bytes, &mut sockets);
            }
            StreamChange::Ended | StreamChange::Reset | StreamChange::TimedOut => {
                self.streams.remove(&client);
                self.server.stream_closed(client, &mut Bench { network, host: self.host });
            }
            StreamChange::Connected | StreamChange::Refused => {}
        }
        self.flush(network);
        true
    }

    /// When it wants [`advance`](Self::advance) to be called.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.server.next_deadline()
    }

    /// Lets it end what has not been refreshed in time.
    pub fn advance(&mut self, network: &mut Network) {
        let now = network.now();
        self.server.advance(now, &mut Bench { network, host: self.host });
    }

    /// Makes it forget all allocations and nonces, and breaks its streams off, as a server does that is started anew.
    pub fn restart(&mut self, network: &mut Network) {
        for (client, stream) in core::mem::take(&mut self.streams) {
            network.reset_stream(stream);
            self.server.stream_closed(client, &mut Bench { network, host: self.host });
        }
        let clients: Vec<FiveTuple> = self.server.allocations().map(Allocation::client).collect();
        for client in clients {
            self.server.forget_allocation(client, &mut Bench { network, host: self.host });
        }
        self.server.forget_nonces();
    }

    fn flush(&mut self, network: &mut Network) {
        while let Some(output) = self.server.poll() {
            match output {
                TurnOutput::ToClient { client, bytes } if client.transport != Transport::Udp => {
                    // What finds no room is lost, as the datagram for which it stands might have been.
                    if let Some(stream) = self.streams.get(&client) {
                        network.write(*stream, &bytes);
                    }
                }
                TurnOutput::ToClient { client, bytes } => {
                    network.send((self.host, client.server), client.client, &bytes);
                }
                // Links do not fragment anyway.
                TurnOutput::ToPeer { relay, peer, bytes, .. } => {
                    network.send((self.host, relay), peer, &bytes);
                }
                TurnOutput::CloseStream(client) => {
                    if let Some(stream) = self.streams.remove(&client) {
                        network.close_stream(stream);
                    }
                }
            }
        }
    }
}

/// The sockets of a server's host.
struct Bench<'n> {
    network: &'n mut Network,
    host: HostId,
}

impl RelaySockets for Bench<'_> {
    fn open(&mut self, at: SocketAddr) -> bool {
        self.network.bind(self.host, Some(at)).is_ok()
    }

    fn close(&mut self, at: SocketAddr) {
        self.network.close(self.host, at);
    }
}

/// Why a server could not be put into a network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum HostingError {
    /// Its configuration cannot be served.
    Config(TurnConfigError),
    /// Its sockets could not be bound.
    Bind(BindError),
}

impl From<TurnConfigError> for HostingError {
    fn from(error: TurnConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<BindError> for HostingError {
    fn from(error: BindError) -> Self {
        Self::Bind(error)
    }
}

impl core::fmt::Display for HostingError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Bind(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for HostingError {}
