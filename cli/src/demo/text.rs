//! The demo for a person: what ICE did, in sections of plain words, at most 80 columns wide.

use std::fmt::Write as _;

use super::document::{Direction, Document, Gathered, Moved, Selected, View};
use super::timeline::{PathLine, Side, Step, What};
use crate::args::RuntimeName;
use crate::paint::Paint;

/// No line is longer.
const WIDTH: usize = 80;
/// Of a longer list the middle is left out.
const MOST_CANDIDATES: usize = 6;
const MOST_PATHS: usize = 6;
const MOST_STEPS: usize = 24;

/// The whole text, with a line end behind each line.
pub(crate) fn text(document: &Document, paint: Paint) -> String {
    let mut page = Page { text: String::new(), paint };
    page.prose(0, "floe demo: two ICE agents on this machine find a path to each other");
    if document.loopback {
        page.prose(0, "No usable network interface was found, so this is over loopback.");
    }
    match document.runtime {
        RuntimeName::Tokio => {}
        RuntimeName::AsyncStd => page.prose(0, "Both run on async-std."),
        RuntimeName::Smol => page.prose(0, "Both run on smol."),
        RuntimeName::Mixed => page.prose(0, "Alice runs on tokio, and Bob on async-std."),
    }
    page.gathered(&document.alice, &document.bob);
    page.paired(&document.paths);
    page.checked(&document.steps);
    page.selected(&document.selected);
    page.moved(&document.moved);
    page.verdict(document);
    page.text
}

struct Page {
    text: String,
    paint: Paint,
}

impl Page {
    fn gathered(&mut self, alice: &Gathered, bob: &Gathered) {
        self.section(
            "Gathered",
            "Each side lists the addresses at which it might be reached: its candidates.",
        );
        for (side, gathered) in [(Side::Alice, alice), (Side::Bob, bob)] {
            let part = if gathered.role == "controlling" { "will choose the path" } else { "will follow" };
            let name = self.paint.side(side, &side.to_string());
            self.line(&format!("  {name}, {}: {part}", gathered.role));
            let lines = gathered.candidates.iter().map(|candidate| {
                format!(
                    "    {:<5}  {:<32}  priority {}",
                    candidate.kind, candidate.address, candidate.priority
                )
            });
            self.list(lines.collect(), MOST_CANDIDATES, "candidates");
        }
    }

    fn paired(&mut self, paths: &[PathLine]) {
        let explained = format!(
            "Each of alice's with each of bob's that it can talk to makes {}, numbered by priority.",
            counted(paths.len(), "path")
        );
        self.section("Paired", &explained);
        let lines = paths.iter().map(|path| {
            let line = format!("  path {:<3} alice {} <> bob {}", path.number, path.alice, path.bob);
            match line.len() {
                ..=WIDTH => line,
                _ => format!("  path {:<3} alice {}\n        <> bob {}", path.number, path.alice, path.bob),
            }
        });
        self.list(lines.collect(), MOST_PATHS, "paths");
    }

    fn checked(&mut self, steps: &[Step]) {
        let explained = "A check (-->) is a signed question: \"do you hear me on this path?\". Its answer (..>) proves \
                         that the path works there and back. Each side starts a new check every 50 ms at most, so that no network \
                         is flooded. On the left, ms since the start.";
        self.section("Checked", explained);
        let paint = self.paint;
        self.list(steps.iter().map(|step| step_line(step, paint)).collect(), MOST_STEPS, "steps");
    }

    fn selected(&mut self, selected: &Selected) {
        let path = selected.path.map_or_else(|| "A path".to_owned(), |number| format!("Path {number}"));
        let explained = format!(
            "{path}, {} ms after the start. It could carry data from {} ms on.",
            selected.after_ms, selected.usable_after_ms
        );
        self.section("Selected", &explained);
        let views = [(Side::Alice, selected.alice), (Side::Bob, selected.bob)];
        for (side, View { local, local_type, remote, remote_type, .. }) in views {
            let name = self.paint.side(side, &format!("{side:<5}"));
            let (own, other) = (format!("{local_type} {local}"), format!("{remote_type} {remote}"));
            let fits = own.len() + other.len() + 30 <= WIDTH;
            let between = if fits { "  " } else { "\n         " };
            self.line(&format!("  {name}  is at {own}{between}and sends to {other}"));
        }
        self.prose(2, &format!("Why: {}.", selected.why));
        if selected.agreed {
            self.prose(2, "Both agree: each one's own address is the address that the other sends to.");
        } else {
            self.prose(2, &self.paint.bad("They do not agree: an address is not what the other sends to."));
        }
    }

    fn moved(&mut self, moved: &Moved) {
        let explained = format!(
            "Numbered datagrams of {} bytes there, and an echo of each back, at most {} under way at once.",
            moved.bytes_each, moved.window
        );
        self.section("Moved", &explained);
        let ways = [(Side::Alice, moved.alice_to_bob), (Side::Bob, moved.bob_to_alice)];
        for (from, Direction { sent, received, lost }) in ways {
            let way = format!("{from:<5} --> {}", from.other());
            let lost = format!("lost {}", grouped(lost));
            let lost = if lost == "lost 0" { lost } else { self.paint.bad(&lost) };
            let (sent, received) = (grouped(sent), grouped(received));
            self.line(&format!("  {way:<16} sent {sent:>6}   received {received:>6}   {lost}"));
        }
        if let Some(times) = moved.round_trip_ms {
            let (p50, p90, p99, max) = (times.p50, times.p90, times.p99, times.max);
            self.line(&format!(
                "  {:<16} p50 {p50}   p90 {p90}   p99 {p99}   max {max}   (ms)",
                "round trip"
            ));
        }
        self.line(&format!("  {:<16} {} ms", "took", moved.took_ms));
    }

