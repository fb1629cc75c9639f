//! A sans-IO ICE engine: candidates and their grammar, STUN on the wire, and what they stand on.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod base;
pub mod candidate;
pub mod wire;
