//! A TURN server of one allocation, scripted by the test: what it refuses, what it forgets, what it has granted until when.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::base::Instant;
use crate::wire::{
    AddressFamily, ChannelData, ChannelNumber, Class, ErrorCode, IntegrityKey, Kind, Message, MessageWriter,
    Method, PasswordAlgorithm, PasswordAlgorithms, ServerAttributes, TransactionId, classify, userhash,
};

pub(super) const USER: &str = "ann";
pub(super) const PASSWORD: &str = "secret";
pub(super) const V4: &str = "198.51.100.9:50000";
pub(super) const V6: &str = "[2001:db8::9]:50000";
/// MD5 and SHA-256, in that order: of both the stronger is to be taken (RFC 8656 §6).
pub(super) const ALGORITHMS: &[u8] = &[0, 1, 0, 0, 0, 2, 0, 0];

/// How a server speaks to its clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Manner {
    /// Of RFC 5389.
    Classic,
    /// Lists password algorithms, and wants hashes for usernames.
    Modern,
    /// Asks nobody who he is.
    Open,
}

pub(super) struct Server {
    pub(super) manner: Manner,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) realm: String,
    /// Counts nonces: only the last is good.
    pub(super) nonce: u32,
    /// Each nonce is good for so long.
    pub(super) nonce_life: Duration,
    nonce_born: Instant,
    pub(super) lifetime: u64,
    /// The first relayed address, whatever was asked for.
    pub(super) gives: Option<SocketAddr>,
    pub(super) has_v4: bool,
    pub(super) has_v6: bool,
    pub(super) expires: Option<Instant>,
    pub(super) permissions: BTreeMap<IpAddr, Instant>,
    pub(super) channels: BTreeMap<u16, (SocketAddr, Instant)>,
    /// Permission is never given to them, nor a channel.
    pub(super) forbidden: Vec<IpAddr>,
    /// With this code.
    pub(super) forbidding: u16,
    /// Answers with this code to the next so many authenticated requests of this kind.
    pub(super) refusals: Vec<(Ask, u16, u32)>,
    /// What ALTERNATE-SERVER says.
    pub(super) alternates: Vec<SocketAddr>,
    /// Requests that it has understood: when, what, and whether they were signed.
    pub(super) asked: Vec<(Instant, Ask, bool)>,
    /// What was relayed towards peers.
    pub(super) relayed: Vec<(SocketAddr, Vec<u8>)>,
    answered: Vec<(TransactionId, Vec<u8>)>,
}

/// What is asked of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ask {
    Allocate,
    Refresh,
    Delete,
    Permit,
    Bind,
}

impl Server {
    pub(super) fn new(manner: Manner) -> Self {
        Self {
            manner,
            user: USER.into(),
            password: PASSWORD.into(),
            realm: "example.org".into(),
            nonce: 1,
            nonce_life: Duration::from_secs(3600),
            nonce_born: Instant::ZERO,
            lifetime: 600,
            gives: None,
            has_v4: true,
            has_v6: true,
            expires: None,
            permissions: BTreeMap::new(),
            channels: BTreeMap::new(),
            forbidden: Vec::new(),
            forbidding: 403,
            refusals: Vec::new(),
            alternates: Vec::new(),
            asked: Vec::new(),
            relayed: Vec::new(),
            answered: Vec::new(),
        }
    }

    pub(super) fn count(&self, ask: Ask) -> usize {
        self.asked.iter().filter(|(_, other, _)| *other == ask).count()
    }

    /// What a peer sends to the relayed address comes to the client so.
    pub(super) fn peer_sends(&self, now: Instant, peer: SocketAddr, data: &[u8]) -> Option<Vec<u8>> {
        self.permissions.get(&peer.ip()).filter(|until| **until > now)?;
        let mut buffer = [0; 1500];
        let channel = self.channels.iter().find(|(_, (other, until))| *other == peer && *until > now);
        let length = match channel {
            Some((number, _)) => {
                ChannelData { channel: ChannelNumber::new(*number).unwrap(), data }.write(&mut buffer)
            }
            None => MessageWriter::new(&mut buffer, Class::Indication, Method::DATA, TransactionId([3; 12]))
                .xor_peer_address(peer)
                .data(data)
                .finish(),
        };
        Some(buffer[..length.unwrap()].to_vec())
    }

