//! What users of the engine see, in simulated time.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end with a panic"
)]

mod connect;
mod failures;
mod limits;
mod names;
mod nats;
mod relays;
mod roles;
mod traces;
mod traffic;
