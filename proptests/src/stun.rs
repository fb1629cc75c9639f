//! STUN messages as data: what is written, and what was read, in words that both codecs have.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use floe_core::wire::{
    AttributeType, Class, ErrorCode, IntegrityKey, Message, MessageWriter, Method, RoleClaim, TransactionId,
};
use proptest::prelude::*;
use proptest::sample::select;

/// The password that messages of the tests are signed with.
pub const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

/// A message to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spec {
    /// Its class; the method is Binding.
    pub class: Class,
    /// Its transaction id.
    pub id: [u8; 12],
    /// In their order, no two of one kind.
    pub attributes: Vec<Attribute>,
    /// Whether MESSAGE-INTEGRITY follows.
    pub integrity: bool,
    /// Whether FINGERPRINT follows.
    pub fingerprint: bool,
}

/// An attribute to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the attributes of RFC 8489 and RFC 8445")]
pub enum Attribute {
    Username(String),
    Priority(u32),
    UseCandidate,
    Role(RoleClaim),
    XorMappedAddress(SocketAddr),
    ErrorCode(u16, String),
    UnknownAttributes(Vec<u16>),
    Software(String),
    Realm(String),
    Nonce(String),
}

/// What a codec makes of a message: the first attribute of each type, of those that MESSAGE-INTEGRITY covers.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the attributes of RFC 8489 and RFC 8445")]
pub struct View {
    pub class: Class,
    pub method: u16,
    pub id: [u8; 12],
    pub username: Option<String>,
    pub priority: Option<u32>,
    pub use_candidate: bool,
    pub role: Option<RoleClaim>,
    pub xor_mapped_address: Option<SocketAddr>,
    pub error_code: Option<(u16, String)>,
    pub unknown_attributes: Vec<u16>,
    pub software: Option<String>,
    pub realm: Option<String>,
    pub nonce: Option<Vec<u8>>,
    pub has_fingerprint: bool,
    /// Whether there is a MESSAGE-INTEGRITY, and whether it is [`PASSWORD`]'s.
    pub integrity: Option<bool>,
}

impl Spec {
    /// The message as the engine writes it; `None` if it has an attribute that the engine cannot write.
    pub fn write(&self) -> Option<Vec<u8>> {
        let mut buffer = [0; 4096];
        let mut message =
            MessageWriter::new(&mut buffer, self.class, Method::BINDING, TransactionId(self.id));
        for attribute in &self.attributes {
            message = match attribute {
                Attribute::Username(name) => message.username_str(name),
                Attribute::Priority(priority) => message.priority(*priority),
                Attribute::UseCandidate => message.use_candidate(),
                Attribute::Role(claim) => message.role(*claim),
                Attribute::XorMappedAddress(address) => message.xor_mapped_address(*address),
                Attribute::ErrorCode(code, reason) => message.error_code(ErrorCode::new(*code, reason)?),
                Attribute::UnknownAttributes(types) => {
                    let types: Vec<_> = types.iter().copied().map(AttributeType).collect();
                    message.unknown_attributes(&types)
                }
                Attribute::Software(text) => message.software(text),
                Attribute::Realm(text) => message.realm(text),
                Attribute::Nonce(text) => message.nonce(text.as_bytes()),
            };
        }
        let key = IntegrityKey::short_term(PASSWORD);
        let written = match (self.integrity, self.fingerprint) {
            (false, false) => message.finish(),
            (false, true) => message.finish_with_fingerprint(),
            (true, false) => message.finish_with_integrity(&key),
            (true, true) => message.sign(&key),
        };
        buffer.get(..written.ok()?).map(<[u8]>::to_vec)
    }

