//! How to use this crate for your own protocol.
//!
//! * [`your_protocol`]: a protocol that is a state machine already, through NATs, with exact times.
//! * [`from_tokio`]: how to make a state machine of a protocol that lives in tokio's sockets and timers, so that the same code runs
//!   there and here.

pub mod from_tokio;
pub mod your_protocol;
