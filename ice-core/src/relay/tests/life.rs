//! An allocation that is made, used, kept and deleted, by servers of every manner.

use super::server::{Ask, V4, V6};
use super::*;
use crate::relay::{Loss, NotFramed};

fn peer(n: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, n], 4000 + u16::from(n)))
}

#[test]
fn it_is_made_with_the_credentials_that_the_server_asks_for() {
    for manner in [Manner::Classic, Manner::Modern, Manner::Open] {
        let mut stage = Stage::new(config(), Server::new(manner));
        stage.run(secs(1));
        let expected = RelayEvent::Allocated {
            relayed: smallvec::smallvec![address(V4)],
            mapped: Some(address("203.0.113.5:7000")),
            lifetime: secs(600),
        };
        assert_eq!(stage.said(), [expected], "{manner:?}");
        let signed: Vec<bool> = stage.server.asked.iter().map(|(_, _, signed)| *signed).collect();
        let expected: &[bool] = if manner == Manner::Open { &[false] } else { &[false, true] };
        assert_eq!(signed, expected, "{manner:?}: first without credentials (RFC 8489 §9.2.3.1)");
    }
}

#[test]
fn both_families_come_in_one_allocation_and_what_is_missing_is_done_without() {
    for (v4, v6, wanted, expected) in [
        (true, true, Families::Both, &[V4, V6][..]),
        (true, false, Families::Both, &[V4]),
        (false, true, Families::Both, &[V6]),
        (true, true, Families::V6, &[V6]),
        (true, true, Families::V4, &[V4]),
    ] {
        let mut server = Server::new(Manner::Classic);
        (server.has_v4, server.has_v6) = (v4, v6);
        let mut stage = Stage::new(AllocationConfig { families: wanted, ..config() }, server);
        stage.run(secs(2));
        let relayed: Vec<_> = expected.iter().map(|text| address(text)).collect();
        assert_eq!(stage.allocation.relayed(), relayed, "{v4} {v6} {wanted:?}");
    }
}

#[test]
fn data_goes_both_ways_by_indications_and_then_by_a_channel() {
    for carrier in [Carrier::Datagrams, Carrier::Stream] {
        let mut stage = Stage::allocated(AllocationConfig { carrier, ..config() }, Manner::Modern);
        let (one, two) = (peer(1), peer(2));
        assert_eq!(stage.send(one, b"early"), Err(NotFramed::NoPermission));
        stage.allocation.permit(stage.now, one.ip()).unwrap();
        stage.run(secs(1));
        assert_eq!(stage.said(), [RelayEvent::PermissionGranted(one.ip())]);

        let expected = FromServer::Data { peer: one, payload: 36..41 };
        assert_eq!(stage.peer_sends(one, b"hello"), Some(expected));
        assert!(stage.send(one, b"hello").unwrap() <= 5 + stage.allocation.overhead(stage.now, one));
        assert_eq!(stage.peer_sends(two, b"hello"), None);

        stage.allocation.bind_channel(stage.now, one).unwrap();
        stage.run(secs(1));
        assert_eq!(stage.said().last(), Some(&RelayEvent::ChannelBound(one)));
        let expected = FromServer::Data { peer: one, payload: 4..9 };
        assert_eq!(stage.peer_sends(one, b"hallo"), Some(expected));
        let length = if carrier == Carrier::Stream { 12 } else { 9 };
        assert_eq!(stage.send(one, b"hallo"), Ok(length));
        assert_eq!(stage.server.relayed, [(one, b"hello".to_vec()), (one, b"hallo".to_vec())]);
        // Another port of the same address has the permission and not the channel.
        let neighbour = SocketAddr::new(one.ip(), 9);
        assert!(
            matches!(stage.peer_sends(neighbour, b"x"), Some(FromServer::Data { peer, .. }) if peer == neighbour)
        );
    }
}

#[test]
fn everything_is_kept_for_hours() {
    for manner in [Manner::Classic, Manner::Modern] {
        for carrier in [Carrier::Datagrams, Carrier::Stream] {
            let mut stage = Stage::allocated(AllocationConfig { carrier, ..config() }, manner);
            for n in 1..=10 {
                stage.allocation.bind_channel(stage.now, peer(n)).unwrap();
            }
            stage.run(secs(2));
            stage.events.clear();
            for _ in 0..5 * 60 {
                stage.run(secs(60));
                for n in 1..=10 {
                    assert_eq!(stage.send(peer(n), b"data"), Ok(8), "{} {n}", stage.now);
                    assert!(matches!(stage.peer_sends(peer(n), b"x"), Some(FromServer::Data { .. })));
                }
            }
            assert_eq!(stage.events, []);
        }
    }
}

