//! The vectors of RFC 5769 and of RFC 8489 Appendix B, read and written, byte for byte.

use super::{
    Class, IntegrityError, IntegrityKey, Message, MessageWriter, Method, PasswordAlgorithm, RoleClaim,
    SecurityFeatures, ServerAttributes, TransactionId, WireError, userhash,
};

const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";
const ID: TransactionId = TransactionId(*b"\xB7\xE7\xA7\x01\xBC\x34\xD6\x86\xFA\x87\xDF\xAE");

/// §2.1.
const REQUEST: &[u8] = b"\x00\x01\x00\x58\x21\x12\xa4\x42\
    \xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
    \x80\x22\x00\x10STUN test client\
    \x00\x24\x00\x04\x6e\x00\x01\xff\
    \x80\x29\x00\x08\x93\x2f\xf9\xb1\x51\x26\x3b\x36\
    \x00\x06\x00\x09\x65\x76\x74\x6a\x3a\x68\x36\x76\x59\x20\x20\x20\
    \x00\x08\x00\x14\x9a\xea\xa7\x0c\xbf\xd8\xcb\x56\x78\x1e\xf2\xb5\xb2\xd3\xf2\x49\xc1\xb5\x71\xa2\
    \x80\x28\x00\x04\xe5\x7a\x3b\xcf";

/// §2.2.
const RESPONSE_V4: &[u8] = b"\x01\x01\x00\x3c\x21\x12\xa4\x42\
    \xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
    \x80\x22\x00\x0b\x74\x65\x73\x74\x20\x76\x65\x63\x74\x6f\x72\x20\
    \x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43\
    \x00\x08\x00\x14\x2b\x91\xf5\x99\xfd\x9e\x90\xc3\x8c\x74\x89\xf9\x2a\xf9\xba\x53\xf0\x6b\xe7\xd7\
    \x80\x28\x00\x04\xc0\x7d\x4c\x96";

/// §2.3.
const RESPONSE_V6: &[u8] = b"\x01\x01\x00\x48\x21\x12\xa4\x42\
    \xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
    \x80\x22\x00\x0b\x74\x65\x73\x74\x20\x76\x65\x63\x74\x6f\x72\x20\
    \x00\x20\x00\x14\x00\x02\xa1\x47\
    \x01\x13\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9\
    \x00\x08\x00\x14\xa3\x82\x95\x4e\x4b\xe6\x7b\xf1\x17\x84\xc9\x7c\x82\x92\xc2\x75\xbf\xe3\xed\x41\
    \x80\x28\x00\x04\xc8\xfb\x0b\x4c";

/// §2.4, without FINGERPRINT.
const LONG_TERM: &[u8] = b"\x00\x01\x00\x60\x21\x12\xa4\x42\
    \x78\xad\x34\x33\xc6\xad\x72\xc0\x29\xda\x41\x2e\
    \x00\x06\x00\x12\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9\x00\x00\
    \x00\x15\x00\x1c\x66\x2f\x2f\x34\x39\x39\x6b\x39\x35\x34\x64\x36\
    \x4f\x4c\x33\x34\x6f\x4c\x39\x46\x53\x54\x76\x79\x36\x34\x73\x41\
    \x00\x14\x00\x0b\x65\x78\x61\x6d\x70\x6c\x65\x2e\x6f\x72\x67\x00\
    \x00\x08\x00\x14\xf6\x70\x24\x65\x6d\xd6\x4a\x3e\x02\xb8\xe0\x71\x2e\x85\xc9\xa2\x8c\xa8\x96\x66";

