//! Whom the client believes (RFC 8489 §9.2): forgers on the way, servers that change their minds, users who change.

use super::server::{ALGORITHMS, Ask};
use super::*;
use crate::relay::{AllocationFailure, Loss};
use crate::trace::DropReason;
use crate::wire::{Class, ErrorCode, IntegrityKey, Message, MessageWriter, PasswordAlgorithms};

const IP: &str = "192.0.2.1";

/// What the client has asked last, on its way to the server.
fn last_request(stage: &Stage) -> (Method, TransactionId) {
    let (_, _, bytes) = stage.link.iter().rfind(|(_, to_server, _)| *to_server).unwrap();
    let message = Message::parse(bytes).unwrap();
    (message.method(), message.transaction_id())
}

/// An answer to it by somebody who has seen it.
fn forge(
    stage: &mut Stage,
    class: Class,
    write: impl FnOnce(MessageWriter<'_>) -> MessageWriter<'_>,
) -> FromServer {
    let (method, id) = last_request(stage);
    let mut buffer = [0; 1500];
    let length = write(MessageWriter::new(&mut buffer, class, method, id)).finish().unwrap();
    stage.allocation.on_message(stage.now, &buffer[..length])
}

fn error(code: u16) -> ErrorCode<'static> {
    ErrorCode::new(code, "").unwrap()
}

/// A signed request for a permission is on its way.
fn asking(carrier: Carrier) -> Stage {
    let mut stage = Stage::allocated(AllocationConfig { carrier, ..config() }, Manner::Modern);
    stage.allocation.permit(stage.now, IP.parse().unwrap()).unwrap();
    stage.run(Duration::from_millis(1));
    assert_eq!(last_request(&stage).0, Method::CREATE_PERMISSION);
    stage
}

#[test]
fn an_answer_that_is_not_signed_changes_nothing_and_the_true_one_still_counts() {
    let unsigned = FromServer::Dropped(DropReason::UnauthenticatedResponse);
    for code in [300, 400, 403, 420, 437, 441, 443, 486, 500, 508, 699] {
        let mut stage = asking(Carrier::Datagrams);
        let outcome = forge(&mut stage, Class::Error, |writer| writer.error_code(error(code)));
        assert_eq!(outcome, unsigned, "{code}");
        assert_eq!(stage.allocation.next_event(), None);
        stage.run(secs(1));
        assert_eq!(stage.said(), [RelayEvent::PermissionGranted(IP.parse().unwrap())], "{code}");
        assert_eq!(stage.server.count(Ask::Permit), 1);
    }
    let mut stage = asking(Carrier::Datagrams);
    assert_eq!(forge(&mut stage, Class::Success, |writer| writer), unsigned);
    assert!(!stage.allocation.may_send(stage.now, IP.parse().unwrap()));
}

#[test]
fn an_answer_that_is_signed_by_somebody_else_changes_nothing() {
    let mut stage = asking(Carrier::Datagrams);
    let (method, id) = last_request(&stage);
    // Neither with another password, nor with the right one in the weaker way.
    let weaker = IntegrityKey::long_term(USER, "example.org", PASSWORD);
    for key in [IntegrityKey::from_bytes_sha256(b"guess"), weaker] {
        let mut buffer = [0; 200];
        let length =
            MessageWriter::new(&mut buffer, Class::Success, method, id).finish_with_integrity(&key).unwrap();
        let outcome = stage.allocation.on_message(stage.now, &buffer[..length]);
        assert_eq!(outcome, FromServer::Dropped(DropReason::UnauthenticatedResponse));
    }
    assert!(!stage.allocation.may_send(stage.now, IP.parse().unwrap()));
}

#[test]
fn over_a_stream_an_answer_that_is_not_signed_ends_the_request_and_another_follows() {
    let mut stage = asking(Carrier::Stream);
    forge(&mut stage, Class::Error, |writer| writer.error_code(error(403)));
    stage.run(secs(10));
    assert_eq!(stage.said(), []);
    stage.run(secs(30));
    assert_eq!(stage.said(), [RelayEvent::PermissionGranted(IP.parse().unwrap())]);
}

