//! A stream on its way into the frame decoder, cut in two ways that must make no difference.

use floe_core::wire::{ChannelData, FrameDecoder, FrameError, Framing, classify, is_stun, rfc4571_header};

/// One stream. The first byte chooses the framing and the limit, the second how long the pieces are; the rest is what comes.
pub fn run(data: &[u8]) {
    let Some((&[how, size], stream)) = data.split_first_chunk() else { return };
    let framing = if how & 1 == 0 { Framing::Turn } else { Framing::Rfc4571 };
    let limit = if how & 2 == 0 { framing.longest() } else { usize::from(how >> 2) };
    let sizes = [usize::from(size & 15) + 1, usize::from(size >> 4) + 1];
    let whole = decode(framing, limit, stream, &[stream.len().max(1)]);
    let cut = decode(framing, limit, stream, &sizes);
    assert!(whole == cut, "cuts of {sizes:?} make a difference");
    let (frames, error, rest) = whole;
    let mut used = 0;
    for frame in &frames {
        assert!(frame.len() <= limit);
        used += match framing {
            Framing::Rfc4571 => rfc4571_header(frame.len()).map_or(0, |header| header.len() + frame.len()),
            Framing::Turn => {
                assert!(is_stun(frame) || ChannelData::parse(frame).is_ok(), "{:?}", classify(frame));
                frame.len().next_multiple_of(4)
            }
        };
    }
    assert!(used + rest <= stream.len());
    assert!(error.is_some() || used + rest == stream.len(), "every byte is in a frame or held");
}

/// The frames, the error and what is held in the end.
fn decode(
    framing: Framing,
    limit: usize,
    mut stream: &[u8],
    sizes: &[usize],
) -> (Vec<Vec<u8>>, Option<FrameError>, usize) {
    let mut decoder = FrameDecoder::with_limit(framing, limit);
    let (mut frames, mut failure) = (Vec::new(), None);
    let mut sizes = sizes.iter().copied().cycle();
    while !stream.is_empty() {
        let (mut piece, rest) = stream.split_at(sizes.next().unwrap_or(1).min(stream.len()));
        stream = rest;
        while !piece.is_empty() {
            let before = piece.len();
            match decoder.next(&mut piece) {
                Ok(Some(frame)) => frames.push(frame.to_vec()),
                Ok(None) => assert!(piece.is_empty()),
                Err(error) => {
                    assert!(piece.is_empty() && failure.is_none_or(|first| first == error));
                    assert!(error.to_string().len() < 200);
                    failure = Some(error);
                }
            }
            assert!(piece.len() < before, "each call uses something of its input");
        }
        // A header, and what pads a frame to a whole word.
        assert!(decoder.held() <= limit + 8);
    }
    (frames, failure, decoder.held())
}
