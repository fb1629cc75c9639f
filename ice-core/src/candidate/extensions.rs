//! What stands behind the fields that RFC 8839 names: name/value pairs, known and unknown.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use super::{CandidateError, Field, Token};

/// How many name/value pairs a candidate may have (RFC 8839 §5.1 sets no limit; browsers send five).
pub const MAX_EXTENSIONS: usize = 16;

/// The longest text that the `with` methods make, in bytes. The other fields take 603 at most, so
/// that whatever is built fits in [`MAX_LINE`](super::MAX_LINE).
const MAX_BUILT_LENGTH: usize = 420;

/// The extensions of a candidate, in their order (RFC 8839 §5.1 `cand-extension`).
///
/// Unknown ones are kept, so that a line is passed on as it came. Of two with the same name
/// the first counts. Names are compared without case.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct Extensions {
    // As in the line: `name value name value`. A value may be empty and holds no space, and so
    // splitting at each space gives names and values in turn.
    text: String,
}

impl Extensions {
    /// None at all.
    pub const fn new() -> Self {
        Self { text: String::new() }
    }

    /// All pairs of name and value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut words = self.text.split(' ');
        core::iter::from_fn(move || Some((words.next()?, words.next()?)))
    }

    /// The value of the first extension of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Who opens the connection of a TCP candidate: `tcptype` (RFC 6544 §4.5).
    pub fn tcp_type(&self) -> Option<TcpType> {
        TcpType::from_sdp(self.get("tcptype")?)
    }

    /// The username fragment of the ICE generation that the candidate belongs to: `ufrag` (RFC 8840 §4.1).
    pub fn ufrag(&self) -> Option<&str> {
        self.get("ufrag")
    }

    /// libwebrtc's count of restarts: `generation`.
    pub fn generation(&self) -> Option<u32> {
        self.number("generation")
    }

    /// libwebrtc's number for the network interface: `network-id`.
    pub fn network_id(&self) -> Option<u16> {
        self.number("network-id")
    }

    /// libwebrtc's cost of the network interface, 0 (wired) to 999: `network-cost`.
    pub fn network_cost(&self) -> Option<u16> {
        self.number("network-cost")
    }

    /// The same with this extension: in place of the first of this name, or else behind all others.
    ///
    /// # Errors
    ///
    /// A name that is not a token or is `raddr` or `rport` (these are [`Candidate::related`](super::Candidate)),
    /// a value other than visible ASCII, more than [`MAX_EXTENSIONS`], or more than 420 bytes in all.
    pub fn with(self, name: &str, value: &str) -> Result<Self, CandidateError> {
        if is_related(name) {
            return Err(CandidateError::Malformed(Field::ExtensionName, Token::new(name)));
        }
        let mut with = Self::new();
        let mut pending = Some((name, value));
        for (known, old) in self.iter() {
            match pending.take_if(|(name, _)| known.eq_ignore_ascii_case(name)) {
                Some((name, value)) => with.push(name, value)?,
                None => with.push(known, old)?,
            }
        }
        if let Some((name, value)) = pending {
            with.push(name, value)?;
        }
        if with.text.len() > MAX_BUILT_LENGTH { Err(CandidateError::TooLong) } else { Ok(with) }
    }

    /// The same with `tcptype` (RFC 6544 §4.5). Errors as for [`Extensions::with`].
    pub fn with_tcp_type(self, tcp_type: TcpType) -> Result<Self, CandidateError> {
        self.with("tcptype", tcp_type.sdp_name())
    }

    /// The same with `ufrag` (RFC 8840 §4.1). Errors as for [`Extensions::with`].
    pub fn with_ufrag(self, ufrag: &str) -> Result<Self, CandidateError> {
        self.with("ufrag", ufrag)
    }

    /// The same with `generation`. Errors as for [`Extensions::with`].
    pub fn with_generation(self, generation: u32) -> Result<Self, CandidateError> {
        self.with("generation", &generation.to_string())
    }

    /// The same with `network-id`. Errors as for [`Extensions::with`].
    pub fn with_network_id(self, id: u16) -> Result<Self, CandidateError> {
        self.with("network-id", &id.to_string())
    }

    /// The same with `network-cost`. Errors as for [`Extensions::with`].
    pub fn with_network_cost(self, cost: u16) -> Result<Self, CandidateError> {
        self.with("network-cost", &cost.to_string())
    }

    /// Puts a pair behind all others.
    pub(super) fn push(&mut self, name: &str, value: &str) -> Result<(), CandidateError> {
        if name.is_empty() {
            return Err(CandidateError::Missing(Field::ExtensionName));
        }
        if !is_token(name) {
            return Err(CandidateError::Malformed(Field::ExtensionName, Token::new(name)));
        }
        if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(CandidateError::Malformed(Field::ExtensionValue, Token::new(value)));
        }
        if self.iter().count() == MAX_EXTENSIONS {
            return Err(CandidateError::TooManyExtensions);
        }
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(&format!("{name} {value}"));
        Ok(())
    }

    fn number<T: core::str::FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.parse().ok()
    }
}

