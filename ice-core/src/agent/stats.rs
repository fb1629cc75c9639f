//! Statistics, under the names of W3C's *Identifiers for WebRTC's Statistics API* (webrtc-stats) in Rust's spelling.
//! They are always counted, and cost a few additions a datagram; [`Agent::stats`](super::Agent::stats) gives a copy at
//! any moment. Here are the records and what exactly each number means; `account.rs` fills them in.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use crate::base::{ComponentId, Instant, PairId};
use crate::candidate::{CandidateType, Foundation, LocalId, RemoteId, TcpType, Transport};
use crate::check::Role;
use crate::trace::PairPhase;

/// What an agent has counted, at one moment. It borrows nothing.
///
/// Records name each other by ids, which stay the same as long as the agent lives. With the feature `serde` it is
/// written as the object that `Object.fromEntries(await connection.getStats())` makes in a browser: id by id a
/// dictionary with W3C's member names, times in milliseconds since the epoch of [`Instant`], durations in seconds, and
/// without the members that have no value.
///
/// ```
/// use floe_core::{Agent, AgentConfig, ComponentId, IceTransportState};
///
/// let agent = Agent::new(AgentConfig::default(), [1; 32])?;
/// let stats = agent.stats();
/// assert_eq!(stats.transports[0].ice_state, IceTransportState::New);
/// // How the selected pair does, once there is one.
/// if let Some(pair) = stats.selected_pair(ComponentId::FIRST) {
///     println!("{} bytes sent, round trip {:?}", pair.bytes_sent, pair.average_round_trip_time());
/// }
/// # Ok::<(), floe_core::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// One for each component.
    pub transports: Vec<TransportStats>,
    /// Every pair of the checklists, those of the current generation first. A pair that a checklist has let go of is
    /// gone here, too, and its data counts in its transport only.
    pub candidate_pairs: Vec<CandidatePairStats>,
    /// Ours, those that our peer has shown us included.
    pub local_candidates: Vec<CandidateStats>,
    /// The peer's, signalled or learned from its checks. Browsers hide the addresses of the latter; they are shown here.
    pub remote_candidates: Vec<CandidateStats>,
}

/// W3C `RTCTransportStats`, without what is DTLS's: one component, over all restarts.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(tag = "type", rename = "transport", rename_all = "camelCase")
)]
pub struct TransportStats {
    /// `id`.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::stats_json::text"))]
    pub id: ComponentId,
    /// `timestamp`: the latest moment that the agent was told of.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::stats_json::millis"))]
    pub timestamp: Instant,
    /// `packetsSent`: datagrams of data, whichever pair they took.
    pub packets_sent: u64,
    /// `packetsReceived`: datagrams of data, before our own check has succeeded, too (RFC 8445 §12.2).
    pub packets_received: u64,
    /// `bytesSent`: payload of the application, no checks.
    pub bytes_sent: u64,
    /// `bytesReceived`: payload of the application, no checks.
    pub bytes_received: u64,
    /// `iceRole`.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::stats_json::text"))]
    pub ice_role: Role,
    /// `iceLocalUsernameFragment`: that of the current generation.
    pub ice_local_username_fragment: String,
    /// `iceState`.
    pub ice_state: IceTransportState,
    /// `selectedCandidatePairId`: after a restart the old pair, until there is a new one.
    #[cfg_attr(
        feature = "serde",
        serde(serialize_with = "super::stats_json::some_text", skip_serializing_if = "Option::is_none")
    )]
    pub selected_candidate_pair_id: Option<PairId>,
    /// `selectedCandidatePairChanges`: how often the above has changed, from and to none included. The first selection
    /// makes it one; when another pair takes over at once, that is one change.
    pub selected_candidate_pair_changes: u32,
}

