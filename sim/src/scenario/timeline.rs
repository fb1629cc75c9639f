//! Everything that happened in a world, in order.

use core::fmt;
use std::sync::{Arc, Mutex};

use floe_core::Event;
use floe_core::trace::{Observer, TraceEvent};

use crate::Instant;

/// The decisions of all agents and the events that they told, each with its time.
#[derive(Default, Debug)]
pub struct Timeline {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    at: Instant,
    who: &'static str,
    what: What,
}

#[derive(Debug)]
enum What {
    Trace(TraceEvent),
    Event(Event),
    /// What the scenario itself did.
    Note(String),
}

impl Timeline {
    pub(super) fn observer(timeline: &Arc<Mutex<Self>>, who: &'static str) -> Box<dyn Observer + Send> {
        let timeline = Arc::clone(timeline);
        Box::new(move |at: Instant, event: &TraceEvent| {
            if let Ok(mut timeline) = timeline.lock() {
                timeline.entries.push(Entry { at, who, what: What::Trace(event.clone()) });
            }
        })
    }

    pub(super) fn tell(&mut self, at: Instant, who: &'static str, event: Event) {
        self.entries.push(Entry { at, who, what: What::Event(event) });
    }

    pub(super) fn note(&mut self, at: Instant, what: String) {
        self.entries.push(Entry { at, who: "world", what: What::Note(what) });
    }

    /// The decisions of one peer, by name, in order.
    pub fn of<'a>(&'a self, who: &'a str) -> impl Iterator<Item = (Instant, &'a TraceEvent)> {
        self.entries.iter().filter(move |e| e.who == who).filter_map(|e| match &e.what {
            What::Trace(event) => Some((e.at, event)),
            What::Event(_) | What::Note(_) => None,
        })
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.entries {
            match &entry.what {
                What::Trace(event) => writeln!(f, "{:>10} {:<6} {event}", entry.at.to_string(), entry.who)?,
                What::Event(event) => {
                    writeln!(f, "{:>10} {:<6} -> {}", entry.at.to_string(), entry.who, Told(event))?;
                }
                What::Note(note) => {
                    writeln!(f, "{:>10} {:<6} == {note}", entry.at.to_string(), entry.who)?;
                }
            }
        }
        Ok(())
    }
}

/// An event in a few words.
struct Told<'a>(&'a Event);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Event::LocalCandidate { candidate, .. } => write!(f, "local {candidate}"),
            Event::CandidateRemoved { candidate, .. } => write!(f, "removed {candidate}"),
            Event::GatheringDone => f.write_str("gathering done"),
            Event::PathUsable(path) => write!(f, "usable: {path}"),
            Event::PathSelected(path) => write!(f, "selected: {path}"),
            Event::PathDegraded(path) => write!(f, "degraded: {path}"),
            Event::PathRecovered(path) => write!(f, "recovered: {path}"),
            Event::PathLost { path, cause } => write!(f, "lost: {path}, {cause}"),
            Event::Trouble(cause) => write!(f, "trouble: {cause}"),
            Event::RestartNeeded(cause) => write!(f, "restart needed: {cause}"),
            Event::Restarted { credentials, .. } => write!(f, "restarted as {}", credentials.ufrag()),
            Event::RoleSwitched(role) => write!(f, "now {role}"),
            Event::Failed(report) => write!(f, "failed: {report}"),
            other => write!(f, "{other:?}"),
        }
    }
}
