//! What changes on the way is refused, whatever the change; and no bytes at all make the reader panic.

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::{
    AttributeType, Class, ErrorCode, HEADER_SIZE, IntegrityKey, MAX_UNKNOWN_REPORTED, Message, MessageWriter,
    Method, RoleClaim, ServerAttributes, TransactionId,
};

const ID: TransactionId = TransactionId(*b"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C");

fn key() -> IntegrityKey {
    IntegrityKey::short_term("VOkJxbRl1RmTxUk/WvJxBt")
}

fn written(class: Class, write: impl FnOnce(MessageWriter<'_>) -> MessageWriter<'_>) -> Vec<u8> {
    let mut buffer = vec![0; 512];
    let writer = write(MessageWriter::new(&mut buffer, class, Method::BINDING, ID));
    let length = match class {
        Class::Indication => writer.finish_with_fingerprint(),
        _ => writer.sign(&key()),
    };
    buffer.truncate(length.unwrap_or_default());
    buffer
}

/// One message of each kind that ICE sends.
fn samples() -> [(&'static str, Vec<u8>); 6] {
    let v4 = ([192, 0, 2, 1], 32853).into();
    let v6 = ([0x2001, 0xDB8, 0, 0, 0, 0, 0x11, 0x2233], 40000).into();
    [
        (
            "request",
            written(Class::Request, |w| {
                let claim = RoleClaim::Controlling(9);
                w.username("evtj", "h6vY").priority(1).use_candidate().role(claim).nomination(3)
            }),
        ),
        ("success v4", written(Class::Success, |w| w.xor_mapped_address(v4))),
        ("success v6", written(Class::Success, |w| w.xor_mapped_address(v6))),
        ("error 487", written(Class::Error, |w| w.error_code(ErrorCode::ROLE_CONFLICT))),
        (
            "error 420",
            written(Class::Error, |w| {
                w.error_code(ErrorCode::UNKNOWN_ATTRIBUTE).unknown_attributes(&[AttributeType(0x7F01)])
            }),
        ),
        ("indication", written(Class::Indication, |w| w)),
    ]
}

/// What the agent takes: FINGERPRINT on everything, and the password's proof on all but indications.
fn is_accepted(bytes: &[u8]) -> bool {
    Message::parse(bytes).is_ok_and(|message| {
        let authentic = message.class() == Class::Indication || message.verify(&key()).is_ok();
        message.has_fingerprint() && authentic
    })
}

#[test]
fn the_samples_are_accepted() {
    for (name, bytes) in samples() {
        assert!(bytes.len() > HEADER_SIZE && is_accepted(&bytes), "{name}");
    }
}

#[test]
fn no_truncation_is_accepted() {
    for (name, bytes) in samples() {
        for length in 0..bytes.len() {
            assert!(!is_accepted(&bytes[..length]), "{name} cut to {length}");
        }
    }
}

#[test]
fn no_truncation_with_its_length_repaired_is_accepted() {
    for (name, mut bytes) in samples() {
        while bytes.len() > HEADER_SIZE {
            bytes.truncate(bytes.len() - 4);
            let length = (bytes.len() - HEADER_SIZE) as u16;
            bytes[2..4].copy_from_slice(&length.to_be_bytes());
            assert!(!is_accepted(&bytes), "{name} cut to {}", bytes.len());
        }
    }
}

#[test]
fn no_flipped_bit_is_accepted() {
    for (name, bytes) in samples() {
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_accepted(&changed), "{name} with bit {bit} flipped");
        }
    }
}

/// The CRC is no proof: anybody can compute it. What MESSAGE-INTEGRITY covers is proven by it alone.
#[test]
fn no_flipped_bit_under_a_new_fingerprint_is_verified() {
    for (name, bytes) in samples().into_iter().filter(|(name, _)| *name != "indication") {
        let covered = bytes.len() - 8;
        for bit in 0..covered * 8 {
            // The length field is adjusted before it is hashed, and one that is wrong is refused anyhow.
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let crc = super::integrity::fingerprint(&changed[..covered]);
            changed[covered + 4..].copy_from_slice(&crc.to_be_bytes());
            let verified = Message::parse(&changed).is_ok_and(|message| message.verify(&key()).is_ok());
            assert!(!verified, "{name} with bit {bit} flipped");
        }
    }
}

