//! `floe nat --population`: many simulated sessions between hosts that are drawn from a mix, and what came of them, for one
//! setting of the engine or for two over the same networks.

mod document;
mod mix;
mod plot;
mod setting;
mod text;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Args, value_parser};
use floe_sim::population::{Population, Tally};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::error::Error;
use crate::paint::Paint;
pub(crate) use mix::MixFileError;
pub(crate) use setting::NamedSetting;

/// What `floe nat` has for populations.
#[derive(Args, Debug)]
#[command(next_help_heading = "Populations")]
pub(crate) struct PopulationArgs {
    /// Play sessions between hosts drawn from the mix in this file
    ///
    /// The mix says which NATs, families, round trips, losses and relays there are, and in which shares; cli/mixes/internet.toml in
    /// floe's repository explains the format. Sessions are simulated on all cores. The same mix, number and seed give the same result.
    #[arg(long, value_name = "MIX.TOML")]
    pub(crate) population: Option<PathBuf>,

    /// How many, up to a hundred million
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 10_000,
        value_parser = value_parser!(u64).range(1..=MOST_SESSIONS),
        requires = "population",
        conflicts_with_all = NOT_A_POPULATION,
    )]
    pub(crate) sessions: u64,

    /// What all of them are drawn from
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 1,
        requires = "population",
        conflicts_with_all = NOT_A_POPULATION,
    )]
    pub(crate) seed: u64,

    /// How the engine is set up
    ///
    /// Words separated by commas, of: nomination=fast|regular|renominate, ta=5ms to 10s, reach=wide or a number of pairs.
    #[arg(
        long,
        value_name = "SETTING",
        default_value = "",
        requires = "population",
        conflicts_with_all = NOT_A_POPULATION,
    )]
    pub(crate) setting: NamedSetting,

    /// Another setting to compare it with, over the same sessions
    #[arg(
        long,
        value_name = "SETTING",
        requires = "population",
        conflicts_with_all = NOT_A_POPULATION,
    )]
    pub(crate) against: Option<NamedSetting>,

    /// How many threads work; by default as many as there are cores. The result does not depend on it
    #[arg(
        long,
        value_name = "NUMBER",
        value_parser = threads(),
        requires = "population",
        conflicts_with_all = NOT_A_POPULATION,
    )]
    pub(crate) threads: Option<usize>,

    /// Print one JSON document with the same content; times are in milliseconds
    #[arg(long, requires = "population", conflicts_with_all = NOT_A_POPULATION)]
    pub(crate) json: bool,

    /// Write a plot of how many sessions were connected by when
    #[arg(
        long,
        value_name = "FILE.SVG",
        requires = "population",
        conflicts_with_all = NOT_A_POPULATION,
    )]
    pub(crate) svg: Option<PathBuf>,
}

/// What one setting has come to.
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) tally: Tally,
}

pub(crate) fn run(args: &PopulationArgs, file: &std::path::Path) -> Result<(), Error> {
    let mix = mix::read(file)?;
    let homes: Vec<String> = mix.homes.iter().map(|(_, home)| home.name.clone()).collect();
    let population = Population::new(mix, args.seed).map_err(MixFileError::from_mix(file))?;
    let threads = args.threads.or_else(|| std::thread::available_parallelism().ok().map(Into::into));
    let settings: Vec<&NamedSetting> = [&args.setting].into_iter().chain(&args.against).collect();
    let bar = progress(args.sessions * settings.len() as u64);
    let outcomes: Vec<Outcome> = settings
        .into_iter()
        .map(|setting| Outcome {
            name: setting.to_string(),
            tally: play(&population, setting, args.sessions, threads.unwrap_or(1), &bar),
        })
        .collect();
    bar.finish_and_clear();
    if let Some(file) = &args.svg {
        let plot = plot::svg(&outcomes).map_err(|why| Error::Plot { file: file.clone(), why })?;
        std::fs::write(file, plot).map_err(|error| Error::File { file: file.clone(), error })?;
    }
    if args.json {
        println!("{}", document::json(args, &homes, &outcomes)?);
    } else {
        print!("{}", text::report(args, &homes, &outcomes, Paint::for_stdout()));
    }
    Ok(())
}

/// Plays all sessions on so many threads. Who plays which does not matter: a session depends on its number alone.
fn play(
    population: &Population,
    setting: &NamedSetting,
    sessions: u64,
    threads: usize,
    bar: &ProgressBar,
) -> Tally {
    let next = AtomicU64::new(0);
    let work = || {
        let mut tally = Tally::default();
        loop {
            let first = next.fetch_add(BATCH, Ordering::Relaxed);
            if first >= sessions {
                return tally;
            }
            let end = sessions.min(first + BATCH);
            for number in first..end {
                tally.add(&population.session(&setting.setting, number));
            }
            bar.inc(end - first);
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let mut sum = Tally::default();
        for worker in workers {
            match worker.join() {
                Ok(tally) => sum.merge(tally),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        sum.sorted()
    })
}

fn threads() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=MOST_THREADS)
}

/// On standard error, and on a terminal only.
fn progress(length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} sessions, {eta} left");
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr_with_hz(5));
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// What is asked instead of a population.
const NOT_A_POPULATION: [&str; 3] = ["grid", "left", "list"];
/// Their times take some three gigabytes.
const MOST_SESSIONS: u64 = 100_000_000;
/// More than there are cores in any machine, and fewer than an operating system gives.
const MOST_THREADS: u64 = 1_024;
/// Sessions that a thread takes at a time: few enough that none is idle at the end.
const BATCH: u64 = 32;
/// The percentiles that are told.
const SHARES: [(&str, f64); 5] = [("p10", 0.1), ("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)];

#[cfg(test)]
mod tests {
    use floe_sim::NatConfig;
    use floe_sim::population::{Home, Mix};

    use super::*;

    #[test]
    fn the_result_does_not_depend_on_the_number_of_threads() {
        let mut mix = Mix::of([
            (2.0, Home::behind("cone", [NatConfig::port_restricted()])),
            (1.0, Home::behind("symmetric", [NatConfig::symmetric()])),
        ]);
        mix.losses = vec![(1.0, 0.0), (1.0, 0.1)];
        mix.patience = Duration::from_secs(3);
        let population = Population::new(mix, 3).unwrap();
        let setting = NamedSetting::default();
        let bar = ProgressBar::hidden();
        let one = play(&population, &setting, 150, 1, &bar);
        assert_eq!(one, play(&population, &setting, 150, 3, &bar));
        assert_eq!(one.sessions(), 150);
        assert!(one.direct.count() > 50 && one.failures() > 5, "{one:?}");
    }
}
