//! ERROR-CODE: why a request was refused (RFC 8489 §14.8).

use super::message::MAX_TEXT;

/// A code from 300 to 699 and a phrase for people.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ErrorCode<'a> {
    code: u16,
    reason: &'a str,
}

impl ErrorCode<'static> {
    /// 300: another server is to be asked (RFC 8489 §10).
    pub const TRY_ALTERNATE: Self = Self { code: 300, reason: "Try Alternate" };
    /// 400: the request lacks something that it must have (RFC 8489 §14.8).
    pub const BAD_REQUEST: Self = Self { code: 400, reason: "Bad Request" };
    /// 401: the credentials are wrong, or have to be given (RFC 8489 §14.8).
    pub const UNAUTHENTICATED: Self = Self { code: 401, reason: "Unauthenticated" };
    /// 403: known, but not allowed to (RFC 8656 §19).
    pub const FORBIDDEN: Self = Self { code: 403, reason: "Forbidden" };
    /// 420: a comprehension-required attribute was not understood (RFC 8489 §14.8).
    pub const UNKNOWN_ATTRIBUTE: Self = Self { code: 420, reason: "Unknown Attribute" };
    /// 437: there is no allocation, or there is one already (RFC 8656 §19).
    pub const ALLOCATION_MISMATCH: Self = Self { code: 437, reason: "Allocation Mismatch" };
    /// 438: the NONCE is too old; a new one is with it (RFC 8489 §14.8).
    pub const STALE_NONCE: Self = Self { code: 438, reason: "Stale Nonce" };
    /// 440: no addresses of this family here (RFC 8656 §19).
    pub const ADDRESS_FAMILY_NOT_SUPPORTED: Self = Self { code: 440, reason: "Address Family not Supported" };
    /// 441: the allocation belongs to another user (RFC 8656 §19).
    pub const WRONG_CREDENTIALS: Self = Self { code: 441, reason: "Wrong Credentials" };
    /// 442: no such protocol between server and peers (RFC 8656 §19).
    pub const UNSUPPORTED_TRANSPORT_PROTOCOL: Self =
        Self { code: 442, reason: "Unsupported Transport Protocol" };
    /// 443: the peer's family is not that of the allocation (RFC 8656 §19).
    pub const PEER_ADDRESS_FAMILY_MISMATCH: Self = Self { code: 443, reason: "Peer Address Family Mismatch" };
    /// 486: this user has as many allocations as are allowed (RFC 8656 §19).
    pub const ALLOCATION_QUOTA_REACHED: Self = Self { code: 486, reason: "Allocation Quota Reached" };
    /// 487: both agents claim the same role (RFC 8445 §7.3.1.1).
    pub const ROLE_CONFLICT: Self = Self { code: 487, reason: "Role Conflict" };
    /// 500: a passing fault of the server's (RFC 8489 §14.8).
    pub const SERVER_ERROR: Self = Self { code: 500, reason: "Server Error" };
    /// 508: no more room, or none of this kind (RFC 8656 §19).
    pub const INSUFFICIENT_CAPACITY: Self = Self { code: 508, reason: "Insufficient Capacity" };
}

impl<'a> ErrorCode<'a> {
    /// `None` unless `code` is from 300 to 699 and `reason` is shorter than 128 characters (RFC 8489 §14.8).
    pub fn new(code: u16, reason: &'a str) -> Option<Self> {
        let fits = (300..=699).contains(&code) && reason.chars().count() < 128;
        fits.then_some(Self { code, reason })
    }

    /// The number, 300 to 699.
    pub const fn code(self) -> u16 {
        self.code
    }

    /// The phrase. It is for people only: no two implementations agree on it.
    pub const fn reason(self) -> &'a str {
        self.reason
    }

    /// The value of an ERROR-CODE attribute. The reserved bits are ignored; a phrase that is not
    /// UTF-8 is taken for an empty one, because nothing depends on it.
    pub(crate) fn read(value: &'a [u8]) -> Option<Self> {
        let (&[_, _, class, number], reason) = value.split_first_chunk::<4>()?;
        let class = class & 0b111;
        let valid = (3..=6).contains(&class) && number <= 99 && reason.len() <= MAX_TEXT;
        valid.then(|| Self {
            code: u16::from(class) * 100 + u16::from(number),
            reason: core::str::from_utf8(reason).unwrap_or_default(),
        })
    }

    /// The four bytes in front of the phrase.
    pub(crate) const fn head(self) -> [u8; 4] {
        // Both fit: the code is at most 699.
        [0, 0, (self.code / 100) as u8, (self.code % 100) as u8]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_split_into_hundreds_and_rest() {
        assert_eq!(ErrorCode::ROLE_CONFLICT.head(), [0, 0, 4, 87]);
        assert_eq!(ErrorCode::read(&[0, 0, 4, 87, b'x']), ErrorCode::new(487, "x"));
        assert_eq!(ErrorCode::read(&[0xFF, 0xFF, 0xF8 | 3, 0]), ErrorCode::new(300, ""), "reserved bits");
    }

    #[test]
    fn what_the_section_forbids_is_none() {
        for value in [&[0, 0, 2, 99][..], &[0, 0, 7, 0], &[0, 0, 4, 100], &[0, 0, 4], &[]] {
            assert_eq!(ErrorCode::read(value), None, "{value:?}");
        }
        assert_eq!(ErrorCode::new(299, ""), None);
        assert_eq!(ErrorCode::new(700, ""), None);
        assert_eq!(ErrorCode::new(400, core::str::from_utf8(&[b'x'; 128]).unwrap()), None);
    }

    #[test]
    fn a_phrase_in_another_encoding_does_not_hide_the_code() {
        assert_eq!(ErrorCode::read(&[0, 0, 4, 1, 0xE9]), ErrorCode::new(401, ""));
    }
}
