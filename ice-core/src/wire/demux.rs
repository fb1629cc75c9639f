//! Which protocol a datagram belongs to, told by its first byte.

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
}
