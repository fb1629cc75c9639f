//! Attributes: their types, the walk over them, and the values that are more than a number (RFC 8489 §14).

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::error::WireError;
use super::header::{Class, MAGIC_COOKIE, TransactionId};

/// The number in front of an attribute. Below 0x8000 a receiver has to understand it (RFC 8489 §14).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct AttributeType(pub u16);

macro_rules! attribute_types {
    ($($(#[$doc:meta])* $name:ident = $number:literal $text:literal;)*) => {
        impl AttributeType {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            /// The name in the RFC, if it is a type that this engine reads or writes.
            const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

attribute_types! {
    /// The address as it is, which some NATs rewrite: understood, never used (RFC 8489 §14.1).
    MAPPED_ADDRESS = 0x0001 "MAPPED-ADDRESS";
    /// Names the password (RFC 8489 §14.3).
    USERNAME = 0x0006 "USERNAME";
    /// HMAC-SHA1 of what precedes it (RFC 8489 §14.5).
    MESSAGE_INTEGRITY = 0x0008 "MESSAGE-INTEGRITY";
    /// Why a request was refused (RFC 8489 §14.8).
    ERROR_CODE = 0x0009 "ERROR-CODE";
    /// What a 420 did not understand (RFC 8489 §14.13).
    UNKNOWN_ATTRIBUTES = 0x000A "UNKNOWN-ATTRIBUTES";
    /// Long-term credentials: where they are valid (RFC 8489 §14.9).
    REALM = 0x0014 "REALM";
    /// Long-term credentials: to be given back to the server (RFC 8489 §14.10).
    NONCE = 0x0015 "NONCE";
    /// HMAC-SHA256 of what precedes it (RFC 8489 §14.6).
    MESSAGE_INTEGRITY_SHA256 = 0x001C "MESSAGE-INTEGRITY-SHA256";
    /// The address that a request came from, masked (RFC 8489 §14.2).
    XOR_MAPPED_ADDRESS = 0x0020 "XOR-MAPPED-ADDRESS";
    /// What a peer-reflexive candidate would be worth (RFC 8445 §16.1).
    PRIORITY = 0x0024 "PRIORITY";
    /// Nominates the pair (RFC 8445 §16.1).
    USE_CANDIDATE = 0x0025 "USE-CANDIDATE";
    /// A description of the sender (RFC 8489 §14.14).
    SOFTWARE = 0x8022 "SOFTWARE";
    /// CRC-32 of what precedes it (RFC 8489 §14.7).
    FINGERPRINT = 0x8028 "FINGERPRINT";
    /// The sender is controlled; its tie-breaker (RFC 8445 §16.1).
    ICE_CONTROLLED = 0x8029 "ICE-CONTROLLED";
    /// The sender is controlling; its tie-breaker (RFC 8445 §16.1).
    ICE_CONTROLLING = 0x802A "ICE-CONTROLLING";
    /// A nomination that a later, larger one overrules: not in an RFC, the number is libwebrtc's.
    NOMINATION = 0xC001 "NOMINATION";
}

impl AttributeType {
    /// Whether a receiver that does not know the type has to give up (RFC 8489 §14).
    pub const fn is_comprehension_required(self) -> bool {
        self.0 < 0x8000
    }

    /// Whether the type stands in the way of processing a message of this class.
    pub(crate) const fn is_acceptable(self, class: Class) -> bool {
        match self.0 {
            // SOURCE-ADDRESS, CHANGED-ADDRESS and REFLECTED-FROM are in responses of servers that still
            // speak classic STUN as well (RFC 8489 §18.3.1). They are hints that we can do without, while
            // CHANGE-REQUEST and RESPONSE-ADDRESS ask for something, and get a 420.
            0x0004 | 0x0005 | 0x000B => matches!(class, Class::Success | Class::Error),
            _ => !self.is_comprehension_required() || self.name().is_some(),
        }
    }
}

impl fmt::Display for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "attribute {:#06x}", self.0),
        }
    }
}

impl fmt::Debug for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// All attributes of a message in their order, with those that do not count: duplicates, and
/// what follows MESSAGE-INTEGRITY. Values come without their padding.
#[derive(Clone, Debug)]
pub struct Attributes<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (AttributeType, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        take_attribute(&mut self.0)?.ok()
    }
}

/// Takes the next attribute from `rest`; after an error nothing is left of it.
pub(crate) fn take_attribute<'a>(
    rest: &mut &'a [u8],
) -> Option<Result<(AttributeType, &'a [u8]), WireError>> {
    let (&[type_high, type_low, length_high, length_low], after) = rest.split_first_chunk()?;
    let kind = AttributeType(u16::from_be_bytes([type_high, type_low]));
    let length = usize::from(u16::from_be_bytes([length_high, length_low]));
    let value = after.get(..length);
    *rest = after.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some(value.map(|value| (kind, value)).ok_or(WireError::AttributeOverrun(kind)))
}

/// How many types a 420 lists at most. RFC 8489 §6.3.1 wants them listed and names no bound; a
/// datagram can hold thousands, and the answer must not grow with what a stranger sends.
pub const MAX_UNKNOWN_REPORTED: usize = 8;

/// The comprehension-required types of a message that are not understood: each once, the first
/// [`MAX_UNKNOWN_REPORTED`] of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct UnknownAttributes {
    types: [AttributeType; MAX_UNKNOWN_REPORTED],
    count: usize,
}

impl UnknownAttributes {
    /// In the order of the message.
    pub fn as_slice(&self) -> &[AttributeType] {
        self.types.get(..self.count).unwrap_or_default()
    }

