//! What an allocation is made from.

use alloc::string::String;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use smallvec::SmallVec;

/// The longest USERNAME, in bytes (RFC 8489 §14.3).
const MAX_USERNAME: usize = 508;

/// Where and how to allocate.
#[derive(Clone, Debug)]
pub(crate) struct AllocationConfig {
    pub(crate) server: SocketAddr,
    pub(crate) carrier: Carrier,
    pub(crate) families: Families,
    pub(crate) credentials: RelayCredentials,
    /// The first retransmission timeout over datagrams, at least 500 ms (RFC 8445 §14.3).
    pub(crate) rto: Duration,
    /// The servers that have redirected us, one after the other, to this one (RFC 8489 §10).
    pub(crate) redirected_by: SmallVec<[SocketAddr; 2]>,
}

/// What is between us and the server (RFC 8656 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Carrier {
    /// UDP: requests are repeated.
    Datagrams,
    /// TCP or TLS: requests go once, and ChannelData is padded (RFC 8489 §6.2.2, RFC 8656 §12.5).
    Stream,
}

/// Of which families relayed addresses are wanted (RFC 8656 §7.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Families {
    V4,
    V6,
    /// One of each in one allocation, or what there is of the two.
    Both,
}

impl Families {
    pub(crate) const fn include(self, address: SocketAddr) -> bool {
        match self {
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
            Self::Both => true,
        }
    }
}

/// A username and its password (RFC 8489 §9.2).
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RelayCredentials {
    username: String,
    password: String,
}

impl RelayCredentials {
    /// # Errors
    /// USERNAME has no room for more than 508 bytes (RFC 8489 §14.3).
    pub(crate) fn new(username: &str, password: &str) -> Result<Self, UsernameTooLong> {
        if username.len() > MAX_USERNAME {
            return Err(UsernameTooLong);
        }
        Ok(Self { username: username.into(), password: password.into() })
    }

    pub(crate) fn username(&self) -> &str {
        &self.username
    }

    pub(crate) fn password(&self) -> &str {
        &self.password
    }
}

impl fmt::Debug for RelayCredentials {
    /// Never the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RelayCredentials({:?}, ..)", self.username)
    }
}

/// A username of more than 508 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct UsernameTooLong;
