//! What STUN and TURN servers and their clients say beyond ICE's checks: RFC 8489's long-term mechanism and redirection,
//! TURN (RFC 8656 §18), and behaviour discovery (RFC 5780 §7).

use core::net::SocketAddr;
use core::time::Duration;

use super::address::{AddressFamily, read_address, read_xor_address};
use super::attribute::{AttributeType, Attributes, UnknownAttributes, Usage};
use super::channel::ChannelNumber;
use super::error::WireError;
use super::error_code::ErrorCode;
use super::header::{Class, TransactionId};
use super::long_term::{PasswordAlgorithms, USERHASH_SIZE};
use super::message::{Message, fixed};

/// UDP's number, for REQUESTED-TRANSPORT (RFC 8656 §18.8): the only protocol between server and peers so far.
pub const UDP: u8 = 17;

/// The longest ALTERNATE-DOMAIN (RFC 8489 §14.16).
const MAX_DOMAIN: usize = 255;

/// The attributes of a message that comes from a server, or goes to one, checked once and then read in place. All others,
/// such as XOR-MAPPED-ADDRESS, ERROR-CODE, REALM and NONCE, are those of the [`Message`].
///
/// As there, the getters tell the first attribute of a type, and none that the seal does not cover. What can be there
/// several times is walked over: nothing is stored, and so nothing grows with the message.
///
/// ```
/// use floe_core::wire::{Class, Message, MessageWriter, Method, ServerAttributes, TransactionId};
///
/// let mut buffer = [0; 128];
/// let peer = "192.0.2.1:4000".parse()?;
/// let length = MessageWriter::new(&mut buffer, Class::Indication, Method::DATA, TransactionId([7; 12]))
///     .xor_peer_address(peer)
///     .data(b"hello")
///     .finish()?;
///
/// let message = Message::parse(&buffer[..length])?;
/// let relayed = ServerAttributes::read(&message)?;
/// assert!(relayed.unknown_required().is_empty());
/// assert_eq!((relayed.xor_peer_addresses().next(), relayed.data()), (Some(peer), Some(&b"hello"[..])));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ServerAttributes<'a> {
    class: Class,
    id: TransactionId,
    /// The attributes that count.
    counted: &'a [u8],
    channel_number: Option<ChannelNumber>,
    lifetime: Option<u32>,
    data: Option<&'a [u8]>,
    requested_address_family: Option<AddressFamily>,
    additional_address_family: Option<AddressFamily>,
    address_error: Option<(AddressFamily, ErrorCode<'a>)>,
    even_port: Option<bool>,
    requested_transport: Option<u8>,
    dont_fragment: bool,
    reservation_token: Option<[u8; 8]>,
    icmp: Option<Icmp>,
    alternate_domain: Option<&'a str>,
    userhash: Option<&'a [u8; USERHASH_SIZE]>,
    password_algorithm: Option<PasswordAlgorithms<'a>>,
    password_algorithms: Option<PasswordAlgorithms<'a>>,
    mapped_address: Option<SocketAddr>,
    change_request: Option<ChangeRequest>,
    response_port: Option<u16>,
    response_origin: Option<SocketAddr>,
    other_address: Option<SocketAddr>,
    unknown_required: UnknownAttributes,
}

/// What CHANGE-REQUEST asks for (RFC 5780 §7.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ChangeRequest {
    /// An answer from another IP address.
    pub ip: bool,
    /// An answer from another port.
    pub port: bool,
}

/// Why something relayed was dropped behind the server (RFC 8656 §18.13).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Icmp {
    /// The type, of ICMP or of ICMPv6 by the family of the peer's address.
    pub kind: u8,
    /// The code of the type.
    pub code: u8,
    /// With ICMP's type 3, code 4, and with ICMPv6's type 2, the MTU of the link that was too narrow. Otherwise 0.
    pub data: u32,
}

