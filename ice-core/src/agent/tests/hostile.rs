//! What strangers send: dropped with a reason, and nothing changes.

use super::puppet::{Outcome, PEER, Stage};
use super::*;
use crate::trace::DropReason;
use crate::wire::{
    AttributeType, Class, ErrorCode, Message, MessageWriter, Method, RoleClaim, TransactionId,
};

const CONTROLLING: RoleClaim = RoleClaim::Controlling(1);

/// A connected agent that has a consent check out, and that check.
fn connected() -> (Stage, Vec<u8>) {
    let mut stage = Stage::new(role(Role::Controlled));
    let request = stage.request(CONTROLLING, true);
    stage.receive(PEER, &request);
    stage.poll();
    stage.answer_all(PEER);
    stage.wait(Duration::from_secs(6));
    let check = stage.take_request(PEER).unwrap();
    (stage, check)
}

fn indication() -> Vec<u8> {
    let mut buffer = [0; 64];
    let message = MessageWriter::new(&mut buffer, Class::Indication, Method::BINDING, TransactionId([9; 12]));
    let length = message.finish_with_fingerprint().unwrap();
    buffer[..length].to_vec()
}

/// One good message of each kind, ready to be accepted by the agent of `stage`.
fn kinds(stage: &mut Stage, check: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("request", stage.request(CONTROLLING, false)),
        ("nomination", stage.request(CONTROLLING, true)),
        ("success response", stage.response(check, address(0))),
        ("error response", stage.error(check, ErrorCode::ROLE_CONFLICT, true)),
        ("revocation", stage.error(check, ErrorCode::FORBIDDEN, true)),
        ("unsigned error response", stage.error(check, ErrorCode::UNAUTHENTICATED, false)),
        ("indication", indication()),
    ]
}

#[test]
fn every_truncation_of_every_message_is_dropped_with_a_reason() {
    let (mut stage, check) = connected();
    let before = stage.agent.state_fingerprint();
    for (kind, message) in kinds(&mut stage, &check) {
        for length in 1..message.len() {
            let outcome = stage.receive(PEER, &message[..length]);
            assert!(matches!(outcome, Outcome::Dropped(_)), "{kind} cut to {length}: {outcome:?}");
            stage.poll();
            assert_eq!(stage.agent.state_fingerprint(), before, "{kind} cut to {length}");
        }
    }
}

/// A flip in the six high bits of the first byte makes it another protocol's datagram (RFC 7983 §7): that is the
/// application's, from a flow that the peer has proven, and nobody's from elsewhere. All others are dropped.
#[test]
fn every_flipped_bit_of_every_message_is_dropped_with_a_reason() {
    let stranger = SocketAddr::from(([10, 9, 9, 9], 999));
    for from in [PEER, stranger] {
        let (mut stage, check) = connected();
        let before = stage.agent.state_fingerprint();
        for (kind, message) in kinds(&mut stage, &check) {
            for bit in 0..message.len() * 8 {
                let mut flipped = message.clone();
                flipped[bit / 8] ^= 0x80 >> (bit % 8);
                let outcome = stage.receive(from, &flipped);
                match outcome {
                    Outcome::Dropped(_) => assert!(bit >= 6, "{kind}, bit {bit}"),
                    Outcome::Data => assert!(bit < 6 && from == PEER, "{kind}, bit {bit}"),
                    Outcome::Unclaimed => assert!(bit < 6 && from != PEER, "{kind}, bit {bit}"),
                    Outcome::Consumed => panic!("{kind} with bit {bit} flipped was accepted"),
                }
                stage.poll();
                assert_eq!(stage.agent.state_fingerprint(), before, "{kind}, bit {bit}");
            }
        }
    }
}

#[test]
fn the_messages_that_the_tampering_starts_from_are_accepted() {
    for index in 0..7 {
        let (mut stage, check) = connected();
        let (kind, message) = kinds(&mut stage, &check).swap_remove(index);
        let expected = if kind.starts_with("unsigned") {
            Outcome::Dropped(DropReason::CredentialsRefused)
        } else {
            Outcome::Consumed
        };
        assert_eq!(stage.receive(PEER, &message), expected, "{kind}");
    }
}

