//! The queue of events that an application reads when it likes, and the handle to read it with.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use floe_core::Event;

use crate::Runtime;
use crate::shared::Shared;

/// How many events wait to be read. If nobody reads, the oldest that only informs goes first, then the oldest; each is
/// counted in [`Stats::events_missed`](crate::Stats::events_missed).
pub const MAX_EVENTS: usize = 128;

/// Reads a session's events. It does not keep the session alive: when that has ended and all is read, there is `None`.
///
/// There is one queue for each session: of several readers each event goes to one.
pub struct Events<R: Runtime> {
    shared: Arc<Shared<R>>,
}

impl<R: Runtime> Events<R> {
    pub(crate) fn new(shared: Arc<Shared<R>>) -> Self {
        Self { shared }
    }

    /// The next event; `None` when the session has ended. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Event> {
        self.shared.next_event().await
    }

    /// As [`next`](Self::next). Only the last caller's task is woken.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.shared.poll_event(cx)
    }
}

impl<R: Runtime> std::fmt::Debug for Events<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

/// A bounded queue of events.
#[derive(Debug, Default)]
pub(crate) struct EventQueue(VecDeque<Event>);

impl EventQueue {
    /// Puts `event` at the end. False if that has cost one.
    pub(crate) fn push(&mut self, event: Event) -> bool {
        let full = self.0.len() >= MAX_EVENTS;
        if full {
            let victim = self.0.iter().position(only_informs).unwrap_or(0);
            self.0.remove(victim);
        }
        self.0.push_back(event);
        !full
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.0.pop_front()
    }
}

/// Whether an application that misses it does nothing wrong.
fn only_informs(event: &Event) -> bool {
    matches!(
        event,
        Event::PathDegraded(_) | Event::PathRecovered(_) | Event::Trouble(_) | Event::RoleSwitched(_)
    )
}

#[cfg(test)]
mod tests {
    use floe_core::Role;

    use super::*;

    #[test]
    fn when_nobody_reads_what_only_informs_goes_first() {
        let mut queue = EventQueue::default();
        assert!(queue.push(Event::GatheringDone));
        for _ in 1..MAX_EVENTS {
            assert!(queue.push(Event::RoleSwitched(Role::Controlled)));
        }
        for _ in 0..MAX_EVENTS {
            assert!(!queue.push(Event::RoleSwitched(Role::Controlling)));
        }
        assert_eq!(queue.pop(), Some(Event::GatheringDone));
        assert_eq!(queue.pop(), Some(Event::RoleSwitched(Role::Controlling)));
        assert_eq!(std::iter::from_fn(|| queue.pop()).count(), MAX_EVENTS - 2);
    }

    #[test]
    fn when_all_matter_the_oldest_goes() {
        let mut queue = EventQueue::default();
        queue.push(Event::RoleSwitched(Role::Controlled));
        for _ in 0..=MAX_EVENTS {
            queue.push(Event::GatheringDone);
        }
        assert_eq!(std::iter::from_fn(|| queue.pop()).count(), MAX_EVENTS);
    }
}