    /// Whether everything that has to be understood is.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn note(&mut self, kind: AttributeType) {
        if self.as_slice().contains(&kind) {
            return;
        }
        if let Some(free) = self.types.get_mut(self.count) {
            *free = kind;
            self.count += 1;
        }
    }
}

/// The role that a request claims, with the tie-breaker that decides a conflict (RFC 8445 §7.1.3,
/// §7.3.1.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RoleClaim {
    /// ICE-CONTROLLING.
    Controlling(u64),
    /// ICE-CONTROLLED.
    Controlled(u64),
}

impl RoleClaim {
    /// The number that decides a conflict.
    pub fn tie_breaker(self) -> u64 {
        match self {
            Self::Controlling(number) | Self::Controlled(number) => number,
        }
    }
}

// RFC 8489 §14.1: address families.
const FAMILY_V4: u8 = 1;
const FAMILY_V6: u8 = 2;

/// Reads a masked address (RFC 8489 §14.2). `Ok(None)` is a family that we do not know, which is to be
/// ignored (§6.3.3); `Err` is a size that does not belong to the family.
pub(crate) fn read_xor_address(value: &[u8], id: TransactionId) -> Result<Option<SocketAddr>, ()> {
    let (&[_, family, port_high, port_low], address) = value.split_first_chunk().ok_or(())?;
    let ip: IpAddr = match family {
        FAMILY_V4 => {
            let bits = u32::from_be_bytes(address.try_into().map_err(|_| ())?);
            Ipv4Addr::from_bits(bits ^ MAGIC_COOKIE).into()
        }
        FAMILY_V6 => {
            let bits = u128::from_be_bytes(address.try_into().map_err(|_| ())?);
            Ipv6Addr::from_bits(bits ^ mask_v6(id)).into()
        }
        _ => return Ok(None),
    };
    Ok(Some(SocketAddr::new(ip, u16::from_be_bytes([port_high, port_low]) ^ PORT_MASK)))
}

/// Writes a masked address (RFC 8489 §14.2): the bytes, and how many of them count.
pub(crate) fn write_xor_address(address: SocketAddr, id: TransactionId) -> ([u8; 20], usize) {
    let [port_high, port_low] = (address.port() ^ PORT_MASK).to_be_bytes();
    let (family, bits, size) = match address.ip() {
        // The four bytes go to the front of the sixteen.
        IpAddr::V4(ip) => (FAMILY_V4, u128::from(ip.to_bits() ^ MAGIC_COOKIE) << 96, 8),
        IpAddr::V6(ip) => (FAMILY_V6, ip.to_bits() ^ mask_v6(id), 20),
    };
    let mut value = [0; 20];
    let bytes = [0, family, port_high, port_low].into_iter().chain(bits.to_be_bytes());
    value.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    (value, size)
}

const PORT_MASK: u16 = (MAGIC_COOKIE >> 16) as u16;

/// The magic cookie, then the transaction id.
fn mask_v6(id: TransactionId) -> u128 {
    id.0.iter().fold(u128::from(MAGIC_COOKIE), |mask, byte| (mask << 8) | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: TransactionId = TransactionId(*b"\xB7\xE7\xA7\x01\xBC\x34\xD6\x86\xFA\x87\xDF\xAE");

    #[test]
    fn addresses_of_both_families_come_back() {
        for text in
            ["192.0.2.1:32853", "[2001:db8:1234:5678:11:2233:4455:6677]:32853", "0.0.0.0:0", "[::]:65535"]
        {
            let address: SocketAddr = text.parse().unwrap();
            let (value, size) = write_xor_address(address, ID);
            assert_eq!(read_xor_address(&value[..size], ID), Ok(Some(address)));
        }
    }

    #[test]
    fn an_address_of_the_wrong_size_is_an_error_and_an_unknown_family_is_not() {
        let (value, _) = write_xor_address("192.0.2.1:1".parse().unwrap(), ID);
        for size in [0, 3, 4, 7, 9, 20] {
            assert_eq!(read_xor_address(&value[..size], ID), Err(()), "{size}");
        }
        assert_eq!(read_xor_address(&[0, 2, 0, 0, 1, 2, 3, 4], ID), Err(()));
        assert_eq!(read_xor_address(&[0, 3, 0, 0, 1, 2, 3, 4], ID), Ok(None));
    }

    #[test]
    fn the_list_of_unknown_types_is_bounded_and_has_no_duplicates() {
        let mut unknown = UnknownAttributes::default();
        assert!(unknown.is_empty());
        for number in 0x100..0x100 + 2 * MAX_UNKNOWN_REPORTED as u16 {
            unknown.note(AttributeType(number));
            unknown.note(AttributeType(0x100));
        }
        let expected: [_; MAX_UNKNOWN_REPORTED] = core::array::from_fn(|i| AttributeType(0x100 + i as u16));
        assert_eq!(unknown.as_slice(), expected);
    }

    #[test]
    fn leftovers_of_classic_stun_are_tolerated_in_responses_only() {
        for (number, in_request, in_response) in [
            (0x0002, false, false),
            (0x0003, false, false),
            (0x0004, false, true),
            (0x0005, false, true),
            (0x0007, false, false),
            (0x000B, false, true),
            (0x0006, true, true),
            (0x8000, true, true),
            (0x7FFF, false, false),
        ] {
            let kind = AttributeType(number);
            assert_eq!(kind.is_acceptable(Class::Request), in_request, "{kind}");
            assert_eq!(kind.is_acceptable(Class::Indication), in_request, "{kind}");
            assert_eq!(kind.is_acceptable(Class::Success), in_response, "{kind}");
            assert_eq!(kind.is_acceptable(Class::Error), in_response, "{kind}");
        }
    }
}
