//! How descriptions go through `serde`: in the shapes that browsers use.

use alloc::string::String;
use core::fmt::Display;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Credentials, SessionDescription, TrickleFragment};

/// W3C WebRTC's `RTCIceParameters`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters<S> {
    username_fragment: S,
    password: S,
}

impl Serialize for Credentials {
    /// As `RTCIceParameters`: `usernameFragment` and `password`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Parameters { username_fragment: self.ufrag(), password: self.password() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Credentials {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Parameters::<String> { username_fragment, password } = Parameters::deserialize(deserializer)?;
        Self::new(username_fragment, password).map_err(de::Error::custom)
    }
}

impl Serialize for SessionDescription {
    /// As the text that it is displayed as.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SessionDescription {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer)
    }
}

impl Serialize for TrickleFragment {
    /// As the text that it is displayed as.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TrickleFragment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer)
    }
}

fn parsed<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

/// Applications pass on the event that ends a browser's gathering as it is, and its candidate is `null`.
pub(super) fn null_as_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
