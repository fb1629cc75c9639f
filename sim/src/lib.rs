//! A deterministic network for tests: hosts, links and NATs in simulated time, all from one seed.
//!
//! Nothing here sleeps, opens a socket or reads a clock. A test sends datagrams into a [`Network`] and lets
//! it [`advance`](Network::advance); what comes out is a [`Delivery`] at an exact time. The same
//! seed and the same calls give the same run. NATs follow the terms of RFC 4787: see [`NatConfig`].
//!
//! Two hosts behind NATs make a hole for each other, with the help of a third that tells them
//! how they look from outside:
//!
//! ```
//! use core::time::Duration;
//! use floe_sim::{Attachment, DropReason, LinkConfig, NatConfig, Network};
//!
//! // The network, in five lines.
//! let mut net = Network::seeded(7);
//! net.set_link(LinkConfig::rtt(Duration::from_millis(40)));
//! let nats = [NatConfig::address_restricted(), NatConfig::port_restricted()].map(|nat| net.add_nat(nat));
//! let [alice, bob] = nats.map(|nat| net.add_socket(Attachment::Behind(nat)));
//! let server = net.add_socket(Attachment::Public);
//!
//! net.send(alice, server.1, b"I am Alice");
//! net.send(bob, server.1, b"I am Bob");
//! let soon = net.now() + Duration::from_secs(1);
//! let alice_outside = net.advance(soon).ok_or("no word from Alice")?.remote;
//! let bob_outside = net.advance(soon).ok_or("no word from Bob")?.remote;
//! assert_ne!(alice_outside, alice.1);
//!
//! // Bob has never sent to Alice, so his NAT drops this. But hers will now let him in.
//! net.send(alice, bob_outside, b"knock");
//! assert_eq!(net.advance(soon), None);
//! assert_eq!(net.counters().dropped_for(DropReason::Filtered(nats[1])), 1);
//!
//! let sent = net.now();
//! net.send(bob, alice_outside, b"hello");
//! let hello = net.advance(sent + Duration::from_secs(1)).ok_or("no hole")?;
//! assert_eq!((hello.host, hello.remote, &hello.bytes[..]), (alice.0, bob_outside, &b"hello"[..]));
//! assert_eq!(hello.at, sent + Duration::from_millis(20));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A protocol of your own is a [`Protocol`], and [`Network::play`] lets several of them speak. How to bring yours, from tokio too, is in the
//! [`manual`], with a complete example of some forty lines.
#![forbid(unsafe_code)]

mod address;
mod dice;
mod firewall;
pub mod grid;
mod host;
mod hosting;
mod icmp;
mod link;
pub mod manual;
mod nat;
mod nat64;
mod network;
mod payload;
pub mod population;
mod preset;
mod protocol;
mod queue;
mod record;
mod router;
mod rule;
pub mod scenario;
mod script;
pub mod server;
mod socket;
mod stream;
mod topology;

pub use address::{AddressTaken, Attachment, Family, HostId, RouterId};
pub use firewall::{Firewall, Refusal, StreamPolicy};
pub use floe_core::base::Instant;
pub use host::Clock;
pub use hosting::{HostingError, StunHost, TurnHost};
pub use icmp::{IcmpError, IcmpKind};
pub use link::{Bandwidth, Bursts, LinkConfig, Oversize};
pub use nat::{
    DatagramRefusal, Filtering, Hairpin, Mapping, NatConfig, Pooling, PortAssignment, Refresh, SynRefusal,
    TcpLifetimes,
};
pub use nat64::Nat64Prefix;
pub use network::{Delivery, Network};
pub use preset::Preset;
pub use protocol::{MOST_AT_ONCE, Protocol, Restless};
pub use record::{Counters, DropReason, LogEntry, LogEvent, Tag};
pub use router::{Families, Ipv6, RouterConfig};
pub use rule::{Fate, Passing};
pub use socket::BindError;
pub use stream::{Happening, Pieces, STREAM_BUFFER, StreamChange, StreamEvent, StreamId, StreamKind};
