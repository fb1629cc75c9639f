//! An ICE engine as a pure state machine: it finds a working path between two peers behind NATs, and keeps
//! it (RFC 8445, 8838, 8863, 7675). It has no sockets, no clock, no threads and no randomness but that of its seed:
//! the caller feeds it datagrams and time, and sends what comes out. The same seed and the same inputs give the
//! same outputs, byte for byte.
//!
//! [`Agent`] is one side of one connection. After any call, [`poll`](Agent::poll) it until it says
//! [`Output::Wait`]. The drivers `floe-tokio` and the like do this with real sockets; `floe-sim` does it in simulated
//! time, behind simulated NATs.
//!
//! The [`manual`] explains it: concepts, policies, defaults, threats.
//!
//! Two agents with nothing between them but this loop:
//!
//! ```
//! use std::net::SocketAddr;
//! use floe_core::{Agent, AgentConfig, ComponentId, Datagram, Event, Instant, MAX_TRANSMIT, Output, Received};
//! use floe_core::{Role, Socket, SocketId, Unresolved};
//!
//! let addresses = [1, 2].map(|host| SocketAddr::from(([192, 0, 2, host], 4000)));
//! let mut agents = [
//!     // A real seed comes from the system's generator: who knows it can forge the agent's messages.
//!     Agent::new(AgentConfig { role: Role::Controlling, ..Default::default() }, [1; 32])?,
//!     Agent::new(AgentConfig { role: Role::Controlled, ..Default::default() }, [2; 32])?,
//! ];
//! let mut now = Instant::ZERO;
//!
//! // Each is told of its socket, and through signalling of the other's credentials.
//! for (side, other) in [(0, 1), (1, 0)] {
//!     let credentials = agents[other].local_credentials().clone();
//!     agents[side].socket_up(now, Socket::udp(SocketId(0), addresses[side]))?;
//!     agents[side].set_remote_credentials(now, credentials)?;
//! }
//!
//! let mut selected = 0;
//! while selected < 2 {
//!     let mut wake: Option<Instant> = None;
//!     for (side, other) in [(0, 1), (1, 0), (0, 1)] {
//!         let mut scratch = [0; MAX_TRANSMIT];
//!         loop {
//!             match agents[side].poll(now, &mut scratch) {
//!                 Output::Transmit(transmit) => {
//!                     let mut bytes = transmit.contents.to_vec();
//!                     agents[other].receive(now, Datagram::new(SocketId(0), addresses[side], &mut bytes));
//!                 }
//!                 // Signalling again, one candidate at a time (RFC 8838).
//!                 Output::Event(Event::LocalCandidate { candidate, .. }) => {
//!                     agents[other].add_remote_candidate(now, &candidate)?;
//!                 }
//!                 Output::Event(Event::PathSelected(path)) => {
//!                     println!("{now}: side {side} selected {path}");
//!                     selected += 1;
//!                 }
//!                 Output::Event(Event::Failed(report)) => panic!("{report}"),
//!                 Output::Event(_) => {}
//!                 // Only where a candidate has a name instead of an address.
//!                 Output::Resolve(query) => agents[side].resolved(now, query.id, Err(Unresolved))?,
//!                 // Only where a TURN server or a TCP socket was given.
//!                 Output::Socket(request) => panic!("no server was given: {request:?}"),
//!                 Output::Wait(until) => break wake = wake.into_iter().chain(until).min(),
//!                 Output::Closed => break,
//!             }
//!         }
//!     }
//!     now = now.max(wake.unwrap_or(now));
//! }
//!
//! let mut scratch = [0; MAX_TRANSMIT];
//! let transmit = agents[0].send(now, ComponentId::FIRST, b"hello", &mut scratch)?;
//! let mut bytes = transmit.contents.to_vec();
//! let received = agents[1].receive(now, Datagram::new(SocketId(0), addresses[0], &mut bytes));
//! assert!(matches!(received, Received::Data { payload, .. } if payload == b"hello"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # When it does not connect
//!
//! An agent never just times out. Within five seconds it tells what may be wrong ([`Event::Trouble`]), and when it gives
//! up, why ([`Event::Failed`] with a [`Report`]): machine-readable [`Cause`]s, and a line for each pair.
//! [`Agent::explain`] gives the same at any moment. [`trace`] shows every decision.
//!
//! # How it does
//!
//! [`Agent::stats`] has the numbers of every pair, candidate and component under the names of browsers' `getStats()`:
//! round trips, checks and consent checks, packets and bytes, selections. Counting is always on.
//!
//! # Signalling
//!
//! How [`Credentials`] and [`Candidate`]s get to the other side is the application's affair. [`description`] has the usual
//! forms: SDP or its lines of ICE alone, trickled fragments of it, and the JSON of browsers.
//!
//! # Crate features
//!
//! None is on by default.
//!
//! * `serde`: `Serialize` for [`Stats`] and its records, in the shape of browsers' `getStats()`. `Serialize` and
//!   `Deserialize` for what is signalled: [`CandidateInit`](description::CandidateInit), [`Credentials`],
//!   [`SessionDescription`](description::SessionDescription) and [`TrickleFragment`](description::TrickleFragment); and for
//!   browsers' `iceServers` ([`IceServer`](server::IceServer)).
//!   Needs no `std` either.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod agent;
pub mod base;
pub mod candidate;
mod check;
pub mod description;
mod gather;
#[cfg(doc)]
pub mod manual;
pub mod nat;
mod path;
#[allow(dead_code, reason = "what frees a peer is still to be called")]
mod relay;
pub mod server;
pub mod trace;
mod transaction;
pub mod wire;

pub use agent::{
    Agent, AgentConfig, CandidateId, CandidatePairStats, CandidateStats, CarrierError, Cause, ComponentError,
    ConfigError, Datagram, Event, IceTransportState, MAX_ACCEPTED_STREAMS, MAX_COMPONENTS, MAX_EARLY_ENDS,
    MAX_OLD_GENERATIONS, MAX_PENDING_ANSWERS, MAX_QUERIES, MAX_SERVER_NAMES, MAX_STREAM_BACKLOG, MAX_STREAMS,
    MAX_TRANSMIT, MappingKnowledge, NotSent, Output, PairReport, Path, Query, QueryId, Received, RemoteError,
    Report, ResolveError, RestartError, SendError, ServerFault, SocketRequest, Stats, StreamEnd, Taken,
    Transmit, TransportStats, Unresolved, Untaken,
};
pub use base::{ComponentId, Instant, InterfaceId, PairId, SocketId, StreamId, Tuple};
pub use candidate::{AddressPrefix, Candidate, CandidateFilter, CandidateType, CandidateTypes, PrefixError};
pub use check::{
    DEFAULT_PAIRS, HopelessPairs, MAX_PAIRS, MAX_PAIRS_PER_REMOTE_ADDRESS, Nomination, PathMeasure,
    Preference, Reach, Role,
};
pub use description::{Credentials, CredentialsError};
pub use gather::{
    GATHERING_PATIENCE, MAX_ALLOCATIONS, MAX_STUN_SERVERS, MAX_TURN_SERVERS, RelayFamilies, ServerError,
    Socket, SocketError, TurnServer, TurnTransport,
};
pub use path::Profile;
