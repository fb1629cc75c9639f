//! The seals: MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256 (who wrote it) and FINGERPRINT (is it STUN at all).

use core::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::attribute::AttributeType;
use super::header::HEADER_SIZE;

/// Bytes in an HMAC-SHA1 (RFC 8489 §14.5).
pub(crate) const HMAC_SIZE: usize = 20;

/// Bytes in an HMAC-SHA256 that is not cut short (RFC 8489 §14.6).
const HMAC_SHA256_SIZE: usize = 32;

/// The block of both hashes: what a key is padded or hashed to (RFC 2104 §2).
const BLOCK_SIZE: usize = 64;

/// "STUN" in ASCII, so that an application's own CRC is not taken for ours (RFC 8489 §14.7).
const FINGERPRINT_XOR: u32 = 0x5354_554E;

/// A key, and with which of the two seals it is used: MESSAGE-INTEGRITY, or MESSAGE-INTEGRITY-SHA256.
///
/// The part of the HMAC that depends on nothing else is already computed, which saves two of the five SHA-1 blocks of a
/// connectivity check. Make one for each password and keep it.
#[derive(Clone)]
pub struct IntegrityKey(Keyed);

#[derive(Clone)]
enum Keyed {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
}

/// The value of a seal.
pub(crate) struct Seal {
    bytes: [u8; HMAC_SHA256_SIZE],
    size: usize,
}

impl Seal {
    fn new(hmac: &[u8]) -> Self {
        let mut bytes = [0; HMAC_SHA256_SIZE];
        bytes.iter_mut().zip(hmac).for_each(|(to, from)| *to = *from);
        Self { bytes, size: hmac.len() }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.size).unwrap_or_default()
    }
}

impl IntegrityKey {
    /// The key of the short-term mechanism, which ICE uses: the password itself (RFC 8489 §9.1.1). For
    /// MESSAGE-INTEGRITY, which is what ICE's peers agree on.
    pub fn short_term(password: &str) -> Self {
        Self::from_bytes(password.as_bytes())
    }

    /// A key of any length for MESSAGE-INTEGRITY. [`Self::long_term`] derives one.
    pub fn from_bytes(key: &[u8]) -> Self {
        Self(Keyed::Sha1(Hmac::new(&block::<Sha1>(key).into())))
    }

    /// A key of any length for MESSAGE-INTEGRITY-SHA256. [`Self::long_term_sha256`] derives one.
    pub fn from_bytes_sha256(key: &[u8]) -> Self {
        Self(Keyed::Sha256(Hmac::new(&block::<Sha256>(key).into())))
    }

    /// The attribute that this key makes and checks.
    pub const fn attribute(&self) -> AttributeType {
        match self.0 {
            Keyed::Sha1(_) => AttributeType::MESSAGE_INTEGRITY,
            Keyed::Sha256(_) => AttributeType::MESSAGE_INTEGRITY_SHA256,
        }
    }

    /// Bytes in the value of that attribute.
    pub(crate) const fn size(&self) -> usize {
        match self.0 {
            Keyed::Sha1(_) => HMAC_SIZE,
            Keyed::Sha256(_) => HMAC_SHA256_SIZE,
        }
    }

    /// The HMAC over a message up to but without its seal, as if the header's length ended with that attribute
    /// (RFC 8489 §14.5, §14.6). The bytes are not copied.
    pub(crate) fn seal(&self, message: &[u8]) -> Seal {
        // Out of range only for a message that its writer does not finish.
        let length = (message.len() + 4 + self.size()).saturating_sub(HEADER_SIZE) as u16;
        match &self.0 {
            Keyed::Sha1(hmac) => {
                Seal::new(&with_length(hmac.clone(), message, length).finalize().into_bytes())
            }
            Keyed::Sha256(hmac) => {
                Seal::new(&with_length(hmac.clone(), message, length).finalize().into_bytes())
            }
        }
    }

    /// The same, compared in a time that does not tell how much of it was right.
    pub(crate) fn matches(&self, message: &[u8], expected: &[u8]) -> bool {
        self.seal(message).as_bytes().ct_eq(expected).into()
    }
}

impl fmt::Debug for IntegrityKey {
    /// Never the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IntegrityKey(..)")
    }
}

/// The key as a block of the hash (RFC 2104 §2): filled up with zeros, or, if it is longer, its hash.
fn block<D: Digest>(key: &[u8]) -> [u8; BLOCK_SIZE] {
    let mut block = [0; BLOCK_SIZE];
    if let Some(start) = block.get_mut(..key.len()) {
        start.copy_from_slice(key);
    } else {
        block.iter_mut().zip(D::digest(key)).for_each(|(to, from)| *to = from);
    }
    block
}

fn with_length<M: Mac>(mut hmac: M, message: &[u8], length: u16) -> M {
    if let Some((&[type_high, type_low, _, _], rest)) = message.split_first_chunk() {
        let [length_high, length_low] = length.to_be_bytes();
        hmac.update(&[type_high, type_low, length_high, length_low]);
        hmac.update(rest);
    }
    hmac
}

/// The value of FINGERPRINT over all that precedes it (RFC 8489 §14.7).
pub(crate) fn fingerprint(message: &[u8]) -> u32 {
    crc32fast::hash(message) ^ FINGERPRINT_XOR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_printed() {
        assert_eq!(alloc::format!("{:?}", IntegrityKey::short_term("secret")), "IntegrityKey(..)");
    }

    #[test]
    fn keys_around_the_block_size_are_those_of_rfc_2104() {
        // 28 bytes, 20 of them a header: with the seal 8 + 24 and 8 + 36.
        let message = b"\0\x01\xFF\xFFrest of the message.....";
        let adjusted = |length: u8| [&[0, 1, 0, length], &message[4..]].concat();
        for size in [0, 1, 63, 64, 65, 256] {
            let key = alloc::vec![0xAA; size];
            let mut reference = Hmac::<Sha1>::new_from_slice(&key).unwrap();
            reference.update(&adjusted(8 + 24));
            let expected = reference.finalize().into_bytes();
            assert_eq!(IntegrityKey::from_bytes(&key).seal(message).as_bytes(), &expected[..], "{size}");
            let mut reference = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            reference.update(&adjusted(8 + 36));
            let expected = reference.finalize().into_bytes();
            assert_eq!(
                IntegrityKey::from_bytes_sha256(&key).seal(message).as_bytes(),
                &expected[..],
                "{size}"
            );
        }
    }
}
