//! A message being written into the caller's buffer.

use core::net::SocketAddr;

use super::address::{AddressValue, write_xor_address};
use super::attribute::{AttributeType, RoleClaim};
use super::error::BufferTooSmall;
use super::error_code::ErrorCode;
use super::header::{Class, HEADER_SIZE, MAGIC_COOKIE, Method, TransactionId, message_type};
use super::integrity::{IntegrityKey, fingerprint};

/// The largest multiple of 4 that the length field can tell, behind the header (RFC 8489 §5).
const MAX_SIZE: usize = HEADER_SIZE + 0xFFFC;

/// Bytes in front of an attribute's value: type and length (RFC 8489 §14).
const ATTRIBUTE_HEADER: usize = 4;

/// Writes one message, attribute after attribute, in the order of the calls.
///
/// A buffer that is too small is found out by the `finish` that ends the chain. The caller keeps
/// USERNAME, SOFTWARE and the like within 508 bytes (RFC 8489 §14.3, §14.14).
///
/// It seals with MESSAGE-INTEGRITY, or with MESSAGE-INTEGRITY-SHA256 if the key is for that one.
#[derive(Debug)]
#[must_use = "nothing is complete before one of the finishing calls"]
pub struct MessageWriter<'b> {
    buffer: &'b mut [u8],
    length: usize,
    too_small: bool,
    id: TransactionId,
    padding: u8,
}

impl<'b> MessageWriter<'b> {
    /// A message without attributes. 128 bytes are enough for a check with short credentials.
    pub fn new(buffer: &'b mut [u8], class: Class, method: Method, id: TransactionId) -> Self {
        let size = buffer.len().min(MAX_SIZE);
        let buffer = buffer.get_mut(..size).unwrap_or_default();
        let mut writer = Self { buffer, length: 0, too_small: false, id, padding: 0 };
        let [type_high, type_low] = message_type(class, method).to_be_bytes();
        writer.put(&[type_high, type_low, 0, 0]);
        writer.put(&MAGIC_COOKIE.to_be_bytes());
        writer.put(&id.0);
        writer
    }

    /// USERNAME of a check: the fragment of its receiver, a colon, that of its sender (RFC 8445 §7.2.2).
    pub fn username(self, receiver: &str, sender: &str) -> Self {
        self.parts(AttributeType::USERNAME, [receiver.as_bytes(), b":", sender.as_bytes()])
    }

    /// USERNAME as given (RFC 8489 §14.3).
    pub fn username_str(self, username: &str) -> Self {
        self.attribute(AttributeType::USERNAME, username.as_bytes())
    }

    /// PRIORITY (RFC 8445 §7.1.1).
    pub fn priority(self, priority: u32) -> Self {
        self.attribute(AttributeType::PRIORITY, &priority.to_be_bytes())
    }

    /// USE-CANDIDATE (RFC 8445 §7.1.2).
    pub fn use_candidate(self) -> Self {
        self.attribute(AttributeType::USE_CANDIDATE, &[])
    }

    /// ICE-CONTROLLING or ICE-CONTROLLED (RFC 8445 §7.1.3).
    pub fn role(self, claim: RoleClaim) -> Self {
        let (kind, tie_breaker) = match claim {
            RoleClaim::Controlling(number) => (AttributeType::ICE_CONTROLLING, number),
            RoleClaim::Controlled(number) => (AttributeType::ICE_CONTROLLED, number),
        };
        self.attribute(kind, &tie_breaker.to_be_bytes())
    }

    /// XOR-MAPPED-ADDRESS (RFC 8489 §14.2).
    pub fn xor_mapped_address(self, address: SocketAddr) -> Self {
        self.xor_address(AttributeType::XOR_MAPPED_ADDRESS, address)
    }

    /// ERROR-CODE (RFC 8489 §14.8).
    pub fn error_code(self, error: ErrorCode<'_>) -> Self {
        self.parts(AttributeType::ERROR_CODE, [&error.head(), error.reason().as_bytes()])
    }

    /// UNKNOWN-ATTRIBUTES, which goes with a 420 (RFC 8489 §14.13).
    pub fn unknown_attributes(mut self, types: &[AttributeType]) -> Self {
        self.begin(AttributeType::UNKNOWN_ATTRIBUTES, types.len().saturating_mul(2));
        for kind in types {
            self.put(&kind.0.to_be_bytes());
        }
        self.pad()
    }

    /// NOMINATION: of several the largest counts; not in an RFC.
    pub fn nomination(self, number: u32) -> Self {
        self.attribute(AttributeType::NOMINATION, &number.to_be_bytes())
    }

    /// SOFTWARE (RFC 8489 §14.14).
    pub fn software(self, description: &str) -> Self {
        self.attribute(AttributeType::SOFTWARE, description.as_bytes())
    }

    /// REALM (RFC 8489 §14.9).
    pub fn realm(self, realm: &str) -> Self {
        self.attribute(AttributeType::REALM, realm.as_bytes())
    }

