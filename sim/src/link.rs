//! What happens to a datagram between two hosts: how long it takes, and whether it comes at all.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crate::address::HostId;
use crate::dice::Dice;

/// One direction of a path from host to host, NATs included.
///
/// Without jitter, reordering and chance, a datagram sent at `t` arrives at exactly `t + latency`.
/// Probabilities run from 0 to 1; what lies outside counts as the nearer end.
///
/// ```
/// # use core::time::Duration;
/// # use floe_sim::LinkConfig;
/// let bad_wifi = LinkConfig::rtt(Duration::from_millis(40))
///     .with_jitter(Duration::from_millis(5))
///     .with_loss(0.1)
///     .with_duplication(0.01);
/// assert_eq!(bad_wifi.latency, Duration::from_millis(20));
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LinkConfig {
    /// The shortest time from end to end.
    pub latency: Duration,
    /// At most this much is added, evenly distributed. Jitter alone can change the order of arrival.
    pub jitter: Duration,
    /// The probability that a datagram is lost, each independently of the others.
    pub loss: f64,
    /// The probability that a datagram arrives twice. Each copy has a jitter of its own.
    pub duplication: f64,
    /// The probability that a datagram is held back by `reorder_delay`, so that later ones overtake it.
    pub reordering: f64,
    /// How long a datagram is held back.
    pub reorder_delay: Duration,
    /// The largest IP packet in bytes, headers included. What is larger is dropped and not fragmented.
    pub mtu: usize,
}

impl LinkConfig {
    /// A faultless link that takes `latency` one way, with an MTU of 1500 bytes.
    pub const fn one_way(latency: Duration) -> Self {
        Self {
            latency,
            jitter: Duration::ZERO,
            loss: 0.0,
            duplication: 0.0,
            reordering: 0.0,
            reorder_delay: Duration::ZERO,
            mtu: 1500,
        }
    }

    /// A faultless link that takes half of `round_trip` one way.
    pub fn rtt(round_trip: Duration) -> Self {
        Self::one_way(round_trip / 2)
    }

    /// The same link with up to `jitter` added to the latency.
    pub const fn with_jitter(self, jitter: Duration) -> Self {
        Self { jitter, ..self }
    }

    /// The same link losing datagrams with this probability.
    pub const fn with_loss(self, loss: f64) -> Self {
        Self { loss, ..self }
    }

    /// The same link doubling datagrams with this probability.
    pub const fn with_duplication(self, duplication: f64) -> Self {
        Self { duplication, ..self }
    }

    /// The same link holding datagrams back by `delay` with this probability.
    pub const fn with_reordering(self, reordering: f64, delay: Duration) -> Self {
        Self { reordering, reorder_delay: delay, ..self }
    }

    /// The same link with packets of at most `mtu` bytes, IP header included.
    pub const fn with_mtu(self, mtu: usize) -> Self {
        Self { mtu, ..self }
    }

    /// Whether a datagram with this payload is small enough.
    pub(crate) fn fits(&self, payload: usize, to: SocketAddr) -> bool {
        let ip_header = if to.is_ipv4() { 20 } else { 40 };
        payload.saturating_add(ip_header + UDP_HEADER) <= self.mtu
    }

    /// How long the next datagram takes.
    pub(crate) fn transit(&self, dice: &mut Dice) -> Duration {
        let jitter = dice.up_to(self.jitter);
        let held = if dice.chance(self.reordering) { self.reorder_delay } else { Duration::ZERO };
        self.latency.saturating_add(jitter).saturating_add(held)
    }
}

impl Default for LinkConfig {
    /// A round trip of 40 ms without faults.
    fn default() -> Self {
        Self::rtt(Duration::from_millis(40))
    }
}

/// All links of a world: one for everybody, exceptions for some, and the cuts. The pairs of hosts are (from, to).
#[derive(Default)]
pub(crate) struct Links {
    pub(crate) common: LinkConfig,
    pub(crate) exceptions: BTreeMap<(HostId, HostId), LinkConfig>,
    pub(crate) cuts: BTreeSet<(HostId, HostId)>,
}

impl Links {
    /// The link to a host, which is looked for if it matters. Who it is may not be known, as with a port that nobody has mapped yet.
    pub(crate) fn between(&self, from: HostId, to: impl FnOnce() -> Option<HostId>) -> LinkConfig {
        if self.exceptions.is_empty() {
            return self.common;
        }
        to().and_then(|to| self.exceptions.get(&(from, to))).copied().unwrap_or(self.common)
    }

    pub(crate) fn is_cut(&self, from: HostId, to: HostId) -> bool {
        self.cuts.contains(&(from, to))
    }
}

const UDP_HEADER: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mtu_counts_the_headers_of_the_family() {
        let link = LinkConfig::default();
        let v4 = SocketAddr::from(([192, 0, 2, 1], 1));
        let v6 = SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 1));
        assert!(link.fits(1472, v4) && !link.fits(1473, v4));
        assert!(link.fits(1452, v6) && !link.fits(1453, v6));
    }
}