/// W3C `RTCIceTransportState`, as far as one component knows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
pub enum IceTransportState {
    /// The peer's credentials or candidates are yet to come.
    New,
    /// Nothing can be sent yet, and checks go on.
    Checking,
    /// Data may flow over a valid pair, and none is selected yet.
    Connected,
    /// Data flows, and the checks are over.
    Completed,
    /// The path goes unanswered, or consent has expired; it may come back.
    Disconnected,
    /// There is no path, and only a restart helps, or the agent has given up.
    Failed,
    /// The agent is closed.
    Closed,
}

/// W3C `RTCIceCandidatePairStats`, without what is congestion control's.
///
/// Data is what [`Agent::send`](super::Agent::send) was given and [`Agent::receive`](super::Agent::receive) gave; STUN
/// is counted in the requests and responses only.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(tag = "type", rename = "candidate-pair", rename_all = "camelCase")
)]
pub struct CandidatePairStats {
    /// `id`: its name in traces, events and reports.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::stats_json::text"))]
    pub id: PairId,
    /// `timestamp`: the latest moment that the agent was told of.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::stats_json::millis"))]
    pub timestamp: Instant,
    /// `transportId`.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::stats_json::text"))]
    pub transport_id: ComponentId,
    /// `localCandidateId`: of a valid pair the one with the mapped address, else the base (RFC 8445 §7.2.5.3.2).
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::stats_json::text"))]
    pub local_candidate_id: CandidateId,
    /// `remoteCandidateId`.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::stats_json::text"))]
    pub remote_candidate_id: CandidateId,
    /// `state`: RFC 8445 §6.1.2.6. W3C's word for it has no reason of a failure.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::stats_json::state"))]
    pub state: PairPhase,
    /// `nominated`: the nominated flag (RFC 8445 §7.2.5.3.4, §7.3.1.5).
    pub nominated: bool,
    /// `packetsSent`: datagrams of data that were handed out to be sent.
    pub packets_sent: u64,
    /// `packetsReceived`: datagrams of data.
    pub packets_received: u64,
    /// `bytesSent`: payload, without headers, framing and checks.
    pub bytes_sent: u64,
    /// `bytesReceived`: payload, without headers, framing and checks.
    pub bytes_received: u64,
    /// `lastPacketSentTimestamp`: of data.
    #[cfg_attr(
        feature = "serde",
        serde(serialize_with = "super::stats_json::some_millis", skip_serializing_if = "Option::is_none")
    )]
    pub last_packet_sent_timestamp: Option<Instant>,
    /// `lastPacketReceivedTimestamp`: of data.
    #[cfg_attr(
        feature = "serde",
        serde(serialize_with = "super::stats_json::some_millis", skip_serializing_if = "Option::is_none")
    )]
    pub last_packet_received_timestamp: Option<Instant>,
    /// `totalRoundTripTime`: the sum over all `responses_received`. Of a check that was sent again it is taken from the
    /// first transmission, so that it is never too short.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::stats_json::seconds"))]
    pub total_round_trip_time: Duration,
    /// `currentRoundTripTime`: that of the latest response, to a check or a consent check.
    #[cfg_attr(
        feature = "serde",
        serde(serialize_with = "super::stats_json::some_seconds", skip_serializing_if = "Option::is_none")
    )]
    pub current_round_trip_time: Option<Duration>,
    /// `requestsReceived`: the peer's authenticated checks, retransmissions and consent checks included, however they
    /// were answered.
    pub requests_received: u64,
    /// `requestsSent`: checks, nominations included. Retransmissions are not counted; a check that is repeated as a new
    /// transaction is. Consent checks are counted apart.
    pub requests_sent: u64,
    /// `responsesReceived`: authenticated success responses to checks and consent checks, at most one to a request. One
    /// that nobody waits for any more is not counted.
    pub responses_received: u64,
    /// `responsesSent`: to the authenticated requests, error responses included.
    pub responses_sent: u64,
    /// `consentRequestsSent`: consent checks (RFC 7675), each of which goes once.
    pub consent_requests_sent: u64,
    /// `packetsDiscardedOnSend`: datagrams of data that did not go out: refused for want of consent while data was to
    /// take this pair, or by the socket, as [`Agent::not_sent`](super::Agent::not_sent) was told. They do not count as
    /// sent.
    pub packets_discarded_on_send: u64,
    /// `bytesDiscardedOnSend`: the payload of these.
    pub bytes_discarded_on_send: u64,
}

