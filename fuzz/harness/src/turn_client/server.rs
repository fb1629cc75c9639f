//! What the server writes. It knows every password that the application has ever used, so it signs what it likes.

use core::net::SocketAddr;
use core::time::Duration;

use floe_core::wire::{
    AddressFamily, AttributeType, Class, ErrorCode, IntegrityKey, Message, MessageWriter, Method,
    ServerAttributes, TransactionId,
};

use crate::script::pick;

/// The username; and the passwords that it may have.
pub(super) const USERNAME: &str = "user";
pub(super) const PASSWORDS: [&str; 3] = ["secret", "another", ""];

// The bits of a seal. The lowest two say whose it is: the right one, none, a wrong one, a weaker one.
const WHOSE: u8 = 3;
/// An attribute that has to be understood and is not.
const UNKNOWN: u8 = 4;
const FINGERPRINT: u8 = 8;
/// From another address.
pub(super) const ELSEWHERE: u8 = 0x10;
/// Success is an error, and the other way round.
const OTHER_CLASS: u8 = 0x20;
const OTHER_METHOD: u8 = 0x40;
pub(super) const TWICE: u8 = 0x80;

/// A request of the agent's, with the key that signs its answer.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) bytes: Vec<u8>,
    key: Option<IntegrityKey>,
    weak: Option<IntegrityKey>,
}

impl Asked {
    /// Reads a request. It is signed as the server has demanded, or not at all.
    pub(super) fn read(message: &Message<'_>) -> Self {
        let bytes = message.bytes().to_vec();
        let Some(realm) = message.realm() else {
            assert!(!message.has_integrity() && !message.has_integrity_sha256(), "signed for no realm");
            return Self { bytes, key: None, weak: None };
        };
        let attributes = ServerAttributes::read(message).expect("a request is well-formed");
        assert!(message.nonce().is_some(), "no nonce");
        assert!(message.username() == Some(USERNAME) || attributes.userhash().is_some(), "who is it?");
        let algorithm =
            attributes.password_algorithm().and_then(floe_core::wire::PasswordAlgorithms::first_known);
        let keys = PASSWORDS.map(|password| {
            let weak = IntegrityKey::long_term(USERNAME, realm, password);
            let key = match algorithm {
                Some(algorithm) => IntegrityKey::long_term_sha256(algorithm, USERNAME, realm, password),
                None => weak.clone(),
            };
            (key, weak)
        });
        let (key, weak) =
            keys.into_iter().find(|(key, _)| message.verify(key).is_ok()).expect("one of the passwords");
        Self { bytes, key: Some(key), weak: Some(weak) }
    }

