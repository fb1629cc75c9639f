//! STUN and TURN servers as state machines: datagrams, bytes of streams and the time go in, and what is to be sent comes out.
//! They have no sockets and no clock, so the same servers answer in a simulated network and on real sockets.
//!
//! They are written with the crate `stun_codec` and from the RFCs, and share no code with the engine that is tested
//! against them: one mistake cannot cancel out on both sides.
//!
//! [`StunServer`] is RFC 8489's Binding with the second address of RFC 5780. [`TurnServer`] is RFC 8656 with both message
//! integrities, over datagrams and over streams. [`Fault`] makes either misbehave. [`StunHost`](crate::StunHost) and
//! [`TurnHost`](crate::TurnHost) put them on hosts of a [`Network`](crate::Network); they themselves know nothing of it.

mod codec;
mod credentials;
mod fault;
mod framing;
mod gate;
mod nonce;
mod seal;
mod stun;
mod turn;

use core::net::SocketAddr;

pub use credentials::PasswordAlgorithm;
pub use fault::{Fault, Occasion, Request};
pub use framing::{Framing, NotFramed};
pub use stun::{StunCounts, StunReply, StunServer};
pub use turn::{
    Allocation, Channel, IcmpError, Relay, RelaySockets, TurnConfig, TurnConfigError, TurnCounts, TurnEnd,
    TurnEvent, TurnEventKind, TurnOutput, TurnServer,
};

/// The largest datagram that a server looks at, and the largest that it relays, in bytes.
pub const MAX_DATAGRAM: usize = 1500;

/// What carries the messages between a client and a server (RFC 8656 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A byte stream.
    Tcp,
    /// A byte stream under TLS.
    Tls,
}

/// What a server knows a client by (RFC 8656 §6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FiveTuple {
    /// What carries the messages.
    pub transport: Transport,
    /// The client's address, as the server sees it.
    pub client: SocketAddr,
    /// The server's own, that the client talks to.
    pub server: SocketAddr,
}

impl FiveTuple {
    /// A client that sends datagrams.
    pub const fn udp(client: SocketAddr, server: SocketAddr) -> Self {
        Self { transport: Transport::Udp, client, server }
    }
}
