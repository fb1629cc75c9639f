//! The servers, asked in messages that the engine's own codec has written, and answered in ones that it reads.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

mod allocate;
mod authenticate;
mod client;
mod data;
mod events;
mod faults;
mod hostile;
mod network;
mod permit;
mod streams;
mod stun;