#[test]
fn an_allocation_that_only_forgers_answer_says_so() {
    for (carrier, millis) in [(Carrier::Datagrams, 39_550), (Carrier::Stream, 60)] {
        let mut stage = Stage::new(AllocationConfig { carrier, ..config() }, Server::new(Manner::Classic));
        stage.run(Duration::from_millis(55));
        stage.loss = 100;
        stage.link.clear();
        let (method, id) = (Method::ALLOCATE, stage.allocation.requests.last_id());
        let mut buffer = [0; 100];
        let writer = MessageWriter::new(&mut buffer, Class::Error, method, id).error_code(error(403));
        let length = writer.finish().unwrap();
        stage.allocation.on_message(stage.now, &buffer[..length]);
        stage.listen();
        stage.run(secs(60));
        let failed = RelayEvent::Failed(AllocationFailure::Unproven);
        assert_eq!(stage.said(), [failed], "{carrier:?}");
        assert!(stage.events[0].0.as_millis() <= millis);
    }
}

#[test]
fn a_redirection_need_not_be_signed_but_must_not_be_signed_by_somebody_else() {
    let other = address("203.0.113.2:3478");
    let mut stage = Stage::new(config(), Server::new(Manner::Classic));
    stage.run(Duration::from_millis(55));
    let (method, id) = last_request(&stage);
    let mut buffer = [0; 200];
    for (key, outcome) in [
        (Some(IntegrityKey::from_bytes(b"guess")), FromServer::Dropped(DropReason::UnauthenticatedResponse)),
        (None, FromServer::Handled),
    ] {
        let writer = MessageWriter::new(&mut buffer, Class::Error, method, id)
            .error_code(error(300))
            .alternate_server(other)
            .alternate_domain("turn.example.com");
        let length = match key {
            Some(key) => writer.finish_with_integrity(&key),
            None => writer.finish(),
        };
        assert_eq!(stage.allocation.on_message(stage.now, &buffer[..length.unwrap()]), outcome);
    }
    let domain = Some("turn.example.com".into());
    assert_eq!(stage.allocation.next_event(), Some(RelayEvent::Redirect { to: other, domain }));
}

#[test]
fn a_400_to_the_first_request_is_not_believed() {
    let mut stage = Stage::new(config(), Server::new(Manner::Modern));
    stage.run(Duration::from_millis(1));
    forge(&mut stage, Class::Error, |writer| writer.error_code(error(400)));
    stage.run(secs(1));
    assert!(stage.allocation.is_alive());
}

#[test]
fn a_demand_that_hides_what_the_server_is_able_to_is_not_met() {
    let cookie = b"obMatJos2wAAAnonce";
    let mut stage = Stage::new(config(), Server::new(Manner::Modern));
    stage.run(Duration::from_millis(1));
    forge(&mut stage, Class::Error, |w| w.error_code(error(401)).realm("example.org").nonce(cookie));
    stage.run(secs(60));
    assert_eq!(stage.said(), [RelayEvent::Failed(AllocationFailure::BidDown)]);

    // Later, an allocation outlives it: with the cookie, or as if there had never been one.
    for nonce in [&cookie[..], b"plain"] {
        for code in [401, 438] {
            let mut stage = asking(Carrier::Datagrams);
            let outcome = forge(&mut stage, Class::Error, |w| {
                w.error_code(error(code)).realm("example.org").nonce(nonce)
            });
            assert_eq!(outcome, FromServer::Dropped(DropReason::BidDown), "{code}");
            stage.run(secs(1));
            assert_eq!(stage.said(), [RelayEvent::PermissionGranted(IP.parse().unwrap())], "{code}");
        }
    }
}

