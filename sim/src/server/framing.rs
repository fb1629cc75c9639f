//! STUN messages and ChannelData in a byte stream, where nothing but their own lengths tells them apart
//! (RFC 8489 §6.2.2, RFC 8656 §12.5).

use core::fmt;

use super::MAX_DATAGRAM;
use super::seal::HEADER;

/// Puts the frames of one stream together, however it is cut into pieces.
///
/// What it holds is never more than one frame of [`MAX_DATAGRAM`] bytes: larger frames could not be relayed, and are skipped.
#[derive(Default, Debug)]
pub struct Framing {
    partial: Vec<u8>,
    /// Bytes of a frame too large that are still to come.
    skip: usize,
}

/// A stream that has neither STUN nor ChannelData where a frame starts. Nothing can be read from it any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotFramed;

impl fmt::Display for NotFramed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("neither a STUN message nor ChannelData starts here")
    }
}

impl core::error::Error for NotFramed {}

impl Framing {
    /// Takes from the front of `input` until a frame is complete, and gives it: a STUN message, or ChannelData with its
    /// padding. `None` when the input is used up.
    ///
    /// # Errors
    /// The stream cannot be read any more, and is to be closed.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, NotFramed> {
        while !input.is_empty() {
            if self.skip > 0 {
                self.skip -= take(input, self.skip).len();
                continue;
            }
            let size = size_of(&self.partial)?;
            if size > MAX_FRAME {
                self.skip = size - self.partial.len();
                self.partial.clear();
                continue;
            }
            let missing = size.saturating_sub(self.partial.len());
            self.partial.extend(take(input, missing));
            if self.partial.len() >= HEAD && size_of(&self.partial)? == self.partial.len() {
                return Ok(Some(core::mem::take(&mut self.partial)));
            }
        }
        Ok(None)
    }
}

/// How many bytes of a frame tell its kind and its length: ChannelData may have no more.
const HEAD: usize = 4;
/// ChannelData with the largest datagram in it.
const MAX_FRAME: usize = MAX_DATAGRAM + HEAD;

/// How long this frame is, as far as can be told.
fn size_of(partial: &[u8]) -> Result<usize, NotFramed> {
    let Some(&[first, _, high, low]) = partial.first_chunk() else { return Ok(HEAD) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    match first {
        0x00..=0x3F if length % 4 == 0 => Ok(HEADER + length),
        0x40..=0x4F => Ok(HEAD + length.next_multiple_of(4)),
        _ => Err(NotFramed),
    }
}

/// Splits off at most so many bytes.
fn take<'i>(input: &mut &'i [u8], most: usize) -> &'i [u8] {
    let (taken, rest) = input.split_at(most.min(input.len()));
    *input = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(framing: &mut Framing, mut input: &[u8]) -> Result<Vec<Vec<u8>>, NotFramed> {
        let mut all = Vec::new();
        while let Some(frame) = framing.next(&mut input)? {
            all.push(frame);
        }
        Ok(all)
    }

    fn stun(length: u16) -> Vec<u8> {
        let mut bytes = b"\0\x01\0\0\x21\x12\xa4\x42abcdefghijkl".to_vec();
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes.resize(20 + usize::from(length), 7);
        bytes
    }

    fn channel_data(length: u16) -> Vec<u8> {
        let mut bytes = vec![0x40, 1];
        bytes.extend(length.to_be_bytes());
        bytes.resize(4 + usize::from(length).next_multiple_of(4), 9);
        bytes
    }

    #[test]
    fn frames_come_out_whole_however_the_stream_is_cut() {
        let sent = [stun(0), channel_data(0), channel_data(5), stun(8), channel_data(1500), stun(1480)];
        let stream = sent.concat();
        for piece in [1, 2, 3, 5, 19, 21, 1000, stream.len()] {
            let mut framing = Framing::default();
            let mut got = Vec::new();
            for piece in stream.chunks(piece) {
                got.extend(frames(&mut framing, piece).unwrap());
            }
            assert_eq!(got, sent, "in pieces of {piece}");
        }
    }

    #[test]
    fn a_frame_that_is_too_large_is_skipped_and_never_held() {
        let stream = [channel_data(u16::MAX), stun(0), stun(0xFFFC), channel_data(4)].concat();
        for piece in [1, 700, stream.len()] {
            let mut framing = Framing::default();
            let mut got = Vec::new();
            for piece in stream.chunks(piece) {
                got.extend(frames(&mut framing, piece).unwrap());
                assert!(framing.partial.len() <= MAX_FRAME);
            }
            assert_eq!(got, [stun(0), channel_data(4)]);
        }
    }

    #[test]
    fn what_is_neither_is_an_error() {
        for start in [
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            b"\x50\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        ] {
            let first = frames(&mut Framing::default(), start);
            assert_eq!(first.is_err(), start[0] != b'G', "{start:?}");
        }
        assert_eq!(frames(&mut Framing::default(), &[0, 1, 0, 3, 0]), Err(NotFramed), "not a multiple of 4");
    }
}
