//! Patience and its end: when the agent says what may be wrong, and when it gives up.

use core::time::Duration;

use super::diagnosis::{Causes, diagnose};
use super::{Agent, Cause, Event, Life};
use crate::base::Instant;
use crate::transaction::PATIENCE;

/// The first diagnosis comes this long after a start: half a second after the fourth transmission of a check.
const FIRST_LOOK: Duration = Duration::from_secs(4);
/// Later ones at this distance, for what shows only then.
const NEXT_LOOK: Duration = Duration::from_secs(1);

/// The agent's patience. Times are filled in as things happen.
#[derive(Debug)]
pub(super) struct Watch {
    /// The application's own limit.
    deadline: Option<Duration>,
    /// The first `now`.
    born: Option<Instant>,
    /// RFC 8863 §4: when both sides' credentials were known.
    ready: Option<Instant>,
    /// When the last path was lost: patience begins anew then.
    lost: Option<Instant>,
    /// Whether a restart was asked for.
    asked: bool,
    next_look: Option<Instant>,
    told: Causes,
}

impl Watch {
    pub(super) fn new(deadline: Option<Duration>) -> Self {
        Self {
            deadline,
            born: None,
            ready: None,
            lost: None,
            asked: false,
            next_look: None,
            told: Causes::new(),
        }
    }

    pub(super) fn on_born(&mut self, now: Instant) {
        if self.born.is_none() {
            self.born = Some(now);
            self.next_look = Some(now + FIRST_LOOK);
        }
    }

    /// What was missing so far is here: a new start for the diagnosis.
    pub(super) fn on_remote_credentials(&mut self, now: Instant) {
        self.ready = Some(now);
        self.next_look = Some(now + FIRST_LOOK);
    }

    /// Everything begins anew, the application's deadline too.
    pub(super) fn on_restarted(&mut self, now: Instant) {
        *self = Self { born: Some(now), next_look: Some(now + FIRST_LOOK), ..Self::new(self.deadline) };
    }

    pub(super) fn on_usable(&mut self, now: Instant) {
        self.next_look = Some(now + FIRST_LOOK);
    }

    pub(super) fn on_lost(&mut self, now: Instant) {
        self.lost = Some(now);
        self.next_look = Some(now + FIRST_LOOK);
    }

    /// A restart is asked for once, however many components have lost their paths.
    pub(super) fn asks_for_restart(&mut self) -> bool {
        !core::mem::replace(&mut self.asked, true)
    }

    pub(super) fn on_selected(&mut self) {
        self.asked = false;
    }

    pub(super) fn age(&self, now: Instant) -> Duration {
        self.born.map_or(Duration::ZERO, |born| now.since(born))
    }

    /// When the application's patience ends.
    fn deadline(&self) -> Option<Instant> {
        Some(self.born.max(self.lost)? + self.deadline?)
    }

    /// When RFC 8863's does.
    fn patience(&self) -> Option<Instant> {
        Some(self.ready?.max(self.lost.unwrap_or_default()) + PATIENCE)
    }

    /// Whether a cause of this kind has been told.
    fn tell(&mut self, cause: Cause) -> bool {
        let kind = core::mem::discriminant(&cause);
        let news = !self.told.iter().any(|t| core::mem::discriminant(t) == kind);
        if news {
            self.told.push(cause);
        }
        news
    }
}

impl Agent {
    /// Looks whether there is trouble to tell of, and whether it is time to give up.
    pub(super) fn watch(&mut self) {
        if self.is_connected() {
            return;
        }
        if self.watch.next_look.is_some_and(|at| at <= self.now) {
            self.watch.next_look = Some(self.now + NEXT_LOOK);
            for cause in diagnose(&self.evidence()) {
                if self.watch.tell(cause) {
                    self.events.push_back(Event::Trouble(cause));
                }
            }
        }
        if self.gives_up_at().is_some_and(|at| at <= self.now) {
            self.life = Life::Failed;
            self.answers.clear();
            self.close_connections(|_| true);
            self.events.push_back(Event::Failed(self.explain()));
            self.release_relays();
        }
    }

    /// When [`Self::watch`] will have something to say, if nothing happens before.
    pub(super) fn next_watch(&self) -> Option<Instant> {
        if self.is_connected() {
            return None;
        }
        self.watch.next_look.into_iter().chain(self.gives_up_at()).min()
    }

    /// A pair was selected: from here on the paths have their own events.
    fn is_connected(&self) -> bool {
        self.components.iter().all(|&c| self.generations.current.checks.is_concluded(c))
    }

    /// The application's deadline decides if there is one. Without it, RFC 8863 §4: not before patience has passed,
    /// and not while something may still come of the checks.
    fn gives_up_at(&self) -> Option<Instant> {
        if self.components.iter().all(|&c| self.path(c).is_some()) {
            return None;
        }
        match self.watch.deadline() {
            Some(deadline) => Some(deadline),
            None => {
                let patience = self.watch.patience()?;
                let hope = self.generations.current.checks.hopeful_until().unwrap_or(patience);
                // A name may still become a candidate, for a while.
                let name = self.names.hope(self.now).unwrap_or(patience);
                // And so may an allocation.
                let relay = self.gatherer.relays.hope(self.now).unwrap_or(patience);
                (hope < Instant::MAX).then(|| hope.max(patience).max(name).max(relay))
            }
        }
    }
}
