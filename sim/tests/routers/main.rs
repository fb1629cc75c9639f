//! What stands between hosts: routers behind routers, NAT64, what they say of what they do not let through, and what happens to them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end with a panic"
)]

mod events;
mod icmp;
mod lab;
mod nat64;
mod topology;
