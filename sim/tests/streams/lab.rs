//! What the tests of streams have in common.

use core::net::SocketAddr;
use core::time::Duration;

use floe_sim::{
    Attachment, Happening, HostId, Network, RouterConfig, RouterId, StreamChange, StreamEvent, StreamId,
    StreamKind,
};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A client behind a router, a server that is not, and an open stream between them.
pub(crate) struct Lab {
    pub(crate) net: Network,
    pub(crate) router: RouterId,
    pub(crate) client: HostId,
    pub(crate) server: HostId,
    pub(crate) at: SocketAddr,
    pub(crate) ours: StreamId,
    pub(crate) theirs: StreamId,
}

pub(crate) fn lab(router: impl Into<RouterConfig>) -> Lab {
    let mut net = Network::seeded(1);
    let router = net.add_router(Attachment::Public, router);
    let [client, server] = [Attachment::Behind(router), Attachment::Public].map(|place| net.add_host(place));
    let at = listening(&mut net, server);
    let [ours, theirs] = connected(&mut net, (client, None), (server, at));
    Lab { net, router, client, server, at, ours, theirs }
}

/// The server's address, at which it listens from now on.
pub(crate) fn listening(net: &mut Network, server: HostId) -> SocketAddr {
    let at = SocketAddr::new(net.addresses(server).next().unwrap(), 3478);
    net.listen(server, at, StreamKind::Tcp).unwrap()
}

/// Both ends of a new stream.
pub(crate) fn connected(
    net: &mut Network,
    (client, from): (HostId, Option<SocketAddr>),
    (server, at): (HostId, SocketAddr),
) -> [StreamId; 2] {
    let ours = net.connect(client, from, at, StreamKind::Tcp).unwrap();
    let events = run(net, SECOND);
    let theirs = events.iter().find(|event| event.host == server).unwrap().stream;
    assert!(events.iter().any(|e| (e.stream, &e.change) == (ours, &StreamChange::Connected)));
    [ours, theirs]
}

/// Everything that happens to streams within this time.
pub(crate) fn run(net: &mut Network, time: Duration) -> Vec<StreamEvent> {
    let end = net.now() + time;
    let happenings = core::iter::from_fn(|| net.advance_all(end));
    happenings
        .filter_map(|happening| match happening {
            Happening::Stream(event) => Some(event),
            Happening::Datagram(_) => None,
            Happening::Icmp(error) => panic!("{error:?}"),
        })
        .collect()
}
