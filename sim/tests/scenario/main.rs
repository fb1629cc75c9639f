//! What users of the engine see, in simulated time.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end with a panic"
)]

mod agreement;
mod connect;
mod errors;
mod failures;
mod limits;
mod lite;
mod moving;
mod names;
mod nats;
mod networks;
mod pacing;
mod relays;
mod roaming;
mod roles;
mod tcp;
mod traces;
mod traffic;
mod turn;
