//! Why a datagram was thrown away.

use core::fmt;

use crate::wire::{FrameError, WireError};

/// Why an incoming datagram had no effect. The agent's state is as it was before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DropReason {
    /// It looks like STUN and is not well formed.
    Malformed(WireError),
    /// A STUN message without FINGERPRINT (RFC 8445 §7.3 asks for it in every message).
    NoFingerprint,
    /// A request without MESSAGE-INTEGRITY or USERNAME; answered with 400 (RFC 8489 §9.1.3).
    NoCredentials,
    /// A request for a user that is not this agent; answered with 401 (RFC 8489 §9.1.3).
    WrongUsername,
    /// A request whose MESSAGE-INTEGRITY does not fit our password; answered with 401.
    WrongPassword,
    /// A response to a request that was never sent, or sent too long ago.
    UnknownTransaction,
    /// A response whose MESSAGE-INTEGRITY is missing or does not fit the peer's password (RFC 8489 §9.1.4).
    UnauthenticatedResponse,
    /// The peer refused our credentials. A 401 cannot be authenticated, so it counts as a hint only.
    CredentialsRefused,
    /// An authenticated success response without XOR-MAPPED-ADDRESS (RFC 8445 §7.2.5.3.1 needs it).
    NoMappedAddress,
    /// An authenticated request that lacks PRIORITY; answered with 400 (RFC 8445 §7.1.1).
    NoPriority,
    /// An authenticated request with attributes that must be understood and are not; answered with 420.
    UnknownAttributes,
    /// A STUN method other than Binding, or a class that has no place here.
    UnexpectedMethod,
    /// No such socket is up.
    UnknownSocket,
    /// The source is no address that can be answered: unspecified, multicast, broadcast, or port 0.
    NotATransportAddress,
    /// The source is of another address family than the socket.
    WrongFamily,
    /// A request that the application's filters do not let through: to a socket that is not to be used, or from a
    /// source that is not. It was not answered.
    Filtered,
    /// Answers wait to be polled and their queue is full: poll more often.
    AnswerQueueFull,
    /// The list of peer-reflexive candidates, or that of pairs, is full; it was answered.
    TooManyCandidates,
    /// A nomination that a limit, or consent lost on its flow, keeps us from following; answered with 400
    /// (RFC 8445 §7.3.1.5).
    NominationRefused,
    /// No such stream is open.
    UnknownStream,
    /// What has come out of a stream cannot be divided into frames, so that it was closed.
    Unframed(FrameError),
    /// Before anything of the peer's agent, something other than STUN came over a connection, which was closed (RFC 6544 §7.1).
    NotOfAgent,
    /// A frame is longer than the buffer that was given for it.
    FrameTooLong,
    /// A TURN server's demand for credentials without what they are made from: REALM, NONCE, an algorithm that we know
    /// (RFC 8489 §9.2.5).
    NoChallenge,
    /// A TURN server's answer from which somebody has taken the stronger algorithms (RFC 8489 §9.2.5).
    BidDown,
    /// Relayed from a peer that has no permission of ours (RFC 8656 §11.4, §12.6).
    NoPermission,
    /// ChannelData of a channel that we have not bound (RFC 8656 §12.6).
    UnknownChannel,
    /// ChannelData that is not well formed, or a Data indication without a peer, or with neither data nor an error
    /// (RFC 8656 §11.4, §12.6).
    NothingRelayed,
    /// The agent is closed or has failed.
    Ended,
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed(error) => return write!(f, "malformed STUN: {error}"),
            Self::Unframed(error) => return write!(f, "not framed: {error}"),
            Self::UnknownStream => "unknown stream",
            Self::NotOfAgent => "a connection with somebody who is no agent",
            Self::FrameTooLong => "a frame longer than the buffer",
            Self::NoFingerprint => "no FINGERPRINT",
            Self::NoCredentials => "request without credentials",
            Self::WrongUsername => "request for another user",
            Self::WrongPassword => "request signed with another password",
            Self::UnknownTransaction => "response to no request of ours",
            Self::UnauthenticatedResponse => "response that is not signed by the peer",
            Self::CredentialsRefused => "the peer says that our credentials are wrong (unauthenticated)",
            Self::NoMappedAddress => "success response without a mapped address",
            Self::NoPriority => "request without PRIORITY",
            Self::UnknownAttributes => "request with unknown attributes that must be understood",
            Self::UnexpectedMethod => "not a Binding message",
            Self::UnknownSocket => "no such socket",
            Self::NotATransportAddress => "source that nobody can send from",
            Self::WrongFamily => "source of another address family than the socket",
            Self::Filtered => "kept out by a filter",
            Self::AnswerQueueFull => "too many answers wait to be sent",
            Self::TooManyCandidates => "too many peer-reflexive candidates or pairs",
            Self::NominationRefused => "nomination of a pair that cannot be used",
            Self::NoChallenge => "demand for credentials that lacks what they are made from",
            Self::BidDown => "answer of a server that is made to look weaker than it is",
            Self::NoPermission => "relayed from a peer without a permission",
            Self::UnknownChannel => "relayed on a channel that is not bound",
            Self::NothingRelayed => "from a relay, and without anything relayed",
            Self::Ended => "the agent has ended",
        })
    }
}
