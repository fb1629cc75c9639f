//! The STUN server: where a request came from (RFC 8489), and answers from elsewhere (RFC 5780).

use core::net::SocketAddr;

use floe_core::wire::{AttributeType, Class, MessageWriter, TransactionId};
use floe_sim::server::{Fault, MAX_DATAGRAM, Request, StunServer};

use crate::client::{ALTERNATE_SERVER, Answer, BINDING, method, plain};

const CHANGE_REQUEST: u16 = 0x0003;
const RESPONSE_PORT: u16 = 0x0027;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const MAPPED_ADDRESS: u16 = 0x0001;
const RESPONSE_ORIGIN: u16 = 0x802B;
const OTHER_ADDRESS: u16 = 0x802C;

type Attributes<'a> = &'a [(u16, &'a [u8])];

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

fn client() -> SocketAddr {
    at("203.0.113.7:40000")
}

fn request(class: Class, attributes: Attributes<'_>, fingerprint: bool) -> Vec<u8> {
    let mut buffer = [0; 1500];
    let mut writer = MessageWriter::new(&mut buffer, class, method(BINDING), TransactionId(*b"abcdefghijkl"));
    for (kind, value) in attributes {
        writer = writer.attribute(AttributeType(*kind), value);
    }
    let end = if fingerprint { writer.finish_with_fingerprint() } else { writer.finish() };
    let length = end.unwrap();
    buffer[..length].to_vec()
}

fn change(flags: u8) -> Vec<u8> {
    request(Class::Request, &[(CHANGE_REQUEST, &[0, 0, 0, flags])], false)
}

fn two_addresses() -> StunServer {
    StunServer::with_other(at("198.51.100.1:3478"), at("198.51.100.2:3479")).unwrap()
}

#[test]
fn it_tells_where_the_request_came_from() {
    let mut server = StunServer::new().with_software("floe-sim");
    for remote in [client(), at("[2001:db8::7]:40000")] {
        for fingerprint in [false, true] {
            let local = at("198.51.100.1:3478");
            let reply = server.receive(local, remote, &request(Class::Request, &[], fingerprint)).unwrap();
            assert_eq!((reply.from, reply.to), (local, remote));
            let answer = Answer(reply.bytes);
            let message = answer.message();
            assert_eq!(answer.address(XOR_MAPPED_ADDRESS), Some(remote));
            assert_eq!(message.xor_mapped_address(), Some(remote));
            assert_eq!(message.software(), Some("floe-sim"));
            assert_eq!(message.has_fingerprint(), fingerprint);
            assert_eq!((answer.value(OTHER_ADDRESS), answer.value(RESPONSE_ORIGIN)), (None, None));
        }
    }
    assert_eq!((server.counts().requests, server.counts().replies), (4, 4));
}

/// RFC 5780 §6.1, table 1, for each socket that a request can come to.
#[test]
fn it_answers_from_the_other_address_and_port_as_asked() {
    let mut server = two_addresses();
    let sockets = server.sockets();
    assert_eq!(sockets.len(), 4);
    for local in sockets {
        let other_ip = if local.ip() == at("198.51.100.1:0").ip() { "198.51.100.2" } else { "198.51.100.1" };
        let other_port = if local.port() == 3478 { 3479 } else { 3478 };
        let other = SocketAddr::new(other_ip.parse().unwrap(), other_port);
        for (flags, from) in [
            (0b000, local),
            (0b100, SocketAddr::new(other.ip(), local.port())),
            (0b010, SocketAddr::new(local.ip(), other.port())),
            (0b110, other),
        ] {
            let reply = server.receive(local, client(), &change(flags)).unwrap();
            assert_eq!((reply.from, reply.to), (from, client()), "flags {flags:03b} at {local}");
            let answer = Answer(reply.bytes);
            assert_eq!(answer.address(XOR_MAPPED_ADDRESS), Some(client()));
            let told = |kind| answer.value(kind).map(|value| plain(&value));
            assert_eq!(told(MAPPED_ADDRESS), Some(client()));
            assert_eq!(told(RESPONSE_ORIGIN), Some(from));
            assert_eq!(told(OTHER_ADDRESS), Some(other));
        }
    }
}

#[test]
fn two_addresses_that_are_not_apart_are_none() {
    let main = at("198.51.100.1:3478");
    for other in ["198.51.100.1:3479", "198.51.100.2:3478", "[2001:db8::1]:3479"] {
        assert!(StunServer::with_other(main, at(other)).is_none(), "{other}");
    }
}

#[test]
fn what_it_does_not_understand_is_listed() {
    let mut server = StunServer::new();
    let requests: [(Attributes<'_>, &[u8]); 3] = [
        (&[(CHANGE_REQUEST, &[0, 0, 0, 6])], &[0, 3]),
        (
            &[(0x7FFF, b""), (0x8FFF, b"optional"), (0x0026, b"padding"), (0x7FFF, b"")],
            &[0, 0x26, 0x7F, 0xFF],
        ),
        (&[(0x0027, &[0, 1, 0, 0])], &[0, 0x27]),
    ];
    for (attributes, listed) in requests {
        let bytes = request(Class::Request, attributes, false);
        let answer = Answer(server.receive(at("198.51.100.1:3478"), client(), &bytes).unwrap().bytes);
        assert_eq!(answer.code(), Some(420));
        assert_eq!(answer.value(0x000A).unwrap(), listed);
    }
    let odd = request(Class::Request, &[(CHANGE_REQUEST, b"odd")], false);
    let answer = Answer(two_addresses().receive(at("198.51.100.1:3478"), client(), &odd).unwrap().bytes);
    assert_eq!(answer.code(), Some(400));
    let credentials = request(Class::Request, &[(0x0006, b"alice"), (0x0008, &[0; 20])], false);
    let reply = server.receive(at("198.51.100.1:3478"), client(), &credentials).unwrap();
    assert_eq!(Answer(reply.bytes).code(), None, "credentials do not matter");
}

/// RFC 5780 §7.5: the address is the client's, the port is the one that it names.
#[test]
fn it_answers_to_another_port_where_it_is_allowed_to() {
    let mut server = two_addresses();
    server.answer_other_ports(true);
    let local = at("198.51.100.1:3478");
    let attributes: Attributes<'_> =
        &[(RESPONSE_PORT, &[0xC0, 0x00, 0, 0]), (CHANGE_REQUEST, &[0, 0, 0, 0b010])];
    let reply = server.receive(local, client(), &request(Class::Request, attributes, false)).unwrap();
    assert_eq!((reply.from, reply.to), (at("198.51.100.1:3479"), at("203.0.113.7:49152")));
    assert_eq!(Answer(reply.bytes).address(XOR_MAPPED_ADDRESS), Some(client()));
    // What cannot be obeyed is told to whoever asked.
    for attributes in
        [&[(RESPONSE_PORT, &b"odd"[..])][..], &[(RESPONSE_PORT, &[0xC0, 0x00, 0, 0]), (0x7FFF, b"")]]
    {
        let reply = server.receive(local, client(), &request(Class::Request, attributes, false)).unwrap();
        assert_eq!(reply.to, client());
        assert!(Answer(reply.bytes).code().is_some());
    }
}

#[test]
fn what_is_no_binding_request_is_not_answered() {
    let mut server = two_addresses();
    let mut too_large = request(Class::Request, &[(0x8FFF, &[0; 1400])], false);
    too_large.extend([0x8F, 0xFF, 0, 80]);
    too_large.resize(too_large.len() + 80, 0);
    let length = u16::try_from(too_large.len() - 20).unwrap();
    too_large[2..4].copy_from_slice(&length.to_be_bytes());
    assert!(too_large.len() > MAX_DATAGRAM);
    let mut wrong_fingerprint = request(Class::Request, &[], true);
    *wrong_fingerprint.last_mut().unwrap() ^= 1;
    let all = [
        request(Class::Indication, &[], false),
        request(Class::Success, &[], false),
        request(Class::Error, &[], false),
        b"\0\x03\0\0\x21\x12\xa4\x42abcdefghijkl".to_vec(),
        b"hello".to_vec(),
        Vec::new(),
        wrong_fingerprint,
        too_large,
    ];
    for bytes in &all {
        assert_eq!(server.receive(at("198.51.100.1:3478"), client(), bytes), None, "{bytes:?}");
    }
    assert_eq!(server.counts().dropped, all.len() as u64);
}

#[test]
fn it_misbehaves_as_it_is_told() {
    let mut server = StunServer::new();
    let other = at("198.51.100.9:3478");
    server.add_fault(Fault::next(Request::Binding).answered_with(500));
    server.add_fault(Fault::next(Request::Binding).redirected_to(other));
    server.add_fault(Fault::next(Request::Binding).ignored());
    let mut ask = || {
        let bytes = request(Class::Request, &[], false);
        server.receive(at("198.51.100.1:3478"), client(), &bytes).map(|reply| Answer(reply.bytes))
    };
    assert_eq!(ask().unwrap().code(), Some(500));
    let redirection = ask().unwrap();
    assert_eq!(redirection.code(), Some(300));
    assert_eq!(plain(&redirection.value(ALTERNATE_SERVER).unwrap()), other);
    assert_eq!(ask(), None);
    assert_eq!(ask().unwrap().code(), None);
}
