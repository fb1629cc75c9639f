//! The rules for reading: what counts, what is ignored, what is refused (RFC 8489 §9.1, §14).

use alloc::vec;
use alloc::vec::Vec;

use super::integrity::fingerprint;
use super::message::MAX_TEXT;
use super::{
    AttributeType, Class, ErrorCode, HEADER_SIZE, IntegrityError, IntegrityKey, MAX_UNKNOWN_REPORTED,
    Message, MessageWriter, Method, RoleClaim, TransactionId, WireError,
};

const ID: TransactionId = TransactionId([5; 12]);

/// A Binding message with these attributes, and no seal that is not among them.
fn message(class: Class, attributes: &[(AttributeType, &[u8])]) -> Vec<u8> {
    let mut buffer = vec![0; 4096];
    let mut writer = MessageWriter::new(&mut buffer, class, Method::BINDING, ID);
    for (kind, value) in attributes {
        writer = writer.attribute(*kind, value);
    }
    let length = writer.finish().unwrap_or_default();
    buffer.truncate(length);
    buffer
}

fn refusal(attributes: &[(AttributeType, &[u8])]) -> Option<WireError> {
    Message::parse(&message(Class::Request, attributes)).err()
}

#[test]
fn of_duplicates_the_first_counts_and_the_others_are_not_even_checked() {
    let bytes = message(
        Class::Request,
        &[
            (AttributeType::PRIORITY, &[0, 0, 0, 1]),
            (AttributeType::PRIORITY, &[0, 0, 0, 2]),
            (AttributeType::PRIORITY, &[0]),
            (AttributeType::ICE_CONTROLLED, &[0, 0, 0, 0, 0, 0, 0, 3]),
            (AttributeType::ICE_CONTROLLED, &[0, 0, 0, 0, 0, 0, 0, 4]),
            (AttributeType::USERNAME, b"first:one"),
            (AttributeType::USERNAME, b"\xFF"),
        ],
    );
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.priority(), Some(1));
    assert_eq!(message.role(), Some(RoleClaim::Controlled(3)));
    assert_eq!(message.username(), Some("first:one"));
    assert_eq!(message.attributes().count(), 7);
    assert!(message.unknown_required().is_empty());
}

#[test]
fn known_attributes_have_the_size_and_content_of_their_section() {
    let long = [b'x'; MAX_TEXT + 1];
    let wrong: [(AttributeType, &[u8]); 24] = [
        (AttributeType::PRIORITY, &[0; 3]),
        (AttributeType::PRIORITY, &[0; 5]),
        (AttributeType::NOMINATION, &[0; 8]),
        (AttributeType::USE_CANDIDATE, &[0]),
        (AttributeType::ICE_CONTROLLED, &[0; 4]),
        (AttributeType::ICE_CONTROLLING, &[0; 12]),
        (AttributeType::XOR_MAPPED_ADDRESS, &[0, 1, 0, 0]),
        (AttributeType::XOR_MAPPED_ADDRESS, &[0, 1]),
        (AttributeType::XOR_MAPPED_ADDRESS, &[0, 2, 0, 0, 1, 2, 3, 4]),
        (AttributeType::ERROR_CODE, &[0, 0, 9, 0]),
        (AttributeType::ERROR_CODE, &[0, 0, 4]),
        (AttributeType::UNKNOWN_ATTRIBUTES, &[0; 3]),
        (AttributeType::MESSAGE_INTEGRITY, &[0; 19]),
        (AttributeType::MESSAGE_INTEGRITY, &[0; 32]),
        (AttributeType::MESSAGE_INTEGRITY_SHA256, &[0; 12]),
        (AttributeType::MESSAGE_INTEGRITY_SHA256, &[0; 18]),
        (AttributeType::MESSAGE_INTEGRITY_SHA256, &[0; 36]),
        (AttributeType::FINGERPRINT, &[0; 3]),
        (AttributeType::USERNAME, &[0xC3, 0x28]),
        (AttributeType::USERNAME, &long),
        (AttributeType::REALM, &[0xFF]),
        (AttributeType::REALM, &long),
        (AttributeType::NONCE, &long),
        (AttributeType::SOFTWARE, &long),
    ];
    for (kind, value) in wrong {
        assert_eq!(refusal(&[(kind, value)]), Some(WireError::Malformed(kind)), "{value:?}");
    }
    // RFC 8489 §14.3: longer than one may write, and still to be read.
    assert_eq!(refusal(&[(AttributeType::USERNAME, &long[1..])]), None);
    assert_eq!(refusal(&[(AttributeType::SOFTWARE, &[0xFF])]), None);
}

#[test]
fn a_request_has_one_role() {
    let (one, other) = (AttributeType::ICE_CONTROLLED, AttributeType::ICE_CONTROLLING);
    assert_eq!(refusal(&[(one, &[0; 8]), (other, &[0; 8])]), Some(WireError::TwoRoles));
    assert_eq!(refusal(&[(other, &[0; 8]), (one, &[0; 8])]), Some(WireError::TwoRoles));
}

#[test]
fn an_address_of_an_unknown_family_is_ignored() {
    let bytes = message(Class::Success, &[(AttributeType::XOR_MAPPED_ADDRESS, &[0, 9, 0, 0, 1, 2])]);
    assert_eq!(Message::parse(&bytes).unwrap().xor_mapped_address(), None);
}

