//! What comes from outside cannot make anything grow, nor get through where it is not wanted.

use super::server::{Ask, V6};
use super::*;
use crate::relay::channels::MAX_CHANNELS;
use crate::relay::event::Wanting;
use crate::relay::{AllocationFailure, MAX_PERMISSIONS};
use crate::trace::DropReason;
use crate::wire::{AttributeType, ChannelData, ChannelNumber, Class, Icmp, MessageWriter};

fn ip(n: u16) -> core::net::IpAddr {
    let [high, low] = n.to_be_bytes();
    [10, 0, high, low].into()
}

fn peer(n: u16) -> SocketAddr {
    (ip(n), 4000).into()
}

#[test]
fn permissions_and_channels_have_a_most() {
    let mut stage = Stage::allocated(config(), Manner::Modern);
    let most = MAX_PERMISSIONS as u16;
    assert!((0..most).all(|n| stage.allocation.permit(stage.now, ip(n)).is_ok()));
    assert_eq!(stage.allocation.permit(stage.now, ip(most)), Err(Wanting::TooMany));
    assert_eq!(stage.allocation.permit(stage.now, ip(0)), Ok(()));
    let channels = MAX_CHANNELS as u16;
    assert!((0..channels).all(|n| stage.allocation.bind_channel(stage.now, peer(n)).is_ok()));
    assert_eq!(stage.allocation.bind_channel(stage.now, peer(channels)), Err(Wanting::TooMany));
    stage.run(secs(60));
    assert_eq!(stage.events.len(), MAX_PERMISSIONS + MAX_CHANNELS);
    stage.allocation.forget_peer(ip(0));
    assert_eq!(stage.allocation.permit(stage.now, ip(most)), Ok(()));
    assert_eq!(stage.allocation.bind_channel(stage.now, peer(channels)), Ok(()));
}

#[test]
fn a_number_is_not_used_for_another_peer_within_five_minutes_of_its_end() {
    let mut stage = Stage::allocated(config(), Manner::Modern);
    // Number, peer, and when it was last asked for.
    let mut history: alloc::collections::BTreeMap<u16, (SocketAddr, Instant)> = Default::default();
    let mut refused = 0;
    for n in 0..4500 {
        if stage.allocation.bind_channel(stage.now, peer(n)).is_err() {
            refused += 1;
        }
        stage.run(secs(3));
        for (number, (peer, until)) in &stage.server.channels {
            let asked = *until - secs(600);
            let before = history.insert(*number, (*peer, asked));
            if let Some((other, before)) = before.filter(|(other, _)| other != peer) {
                let least = secs(600 + 300);
                assert!(asked.since(before) >= least, "{number:#x}: {other}, then {peer}");
            }
        }
        stage.allocation.forget_peer(ip(n));
    }
    // At this pace there are more that are remembered than numbers are kept for.
    assert!(refused > 0 && history.len() > 1000, "{refused} {}", history.len());
}

#[test]
fn the_same_peer_gets_its_number_back() {
    let mut stage = Stage::allocated(config(), Manner::Modern);
    for _ in 0..300 {
        stage.allocation.bind_channel(stage.now, peer(1)).unwrap();
        stage.run(secs(1));
        assert_eq!(stage.server.channels.len(), 1);
        stage.allocation.forget_peer(ip(1));
        stage.run(secs(1));
        assert!(matches!(stage.send(peer(1), b"x"), Err(super::super::NotFramed::NoPermission)));
    }
}

