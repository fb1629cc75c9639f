//! The rules for reading what servers say: what counts, what is refused, what has to be understood, and whose seal it is.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::{
    AddressFamily, AttributeType, ChangeRequest, ChannelNumber, Class, ErrorCode, HEADER_SIZE, Icmp,
    IntegrityError, IntegrityKey, Message, MessageWriter, Method, PasswordAlgorithm, PasswordAlgorithms,
    ServerAttributes, TransactionId, UDP, WireError,
};

const ID: TransactionId = TransactionId([5; 12]);

fn message(class: Class, attributes: &[(AttributeType, &[u8])]) -> Vec<u8> {
    let mut buffer = vec![0; 4096];
    let mut writer = MessageWriter::new(&mut buffer, class, Method::ALLOCATE, ID);
    for (kind, value) in attributes {
        writer = writer.attribute(*kind, value);
    }
    let length = writer.finish().unwrap();
    buffer.truncate(length);
    buffer
}

fn refusal(kind: AttributeType, value: &[u8]) -> Option<WireError> {
    let bytes = message(Class::Success, &[(kind, value)]);
    let message = Message::parse(&bytes).unwrap();
    ServerAttributes::read(&message).err()
}

#[test]
fn what_was_written_is_read() {
    let [v4, v6, other] =
        ["192.0.2.1:3478", "[2001:db8::1]:5349", "203.0.113.9:1"].map(|text| text.parse().unwrap());
    let channel = ChannelNumber::new(0x4123).unwrap();
    let icmp = Icmp { kind: 3, code: 4, data: 1280 };
    let change = ChangeRequest { ip: true, port: false };
    let list = [0, 2, 0, 0, 0, 1, 0, 0];
    let algorithms = PasswordAlgorithms::read(&list).unwrap();
    let error = ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED;
    let mut buffer = [0xFF; 1024];
    let length = MessageWriter::new(&mut buffer, Class::Success, Method::ALLOCATE, ID)
        .channel_number(channel)
        .lifetime(Duration::from_millis(600_900))
        .xor_peer_address(v4)
        .xor_peer_address(v6)
        .data(b"odd")
        .xor_relayed_address(v6)
        .xor_relayed_address(v4)
        .requested_address_family(AddressFamily::V4)
        .additional_address_family(AddressFamily::V6)
        .address_error(AddressFamily::V6, error)
        .even_port(true)
        .requested_transport(UDP)
        .dont_fragment()
        .reservation_token(*b"reserved")
        .icmp(icmp)
        .alternate_server(v4)
        .alternate_server(v6)
        .alternate_domain("turn.example.org")
        .userhash(&[9; 32])
        .password_algorithm(PasswordAlgorithm::Sha256)
        .password_algorithms(algorithms)
        .mapped_address(other)
        .change_request(change)
        .response_port(40_000)
        .response_origin(v4)
        .other_address(v6)
        .finish_with_fingerprint()
        .unwrap();
    let message = Message::parse(&buffer[..length]).unwrap();
    let read = ServerAttributes::read(&message).unwrap();
    assert_eq!(read.channel_number(), Some(channel));
    assert_eq!(read.lifetime(), Some(Duration::from_secs(600)));
    assert!(read.xor_peer_addresses().eq([v4, v6]));
    assert_eq!(read.data(), Some(&b"odd"[..]));
    assert!(read.xor_relayed_addresses().eq([v6, v4]));
    assert_eq!(read.requested_address_family(), Some(AddressFamily::V4));
    assert_eq!(read.additional_address_family(), Some(AddressFamily::V6));
    assert_eq!(read.address_error(), Some((AddressFamily::V6, error)));
    assert_eq!(read.even_port(), Some(true));
    assert_eq!(read.requested_transport(), Some(17));
    assert!(read.dont_fragment());
    assert_eq!(read.reservation_token(), Some(*b"reserved"));
    assert_eq!(read.icmp(), Some(icmp));
    assert!(read.alternate_servers().eq([v4, v6]));
    assert_eq!(read.alternate_domain(), Some("turn.example.org"));
    assert_eq!(read.userhash(), Some(&[9; 32]));
    assert_eq!(read.password_algorithm().unwrap().first_known(), Some(PasswordAlgorithm::Sha256));
    assert_eq!(read.password_algorithms(), Some(algorithms));
    assert_eq!(read.mapped_address(), Some(other));
    assert_eq!((read.change_request(), read.response_port()), (Some(change), Some(40_000)));
    assert_eq!((read.response_origin(), read.other_address()), (Some(v4), Some(v6)));
    assert!(read.unknown_required().is_empty());
}

