//! What happens to a datagram between two hosts: how long it takes, and whether it comes at all.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use floe_core::base::Instant;

use crate::address::HostId;
use crate::dice::Dice;

/// One direction of a path from host to host, NATs included.
///
/// What is said here of datagrams holds for the packets of streams, but that streams get over it: what is lost comes later, after one or
/// more retransmissions; what finds no room waits with its sender; packets fit the MTU; and nothing is doubled or overtaken.
///
/// Without jitter, reordering, a bandwidth and chance, a datagram sent at `t` arrives at exactly `t + latency`.
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
    /// The largest IP packet in bytes, headers included.
    pub mtu: usize,
    /// What becomes of what is larger.
    pub oversize: Oversize,
    /// Times in which more datagrams are lost than otherwise.
    pub bursts: Option<Bursts>,
    /// How much it carries, datagrams and streams together; none: any amount at once.
    pub bandwidth: Option<Bandwidth>,
}

/// What becomes of a datagram that is larger than the MTU.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Oversize {
    /// It is dropped, as where fragments are.
    #[default]
    Dropped,
    /// It is sent in fragments, and lost if one of them is.
    Fragmented,
    /// It is dropped, and its sender is told the MTU by ICMP.
    Told,
}

/// Loss in bursts, by the model of Gilbert and Elliott: the link is in a good or a bad state, and in each it loses datagrams
/// independently. In the good one that is by [`LinkConfig::loss`]. The states change from one datagram to the next.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Bursts {
    /// The probability that a bad time begins with a datagram.
    pub begin: f64,
    /// The probability that it ends with one.
    pub end: f64,
    /// The probability that a datagram is lost in it.
    pub loss: f64,
}

/// What one direction between two hosts can carry. What comes faster waits, and what finds no room in the queue is dropped. Streams fill
/// half of the queue at the most, and wait with their senders until there is room in it, where they take turns: so much do their own ways to give way
/// leave to others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bandwidth {
    /// In bits per second, of IP packets. Zero counts as one.
    pub bits_per_second: u64,
    /// How many bytes wait at the most.
    pub queue: usize,
}

impl Bandwidth {
    fn rate(self) -> u128 {
        u128::from(self.bits_per_second.max(1))
    }

