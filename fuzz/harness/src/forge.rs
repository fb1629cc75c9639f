//! Messages as the peer would write them, and as it would not.

use core::net::SocketAddr;

use floe_core::Credentials;
use floe_core::wire::{
    AttributeType, Class, ErrorCode, HEADER_SIZE, IntegrityKey, MessageWriter, Method, RoleClaim,
    TransactionId,
};

/// Knows both sides' passwords, those of every generation.
pub(crate) struct Forge {
    /// Of the agent, in force or staged; the peer may still use older ones.
    pub(crate) ours: Keyed,
    /// Which of the peer's it uses now.
    pub(crate) theirs: usize,
    peers: Vec<Keyed>,
    counter: u64,
}

/// Credentials, ready for use.
#[derive(Clone)]
pub(crate) struct Keyed {
    pub(crate) credentials: Credentials,
    pub(crate) key: IntegrityKey,
}

impl Keyed {
    pub(crate) fn new(credentials: Credentials) -> Self {
        Self { key: IntegrityKey::short_term(credentials.password()), credentials }
    }
}

/// A check that is not quite one of the current generation.
#[derive(Clone, Copy, Default)]
pub(crate) struct Variant<'a> {
    /// Whose password and whose half of the username, if not the current one.
    pub(crate) ours: Option<&'a Keyed>,
    /// The peer's half.
    pub(crate) theirs: Option<usize>,
    /// NOMINATION.
    pub(crate) nomination: Option<u32>,
}

// The bits of a shape, for requests and for answers.
/// USE-CANDIDATE.
pub(crate) const NOMINATES: u8 = 1;
/// The sender claims the role that the agent has.
pub(crate) const CONFLICT: u8 = 2;
/// No role at all; an answer without XOR-MAPPED-ADDRESS.
pub(crate) const BARE: u8 = 4;
/// No PRIORITY; an answer that is not signed.
pub(crate) const POOR: u8 = 8;
/// NOMINATION.
pub(crate) const RENOMINATES: u8 = 0x10;
/// An attribute that has to be understood and is not.
pub(crate) const UNKNOWN: u8 = 0x20;
/// Attributes that have no business here.
pub(crate) const CLUTTER: u8 = 0x40;
/// More behind MESSAGE-INTEGRITY: USE-CANDIDATE, which must not count there.
pub(crate) const TRAILER: u8 = 0x80;
/// For answers: from another place than the request went to.
pub(crate) const ELSEWHERE: u8 = 1;

impl Forge {
    pub(crate) fn new(ours: Credentials) -> Self {
        let peer = |number: usize| {
            let (ufrag, password) = match number {
                0 => ("peer".into(), "the-password-of-the-peer".into()),
                n => (format!("per{n}"), format!("the-password-of-the-peer-{n}")),
            };
            Keyed::new(Credentials::new(&ufrag, &password).expect("good credentials"))
        };
        Self { ours: Keyed::new(ours), theirs: 0, peers: (0..PEERS).map(peer).collect(), counter: 0 }
    }

    /// What the peer has in one of its generations.
    pub(crate) fn peer(&self, number: usize) -> &Keyed {
        self.peers.get(number % PEERS).expect("a remainder is within")
    }

    /// Of which of its generations this is.
    pub(crate) fn number_of(&self, ufrag: &str) -> Option<usize> {
        self.peers.iter().position(|peer| peer.credentials.ufrag() == ufrag)
    }

    /// A check of the peer.
    pub(crate) fn request(
        &mut self,
        shape: u8,
        claim: RoleClaim,
        priority: u32,
        variant: Variant<'_>,
    ) -> Vec<u8> {
        self.counter += 1;
        let mut id = [0x55; 12];
        id.iter_mut().zip(self.counter.to_be_bytes()).for_each(|(to, from)| *to = from);
        let ours = variant.ours.unwrap_or(&self.ours);
        let theirs = &self.peer(variant.theirs.unwrap_or(self.theirs)).credentials;
        write(Class::Request, TransactionId(id), |mut message| {
            message = message.username(ours.credentials.ufrag(), theirs.ufrag());
            if let Some(number) = variant.nomination {
                message = message.nomination(number);
            }
            if shape & POOR == 0 {
                message = message.priority(priority);
            }
            if shape & BARE == 0 {
                message = message.role(claim);
            }
            if shape & NOMINATES != 0 {
                message = message.use_candidate();
            }
            seal(clutter(message, shape), shape, &ours.key)
        })
    }

