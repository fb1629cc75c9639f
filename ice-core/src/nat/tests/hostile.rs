//! Answers that are wrong, forged, malformed or too many.

use super::*;
use crate::wire::ErrorCode;

fn receive(table: &mut Table, socket: u32, remote: SocketAddr, bytes: &[u8]) -> DiscoveryReceived {
    table.discovery.receive(table.now, SocketId(socket), remote, bytes)
}

#[test]
fn answers_that_do_not_fit_are_dropped_with_a_reason() {
    let mut table = Table::new(config());
    table.drain().unwrap();
    let id = table.sent[0].id;
    let good = success(id, at(MAPPED));
    let mut damaged = good.clone();
    damaged.truncate(good.len() - 4);
    let mut required = [0; 128];
    let length = MessageWriter::new(&mut required, Class::Success, Method::BINDING, id)
        .xor_mapped_address(at(MAPPED))
        .attribute(crate::wire::AttributeType(0x7F00), b"")
        .finish()
        .unwrap();
    let other = at(OTHER);
    for (socket, remote, bytes, why) in [
        (7, server(), &good[..], DiscoveryDrop::UnknownSocket(SocketId(7))),
        (0, server(), &success(TransactionId([9; 12]), at(MAPPED))[..], DiscoveryDrop::UnknownTransaction),
        (0, other, &good[..], DiscoveryDrop::WrongPlace(other)),
        (1, server(), &good[..], DiscoveryDrop::WrongPlace(server())),
        (0, server(), &required[..length], DiscoveryDrop::NotUnderstood),
    ] {
        assert_eq!(receive(&mut table, socket, remote, bytes), DiscoveryReceived::Dropped(why));
    }
    assert!(matches!(
        receive(&mut table, 0, server(), &damaged),
        DiscoveryReceived::Dropped(DiscoveryDrop::Malformed(_))
    ));
    assert_eq!(receive(&mut table, 0, server(), b"\x16\xfe\xfdDTLS"), DiscoveryReceived::Unclaimed);
    assert_eq!(receive(&mut table, 0, server(), b""), DiscoveryReceived::Unclaimed);
    let mut check = [0; 64];
    let length = MessageWriter::new(&mut check, Class::Request, Method::BINDING, TransactionId([3; 12]))
        .finish()
        .unwrap();
    assert_eq!(receive(&mut table, 0, other, &check[..length]), DiscoveryReceived::Unclaimed);
    assert_eq!(table.discovery.behaviour().mapped, None, "nothing of that counts");
    assert_eq!(receive(&mut table, 0, server(), &good), DiscoveryReceived::Consumed);
    assert_eq!(table.discovery.behaviour().mapped, Some(at(MAPPED)));
}

#[test]
fn an_other_address_that_is_none_is_not_asked() {
    for other in ["198.51.100.1:3479", "198.51.100.2:3478", "224.0.0.1:3479", "0.0.0.0:9", "[2001:db8::1]:9"]
    {
        let mut table = Table::new(config());
        let found = table.run(|sent| {
            let mut buffer = [0; 128];
            let length = MessageWriter::new(&mut buffer, Class::Success, Method::BINDING, sent.id)
                .xor_mapped_address(at(MAPPED))
                .other_address(at(other))
                .finish()
                .unwrap();
            alloc::vec![(sent.socket, server(), buffer[..length].to_vec())]
        });
        assert_eq!(found.traits.mapping, Finding::Unknown(WhyUnknown::OtherAddressUnusable), "{other}");
        assert!(table.sent.iter().all(|sent| sent.remote == server() || sent.remote == at(MAPPED)));
    }
}

/// RFC 5780 §5: a 420 to what the test needs, and nothing else is lost.
#[test]
fn a_refused_test_says_so() {
    let refuse = |sent: &Sent| {
        let mut buffer = [0; 128];
        let error = ErrorCode::new(420, "Unknown Attribute").unwrap();
        let length = MessageWriter::new(&mut buffer, Class::Error, Method::BINDING, sent.id)
            .error_code(error)
            .finish()
            .unwrap();
        alloc::vec![(sent.socket, server(), buffer[..length].to_vec())]
    };
    let found = Table::new(config()).run(|sent| match sent.change {
        Some(_) => refuse(sent),
        None => honest(sent),
    });
    assert_eq!(found.traits.filtering, Finding::Unknown(WhyUnknown::Refused(420)));
    assert_eq!(found.traits.mapping, Finding::Known(MappingBehaviour::EndpointIndependent));
}

