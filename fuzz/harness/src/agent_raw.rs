//! A connected agent under datagrams of strangers: nothing is taken, nothing changes, and nobody gets back more than
//! they have sent.

use crate::places::Place;
use crate::script::{Action, Setting, Step};
use crate::stage::{Outcome, Stage};
use arbitrary::Unstructured;

/// The setting's first byte, then datagrams: socket, remote, repair, length, bytes.
pub fn run(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let config = u.arbitrary::<u8>().unwrap_or_default();
    crate::memory::weighed(|| {
        let mut stage = Stage::new(Setting { config: config & FAST, limits: 0 }, 0);
        stage.connect();
        assert!(stage.is_connected(), "the prelude connects");
        let before = stage.fingerprint();
        for _ in 0..MOST_DATAGRAMS {
            if u.is_empty() {
                break;
            }
            if let Some((place, repair, bytes)) = datagram(&mut u) {
                one(&mut stage, place, repair, bytes);
                assert_eq!(stage.fingerprint(), before, "{place:?} {repair} {bytes:02x?}");
            }
        }
        stage.finish()
    });
}

/// The bytes of an input with these datagrams.
pub fn write<'a>(config: u8, datagrams: impl IntoIterator<Item = (Place, u8, &'a [u8])>) -> Vec<u8> {
    let mut out = vec![config];
    for (place, repair, bytes) in datagrams {
        let length = bytes.len().min(usize::from(u16::MAX)) as u16;
        out.extend([place.socket, place.remote, repair]);
        out.extend(length.to_le_bytes());
        out.extend(bytes.iter().take(length.into()));
    }
    out
}

fn datagram<'a>(u: &mut Unstructured<'a>) -> Option<(Place, u8, &'a [u8])> {
    let place = Place { socket: u.arbitrary().ok()?, remote: u.arbitrary().ok()? };
    let repair = u.arbitrary().ok()?;
    let length = usize::from(u.arbitrary::<u16>().ok()?).min(u.len());
    Some((place, repair, u.bytes(length).ok()?))
}

fn one(stage: &mut Stage, place: Place, repair: u8, bytes: &[u8]) {
    // What the agent has sent itself comes back.
    if repair & REFLECT != 0 {
        let flip = u16::from_le_bytes([place.remote, place.socket]);
        let action = Action::Reflect { which: repair & 7, place: Place::default(), flip };
        stage.play(&Step::from(action));
        return;
    }
    let (tuple, mut datagram) = stage.raw(place, repair, bytes);
    let outcome = stage.stranger(stage.now(), tuple, &mut datagram);
    let answers = stage.drain();
    assert!(answers.len() <= 1, "{answers:?}");
    for (to, size) in answers {
        assert!(to == tuple && size <= datagram.len(), "{size} bytes to {to:?} for {}", datagram.len());
        assert!(matches!(outcome, Outcome::Dropped(_)), "{outcome:?}");
    }
}

/// With Ta in seconds the prelude would not connect.
const FAST: u8 = 0x1F;
const REFLECT: u8 = 0x80;
const MOST_DATAGRAMS: usize = 64;
