//! What the NATs on the way of a TCP connection learn of it: that it is established, and that it is over (RFC 5382 §5). Its segments
//! are not looked at one by one, so it counts as one packet at either time.

use core::net::SocketAddr;

use floe_core::base::Instant;

use crate::address::{Attachment, HostId, Whereabouts};
use crate::topology::Topology;

impl Topology {
    /// This end of a connection is open, or is so no longer. Those that go through a NAT64 are not told apart, nor is the end that a
    /// hairpin shows the other one's internal address.
    pub(crate) fn connection_changed(
        &mut self,
        now: Instant,
        host: HostId,
        (local, remote): (SocketAddr, SocketAddr),
        is_open: bool,
    ) {
        let (SocketAddr::V4(mut source), SocketAddr::V4(remote)) = (local, remote) else { return };
        let mut next = self.addresses.place_of(host, local.ip());
        while let Some(place @ Attachment::Behind(id)) = next {
            // Between neighbours it is no matter of their router.
            if !matches!(
                self.addresses.whereabouts(place, remote.ip().to_owned().into()),
                Whereabouts::Beyond
            ) {
                return;
            }
            next = Some(self.addresses.router_place(id));
            if let Some(nat) = self.router_mut(id).and_then(|router| router.nat.as_mut()) {
                let Some(external) = nat.tcp.connection_changed(now, source, remote, is_open) else { return };
                source = external;
            }
        }
    }
}
