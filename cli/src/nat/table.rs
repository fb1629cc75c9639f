//! The grid in a terminal, in 80 columns.

use std::fmt::Write as _;

use floe_core::CandidateType;
use floe_sim::grid::{Cell, Grid, NamedRouter, RELAYS, Setting};
use floe_sim::scenario::TurnReach;
use floe_sim::{Hairpin, Preset};

use super::cell::wrapped;
use super::words::ms;
use crate::paint::Paint;

/// The whole text.
pub(super) fn text(grid: &Grid, paint: Paint) -> String {
    let mut page = Page { grid, paint, homes: homes(grid), text: String::new() };
    page.legend();
    for relay in RELAYS {
        page.apart(relay);
    }
    page.late();
    for relay in RELAYS {
        page.same_box(relay);
    }
    page.sum();
    page.text
}

/// The kinds of NAT there are.
pub(super) fn presets() -> String {
    let mut text = String::new();
    for Preset { name, summary, .. } in Preset::ALL {
        let _ = writeln!(text, "{name}\n{}", wrapped(summary, "    "));
    }
    text
}

/// How each side sees its own end, for people with a small screen; or that there is no path.
pub(super) fn code(cell: &Cell) -> String {
    match (&cell.left.selected, &cell.right.selected) {
        (Some((_, ours)), Some((_, theirs))) => {
            format!("{}{}", letter(ours.local_type), letter(theirs.local_type))
        }
        _ => "--".to_owned(),
    }
}

/// What a relay is reached over.
pub(super) fn relay_name(relay: Option<TurnReach>) -> &'static str {
    match relay {
        None => "no relay",
        Some(TurnReach::Udp) => "a relay over UDP",
        Some(TurnReach::Tcp) => "a relay over TCP",
        Some(TurnReach::Tls) => "a relay over TLS",
    }
}

/// The boxes of the grid, in its order.
pub(super) fn homes(grid: &Grid) -> Vec<&NamedRouter> {
    let mut homes: Vec<&NamedRouter> = Vec::new();
    for cell in &grid.cells {
        if !homes.iter().any(|home| home.name == cell.spec.left.name) {
            homes.push(&cell.spec.left);
        }
    }
    homes
}

/// When both sides had selected the path.
fn selected(cell: &Cell) -> Option<u64> {
    let (left, right) = (cell.left.selected.as_ref()?, cell.right.selected.as_ref()?);
    Some(ms(left.0.max(right.0)))
}

/// When both sides had a path that could carry data.
pub(super) fn usable(cell: &Cell) -> Option<u64> {
    Some(ms(cell.left.usable?.max(cell.right.usable?)))
}

struct Page<'g> {
    grid: &'g Grid,
    paint: Paint,
    homes: Vec<&'g NamedRouter>,
    text: String,
}

