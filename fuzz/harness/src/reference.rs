//! STUN as `stun_codec` reads it: an independent reading of the RFCs to hold ours against.
//!
//! Messages that only one of the two accepts are not compared. Where both do, they agree, but for:
//!
//! * `stun_codec` knows no MESSAGE-INTEGRITY-SHA256, so of a message with one only the header is compared;
//! * it does not stop at MESSAGE-INTEGRITY, so what stands behind is left out here;
//! * its MESSAGE-INTEGRITY covers what it would have written itself, so the verdict is compared only where that is what came.

use bytecodec::{DecodeExt as _, EncodeExt as _};
use floe_core::wire::{AttributeType, Class, Message, RoleClaim};
use stun_codec::rfc5245::attributes::{IceControlled, IceControlling, Priority, UseCandidate};
use stun_codec::rfc5389::attributes::{
    ErrorCode, Fingerprint, MessageIntegrity, Nonce, Realm, Software, UnknownAttributes, Username,
    XorMappedAddress,
};
use stun_codec::{MessageClass, MessageDecoder, MessageEncoder};

stun_codec::define_attribute_enums!(
    Known,
    KnownDecoder,
    KnownEncoder,
    [
        ErrorCode,
        Fingerprint,
        IceControlled,
        IceControlling,
        MessageIntegrity,
        Nonce,
        Priority,
        Realm,
        Software,
        UnknownAttributes,
        UseCandidate,
        Username,
        XorMappedAddress
    ]
);

/// The longest datagram that is compared: `stun_codec` copies a message for each seal in it.
const MAX_COMPARED: usize = 1_500;

/// Panics if the two readings differ. `password` is the one to verify with.
pub(crate) fn compare(ours: &Message<'_>, password: &str, verified: bool) {
    if ours.bytes().len() > MAX_COMPARED {
        return;
    }
    // A decoder that has failed once does not recover: a fresh one for each message.
    let Ok(Ok(theirs)) = MessageDecoder::<Known>::new().decode_from_bytes(ours.bytes()) else { return };

    assert_eq!(ours.class(), class(theirs.class()));
    assert_eq!(ours.method().number(), theirs.method().as_u16());
    assert_eq!(&ours.transaction_id().0, theirs.transaction_id().as_bytes());
    assert_eq!(ours.attributes().count(), theirs.attributes().count() + theirs.unknown_attributes().count());
    let has_sha256 = ours.attributes().any(|(kind, _)| kind == AttributeType::MESSAGE_INTEGRITY_SHA256);
    if has_sha256 {
        return;
    }

    let covered = || theirs.attributes().take_while(|a| !matches!(a, Known::MessageIntegrity(_)));
    macro_rules! first {
        ($kind:ident) => {
            covered().find_map(|a| if let Known::$kind(value) = a { Some(value) } else { None })
        };
    }
    assert_eq!(ours.username(), first!(Username).map(Username::name));
    assert_eq!(ours.priority(), first!(Priority).map(Priority::prio));
    assert_eq!(ours.use_candidate(), first!(UseCandidate).is_some());
    assert_eq!(ours.xor_mapped_address(), first!(XorMappedAddress).map(XorMappedAddress::address));
    assert_eq!(ours.software(), first!(Software).map(Software::description));
    assert_eq!(ours.realm(), first!(Realm).map(Realm::text));
    assert_eq!(ours.nonce(), first!(Nonce).map(|n| n.value().as_bytes()));
    let error = first!(ErrorCode).map(|e| (e.code(), e.reason_phrase()));
    assert_eq!(ours.error_code().map(|e| (e.code(), e.reason())), error);
    let controlling = first!(IceControlling).map(|c| RoleClaim::Controlling(c.prio()));
    let controlled = first!(IceControlled).map(|c| RoleClaim::Controlled(c.prio()));
    assert_eq!(ours.role(), controlling.or(controlled));
    let unknown: Vec<u16> = ours.unknown_attributes().map(|kind| kind.0).collect();
    let types =
        |list: &UnknownAttributes| list.unknowns().iter().map(|kind| kind.as_u16()).collect::<Vec<_>>();
    let listed = first!(UnknownAttributes).map(types);
    assert_eq!(unknown, listed.unwrap_or_default(), "UNKNOWN-ATTRIBUTES");

    assert_eq!(ours.has_fingerprint(), theirs.attributes().any(|a| matches!(a, Known::Fingerprint(_))));
    let integrity = theirs.get_attribute::<MessageIntegrity>();
    assert_eq!(ours.has_integrity(), integrity.is_some());
    let rewritten = MessageEncoder::<Known>::new().encode_into_bytes(theirs.clone());
    if rewritten.is_ok_and(|bytes| bytes == ours.bytes()) {
        let agreed = integrity.is_some_and(|i| i.check_short_term_credential(password).is_ok());
        assert_eq!(verified, agreed, "MESSAGE-INTEGRITY");
    }
}

fn class(theirs: MessageClass) -> Class {
    match theirs {
        MessageClass::Request => Class::Request,
        MessageClass::Indication => Class::Indication,
        MessageClass::SuccessResponse => Class::Success,
        MessageClass::ErrorResponse => Class::Error,
    }
}
