//! Allocations: RFC 8656 §7.2 and §8.2.

use core::net::SocketAddr;
use core::ops::RangeInclusive;
use core::time::Duration;

use floe_sim::server::TurnConfig;

use crate::client::{
    ADDITIONAL_ADDRESS_FAMILY, ADDRESS_ERROR_CODE, ALLOCATE, ALTERNATE_SERVER, DONT_FRAGMENT, EVEN_PORT, Lab,
    REFRESH, REQUESTED_ADDRESS_FAMILY, REQUESTED_TRANSPORT, RESERVATION_TOKEN, V4, V6, XOR_RELAYED_ADDRESS,
    lifetime, plain, relay_v6, udp,
};

fn dual_stack(config: &mut TurnConfig) {
    config.relay_addresses.push(relay_v6());
}

fn family(value: &[u8]) -> (u16, Vec<u8>) {
    (REQUESTED_ADDRESS_FAMILY, value.to_vec())
}

fn additional(value: &[u8]) -> (u16, Vec<u8>) {
    (ADDITIONAL_ADDRESS_FAMILY, value.to_vec())
}

fn even(reserve: bool) -> (u16, Vec<u8>) {
    (EVEN_PORT, vec![u8::from(reserve) << 7])
}

#[test]
fn an_allocation_is_told_and_opened() {
    let mut lab = Lab::new(|config| config.software = Some("floe".into()));
    let answer = lab.request(ALLOCATE, &[udp()]);
    assert_eq!(answer.code(), None);
    let relay = answer.address(XOR_RELAYED_ADDRESS).unwrap();
    assert_eq!(relay.ip(), crate::client::server_address().ip());
    assert!(relay.port() >= 49_152, "RFC 8656 §7.2");
    assert_eq!(answer.lifetime(), Some(600));
    assert_eq!(answer.message().xor_mapped_address(), Some(lab.client.client));
    assert_eq!(answer.message().software(), Some("floe"));
    assert!(lab.sockets.open.contains(&relay));
    assert_eq!(lab.allocation().relays()[0].expires(), lab.now + Duration::from_secs(600));
}

#[test]
fn a_request_that_comes_again_is_answered_alike() {
    let mut lab = Lab::new(|_| {});
    lab.request(REFRESH, &[]);
    let request = lab.signed(ALLOCATE, &[udp(), even(true)]);
    let first = lab.exchange(&request).unwrap();
    assert_eq!(first.code(), None);
    lab.pass(Duration::from_millis(39_000));
    assert_eq!(lab.exchange(&request).unwrap(), first);
    assert_eq!(
        (lab.server.allocations().count(), lab.sockets.open.len()),
        (1, 1),
        "the reservation has ended"
    );
    // So is the end of it, though there is nothing left to end.
    let end = lab.signed(REFRESH, &[lifetime(0)]);
    let ended = lab.exchange(&end).unwrap();
    assert_eq!((ended.code(), ended.lifetime()), (None, Some(0)));
    assert_eq!(lab.exchange(&end).unwrap(), ended);
    lab.pass(Duration::from_secs(40));
    assert_eq!(lab.exchange(&end).unwrap().code(), Some(437));
}

#[test]
fn a_second_allocation_of_a_client_is_a_mismatch_and_so_is_using_none() {
    let mut lab = Lab::new(|_| {});
    lab.allocate();
    assert_eq!(lab.request(ALLOCATE, &[udp()]).code(), Some(437));
    let answer = lab.client(40_001).request(REFRESH, &[]);
    assert_eq!(answer.code(), Some(437));
    assert!(answer.message().verify(&lab.key()).is_ok());
}

