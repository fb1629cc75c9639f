//! Flows that go over connections (RFC 6544 §11.1): whether one is needed, and what becomes of a flow when its connection ends.

use super::{ComponentPaths, Loss, Paths};
use crate::base::{Instant, StreamEnd, Tuple};

impl Paths {
    /// The connection of this flow has ended.
    pub(crate) fn on_disconnected(&mut self, now: Instant, tuple: Tuple, end: StreamEnd) {
        self.inbound.retain(|(known, _)| *known != tuple);
        self.end(now, Loss::Disconnected(end), |flow| flow.tuple == tuple);
    }

    /// Whether this flow carries data, or is kept to do so.
    pub(crate) fn keeps(&self, tuple: Tuple) -> bool {
        let of_component = |c: &ComponentPaths| {
            c.flows.iter().any(|kept| kept.flow.tuple == tuple && c.maintains(kept, self.standby))
        };
        self.components.iter().any(of_component)
    }
}
