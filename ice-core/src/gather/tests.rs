use super::*;
use crate::base::{Instant, InterfaceId};
use crate::candidate::{Candidate, CandidateTypes};
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

const HOST: SocketId = SocketId(0);

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A gatherer with one socket, and its candidates.
fn one(filter: CandidateFilter) -> (Gatherer, Candidates) {
    let (mut gatherer, mut candidates) = (Gatherer::new(filter, false), Candidates::new());
    gatherer.socket_up(Socket::udp(HOST, at("10.0.0.1:5000"))).unwrap();
    gatherer.gather(Instant::ZERO, &mut candidates);
    (gatherer, candidates)
}

fn line(candidates: &Candidates, id: Option<LocalId>) -> Option<String> {
    id.and_then(|id| candidates.local(id)).map(|l| Candidate::to_string(&l.to_signalled()))
}

fn without_hosts() -> CandidateFilter {
    CandidateFilter { types: CandidateTypes::ALL.without(CandidateType::Host), ..Default::default() }
}

#[test]
fn a_mapped_candidate_has_a_foundation_of_its_own_and_a_unique_priority() {
    let (mut gatherer, mut candidates) = one(CandidateFilter::default());
    let server = Some(at("192.0.2.1:3478").ip());
    let mut add = |address, server| {
        let added = gatherer.add_reflexive(&mut candidates, HOST, at(address), server).unwrap();
        line(&candidates, added.announced)
    };
    let seen = add("203.0.113.1:1000", server).unwrap();
    let mapped = add("203.0.113.1:2000", None).unwrap();
    let again = add("203.0.113.2:3000", None).unwrap();
    assert_eq!(seen, "candidate:2 1 UDP 1694498815 203.0.113.1 1000 typ srflx raddr 10.0.0.1 rport 5000");
    assert_eq!(mapped, "candidate:3 1 UDP 1694498559 203.0.113.1 2000 typ srflx raddr 10.0.0.1 rport 5000");
    assert_eq!(again, "candidate:3 1 UDP 1694498303 203.0.113.2 3000 typ srflx raddr 10.0.0.1 rport 5000");
    assert_eq!(add("203.0.113.1:2000", None), None, "redundant");
    assert_eq!(add("10.0.0.1:5000", None), None, "no NAT at all");
}

#[test]
fn what_cannot_be_mapped_is_refused() {
    let (mut gatherer, mut candidates) = one(CandidateFilter::default());
    gatherer.socket_up(Socket::virtual_relay(SocketId(1), at("10.0.0.9:9"))).unwrap();
    gatherer.gather(Instant::ZERO, &mut candidates);
    let mut add =
        |id, address: &str| gatherer.add_reflexive(&mut candidates, SocketId(id), at(address), None);
    assert_eq!(add(0, "[2001:db8::1]:1"), Err(SocketError::FamilyMismatch(at("[2001:db8::1]:1"))));
    assert_eq!(add(0, "203.0.113.1:0"), Err(SocketError::NotATransportAddress(at("203.0.113.1:0"))));
    assert_eq!(add(1, "203.0.113.1:1"), Err(SocketError::VirtualRelay(SocketId(1))));
    assert_eq!(add(7, "203.0.113.1:1"), Err(SocketError::UnknownSocket(SocketId(7))));
    for port in 1..=62 {
        add(0, &alloc::format!("203.0.113.1:{port}")).unwrap();
    }
    assert_eq!(add(0, "203.0.113.1:63"), Err(SocketError::TooMany));
    let mut priorities: Vec<u32> = candidates.locals().iter().map(|l| l.priority).collect();
    priorities.sort_unstable();
    priorities.dedup();
    assert_eq!(priorities.len(), MAX_LOCAL_CANDIDATES);
}

#[test]
fn a_hidden_host_lends_its_base_and_nobody_is_told_of_it() {
    let (mut gatherer, mut candidates) = one(without_hosts());
    assert!(candidates.locals().is_empty());
    let added = gatherer.add_reflexive(&mut candidates, HOST, at("203.0.113.1:1000"), None).unwrap();
    assert_eq!(
        line(&candidates, added.announced).unwrap(),
        "candidate:2 1 UDP 1694498815 203.0.113.1 1000 typ srflx raddr 0.0.0.0 rport 9"
    );
    assert_eq!(candidates.local(added.lent.unwrap()).unwrap().address, at("10.0.0.1:5000"));
    // It is lent once.
    let added = gatherer.add_reflexive(&mut candidates, HOST, at("203.0.113.2:1000"), None).unwrap();
    assert!(added.announced.is_some() && added.lent.is_none());
}

