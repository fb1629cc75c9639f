//! A TURN server as the application names it.

use alloc::string::String;
use core::fmt;
use core::net::SocketAddr;

/// A TURN server (RFC 8656): where it is, how it is spoken to, and as whom.
///
/// Username and password go to it as they are: what is not ASCII has to be prepared (RFC 8489 §9.2.2).
#[derive(Clone, PartialEq, Eq)]
pub struct TurnServer {
    pub(crate) address: SocketAddr,
    pub(crate) transport: TurnTransport,
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) families: RelayFamilies,
    /// The name and port that it was found by, if it was.
    pub(crate) origin: Option<String>,
}

/// What is between the agent and a TURN server (RFC 8656 §3.1). Between the server and the peer it is UDP.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum TurnTransport {
    /// Datagrams, out of the sockets that there are.
    Udp,
    /// A connection.
    Tcp,
    /// A connection under TLS.
    Tls {
        /// Whose certificate the server has to show: a name of DNS, or an address as text.
        name: String,
    },
}

/// Of which families relayed addresses are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum RelayFamilies {
    /// IPv4 only.
    Ipv4,
    /// IPv6 only (RFC 8656 §7.1, REQUESTED-ADDRESS-FAMILY).
    Ipv6,
    /// Both in one allocation (ADDITIONAL-ADDRESS-FAMILY), or what the server has of the two.
    #[default]
    Both,
    /// Both, in an allocation each: for servers that do not give two in one. The second one needs a socket of its
    /// own ([`SocketRequest::Bind`](crate::SocketRequest::Bind)).
    Apart,
}

impl TurnServer {
    /// One that is asked over UDP.
    pub fn udp(address: SocketAddr, username: impl Into<String>, password: impl Into<String>) -> Self {
        Self::new(address, TurnTransport::Udp, username, password)
    }

    /// One that is asked over TCP.
    pub fn tcp(address: SocketAddr, username: impl Into<String>, password: impl Into<String>) -> Self {
        Self::new(address, TurnTransport::Tcp, username, password)
    }

    /// One that is asked over TLS, with a certificate for `name`.
    pub fn tls(
        address: SocketAddr,
        name: impl Into<String>,
        username: impl Into<String>,
        password: impl Into<String>,
    ) -> Self {
        Self::new(address, TurnTransport::Tls { name: name.into() }, username, password)
    }

    /// One that is asked over whatever it is.
    pub fn new(
        address: SocketAddr,
        transport: TurnTransport,
        username: impl Into<String>,
        password: impl Into<String>,
    ) -> Self {
        let (username, password) = (username.into(), password.into());
        Self { address, transport, username, password, families: RelayFamilies::default(), origin: None }
    }

    /// The same, asked for other families than both in one.
    #[must_use]
    pub const fn with_families(mut self, families: RelayFamilies) -> Self {
        self.families = families;
        self
    }

    /// Where it is.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How it is asked.
    pub const fn transport(&self) -> &TurnTransport {
        &self.transport
    }
}

impl fmt::Debug for TurnServer {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TurnServer")
            .field("address", &self.address)
            .field("transport", &self.transport)
            .field("username", &self.username)
            .field("families", &self.families)
            .finish_non_exhaustive()
    }
}
