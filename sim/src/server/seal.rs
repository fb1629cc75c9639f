//! What seals a message, over its bytes as they came: MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 and FINGERPRINT
//! (RFC 8489 §14.5 to §14.7). `stun_codec` knows two of the three, and checks them over a re-encoding.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

pub(super) const MESSAGE_INTEGRITY: u16 = 0x0008;
pub(super) const MESSAGE_INTEGRITY_SHA256: u16 = 0x001C;
const FINGERPRINT: u16 = 0x8028;

/// Bytes in front of the attributes, and in front of an attribute's value.
pub(super) const HEADER: usize = 20;
const ATTRIBUTE_HEADER: usize = 4;
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
/// RFC 8489 §14.7: so that a CRC of an application's own is not taken for this one.
const FINGERPRINT_XOR: u32 = 0x5354_554E;

/// Where things are in a message that is whole, and whose FINGERPRINT, if any, is right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout<'b> {
    bytes: &'b [u8],
    /// What comes behind this has no meaning (RFC 8489 §14.5): the first seal, or the end.
    counted: usize,
    sha1: Option<Seal<'b>>,
    sha256: Option<Seal<'b>>,
    pub(super) has_fingerprint: bool,
}

/// An HMAC, and where its attribute starts.
#[derive(Clone, Copy, Debug)]
struct Seal<'b> {
    start: usize,
    hmac: &'b [u8],
}

impl<'b> Layout<'b> {
    /// `None` unless these bytes are one whole message (RFC 8489 §5, §6.3).
    pub(super) fn of(bytes: &'b [u8]) -> Option<Self> {
        let length = usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?));
        let whole = length % 4 == 0 && length + HEADER == bytes.len();
        if !whole || bytes.first()? >> 6 != 0 || bytes.get(4..8)? != MAGIC_COOKIE {
            return None;
        }
        let mut layout =
            Self { bytes, counted: bytes.len(), sha1: None, sha256: None, has_fingerprint: false };
        let mut walk = Walk { bytes, at: HEADER };
        while let Some((start, kind, value)) = walk.next() {
            let seal = Some(Seal { start, hmac: value });
            match kind {
                MESSAGE_INTEGRITY if layout.sha1.is_none() && layout.sha256.is_none() => layout.sha1 = seal,
                MESSAGE_INTEGRITY_SHA256 if layout.sha256.is_none() => layout.sha256 = seal,
                FINGERPRINT if walk.at == bytes.len() => {
                    let crc = fingerprint(bytes.get(..start)?);
                    if value != crc.to_be_bytes() {
                        return None;
                    }
                    layout.has_fingerprint = true;
                }
                _ => continue,
            }
            layout.counted = layout.counted.min(start);
        }
        (walk.at == bytes.len()).then_some(layout)
    }

    /// The message without its seals and what is behind them, as a message of its own.
    pub(super) fn without_seals(&self) -> Vec<u8> {
        let mut bytes = self.bytes.get(..self.counted).unwrap_or_default().to_vec();
        set_length(&mut bytes, 0);
        bytes
    }

    /// The attributes that count, in their order.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (u16, &'b [u8])> {
        let walk = Walk { bytes: self.bytes.get(..self.counted).unwrap_or_default(), at: HEADER };
        walk.map(|(_, kind, value)| (kind, value))
    }

    /// The value of the first attribute of this type that counts.
    pub(super) fn attribute(&self, wanted: u16) -> Option<&'b [u8]> {
        self.attributes().find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
    }

    pub(super) fn has_sha1(&self) -> bool {
        self.sha1.is_some()
    }

    pub(super) fn has_sha256(&self) -> bool {
        self.sha256.is_some()
    }

    /// Whether MESSAGE-INTEGRITY was made with this key.
    pub(super) fn sha1_matches(&self, key: &[u8]) -> bool {
        self.sha1.is_some_and(|seal| {
            let covered = self.bytes.get(..seal.start).unwrap_or_default();
            hmac::<Hmac<Sha1>>(key, covered, 20).is_some_and(|hmac| hmac.verify_slice(seal.hmac).is_ok())
        })
    }

    /// Whether MESSAGE-INTEGRITY-SHA256 was made with this key. It has to be whole: neither STUN nor TURN allow
    /// to cut it short (RFC 8489 §14.6).
    pub(super) fn sha256_matches(&self, key: &[u8]) -> bool {
        self.sha256.is_some_and(|seal| {
            let covered = self.bytes.get(..seal.start).unwrap_or_default();
            hmac::<Hmac<Sha256>>(key, covered, 32).is_some_and(|hmac| hmac.verify_slice(seal.hmac).is_ok())
        })
    }
}

