//! The bench: a host behind a NAT, a STUN server with two addresses, and the loop that runs a discovery between them.

use core::net::SocketAddr;
use core::time::Duration;

use floe_core::nat::{
    Discovery, DiscoveryConfig, DiscoveryOutput, LifetimeSearch, MAX_PROBE, NatBehaviour, Spot,
};
use floe_core::{Instant, SocketId};
use floe_sim::{Attachment, HostId, LinkConfig, NatConfig, Network, StunHost};

pub(crate) const RTT: Duration = Duration::from_millis(40);

pub(crate) struct Lab {
    pub(crate) net: Network,
    pub(crate) stun: StunHost,
    pub(crate) host: HostId,
    pub(crate) sockets: [SocketAddr; 2],
    pub(crate) lifetime: Option<LifetimeSearch>,
    /// How many datagrams the discovery has sent.
    pub(crate) sent: usize,
    pub(crate) seed: u64,
}

impl Lab {
    pub(crate) fn behind(seed: u64, nat: NatConfig) -> Self {
        let mut net = Network::seeded(seed);
        let nat = net.add_nat(nat);
        Self::in_network(net, seed, Attachment::Behind(nat))
    }

    pub(crate) fn in_network(mut net: Network, seed: u64, place: Attachment) -> Self {
        net.set_link(LinkConfig::rtt(RTT));
        let mut stun = StunHost::new(&mut net).unwrap();
        stun.server().answer_other_ports(true);
        let host = net.add_host(place);
        let ip = net.addresses(host).next().unwrap();
        let sockets = [50_000, 50_001].map(|port| net.bind(host, Some(SocketAddr::new(ip, port))).unwrap());
        Self { net, stun, host, sockets, lifetime: None, sent: 0, seed }
    }

    pub(crate) fn with_lifetime(mut self, longest: u64, resolution: u64) -> Self {
        let [longest, resolution] = [longest, resolution].map(Duration::from_secs);
        self.lifetime = Some(LifetimeSearch { longest, resolution });
        self
    }

    pub(crate) fn config(&self) -> DiscoveryConfig {
        let [first, second] =
            [0, 1].map(|index| Spot { socket: SocketId(index as u32), local: self.sockets[index] });
        let server = self.stun.address();
        DiscoveryConfig {
            second: Some(second),
            lifetime: self.lifetime,
            ..DiscoveryConfig::new(server, first)
        }
    }

    /// Runs a whole discovery, with both sockets. Panics if it takes longer than it says.
    pub(crate) fn discover(&mut self) -> NatBehaviour {
        self.discover_with(|_, _| {})
    }

    /// `at_each` is called after each step, and may change the world.
    pub(crate) fn discover_with(&mut self, at_each: impl FnMut(&mut Self, Duration)) -> NatBehaviour {
        let config = self.config();
        self.run(config, at_each)
    }

    pub(crate) fn run(
        &mut self,
        config: DiscoveryConfig,
        mut at_each: impl FnMut(&mut Self, Duration),
    ) -> NatBehaviour {
        let mut discovery = Discovery::new(config, [self.seed as u8; 32]).unwrap();
        let start = self.net.now();
        let mut scratch = [0; MAX_PROBE];
        loop {
            let elapsed = self.net.now().since(start);
            assert!(elapsed <= config.longest_run(), "{elapsed:?} of {:?}", config.longest_run());
            match discovery.poll(self.net.now(), &mut scratch) {
                DiscoveryOutput::Transmit(probe) => {
                    self.sent += 1;
                    let local = self.sockets[probe.socket.0 as usize];
                    self.net.send((self.host, local), probe.remote, probe.contents);
                }
                DiscoveryOutput::Wait(until) => {
                    assert!(until > self.net.now(), "it waits for now");
                    self.deliver(&mut discovery, until);
                }
                DiscoveryOutput::Done(behaviour) => return behaviour,
            }
            at_each(self, elapsed);
        }
    }

    /// Lets time pass until something comes to the discovery, or until then.
    fn deliver(&mut self, discovery: &mut Discovery, until: Instant) {
        while let Some(delivery) = self.net.advance(until) {
            if delivery.host == self.host {
                let socket = self.sockets.iter().position(|s| *s == delivery.local).unwrap();
                discovery.receive(delivery.at, SocketId(socket as u32), delivery.remote, &delivery.bytes);
                return;
            }
            self.stun.on_delivery(&mut self.net, &delivery);
        }
    }
}
