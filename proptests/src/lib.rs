//! What the property tests share: generators of sessions and messages, a loop that runs two agents over a simulated
//! network, and an independent STUN codec to compare with. The properties themselves are in `tests/`.
//!
//! A session is plain data, a [`Scenario`]. What proptest prints when it fails is a Rust expression: with
//! `use floe_proptests::paste::*;` it can be pasted into a test.
#![forbid(unsafe_code)]

pub mod forge;
pub mod framing;
mod outage;
pub mod reference;
mod renewal;
mod run;
mod scenario;
pub mod server;
pub mod server_reference;
mod signal;
pub mod stun;

pub use outage::{Cut, Outage, outages};
pub use renewal::{Renewal, Restart, renewals};
pub use run::{Datagram, Outcome, Run, SideOutcome, run};
pub use scenario::{Link, Nat, Scenario, Side, scenarios};

use proptest::test_runner::{Config, RngSeed};

/// What a printed scenario needs to be read back as Rust.
pub mod paste {
    pub use crate::{Cut, Link, Nat::*, Outage, Renewal, Restart, Scenario, Side};
    pub use floe_core::Nomination::{Fast, Regular, Renominate};
    pub use floe_core::Role::{Controlled, Controlling};
}

/// A thousand cases, or more if `PROPTEST_CASES` says so.
pub fn thousand() -> Config {
    cases(1_000)
}

/// So many cases, or more if `PROPTEST_CASES` says so. They are the same ones each time, so that a change is judged by
/// what it changed; `PROPTEST_RNG_SEED` draws others. What fails is printed as Rust, so nothing is kept in a file.
pub fn cases(count: u32) -> Config {
    let asked = Config::default();
    let rng_seed = match asked.rng_seed {
        RngSeed::Random => RngSeed::Fixed(RFC),
        fixed @ RngSeed::Fixed(_) => fixed,
    };
    Config { cases: asked.cases.max(count), rng_seed, failure_persistence: None, ..asked }
}

const RFC: u64 = 8445;
