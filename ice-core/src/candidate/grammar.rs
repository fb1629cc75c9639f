//! The candidate line: RFC 8839 §5.1's grammar, with RFC 6544 §4.5's extension for TCP.
//!
//! Strict where a mistake would send checks to a wrong place, lenient where only taste is at stake: words
//! are read without case, and a priority above 2^31-1 is accepted, since it orders as well as any other.

use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::str::{FromStr, Split};

use super::extensions::is_token;
use super::{Address, Candidate, CandidateError, CandidateType, Extensions, Field, Token, Transport};

/// The longest line that is read, in bytes, without `a=` and line end. The fields that RFC 8839 §5.1 names take 603 at
/// most, two full domain names included; the rest is for extensions, a ufrag of 256 characters among them.
pub const MAX_LINE: usize = 1024;

/// The longest domain name (RFC 1035 §2.3.4, as text).
const MAX_NAME: usize = 253;

impl FromStr for Candidate {
    type Err = CandidateError;

    /// Reads `candidate:...`, with or without `a=` in front and a line end behind.
    ///
    /// A line of an unknown transport or type is refused as such only if all else in it is well-formed.
    fn from_str(line: &str) -> Result<Self, CandidateError> {
        let line = line.trim_end_matches(['\r', '\n']);
        let line = line.strip_prefix("a=").unwrap_or(line);
        // RFC 8840 §9.2: names of attributes are read without case, too.
        let (name, fields) = line.split_once(':').ok_or(CandidateError::NotACandidate)?;
        if !name.eq_ignore_ascii_case("candidate") {
            return Err(CandidateError::NotACandidate);
        }
        if line.len() > MAX_LINE {
            return Err(CandidateError::TooLong);
        }
        let mut words = fields.split(' ');
        let foundation = word(&mut words, Field::Foundation)?.parse()?;
        let component = number(&mut words, Field::Component, 3, 1..=256)?;
        let transport = token(&mut words, Field::Transport)?;
        let priority = number(&mut words, Field::Priority, 10, 1..=u32::MAX.into())?;
        let address = address(&mut words)?;
        if !word(&mut words, Field::Type)?.eq_ignore_ascii_case("typ") {
            return Err(CandidateError::Missing(Field::Type));
        }
        let kind = token(&mut words, Field::Type)?;
        let related = related(&mut words)?;
        let extensions = extensions(words)?;

        Ok(Self {
            foundation,
            component,
            transport: Transport::from_sdp(transport)
                .ok_or_else(|| CandidateError::UnknownTransport(Token::new(transport)))?,
            priority,
            address,
            kind: CandidateType::from_sdp(kind)
                .ok_or_else(|| CandidateError::UnknownType(Token::new(kind)))?,
            related,
            extensions,
        })
    }
}

impl fmt::Display for Candidate {
    /// `candidate:...`, without `a=` and without a line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { foundation, component, transport, priority, address, kind, related, extensions } = self;
        write!(f, "candidate:{foundation} {component} {transport} {priority} ")?;
        write!(f, "{} {} typ {kind}", Host(address), address.port())?;
        if let Some(related) = related {
            write!(f, " raddr {} rport {}", Host(related), related.port())?;
        }
        if *extensions != Extensions::new() {
            write!(f, " {extensions}")?;
        }
        Ok(())
    }
}

/// One `remote-candidate` (RFC 8839 §5.2): the fields `component-id`, `connection-address` and `port`, from words that
/// stand one space apart.
pub(crate) fn remote_candidate(words: &mut Split<'_, char>) -> Result<(u16, Address), CandidateError> {
    let component = number(words, Field::Component, 3, 1..=256)?;
    Ok((component, address(words)?))
}

/// The part of an address in front of the port, as it is written in SDP.
pub(crate) struct Host<'a>(pub(crate) &'a Address);

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Address::Ip(address) => write!(f, "{}", address.ip()),
            Address::Name { name, .. } => f.write_str(name),
        }
    }
}

fn word<'l>(words: &mut Split<'l, char>, field: Field) -> Result<&'l str, CandidateError> {
    words.next().filter(|word| !word.is_empty()).ok_or(CandidateError::Missing(field))
}

