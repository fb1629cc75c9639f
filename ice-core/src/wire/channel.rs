//! Channels of TURN: their numbers and their messages (RFC 8656 §12).

use core::fmt;

use super::error::{BufferTooSmall, ChannelDataError};

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

/// A ChannelData message, a view over the bytes that it came in (RFC 8656 §12.4).
///
/// ```
/// use floe_core::wire::{ChannelData, ChannelNumber};
///
/// let mut buffer = [0; 64];
/// let length = ChannelData { channel: ChannelNumber::MIN, data: b"hello" }.write(&mut buffer)?;
/// assert_eq!(buffer[..length], *b"\x40\x00\x00\x05hello");
/// assert_eq!(ChannelData::parse(&buffer[..length])?.data, b"hello");
///
/// // Where the data is in its place already, or is sent from elsewhere, the header is all that is needed.
/// assert_eq!(ChannelData::header(ChannelNumber::MIN, 5)?, *b"\x40\x00\x00\x05");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChannelData<'a> {
    /// Which peer it is for, or from.
    pub channel: ChannelNumber,
    /// What is relayed, without padding. It may be empty.
    pub data: &'a [u8],
}

impl<'a> ChannelData<'a> {
    /// Bytes in front of the data (RFC 8656 §12.4).
    pub const HEADER_SIZE: usize = 4;

    /// The longest data that the length field can tell, in bytes.
    pub const MAX_DATA: usize = 0xFFFF;

    /// Reads a datagram, or a frame of a stream. What follows the data is padding (RFC 8656 §12.5, §12.6).
    ///
    /// # Errors
    /// The first two bytes are no channel, or there are fewer bytes than the length tells. RFC 8656 §12.6 has both
    /// discarded.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ChannelDataError> {
        let (&[high, low, length_high, length_low], rest) =
            bytes.split_first_chunk().ok_or(ChannelDataError::TooShort)?;
        let number = u16::from_be_bytes([high, low]);
        let channel = ChannelNumber::new(number).ok_or(ChannelDataError::NotAChannel(number))?;
        let length = usize::from(u16::from_be_bytes([length_high, length_low]));
        let data = rest.get(..length).ok_or(ChannelDataError::TooShort)?;
        Ok(Self { channel, data })
    }

    /// The header of a message with so many bytes of data.
    ///
    /// # Errors
    /// More than [`Self::MAX_DATA`] bytes.
    pub fn header(channel: ChannelNumber, length: usize) -> Result<[u8; 4], BufferTooSmall> {
        let length = u16::try_from(length).map_err(|_| BufferTooSmall)?;
        let ([high, low], [length_high, length_low]) = (channel.0.to_be_bytes(), length.to_be_bytes());
        Ok([high, low, length_high, length_low])
    }

    /// How many bytes, 0 to 3, follow so many bytes of data over a stream (RFC 8656 §12.5).
    pub const fn padding(length: usize) -> usize {
        length.next_multiple_of(4) - length
    }

    /// Writes the message without padding, as it goes into a datagram. Returns its size in bytes.
    ///
    /// # Errors
    /// It does not fit into the buffer, or the data not into a message.
    pub fn write(&self, buffer: &mut [u8]) -> Result<usize, BufferTooSmall> {
        self.write_with(buffer, 0)
    }

    /// Writes the message as it goes over a stream: padded to whole words (RFC 8656 §12.5). Returns its size in bytes.
    ///
    /// # Errors
    /// It does not fit into the buffer, or the data not into a message.
    pub fn write_padded(&self, buffer: &mut [u8]) -> Result<usize, BufferTooSmall> {
        self.write_with(buffer, Self::padding(self.data.len()))
    }

    fn write_with(&self, buffer: &mut [u8], padding: usize) -> Result<usize, BufferTooSmall> {
        let header = Self::header(self.channel, self.data.len())?;
        let size = Self::HEADER_SIZE + self.data.len() + padding;
        let (head, rest) = buffer
            .get_mut(..size)
            .and_then(|message| message.split_first_chunk_mut())
            .ok_or(BufferTooSmall)?;
        *head = header;
        let (data, padding) = rest.split_at_mut(self.data.len());
        data.copy_from_slice(self.data);
        padding.fill(0);
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn there_are_4096_channels() {
        assert_eq!((0..=u16::MAX).filter_map(ChannelNumber::new).count(), 4096);
        assert_eq!(ChannelNumber::MIN.next(), ChannelNumber::new(0x4001));
        assert_eq!(ChannelNumber::MAX.next(), None);
    }

    #[test]
    fn what_was_written_is_read_and_the_padding_is_not() {
        let channel = ChannelNumber::new(0x4ABC).unwrap();
        for (length, padded) in [(0, 4), (1, 8), (3, 8), (4, 8), (5, 12), (1200, 1204)] {
            let data = vec![7; length];
            let message = ChannelData { channel, data: &data };
            let mut buffer = [0xFF; 1300];
            assert_eq!(message.write(&mut buffer), Ok(4 + length));
            assert_eq!(ChannelData::parse(&buffer[..4 + length]), Ok(message));
            assert_eq!(buffer[4 + length], 0xFF);
            assert_eq!(message.write_padded(&mut buffer), Ok(padded));
            assert!(buffer[4 + length..padded].iter().all(|byte| *byte == 0));
            // RFC 8656 §12.5: over datagrams as well there may be padding.
            assert_eq!(ChannelData::parse(&buffer[..padded]), Ok(message));
            assert_eq!(ChannelData::header(channel, length).unwrap()[..], buffer[..4]);
        }
    }

    #[test]
    fn a_buffer_or_a_length_field_that_is_too_small_is_an_error() {
        let message = ChannelData { channel: ChannelNumber::MIN, data: b"hello" };
        let mut buffer = vec![0; 70_000];
        assert!((0..9).all(|size| message.write(&mut buffer[..size]) == Err(BufferTooSmall)));
        assert!((0..12).all(|size| message.write_padded(&mut buffer[..size]) == Err(BufferTooSmall)));
        assert_eq!(
            (message.write(&mut buffer[..9]), message.write_padded(&mut buffer[..12])),
            (Ok(9), Ok(12))
        );
        let long = vec![1; ChannelData::MAX_DATA + 1];
        let whole = ChannelData { channel: ChannelNumber::MAX, data: &long[1..] };
        assert_eq!(whole.write_padded(&mut buffer), Ok(65_540));
        assert_eq!(ChannelData::parse(&buffer[..65_540]), Ok(whole));
        assert_eq!(ChannelData { data: &long, ..whole }.write(&mut buffer), Err(BufferTooSmall));
    }

    #[test]
    fn what_cannot_be_channel_data_says_why() {
        let refusal = |bytes: &[u8]| ChannelData::parse(bytes).unwrap_err();
        assert_eq!(refusal(&[]), ChannelDataError::TooShort);
        assert_eq!(refusal(&[0x40, 0, 0]), ChannelDataError::TooShort);
        assert_eq!(refusal(&[0x40, 0, 0, 3, 1, 2]), ChannelDataError::TooShort);
        assert_eq!(refusal(&[0x3F, 0xFF, 0, 0]), ChannelDataError::NotAChannel(0x3FFF));
        // RFC 8656 §12: reserved.
        assert_eq!(refusal(&[0x50, 0, 0, 0]), ChannelDataError::NotAChannel(0x5000));
    }
}
