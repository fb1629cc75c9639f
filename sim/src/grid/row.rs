//! Cells as lines of text.

use core::fmt;

use super::{Cell, CellSpec, Setting, SideOutcome};
use crate::scenario::TurnReach;
use crate::{Hairpin, Instant};

impl fmt::Display for CellSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.setting {
            Setting::Apart => write!(f, "{} - {}", self.left.name, self.right.name)?,
            Setting::ApartLate => write!(f, "{} - {}, right told late", self.left.name, self.right.name)?,
            Setting::SameBox { isolated, hairpin } => {
                write!(f, "{} alone", self.left.name)?;
                f.write_str(if isolated { ", hosts kept apart" } else { ", one network" })?;
                f.write_str(match hairpin {
                    None => "",
                    Some(Hairpin::None) => ", no hairpin",
                    Some(Hairpin::InternalSource) => ", hairpin with internal source",
                    Some(Hairpin::ExternalSource) => ", hairpin with external source",
                })?;
            }
        }
        match self.relay {
            None => Ok(()),
            Some(TurnReach::Udp) => f.write_str(", relay over UDP"),
            Some(TurnReach::Tcp) => f.write_str(", relay over TCP"),
            Some(TurnReach::Tls) => f.write_str(", relay over TLS"),
        }
    }
}

/// In one line: what was selected, or why nothing was.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.spec)?;
        let (left, right) = (&self.left, &self.right);
        match (&left.selected, &right.selected) {
            (Some((left_at, ours)), Some((right_at, theirs))) => {
                write!(f, "{}-{} seen as ", ours.local_type, ours.remote_type)?;
                write!(f, "{}-{}", theirs.local_type, theirs.remote_type)?;
                let usable = [left.usable, right.usable].map(|at| at.map(ms).unwrap_or_default());
                write!(f, ", usable {}/{} ms", usable[0], usable[1])?;
                write!(f, ", selected {}/{} ms", ms(*left_at), ms(*right_at))?;
                if !self.agrees {
                    f.write_str(", on different pairs")?;
                }
            }
            _ => write!(f, "no path; left: {}; right: {}", Complaint(left), Complaint(right))?,
        }
        write!(f, ", checks {}/{}", left.checks, right.checks)?;
        write!(f, ", ports {}/{}", left.port_word(), right.port_word())?;
        match self.heard_early() {
            Some(true) => f.write_str(", left heard right early"),
            Some(false) => f.write_str(", left did not hear right early"),
            None => Ok(()),
        }
    }
}

impl SideOutcome {
    /// What became of its port on the way out.
    fn port_word(&self) -> &'static str {
        match self.seen {
            None => "unseen",
            Some((seen, own)) if seen.port() == own => "kept",
            Some(_) => "changed",
        }
    }
}

/// What a side told, each with its time.
struct Complaint<'o>(&'o SideOutcome);

impl fmt::Display for Complaint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.troubles.is_empty() {
            return f.write_str("nothing told");
        }
        for (index, (at, cause)) in self.0.troubles.iter().enumerate() {
            let between = if index == 0 { "" } else { "; " };
            write!(f, "{between}{cause} ({} ms)", ms(*at))?;
        }
        Ok(())
    }
}

fn ms(at: Instant) -> u64 {
    at.as_nanos() / 1_000_000
}