    /// What a reader is to see.
    pub fn view(&self) -> View {
        let mut view = View {
            class: self.class,
            method: 1,
            id: self.id,
            username: None,
            priority: None,
            use_candidate: false,
            role: None,
            xor_mapped_address: None,
            error_code: None,
            unknown_attributes: Vec::new(),
            software: None,
            realm: None,
            nonce: None,
            has_fingerprint: self.fingerprint,
            integrity: self.integrity.then_some(true),
        };
        for attribute in self.attributes.iter().cloned() {
            match attribute {
                Attribute::Username(name) => view.username = Some(name),
                Attribute::Priority(priority) => view.priority = Some(priority),
                Attribute::UseCandidate => view.use_candidate = true,
                Attribute::Role(claim) => view.role = Some(claim),
                Attribute::XorMappedAddress(address) => view.xor_mapped_address = Some(address),
                Attribute::ErrorCode(code, reason) => view.error_code = Some((code, reason)),
                Attribute::UnknownAttributes(types) => view.unknown_attributes = types,
                Attribute::Software(text) => view.software = Some(text),
                Attribute::Realm(text) => view.realm = Some(text),
                Attribute::Nonce(text) => view.nonce = Some(text.into_bytes()),
            }
        }
        view
    }
}

impl View {
    /// What the engine read.
    pub fn of(message: &Message<'_>) -> Self {
        let verified = message.verify(&IntegrityKey::short_term(PASSWORD)).is_ok();
        Self {
            class: message.class(),
            method: message.method().number(),
            id: message.transaction_id().0,
            username: message.username().map(String::from),
            priority: message.priority(),
            use_candidate: message.use_candidate(),
            role: message.role(),
            xor_mapped_address: message.xor_mapped_address(),
            error_code: message.error_code().map(|error| (error.code(), String::from(error.reason()))),
            unknown_attributes: message.unknown_attributes().map(|kind| kind.0).collect(),
            software: message.software().map(String::from),
            realm: message.realm().map(String::from),
            nonce: message.nonce().map(<[u8]>::to_vec),
            has_fingerprint: message.has_fingerprint(),
            integrity: message.has_integrity().then_some(verified),
        }
    }
}

/// Messages with any of the attributes, in any order. Error codes run from 300 to `last_code`.
pub fn specs(last_code: u16) -> impl Strategy<Value = Spec> {
    let class = select(vec![Class::Request, Class::Indication, Class::Success, Class::Error]);
    let attributes = prop::collection::vec(attributes(last_code), 0..8).prop_map(|mut all| {
        let mut seen = Vec::new();
        all.retain(|attribute| {
            let kind = core::mem::discriminant(attribute);
            let is_new = !seen.contains(&kind);
            seen.push(kind);
            is_new
        });
        all
    });
    (class, any::<[u8; 12]>(), attributes, any::<bool>(), any::<bool>()).prop_map(
        |(class, id, attributes, integrity, fingerprint)| Spec {
            class,
            id,
            attributes,
            integrity,
            fingerprint,
        },
    )
}

fn attributes(last_code: u16) -> impl Strategy<Value = Attribute> {
    let text = || "\\PC{0,60}";
    prop_oneof![
        "\\PC{0,40}(:\\PC{0,40})?".prop_map(Attribute::Username),
        any::<u32>().prop_map(Attribute::Priority),
        Just(Attribute::UseCandidate),
        any::<u64>().prop_map(|number| Attribute::Role(RoleClaim::Controlling(number))),
        any::<u64>().prop_map(|number| Attribute::Role(RoleClaim::Controlled(number))),
        (any::<u32>(), any::<u16>()).prop_map(|(ip, port)| {
            Attribute::XorMappedAddress(SocketAddr::new(Ipv4Addr::from_bits(ip).into(), port))
        }),
        (any::<u128>(), any::<u16>()).prop_map(|(ip, port)| {
            Attribute::XorMappedAddress(SocketAddr::new(Ipv6Addr::from_bits(ip).into(), port))
        }),
        (300..=last_code, text()).prop_map(|(code, reason)| Attribute::ErrorCode(code, reason)),
        prop::collection::vec(any::<u16>(), 0..12).prop_map(Attribute::UnknownAttributes),
        text().prop_map(Attribute::Software),
        text().prop_map(Attribute::Realm),
        text().prop_map(Attribute::Nonce),
    ]
}