/// Puts an attribute behind all others.
pub(super) fn append(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend(kind.to_be_bytes());
    message.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
    set_length(message, 0);
}

/// Ends the message with MESSAGE-INTEGRITY.
pub(super) fn seal_sha1(message: &mut Vec<u8>, key: &[u8]) {
    if let Some(hmac) = hmac::<Hmac<Sha1>>(key, message, 20) {
        append(message, MESSAGE_INTEGRITY, &hmac.finalize().into_bytes());
    }
}

/// Ends the message with MESSAGE-INTEGRITY-SHA256.
pub(super) fn seal_sha256(message: &mut Vec<u8>, key: &[u8]) {
    if let Some(hmac) = hmac::<Hmac<Sha256>>(key, message, 32) {
        append(message, MESSAGE_INTEGRITY_SHA256, &hmac.finalize().into_bytes());
    }
}

/// Ends the message with FINGERPRINT.
pub(super) fn seal_fingerprint(message: &mut Vec<u8>) {
    set_length(message, ATTRIBUTE_HEADER + 4);
    let crc = fingerprint(message);
    append(message, FINGERPRINT, &crc.to_be_bytes());
}

/// The HMAC of what is in front of a seal of so many bytes: the header's length already counts the seal (§14.5).
fn hmac<M: Mac + KeyInit>(key: &[u8], covered: &[u8], size: usize) -> Option<M> {
    let mut covered = covered.to_vec();
    set_length(&mut covered, ATTRIBUTE_HEADER + size);
    let mut hmac = <M as KeyInit>::new_from_slice(key).ok()?;
    hmac.update(&covered);
    Some(hmac)
}

/// Of a message up to its FINGERPRINT, whose header counts it already.
fn fingerprint(covered: &[u8]) -> u32 {
    crc32fast::hash(covered) ^ FINGERPRINT_XOR
}

/// Makes the header say how long the message will be with `more` bytes.
fn set_length(message: &mut [u8], more: usize) {
    let length = (message.len() + more).saturating_sub(HEADER);
    if let Some(field) = message.get_mut(2..4) {
        field.copy_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    }
}

/// Goes from attribute to attribute: where it starts, its type, its value. Stops where the bytes end too early.
struct Walk<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Iterator for Walk<'b> {
    type Item = (usize, u16, &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.bytes.get(self.at..)?;
        let &[kind_high, kind_low, high, low] = rest.first_chunk()?;
        let size = usize::from(u16::from_be_bytes([high, low]));
        let value = rest.get(ATTRIBUTE_HEADER..ATTRIBUTE_HEADER + size)?;
        let start = self.at;
        let next = start + ATTRIBUTE_HEADER + size.next_multiple_of(4);
        if next > self.bytes.len() {
            return None;
        }
        self.at = next;
        Some((start, u16::from_be_bytes([kind_high, kind_low]), value))
    }
}

#[cfg(test)]
mod tests {
    use md5::{Digest, Md5};

    use super::*;

    /// RFC 8489 Appendix B.1. Its header counts 20 bytes that it does not have, in the HMAC too.
    const VECTOR: &[u8] = b"\
        \x00\x01\x00\x9c\x21\x12\xa4\x42\x78\xad\x34\x33\xc6\xad\x72\xc0\x29\xda\x41\x2e\
        \x00\x1e\x00\x20\x4a\x3c\xf3\x8f\xef\x69\x92\xbd\xa9\x52\xc6\x78\x04\x17\xda\x0f\
        \x24\x81\x94\x15\x56\x9e\x60\xb2\x05\xc4\x6e\x41\x40\x7f\x17\x04\
        \x00\x15\x00\x29obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA\0\0\0\
        \x00\x14\x00\x0bexample.org\0\
        \x00\x1c\x00\x20\xe4\x68\x6c\x8f\x0e\xde\xb5\x90\x13\xe0\x70\x90\x01\x0a\x93\xef\
        \xcc\xbc\xcc\x54\x4c\x0a\x45\xd9\xf8\x30\xaa\x6d\x6f\x73\x5a\x01";
    const VECTOR_COUNTS_TOO_MUCH: usize = 20;

