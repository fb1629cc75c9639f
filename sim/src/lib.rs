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
//! let mut net = Network::seeded(7);
//! net.set_link(LinkConfig::rtt(Duration::from_millis(40)));
//! let server = net.add_host(Attachment::Public);
//! let server_at = net.bind(server, None)?;
//! let [alice_nat, bob_nat] = [(); 2].map(|()| net.add_nat(NatConfig::port_restricted()));
//! let [alice, bob] = [alice_nat, bob_nat].map(|nat| net.add_host(Attachment::Behind(nat)));
//! let alice = (alice, net.bind(alice, None)?);
//! let bob = (bob, net.bind(bob, None)?);
//!
//! net.send(alice, server_at, b"I am Alice");
//! net.send(bob, server_at, b"I am Bob");
//! let soon = net.now() + Duration::from_secs(1);
//! let alice_outside = net.advance(soon).ok_or("no word from Alice")?.remote;
//! let bob_outside = net.advance(soon).ok_or("no word from Bob")?.remote;
//! assert_ne!(alice_outside, alice.1);
//!
//! // Bob has never sent to Alice, so his NAT drops this. But hers will now let him in.
//! net.send(alice, bob_outside, b"knock");
//! assert_eq!(net.advance(soon), None);
//! assert_eq!(net.counters().dropped_for(DropReason::Filtered(bob_nat)), 1);
//!
//! let sent = net.now();
//! net.send(bob, alice_outside, b"hello");
//! let hello = net.advance(sent + Duration::from_secs(1)).ok_or("no hole")?;
//! assert_eq!((hello.host, hello.remote, &hello.bytes[..]), (alice.0, bob_outside, &b"hello"[..]));
//! assert_eq!(hello.at, sent + Duration::from_millis(20));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! How to bring your own protocol, from tokio too, is in the [`manual`].
#![forbid(unsafe_code)]

mod address;
mod dice;
mod firewall;
mod host;
mod hosting;
mod icmp;
mod link;
pub mod manual;
mod nat;
mod nat64;
mod network;
mod payload;
mod preset;
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
pub use record::{Counters, DropReason, LogEntry, LogEvent, Tag};
pub use router::{Families, Ipv6, RouterConfig};
pub use rule::{Fate, Passing};
pub use socket::BindError;
pub use stream::{Happening, Pieces, StreamChange, StreamEvent, StreamId, StreamKind};
