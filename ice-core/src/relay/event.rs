//! What an allocation tells its owner.

use alloc::string::String;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use smallvec::SmallVec;

use crate::wire::ErrorCode;

/// How much of a reason phrase is kept, in characters (RFC 8489 §14.8).
const MAX_REASON: usize = 127;

/// Something that the owner acts on. After those marked so the allocation is over: nothing is sent any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum RelayEvent {
    /// There is a relayed address, or one of each family.
    Allocated {
        relayed: SmallVec<[SocketAddr; 2]>,
        /// Our address as the server sees it.
        mapped: Option<SocketAddr>,
        lifetime: Duration,
    },
    /// Over: there is none, and on this 5-tuple there will be none.
    Failed(AllocationFailure),
    /// Over: the server wants us to ask another one, with the same credentials (RFC 8489 §10). The next allocation's
    /// `redirected_by` is ours and our server.
    Redirect {
        to: SocketAddr,
        /// The name in that server's certificate, if it is not the one that we know.
        domain: Option<String>,
    },
    /// Over: the server knows this 5-tuple from somebody else; another port may do. Three are to be tried
    /// (RFC 8656 §7.4).
    NeedsNewPort,
    /// Over: there was an allocation, and there is none any more.
    Lost(Loss),
    /// The server has refused a request, for the first time with this code. What the request was for may still be granted.
    Refused { code: u16, reason: String },
    /// The server does not take our credentials any more. What has been granted lasts as long as it lasts; nothing is
    /// renewed before others are set.
    CredentialsRefused { code: u16 },
    /// Data can be sent to this address and be received from it, from any port (RFC 8656 §9).
    PermissionGranted(IpAddr),
    /// A permission could not be renewed in time. It is still being asked for.
    PermissionLapsed(IpAddr),
    /// There will be no permission for this address, and no channel to it: 403, 443, 508. It is forgotten.
    PeerRefused { peer: IpAddr, code: u16 },
    /// What is sent there has 4 bytes of overhead from now on.
    ChannelBound(SocketAddr),
    /// There will be no channel to this address. It is forgotten; Send indications do as well.
    ChannelRefused { peer: SocketAddr, code: u16 },
    /// Over: the allocation is deleted, or time to do so was up.
    Released,
}

/// Why there is no allocation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum AllocationFailure {
    /// The server said so. 437 comes as [`RelayEvent::NeedsNewPort`], and 401 as [`Self::BadCredentials`].
    Refused { code: u16, reason: String },
    /// No answer to any transmission.
    NoAnswer,
    /// Answers came, and none proved that its writer knows the password (RFC 8489 §9.2.5).
    Unproven,
    /// The server does not know the username, or has another password for it (RFC 8656 §7.4).
    BadCredentials,
    /// The server, or somebody on the way, demands credentials in a weaker way than the server is able to (RFC 8489 §9.2.1).
    BidDown,
    /// The server demands credentials that are made in a way that we do not know, or a nonce or realm that is too long.
    Unsupported,
    /// The server's answer lacks something, has something that we must understand and do not, or gives an address of a family
    /// that was not asked for (RFC 8656 §7.3).
    Unreadable,
    /// The servers redirect us to each other, or on and on (RFC 8489 §10).
    RedirectLoop,
}

impl AllocationFailure {
    pub(crate) fn refused(error: ErrorCode<'_>) -> Self {
        Self::Refused { code: error.code(), reason: error.reason().chars().take(MAX_REASON).collect() }
    }

    /// How long to wait before this server is asked for another allocation, if that may help at all (RFC 8656 §7.4).
    pub(crate) fn patience(&self) -> Option<Duration> {
        match self {
            Self::Refused { code: 486 | 508, .. } => Some(Duration::from_secs(60)),
            _ => None,
        }
    }
}

/// Why an allocation is lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Loss {
    /// The server does not know it (437, RFC 8656 §5).
    Forgotten,
    /// It could not be refreshed before it expired (RFC 8656 §8).
    Expired,
    /// The server does not answer over the connection any more.
    Silent,
}

/// Why a permission or a channel cannot be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wanting {
    /// There is no relayed address of the peer's family, and so the server would refuse it (RFC 8656 §9, §12.1).
    NoRelayedAddress,
    /// Nothing can be sent there: unspecified, multicast, broadcast, or port 0.
    NotATransportAddress,
    /// There are as many as there can be: [`MAX_PERMISSIONS`](super::MAX_PERMISSIONS), [`MAX_CHANNELS`](super::channels::MAX_CHANNELS).
    TooMany,
    /// The allocation is over, or is being deleted.
    Over,
}
