//! Data streams and their components (RFC 8445 §4): which there are, and how one goes.

use core::fmt;

use super::{Agent, Life};
use crate::base::{ComponentId, Instant};

impl Agent {
    /// The components that paths are found for, in order.
    pub fn components(&self) -> &[ComponentId] {
        &self.components
    }

    /// The component is not used after all, as when the answer says that RTP and RTCP share one (RFC 8839 §4.1.2), or when
    /// its data stream was removed. Its candidates, pairs and paths go at once, and no event tells of it again; its
    /// sockets are the caller's to close.
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
        let (checks, cx) = self.checks_and_context();
        checks.remove_component(&cx, component);
        self.paths.remove_component(component);
        self.gatherer.remove_component(component);
        self.generations.current.candidates.remove_component(component);
        Ok(())
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
