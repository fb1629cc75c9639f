//! Frames out of a stream: where messages begin and end in what TCP or TLS has delivered.

use alloc::vec::Vec;
use core::fmt;

use super::channel::ChannelData;
use super::demux::{Kind, classify};
use super::error::BufferTooSmall;
use super::header::{HEADER_SIZE, MAGIC_COOKIE};

/// How a stream is divided.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Framing {
    /// Towards STUN and TURN servers: STUN messages and ChannelData, which tell their own lengths (RFC 8489 §6.2.2,
    /// RFC 8656 §12.5).
    Turn,
    /// Between peers (RFC 6544 §3): two bytes of length in front of whatever it is (RFC 4571 §2).
    Rfc4571,
}

impl Framing {
    /// The longest frame that there can be, in bytes: a STUN message, and anything of 65,535 bytes.
    pub const fn longest(self) -> usize {
        match self {
            Self::Turn => HEADER_SIZE + 0xFFFC,
            Self::Rfc4571 => 0xFFFF,
        }
    }
}

/// The two bytes in front of a frame of so many bytes (RFC 4571 §2).
///
/// # Errors
/// More than 65,535 bytes.
pub fn rfc4571_header(length: usize) -> Result<[u8; 2], BufferTooSmall> {
    u16::try_from(length).map(u16::to_be_bytes).map_err(|_| BufferTooSmall)
}

/// Takes frames out of a stream, as its pieces come.
///
/// It holds what has come of one frame, and nothing if that one has come in one piece: then the frame is a part of the
/// input.
///
/// ```
/// use floe_core::wire::{FrameDecoder, Framing};
///
/// let mut decoder = FrameDecoder::new(Framing::Rfc4571);
/// let mut frames = Vec::new();
/// for piece in [&b"\x00\x05he"[..], b"llo\x00\x02", b"ho"] {
///     let mut input = piece;
///     while let Some(frame) = decoder.next(&mut input)? {
///         frames.push(frame.to_vec());
///     }
/// }
/// assert_eq!(frames, [&b"hello"[..], b"ho"]);
/// # Ok::<(), floe_core::wire::FrameError>(())
/// ```
#[derive(Debug)]
pub struct FrameDecoder {
    framing: Framing,
    limit: usize,
    /// The beginning of a frame, with what belongs to it on the wire: its header and its padding.
    held: Vec<u8>,
    /// The frame in `held` was handed out.
    taken: bool,
    failed: Option<FrameError>,
}

impl FrameDecoder {
    /// Takes frames of any length that the framing has: up to 65,552 bytes are held (RFC 8489 §5).
    pub const fn new(framing: Framing) -> Self {
        Self::with_limit(framing, framing.longest())
    }

    /// Takes frames of at most so many bytes, and holds no more than that and what surrounds a frame.
    pub const fn with_limit(framing: Framing, limit: usize) -> Self {
        Self { framing, limit, held: Vec::new(), taken: false, failed: None }
    }

    /// The next frame, without what surrounds it on the wire: a STUN message, a ChannelData message without its padding, or
    /// what RFC 4571 has framed, which may be empty (its null packet). `None`: more has to come. `input` is moved behind
    /// what was used, and is empty when there is no frame.
    ///
    /// # Errors
    /// What has come cannot be a frame, or is one that is too long. A stream has no other place to go on from, so this
    /// is its end: nothing is held any more, the rest of the input is dropped, and the same error comes for ever.
    pub fn next<'f, 'i: 'f>(&'f mut self, input: &mut &'i [u8]) -> Result<Option<&'f [u8]>, FrameError> {
        if let Some(error) = self.failed {
            *input = &[];
            return Err(error);
        }
        if self.taken {
            self.taken = false;
            self.held.clear();
        }
        match self.advance(input) {
            Ok(Some(Found::InInput(whole, extent))) => Ok(whole.get(extent.skipped..extent.end)),
            Ok(Some(Found::Held(extent))) => {
                self.taken = true;
                Ok(self.held.get(extent.skipped..extent.end))
            }
            Ok(None) => Ok(None),
            Err(error) => {
                *input = &[];
                self.held = Vec::new();
                self.failed = Some(error);
                Err(error)
            }
        }
    }

    /// How many bytes of a frame that is not complete are held.
    pub fn held(&self) -> usize {
        if self.taken { 0 } else { self.held.len() }
    }

