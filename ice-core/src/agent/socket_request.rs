//! What the agent asks of whoever owns the sockets: further ones, and streams.

use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

use crate::base::{SocketId, StreamId};

/// Something to be opened or closed. An agent asks for nothing of the kind unless it was given servers of TURN or TCP sockets.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SocketRequest {
    /// Open a UDP socket at a free port of `local`: a TURN server wants another one than there was (RFC 8656 §5). Answer
    /// with [`Agent::socket_opened`](super::Agent::socket_opened) or [`Agent::socket_refused`](super::Agent::socket_refused).
    Bind {
        /// Its name: what comes in is given, and what goes out is told, under it.
        socket: SocketId,
        /// An address of this host.
        local: IpAddr,
    },
    /// Open a TCP connection from `local` to `remote`. Answer with [`Agent::stream_opened`](super::Agent::stream_opened) when it
    /// carries bytes, or with [`Agent::stream_closed`](super::Agent::stream_closed), after ten seconds at the latest.
    Connect {
        /// Its name.
        stream: StreamId,
        /// An address of this host.
        local: IpAddr,
        /// The port of `local` to connect from, shared with a listener there (RFC 6544 §4.1); `None`: any.
        port: Option<u16>,
        /// Where to.
        remote: SocketAddr,
        /// Speak TLS over it, to a server whose certificate is for this name or address; the agent sees what is inside.
        tls: Option<String>,
    },
    /// Close the stream, when what was written to it has gone. What still comes of it is not wanted.
    CloseStream(StreamId),
    /// Close the socket, which the agent has asked for.
    Close(SocketId),
}

/// Why an answer to a [`SocketRequest`], or what came of a stream, was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CarrierError {
    /// The agent knows no such socket, or has not asked for it.
    UnknownSocket(SocketId),
    /// The agent knows no such stream (any more): close it.
    UnknownStream(StreamId),
    /// The stream was opened before.
    OpenedBefore(StreamId),
    /// The address is none that a socket can have, or of another family than what was asked for.
    WrongAddress(SocketAddr),
    /// There are as many connections as the agent takes.
    TooMany,
    /// The agent is closed or has failed.
    Ended,
}

impl fmt::Display for CarrierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownSocket(id) => write!(f, "the agent has not asked for socket {}", id.0),
            Self::UnknownStream(id) => write!(f, "the agent knows no stream {}", id.0),
            Self::OpenedBefore(id) => write!(f, "stream {} was opened before", id.0),
            Self::WrongAddress(address) => write!(f, "{address} is not what was asked for"),
            Self::TooMany => f.write_str("the agent takes no more connections"),
            Self::Ended => f.write_str("the agent has ended"),
        }
    }
}

impl core::error::Error for CarrierError {}
