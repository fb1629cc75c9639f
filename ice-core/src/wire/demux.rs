//! Which protocol a datagram belongs to, told by its first byte, and whether it is STUN indeed.

use super::header::{HEADER_SIZE, MAGIC_COOKIE};

/// The protocols that share a socket with STUN (RFC 7983 §7).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// First byte 0 to 3.
    Stun,
    /// First byte 16 to 19.
    Zrtp,
    /// First byte 20 to 63.
    Dtls,
    /// First byte 64 to 79: ChannelData, if it comes from a TURN server of ours (RFC 8656 §12).
    TurnChannel,
    /// First byte 128 to 191: RTP or RTCP.
    Rtp,
    /// Any other first byte, or an empty datagram. The application may know what it is.
    Other,
}

/// Looks at the first byte only (RFC 7983 §7). [`Kind::Stun`] is a guess until
/// [`Message::parse`](super::Message::parse) has succeeded.
pub const fn classify(bytes: &[u8]) -> Kind {
    match bytes.first() {
        Some(0..=3) => Kind::Stun,
        Some(16..=19) => Kind::Zrtp,
        Some(20..=63) => Kind::Dtls,
        Some(64..=79) => Kind::TurnChannel,
        Some(128..=191) => Kind::Rtp,
        _ => Kind::Other,
    }
}

/// Whether a datagram is STUN or was before something damaged it.
///
/// The first byte alone would take WireGuard's packets, and many a home-made protocol's, for STUN (RFC 8489 §5 has
/// two more marks, and one of them is enough): the cookie is in its place, or the length that the header tells is
/// that of the datagram. Under eight bytes there is nothing to tell by, so the first byte decides.
pub fn is_stun(bytes: &[u8]) -> bool {
    let Some((&[first, _, high, low, c0, c1, c2, c3], _)) = bytes.split_first_chunk() else {
        return matches!(classify(bytes), Kind::Stun);
    };
    let told = usize::from(u16::from_be_bytes([high, low])) + HEADER_SIZE;
    first <= 3 && (u32::from_be_bytes([c0, c1, c2, c3]) == MAGIC_COOKIE || told == bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_has_the_edges_of_the_rfc() {
        let edges = [
            (0, 3, Kind::Stun),
            (4, 15, Kind::Other),
            (16, 19, Kind::Zrtp),
            (20, 63, Kind::Dtls),
            (64, 79, Kind::TurnChannel),
            (80, 127, Kind::Other),
            (128, 191, Kind::Rtp),
            (192, 255, Kind::Other),
        ];
        for (first, last, kind) in edges {
            assert_eq!(classify(&[first]), kind, "{first}");
            assert_eq!(classify(&[last, 0]), kind, "{last}");
        }
        assert_eq!(classify(&[]), Kind::Other);
    }

    #[test]
    fn wireguard_is_not_taken_for_stun_and_damaged_stun_is() {
        let mut handshake = [0; 148];
        handshake[0] = 1;
        let mut keepalive = [0x5a; 32];
        keepalive[..4].copy_from_slice(&[4, 0, 0, 0]);
        assert!(!is_stun(&handshake) && !is_stun(&keepalive));
        let mut stun = [0; 28];
        stun[..8].copy_from_slice(&[0, 1, 0, 8, 0x21, 0x12, 0xA4, 0x42]);
        assert!(is_stun(&stun));
        assert!((1..stun.len()).all(|length| is_stun(&stun[..length])));
        for bit in 6..stun.len() * 8 {
            let mut flipped = stun;
            flipped[bit / 8] ^= 0x80 >> (bit % 8);
            assert!(is_stun(&flipped), "bit {bit}");
        }
        assert!(is_stun(&[0]) && !is_stun(&[4]) && !is_stun(&[]));
    }
}
