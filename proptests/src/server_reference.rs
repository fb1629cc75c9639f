//! Messages of servers as the other codec, `stun_codec`, writes and reads them.

use bytecodec::{DecodeExt, EncodeExt};
use floe_core::wire::Class;
use stun_codec::rfc5389::attributes::{AlternateServer, MappedAddress, MessageIntegrity, Realm, Username};
use stun_codec::rfc5766::attributes::{
    ChannelNumber, Data, DontFragment, EvenPort, Lifetime, RequestedTransport, ReservationToken,
    XorPeerAddress, XorRelayAddress,
};
use stun_codec::rfc5780::attributes::{ChangeRequest, OtherAddress, ResponseOrigin};
use stun_codec::rfc8656::attributes::{AdditionalAddressFamily, AddressFamily, RequestedAddressFamily};
use stun_codec::{
    Message, MessageClass, MessageDecoder, MessageEncoder, Method, TransactionId, define_attribute_enums,
};

use crate::server::{Attribute, CREDENTIALS, Spec, counted};

define_attribute_enums!(
    Known,
    KnownDecoder,
    KnownEncoder,
    [
        ChannelNumber,
        Lifetime,
        XorPeerAddress,
        Data,
        XorRelayAddress,
        RequestedAddressFamily,
        AdditionalAddressFamily,
        EvenPort,
        RequestedTransport,
        DontFragment,
        ReservationToken,
        AlternateServer,
        MappedAddress,
        MessageIntegrity,
        ResponseOrigin,
        OtherAddress,
        ChangeRequest
    ]
);

/// What it read: the attributes in front of MESSAGE-INTEGRITY, and whether that one is right, if it is there. `None` if
/// it refuses the message.
///
/// CHANGE-REQUEST is left out: the other codec writes the flags where RFC 5780 §7.2 draws them, and looks for them one
/// bit lower.
pub fn read(bytes: &[u8]) -> Option<(Vec<Attribute>, Option<bool>)> {
    let message = MessageDecoder::<Known>::new().decode_from_bytes(bytes).ok()?.ok()?;
    let covered = message.attributes().take_while(|a| !matches!(a, Known::MessageIntegrity(_)));
    let attributes = covered.filter_map(|attribute| {
        Some(match attribute {
            Known::ChannelNumber(it) => Attribute::ChannelNumber(it.value()),
            Known::Lifetime(it) => Attribute::Lifetime(it.lifetime().as_secs() as u32),
            Known::XorPeerAddress(it) => Attribute::XorPeerAddress(it.address()),
            Known::Data(it) => Attribute::Data(it.data().to_vec()),
            Known::XorRelayAddress(it) => Attribute::XorRelayedAddress(it.address()),
            Known::RequestedAddressFamily(it) => {
                Attribute::RequestedAddressFamily(number(it.address_family()))
            }
            Known::AdditionalAddressFamily(it) => {
                Attribute::AdditionalAddressFamily(number(it.address_family()))
            }
            Known::EvenPort(it) => Attribute::EvenPort(it.is_requested()),
            Known::RequestedTransport(it) => Attribute::RequestedTransport(it.protocol()),
            Known::DontFragment(_) => Attribute::DontFragment,
            Known::ReservationToken(it) => Attribute::ReservationToken(it.token()),
            Known::AlternateServer(it) => Attribute::AlternateServer(it.address()),
            Known::MappedAddress(it) => Attribute::MappedAddress(it.address()),
            Known::ResponseOrigin(it) => Attribute::ResponseOrigin(it.address()),
            Known::OtherAddress(it) => Attribute::OtherAddress(it.address()),
            Known::ChangeRequest(_) | Known::MessageIntegrity(_) => return None,
        })
    });
    let attributes = counted(attributes);
    let (username, realm, password) = credentials()?;
    let seal = message.get_attribute::<MessageIntegrity>();
    let sealed = seal.map(|seal| seal.check_long_term_credential(&username, &realm, password).is_ok());
    Some((attributes, sealed))
}

/// Writes a message; `None` if the codec will not.
pub fn write(spec: &Spec) -> Option<Vec<u8>> {
    let class = match spec.class {
        Class::Request => MessageClass::Request,
        Class::Indication => MessageClass::Indication,
        Class::Success => MessageClass::SuccessResponse,
        Class::Error => MessageClass::ErrorResponse,
    };
    let method = Method::new(spec.method.number()).ok()?;
    let mut message = Message::<Known>::new(class, method, TransactionId::new(spec.id));
    for attribute in spec.attributes.iter().cloned() {
        match attribute {
            Attribute::ChannelNumber(number) => message.add_attribute(ChannelNumber::new(number).ok()?),
            Attribute::Lifetime(seconds) => message.add_attribute(Lifetime::from_u32(seconds)),
            Attribute::XorPeerAddress(peer) => message.add_attribute(XorPeerAddress::new(peer)),
            Attribute::Data(data) => message.add_attribute(Data::new(data).ok()?),
            Attribute::XorRelayedAddress(relayed) => message.add_attribute(XorRelayAddress::new(relayed)),
            Attribute::RequestedAddressFamily(number) => {
                message.add_attribute(RequestedAddressFamily::new(family(number)));
            }
            Attribute::AdditionalAddressFamily(number) => {
                message.add_attribute(AdditionalAddressFamily::new(family(number)));
            }
            Attribute::EvenPort(reserve) => message.add_attribute(EvenPort::new(reserve)),
            Attribute::RequestedTransport(it) => message.add_attribute(RequestedTransport::new(it)),
            Attribute::DontFragment => message.add_attribute(DontFragment),
            Attribute::ReservationToken(token) => message.add_attribute(ReservationToken::new(token)),
            Attribute::AlternateServer(server) => message.add_attribute(AlternateServer::new(server)),
            Attribute::MappedAddress(address) => message.add_attribute(MappedAddress::new(address)),
            Attribute::ResponseOrigin(address) => message.add_attribute(ResponseOrigin::new(address)),
            Attribute::OtherAddress(address) => message.add_attribute(OtherAddress::new(address)),
            Attribute::ChangeRequest { ip, port } => message.add_attribute(ChangeRequest::new(ip, port)),
        }
    }
    if spec.integrity {
        let (username, realm, password) = credentials()?;
        let seal = MessageIntegrity::new_long_term_credential(&message, &username, &realm, password);
        message.add_attribute(seal.ok()?);
    }
    MessageEncoder::new().encode_into_bytes(message).ok()
}

fn credentials() -> Option<(Username, Realm, &'static str)> {
    let [username, realm, password] = CREDENTIALS;
    Some((Username::new(username.into()).ok()?, Realm::new(realm.into()).ok()?, password))
}

fn family(number: u8) -> AddressFamily {
    if number == 1 { AddressFamily::V4 } else { AddressFamily::V6 }
}

fn number(family: AddressFamily) -> u8 {
    match family {
        AddressFamily::V4 => 1,
        AddressFamily::V6 => 2,
    }
}