    /// What it answers to a message of its client.
    pub(super) fn on_message(&mut self, now: Instant, bytes: &[u8]) -> Option<Vec<u8>> {
        self.forget(now);
        if classify(bytes) == Kind::TurnChannel {
            let message = ChannelData::parse(bytes).unwrap();
            let (peer, _) = self.channels.get(&message.channel.get())?;
            self.relayed.push((*peer, message.data.to_vec()));
            return None;
        }
        let message = Message::parse(bytes).unwrap();
        let attributes = ServerAttributes::read(&message).unwrap();
        assert!(attributes.unknown_required().is_empty());
        if message.method() == Method::BINDING {
            assert_eq!(message.class(), Class::Indication);
            return None;
        }
        if message.method() == Method::SEND {
            let peer = attributes.xor_peer_addresses().next().unwrap();
            if self.permissions.contains_key(&peer.ip()) {
                self.relayed.push((peer, attributes.data().unwrap().to_vec()));
            }
            return None;
        }
        assert!(message.has_fingerprint());
        let id = message.transaction_id();
        if let Some((_, answer)) = self.answered.iter().find(|(other, _)| *other == id) {
            return Some(answer.clone());
        }
        let ask = match (message.method(), attributes.lifetime()) {
            (Method::ALLOCATE, _) => Ask::Allocate,
            (Method::REFRESH, Some(Duration::ZERO)) => Ask::Delete,
            (Method::REFRESH, _) => Ask::Refresh,
            (Method::CREATE_PERMISSION, _) => Ask::Permit,
            (Method::CHANNEL_BIND, _) => Ask::Bind,
            other => panic!("asked for {other:?}"),
        };
        let is_signed = message.has_integrity() || message.has_integrity_sha256();
        self.asked.push((now, ask, is_signed));
        let answer = self.answer(now, ask, &message, &attributes);
        self.answered.push((id, answer.clone()));
        if self.answered.len() > 64 {
            self.answered.remove(0);
        }
        Some(answer)
    }

    pub(super) fn nonce(&self) -> String {
        // The bits for algorithms and anonymity, as RFC 8489 §18.1 counts them.
        let cookie = if self.manner == Manner::Modern { "obMatJos2wAAA" } else { "" };
        alloc::format!("{cookie}nonce{}", self.nonce)
    }

    pub(super) fn key(&self) -> IntegrityKey {
        match self.manner {
            Manner::Modern => {
                let algorithm = PasswordAlgorithm::Sha256;
                IntegrityKey::long_term_sha256(algorithm, &self.user, &self.realm, &self.password)
            }
            _ => IntegrityKey::long_term(&self.user, &self.realm, &self.password),
        }
    }

    fn answer(
        &mut self,
        now: Instant,
        ask: Ask,
        message: &Message<'_>,
        attributes: &ServerAttributes<'_>,
    ) -> Vec<u8> {
        if let Err(code) = self.authenticate(now, message, attributes) {
            return self.demand(code, message);
        }
        let refusal = self.refusals.iter_mut().find(|(other, _, left)| *other == ask && *left > 0);
        if let Some((_, code, left)) = refusal {
            *left -= 1;
            let code = *code;
            return if matches!(code, 401 | 438) {
                self.demand(code, message)
            } else {
                self.refuse(code, message)
            };
        }
        match self.grant(now, ask, attributes) {
            Ok(lifetime) => self.respond(message, Class::Success, |mut writer| {
                if ask == Ask::Allocate {
                    let wants_v6 = attributes.requested_address_family() == Some(AddressFamily::V6);
                    let wants_both = attributes.additional_address_family().is_some();
                    let first = (self.has_v4 && !wants_v6).then(|| V4.parse().unwrap());
                    if let Some(first) = self.gives.or(first) {
                        writer = writer.xor_relayed_address(first);
                    }
                    if self.has_v6 && (wants_v6 || wants_both) {
                        writer = writer.xor_relayed_address(V6.parse().unwrap());
                    }
                    if wants_both && !self.has_v6 {
                        writer =
                            writer.address_error(AddressFamily::V6, ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED);
                    }
                    writer = writer.xor_mapped_address("203.0.113.5:7000".parse().unwrap());
                }
                match lifetime {
                    Some(seconds) => writer.lifetime(Duration::from_secs(seconds)),
                    None => writer,
                }
            }),
            Err(code) => self.refuse(code, message),
        }
    }

