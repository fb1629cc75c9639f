//! Which NAT we are behind, as far as a STUN server can show it (RFC 5780): a state machine that asks, [`Discovery`], what it
//! finds, [`NatBehaviour`], and what that says of two NATs that are to meet, [`prospect`].
//!
//! It knows no agent: it runs beside one, on sockets of its own, before it or in the background. What it has found may be stale a
//! moment later (RFC 5780 §1), so it only ever orders and explains; that is what the agent uses it for.
//!
//! ```
//! use floe_core::Instant;
//! use floe_core::nat::{Discovery, DiscoveryConfig, DiscoveryOutput, MAX_PROBE, Spot};
//! use floe_core::SocketId;
//!
//! let spot = |id, port| Spot { socket: SocketId(id), local: ([192, 0, 2, 7], port).into() };
//! let server = "198.51.100.1:3478".parse()?;
//! let config = DiscoveryConfig { second: Some(spot(1, 50_001)), ..DiscoveryConfig::new(server, spot(0, 50_000)) };
//! let mut discovery = Discovery::new(config, [7; 32])?;
//!
//! let mut now = Instant::ZERO;
//! let mut scratch = [0; MAX_PROBE];
//! let found = loop {
//!     match discovery.poll(now, &mut scratch) {
//!         DiscoveryOutput::Transmit(_probe) => {} // Send it; hand what comes back to `discovery.receive`.
//!         DiscoveryOutput::Wait(until) => now = until,
//!         DiscoveryOutput::Done(found) => break found,
//!     }
//! };
//! // Nobody was there.
//! assert_eq!(found.to_string(), "no answer came over UDP: it is blocked, or the server is down");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod behaviour;
mod binding;
mod config;
mod discovery;
mod evidence;
mod inbox;
mod prospect;
mod search;
#[cfg(test)]
mod tests;

pub use behaviour::{
    Access, FilteringBehaviour, Finding, HairpinBehaviour, LifetimeRange, MappingBehaviour, NatBehaviour,
    NatTraits, WhyUnknown,
};
pub use config::{
    DiscoveryConfig, DiscoveryError, LifetimeSearch, MAX_LIFETIME_SEARCH, MIN_LIFETIME_RESOLUTION, Spot,
};
pub use discovery::{Discovery, DiscoveryOutput, MAX_PROBE, Probe, SILENCE};
pub use inbox::{DiscoveryDrop, DiscoveryReceived, NotADestination};
pub use prospect::{Prospect, prospect};
