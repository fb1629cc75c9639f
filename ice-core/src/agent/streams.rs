//! Data streams and their components (RFC 8445 §4): which there are, and how one goes.

use core::fmt;

use super::{Agent, Event, Life};
use crate::base::{ComponentId, Instant};

impl Agent {
    /// The components that paths are found for, in order.
    pub fn components(&self) -> &[ComponentId] {
        &self.components
    }

    /// The component is not used after all, as when the answer says that RTP and RTCP share one (RFC 8839 §4.1.2), or when
    /// its data stream was removed. Its candidates, pairs and paths go at once, and no event tells of it again; its
    /// sockets are the caller's to close. If it had allocations, they are deleted out of these for a second yet: who closes them
    /// sooner leaves the allocations to expire.
    ///
    /// # Errors
    /// If there is no such component, or no other.
    pub fn remove_component(&mut self, now: Instant, component: ComponentId) -> Result<(), ComponentError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(ComponentError::Ended);
        }
        if !self.components.contains(&component) {
            return Err(ComponentError::Unknown(component));
        }
        if self.components.len() == 1 {
            return Err(ComponentError::Last(component));
        }
        self.gather();
        if let Some(index) = self.components.iter().position(|c| *c == component) {
            self.components.remove(index);
            self.inclinations.remove(index);
        }
        // One that is staged would bring it back.
        for number in self.generations.numbers() {
            let Self { generations, random, tracer, .. } = self;
            let Some(generation) = generations.get_mut(number) else { continue };
            let candidates = &mut generation.candidates;
            let cx = crate::check::Context { now: self.now, candidates, random, tracer };
            generation.checks.remove_component(&cx, component);
            generation.candidates.remove_component(component);
        }
        self.paths.remove_component(component);
        for socket in self.gatherer.remove_component(component) {
            self.answers.forget(socket);
            self.close_connections(|tuple| tuple.socket == socket);
            self.release_relays_of(socket);
        }
        self.events.retain(|event| !is_of(event, component));
        Ok(())
    }
}

/// Whether the event tells of this component alone.
fn is_of(event: &Event, component: ComponentId) -> bool {
    match event {
        Event::LocalCandidate { stream, candidate } | Event::CandidateRemoved { stream, candidate } => {
            (*stream, candidate.component) == (component.stream, component.component)
        }
        Event::PathUsable(path)
        | Event::PathSelected(path)
        | Event::PathDegraded(path)
        | Event::PathRecovered(path)
        | Event::PathLost { path, .. } => path.component == component,
        _ => false,
    }
}

/// Why a component was not removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ComponentError {
    /// The agent has no such component (any more).
    Unknown(ComponentId),
    /// It is the only one: close the agent instead.
    Last(ComponentId),
    /// The agent is closed or has failed.
    Ended,
}

impl fmt::Display for ComponentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(component) => write!(f, "the agent has no component {component}"),
            Self::Last(component) => write!(f, "component {component} is the only one of the agent"),
            Self::Ended => f.write_str("the agent has ended"),
        }
    }
}

impl core::error::Error for ComponentError {}
