//! `ice-options`: what an agent can do beyond RFC 8445's minimum (RFC 8839 §5.6).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use crate::candidate::Token;

use super::credentials::is_ice_char;
use super::{AttributeError, AttributeName};

/// How many options one list may have (RFC 8839 §5.6 sets no limit; a handful is registered).
pub const MAX_OPTIONS: usize = 32;

/// The longest option, in bytes (RFC 8839 §10.2 wants at most 20).
pub const MAX_OPTION_LENGTH: usize = 64;

/// The options of a session or of one of its streams, in their order, each once. Unknown ones are kept.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct IceOptions {
    tags: Vec<String>,
}

impl IceOptions {
    /// The agent keeps RFC 8445 and RFC 8839, not RFC 5245 (RFC 8445 §10).
    pub const ICE2: &'static str = "ice2";
    /// The agent takes candidates that come after the description (RFC 8838 §3).
    pub const TRICKLE: &'static str = "trickle";
    /// The agent lets the controlling side nominate more than once, as libwebrtc does.
    pub const RENOMINATION: &'static str = "renomination";

    /// None at all: such a list is not written.
    pub const fn new() -> Self {
        Self { tags: Vec::new() }
    }

    /// The same with this option, behind all others if it is not there yet.
    ///
    /// # Errors
    /// One that is not made of 1 to [`MAX_OPTION_LENGTH`] ice-chars, and one more than [`MAX_OPTIONS`].
    pub fn with(mut self, tag: &str) -> Result<Self, AttributeError> {
        self.add(tag)?;
        Ok(self)
    }

    /// Whether this option is there; letters count in their case.
    pub fn contains(&self, tag: &str) -> bool {
        self.tags.iter().any(|known| known == tag)
    }

    /// All options, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().map(String::as_str)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    pub(super) fn add(&mut self, tag: &str) -> Result<(), AttributeError> {
        if tag.is_empty() {
            return Err(AttributeError::Missing(AttributeName::Options));
        }
        if tag.len() > MAX_OPTION_LENGTH || !tag.bytes().all(is_ice_char) {
            return Err(AttributeError::Malformed(AttributeName::Options, Token::new(tag)));
        }
        if self.contains(tag) {
            return Ok(());
        }
        if self.tags.len() == MAX_OPTIONS {
            return Err(AttributeError::TooMany(AttributeName::Options));
        }
        self.tags.push(tag.into());
        Ok(())
    }
}

impl FromStr for IceOptions {
    type Err = AttributeError;

    /// Reads what stands behind `ice-options:`, one option at least.
    fn from_str(text: &str) -> Result<Self, AttributeError> {
        let mut options = Self::new();
        text.split(' ').try_for_each(|tag| options.add(tag))?;
        Ok(options)
    }
}

impl fmt::Display for IceOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, tag) in self.iter().enumerate() {
            write!(f, "{}{tag}", if number == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;

    #[test]
    fn known_and_unknown_options_are_kept_in_order_and_once() {
        let options: IceOptions = "ice2 rtp+ecn trickle ice2 renomination".parse().unwrap();
        assert_eq!(options.to_string(), "ice2 rtp+ecn trickle renomination");
        for tag in [IceOptions::ICE2, IceOptions::TRICKLE, IceOptions::RENOMINATION, "rtp+ecn"] {
            assert!(options.contains(tag), "{tag}");
        }
        assert!(!options.contains("Trickle"));
    }

    #[test]
    fn what_is_no_option_is_named() {
        let refuse = |text: &str| text.parse::<IceOptions>().unwrap_err();
        let missing = AttributeError::Missing(AttributeName::Options);
        assert_eq!(refuse(""), missing);
        assert_eq!(refuse("ice2  trickle"), missing);
        let malformed = |text| AttributeError::Malformed(AttributeName::Options, Token::new(text));
        assert_eq!(refuse("ice2 a-b"), malformed("a-b"));
        assert_eq!(IceOptions::new().with("a\r\na=b"), Err(malformed("a\r\na=b")));
    }

    #[test]
    fn one_option_too_many_and_one_too_long_are_refused() {
        let mut options = IceOptions::new();
        for number in 0..MAX_OPTIONS {
            options = options.with(&format!("x{number}")).unwrap();
        }
        assert!(options.clone().with("x0").is_ok(), "it is there already");
        assert_eq!(options.with("more"), Err(AttributeError::TooMany(AttributeName::Options)));
        assert!(IceOptions::new().with(&"x".repeat(MAX_OPTION_LENGTH)).is_ok());
        assert!(IceOptions::new().with(&"x".repeat(MAX_OPTION_LENGTH + 1)).is_err());
    }
}