#[test]
fn section_2_1_is_read() {
    let message = Message::parse(REQUEST).unwrap();
    assert_eq!(message.class(), Class::Request);
    assert_eq!(message.method(), Method::BINDING);
    assert_eq!(message.transaction_id(), ID);
    assert_eq!(message.bytes(), REQUEST);
    assert_eq!(message.software(), Some("STUN test client"));
    assert_eq!(message.priority(), Some(0x6E00_01FF));
    assert_eq!(message.role(), Some(RoleClaim::Controlled(0x932F_F9B1_5126_3B36)));
    assert_eq!(message.username(), Some("evtj:h6vY"));
    assert_eq!(message.username_halves(), Some(("evtj", "h6vY")));
    assert!(message.has_integrity() && message.has_fingerprint() && !message.use_candidate());
    assert!(message.unknown_required().is_empty());
    assert_eq!(message.attributes().count(), 6);
    assert_eq!(message.verify(&IntegrityKey::short_term(PASSWORD)), Ok(()));
    assert_eq!(message.verify(&IntegrityKey::short_term("VOkJ")), Err(IntegrityError::Mismatch));
}

#[test]
fn section_2_1_is_written() {
    let mut buffer = [0xFF; 256];
    let length = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, ID)
        .padded_with(b' ')
        .software("STUN test client")
        .priority(0x6E00_01FF)
        .role(RoleClaim::Controlled(0x932F_F9B1_5126_3B36))
        .username("evtj", "h6vY")
        .sign(&IntegrityKey::short_term(PASSWORD))
        .unwrap();
    assert_eq!(&buffer[..length], REQUEST);
}

#[test]
fn sections_2_2_and_2_3_are_read_and_written() {
    let key = IntegrityKey::short_term(PASSWORD);
    for (bytes, address) in
        [(RESPONSE_V4, "192.0.2.1:32853"), (RESPONSE_V6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853")]
    {
        let address = address.parse().unwrap();
        let message = Message::parse(bytes).unwrap();
        assert_eq!(message.class(), Class::Success);
        assert_eq!(message.method(), Method::BINDING);
        assert_eq!(message.transaction_id(), ID);
        assert_eq!(message.software(), Some("test vector"));
        assert_eq!(message.xor_mapped_address(), Some(address));
        assert!(message.has_fingerprint());
        assert_eq!(message.verify(&key), Ok(()));

        let mut buffer = [0xFF; 256];
        let length = MessageWriter::new(&mut buffer, Class::Success, Method::BINDING, ID)
            .padded_with(b' ')
            .software("test vector")
            .xor_mapped_address(address)
            .sign(&key)
            .unwrap();
        assert_eq!(&buffer[..length], bytes);
    }
}

#[test]
fn section_2_4_is_read_and_written() {
    let (username, nonce, realm) = ("マトリックス", b"f//499k954d6OL34oL9FSTvy64sA", "example.org");
    // The password as SASLprep leaves it.
    let key = IntegrityKey::long_term(username, realm, "TheMatrIX");
    let message = Message::parse(LONG_TERM).unwrap();
    assert_eq!(message.username(), Some(username));
    assert_eq!(message.nonce(), Some(&nonce[..]));
    assert_eq!(message.realm(), Some(realm));
    assert!(!message.has_fingerprint());
    assert_eq!(message.verify(&key), Ok(()));

    let id = message.transaction_id();
    let mut buffer = [0xFF; 256];
    let length = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id)
        .username_str(username)
        .nonce(nonce)
        .realm(realm)
        .finish_with_integrity(&key)
        .unwrap();
    assert_eq!(&buffer[..length], LONG_TERM);
}

/// RFC 8489 Appendix B.1 up to REALM, as it is printed: the length is that of the message and its header.
const USERHASH: &[u8] = b"\x00\x01\x00\x9c\x21\x12\xa4\x42\
    \x78\xad\x34\x33\xc6\xad\x72\xc0\x29\xda\x41\x2e\
    \x00\x1e\x00\x20\x4a\x3c\xf3\x8f\xef\x69\x92\xbd\xa9\x52\xc6\x78\x04\x17\xda\x0f\
    \x24\x81\x94\x15\x56\x9e\x60\xb2\x05\xc4\x6e\x41\x40\x7f\x17\x04\
    \x00\x15\x00\x29\x6f\x62\x4d\x61\x74\x4a\x6f\x73\x32\x41\x41\x41\x43\x66\x2f\x2f\
    \x34\x39\x39\x6b\x39\x35\x34\x64\x36\x4f\x4c\x33\x34\x6f\x4c\x39\x46\x53\x54\x76\
    \x79\x36\x34\x73\x41\x00\x00\x00\
    \x00\x14\x00\x0b\x65\x78\x61\x6d\x70\x6c\x65\x2e\x6f\x72\x67\x00";

/// What erratum 6268 puts behind that, with a length of 0x90: the PASSWORD-ALGORITHM that was left out, and the seal.
const USERHASH_END: &[u8] = b"\x00\x1d\x00\x04\x00\x02\x00\x00\
    \x00\x1c\x00\x20\xb5\xc7\xbf\x00\x5b\x6c\x52\xa2\x1c\x51\xc5\xe8\x92\xf8\x19\x24\
    \x13\x62\x96\xcb\x92\x7c\x43\x14\x93\x09\x27\x8c\xc6\x51\x8e\x65";

/// The seal as Appendix B.1 prints it, over the length that it prints.
const PRINTED_SEAL: &[u8] = b"\xe4\x68\x6c\x8f\x0e\xde\xb5\x90\x13\xe0\x70\x90\x01\x0a\x93\xef\
    \xcc\xbc\xcc\x54\x4c\x0a\x45\xd9\xf8\x30\xaa\x6d\x6f\x73\x5a\x01";

#[test]
fn appendix_b_of_rfc_8489_is_read_and_written() {
    let (username, realm) = ("マトリックス", "example.org");
    let nonce = b"obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA";
    let key = IntegrityKey::long_term_sha256(PasswordAlgorithm::Sha256, username, realm, "TheMatrIX");

    let mut expected = [USERHASH, USERHASH_END].concat();
    expected[3] = 0x90;
    let message = Message::parse(&expected).unwrap();
    assert_eq!((message.nonce(), message.realm()), (Some(&nonce[..]), Some(realm)));
    let read = ServerAttributes::read(&message).unwrap();
    assert_eq!(read.userhash(), Some(&userhash(username, realm)));
    assert_eq!(read.password_algorithm().unwrap().first_known(), Some(PasswordAlgorithm::Sha256));
    assert!(SecurityFeatures::of_nonce(nonce).unwrap().username_anonymity());
    assert_eq!(message.verify(&key), Ok(()));

    let mut buffer = [0xFF; 256];
    let length = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, message.transaction_id())
        .userhash(&userhash(username, realm))
        .nonce(nonce)
        .realm(realm)
        .password_algorithm(PasswordAlgorithm::Sha256)
        .finish_with_integrity(&key)
        .unwrap();
    assert_eq!(buffer[..length], expected);
}

