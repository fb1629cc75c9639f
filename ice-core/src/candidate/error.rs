//! Why a candidate line was refused: which field, and what stood there.

use core::fmt;

/// A candidate line that cannot be used.
///
/// Lines of an unknown transport or type are well-formed and come from a peer that can do more than
/// we can: they are to be skipped without complaint ([`CandidateError::is_unknown`]). All others break
/// the grammar of RFC 8839 §5.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CandidateError {
    /// The line does not begin with `candidate:` or `a=candidate:`.
    NotACandidate,
    /// The line, or an extension's share of it, is longer than we accept.
    TooLong,
    /// More than [`MAX_EXTENSIONS`](super::MAX_EXTENSIONS) name/value pairs.
    TooManyExtensions,
    /// The line ends, or has two spaces in a row, where this field should stand.
    Missing(Field),
    /// What stands in this field is not what the grammar allows there.
    Malformed(Field, Token),
    /// A well-formed line for a transport other than UDP and TCP.
    UnknownTransport(Token),
    /// A well-formed line of a type that RFC 8839 does not name.
    UnknownType(Token),
}

impl CandidateError {
    /// Whether the line is well-formed and only unknown to us, hence to be ignored (RFC 8839 §5.1).
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::UnknownTransport(_) | Self::UnknownType(_))
    }
}

impl fmt::Display for CandidateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotACandidate => f.write_str("not a candidate attribute"),
            Self::TooLong => f.write_str("candidate line too long"),
            Self::TooManyExtensions => f.write_str("too many candidate extensions"),
            Self::Missing(field) => write!(f, "candidate has no {field}"),
            Self::Malformed(field, token) => write!(f, "candidate has a bad {field}: {token:?}"),
            Self::UnknownTransport(token) => write!(f, "unknown candidate transport {token:?}"),
            Self::UnknownType(token) => write!(f, "unknown candidate type {token:?}"),
        }
    }
}

impl core::error::Error for CandidateError {}

/// A field of the candidate line, named as in RFC 8839 §5.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Field {
    /// `foundation`: 1 to 32 letters, digits, `+` or `/`.
    Foundation,
    /// `component-id`: 1 to 256.
    Component,
    /// `transport`: a token.
    Transport,
    /// `priority`: 1 to 10 digits, not zero.
    Priority,
    /// `connection-address`: an IPv4 or IPv6 address or a domain name.
    Address,
    /// `port`: 0 to 65535.
    Port,
    /// `cand-type`: the word `typ` and a token.
    Type,
    /// `rel-addr`: the address after `raddr`.
    RelatedAddress,
    /// `rel-port`: the port after `rport`.
    RelatedPort,
    /// `extension-att-name`: a token.
    ExtensionName,
    /// `extension-att-value`: visible ASCII characters, perhaps none.
    ExtensionValue,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foundation => "foundation",
            Self::Component => "component id",
            Self::Transport => "transport",
            Self::Priority => "priority",
            Self::Address => "address",
            Self::Port => "port",
            Self::Type => "type",
            Self::RelatedAddress => "related address",
            Self::RelatedPort => "related port",
            Self::ExtensionName => "extension name",
            Self::ExtensionValue => "extension value",
        })
    }
}

/// The beginning of what stood in a field: at most 32 bytes of it, so that an error stays small
/// whatever a peer sends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Token {
    length: u8,
    bytes: [u8; Self::CAPACITY],
}

impl Token {
    const CAPACITY: usize = 32;

    pub(crate) fn new(text: &str) -> Self {
        let cut = text.char_indices().map(|(start, c)| start + c.len_utf8());
        let length = cut.take_while(|end| *end <= Self::CAPACITY).last().unwrap_or(0);
        let mut bytes = [0; Self::CAPACITY];
        for (slot, byte) in bytes.iter_mut().zip(text.bytes().take(length)) {
            *slot = byte;
        }
        Self { length: length as u8, bytes }
    }

    /// The text, cut off after 32 bytes.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;

    #[test]
    fn a_token_is_cut_between_characters() {
        assert_eq!(Token::new("udp").as_str(), "udp");
        assert_eq!(Token::new(&"x".repeat(40)).as_str(), "x".repeat(32));
        let wide = format!("{}é", "x".repeat(31));
        assert_eq!(Token::new(&wide).as_str(), "x".repeat(31));
    }

    #[test]
    fn an_error_names_the_field_and_shows_the_token() {
        let error = CandidateError::Malformed(Field::Port, Token::new("70000"));
        assert_eq!(error.to_string(), "candidate has a bad port: \"70000\"");
        // A line break from the peer cannot forge a second line in a log.
        let error = CandidateError::UnknownType(Token::new("a\nb"));
        assert_eq!(error.to_string(), "unknown candidate type \"a\\nb\"");
        let error = CandidateError::UnknownTransport(Token::new("DCCP"));
        assert_eq!(error.to_string(), "unknown candidate transport \"DCCP\"");
    }
}
