//! The bench on which a NAT is tried: one host behind it, two outside.

use core::net::SocketAddr;
use core::time::Duration;

use floe_sim::{
    Attachment, DropReason, Filtering, HostId, LinkConfig, Mapping, Network, PortAssignment, RouterConfig,
    RouterId,
};

pub(crate) type Socket = (HostId, SocketAddr);

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const SEQUENTIAL: PortAssignment = PortAssignment::Sequential { step: 2 };

/// One host behind a NAT; outside, host A with ports 1 and 2 and host B with port 1.
pub(crate) struct Lab {
    pub(crate) net: Network,
    pub(crate) nat: RouterId,
    pub(crate) inside: Socket,
    /// A:1, A:2, B:1.
    pub(crate) outside: [Socket; 3],
}

impl Lab {
    pub(crate) fn new(config: impl Into<RouterConfig>) -> Self {
        let mut net = Network::seeded(11);
        net.set_link(LinkConfig::one_way(Duration::ZERO));
        let [a, b] = [(); 2].map(|()| net.add_host(Attachment::Public));
        let outside = [(a, 1001), (a, 1002), (b, 1001)].map(|(host, port)| bind(&mut net, host, port));
        let nat = net.add_router(Attachment::Public, config);
        let inside = net.add_host(Attachment::Behind(nat));
        let inside = bind(&mut net, inside, 5000);
        Self { net, nat, inside, outside }
    }

    /// One more host behind the NAT.
    pub(crate) fn neighbour(&mut self, port: u16) -> Socket {
        let host = self.net.add_host(Attachment::Behind(self.nat));
        bind(&mut self.net, host, port)
    }

    /// Sends and tells the source address that was seen, if it arrived.
    pub(crate) fn send(&mut self, from: Socket, to: SocketAddr) -> Option<SocketAddr> {
        self.net.send(from, to, b"x");
        self.net.advance(self.net.now()).map(|delivery| delivery.remote)
    }

    /// Sends from the inside to one of the outside sockets; what that one sees.
    pub(crate) fn out(&mut self, to: usize) -> SocketAddr {
        self.send(self.inside, self.outside[to].1).unwrap()
    }

    /// Whether one of the outside sockets gets in at this address.
    pub(crate) fn comes_in(&mut self, from: usize, at: SocketAddr) -> bool {
        self.send(self.outside[from], at).is_some()
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        assert_eq!(self.net.advance(self.net.now() + time), None);
    }

    pub(crate) fn dropped(&self, reason: fn(RouterId) -> DropReason) -> u64 {
        self.net.counters().dropped_for(reason(self.nat))
    }
}

pub(crate) fn bind(net: &mut Network, host: HostId, port: u16) -> Socket {
    let ip = net.addresses(host).next().unwrap();
    (host, net.bind(host, Some(SocketAddr::new(ip, port))).unwrap())
}

pub(crate) const MAPPINGS: [Mapping; 3] =
    [Mapping::EndpointIndependent, Mapping::AddressDependent, Mapping::AddressAndPortDependent];
pub(crate) const FILTERINGS: [Filtering; 3] =
    [Filtering::EndpointIndependent, Filtering::AddressDependent, Filtering::AddressAndPortDependent];
