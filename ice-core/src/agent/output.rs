//! What goes into an agent and what comes out of it.

use alloc::string::String;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use super::{Cause, Query, Report, ServerFault, SocketRequest};
use crate::base::{ComponentId, Instant, PairId, SocketId, StreamId};
use crate::candidate::{Candidate, CandidateType, Transport};
use crate::check::Role;
use crate::description::Credentials;
use crate::trace::DropReason;

/// The size of the buffer that the engine writes into: an Ethernet frame's payload. No message of the engine comes
/// near it; a relay's framing of the application's data will.
pub const MAX_TRANSMIT: usize = 1_500;

/// What [`Agent::poll`](super::Agent::poll) wants.
#[derive(Debug)]
pub enum Output<'s> {
    /// Send this now.
    Transmit(Transmit<'s>),
    /// Something that the application acts on.
    Event(Event),
    /// A candidate of the peer, or a server, has a name for an address: look it up, and answer with
    /// [`Agent::resolved`](super::Agent::resolved). Nothing waits for it but the candidates of that name.
    Resolve(Query),
    /// Open or close a socket or a stream.
    Socket(SocketRequest),
    /// Nothing more at this moment. Poll again then, or after any call; `None`: only after a call.
    Wait(Option<Instant>),
    /// The agent was closed and has nothing more to say.
    Closed,
}

/// A datagram to be sent, or a frame to be written to a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Transmit<'s> {
    /// Out of this socket.
    pub socket: SocketId,
    /// To this address.
    pub remote: SocketAddr,
    /// The UDP payload, or what is to be written.
    pub contents: &'s [u8],
    /// If there is one, `contents` is to be written to this stream, whole and behind what was written before; `remote` is its other
    /// end. [`Agent::stream_written`](super::Agent::stream_written) wants to know when it has gone.
    pub stream: Option<StreamId>,
}

impl<'s> Transmit<'s> {
    pub(super) fn new(socket: SocketId, remote: SocketAddr, contents: &'s [u8]) -> Self {
        Self { socket, remote, contents, stream: None }
    }
}

/// A datagram that came in.
#[derive(Debug)]
#[non_exhaustive]
pub struct Datagram<'d> {
    /// On this socket.
    pub socket: SocketId,
    /// From this address.
    pub remote: SocketAddr,
    /// The UDP payload.
    pub bytes: &'d mut [u8],
}

impl<'d> Datagram<'d> {
    /// `bytes` came in on `socket` from `remote`.
    pub fn new(socket: SocketId, remote: SocketAddr, bytes: &'d mut [u8]) -> Self {
        Self { socket, remote, bytes }
    }
}

/// What [`Agent::receive`](super::Agent::receive) made of a datagram.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'d> {
    /// The application's data, from a flow on which the peer has authenticated itself (RFC 8445 §12.2).
    Data {
        /// Which component it belongs to.
        component: ComponentId,
        /// The valid pair that it came over, if our own check of that flow has succeeded. Until then an
        /// application should not act on what could not be a handshake.
        path: Option<PairId>,
        /// A slice of the datagram.
        payload: &'d mut [u8],
    },
    /// It was for the engine. Poll now.
    Consumed,
    /// It was thrown away. Poll now: an error response may wait.
    Dropped(DropReason),
    /// It is not STUN and not from a flow of this agent: perhaps another protocol on the same socket.
    Unclaimed(&'d mut [u8]),
}

