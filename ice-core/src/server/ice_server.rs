//! One entry of `iceServers`: W3C WebRTC's `RTCIceServer`.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::candidate::Token;

use super::ServerUri;

/// The longest username, in bytes (RFC 8489 §14.3).
pub const MAX_USERNAME: usize = 508;

/// A server, by one URI or several, and the long-term credentials for it.
///
/// With the feature `serde` it is read from and written as the JSON of browsers: `urls` (a string or an array of them),
/// `username` and `credential`; other members are ignored. A whole `iceServers` is a `Vec` of these.
///
/// ```
/// use floe_core::server::{IceServer, IceServerError};
///
/// let urls = vec!["turn:turn.example.org".parse()?, "turns:turn.example.org".parse()?];
/// let server = IceServer::with_credentials(urls.clone(), "user", "secret")?;
/// assert_eq!(server.credentials(), Some(("user", "secret")));
/// assert!(matches!(IceServer::new(urls), Err(IceServerError::NoCredentials(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IceServer {
    urls: Vec<ServerUri>,
    credentials: Option<(String, String)>,
}

impl IceServer {
    /// A server that wants no credentials.
    ///
    /// # Errors
    /// There is no URI, or one of a TURN server, which has to know who asks (RFC 8656 §5).
    pub fn new(urls: Vec<ServerUri>) -> Result<Self, IceServerError> {
        match urls.iter().find(|uri| uri.scheme().is_turn()) {
            Some(uri) => Err(IceServerError::NoCredentials(Token::new(&uri.to_string()))),
            None => Self::checked(urls, None),
        }
    }

    /// A server that wants to know who asks. Username and credential go to it as they are: what is not ASCII has to be
    /// prepared (RFC 8489 §9.2.2).
    ///
    /// # Errors
    /// There is no URI, or the username is empty or too long.
    pub fn with_credentials(
        urls: Vec<ServerUri>,
        username: impl Into<String>,
        credential: impl Into<String>,
    ) -> Result<Self, IceServerError> {
        let (username, credential) = (username.into(), credential.into());
        if !(1..=MAX_USERNAME).contains(&username.len()) {
            return Err(IceServerError::UsernameLength(username.len()));
        }
        Self::checked(urls, Some((username, credential)))
    }

    fn checked(urls: Vec<ServerUri>, credentials: Option<(String, String)>) -> Result<Self, IceServerError> {
        if urls.is_empty() { Err(IceServerError::NoUrls) } else { Ok(Self { urls, credentials }) }
    }

    /// At least one.
    pub fn urls(&self) -> &[ServerUri] {
        &self.urls
    }

    /// Username and credential: the password of the long-term mechanism (RFC 8489 §9.2).
    pub fn credentials(&self) -> Option<(&str, &str)> {
        self.credentials.as_ref().map(|(username, credential)| (username.as_str(), credential.as_str()))
    }
}

impl fmt::Debug for IceServer {
    /// Without the credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let username = self.credentials().map(|(username, _)| username);
        f.debug_struct("IceServer")
            .field("urls", &self.urls)
            .field("username", &username)
            .finish_non_exhaustive()
    }
}

/// What is wrong with an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum IceServerError {
    /// No URI.
    NoUrls,
    /// This server wants a username and a credential, and one of them is missing.
    NoCredentials(Token),
    /// The username has this many bytes; 1 to [`MAX_USERNAME`] are allowed.
    UsernameLength(usize),
}

impl fmt::Display for IceServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUrls => f.write_str("an ICE server has no URL"),
            Self::NoCredentials(uri) => write!(f, "{uri:?} needs a username and a credential"),
            Self::UsernameLength(length) => {
                write!(f, "the username has {length} bytes, not 1 to {MAX_USERNAME}")
            }
        }
    }
}

impl core::error::Error for IceServerError {}