    fn advance<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Found<'i>>, FrameError> {
        if self.held.is_empty() {
            match self.measure(input)? {
                Measure::Whole(extent) if extent.total <= input.len() => {
                    let (whole, rest) = input.split_at(extent.total);
                    *input = rest;
                    return Ok(Some(Found::InInput(whole, extent)));
                }
                _ => {}
            }
        }
        // Each turn takes something from the input or is the last; the parts of a header make it a few.
        loop {
            let (wanted, extent) = match self.measure(&self.held)? {
                Measure::Needs(count) => (count, None),
                Measure::Whole(extent) => (extent.total, Some(extent)),
            };
            let missing = wanted.saturating_sub(self.held.len());
            if let (0, Some(extent)) = (missing, extent) {
                return Ok(Some(Found::Held(extent)));
            }
            let (piece, rest) = input.split_at(missing.min(input.len()));
            if piece.is_empty() {
                return Ok(None);
            }
            self.hold(piece, wanted);
            *input = rest;
        }
    }

    /// Room grows with what has come, not with what a header promises: a peer that announces 64 kB has to send them.
    fn hold(&mut self, piece: &[u8], wanted: usize) {
        let needed = self.held.len() + piece.len();
        if needed > self.held.capacity() {
            let room = (2 * needed).clamp(needed, wanted.max(needed));
            self.held.reserve_exact(room - self.held.len());
        }
        self.held.extend_from_slice(piece);
    }

    /// How long the frame is that starts with these bytes, as far as they tell.
    fn measure(&self, bytes: &[u8]) -> Result<Measure, FrameError> {
        let measure = match self.framing {
            Framing::Turn => measure_turn(bytes)?,
            Framing::Rfc4571 => measure_rfc4571(bytes),
        };
        match measure {
            Measure::Whole(extent) if extent.end - extent.skipped > self.limit => {
                Err(FrameError::TooLong { length: extent.end - extent.skipped, limit: self.limit })
            }
            measure => Ok(measure),
        }
    }
}

enum Found<'i> {
    /// These bytes of the input are a frame and what surrounds it.
    InInput(&'i [u8], Extent),
    Held(Extent),
}

/// Where a frame is in its bytes on the wire.
struct Extent {
    /// Bytes of a header that is not part of the frame.
    skipped: usize,
    /// Where the frame ends.
    end: usize,
    /// Where its padding ends.
    total: usize,
}

enum Measure {
    /// There have to be so many bytes before anything more can be told.
    Needs(usize),
    Whole(Extent),
}

fn measure_rfc4571(bytes: &[u8]) -> Measure {
    match bytes.first_chunk() {
        None => Measure::Needs(2),
        Some(length) => {
            let end = 2 + usize::from(u16::from_be_bytes(*length));
            Measure::Whole(Extent { skipped: 2, end, total: end })
        }
    }
}

/// RFC 8656 §12: the first byte tells the two kinds of frames apart. All that is known of their headers is looked at as
/// early as it comes, so that a stream that is something else ends soon, and not after 64 kB of waiting.
fn measure_turn(bytes: &[u8]) -> Result<Measure, FrameError> {
    let Some(first) = bytes.first() else { return Ok(Measure::Needs(1)) };
    let is_stun = match classify(bytes) {
        Kind::Stun => true,
        Kind::TurnChannel => false,
        _ => return Err(FrameError::NotAFrame(*first)),
    };
    let Some(&[_, _, high, low]) = bytes.first_chunk() else { return Ok(Measure::Needs(4)) };
    let told = u16::from_be_bytes([high, low]);
    let length = usize::from(told);
    if !is_stun {
        let end = ChannelData::HEADER_SIZE + length;
        return Ok(Measure::Whole(Extent { skipped: 0, end, total: end.next_multiple_of(4) }));
    }
    if !length.is_multiple_of(4) {
        return Err(FrameError::Unaligned(told));
    }
    let Some(&[_, _, _, _, c0, c1, c2, c3]) = bytes.first_chunk() else { return Ok(Measure::Needs(8)) };
    if u32::from_be_bytes([c0, c1, c2, c3]) != MAGIC_COOKIE {
        return Err(FrameError::WrongCookie);
    }
    let end = HEADER_SIZE + length;
    Ok(Measure::Whole(Extent { skipped: 0, end, total: end }))
}

/// Why a stream cannot be divided into frames any further.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum FrameError {
    /// Neither STUN nor ChannelData starts with this byte (RFC 8656 §12). A server of HTTP or TLS may be there instead.
    NotAFrame(u8),
    /// A STUN header tells this length, which is not one of whole words (RFC 8489 §5).
    Unaligned(u16),
    /// What starts like STUN has no magic cookie (RFC 8489 §5).
    WrongCookie,
    /// A frame is longer than the limit.
    TooLong {
        /// Its length, in bytes.
        length: usize,
        /// The limit, in bytes.
        limit: usize,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAFrame(byte) => {
                write!(f, "neither STUN nor ChannelData: the stream goes on with {byte:#04x}")
            }
            Self::Unaligned(length) => write!(f, "a STUN message cannot have a length of {length}"),
            Self::WrongCookie => f.write_str("no magic cookie where a STUN message should start"),
            Self::TooLong { length, limit } => write!(f, "a frame of {length} bytes, more than {limit}"),
        }
    }
}

impl core::error::Error for FrameError {}
