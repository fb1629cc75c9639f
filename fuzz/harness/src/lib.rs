//! What the fuzz targets do with their bytes. Each target is a module with a `run` that panics when an invariant does
//! not hold; libFuzzer calls it through `fuzz/fuzz_targets`, and `tests/corpus.rs` replays with it, on stable, what the
//! fuzzer has found worth keeping.
//!
//! | target | bytes are | must hold |
//! |---|---|---|
//! | [`wire`] | a datagram | parsing never panics; `stun_codec` reads the same |
//! | [`framing`] | a stream | frames do not depend on its cuts; what is held is bounded |
//! | [`candidate`] | a line | what is accepted is displayed and read back |
//! | [`description`] | an SDP, a fragment of one, or a line | the same; all bounds are kept |
//! | [`agent_raw`] | datagrams that nobody has signed | a connected agent does not change |
//! | [`agent_signed`] | what a peer does that knows the passwords | no panic, no loop, no growth |
//! | [`commands`] | what an application does as well | the same |
//! | [`turn_client`] | what a TURN server does that knows the password | the same; no haste |
//! | [`discovery`] | what a STUN server and a NAT do | the same; nothing that is dropped is believed |
//!
//! The agent's first three share a [`script`]: steps that are read from the bytes, so that mutations make other stories and not
//! just broken ones. A [`stage`] plays them, and checks the agent after each.
#![forbid(unsafe_code)]
#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a finding is told")]

pub mod agent_raw;
pub mod agent_signed;
pub mod candidate;
pub mod commands;
pub mod description;
pub mod discovery;
mod forge;
pub mod framing;
mod memory;
pub mod places;
mod reference;
pub mod script;
pub mod stage;
pub mod turn_client;
pub mod wire;

/// How long after its end an agent may still delete what servers keep for it (RFC 8656 §8).
const PARTING: core::time::Duration = core::time::Duration::from_secs(1);
