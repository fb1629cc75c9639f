//! Who may use a server, and with which keys (RFC 8489 §9.2.2). Passwords are not kept, only what is derived from them.

use md5::Md5;
use sha2::{Digest, Sha256};

/// How a key is made of a password (RFC 8489 §18.5.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PasswordAlgorithm {
    /// MD5, for clients that know nothing else.
    Md5,
    /// SHA-256.
    Sha256,
}

impl PasswordAlgorithm {
    /// The value of PASSWORD-ALGORITHM: a number, and no parameters (RFC 8489 §14.12).
    pub(super) const fn value(self) -> [u8; 4] {
        match self {
            Self::Md5 => [0, 1, 0, 0],
            Self::Sha256 => [0, 2, 0, 0],
        }
    }
}

/// What a response is sealed with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Signer {
    /// Nothing.
    None,
    /// MESSAGE-INTEGRITY with this key.
    Sha1(Vec<u8>),
    /// MESSAGE-INTEGRITY-SHA256 with this key.
    Sha256(Vec<u8>),
}

impl Signer {
    /// One that the client will not take for the server's.
    pub(super) fn with_another_key(&self) -> Self {
        let other = |key: &[u8]| key.iter().map(|byte| !byte).collect();
        match self {
            Self::None => Self::None,
            Self::Sha1(key) => Self::Sha1(other(key)),
            Self::Sha256(key) => Self::Sha256(other(key)),
        }
    }
}

/// One user.
pub(super) struct User {
    pub(super) name: String,
    md5: [u8; 16],
    sha256: [u8; 32],
    hash: [u8; 32],
}

impl User {
    /// All three have been prepared as RFC 8265's OpaqueString already; plain ASCII always is.
    pub(super) fn new(name: &str, realm: &str, password: &str) -> Self {
        let secret = format!("{name}:{realm}:{password}");
        Self {
            name: name.to_owned(),
            md5: Md5::digest(&secret).into(),
            sha256: Sha256::digest(&secret).into(),
            hash: Sha256::digest(format!("{name}:{realm}")).into(),
        }
    }

    pub(super) fn key(&self, algorithm: PasswordAlgorithm) -> &[u8] {
        match algorithm {
            PasswordAlgorithm::Md5 => &self.md5,
            PasswordAlgorithm::Sha256 => &self.sha256,
        }
    }

    /// Whether USERHASH means this user (RFC 8489 §14.4).
    pub(super) fn is_hashed_as(&self, userhash: &[u8]) -> bool {
        self.hash == userhash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn keys_and_hashes_are_those_of_the_rfc() {
        let user = User::new("user", "realm", "pass");
        assert_eq!(hex(user.key(PasswordAlgorithm::Md5)), "8493fbc53ba582fb4c044c456bdc40eb", "§9.2.2");
        // §18.5.1.2: the same string; sha256sum says so.
        assert_eq!(
            hex(user.key(PasswordAlgorithm::Sha256)),
            "07e934117abd40836e7c6329b54731b2b2d2a5f9a71f544922d75e0730d8251b"
        );
        let matrix = User::new("マトリックス", "example.org", "TheMatrIX");
        let userhash = "4a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704";
        assert_eq!(hex(&matrix.hash), userhash, "Appendix B.1");
        assert!(matrix.is_hashed_as(&matrix.hash) && !matrix.is_hashed_as(&user.hash));
        assert!(!matrix.is_hashed_as(&[]));
    }
}
