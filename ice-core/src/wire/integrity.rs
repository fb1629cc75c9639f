//! The two seals: MESSAGE-INTEGRITY (who wrote it) and FINGERPRINT (is it STUN at all).

use core::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

/// Bytes in an HMAC-SHA1 (RFC 8489 §14.5).
pub(crate) const HMAC_SIZE: usize = 20;

/// SHA-1's block: what a key is padded or hashed to (RFC 2104 §2).
const BLOCK_SIZE: usize = 64;

/// "STUN" in ASCII, so that an application's own CRC is not taken for ours (RFC 8489 §14.7).
const FINGERPRINT_XOR: u32 = 0x5354_554E;

/// A key with the part of HMAC-SHA1 that depends on nothing else already computed, which saves two
/// of the five SHA-1 blocks of a connectivity check. Make one for each password and keep it.
#[derive(Clone)]
pub struct IntegrityKey(Hmac<Sha1>);

impl IntegrityKey {
    /// The key of the short-term mechanism, which ICE uses: the password itself (RFC 8489 §9.1.1).
    pub fn short_term(password: &str) -> Self {
        Self::from_bytes(password.as_bytes())
    }

    /// A key of any length, such as the hash that the long-term mechanism derives (RFC 8489 §9.2.2).
    pub fn from_bytes(key: &[u8]) -> Self {
        let mut block = [0; BLOCK_SIZE];
        if let Some(start) = block.get_mut(..key.len()) {
            start.copy_from_slice(key);
        } else {
            // RFC 2104 §2: a key longer than a block is replaced by its hash.
            block.iter_mut().zip(Sha1::digest(key)).for_each(|(to, from)| *to = from);
        }
        Self(Hmac::new(&block.into()))
    }

    /// The HMAC over a message that starts with `message`, up to but without its MESSAGE-INTEGRITY,
    /// as if the header's length ended with that attribute (RFC 8489 §14.5). The bytes are not copied.
    pub(crate) fn hmac(&self, message: &[u8], length: u16) -> [u8; HMAC_SIZE] {
        let mut hmac = self.0.clone();
        if let Some((&[type_high, type_low, _, _], rest)) = message.split_first_chunk() {
            let [length_high, length_low] = length.to_be_bytes();
            hmac.update(&[type_high, type_low, length_high, length_low]);
            hmac.update(rest);
        }
        hmac.finalize().into_bytes().into()
    }

    /// The same, compared in a time that does not tell how much of it was right.
    pub(crate) fn matches(&self, message: &[u8], length: u16, expected: &[u8]) -> bool {
        self.hmac(message, length).ct_eq(expected).into()
    }
}

impl fmt::Debug for IntegrityKey {
    /// Never the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IntegrityKey(..)")
    }
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
        for size in [0, 1, 63, 64, 65, 256] {
            let key = alloc::vec![0xAA; size];
            let mut reference = Hmac::<Sha1>::new_from_slice(&key).unwrap();
            reference.update(b"\0\x01\0\x18rest");
            let expected: [u8; HMAC_SIZE] = reference.finalize().into_bytes().into();
            assert_eq!(IntegrityKey::from_bytes(&key).hmac(b"\0\x01\xFF\xFFrest", 0x18), expected, "{size}");
        }
    }
}
