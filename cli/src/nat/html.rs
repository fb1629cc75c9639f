//! The grid as one page for a browser, with nothing from elsewhere. A cell shows its words and its timeline when it is chosen.

use std::collections::HashMap;
use std::fmt::Write as _;

use floe_sim::grid::{Cell, Grid, NamedRouter, RELAYS, Setting};
use floe_sim::scenario::TurnReach;
use floe_sim::{Hairpin, Preset};
use serde::Serialize;

use super::table::{code, homes, relay_name, usable};
use super::words::{ms, words};
use crate::error::Error;

/// The whole page.
pub(super) fn page(grid: &Grid) -> Result<String, Error> {
    let mut page = Page { grid, homes: homes(grid), html: String::new() };
    page.legend();
    for relay in RELAYS {
        page.apart(relay, Setting::Apart, &format!("Each behind a NAT of its own, {}", relay_name(relay)));
    }
    for relay in [None, Some(TurnReach::Udp)] {
        page.apart(
            relay,
            Setting::ApartLate,
            &format!("The right is told late to the left, {}", relay_name(relay)),
        );
    }
    for relay in RELAYS {
        page.same_box(relay);
    }
    // So that nothing in it can end the script.
    let data = serde_json::to_string(&Data::of(grid))?.replace('<', "\\u003c");
    Ok(SHELL.replace("{{tables}}", &page.html).replace("{{data}}", &data))
}

/// What the script shows. Timelines are made of the same lines again and again, so each is there once.
#[derive(Serialize)]
struct Data<'g> {
    lines: Vec<&'g str>,
    cells: Vec<Details>,
}

#[derive(Serialize)]
struct Details {
    name: String,
    words: Vec<String>,
    /// Places in `lines`.
    timeline: Vec<usize>,
}

impl<'g> Data<'g> {
    fn of(grid: &'g Grid) -> Self {
        let (mut lines, mut places) = (Vec::new(), HashMap::new());
        let mut place = |line: &'g str| {
            *places.entry(line).or_insert_with(|| {
                lines.push(line);
                lines.len() - 1
            })
        };
        let details = |cell: &'g Cell| Details {
            name: cell.spec.to_string(),
            words: words(cell),
            timeline: cell.timeline.lines().map(&mut place).collect(),
        };
        let cells = grid.cells.iter().map(details).collect();
        Self { lines, cells }
    }
}

struct Page<'g> {
    grid: &'g Grid,
    homes: Vec<&'g NamedRouter>,
    html: String,
}

impl Page<'_> {
    fn legend(&mut self) {
        self.html += "<dl>";
        for home in &self.homes {
            let summary = Preset::named(home.name).map_or("", |preset| preset.summary);
            let _ = write!(self.html, "<dt>{}</dt><dd>{}</dd>", escaped(home.name), escaped(summary));
        }
        self.html += "</dl>";
    }

    fn apart(&mut self, relay: Option<TurnReach>, setting: Setting, title: &str) {
        let names: Vec<&str> = self.homes.iter().map(|home| home.name).collect();
        self.open(title, "left \\ right", &names);
        for left in self.homes.clone() {
            let row: String = self.homes.iter().map(|right| self.cell(left, right, setting, relay)).collect();
            self.row(left.name, &row);
        }
        self.html += "</tbody></table></div>";
    }

    fn same_box(&mut self, relay: Option<TurnReach>) {
        let title = format!("Both behind the same NAT, {}", relay_name(relay));
        let all = [Hairpin::None, Hairpin::InternalSource, Hairpin::ExternalSource];
        let networks = ["one network", "kept apart"];
        let ways = ["no hairpin", "internal source", "external source"];
        let names: Vec<String> =
            networks.iter().flat_map(|network| ways.map(|way| format!("{network}, {way}"))).collect();
        self.open(&title, "both", &names.iter().map(String::as_str).collect::<Vec<_>>());
        for home in self.homes.clone() {
            let own = home.router.nat.as_ref().map(|nat| nat.hairpin);
            let mut row = String::new();
            for isolated in [false, true] {
                for hairpin in all {
                    let hairpin = Some(hairpin).filter(|hairpin| Some(*hairpin) != own);
                    row += &self.cell(home, home, Setting::SameBox { isolated, hairpin }, relay);
                }
            }
            self.row(home.name, &row);
        }
        self.html += "</tbody></table></div>";
    }

    fn open(&mut self, title: &str, corner: &str, columns: &[&str]) {
        let _ = write!(self.html, "<h2>{}</h2><div class=wide><table><thead><tr>", escaped(title));
        let _ = write!(self.html, "<th scope=col>{}</th>", escaped(corner));
        for column in columns {
            let _ = write!(self.html, "<th scope=col>{}</th>", escaped(&column.replace('_', " ")));
        }
        self.html += "</tr></thead><tbody>";
    }

    fn row(&mut self, name: &str, cells: &str) {
        let _ = write!(self.html, "<tr><th scope=row>{}</th>{cells}</tr>", escaped(&name.replace('_', " ")));
    }

    fn cell(
        &self,
        left: &NamedRouter,
        right: &NamedRouter,
        setting: Setting,
        relay: Option<TurnReach>,
    ) -> String {
        let is_it = |cell: &Cell| {
            let spec = &cell.spec;
            (spec.left.name, spec.right.name, spec.setting, spec.relay)
                == (left.name, right.name, setting, relay)
        };
        let found = self.grid.cells.iter().enumerate().find(|(_, cell)| is_it(cell));
        let Some((index, cell)) = found else { return "<td></td>".to_owned() };
        let (class, label) = match (&cell.left.selected, &cell.right.selected) {
            (Some((left_at, ours)), Some((right_at, theirs))) => {
                let class = match code(cell).as_str() {
                    "hh" => "host",
                    code if code.contains('r') => "relay",
                    code if code.contains('p') => "prflx",
                    _ => "srflx",
                };
                let at = ms(*left_at.max(right_at));
                let usable = usable(cell).unwrap_or(at);
                (
                    class,
                    format!("{}<br>{}<small>{usable} / {at} ms</small>", ours.local_type, theirs.local_type),
                )
            }
            _ => ("none", "no path".to_owned()),
        };
        let checks = format!("<small>{} checks</small>", cell.left.checks + cell.right.checks);
        let early = if cell.heard_early() == Some(true) { "<small>heard early</small>" } else { "" };
        let name = escaped(&cell.spec.to_string());
        format!(
            "<td><button class={class} data-cell={index} title=\"{name}\">{label}{checks}{early}</button></td>"
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const SHELL: &str = include_str!("grid.html");
