//! NAT behaviour discovery (RFC 5780) against NATs whose behaviour is known, because they are simulated.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

mod axes;
mod lab;
mod lifetime;
mod meeting;
mod presets;
mod servers;
