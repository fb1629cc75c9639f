//! What an agent can tell of itself, at any moment and when it fails.

use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use super::Cause;
use crate::base::{ComponentId, PairId};
use crate::candidate::CandidateType;
use crate::check::Role;
use crate::trace::PairPhase;

/// Why there is no path, or what there is: the causes, and a line for each pair.
///
/// `Display` gives it as text for a person, a line each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// What explains the lack of a path, the most telling first. When a pair is selected there is none, or the one for which a
    /// restart was asked for all the same ([`Cause::MappingChanged`]).
    pub causes: Vec<Cause>,
    /// Every pair of the checklist, highest priority first.
    pub pairs: Vec<PairReport>,
    /// Pairs that wait outside the checklist (`Reach::Wide`).
    pub reserved: usize,
    /// Pairs that a limit kept from being tried.
    pub untried: u32,
    /// The role at this moment.
    pub role: Role,
    /// Since the first `now` that the agent was given.
    pub elapsed: Duration,
}

/// What became of one pair.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PairReport {
    /// Its name in traces and events.
    pub id: PairId,
    /// What it is for.
    pub component: ComponentId,
    /// Our end: the mapped address if it is known, else the base.
    pub local: SocketAddr,
    /// Its type.
    pub local_type: CandidateType,
    /// The peer's end.
    pub remote: SocketAddr,
    /// Its type.
    pub remote_type: CandidateType,
    /// RFC 8445 §6.1.2.3.
    pub priority: u64,
    /// How far it came, and why no further.
    pub phase: PairPhase,
    /// Whether it carries the component's data.
    pub selected: bool,
    /// Binding requests sent, retransmissions included.
    pub requests_sent: u32,
    /// Authenticated success responses to them.
    pub responses_received: u32,
    /// The peer's authenticated requests on it.
    pub requests_received: u32,
    /// Of the last check that was answered.
    pub rtt: Option<Duration>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} for {:.1} s", self.role, self.elapsed.as_secs_f64())?;
        for cause in &self.causes {
            writeln!(f, "because {cause}")?;
        }
        for pair in &self.pairs {
            writeln!(f, "{pair}")?;
        }
        if self.reserved > 0 {
            writeln!(f, "{} more pairs wait for their turn", self.reserved)?;
        }
        if self.untried > 0 {
            writeln!(f, "{} more pairs were not tried", self.untried)?;
        }
        Ok(())
    }
}

impl fmt::Display for PairReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} > {} {}: ", self.id, self.local_type, self.local, self.remote_type, self.remote)?;
        if self.selected {
            f.write_str("selected")?;
        } else {
            write!(f, "{}", self.phase)?;
        }
        write!(
            f,
            "; sent {}, answered {}, received {}",
            self.requests_sent, self.responses_received, self.requests_received
        )?;
        match self.rtt {
            Some(rtt) => write!(f, ", round trip {:.1} ms", rtt.as_secs_f64() * 1e3),
            None => Ok(()),
        }
    }
}
