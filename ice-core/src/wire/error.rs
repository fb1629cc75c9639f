//! Why bytes are refused, and why a message could not be written.

use core::fmt;

use super::attribute::AttributeType;
use super::demux::Kind;

/// Why bytes are not a STUN message that we take. The datagram is dropped without an answer (RFC 8489 §6.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum WireError {
    /// Empty, or shorter than the header of 20 bytes (RFC 8489 §5).
    TooShort,
    /// The first byte belongs to another protocol (RFC 7983 §7).
    NotStun(Kind),
    /// The length field is not a multiple of 4, or not what follows the header (RFC 8489 §5).
    LengthMismatch,
    /// The magic cookie is not there (RFC 8489 §5): classic STUN, or not STUN at all.
    WrongCookie,
    /// This attribute's length points past the end of the message (RFC 8489 §14).
    AttributeOverrun(AttributeType),
    /// This attribute is one that we know, and its size or content is not as specified (RFC 8489 §14,
    /// RFC 8445 §16.1).
    Malformed(AttributeType),
    /// ICE-CONTROLLED and ICE-CONTROLLING in one message: an agent has one role (RFC 8445 §7.1.3).
    TwoRoles,
    /// The CRC of FINGERPRINT is not that of the message (RFC 8489 §14.7).
    FingerprintMismatch,
    /// Something follows FINGERPRINT (RFC 8489 §14.7).
    FingerprintNotLast,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort => f.write_str("shorter than a STUN header"),
            Self::NotStun(kind) => write!(f, "not STUN by its first byte, but {kind:?}"),
            Self::LengthMismatch => f.write_str("the length field does not fit the datagram"),
            Self::WrongCookie => f.write_str("no magic cookie"),
            Self::AttributeOverrun(kind) => write!(f, "{kind} reaches past the end of the message"),
            Self::Malformed(kind) => write!(f, "{kind} has a wrong size or content"),
            Self::TwoRoles => f.write_str("claims both ICE roles"),
            Self::FingerprintMismatch => f.write_str("FINGERPRINT does not match"),
            Self::FingerprintNotLast => f.write_str("FINGERPRINT is not the last attribute"),
        }
    }
}

impl core::error::Error for WireError {}

/// Why a message does not prove that its writer knows the password (RFC 8489 §9.1.3, §9.1.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IntegrityError {
    /// There is no MESSAGE-INTEGRITY, or no MESSAGE-INTEGRITY-SHA256 if the key is for that one.
    Missing,
    /// The HMAC is another one: a wrong password, or bytes changed on the way.
    Mismatch,
    /// MESSAGE-INTEGRITY-SHA256 is cut short, which neither ICE nor TURN allows (RFC 8489 §14.6).
    Truncated,
}

impl fmt::Display for IntegrityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "no MESSAGE-INTEGRITY",
            Self::Mismatch => "MESSAGE-INTEGRITY does not match",
            Self::Truncated => "MESSAGE-INTEGRITY-SHA256 is cut short",
        })
    }
}

impl core::error::Error for IntegrityError {}

/// The message did not fit into the caller's buffer, or outgrew what a header can tell: 65,552 bytes of STUN, 65,535
/// bytes of data in ChannelData or in a frame of RFC 4571.
/// What the buffer holds is not a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BufferTooSmall;

impl fmt::Display for BufferTooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the message does not fit into the buffer, or its length not into its header")
    }
}

impl core::error::Error for BufferTooSmall {}

/// Why bytes are not a ChannelData message (RFC 8656 §12.6).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ChannelDataError {
    /// Shorter than its header, or than the length in it.
    TooShort,
    /// The first two bytes are this number, which is not one of a channel.
    NotAChannel(u16),
}

impl fmt::Display for ChannelDataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort => f.write_str("shorter than the ChannelData message tells"),
            Self::NotAChannel(number) => write!(f, "{number:#06x} is not the number of a channel"),
        }
    }
}

impl core::error::Error for ChannelDataError {}
