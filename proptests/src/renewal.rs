//! A session that restarts, perhaps while the restart before it is still on its way, and perhaps with nominations that change.

use core::time::Duration;

use floe_core::Nomination;
use proptest::prelude::*;

use crate::{Scenario, scenarios};

/// A session and its restarts.
#[derive(Clone, PartialEq, Debug)]
pub struct Renewal {
    /// The session.
    pub scenario: Scenario,
    /// Whether both sides renominate.
    pub renominates: bool,
    /// In any order.
    pub restarts: Vec<Restart>,
}

/// A restart (RFC 8445 §9) that a side begins by itself. Times are in milliseconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Restart {
    /// Since the beginning.
    pub at_ms: u64,
    /// Alice (0) or Bob (1).
    pub side: usize,
    /// Whether it is only offered, and in force when the other side has answered, or two ways of signalling later.
    pub offered: bool,
    /// How long it takes until the other side is told. Credentials do not overtake each other; candidates do.
    pub told_ms: u64,
}

impl Renewal {
    /// The session, with the policy that both sides have.
    pub(crate) fn session(&self) -> Scenario {
        let mut scenario = self.scenario.clone();
        if self.renominates {
            scenario.alice.nomination = Nomination::Renominate;
            scenario.bob.nomination = Nomination::Renominate;
        }
        scenario
    }

    /// When the last thing that signalling brings has come: the last restart, its answer, and the candidates of both.
    pub fn all_signalled_after(&self) -> Duration {
        let last = self.restarts.iter().map(|r| r.at_ms).max().unwrap_or_default();
        let told = self.restarts.iter().map(|r| r.told_ms).max().unwrap_or_default();
        self.scenario.all_signalled_after() * 2 + Duration::from_millis(last + 2 * told)
    }
}

/// Sessions with up to four restarts, most of them close to each other.
pub fn renewals() -> impl Strategy<Value = Renewal> {
    let restart = || {
        let at_ms = prop_oneof![2 => 0_u64..2_000, 2 => 2_000_u64..4_000, 1 => 0_u64..15_000];
        let told_ms = prop_oneof![2 => Just(0_u64), 3 => 1_u64..500, 1 => 500_u64..5_000];
        (at_ms, 0_usize..2, prop::bool::weighted(0.3), told_ms)
            .prop_map(|(at_ms, side, offered, told_ms)| Restart { at_ms, side, offered, told_ms })
    };
    (scenarios(), any::<bool>(), prop::collection::vec(restart(), 0..=4))
        .prop_map(|(scenario, renominates, restarts)| Renewal { scenario, renominates, restarts })
}
