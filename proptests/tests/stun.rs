//! The engine's STUN codec against itself and against another.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end with a panic"
)]

use floe_core::wire::{AttributeType, Message, WireError};
use floe_proptests::forge::{FINGERPRINT, Mend, Parts, damage, mend, mends};
use floe_proptests::stun::{View, specs};
use floe_proptests::{cases, reference, thousand};
use proptest::prelude::*;

proptest! {
    #![proptest_config(thousand())]

    /// Every check and every answer goes through this codec: what one agent writes, the other must read as it was meant.
    #[test]
    fn a_message_comes_back_as_it_was_written(spec in specs(699)) {
        let bytes = spec.write().unwrap();
        prop_assert_eq!(View::of(&Message::parse(&bytes).unwrap()), spec.view());
    }

    /// Peers have other codecs: another reading of the RFCs must see the same in what we write.
    #[test]
    fn another_codec_reads_what_we_write(spec in specs(599)) {
        let bytes = spec.write().unwrap();
        prop_assert_eq!(reference::read(&bytes), Some(spec.view()));
    }

    /// And we must see the same in what it writes, byte for byte.
    #[test]
    fn we_read_and_write_what_another_codec_writes(spec in specs(599)) {
        let bytes = reference::write(&spec).unwrap();
        prop_assert_eq!(View::of(&Message::parse(&bytes).unwrap()), spec.view());
        prop_assert_eq!(spec.write().unwrap(), bytes);
    }
}

proptest! {
    #![proptest_config(cases(10_000))]

    /// Where two readings of the RFCs part, a peer may drop what we take: each such place is known and has its reason.
    #[test]
    fn damaged_messages_are_taken_or_refused_alike_but_for_what_is_known(
        spec in specs(599),
        all in prop::collection::vec(damage(), 1..5),
        how in mends(),
    ) {
        let mut bytes = spec.write().unwrap();
        all.iter().for_each(|one| one.apply(&mut bytes));
        mend(&mut bytes, how);
        bytes.truncate(1_500);
        compare(&bytes)?;
    }
}

fn compare(bytes: &[u8]) -> Result<(), TestCaseError> {
    let theirs = reference::read(bytes);
    let message = match Message::parse(bytes) {
        Ok(message) => message,
        Err(error) => {
            let known = STRICTER.iter().any(|(_, _, applies)| applies(error, bytes));
            prop_assert!(theirs.is_none() || known, "refused for {error}, which {theirs:?} does not show");
            return Ok(());
        }
    };
    let parts = Parts::split(bytes).unwrap();
    let mut plain = parts.clone();
    IGNORED.iter().for_each(|(_, _, take_away)| take_away(&mut plain));
    // What is ignored may not show, but in the value of MESSAGE-INTEGRITY, which may cover it.
    let seen = |bytes: &[u8]| {
        let view = View::of(&Message::parse(bytes).unwrap());
        View { integrity: view.integrity.map(|_| true), ..view }
    };
    prop_assert_eq!(seen(bytes), seen(&sealed(&plain)), "{:x?} against {:x?}", parts, plain);
    LENIENT.iter().for_each(|(_, _, take_away)| take_away(&mut plain));
    if plain == parts {
        // Nothing in it that the two are known to see differently.
        prop_assert_eq!(Some(View::of(&message)), theirs);
        return Ok(());
    }
    let bytes = sealed(&plain);
    let ours = View::of(&Message::parse(&bytes).unwrap());
    prop_assert_eq!(Some(ours), reference::read(&bytes), "after {:x?} became {:x?}", parts, plain);
    Ok(())
}

