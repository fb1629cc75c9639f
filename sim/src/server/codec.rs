//! Requests read and responses written, with `stun_codec`: a reading of the RFCs that shares nothing with the engine's own.
//!
//! Each message gets a fresh decoder: one that has failed stays in an odd state. Where the codec lacks an attribute, or
//! reads it wrongly (CHANGE-REQUEST's flags, address families that it does not know), its bytes are read here.

use bytecodec::{DecodeExt, EncodeExt};
use stun_codec::rfc5389::attributes::{
    AlternateServer, ErrorCode, MappedAddress, Nonce, Realm, Software, UnknownAttributes, Username,
    XorMappedAddress,
};
use stun_codec::rfc5766::attributes::{
    ChannelNumber, Data, DontFragment, EvenPort, Lifetime, RequestedTransport, ReservationToken,
    XorPeerAddress, XorRelayAddress,
};
use stun_codec::rfc5780::attributes::{OtherAddress, ResponseOrigin};
use stun_codec::{
    AttributeType, Message, MessageClass, MessageDecoder, MessageEncoder, Method, TransactionId,
    define_attribute_enums,
};

use super::credentials::Signer;
use super::seal::{self, Layout};

define_attribute_enums!(
    Attribute,
    AttributeDecoder,
    AttributeEncoder,
    [
        AlternateServer,
        ChannelNumber,
        Data,
        DontFragment,
        ErrorCode,
        EvenPort,
        Lifetime,
        MappedAddress,
        Nonce,
        OtherAddress,
        Realm,
        RequestedTransport,
        ReservationToken,
        ResponseOrigin,
        Software,
        UnknownAttributes,
        XorMappedAddress,
        XorPeerAddress,
        XorRelayAddress
    ]
);

// What says who the client is. It is read apart: a request that is broken elsewhere is refused under its seal.
define_attribute_enums!(Claim, ClaimDecoder, ClaimEncoder, [Username, Realm, Nonce]);

pub(super) const USERNAME: u16 = 0x0006;
pub(super) const REALM: u16 = 0x0014;
pub(super) const NONCE: u16 = 0x0015;
pub(super) const REQUESTED_ADDRESS_FAMILY: u16 = 0x0017;
pub(super) const PASSWORD_ALGORITHM: u16 = 0x001D;
pub(super) const USERHASH: u16 = 0x001E;
pub(super) const ADDITIONAL_ADDRESS_FAMILY: u16 = 0x8000;
pub(super) const ADDRESS_ERROR_CODE: u16 = 0x8001;
pub(super) const PASSWORD_ALGORITHMS: u16 = 0x8002;
pub(super) const ICMP: u16 = 0x8004;

/// A message from a client, read as far as it could be.
pub(super) struct Incoming<'b> {
    pub(super) class: MessageClass,
    pub(super) method: Method,
    pub(super) id: TransactionId,
    /// None if one of them is malformed.
    pub(super) claims: Option<Message<Claim>>,
    /// None if one of them is malformed.
    pub(super) attributes: Option<Message<Attribute>>,
    pub(super) layout: Layout<'b>,
}

impl<'b> Incoming<'b> {
    /// `None` if it is not one whole message, which is nothing to answer (RFC 8489 §6.3).
    pub(super) fn read(bytes: &'b [u8]) -> Option<Self> {
        let layout = Layout::of(bytes)?;
        let counted = layout.without_seals();
        let attributes = MessageDecoder::<Attribute>::new().decode_from_bytes(&counted).ok()?;
        let claims = MessageDecoder::<Claim>::new().decode_from_bytes(&counted).ok()?;
        let (class, method, id) = match &attributes {
            Ok(message) => (message.class(), message.method(), message.transaction_id()),
            Err(broken) => (broken.class(), broken.method(), broken.transaction_id()),
        };
        Some(Self { class, method, id, claims: claims.ok(), attributes: attributes.ok(), layout })
    }

    /// Attributes that must be understood and are not among `known`, each once (RFC 8489 §6.3.1).
    pub(super) fn unknown_required(&self, known: &[u16]) -> Vec<u16> {
        let required = self.layout.attributes().map(|(kind, _)| kind).filter(|kind| *kind < 0x8000);
        let mut unknown: Vec<u16> = required.filter(|kind| !known.contains(kind)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        unknown
    }
}

/// What is written to a client.
#[derive(Clone)]
pub(super) struct Outgoing {
    message: Message<Attribute>,
    /// Behind those that the codec knows.
    raw: Vec<(u16, Vec<u8>)>,
}

impl Outgoing {
    pub(super) fn new(class: MessageClass, method: Method, id: TransactionId) -> Self {
        Self { message: Message::new(class, method, id), raw: Vec::new() }
    }

    pub(super) fn success(to: &Incoming<'_>) -> Self {
        Self::new(MessageClass::SuccessResponse, to.method, to.id)
    }

    /// An error response, with the phrase that the code's RFC has for it.
    pub(super) fn error(to: &Incoming<'_>, code: u16) -> Self {
        let mut error = Self::new(MessageClass::ErrorResponse, to.method, to.id);
        if let Ok(attribute) = ErrorCode::new(code, reason(code).to_owned()) {
            error.add(attribute);
        }
        error
    }

    /// 420, with the types that were not understood (RFC 8489 §14.13).
    pub(super) fn unknown_attributes(to: &Incoming<'_>, types: &[u16]) -> Self {
        let mut error = Self::error(to, 420);
        error.add(UnknownAttributes::new(types.iter().copied().map(AttributeType::new).collect()));
        error
    }

    pub(super) fn is_success(&self) -> bool {
        self.message.class() == MessageClass::SuccessResponse
    }

    pub(super) fn add(&mut self, attribute: impl Into<Attribute>) {
        self.message.add_attribute(attribute);
    }

    /// Adds an attribute that the codec does not know.
    pub(super) fn add_raw(&mut self, kind: u16, value: Vec<u8>) {
        self.raw.push((kind, value));
    }

    /// The bytes of it. None if the codec will not write it.
    pub(super) fn encode(self, signer: &Signer, with_fingerprint: bool) -> Option<Vec<u8>> {
        let mut bytes = MessageEncoder::new().encode_into_bytes(self.message).ok()?;
        for (kind, value) in self.raw {
            seal::append(&mut bytes, kind, &value);
        }
        match signer {
            Signer::None => {}
            Signer::Sha1(key) => seal::seal_sha1(&mut bytes, key),
            Signer::Sha256(key) => seal::seal_sha256(&mut bytes, key),
        }
        if with_fingerprint {
            seal::seal_fingerprint(&mut bytes);
        }
        Some(bytes)
    }
}

/// RFC 8489 §14.8, RFC 8656 §19, RFC 6062 §6.3.
pub(super) fn reason(code: u16) -> &'static str {
    match code {
        300 => "Try Alternate",
        400 => "Bad Request",
        401 => "Unauthenticated",
        403 => "Forbidden",
        420 => "Unknown Attribute",
        437 => "Allocation Mismatch",
        438 => "Stale Nonce",
        440 => "Address Family not Supported",
        441 => "Wrong Credentials",
        442 => "Unsupported Transport Protocol",
        443 => "Peer Address Family Mismatch",
        446 => "Connection Already Exists",
        447 => "Connection Timeout or Failure",
        486 => "Allocation Quota Reached",
        500 => "Server Error",
        508 => "Insufficient Capacity",
        _ => "Error",
    }
}