/// RFC 8656 §18, RFC 8489 §14, RFC 5780 §7: the values as they are drawn there.
#[test]
fn values_are_laid_out_as_their_sections_draw_them() {
    let mut buffer = [0xFF; 256];
    let mut value = |write: fn(MessageWriter<'_>) -> MessageWriter<'_>| {
        let writer = MessageWriter::new(&mut buffer, Class::Request, Method::ALLOCATE, ID);
        let length = write(writer).finish().unwrap();
        buffer[HEADER_SIZE..length].to_vec()
    };
    let channel = value(|w| w.channel_number(ChannelNumber::MIN));
    assert_eq!(channel, b"\x00\x0C\x00\x04\x40\x00\x00\x00");
    assert_eq!(value(|w| w.lifetime(Duration::from_secs(600))), b"\x00\x0D\x00\x04\x00\x00\x02\x58");
    assert_eq!(value(|w| w.lifetime(Duration::MAX)), b"\x00\x0D\x00\x04\xFF\xFF\xFF\xFF");
    let peer = value(|w| w.xor_peer_address(([192, 0, 2, 1], 32853).into()));
    assert_eq!(peer, b"\x00\x12\x00\x08\x00\x01\xA1\x47\xE1\x12\xA6\x43");
    assert_eq!(value(|w| w.data(b"ab")), b"\x00\x13\x00\x02ab\x00\x00");
    let relayed = value(|w| w.xor_relayed_address(([192, 0, 2, 1], 32853).into()));
    assert_eq!(relayed, b"\x00\x16\x00\x08\x00\x01\xA1\x47\xE1\x12\xA6\x43");
    let family = value(|w| w.requested_address_family(AddressFamily::V6));
    assert_eq!(family, b"\x00\x17\x00\x04\x02\x00\x00\x00");
    assert_eq!(value(|w| w.even_port(true)), b"\x00\x18\x00\x01\x80\x00\x00\x00");
    assert_eq!(value(|w| w.even_port(false)), b"\x00\x18\x00\x01\x00\x00\x00\x00");
    assert_eq!(value(|w| w.requested_transport(UDP)), b"\x00\x19\x00\x04\x11\x00\x00\x00");
    let both = value(|w| w.data(&[]).dont_fragment());
    assert_eq!(both, b"\x00\x13\x00\x00\x00\x1A\x00\x00");
    assert_eq!(value(|w| w.reservation_token(*b"12345678")), b"\x00\x22\x00\x0812345678");
    let family = value(|w| w.additional_address_family(AddressFamily::V6));
    assert_eq!(family, b"\x80\x00\x00\x04\x02\x00\x00\x00");
    let error = value(|w| {
        w.address_error(AddressFamily::V6, ErrorCode::new(440, "x").unwrap_or(ErrorCode::FORBIDDEN))
    });
    assert_eq!(error, b"\x80\x01\x00\x05\x02\x00\x04\x28x\x00\x00\x00");
    let icmp = value(|w| w.icmp(Icmp { kind: 3, code: 4, data: 0x05DC }));
    assert_eq!(icmp, b"\x80\x04\x00\x08\x00\x00\x03\x04\x00\x00\x05\xDC");
    let server = value(|w| w.alternate_server(([192, 0, 2, 1], 3478).into()));
    assert_eq!(server, b"\x80\x23\x00\x08\x00\x01\x0D\x96\xC0\x00\x02\x01");
    assert_eq!(value(|w| w.alternate_domain("a.b")), b"\x80\x03\x00\x03a.b\x00");
    let algorithm = value(|w| w.password_algorithm(PasswordAlgorithm::Sha256));
    assert_eq!(algorithm, b"\x00\x1D\x00\x04\x00\x02\x00\x00");
    let change = value(|w| w.change_request(ChangeRequest { ip: true, port: false }));
    assert_eq!(change, b"\x00\x03\x00\x04\x00\x00\x00\x04");
    let change = value(|w| w.change_request(ChangeRequest { ip: false, port: true }));
    assert_eq!(change, b"\x00\x03\x00\x04\x00\x00\x00\x02");
    assert_eq!(value(|w| w.response_port(0x1234)), b"\x00\x27\x00\x04\x12\x34\x00\x00");
    let other = value(|w| w.other_address(([192, 0, 2, 1], 3478).into()));
    assert_eq!(other, b"\x80\x2C\x00\x08\x00\x01\x0D\x96\xC0\x00\x02\x01");
    let origin = value(|w| w.response_origin(([192, 0, 2, 1], 3478).into()));
    assert_eq!(origin, b"\x80\x2B\x00\x08\x00\x01\x0D\x96\xC0\x00\x02\x01");
}

#[test]
fn attributes_have_the_size_and_content_of_their_section() {
    let long = [b'a'; 256];
    let wrong: &[(AttributeType, &[u8])] = &[
        (AttributeType::CHANNEL_NUMBER, &[0x40, 0]),
        (AttributeType::CHANNEL_NUMBER, &[0x3F, 0xFF, 0, 0]),
        (AttributeType::CHANNEL_NUMBER, &[0x50, 0, 0, 0]),
        (AttributeType::LIFETIME, &[0; 8]),
        (AttributeType::XOR_PEER_ADDRESS, &[0, 1, 0, 0]),
        (AttributeType::XOR_RELAYED_ADDRESS, &[0, 2, 0, 0, 1, 2, 3, 4]),
        (AttributeType::REQUESTED_ADDRESS_FAMILY, &[1]),
        (AttributeType::ADDITIONAL_ADDRESS_FAMILY, &[0; 5]),
        (AttributeType::ADDRESS_ERROR_CODE, &[]),
        (AttributeType::ADDRESS_ERROR_CODE, &[1, 0, 4]),
        (AttributeType::ADDRESS_ERROR_CODE, &[1, 0, 2, 0]),
        (AttributeType::EVEN_PORT, &[0; 4]),
        (AttributeType::EVEN_PORT, &[]),
        (AttributeType::REQUESTED_TRANSPORT, &[17]),
        (AttributeType::DONT_FRAGMENT, &[0]),
        (AttributeType::RESERVATION_TOKEN, &[0; 7]),
        (AttributeType::ICMP, &[0; 4]),
        (AttributeType::ALTERNATE_SERVER, &[0, 1]),
        (AttributeType::ALTERNATE_DOMAIN, &[]),
        (AttributeType::ALTERNATE_DOMAIN, b"a b"),
        (AttributeType::ALTERNATE_DOMAIN, "bücher.example".as_bytes()),
        (AttributeType::ALTERNATE_DOMAIN, &long),
        (AttributeType::USERHASH, &[0; 31]),
        (AttributeType::PASSWORD_ALGORITHM, &[0, 1, 0, 0, 0, 2, 0, 0]),
        (AttributeType::PASSWORD_ALGORITHM, &[]),
        (AttributeType::PASSWORD_ALGORITHMS, &[0, 1, 0, 4]),
        (AttributeType::MAPPED_ADDRESS, &[0, 1, 0, 0]),
        (AttributeType::CHANGE_REQUEST, &[0]),
        (AttributeType::RESPONSE_ORIGIN, &[0, 2, 0, 0]),
        (AttributeType::OTHER_ADDRESS, &[]),
    ];
    for (kind, value) in wrong {
        assert_eq!(refusal(*kind, value), Some(WireError::Malformed(*kind)), "{kind} {value:?}");
    }
    assert_eq!(refusal(AttributeType::DATA, &[]), None, "RFC 8656 §11.4: no data is data");
    assert_eq!(refusal(AttributeType::ALTERNATE_DOMAIN, &long[1..]), None);
}

#[test]
fn what_is_reserved_and_what_came_after_us_is_ignored() {
    let bytes = message(
        Class::Success,
        &[
            (AttributeType::CHANNEL_NUMBER, &[0x40, 1, 0xFF, 0xFF]),
            (AttributeType::EVEN_PORT, &[0x7F]),
            (AttributeType::REQUESTED_TRANSPORT, &[17, 1, 2, 3]),
            (AttributeType::REQUESTED_ADDRESS_FAMILY, &[3, 1, 2, 3]),
            (AttributeType::ADDRESS_ERROR_CODE, &[1, 0xFF, 0xFD, 8]),
            (AttributeType::XOR_RELAYED_ADDRESS, &[0, 9, 0, 0]),
            (AttributeType::ALTERNATE_SERVER, &[0, 9, 0, 0]),
            (AttributeType::OTHER_ADDRESS, &[0, 9, 0, 0]),
        ],
    );
    let message = Message::parse(&bytes).unwrap();
    let read = ServerAttributes::read(&message).unwrap();
    assert_eq!(read.channel_number().map(ChannelNumber::get), Some(0x4001));
    assert_eq!(read.even_port(), Some(false));
    assert_eq!(read.requested_transport(), Some(UDP));
    assert_eq!(read.requested_address_family(), Some(AddressFamily(3)));
    let error = read.address_error().map(|(family, error)| (family, error.code()));
    assert_eq!(error, Some((AddressFamily::V4, 508)));
    assert_eq!(read.xor_relayed_addresses().count(), 0);
    assert_eq!((read.alternate_servers().count(), read.other_address()), (0, None));
}

#[test]
fn of_duplicates_the_first_counts() {
    let bytes = message(
        Class::Success,
        &[
            (AttributeType::LIFETIME, &[0, 0, 0, 1]),
            (AttributeType::LIFETIME, &[0, 0, 0, 2]),
            (AttributeType::LIFETIME, &[0]),
            (AttributeType::DATA, b"first"),
            (AttributeType::DATA, b"second"),
        ],
    );
    let message = Message::parse(&bytes).unwrap();
    let read = ServerAttributes::read(&message).unwrap();
    assert_eq!(read.lifetime(), Some(Duration::from_secs(1)));
    assert_eq!(read.data(), Some(&b"first"[..]));
}

/// RFC 8489 §6.3: a server's answer may be full of what would be a 420 in a check.
#[test]
fn what_has_to_be_understood_depends_on_who_sends_it() {
    let bytes = message(
        Class::Success,
        &[
            (AttributeType::LIFETIME, &[0; 4]),
            (AttributeType::PRIORITY, &[0; 4]),
            (AttributeType(0x7F01), &[]),
            (AttributeType::EVEN_PORT, &[0]),
            (AttributeType(0x0010), &[]),
        ],
    );
    let message = Message::parse(&bytes).unwrap();
    let read = ServerAttributes::read(&message).unwrap();
    assert_eq!(read.unknown_required().as_slice(), [AttributeType(0x7F01), AttributeType(0x0010)]);
    let in_check =
        [AttributeType::LIFETIME, AttributeType(0x7F01), AttributeType::EVEN_PORT, AttributeType(0x0010)];
    assert_eq!(message.unknown_required().as_slice(), in_check);
}

/// A relay's Allocate success, signed, with something behind the seal.
fn followed_by(key: &IntegrityKey, tail: &[(AttributeType, &[u8])]) -> Vec<u8> {
    let mut buffer = vec![0; 512];
    let length = MessageWriter::new(&mut buffer, Class::Success, Method::ALLOCATE, ID)
        .lifetime(Duration::from_secs(600))
        .finish_with_integrity(key)
        .unwrap();
    buffer.truncate(length);
    buffer.extend(&message(Class::Success, tail)[HEADER_SIZE..]);
    let body = (buffer.len() - HEADER_SIZE) as u16;
    buffer[2..4].copy_from_slice(&body.to_be_bytes());
    buffer
}

#[test]
fn nothing_counts_that_the_seal_does_not_cover() {
    let sha1 = IntegrityKey::long_term("user", "realm", "pass");
    let sha256 = IntegrityKey::long_term_sha256(PasswordAlgorithm::Md5, "user", "realm", "pass");
    let relayed = [0, 1, 0, 0, 1, 2, 3, 4];
    let tail: &[(AttributeType, &[u8])] = &[
        (AttributeType::XOR_RELAYED_ADDRESS, &relayed),
        (AttributeType::DATA, b"forged"),
        (AttributeType::RESERVATION_TOKEN, &[1]),
        (AttributeType(0x7F01), &[]),
    ];
    for key in [sha1, sha256] {
        let bytes = followed_by(&key, tail);
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.verify(&key), Ok(()));
        let read = ServerAttributes::read(&message).unwrap();
        assert_eq!(read.lifetime(), Some(Duration::from_secs(600)));
        assert_eq!((read.data(), read.xor_relayed_addresses().count()), (None, 0));
        assert!(read.unknown_required().is_empty());
    }
}