    fn verdict(&mut self, document: &Document) {
        self.text.push('\n');
        let verdict = if document.well {
            self.paint.good("All is well: both sides use the same path and nothing was lost.")
        } else if !document.selected.agreed {
            self.paint.bad("Not well: the two sides do not use the same path.")
        } else if document.moved.adds_up() {
            self.paint.bad("Not well: datagrams were lost.")
        } else {
            self.paint.bad("Not well: the counts of datagrams do not add up.")
        };
        self.line(&verdict);
    }

    /// A heading, and beside it what the section is about.
    fn section(&mut self, heading: &str, explained: &str) {
        self.text.push('\n');
        let mut lines = wrapped(explained, WIDTH - HEADING).into_iter();
        let first = lines.next().unwrap_or_default();
        let heading = self.paint.bold(&format!("{heading:<HEADING$}"));
        self.line(&format!("{heading}{first}"));
        for line in lines {
            self.line(&format!("{:HEADING$}{line}", ""));
        }
    }

    /// All of a short list; the ends of a long one, and how much is between them.
    fn list(&mut self, lines: Vec<String>, most: usize, what: &str) {
        let hidden = if lines.len() > most { lines.len() - (most - 1) } else { 0 };
        let head = most / 2;
        for (index, line) in lines.iter().enumerate() {
            if hidden == 0 || index < head || index >= head + hidden {
                self.line(line);
            } else if index == head {
                let note = self.paint.dim(&format!("    ... {hidden} more {what} ..."));
                self.line(&note);
            }
        }
    }

    fn prose(&mut self, indent: usize, text: &str) {
        for line in wrapped(text, WIDTH - indent) {
            self.line(&format!("{:indent$}{line}", ""));
        }
    }

    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{}", line.trim_end());
    }
}

/// The width of the column of headings.
const HEADING: usize = 10;

/// A step: when, between whom, what.
fn step_line(step: &Step, paint: Paint) -> String {
    let (arrow, said) = (arrow(step), said(step));
    let text = clipped(&said, WIDTH - 27);
    let text = match step.what {
        What::Selected => paint.good(&text),
        What::Failed { .. } | What::Refused { .. } | What::Dropped { .. } | What::SendFailed { .. } => {
            paint.bad(&text)
        }
        _ => text,
    };
    format!("{:>9}  {}  {text}", step.ms, paint.side(step.who, &format!("{arrow:<14}")))
}

/// Alice is always on the left.
fn arrow(step: &Step) -> &'static str {
    match (&step.what, step.who) {
        (What::Check { .. }, Side::Alice) => "alice --> bob",
        (What::Check { .. }, Side::Bob) => "alice <-- bob",
        (What::Answer { .. } | What::Refused { .. }, Side::Alice) => "alice <.. bob",
        (What::Answer { .. } | What::Refused { .. }, Side::Bob) => "alice ..> bob",
        (_, Side::Alice) => "alice",
        (_, Side::Bob) => "          bob",
    }
}

fn said(step: &Step) -> String {
    let who = step.who;
    let other = who.other();
    let path = step.path.map_or_else(|| "a path".to_owned(), |number| format!("path {number}"));
    match &step.what {
        What::Check { nominates: true, attempt: 1, .. } => {
            format!("{who} nominates {path}: \"let us use it\"")
        }
        What::Check { triggered: true, .. } => format!("{who} checks {path} too (triggered by {other}'s)"),
        What::Check { attempt: 1, .. } => format!("{who} checks {path}"),
        What::Check { attempt, .. } => format!("{who} checks {path} again (transmission {attempt})"),
        What::Answer { nominates: true, rtt_ms } => format!("{other} agrees, after {rtt_ms} ms"),
        What::Answer { rtt_ms, .. } => format!("{other} answers, after {rtt_ms} ms: {path} works"),
        What::Refused { code } => format!("{other} refuses the check of {path} with error {code}"),
        What::Refuses { code } => format!("{who} refuses the check of {path} with error {code}"),
        What::Learned { whose, address } if *whose == who => format!("{who} learns to be seen as {address}"),
        What::Learned { whose, address } => format!("{who} learns that {whose} is also at {address}"),
        What::Failed { why } => format!("{who} gives up {path}: {why}"),
        What::Selected => format!("{who} selects {path} for the data"),
        What::RoleSwitched { role } => format!("{who} is {role} from now on (role conflict)"),
        What::Dropped { remote, why } => format!("{who} drops a datagram from {remote}: {why}"),
        What::SendFailed { remote } => format!("{who} cannot send to {remote}"),
    }
}

fn counted(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        n => format!("{n} {noun}s"),
    }
}

/// `10000` as `10,000`.
fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn clipped(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(3)).collect();
    kept + "..."
}

/// Lines of whole words; a word that is longer than a line has one for itself.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
