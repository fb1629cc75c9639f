//! NAT behaviour discovery (RFC 5780) against NATs whose behaviour is known, because they are simulated.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod axes;
mod lab;
mod lifetime;
mod servers;
