//! Channels of TURN: their numbers (RFC 8656 §12).

use core::fmt;

/// The number of a channel, 0x4000 to 0x4FFF (RFC 8656 §12).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelNumber(u16);

impl ChannelNumber {
    /// The lowest.
    pub const MIN: Self = Self(0x4000);
    /// The highest: there are 4096.
    pub const MAX: Self = Self(0x4FFF);

    /// `None` unless `number` is from 0x4000 to 0x4FFF.
    pub const fn new(number: u16) -> Option<Self> {
        if number >= Self::MIN.0 && number <= Self::MAX.0 { Some(Self(number)) } else { None }
    }

    /// The number, 0x4000 to 0x4FFF.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The one above it, if there is one.
    pub const fn next(self) -> Option<Self> {
        Self::new(self.0 + 1)
    }
}

impl fmt::Display for ChannelNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "channel {:#06x}", self.0)
    }
}

impl fmt::Debug for ChannelNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_4096_channels() {
        assert_eq!((0..=u16::MAX).filter_map(ChannelNumber::new).count(), 4096);
        assert_eq!(ChannelNumber::MIN.next(), ChannelNumber::new(0x4001));
        assert_eq!(ChannelNumber::MAX.next(), None);
    }
}
