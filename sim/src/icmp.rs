//! What a host is told of datagrams that did not arrive. Nobody says anything unless he was set up to: a firewall or a NAT that rejects,
//! a link that tells its MTU, hosts that answer for ports where nobody is.

use core::net::SocketAddr;
use core::time::Duration;

use floe_core::base::Instant;

use crate::address::{Attachment, HostId, RouterId};
use crate::firewall::Refusal;
use crate::nat::{DatagramRefusal, SynRefusal};
use crate::record::DropReason;
use crate::router::Ipv6;
use crate::topology::Topology;

/// An ICMP error that has come to a host, about a datagram that it has sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IcmpError {
    /// When.
    pub at: Instant,
    /// The host that is told.
    pub host: HostId,
    /// The socket that the datagram was sent from.
    pub local: SocketAddr,
    /// Where it was sent to.
    pub remote: SocketAddr,
    /// What became of it.
    pub kind: IcmpKind,
}

/// What an ICMP error says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum IcmpKind {
    /// There is no way to the host.
    HostUnreachable,
    /// Nobody is at this port.
    PortUnreachable,
    /// A firewall did not let it through.
    Prohibited,
    /// It was too big, and was not to be fragmented.
    TooBig {
        /// The largest IP packet that gets through, in bytes.
        mtu: usize,
    },
}

impl Topology {
    /// What is said about a datagram that was dropped, and which router says it, if one does.
    pub(crate) fn answer(
        &self,
        reason: DropReason,
        ports_answer: bool,
    ) -> Option<(IcmpKind, Option<RouterId>)> {
        match reason {
            DropReason::RouterFirewall(id) => {
                let refusal = self.router(id)?.wall.as_ref()?.config.refusal;
                (refusal == Refusal::Reject).then_some((IcmpKind::Prohibited, Some(id)))
            }
            DropReason::Filtered(id) | DropReason::NoMapping(id) => {
                let refusal = self.router(id)?.datagram_refusal;
                (refusal == DatagramRefusal::Unreachable).then_some((IcmpKind::PortUnreachable, Some(id)))
            }
            DropReason::BrokenIpv6(id) => {
                let told = self.router(id)?.ipv6 == Ipv6::Unreachable;
                told.then_some((IcmpKind::HostUnreachable, Some(id)))
            }
            DropReason::NotBound if ports_answer => Some((IcmpKind::PortUnreachable, None)),
            _ => None,
        }
    }

    /// How a request to connect is refused that was dropped: after which time, and by which router if it is by ICMP. `at` is the
    /// host whose firewall it was, if it was one.
    pub(crate) fn refusal(&self, reason: DropReason, at: HostId) -> Option<(Duration, Option<RouterId>)> {
        match reason {
            DropReason::Firewall => self.wall_rejects(at).then_some((Duration::ZERO, None)),
            DropReason::RouterFirewall(id) => {
                let refusal = self.router(id)?.wall.as_ref()?.config.refusal;
                (refusal == Refusal::Reject).then_some((Duration::ZERO, None))
            }
            DropReason::Filtered(id) | DropReason::NoMapping(id) => match self.router(id)?.syn_refusal {
                SynRefusal::Silent => None,
                SynRefusal::Unreachable { after } => Some((after, Some(id))),
                SynRefusal::Reset { after } => Some((after, None)),
            },
            DropReason::BrokenIpv6(id) => {
                (self.router(id)?.ipv6 == Ipv6::Unreachable).then_some((Duration::ZERO, Some(id)))
            }
            _ => None,
        }
    }

    /// Whether a refusal reaches the host's socket: one by a router's ICMP error may be swallowed on the way in.
    pub(crate) fn tells(&self, host: HostId, local: SocketAddr, icmp_of: Option<RouterId>) -> bool {
        let place = self.addresses.place_of(host, local.ip());
        icmp_of.is_none() || place.is_some_and(|place| self.passes_icmp(place, icmp_of))
    }

    /// Whether an ICMP error gets in to what is plugged in at `inner`, through the routers up to the one that says it.
    pub(crate) fn passes_icmp(&self, mut inner: Attachment, origin: Option<RouterId>) -> bool {
        while let Attachment::Behind(id) = inner {
            if Some(id) == origin {
                return true;
            }
            if self.router(id).is_some_and(|router| router.swallows_icmp) {
                return false;
            }
            inner = self.addresses.router_place(id);
        }
        true
    }
}
