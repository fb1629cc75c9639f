//! The file that describes a population.

use std::path::{Path, PathBuf};
use std::time::Duration;

use floe_sim::Preset;
use floe_sim::population::{Home, Mix, MixError};
use floe_sim::scenario::TurnReach;
use serde::Deserialize;

/// Why a mix cannot be used.
#[derive(thiserror::Error, Debug)]
pub(crate) enum MixFileError {
    #[error("cannot read {}: {error}", file.display())]
    Read { file: PathBuf, error: std::io::Error },
    #[error("{}: {error}", file.display())]
    Toml { file: PathBuf, error: toml::de::Error },
    #[error("{}: the home {home:?} has a router {router:?}, which is not known; there are {known}", file.display())]
    Router { file: PathBuf, home: String, router: String, known: String },
    #[error("{}: a loss of {percent} percent is not in 0 to 100", file.display())]
    Loss { file: PathBuf, percent: f64 },
    #[error("{}: {error}", file.display())]
    Mix { file: PathBuf, error: MixError },
}

impl MixFileError {
    pub(super) fn from_mix(file: &Path) -> impl FnOnce(MixError) -> Self {
        move |error| Self::Mix { file: file.to_owned(), error }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MixFile {
    #[serde(default)]
    neighbours: f64,
    #[serde(default)]
    relay: Vec<Reach>,
    #[serde(default = "half_a_minute")]
    patience_s: u64,
    home: Vec<HomeEntry>,
    #[serde(default)]
    round_trip: Vec<RoundTripEntry>,
    #[serde(default)]
    loss: Vec<LossEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HomeEntry {
    name: String,
    share: f64,
    #[serde(default)]
    routers: Vec<String>,
    #[serde(default)]
    ipv6: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoundTripEntry {
    share: f64,
    ms: [u64; 2],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LossEntry {
    share: f64,
    percent: f64,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Reach {
    Udp,
    Tcp,
    Tls,
}

pub(super) fn read(file: &Path) -> Result<Mix, MixFileError> {
    let text =
        std::fs::read_to_string(file).map_err(|error| MixFileError::Read { file: file.to_owned(), error })?;
    parse(file, &text)
}

fn parse(file: &Path, text: &str) -> Result<Mix, MixFileError> {
    let MixFile { neighbours, relay, patience_s, home, round_trip, loss } =
        toml::from_str(text).map_err(|error| MixFileError::Toml { file: file.to_owned(), error })?;
    let homes: Result<Vec<_>, _> = home.into_iter().map(|entry| home_of(file, entry)).collect();
    let usual = Mix::of(homes?);
    let ms = Duration::from_millis;
    let round_trips: Vec<_> = round_trip.iter().map(|r| (r.share, ms(r.ms[0])..=ms(r.ms[1]))).collect();
    // In the file's own unit.
    if let Some(LossEntry { percent, .. }) = loss.iter().find(|l| !(0.0..=100.0).contains(&l.percent)) {
        return Err(MixFileError::Loss { file: file.to_owned(), percent: *percent });
    }
    let losses: Vec<_> = loss.iter().map(|l| (l.share, l.percent / 100.0)).collect();
    Ok(Mix {
        neighbours,
        relay: relay.into_iter().map(Into::into).collect(),
        patience: Duration::from_secs(patience_s),
        round_trips: if round_trips.is_empty() { usual.round_trips } else { round_trips },
        losses: if losses.is_empty() { usual.losses } else { losses },
        homes: usual.homes,
    })
}

fn home_of(file: &Path, entry: HomeEntry) -> Result<(f64, Home), MixFileError> {
    let HomeEntry { name, share, routers, ipv6 } = entry;
    let router = |router: &String| match Preset::named(router) {
        Some(preset) => Ok(preset.router()),
        None => Err(MixFileError::Router {
            file: file.to_owned(),
            home: name.clone(),
            router: router.clone(),
            known: Preset::ALL.iter().map(|preset| preset.name).collect::<Vec<_>>().join(", "),
        }),
    };
    let routers = routers.iter().map(router).collect::<Result<_, _>>()?;
    Ok((share, Home { name, routers, ipv6 }))
}

impl From<Reach> for TurnReach {
    fn from(reach: Reach) -> Self {
        match reach {
            Reach::Udp => Self::Udp,
            Reach::Tcp => Self::Tcp,
            Reach::Tls => Self::Tls,
        }
    }
}

fn half_a_minute() -> u64 {
    30
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        parse(Path::new("m.toml"), text).map_or_else(|error| error.to_string(), |mix| format!("{mix:?}"))
    }

    #[test]
    fn the_mix_in_the_repository_can_be_drawn_from_and_says_where_its_shares_come_from() {
        let text = include_str!("../../mixes/internet.toml");
        let mix = parse(Path::new("internet.toml"), text).unwrap();
        assert!(floe_sim::population::Population::new(mix.clone(), 1).is_ok());
        assert!(mix.homes.len() >= 6 && !mix.relay.is_empty());
        assert!(text.matches("Source:").count() >= 3, "each group of shares has its source");
    }

    #[test]
    fn what_is_not_given_is_usual() {
        let mix = parse(Path::new("m.toml"), "[[home]]\nname='open'\nshare=1\n").unwrap();
        assert_eq!(mix, Mix::of([(1.0, Home::public("open"))]));
    }

    #[test]
    fn errors_name_the_place() {
        let home = "[[home]]\nname='x'\nshare=1\n";
        assert!(told(&format!("{home}rooters=['easy']")).contains("unknown field `rooters`"));
        let unknown = told(&format!("{home}routers=['esay']"));
        assert!(unknown.contains("\"x\" has a router \"esay\"") && unknown.contains("easy"), "{unknown}");
        assert!(told("relay=['sctp']\n").contains("unknown variant `sctp`"));
        let lossy = |percent: &str| told(&format!("{home}[[loss]]\nshare=1\npercent={percent}"));
        assert_eq!(lossy("200"), "m.toml: a loss of 200 percent is not in 0 to 100");
        assert!(
            lossy("nan").contains("a loss of NaN percent")
                && lossy("-0.1").contains("a loss of -0.1 percent")
        );
        assert!(told("neighbours=0.5").contains("missing field `home`"));
    }
}
