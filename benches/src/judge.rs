//! What a message says and whether it is right, told by code that shares nothing with any contender: the `stun_codec`
//! crate for the attributes, and the two seals computed here over the bytes themselves. Nobody wins by doing less.

use std::net::SocketAddr;

use bytecodec::{DecodeExt, EncodeExt};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use stun_codec::rfc5245::attributes::{IceControlled, IceControlling, Priority, UseCandidate};
use stun_codec::rfc5389::attributes::{Fingerprint, MessageIntegrity, Username, XorMappedAddress};
use stun_codec::rfc5389::methods::BINDING;
use stun_codec::{Message, MessageClass, MessageDecoder, MessageEncoder, TransactionId};

use crate::contender::{Codec, Fields, Refusals};
use crate::network::CREDENTIALS;

stun_codec::define_attribute_enums!(
    Attribute,
    AttributeDecoder,
    AttributeEncoder,
    [
        Username,
        MessageIntegrity,
        Fingerprint,
        XorMappedAddress,
        Priority,
        UseCandidate,
        IceControlling,
        IceControlled
    ]
);

/// The sizes in the codec rows, in bytes.
pub const REQUEST_SIZE: usize = 100;
/// Of a success response with an IPv4 address.
pub const RESPONSE_SIZE: usize = 64;

/// MESSAGE-INTEGRITY and FINGERPRINT with their headers.
const INTEGRITY_SIZE: usize = 24;
const FINGERPRINT_SIZE: usize = 8;
const HEADER_SIZE: usize = 20;

/// What a good Binding message says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Its transaction.
    pub id: [u8; 12],
    /// A request, or else a success response.
    pub is_request: bool,
    /// USERNAME.
    pub username: Option<String>,
    /// PRIORITY.
    pub priority: Option<u32>,
    /// ICE-CONTROLLING.
    pub controlling: Option<u64>,
    /// ICE-CONTROLLED.
    pub controlled: Option<u64>,
    /// USE-CANDIDATE.
    pub use_candidate: bool,
    /// XOR-MAPPED-ADDRESS.
    pub mapped: Option<SocketAddr>,
}

/// What is in the messages of the codec rows.
pub fn fields() -> Fields {
    let [sender, receiver] = CREDENTIALS;
    Fields {
        id: *b"\xB7\xE7\xA7\x01\xBC\x34\xD6\x86\xFA\x87\xDF\xAE",
        receiver: receiver.ufrag,
        sender: sender.ufrag,
        password: receiver.password,
        priority: 0x6E_7F_FE_FF,
        tie_breaker: 0x932F_F9B1_5126_3B36,
        mapped: SocketAddr::from(([192, 0, 2, 1], 32_853)),
    }
}

/// The request that `fields` tell, in `stun_codec`'s writing. `None` if it cannot write it.
pub fn request(fields: &Fields) -> Option<Vec<u8>> {
    let mut message = Message::new(MessageClass::Request, BINDING, TransactionId::new(fields.id));
    message.add_attribute(Username::new(format!("{}:{}", fields.receiver, fields.sender)).ok()?);
    message.add_attribute(Priority::new(fields.priority));
    message.add_attribute(IceControlling::new(fields.tie_breaker));
    sealed(message, fields.password)
}

/// The success response to it.
pub fn response(fields: &Fields) -> Option<Vec<u8>> {
    let mut message = Message::new(MessageClass::SuccessResponse, BINDING, TransactionId::new(fields.id));
    message.add_attribute(XorMappedAddress::new(fields.mapped));
    sealed(message, fields.password)
}

fn sealed(mut message: Message<Attribute>, password: &str) -> Option<Vec<u8>> {
    message.add_attribute(MessageIntegrity::new_short_term_credential(&message, password).ok()?);
    message.add_attribute(Fingerprint::new(&message).ok()?);
    MessageEncoder::new().encode_into_bytes(message).ok()
}

/// What `bytes` say.
///
/// # Errors
/// If they are no Binding request or success response with both seals at its end, or a seal is not right.
pub fn read(bytes: &[u8], password: &str) -> Result<Seen, String> {
    let body = bytes.len().checked_sub(INTEGRITY_SIZE + FINGERPRINT_SIZE).filter(|at| *at >= HEADER_SIZE);
    let Some((covered, seals)) = body.and_then(|at| bytes.split_at_checked(at)) else {
        return Err("too short for two seals".to_owned());
    };
    let [0x00, 0x08, 0x00, 0x14, mac @ .., 0x80, 0x28, 0x00, 0x04, _, _, _, _] = seals else {
        return Err("does not end with MESSAGE-INTEGRITY and FINGERPRINT".to_owned());
    };
    if !mac_matches(covered, mac, password) {
        return Err("wrong MESSAGE-INTEGRITY".to_owned());
    }
    let (before, crc) = bytes.split_at(bytes.len() - 4);
    let before = before.get(..before.len() - 4).unwrap_or_default();
    if (crc32(before) ^ 0x5354_554E).to_be_bytes() != crc {
        return Err("wrong FINGERPRINT".to_owned());
    }
    let decoded = MessageDecoder::<Attribute>::new().decode_from_bytes(bytes);
    let message = decoded.map_err(|e| e.to_string())?.map_err(|e| format!("{e:?}"))?;
    if message.method() != BINDING {
        return Err("not a Binding message".to_owned());
    }
    Ok(Seen {
        id: *message.transaction_id().as_bytes(),
        is_request: match message.class() {
            MessageClass::Request => true,
            MessageClass::SuccessResponse => false,
            other => return Err(format!("neither a request nor a success response: {other:?}")),
        },
        username: message.get_attribute::<Username>().map(|a| a.name().to_owned()),
        priority: message.get_attribute::<Priority>().map(Priority::prio),
        controlling: message.get_attribute::<IceControlling>().map(IceControlling::prio),
        controlled: message.get_attribute::<IceControlled>().map(IceControlled::prio),
        use_candidate: message.get_attribute::<UseCandidate>().is_some(),
        mapped: message.get_attribute::<XorMappedAddress>().map(XorMappedAddress::address),
    })
}

