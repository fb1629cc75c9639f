//! `floe serve`: its servers on real sockets, asked by hand.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

mod client;
mod gather;
mod relay;

use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use client::{Client, PATIENCE, Server, Stream, Wire, socket};
use floe_core::wire::{
    ChannelData, ChannelNumber, Class, Message, MessageWriter, Method, ServerAttributes, TransactionId,
};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

const TURN: [&str; 5] = ["turn", "--listen", "127.0.0.1:0", "--user", "alice:secret"];
const TLS: [&str; 6] = [
    "--tls-listen",
    "127.0.0.1:0",
    "--tls-cert",
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/serve/tls/cert.pem"),
    "--tls-key",
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/serve/tls/key.pem"),
];

fn udp_to(server: SocketAddr) -> UdpSocket {
    let socket = socket();
    socket.connect(server).expect("connected");
    socket
}

fn tcp_to(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream
}

/// A Binding request with so many bytes in an attribute that means nothing.
fn binding_request(id: u8, ballast: usize) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let id = TransactionId([id; 12]);
    let writer = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id);
    let writer = writer.attribute(floe_core::wire::AttributeType(0xFFFE), &vec![0; ballast]);
    let length = writer.finish().expect("room");
    buffer[..length].to_vec()
}

#[test]
fn a_binding_request_is_answered_and_a_datagram_that_is_too_long_is_not() {
    for arguments in [&["stun", "--listen", "127.0.0.1:0"][..], &TURN] {
        let server = Server::start(arguments, if arguments[0] == "stun" { 1 } else { 2 });
        let mut client = udp_to(server.at[0]);
        for (id, ballast) in [(1, 1500 - 24), (2, 1504 - 24), (3, 0)] {
            Wire::send(&mut client, &binding_request(id, ballast));
        }
        for id in [1, 3] {
            let answer = client.receive();
            let message = Message::parse(&answer).expect("a message");
            assert_eq!(message.transaction_id(), TransactionId([id; 12]));
            assert_eq!(message.xor_mapped_address(), client.local_addr().ok());
        }
    }
}

/// Elsewhere, the loopback interface has one address only.
#[cfg(target_os = "linux")]
#[test]
fn a_second_address_answers_for_the_first() {
    let stun = ["stun", "--listen", "127.0.0.1:0", "--other", "127.0.0.2:0"];
    let mut server = Server::start(&stun, 4);
    let mut places = server.at.clone();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), 4);
    let client = socket();
    let mut buffer = [0; 100];
    let change = floe_core::wire::ChangeRequest { ip: true, port: true };
    let writer = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, TransactionId([1; 12]));
    let length = writer.change_request(change).finish().expect("room");
    client.send_to(&buffer[..length], server.at[0]).expect("sent");
    let (_, from) = client.recv_from(&mut [0; 200]).expect("an answer");
    assert_eq!(from, server.at[1]);
    let told = format!("udp {}: answer from {from}", client.local_addr().expect("an address"));
    assert_eq!(server.line(), told);
}

/// Everything that an allocation is for, and what the log says of it.
fn relays_both_ways(wire: impl Wire, server: &mut Server, name: &str) {
    let mut client = Client::new(wire, "secret");
    let relay =
        client.ask(Method::ALLOCATE, &|w| w.requested_transport(17), |a| a.xor_relayed_addresses().next());
    let relay = relay.expect("an allocation").expect("an address");
    assert_eq!(server.line(), format!("{name}: allocation of \"alice\": {relay} for 600 s"));

    let peer = socket();
    let at = peer.local_addr().expect("an address");
    client.ask(Method::CREATE_PERMISSION, &|w| w.xor_peer_address(at), |_| ()).expect("a permission");
    assert_eq!(server.line(), format!("{name}: permission for 127.0.0.1"));
    client.send_to(at, b"there");
    let mut buffer = [0; 100];
    let (length, from) = peer.recv_from(&mut buffer).expect("relayed");
    assert_eq!((&buffer[..length], from), (&b"there"[..], relay));
    peer.send_to(b"and back", relay).expect("sent");
    let indication = client.wire.receive();
    let message = Message::parse(&indication).expect("an indication");
    let attributes = ServerAttributes::read(&message).expect("attributes");
    assert_eq!((message.method(), attributes.data()), (Method::DATA, Some(&b"and back"[..])));
    assert_eq!(attributes.xor_peer_addresses().next(), Some(at));

    let channel = ChannelNumber::new(0x4abc).expect("a number");
    client
        .ask(Method::CHANNEL_BIND, &|w| w.channel_number(channel).xor_peer_address(at), |_| ())
        .expect("a channel");
    assert_eq!(server.line(), format!("{name}: permission for 127.0.0.1"));
    assert_eq!(server.line(), format!("{name}: channel 0x4abc to {at}"));
    client.wire.send(b"\x4a\xbc\0\x05short");
    let (length, _) = peer.recv_from(&mut buffer).expect("relayed");
    assert_eq!(&buffer[..length], b"short");
    peer.send_to(b"shorter", relay).expect("sent");
    let frame = client.wire.receive();
    assert_eq!(ChannelData::parse(&frame).expect("ChannelData").data, b"shorter");

    client.ask(Method::REFRESH, &|w| w.lifetime(Duration::ZERO), |_| ()).expect("an end");
    assert_eq!(server.line(), format!("{name}: release of {relay}"));
    // The socket is closed a moment after it is said.
    let asked = Instant::now();
    while let Err(error) = UdpSocket::bind(relay) {
        assert!(asked.elapsed() < PATIENCE, "{relay} is still open: {error}");
        std::thread::yield_now();
    }
}

