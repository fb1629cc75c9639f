//! What both agents' observers see, in one list and on one clock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use floe_core::trace::{Observer, TraceEvent};

use super::timeline::{Moment, Side};

/// Starts the clock when it is made.
#[derive(Debug)]
pub(crate) struct Recorder {
    start: Instant,
    moments: Arc<Mutex<Vec<Moment>>>,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), moments: Arc::default() }
    }

    /// To be installed in the agent of `side`.
    pub(crate) fn observer(&self, side: Side) -> Box<dyn Observer + Send> {
        let (start, moments) = (self.start, Arc::clone(&self.moments));
        Box::new(move |_now: floe_core::Instant, event: &TraceEvent| {
            let mut moments = moments.lock().unwrap_or_else(PoisonError::into_inner);
            // The time is taken under the lock, so that the list is in the order of time. Each agent's own clock
            // has its own epoch.
            moments.push(Moment { at: start.elapsed(), side, event: event.clone() });
        })
    }

    /// All that was seen so far.
    pub(crate) fn moments(&self) -> Vec<Moment> {
        self.moments.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