/// RFC 8489 §14.5: over all before the attribute, with a length that ends behind it.
fn mac_matches(covered: &[u8], mac: &[u8], password: &str) -> bool {
    let mut covered = covered.to_vec();
    let length = u16::try_from(covered.len() + INTEGRITY_SIZE - HEADER_SIZE).unwrap_or(u16::MAX);
    if let Some(field) = covered.get_mut(2..4) {
        field.copy_from_slice(&length.to_be_bytes());
    }
    Hmac::<Sha1>::new_from_slice(password.as_bytes())
        .is_ok_and(|hmac| hmac.chain_update(covered).verify_slice(mac).is_ok())
}

/// The CRC of ITU V.42, a bit at a time.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}

/// Has a codec read and write the messages of the codec rows, and checks everything.
///
/// # Errors
/// What is wrong.
pub fn examine_codec<C: Codec>() -> Result<Refusals, String> {
    let fields = fields();
    let (Some(request), Some(response)) = (request(&fields), response(&fields)) else {
        return Err("the judge cannot write its own messages".to_owned());
    };
    let codec = C::new(&fields, &request);
    for (message, size) in [(&request, REQUEST_SIZE), (&response, RESPONSE_SIZE)] {
        if message.len() != size {
            return Err(format!("the judge's message has {} bytes, not {size}", message.len()));
        }
        if !codec.verify(message) {
            return Err("refuses a good message".to_owned());
        }
    }
    let mut buffer = [0; 256];
    let length = codec.write_request(&mut buffer);
    same(&request, buffer.get(..length).unwrap_or_default(), fields.password)?;
    let length = codec.write_response(&mut buffer);
    same(&response, buffer.get(..length).unwrap_or_default(), fields.password)?;

    let refuses = |from_the_end: usize| {
        let mut broken = request.clone();
        if let Some(byte) = broken.len().checked_sub(from_the_end).and_then(|at| broken.get_mut(at)) {
            *byte ^= 1;
        }
        !codec.verify(&broken)
    };
    // The last byte of the message is FINGERPRINT's, the one before its header MESSAGE-INTEGRITY's.
    let refusals = Refusals { integrity: refuses(FINGERPRINT_SIZE + 1), fingerprint: refuses(1) };
    // A codec that checks the CRC has refused the first for that reason already: a wrong key tells more.
    let stranger = Fields { password: "0000000000000000000000", ..fields };
    if !refusals.integrity || C::new(&stranger, &request).verify(&request) {
        return Err("takes a message with a wrong MESSAGE-INTEGRITY".to_owned());
    }
    Ok(refusals)
}

fn same(ours: &[u8], theirs: &[u8], password: &str) -> Result<(), String> {
    if ours.len() != theirs.len() {
        return Err(format!("wrote {} bytes, not {}", theirs.len(), ours.len()));
    }
    let (ours, theirs) = (read(ours, password)?, read(theirs, password)?);
    if ours == theirs { Ok(()) } else { Err(format!("wrote {theirs:?}, not {ours:?}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5769 §2.2: the sample response over IPv4, whose attributes stand in the order of ours.
    const RESPONSE: &[u8] =
        b"\x01\x01\x00\x3c\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
        \x80\x22\x00\x0b\x74\x65\x73\x74\x20\x76\x65\x63\x74\x6f\x72\x20\x00\x20\x00\x08\x00\x01\xa1\x47\
        \xe1\x12\xa6\x43\x00\x08\x00\x14\x2b\x91\xf5\x99\xfd\x9e\x90\xc3\x8c\x74\x89\xf9\x2a\xf9\xba\x53\
        \xf0\x6b\xe7\xd7\x80\x28\x00\x04\xc0\x7d\x4c\x96";
    const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

    #[test]
    fn the_sample_of_rfc_5769_is_right() {
        let seen = read(RESPONSE, PASSWORD).unwrap();
        assert_eq!(seen.mapped, Some(SocketAddr::from(([192, 0, 2, 1], 32_853))));
        assert!(!seen.is_request);
    }

    #[test]
    fn a_wrong_bit_anywhere_is_seen() {
        for at in 0..RESPONSE.len() {
            let mut broken = RESPONSE.to_vec();
            broken[at] ^= 1;
            assert!(read(&broken, PASSWORD).is_err(), "byte {at}");
        }
        assert!(read(RESPONSE, "VOkJxbRl1RmTxUk/WvJxBT").is_err());
    }

    /// Takes everything, and answers with what the judge has given it.
    struct Lazy(Vec<u8>);

    impl Codec for Lazy {
        fn new(_fields: &Fields, request: &[u8]) -> Self {
            Self(request.to_vec())
        }

        fn verify(&self, _message: &[u8]) -> bool {
            true
        }

        fn write_request(&self, buffer: &mut [u8]) -> usize {
            buffer[..self.0.len()].copy_from_slice(&self.0);
            self.0.len()
        }

        fn write_response(&self, buffer: &mut [u8]) -> usize {
            let response = response(&fields()).unwrap();
            buffer[..response.len()].copy_from_slice(&response);
            response.len()
        }
    }

    #[test]
    fn who_does_less_is_caught() {
        assert!(examine_codec::<Lazy>().unwrap_err().contains("wrong MESSAGE-INTEGRITY"));
    }
}
