//! What went over a pair in the way of checks, for statistics: it is counted and never decides anything. Consent checks
//! are the path room's, and are counted here all the same, because the numbers are the pair's and live as long as it
//! does.

use core::fmt;
use core::time::Duration;

use super::Checks;
use crate::base::{PairId, Tuple};

/// Numbers of one pair. Each stops at its largest value.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counters {
    /// Checks, each once however often it was sent.
    pub(crate) requests_sent: u32,
    pub(crate) consent_requests_sent: u32,
    /// Success responses, those to consent checks included.
    pub(crate) responses_received: u32,
    /// All that were authenticated, whatever became of them.
    pub(crate) requests_received: u32,
    pub(crate) responses_sent: u32,
    /// The sum over `responses_received`.
    pub(crate) total_rtt: Duration,
    /// The latest.
    pub(crate) current_rtt: Option<Duration>,
}

impl Counters {
    pub(super) fn on_check_sent(&mut self) {
        self.requests_sent = self.requests_sent.saturating_add(1);
    }

    pub(super) fn on_answered(&mut self, rtt: Duration) {
        self.responses_received = self.responses_received.saturating_add(1);
        self.total_rtt = self.total_rtt.saturating_add(rtt);
        self.current_rtt = Some(rtt);
    }
}

impl fmt::Debug for Counters {
    /// Nothing of it: these numbers are no state that a check could depend on.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

impl Checks {
    pub(crate) fn count_consent_request(&mut self, pair: PairId) {
        let Some(pair) = self.set.get_mut(pair) else { return };
        let counters = &mut pair.stats.counters;
        counters.consent_requests_sent = counters.consent_requests_sent.saturating_add(1);
    }

    pub(crate) fn count_consent_response(&mut self, pair: PairId, rtt: Duration) {
        let Some(pair) = self.set.get_mut(pair) else { return };
        pair.stats.counters.on_answered(rtt);
    }

    /// An authenticated request came in there.
    pub(crate) fn count_request(&mut self, tuple: Tuple) {
        let Some(pair) = self.set.iter_mut().find(|p| p.tuple == tuple) else { return };
        let counters = &mut pair.stats.counters;
        counters.requests_received = counters.requests_received.saturating_add(1);
    }

    /// A response to such a request was sent there.
    pub(crate) fn count_response(&mut self, tuple: Tuple) {
        let Some(pair) = self.set.iter_mut().find(|p| p.tuple == tuple) else { return };
        let counters = &mut pair.stats.counters;
        counters.responses_sent = counters.responses_sent.saturating_add(1);
    }

    /// The pair whose checks go there.
    pub(crate) fn pair_at(&self, tuple: Tuple) -> Option<PairId> {
        self.set.first(|p| p.tuple == tuple)
    }
}
