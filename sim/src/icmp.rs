//! What a host is told of datagrams that did not arrive. Nobody says anything unless he was set up to: a firewall or a NAT that rejects,
//! a link that tells its MTU, hosts that answer for ports where nobody is.

use core::net::SocketAddr;
use core::time::Duration;

use floe_core::base::Instant;

use crate::Network;
use crate::address::{Attachment, HostId, RouterId};
use crate::firewall::{Cargo, Refusal};
use crate::nat::{DatagramRefusal, SynRefusal};
use crate::record::DropReason;
use crate::router::Ipv6;
use crate::topology::{Topology, Way};

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

    /// Whether a piece of a stream that was dropped is answered by a reset. `at` is as in [`refusal`](Self::refusal).
    pub(crate) fn resets(&self, reason: DropReason, at: HostId) -> bool {
        let refusal = match reason {
            DropReason::Firewall => return self.wall_rejects(at),
            DropReason::RouterFirewall(id) => {
                self.router(id).and_then(|router| Some(router.wall.as_ref()?.config.refusal))
            }
            DropReason::NoMapping(id) => self.router(id).map(|router| router.segment_refusal),
            _ => None,
        };
        refusal == Some(Refusal::Reject)
    }

    /// Whether a refusal reaches the host's socket: one by a router's ICMP error may be swallowed on the way in. `from` is as in
    /// [`passes_icmp`](Self::passes_icmp).
    pub(crate) fn tells(
        &self,
        (host, local): (HostId, SocketAddr),
        icmp_of: Option<RouterId>,
        from: Option<Attachment>,
    ) -> bool {
        let place = self.addresses.place_of(host, local.ip());
        icmp_of.is_none() || place.is_some_and(|place| self.passes_icmp(place, icmp_of, from))
    }

    /// Whether an ICMP error gets in to what is plugged in at `inner`, through the routers up to the one that says it, or up to where
    /// what it is about was at the outermost, which is where it comes from.
    pub(crate) fn passes_icmp(
        &self,
        mut inner: Attachment,
        origin: Option<RouterId>,
        from: Option<Attachment>,
    ) -> bool {
        while let Attachment::Behind(id) = inner {
            if Some(id) == origin || Some(inner) == from {
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

impl Network {
    /// Tells the sender what became of its datagram, if somebody does: at once if that was on its own side, and else, when it was on
    /// this way, after as long as the answer takes.
    pub(crate) fn answer(
        &mut self,
        (host, local): (HostId, SocketAddr),
        remote: SocketAddr,
        reason: DropReason,
        way: Option<Way>,
    ) {
        let answer = if reason == DropReason::Firewall {
            // Its own, or the receiver's.
            let whose = match way {
                None => Some(host),
                Some(way) => self.topology.find(Cargo::Datagram, self.now(), way).ok(),
            };
            whose.filter(|host| self.topology.wall_rejects(*host)).map(|_| (IcmpKind::Prohibited, None))
        } else {
            self.topology.answer(reason, self.ports_answer)
        };
        let Some((kind, origin)) = answer else { return };
        self.tell((host, local), remote, kind, (origin, way));
    }

    pub(crate) fn tell(
        &mut self,
        (host, local): (HostId, SocketAddr),
        remote: SocketAddr,
        kind: IcmpKind,
        (origin, way): (Option<RouterId>, Option<Way>),
    ) {
        let mut at = self.now();
        if let Some(way) = way {
            let Some(place) = self.topology.addresses.place_of(host, local.ip()) else { return };
            let other = self.topology.find(Cargo::Datagram, self.now(), way).ok();
            if !self.topology.passes_icmp(place, origin, Some(way.place))
                || other.is_some_and(|o| self.links.is_cut(o, host))
            {
                return;
            }
            at = at + self.links.between(other.unwrap_or(host), || Some(host)).latency;
        } else if origin.is_some() {
            let Some(place) = self.topology.addresses.place_of(host, local.ip()) else { return };
            if !self.topology.passes_icmp(place, origin, None) {
                return;
            }
        }
        self.errors.push(at, IcmpError { at, host, local, remote, kind });
    }

    pub(crate) fn next_error(&self) -> Option<Instant> {
        self.errors.next_at()
    }

    /// The first ICMP error that arrives until then is told, or lost on a host that sleeps or has died.
    pub(crate) fn error_until(&mut self, until: Instant) -> Option<IcmpError> {
        let (at, error) = self.errors.pop_until(until)?;
        self.pass(at);
        self.topology.hosts.is_away(at, error.host).is_none().then_some(error)
    }
}
