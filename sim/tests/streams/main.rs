//! Byte streams in a simulated network.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

mod bytes;
mod closing;
mod lab;
mod segments;
mod sharing;
