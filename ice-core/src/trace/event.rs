//! The events of a trace.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use super::DropReason;
use crate::base::{ComponentId, PairId, SocketId, StreamEnd, StreamId, Tuple};
use crate::candidate::CandidateType;
use crate::wire::{Method, TransactionId};

/// One decision of the engine, or one thing that it saw.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TraceEvent {
    /// A local candidate was gathered or, if peer-reflexive, learned from a response.
    LocalCandidate {
        /// What it is for.
        component: ComponentId,
        /// Host, reflexive or relayed.
        kind: CandidateType,
        /// Its transport address.
        address: SocketAddr,
        /// The address that it sends from.
        base: SocketAddr,
        /// RFC 8445 §5.1.2.
        priority: u32,
    },
    /// A remote candidate was signalled or, if peer-reflexive, learned from a request.
    RemoteCandidate {
        /// What it is for.
        component: ComponentId,
        /// Host, reflexive or relayed.
        kind: CandidateType,
        /// Its transport address.
        address: SocketAddr,
        /// RFC 8445 §5.1.2.
        priority: u32,
    },
    /// A pair joined the checklist (RFC 8445 §6.1.2).
    PairFormed {
        /// Its name from now on.
        pair: PairId,
        /// Our base.
        local: SocketAddr,
        /// The peer's candidate.
        remote: SocketAddr,
        /// RFC 8445 §6.1.2.3.
        priority: u64,
    },
    /// A pair changed its state (RFC 8445 §6.1.2.6).
    PairState {
        /// Which.
        pair: PairId,
        /// What it is now.
        phase: PairPhase,
    },
    /// A Binding request went out to check a pair.
    CheckSent {
        /// Which pair.
        pair: PairId,
        /// Of this request; repeated on retransmission.
        transaction: TransactionId,
        /// 1 for the first transmission.
        attempt: u8,
        /// Whether it carries USE-CANDIDATE.
        nominates: bool,
    },
    /// An authenticated response to a check came in.
    CheckAnswered {
        /// Which pair.
        pair: PairId,
        /// Of the request.
        transaction: TransactionId,
        /// Since the first transmission of that request.
        rtt: Duration,
        /// Our address as the peer saw it.
        mapped: SocketAddr,
    },
    /// A Binding request went to a STUN server.
    ServerAsked {
        /// From which socket to which server.
        tuple: Tuple,
        /// The request.
        transaction: TransactionId,
        /// 1 for the first transmission.
        attempt: u8,
    },
    /// A STUN server has answered.
    ServerAnswered {
        /// From which server to which socket.
        tuple: Tuple,
        /// The request.
        transaction: TransactionId,
        /// Since the first transmission of that request.
        rtt: Duration,
        /// Our address as the server saw it, if it told.
        mapped: Option<SocketAddr>,
        /// Where else it can be asked, to find out what NAT there is (RFC 5780 §7.4).
        other: Option<SocketAddr>,
        /// The error code, if it refused.
        error: Option<u16>,
    },
    /// An authenticated error response to a check came in.
    CheckRefused {
        /// Which pair.
        pair: PairId,
        /// Of the request.
        transaction: TransactionId,
        /// STUN error code (RFC 8489 §14.8).
        code: u16,
    },
    /// An authenticated Binding request came in.
    RequestReceived {
        /// Whence and on which socket.
        tuple: Tuple,
        /// Of the request.
        transaction: TransactionId,
        /// Whether it carries USE-CANDIDATE.
        nominates: bool,
    },
    /// An answer to a request went out.
    RequestAnswered {
        /// Where it went.
        tuple: Tuple,
        /// Of the request.
        transaction: TransactionId,
        /// `None` for success, else the error code.
        error: Option<u16>,
    },
    /// We switched roles to repair a conflict (RFC 8445 §7.3.1.1, §7.2.5.1).
    RoleSwitched {
        /// Whether we control now.
        controlling: bool,
    },
    /// A valid pair was nominated by either side (RFC 8445 §7.2.5.3.4, §7.3.1.5).
    Nominated {
        /// Which.
        pair: PairId,
    },
    /// A pair carries the data of its component from now on (RFC 8445 §8.1.2).
    Selected {
        /// Which.
        pair: PairId,
    },
    /// A consent check went out (RFC 7675 §5.1).
    ConsentSent {
        /// Which pair.
        pair: PairId,
        /// Of this request.
        transaction: TransactionId,
    },
    /// The peer consents for another 30 seconds.
    ConsentGranted {
        /// Which pair.
        pair: PairId,
        /// Since the request.
        rtt: Duration,
    },
    /// No more data may go this way (RFC 7675 §5.1, §5.2).
    ConsentLost {
        /// Which pair.
        pair: PairId,
        /// Whether the peer said so, rather than said nothing.
        revoked: bool,
    },
    /// A datagram was thrown away.
    Dropped {
        /// The socket that it came in on.
        socket: SocketId,
        /// Where it came from, or says so.
        remote: SocketAddr,
        /// Why.
        reason: DropReason,
    },
    /// The driver could not send, or an ICMP error came back.
    SendFailed {
        /// Where it was to go.
        tuple: Tuple,
    },
    /// A connection to the peer carries frames (RFC 6544 §7.1).
    StreamOpened {
        /// Its name.
        stream: StreamId,
        /// Between which of our sockets and which address of the peer.
        tuple: Tuple,
        /// Whether the peer has opened it.
        accepted: bool,
    },
    /// A connection to the peer, or what was to become one, is no more.
    StreamClosed {
        /// Between which of our sockets and which address of the peer.
        tuple: Tuple,
        /// How it ended, unless we have closed it.
        end: Option<StreamEnd>,
    },
    /// A request went to a TURN server.
    RelayAsked {
        /// Out of which socket, or for which socket over a stream, and where to.
        tuple: Tuple,
        /// What is asked for.
        method: Method,
        /// Its transaction.
        transaction: TransactionId,
        /// 1 for the first transmission.
        attempt: u8,
    },
    /// A TURN server has given an allocation.
    Allocated {
        /// Which.
        server: SocketAddr,
        /// For how long, unless it is refreshed.
        lifetime: Duration,
    },
    /// What has come out of a stream had no effect.
    StreamDropped {
        /// Which.
        stream: StreamId,
        /// Why.
        reason: DropReason,
    },
}

