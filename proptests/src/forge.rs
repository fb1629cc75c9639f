//! Damage to messages: of the bytes as a network does it, and of the attributes as a forger does it. A third codec of a
//! few lines takes messages apart and puts them together without looking at any value.

use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A message taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parts {
    /// Class and method, as on the wire.
    pub kind: u16,
    /// The transaction id.
    pub id: [u8; 12],
    /// Types and values.
    pub attributes: Vec<(u16, Vec<u8>)>,
}

/// One piece of damage.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Damage {
    FlipBit(Index, u8),
    SetByte(Index, u8),
    InsertBytes(Index, Vec<u8>),
    RemoveBytes(Index, usize),
    Truncate(Index),
    InsertAttribute(Index, u16, Vec<u8>),
    DuplicateAttribute(Index, Index),
    RemoveAttribute(Index),
    SwapAttributes(Index, Index),
    SetMethod(u16),
}

/// What a forger puts right again in the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mend {
    /// Nothing.
    Nothing,
    /// The length in the header.
    Length,
    /// The length, and the value of a FINGERPRINT at the end.
    Fingerprint,
}

/// FINGERPRINT's type.
pub const FINGERPRINT: u16 = 0x8028;

impl Parts {
    /// `None` unless the bytes are a header and whole attributes.
    pub fn split(bytes: &[u8]) -> Option<Self> {
        let (head, mut rest) = bytes.split_first_chunk::<20>()?;
        let &[t0, t1, l0, l1, _, _, _, _, ref id @ ..] = head;
        if usize::from(u16::from_be_bytes([l0, l1])) != rest.len() {
            return None;
        }
        let mut attributes = Vec::new();
        while let Some((&[k0, k1, l0, l1], after)) = rest.split_first_chunk() {
            let length = usize::from(u16::from_be_bytes([l0, l1]));
            attributes.push((u16::from_be_bytes([k0, k1]), after.get(..length)?.to_vec()));
            rest = after.get(length.next_multiple_of(4)..)?;
        }
        rest.is_empty().then_some(Self { kind: u16::from_be_bytes([t0, t1]), id: *id, attributes })
    }

    /// The message, with all values as they are.
    pub fn join(&self) -> Vec<u8> {
        let mut bytes = Vec::from(self.kind.to_be_bytes());
        bytes.extend([0, 0, 0x21, 0x12, 0xA4, 0x42]);
        bytes.extend(self.id);
        for (kind, value) in &self.attributes {
            bytes.extend(kind.to_be_bytes());
            bytes.extend((value.len() as u16).to_be_bytes());
            bytes.extend(value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        mend(&mut bytes, Mend::Length);
        bytes
    }
}

impl Damage {
    /// Does it, where there is something to do it to.
    pub fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::FlipBit(at, bit) => with_byte(bytes, at, |byte| *byte ^= 1 << (bit % 8)),
            Self::SetByte(at, value) => with_byte(bytes, at, |byte| *byte = *value),
            Self::InsertBytes(at, new) => {
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, new.iter().copied());
            }
            Self::RemoveBytes(at, count) => {
                let at = at.index(bytes.len() + 1);
                bytes.drain(at..(at + count).min(bytes.len()));
            }
            Self::Truncate(at) => bytes.truncate(at.index(bytes.len() + 1)),
            Self::InsertAttribute(at, kind, value) => with_parts(bytes, |parts| {
                parts.attributes.insert(at.index(parts.attributes.len() + 1), (*kind, value.clone()));
            }),
            Self::DuplicateAttribute(from, to) => with_parts(bytes, |parts| {
                if !parts.attributes.is_empty() {
                    let copy = from.get(&parts.attributes).clone();
                    parts.attributes.insert(to.index(parts.attributes.len() + 1), copy);
                }
            }),
            Self::RemoveAttribute(at) => with_parts(bytes, |parts| {
                if !parts.attributes.is_empty() {
                    parts.attributes.remove(at.index(parts.attributes.len()));
                }
            }),
            Self::SwapAttributes(one, other) => with_parts(bytes, |parts| {
                let count = parts.attributes.len();
                if count > 0 {
                    parts.attributes.swap(one.index(count), other.index(count));
                }
            }),
            Self::SetMethod(bits) => {
                with_parts(bytes, |parts| parts.kind = parts.kind & 0x0110 | bits & 0x3EEF);
            }
        }
    }
}

