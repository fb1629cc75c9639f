//! What each side must know of the other to prove its checks.

use alloc::string::String;
use core::fmt;

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
    pub(crate) fn drawn(ufrag: String, password: String) -> Self {
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
