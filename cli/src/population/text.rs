//! What came of a population, as text for people.

use std::fmt::Write as _;

use floe_sim::population::{Tally, Times};

use super::{Outcome, PopulationArgs, SHARES, millis};
use crate::paint::Paint;

pub(super) fn report(args: &PopulationArgs, homes: &[String], outcomes: &[Outcome], paint: Paint) -> String {
    let mut out = String::new();
    let file = args.population.as_deref().map_or_else(String::new, |file| file.display().to_string());
    let _ = writeln!(out, "{} sessions of {file}, seed {}", args.sessions, args.seed);
    for outcome in outcomes {
        let _ = writeln!(out, "\n{}", paint.bold(&format!("Setting: {}", outcome.name)));
        summary(&mut out, outcome, paint);
        times(&mut out, outcome);
        causes(&mut out, outcome);
    }
    match outcomes {
        [one] => by_homes(&mut out, homes, one, paint),
        [one, other] => difference(&mut out, one, other, paint),
        _ => {}
    }
    out
}

fn summary(out: &mut String, outcome: &Outcome, paint: Paint) {
    let tally = &outcome.tally;
    let all = tally.sessions();
    let rows =
        [("direct", tally.direct.count()), ("relayed", tally.relayed.count()), ("failed", tally.failures())];
    for (what, count) in rows {
        let line = format!("{what:<10}{:>8.3} %  {count:>9}  {}", percent(count, all), bar(count, all));
        let line = if what == "failed" && count > 0 { paint.bad(&line) } else { line };
        let _ = writeln!(out, "  {}", line.trim_end());
    }
    let each = if all == 0 { 0.0 } else { tally.datagrams as f64 / all as f64 };
    let _ = writeln!(out, "  {each:.0} datagrams a session until it is decided, servers' included");
}

fn times(out: &mut String, outcome: &Outcome) {
    let connected = outcome.tally.connected();
    if connected.count() == 0 {
        return;
    }
    let _ = write!(out, "  {:<20}", "milliseconds to");
    for (name, _) in SHARES {
        let _ = write!(out, "{name:>9}");
    }
    out.push('\n');
    let rows: [(&str, &Times); 3] =
        [("all", &connected), ("direct", &outcome.tally.direct), ("relayed", &outcome.tally.relayed)];
    for (what, times) in rows.into_iter().filter(|(_, times)| times.count() > 0) {
        for (goal, at) in [("usable", Times::usable as fn(&Times, f64) -> _), ("selected", Times::selected)] {
            let _ = write!(out, "  {:<20}", format!("{goal}, {what}"));
            for (_, share) in SHARES {
                let _ = write!(out, "{:>9.0}", at(times, share).map_or(0.0, millis));
            }
            out.push('\n');
        }
    }
}

fn causes(out: &mut String, outcome: &Outcome) {
    for (cause, count) in &outcome.tally.failed {
        let _ = writeln!(out, "  failed, {cause}: {count}");
    }
}

fn by_homes(out: &mut String, homes: &[String], outcome: &Outcome, paint: Paint) {
    let mut rows: Vec<_> = outcome.tally.by_homes.iter().collect();
    rows.retain(|(_, [_, relayed, failed])| relayed + failed > 0);
    rows.sort_by_key(|(homes, [_, relayed, failed])| (std::cmp::Reverse(relayed + failed), **homes));
    let _ = writeln!(out, "\n{}", paint.bold("Who did not connect directly, the largest parts first"));
    let _ = writeln!(out, "  {:<49}{:>9}{:>9}{:>9}", "", "direct", "relayed", "failed");
    let name = |index: usize| homes.get(index).map_or("?", String::as_str);
    for ([one, other], [direct, relayed, failed]) in rows.into_iter().take(MOST_ROWS) {
        let who: String = format!("{} - {}", name(*one), name(*other)).chars().take(49).collect();
        let _ = writeln!(out, "  {who:<49}{direct:>9}{relayed:>9}{failed:>9}");
    }
}

fn difference(out: &mut String, one: &Outcome, other: &Outcome, paint: Paint) {
    let _ = writeln!(out, "\n{}", paint.bold(&format!("{} against {}", one.name, other.name)));
    let row = |out: &mut String, what: &str, values: [f64; 2], unit: &str| {
        let change = values[1] - values[0];
        let _ = writeln!(out, "  {what:<24}{:>12.2} {:>12.2} {change:>+12.2} {unit}", values[0], values[1]);
    };
    let both = [&one.tally, &other.tally];
    row(out, "direct", both.map(|t| percent(t.direct.count(), t.sessions())), "%");
    row(out, "relayed", both.map(|t| percent(t.relayed.count(), t.sessions())), "%");
    row(out, "failed", both.map(|t| percent(t.failures(), t.sessions())), "%");
    let connected = both.map(Tally::connected);
    for (name, share) in SHARES {
        let at = |times: &Times| times.usable(share).map_or(0.0, millis);
        row(out, &format!("usable, {name}"), [at(&connected[0]), at(&connected[1])], "ms");
    }
    for (name, share) in SHARES {
        let at = |times: &Times| times.selected(share).map_or(0.0, millis);
        row(out, &format!("selected, {name}"), [at(&connected[0]), at(&connected[1])], "ms");
    }
    let each = both.map(|t| t.datagrams as f64 / t.sessions().max(1) as f64);
    row(out, "datagrams a session", each, "");
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

fn bar(part: u64, whole: u64) -> String {
    "#".repeat((percent(part, whole) / 100.0 * BAR).round() as usize)
}

const BAR: f64 = 40.0;
const MOST_ROWS: usize = 12;
