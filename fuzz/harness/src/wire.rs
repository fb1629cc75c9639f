//! A datagram on its way into the parser: as it is, with its outside repaired, and signed.

use floe_core::wire::{
    AttributeType, HEADER_SIZE, IntegrityKey, Message, MessageWriter, SecurityFeatures, ServerAttributes,
    TransactionId, WireError, classify, is_stun,
};

use crate::forge::repair;
use crate::reference;

const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

/// One datagram. A fuzzer that does not know CRC-32 would never get past FINGERPRINT, and never past the length: so
/// the same bytes are tried again with both put right, and once more as attributes of a message that is signed.
pub fn run(data: &[u8]) {
    let _ = (classify(data), is_stun(data));
    read(data);
    let mut repaired = data.to_vec();
    repair(&mut repaired);
    if let Some(message) = read(&repaired) {
        signed(&message);
    }
}

/// Parses, calls every getter, and compares.
fn read(bytes: &[u8]) -> Option<Message<'_>> {
    let message = match Message::parse(bytes) {
        Ok(message) => message,
        Err(error) => {
            assert!(error.to_string().len() < 200);
            return None;
        }
    };
    assert!(is_stun(bytes), "what parses is STUN");
    assert_eq!(message.bytes(), bytes);
    let size: usize = message.attributes().map(|(_, value)| 4 + value.len().next_multiple_of(4)).sum();
    assert_eq!(HEADER_SIZE + size, bytes.len(), "the attributes fill the message");

    let verified = message.verify(&IntegrityKey::short_term(PASSWORD));
    assert!(message.has_integrity() || verified.is_err());
    let halves = message.username_halves();
    assert_eq!(
        halves.map(|(ours, theirs)| format!("{ours}:{theirs}")).as_deref(),
        halves.and(message.username())
    );
    for kind in message.unknown_required().as_slice() {
        assert!(kind.is_comprehension_required() && message.attributes().any(|(k, _)| k == *kind));
    }
    if message.has_fingerprint() {
        let mut repaired = bytes.to_vec();
        repair(&mut repaired);
        assert_eq!(repaired, bytes, "FINGERPRINT is right");
    }
    let _ = message.nomination();
    servers(&message);
    assert!(!format!("{message:?}").is_empty());
    reference::compare(&message, PASSWORD, verified.is_ok());
    Some(message)
}

/// The same bytes as something that a server has sent.
fn servers(message: &Message<'_>) {
    let server = match ServerAttributes::read(message) {
        Ok(server) => server,
        Err(error) => {
            assert!(
                matches!(error, WireError::Malformed(kind) if message.attributes().any(|(k, _)| k == kind))
            );
            return;
        }
    };
    let addresses = server.xor_peer_addresses().chain(server.xor_relayed_addresses());
    assert!(addresses.chain(server.alternate_servers()).count() <= message.attributes().count());
    for kind in server.unknown_required().as_slice() {
        assert!(kind.is_comprehension_required() && message.attributes().any(|(k, _)| k == *kind));
    }
    if let Some(list) = server.password_algorithms() {
        assert!(list.iter().count() <= list.as_bytes().len() / 4);
        assert!(
            list.first_known().is_none_or(|known| list.iter().any(|(number, _)| number == known.number()))
        );
    }
    let _ = message.nonce().map(SecurityFeatures::of_nonce);
    let verified = message.verify(&IntegrityKey::from_bytes_sha256(PASSWORD.as_bytes()));
    assert!(message.has_integrity_sha256() || verified.is_err());
    assert!(!format!("{server:?}").is_empty());
}

/// The attributes of `message` in one that we write and sign: it reads as well, and only the right key opens it.
fn signed(message: &Message<'_>) {
    let mut buffer = vec![0xEE; message.bytes().len() + 64];
    let mut writer =
        MessageWriter::new(&mut buffer, message.class(), message.method(), TransactionId([7; 12]));
    for (kind, value) in message.attributes() {
        let is_seal = [
            AttributeType::FINGERPRINT,
            AttributeType::MESSAGE_INTEGRITY,
            AttributeType::MESSAGE_INTEGRITY_SHA256,
        ]
        .contains(&kind);
        if !is_seal {
            writer = writer.attribute(kind, value);
        }
    }
    let Ok(length) = writer.sign(&IntegrityKey::short_term(PASSWORD)) else { return };
    // What stood behind a seal did not count and may be malformed: then it is refused, now that it would.
    let Some(again) = buffer.get(..length).and_then(read) else { return };
    assert!(again.verify(&IntegrityKey::short_term(PASSWORD)).is_ok());
    assert!(again.verify(&IntegrityKey::short_term("another password altogether")).is_err());
}
