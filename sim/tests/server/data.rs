//! Data goes through a TURN server: RFC 8656 §11 and §12.

use core::net::SocketAddr;
use core::time::Duration;

use floe_core::wire::{Class, Message};
use floe_sim::server::{IcmpError, TurnOutput};

use crate::client::{
    Answer, CHANNEL_BIND, CREATE_PERMISSION, DATA, DATA_METHOD, DONT_FRAGMENT, Lab, SEND, XOR_PEER_ADDRESS,
    channel, method, peer, unxored,
};

const PEER: &str = "192.0.2.9:5000";

/// A client with an allocation and a permission for [`PEER`]'s address.
fn permitted() -> (Lab, SocketAddr) {
    let mut lab = Lab::new(|_| {});
    let relay = lab.allocate();
    assert_eq!(lab.request(CREATE_PERMISSION, &[peer(PEER)]).code(), None);
    (lab, relay)
}

/// [`permitted`], and with a channel to it.
fn bound() -> (Lab, SocketAddr) {
    let (mut lab, relay) = permitted();
    assert_eq!(lab.request(CHANNEL_BIND, &[channel(0x4001), peer(PEER)]).code(), None);
    (lab, relay)
}

fn to_peer(relay: SocketAddr, to: &str, bytes: &[u8], dont_fragment: bool) -> TurnOutput {
    TurnOutput::ToPeer { relay, peer: to.parse().unwrap(), dont_fragment, bytes: bytes.to_vec() }
}

fn send(lab: &mut Lab, to: &str, data: &[u8]) -> Vec<TurnOutput> {
    let indication = lab.indication(SEND, &[peer(to), (DATA, data.to_vec())]);
    lab.raw(&indication)
}

/// What a Data indication says.
fn indicated(outputs: &[TurnOutput]) -> (SocketAddr, Vec<u8>) {
    let [TurnOutput::ToClient { bytes, .. }] = outputs else { panic!("{outputs:?}") };
    let message = Message::parse(bytes).unwrap();
    assert_eq!((message.class(), message.method()), (Class::Indication, method(DATA_METHOD)));
    let answer = Answer(bytes.clone());
    let id = answer.message().transaction_id();
    (unxored(&answer.value(XOR_PEER_ADDRESS).unwrap(), id), answer.value(DATA).unwrap())
}

#[test]
fn indications_carry_data_both_ways_where_it_is_permitted() {
    let (mut lab, relay) = permitted();
    // The port does not matter, and no data is data, too.
    for (to, data) in [(PEER, &b"hello"[..]), ("192.0.2.9:1", b""), (PEER, &[7; 1400])] {
        assert_eq!(send(&mut lab, to, data), [to_peer(relay, to, data, false)]);
        let outputs = lab.peer_sends(relay, to, data);
        assert_eq!(indicated(&outputs), (to.parse().unwrap(), data.to_vec()));
    }
    assert_eq!(send(&mut lab, "192.0.2.10:1", b"hello"), []);
    assert_eq!(lab.peer_sends(relay, "192.0.2.10:1", b"hello"), []);
    assert_eq!(lab.peer_sends("198.51.100.1:1".parse().unwrap(), PEER, b"hello"), []);
    lab.pass(Duration::from_secs(299));
    assert_eq!(send(&mut lab, PEER, b"hello").len(), 1);
    lab.pass(Duration::from_secs(1));
    assert_eq!(send(&mut lab, PEER, b"hello"), [], "data refreshes nothing");
    assert_eq!(lab.peer_sends(relay, PEER, b"hello"), []);
}

#[test]
fn an_indication_that_is_not_whole_is_dropped() {
    let (mut lab, relay) = permitted();
    let data = || (DATA, b"hello".to_vec());
    for attributes in [
        vec![data()],
        vec![peer(PEER)],
        vec![peer(PEER), data(), (0x7F00, vec![])],
        vec![(XOR_PEER_ADDRESS, vec![0, 9, 0, 0, 1, 2, 3, 4]), data()],
    ] {
        let indication = lab.indication(SEND, &attributes);
        assert_eq!(lab.raw(&indication), [], "{attributes:?}");
    }
    let indication = lab.indication(SEND, &[peer(PEER), data(), (DONT_FRAGMENT, vec![])]);
    assert_eq!(lab.raw(&indication), [to_peer(relay, PEER, b"hello", true)]);
    lab.server.config_mut().dont_fragment = false;
    assert_eq!(lab.raw(&indication), []);
    let data_indication = lab.indication(DATA_METHOD, &[peer(PEER), data()]);
    assert_eq!(lab.raw(&data_indication), []);
    lab.client(40_001);
    assert_eq!(send(&mut lab, PEER, b"hello"), [], "nobody's");
}