    /// NONCE, as the server gave it (RFC 8489 §14.10).
    pub fn nonce(self, nonce: &[u8]) -> Self {
        self.attribute(AttributeType::NONCE, nonce)
    }

    /// Any attribute.
    pub fn attribute(self, kind: AttributeType, value: &[u8]) -> Self {
        self.parts(kind, [value])
    }

    /// Ends the message without a seal. Returns its size in bytes.
    ///
    /// # Errors
    /// The message did not fit.
    pub fn finish(mut self) -> Result<usize, BufferTooSmall> {
        self.set_length(0);
        if self.too_small { Err(BufferTooSmall) } else { Ok(self.length) }
    }

    /// Ends the message with FINGERPRINT (RFC 8489 §14.7). Returns its size in bytes.
    ///
    /// # Errors
    /// The message did not fit.
    pub fn finish_with_fingerprint(mut self) -> Result<usize, BufferTooSmall> {
        // RFC 8489 §14.7: the CRC covers a length that already has FINGERPRINT in it.
        self.set_length(ATTRIBUTE_HEADER + 4);
        let crc = fingerprint(self.written());
        self.attribute(AttributeType::FINGERPRINT, &crc.to_be_bytes()).finish()
    }

    /// Ends the message with the key's seal (RFC 8489 §14.5, §14.6). Returns its size in bytes.
    ///
    /// # Errors
    /// The message did not fit.
    pub fn finish_with_integrity(self, key: &IntegrityKey) -> Result<usize, BufferTooSmall> {
        self.seal(key).finish()
    }

    /// Ends the message with the key's seal and FINGERPRINT, as every check of ICE does
    /// (RFC 8445 §7.2.2, §7.1). Returns its size in bytes.
    ///
    /// # Errors
    /// The message did not fit.
    pub fn sign(self, key: &IntegrityKey) -> Result<usize, BufferTooSmall> {
        self.seal(key).finish_with_fingerprint()
    }

    /// What fills up the last word of a value. Only the vectors of RFC 5769 want anything but zero.
    #[cfg(test)]
    pub(crate) fn padded_with(self, padding: u8) -> Self {
        Self { padding, ..self }
    }

    fn seal(self, key: &IntegrityKey) -> Self {
        let seal = key.seal(self.written());
        self.attribute(key.attribute(), seal.as_bytes())
    }

    /// An attribute that holds a masked address (RFC 8489 §14.2).
    pub(super) fn xor_address(self, kind: AttributeType, address: SocketAddr) -> Self {
        let value = write_xor_address(address, self.id);
        self.address(kind, value)
    }

    pub(super) fn address(self, kind: AttributeType, (value, size): AddressValue) -> Self {
        self.attribute(kind, value.get(..size).unwrap_or_default())
    }

    /// An attribute whose value comes in pieces.
    pub(super) fn parts<const N: usize>(mut self, kind: AttributeType, parts: [&[u8]; N]) -> Self {
        self.begin(kind, parts.iter().map(|part| part.len()).sum());
        for part in parts {
            self.put(part);
        }
        self.pad()
    }

    fn begin(&mut self, kind: AttributeType, size: usize) {
        let [type_high, type_low] = kind.0.to_be_bytes();
        // A value of more than 65,535 bytes will not fit: the buffer was cut to MAX_SIZE.
        let [high, low] = u16::try_from(size).unwrap_or(u16::MAX).to_be_bytes();
        self.put(&[type_high, type_low, high, low]);
    }

    fn pad(mut self) -> Self {
        let padding = [self.padding; 3];
        let missing = self.length.next_multiple_of(4) - self.length;
        self.put(padding.get(..missing).unwrap_or_default());
        self
    }

    fn put(&mut self, bytes: &[u8]) {
        let free = self.buffer.get_mut(self.length..).and_then(|free| free.get_mut(..bytes.len()));
        match free {
            Some(to) => {
                to.copy_from_slice(bytes);
                self.length += bytes.len();
            }
            None => self.too_small = true,
        }
    }

    fn written(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }

    /// The header's length field if `more` bytes were added.
    fn length_field(&self, more: usize) -> u16 {
        // Out of range only when the rest will not fit either, and then nobody reads it.
        u16::try_from((self.length + more).saturating_sub(HEADER_SIZE)).unwrap_or(u16::MAX)
    }

