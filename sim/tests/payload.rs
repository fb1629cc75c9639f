//! Gateways that replace addresses in payloads, and what survives them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail by panicking")]

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use floe_sim::{Attachment, NatConfig, Network, StunHost};

const MAPPED_ADDRESS: u16 = 0x0001;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const COOKIE: u32 = 0x2112_a442;

fn rewriting() -> NatConfig {
    NatConfig { payload_rewriting: true, ..NatConfig::symmetric() }
}

/// The plain address in an attribute of a STUN message (RFC 8489 §14.1).
fn address(message: &[u8], wanted: u16) -> Option<SocketAddrV4> {
    let short = |at: usize| u16::from_be_bytes([message[at], message[at + 1]]);
    let mut at = 20;
    while at + 4 <= message.len() {
        let length = usize::from(short(at + 2));
        if short(at) == wanted && length == 8 {
            let ip = Ipv4Addr::new(message[at + 8], message[at + 9], message[at + 10], message[at + 11]);
            return Some(SocketAddrV4::new(ip, short(at + 6)));
        }
        at += 4 + length.next_multiple_of(4);
    }
    None
}

#[test]
fn a_naive_mapped_address_comes_home_as_the_private_one_and_the_xored_one_survives() {
    for (nat, corrupted) in [(NatConfig::symmetric(), false), (rewriting(), true)] {
        let mut net = Network::seeded(1);
        let mut stun = StunHost::new(&mut net).unwrap();
        let nat = net.add_nat(nat);
        let host = net.add_host(Attachment::Behind(nat));
        let local = net.bind(host, None).unwrap();
        net.send((host, local), stun.address(), b"\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl");
        let until = net.now() + Duration::from_secs(1);
        let mut answer = None;
        while let Some(delivery) = net.advance(until) {
            if !stun.on_delivery(&mut net, &delivery) {
                answer = Some(delivery.bytes);
            }
        }
        let answer = answer.unwrap();
        let external = net.external_address(nat).unwrap();
        let naive = address(&answer, MAPPED_ADDRESS).unwrap();
        let xored = address(&answer, XOR_MAPPED_ADDRESS).unwrap();
        let ip = Ipv4Addr::from(u32::from(*xored.ip()) ^ COOKIE);
        assert_eq!(ip, external);
        assert_ne!(xored.port() ^ 0x2112, local.port(), "a symmetric NAT gives another port");
        if corrupted {
            assert_eq!(core::net::SocketAddr::from(naive), local);
        } else {
            assert_eq!(naive, SocketAddrV4::new(external, xored.port() ^ 0x2112));
        }
    }
}

#[test]
fn every_gateway_on_the_way_replaces_its_own_address() {
    let mut net = Network::seeded(1);
    let outer = net.add_nat(rewriting());
    let home = net.add_router(Attachment::Behind(outer), rewriting());
    let [server, host] = [Attachment::Public, Attachment::Behind(home)].map(|place| net.add_host(place));
    let [server, inside] = [server, host].map(|host| (host, net.bind(host, None).unwrap()));
    let bytes_of = |at: core::net::SocketAddr| {
        let core::net::IpAddr::V4(ip) = at.ip() else { unreachable!("all is IPv4") };
        [b"via ", &ip.octets()[..], &at.port().to_be_bytes()].concat()
    };
    net.send(inside, server.1, &bytes_of(inside.1));
    let soon = net.now() + Duration::from_secs(1);
    let got = net.advance(soon).unwrap();
    assert_eq!(got.bytes, bytes_of(got.remote));
    net.send(server, got.remote, &bytes_of(got.remote));
    assert_eq!(net.advance(soon).unwrap().bytes, bytes_of(inside.1));
}