#[test]
fn a_short_lifetime_is_refreshed_at_its_half_and_a_long_one_two_minutes_before_the_end() {
    for (lifetime, expected) in [(600, 480), (300, 180), (100, 50), (10, 5)] {
        let mut server = Server::new(Manner::Open);
        server.lifetime = lifetime;
        let mut stage = Stage::new(config(), server);
        stage.run(secs(3000));
        let times: Vec<u64> =
            stage.server.asked.iter().map(|(at, ..)| at.as_millis() / 1000).take(3).collect();
        assert_eq!(times, [0, expected, 2 * expected]);
        assert!(stage.allocation.is_alive());
    }
}

#[test]
fn it_is_deleted_at_the_end() {
    let mut stage = Stage::allocated(config(), Manner::Modern);
    stage.allocation.permit(stage.now, peer(1).ip()).unwrap();
    stage.run(secs(1));
    stage.allocation.release(stage.now);
    assert_eq!(stage.allocation.permit(stage.now, peer(2).ip()), Err(crate::relay::event::Wanting::Over));
    stage.run(secs(60));
    assert_eq!(stage.said().last(), Some(&RelayEvent::Released));
    assert_eq!((stage.server.expires, stage.server.count(Ask::Delete)), (None, 1));
    assert!(stage.allocation.is_over() && stage.allocation.next_deadline(stage.now).is_none());
}

#[test]
fn a_deletion_that_nobody_answers_takes_a_second() {
    let mut stage = Stage::allocated(config(), Manner::Modern);
    stage.loss = 100;
    let began = stage.now;
    stage.allocation.release(began);
    stage.run(secs(60));
    assert_eq!(stage.events, [(began + secs(1), RelayEvent::Released)]);
    assert_eq!(stage.sent.iter().filter(|(at, ..)| *at >= began).count(), 2);
}

#[test]
fn an_allocation_that_comes_after_its_end_was_asked_for_is_deleted() {
    let mut stage = Stage::new(config(), Server::new(Manner::Classic));
    stage.run(Duration::from_millis(55));
    stage.allocation.release(stage.now);
    stage.run(secs(2));
    assert_eq!(stage.said(), [RelayEvent::Released]);
    assert_eq!((stage.server.expires, stage.server.count(Ask::Delete)), (None, 1));
}

#[test]
fn a_server_that_falls_silent_is_lost_when_the_allocation_expires() {
    let mut stage = Stage::allocated(config(), Manner::Modern);
    stage.loss = 100;
    stage.run(secs(700));
    let [(at, RelayEvent::Lost(Loss::Expired))] = stage.events[..] else { panic!("{:?}", stage.events) };
    assert_eq!(at.as_millis() / 1000, 600);
    assert_eq!(stage.allocation.next_deadline(stage.now), None);
}

#[test]
fn a_server_that_never_answers_is_given_up_with_the_transaction() {
    for (carrier, transmissions) in [(Carrier::Datagrams, 7), (Carrier::Stream, 1)] {
        let mut stage = Stage::new(AllocationConfig { carrier, ..config() }, Server::new(Manner::Open));
        stage.loss = 100;
        stage.run(secs(60));
        let failure = crate::relay::AllocationFailure::NoAnswer;
        assert_eq!(stage.events, [(Instant::from_millis(39_500), RelayEvent::Failed(failure))]);
        assert_eq!(stage.sent.len(), transmissions);
    }
}

#[test]
fn a_nat_in_front_of_an_idle_client_is_reminded_every_quarter_of_a_minute() {
    for (carrier, expected) in [(Carrier::Datagrams, 8), (Carrier::Stream, 0)] {
        let mut stage = Stage::allocated(AllocationConfig { carrier, ..config() }, Manner::Open);
        stage.run(secs(121));
        let reminders = |stage: &Stage| stage.sent.iter().filter(|(_, m, _)| *m == Method::BINDING).count();
        assert_eq!(reminders(&stage), expected, "{carrier:?}");
        // Data does as well.
        stage.allocation.permit(stage.now, peer(1).ip()).unwrap();
        for _ in 0..30 {
            stage.run(secs(5));
            stage.send(peer(1), b"x").unwrap();
        }
        assert_eq!(reminders(&stage), expected, "{carrier:?}");
    }
}