#[test]
fn each_stranger_is_told_why_and_never_more_than_it_said() {
    let mut stage = Stage::new(role(Role::Controlled));
    let before = stage.agent.state_fingerprint();
    let ours = stage.agent.local_credentials().clone();
    let right = IntegrityKey::short_term(ours.password());
    let wrong = IntegrityKey::short_term("another-password-altogether");
    let write = |build: &dyn Fn(MessageWriter<'_>) -> usize| {
        let mut buffer = [0; 256];
        let mut length = 0;
        {
            let message =
                MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, TransactionId([1; 12]));
            length += build(message);
        }
        buffer[..length].to_vec()
    };
    let ufrag = ours.ufrag();
    let table: Vec<(&str, Vec<u8>, DropReason, Option<u16>)> = vec![
        (
            "no credentials, padded",
            write(&|m| m.software("a stranger of many words").finish_with_fingerprint().unwrap()),
            DropReason::NoCredentials,
            Some(400),
        ),
        (
            "no credentials, tiny",
            write(&|m| m.finish_with_fingerprint().unwrap()),
            DropReason::NoCredentials,
            None,
        ),
        (
            "another user",
            write(&|m| m.username("nobody", "peer").priority(1).sign(&right).unwrap()),
            DropReason::WrongUsername,
            Some(401),
        ),
        (
            "another password",
            write(&|m| m.username(ufrag, "peer").priority(1).sign(&wrong).unwrap()),
            DropReason::WrongPassword,
            Some(401),
        ),
        (
            "no priority",
            write(&|m| m.username(ufrag, "peer").sign(&right).unwrap()),
            DropReason::NoPriority,
            Some(400),
        ),
        (
            "an attribute that must be understood",
            write(&|m| {
                m.username(ufrag, "peer")
                    .priority(1)
                    .attribute(AttributeType(0x7777), b"?")
                    .sign(&right)
                    .unwrap()
            }),
            DropReason::UnknownAttributes,
            Some(420),
        ),
    ];
    for (kind, message, reason, code) in table {
        assert_eq!(stage.receive(PEER, &message), Outcome::Dropped(reason), "{kind}");
        stage.poll();
        let answers: Vec<Vec<u8>> = stage.sent.drain(..).map(|(_, bytes)| bytes).collect();
        let told = answers.first().map(|a| Message::parse(a).unwrap().error_code().unwrap().code());
        assert_eq!(told, code, "{kind}");
        let authenticated = matches!(reason, DropReason::NoPriority | DropReason::UnknownAttributes);
        assert!(authenticated || answers.iter().all(|a| a.len() <= message.len()), "{kind}");
        assert_eq!(stage.agent.state_fingerprint(), before, "{kind}");
    }
}

#[test]
fn a_stranger_with_another_cookie_method_or_no_fingerprint_gets_nothing() {
    let mut stage = Stage::new(role(Role::Controlled));
    let mut buffer = [0; 64];
    let length = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, TransactionId([1; 12]))
        .priority(1)
        .finish()
        .unwrap();
    assert_eq!(stage.receive(PEER, &buffer[..length]), Outcome::Dropped(DropReason::NoFingerprint));
    assert_eq!(stage.receive(PEER, b"\x16\xfe\xfd a hello of DTLS"), Outcome::Unclaimed);
    stage.poll();
    assert!(stage.sent.is_empty());
}

#[test]
fn after_close_nothing_is_done_and_every_command_says_so() {
    let (mut stage, _) = connected();
    let request = stage.request(CONTROLLING, false);
    stage.agent.close(stage.now);
    assert_eq!(stage.receive(PEER, &request), Outcome::Dropped(DropReason::Ended));
    let mut scratch = [0; MAX_TRANSMIT];
    assert!(matches!(stage.agent.poll(stage.now, &mut scratch), Output::Closed));
    assert_eq!(stage.agent.send(stage.now, ComponentId::FIRST, b"x", &mut scratch), Err(SendError::Ended));
    let socket = Socket::udp(crate::base::SocketId(9), address(5));
    assert_eq!(stage.agent.socket_up(stage.now, socket), Err(crate::gather::SocketError::Ended));
}

#[test]
fn after_failure_nothing_more_is_told() {
    let (mut stage, _) = connected();
    stage.agent.note_trouble(stage.now, ComponentId::FIRST);
    stage.poll();
    stage.agent.life = Life::Failed;
    stage.agent.note_alive(stage.now, ComponentId::FIRST);
    assert_eq!(stage.agent.events, []);
}

