//! TURN over byte streams: RFC 8656 §3.1 and §12.5.

use floe_sim::server::{Fault, Request, Transport, TurnOutput};

use crate::client::{ALLOCATE, CHANNEL_BIND, Lab, REFRESH, channel, peer, udp};

const PEER: &str = "192.0.2.9:5000";

fn over_tcp() -> Lab {
    let mut lab = Lab::new(|_| {});
    lab.client.transport = Transport::Tcp;
    lab
}

#[test]
fn a_stream_is_cut_anywhere_and_what_comes_back_is_padded() {
    let mut lab = over_tcp();
    let relay = lab.allocate();
    lab.request(CHANNEL_BIND, &[channel(0x4001), peer(PEER)]);
    let refresh = lab.signed(REFRESH, &[]);
    let stream = [&b"\x40\x01\0\x05hello\0\0\0"[..], &refresh, b"\x40\x01\0\x02hi\0\0"].concat();
    for cut in 0..stream.len() {
        let (first, second) = stream.split_at(cut);
        let outputs = [lab.raw(first), lab.raw(second)].concat();
        let payloads: Vec<_> = outputs
            .iter()
            .filter_map(|output| match output {
                TurnOutput::ToPeer { bytes, .. } => Some(bytes.as_slice()),
                _ => None,
            })
            .collect();
        assert_eq!((outputs.len(), payloads), (3, vec![&b"hello"[..], b"hi"]), "cut at {cut}");
    }
    let client = lab.client;
    let bytes = b"\x40\x01\0\x05hello\0\0\0".to_vec();
    assert_eq!(lab.peer_sends(relay, PEER, b"hello"), [TurnOutput::ToClient { client, bytes }]);
}

#[test]
fn an_allocation_ends_with_its_stream() {
    let mut lab = over_tcp();
    lab.allocate();
    lab.server.stream_closed(lab.client, &mut lab.sockets);
    assert!(lab.server.allocations().count() == 0 && lab.sockets.open.is_empty());
}

#[test]
fn a_stream_that_is_neither_is_closed() {
    let mut lab = over_tcp();
    lab.allocate();
    let outputs = lab.raw(b"\x80\0\0\0");
    assert_eq!(outputs, [TurnOutput::CloseStream(lab.client)]);
    assert!(lab.server.allocations().count() == 0 && lab.sockets.open.is_empty());
}

#[test]
fn the_same_addresses_over_another_transport_are_another_client() {
    let mut lab = over_tcp();
    let first = lab.allocate();
    for transport in [Transport::Udp, Transport::Tls] {
        lab.client.transport = transport;
        assert_ne!(lab.allocate(), first);
    }
    assert_eq!(lab.server.allocations().count(), 3);
}

/// A stream loses nothing, so that a request which comes again is another one.
#[test]
fn requests_on_a_stream_are_not_remembered() {
    let mut lab = over_tcp();
    lab.server.add_fault(Fault::next(Request::Allocate).authenticated().with_reply_lost());
    let request = lab.unsigned(ALLOCATE, &[]);
    let challenge = lab.exchange(&request).unwrap();
    lab.accept(&challenge);
    let request = lab.signed(ALLOCATE, &[udp()]);
    assert_eq!(lab.exchange(&request), None);
    assert_eq!(lab.exchange(&request).unwrap().code(), Some(437));
}
