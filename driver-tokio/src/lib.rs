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
//! * The runtime needs its I/O and time drivers (`enable_all`).
#![doc = floe_driver::what_to_know!()]
#![forbid(unsafe_code)]

mod runtime;

pub use runtime::{TcpListener, TcpStream, Timer, Tokio, UdpSocket};

floe_driver::face!(Tokio, Tokio::current());