    /// RFC 5769 §2.4, with the long-term mechanism.
    const LONG_TERM: &[u8] = b"\
        \x00\x01\x00\x60\x21\x12\xa4\x42\x78\xad\x34\x33\xc6\xad\x72\xc0\x29\xda\x41\x2e\
        \x00\x06\x00\x12\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9\x00\x00\
        \x00\x15\x00\x1cf//499k954d6OL34oL9FSTvy64sA\
        \x00\x14\x00\x0bexample.org\x00\
        \x00\x08\x00\x14\xf6\x70\x24\x65\x6d\xd6\x4a\x3e\x02\xb8\xe0\x71\x2e\x85\xc9\xa2\x8c\xa8\x96\x66";

    const SECRET: &str = "マトリックス:example.org:TheMatrIX";

    fn md5() -> Vec<u8> {
        Md5::digest(SECRET).to_vec()
    }

    fn sha256() -> Vec<u8> {
        Sha256::digest(SECRET).to_vec()
    }

    /// The vector with a header that is right, sealed by us.
    fn message() -> Vec<u8> {
        let mut message = VECTOR[..VECTOR.len() - 36].to_vec();
        seal_sha256(&mut message, &sha256());
        message
    }

    #[test]
    fn the_vectors_have_our_seals() {
        let covered = &VECTOR[..VECTOR.len() - 36];
        let hmac = hmac::<Hmac<Sha256>>(&sha256(), covered, 32 + VECTOR_COUNTS_TOO_MUCH).unwrap();
        assert_eq!(hmac.finalize().into_bytes()[..], VECTOR[VECTOR.len() - 32..]);
        let layout = Layout::of(LONG_TERM).unwrap();
        assert!(layout.sha1_matches(&md5()) && !layout.sha1_matches(&sha256()));
        let mut message = LONG_TERM[..LONG_TERM.len() - 24].to_vec();
        seal_sha1(&mut message, &md5());
        assert_eq!(message, LONG_TERM);
    }

    #[test]
    fn no_byte_of_a_sealed_message_can_be_another() {
        for (message, sha1) in [(message(), false), (LONG_TERM.to_vec(), true)] {
            let matches = |bytes: &[u8]| {
                let Some(layout) = Layout::of(bytes) else { return false };
                if sha1 { layout.sha1_matches(&md5()) } else { layout.sha256_matches(&sha256()) }
            };
            assert!(matches(&message));
            for at in 0..message.len() {
                let mut changed = message.clone();
                changed[at] ^= 4;
                assert!(!matches(&changed), "byte {at}");
            }
        }
    }

    #[test]
    fn a_seal_that_was_cut_short_does_not_hold() {
        let mut message = VECTOR[..VECTOR.len() - 36].to_vec();
        let hmac = hmac::<Hmac<Sha256>>(&sha256(), &message, 16).unwrap().finalize().into_bytes();
        append(&mut message, MESSAGE_INTEGRITY_SHA256, &hmac[..16]);
        assert!(!Layout::of(&message).unwrap().sha256_matches(&sha256()));
    }

    #[test]
    fn a_fingerprint_is_right_or_the_message_is_none() {
        let mut message = message();
        seal_fingerprint(&mut message);
        let layout = Layout::of(&message).unwrap();
        assert!(layout.has_fingerprint && layout.sha256_matches(&sha256()));
        for at in 0..message.len() {
            let mut changed = message.clone();
            changed[at] ^= 1;
            assert!(Layout::of(&changed).is_none_or(|l| !l.has_fingerprint), "byte {at}");
        }
    }

    #[test]
    fn what_is_behind_a_seal_has_no_meaning() {
        let mut message = message();
        append(&mut message, 0x0006, b"mallory");
        let layout = Layout::of(&message).unwrap();
        assert_eq!(layout.attribute(0x0006), None);
        assert_eq!(layout.attributes().count(), 3);
        assert!(layout.sha256_matches(&sha256()));
        assert_eq!(Layout::of(&layout.without_seals()).unwrap().attributes().count(), 3);
    }

    #[test]
    fn half_a_message_or_more_than_one_is_none() {
        let message = message();
        for length in 0..message.len() {
            assert!(Layout::of(&message[..length]).is_none(), "{length}");
        }
        assert!(Layout::of(&[&message[..], &message].concat()).is_none());
        assert!(Layout::of(VECTOR).is_none());
        let mut claims_more = message;
        claims_more[23] = 0xFF;
        assert!(Layout::of(&claims_more).is_none());
    }
}
