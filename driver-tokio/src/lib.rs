//! ICE connections on tokio: two peers behind NATs find a path between them and exchange datagrams.
//!
//! [`bind`] opens sockets and gives a [`Session`]. Each side sends its [`Description`] to the other by whatever
//! signalling there is, and [`Session::connect`](floe_driver::Session::connect) gives a [`Connection`] as soon as a
//! path works:
//!
//! ```
//! use floe_tokio::{AgentConfig, Config, InterfacePolicy, Role, Session};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // One side controls; by custom the one who calls. Both are in one process here, so that they talk over loopback.
//! let caller = bind(Role::Controlling).await?;
//! let callee = bind(Role::Controlled).await?;
//!
//! // Here your signalling comes in: `credentials` and `candidates` are plain text to send.
//! callee.set_remote_description(&caller.local_description())?;
//! caller.set_remote_description(&callee.local_description())?;
//!
//! let (caller, callee) = tokio::try_join!(caller.connect(), callee.connect())?;
//! caller.send(b"hello").await?;
//! assert_eq!(&callee.recv().await?[..], b"hello");
//! callee.send(b"hello yourself").await?;
//! assert_eq!(&caller.recv().await?[..], b"hello yourself");
//!
//! println!("{}", caller.selected().await?);
//! caller.close().await;
//! # Ok(()) }
//!
//! async fn bind(role: Role) -> Result<Session, floe_tokio::BindError> {
//!     let agent = AgentConfig { role, ..Default::default() };
//!     let interfaces = InterfacePolicy::loopback_only();
//!     floe_tokio::bind(Config { agent, interfaces, ..Default::default() }).await
//! }
//! ```
//!
//! # What to know
//!
//! * Handles are cheap to clone. Add the peer's candidates as they trickle in from one task while another waits in
//!   `connect`. When the last [`Session`] and [`Connection`] are dropped, the task ends and the sockets are closed.
//! * A connection is like a connected UDP socket: datagrams may be lost, doubled and reordered, and are not encrypted.
//!   
//!   Run DTLS, QUIC or another protocol over it. What looks like STUN is refused ([`SendError::LooksLikeStun`]): few
//!   payloads of eight bytes or more do, shorter ones if their first byte is 0 to 3.
//! * When there is no path, [`ConnectError::Failed`] has the engine's [`Report`]: the causes, and what became of each
//!   pair. `explain` gives it at any moment.
//! * The runtime needs its I/O and time drivers (`enable_all`).
//! * Logs go to `tracing`, target `floe`.

#![forbid(unsafe_code)]

mod runtime;

pub use floe_core::{
    AgentConfig, Candidate, CandidateType, Cause, Credentials, Event, Nomination, Path, Reach, RemoteError,
    Report, Role,
};
pub use floe_driver::{
    BindError, Config, ConnectError, Description, InterfacePolicy, MAX_EVENTS, MAX_RECEIVED, RecvError,
    SendError, Stats, UnusableCandidate, Unused, UnusedReason,
};
pub use runtime::{Timer, Tokio, UdpSocket};

/// The engine itself, for what is not re-exported here: traces, grammar, errors.
pub use floe_core as core;

/// A [`floe_driver::Session`] on tokio.
pub type Session = floe_driver::Session<Tokio>;
/// A [`floe_driver::Connection`] on tokio.
pub type Connection = floe_driver::Connection<Tokio>;
/// The [`floe_driver::Events`] of a [`Session`].
pub type Events = floe_driver::Events<Tokio>;

/// Binds one UDP socket on every usable address and starts a session on the current runtime.
///
/// # Errors
/// If no address can be bound, the configuration is out of range, or there is no tokio runtime.
pub async fn bind(config: Config) -> Result<Session, BindError> {
    let runtime = Tokio::current().map_err(BindError::Runtime)?;
    Session::bind(&runtime, config)
}