#[test]
fn without_a_nat_the_hidden_host_stands_for_its_reflexive_candidate() {
    let (mut gatherer, mut candidates) = one(without_hosts());
    let added = gatherer.add_reflexive(&mut candidates, HOST, at("10.0.0.1:5000"), None).unwrap();
    assert!(added.announced.is_some());
    assert_eq!(added.announced, added.lent);
}

#[test]
fn a_base_that_is_not_let_through_lends_nothing() {
    let address = CandidateFilter { except: vec!["10.0.0.0/8".parse().unwrap()], ..Default::default() };
    for filter in [address, CandidateFilter::relay_only()] {
        let (mut gatherer, mut candidates) = one(filter);
        let added = gatherer.add_reflexive(&mut candidates, HOST, at("203.0.113.1:1000"), None);
        assert_eq!(added, Ok(Reflexive::default()));
        assert!(candidates.locals().is_empty());
    }
    let filter = CandidateFilter { except_interfaces: vec![InterfaceId(3)], ..Default::default() };
    let (mut gatherer, mut candidates) = (Gatherer::new(filter, false), Candidates::new());
    for (id, interface) in [(0, 2), (1, 3)] {
        let local = at(&alloc::format!("10.0.0.{interface}:5000"));
        gatherer.socket_up(Socket::udp(SocketId(id), local).on_interface(InterfaceId(interface))).unwrap();
    }
    assert_eq!(gatherer.gather(Instant::ZERO, &mut candidates).len(), 1);
    assert_eq!(candidates.locals()[0].socket, SocketId(0));
}

#[test]
fn virtual_relays_come_last_and_take_nothing_from_the_others() {
    let (mut gatherer, mut candidates) = (Gatherer::default(), Candidates::new());
    gatherer.socket_up(Socket::virtual_relay(SocketId(1), at("192.0.2.1:1"))).unwrap();
    gatherer.socket_up(Socket::udp(HOST, at("10.0.0.1:5000"))).unwrap();
    gatherer.socket_up(Socket::virtual_relay(SocketId(2), at("192.0.2.1:2"))).unwrap();
    let lines: Vec<String> = gatherer
        .gather(Instant::ZERO, &mut candidates)
        .into_iter()
        .filter_map(|id| line(&candidates, Some(id)))
        .collect();
    assert_eq!(
        lines,
        [
            "candidate:1 1 UDP 16383 192.0.2.1 1 typ relay raddr 0.0.0.0 rport 9",
            "candidate:2 1 UDP 2130706431 10.0.0.1 5000 typ host",
            "candidate:1 1 UDP 16127 192.0.2.1 2 typ relay raddr 0.0.0.0 rport 9",
        ]
    );
    assert_eq!(gatherer.socket(HOST).map(Socket::kind), Some(CandidateType::Host));
}

/// Who roams for days meets ever new addresses.
#[test]
fn preferences_of_former_addresses_are_remembered_up_to_a_bound() {
    let (mut gatherer, _) = one(CandidateFilter::default());
    let home = gatherer.preference(&Socket::udp(HOST, at("10.0.0.1:5000")));
    for number in 1..2_000_u32 {
        let [.., high, low] = number.to_be_bytes();
        let local = SocketAddr::from(([10, 1, high, low], 5_000));
        gatherer.socket_up(Socket::udp(SocketId(number), local)).unwrap();
        gatherer.gather(Instant::ZERO, &mut Candidates::new());
        gatherer.socket_down(SocketId(number));
    }
    assert!(gatherer.ranked.len() <= MAX_RANKED, "{}", gatherer.ranked.len());
    assert_eq!(gatherer.preference(&Socket::udp(HOST, at("10.0.0.1:5000"))), home, "a living one is kept");
}

#[test]
fn a_cost_that_cannot_be_told_is_refused() {
    let mut gatherer = Gatherer::new(CandidateFilter::default(), false);
    let socket = Socket::udp(HOST, at("10.0.0.1:5000"));
    assert_eq!(gatherer.socket_up(socket.at_cost(1_000)), Err(SocketError::NetworkCost(1_000)));
    assert_eq!(gatherer.socket_up(socket.at_cost(999)), Ok(()));
}
