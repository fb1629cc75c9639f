//! Bridges what the engine says of itself to `tracing`, and to the application's own observer.

use floe_core::Instant;
use floe_core::trace::{Observer, TraceEvent};
use tracing::{debug, trace};

/// What each session installs in its engine.
pub(crate) struct Bridge {
    /// Tells the sessions of a process apart in a log.
    pub(crate) session: String,
    pub(crate) then: Option<Box<dyn Observer + Send>>,
}

impl Observer for Bridge {
    fn observe(&mut self, now: Instant, event: &TraceEvent) {
        let session = self.session.as_str();
        // Debug is for what happens a few times in a session's life; the rest comes with every check.
        match event {
            TraceEvent::LocalCandidate { .. }
            | TraceEvent::RemoteCandidate { .. }
            | TraceEvent::RoleSwitched { .. }
            | TraceEvent::Nominated { .. }
            | TraceEvent::Selected { .. }
            | TraceEvent::ConsentLost { .. }
            | TraceEvent::SendFailed { .. } => debug!(target: "floe", session, at = %now, "{event}"),
            _ => trace!(target: "floe", session, at = %now, "{event}"),
        }
        if let Some(observer) = &mut self.then {
            observer.observe(now, event);
        }
    }
}