#[test]
fn what_cannot_be_asked_for_is_refused_with_its_code() {
    let token = || (RESERVATION_TOKEN, vec![1; 8]);
    let unknown_family = || family(&[7, 0, 0, 0]);
    for (code, attributes) in [
        (400, vec![]),
        (400, vec![(REQUESTED_TRANSPORT, vec![17])]),
        (442, vec![(REQUESTED_TRANSPORT, vec![6, 0, 0, 0])]),
        (420, vec![udp(), (DONT_FRAGMENT, vec![])]),
        (420, vec![udp(), (0x7F00, vec![])]),
        (400, vec![udp(), token(), even(false)]),
        (400, vec![udp(), token(), family(V4)]),
        (400, vec![udp(), token(), additional(V6)]),
        (508, vec![udp(), token()]),
        (400, vec![udp(), (RESERVATION_TOKEN, vec![1; 7])]),
        (400, vec![udp(), family(V4), additional(V6)]),
        (400, vec![udp(), family(&[1])]),
        (440, vec![udp(), unknown_family()]),
        (440, vec![udp(), family(V6)]),
        (400, vec![udp(), additional(V4)]),
        (400, vec![udp(), additional(V6), even(true)]),
    ] {
        let mut lab = Lab::new(|config| config.dont_fragment = false);
        let answer = lab.request(ALLOCATE, &attributes);
        assert_eq!(answer.code(), Some(code), "{attributes:?}");
        assert!(answer.message().verify(&lab.key()).is_ok(), "{attributes:?}");
        assert!(lab.sockets.open.is_empty() && lab.server.allocations().count() == 0);
        if code == 420 {
            assert_eq!(answer.value(0x000A).unwrap(), attributes[1].0.to_be_bytes());
        }
    }
    let mut v6_only = Lab::new(|config| config.relay_addresses = vec![relay_v6()]);
    assert_eq!(v6_only.request(ALLOCATE, &[udp()]).code(), Some(440), "RFC 8656 §7.2: IPv4 is the default");
}

#[test]
fn the_family_is_as_asked() {
    for (asked, v4) in [(V4, true), (V6, false)] {
        let mut lab = Lab::new(dual_stack);
        let answer = lab.request(ALLOCATE, &[udp(), family(asked)]);
        assert_eq!(answer.address(XOR_RELAYED_ADDRESS).unwrap().is_ipv4(), v4);
    }
}

#[test]
fn a_dual_allocation_has_one_of_each_and_each_ends_by_itself() {
    let mut lab = Lab::new(dual_stack);
    let answer = lab.request(ALLOCATE, &[udp(), additional(V6)]);
    let relays = answer.addresses(XOR_RELAYED_ADDRESS);
    assert_eq!(relays.iter().map(SocketAddr::is_ipv4).collect::<Vec<_>>(), [true, false]);
    assert_eq!(answer.value(ADDRESS_ERROR_CODE), None);
    lab.pass(Duration::from_secs(300));
    let answer = lab.request(REFRESH, &[family(V6), lifetime(900)]);
    assert_eq!(answer.lifetime(), Some(900));
    lab.pass(Duration::from_secs(300));
    assert_eq!(lab.sockets.open.iter().copied().collect::<Vec<_>>(), relays[1..], "IPv4 was not refreshed");
    assert_eq!(lab.request(REFRESH, &[family(V4)]).code(), Some(443));
    assert_eq!(lab.request(REFRESH, &[family(V6), lifetime(0)]).code(), None);
    assert_eq!(lab.request(REFRESH, &[]).code(), Some(437));
    assert!(lab.sockets.open.is_empty());
}

#[test]
fn what_is_missing_of_a_dual_allocation_is_told_with_its_reason() {
    let mut lab = Lab::new(|_| {});
    let answer = lab.request(ALLOCATE, &[udp(), additional(V6)]);
    assert_eq!(answer.addresses(XOR_RELAYED_ADDRESS).len(), 1);
    assert_eq!(answer.value(ADDRESS_ERROR_CODE).unwrap(), b"\x02\0\x04\x28Address Family not Supported");
    let mut lab = Lab::new(|config| {
        dual_stack(config);
        config.max_relays = 1;
    });
    let answer = lab.request(ALLOCATE, &[udp(), additional(V6)]);
    assert!(answer.address(XOR_RELAYED_ADDRESS).unwrap().is_ipv4());
    assert_eq!(answer.value(ADDRESS_ERROR_CODE).unwrap(), b"\x02\0\x05\x08Insufficient Capacity");
    assert_eq!(lab.client(40_001).request(ALLOCATE, &[udp(), additional(V6)]).code(), Some(508));
}

