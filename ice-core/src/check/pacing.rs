//! Ta, the distance between new checks: what both sides want, and the larger of the two (RFC 8445 §14.2).

use core::time::Duration;

use super::Checks;
use crate::base::Instant;

/// What goes for a side that says nothing (RFC 8445 §14.2).
pub(crate) const DEFAULT_TA: Duration = Duration::from_millis(50);
/// The longest Ta: a peer that wishes for more would keep an agent from ever coming to an end.
pub(crate) const MAX_TA: Duration = Duration::from_secs(10);

/// The wishes of both sides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pacing {
    ours: Duration,
    theirs: Duration,
}

impl Pacing {
    /// Of the peer nothing is known: it gets the default. Ours is signalled in whole milliseconds, and so rounded up.
    pub(super) fn new(ours: Duration) -> Self {
        let millis = u64::try_from(ours.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX);
        Self { ours: Duration::from_millis(millis), theirs: DEFAULT_TA }
    }

    pub(super) fn ta(self) -> Duration {
        self.ours.max(self.theirs)
    }
}

impl Checks {
    /// Our own wish, as it is signalled (RFC 8839 §5.5).
    pub(crate) fn wished_ta_millis(&self) -> u32 {
        u32::try_from(self.pacing.ours.as_millis()).unwrap_or(u32::MAX)
    }

    /// What the peer wishes for, if it says anything. The slot that is taken already moves with it.
    pub(crate) fn set_remote_pacing(&mut self, now: Instant, theirs: Option<Duration>) {
        let before = self.pacing.ta();
        self.pacing.theirs = theirs.map_or(DEFAULT_TA, |wish| wish.min(MAX_TA));
        if self.next_slot > now {
            self.next_slot = self.next_slot - before + self.pacing.ta();
        }
    }
}
