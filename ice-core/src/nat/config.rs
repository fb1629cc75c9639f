//! What a discovery is told when it is made, what can be wrong with it, and how long it takes at the most.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use super::binding::{ANSWER_WAIT, BURST, LATE, MAX_TRIALS};
use super::discovery::{PACE, SILENCE};
use crate::base::SocketId;
use crate::candidate::is_transport_address;

/// The longest lifetime that can be searched for. RFC 4787 REQ-5 asks for two minutes, five by default.
pub const MAX_LIFETIME_SEARCH: Duration = Duration::from_secs(3_600);
/// The finest resolution: a trial itself takes about a second.
pub const MIN_LIFETIME_RESOLUTION: Duration = Duration::from_secs(2);

/// A socket that is lent to a discovery, and the address that it is bound to.
///
/// RFC 5780 §4.1: it should have sent nothing for a while, best nothing at all, or the filter already knows the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spot {
    /// Its name, as the driver gives it.
    pub socket: SocketId,
    /// The address it sends from: not the unspecified one, since a NAT is found by comparing with it.
    pub local: SocketAddr,
}

/// What is to be found out, from where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DiscoveryConfig {
    /// The STUN server. With one that has a second address (OTHER-ADDRESS) all is found out; with another one, less.
    pub server: SocketAddr,
    /// The socket that is measured.
    pub first: Spot,
    /// Another port of the same address, which hairpinning and the lifetime take.
    pub second: Option<Spot>,
    /// Whether to look for the lifetime of a mapping, which takes many minutes.
    pub lifetime: Option<LifetimeSearch>,
}

/// A binary search for the lifetime of a mapping (RFC 5780 §4.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LifetimeSearch {
    /// What lives longer is not told apart; at most [`MAX_LIFETIME_SEARCH`].
    pub longest: Duration,
    /// The search ends when it knows the lifetime to within this; at least [`MIN_LIFETIME_RESOLUTION`].
    pub resolution: Duration,
}

impl Default for LifetimeSearch {
    /// Up to five minutes, to within five seconds: six trials.
    fn default() -> Self {
        Self { longest: Duration::from_secs(300), resolution: Duration::from_secs(5) }
    }
}

impl DiscoveryConfig {
    /// All that goes quickly, with one socket: neither hairpinning nor the lifetime.
    pub const fn new(server: SocketAddr, first: Spot) -> Self {
        Self { server, first, second: None, lifetime: None }
    }

    /// After this time the discovery is over, whatever servers, NATs and strangers do: some 37 seconds without the lifetime, of
    /// which each of the three steps (contact, filters, other addresses) has [`SILENCE`] and the pace of its questions.
    /// Where all is answered it takes [`SILENCE`] and five round trips, or only these where the filter is open.
    pub fn longest_run(&self) -> Duration {
        let steps = SILENCE * 3 + PACE * 24;
        let Some(search) = self.lifetime else { return steps };
        let trial = SILENCE + PACE * 4 + search.longest + LATE + PACE * u32::from(BURST) + ANSWER_WAIT;
        steps + trial * u32::from(MAX_TRIALS + 2)
    }

    pub(super) fn check(&self) -> Result<(), DiscoveryError> {
        if !is_transport_address(self.server) {
            return Err(DiscoveryError::NotATransportAddress(self.server));
        }
        for spot in [Some(self.first), self.second].into_iter().flatten() {
            if !is_transport_address(spot.local) {
                return Err(DiscoveryError::NotATransportAddress(spot.local));
            }
            if spot.local.is_ipv4() != self.server.is_ipv4() {
                return Err(DiscoveryError::OtherFamily(spot.local));
            }
        }
        if let Some(second) = self.second
            && (second.socket == self.first.socket || second.local == self.first.local)
        {
            return Err(DiscoveryError::SameSocket(second.socket));
        }
        match self.lifetime {
            Some(search) if search.longest > MAX_LIFETIME_SEARCH => {
                Err(DiscoveryError::TooLong(search.longest))
            }
            Some(search) if search.resolution < MIN_LIFETIME_RESOLUTION => {
                Err(DiscoveryError::TooFine(search.resolution))
            }
            _ => Ok(()),
        }
    }
}

/// What is wrong with a [`DiscoveryConfig`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// Unspecified, multicast, or port 0.
    NotATransportAddress(SocketAddr),
    /// A socket that is not of the server's address family.
    OtherFamily(SocketAddr),
    /// The second socket is the first one.
    SameSocket(SocketId),
    /// The lifetime is searched for beyond [`MAX_LIFETIME_SEARCH`].
    TooLong(Duration),
    /// It is searched for more finely than [`MIN_LIFETIME_RESOLUTION`].
    TooFine(Duration),
}

impl fmt::Display for DiscoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotATransportAddress(address) => {
                write!(f, "{address} is not an address of one host and port")
            }
            Self::OtherFamily(local) => write!(f, "{local} is not of the server's address family"),
            Self::SameSocket(socket) => write!(f, "socket {} is given twice", socket.0),
            Self::TooLong(longest) => {
                write!(f, "a lifetime of {longest:?} is more than {MAX_LIFETIME_SEARCH:?}")
            }
            Self::TooFine(resolution) => {
                write!(f, "a resolution of {resolution:?} is less than {MIN_LIFETIME_RESOLUTION:?}")
            }
        }
    }
}

impl core::error::Error for DiscoveryError {}
