//! What the tests of routers have in common.

use core::net::SocketAddr;
use core::time::Duration;

use floe_sim::{DropReason, HostId, LinkConfig, Network};

pub(crate) type Socket = (HostId, SocketAddr);

/// A network that takes no time.
pub(crate) fn world() -> Network {
    let mut net = Network::seeded(3);
    net.set_link(LinkConfig::one_way(Duration::ZERO));
    net
}

/// Sends, and tells who got it, where, and from whom as it seems.
pub(crate) fn send(net: &mut Network, from: Socket, to: SocketAddr) -> Option<(Socket, SocketAddr)> {
    net.send(from, to, b"x");
    net.advance(net.now()).map(|got| ((got.host, got.local), got.remote))
}

/// Sends, and tells from whom it seems to come, if it does.
pub(crate) fn seen(net: &mut Network, from: Socket, to: SocketAddr) -> Option<SocketAddr> {
    send(net, from, to).map(|(_, remote)| remote)
}

pub(crate) fn dropped(net: &Network, reason: DropReason) -> u64 {
    net.counters().dropped_for(reason)
}
