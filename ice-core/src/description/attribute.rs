//! One line of SDP that is ICE's (RFC 8839 §5, RFC 8840 §8), as a value.

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use crate::candidate::{Address, Candidate, Host, Token, remote_candidate};

use super::{AttributeError, IceOptions, Password, Ufrag};

/// How many components one data stream may have (RFC 8839 §5.1: `component-id` is 1 to 256), and so how many remote
/// candidates it can be told.
pub const MAX_COMPONENTS: usize = 256;

/// A line of ICE.
///
/// It is parsed with or without `a=` in front and a line end behind, names without case (RFC 8840 §9.2), and displayed
/// without either. A line of the grammar whose words stand in their canonical form comes back as it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IceAttribute {
    /// `ice-ufrag` (RFC 8839 §5.4).
    Ufrag(Ufrag),
    /// `ice-pwd` (RFC 8839 §5.4).
    Password(Password),
    /// `ice-options`, one at least (RFC 8839 §5.6).
    Options(IceOptions),
    /// `ice-lite` (RFC 8839 §5.3).
    Lite,
    /// `ice-pacing`: the Ta that the sender wishes for, in milliseconds (RFC 8839 §5.5). The grammar has room for more
    /// than fits here: anything above seven weeks is read as the largest.
    Pacing(u32),
    /// `ice-mismatch` (RFC 8839 §5.3).
    Mismatch,
    /// `candidate` (RFC 8839 §5.1).
    Candidate(Candidate),
    /// `remote-candidates`, one at least (RFC 8839 §5.2).
    RemoteCandidates(Vec<RemoteCandidate>),
    /// `end-of-candidates` (RFC 8840 §8).
    EndOfCandidates,
}

impl IceAttribute {
    /// Reads a line of any text: `None` if it is not ICE's, or is a candidate of a transport or type that this engine
    /// does not know, which is to be ignored (RFC 8839 §5.1).
    ///
    /// # Errors
    /// A line that bears ICE's name and breaks its grammar.
    pub fn read(line: &str) -> Result<Option<Self>, AttributeError> {
        match line.parse() {
            Ok(attribute) => Ok(Some(attribute)),
            Err(AttributeError::NotIce) => Ok(None),
            Err(AttributeError::Candidate(error)) if error.is_unknown() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Which attribute it is.
    pub const fn name(&self) -> AttributeName {
        match self {
            Self::Ufrag(_) => AttributeName::Ufrag,
            Self::Password(_) => AttributeName::Password,
            Self::Options(_) => AttributeName::Options,
            Self::Lite => AttributeName::Lite,
            Self::Pacing(_) => AttributeName::Pacing,
            Self::Mismatch => AttributeName::Mismatch,
            Self::Candidate(_) => AttributeName::Candidate,
            Self::RemoteCandidates(_) => AttributeName::RemoteCandidates,
            Self::EndOfCandidates => AttributeName::EndOfCandidates,
        }
    }
}

impl FromStr for IceAttribute {
    type Err = AttributeError;

    fn from_str(line: &str) -> Result<Self, AttributeError> {
        let line = line.trim_end_matches(['\r', '\n']);
        let line = line.strip_prefix("a=").unwrap_or(line);
        // The last value of a candidate may be empty, so that a space at its end may mean something.
        let trimmed = line.trim_end_matches(' ');
        let (name, value) = trimmed.split_once(':').map_or((trimmed, None), |(n, value)| (n, Some(value)));
        let name = AttributeName::from_sdp(name).ok_or(AttributeError::NotIce)?;
        if let (true, Some(value)) = (name.is_flag(), value) {
            return Err(AttributeError::Unexpected(name, Token::new(value)));
        }
        let value = value.unwrap_or_default();
        if value.is_empty() && !name.is_flag() {
            return Err(AttributeError::Missing(name));
        }
        Ok(match name {
            AttributeName::Ufrag => Self::Ufrag(value.parse()?),
            AttributeName::Password => Self::Password(value.parse()?),
            AttributeName::Options => Self::Options(value.parse()?),
            AttributeName::Lite => Self::Lite,
            AttributeName::Pacing => Self::Pacing(pacing(value)?),
            AttributeName::Mismatch => Self::Mismatch,
            AttributeName::Candidate => Self::Candidate(line.parse().map_err(AttributeError::Candidate)?),
            AttributeName::RemoteCandidates => Self::RemoteCandidates(remote_candidates(value)?),
            AttributeName::EndOfCandidates => Self::EndOfCandidates,
        })
    }
}

impl fmt::Display for IceAttribute {
    /// Without `a=` and without a line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Self::Ufrag(ufrag) => write!(f, "{name}:{}", ufrag.as_str()),
            Self::Password(password) => write!(f, "{name}:{}", password.as_str()),
            Self::Options(options) => write!(f, "{name}:{options}"),
            Self::Pacing(millis) => write!(f, "{name}:{millis}"),
            Self::Candidate(candidate) => write!(f, "{candidate}"),
            Self::RemoteCandidates(all) => {
                write!(f, "{name}")?;
                let mut separator = ':';
                for remote in all {
                    write!(f, "{separator}{remote}")?;
                    separator = ' ';
                }
                Ok(())
            }
            Self::Lite | Self::Mismatch | Self::EndOfCandidates => write!(f, "{name}"),
        }
    }
}