fn token<'l>(words: &mut Split<'l, char>, field: Field) -> Result<&'l str, CandidateError> {
    let word = word(words, field)?;
    if is_token(word) { Ok(word) } else { Err(CandidateError::Malformed(field, Token::new(word))) }
}

/// A number of at most so many digits, in this range.
fn number<T: TryFrom<u64>>(
    words: &mut Split<'_, char>,
    field: Field,
    digits: usize,
    range: core::ops::RangeInclusive<u64>,
) -> Result<T, CandidateError> {
    let word = word(words, field)?;
    // The digits are looked at because the standard library's parser would take a sign, too.
    let is_number = word.len() <= digits && word.bytes().all(|byte| byte.is_ascii_digit());
    let value = is_number.then(|| word.parse().ok()).flatten().filter(|value| range.contains(value));
    value
        .and_then(|value| T::try_from(value).ok())
        .ok_or_else(|| CandidateError::Malformed(field, Token::new(word)))
}

fn address(words: &mut Split<'_, char>) -> Result<Address, CandidateError> {
    Ok(name(words, Field::Address)?.with_port(port(words, Field::Port)?))
}

fn name<'l>(words: &mut Split<'l, char>, field: Field) -> Result<Name<'l>, CandidateError> {
    let word = word(words, field)?;
    Name::parse(word).ok_or_else(|| CandidateError::Malformed(field, Token::new(word)))
}

fn port(words: &mut Split<'_, char>, field: Field) -> Result<u16, CandidateError> {
    number(words, field, 5, 0..=u16::MAX.into())
}

/// RFC 8839 §5.1 `connection-address`.
enum Name<'l> {
    Ip(IpAddr),
    Domain(&'l str),
}

impl<'l> Name<'l> {
    fn parse(word: &'l str) -> Option<Self> {
        // RFC 8839 §5.1: a colon makes it IPv6. The zone is the peer's own affair.
        if word.contains(':') {
            let (ip, zone) = word.split_once('%').unwrap_or((word, "none"));
            return ip.parse::<Ipv6Addr>().ok().filter(|_| !zone.is_empty()).map(|ip| Self::Ip(ip.into()));
        }
        if let Ok(ip) = word.parse::<Ipv4Addr>() {
            return Some(Self::Ip(ip.into()));
        }
        let is_name_char = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        // No top-level domain is a number (RFC 3696 §2): 10.0.0.256 is a bad address, not a name.
        let last = word.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
        let is_domain = word.len() <= MAX_NAME
            && word.bytes().all(is_name_char)
            && !last.bytes().all(|byte| byte.is_ascii_digit());
        is_domain.then_some(Self::Domain(word))
    }

    fn with_port(self, port: u16) -> Address {
        match self {
            Self::Ip(ip) => Address::Ip(SocketAddr::new(ip, port)),
            Self::Domain(name) => Address::Name { name: String::from(name), port },
        }
    }
}

/// `raddr` and `rport` if both are there. The grammar allows either alone, which tells nothing of use: it is left to
/// the extensions, which pass it on.
fn related(words: &mut Split<'_, char>) -> Result<Option<Address>, CandidateError> {
    let mut ahead = words.clone();
    let is = |word: Option<&str>, name: &str| word.is_some_and(|word| word.eq_ignore_ascii_case(name));
    if !is(ahead.next(), "raddr") || !is(ahead.nth(1), "rport") {
        return Ok(None);
    }
    words.next();
    let name = name(words, Field::RelatedAddress)?;
    words.next();
    Ok(Some(name.with_port(port(words, Field::RelatedPort)?)))
}

fn extensions(mut words: Split<'_, char>) -> Result<Extensions, CandidateError> {
    let mut extensions = Extensions::new();
    while let Some(name) = words.next() {
        match words.next() {
            Some(value) => extensions.push(name, value)?,
            // One space at the end of the line is forgiven.
            None if name.is_empty() => {}
            None => return Err(CandidateError::Missing(Field::ExtensionValue)),
        }
    }
    Ok(extensions)
}

#[cfg(test)]
mod tests;
