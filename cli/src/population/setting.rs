//! A setting of the engine, as the command line has it: `nomination=regular,ta=20ms,reach=wide`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use floe_core::{AgentConfig, Nomination, Reach};
use floe_sim::population::Setting;

/// A setting with the words that made it.
#[derive(Clone, Debug, Default)]
pub(crate) struct NamedSetting {
    pub(crate) setting: Setting,
    words: String,
}

/// What cannot be made a setting.
#[derive(thiserror::Error, PartialEq, Debug)]
pub(crate) enum SettingError {
    #[error("{0:?} is not of the form name=value")]
    Form(String),
    #[error("{0:?} is not known; there are nomination, ta and reach")]
    Name(String),
    #[error("nomination is fast, regular or renominate, not {0:?}")]
    Nomination(String),
    #[error("ta is a time from 5ms to 10s, not {0:?}")]
    Ta(String),
    #[error("reach is \"wide\" or a number of pairs from 1 to {max}, not {0:?}", max = floe_core::MAX_PAIRS)]
    Reach(String),
}

impl FromStr for NamedSetting {
    type Err = SettingError;

    fn from_str(words: &str) -> Result<Self, SettingError> {
        let mut config = AgentConfig::default();
        for word in words.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let (name, value) = word.split_once('=').ok_or_else(|| SettingError::Form(word.to_owned()))?;
            match name {
                "nomination" => config.nomination = nomination(value)?,
                "ta" => config.ta = ta(value)?,
                "reach" => config.reach = reach(value)?,
                _ => return Err(SettingError::Name(name.to_owned())),
            }
        }
        Ok(Self { setting: Setting { config }, words: words.trim().to_owned() })
    }
}

impl fmt::Display for NamedSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.words.is_empty() { "default" } else { &self.words })
    }
}

fn nomination(value: &str) -> Result<Nomination, SettingError> {
    match value {
        "fast" => Ok(Nomination::Fast),
        "regular" => Ok(Nomination::Regular),
        "renominate" => Ok(Nomination::Renominate),
        _ => Err(SettingError::Nomination(value.to_owned())),
    }
}

fn ta(value: &str) -> Result<Duration, SettingError> {
    let number = |digits: &str| digits.parse::<u64>().ok();
    let millis = match value.strip_suffix("ms") {
        Some(digits) => number(digits),
        None => value.strip_suffix('s').and_then(number).and_then(|seconds| seconds.checked_mul(1000)),
    };
    let ta = millis.filter(|millis| (5..=10_000).contains(millis)).map(Duration::from_millis);
    ta.ok_or_else(|| SettingError::Ta(value.to_owned()))
}

fn reach(value: &str) -> Result<Reach, SettingError> {
    if value == "wide" {
        return Ok(Reach::Wide);
    }
    let pairs = value.parse().ok().filter(|pairs| (1..=floe_core::MAX_PAIRS).contains(pairs));
    pairs.map(Reach::Pairs).ok_or_else(|| SettingError::Reach(value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_make_a_setting_and_are_its_name() {
        let setting: NamedSetting = "nomination=regular, ta=20ms,reach=wide".parse().unwrap();
        let config = &setting.setting.config;
        assert_eq!(config.nomination, Nomination::Regular);
        assert_eq!((config.ta, config.reach), (Duration::from_millis(20), Reach::Wide));
        assert_eq!(setting.to_string(), "nomination=regular, ta=20ms,reach=wide");
        assert_eq!("".parse::<NamedSetting>().unwrap().to_string(), "default");
        assert_eq!("ta=1s".parse::<NamedSetting>().unwrap().setting.config.ta, Duration::from_secs(1));
        assert_eq!("reach=7".parse::<NamedSetting>().unwrap().setting.config.reach, Reach::Pairs(7));
    }

    #[test]
    fn other_words_are_told() {
        let error = |words: &str| words.parse::<NamedSetting>().unwrap_err().to_string();
        assert_eq!(error("fast"), "\"fast\" is not of the form name=value");
        assert_eq!(error("rto=1s"), "\"rto\" is not known; there are nomination, ta and reach");
        assert!(error("ta=4ms").contains("5ms to 10s") && error("ta=99999999999999999999s").contains("5ms"));
        assert!(error("reach=0").contains("from 1 to"));
        assert!(error("nomination=aggressive").contains("fast, regular or renominate"));
    }
}
