//! Foundations: which candidates are likely to live and die together (RFC 8445 §5.1.1.3).

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use super::{CandidateError, CandidateType, Field, Token, Transport};

/// A foundation: 1 to 32 `ice-char`s (RFC 8839 §5.1), compared as text, case included.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Foundation {
    length: u8,
    // Zero behind `length`, so that the derived comparison is that of the text.
    bytes: [u8; Self::MAX_LENGTH],
}

impl Foundation {
    /// The longest foundation in bytes (RFC 8839 §5.1).
    pub const MAX_LENGTH: usize = 32;

    /// The text.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }

    /// One of our own: the number in decimal.
    pub(super) fn numbered(number: u32) -> Self {
        Self::decimal(b"", number)
    }

    /// One for a remote peer-reflexive candidate: unlike any that can be signalled, because `-` is not
    /// an `ice-char` (RFC 8445 §7.3.1.3). It never leaves this agent.
    pub(super) fn peer_reflexive(number: u16) -> Self {
        Self::decimal(b"-", number.into())
    }

    fn decimal(prefix: &[u8], number: u32) -> Self {
        let places = number.checked_ilog10().unwrap_or(0);
        let digits = (0..=places).rev().map(|place| b'0' + (number / 10_u32.pow(place) % 10) as u8);
        Self::from_bytes(prefix.iter().copied().chain(digits))
    }

    fn from_bytes(text: impl Iterator<Item = u8>) -> Self {
        let mut foundation = Self { length: 0, bytes: [0; Self::MAX_LENGTH] };
        for (slot, byte) in foundation.bytes.iter_mut().zip(text) {
            *slot = byte;
            foundation.length += 1;
        }
        foundation
    }
}

impl FromStr for Foundation {
    type Err = CandidateError;

    fn from_str(text: &str) -> Result<Self, CandidateError> {
        let is_ice_char = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
        if text.is_empty() {
            return Err(CandidateError::Missing(Field::Foundation));
        }
        if text.len() > Self::MAX_LENGTH || !text.bytes().all(is_ice_char) {
            return Err(CandidateError::Malformed(Field::Foundation, Token::new(text)));
        }
        Ok(Self::from_bytes(text.bytes()))
    }
}

impl fmt::Display for Foundation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Foundation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// How many distinct foundations are remembered. Four for each of the 64 local candidates, so that only
/// an agent that has roamed through many networks meets it (RFC 8445 §5.1.1.3).
pub const MAX_FOUNDATIONS: usize = 256;

/// Gives our own candidates their foundations: `1`, `2` and so on in the order of first use.
#[derive(Clone, Debug, Default)]
pub struct FoundationTable {
    known: Vec<(Origin, u32)>,
    last: u32,
}

/// The four things that make a foundation.
type Origin = (CandidateType, IpAddr, Transport, Option<IpAddr>);

impl FoundationTable {
    /// An empty table.
    pub const fn new() -> Self {
        Self { known: Vec::new(), last: 0 }
    }

    /// The foundation of a candidate of this type on this base, obtained over this transport from this
    /// server: equal for two calls exactly when all four are (RFC 8445 §5.1.1.3).
    ///
    /// `server` is the address at which the STUN or TURN server was contacted; none for a host candidate.
    ///
    /// Beyond [`MAX_FOUNDATIONS`] distinct ones, a new combination gets a new foundation in each call. That
    /// is harmless: its checks do not unfreeze each other, and run on their own.
    pub fn intern(
        &mut self,
        kind: CandidateType,
        base: IpAddr,
        transport: Transport,
        server: Option<IpAddr>,
    ) -> Foundation {
        let origin = (kind, base, transport, server);
        if let Some((_, number)) = self.known.iter().find(|(known, _)| *known == origin) {
            return Foundation::numbered(*number);
        }
        self.last = self.last.wrapping_add(1);
        if self.known.len() < MAX_FOUNDATIONS {
            self.known.push((origin, self.last));
        }
        Foundation::numbered(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use core::net::Ipv4Addr;

    const BASE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5));
    const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn foundations_differ_exactly_when_one_of_the_four_does() {
        use CandidateType::{Host, Relayed, ServerReflexive};
        let mut table = FoundationTable::new();
        let origins = [
            (Host, BASE, Transport::Udp, None),
            (Host, OTHER, Transport::Udp, None),
            (Host, BASE, Transport::Tcp, None),
            (ServerReflexive, BASE, Transport::Udp, Some(OTHER)),
            (ServerReflexive, BASE, Transport::Udp, Some(BASE)),
            (Relayed, BASE, Transport::Udp, Some(OTHER)),
        ];
        for _ in 0..2 {
            for (index, (kind, base, transport, server)) in origins.into_iter().enumerate() {
                let foundation = table.intern(kind, base, transport, server);
                assert_eq!(foundation.as_str(), (index + 1).to_string());
            }
        }
    }

    #[test]
    fn a_full_table_gives_foundations_that_nobody_shares() {
        let mut table = FoundationTable::new();
        let mut intern = |number: u32| {
            table.intern(CandidateType::Host, Ipv4Addr::from_bits(number).into(), Transport::Udp, None)
        };
        let first = intern(0);
        for number in 1..MAX_FOUNDATIONS as u32 {
            intern(number);
        }
        let [over, again] = [intern(1_000_000), intern(1_000_000)];
        assert_ne!(over, again);
        assert_eq!(intern(0), first);
        assert_eq!(table.known.len(), MAX_FOUNDATIONS);
    }

    #[test]
    fn numbers_and_texts_agree() {
        for number in [0, 1, 9, 10, 4_294_967_295] {
            assert_eq!(Foundation::numbered(number).as_str(), number.to_string());
            assert_eq!(number.to_string().parse(), Ok(Foundation::numbered(number)));
        }
        assert_eq!(Foundation::peer_reflexive(40).as_str(), "-40");
        assert!("-40".parse::<Foundation>().is_err());
    }

    #[test]
    fn a_foundation_is_1_to_32_ice_chars() {
        let longest = "aZ09+/xx".repeat(4);
        assert_eq!(longest.parse::<Foundation>().unwrap().as_str(), longest);
        assert_eq!("".parse::<Foundation>(), Err(CandidateError::Missing(Field::Foundation)));
        for bad in [&*"a".repeat(33), "a-b", "a b", "é"] {
            let expected = CandidateError::Malformed(Field::Foundation, Token::new(bad));
            assert_eq!(bad.parse::<Foundation>(), Err(expected));
        }
        assert_ne!("a".parse::<Foundation>(), "A".parse::<Foundation>());
    }
}