    fn authenticate(
        &mut self,
        now: Instant,
        message: &Message<'_>,
        attributes: &ServerAttributes<'_>,
    ) -> Result<(), u16> {
        if self.manner == Manner::Open {
            return Ok(());
        }
        if now.since(self.nonce_born) > self.nonce_life {
            self.nonce += 1;
            self.nonce_born = now;
        }
        let is_modern = self.manner == Manner::Modern;
        if !message.has_integrity() && !message.has_integrity_sha256() {
            return Err(401);
        }
        if message.nonce() != Some(self.nonce().as_bytes()) {
            return Err(438);
        }
        let is_user = match attributes.userhash() {
            Some(hash) => is_modern && *hash == userhash(&self.user, &self.realm),
            None => !is_modern && message.username() == Some(&self.user),
        };
        let echoed = attributes.password_algorithms().map(PasswordAlgorithms::as_bytes);
        assert_eq!(echoed, is_modern.then_some(ALGORITHMS), "RFC 8489 §9.2.4: the list comes back");
        assert_eq!(attributes.password_algorithm().is_some(), is_modern);
        let is_right = is_user && message.realm() == Some(&self.realm) && message.verify(&self.key()).is_ok();
        if is_right { Ok(()) } else { Err(401) }
    }

    fn grant(
        &mut self,
        now: Instant,
        ask: Ask,
        attributes: &ServerAttributes<'_>,
    ) -> Result<Option<u64>, u16> {
        if ask != Ask::Allocate && self.expires.is_none() {
            return Err(437);
        }
        let secs = Duration::from_secs;
        match ask {
            Ask::Allocate if self.expires.is_some() => return Err(437),
            Ask::Allocate => {
                let wants_v6 = attributes.requested_address_family() == Some(AddressFamily::V6);
                let wants_both = attributes.additional_address_family().is_some();
                if wants_v6 && !self.has_v6 || !wants_v6 && !wants_both && !self.has_v4 {
                    return Err(440);
                }
                self.expires = Some(now + secs(self.lifetime));
                return Ok(Some(self.lifetime));
            }
            Ask::Refresh => {
                self.expires = Some(now + secs(self.lifetime));
                return Ok(Some(self.lifetime));
            }
            Ask::Delete => {
                self.expires = None;
                self.permissions.clear();
                self.channels.clear();
                return Ok(Some(0));
            }
            Ask::Permit | Ask::Bind => {}
        }
        let peers: Vec<SocketAddr> = attributes.xor_peer_addresses().collect();
        assert!(!peers.is_empty());
        if peers.iter().any(|peer| self.forbidden.contains(&peer.ip())) {
            return Err(self.forbidding);
        }
        if ask == Ask::Bind {
            let number = attributes.channel_number().unwrap().get();
            let clashes = |(other, (peer, _)): (&u16, &(SocketAddr, Instant))| {
                (*other == number) != (*peer == peers[0])
            };
            if self.channels.iter().any(clashes) {
                return Err(400);
            }
            self.channels.insert(number, (peers[0], now + secs(600)));
        }
        for peer in peers {
            self.permissions.insert(peer.ip(), now + secs(300));
        }
        Ok(None)
    }

    fn forget(&mut self, now: Instant) {
        if self.expires.is_some_and(|at| at <= now) {
            self.expires = None;
            self.permissions.clear();
            self.channels.clear();
        }
        self.permissions.retain(|_, until| *until > now);
        self.channels.retain(|_, (_, until)| *until > now);
    }

    /// 401 or 438, with what the next request is to be made from.
    fn demand(&mut self, code: u16, message: &Message<'_>) -> Vec<u8> {
        if code == 438 && message.nonce() == Some(self.nonce().as_bytes()) {
            self.nonce += 1;
        }
        let mut buffer = [0; 1500];
        let error = ErrorCode::new(code, "who?").unwrap();
        let nonce = self.nonce();
        let mut writer =
            MessageWriter::new(&mut buffer, Class::Error, message.method(), message.transaction_id())
                .error_code(error)
                .realm(&self.realm)
                .nonce(nonce.as_bytes());
        if self.manner == Manner::Modern {
            writer = writer.password_algorithms(PasswordAlgorithms::read(ALGORITHMS).unwrap());
        }
        let length = writer.finish().unwrap();
        buffer[..length].to_vec()
    }

    pub(super) fn refuse(&self, code: u16, message: &Message<'_>) -> Vec<u8> {
        let error = ErrorCode::new(code, "no").unwrap();
        self.respond(message, Class::Error, |writer| {
            self.alternates.iter().fold(writer.error_code(error), |writer, to| writer.alternate_server(*to))
        })
    }

    fn respond(
        &self,
        message: &Message<'_>,
        class: Class,
        write: impl FnOnce(MessageWriter<'_>) -> MessageWriter<'_>,
    ) -> Vec<u8> {
        let mut buffer = [0; 1500];
        let writer = MessageWriter::new(&mut buffer, class, message.method(), message.transaction_id());
        let writer = write(writer);
        let length = match self.manner {
            Manner::Open => writer.finish(),
            _ => writer.finish_with_integrity(&self.key()),
        };
        let length = length.unwrap();
        buffer[..length].to_vec()
    }
}
