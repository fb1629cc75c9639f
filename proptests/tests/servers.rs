//! What the engine says to servers and hears from them, against itself and against another codec.
#![allow(clippy::unwrap_used, reason = "a test may end with a panic")]

use floe_core::wire::{AttributeType, Message, ServerAttributes};
use floe_proptests::forge::{damage, mend, mends};
use floe_proptests::server::{Attribute, Spec, counted, is_sealed, specs, view};
use floe_proptests::{cases, server_reference, thousand};
use proptest::prelude::*;

proptest! {
    #![proptest_config(thousand())]

    /// Allocations are asked for and told of through this codec: it reads what it has written.
    #[test]
    fn a_message_comes_back_as_it_was_written(spec in specs()) {
        let bytes = spec.write().unwrap();
        let message = Message::parse(&bytes).unwrap();
        let read = ServerAttributes::read(&message).unwrap();
        prop_assert_eq!((message.class(), message.method()), (spec.class, spec.method));
        prop_assert_eq!(view(&read), counted(spec.attributes));
        prop_assert_eq!(is_sealed(&message), spec.integrity);
        prop_assert!(read.unknown_required().is_empty());
    }

    /// Servers have other codecs: another reading of the RFCs must see the same in what we write, and find the same key.
    #[test]
    fn another_codec_reads_what_we_write(spec in specs()) {
        // It seals over what it would write of what it has read.
        let spec = Spec { attributes: plain(spec.attributes), ..spec };
        let bytes = spec.write().unwrap();
        let expected = (counted(spec.attributes), spec.integrity.then_some(true));
        prop_assert_eq!(server_reference::read(&bytes), Some(expected));
    }

    /// And we must see the same in what it writes, byte for byte.
    #[test]
    fn we_read_and_write_what_another_codec_writes(spec in specs()) {
        let bytes = server_reference::write(&spec).unwrap();
        prop_assert_eq!(spec.write().unwrap(), bytes.clone());
        let message = Message::parse(&bytes).unwrap();
        prop_assert_eq!(view(&ServerAttributes::read(&message).unwrap()), counted(spec.attributes));
        prop_assert_eq!(is_sealed(&message), spec.integrity);
    }
}

proptest! {
    #![proptest_config(cases(10_000))]

    /// Nobody signs indications: whatever was done to one, it is refused, or both codecs see the same in it.
    #[test]
    fn damaged_messages_are_seen_alike(
        spec in specs(),
        all in prop::collection::vec(damage(), 1..5),
        how in mends(),
    ) {
        let mut bytes = spec.write().unwrap();
        all.iter().for_each(|one| one.apply(&mut bytes));
        mend(&mut bytes, how);
        bytes.truncate(1_500);
        let Ok(message) = Message::parse(&bytes) else { return Ok(()) };
        let Ok(read) = ServerAttributes::read(&message) else { return Ok(()) };
        let Some((theirs, _)) = server_reference::read(&bytes) else { return Ok(()) };
        // A seal that it does not know, and behind which it goes on reading.
        let mut kinds = message.attributes().map(|(kind, _)| kind);
        prop_assume!(kinds.all(|kind| kind != AttributeType::MESSAGE_INTEGRITY_SHA256));
        prop_assert_eq!(plain(view(&read)), theirs);
    }
}

/// Without what the other codec reads wrongly.
fn plain(attributes: Vec<Attribute>) -> Vec<Attribute> {
    let is_read = |attribute: &Attribute| !matches!(attribute, Attribute::ChangeRequest { .. });
    attributes.into_iter().filter(is_read).collect()
}