/// Puts a message right to this degree.
pub fn mend(bytes: &mut [u8], how: Mend) {
    let length = (bytes.len().saturating_sub(20) as u16).to_be_bytes();
    if let (Some(field), true) = (bytes.get_mut(2..4), how != Mend::Nothing) {
        field.copy_from_slice(&length);
    }
    if how == Mend::Fingerprint
        && let Some((covered, [0x80, 0x28, 0, 4, value @ ..])) = bytes.split_last_chunk_mut::<8>()
    {
        value.copy_from_slice(&(crc32(covered) ^ 0x5354_554E).to_be_bytes());
    }
}

/// Damage of all kinds.
pub fn damage() -> impl Strategy<Value = Damage> {
    let index = any::<Index>;
    prop_oneof![
        6 => (index(), any::<u8>()).prop_map(|(at, bit)| Damage::FlipBit(at, bit)),
        2 => (index(), any::<u8>()).prop_map(|(at, value)| Damage::SetByte(at, value)),
        1 => (index(), prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(at, new)| Damage::InsertBytes(at, new)),
        1 => (index(), 1_usize..9).prop_map(|(at, count)| Damage::RemoveBytes(at, count)),
        1 => index().prop_map(Damage::Truncate),
        4 => (index(), kinds(), values()).prop_map(|(at, kind, value)| Damage::InsertAttribute(at, kind, value)),
        4 => (index(), fitting()).prop_map(|(at, (kind, value))| Damage::InsertAttribute(at, kind, value)),
        2 => (index(), index()).prop_map(|(from, to)| Damage::DuplicateAttribute(from, to)),
        1 => index().prop_map(Damage::RemoveAttribute),
        2 => (index(), index()).prop_map(|(one, other)| Damage::SwapAttributes(one, other)),
        1 => any::<u16>().prop_map(Damage::SetMethod),
    ]
}

/// What is put right after the damage.
pub fn mends() -> impl Strategy<Value = Mend> {
    select(vec![Mend::Nothing, Mend::Length, Mend::Fingerprint, Mend::Fingerprint])
}

fn kinds() -> impl Strategy<Value = u16> {
    let known = vec![
        0x0006, 0x0008, 0x0009, 0x000A, 0x0014, 0x0015, 0x001C, 0x0020, 0x0024, 0x0025, 0x8022, 0x8028,
        0x8029, 0x802A, 0xC001, 0x0001, 0x7FFF,
    ];
    prop_oneof![8 => select(known), 1 => any::<u16>()]
}

/// An attribute of the right size for its type.
fn fitting() -> impl Strategy<Value = (u16, Vec<u8>)> {
    let sizes = vec![
        (0x0008_u16, 20_usize),
        (0x000A, 2),
        (0x001C, 32),
        (0x0024, 4),
        (0x0025, 0),
        (0x8029, 8),
        (0x802A, 8),
        (0xC001, 4),
    ];
    let fixed =
        select(sizes).prop_flat_map(|(kind, size)| (Just(kind), prop::collection::vec(any::<u8>(), size)));
    let phrase = select(vec![127_usize, 128, 763, 764])
        .prop_map(|size| (0x0009_u16, [&[0, 0, 4, 1][..], &vec![b'x'; size]].concat()));
    prop_oneof![9 => fixed, 1 => phrase]
}

/// Mostly of sizes that fit some attribute.
fn values() -> impl Strategy<Value = Vec<u8>> {
    let size = select(vec![0_usize, 2, 4, 8, 20, 16, 32, 7, 129, 600, 764]);
    let fill = size.prop_flat_map(|size| (prop::collection::vec(any::<u8>(), size.min(32)), Just(size)));
    let any_bytes = fill.prop_map(|(mut value, size)| {
        value.resize(size, b'x');
        value
    });
    let text = "[ -~]{0,160}".prop_map(String::into_bytes);
    // Addresses and error codes, nearly right.
    let nearly = (0_u8..4, 0_u8..4, 0_u8..9, any::<u8>(), prop::collection::vec(any::<u8>(), 0..17))
        .prop_map(|(a, b, c, d, rest)| [&[a, b, c, d][..], &rest].concat());
    prop_oneof![any_bytes, text, nearly]
}

fn with_byte(bytes: &mut [u8], at: &Index, change: impl Fn(&mut u8)) {
    if !bytes.is_empty() {
        let at = at.index(bytes.len());
        bytes.get_mut(at).into_iter().for_each(change);
    }
}

fn with_parts(bytes: &mut Vec<u8>, change: impl Fn(&mut Parts)) {
    if let Some(mut parts) = Parts::split(bytes) {
        change(&mut parts);
        *bytes = parts.join();
    }
}

/// CRC-32 of ISO HDLC, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