/// A server of classic STUN may ignore an attribute that it does not know.
#[test]
fn a_server_that_ignores_the_change_is_no_open_filter() {
    let found = Table::new(config()).run(|sent| honest(&Sent { change: None, ..sent.clone() }));
    assert_eq!(found.traits.filtering, Finding::Unknown(WhyUnknown::Ignored));
    let lifetime = Some(LifetimeSearch::default());
    let config = DiscoveryConfig { lifetime, ..config() };
    let found = Table::new(config).run(|sent| honest(&Sent { response_port: None, ..sent.clone() }));
    assert_eq!(found.lifetime, Finding::Unknown(WhyUnknown::Ignored));
}

#[test]
fn a_payload_that_was_rewritten_is_told() {
    let rewritten = |sent: &Sent| {
        let mut buffer = [0; 128];
        let length = MessageWriter::new(&mut buffer, Class::Success, Method::BINDING, sent.id)
            .xor_mapped_address(at(MAPPED))
            .mapped_address(spot(0).local)
            .finish()
            .unwrap();
        alloc::vec![(sent.socket, sent.remote, buffer[..length].to_vec())]
    };
    let found = Table::new(config()).run(rewritten);
    assert_eq!(found.rewrites_payload, Finding::Known(true));
    assert_eq!(Table::new(config()).run(honest).rewrites_payload, Finding::Known(false));
}

/// A server that puts the lifetime off again and again, by sending to the mapping under test, does so for four seconds.
#[test]
fn unasked_answers_do_not_stretch_the_search() {
    let lifetime = Some(LifetimeSearch::default());
    let config = DiscoveryConfig { lifetime, ..config() };
    let mut table = Table::new(config);
    let noise = success(TransactionId([5; 12]), at(MAPPED));
    let found = loop {
        let known = table.sent.len();
        let drained = table.drain();
        let new: Vec<Sent> = table.sent[known..].into();
        for sent in &new {
            for (socket, remote, bytes) in honest(sent) {
                table.discovery.receive(table.now, socket, remote, &bytes);
            }
        }
        match drained {
            Err(found) => break found,
            Ok(until) if table.sent.len() == known => {
                table.now = until.min(table.now + Duration::from_secs(1));
                receive(&mut table, 0, server(), &noise);
            }
            Ok(_) => {}
        }
    };
    assert!(table.now.since(Instant::ZERO) < config.longest_run());
    let range = found.lifetime.known().unwrap();
    assert!(range.at_least >= Duration::from_secs(290) && range.at_most.is_none(), "{range:?}");
}

/// What a lying server can make us send to addresses of its choice: 20 to 28 bytes each, a few dozen of them.
#[test]
fn a_lying_server_does_not_make_us_flood_others() {
    let victim = at("192.0.2.66:53");
    let mut table = Table::new(config());
    table.run(|sent| match sent.remote == server() && sent.change.is_none() {
        true => {
            let mut buffer = [0; 128];
            let length = MessageWriter::new(&mut buffer, Class::Success, Method::BINDING, sent.id)
                .xor_mapped_address(victim)
                .other_address(at("192.0.2.66:54"))
                .finish()
                .unwrap();
            alloc::vec![(sent.socket, server(), buffer[..length].to_vec())]
        }
        false => Vec::new(),
    });
    let aimed = table.sent.iter().filter(|sent| sent.remote.ip() == victim.ip()).count();
    assert!((20..=40).contains(&aimed), "{aimed}");
}

/// Anything at all, to any socket, at any time: it ends in time and does not panic.
#[test]
fn noise_does_no_harm() {
    let mut random = crate::base::Random::new([7; 32]);
    for round in 0..200 {
        let lifetime = (round % 2 == 0).then(LifetimeSearch::default);
        let config = DiscoveryConfig { lifetime, ..config() };
        let mut table = Table::new(config);
        table.run(|sent| {
            let mut replies = Vec::new();
            for _ in 0..random.within(0..3) {
                let mut honest = honest(&Sent { change: None, response_port: None, ..sent.clone() });
                for (socket, remote, bytes) in &mut honest {
                    if random.within(0..3) == 0 {
                        let place = random.within(0..bytes.len() as u64) as usize;
                        bytes[place] = random.number() as u8;
                    }
                    if random.within(0..4) == 0 {
                        *socket = SocketId(random.within(0..3) as u32);
                    }
                    if random.within(0..4) == 0 {
                        *remote =
                            [server(), at(OTHER), at(MAPPED), spot(0).local][random.within(0..4) as usize];
                    }
                }
                replies.append(&mut honest);
            }
            replies
        });
        assert!(table.now.since(Instant::ZERO) <= config.longest_run(), "{:?}", table.now);
        assert!(table.sent.len() < 1_000, "{}", table.sent.len());
    }
}
