//! Streams into frames.

use floe_core::wire::{FrameDecoder, Framing};
use floe_proptests::framing::{decode, frames, framings, joined};
use floe_proptests::thousand;
use proptest::prelude::*;

fn streams() -> impl Strategy<Value = (Framing, Vec<Vec<u8>>)> {
    framings().prop_flat_map(|framing| (Just(framing), prop::collection::vec(frames(framing), 0..6)))
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1..4_usize, 1..60_usize, 1..3000_usize], 1..8)
}

proptest! {
    #![proptest_config(thousand())]

    /// TCP cuts a stream wherever it likes; what was sent comes out, in its order and whole.
    #[test]
    fn any_segmentation_gives_the_frames_that_were_sent((framing, sent) in streams(), sizes in sizes()) {
        let decoded = decode(FrameDecoder::new(framing), &joined(framing, &sent), &sizes);
        prop_assert_eq!(decoded.error, None);
        prop_assert_eq!(decoded.frames, sent);
        prop_assert_eq!(decoded.rest, 0);
    }

    /// A stream that ends in the middle of a frame has given all before it, and holds the beginning of this one only.
    #[test]
    fn not_more_than_one_frame_is_held(
        (framing, sent) in streams(), sizes in sizes(), at in any::<prop::sample::Index>(),
    ) {
        let mut stream = joined(framing, &sent);
        stream.truncate(at.index(stream.len() + 1));
        let longest = sent.iter().map(Vec::len).max().unwrap_or(0) + 4;
        let decoded = decode(FrameDecoder::new(framing), &stream, &sizes);
        let whole = decoded.frames.len();
        prop_assert_eq!(&decoded.frames[..], &sent[..whole]);
        prop_assert_eq!(joined(framing, &decoded.frames).len() + decoded.rest, stream.len());
        prop_assert!(decoded.held <= longest, "{} of {}", decoded.held, longest);
    }

    /// Whatever a server or a peer sends: it ends, within the limit, and the cuts make no difference.
    #[test]
    fn any_bytes_are_safe_and_their_cuts_do_not_matter(
        (framing, sent) in streams(),
        junk in prop::collection::vec(any::<u8>(), 0..200),
        at in any::<prop::sample::Index>(),
        limit in prop_oneof![Just(framing_limit()), 0..100_usize],
        sizes in sizes(),
    ) {
        let mut stream = joined(framing, &sent);
        let at = at.index(stream.len() + 1);
        stream.splice(at..at, junk);
        let decoder = || FrameDecoder::with_limit(framing, limit);
        let cut = decode(decoder(), &stream, &sizes);
        let whole = decode(decoder(), &stream, &[stream.len().max(1)]);
        prop_assert_eq!((&cut.frames, cut.error, cut.rest), (&whole.frames, whole.error, whole.rest));
        prop_assert!(cut.frames.iter().all(|frame| frame.len() <= limit));
        // A header, and what pads a frame to a whole word.
        prop_assert!(cut.held <= limit.saturating_add(8), "{} of {}", cut.held, limit);
    }
}

fn framing_limit() -> usize {
    Framing::Turn.longest()
}