impl<'a> ServerAttributes<'a> {
    /// Reads the attributes of a message, in one pass.
    ///
    /// # Errors
    /// [`WireError::Malformed`]: one that counts has not the size or content of its section.
    pub fn read(message: &Message<'a>) -> Result<Self, WireError> {
        let counted = message.counted_attributes();
        let mut attributes = Self {
            class: message.class(),
            id: message.transaction_id(),
            counted: counted.0,
            channel_number: None,
            lifetime: None,
            data: None,
            requested_address_family: None,
            additional_address_family: None,
            address_error: None,
            even_port: None,
            requested_transport: None,
            dont_fragment: false,
            reservation_token: None,
            icmp: None,
            alternate_domain: None,
            userhash: None,
            password_algorithm: None,
            password_algorithms: None,
            mapped_address: None,
            change_request: None,
            response_port: None,
            response_origin: None,
            other_address: None,
            unknown_required: UnknownAttributes::default(),
        };
        for (kind, value) in counted {
            attributes.take(kind, value).ok_or(WireError::Malformed(kind))?;
        }
        Ok(attributes)
    }

    /// One attribute; `None` if it is malformed. A second of its type falls through to the end (RFC 8489 §14), but for those
    /// that are walked over: all of these are checked.
    fn take(&mut self, kind: AttributeType, value: &'a [u8]) -> Option<()> {
        match kind {
            AttributeType::XOR_PEER_ADDRESS | AttributeType::XOR_RELAYED_ADDRESS => {
                read_xor_address(value, self.id).ok()?;
            }
            AttributeType::ALTERNATE_SERVER => {
                read_address(value).ok()?;
            }
            AttributeType::CHANNEL_NUMBER if self.channel_number.is_none() => {
                let [high, low, _, _] = fixed(kind, value).ok()?;
                self.channel_number = Some(ChannelNumber::new(u16::from_be_bytes([high, low]))?);
            }
            AttributeType::LIFETIME if self.lifetime.is_none() => {
                self.lifetime = Some(u32::from_be_bytes(fixed(kind, value).ok()?));
            }
            AttributeType::DATA if self.data.is_none() => self.data = Some(value),
            AttributeType::REQUESTED_ADDRESS_FAMILY if self.requested_address_family.is_none() => {
                self.requested_address_family = Some(read_family(value)?);
            }
            AttributeType::ADDITIONAL_ADDRESS_FAMILY if self.additional_address_family.is_none() => {
                self.additional_address_family = Some(read_family(value)?);
            }
            AttributeType::ADDRESS_ERROR_CODE if self.address_error.is_none() => {
                // The family stands in what is reserved in ERROR-CODE.
                let family = AddressFamily(*value.first()?);
                self.address_error = Some((family, ErrorCode::read(value)?));
            }
            AttributeType::EVEN_PORT if self.even_port.is_none() => {
                let [flags] = fixed(kind, value).ok()?;
                self.even_port = Some(flags & 0x80 != 0);
            }
            AttributeType::REQUESTED_TRANSPORT if self.requested_transport.is_none() => {
                let [protocol, _, _, _] = fixed(kind, value).ok()?;
                self.requested_transport = Some(protocol);
            }
            AttributeType::DONT_FRAGMENT if !self.dont_fragment => {
                let [] = fixed(kind, value).ok()?;
                self.dont_fragment = true;
            }
            AttributeType::RESERVATION_TOKEN if self.reservation_token.is_none() => {
                self.reservation_token = Some(fixed(kind, value).ok()?);
            }
            AttributeType::ICMP if self.icmp.is_none() => self.icmp = Some(read_icmp(value)?),
            AttributeType::ALTERNATE_DOMAIN if self.alternate_domain.is_none() => {
                self.alternate_domain = Some(read_domain(value)?);
            }
            AttributeType::USERHASH if self.userhash.is_none() => {
                self.userhash = Some(value.try_into().ok()?);
            }
            AttributeType::PASSWORD_ALGORITHM if self.password_algorithm.is_none() => {
                let one = PasswordAlgorithms::read(value).filter(|list| list.iter().count() == 1);
                self.password_algorithm = Some(one?);
            }
            AttributeType::PASSWORD_ALGORITHMS if self.password_algorithms.is_none() => {
                self.password_algorithms = Some(PasswordAlgorithms::read(value)?);
            }
            AttributeType::MAPPED_ADDRESS if self.mapped_address.is_none() => {
                self.mapped_address = read_address(value).ok()?;
            }
            AttributeType::CHANGE_REQUEST if self.change_request.is_none() => {
                let flags = u32::from_be_bytes(fixed(kind, value).ok()?);
                self.change_request = Some(ChangeRequest { ip: flags & 4 != 0, port: flags & 2 != 0 });
            }
            AttributeType::RESPONSE_PORT if self.response_port.is_none() => {
                let [high, low, _, _] = fixed(kind, value).ok()?;
                self.response_port = Some(u16::from_be_bytes([high, low]));
            }
            AttributeType::RESPONSE_ORIGIN if self.response_origin.is_none() => {
                self.response_origin = read_address(value).ok()?;
            }
            AttributeType::OTHER_ADDRESS if self.other_address.is_none() => {
                self.other_address = read_address(value).ok()?;
            }
            _ if !kind.is_acceptable(self.class, Usage::Server) => self.unknown_required.note(kind),
            _ => {}
        }
        Some(())
    }

