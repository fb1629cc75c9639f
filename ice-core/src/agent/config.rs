//! What an agent is told when it is made, and what can be wrong with it.

use alloc::string::String;
use core::fmt;
use core::time::Duration;

use crate::check::{MAX_PAIRS, Nomination, Reach, Role};

/// How an agent behaves. The default is a controlling agent that connects fast.
///
/// ```
/// use floe_core::{AgentConfig, Role};
/// let config = AgentConfig { role: Role::Controlled, ..Default::default() };
/// ```
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// Which side nominates. By custom the offerer controls (RFC 8445 §6.1.1); a conflict is repaired.
    pub role: Role,
    /// When the controlling side nominates.
    pub nomination: Nomination,
    /// How many pairs are tried.
    pub reach: Reach,
    /// Ta, the distance between new checks: 5 ms to 10 s, 50 ms by default (RFC 8445 §14.2). Other values than the
    /// default must be agreed with the peer.
    pub ta: Duration,
    /// When the agent fails if it has no usable path, counted from its first `now`. `None`: when RFC 8863's
    /// patience (39.5 s from the peer's credentials) has passed and nothing is left to try.
    pub deadline: Option<Duration>,
    /// Our credentials; drawn from the seed if not given (4 and 24 characters of 6 bits each).
    pub credentials: Option<Credentials>,
    /// Decides who yields when both sides want the same role (RFC 8445 §5.2); drawn from the seed if not given.
    pub tie_breaker: Option<u64>,
}

impl Default for AgentConfig {
    fn default() -> Self {
        Self {
            role: Role::default(),
            nomination: Nomination::default(),
            reach: Reach::default(),
            ta: Duration::from_millis(50),
            deadline: None,
            credentials: None,
            tie_breaker: None,
        }
    }
}

impl AgentConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.ta < Duration::from_millis(5) || self.ta > Duration::from_secs(10) {
            return Err(ConfigError::Ta(self.ta));
        }
        match self.reach {
            Reach::Pairs(limit) if !(1..=MAX_PAIRS).contains(&limit) => Err(ConfigError::Reach(limit)),
            _ => Ok(()),
        }
    }
}

/// What is wrong with an [`AgentConfig`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// Ta is under 5 ms (RFC 8445 §14.2) or over 10 s.
    Ta(Duration),
    /// The limit on pairs is 0 or over [`MAX_PAIRS`].
    Reach(u16),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ta(ta) => write!(f, "Ta of {ta:?} is not in 5 ms to 10 s (RFC 8445 section 14.2)"),
            Self::Reach(limit) => write!(f, "a limit of {limit} pairs is not in 1 to {MAX_PAIRS}"),
        }
    }
}

impl core::error::Error for ConfigError {}

/// A username fragment and its password (RFC 8445 §5.3, RFC 8839 §5.4).
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    ufrag: String,
    password: String,
}

impl Credentials {
    /// Checks the lengths and the alphabet of RFC 8839 §5.4: 4 to 256 ice-chars for the fragment, 22 to 256 for the
    /// password.
    ///
    /// # Errors
    /// Names the part that does not fit.
    pub fn new(ufrag: impl Into<String>, password: impl Into<String>) -> Result<Self, CredentialsError> {
        let (ufrag, password) = (ufrag.into(), password.into());
        if !(4..=256).contains(&ufrag.len()) {
            return Err(CredentialsError::UfragLength(ufrag.len()));
        }
        if !(22..=256).contains(&password.len()) {
            return Err(CredentialsError::PasswordLength(password.len()));
        }
        if !ufrag.bytes().all(is_ice_char) {
            return Err(CredentialsError::UfragCharacter);
        }
        // Peers exist that send other characters in a password: it is only ever a key, so any printable one will do.
        if !password.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(CredentialsError::PasswordCharacter);
        }
        Ok(Self { ufrag, password })
    }

    /// Those that were drawn from our own alphabet at our own lengths.
    pub(super) fn drawn(ufrag: String, password: String) -> Self {
        Self { ufrag, password }
    }

    /// The username fragment.
    pub fn ufrag(&self) -> &str {
        &self.ufrag
    }

    /// The password.
    pub fn password(&self) -> &str {
        &self.password
    }
}

impl fmt::Debug for Credentials {
    /// Hides the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("ufrag", &self.ufrag).finish_non_exhaustive()
    }
}

/// What is wrong with a username fragment or a password.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CredentialsError {
    /// The username fragment has this many characters; 4 to 256 are allowed.
    UfragLength(usize),
    /// The password has this many characters; 22 to 256 are allowed.
    PasswordLength(usize),
    /// The username fragment has a character that is not an ice-char.
    UfragCharacter,
    /// The password has a character that is not printable ASCII.
    PasswordCharacter,
}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UfragLength(n) => write!(f, "ice-ufrag has {n} characters, not 4 to 256"),
            Self::PasswordLength(n) => write!(f, "ice-pwd has {n} characters, not 22 to 256"),
            Self::UfragCharacter => {
                f.write_str("ice-ufrag has a character outside of letters, digits, + and /")
            }
            Self::PasswordCharacter => f.write_str("ice-pwd has a character that is not printable ASCII"),
        }?;
        f.write_str(" (RFC 8839 section 5.4)")
    }
}

impl core::error::Error for CredentialsError {}

fn is_ice_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'
}
