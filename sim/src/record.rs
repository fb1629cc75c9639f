//! What became of every datagram: counters that are always kept, and a log for those who ask.

use core::net::SocketAddr;
use std::collections::BTreeMap;

use floe_core::base::Instant;

use crate::address::{HostId, RouterId};

/// Why a datagram did not arrive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum DropReason {
    /// The link lost it.
    Loss,
    /// This direction between the two hosts is cut.
    Blocked,
    /// It was larger than the link's MTU.
    TooBig,
    /// The link's queue had no room for it.
    QueueFull,
    /// Nobody has the destination address where it was looked for, or the sender does not have
    /// the source address, or the two are not of one family.
    NoRoute,
    /// No socket is bound to the address at the sending or at the receiving host.
    NotBound,
    /// The NAT has no mapping at that port (any more).
    NoMapping(RouterId),
    /// The NAT's filter did not let the remote address in (RFC 4787 §5).
    Filtered(RouterId),
    /// It was sent from the inside to the NAT's own external address, and the NAT does not
    /// hairpin (RFC 4787 §6).
    NoHairpin(RouterId),
    /// The NAT has no port left for a new mapping.
    PortsExhausted(RouterId),
    /// A host's firewall let it neither out nor in.
    Firewall,
    /// The router's firewall let it neither out nor in.
    RouterFirewall(RouterId),
    /// The router does not let IPv6 through, though its addresses are given out.
    BrokenIpv6(RouterId),
    /// The router keeps those behind it apart.
    Isolated(RouterId),
    /// The host that it came to, or was sent from, sleeps.
    Asleep,
    /// The host that it came to, or was sent from, has died.
    Dead,
    /// The scenario's own rule took it.
    Rule,
}

/// How many datagrams went which way. At any time
/// `sent + duplicated == delivered + dropped() + in flight`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Calls of `send`.
    pub sent: u64,
    /// Second copies that links made.
    pub duplicated: u64,
    /// Deliveries to hosts.
    pub delivered: u64,
    drops: BTreeMap<DropReason, u64>,
}

impl Counters {
    /// Datagrams that did not arrive, for whatever reason.
    pub fn dropped(&self) -> u64 {
        self.drops.values().sum()
    }

    /// Datagrams that did not arrive for this reason.
    pub fn dropped_for(&self, reason: DropReason) -> u64 {
        self.drops.get(&reason).copied().unwrap_or(0)
    }

    /// The reasons that have occurred, each with its count.
    pub fn drops(&self) -> impl Iterator<Item = (DropReason, u64)> {
        self.drops.iter().map(|(reason, count)| (*reason, *count))
    }

    /// Datagrams that are still under way.
    pub fn in_flight(&self) -> u64 {
        (self.sent + self.duplicated).saturating_sub(self.delivered + self.dropped())
    }

    fn count(&mut self, event: LogEvent) {
        match event {
            LogEvent::Sent => self.sent += 1,
            LogEvent::Duplicated => self.duplicated += 1,
            LogEvent::Delivered(_) => self.delivered += 1,
            LogEvent::Dropped(reason) => *self.drops.entry(reason).or_default() += 1,
        }
    }
}

/// Names datagrams that are counted apart: see [`Network::count_apart`](crate::Network::count_apart).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tag(usize);

/// The counters of all datagrams, and of those that are told apart by what is in them.
#[derive(Default)]
pub(crate) struct Books {
    all: Counters,
    /// By `Tag`.
    apart: Vec<(Vec<u8>, Counters)>,
}

impl Books {
    pub(crate) fn open(&mut self, needle: &[u8]) -> Tag {
        self.apart.push((needle.to_vec(), Counters::default()));
        Tag(self.apart.len() - 1)
    }

    pub(crate) fn tag_of(&self, bytes: &[u8]) -> Option<Tag> {
        let holds = |needle: &[u8]| {
            !needle.is_empty()
                && (bytes.starts_with(needle) || bytes.windows(needle.len()).any(|part| part == needle))
        };
        self.apart.iter().position(|(needle, _)| holds(needle)).map(Tag)
    }

    pub(crate) fn count(&mut self, tag: Option<Tag>, event: LogEvent) {
        self.all.count(event);
        if let Some((_, counters)) = tag.and_then(|Tag(index)| self.apart.get_mut(index)) {
            counters.count(event);
        }
    }

    pub(crate) fn all(&self) -> &Counters {
        &self.all
    }

    /// Those of everything for a tag of another network.
    pub(crate) fn of(&self, Tag(index): Tag) -> &Counters {
        self.apart.get(index).map_or(&self.all, |(_, counters)| counters)
    }
}

/// One line of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogEntry {
    /// When it happened.
    pub at: Instant,
    /// The host that sent the datagram.
    pub from: HostId,
    /// The source address, as seen where this happened: translated once a NAT has been passed.
    pub source: SocketAddr,
    /// The destination address, as seen where this happened.
    pub destination: SocketAddr,
    /// The payload's length in bytes.
    pub size: usize,
    /// What happened.
    pub event: LogEvent,
}

/// What can happen to a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogEvent {
    /// A host sent it.
    Sent,
    /// A link made a second copy of it.
    Duplicated,
    /// This host received it.
    Delivered(HostId),
    /// It ended here.
    Dropped(DropReason),
}