    /// CHANNEL-NUMBER (RFC 8656 §18.1).
    pub const fn channel_number(&self) -> Option<ChannelNumber> {
        self.channel_number
    }

    /// LIFETIME, in whole seconds (RFC 8656 §18.2).
    pub fn lifetime(&self) -> Option<Duration> {
        self.lifetime.map(|seconds| Duration::from_secs(seconds.into()))
    }

    /// Every XOR-PEER-ADDRESS of a known family (RFC 8656 §18.3): CreatePermission has several.
    pub fn xor_peer_addresses(&self) -> impl Iterator<Item = SocketAddr> + 'a {
        self.xor_addresses(AttributeType::XOR_PEER_ADDRESS)
    }

    /// DATA, which may be empty (RFC 8656 §18.4).
    pub const fn data(&self) -> Option<&'a [u8]> {
        self.data
    }

    /// Every XOR-RELAYED-ADDRESS of a known family (RFC 8656 §18.5): an answer to ADDITIONAL-ADDRESS-FAMILY has two.
    pub fn xor_relayed_addresses(&self) -> impl Iterator<Item = SocketAddr> + 'a {
        self.xor_addresses(AttributeType::XOR_RELAYED_ADDRESS)
    }

    /// REQUESTED-ADDRESS-FAMILY (RFC 8656 §18.6).
    pub const fn requested_address_family(&self) -> Option<AddressFamily> {
        self.requested_address_family
    }

    /// ADDITIONAL-ADDRESS-FAMILY (RFC 8656 §18.11).
    pub const fn additional_address_family(&self) -> Option<AddressFamily> {
        self.additional_address_family
    }

    /// ADDRESS-ERROR-CODE: which family was not allocated, and why: 440 or 508 (RFC 8656 §18.12).
    pub const fn address_error(&self) -> Option<(AddressFamily, ErrorCode<'a>)> {
        self.address_error
    }

    /// EVEN-PORT, and whether the port above is to be held in reserve (RFC 8656 §18.7).
    pub const fn even_port(&self) -> Option<bool> {
        self.even_port
    }

    /// REQUESTED-TRANSPORT, the number of a protocol (RFC 8656 §18.8).
    pub const fn requested_transport(&self) -> Option<u8> {
        self.requested_transport
    }

    /// Whether DONT-FRAGMENT is there (RFC 8656 §18.9).
    pub const fn dont_fragment(&self) -> bool {
        self.dont_fragment
    }

    /// RESERVATION-TOKEN (RFC 8656 §18.10).
    pub const fn reservation_token(&self) -> Option<[u8; 8]> {
        self.reservation_token
    }

    /// ICMP (RFC 8656 §18.13).
    pub const fn icmp(&self) -> Option<Icmp> {
        self.icmp
    }

    /// Every ALTERNATE-SERVER of a known family (RFC 8489 §14.15): first one of the family of the request, perhaps one of
    /// the other (§10).
    pub fn alternate_servers(&self) -> impl Iterator<Item = SocketAddr> + 'a {
        self.values(AttributeType::ALTERNATE_SERVER).filter_map(|value| read_address(value).ok()?)
    }

    /// ALTERNATE-DOMAIN, the name in that server's certificate (RFC 8489 §14.16).
    pub const fn alternate_domain(&self) -> Option<&'a str> {
        self.alternate_domain
    }

    /// USERHASH (RFC 8489 §14.4).
    pub const fn userhash(&self) -> Option<&'a [u8; USERHASH_SIZE]> {
        self.userhash
    }

    /// PASSWORD-ALGORITHM, a list of one (RFC 8489 §14.12).
    pub const fn password_algorithm(&self) -> Option<PasswordAlgorithms<'a>> {
        self.password_algorithm
    }

    /// PASSWORD-ALGORITHMS (RFC 8489 §14.11).
    pub const fn password_algorithms(&self) -> Option<PasswordAlgorithms<'a>> {
        self.password_algorithms
    }

    /// MAPPED-ADDRESS, unless its family is unknown (RFC 8489 §14.1). Of use only where there is no XOR-MAPPED-ADDRESS: servers of
    /// classic STUN.
    pub const fn mapped_address(&self) -> Option<SocketAddr> {
        self.mapped_address
    }

    /// CHANGE-REQUEST (RFC 5780 §7.2).
    pub const fn change_request(&self) -> Option<ChangeRequest> {
        self.change_request
    }

    /// RESPONSE-PORT (RFC 5780 §7.5).
    pub const fn response_port(&self) -> Option<u16> {
        self.response_port
    }

    /// RESPONSE-ORIGIN, unless its family is unknown (RFC 5780 §7.3).
    pub const fn response_origin(&self) -> Option<SocketAddr> {
        self.response_origin
    }

    /// OTHER-ADDRESS, unless its family is unknown (RFC 5780 §7.4).
    pub const fn other_address(&self) -> Option<SocketAddr> {
        self.other_address
    }

    /// What has to be understood and is not, neither of ICE's nor of servers' attributes. A response or an indication that
    /// has such is dropped (RFC 8489 §6.3.2 to §6.3.4).
    pub const fn unknown_required(&self) -> UnknownAttributes {
        self.unknown_required
    }

    fn xor_addresses(&self, kind: AttributeType) -> impl Iterator<Item = SocketAddr> + 'a {
        let id = self.id;
        self.values(kind).filter_map(move |value| read_xor_address(value, id).ok()?)
    }

    fn values(&self, wanted: AttributeType) -> impl Iterator<Item = &'a [u8]> + 'a {
        Attributes(self.counted).filter_map(move |(kind, value)| (kind == wanted).then_some(value))
    }
}

fn read_family(value: &[u8]) -> Option<AddressFamily> {
    let [family, _, _, _]: [u8; 4] = value.try_into().ok()?;
    Some(AddressFamily(family))
}

/// RFC 8656 §18.13 draws 7 and 9 bits for type and code; they are the bytes that ICMP has, and others write them so.
fn read_icmp(value: &[u8]) -> Option<Icmp> {
    let [_, _, kind, code, d0, d1, d2, d3]: [u8; 8] = value.try_into().ok()?;
    Some(Icmp { kind, code, data: u32::from_be_bytes([d0, d1, d2, d3]) })
}

/// It will be compared with a certificate: nothing but what a name of DNS can be.
fn read_domain(value: &[u8]) -> Option<&str> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let fits = (1..=MAX_DOMAIN).contains(&value.len()) && value.iter().all(is_name);
    core::str::from_utf8(value).ok().filter(|_| fits)
}
