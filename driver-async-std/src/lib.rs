//! ICE connections on async-std and on smol: two peers behind NATs find a path between them and exchange datagrams.
//!
//! [`bind`] opens sockets and gives a [`Session`]. Each side sends its [`Description`] to the other by whatever
//! signalling there is, and [`Session::connect`](floe_driver::Session::connect) gives a [`Connection`] as soon as a
//! path works:
//!
#![cfg_attr(feature = "async-std", doc = "```")]
#![cfg_attr(not(feature = "async-std"), doc = "```ignore")]
//! use floe_async_std::{AgentConfig, Config, InterfacePolicy, Role, Session};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> { async_std::task::block_on(async {
//! // One side controls; by custom the one who calls. Both are in one process here, so that they talk over loopback.
//! let caller = bind(Role::Controlling).await?;
//! let callee = bind(Role::Controlled).await?;
//!
//! // Here your signalling comes in: `credentials` and `candidates` are plain text to send.
//! callee.set_remote_description(&caller.local_description())?;
//! caller.set_remote_description(&callee.local_description())?;
//!
//! let echo = async_std::task::spawn(async move {
//!     let callee = callee.connect().await.expect("a path to the caller");
//!     let heard = callee.recv().await.expect("a datagram");
//!     callee.send(&heard).await.expect("a path back");
//! });
//! let caller = caller.connect().await?;
//! caller.send(b"hello").await?;
//! assert_eq!(&caller.recv().await?[..], b"hello");
//! echo.await;
//!
//! caller.close().await;
//! # Ok(()) }) }
//!
//! async fn bind(role: Role) -> Result<Session, floe_async_std::BindError> {
//!     let agent = AgentConfig { role, ..Default::default() };
//!     let interfaces = InterfacePolicy::loopback_only();
//!     floe_async_std::bind(Config { agent, interfaces, ..Default::default() }).await
//! }
//! ```
//!
//! The names are those of `floe-tokio`: to change the runtime, change the import.
//!
//! # async-std is discontinued
//!
//! Its authors have ended it and recommend smol (RUSTSEC-2025-0052): nobody fixes async-std's bugs any more, security
//! holes included, and `cargo audit` and `cargo deny` warn of every crate that depends on it. This crate is for
//! programs that are on async-std today. A new program should take `floe-tokio`, or smol.
//!
//! The way out is short. Sockets and timers here are those of [`async_io`], the reactor that async-std and smol share
//! and that is maintained; async-std only spawns the task of each session. The feature `smol` lets smol do that, in a
//! module with the same names, and without the default feature `async-std` that crate is not even built:
//!
//! ```toml
//! floe-async-std = { version = "0.1", default-features = false, features = ["smol"] }
//! ```
//!
//! Then `floe_async_std::smol::{bind, Session}` takes the place of `floe_async_std::{bind, Session}`. With both
//! features on, both are there.
//!
//! # What to know
//!
//! * Any thread may bind and wait: executor and reactor run on threads of their own.
#![doc = floe_driver::what_to_know!()]
#![forbid(unsafe_code)]

#[cfg(not(any(feature = "async-std", feature = "smol")))]
compile_error!("a session needs an executor: enable the feature `async-std` or `smol`");

mod reactor;
mod runtime;

pub use reactor::{TcpListener, TcpStream, Timer, UdpSocket};
#[cfg(feature = "async-std")]
pub use runtime::AsyncStd;
#[cfg(feature = "smol")]
pub use runtime::Smol;

#[cfg(feature = "async-std")]
floe_driver::face!(AsyncStd, std::io::Result::Ok(AsyncStd));

/// The same on smol's global executor: `bind`, `Session`, and all other names that the root has for async-std.
#[cfg(feature = "smol")]
pub mod smol {
    pub use crate::{Smol, TcpListener, TcpStream, Timer, UdpSocket};

    floe_driver::face!(Smol, std::io::Result::Ok(Smol));
}
