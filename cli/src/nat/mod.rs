//! `floe nat`: the grid of NATs, one cell of it, or a whole population, played in the simulator.

mod args;
mod cell;
mod html;
mod table;
#[cfg(test)]
mod tests;
mod words;

use std::fs;
use std::io::Write as _;
use std::path::Path;

use floe_sim::Preset;
use floe_sim::grid::{Cell, CellSpec, Grid, GridSpec, NamedRouter, Setting};

pub(crate) use args::Nat;
use args::NetworkName;

use crate::error::Error;
use crate::paint::Paint;
use crate::population;

/// Plays what was asked for and prints it.
pub(crate) fn run(args: &Nat) -> Result<(), Error> {
    if let Some(mix) = &args.population.population {
        return population::run(&args.population, mix);
    }
    let text = match args.left {
        None if args.list => table::presets(),
        None => grid(args)?,
        Some(left) => one(args, left)?,
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

fn grid(args: &Nat) -> Result<String, Error> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let grid = Grid::run(&GridSpec::new(args.nomination.into(), threads));
    if let Some(file) = &args.html {
        write(file, &html::page(&grid)?)?;
    }
    Ok(table::text(&grid, Paint::for_stdout()))
}

fn one(args: &Nat, left: Preset) -> Result<String, Error> {
    let (cell, decisions) = Cell::run_traced(&spec(args, left));
    if let Some(file) = &args.trace {
        write(file, &cell::trace(&decisions)?)?;
    }
    Ok(cell::text(&cell, Paint::for_stdout()))
}

/// Without a right side and without a shared box, each has one of the left's.
fn spec(args: &Nat, left: Preset) -> CellSpec {
    let right = args.right.unwrap_or(left);
    let setting = match args.same_box {
        Some(network) => Setting::SameBox {
            isolated: network == NetworkName::Isolated,
            // What it does by itself is the same cell as in the grid.
            hairpin: args
                .hairpin
                .map(Into::into)
                .filter(|hairpin| left.router().nat.is_none_or(|nat| nat.hairpin != *hairpin)),
        },
        None if args.late => Setting::ApartLate,
        None => Setting::Apart,
    };
    CellSpec {
        setting,
        relay: args.turn.map(Into::into),
        nomination: args.nomination.into(),
        ..CellSpec::new(NamedRouter::from(&left), NamedRouter::from(&right))
    }
}

fn write(file: &Path, text: &str) -> Result<(), Error> {
    fs::write(file, text).map_err(|error| Error::File { file: file.to_owned(), error })
}
