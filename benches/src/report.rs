//! The table, and who loses what in it.

use std::fmt::Write;

/// What was measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Measure {
    /// In nanoseconds.
    CpuTime,
    /// By callgrind.
    Instructions,
    /// Calls of the allocator.
    Allocations,
    /// Sent by both sides.
    Packets,
    /// Simulated nanoseconds until both sides may send.
    Usable,
    /// Simulated nanoseconds until both sides are on the nominated pair.
    Selected,
}

/// One measurement.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value {
    /// A quantity.
    Number(f64),
    /// It did not happen before the cut-off.
    Never,
    /// It was not measured.
    Missing,
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Line {
    /// Of the row.
    pub title: &'static str,
    /// What was measured.
    pub measure: Measure,
    /// Whether the first contender must not lose here.
    pub is_gated: bool,
    /// One for each contender.
    pub values: Vec<Value>,
}

impl Line {
    /// The first contender's share of what contender `other` needs. Below one, the first does better.
    fn ratio(&self, other: usize) -> Option<f64> {
        match (self.values.first()?, self.values.get(other)?) {
            (Value::Number(0.0), Value::Number(0.0)) => Some(1.0),
            (Value::Number(first), Value::Number(other)) if *other > 0.0 => Some(first / other),
            (Value::Number(_), Value::Number(_)) => Some(f64::INFINITY),
            _ => None,
        }
    }

    /// The first contender does worse. For a gated line: it does not do as well as it must.
    fn is_lost(&self, other: usize) -> bool {
        match (self.values.first(), self.values.get(other)) {
            (Some(Value::Never), Some(Value::Number(_))) => true,
            _ => self.ratio(other).is_some_and(|ratio| match self.measure {
                Measure::Instructions if self.is_gated => ratio >= 1.0,
                _ => ratio > 1.0,
            }),
        }
    }

    /// The gate is about what does not depend on the machine's mood.
    fn fails_the_gate(&self) -> bool {
        let counts = matches!(self.measure, Measure::Instructions | Measure::Allocations);
        self.is_gated && counts && (1..self.values.len()).any(|other| self.is_lost(other))
    }
}

/// The table in Markdown. What the first contender loses is bold.
pub fn table(names: &[&str], lines: &[Line]) -> String {
    let mut table = String::from("| work | measure |");
    let first = names.first().copied().unwrap_or_default();
    for name in names {
        let _ = write!(table, " {name} |");
    }
    for name in names.iter().skip(1) {
        let _ = write!(table, " {first} / {name} |");
    }
    table.push_str("\n|---|---|");
    table.push_str(&"---:|".repeat((names.len() * 2).saturating_sub(1)));
    table.push('\n');
    for line in lines {
        let _ = write!(table, "| {} | {} |", line.title, line.measure.name());
        for value in &line.values {
            let _ = write!(table, " {} |", line.measure.show(*value));
        }
        for other in 1..line.values.len() {
            let ratio = line.ratio(other).map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
            let _ = if line.is_lost(other) {
                write!(table, " **{ratio}** |")
            } else {
                write!(table, " {ratio} |")
            };
        }
        table.push('\n');
    }
    table
}

/// What the first contender loses, a line each.
pub fn losses(names: &[&str], lines: &[Line]) -> String {
    let mut losses = String::new();
    let first = names.first().copied().unwrap_or_default();
    for (other, name) in names.iter().enumerate().skip(1) {
        for line in lines.iter().filter(|line| line.is_lost(other)) {
            let _ = writeln!(losses, "* {first} loses to {name}: {}, {}", line.title, line.measure.name());
        }
    }
    losses
}

/// Whether the first contender is as good as it has to be: fewer instructions and no more allocations than anyone in
/// every row about a single message. What was not measured does not count.
pub fn passes_the_gate(lines: &[Line]) -> bool {
    !lines.iter().any(Line::fails_the_gate)
}

impl Measure {
    const fn name(self) -> &'static str {
        match self {
            Self::CpuTime => "CPU time",
            Self::Instructions => "instructions",
            Self::Allocations => "allocations",
            Self::Packets => "packets",
            Self::Usable => "usable on both",
            Self::Selected => "selected on both",
        }
    }

    fn show(self, value: Value) -> String {
        let number = match value {
            Value::Number(number) => number,
            Value::Never => return "never".to_owned(),
            Value::Missing => return "–".to_owned(),
        };
        match self {
            Self::CpuTime if number < 10_000.0 => format!("{number:.0} ns"),
            Self::CpuTime if number < 10_000_000.0 => format!("{:.1} µs", number / 1e3),
            Self::CpuTime => format!("{:.1} ms", number / 1e6),
            Self::Usable | Self::Selected => format!("{:.0} ms", number / 1e6),
            Self::Instructions | Self::Allocations | Self::Packets => grouped(number),
        }
    }
}

/// A whole number with its thousands apart.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(measure: Measure, is_gated: bool, values: [Value; 2]) -> Line {
        Line { title: "work", measure, is_gated, values: values.to_vec() }
    }

    #[test]
    fn a_gated_row_wants_fewer_instructions_and_no_more_allocations() {
        let gate = |measure, first, other| {
            passes_the_gate(&[line(measure, true, [Value::Number(first), Value::Number(other)])])
        };
        assert!(gate(Measure::Instructions, 99.0, 100.0));
        assert!(!gate(Measure::Instructions, 100.0, 100.0));
        assert!(gate(Measure::Allocations, 0.0, 0.0));
        assert!(gate(Measure::Allocations, 2.0, 2.0));
        assert!(!gate(Measure::Allocations, 1.0, 0.0));
        assert!(gate(Measure::CpuTime, 2.0, 1.0), "time is not gated");
        assert!(passes_the_gate(&[line(Measure::Instructions, true, [Value::Missing, Value::Number(1.0)])]));
    }

    #[test]
    fn other_rows_may_lose_but_say_so() {
        let lines = [
            line(Measure::Allocations, false, [Value::Number(3.0), Value::Number(2.0)]),
            line(Measure::Selected, false, [Value::Never, Value::Number(9e7)]),
            line(Measure::Selected, false, [Value::Number(9e7), Value::Never]),
        ];
        assert!(passes_the_gate(&lines));
        assert_eq!(
            losses(&["a", "b"], &lines),
            "* a loses to b: work, allocations\n* a loses to b: work, selected on both\n"
        );
    }

    #[test]
    fn the_table_is_markdown() {
        let lines =
            [line(Measure::Instructions, true, [Value::Number(1_234_567.0), Value::Number(1_000_000.0)])];
        assert_eq!(
            table(&["a", "b"], &lines),
            "| work | measure | a | b | a / b |\n|---|---|---:|---:|---:|\n\
             | work | instructions | 1,234,567 | 1,000,000 | **1.23** |\n"
        );
    }
}
