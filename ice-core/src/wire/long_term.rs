//! The long-term mechanism of servers (RFC 8489 §9.2): keys, hidden usernames, and what a nonce promises.
//!
//! Usernames, realms and passwords are taken as they are. RFC 8489 §9.2.2 wants them prepared with the profile OpaqueString
//! (RFC 8265 §4.2), which leaves printable ASCII alone. An application with others passes them prepared; a realm has
//! been prepared by its server (§14.9).

use md5::Md5;
use sha1::Digest;
use sha2::Sha256;

use super::attribute::{AttributeType, take_attribute};
use super::integrity::IntegrityKey;

/// Bytes in USERHASH (RFC 8489 §14.4).
pub const USERHASH_SIZE: usize = 32;

/// What stands for the username towards a server that offers anonymity (RFC 8489 §14.4).
pub fn userhash(username: &str, realm: &str) -> [u8; USERHASH_SIZE] {
    joined::<Sha256>(&[username, realm]).finalize().into()
}

/// How the key is derived from the password (RFC 8489 §18.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PasswordAlgorithm {
    /// The one of servers that list none.
    Md5,
    /// The stronger one.
    Sha256,
}

impl PasswordAlgorithm {
    /// The number in IANA's registry.
    pub const fn number(self) -> u16 {
        match self {
            Self::Md5 => 1,
            Self::Sha256 => 2,
        }
    }

    /// One that we know, by its number and its parameters: neither of them has any (RFC 8489 §18.5.1).
    fn known(number: u16, parameters: &[u8]) -> Option<Self> {
        let known = [Self::Md5, Self::Sha256].into_iter().find(|algorithm| algorithm.number() == number);
        known.filter(|_| parameters.is_empty())
    }
}

/// The list in PASSWORD-ALGORITHMS, and the single entry of PASSWORD-ALGORITHM (RFC 8489 §14.11, §14.12).
///
/// A client keeps the bytes of the server's list, and gives them back as they are (§9.2.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PasswordAlgorithms<'a>(&'a [u8]);

impl<'a> PasswordAlgorithms<'a> {
    /// `None` unless the bytes are a list, of whole words, whose entries fill it.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        while let Some(entry) = take_attribute(&mut rest) {
            entry.ok()?;
        }
        bytes.len().is_multiple_of(4).then_some(Self(bytes))
    }

    /// The bytes of the list.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Numbers and parameters, the server's favourite first. They may be ones that we do not know.
    pub fn iter(self) -> impl Iterator<Item = (u16, &'a [u8])> {
        let mut rest = self.0;
        // The entries have the form of attributes.
        core::iter::from_fn(move || {
            take_attribute(&mut rest)?.ok().map(|(AttributeType(number), parameters)| (number, parameters))
        })
    }

    /// The one that a client has to use: the first that it knows (RFC 8489 §9.2.5).
    pub fn first_known(self) -> Option<PasswordAlgorithm> {
        self.iter().find_map(|(number, parameters)| PasswordAlgorithm::known(number, parameters))
    }
}

impl IntegrityKey {
    /// The key towards a server that lists no algorithms: by MD5, for MESSAGE-INTEGRITY (RFC 8489 §9.2.2).
    pub fn long_term(username: &str, realm: &str, password: &str) -> Self {
        Self::from_bytes(&long_term_hash::<Md5>(username, realm, password))
    }

    /// The key towards a server that has sent PASSWORD-ALGORITHMS: by the algorithm chosen from it, for
    /// MESSAGE-INTEGRITY-SHA256 (RFC 8489 §9.2.5).
    pub fn long_term_sha256(
        algorithm: PasswordAlgorithm,
        username: &str,
        realm: &str,
        password: &str,
    ) -> Self {
        match algorithm {
            PasswordAlgorithm::Md5 => {
                Self::from_bytes_sha256(&long_term_hash::<Md5>(username, realm, password))
            }
            PasswordAlgorithm::Sha256 => {
                Self::from_bytes_sha256(&long_term_hash::<Sha256>(username, realm, password))
            }
        }
    }
}

/// RFC 8489 §9.2.2: the quotes around username and realm do not count, nor do nulls at an end.
fn long_term_hash<D: Digest>(username: &str, realm: &str, password: &str) -> sha1::digest::Output<D> {
    joined::<D>(&[unquoted(username), unquoted(realm), without_nulls(password)]).finalize()
}

fn unquoted(text: &str) -> &str {
    let text = without_nulls(text);
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

fn without_nulls(text: &str) -> &str {
    text.trim_end_matches('\0')
}

/// The hash of the parts with colons between them.
fn joined<D: Digest>(parts: &[&str]) -> D {
    let mut hash = D::new();
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            hash.update(b":");
        }
        hash.update(part);
    }
    hash
}

/// What a server is able to do, which it tells in the first 13 characters of its nonces, so that nobody on the way can
/// take it out of an answer unnoticed (RFC 8489 §9.2, §9.2.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SecurityFeatures(u32);

