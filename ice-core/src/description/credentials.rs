//! What each side must know of the other to prove its checks.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

/// A username fragment and its password (RFC 8445 §5.3, RFC 8839 §5.4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credentials {
    ufrag: Ufrag,
    password: Password,
}

impl Credentials {
    /// Checks the lengths and the alphabet of RFC 8839 §5.4: 4 to 256 ice-chars for the fragment, 22 to 256 for the
    /// password.
    ///
    /// # Errors
    /// Names the part that does not fit.
    pub fn new(ufrag: impl Into<String>, password: impl Into<String>) -> Result<Self, CredentialsError> {
        Ok(Self { ufrag: Ufrag::new(ufrag)?, password: Password::new(password)? })
    }

    /// Those whose halves came on two lines.
    pub const fn from_parts(ufrag: Ufrag, password: Password) -> Self {
        Self { ufrag, password }
    }

    /// Those that were drawn from our own alphabet at our own lengths.
    pub(crate) fn drawn(ufrag: String, password: String) -> Self {
        Self { ufrag: Ufrag(ufrag), password: Password(password) }
    }

    /// Its halves.
    pub fn into_parts(self) -> (Ufrag, Password) {
        (self.ufrag, self.password)
    }

    /// The username fragment.
    pub fn ufrag(&self) -> &str {
        self.ufrag.as_str()
    }

    /// The password.
    pub fn password(&self) -> &str {
        self.password.as_str()
    }
}

/// A username fragment: 4 to 256 ice-chars (RFC 8839 §5.4). Of our own, at most 32 may be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ufrag(String);

impl Ufrag {
    /// Checks the length and the alphabet.
    ///
    /// # Errors
    /// [`CredentialsError::UfragLength`] and [`CredentialsError::UfragCharacter`].
    pub fn new(text: impl Into<String>) -> Result<Self, CredentialsError> {
        let text = text.into();
        if !(4..=256).contains(&text.len()) {
            return Err(CredentialsError::UfragLength(text.len()));
        }
        if !text.bytes().all(is_ice_char) {
            return Err(CredentialsError::UfragCharacter);
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Ufrag {
    type Err = CredentialsError;

    fn from_str(text: &str) -> Result<Self, CredentialsError> {
        Self::new(text)
    }
}

/// A password: 22 to 256 characters (RFC 8839 §5.4).
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Checks the length and the alphabet.
    ///
    /// # Errors
    /// [`CredentialsError::PasswordLength`] and [`CredentialsError::PasswordCharacter`].
    pub fn new(text: impl Into<String>) -> Result<Self, CredentialsError> {
        let text = text.into();
        if !(22..=256).contains(&text.len()) {
            return Err(CredentialsError::PasswordLength(text.len()));
        }
        // Peers exist that send other characters in a password: it is only ever a key, so any printable one will do.
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(CredentialsError::PasswordCharacter);
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Password {
    type Err = CredentialsError;

    fn from_str(text: &str) -> Result<Self, CredentialsError> {
        Self::new(text)
    }
}

impl fmt::Debug for Password {
    /// Hides it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

/// What is wrong with a username fragment or a password.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CredentialsError {
    /// The username fragment has this many bytes; 4 to 256 are allowed.
    UfragLength(usize),
    /// The password has this many bytes; 22 to 256 are allowed.
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

/// RFC 8839 §5.1 `ice-char`.
pub(super) fn is_ice_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn the_password_is_not_shown_by_accident() {
        let credentials = Credentials::new("8hhY", "asd88fgpdd777uzjYhagZg").unwrap();
        let shown = format!("{credentials:?}");
        assert!(shown.contains("8hhY") && !shown.contains("asd88"), "{shown}");
    }
}
