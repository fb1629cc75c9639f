//! Messages of TURN and of STUN servers as data: what is written, and what was read, in words that both codecs have.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;

use floe_core::wire::{
    AddressFamily, AttributeType, ChangeRequest, ChannelNumber, Class, IntegrityKey, Message, MessageWriter,
    Method, ServerAttributes, TransactionId,
};
use proptest::prelude::*;
use proptest::sample::select;

/// The long-term credentials of the tests: username, realm and password.
pub const CREDENTIALS: [&str; 3] = ["bücherwurm", "turn.example.org", "a Päßwort:with colons"];

/// A message to or from a server.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the parts of a message")]
pub struct Spec {
    pub class: Class,
    pub method: Method,
    pub id: [u8; 12],
    /// In any order; but for those that there may be several of, no two of one kind.
    pub attributes: Vec<Attribute>,
    /// Whether it is sealed with [`CREDENTIALS`].
    pub integrity: bool,
}

/// An attribute of RFC 8656, RFC 8489 or RFC 5780 that both codecs know.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the attributes of the RFCs")]
pub enum Attribute {
    ChannelNumber(u16),
    Lifetime(u32),
    XorPeerAddress(SocketAddr),
    Data(Vec<u8>),
    XorRelayedAddress(SocketAddr),
    RequestedAddressFamily(u8),
    AdditionalAddressFamily(u8),
    EvenPort(bool),
    RequestedTransport(u8),
    DontFragment,
    ReservationToken(u64),
    AlternateServer(SocketAddr),
    MappedAddress(SocketAddr),
    ResponseOrigin(SocketAddr),
    OtherAddress(SocketAddr),
    ChangeRequest { ip: bool, port: bool },
}

impl Attribute {
    fn kind(&self) -> AttributeType {
        match self {
            Self::ChannelNumber(_) => AttributeType::CHANNEL_NUMBER,
            Self::Lifetime(_) => AttributeType::LIFETIME,
            Self::XorPeerAddress(_) => AttributeType::XOR_PEER_ADDRESS,
            Self::Data(_) => AttributeType::DATA,
            Self::XorRelayedAddress(_) => AttributeType::XOR_RELAYED_ADDRESS,
            Self::RequestedAddressFamily(_) => AttributeType::REQUESTED_ADDRESS_FAMILY,
            Self::AdditionalAddressFamily(_) => AttributeType::ADDITIONAL_ADDRESS_FAMILY,
            Self::EvenPort(_) => AttributeType::EVEN_PORT,
            Self::RequestedTransport(_) => AttributeType::REQUESTED_TRANSPORT,
            Self::DontFragment => AttributeType::DONT_FRAGMENT,
            Self::ReservationToken(_) => AttributeType::RESERVATION_TOKEN,
            Self::AlternateServer(_) => AttributeType::ALTERNATE_SERVER,
            Self::MappedAddress(_) => AttributeType::MAPPED_ADDRESS,
            Self::ResponseOrigin(_) => AttributeType::RESPONSE_ORIGIN,
            Self::OtherAddress(_) => AttributeType::OTHER_ADDRESS,
            Self::ChangeRequest { .. } => AttributeType::CHANGE_REQUEST,
        }
    }

    fn may_repeat(&self) -> bool {
        matches!(self, Self::XorPeerAddress(_) | Self::XorRelayedAddress(_) | Self::AlternateServer(_))
    }
}

/// What counts of these, in the order of their types: all where there may be several, otherwise the first.
pub fn counted(attributes: impl IntoIterator<Item = Attribute>) -> Vec<Attribute> {
    let mut counted: Vec<Attribute> = Vec::new();
    for attribute in attributes {
        if attribute.may_repeat() || counted.iter().all(|known| known.kind() != attribute.kind()) {
            counted.push(attribute);
        }
    }
    counted.sort_by_key(Attribute::kind);
    counted
}

impl Spec {
    /// The message as the engine writes it; `None` if it has an attribute that the engine cannot write.
    pub fn write(&self) -> Option<Vec<u8>> {
        let mut buffer = [0; 4096];
        let mut message = MessageWriter::new(&mut buffer, self.class, self.method, TransactionId(self.id));
        for attribute in self.attributes.iter().cloned() {
            message = match attribute {
                Attribute::ChannelNumber(number) => message.channel_number(ChannelNumber::new(number)?),
                Attribute::Lifetime(seconds) => message.lifetime(Duration::from_secs(seconds.into())),
                Attribute::XorPeerAddress(peer) => message.xor_peer_address(peer),
                Attribute::Data(data) => message.data(&data),
                Attribute::XorRelayedAddress(relayed) => message.xor_relayed_address(relayed),
                Attribute::RequestedAddressFamily(family) => {
                    message.requested_address_family(AddressFamily(family))
                }
                Attribute::AdditionalAddressFamily(family) => {
                    message.additional_address_family(AddressFamily(family))
                }
                Attribute::EvenPort(reserve) => message.even_port(reserve),
                Attribute::RequestedTransport(protocol) => message.requested_transport(protocol),
                Attribute::DontFragment => message.dont_fragment(),
                Attribute::ReservationToken(token) => message.reservation_token(token.to_be_bytes()),
                Attribute::AlternateServer(server) => message.alternate_server(server),
                Attribute::MappedAddress(address) => message.mapped_address(address),
                Attribute::ResponseOrigin(address) => message.response_origin(address),
                Attribute::OtherAddress(address) => message.other_address(address),
                Attribute::ChangeRequest { ip, port } => message.change_request(ChangeRequest { ip, port }),
            };
        }
        let written = if self.integrity {
            let [username, realm, password] = CREDENTIALS;
            message.finish_with_integrity(&IntegrityKey::long_term(username, realm, password))
        } else {
            message.finish()
        };
        buffer.get(..written.ok()?).map(<[u8]>::to_vec)
    }
}