#[test]
fn a_demand_that_cannot_be_met_fails_with_the_reason() {
    let unknown = PasswordAlgorithms::read(&[0, 9, 0, 0]).unwrap();
    let known = PasswordAlgorithms::read(ALGORITHMS).unwrap();
    let long = "r".repeat(700);
    let cases: [(&str, &[u8], Option<PasswordAlgorithms<'_>>); 2] =
        [("example.org", b"n", Some(unknown)), (&long, b"n", Some(known))];
    for (realm, nonce, list) in cases {
        let mut stage = Stage::new(config(), Server::new(Manner::Modern));
        stage.run(Duration::from_millis(1));
        forge(&mut stage, Class::Error, |w| {
            let writer = w.error_code(error(401)).realm(realm).nonce(nonce);
            list.into_iter().fold(writer, MessageWriter::password_algorithms)
        });
        stage.run(secs(60));
        assert_eq!(stage.said(), [RelayEvent::Failed(AllocationFailure::Unsupported)]);
    }
    // Without realm or nonce it is no demand at all.
    for (realm, nonce) in [(Some("example.org"), None), (None, Some(b"n"))] {
        let mut stage = Stage::new(config(), Server::new(Manner::Modern));
        stage.run(Duration::from_millis(1));
        let outcome = forge(&mut stage, Class::Error, |w| {
            let writer = realm.into_iter().fold(w.error_code(error(401)), MessageWriter::realm);
            nonce.into_iter().fold(writer, |writer, nonce| writer.nonce(nonce))
        });
        assert_eq!(outcome, FromServer::Dropped(DropReason::NoChallenge));
        stage.run(secs(1));
        assert!(stage.allocation.is_alive());
    }
}

#[test]
fn the_longest_names_and_nonces_that_are_taken_leave_room_for_every_request() {
    let user = "u".repeat(508);
    let mut server = Server::new(Manner::Classic);
    server.user = user.clone();
    server.realm = "r".repeat(600);
    let credentials = RelayCredentials::new(&user, PASSWORD).unwrap();
    assert!(RelayCredentials::new(&(user + "u"), PASSWORD).is_err());
    let mut stage =
        Stage::new(AllocationConfig { credentials, families: Families::Both, ..config() }, server);
    stage.run(secs(1));
    for n in 1..=16 {
        let peer = SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, n], 1));
        stage.allocation.bind_channel(stage.now, peer).unwrap();
    }
    stage.run(secs(5));
    // Allocated, and then each granted and bound, in two requests for permissions.
    assert_eq!((stage.events.len(), stage.server.count(Ask::Permit)), (33, 2));
}

#[test]
fn a_server_may_name_another_realm_and_not_a_new_one_each_time() {
    // Before and after it is asked with credentials.
    let mut stage = Stage::new(config(), Server::new(Manner::Classic));
    stage.run(Duration::from_millis(55));
    stage.server.realm = "example.com".into();
    stage.run(secs(1));
    assert!(stage.allocation.is_alive());

    let mut stage = Stage::new(config(), Server::new(Manner::Classic));
    while stage.step(Instant::from_millis(60_000)) {
        stage.server.realm.push('x');
    }
    assert_eq!(stage.said(), [RelayEvent::Failed(AllocationFailure::BadCredentials)]);
    assert!(stage.server.count(Ask::Allocate) < 6);
}

#[test]
fn a_wrong_password_is_tried_once() {
    for manner in [Manner::Classic, Manner::Modern] {
        for (user, password) in [(USER, "guess"), ("eve", PASSWORD)] {
            let credentials = RelayCredentials::new(user, password).unwrap();
            let mut stage = Stage::new(AllocationConfig { credentials, ..config() }, Server::new(manner));
            stage.run(secs(60));
            assert_eq!(stage.said(), [RelayEvent::Failed(AllocationFailure::BadCredentials)]);
            assert_eq!(stage.server.count(Ask::Allocate), 2);
        }
    }
}