impl fmt::Display for Extensions {
    /// `name value name value`, as in the line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Who opens the connection of a TCP candidate (RFC 6544 §4.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TcpType {
    /// This side opens it; the port is 9.
    Active,
    /// This side waits for it.
    Passive,
    /// Both sides open it at the same time.
    SimultaneousOpen,
}

impl TcpType {
    /// The word for it in SDP: `active`, `passive` or `so`.
    pub const fn sdp_name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::SimultaneousOpen => "so",
        }
    }

    fn from_sdp(name: &str) -> Option<Self> {
        [Self::Active, Self::Passive, Self::SimultaneousOpen]
            .into_iter()
            .find(|tcp_type| tcp_type.sdp_name().eq_ignore_ascii_case(name))
    }
}

/// Whether these words are not for an extension but for the related address.
fn is_related(name: &str) -> bool {
    name.eq_ignore_ascii_case("raddr") || name.eq_ignore_ascii_case("rport")
}

/// RFC 3261 §25.1 `token`, by way of RFC 8839 §5.1.
pub(super) fn is_token(text: &str) -> bool {
    let is_token_char = |byte: u8| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token_char)
}

#[cfg(test)]
mod tests {
    use super::*;
    use CandidateError::{Malformed, Missing, TooLong, TooManyExtensions};

    #[test]
    fn setters_append_or_replace_in_place() {
        let extensions = Extensions::new()
            .with_tcp_type(TcpType::SimultaneousOpen)
            .and_then(|it| it.with_generation(0))
            .and_then(|it| it.with_ufrag("EEtu"))
            .and_then(|it| it.with_network_id(3))
            .and_then(|it| it.with_network_cost(10))
            .and_then(|it| it.with("x-empty", ""))
            .and_then(|it| it.with_generation(7))
            .unwrap();
        let text = "tcptype so generation 7 ufrag EEtu network-id 3 network-cost 10 x-empty ";
        assert_eq!(extensions.to_string(), text);
        assert_eq!(extensions.tcp_type(), Some(TcpType::SimultaneousOpen));
        assert_eq!(extensions.ufrag(), Some("EEtu"));
        assert_eq!(extensions.generation(), Some(7));
        assert_eq!(extensions.network_id(), Some(3));
        assert_eq!(extensions.network_cost(), Some(10));
        assert_eq!(extensions.get("X-Empty"), Some(""));
        assert_eq!(extensions.get("absent"), None);
    }

    #[test]
    fn a_value_of_the_wrong_form_is_kept_but_not_understood() {
        let extensions = Extensions::new().with("generation", "new").and_then(|it| it.with("tcptype", "odd"));
        let extensions = extensions.unwrap();
        assert_eq!((extensions.generation(), extensions.tcp_type()), (None, None));
        assert_eq!(extensions.to_string(), "generation new tcptype odd");
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let with = |name, value| Extensions::new().with(name, value).unwrap_err();
        assert_eq!(with("", "x"), Missing(Field::ExtensionName));
        assert_eq!(with("a b", "x"), Malformed(Field::ExtensionName, Token::new("a b")));
        assert_eq!(with("RADDR", "x"), Malformed(Field::ExtensionName, Token::new("RADDR")));
        assert_eq!(with("rport", "1"), Malformed(Field::ExtensionName, Token::new("rport")));
        assert_eq!(with("a", "x\r\ny"), Malformed(Field::ExtensionValue, Token::new("x\r\ny")));
        assert_eq!(with("a", &"x".repeat(419)), TooLong);
        assert!(Extensions::new().with("a", &"x".repeat(418)).is_ok());
    }

    #[test]
    fn the_seventeenth_extension_is_refused() {
        let mut extensions = Extensions::new();
        for number in 0..MAX_EXTENSIONS {
            extensions = extensions.with(&format!("x{number}"), "y").unwrap();
        }
        assert_eq!(extensions.clone().with("more", "y"), Err(TooManyExtensions));
        assert!(extensions.with("x15", "z").is_ok());
    }
}
