//! What the engine says of itself: every decision is a typed event with its time, handed to an
//! [`Observer`]. Every room above speaks through this one; it decides nothing.

mod drop_reason;
mod event;

use alloc::boxed::Box;
use core::fmt;

pub use drop_reason::DropReason;
pub use event::{CheckFailure, PairPhase, TraceEvent};

use crate::base::Instant;

/// Receives every decision of an agent, in order. It must not call back into the agent.
///
/// Its `Display` is one line for a person; its fields are for a program.
pub trait Observer {
    /// `event` happened at `now`.
    fn observe(&mut self, now: Instant, event: &TraceEvent);
}

impl<F: FnMut(Instant, &TraceEvent)> Observer for F {
    fn observe(&mut self, now: Instant, event: &TraceEvent) {
        self(now, event);
    }
}

/// The place where an agent keeps its observer, if it has one.
#[derive(Default)]
pub(crate) struct Tracer(Option<Box<dyn Observer + Send>>);

impl Tracer {
    pub(crate) fn set(&mut self, observer: Box<dyn Observer + Send>) {
        self.0 = Some(observer);
    }

    pub(crate) fn emit(&mut self, now: Instant, event: TraceEvent) {
        if let Some(observer) = &mut self.0 {
            observer.observe(now, &event);
        }
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Tracer(observed)" } else { "Tracer(unobserved)" })
    }
}
