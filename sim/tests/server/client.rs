//! A client that does what a test says, with the engine's writer and reader of messages.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeSet;

use floe_core::wire::{AttributeType, Class, IntegrityKey, Message, MessageWriter, Method, TransactionId};
use floe_sim::Instant;
use floe_sim::server::{Allocation, FiveTuple, RelaySockets, Transport, TurnConfig, TurnOutput, TurnServer};
use md5::{Digest, Md5};
use sha2::Sha256;

pub(crate) const BINDING: u16 = 0x001;
pub(crate) const ALLOCATE: u16 = 0x003;
pub(crate) const REFRESH: u16 = 0x004;
pub(crate) const SEND: u16 = 0x006;
pub(crate) const DATA_METHOD: u16 = 0x007;
pub(crate) const CREATE_PERMISSION: u16 = 0x008;
pub(crate) const CHANNEL_BIND: u16 = 0x009;

pub(crate) const CHANNEL_NUMBER: u16 = 0x000C;
pub(crate) const LIFETIME: u16 = 0x000D;
pub(crate) const XOR_PEER_ADDRESS: u16 = 0x0012;
pub(crate) const DATA: u16 = 0x0013;
pub(crate) const XOR_RELAYED_ADDRESS: u16 = 0x0016;
pub(crate) const REQUESTED_ADDRESS_FAMILY: u16 = 0x0017;
pub(crate) const EVEN_PORT: u16 = 0x0018;
pub(crate) const REQUESTED_TRANSPORT: u16 = 0x0019;
pub(crate) const DONT_FRAGMENT: u16 = 0x001A;
pub(crate) const RESERVATION_TOKEN: u16 = 0x0022;
pub(crate) const ADDITIONAL_ADDRESS_FAMILY: u16 = 0x8000;
pub(crate) const ADDRESS_ERROR_CODE: u16 = 0x8001;
pub(crate) const ALTERNATE_SERVER: u16 = 0x8023;

pub(crate) const UDP: &[u8] = &[17, 0, 0, 0];
pub(crate) const V4: &[u8] = &[1, 0, 0, 0];
pub(crate) const V6: &[u8] = &[2, 0, 0, 0];

/// An attribute and its value.
pub(crate) type Attribute = (u16, Vec<u8>);

/// REQUESTED-TRANSPORT, which every Allocate request has.
pub(crate) fn udp() -> Attribute {
    (REQUESTED_TRANSPORT, UDP.to_vec())
}

pub(crate) fn lifetime(seconds: u32) -> Attribute {
    (LIFETIME, seconds.to_be_bytes().to_vec())
}

pub(crate) fn peer(address: &str) -> Attribute {
    (XOR_PEER_ADDRESS, xored(address.parse().unwrap()))
}

pub(crate) fn channel(number: u16) -> Attribute {
    (CHANNEL_NUMBER, [number.to_be_bytes(), [0, 0]].concat())
}

pub(crate) fn server_address() -> SocketAddr {
    "198.51.100.1:3478".parse().unwrap()
}

pub(crate) fn relay_v6() -> IpAddr {
    "2001:db8::1".parse().unwrap()
}

/// The sockets that a server has opened, and those that it cannot have.
#[derive(Default)]
pub(crate) struct Sockets {
    pub(crate) open: BTreeSet<SocketAddr>,
    pub(crate) refuses: Option<fn(SocketAddr) -> bool>,
}

impl RelaySockets for Sockets {
    fn open(&mut self, at: SocketAddr) -> bool {
        !self.refuses.is_some_and(|refuses| refuses(at)) && self.open.insert(at)
    }

    fn close(&mut self, at: SocketAddr) {
        assert!(self.open.remove(&at), "{at} was not open");
    }
}

/// A server, and a client of it whose requests are signed rightly.
pub(crate) struct Lab {
    pub(crate) server: TurnServer,
    pub(crate) sockets: Sockets,
    pub(crate) now: Instant,
    pub(crate) client: FiveTuple,
    pen: Pen,
}

/// Writes what a client sends.
pub(crate) struct Pen {
    pub(crate) user: (&'static str, &'static str),
    /// REALM and NONCE of the last challenge.
    pub(crate) challenge: Option<(String, Vec<u8>)>,
    ids: u64,
}

impl core::ops::Deref for Lab {
    type Target = Pen;

    fn deref(&self) -> &Pen {
        &self.pen
    }
}

impl core::ops::DerefMut for Lab {
    fn deref_mut(&mut self) -> &mut Pen {
        &mut self.pen
    }
}

