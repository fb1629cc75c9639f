//! Meddling with single datagrams: what a scenario does to a network beyond what links and NATs do by themselves.

use core::net::SocketAddr;
use core::time::Duration;

use floe_core::base::Instant;

use crate::address::HostId;

/// A datagram that has just left its host, as a rule sees it.
#[derive(Clone, Copy, Debug)]
pub struct Passing<'a> {
    /// When.
    pub at: Instant,
    /// Who sent it.
    pub from: HostId,
    /// The socket that it left, before any NAT.
    pub local: SocketAddr,
    /// Where it is to go.
    pub to: SocketAddr,
    /// The payload.
    pub bytes: &'a [u8],
}

/// What a rule does with a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Nothing.
    Pass,
    /// It is lost. Counted as [`DropReason::Rule`](crate::DropReason::Rule).
    Lose,
    /// It comes from this address instead of its own, for filters and for the receiver.
    ComeFrom(SocketAddr),
    /// It takes this much longer.
    Delay(Duration),
}

/// A rule: asked once for each datagram that has left its host and the NAT in front of it.
pub(crate) type Rule = Box<dyn FnMut(&Passing<'_>) -> Fate + Send>;
