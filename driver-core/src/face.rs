//! The face that every driver shows to applications, written once, so that changing runtimes is changing an import.

/// Makes the face of a driver in the module where it stands: `bind`, `Session`, `Connection` and `Events` for one
/// runtime, and the types that they speak of.
///
/// The first argument is the [`Runtime`](crate::Runtime), the second an expression that gives the current one as an
/// [`io::Result`](std::io::Result).
#[macro_export]
macro_rules! face {
    ($Runtime:ty, $current:expr) => {
        pub use $crate::floe_core::server::{IceServer, ServerUri};
        pub use $crate::floe_core::{
            AgentConfig, Candidate, CandidateType, Cause, Credentials, Event, Nomination, Path, PathMeasure,
            Preference, Profile, Reach, RemoteError, Report, RestartError, Role, ServerError, SocketError,
            SocketId, TurnServer,
        };
        pub use $crate::{
            BindError, Config, ConnectError, Description, Followed, InterfacePolicy, MAX_EVENTS,
            MAX_RECEIVED, RecvError, SendError, Stats, TlsRoots, UnusableCandidate, Unused, UnusedReason,
        };

        /// The engine itself, for what is not re-exported here: traces, grammar, errors.
        pub use floe_driver::floe_core as core;

        /// A [`floe_driver::Session`] on this runtime.
        pub type Session = $crate::Session<$Runtime>;
        /// A [`floe_driver::Connection`] on this runtime.
        pub type Connection = $crate::Connection<$Runtime>;
        /// The [`floe_driver::Events`] of a [`Session`].
        pub type Events = $crate::Events<$Runtime>;

        /// Binds one UDP socket on every usable address, with a TCP listener beside it if [`Config::tcp`] says so, and starts a session on the current runtime.
        ///
        /// # Errors
        /// If no address can be bound, the configuration is out of range, or there is no runtime.
        pub async fn bind(config: Config) -> Result<Session, BindError> {
            let runtime = $current.map_err(BindError::Runtime)?;
            Session::bind(&runtime, config)
        }
    };
}

/// What applications should know, for the front page of every driver.
#[macro_export]
#[doc(hidden)]
macro_rules! what_to_know {
    () => {
        "\
* Handles are cheap to clone. Add the peer's candidates as they trickle in from one task while another waits in
  `connect`. When the last [`Session`] and [`Connection`] are dropped, the task ends and the sockets are closed.
* A connection is like a connected UDP socket: datagrams may be lost, doubled and reordered, and are not encrypted.
  Run DTLS, QUIC or another protocol over it. What looks like STUN is refused ([`SendError::LooksLikeStun`]): few
  payloads of eight bytes or more do, shorter ones if their first byte is 0 to 3.
* The host's addresses may change: call `follow_interfaces` when the system says so, or `socket_up` and `socket_down`. Towards a
  peer that renominates (`set_remote_renomination`) data goes over the new socket; else restart, and signal what comes of it.
* When there is no path, [`ConnectError::Failed`] has the engine's [`Report`]: the causes, and what became of each
  pair. `explain` gives it at any moment.
* Logs go to `tracing`, target `floe`."
    };
}