/// One of the peer's candidates, told back to it (RFC 8839 §5.2): the controlling side has selected it for this
/// component.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemoteCandidate {
    /// The component of the data stream, 1 to 256.
    pub component: u16,
    /// The candidate's transport address.
    pub address: Address,
}

impl fmt::Display for RemoteCandidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.component, Host(&self.address), self.address.port())
    }
}

/// The names of ICE's attributes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttributeName {
    /// `ice-ufrag`
    Ufrag,
    /// `ice-pwd`
    Password,
    /// `ice-options`
    Options,
    /// `ice-lite`
    Lite,
    /// `ice-pacing`
    Pacing,
    /// `ice-mismatch`
    Mismatch,
    /// `candidate`
    Candidate,
    /// `remote-candidates`
    RemoteCandidates,
    /// `end-of-candidates`
    EndOfCandidates,
}

impl AttributeName {
    const ALL: [Self; 9] = [
        Self::Ufrag,
        Self::Password,
        Self::Options,
        Self::Lite,
        Self::Pacing,
        Self::Mismatch,
        Self::Candidate,
        Self::RemoteCandidates,
        Self::EndOfCandidates,
    ];

    /// As it stands in SDP.
    pub const fn sdp_name(self) -> &'static str {
        match self {
            Self::Ufrag => "ice-ufrag",
            Self::Password => "ice-pwd",
            Self::Options => "ice-options",
            Self::Lite => "ice-lite",
            Self::Pacing => "ice-pacing",
            Self::Mismatch => "ice-mismatch",
            Self::Candidate => "candidate",
            Self::RemoteCandidates => "remote-candidates",
            Self::EndOfCandidates => "end-of-candidates",
        }
    }

    fn from_sdp(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.sdp_name().eq_ignore_ascii_case(name))
    }

    /// Whether it has no value.
    const fn is_flag(self) -> bool {
        matches!(self, Self::Lite | Self::Mismatch | Self::EndOfCandidates)
    }
}

impl fmt::Display for AttributeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.sdp_name())
    }
}

/// RFC 8839 §5.5 `pacing-value`: 1 to 10 digits.
fn pacing(value: &str) -> Result<u32, AttributeError> {
    let is_number = value.len() <= 10 && value.bytes().all(|byte| byte.is_ascii_digit());
    // What ten digits say beyond 32 bits is no shorter a wait than the largest.
    let millis = is_number.then(|| value.parse::<u64>().ok()).flatten();
    millis
        .map(|millis| u32::try_from(millis).unwrap_or(u32::MAX))
        .ok_or_else(|| AttributeError::Malformed(AttributeName::Pacing, Token::new(value)))
}

