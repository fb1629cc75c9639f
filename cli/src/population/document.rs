//! What came of a population, as JSON for programs.

use std::collections::BTreeMap;

use floe_sim::population::Times;
use serde::Serialize;

use super::{Outcome, PopulationArgs, SHARES, millis};

#[derive(Serialize)]
struct Document<'a> {
    population: Option<String>,
    sessions: u64,
    seed: u64,
    settings: Vec<SettingResult<'a>>,
}

#[derive(Serialize)]
struct SettingResult<'a> {
    setting: &'a str,
    direct: Kind,
    relayed: Kind,
    /// Direct and relayed.
    connected: Kind,
    failed: u64,
    causes: &'a BTreeMap<&'static str, u64>,
    datagrams: u64,
    pairs: Vec<Pair<'a>>,
}

#[derive(Serialize)]
struct Kind {
    sessions: u64,
    usable_ms: BTreeMap<&'static str, f64>,
    selected_ms: BTreeMap<&'static str, f64>,
}

#[derive(Serialize)]
struct Pair<'a> {
    homes: [&'a str; 2],
    direct: u64,
    relayed: u64,
    failed: u64,
}

pub(super) fn json(
    args: &PopulationArgs,
    homes: &[String],
    outcomes: &[Outcome],
) -> serde_json::Result<String> {
    let name = |index: usize| homes.get(index).map_or("?", String::as_str);
    let settings = outcomes.iter().map(|Outcome { name: setting, tally }| SettingResult {
        setting,
        direct: kind(&tally.direct),
        relayed: kind(&tally.relayed),
        connected: kind(&tally.connected()),
        failed: tally.failures(),
        causes: &tally.failed,
        datagrams: tally.datagrams,
        pairs: tally
            .by_homes
            .iter()
            .map(|(homes, &[direct, relayed, failed])| Pair {
                homes: homes.map(name),
                direct,
                relayed,
                failed,
            })
            .collect(),
    });
    let population = args.population.as_deref().map(|file| file.display().to_string());
    let document =
        Document { population, sessions: args.sessions, seed: args.seed, settings: settings.collect() };
    serde_json::to_string_pretty(&document)
}

fn kind(times: &Times) -> Kind {
    let all = |at: fn(&Times, f64) -> Option<std::time::Duration>| {
        SHARES
            .into_iter()
            .filter_map(|(name, share)| at(times, share).map(|time| (name, millis(time))))
            .collect()
    };
    Kind { sessions: times.count(), usable_ms: all(Times::usable), selected_ms: all(Times::selected) }
}