    /// An answer of the peer, in one of its generations: success.
    pub(crate) fn success(&self, id: TransactionId, peer: usize, shape: u8, mapped: SocketAddr) -> Vec<u8> {
        write(Class::Success, id, |mut message| {
            if shape & BARE == 0 {
                message = message.xor_mapped_address(mapped);
            }
            self.answer(clutter(message, shape), peer, shape)
        })
    }

    /// An answer of the peer: an error.
    pub(crate) fn error(&self, id: TransactionId, peer: usize, shape: u8, code: u16) -> Vec<u8> {
        write(Class::Error, id, |mut message| {
            if let (0, Some(error)) = (shape & BARE, ErrorCode::new(code, "because")) {
                message = message.error_code(error);
            }
            self.answer(clutter(message, shape), peer, shape)
        })
    }

    pub(crate) fn indication(&self) -> Vec<u8> {
        let finish =
            |message: MessageWriter<'_>| (message.finish_with_fingerprint().unwrap_or_default(), false);
        write(Class::Indication, TransactionId([9; 12]), finish)
    }

    fn answer(&self, message: MessageWriter<'_>, peer: usize, shape: u8) -> (usize, bool) {
        if shape & POOR != 0 {
            return (message.finish_with_fingerprint().unwrap_or_default(), false);
        }
        seal(message, shape, &self.peer(peer).key)
    }
}

/// Puts right what needs no password: the first bits, the cookie, the length, and FINGERPRINT if it is the last.
pub(crate) fn repair(bytes: &mut Vec<u8>) {
    bytes.truncate(bytes.len() / 4 * 4);
    let length = bytes.len().saturating_sub(HEADER_SIZE).to_be_bytes();
    let Some([first, _, high, low, cookie @ .., _, _, _, _, _, _, _, _, _, _, _, _]) =
        bytes.first_chunk_mut::<HEADER_SIZE>()
    else {
        return;
    };
    *first &= 3;
    [.., *high, *low] = length;
    cookie.copy_from_slice(&[0x21, 0x12, 0xA4, 0x42]);
    let Some((covered, seal)) = bytes.split_last_chunk_mut::<8>() else { return };
    if let [0x80, 0x28, 0, 4, crc @ ..] = seal
        && covered.len() >= HEADER_SIZE
    {
        crc.copy_from_slice(&(crc32fast::hash(covered) ^ 0x5354_554E).to_be_bytes());
    }
}

/// Puts FINGERPRINT behind everything.
pub(crate) fn add_fingerprint(bytes: &mut Vec<u8>) {
    bytes.truncate(bytes.len() / 4 * 4);
    bytes.extend([0x80, 0x28, 0, 4, 0, 0, 0, 0]);
    repair(bytes);
}

/// Writes a message with `build`, which tells its length and whether it still wants its end.
fn write(class: Class, id: TransactionId, build: impl FnOnce(MessageWriter<'_>) -> (usize, bool)) -> Vec<u8> {
    let mut buffer = [0; 1_200];
    let (length, open) = build(MessageWriter::new(&mut buffer, class, Method::BINDING, id));
    let mut bytes = buffer.get(..length).unwrap_or_default().to_vec();
    if open {
        // Had it any meaning here, it would nominate.
        bytes.extend([0, 0x25, 0, 0]);
        add_fingerprint(&mut bytes);
    }
    bytes
}

fn seal(message: MessageWriter<'_>, shape: u8, key: &IntegrityKey) -> (usize, bool) {
    let open = shape & TRAILER != 0;
    let length = if open { message.finish_with_integrity(key) } else { message.sign(key) };
    (length.unwrap_or_default(), open)
}

fn clutter(mut message: MessageWriter<'_>, shape: u8) -> MessageWriter<'_> {
    if shape & RENOMINATES != 0 {
        message = message.nomination(shape.into());
    }
    if shape & UNKNOWN != 0 {
        message = message.attribute(AttributeType(0x7777), b"?").attribute(AttributeType(0x7778), b"");
    }
    if shape & CLUTTER != 0 {
        message = message
            .software("a peer of many words")
            .attribute(AttributeType(0x8999), &[7; 33])
            .attribute(AttributeType::MAPPED_ADDRESS, b"not an address")
            .unknown_attributes(&[AttributeType(1)])
            .realm("realm")
            .nonce(&[0xFF; 9]);
    }
    message
}

/// How many generations the peer has.
pub(crate) const PEERS: usize = 6;