#[test]
fn data_is_relayed_both_ways_over_udp_tcp_and_tls() {
    let mut server = Server::start(&[&TURN[..], &TLS].concat(), 3);
    let socket = udp_to(server.at[0]);
    let name = format!("udp {}", socket.local_addr().expect("an address"));
    relays_both_ways(socket, &mut server, &name);
    let stream = tcp_to(server.at[1]);
    let name = format!("tcp {}", stream.local_addr().expect("an address"));
    relays_both_ways(Stream(stream), &mut server, &name);
    let stream = tcp_to(server.at[2]);
    let name = format!("tls {}", stream.local_addr().expect("an address"));
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(include_bytes!("tls/ca.pem")).expect("a certificate");
    roots.add(authority).expect("an authority");
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let localhost = ServerName::try_from("localhost").expect("a name");
    let session = ClientConnection::new(Arc::new(config), localhost).expect("a session");
    relays_both_ways(Stream(StreamOwned::new(session, stream)), &mut server, &name);
}

#[test]
fn a_wrong_password_is_refused_and_told() {
    let mut server = Server::start(&TURN, 2);
    let socket = udp_to(server.at[0]);
    let name = socket.local_addr().expect("an address");
    let mut client = Client::new(socket, "guess");
    let refused = client.ask(Method::ALLOCATE, &|w| w.requested_transport(17), |_| ());
    assert_eq!(refused, Err(401));
    let told = format!("udp {name}: refusal of Allocate: 401 Unauthenticated, for \"alice\"");
    assert_eq!(server.line(), told);
}

#[test]
fn an_allocation_ends_with_its_stream_and_a_stream_that_is_none_is_closed() {
    let mut server = Server::start(&TURN, 2);
    let stream = tcp_to(server.at[1]);
    let name = stream.local_addr().expect("an address");
    let mut client = Client::new(Stream(stream), "secret");
    let relay =
        client.ask(Method::ALLOCATE, &|w| w.requested_transport(17), |a| a.xor_relayed_addresses().next());
    let relay = relay.expect("an allocation").expect("an address");
    server.line();
    drop(client);
    assert_eq!(server.line(), format!("tcp {name}: end with its stream of {relay}"));
    let mut web = tcp_to(server.at[1]);
    std::io::Write::write_all(&mut web, b"\xFFET / HTTP/1.1\r\n\r\n").expect("written");
    let closed = std::io::Read::read(&mut web, &mut [0; 10]);
    // Closed with our bytes unread is a reset for some systems.
    assert!(
        matches!(closed, Ok(0)) || closed.is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset)
    );
}

#[test]
fn allocations_are_bounded() {
    let server = Server::start(&[&TURN[..], &["--max-allocations", "1"]].concat(), 2);
    let allocate = |expected| {
        let mut client = Client::new(udp_to(server.at[0]), "secret");
        let got = client.ask(Method::ALLOCATE, &|w| w.requested_transport(17), |_| ());
        assert_eq!(got, expected);
    };
    allocate(Ok(()));
    allocate(Err(508));
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_it_well() {
    let mut server = Server::start(&TURN, 2);
    let pid = server.child.id().to_string();
    std::process::Command::new("kill").args(["-INT", &pid]).status().expect("kill runs");
    assert_eq!(server.line(), "ended: 0 allocations open, 0 requests, 0 datagrams relayed, 0 dropped");
    assert!(server.child.wait().expect("it ends").success());
}

#[test]
fn what_cannot_be_served_is_an_error_that_says_why() {
    let taken = socket();
    let at = taken.local_addr().expect("an address").to_string();
    let run = |arguments: &[&str]| {
        let output =
            std::process::Command::new(env!("CARGO_BIN_EXE_floe")).arg("serve").args(arguments).output();
        let output = output.expect("floe runs");
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    let error = run(&["stun", "--listen", &at]);
    assert!(error.starts_with(&format!("floe: cannot listen on udp {at}: ")), "{error}");
    let error = run(&["stun", "--listen", "127.0.0.1:0", "--other", "127.0.0.1:0"]);
    assert!(error.contains("another IP address and another port"), "{error}");
    let error = run(&[&TURN[..], &["--realm", ""]].concat());
    assert!(error.contains("the realm is empty"), "{error}");
    let mut none = TLS;
    none[3] = "/nowhere/cert.pem";
    let error = run(&[&TURN[..], &none].concat());
    assert!(error.starts_with("floe: cannot use /nowhere/cert.pem: "), "{error}");
}