impl Lab {
    pub(crate) fn new(change: impl FnOnce(&mut TurnConfig)) -> Self {
        let mut config = TurnConfig::new("example.org", server_address().ip())
            .with_user("alice", "secret")
            .with_user("bob", "geheim");
        change(&mut config);
        Self {
            server: TurnServer::new(config, [9; 32]).unwrap(),
            sockets: Sockets::default(),
            now: Instant::from_millis(1_000),
            client: FiveTuple::udp("203.0.113.7:40000".parse().unwrap(), server_address()),
            pen: Pen::new(("alice", "secret")),
        }
    }

    /// The same server, for a client at another port of the same address.
    pub(crate) fn client(&mut self, port: u16) -> &mut Self {
        self.client.client.set_port(port);
        self.challenge = None;
        self
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        let Self { server, sockets, now, .. } = self;
        server.advance(*now, sockets);
    }

    /// Sends bytes as they are, and gives what the server sends.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Vec<TurnOutput> {
        let Self { server, sockets, now, client, .. } = self;
        if client.transport == Transport::Udp {
            server.receive(*now, *client, bytes, sockets);
        } else {
            server.stream_input(*now, *client, bytes, sockets);
        }
        core::iter::from_fn(|| server.poll()).collect()
    }

    /// Sends a request as it is. None if it is not answered.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> Option<Answer> {
        let mut outputs = self.raw(request);
        assert!(outputs.len() <= 1, "{outputs:?}");
        match outputs.pop()? {
            TurnOutput::ToClient { client, bytes } if client == self.client => Some(Answer(bytes)),
            other => panic!("no answer: {other:?}"),
        }
    }

    /// Does what a client does: without credentials first, and with those of the challenge then.
    pub(crate) fn request(&mut self, number: u16, attributes: &[Attribute]) -> Answer {
        if self.challenge.is_none() {
            let request = self.unsigned(number, attributes);
            let answer = self.exchange(&request).expect("a challenge");
            assert_eq!(answer.code(), Some(401));
            self.accept(&answer);
        }
        let request = self.signed(number, attributes);
        let answer = self.exchange(&request).expect("an answer");
        if answer.code().is_none() {
            assert!(answer.message().verify(&self.key()).is_ok(), "signed for the client");
        }
        answer
    }

    /// An allocation with nothing special, and its relayed address.
    pub(crate) fn allocate(&mut self) -> SocketAddr {
        let answer = self.request(ALLOCATE, &[udp()]);
        assert_eq!(answer.code(), None);
        answer.address(XOR_RELAYED_ADDRESS).unwrap()
    }

    pub(crate) fn allocation(&self) -> &Allocation {
        self.server.allocation(self.client).expect("an allocation")
    }

    /// A peer's datagram comes to a relayed address.
    pub(crate) fn peer_sends(&mut self, relay: SocketAddr, peer: &str, bytes: &[u8]) -> Vec<TurnOutput> {
        self.server.relay_input(self.now, relay, peer.parse().unwrap(), bytes);
        core::iter::from_fn(|| self.server.poll()).collect()
    }
}

impl Pen {
    pub(crate) fn new(user: (&'static str, &'static str)) -> Self {
        Self { user, challenge: None, ids: 0 }
    }

    /// A transaction id that was not used before.
    pub(crate) fn id(&mut self) -> TransactionId {
        self.ids += 1;
        let mut id = [7; 12];
        id[..8].copy_from_slice(&self.ids.to_be_bytes());
        TransactionId(id)
    }

    pub(crate) fn key(&self) -> IntegrityKey {
        let (name, password) = self.user;
        let realm = self.challenge.as_ref().map_or("", |(realm, _)| realm);
        IntegrityKey::from_bytes(&Md5::digest(format!("{name}:{realm}:{password}")))
    }

    /// A request without credentials.
    pub(crate) fn unsigned(&mut self, number: u16, attributes: &[Attribute]) -> Vec<u8> {
        let id = self.id();
        let mut buffer = [0; 1500];
        let writer = MessageWriter::new(&mut buffer, Class::Request, method(number), id);
        let length = put(writer, id, attributes).finish().unwrap();
        buffer[..length].to_vec()
    }

    /// A request with the credentials of the last challenge, signed with SHA-1.
    pub(crate) fn signed(&mut self, number: u16, attributes: &[Attribute]) -> Vec<u8> {
        let (id, key) = (self.id(), self.key());
        let (realm, nonce) = self.challenge.clone().expect("a challenge");
        let mut buffer = [0; 1500];
        let writer = MessageWriter::new(&mut buffer, Class::Request, method(number), id);
        let writer = put(writer, id, attributes).username_str(self.user.0).realm(&realm).nonce(&nonce);
        let length = writer.finish_with_integrity(&key).unwrap();
        buffer[..length].to_vec()
    }