impl Page<'_> {
    fn legend(&mut self) {
        self.line("floe nat: who meets whom, and how", true);
        self.prose(
            "In simulated time, 40 ms from any host to any other and back. The number behind the letters is when both had selected the \
             path, in milliseconds. Below: when data could flow both ways, and how many checks both sides sent.",
        );
        self.text.push('\n');
        for (number, home) in (1..).zip(self.homes.clone()) {
            let summary = Preset::named(home.name).map_or("", |preset| preset.summary);
            let name = format!("{number} {:<22}", home.name);
            let lines = wrapped(summary, &" ".repeat(26));
            let _ = writeln!(self.text, "  {}{}", self.paint.bold(&name), lines.trim());
        }
        self.text.push('\n');
        self.prose("Letters tell what each side's own end is, the left's (the row's) first: h its own address, s as a STUN server saw it, p as the \
                    peer saw it, r at the relay. -- is no path.");
    }

    fn apart(&mut self, relay: Option<TurnReach>) {
        self.head(&format!("Each behind a NAT of its own, {}", relay_name(relay)));
        let columns: Vec<String> = (1..=self.homes.len()).map(|number| number.to_string()).collect();
        self.columns(&columns);
        for (number, left) in (1..).zip(self.homes.clone()) {
            let of = |right: &&NamedRouter| self.grid.cell(left.name, right.name, Setting::Apart, relay);
            let cells = self.homes.iter().map(of).collect();
            self.row(number, cells);
        }
    }

    fn late(&mut self) {
        self.head("Whether the left hears the right before it is told of it");
        self.prose("A column for each right: first without a relay, then with one over UDP. What is selected then is as above.");
        for (number, left) in (1..).zip(self.homes.clone()) {
            let mut line = format!("  {number}  ");
            for relay in [None, Some(TurnReach::Udp)] {
                for right in self.homes.clone() {
                    let cell = self.grid.cell(left.name, right.name, Setting::ApartLate, relay);
                    let early = cell.and_then(Cell::heard_early).unwrap_or_default();
                    line += &if early { self.paint.good(" y") } else { self.paint.dim(" .") };
                }
                line += "    ";
            }
            self.line(line.trim_end(), false);
        }
    }

    fn same_box(&mut self, relay: Option<TurnReach>) {
        self.head(&format!("Both behind the same NAT, {}", relay_name(relay)));
        if relay.is_none() {
            self.prose(
                "In a shared network, or kept apart as in a guest network. Then it matters what the NAT does with what comes from inside for its \
                 own external address: drop it, or bring it back in, showing the sender's internal (int.) or external address (ext.).",
            );
        }
        self.columns(&["shared", "drop", "int.", "ext."].map(str::to_owned));
        let all = [Hairpin::None, Hairpin::InternalSource, Hairpin::ExternalSource];
        for (number, home) in (1..).zip(self.homes.clone()) {
            let own = home.router.nat.as_ref().map(|nat| nat.hairpin);
            let shared = Setting::SameBox { isolated: false, hairpin: None };
            let apart = all.map(|hairpin| {
                let hairpin = Some(hairpin).filter(|hairpin| Some(*hairpin) != own);
                Setting::SameBox { isolated: true, hairpin }
            });
            let of = |setting| self.grid.cell(home.name, home.name, setting, relay);
            let cells = [shared].into_iter().chain(apart).map(of).collect();
            self.row(number, cells);
        }
    }

    fn sum(&mut self) {
        let all = self.grid.cells.len();
        let paths = self.grid.cells.iter().filter(|cell| selected(cell).is_some()).count();
        self.text.push('\n');
        self.prose(&format!(
            "{paths} of {all} cells have a path; the others say why within 5 s. One of them in detail: \
             floe nat --left symmetric --right port_restricted"
        ));
    }

    /// Two lines, and eight columns for each cell.
    fn row(&mut self, number: usize, cells: Vec<Option<&Cell>>) {
        let ends: String = cells.iter().map(|cell| self.ends(*cell)).collect();
        let costs: String = cells.iter().map(|cell| self.cost(*cell)).collect();
        let _ = writeln!(self.text, "  {number}{ends}\n   {costs}");
    }

    fn ends(&self, cell: Option<&Cell>) -> String {
        let Some(cell) = cell else { return " ".repeat(8) };
        let Some(at) = selected(cell) else { return self.paint.bad(&format!("{:>8}", "--")) };
        let text = format!("{:>8}", format!("{} {at}", code(cell)));
        if code(cell).contains('r') { self.paint.dim(&text) } else { self.paint.good(&text) }
    }

    fn cost(&self, cell: Option<&Cell>) -> String {
        let text = cell.map_or_else(String::new, |cell| {
            let checks = cell.left.checks + cell.right.checks;
            usable(cell).map_or_else(|| checks.to_string(), |at| format!("{at} {checks}"))
        });
        self.paint.dim(&format!("{text:>8}"))
    }

    fn columns(&mut self, names: &[String]) {
        let mut line = "   ".to_owned();
        for name in names {
            let _ = write!(line, "{name:>8}");
        }
        self.line(&line, true);
    }

    fn head(&mut self, title: &str) {
        self.text.push('\n');
        self.line(title, true);
    }

    fn prose(&mut self, text: &str) {
        self.text += &wrapped(text, "");
    }

    fn line(&mut self, text: &str, bold: bool) {
        let text = if bold { self.paint.bold(text) } else { text.to_owned() };
        let _ = writeln!(self.text, "{text}");
    }
}

fn letter(kind: CandidateType) -> char {
    match kind {
        CandidateType::Host => 'h',
        CandidateType::ServerReflexive => 's',
        CandidateType::PeerReflexive => 'p',
        CandidateType::Relayed => 'r',
    }
}