#[test]
fn wrong_orders_of_calls_are_error_values() {
    let mut stage = Stage::new(role(Role::Controlled));
    let mut scratch = [0; MAX_TRANSMIT];
    assert_eq!(stage.agent.send(stage.now, ComponentId::FIRST, b"x", &mut scratch), Err(SendError::NoPath));
    let other = ComponentId { stream: 0, component: 2 };
    assert_eq!(
        stage.agent.send(stage.now, other, b"x", &mut scratch),
        Err(SendError::UnknownComponent(other))
    );
    let ours = stage.agent.local_credentials().clone();
    assert_eq!(stage.agent.set_remote_credentials(stage.now, ours), Err(RemoteError::OurOwnCredentials));
    // Until the peer was heard it may be that signalling has put itself right.
    let request = stage.request(CONTROLLING, false);
    assert_eq!(stage.receive(PEER, &request), Outcome::Consumed);
    let changed = Credentials::new("else", "where-is-this-password-from").unwrap();
    assert_eq!(stage.agent.set_remote_credentials(stage.now, changed), Err(RemoteError::CredentialsChanged));
    let again = Socket::udp(crate::base::SocketId(0), address(7));
    assert_eq!(
        stage.agent.socket_up(stage.now, again),
        Err(crate::gather::SocketError::DuplicateId(crate::base::SocketId(0)))
    );
    let odd =
        |line: &str, stage: &mut Stage| stage.agent.add_remote_candidate(stage.now, &line.parse().unwrap());
    assert_eq!(
        odd("candidate:1 2 UDP 1 10.0.0.2 5 typ host", &mut stage),
        Err(RemoteError::UnknownComponent(ComponentId { stream: 0, component: 2 }))
    );
    assert_eq!(
        odd("candidate:1 1 TCP 1 10.0.0.2 5 typ host tcptype so", &mut stage),
        Err(RemoteError::UnsupportedTransport)
    );
    assert_eq!(
        odd("candidate:1 1 TCP 1 10.0.0.2 5 typ host", &mut stage),
        Err(RemoteError::UnsupportedTransport)
    );
    assert_eq!(odd("candidate:1 1 UDP 1 a.b.local 5 typ host", &mut stage), Err(RemoteError::UnresolvedName));
    // Of credentials that may be on their way: kept, and not used.
    let pairs = stage.agent.explain().pairs.len();
    assert_eq!(odd("candidate:1 1 UDP 1 10.0.0.3 5 typ host ufrag new1", &mut stage), Ok(()));
    assert_eq!(stage.agent.explain().pairs.len(), pairs);
    assert!(matches!(
        odd("candidate:1 1 UDP 1 0.0.0.0 5 typ host", &mut stage),
        Err(RemoteError::NotATransportAddress(_))
    ));
}

#[test]
fn data_that_starts_like_stun_is_delivered_or_refused_by_send_and_never_lost() {
    let (mut stage, _) = connected();
    let mut scratch = [0; MAX_TRANSMIT];
    for (first, length) in
        (0..=255).flat_map(|first| [1, 7, 8, 20, 32, 92, 148].map(|length| (first, length)))
    {
        let mut payload = vec![0; length];
        payload[0] = first;
        let sent = stage.agent.send(stage.now, ComponentId::FIRST, &payload, &mut scratch).is_ok();
        let received = stage.receive(PEER, &payload);
        assert_eq!(sent, received == Outcome::Data, "{length} bytes that start with {first}: {received:?}");
        assert!(sent || first <= 3 && (length < 8 || length == 20));
    }
}

/// A network can deliver a datagram from port 0; the others would make us aim at many.
#[test]
fn a_source_that_nobody_can_send_from_is_not_learned() {
    for source in ["10.0.0.2:0", "0.0.0.0:5000", "224.0.0.1:5000", "255.255.255.255:5000"] {
        let mut stage = Stage::new(role(Role::Controlled));
        let before = stage.agent.state_fingerprint();
        let request = stage.request(CONTROLLING, true);
        let outcome = stage.receive(source.parse().unwrap(), &request);
        assert_eq!(outcome, Outcome::Dropped(DropReason::NotATransportAddress), "{source}");
        stage.poll();
        assert!(stage.sent.is_empty());
        assert_eq!(stage.agent.state_fingerprint(), before, "{source}");
    }
}