    /// Takes REALM and NONCE of a challenge.
    pub(crate) fn accept(&mut self, answer: &Answer) {
        let message = answer.message();
        self.challenge = Some((message.realm().unwrap().to_owned(), message.nonce().unwrap().to_vec()));
    }

    /// An indication.
    pub(crate) fn indication(&mut self, number: u16, attributes: &[Attribute]) -> Vec<u8> {
        let id = self.id();
        let mut buffer = [0; 1600];
        let writer = MessageWriter::new(&mut buffer, Class::Indication, method(number), id);
        let length = put(writer, id, attributes).finish().unwrap();
        buffer[..length].to_vec()
    }
}

/// A response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Answer(pub(crate) Vec<u8>);

impl Answer {
    pub(crate) fn message(&self) -> Message<'_> {
        Message::parse(&self.0).expect("a message")
    }

    /// The code of an error response; none if it is a success.
    pub(crate) fn code(&self) -> Option<u16> {
        let message = self.message();
        match message.class() {
            Class::Success => None,
            Class::Error => Some(message.error_code().expect("a code").code()),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn values(&self, kind: u16) -> Vec<Vec<u8>> {
        let all = self.message();
        all.attributes().filter(|(k, _)| *k == AttributeType(kind)).map(|(_, value)| value.to_vec()).collect()
    }

    pub(crate) fn value(&self, kind: u16) -> Option<Vec<u8>> {
        self.values(kind).into_iter().next()
    }

    pub(crate) fn addresses(&self, kind: u16) -> Vec<SocketAddr> {
        let id = self.message().transaction_id();
        self.values(kind).iter().map(|value| unxored(value, id)).collect()
    }

    pub(crate) fn address(&self, kind: u16) -> Option<SocketAddr> {
        self.addresses(kind).into_iter().next()
    }

    pub(crate) fn lifetime(&self) -> Option<u32> {
        self.value(LIFETIME).map(|value| u32::from_be_bytes(value.try_into().unwrap()))
    }
}

/// A method by its number.
pub(crate) fn method(number: u16) -> Method {
    let kind = (number & 0x00F) | ((number & 0x070) << 1) | ((number & 0xF80) << 2);
    let [high, low] = kind.to_be_bytes();
    let header = [&[high, low, 0, 0, 0x21, 0x12, 0xA4, 0x42][..], &[0; 12]].concat();
    Message::parse(&header).unwrap().method()
}

/// Adds attributes, with what depends on the transaction id in addresses.
fn put<'b>(mut writer: MessageWriter<'b>, id: TransactionId, attributes: &[Attribute]) -> MessageWriter<'b> {
    for (kind, value) in attributes {
        let mut value = value.clone();
        if *kind == XOR_PEER_ADDRESS {
            value.iter_mut().skip(8).zip(id.0).for_each(|(byte, mask)| *byte ^= mask);
        }
        writer = writer.attribute(AttributeType(*kind), &value);
    }
    writer
}

/// The value of an XOR- address (RFC 8489 §14.2), except for what depends on the transaction id.
pub(crate) fn xored(address: SocketAddr) -> Vec<u8> {
    let port = (address.port() ^ 0x2112).to_be_bytes();
    let mask = [0x21, 0x12, 0xA4, 0x42].into_iter().chain([0; 12]);
    let (family, octets) = match address.ip() {
        IpAddr::V4(ip) => (1, ip.octets().to_vec()),
        IpAddr::V6(ip) => (2, ip.octets().to_vec()),
    };
    let octets = octets.into_iter().zip(mask).map(|(byte, mask)| byte ^ mask);
    [0, family].into_iter().chain(port).chain(octets).collect()
}

pub(crate) fn unxored(value: &[u8], id: TransactionId) -> SocketAddr {
    let mut octets = value[4..].to_vec();
    let mask = [0x21, 0x12, 0xA4, 0x42].into_iter().chain(id.0);
    octets.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    let ip: IpAddr = match value[1] {
        1 => Ipv4Addr::from(<[u8; 4]>::try_from(octets).unwrap()).into(),
        2 => Ipv6Addr::from(<[u8; 16]>::try_from(octets).unwrap()).into(),
        other => panic!("family {other}"),
    };
    SocketAddr::new(ip, u16::from_be_bytes([value[2], value[3]]) ^ 0x2112)
}

/// An address as MAPPED-ADDRESS has it, IPv4 only.
pub(crate) fn plain(value: &[u8]) -> SocketAddr {
    let octets: [u8; 4] = value[4..].try_into().unwrap();
    SocketAddr::new(Ipv4Addr::from(octets).into(), u16::from_be_bytes([value[2], value[3]]))
}

pub(crate) fn sha256(text: &str) -> Vec<u8> {
    Sha256::digest(text).to_vec()
}
