//! What the caller does: configurations, the order of calls, time that jumps, and how long it all takes.

use super::*;

#[test]
fn impossible_configurations_are_refused_by_name() {
    let unspecified = Spot { local: at("0.0.0.0:50000"), ..spot(0) };
    let v6 = Spot { local: at("[2001:db8::1]:50000"), ..spot(0) };
    let search = |longest, resolution| {
        let [longest, resolution] = [longest, resolution].map(Duration::from_secs);
        DiscoveryConfig { lifetime: Some(LifetimeSearch { longest, resolution }), ..config() }
    };
    for (config, error) in [
        (
            DiscoveryConfig::new(at("198.51.100.1:0"), spot(0)),
            DiscoveryError::NotATransportAddress(at("198.51.100.1:0")),
        ),
        (
            DiscoveryConfig::new(server(), unspecified),
            DiscoveryError::NotATransportAddress(unspecified.local),
        ),
        (DiscoveryConfig::new(server(), v6), DiscoveryError::OtherFamily(v6.local)),
        (DiscoveryConfig { second: Some(spot(0)), ..config() }, DiscoveryError::SameSocket(SocketId(0))),
        (search(3_601, 5), DiscoveryError::TooLong(Duration::from_secs(3_601))),
        (search(300, 1), DiscoveryError::TooFine(Duration::from_secs(1))),
    ] {
        assert_eq!(Discovery::new(config, [0; 32]).unwrap_err(), error);
    }
}

#[test]
fn calls_in_the_wrong_order_change_nothing() {
    let mut table = Table::new(config());
    let Table { discovery, .. } = &mut table;
    let answer = success(TransactionId([0; 12]), at(MAPPED));
    let dropped = DiscoveryReceived::Dropped(DiscoveryDrop::UnknownTransaction);
    assert_eq!(discovery.receive(Instant::ZERO, SocketId(0), server(), &answer), dropped);
    assert_eq!(discovery.send_failed(Instant::ZERO, SocketId(0), server()), Ok(()));
    let stranger = at("192.0.2.99:1");
    assert_eq!(discovery.send_failed(Instant::ZERO, SocketId(0), stranger), Err(NotADestination(stranger)));
    assert_eq!(discovery.send_failed(Instant::ZERO, SocketId(9), server()), Err(NotADestination(server())));
    let found = table.run(honest);
    assert_eq!(found.traits.filtering, Finding::Known(FilteringBehaviour::EndpointIndependent));
    // After the end.
    assert_eq!(table.discovery.receive(table.now, SocketId(0), server(), &answer), dropped);
    table.discovery.stop(table.now);
    assert_eq!(table.drain(), Err(found));
    assert_eq!(table.discovery.send_failures(), 1);
}

#[test]
fn stopped_half_way_it_tells_what_it_knows() {
    let mut table = Table::new(config());
    table.drain().unwrap();
    let first = table.sent[0].clone();
    for (socket, remote, bytes) in honest(&first) {
        assert_eq!(table.discovery.receive(table.now, socket, remote, &bytes), DiscoveryReceived::Consumed);
    }
    table.discovery.stop(table.now);
    let found = table.drain().unwrap_err();
    assert_eq!(found.traits.access, Finding::Known(Access::Translated));
    assert_eq!(found.mapped, Some(at(MAPPED)));
    assert_eq!(found.traits.mapping, Finding::Unknown(WhyUnknown::Stopped));
    assert_eq!(found.traits.filtering, Finding::Unknown(WhyUnknown::Stopped));
    assert!(table.discovery.is_over());
}

/// Ten new transactions a second (RFC 5780 §5), and one transmission of each at a time.
#[test]
fn new_questions_keep_their_pace() {
    let mut table = Table::new(config());
    table.run(|sent| if sent.change.is_some() { Vec::new() } else { honest(sent) });
    let mut new: Vec<&Sent> = Vec::new();
    for sent in &table.sent {
        if new.iter().all(|earlier| earlier.id != sent.id) {
            new.push(sent);
        }
    }
    assert!(new.len() >= 10, "{}", new.len());
    for pair in new.windows(2) {
        assert!(pair[1].at.since(pair[0].at) >= Duration::from_millis(100), "{pair:?}");
    }
}

#[test]
fn a_silent_server_takes_no_longer_than_is_said() {
    let config = DiscoveryConfig { lifetime: Some(LifetimeSearch::default()), ..config() };
    let mut table = Table::new(config);
    let found = table.run(|_| Vec::new());
    assert_eq!(found.traits.access, Finding::Known(Access::NoUdp));
    assert_eq!(found.lifetime, Finding::Unknown(WhyUnknown::NoAnswer));
    assert!(table.now.since(Instant::ZERO) < Duration::from_secs(13), "{:?}", table.now);
    let mut table = Table::new(config);
    table.run(|sent| if sent.change.is_some() { Vec::new() } else { honest(sent) });
    assert!(table.now.since(Instant::ZERO) <= config.longest_run());
}

/// The host slept while the filter was tried: each question went out once or twice, and silence says nothing.
#[test]
fn a_clock_that_jumps_makes_no_strict_filter() {
    let mut table = Table::new(config());
    let mut slept = false;
    let found = loop {
        let known = table.sent.len();
        let drained = table.drain();
        let new: Vec<Sent> = table.sent[known..].into();
        for sent in &new {
            for (socket, remote, bytes) in if sent.change.is_some() { Vec::new() } else { honest(sent) } {
                table.discovery.receive(table.now, socket, remote, &bytes);
            }
        }
        match drained {
            Err(found) => break found,
            Ok(_) if !slept && table.sent.iter().filter(|sent| sent.change.is_some()).count() >= 5 => {
                slept = true;
                table.now = table.now + Duration::from_secs(600);
            }
            Ok(until) if table.sent.len() == known => table.now = until,
            Ok(_) => {}
        }
    };
    assert_eq!(found.traits.filtering, Finding::Unknown(WhyUnknown::Interrupted));
    assert_eq!(found.traits.mapping, Finding::Known(MappingBehaviour::EndpointIndependent));
}

#[test]
fn time_that_goes_backwards_is_the_latest_one_seen() {
    let mut table = Table::new(config());
    table.now = Instant::from_millis(5_000);
    let until = table.drain().unwrap();
    let mut scratch = [0; MAX_PROBE];
    assert_eq!(table.discovery.poll(Instant::ZERO, &mut scratch), DiscoveryOutput::Wait(until));
}

#[test]
fn the_words_tell_what_is_known_and_what_is_not() {
    let mut found = Table::new(config()).run(honest);
    says(
        &found,
        "the NAT maps a socket to one address and port for all\nit lets in anyone\ntwo hosts behind it do not meet \
         through it\nthe port is another one",
    );
    found.lifetime = Finding::Known(LifetimeRange {
        at_least: Duration::from_secs(28),
        at_most: Some(Duration::from_millis(31_200)),
    });
    assert!(alloc::format!("{found}").ends_with("a mapping lives 28 to 32 s without traffic"));
    found.traits.filtering = Finding::Unknown(WhyUnknown::OtherSilent);
    assert!(alloc::format!("{found}").contains("unknown: the server does not answer at its other address"));
    assert_eq!(
        alloc::format!("our NAT {}", NatTraits::UNKNOWN),
        "our NAT maps in an unknown way (it was not asked for); whom it lets in is unknown (it was not asked for)"
    );
}

fn says(found: &NatBehaviour, expected: &str) {
    assert_eq!(alloc::format!("{found}"), expected);
}