/// What the engine refuses and the other codec takes: what it is, why, and how it is recognised.
#[expect(clippy::type_complexity, reason = "a table")]
const STRICTER: &[(&str, &str, fn(WireError, &[u8]) -> bool)] = &[
    ("something follows FINGERPRINT", "RFC 8489 §14.7: it is the last attribute", |error, bytes| {
        error == WireError::FingerprintNotLast
            && attributes(bytes).iter().rev().skip(1).any(|(kind, _)| *kind == FINGERPRINT)
    }),
    (
        "FINGERPRINT is wrong, but right for what the other codec would write: without reserved bits and most of the method",
        "RFC 8489 §14.7: the CRC is over the message, not over a re-encoding",
        |error, bytes| error == WireError::FingerprintMismatch && is_right_once_re_encoded(bytes),
    ),
    ("both roles are claimed", "RFC 8445 §7.1.3: one attribute or the other", |error, bytes| {
        let has = |wanted| attributes(bytes).iter().any(|(kind, _)| *kind == wanted);
        error == WireError::TwoRoles && has(ICE_CONTROLLED) && has(ICE_CONTROLLING)
    }),
    ("the first byte is 4 to 63", "RFC 7983 §7: that is another protocol's", |error, bytes| {
        matches!(error, WireError::NotStun(_)) && matches!(bytes[0], 4..=63)
    }),
    (
        "MESSAGE-INTEGRITY-SHA256 is not 16, 20, 24, 28 or 32 bytes",
        "RFC 8489 §14.6; the other codec knows RFC 5389 only",
        |error, bytes| {
            let is_wrong = |value: &[u8]| !matches!(value.len(), 16 | 20 | 24 | 28 | 32);
            is_malformed(error, bytes, INTEGRITY_SHA256, is_wrong)
        },
    ),
    ("NOMINATION is not 4 bytes", "not in an RFC, and the other codec does not know it", |error, bytes| {
        is_malformed(error, bytes, 0xC001, |value| value.len() != 4)
    }),
    (
        "the phrase of ERROR-CODE is longer than 763 bytes",
        "RFC 8489 §14.8: fewer than 128 characters, and up to 763 bytes; the other codec has no limit here",
        |error, bytes| is_malformed(error, bytes, ERROR_CODE, |value| value.len() > 4 + 763),
    ),
];

/// What the engine ignores and the other codec looks at: what it is, why, and how to take exactly this away, after which
/// the engine has to see the same.
#[expect(clippy::type_complexity, reason = "a table")]
const IGNORED: &[(&str, &str, fn(&mut Parts))] = &[
    (
        "something wrong behind the last MESSAGE-INTEGRITY",
        "RFC 8489 §14.5, §14.6: what follows it is ignored, but for the other seals",
        |parts| {
            let is_seal = |wanted| move |(kind, _): &(u16, Vec<u8>)| *kind == wanted;
            let seal = parts.attributes.iter().position(is_seal(INTEGRITY));
            let seal = seal.or_else(|| parts.attributes.iter().position(is_seal(INTEGRITY_SHA256)));
            let mut place = 0;
            parts.attributes.retain(|(kind, _)| {
                place += 1;
                seal.is_none_or(|seal| place <= seal + 1) || *kind == FINGERPRINT
            });
        },
    ),
    (
        "XOR-MAPPED-ADDRESS of an unknown family",
        "RFC 8489 §14.1, §14.2: two families are defined; §6.3.3: what is not understood and not needed is ignored",
        |parts| {
            parts
                .attributes
                .retain(|(kind, value)| *kind != XOR_MAPPED || matches!(value.get(1), Some(1 | 2) | None));
        },
    ),
    (
        "a second attribute of a type, right or wrong",
        "RFC 8489 §14: only the first needs to be processed",
        |parts| {
            let mut seen = Vec::new();
            parts.attributes.retain(|(kind, _)| {
                let is_new = !seen.contains(kind);
                seen.push(*kind);
                is_new
            });
        },
    ),
];