/// What the engine read, in the form of [`counted`].
pub fn view(message: &ServerAttributes<'_>) -> Vec<Attribute> {
    let one = [
        message.channel_number().map(|channel| Attribute::ChannelNumber(channel.get())),
        message.lifetime().map(|lifetime| Attribute::Lifetime(lifetime.as_secs() as u32)),
        message.data().map(|data| Attribute::Data(data.to_vec())),
        message.requested_address_family().map(|family| Attribute::RequestedAddressFamily(family.0)),
        message.additional_address_family().map(|family| Attribute::AdditionalAddressFamily(family.0)),
        message.even_port().map(Attribute::EvenPort),
        message.requested_transport().map(Attribute::RequestedTransport),
        message.dont_fragment().then_some(Attribute::DontFragment),
        message.reservation_token().map(|token| Attribute::ReservationToken(u64::from_be_bytes(token))),
        message.mapped_address().map(Attribute::MappedAddress),
        message.response_origin().map(Attribute::ResponseOrigin),
        message.other_address().map(Attribute::OtherAddress),
        message.change_request().map(|change| Attribute::ChangeRequest { ip: change.ip, port: change.port }),
    ];
    let several = message.xor_peer_addresses().map(Attribute::XorPeerAddress);
    let several = several.chain(message.xor_relayed_addresses().map(Attribute::XorRelayedAddress));
    let several = several.chain(message.alternate_servers().map(Attribute::AlternateServer));
    counted(one.into_iter().flatten().chain(several))
}

/// Whether the engine finds the seal of [`CREDENTIALS`].
pub fn is_sealed(message: &Message<'_>) -> bool {
    let [username, realm, password] = CREDENTIALS;
    message.verify(&IntegrityKey::long_term(username, realm, password)).is_ok()
}

/// Messages with any of the attributes, in any order.
pub fn specs() -> impl Strategy<Value = Spec> {
    let class = select(vec![Class::Request, Class::Indication, Class::Success, Class::Error]);
    let method = select(vec![
        Method::BINDING,
        Method::ALLOCATE,
        Method::REFRESH,
        Method::SEND,
        Method::DATA,
        Method::CREATE_PERMISSION,
        Method::CHANNEL_BIND,
    ]);
    let attributes = prop::collection::vec(attributes(), 0..8).prop_map(|mut all| {
        let mut seen = Vec::new();
        all.retain(|attribute: &Attribute| {
            let is_new = attribute.may_repeat() || !seen.contains(&attribute.kind());
            seen.push(attribute.kind());
            is_new
        });
        all
    });
    (class, method, any::<[u8; 12]>(), attributes, any::<bool>()).prop_map(
        |(class, method, id, attributes, integrity)| Spec { class, method, id, attributes, integrity },
    )
}

fn attributes() -> impl Strategy<Value = Attribute> {
    let number = 0x4000..=0x4FFF_u16;
    let data = prop::collection::vec(any::<u8>(), 0..40);
    let changes = any::<(bool, bool)>();
    prop_oneof![
        number.prop_map(Attribute::ChannelNumber),
        any::<u32>().prop_map(Attribute::Lifetime),
        addresses().prop_map(Attribute::XorPeerAddress),
        data.prop_map(Attribute::Data),
        addresses().prop_map(Attribute::XorRelayedAddress),
        (1..=2_u8).prop_map(Attribute::RequestedAddressFamily),
        (1..=2_u8).prop_map(Attribute::AdditionalAddressFamily),
        any::<bool>().prop_map(Attribute::EvenPort),
        any::<u8>().prop_map(Attribute::RequestedTransport),
        Just(Attribute::DontFragment),
        any::<u64>().prop_map(Attribute::ReservationToken),
        addresses().prop_map(Attribute::AlternateServer),
        addresses().prop_map(Attribute::MappedAddress),
        addresses().prop_map(Attribute::ResponseOrigin),
        addresses().prop_map(Attribute::OtherAddress),
        changes.prop_map(|(ip, port)| Attribute::ChangeRequest { ip, port }),
    ]
}

fn addresses() -> impl Strategy<Value = SocketAddr> {
    prop_oneof![
        any::<(u32, u16)>().prop_map(|(ip, port)| SocketAddr::new(Ipv4Addr::from_bits(ip).into(), port)),
        any::<(u128, u16)>().prop_map(|(ip, port)| SocketAddr::new(Ipv6Addr::from_bits(ip).into(), port)),
    ]
}