#[test]
fn what_a_peer_sends_gets_through_only_where_it_was_asked_for() {
    let mut stage = Stage::allocated(config(), Manner::Modern);
    stage.allocation.bind_channel(stage.now, peer(1)).unwrap();
    stage.run(secs(1));
    let number = *stage.server.channels.keys().next().unwrap();
    let mut buffer = [0; 200];
    let mut indication = |stage: &mut Stage, write: &dyn Fn(MessageWriter<'_>) -> MessageWriter<'_>| {
        let writer = MessageWriter::new(&mut buffer, Class::Indication, Method::DATA, TransactionId([1; 12]));
        let length = write(writer).finish().unwrap();
        stage.allocation.on_message(stage.now, &buffer[..length])
    };
    let dropped = FromServer::Dropped;
    let icmp = Icmp { kind: 3, code: 1, data: 0 };
    let told = indication(&mut stage, &|w| w.xor_peer_address(peer(1)).icmp(icmp));
    assert_eq!(told, FromServer::IcmpError { peer: peer(1), icmp });
    let told = indication(&mut stage, &|w| w.xor_peer_address(peer(2)).icmp(icmp));
    assert_eq!(told, dropped(DropReason::NoPermission));
    let told = indication(&mut stage, &|w| w.xor_peer_address(peer(2)).data(b"x"));
    assert_eq!(told, dropped(DropReason::NoPermission));
    let told = indication(&mut stage, &|w| w.data(b"x"));
    assert_eq!(told, dropped(DropReason::NothingRelayed));
    let told = indication(&mut stage, &|w| w.xor_peer_address(peer(1)));
    assert_eq!(told, dropped(DropReason::NothingRelayed));
    let told = indication(&mut stage, &|w| {
        w.xor_peer_address(peer(1)).data(b"x").attribute(AttributeType(0x7F00), b"")
    });
    assert_eq!(told, dropped(DropReason::UnknownAttributes));
    let told = indication(&mut stage, &|w| w.xor_peer_address(peer(1)).data(b""));
    assert!(matches!(told, FromServer::Data { payload, .. } if payload.is_empty()));

    let mut channel = |stage: &mut Stage, number: u16, length: usize| {
        let channel = ChannelNumber::new(number).unwrap();
        ChannelData { channel, data: b"hello" }.write(&mut buffer).unwrap();
        stage.allocation.on_message(stage.now, &buffer[..length])
    };
    assert_eq!(channel(&mut stage, number, 9), FromServer::Data { peer: peer(1), payload: 4..9 });
    // Padding is not data (RFC 8656 §12.5).
    assert_eq!(channel(&mut stage, number, 12), FromServer::Data { peer: peer(1), payload: 4..9 });
    assert_eq!(channel(&mut stage, number, 8), dropped(DropReason::NothingRelayed));
    assert_eq!(channel(&mut stage, number + 1, 9), dropped(DropReason::UnknownChannel));
    stage.allocation.forget_peer(ip(1));
    assert_eq!(channel(&mut stage, number, 9), dropped(DropReason::NoPermission));
}

#[test]
fn what_has_nothing_to_do_with_turn_is_left_to_others() {
    let mut stage = Stage::allocated(config(), Manner::Modern);
    let mut buffer = [0; 100];
    for (class, method) in [
        (Class::Request, Method::BINDING),
        (Class::Success, Method::BINDING),
        (Class::Error, Method::ALLOCATE),
        (Class::Indication, Method::BINDING),
    ] {
        let writer = MessageWriter::new(&mut buffer, class, method, TransactionId([1; 12]));
        let length = writer.finish().unwrap();
        let outcome = stage.allocation.on_message(stage.now, &buffer[..length]);
        assert_eq!(outcome, FromServer::NotMine, "{class:?} {method:?}");
    }
    for bytes in [&b""[..], b"\x16dtls", b"\x80rtp", &[1; 148]] {
        assert_eq!(stage.allocation.on_message(stage.now, bytes), FromServer::NotMine);
    }
}

#[test]
fn data_may_come_before_the_answer_to_the_request_that_lets_it() {
    let mut stage = Stage::allocated(config(), Manner::Modern);
    stage.allocation.permit(stage.now, ip(2)).unwrap();
    // The request arrives; the answer is on its way.
    stage.run(Duration::from_millis(25));
    assert_eq!(stage.said(), []);
    assert!(
        matches!(stage.peer_sends(peer(2), b"x"), Some(FromServer::Data { payload, .. }) if payload == (36..37))
    );
    stage.run(secs(1));
    stage.events.clear();

    // The same with a channel, whose permission comes first.
    stage.allocation.bind_channel(stage.now, peer(1)).unwrap();
    stage.run(Duration::from_millis(75));
    assert_eq!(stage.said(), [RelayEvent::PermissionGranted(ip(1))]);
    assert!(
        matches!(stage.peer_sends(peer(1), b"x"), Some(FromServer::Data { payload, .. }) if payload == (4..5))
    );
    assert_eq!(stage.allocation.overhead(stage.now, peer(1)), 39);
}

#[test]
fn the_overhead_is_what_is_added_at_the_most() {
    let six = address("[2001:db8::1]:9");
    for carrier in [Carrier::Datagrams, Carrier::Stream] {
        for bound in [false, true] {
            for to in [peer(1), six] {
                let families = Families::Both;
                let mut stage =
                    Stage::allocated(AllocationConfig { carrier, families, ..config() }, Manner::Open);
                stage.allocation.permit(stage.now, to.ip()).unwrap();
                if bound {
                    stage.allocation.bind_channel(stage.now, to).unwrap();
                }
                stage.run(secs(1));
                let lengths = (0..8).map(|n| stage.send(to, &[7; 8][..n]).unwrap() - n);
                let most = lengths.max().unwrap();
                assert_eq!(stage.allocation.overhead(stage.now, to), most, "{carrier:?} {bound} {to}");
                let mut small = [0; 20];
                let id = TransactionId([1; 12]);
                let framed = stage.allocation.frame(stage.now, id, to, &[1; 20], &mut small);
                assert_eq!(framed, Err(super::super::NotFramed::TooLong));
            }
        }
    }
}

#[test]
fn an_allocation_that_cannot_be_used_is_deleted() {
    let mut stage = Stage::new(config(), Server::new(Manner::Classic));
    stage.server.gives = Some(address(V6));
    stage.run(secs(2));
    assert_eq!(stage.said(), [RelayEvent::Failed(AllocationFailure::Unreadable)]);
    assert_eq!((stage.server.expires, stage.server.count(Ask::Delete)), (None, 1));
}

#[test]
fn what_stands_for_no_address_is_passed_over() {
    let blank = Some(address("0.0.0.0:0"));
    let mut stage =
        Stage::new(AllocationConfig { families: Families::Both, ..config() }, Server::new(Manner::Classic));
    (stage.server.has_v4, stage.server.gives) = (false, blank);
    stage.run(secs(2));
    assert_eq!(stage.allocation.relayed(), [address(V6)]);

    // By itself it is nothing.
    let mut stage = Stage::new(config(), Server::new(Manner::Classic));
    stage.server.gives = blank;
    stage.run(secs(2));
    assert_eq!(stage.said(), [RelayEvent::Failed(AllocationFailure::Unreadable)]);
}