/// What an application acts on.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Tell the peer of this candidate.
    LocalCandidate {
        /// Of which data stream, counted from 0; the candidate names its component.
        stream: u16,
        /// As it is signalled.
        candidate: Candidate,
    },
    /// Tell the peer that this candidate of ours is gone, if your signalling can.
    CandidateRemoved {
        /// Of which data stream.
        stream: u16,
        /// As it was signalled.
        candidate: Candidate,
    },
    /// The sockets that are up so far have given all their candidates, and the STUN servers have answered or had
    /// [`GATHERING_PATIENCE`](crate::GATHERING_PATIENCE). Comes again after a later `socket_up` or `add_stun_server`, and in each restart,
    /// when the servers have confirmed what they saw before. If there will be no others, say so by [`Agent::end_of_local_candidates`](super::Agent::end_of_local_candidates).
    GatheringDone,
    /// Tell the peer that no more candidates come for these credentials of ours (RFC 8838 §13): it comes after
    /// [`Agent::end_of_local_candidates`](super::Agent::end_of_local_candidates) only.
    EndOfCandidates {
        /// Our username fragment: those of other credentials have an end of their own.
        ufrag: String,
    },
    /// A STUN or TURN server has refused, was not reached, or gives nothing any more. That fails nothing by itself.
    ServerError {
        /// Which.
        server: SocketAddr,
        /// For which socket it was asked.
        socket: SocketId,
        /// What went wrong.
        fault: ServerFault,
    },
    /// The name of a server could not be resolved.
    ServerUnresolved {
        /// As the application gave it.
        name: String,
    },
    /// The component has its first valid pair: data may flow.
    PathUsable(Path),
    /// The two sides have agreed on this pair (RFC 8445 §8.1.2).
    PathSelected(Path),
    /// Two consent checks in a row went unanswered. Data still may flow.
    PathDegraded(Path),
    /// A degraded path is answered again.
    PathRecovered(Path),
    /// The path that carried the data is gone.
    PathLost {
        /// Which.
        path: Path,
        /// Why.
        cause: Cause,
    },
    /// There is still no path, or no nomination, and this may be why. Checks go on.
    Trouble(Cause),
    /// The selected path is gone. Only new credentials and candidates help (RFC 8445 §9).
    RestartNeeded(Cause),
    /// These credentials of ours are in force from now on (RFC 8445 §9). Signal them, unless that was done when the restart
    /// was prepared.
    Restarted {
        /// Ours.
        credentials: Credentials,
        /// The username fragment of the peer's that they were made for: tell the peer, for its
        /// [`accept_credentials`](super::Agent::accept_credentials). `None` if the restart began with us.
        answers: Option<String>,
    },
    /// A role conflict was repaired on our side, or the peer's being lite decides (RFC 8445 §6.1.1).
    RoleSwitched(Role),
    /// There is no path and the agent has given up. Nothing more will come.
    Failed(Report),
}

/// A way that data takes, as it is at this moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Path {
    /// Its name in traces and reports.
    pub pair: PairId,
    /// What it is for.
    pub component: ComponentId,
    /// The socket that data goes out of.
    pub socket: SocketId,
    /// What carries it. Over TCP, a payload has [`MAX_TRANSMIT`] - 2 bytes at the most.
    pub transport: Transport,
    /// Our address as the peer sees it.
    pub local: SocketAddr,
    /// What kind of candidate that is.
    pub local_type: CandidateType,
    /// The address that the socket is bound to.
    pub base: SocketAddr,
    /// The peer's address as we see it.
    pub remote: SocketAddr,
    /// What kind of candidate that is.
    pub remote_type: CandidateType,
    /// RFC 8445 §6.1.2.3, of the valid pair.
    pub priority: u64,
    /// Of the check that made it valid, from the first transmission.
    pub rtt: Duration,
    /// The TURN server that relays it, at our end.
    pub relay: Option<SocketAddr>,
    /// How many bytes are added to a payload, beyond the headers of UDP: 0 on a direct path.
    pub overhead: usize,
    /// The longest payload that [`Agent::send`](super::Agent::send) takes, in bytes. What the network takes may be less.
    pub largest_payload: usize,
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} > {} {}", self.local_type, self.local, self.remote_type, self.remote)
    }
}

