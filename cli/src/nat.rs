//! `floe nat`.

use crate::args::Nat;
use crate::error::Error;
use crate::population;

pub(crate) fn run(args: &Nat) -> Result<(), Error> {
    match &args.population.population {
        Some(file) => population::run(&args.population, file),
        None => Ok(()),
    }
}
