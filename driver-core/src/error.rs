//! What can go wrong, by what was tried.

use std::fmt;
use std::io;
use std::net::IpAddr;

use floe_core::{Cause, ConfigError, Report, ServerError};

use crate::interfaces::Skip;

/// Why a session could not be bound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// No address could be bound. Names each that was seen and why it was not used.
    #[error("no usable address: {}", Seen(.0))]
    NoUsableAddress(Vec<Unused>),
    /// A value of the agent's configuration is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// One of the servers cannot be asked.
    #[error("a server cannot be used: {0}")]
    Server(#[from] ServerError),
    /// The certificates that were to be trusted cannot be.
    #[error("the certificates to trust cannot be used: {0}")]
    TlsRoots(String),
    /// The system's random generator does not work.
    #[error("no randomness from the system")]
    Random(#[source] io::Error),
    /// The runtime is missing: the call was made outside of it.
    #[error("no runtime")]
    Runtime(#[source] io::Error),
}

/// An address that was not used.
#[derive(Debug)]
pub struct Unused {
    /// The interface's name.
    pub interface: String,
    /// The address.
    pub address: IpAddr,
    /// Why.
    pub reason: UnusedReason,
}

/// Why an address was not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnusedReason {
    /// The policy or RFC 8445 §5.1.1.1 rules it out.
    #[error("{0}")]
    Skipped(Skip),
    /// The system refused to bind it, or the runtime to take the socket.
    #[error("{0}")]
    Socket(#[source] io::Error),
    /// The engine did not take it.
    #[error("{0}")]
    Engine(#[source] floe_core::SocketError),
}

struct Seen<'a>(&'a [Unused]);

impl fmt::Display for Seen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("this host has none");
        }
        for (index, Unused { interface, address, reason }) in self.0.iter().enumerate() {
            write!(f, "{}{address} on {interface}: {reason}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

/// Why there is no connection.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The engine has given up; the report says why, pair by pair.
    #[error("no path to the peer\n{0}")]
    Failed(Report),
    /// There was a path and it was lost. Only a restart helps.
    #[error("the path was lost: {0}")]
    Lost(Cause),
    /// The session was closed, or its runtime has ended.
    #[error("the session is closed")]
    Closed,
}

/// Why a datagram was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// No pair is valid, yet or any more.
    #[error("there is no path")]
    NoPath,
    /// The peer has not consented for 30 s (RFC 7675 §5.1).
    #[error("the peer's consent has expired")]
    NoConsent,
    /// The socket, or the stream to the relay, has no room now. Only from [`try_send`](crate::Connection::try_send).
    #[error("the socket has no room")]
    WouldBlock,
    /// The payload is longer than a UDP datagram can be (65,507 bytes), or than what fits into a relay's frame
    /// ([`Path::largest_payload`](floe_core::Path::largest_payload)).
    #[error("{0} bytes do not fit into a datagram")]
    TooLong(usize),
    /// The peer would take the payload for STUN (RFC 7983 §7) and drop it: see
    /// [`is_stun`](floe_core::wire::is_stun).
    #[error("the payload looks like STUN")]
    LooksLikeStun,
    /// The socket refused it. The path may well work for the next one.
    #[error("the socket refused the datagram")]
    Io(#[source] io::Error),
    /// The session is closed or has failed.
    #[error("the session is closed")]
    Closed,
}

impl From<floe_core::SendError> for SendError {
    fn from(error: floe_core::SendError) -> Self {
        match error {
            floe_core::SendError::NoConsent => Self::NoConsent,
            floe_core::SendError::Ended => Self::Closed,
            floe_core::SendError::LooksLikeStun => Self::LooksLikeStun,
            floe_core::SendError::Backlog => Self::WouldBlock,
            // A session has the one component that its agent has, so that an unknown one is none.
            _ => Self::NoPath,
        }
    }
}

/// Why nothing will be received any more. Comes after the last datagram that was.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecvError {
    /// The engine has given up.
    #[error("no path to the peer\n{0}")]
    Failed(Report),
    /// The path was lost (RFC 7675 §5.1: consent expired or was revoked; or its socket is gone). After a restart `recv` waits
    /// again.
    #[error("the path was lost: {0}")]
    Lost(Cause),
    /// The session was closed, or its runtime has ended.
    #[error("the session is closed")]
    Closed,
}
