//! The other codec: `stun_codec`, an independent reading of the RFCs. It gets a fresh decoder for each message, and
//! only the attributes that the engine reads, too: what neither looks at cannot differ.

use bytecodec::{DecodeExt, EncodeExt};
use floe_core::wire::{Class, RoleClaim};
use stun_codec::rfc5245::attributes::{IceControlled, IceControlling, Priority, UseCandidate};
use stun_codec::rfc5389::attributes::{
    ErrorCode, Fingerprint, MessageIntegrity, Nonce, Realm, Software, UnknownAttributes, Username,
    XorMappedAddress,
};
use stun_codec::rfc5389::methods::BINDING;
use stun_codec::{
    AttributeType, Message, MessageClass, MessageDecoder, MessageEncoder, TransactionId,
    define_attribute_enums,
};

use crate::stun::{self, PASSWORD, Spec, View};

define_attribute_enums!(
    Known,
    KnownDecoder,
    KnownEncoder,
    [
        Username,
        MessageIntegrity,
        ErrorCode,
        UnknownAttributes,
        Realm,
        Nonce,
        XorMappedAddress,
        Software,
        Fingerprint,
        Priority,
        UseCandidate,
        IceControlled,
        IceControlling
    ]
);

/// Reads a message; `None` if the codec refuses it.
pub fn read(bytes: &[u8]) -> Option<View> {
    let message = MessageDecoder::<Known>::new().decode_from_bytes(bytes).ok()?.ok()?;
    let class = match message.class() {
        MessageClass::Request => Class::Request,
        MessageClass::Indication => Class::Indication,
        MessageClass::SuccessResponse => Class::Success,
        MessageClass::ErrorResponse => Class::Error,
    };
    let mut view = Spec {
        class,
        id: *message.transaction_id().as_bytes(),
        attributes: Vec::new(),
        integrity: false,
        fingerprint: message.get_attribute::<Fingerprint>().is_some(),
    }
    .view();
    view.method = message.method().as_u16();
    let seal = message.get_attribute::<MessageIntegrity>();
    view.integrity = seal.map(|seal| seal.check_short_term_credential(PASSWORD).is_ok());
    let mut seen_unknown_attributes = false;
    for attribute in message.attributes().take_while(|a| !matches!(a, Known::MessageIntegrity(_))) {
        match attribute {
            Known::Username(it) => first(&mut view.username, it.name().into()),
            Known::ErrorCode(it) => first(&mut view.error_code, (it.code(), it.reason_phrase().into())),
            Known::Realm(it) => first(&mut view.realm, it.text().into()),
            Known::Nonce(it) => first(&mut view.nonce, it.value().into()),
            Known::XorMappedAddress(it) => first(&mut view.xor_mapped_address, it.address()),
            Known::Software(it) => first(&mut view.software, it.description().into()),
            Known::Priority(it) => first(&mut view.priority, it.prio()),
            Known::UseCandidate(_) => view.use_candidate = true,
            Known::IceControlled(it) => first(&mut view.role, RoleClaim::Controlled(it.prio())),
            Known::IceControlling(it) => first(&mut view.role, RoleClaim::Controlling(it.prio())),
            Known::UnknownAttributes(it) if !seen_unknown_attributes => {
                seen_unknown_attributes = true;
                view.unknown_attributes = it.unknowns().iter().map(|kind| kind.as_u16()).collect();
            }
            Known::UnknownAttributes(_) | Known::MessageIntegrity(_) | Known::Fingerprint(_) => {}
        }
    }
    Some(view)
}

/// Writes a message; `None` if the codec will not.
pub fn write(spec: &Spec) -> Option<Vec<u8>> {
    let class = match spec.class {
        Class::Request => MessageClass::Request,
        Class::Indication => MessageClass::Indication,
        Class::Success => MessageClass::SuccessResponse,
        Class::Error => MessageClass::ErrorResponse,
    };
    let mut message = Message::<Known>::new(class, BINDING, TransactionId::new(spec.id));
    for attribute in spec.attributes.iter().cloned() {
        match attribute {
            stun::Attribute::Username(name) => message.add_attribute(Username::new(name).ok()?),
            stun::Attribute::Priority(priority) => message.add_attribute(Priority::new(priority)),
            stun::Attribute::UseCandidate => message.add_attribute(UseCandidate::new()),
            stun::Attribute::Role(RoleClaim::Controlling(number)) => {
                message.add_attribute(IceControlling::new(number));
            }
            stun::Attribute::Role(RoleClaim::Controlled(number)) => {
                message.add_attribute(IceControlled::new(number));
            }
            stun::Attribute::XorMappedAddress(address) => {
                message.add_attribute(XorMappedAddress::new(address));
            }
            stun::Attribute::ErrorCode(code, reason) => {
                message.add_attribute(ErrorCode::new(code, reason).ok()?);
            }
            stun::Attribute::UnknownAttributes(types) => {
                message.add_attribute(UnknownAttributes::new(
                    types.into_iter().map(AttributeType::new).collect(),
                ));
            }
            stun::Attribute::Software(text) => message.add_attribute(Software::new(text).ok()?),
            stun::Attribute::Realm(text) => message.add_attribute(Realm::new(text).ok()?),
            stun::Attribute::Nonce(text) => message.add_attribute(Nonce::new(text).ok()?),
        }
    }
    if spec.integrity {
        message.add_attribute(MessageIntegrity::new_short_term_credential(&message, PASSWORD).ok()?);
    }
    if spec.fingerprint {
        message.add_attribute(Fingerprint::new(&message).ok()?);
    }
    MessageEncoder::new().encode_into_bytes(message).ok()
}

/// Of several the first counts.
fn first<T>(place: &mut Option<T>, value: T) {
    place.get_or_insert(value);
}
