//! What all drivers of the [floe](floe_core) ICE engine share: which addresses to bind, the loop that moves datagrams
//! and time in and out of the engine, and the [`Session`] and [`Connection`] that an application holds.
//!
//! Applications use a driver for their runtime, such as `floe-tokio`. This crate is for authors of drivers: a
//! [`Runtime`] gives sockets, streams, a timer, a resolver of names and a way to spawn; all else is here, the public [`face!`] too. The feature
//! `contract` has the test suite that a driver has to pass.
//!
//! # How it works
//!
//! Each session has one task. It alone reads the sockets and waits for time; it feeds the engine and does what the
//! engine says. Handles share the engine with the task behind a mutex that is never held across an await:
//! [`Connection::send`] goes straight to the socket, and [`Connection::recv`] takes from a queue of
//! [`MAX_RECEIVED`] datagrams. The engine's clock ([`Instant`](floe_core::Instant)) counts nanoseconds from the
//! moment that the session was bound.
//!
//! Sockets and streams that the engine asks for, to reach TURN servers and a peer over TCP ([`Config::tcp`]), are the task's business too. With the feature `tls`, streams can
//! be TLS ([`TlsRoots`] says whom to trust), by rustls over the runtime's TCP.
//!
//! Nothing grows without bound: what a queue cannot hold is dropped as UDP would drop it, and counted in [`Stats`].

#![forbid(unsafe_code)]

mod config;
mod connection;
#[cfg(feature = "contract")]
pub mod contract;
mod error;
mod events;
mod face;
pub mod interfaces;
mod listeners;
mod names;
mod rest;
mod runtime;
mod session;
mod shared;
mod socket;
mod stats;
mod stream;
mod task;
#[cfg(test)]
mod testing;
mod trace;
mod waiters;

pub use config::{Config, Description, TlsRoots, UnusableCandidate};
pub use connection::Connection;
pub use error::{BindError, ConnectError, RecvError, SendError, Unused, UnusedReason};
pub use events::{Events, MAX_EVENTS};
#[doc(hidden)] // For `face!`.
pub use floe_core;
pub use interfaces::InterfacePolicy;
pub use names::{Lookup, Resolver};
pub use runtime::{AsyncDatagram, AsyncListener, AsyncStream, AsyncTimer, Runtime, is_connected};
pub use session::{Followed, Session};
pub use shared::MAX_RECEIVED;
pub use socket::MAX_BACKLOG;
pub use stats::Stats;