#[test]
fn what_must_be_understood_and_is_not_is_reported_once_and_the_optional_is_ignored() {
    let bytes = message(
        Class::Request,
        &[
            (AttributeType(0x7F01), &[1]),
            (AttributeType(0x8F02), &[2]),
            (AttributeType(0x0003), &[0; 4]),
            (AttributeType(0x7F01), &[]),
            (AttributeType::MAPPED_ADDRESS, &[0; 8]),
        ],
    );
    let unknown = Message::parse(&bytes).unwrap().unknown_required();
    assert_eq!(unknown.as_slice(), [AttributeType(0x7F01), AttributeType(0x0003)]);
}

#[test]
fn a_datagram_full_of_unknown_types_gets_a_bounded_report() {
    let many: Vec<(AttributeType, &[u8])> = (0x4000..0x4200).map(|n| (AttributeType(n), &[][..])).collect();
    let bytes = message(Class::Request, &many);
    let unknown = Message::parse(&bytes).unwrap().unknown_required();
    assert_eq!(unknown.as_slice().len(), MAX_UNKNOWN_REPORTED);
}

#[test]
fn the_types_of_a_420_can_be_read() {
    let types = [AttributeType(0x7F01), AttributeType(0x0003), AttributeType(0x0026)];
    let mut buffer = [0; 128];
    let length = MessageWriter::new(&mut buffer, Class::Error, Method::BINDING, ID)
        .error_code(ErrorCode::UNKNOWN_ATTRIBUTE)
        .unknown_attributes(&types)
        .finish()
        .unwrap();
    let message = Message::parse(&buffer[..length]).unwrap();
    assert_eq!(message.error_code(), Some(ErrorCode::UNKNOWN_ATTRIBUTE));
    assert!(message.unknown_attributes().eq(types));
    assert!(message.unknown_required().is_empty());
}

const AFTER: [(AttributeType, &[u8]); 4] = [
    (AttributeType::USE_CANDIDATE, &[]),
    (AttributeType::PRIORITY, &[1]),
    (AttributeType(0x7F01), &[]),
    (AttributeType::MESSAGE_INTEGRITY, &[0; 3]),
];

#[test]
fn what_follows_message_integrity_is_ignored() {
    let key = IntegrityKey::short_term("password");
    let mut buffer = [0; 128];
    let length = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, ID)
        .username("a", "b")
        .finish_with_integrity(&key)
        .unwrap();
    let mut bytes = buffer[..length].to_vec();
    bytes.extend(&message(Class::Request, &AFTER)[HEADER_SIZE..]);
    bytes.extend(*b"\x00\x1C\x00\x20");
    bytes.extend([0; 32]);
    let body = (bytes.len() + 8 - HEADER_SIZE) as u16;
    bytes[2..4].copy_from_slice(&body.to_be_bytes());
    let crc = fingerprint(&bytes);
    bytes.extend(*b"\x80\x28\x00\x04");
    bytes.extend(crc.to_be_bytes());

    let message = Message::parse(&bytes).unwrap();
    assert!(!message.use_candidate() && message.unknown_required().is_empty());
    assert_eq!((message.priority(), message.username()), (None, Some("a:b")));
    assert!(message.has_fingerprint());
    assert_eq!(message.attributes().count(), 8);
    assert_eq!(message.verify(&key), Ok(()), "the length is adjusted to the end of MESSAGE-INTEGRITY");
}

#[test]
fn what_follows_the_sha256_one_is_ignored_only_without_the_sha1_one() {
    let sha256 = (AttributeType::MESSAGE_INTEGRITY_SHA256, &[0; 32][..]);
    let use_candidate = (AttributeType::USE_CANDIDATE, &[][..]);
    let sha1 = (AttributeType::MESSAGE_INTEGRITY, &[0; 20][..]);
    let nominates = |attributes: &[(AttributeType, &[u8])]| {
        let bytes = message(Class::Request, attributes);
        Message::parse(&bytes).unwrap().use_candidate()
    };
    assert!(!nominates(&[sha256, use_candidate]));
    assert!(nominates(&[sha256, use_candidate, sha1]));
    assert!(!nominates(&[sha256, sha1, use_candidate]));
    let unsigned = message(Class::Request, &[sha256]);
    let key = IntegrityKey::short_term("password");
    assert_eq!(Message::parse(&unsigned).unwrap().verify(&key), Err(IntegrityError::Missing));
}

#[test]
fn nothing_follows_fingerprint() {
    let fingerprint = (AttributeType::FINGERPRINT, &[0; 4][..]);
    assert_eq!(
        refusal(&[fingerprint, (AttributeType::USE_CANDIDATE, &[])]),
        Some(WireError::FingerprintNotLast)
    );
    assert_eq!(refusal(&[fingerprint, fingerprint]), Some(WireError::FingerprintNotLast));
    assert_eq!(refusal(&[fingerprint]), Some(WireError::FingerprintMismatch));
}

/// RFC 8489 §14.5: what MESSAGE-INTEGRITY does not cover is not told.
#[test]
fn a_list_of_unknown_attributes_behind_the_seal_is_ignored() {
    let key = IntegrityKey::short_term("a password of some length");
    let mut buffer = [0; 128];
    let id = TransactionId([1; 12]);
    let sealed = MessageWriter::new(&mut buffer, Class::Error, Method::BINDING, id)
        .error_code(ErrorCode::UNKNOWN_ATTRIBUTE)
        .finish_with_integrity(&key)
        .unwrap();
    let forged = [0x00, 0x0A, 0x00, 0x02, 0x77, 0x77, 0x00, 0x00];
    buffer[sealed..sealed + 8].copy_from_slice(&forged);
    let told = (sealed + 8 - 20) as u16;
    buffer[2..4].copy_from_slice(&told.to_be_bytes());
    let message = Message::parse(&buffer[..sealed + 8]).unwrap();
    assert!(message.verify(&key).is_ok());
    assert_eq!(message.unknown_attributes().count(), 0);
}
