//! A candidate of ours: what is known of it, and how it is told.

use core::net::SocketAddr;

use super::table::{LocalId, transport_of};
use super::{
    Address, Candidate, CandidateType, Extensions, Foundation, Network, TcpType, Transport, priority_over,
};
use crate::base::{ComponentId, SocketId};

/// A candidate of ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LocalCandidate {
    /// Its key.
    pub id: LocalId,
    /// What it is for.
    pub component: ComponentId,
    /// What it is sent from.
    pub socket: SocketId,
    /// The address that it is sent from (RFC 8445 §4 "base"). A relayed candidate is its own base.
    pub base: SocketAddr,
    /// The address that the peer sends to.
    pub address: SocketAddr,
    /// Who opens its connections, if it is a TCP candidate. The port of an active one means nothing.
    pub tcp: Option<TcpType>,
    /// How it was obtained.
    pub kind: CandidateType,
    /// As signalled (RFC 8445 §5.1.2.1).
    pub priority: u32,
    /// The part of the priority that tells our addresses apart; the PRIORITY of checks is made from it.
    pub local_preference: u16,
    /// As signalled (RFC 8445 §5.1.1.3).
    pub foundation: Foundation,
    /// What is signalled as `raddr` and `rport`.
    pub related: Option<SocketAddr>,
    /// Whether the peer may know of it.
    pub secrecy: Secrecy,
    /// What is told of the network that it is on.
    pub network: Network,
}

/// Whether the peer may know of a candidate of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Secrecy {
    /// It may.
    Told,
    /// A filter keeps its address out of signalling: it is there to be checked from, for the candidates whose base it is.
    Hidden,
    /// When a server has confirmed it, after a restart; or with the next generation, since the end of this one's was told before it
    /// came (RFC 8838 §13).
    Later,
}

impl Secrecy {
    /// In another generation.
    pub(super) const fn of_next(self) -> Self {
        match self {
            Self::Told | Self::Later => Self::Told,
            Self::Hidden => Self::Hidden,
        }
    }
}

impl LocalCandidate {
    /// Whether the peer was told of it: not of what it has shown us itself (RFC 8445 §7.2.5.3.1), nor of what is hidden.
    pub fn is_signalled(&self) -> bool {
        self.kind != CandidateType::PeerReflexive && self.secrecy == Secrecy::Told
    }

    /// Whether a filter keeps its address out of signalling.
    pub fn is_hidden(&self) -> bool {
        self.secrecy == Secrecy::Hidden
    }

    /// What carries its datagrams.
    pub fn transport(&self) -> Transport {
        transport_of(self.tcp)
    }

    /// What the other end of its flows is, if those are connections.
    pub fn counterpart(&self) -> Option<TcpType> {
        self.tcp.map(|tcp| match tcp {
            TcpType::Active => TcpType::Passive,
            TcpType::Passive => TcpType::Active,
            TcpType::SimultaneousOpen => TcpType::SimultaneousOpen,
        })
    }

    /// The PRIORITY of checks that are sent from here (RFC 8445 §7.1.1).
    pub fn check_priority(&self) -> u32 {
        let kind = CandidateType::PeerReflexive;
        priority_over(self.transport(), kind, self.local_preference, self.component.component)
    }

    /// The candidate as the peer is to hear of it, without extensions but `tcptype`.
    pub fn to_signalled(&self) -> Candidate {
        Candidate {
            foundation: self.foundation,
            component: self.component.component,
            transport: self.transport(),
            priority: self.priority,
            address: Address::Ip(self.address),
            kind: self.kind,
            related: self.related.map(Address::Ip),
            // Always possible: there is nothing else.
            extensions: self.tcp.and_then(|it| Extensions::new().with_tcp_type(it).ok()).unwrap_or_default(),
        }
    }
}

/// What [`Candidates::add_local`](super::Candidates::add_local) is told; the table adds key and priority.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields of LocalCandidate")]
pub struct NewLocal {
    pub component: ComponentId,
    pub socket: SocketId,
    pub base: SocketAddr,
    pub address: SocketAddr,
    pub tcp: Option<TcpType>,
    pub kind: CandidateType,
    pub local_preference: u16,
    pub foundation: Foundation,
    pub related: Option<SocketAddr>,
    pub secrecy: Secrecy,
    pub network: Network,
}