/// Reads everything there is to read.
fn exercise(bytes: &[u8]) {
    let Ok(message) = Message::parse(bytes) else { return };
    assert_eq!(message.bytes(), bytes);
    let _ = message.verify(&key());
    let walked: usize = message.attributes().map(|(_, value)| 4 + value.len().next_multiple_of(4)).sum();
    assert_eq!(walked + HEADER_SIZE, bytes.len(), "the walk covers every byte");
    assert!(message.unknown_required().as_slice().len() <= MAX_UNKNOWN_REPORTED);
    assert!(message.unknown_attributes().count() <= bytes.len() / 2);
    let _ = (message.software(), message.username_halves(), alloc::format!("{message:?}"));
    let _ = message.verify(&IntegrityKey::from_bytes_sha256(b"key"));
    let Ok(server) = ServerAttributes::read(&message) else { return };
    let addresses = server.xor_peer_addresses().chain(server.xor_relayed_addresses());
    assert!(addresses.chain(server.alternate_servers()).count() <= bytes.len() / 12);
    let known = message.unknown_required();
    assert!(server.unknown_required().as_slice().len() <= known.as_slice().len());
    let _ = (server.password_algorithms().map(|list| list.iter().count()), alloc::format!("{server:?}"));
}

/// Any bytes, often fewer than a header has.
fn datagram() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![0..40_usize, 0..1600_usize].prop_flat_map(|size| prop::collection::vec(any::<u8>(), size))
}

/// Bytes that get past the header, and attributes of known and unknown types with any value.
fn attributes() -> impl Strategy<Value = Vec<u8>> {
    let kinds = prop_oneof![
        4 => prop::sample::select(vec![
            0x0001, 0x0006, 0x0008, 0x0009, 0x000A, 0x0014, 0x0015, 0x001C, 0x0020, 0x0024, 0x0025, 0x8022,
            0x8029, 0x802A, 0xC001, 0x8028, 0x0003, 0x000C, 0x000D, 0x0012, 0x0013, 0x0016, 0x0017, 0x0018,
            0x0019, 0x001A, 0x001D, 0x001E, 0x0022, 0x8000, 0x8001, 0x8002, 0x8003, 0x8004, 0x8023, 0x802B,
            0x802C,
        ]),
        1 => any::<u16>(),
    ];
    let sizes = prop_oneof![Just(0), Just(4), Just(8), Just(20), Just(32), 0..40_usize];
    // Small bytes are families, classes and the like.
    let value = (sizes, prop_oneof![0..4_u8, any::<u8>()]).prop_map(|(size, byte)| vec![byte; size]);
    let one = (kinds, value).prop_map(|(kind, value): (u16, Vec<u8>)| {
        let mut bytes = kind.to_be_bytes().to_vec();
        bytes.extend((value.len() as u16).to_be_bytes());
        bytes.extend(&value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    });
    prop::collection::vec(one, 0..12).prop_map(|all| all.concat())
}

fn with_header(message_type: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = (message_type & 0x03FF).to_be_bytes().to_vec();
    bytes.extend((body.len() as u16).to_be_bytes());
    bytes.extend(0x2112_A442_u32.to_be_bytes());
    bytes.extend(ID.0);
    bytes.extend(body);
    bytes
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in datagram()) {
        exercise(&bytes);
    }

    #[test]
    fn arbitrary_bytes_behind_a_good_header_never_panic(
        message_type in any::<u16>(), body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        exercise(&with_header(message_type, &body));
    }

    #[test]
    fn arbitrary_attributes_never_panic(message_type in any::<u16>(), body in attributes()) {
        exercise(&with_header(message_type, &body));
    }

    #[test]
    fn a_damaged_message_never_panics_and_is_not_accepted(
        sample in 0..6_usize, at in any::<prop::sample::Index>(), change in 1..=255_u8,
    ) {
        let [.., (_, mut bytes)] = { let mut all = samples(); all.rotate_left(sample); all };
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        exercise(&bytes);
        prop_assert!(!is_accepted(&bytes));
    }
}
