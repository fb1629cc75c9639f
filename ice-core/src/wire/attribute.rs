//! Attributes: their types, the walk over them, and the values that are more than a number (RFC 8489 §14).

use core::fmt;

use super::error::WireError;
use super::header::Class;

/// The number in front of an attribute. Below 0x8000 a receiver has to understand it (RFC 8489 §14).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct AttributeType(pub u16);

/// Who a message comes from, since it depends on that what has to be understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Usage {
    /// ICE's connectivity checks, from peers.
    Check,
    /// STUN and TURN, between servers and their clients.
    Server,
}

macro_rules! attribute_types {
    ($($usage:ident { $($(#[$doc:meta])* $name:ident = $number:literal $text:literal;)* })*) => {
        impl AttributeType {
            $($($(#[$doc])* pub const $name: Self = Self($number);)*)*

            /// The name in the RFC, if it is a type that this engine reads or writes, and where it does. What is known
            /// in checks is known everywhere.
            const fn known(self) -> Option<(&'static str, Usage)> {
                match self {
                    $($(Self::$name => Some(($text, Usage::$usage)),)*)*
                    _ => None,
                }
            }
        }
    };
}

attribute_types! { Check {
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
} Server {
    /// Asks a server to answer from another address (RFC 5780 §7.2).
    CHANGE_REQUEST = 0x0003 "CHANGE-REQUEST";
    /// The channel to be bound (RFC 8656 §18.1).
    CHANNEL_NUMBER = 0x000C "CHANNEL-NUMBER";
    /// How long an allocation lives (RFC 8656 §18.2).
    LIFETIME = 0x000D "LIFETIME";
    /// The peer, as the server sees it, masked (RFC 8656 §18.3).
    XOR_PEER_ADDRESS = 0x0012 "XOR-PEER-ADDRESS";
    /// What is relayed (RFC 8656 §18.4).
    DATA = 0x0013 "DATA";
    /// What was allocated, masked (RFC 8656 §18.5).
    XOR_RELAYED_ADDRESS = 0x0016 "XOR-RELAYED-ADDRESS";
    /// The family that is to be allocated (RFC 8656 §18.6).
    REQUESTED_ADDRESS_FAMILY = 0x0017 "REQUESTED-ADDRESS-FAMILY";
    /// Asks for an even port (RFC 8656 §18.7).
    EVEN_PORT = 0x0018 "EVEN-PORT";
    /// The protocol between server and peers (RFC 8656 §18.8).
    REQUESTED_TRANSPORT = 0x0019 "REQUESTED-TRANSPORT";
    /// Asks for the DF bit (RFC 8656 §18.9).
    DONT_FRAGMENT = 0x001A "DONT-FRAGMENT";
    /// How the key was derived from the password (RFC 8489 §14.12).
    PASSWORD_ALGORITHM = 0x001D "PASSWORD-ALGORITHM";
    /// Stands for USERNAME without telling it (RFC 8489 §14.4).
    USERHASH = 0x001E "USERHASH";
    /// Asks a server to answer to another port (RFC 5780 §7.5).
    RESPONSE_PORT = 0x0027 "RESPONSE-PORT";
    /// Names a port that the server holds in reserve (RFC 8656 §18.10).
    RESERVATION_TOKEN = 0x0022 "RESERVATION-TOKEN";
    /// A second family that is to be allocated (RFC 8656 §18.11).
    ADDITIONAL_ADDRESS_FAMILY = 0x8000 "ADDITIONAL-ADDRESS-FAMILY";
    /// Why one of two families was not allocated (RFC 8656 §18.12).
    ADDRESS_ERROR_CODE = 0x8001 "ADDRESS-ERROR-CODE";
    /// How a server is ready to derive the key (RFC 8489 §14.11).
    PASSWORD_ALGORITHMS = 0x8002 "PASSWORD-ALGORITHMS";
    /// The name in the certificate of ALTERNATE-SERVER (RFC 8489 §14.16).
    ALTERNATE_DOMAIN = 0x8003 "ALTERNATE-DOMAIN";
    /// Why something relayed was dropped further on (RFC 8656 §18.13).
    ICMP = 0x8004 "ICMP";
    /// Another server to be asked (RFC 8489 §14.15).
    ALTERNATE_SERVER = 0x8023 "ALTERNATE-SERVER";
    /// Where a response was sent from (RFC 5780 §7.3).
    RESPONSE_ORIGIN = 0x802B "RESPONSE-ORIGIN";
    /// Where CHANGE-REQUEST would have it sent from (RFC 5780 §7.4).
    OTHER_ADDRESS = 0x802C "OTHER-ADDRESS";
} }

impl AttributeType {
    /// Whether a receiver that does not know the type has to give up (RFC 8489 §14).
    pub const fn is_comprehension_required(self) -> bool {
        self.0 < 0x8000
    }

    /// Whether the type stands in the way of processing a message of this class.
    ///
    /// A check with an attribute of TURN gets a 420: to ignore it as known but unexpected (RFC 8489 §6.3) would be as
    /// good, but the part of us that answers peers knows nothing of TURN.
    pub(crate) const fn is_acceptable(self, class: Class, usage: Usage) -> bool {
        match self.0 {
            // SOURCE-ADDRESS, CHANGED-ADDRESS and REFLECTED-FROM are in responses of servers that still
            // speak classic STUN as well (RFC 8489 §18.3.1). They are hints that we can do without, while
            // CHANGE-REQUEST and RESPONSE-ADDRESS ask for something, and get a 420.
            0x0004 | 0x0005 | 0x000B => matches!(class, Class::Success | Class::Error),
            _ if !self.is_comprehension_required() => true,
            _ => match self.known() {
                Some((_, Usage::Check)) => true,
                Some((_, Usage::Server)) => matches!(usage, Usage::Server),
                None => false,
            },
        }
    }
}

impl fmt::Display for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known() {
            Some((name, _)) => f.write_str(name),
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

#[cfg(test)]
mod tests {
    use super::*;

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
            for (class, expected) in [
                (Class::Request, in_request),
                (Class::Indication, in_request),
                (Class::Success, in_response),
                (Class::Error, in_response),
            ] {
                assert_eq!(kind.is_acceptable(class, Usage::Check), expected, "{kind}");
            }
        }
    }

    #[test]
    fn what_servers_say_is_understood_from_servers_only() {
        for number in (0..0x8000_u16).filter(|number| !matches!(number, 0x0004 | 0x0005 | 0x000B)) {
            let kind = AttributeType(number);
            let from = |usage| kind.is_acceptable(Class::Success, usage);
            let of_servers = matches!(number, 0x0003 | 0x000C | 0x000D | 0x0012 | 0x0013 | 0x0016..=0x001A)
                || matches!(number, 0x001D | 0x001E | 0x0022 | 0x0027);
            assert_eq!(from(Usage::Server) && !from(Usage::Check), of_servers, "{kind}");
            assert!(from(Usage::Server) || !from(Usage::Check), "{kind}");
        }
    }
}