#[test]
fn an_even_port_is_even_and_the_next_is_held_for_thirty_seconds() {
    let mut lab = Lab::new(|_| {});
    for port in 40_000..40_020 {
        let answer = lab.client(port).request(ALLOCATE, &[udp(), even(false)]);
        assert_eq!(answer.address(XOR_RELAYED_ADDRESS).unwrap().port() % 2, 0);
        assert_eq!(answer.value(RESERVATION_TOKEN), None);
    }
    let answer = lab.client(40_020).request(ALLOCATE, &[udp(), even(true)]);
    let mut next = answer.address(XOR_RELAYED_ADDRESS).unwrap();
    next.set_port(next.port() + 1);
    assert!(next.port() % 2 == 1 && lab.sockets.open.contains(&next));
    assert_eq!(lab.server.reserved().collect::<Vec<_>>(), [next]);
    let token = (RESERVATION_TOKEN, answer.value(RESERVATION_TOKEN).unwrap());
    lab.pass(Duration::from_millis(29_999));
    let answer = lab.client(40_021).request(ALLOCATE, &[udp(), token.clone()]);
    assert_eq!(answer.address(XOR_RELAYED_ADDRESS), Some(next));
    assert_eq!(lab.client(40_022).request(ALLOCATE, &[udp(), token]).code(), Some(508), "it has been used");

    let answer = lab.client(40_023).request(ALLOCATE, &[udp(), even(true)]);
    let token = (RESERVATION_TOKEN, answer.value(RESERVATION_TOKEN).unwrap());
    let open = lab.sockets.open.len();
    lab.pass(Duration::from_secs(30));
    assert_eq!(lab.sockets.open.len(), open - 1);
    assert_eq!(lab.client(40_024).request(ALLOCATE, &[udp(), token]).code(), Some(508));
}

#[test]
fn a_lifetime_is_between_the_default_and_the_longest_and_ends_to_the_moment() {
    for (asked, given) in [(None, 600), (Some(1), 600), (Some(1000), 1000), (Some(u32::MAX), 3600)] {
        let mut lab = Lab::new(|_| {});
        let attributes: Vec<_> = [udp()].into_iter().chain(asked.map(lifetime)).collect();
        assert_eq!(lab.request(ALLOCATE, &attributes).lifetime(), Some(given));
        lab.pass(Duration::from_secs(100));
        assert_eq!(lab.request(REFRESH, &attributes[1..]).lifetime(), Some(given));
        lab.pass(Duration::from_secs(u64::from(given)) - Duration::from_nanos(1));
        assert_eq!(lab.server.allocations().count(), 1);
        lab.pass(Duration::from_nanos(1));
        assert_eq!((lab.server.allocations().count(), lab.sockets.open.len()), (0, 0));
        assert_eq!(lab.server.next_deadline(), None);
    }
    // Zero is no lifetime for a new one.
    assert_eq!(Lab::new(|_| {}).request(ALLOCATE, &[udp(), lifetime(0)]).lifetime(), Some(600));
}