#[test]
fn a_new_password_is_used_when_the_server_wants_it() {
    for manner in [Manner::Classic, Manner::Modern] {
        let mut stage = Stage::allocated(config(), manner);
        stage.allocation.permit(stage.now, IP.parse().unwrap()).unwrap();
        stage.run(secs(1));
        stage.events.clear();
        stage.allocation.set_credentials(RelayCredentials::new(USER, "other").unwrap());
        // The server goes on with the old one for a while.
        stage.run(secs(1000));
        stage.server.password = "other".into();
        stage.run(secs(3000));
        assert_eq!(stage.events, [], "{manner:?}");
        assert!(stage.allocation.may_send(stage.now, IP.parse().unwrap()));
    }
}

#[test]
fn refused_credentials_are_told_once_and_others_are_taken_at_once() {
    let mut stage = Stage::allocated(config(), Manner::Modern);
    for n in 1..=20 {
        stage.allocation.permit(stage.now, [192, 0, 2, n].into()).unwrap();
    }
    stage.run(secs(1));
    stage.events.clear();
    stage.server.password = "other".into();
    // All requests are out before the first answer comes.
    stage.delay = Duration::from_millis(200);
    stage.run(secs(240));
    assert_eq!(stage.said(), [RelayEvent::CredentialsRefused { code: 401 }]);
    // What was granted still is.
    assert!(stage.allocation.may_send(stage.now, IP.parse().unwrap()));
    stage.allocation.set_credentials(RelayCredentials::new(USER, "other").unwrap());
    stage.run(secs(3000));
    assert_eq!(stage.events.len(), 1);
    assert!(stage.allocation.may_send(stage.now, IP.parse().unwrap()));
}

#[test]
fn credentials_that_are_replaced_before_there_is_an_allocation_count_at_once() {
    for millis in [0, 1, 45, 55, 80] {
        let mut server = Server::new(Manner::Modern);
        server.password = "other".into();
        let mut stage = Stage::new(config(), server);
        stage.run(Duration::from_millis(millis));
        stage.allocation.set_credentials(RelayCredentials::new(USER, "other").unwrap());
        stage.run(secs(2));
        assert!(stage.allocation.is_alive(), "{millis}: {:?}", stage.events);
    }
}

#[test]
fn nonces_may_be_stale_after_every_second_request() {
    let mut server = Server::new(Manner::Modern);
    server.nonce_life = secs(1);
    let mut stage = Stage::new(config(), server);
    for n in 1..=30 {
        stage.allocation.bind_channel(stage.now, ([192, 0, 2, n], 9).into()).unwrap();
    }
    stage.run(secs(3600));
    assert_eq!(stage.events.len(), 61);
    assert!(stage.allocation.may_send(stage.now, IP.parse().unwrap()));
}

#[test]
fn stale_nonces_with_successes_between_them_are_no_row() {
    let mut stage = Stage::allocated(config(), Manner::Modern);
    for n in 1..=20 {
        stage.server.nonce += 1;
        stage.allocation.permit(stage.now, [192, 0, 2, n].into()).unwrap();
        stage.run(secs(1));
        assert!(stage.allocation.may_send(stage.now, [192, 0, 2, n].into()), "{n}");
    }
}

#[test]
fn a_nonce_that_is_stale_for_many_requests_at_once_is_stale_once() {
    let mut stage = Stage::allocated(config(), Manner::Modern);
    stage.server.nonce = 7;
    stage.delay = Duration::from_millis(400);
    for n in 1..=14 {
        stage.allocation.bind_channel(stage.now, ([192, 0, 2, n], 9).into()).unwrap();
    }
    stage.run(secs(5));
    assert_eq!(stage.events.len(), 28);
}

#[test]
fn a_server_that_restarts_and_knows_nothing_is_lost_with_the_next_request() {
    let mut stage = asking(Carrier::Datagrams);
    stage.run(secs(1));
    stage.events.clear();
    stage.server = Server::new(Manner::Modern);
    stage.server.nonce = 77;
    stage.run(secs(200));
    assert_eq!(stage.said(), [RelayEvent::Lost(Loss::Forgotten)]);
}
