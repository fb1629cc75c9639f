//! A session that is connected, and then cut and mended again.

use proptest::prelude::*;

use crate::{Scenario, scenarios};

/// A session and what happens to it once both sides have selected a pair.
#[derive(Clone, PartialEq, Debug)]
pub struct Outage {
    /// The session.
    pub scenario: Scenario,
    /// When nothing gets through, and which way.
    pub cuts: [Cut; 2],
}

/// A time in which a direction is cut, or both are. Times are in milliseconds since both sides had selected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cut {
    /// When it starts.
    pub from_ms: u64,
    /// When it ends.
    pub until_ms: u64,
    /// Whether Alice's datagrams are stopped.
    pub alice: bool,
    /// Whether Bob's are.
    pub bob: bool,
}

impl Outage {
    /// Whether what this side (0 is Alice) sends is stopped at this time.
    pub fn is_cut(&self, side: usize, since_selected_ms: u64) -> bool {
        self.cuts.iter().any(|cut| {
            let applies = if side == 0 { cut.alice } else { cut.bob };
            applies && (cut.from_ms..cut.until_ms).contains(&since_selected_ms)
        })
    }
}

/// Sessions with two cuts each, of up to a minute.
pub fn outages() -> impl Strategy<Value = Outage> {
    let cut = || {
        (0_u64..60_000, 0_u64..60_000, any::<bool>(), any::<bool>())
            .prop_map(|(from_ms, length, alice, bob)| Cut { from_ms, until_ms: from_ms + length, alice, bob })
    };
    (scenarios(), [cut(), cut()]).prop_map(|(scenario, cuts)| Outage { scenario, cuts })
}
