//! Who meets whom: every kind of box against every other, and against itself with both hosts behind it, without a relay and
//! with one. Each cell is a [`World`](crate::scenario::World) of its own, made from a seed of its own, so a cell comes out the same
//! alone, in the grid, and on any number of threads.
//!
//! ```
//! use floe_sim::NatConfig;
//! use floe_sim::grid::{Cell, CellSpec, NamedRouter};
//!
//! let left = NamedRouter::new("a symmetric NAT", NatConfig::symmetric());
//! let right = NamedRouter::new("a full cone", NatConfig::full_cone());
//! let cell = Cell::run(&CellSpec::new(left, right));
//! assert!(cell.agrees && cell.left.selected.is_some(), "{}", cell.timeline);
//! ```

mod cell;
mod row;

use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;

use floe_core::Nomination;

pub use cell::{Cell, CellSpec, LATE, NamedRouter, RTT, Setting, SideOutcome, VERDICT};

use crate::scenario::TurnReach;
use crate::{Hairpin, Preset};

/// Which cells to run.
#[derive(Clone, Debug)]
pub struct GridSpec {
    /// The boxes. Each is put before each.
    pub routers: Vec<NamedRouter>,
    /// How the left side, which controls, chooses.
    pub nomination: Nomination,
    /// How many threads share the work. Zero counts as one. It changes nothing but the time that it takes.
    pub threads: usize,
}

/// What came of them.
#[derive(Clone, Debug)]
pub struct Grid {
    /// In the order of [`GridSpec::cells`].
    pub cells: Vec<Cell>,
}

impl GridSpec {
    /// All presets.
    pub fn new(nomination: Nomination, threads: usize) -> Self {
        Self { routers: Preset::ALL.iter().map(NamedRouter::from).collect(), nomination, threads }
    }

    /// Every ordered pair of boxes with each relay; the same without a relay and with one over UDP where the left side learns
    /// late of the right; and each box with both hosts behind it, in one network and kept apart, with each way to hairpin.
    pub fn cells(&self) -> Vec<CellSpec> {
        let mut cells = Vec::new();
        let mut add = |left: &NamedRouter, right: &NamedRouter, setting, relay| {
            let (left, right, nomination) = (left.clone(), right.clone(), self.nomination);
            cells.push(CellSpec { left, right, setting, relay, nomination });
        };
        for relay in RELAYS {
            for left in &self.routers {
                for right in &self.routers {
                    add(left, right, Setting::Apart, relay);
                }
            }
        }
        for relay in [None, Some(TurnReach::Udp)] {
            for left in &self.routers {
                for right in &self.routers {
                    add(left, right, Setting::ApartLate, relay);
                }
            }
        }
        for relay in RELAYS {
            for home in &self.routers {
                for isolated in [false, true] {
                    for hairpin in home.hairpins() {
                        add(home, home, Setting::SameBox { isolated, hairpin }, relay);
                    }
                }
            }
        }
        cells
    }
}

impl Grid {
    /// Runs all cells.
    pub fn run(spec: &GridSpec) -> Self {
        let cells = spec.cells();
        let next = AtomicUsize::new(0);
        let done: Mutex<Vec<(usize, Cell)>> = Mutex::new(Vec::with_capacity(cells.len()));
        std::thread::scope(|scope| {
            for _ in 0..spec.threads.max(1) {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(cell) = cells.get(index) else { return };
                        let cell = Cell::run(cell);
                        if let Ok(mut done) = done.lock() {
                            done.push((index, cell));
                        }
                    }
                });
            }
        });
        let mut done = done.into_inner().unwrap_or_default();
        done.sort_by_key(|(index, _)| *index);
        Self { cells: done.into_iter().map(|(_, cell)| cell).collect() }
    }

    /// The cell of these two boxes, by their names.
    pub fn cell(&self, left: &str, right: &str, setting: Setting, relay: Option<TurnReach>) -> Option<&Cell> {
        self.cells.iter().find(|cell| {
            let spec = &cell.spec;
            (spec.left.name, spec.right.name, spec.setting, spec.relay) == (left, right, setting, relay)
        })
    }
}

impl NamedRouter {
    /// Its own way to hairpin, and the others.
    fn hairpins(&self) -> Vec<Option<Hairpin>> {
        let own = self.router.nat.as_ref().map(|nat| nat.hairpin);
        let all = [Hairpin::None, Hairpin::InternalSource, Hairpin::ExternalSource];
        let others = all.into_iter().filter(|hairpin| Some(*hairpin) != own);
        core::iter::once(None).chain(others.map(Some)).collect()
    }
}

/// Without a relay, and with each way to reach one.
pub const RELAYS: [Option<TurnReach>; 4] =
    [None, Some(TurnReach::Udp), Some(TurnReach::Tcp), Some(TurnReach::Tls)];