/// What the engine takes and the other codec refuses, or sees otherwise: what it is, why, and how to take exactly
/// this away, after which the two have to agree.
#[expect(clippy::type_complexity, reason = "a table")]
const LENIENT: &[(&str, &str, fn(&mut Parts))] = &[
    (
        "reserved bits of ERROR-CODE and XOR-MAPPED-ADDRESS",
        "RFC 8489 §14.8, §14.2: a receiver ignores them; the other codec seals a re-encoding without them",
        |parts| parts.attributes.iter_mut().for_each(|(kind, value)| clear_reserved(*kind, value)),
    ),
    ("an error code of 600 to 699", "RFC 8489 §14.8: the class runs from 3 to 6", |parts| {
        change(parts, ERROR_CODE, |value| {
            if value.get(2) == Some(&6) {
                value[2] = 5;
            }
        });
    }),
    (
        "an error phrase that is not UTF-8",
        "RFC 8489 §14.8: the phrase is for people, and the code counts",
        |parts| {
            change(parts, ERROR_CODE, |value| {
                if value.len() > 4 && core::str::from_utf8(&value[4..]).is_err() {
                    value.truncate(4);
                }
            });
        },
    ),
    (
        "SOFTWARE or NONCE that is not UTF-8",
        "RFC 8489 §14.14 is for people; §14.10: a client gives NONCE back as it came",
        |parts| {
            let is_text = |value: &[u8]| core::str::from_utf8(value).is_ok();
            parts.attributes.retain(|(kind, value)| !matches!(*kind, SOFTWARE | NONCE) || is_text(value));
        },
    ),
    (
        "SOFTWARE, REALM or NONCE of 128 characters and more, USERNAME of 513 bytes and more, all up to 763 bytes",
        "RFC 8489 §14.3, §14.9, §14.10, §14.14: writers stop at 509 bytes, and those of RFC 5389 at 763",
        |parts| {
            parts.attributes.retain(|(kind, value)| match *kind {
                USERNAME => value.len() < 513,
                SOFTWARE | REALM | NONCE => {
                    core::str::from_utf8(value).map_or(true, |text| text.chars().count() < 128)
                }
                _ => true,
            });
        },
    ),
    (
        "a method above 15 in a sealed message",
        "RFC 8489 §5: 12 bits; the other codec re-encodes those above the fourth wrongly, and so refuses the seals",
        |parts| {
            if parts.kind & 0x3EE0 != 0 && attributes_are_sealed(parts) {
                parts.kind = parts.kind & 0x0110 | 1;
            }
        },
    ),
];

const USERNAME: u16 = 0x0006;
const INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const REALM: u16 = 0x0014;
const NONCE: u16 = 0x0015;
const INTEGRITY_SHA256: u16 = 0x001C;
const XOR_MAPPED: u16 = 0x0020;
const SOFTWARE: u16 = 0x8022;
const ICE_CONTROLLED: u16 = 0x8029;
const ICE_CONTROLLING: u16 = 0x802A;

fn attributes(bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
    Parts::split(bytes).map(|parts| parts.attributes).unwrap_or_default()
}

fn is_malformed(error: WireError, bytes: &[u8], wanted: u16, is_wrong: impl Fn(&[u8]) -> bool) -> bool {
    error == WireError::Malformed(AttributeType(wanted))
        && attributes(bytes).iter().any(|(kind, value)| *kind == wanted && is_wrong(value))
}

fn change(parts: &mut Parts, wanted: u16, change: impl Fn(&mut Vec<u8>)) {
    parts.attributes.iter_mut().filter(|(kind, _)| *kind == wanted).for_each(|(_, value)| change(value));
}

fn clear_reserved(kind: u16, value: &mut [u8]) {
    match (kind, value) {
        (ERROR_CODE, [a, b, class, _, ..]) => (*a, *b, *class) = (0, 0, *class & 0b111),
        (XOR_MAPPED, [reserved, ..]) => *reserved = 0,
        _ => {}
    }
}

/// The message with a FINGERPRINT that is right, if it ends with one.
fn sealed(parts: &Parts) -> Vec<u8> {
    let mut bytes = parts.join();
    if parts.attributes.last().is_some_and(|(kind, _)| *kind == FINGERPRINT) {
        mend(&mut bytes, Mend::Fingerprint);
    }
    bytes
}

fn attributes_are_sealed(parts: &Parts) -> bool {
    parts.attributes.iter().any(|(kind, _)| matches!(*kind, INTEGRITY | FINGERPRINT))
}

/// Whether the CRC fits a message without the reserved bits, and with the method as the other codec writes it.
fn is_right_once_re_encoded(bytes: &[u8]) -> bool {
    let Some(mut parts) = Parts::split(bytes) else { return false };
    parts.attributes.iter_mut().for_each(|(kind, value)| clear_reserved(*kind, value));
    let method = (parts.kind & 0x000F) | ((parts.kind & 0x00E0) >> 1) | ((parts.kind & 0x3E00) >> 2);
    parts.kind = (parts.kind & 0x0110) | (method & 0x000F) | (method & 0x0070) << 5;
    sealed(&parts) == parts.join()
}
