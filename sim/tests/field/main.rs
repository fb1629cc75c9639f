//! What goes wrong in the field, each case a story in simulated time, named after what somebody saw.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end with a panic"
)]

mod addresses;
mod asleep;
mod bad_links;
mod blocked;
mod choosing;
mod consent;
mod families;
mod icmp;
mod neighbours;
mod promotion;
mod rebooted;
mod relay_rebooted;
mod removal;
mod restart;
mod roaming;
mod roles;
mod servers;
mod signalling;
mod story;
mod streams;
mod swapped;
mod symmetric;
