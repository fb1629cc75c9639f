//! A received message: checked once, then read in place.

use core::net::SocketAddr;

use super::address::read_xor_address;
use super::attribute::{AttributeType, Attributes, RoleClaim, UnknownAttributes, Usage, take_attribute};
use super::demux::{Kind, classify};
use super::error::{IntegrityError, WireError};
use super::error_code::ErrorCode;
use super::header::{Class, HEADER_SIZE, MAGIC_COOKIE, Method, TransactionId, class_of, method_of};
use super::integrity::{HMAC_SIZE, IntegrityKey, fingerprint};

/// The longest text that a receiver has to take: writers stop at 509 bytes now, but RFC 5389 let them
/// go to 763 (RFC 8489 §14.3, §14.8 to §14.10, §14.14).
pub(crate) const MAX_TEXT: usize = 763;

/// A well-formed STUN message, a view over the datagram that it came in.
///
/// It reads what ICE's checks say. What servers say besides is read by
/// [`ServerAttributes`](super::ServerAttributes).
///
/// The getters tell the first attribute of a type (RFC 8489 §14), and none that MESSAGE-INTEGRITY
/// does not cover (§9.1). Before [`verify`](Self::verify) has succeeded, anybody may have written it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    class: Class,
    method: Method,
    id: TransactionId,
    /// Where MESSAGE-INTEGRITY starts, and its HMAC.
    integrity: Option<(u16, &'a [u8; HMAC_SIZE])>,
    /// The same of MESSAGE-INTEGRITY-SHA256, if it covers all that counts.
    integrity_sha256: Option<(u16, &'a [u8])>,
    /// Where the attributes end that count.
    counted: usize,
    has_fingerprint: bool,
    use_candidate: bool,
    username: Option<&'a str>,
    software: Option<&'a [u8]>,
    realm: Option<&'a str>,
    nonce: Option<&'a [u8]>,
    priority: Option<u32>,
    nomination: Option<u32>,
    role: Option<RoleClaim>,
    xor_mapped_address: Option<SocketAddr>,
    error_code: Option<ErrorCode<'a>>,
    /// What a 420 lists.
    unknown_listed: Option<&'a [u8]>,
    unknown_required: UnknownAttributes,
}

impl<'a> Message<'a> {
    /// Checks that `bytes` is exactly one STUN message, in one pass over the attributes (RFC 8489 §5,
    /// §6.3, §14).
    ///
    /// # Errors
    /// Any departure from the format, and a FINGERPRINT that does not match. Attributes that are
    /// not understood are no error: see [`unknown_required`](Self::unknown_required).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, WireError> {
        let (mut message, mut rest) = Self::parse_header(bytes)?;
        // RFC 8489 §9.1: once it is set, only the seals still count.
        let mut ignoring = false;
        let mut seen_sha256 = false;
        loop {
            let start = bytes.len() - rest.len();
            let Some(attribute) = take_attribute(&mut rest) else { return Ok(message) };
            let (kind, value) = attribute?;
            match kind {
                AttributeType::FINGERPRINT => {
                    let crc = u32::from_be_bytes(fixed(kind, value)?);
                    if !rest.is_empty() {
                        return Err(WireError::FingerprintNotLast);
                    }
                    if bytes.get(..start).map(fingerprint) != Some(crc) {
                        return Err(WireError::FingerprintMismatch);
                    }
                    message.has_fingerprint = true;
                }
                AttributeType::MESSAGE_INTEGRITY if message.integrity.is_none() => {
                    let hmac = value.try_into().map_err(|_| WireError::Malformed(kind))?;
                    // The length field has 16 bits, but the header is not in it.
                    let start = u16::try_from(start).map_err(|_| WireError::LengthMismatch)?;
                    message.integrity = Some((start, hmac));
                    // One in front of it does not cover what stands between, which counts.
                    message.integrity_sha256 = None;
                    message.stop_counting(&mut ignoring, start);
                }
                AttributeType::MESSAGE_INTEGRITY_SHA256 if !seen_sha256 => {
                    // RFC 8489 §14.6: cut off at 16 bytes or more, by whole words.
                    if !matches!(value.len(), 16 | 20 | 24 | 28 | 32) {
                        return Err(WireError::Malformed(kind));
                    }
                    seen_sha256 = true;
                    let start = u16::try_from(start).map_err(|_| WireError::LengthMismatch)?;
                    message.integrity_sha256 = Some((start, value));
                    // RFC 8489 §9: it is the last that counts, unless MESSAGE-INTEGRITY follows. Asked
                    // once, so that the whole stays linear.
                    if Attributes(rest).all(|(kind, _)| kind != AttributeType::MESSAGE_INTEGRITY) {
                        message.stop_counting(&mut ignoring, start);
                    }
                }
                _ if ignoring => {}
                _ => message.take(kind, value)?,
            }
        }
    }

    fn parse_header(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), WireError> {
        match classify(bytes) {
            Kind::Stun => {}
            _ if bytes.is_empty() => return Err(WireError::TooShort),
            other => return Err(WireError::NotStun(other)),
        }
        let (head, rest) = bytes.split_first_chunk::<HEADER_SIZE>().ok_or(WireError::TooShort)?;
        let &[t0, t1, l0, l1, c0, c1, c2, c3, ref id @ ..] = head;
        if u32::from_be_bytes([c0, c1, c2, c3]) != MAGIC_COOKIE {
            return Err(WireError::WrongCookie);
        }
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if length != rest.len() || !length.is_multiple_of(4) {
            return Err(WireError::LengthMismatch);
        }
        let message_type = u16::from_be_bytes([t0, t1]);
        let message = Self {
            bytes,
            class: class_of(message_type),
            method: method_of(message_type),
            id: TransactionId(*id),
            integrity: None,
            integrity_sha256: None,
            counted: bytes.len(),
            has_fingerprint: false,
            use_candidate: false,
            username: None,
            software: None,
            realm: None,
            nonce: None,
            priority: None,
            nomination: None,
            role: None,
            xor_mapped_address: None,
            error_code: None,
            unknown_listed: None,
            unknown_required: UnknownAttributes::default(),
        };
        Ok((message, rest))
    }

    /// What follows the seal that starts here is ignored.
    fn stop_counting(&mut self, ignoring: &mut bool, start: u16) {
        if !*ignoring {
            *ignoring = true;
            self.counted = usize::from(start);
        }
    }

    /// One attribute that counts. A second of its type falls through to the end (RFC 8489 §14).
    fn take(&mut self, kind: AttributeType, value: &'a [u8]) -> Result<(), WireError> {
        match kind {
            AttributeType::USERNAME if self.username.is_none() => self.username = Some(text(kind, value)?),
            AttributeType::PRIORITY if self.priority.is_none() => {
                self.priority = Some(u32::from_be_bytes(fixed(kind, value)?));
            }
            AttributeType::USE_CANDIDATE if !self.use_candidate => {
                let [] = fixed(kind, value)?;
                self.use_candidate = true;
            }
            AttributeType::ICE_CONTROLLING | AttributeType::ICE_CONTROLLED => self.take_role(kind, value)?,
            AttributeType::XOR_MAPPED_ADDRESS if self.xor_mapped_address.is_none() => {
                self.xor_mapped_address =
                    read_xor_address(value, self.id).map_err(|()| WireError::Malformed(kind))?;
            }
            AttributeType::ERROR_CODE if self.error_code.is_none() => {
                self.error_code = Some(ErrorCode::read(value).ok_or(WireError::Malformed(kind))?);
            }
            AttributeType::NOMINATION if self.nomination.is_none() => {
                self.nomination = Some(u32::from_be_bytes(fixed(kind, value)?));
            }
            AttributeType::SOFTWARE if self.software.is_none() => self.software = Some(opaque(kind, value)?),
            AttributeType::REALM if self.realm.is_none() => self.realm = Some(text(kind, value)?),
            AttributeType::NONCE if self.nonce.is_none() => self.nonce = Some(opaque(kind, value)?),
            AttributeType::UNKNOWN_ATTRIBUTES if !value.len().is_multiple_of(2) => {
                return Err(WireError::Malformed(kind));
            }
            AttributeType::UNKNOWN_ATTRIBUTES if self.unknown_listed.is_none() => {
                self.unknown_listed = Some(value);
            }
            _ if !kind.is_acceptable(self.class, Usage::Check) => self.unknown_required.note(kind),
            _ => {}
        }
        Ok(())
    }

    fn take_role(&mut self, kind: AttributeType, value: &[u8]) -> Result<(), WireError> {
        let controlling = kind == AttributeType::ICE_CONTROLLING;
        match self.role {
            None => {
                let tie_breaker = u64::from_be_bytes(fixed(kind, value)?);
                let claim = if controlling { RoleClaim::Controlling } else { RoleClaim::Controlled };
                self.role = Some(claim(tie_breaker));
                Ok(())
            }
            Some(claim) if matches!(claim, RoleClaim::Controlling(_)) == controlling => Ok(()),
            Some(_) => Err(WireError::TwoRoles),
        }
    }

    /// Checks MESSAGE-INTEGRITY, or MESSAGE-INTEGRITY-SHA256 if the key is for that one, over the bytes as they came
    /// (RFC 8489 §9.1.3, §14.5, §14.6).
    ///
    /// # Errors
    /// There is none, or its writer did not have `key`, or did not write the whole of it.
    pub fn verify(&self, key: &IntegrityKey) -> Result<(), IntegrityError> {
        let seal = match key.attribute() {
            AttributeType::MESSAGE_INTEGRITY => self.integrity.map(|(start, hmac)| (start, &hmac[..])),
            _ => self.integrity_sha256,
        };
        let (start, hmac) = seal.ok_or(IntegrityError::Missing)?;
        if hmac.len() != key.size() {
            return Err(IntegrityError::Truncated);
        }
        let covered = self.bytes.get(..usize::from(start)).unwrap_or_default();
        if key.matches(covered, hmac) { Ok(()) } else { Err(IntegrityError::Mismatch) }
    }

    /// The whole message as it came.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Request, indication or response (RFC 8489 §5).
    pub const fn class(&self) -> Class {
        self.class
    }

    /// What is asked for. It may be one that we do not support (RFC 8489 §6.3).
    pub const fn method(&self) -> Method {
        self.method
    }

    /// The same in a request and its responses (RFC 8489 §5).
    pub const fn transaction_id(&self) -> TransactionId {
        self.id
    }

    /// Whether there is a MESSAGE-INTEGRITY, right or wrong (RFC 8489 §14.5).
    pub const fn has_integrity(&self) -> bool {
        self.integrity.is_some()
    }

    /// Whether there is a MESSAGE-INTEGRITY-SHA256, right or wrong, that covers all that counts (RFC 8489 §14.6).
    pub const fn has_integrity_sha256(&self) -> bool {
        self.integrity_sha256.is_some()
    }

    /// Whether there is a FINGERPRINT; it is right, or the message would not have been parsed
    /// (RFC 8489 §14.7).
    pub const fn has_fingerprint(&self) -> bool {
        self.has_fingerprint
    }

    /// USERNAME, at most 763 bytes (RFC 8489 §14.3).
    pub const fn username(&self) -> Option<&'a str> {
        self.username
    }

    /// USERNAME before and after its first colon: the receiver's fragment and the sender's
    /// (RFC 8445 §7.2.2).
    pub fn username_halves(&self) -> Option<(&'a str, &'a str)> {
        self.username?.split_once(':')
    }

    /// PRIORITY (RFC 8445 §16.1).
    pub const fn priority(&self) -> Option<u32> {
        self.priority
    }

    /// Whether USE-CANDIDATE is there (RFC 8445 §16.1).
    pub const fn use_candidate(&self) -> bool {
        self.use_candidate
    }

    /// ICE-CONTROLLING or ICE-CONTROLLED (RFC 8445 §16.1).
    pub const fn role(&self) -> Option<RoleClaim> {
        self.role
    }

    /// XOR-MAPPED-ADDRESS, unless its address family is unknown (RFC 8489 §14.2, §6.3.3). ICE does not
    /// fall back on MAPPED-ADDRESS.
    pub const fn xor_mapped_address(&self) -> Option<SocketAddr> {
        self.xor_mapped_address
    }

    /// ERROR-CODE (RFC 8489 §14.8).
    pub const fn error_code(&self) -> Option<ErrorCode<'a>> {
        self.error_code
    }

    /// The types in UNKNOWN-ATTRIBUTES, which explain a 420 (RFC 8489 §14.13).
    pub fn unknown_attributes(&self) -> impl Iterator<Item = AttributeType> + 'a {
        let (pairs, _) = self.unknown_listed.unwrap_or_default().as_chunks();
        pairs.iter().map(|pair| AttributeType(u16::from_be_bytes(*pair)))
    }

    /// NOMINATION, the number of a nomination that the largest one wins; not in an RFC.
    pub const fn nomination(&self) -> Option<u32> {
        self.nomination
    }

    /// SOFTWARE, if it is UTF-8 (RFC 8489 §14.14). Nothing depends on it.
    pub fn software(&self) -> Option<&'a str> {
        core::str::from_utf8(self.software?).ok()
    }

    /// REALM (RFC 8489 §14.9).
    pub const fn realm(&self) -> Option<&'a str> {
        self.realm
    }

    /// NONCE, to be given back as it is (RFC 8489 §14.10).
    pub const fn nonce(&self) -> Option<&'a [u8]> {
        self.nonce
    }

    /// What has to be understood and is not: a request gets a 420 that lists it, a response or an
    /// indication is dropped (RFC 8489 §6.3.1 to §6.3.4).
    ///
    /// This is for what peers send. Of what servers send more is understood:
    /// [`ServerAttributes::unknown_required`](super::ServerAttributes::unknown_required).
    pub const fn unknown_required(&self) -> UnknownAttributes {
        self.unknown_required
    }

    /// The attributes that count: those in front of the seal. FINGERPRINT is among them if there is no other seal.
    pub(crate) fn counted_attributes(&self) -> Attributes<'a> {
        Attributes(self.bytes.get(HEADER_SIZE..self.counted).unwrap_or_default())
    }

    /// Every attribute, with those that do not count.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes(self.bytes.get(HEADER_SIZE..).unwrap_or_default())
    }
}

/// A value that has this size.
pub(crate) fn fixed<const SIZE: usize>(kind: AttributeType, value: &[u8]) -> Result<[u8; SIZE], WireError> {
    value.try_into().map_err(|_| WireError::Malformed(kind))
}

fn opaque(kind: AttributeType, value: &[u8]) -> Result<&[u8], WireError> {
    if value.len() <= MAX_TEXT { Ok(value) } else { Err(WireError::Malformed(kind)) }
}

fn text(kind: AttributeType, value: &[u8]) -> Result<&str, WireError> {
    core::str::from_utf8(opaque(kind, value)?).map_err(|_| WireError::Malformed(kind))
}