#[test]
fn a_channel_carries_data_both_ways() {
    let (mut lab, relay) = bound();
    assert_eq!(lab.raw(b"\x40\x01\0\x05hello"), [to_peer(relay, PEER, b"hello", false)]);
    assert_eq!(lab.raw(b"\x40\x01\0\x05hello\0\0\0"), [to_peer(relay, PEER, b"hello", false)], "padded");
    assert_eq!(lab.raw(b"\x40\x01\0\0"), [to_peer(relay, PEER, b"", false)]);
    let client = lab.client;
    let bytes = b"\x40\x01\0\x05hello".to_vec();
    assert_eq!(lab.peer_sends(relay, PEER, b"hello"), [TurnOutput::ToClient { client, bytes }]);
    // RFC 8656 §12.5: a server always uses the channel. A client may do as it likes, and another port has none.
    assert_eq!(send(&mut lab, PEER, b"hello"), [to_peer(relay, PEER, b"hello", false)]);
    let outputs = lab.peer_sends(relay, "192.0.2.9:5001", b"hello");
    assert_eq!(indicated(&outputs).1, b"hello");
}

#[test]
fn channel_data_that_has_no_channel_or_too_few_bytes_is_dropped() {
    let (mut lab, relay) = bound();
    for bytes in [
        &b"\x40\x02\0\x05hello"[..],
        b"\x40\x01\0\x06hello",
        b"\x40\x01\0",
        b"\x40",
        b"\x50\x01\0\x05hello",
        b"\x80\x01\0\x05hello",
        b"",
    ] {
        assert_eq!(lab.raw(bytes), [], "{bytes:?}");
    }
    assert_eq!(lab.raw(&[&b"\x40\x01\x05\xDC"[..], &[0; 1500]].concat()), [], "over 1500 bytes");
    lab.pass(Duration::from_secs(300));
    assert_eq!(lab.peer_sends(relay, PEER, b"hello"), [], "the permission ends before the channel");
    assert_eq!(lab.raw(b"\x40\x01\0\x05hello").len(), 1);
}

#[test]
fn what_is_too_large_for_a_datagram_is_dropped() {
    let (mut lab, relay) = bound();
    assert_eq!(lab.peer_sends(relay, PEER, &[0; 1500]).len(), 1);
    assert_eq!(lab.peer_sends(relay, PEER, &[0; 1501]), []);
    let indication = lab.indication(SEND, &[peer(PEER), (DATA, vec![0; 1500])]);
    assert_eq!(lab.raw(&indication), []);
}

#[test]
fn two_clients_of_a_server_reach_each_other() {
    let mut lab = Lab::new(|_| {});
    let alice = lab.allocate();
    let (client, challenge) = (lab.client, lab.challenge.clone());
    let bob = lab.client(40_001).allocate();
    lab.request(CREATE_PERMISSION, &[peer(&alice.to_string())]);
    (lab.client, lab.challenge) = (client, challenge);
    lab.request(CREATE_PERMISSION, &[peer(&bob.to_string())]);
    assert_eq!(send(&mut lab, &bob.to_string(), b"hi"), [to_peer(alice, &bob.to_string(), b"hi", false)]);
    let outputs = lab.peer_sends(bob, &alice.to_string(), b"hi");
    assert_eq!(indicated(&outputs), (alice, b"hi".to_vec()));
}

#[test]
fn icmp_is_told_of_peers_that_are_permitted() {
    let (mut lab, relay) = bound();
    let too_big = IcmpError { kind: 3, code: 4, data: 1280 };
    let mut told = |relay, peer: &str, icmp| {
        lab.server.relay_icmp(lab.now, relay, peer.parse().unwrap(), icmp);
        lab.server.poll()
    };
    let Some(TurnOutput::ToClient { bytes, .. }) = told(relay, PEER, too_big) else { panic!("nothing") };
    let answer = Answer(bytes);
    assert_eq!(answer.value(0x8004).unwrap(), [0, 0, 3, 4, 0, 0, 5, 0]);
    assert_eq!(
        unxored(&answer.value(XOR_PEER_ADDRESS).unwrap(), answer.message().transaction_id()),
        PEER.parse().unwrap()
    );
    assert_eq!(told(relay, "192.0.2.10:1", too_big), None);
    assert_eq!(told(relay, PEER, IcmpError { kind: 8, ..too_big }), None, "an echo is no error");
}
