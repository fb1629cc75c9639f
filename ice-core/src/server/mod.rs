//! Servers of STUN and TURN as applications are told of them: their URIs (RFC 7064, 7065), and the entries of browsers'
//! `iceServers` with a username and a credential.
//!
//! What is done with a server is for the rooms above; names are resolved outside of the engine.

mod ice_server;
#[cfg(feature = "serde")]
mod json;
#[cfg(test)]
mod tests;
mod uri;

pub use ice_server::{IceServer, IceServerError, MAX_USERNAME};
pub use uri::{DEFAULT_PORT, DEFAULT_TLS_PORT, ServerHost, ServerScheme, ServerUri, UriError, UriPart};