/// W3C `RTCIceCandidateStats`, without what only TURN knows.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "camelCase"))]
pub struct CandidateStats {
    /// `id`. Its side is `type`: `local-candidate` or `remote-candidate`.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub id: CandidateId,
    /// `timestamp`: the latest moment that the agent was told of.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::stats_json::millis"))]
    pub timestamp: Instant,
    /// `transportId`.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::stats_json::text"))]
    pub transport_id: ComponentId,
    /// `address`.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::stats_json::text"))]
    pub address: IpAddr,
    /// `port`.
    pub port: u16,
    /// `protocol`.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::stats_json::protocol"))]
    pub protocol: Transport,
    /// `candidateType`.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::stats_json::text"))]
    pub candidate_type: CandidateType,
    /// `priority`: RFC 8445 §5.1.2; of a learned one, what its first check told.
    pub priority: u32,
    /// `foundation`: RFC 8445 §5.1.1.3; of a learned one, a text of our own.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::stats_json::text"))]
    pub foundation: Foundation,
    /// `relatedAddress`: of our own server-reflexive and relayed ones. What the peer signals of its own is not kept.
    #[cfg_attr(
        feature = "serde",
        serde(serialize_with = "super::stats_json::some_text", skip_serializing_if = "Option::is_none")
    )]
    pub related_address: Option<IpAddr>,
    /// `relatedPort`: likewise.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub related_port: Option<u16>,
    /// `usernameFragment`: of the generation that it belongs to; none while the peer's credentials are unknown.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub username_fragment: Option<String>,
    /// `tcpType`: none for UDP.
    #[cfg_attr(
        feature = "serde",
        serde(serialize_with = "super::stats_json::tcp_type", skip_serializing_if = "Option::is_none")
    )]
    pub tcp_type: Option<TcpType>,
}

/// The name of a candidate, for as long as the agent lives. `L0.3` is ours number 3 before any restart, `R1.3` is one
/// of the peer's after the first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CandidateId {
    /// One of ours, in this generation.
    Local(u16, LocalId),
    /// One of the peer's, in this generation.
    Remote(u16, RemoteId),
}

impl fmt::Display for CandidateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(generation, LocalId(number)) => write!(f, "L{generation}.{number}"),
            Self::Remote(generation, RemoteId(number)) => write!(f, "R{generation}.{number}"),
        }
    }
}

impl Stats {
    /// The pair with this name.
    pub fn candidate_pair(&self, id: PairId) -> Option<&CandidatePairStats> {
        self.candidate_pairs.iter().find(|pair| pair.id == id)
    }

    /// The selected pair of a component.
    pub fn selected_pair(&self, component: ComponentId) -> Option<&CandidatePairStats> {
        let transport = self.transports.iter().find(|transport| transport.id == component)?;
        self.candidate_pair(transport.selected_candidate_pair_id?)
    }

    /// The candidate with this name, of either side.
    pub fn candidate(&self, id: CandidateId) -> Option<&CandidateStats> {
        self.local_candidates.iter().chain(&self.remote_candidates).find(|candidate| candidate.id == id)
    }
}

impl CandidatePairStats {
    /// `totalRoundTripTime` over `responsesReceived`; none before the first response.
    pub fn average_round_trip_time(&self) -> Option<Duration> {
        let responses = u32::try_from(self.responses_received).unwrap_or(u32::MAX);
        self.total_round_trip_time.checked_div(responses)
    }
}

/// Why data that [`Agent::send`](super::Agent::send) gave was not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotSent {
    /// The socket is full, and the application will try again: it does not count at all.
    WouldBlock,
    /// It is lost: it counts as discarded.
    Discarded,
}
