//! What goes wrong in the field, each case a story in simulated time, named after what somebody saw.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end with a panic"
)]

mod choosing;
mod consent;
mod promotion;
mod removal;
mod restart;
mod roles;
mod servers;
mod signalling;
mod swapped;