#[test]
fn a_user_has_a_quota_and_the_server_a_limit() {
    let mut lab = Lab::new(|config| {
        config.quota = 3;
        config.max_relays = 5;
    });
    for port in 0..3 {
        lab.client(40_000 + port).allocate();
    }
    assert_eq!(lab.client(40_003).request(ALLOCATE, &[udp()]).code(), Some(486));
    lab.user = ("bob", "geheim");
    for port in 4..6 {
        lab.client(40_000 + port).allocate();
    }
    assert_eq!(lab.client(40_006).request(ALLOCATE, &[udp()]).code(), Some(508));
    assert_eq!((lab.server.allocations().count(), lab.sockets.open.len()), (5, 5));
    lab.pass(Duration::from_secs(600));
    lab.client(40_007).allocate();
}

#[test]
fn ports_run_out_and_none_is_given_twice() {
    let mut lab = Lab::new(|config| config.ports = 50_001..=50_004);
    let answer = lab.client(1).request(ALLOCATE, &[udp(), even(true)]);
    assert_eq!(answer.address(XOR_RELAYED_ADDRESS).unwrap().port(), 50_002, "the only even one with a next");
    let mut ports: Vec<u16> = (2..4).map(|client| lab.client(client).allocate().port()).collect();
    ports.sort_unstable();
    assert_eq!(ports, [50_001, 50_004]);
    assert_eq!(lab.client(5).request(ALLOCATE, &[udp()]).code(), Some(508));
    let mut lab = Lab::new(|_| {});
    lab.sockets.refuses = Some(|_| true);
    assert_eq!(lab.request(ALLOCATE, &[udp()]).code(), Some(508), "the system has none");
}

#[test]
fn a_port_without_a_next_one_is_not_taken_for_a_pair() {
    let mut lab = Lab::new(|config| config.ports = 50_002..=50_002);
    assert_eq!(lab.request(ALLOCATE, &[udp(), even(true)]).code(), Some(508));
    lab.allocate();
    let mut lab = Lab::new(|_| {});
    lab.sockets.refuses = Some(|at| at.port() % 2 == 1);
    assert_eq!(lab.request(ALLOCATE, &[udp(), even(true)]).code(), Some(508));
    assert!(lab.sockets.open.is_empty(), "what was opened on trial is closed again");
}

#[test]
fn ports_are_as_random_as_the_seed() {
    let ports = |lab: &mut Lab| (0..10).map(|n| lab.client(n + 1).allocate().port()).collect::<Vec<_>>();
    let [first, second] = [(); 2].map(|()| ports(&mut Lab::new(|_| {})));
    assert_eq!(first, second);
    assert!(first.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) < 10).count() < 3, "{first:?}");
}

#[test]
fn a_redirection_has_the_clients_family_first() {
    let alternates = ["[2001:db8::2]:3478".parse().unwrap(), "198.51.100.2:3478".parse().unwrap()];
    let mut lab = Lab::new(|config| config.alternates = alternates.to_vec());
    let answer = lab.request(ALLOCATE, &[udp()]);
    assert_eq!(answer.code(), Some(300));
    let servers = answer.values(ALTERNATE_SERVER);
    assert_eq!((plain(&servers[0]), servers.len()), (alternates[1], 2));
    lab.server.config_mut().alternates.truncate(1);
    lab.allocate();
}

#[test]
fn a_configuration_that_cannot_be_served_is_named() {
    use floe_sim::server::{TurnConfigError, TurnServer};
    let config = || TurnConfig::new("example.org", relay_v6());
    for (error, config) in [
        (TurnConfigError::Realm, TurnConfig { realm: "x".repeat(128), ..config() }),
        (TurnConfigError::Realm, TurnConfig { realm: String::new(), ..config() }),
        (TurnConfigError::Software, TurnConfig { software: Some("x".repeat(128)), ..config() }),
        (TurnConfigError::NoRelayAddress, TurnConfig { relay_addresses: Vec::new(), ..config() }),
        (TurnConfigError::Ports, TurnConfig { ports: 0..=9, ..config() }),
        (TurnConfigError::Ports, TurnConfig { ports: RangeInclusive::new(9, 8), ..config() }),
    ] {
        assert_eq!(TurnServer::new(config, [0; 32]).err(), Some(error));
    }
}