    pub(super) fn message(&self) -> Message<'_> {
        Message::parse(&self.bytes).expect("it was read before")
    }

    /// An answer with what `fill` puts in.
    pub(super) fn answer(
        &self,
        class: Class,
        seal: u8,
        fill: impl FnOnce(MessageWriter<'_>) -> MessageWriter<'_>,
    ) -> Vec<u8> {
        let message = self.message();
        let class = match (class, seal & OTHER_CLASS != 0) {
            (Class::Success, true) => Class::Error,
            (Class::Error, true) => Class::Success,
            (class, _) => class,
        };
        let method = if seal & OTHER_METHOD == 0 { message.method() } else { Method::CHANNEL_BIND };
        let wrong = IntegrityKey::long_term("somebody", "else", "entirely");
        let key = match seal & WHOSE {
            0 => self.key.as_ref(),
            1 => None,
            2 => Some(&wrong),
            _ => self.weak.as_ref(),
        };
        write(class, method, message.transaction_id(), |writer| {
            let mut writer = fill(writer);
            if seal & UNKNOWN != 0 {
                writer = writer.attribute(AttributeType(0x7777), b"?");
            }
            match (key, seal & FINGERPRINT != 0) {
                (Some(key), false) => writer.finish_with_integrity(key),
                (Some(key), true) => writer.sign(key),
                (None, false) => writer.finish(),
                (None, true) => writer.finish_with_fingerprint(),
            }
            .unwrap_or_default()
        })
    }

    /// 401 or 438.
    pub(super) fn challenge(
        &self,
        stale: bool,
        [realm, nonce, algorithms, seal]: [u8; 4],
        count: u32,
    ) -> Vec<u8> {
        let code = if stale { ErrorCode::STALE_NONCE } else { ErrorCode::UNAUTHENTICATED };
        let long = "r".repeat(127);
        let realm =
            pick([Some("floe"), Some("other"), Some("\"floe\""), Some(""), Some(&*long), None], realm);
        let features = pick([None, Some("gAAA"), Some("QAAA"), Some("wAAA"), Some("////"), Some("?")], nonce);
        let mut text = features.map_or_else(Vec::new, |bits| format!("obMatJos2{bits}").into_bytes());
        text.extend(count.to_be_bytes());
        text.resize(text.len().max(pick([0, 0, 128, 509, 763], nonce / 8)), b'n');
        let list: Option<&[u8]> = pick(
            [
                None,
                Some(&[0, 2, 0, 0, 0, 1, 0, 0][..]),
                Some(&[0, 1, 0, 0]),
                Some(&[0, 9, 0, 0]),
                Some(&[0, 2, 0, 4, 1, 2, 3, 4, 0, 1, 0, 0]),
                Some(&[0, 2]),
                Some(&[]),
                Some(&[0; 600]),
            ],
            algorithms,
        );
        // Nobody signs these, as a rule.
        self.answer(Class::Error, seal ^ 1, |writer| {
            let mut writer = writer.error_code(code);
            if let Some(realm) = realm {
                writer = writer.realm(realm);
            }
            if nonce != 0xFF {
                writer = writer.nonce(&text);
            }
            match list {
                Some(list) => writer.attribute(AttributeType::PASSWORD_ALGORITHMS, list),
                None => writer,
            }
        })
    }

    /// Success: whatever the request may want.
    pub(super) fn grant(
        &self,
        relayed: &[SocketAddr],
        mapped: SocketAddr,
        lifetime: Option<Duration>,
        seal: u8,
    ) -> Vec<u8> {
        self.answer(Class::Success, seal, |mut writer| {
            for address in relayed {
                writer = writer.xor_relayed_address(*address);
            }
            if let Some(lifetime) = lifetime {
                writer = writer.lifetime(lifetime);
            }
            writer.xor_mapped_address(mapped)
        })
    }

    pub(super) fn refuse(&self, code: u16, others: &[SocketAddr], seal: u8) -> Vec<u8> {
        self.answer(Class::Error, seal, |mut writer| {
            if let Some(error) = ErrorCode::new(code, "because") {
                writer = writer.error_code(error);
            }
            for other in others {
                writer = writer.alternate_server(*other);
            }
            if others.len() > 1 {
                writer = writer.alternate_domain("elsewhere.example");
            }
            writer
        })
    }

    /// What an honest server would say.
    pub(super) fn honest(&self, mapped: SocketAddr, count: u32, modern: bool) -> Vec<u8> {
        let message = self.message();
        if message.method() == Method::BINDING {
            return self.answer(Class::Success, 1, |writer| writer.xor_mapped_address(mapped));
        }
        if self.key.is_none() {
            return self.challenge(false, [0, if modern { 3 } else { 0 }, u8::from(modern), 0], count);
        }
        let attributes = ServerAttributes::read(&message).expect("a request is well-formed");
        let lifetime = attributes.lifetime().unwrap_or(Duration::from_secs(600));
        let port = 49_152 + (count % 16_384) as u16;
        let mut relayed = Vec::new();
        if message.method() == Method::ALLOCATE {
            let v6 = SocketAddr::new([0x2001, 0xdb8, 0xA, 0, 0, 0, 0, 1].into(), port);
            let v4 = SocketAddr::new([198, 51, 100, 1].into(), port);
            match attributes.requested_address_family() {
                Some(AddressFamily::V6) => relayed.push(v6),
                _ => relayed.push(v4),
            }
            if attributes.additional_address_family().is_some() {
                relayed.push(v6);
            }
        }
        self.grant(&relayed, mapped, Some(lifetime), 0)
    }
}

/// A Data indication; `shape`: without data, without a peer, with ICMP, with something unknown, of another class.
pub(super) fn data(peer: SocketAddr, payload: &[u8], shape: u8) -> Vec<u8> {
    let class = if shape & 0x10 == 0 { Class::Indication } else { Class::Request };
    write(class, Method::DATA, TransactionId([8; 12]), |mut writer| {
        if shape & 2 == 0 {
            writer = writer.xor_peer_address(peer);
        }
        if shape & 1 == 0 {
            writer = writer.data(payload);
        }
        if shape & 4 != 0 {
            writer = writer.attribute(AttributeType::ICMP, &[0, 0, 3, shape >> 5, 0, 0, 5, 0]);
        }
        if shape & 8 != 0 {
            writer = writer.attribute(AttributeType(0x7777), b"?");
        }
        writer.finish().unwrap_or_default()
    })
}

fn write(
    class: Class,
    method: Method,
    id: TransactionId,
    build: impl FnOnce(MessageWriter<'_>) -> usize,
) -> Vec<u8> {
    let mut buffer = vec![0; 4_096];
    let length = build(MessageWriter::new(&mut buffer, class, method, id));
    buffer.truncate(length);
    buffer
}