fn remote_candidates(value: &str) -> Result<Vec<RemoteCandidate>, AttributeError> {
    let mut words = value.split(' ');
    let mut all = Vec::new();
    while words.clone().next().is_some() {
        if all.len() == MAX_COMPONENTS {
            return Err(AttributeError::TooMany(AttributeName::RemoteCandidates));
        }
        let (component, address) = remote_candidate(&mut words).map_err(AttributeError::RemoteCandidates)?;
        all.push(RemoteCandidate { component, address });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candidate::{CandidateError, Field};
    use crate::description::CredentialsError;
    use alloc::format;
    use alloc::string::ToString;

    /// RFC 8839 §5 and RFC 8840 §8.1, by their examples.
    const LINES: &[&str] = &[
        "candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998",
        "candidate:1 1 UDP 1 10.0.0.1 1 typ host x-empty ",
        "remote-candidates:1 192.0.2.3 45664",
        "remote-candidates:1 192.0.2.3 45664 2 2001:db8::1 45665 256 host.example 0",
        "ice-lite",
        "ice-mismatch",
        "ice-pwd:asd88fgpdd777uzjYhagZg",
        "ice-ufrag:8hhY",
        "ice-pacing:50",
        "ice-pacing:0",
        "ice-pacing:4294967295",
        "ice-options:ice2 rtp+ecn",
        "end-of-candidates",
    ];

    #[test]
    fn every_line_comes_back_as_it_was_with_and_without_its_frame() {
        for line in LINES {
            let attribute: IceAttribute = line.parse().unwrap();
            assert_eq!(attribute.to_string(), *line);
            for framed in [format!("a={line}"), format!("a={line}\r\n"), format!("{line}\n")] {
                assert_eq!(framed.parse(), Ok(attribute.clone()), "{framed:?}");
            }
        }
    }

    #[test]
    fn names_are_read_without_case() {
        for line in LINES {
            let at = line.find(':').unwrap_or(line.len());
            let loud = format!("a={}{}", line[..at].to_uppercase(), &line[at..]);
            assert_eq!(loud.parse::<IceAttribute>().map(|read| read.to_string()).as_deref(), Ok(*line));
        }
    }

    #[test]
    fn lines_of_others_are_skipped() {
        let others = [
            "",
            "a=",
            "v=0",
            "m=audio 9 RTP/AVP 0",
            "a=mid:0",
            "a=ice-ufragX:abcd",
            "i=ice-lite",
            "a=rtcp-mux",
        ];
        for line in others {
            assert_eq!(line.parse::<IceAttribute>(), Err(AttributeError::NotIce), "{line:?}");
            assert_eq!(IceAttribute::read(line), Ok(None), "{line:?}");
        }
        // So are candidates of a kind that comes after us (RFC 8839 §5.1), but not broken ones.
        assert_eq!(IceAttribute::read("a=candidate:1 1 SCTP 1 10.0.0.1 1 typ host"), Ok(None));
        assert!(IceAttribute::read("a=candidate:1 1 SCTP 1 10.0.0.1 1 typ").is_err());
    }

    #[test]
    fn what_breaks_the_grammar_is_named() {
        use AttributeError::{Malformed, Missing, RemoteCandidates, TooMany, Unexpected};
        let refuse = |line: &str| line.parse::<IceAttribute>().unwrap_err();
        assert_eq!(refuse("a=ice-lite:yes"), Unexpected(AttributeName::Lite, Token::new("yes")));
        assert_eq!(refuse("a=ice-pwd"), Missing(AttributeName::Password));
        assert_eq!(refuse("a=ice-options: "), Missing(AttributeName::Options));
        assert_eq!(refuse("a=ice-ufrag:abc"), AttributeError::Credentials(CredentialsError::UfragLength(3)));
        for value in ["-1", "+5", "5.0", "00000000050", "50 ms"] {
            let line = format!("a=ice-pacing:{value}");
            assert_eq!(refuse(&line), Malformed(AttributeName::Pacing, Token::new(value)));
        }
        assert_eq!("a=ice-pacing:9999999999".parse(), Ok(IceAttribute::Pacing(u32::MAX)));
        let missing = |field| RemoteCandidates(CandidateError::Missing(field));
        assert_eq!(refuse("a=remote-candidates:1 192.0.2.3"), missing(Field::Port));
        assert_eq!(refuse("a=remote-candidates:1 192.0.2.3 1  2"), missing(Field::Component));
        let bad_component = CandidateError::Malformed(Field::Component, Token::new("0"));
        assert_eq!(refuse("a=remote-candidates:0 192.0.2.3 1"), RemoteCandidates(bad_component));
        let many =
            |count| format!("remote-candidates:{}", ["1 10.0.0.1 1"; MAX_COMPONENTS + 1][..count].join(" "));
        assert!(many(MAX_COMPONENTS).parse::<IceAttribute>().is_ok());
        assert_eq!(refuse(&many(MAX_COMPONENTS + 1)), TooMany(AttributeName::RemoteCandidates));
    }
}