/// The state of a pair, as RFC 8445 §6.1.2.6 names it, with the reason of a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PairPhase {
    /// Not to be checked before another pair of its foundation.
    Frozen,
    /// To be checked.
    Waiting,
    /// A check is out.
    InProgress,
    /// A check was answered.
    Succeeded,
    /// It is not to be used.
    Failed(CheckFailure),
}

/// Why a pair failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CheckFailure {
    /// No answer to any transmission within 39.5 s (RFC 8445 §7.2.5.2.3).
    Timeout,
    /// The answer came from another address than was asked (RFC 8445 §7.2.5.2.1).
    Asymmetric,
    /// An authenticated error response other than a role conflict (RFC 8445 §7.2.5.2.4).
    Refused(u16),
    /// It was valid and its nomination was never answered.
    NominationUnanswered,
    /// It was valid and the peer did not answer for 30 s (RFC 7675 §5.1).
    ConsentLost,
    /// It was valid and the peer has revoked its consent (RFC 7675 §5.2).
    ConsentRevoked,
    /// The NATs on both sides, as far as they are known, cannot let it work, and such pairs are skipped.
    Hopeless,
    /// Another pair of its component was selected first (RFC 8445 §8.1.2).
    Concluded,
    /// One of its candidates was taken away.
    Removed,
    /// Its connection could not be opened, or has ended (RFC 6544 §7.1).
    Disconnected(StreamEnd),
    /// There were too many connections to open another.
    TooManyConnections,
    /// The relay's server does not let us send to the peer (RFC 8656 §9.2): this is its error code.
    RelayRefused(u16),
}

impl fmt::Display for CheckFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "no answer",
            Self::Asymmetric => "answered from another address",
            Self::Refused(code) => return write!(f, "refused with {code}"),
            Self::NominationUnanswered => "nomination not answered",
            Self::ConsentLost => "consent expired",
            Self::ConsentRevoked => "consent revoked",
            Self::Hopeless => "the two NATs cannot meet there",
            Self::Concluded => "another pair was selected first",
            Self::Removed => "its candidate was removed",
            Self::Disconnected(end) => return end.fmt(f),
            Self::TooManyConnections => "too many connections",
            Self::RelayRefused(code) => return write!(f, "the relay refuses the peer's address with {code}"),
        })
    }
}

impl fmt::Display for PairPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frozen => f.write_str("frozen"),
            Self::Waiting => f.write_str("waiting"),
            Self::InProgress => f.write_str("in progress"),
            Self::Succeeded => f.write_str("succeeded"),
            Self::Failed(failure) => write!(f, "failed: {failure}"),
        }
    }
}

