//! One cell for a person, and its trace for a program.

use std::fmt::Write as _;

use floe_core::trace::TraceEvent;
use floe_sim::Instant;
use floe_sim::Preset;
use floe_sim::grid::{Cell, NamedRouter, Setting};
use serde::Serialize;

use super::words::words;
use crate::error::Error;
use crate::paint::Paint;

/// No line of prose is longer.
pub(super) const WIDTH: usize = 80;

/// What it was, what came of it and why, and the timeline.
pub(super) fn text(cell: &Cell, paint: Paint) -> String {
    let mut text = format!("{}\n", paint.bold(&cell.spec.to_string()));
    let boxes: &[(&str, &NamedRouter)] = match cell.spec.setting {
        Setting::SameBox { .. } => &[("both", &cell.spec.left)],
        _ => &[("left", &cell.spec.left), ("right", &cell.spec.right)],
    };
    for (side, home) in boxes {
        let summary = Preset::named(home.name).map_or("", |preset| preset.summary);
        text += &wrapped(&format!("{side}: {}, {summary}", home.name), "  ");
    }
    text.push('\n');
    for (index, sentence) in words(cell).iter().enumerate() {
        let lines = wrapped(sentence, "  ");
        text += &match (index, cell.left.selected.is_some()) {
            (0, true) => paint.good(&lines),
            (0, false) => paint.bad(&lines),
            _ => lines,
        };
    }
    let _ = writeln!(text, "\n{} (ms; the left is alice, the right is bob)", paint.bold("Timeline"));
    for line in cell.timeline.lines() {
        let is_news =
            line.contains(" -> usable") || line.contains(" -> selected") || line.contains(" -> trouble");
        let _ = writeln!(text, "{}", if is_news { paint.bold(line) } else { line.to_owned() });
    }
    text
}

/// The text in lines that fit, each behind a margin.
pub(super) fn wrapped(text: &str, margin: &str) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && margin.len() + line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(lines, "{margin}{line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    let _ = writeln!(lines, "{margin}{line}");
    lines
}

/// A line of a trace.
#[derive(Serialize)]
struct Line<'t> {
    /// In milliseconds.
    at: f64,
    side: &'static str,
    /// The kind of the event.
    event: &'t str,
    text: String,
}

/// Every decision as JSON, one a line, in the order of time.
pub(super) fn trace(decisions: &[Vec<(Instant, TraceEvent)>; 2]) -> Result<String, Error> {
    let sides = ["left", "right"].into_iter().zip(decisions);
    let mut all: Vec<(Instant, &str, &TraceEvent)> =
        sides.flat_map(|(side, of)| of.iter().map(move |(at, event)| (*at, side, event))).collect();
    all.sort_by_key(|(at, _, _)| *at);
    let mut lines = String::new();
    for (at, side, event) in all {
        let debug = format!("{event:?}");
        let kind = debug.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
        let line = Line { at: at.as_nanos() as f64 / 1e6, side, event: kind, text: event.to_string() };
        lines += &serde_json::to_string(&line)?;
        lines.push('\n');
    }
    Ok(lines)
}