    /// How long so many bytes take.
    fn time(self, bytes: u128) -> Duration {
        let nanos = (bytes * 8 * NANOS).div_ceil(self.rate());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
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
            oversize: Oversize::Dropped,
            bursts: None,
            bandwidth: None,
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

    /// The same link doing this with larger packets.
    pub const fn with_oversize(self, oversize: Oversize) -> Self {
        Self { oversize, ..self }
    }

    /// The same link with bad times.
    pub const fn with_bursts(self, bursts: Bursts) -> Self {
        Self { bursts: Some(bursts), ..self }
    }

    /// The same link carrying so many bits per second of IP packets, with a queue of so many bytes.
    pub const fn with_bandwidth(self, bits_per_second: u64, queue: usize) -> Self {
        Self { bandwidth: Some(Bandwidth { bits_per_second, queue }), ..self }
    }

    /// In how many packets a datagram with this payload is sent; none if it is too big.
    pub(crate) fn packets(&self, payload: usize, to: SocketAddr) -> Option<usize> {
        let ip_header = ip_header(to);
        let content = payload.saturating_add(UDP_HEADER);
        if content.saturating_add(ip_header) <= self.mtu {
            return Some(1);
        }
        // RFC 791 §3.1: offsets count in eights.
        let room = self.mtu.saturating_sub(ip_header) / 8 * 8;
        (self.oversize == Oversize::Fragmented && room > 0).then(|| content.div_ceil(room))
    }

    /// The size of the next packet of a stream of which so many bytes are left, and how many of them are in it.
    pub(crate) fn segment(&self, left: usize, to: SocketAddr) -> (usize, usize) {
        let headers = ip_header(to) + TCP_HEADER;
        let payload = left.min(self.mtu.saturating_sub(headers).max(1));
        (payload + headers, payload)
    }

    /// How many packets of a stream so many bytes are.
    pub(crate) fn segments(&self, bytes: usize, to: SocketAddr) -> usize {
        bytes.div_ceil(self.segment(usize::MAX, to).1).max(1)
    }

    /// Whether what it does depends on what it has done before.
    pub(crate) fn has_state(&self) -> bool {
        self.bursts.is_some() || self.bandwidth.is_some()
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
    /// Of those that have one. Who the receiver is may not be known.
    states: BTreeMap<(HostId, Option<HostId>), LinkState>,
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

    pub(crate) fn state(&mut self, from: HostId, to: Option<HostId>) -> &mut LinkState {
        self.states.entry((from, to)).or_default()
    }

    pub(crate) fn is_cut(&self, from: HostId, to: HostId) -> bool {
        self.cuts.contains(&(from, to))
    }
}

/// What one direction between two hosts has come to.
#[derive(Default)]
pub(crate) struct LinkState {
    is_bad: bool,
    /// When the last packet that waits has been sent.
    free_at: Instant,
}

impl LinkState {
    /// The probability that the next datagram is lost.
    pub(crate) fn loss(&mut self, link: &LinkConfig, dice: &mut Dice) -> f64 {
        let Some(bursts) = link.bursts else { return link.loss };
        self.is_bad = if self.is_bad { !dice.chance(bursts.end) } else { dice.chance(bursts.begin) };
        if self.is_bad { bursts.loss } else { link.loss }
    }

    /// How long the next datagram waits and is sent; none if it finds no room.
    pub(crate) fn pass(&mut self, now: Instant, size: usize, bandwidth: Bandwidth) -> Option<Duration> {
        let waits = self.free_at.since(now);
        let ahead = (waits.as_nanos() * bandwidth.rate()).div_ceil(8 * NANOS);
        (ahead == 0 || ahead + size as u128 <= bandwidth.queue as u128)
            .then(|| self.take(now, size, bandwidth))
    }

    /// The same for the next packet of a stream, of which the largest has this size; if it finds no room, when there will be. That is the same
    /// for all streams, however large their packets are, so that who asks first then is who has waited longest.
    pub(crate) fn pass_stream(
        &mut self,
        now: Instant,
        (size, largest): (usize, usize),
        bandwidth: Bandwidth,
    ) -> Result<Duration, Instant> {
        let room = bandwidth.time((bandwidth.queue / 2).saturating_sub(largest) as u128);
        if self.free_at.since(now) > room {
            return Err(self.free_at - room);
        }
        Ok(self.take(now, size, bandwidth))
    }

    fn take(&mut self, now: Instant, size: usize, bandwidth: Bandwidth) -> Duration {
        let all = self.free_at.since(now) + bandwidth.time(size as u128);
        self.free_at = now + all;
        all
    }
}

/// The size of a datagram with this payload as an IP packet.
pub(crate) fn packet_size(payload: usize, to: SocketAddr, packets: usize) -> usize {
    payload.saturating_add(UDP_HEADER).saturating_add(packets.saturating_mul(ip_header(to)))
}

fn ip_header(to: SocketAddr) -> usize {
    if to.is_ipv4() { 20 } else { 40 }
}

const UDP_HEADER: usize = 8;
const TCP_HEADER: usize = 20;
const NANOS: u128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mtu_counts_the_headers_of_the_family() {
        let link = LinkConfig::default();
        let v4 = SocketAddr::from(([192, 0, 2, 1], 1));
        let v6 = SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 1));
        assert_eq!([1472, 1473].map(|size| link.packets(size, v4)), [Some(1), None]);
        assert_eq!([1452, 1453].map(|size| link.packets(size, v6)), [Some(1), None]);
        let link = link.with_oversize(Oversize::Fragmented);
        assert_eq!([1472, 1473, 2952, 2953].map(|size| link.packets(size, v4)), [1, 2, 2, 3].map(Some));
    }
}