    fn set_length(&mut self, more: usize) {
        let length = self.length_field(more).to_be_bytes();
        if let Some(field) = self.buffer.get_mut(2..4) {
            field.copy_from_slice(&length);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;
    use crate::wire::Message;

    const ID: TransactionId = TransactionId([5; 12]);

    fn indication(buffer: &mut [u8]) -> MessageWriter<'_> {
        MessageWriter::new(buffer, Class::Indication, Method::BINDING, ID)
    }

    fn check(buffer: &mut [u8]) -> Result<usize, BufferTooSmall> {
        MessageWriter::new(buffer, Class::Request, Method::BINDING, ID)
            .username("evtj", "h6vY")
            .priority(7)
            .role(RoleClaim::Controlling(9))
            .use_candidate()
            .unknown_attributes(&[AttributeType(1)])
            .xor_mapped_address(([192, 0, 2, 1], 9).into())
            .error_code(ErrorCode::BAD_REQUEST)
            .sign(&IntegrityKey::short_term("password"))
    }

    #[test]
    fn a_buffer_that_is_too_small_by_any_number_of_bytes_is_an_error() {
        let mut buffer = [0; 256];
        let needed = check(&mut buffer).unwrap();
        assert!(Message::parse(&buffer[..needed]).is_ok());
        for length in 0..needed {
            assert_eq!(check(&mut buffer[..length]), Err(BufferTooSmall), "{length}");
        }
        assert_eq!(check(&mut buffer[..needed]), Ok(needed));
    }

    #[test]
    fn every_way_to_finish_finds_out_that_the_buffer_is_too_small() {
        let key = IntegrityKey::short_term("password");
        let mut buffer = [0; 64];
        for (length, plain, fingerprint, integrity) in [
            (19, false, false, false),
            (20, true, false, false),
            (28, true, true, false),
            (44, true, true, true),
        ] {
            assert_eq!(indication(&mut buffer[..length]).finish().is_ok(), plain, "{length}");
            let fits = indication(&mut buffer[..length]).finish_with_fingerprint().is_ok();
            assert_eq!(fits, fingerprint, "{length}");
            let fits = indication(&mut buffer[..length]).finish_with_integrity(&key).is_ok();
            assert_eq!(fits, integrity, "{length}");
        }
    }

    #[test]
    fn a_message_longer_than_its_header_can_tell_is_an_error() {
        let mut buffer = vec![0; 100_000];
        let value = vec![0; 70_000];
        let kind = AttributeType(0x8000);
        assert_eq!(indication(&mut buffer).attribute(kind, &value).finish(), Err(BufferTooSmall));
        assert_eq!(
            indication(&mut buffer)
                .attribute(kind, &value[..40_000])
                .attribute(kind, &value[..40_000])
                .finish(),
            Err(BufferTooSmall)
        );
        let largest = 0xFFFC - ATTRIBUTE_HEADER;
        assert_eq!(indication(&mut buffer).attribute(kind, &value[..largest]).finish(), Ok(MAX_SIZE));
        assert!(Message::parse(&buffer[..MAX_SIZE]).is_ok());
    }

    #[test]
    fn the_padding_is_zero_whatever_was_in_the_buffer() {
        let mut buffer = [0xFF; 64];
        let length = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, ID)
            .username("a", "")
            .finish()
            .unwrap();
        assert_eq!(&buffer[HEADER_SIZE..length], b"\0\x06\0\x02a:\0\0");
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            id in any::<[u8; 12]>(),
            receiver in "[a-zA-Z0-9+/]{4,256}",
            sender in "[a-zA-Z0-9+/]{4,250}",
            priority in any::<u32>(),
            nominate in any::<bool>(),
            claim in prop_oneof![
                any::<u64>().prop_map(RoleClaim::Controlling),
                any::<u64>().prop_map(RoleClaim::Controlled),
            ],
            address in any::<(core::net::IpAddr, u16)>().prop_map(SocketAddr::from),
            code in 300..=699_u16,
            reason in "\\PC{0,127}",
            nomination in any::<Option<u32>>(),
            password in "\\PC{0,100}",
        ) {
            let (id, key) = (TransactionId(id), IntegrityKey::short_term(&password));
            let error = ErrorCode::new(code, &reason).unwrap();
            let mut buffer = [0xFF; 2048];
            let mut writer = MessageWriter::new(&mut buffer, Class::Error, Method::BINDING, id)
                .username(&receiver, &sender).priority(priority).role(claim)
                .xor_mapped_address(address).error_code(error).software(&reason);
            if nominate {
                writer = writer.use_candidate();
            }
            if let Some(number) = nomination {
                writer = writer.nomination(number);
            }
            let length = writer.sign(&key).unwrap();

            let message = Message::parse(&buffer[..length]).unwrap();
            prop_assert_eq!((message.class(), message.method()), (Class::Error, Method::BINDING));
            prop_assert_eq!(message.transaction_id(), id);
            prop_assert_eq!(message.username_halves(), Some((receiver.as_str(), sender.as_str())));
            prop_assert_eq!(message.priority(), Some(priority));
            prop_assert_eq!(message.role(), Some(claim));
            prop_assert_eq!(message.xor_mapped_address(), Some(address));
            prop_assert_eq!(message.error_code(), Some(error));
            prop_assert_eq!(message.software(), Some(reason.as_str()));
            prop_assert_eq!(message.use_candidate(), nominate);
            prop_assert_eq!(message.nomination(), nomination);
            prop_assert!(message.has_fingerprint() && message.verify(&key).is_ok());
            let other = IntegrityKey::short_term(&(password + "x"));
            prop_assert!(message.verify(&other).is_err());
        }
    }
}