impl fmt::Display for TraceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LocalCandidate { kind, address, base, priority, .. } => {
                write!(f, "local candidate {kind} {address}")?;
                if address != base {
                    write!(f, " (base {base})")?;
                }
                write!(f, ", priority {priority}")
            }
            Self::RemoteCandidate { kind, address, priority, .. } => {
                write!(f, "remote candidate {kind} {address}, priority {priority}")
            }
            Self::PairFormed { pair, local, remote, .. } => write!(f, "pair {pair} = {local} > {remote}"),
            Self::PairState { pair, phase } => write!(f, "pair {pair} {phase}"),
            Self::CheckSent { pair, attempt, nominates, .. } => {
                write!(f, "check {pair} sent")?;
                if *nominates {
                    f.write_str(", nominating")?;
                }
                if *attempt > 1 {
                    write!(f, ", transmission {attempt}")?;
                }
                Ok(())
            }
            Self::CheckAnswered { pair, rtt, mapped, .. } => {
                write!(f, "check {pair} answered after {} ms, sees us as {mapped}", Millis(*rtt))
            }
            Self::ServerAsked { tuple, attempt: 1, .. } => write!(f, "asked server {}", tuple.remote),
            Self::ServerAsked { tuple, attempt, .. } => {
                write!(f, "asked server {} again, attempt {attempt}", tuple.remote)
            }
            Self::ServerAnswered { tuple, rtt, mapped: Some(mapped), .. } => {
                write!(f, "server {} answered after {} ms, sees us as {mapped}", tuple.remote, Millis(*rtt))
            }
            Self::ServerAnswered { tuple, error: Some(code), .. } => {
                write!(f, "server {} refused with {code}", tuple.remote)
            }
            Self::ServerAnswered { tuple, .. } => {
                write!(f, "server {} did not tell our address", tuple.remote)
            }
            Self::CheckRefused { pair, code, .. } => write!(f, "check {pair} refused with {code}"),
            Self::RequestReceived { tuple, nominates, .. } => {
                write!(f, "request from {}{}", tuple.remote, if *nominates { ", nominating" } else { "" })
            }
            Self::RequestAnswered { tuple, error: None, .. } => write!(f, "answered {}", tuple.remote),
            Self::RequestAnswered { tuple, error: Some(code), .. } => {
                write!(f, "answered {} with {code}", tuple.remote)
            }
            Self::RoleSwitched { controlling: true } => f.write_str("role switched to controlling"),
            Self::RoleSwitched { controlling: false } => f.write_str("role switched to controlled"),
            Self::Nominated { pair } => write!(f, "pair {pair} nominated"),
            Self::Selected { pair } => write!(f, "pair {pair} selected"),
            Self::ConsentSent { pair, .. } => write!(f, "consent check on {pair}"),
            Self::ConsentGranted { pair, rtt } => write!(f, "consent on {pair} after {} ms", Millis(*rtt)),
            Self::ConsentLost { pair, revoked: false } => write!(f, "consent on {pair} expired"),
            Self::ConsentLost { pair, revoked: true } => write!(f, "consent on {pair} revoked by the peer"),
            Self::Dropped { remote, reason, .. } => write!(f, "dropped a datagram from {remote}: {reason}"),
            Self::SendFailed { tuple } => write!(f, "could not send to {}", tuple.remote),
            Self::StreamOpened { stream, tuple, accepted } => {
                let how = if *accepted { "accepted from" } else { "opened to" };
                write!(f, "stream {} {how} {}", stream.0, tuple.remote)
            }
            Self::StreamClosed { tuple, end: Some(end) } => {
                write!(f, "no connection with {} any more: {end}", tuple.remote)
            }
            Self::StreamClosed { tuple, end: None } => write!(f, "connection with {} closed", tuple.remote),
            Self::RelayAsked { tuple, method, attempt, .. } => {
                write!(f, "{method} to the TURN server {}, transmission {attempt}", tuple.remote)
            }
            Self::Allocated { server, lifetime } => {
                write!(f, "the TURN server {server} relays for {} s", lifetime.as_secs())
            }
            Self::StreamDropped { stream, reason } => write!(f, "dropped from stream {}: {reason}", stream.0),
        }
    }
}

/// Milliseconds with three decimals.
struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0.as_millis(), self.0.subsec_micros() % 1_000)
    }
}
