//! How servers go through `serde`: in the shapes that browsers use.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{IceServer, ServerUri};

impl Serialize for ServerUri {
    /// As the text that it is displayed as.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ServerUri {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Serialize for IceServer {
    /// As `RTCIceServer`: `urls`, always an array, and `username` and `credential` if there are any.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let credentials = self.credentials();
        let count = if credentials.is_some() { 3 } else { 1 };
        let mut members = serializer.serialize_struct("RTCIceServer", count)?;
        members.serialize_field("urls", self.urls())?;
        if let Some((username, credential)) = credentials {
            members.serialize_field("username", username)?;
            members.serialize_field("credential", credential)?;
        }
        members.end()
    }
}

impl<'de> Deserialize<'de> for IceServer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Server { urls, username, credential } = Server::deserialize(deserializer)?;
        let urls = match urls {
            Urls::One(text) => vec![text],
            Urls::Several(texts) => texts,
        };
        let urls: Vec<ServerUri> =
            urls.iter().map(|text| text.parse()).collect::<Result<_, _>>().map_err(de::Error::custom)?;
        let server = match (username, credential) {
            (Some(username), Some(credential)) => Self::with_credentials(urls, username, credential),
            // Half of them is of no use to STUN, and too little for TURN.
            _ => Self::new(urls),
        };
        server.map_err(de::Error::custom)
    }
}

/// W3C WebRTC's `RTCIceServer`.
#[derive(Deserialize)]
struct Server {
    urls: Urls,
    username: Option<String>,
    credential: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "urls is a string or an array of strings")]
enum Urls {
    One(String),
    Several(Vec<String>),
}