/// RFC 8489 §9: what stands between the two seals counts only for the second. Who holds the key for the first must not
/// take the second for granted.
#[test]
fn a_seal_that_another_follows_is_not_worth_anything() {
    let key = IntegrityKey::long_term_sha256(PasswordAlgorithm::Sha256, "user", "realm", "pass");
    let bytes =
        followed_by(&key, &[(AttributeType::DATA, b"forged"), (AttributeType::MESSAGE_INTEGRITY, &[0; 20])]);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(ServerAttributes::read(&message).unwrap().data(), Some(&b"forged"[..]));
    assert_eq!(message.verify(&key), Err(IntegrityError::Missing));
    assert!(!message.has_integrity_sha256());
}

#[test]
fn both_seals_in_their_order_are_good_for_either_key() {
    let sha1 = IntegrityKey::short_term("pass");
    let sha256 = IntegrityKey::from_bytes_sha256(b"pass");
    let mut bytes = followed_by(&sha1, &[(AttributeType::MESSAGE_INTEGRITY_SHA256, &[0; 32])]);
    let covered = bytes.len() - 36;
    let seal = sha256.seal(&bytes[..covered]);
    bytes[covered + 4..].copy_from_slice(seal.as_bytes());
    let message = Message::parse(&bytes).unwrap();
    assert!(message.has_integrity() && message.has_integrity_sha256());
    assert_eq!((message.verify(&sha1), message.verify(&sha256)), (Ok(()), Ok(())));
    assert_eq!(message.verify(&IntegrityKey::from_bytes_sha256(b"past")), Err(IntegrityError::Mismatch));
}

#[test]
fn a_seal_that_is_cut_short_is_refused() {
    let key = IntegrityKey::from_bytes_sha256(b"pass");
    let whole = followed_by(&key, &[]);
    assert_eq!(Message::parse(&whole).unwrap().verify(&key), Ok(()));
    assert_eq!(
        Message::parse(&whole).unwrap().verify(&IntegrityKey::short_term("pass")),
        Err(IntegrityError::Missing)
    );
    for size in [16_usize, 20, 24, 28] {
        let mut bytes = whole[..whole.len() - 32 + size].to_vec();
        let body = (bytes.len() - HEADER_SIZE) as u16;
        bytes[2..4].copy_from_slice(&body.to_be_bytes());
        let attribute = whole.len() - 36;
        bytes[attribute + 2..attribute + 4].copy_from_slice(&(size as u16).to_be_bytes());
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.verify(&key), Err(IntegrityError::Truncated), "{size}");
    }
}