impl SecurityFeatures {
    /// `None` unless the nonce starts with the cookie, that is, unless the server keeps RFC 8489.
    pub fn of_nonce(nonce: &[u8]) -> Option<Self> {
        let (digits, _) = nonce.strip_prefix(NONCE_COOKIE)?.split_first_chunk::<4>()?;
        digits.iter().try_fold(0, |bits, digit| Some(bits << 6 | base64_value(*digit)?)).map(Self)
    }

    /// The server lists PASSWORD-ALGORITHMS: an answer without is forged (RFC 8489 §9.2.5).
    pub const fn password_algorithms(self) -> bool {
        self.has(0)
    }

    /// The server wants USERHASH instead of USERNAME (RFC 8489 §9.2.5).
    pub const fn username_anonymity(self) -> bool {
        self.has(1)
    }

    /// RFC 8489 §18.1 counts the 24 bits from the left; its example in Appendix B, and erratum 6290, from the right. There
    /// are servers of both minds. Nothing else has been assigned, so either place means the feature.
    const fn has(self, bit: u32) -> bool {
        self.0 & (1 << (23 - bit) | 1 << bit) != 0
    }
}

/// RFC 8489 §9.2.
const NONCE_COOKIE: &[u8] = b"obMatJos2";

/// RFC 4648 §4.
fn base64_value(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn the_keys_are_those_of_the_rfc() {
        // RFC 8489 §9.2.2.
        let expected = b"\x84\x93\xfb\xc5\x3b\xa5\x82\xfb\x4c\x04\x4c\x45\x6b\xdc\x40\xeb";
        assert_eq!(long_term_hash::<Md5>("user", "realm", "pass")[..], *expected);
        assert_eq!(long_term_hash::<Md5>("\"user\"\0", "\"realm\"", "pass\0\0")[..], *expected);
        assert_ne!(long_term_hash::<Md5>("user", "realm", "\"pass\"")[..], *expected);
        assert_eq!(long_term_hash::<Sha256>("user", "realm", "pass"), Sha256::digest("user:realm:pass"));
        assert_eq!(userhash("user", "realm")[..], Sha256::digest("user:realm")[..]);
    }

    #[test]
    fn a_key_is_for_the_seal_that_goes_with_its_mechanism() {
        let classic = IntegrityKey::long_term("user", "realm", "pass");
        assert_eq!(classic.attribute(), AttributeType::MESSAGE_INTEGRITY);
        for algorithm in [PasswordAlgorithm::Md5, PasswordAlgorithm::Sha256] {
            let key = IntegrityKey::long_term_sha256(algorithm, "user", "realm", "pass");
            assert_eq!(key.attribute(), AttributeType::MESSAGE_INTEGRITY_SHA256);
        }
    }

    #[test]
    fn features_are_read_from_the_nonce_whichever_end_the_server_counts_from() {
        let features = |nonce: &str| {
            let features = SecurityFeatures::of_nonce(nonce.as_bytes())?;
            Some((features.password_algorithms(), features.username_anonymity()))
        };
        for (nonce, expected) in [
            ("obMatJos2AAAAxyz", Some((false, false))),
            ("obMatJos2gAAAxyz", Some((true, false))),
            ("obMatJos2QAAA", Some((false, true))),
            ("obMatJos2wAAA", Some((true, true))),
            ("obMatJos2+AAA", Some((true, true))),
            ("obMatJos2AAAB", Some((true, false))),
            ("obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA", Some((false, true))),
            ("obMatJos2AAAD", Some((true, true))),
            // What is not assigned yet.
            ("obMatJos2P//8", Some((false, false))),
            ("obMatJos2AAA", None),
            ("obMatJos2AA=A", None),
            ("obMatJos3AAAA", None),
            ("", None),
        ] {
            assert_eq!(features(nonce), expected, "{nonce}");
        }
    }

    #[test]
    fn of_a_list_the_first_known_algorithm_is_taken() {
        let list = |bytes| PasswordAlgorithms::read(bytes).map(PasswordAlgorithms::first_known);
        let (md5, sha256) = (Some(PasswordAlgorithm::Md5), Some(PasswordAlgorithm::Sha256));
        assert_eq!(list(&[0, 2, 0, 0, 0, 1, 0, 0]), Some(sha256));
        assert_eq!(list(&[0, 1, 0, 0, 0, 2, 0, 0]), Some(md5));
        assert_eq!(list(&[0, 9, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0, 0, 2, 0, 0]), Some(sha256));
        // One of ours with parameters is not ours.
        assert_eq!(list(&[0, 2, 0, 1, 7, 0, 0, 0, 0, 1, 0, 0]), Some(md5));
        assert_eq!(list(&[0, 3, 0, 0]), Some(None));
        assert_eq!(list(&[]), Some(None));
        for wrong in [&[0][..], &[0, 2, 0], &[0, 2, 0, 1], &[0, 2, 0, 0, 0, 1], &[0, 2, 0, 9, 1, 2, 3, 4]] {
            assert_eq!(list(wrong), None, "{wrong:?}");
        }
        let bytes = [0, 9, 0, 1, 5, 0, 0, 0, 0, 2, 0, 0];
        let all: Vec<_> = PasswordAlgorithms::read(&bytes).unwrap().iter().collect();
        assert_eq!(all, [(9, &[5][..]), (2, &[])]);
    }
}