/// Why data cannot be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SendError {
    /// No pair of the component is valid (yet, or any more).
    NoPath,
    /// The peer has not consented for 30 s (RFC 7675 §5.1).
    NoConsent,
    /// The payload looks like STUN, so the peer could not tell it from a check (RFC 7983 §7): its first byte is 0 to 3
    /// and it is shorter than eight bytes, or has STUN's cookie or length in STUN's place.
    LooksLikeStun,
    /// The relay has not let us send to the peer yet, or has not for five minutes (RFC 8656 §9).
    NoPermission,
    /// The payload does not fit into a frame, of a relay or of a connection.
    TooLong {
        /// The longest that does, in bytes.
        largest: usize,
    },
    /// The path is a stream, and as much as [`MAX_STREAM_BACKLOG`](super::MAX_STREAM_BACKLOG) waits to be written to it, or nearly
    /// so: some room is kept for checks. Try again later, or drop the payload, as a full network would.
    Backlog,
    /// The agent has no such component.
    UnknownComponent(ComponentId),
    /// The agent is closed or has failed.
    Ended,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPath => f.write_str("there is no valid path"),
            Self::NoConsent => f.write_str("the peer's consent has expired (RFC 7675 section 5.1)"),
            Self::LooksLikeStun => f.write_str("the payload looks like STUN (RFC 7983 section 7)"),
            Self::NoPermission => f.write_str("the relay does not let us send to the peer"),
            Self::TooLong { largest } => write!(f, "the payload is longer than the {largest} bytes that fit"),
            Self::Backlog => f.write_str("too much waits to be written to the stream"),
            Self::UnknownComponent(component) => write!(f, "the agent has no component {component}"),
            Self::Ended => f.write_str("the agent has ended"),
        }
    }
}

impl core::error::Error for SendError {}

/// Why something that the peer signalled was not taken. The agent goes on as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RemoteError {
    /// These are our own credentials: signalling echoes.
    OurOwnCredentials,
    /// Others than those that the peer uses: it has restarted (RFC 8445 §9), and we must, too, before they can be taken.
    /// [`Agent::accept_credentials`](super::Agent::accept_credentials) does both.
    CredentialsChanged,
    /// The candidate is for a component that the agent does not have.
    UnknownComponent(ComponentId),
    /// The candidate, or the credentials, are of a generation that is over (RFC 8839 §4.4.3.1).
    OtherGeneration,
    /// The candidate's transport is not one that the agent speaks; RFC 8839 §5.1 has it ignored. Of TCP it speaks `active` and
    /// `passive`, and not `so` (RFC 6544 §4.5).
    UnsupportedTransport,
    /// The candidate's address is a name that could not be resolved before, or that must not be asked for: one without
    /// a dot, or one under `.local` that has several (browsers make them with one).
    UnresolvedName,
    /// The candidate is a new one, and the peer has said that there are no more (RFC 8838 §14).
    AfterEnd,
    /// The application's filter does not let it through.
    Filtered,
    /// Nothing can be sent there: unspecified, multicast, or port 0.
    NotATransportAddress(SocketAddr),
    /// The description has no credentials for any stream that we have.
    NoCredentials,
    /// The description has several credentials: it takes an agent for each.
    SeveralCredentials,
    /// Options, pacing or lite differ from what the peer has told before, and it has not restarted (RFC 8839 §4.4.1.1.1).
    ChangedWithoutRestart,
    /// There is no such pair, or not both sides are lite.
    NoSuchPair,
    /// The agent has as many remote candidates as it takes (`MAX_REMOTE_CANDIDATES`), or has asked for as many names
    /// ([`MAX_QUERIES`](super::MAX_QUERIES)).
    TooMany,
    /// The agent is closed or has failed.
    Ended,
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OurOwnCredentials => "these credentials are our own: signalling echoes",
            Self::CredentialsChanged => {
                "the peer's credentials are known and differ: it has restarted, and we have not"
            }
            Self::UnknownComponent(component) => return write!(f, "the agent has no component {component}"),
            Self::OtherGeneration => "it belongs to a generation that is over",
            Self::UnsupportedTransport => "the candidate's transport is not supported",
            Self::UnresolvedName => "the candidate's address is a name that cannot be resolved",
            Self::AfterEnd => "the peer has told the end of its candidates before (RFC 8838 section 14)",
            Self::Filtered => "the application's filter does not let the candidate through",
            Self::NotATransportAddress(address) => return write!(f, "nothing can be sent to {address}"),
            Self::NoCredentials => "the description has no credentials",
            Self::SeveralCredentials => "the description has several credentials",
            Self::ChangedWithoutRestart => {
                "options, pacing or lite have changed without a restart (RFC 8839 section 4.4.1.1.1)"
            }
            Self::NoSuchPair => "there is no such pair of a lite agent and a lite peer",
            Self::TooMany => "the agent takes no more remote candidates",
            Self::Ended => "the agent has ended",
        })
    }
}

impl core::error::Error for RemoteError {}
