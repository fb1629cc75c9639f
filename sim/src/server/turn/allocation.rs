//! An allocation and what belongs to it: relayed addresses, permissions, channels, each with its end (RFC 8656 §6, §9, §12).

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;

use crate::Instant;
use crate::server::FiveTuple;

/// What a client has on a [`TurnServer`](super::TurnServer).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Allocation {
    pub(super) client: FiveTuple,
    pub(super) username: String,
    pub(super) relays: Vec<Relay>,
}

impl Allocation {
    /// Whose it is.
    pub fn client(&self) -> FiveTuple {
        self.client
    }

    /// The user who made it.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// Its relayed addresses: one, or two of different families.
    pub fn relays(&self) -> &[Relay] {
        &self.relays
    }

    /// The relayed address of a family.
    pub(super) fn relay_for(&mut self, peer: IpAddr) -> Option<&mut Relay> {
        self.relays.iter_mut().find(|relay| relay.address.is_ipv4() == peer.is_ipv4())
    }

    pub(super) fn expires(&self) -> Option<Instant> {
        self.relays.iter().map(|relay| relay.expires).min()
    }
}

/// A relayed transport address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Relay {
    pub(super) address: SocketAddr,
    pub(super) expires: Instant,
    permissions: BTreeMap<IpAddr, Instant>,
    channels: BTreeMap<u16, Channel>,
}

/// A channel that is bound to a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Channel {
    /// Its number, 0x4000 to 0x4FFF.
    pub number: u16,
    /// The peer.
    pub peer: SocketAddr,
    /// When it becomes unbound.
    pub expires: Instant,
}

impl Relay {
    pub(super) fn new(address: SocketAddr, expires: Instant) -> Self {
        Self { address, expires, permissions: BTreeMap::new(), channels: BTreeMap::new() }
    }

    /// The address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// When it ends if it is not refreshed.
    pub fn expires(&self) -> Instant {
        self.expires
    }

    /// The permissions that have not ended at this moment, with their ends.
    pub fn permissions(&self, now: Instant) -> impl Iterator<Item = (IpAddr, Instant)> {
        self.permissions.iter().map(|(ip, end)| (*ip, *end)).filter(move |(_, end)| *end > now)
    }

    /// The channels that have not ended at this moment.
    pub fn channels(&self, now: Instant) -> impl Iterator<Item = Channel> {
        self.channels.values().copied().filter(move |channel| channel.expires > now)
    }

    /// Whether this address may send in, and be sent to.
    pub fn permits(&self, now: Instant, peer: IpAddr) -> bool {
        self.permissions.get(&peer).is_some_and(|end| *end > now)
    }

    /// The peer of a channel.
    pub fn peer_of(&self, now: Instant, number: u16) -> Option<SocketAddr> {
        self.channels.get(&number).filter(|channel| channel.expires > now).map(|channel| channel.peer)
    }

    /// The channel of a peer.
    pub fn channel_to(&self, now: Instant, peer: SocketAddr) -> Option<u16> {
        self.channels(now).find(|channel| channel.peer == peer).map(|channel| channel.number)
    }

    /// Whether so many permissions more are within the limit.
    pub(super) fn has_room_for(&self, now: Instant, peers: &[IpAddr], limit: usize) -> bool {
        let new = peers.iter().filter(|peer| !self.permits(now, **peer)).count();
        self.permissions(now).count() + new <= limit
    }

    /// Installs or refreshes a permission.
    pub(super) fn permit(&mut self, now: Instant, peer: IpAddr, lifetime: Duration) {
        self.permissions.retain(|_, end| *end > now);
        self.permissions.insert(peer, now + lifetime);
    }

    /// Binds or refreshes a channel.
    pub(super) fn bind(&mut self, now: Instant, number: u16, peer: SocketAddr, lifetime: Duration) {
        self.channels.retain(|_, channel| channel.expires > now);
        self.channels.insert(number, Channel { number, peer, expires: now + lifetime });
    }
}
