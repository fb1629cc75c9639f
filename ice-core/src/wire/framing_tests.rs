//! Frames out of streams: what comes out, what is held, and what ends a stream.

use alloc::vec;
use alloc::vec::Vec;

use super::{
    ChannelData, ChannelNumber, Class, FrameDecoder, FrameError, Framing, MessageWriter, Method,
    TransactionId, rfc4571_header,
};

fn binding() -> Vec<u8> {
    let mut buffer = [0; 64];
    let writer = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, TransactionId([0xEE; 12]));
    let length = writer.software("floe").finish_with_fingerprint().unwrap();
    buffer[..length].to_vec()
}

fn channel_data(data: &[u8]) -> Vec<u8> {
    let mut buffer = vec![0xFF; data.len() + 8];
    let length = ChannelData { channel: ChannelNumber::MIN, data }.write_padded(&mut buffer).unwrap();
    buffer.truncate(length);
    buffer
}

fn frames(decoder: &mut FrameDecoder, mut input: &[u8]) -> Result<Vec<Vec<u8>>, FrameError> {
    let mut frames = Vec::new();
    while let Some(frame) = decoder.next(&mut input)? {
        frames.push(frame.to_vec());
    }
    assert!(input.is_empty(), "what is not a frame yet is held");
    Ok(frames)
}

/// A TURN server's stream and one of a peer, with the frames that are in them.
fn streams() -> [(Framing, Vec<u8>, Vec<Vec<u8>>); 2] {
    let (stun, odd, empty) = (binding(), channel_data(b"hello"), channel_data(b""));
    let turn = [&stun[..], &odd, &empty, &odd, &stun].concat();
    // Frames come without their padding.
    let turn_frames = vec![stun.clone(), odd[..9].to_vec(), empty, odd[..9].to_vec(), stun.clone()];
    let peer_frames = vec![stun, b"\x16\xfe\xfd".to_vec(), Vec::new(), b"x".to_vec()];
    let mut peer = Vec::new();
    for frame in &peer_frames {
        peer.extend(rfc4571_header(frame.len()).unwrap());
        peer.extend(frame);
    }
    [(Framing::Turn, turn, turn_frames), (Framing::Rfc4571, peer, peer_frames)]
}

#[test]
fn frames_come_out_whole_wherever_the_stream_is_cut() {
    for (framing, stream, expected) in streams() {
        let mut decoder = FrameDecoder::new(framing);
        assert_eq!(frames(&mut decoder, &stream), Ok(expected.clone()));
        assert_eq!(decoder.held(), 0);
        for size in 1..stream.len() {
            let mut decoder = FrameDecoder::new(framing);
            let all = stream.chunks(size).flat_map(|piece| frames(&mut decoder, piece).unwrap());
            assert_eq!(all.collect::<Vec<_>>(), expected, "{framing:?} in pieces of {size}");
            assert_eq!(decoder.held(), 0);
        }
    }
}

#[test]
fn a_frame_that_came_in_one_piece_is_a_part_of_the_input() {
    for (framing, stream, _) in streams() {
        let mut decoder = FrameDecoder::new(framing);
        let mut input = &stream[..];
        while let Some(frame) = decoder.next(&mut input).unwrap() {
            assert!(stream.as_ptr_range().contains(&frame.as_ptr()) || frame.is_empty());
        }
    }
}

#[test]
fn no_more_than_the_beginning_of_one_frame_is_held() {
    let stun = binding();
    let mut decoder = FrameDecoder::new(Framing::Turn);
    let stream = [&stun[..], &stun, &stun[..7]].concat();
    assert_eq!(frames(&mut decoder, &stream).unwrap().len(), 2);
    assert_eq!(decoder.held(), 7);
    let mut rest = &stun[7..];
    assert_eq!(decoder.next(&mut rest), Ok(Some(&stun[..])));
    assert!(rest.is_empty() && decoder.held() == 0, "a frame that was handed out is not held any more");
    assert_eq!(frames(&mut decoder, &stun).unwrap(), [stun]);
}

/// RFC 8489 §5 and RFC 4571 §2: 16 bits of length are the bound, unless the limit is lower.
#[test]
fn the_longest_frames_are_taken_and_what_is_over_the_limit_is_an_error() {
    let data = vec![7; ChannelData::MAX_DATA];
    let longest = channel_data(&data);
    let mut decoder = FrameDecoder::new(Framing::Turn);
    for piece in longest[..longest.len() - 1].chunks(1000) {
        assert_eq!(decoder.next(&mut &piece[..]), Ok(None));
    }
    assert_eq!(decoder.held(), longest.len() - 1);
    let last = decoder.next(&mut &longest[longest.len() - 1..]).unwrap().map(<[u8]>::len);
    assert_eq!(last, Some(ChannelData::HEADER_SIZE + ChannelData::MAX_DATA));

    let error = FrameError::TooLong { length: 101, limit: 100 };
    let short = [&rfc4571_header(100).unwrap()[..], &[1; 100]].concat();
    for cut in [1, 2, 3] {
        let mut decoder = FrameDecoder::with_limit(Framing::Rfc4571, 100);
        assert_eq!(frames(&mut decoder, &short).unwrap().len(), 1);
        let long = [&rfc4571_header(101).unwrap()[..], &[1; 101]].concat();
        let (start, end) = long.split_at(cut);
        // The header is enough to tell.
        let told = frames(&mut decoder, start).and_then(|_| frames(&mut decoder, end));
        assert_eq!(told, Err(error), "{cut}");
        assert_eq!(decoder.held(), 0);
    }
    assert!(rfc4571_header(65_536).is_err());
}

#[test]
fn what_cannot_be_a_frame_ends_the_stream_as_soon_as_it_shows() {
    let stun = binding();
    let mut cookie = stun.clone();
    cookie[7] ^= 1;
    for (bytes, shows_at, error) in [
        (b"\x16\x03\x03\x00\x50".to_vec(), 1, FrameError::NotAFrame(0x16)),
        (b"\x50\x00\x00\x00".to_vec(), 1, FrameError::NotAFrame(0x50)),
        (b"\x00\x01\x00\x05".to_vec(), 4, FrameError::Unaligned(5)),
        (cookie, 8, FrameError::WrongCookie),
    ] {
        let mut decoder = FrameDecoder::new(Framing::Turn);
        assert_eq!(frames(&mut decoder, &stun).unwrap().len(), 1);
        assert_eq!(frames(&mut decoder, &bytes[..shows_at - 1]), Ok(Vec::new()));
        assert_eq!(frames(&mut decoder, &bytes[shows_at - 1..]), Err(error));
        // Nothing comes any more, whatever it is, and nothing is held.
        let mut more = &stun[..];
        assert_eq!(decoder.next(&mut more), Err(error));
        assert!(more.is_empty() && decoder.held() == 0);
        // In one piece with what was right, too.
        let mut decoder = FrameDecoder::new(Framing::Turn);
        let mut input = &[&stun[..], &bytes].concat()[..];
        assert_eq!(decoder.next(&mut input), Ok(Some(&stun[..])));
        assert_eq!(decoder.next(&mut input), Err(error));
        assert!(input.is_empty());
    }
}