/// The seal as printed is right for the message as printed, but for a length that is 20 too high: we seal with the right
/// one, so the key is what can be compared.
#[test]
fn appendix_b_of_rfc_8489_as_printed_has_our_key() {
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::{Digest, Sha256};

    let key = Sha256::digest("マトリックス:example.org:TheMatrIX");
    let mut hmac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    hmac.update(USERHASH);
    assert_eq!(hmac.finalize().into_bytes()[..], *PRINTED_SEAL);
    assert_eq!(Message::parse(USERHASH).unwrap_err(), WireError::LengthMismatch);
}

#[test]
fn a_header_that_is_not_ours_says_why() {
    let changed = |at: usize, value: u8| {
        let mut bytes = REQUEST.to_vec();
        bytes[at] = value;
        Message::parse(&bytes).unwrap_err()
    };
    assert_eq!(Message::parse(&[]).unwrap_err(), WireError::TooShort);
    assert_eq!(Message::parse(&REQUEST[..19]).unwrap_err(), WireError::TooShort);
    assert_eq!(changed(0, 0x16), WireError::NotStun(super::Kind::Dtls));
    assert_eq!(changed(4, 0), WireError::WrongCookie);
    assert_eq!(changed(3, 0x54), WireError::LengthMismatch);
    assert_eq!(changed(23, 0xFF), WireError::AttributeOverrun(super::AttributeType::SOFTWARE));
    assert_eq!(changed(107, 0), WireError::FingerprintMismatch);
    let longer = [REQUEST, &[0]].concat();
    assert_eq!(Message::parse(&longer).unwrap_err(), WireError::LengthMismatch);
}
