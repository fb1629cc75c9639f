//! Streams of frames, and the pieces that they come in.

use floe_core::wire::{ChannelData, ChannelNumber, FrameDecoder, FrameError, Framing, rfc4571_header};
use proptest::prelude::*;
use proptest::sample::select;

use crate::stun;

/// A frame to be sent, as it is handed out in the end: without what surrounds it.
pub fn frames(framing: Framing) -> BoxedStrategy<Vec<u8>> {
    let stun = stun::specs(599).prop_filter_map("one that the engine writes", |spec| spec.write());
    let data = prop_oneof![Just(0), 1..40_usize, 1000..1500_usize]
        .prop_flat_map(|size| prop::collection::vec(any::<u8>(), size));
    match framing {
        Framing::Rfc4571 => prop_oneof![stun, data].boxed(),
        Framing::Turn => {
            let channel = (0x4000..=0x4FFF_u16).prop_filter_map("a channel", ChannelNumber::new);
            let relayed = (channel, data).prop_filter_map("one that fits", |(channel, data)| {
                let header = ChannelData::header(channel, data.len()).ok()?;
                Some([&header[..], &data].concat())
            });
            prop_oneof![stun, relayed].boxed()
        }
    }
}

/// The frames as they go over a stream.
pub fn joined(framing: Framing, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut stream = Vec::new();
    for frame in frames {
        if framing == Framing::Rfc4571 {
            stream.extend(rfc4571_header(frame.len()).unwrap_or_default());
        }
        stream.extend(frame);
        if framing == Framing::Turn {
            stream.resize(stream.len().next_multiple_of(4), 0);
        }
    }
    stream
}

/// Either framing.
pub fn framings() -> impl Strategy<Value = Framing> {
    select(vec![Framing::Turn, Framing::Rfc4571])
}

/// What a decoder makes of a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Decoded {
    pub frames: Vec<Vec<u8>>,
    pub error: Option<FrameError>,
    /// How much was held at the most between two pieces.
    pub held: usize,
    /// How much is held in the end.
    pub rest: usize,
}

/// Feeds a stream in pieces of these sizes, over and over.
pub fn decode(mut decoder: FrameDecoder, mut stream: &[u8], sizes: &[usize]) -> Decoded {
    let mut decoded = Decoded { frames: Vec::new(), error: None, held: 0, rest: 0 };
    let mut sizes = sizes.iter().copied().cycle();
    while !stream.is_empty() {
        let (mut piece, rest) = stream.split_at(sizes.next().unwrap_or(1).clamp(1, stream.len()));
        stream = rest;
        while !piece.is_empty() {
            match decoder.next(&mut piece) {
                Ok(Some(frame)) => decoded.frames.push(frame.to_vec()),
                Ok(None) => {}
                Err(error) => decoded.error = Some(error),
            }
        }
        decoded.held = decoded.held.max(decoder.held());
    }
    decoded.rest = decoder.held();
    decoded
}
