use super::*;
use alloc::string::ToString;
use core::net::Ipv4Addr;

const ONE: ComponentId = ComponentId::FIRST;
const TWO: ComponentId = ComponentId { stream: 0, component: 2 };

fn at(number: u32) -> SocketAddr {
    (Ipv4Addr::from_bits(0x0a00_0000 + number), 5000).into()
}

fn host(number: u32) -> NewLocal {
    NewLocal {
        component: ONE,
        socket: SocketId(number),
        base: at(number),
        address: at(number),
        tcp: None,
        kind: CandidateType::Host,
        local_preference: 65535,
        foundation: Foundation::numbered(1),
        related: None,
        secrecy: Secrecy::Told,
        network: Network::default(),
    }
}

fn signalled(number: u32, foundation: &str) -> NewRemote {
    NewRemote {
        component: ONE,
        address: at(number),
        tcp: None,
        kind: CandidateType::Host,
        priority: 77,
        foundation: foundation.parse().unwrap(),
        network: Network::default(),
    }
}

#[test]
fn a_candidate_of_the_same_address_and_base_is_redundant() {
    let mut table = Candidates::new();
    assert_eq!(table.add_local(host(1)), AddedLocal::New(LocalId(0)));
    // No NAT: the mapping is the host address. A better priority changes nothing.
    let reflexive = NewLocal { kind: CandidateType::ServerReflexive, ..host(1) };
    assert_eq!(table.add_local(reflexive), AddedLocal::Redundant(LocalId(0)));
    assert_eq!(table.locals().len(), 1);
    assert_eq!(table.local(LocalId(0)).unwrap().kind, CandidateType::Host);
    // Another base, another address or another component is another candidate.
    assert_eq!(table.add_local(NewLocal { base: at(2), ..host(1) }), AddedLocal::New(LocalId(1)));
    assert_eq!(table.add_local(NewLocal { address: at(3), ..host(1) }), AddedLocal::New(LocalId(2)));
    assert_eq!(table.add_local(NewLocal { component: TWO, ..host(1) }), AddedLocal::New(LocalId(3)));
    assert_eq!(table.find_local(ONE, None, at(1)).unwrap().id, LocalId(0));
    assert_eq!(table.find_local(TWO, None, at(1)).unwrap().id, LocalId(3));
    assert_eq!(table.find_local(ONE, None, at(9)), None);
}

#[test]
fn the_priority_comes_from_the_formula_and_the_line_from_the_candidate() {
    let mut table = Candidates::new();
    let related = Some(at(1));
    let kind = CandidateType::ServerReflexive;
    let _ = table.add_local(NewLocal { address: at(2), kind, related, component: TWO, ..host(1) });
    let line = table.locals()[0].to_signalled().to_string();
    let expected = "candidate:1 2 UDP 1694498814 10.0.0.2 5000 typ srflx raddr 10.0.0.1 rport 5000";
    assert_eq!(line, expected);
}

#[test]
fn a_removed_key_finds_nothing_and_is_not_given_again() {
    let mut table = Candidates::new();
    for number in 0..3 {
        let _ = table.add_local(host(number));
        let _ = table.add_remote(signalled(number, "f"));
    }
    assert_eq!(table.remove_local(LocalId(1)).unwrap().address, at(1));
    assert_eq!(table.remove_remote(RemoteId(1)).unwrap().address, at(1));
    assert_eq!((table.local(LocalId(1)), table.remote(RemoteId(1))), (None, None));
    assert_eq!((table.remove_local(LocalId(1)), table.remove_remote(RemoteId(1))), (None, None));
    assert_eq!(table.local(LocalId(2)).unwrap().address, at(2));
    assert_eq!(table.remote(RemoteId(2)).unwrap().address, at(2));
    assert_eq!(table.add_local(host(1)), AddedLocal::New(LocalId(3)));
    assert_eq!(table.add_remote(signalled(1, "f")), AddedRemote::New(RemoteId(3)));
    table.clear_remotes();
    assert_eq!(table.remotes(), []);
    assert_eq!(table.add_remote(signalled(1, "f")), AddedRemote::New(RemoteId(4)));
}

#[test]
fn a_signalled_candidate_replaces_the_learned_one_in_place() {
    let mut table = Candidates::new();
    assert_eq!(table.learn_remote(ONE, None, at(1), 55), AddedRemote::New(RemoteId(0)));
    assert_eq!(table.learn_remote(ONE, None, at(1), 66), AddedRemote::Known(RemoteId(0)));
    let learned = table.remote(RemoteId(0)).unwrap();
    assert_eq!((learned.kind, learned.priority), (CandidateType::PeerReflexive, 55));
    assert_eq!(learned.origin, Origin::Learned);

    assert_eq!(table.add_remote(signalled(1, "f")), AddedRemote::Upgraded(RemoteId(0)));
    let upgraded = table.remote(RemoteId(0)).unwrap();
    assert_eq!((upgraded.kind, upgraded.priority), (CandidateType::Host, 77));
    assert_eq!((upgraded.origin, upgraded.foundation.as_str()), (Origin::Signalled, "f"));
    assert_eq!(table.remotes().len(), 1);

    // From now on nothing changes it: not the same line, not a request.
    let again = NewRemote { priority: 88, ..signalled(1, "g") };
    assert_eq!(table.add_remote(again), AddedRemote::Known(RemoteId(0)));
    assert_eq!(table.learn_remote(ONE, None, at(1), 99), AddedRemote::Known(RemoteId(0)));
    assert_eq!(table.find_remote(ONE, None, at(1)).unwrap().priority, 77);
    assert_eq!(table.learn_remote(TWO, None, at(1), 55), AddedRemote::New(RemoteId(1)));
}

#[test]
fn foundation_keys_are_equal_exactly_when_foundations_are() {
    let mut table = Candidates::new();
    let _ = table.learn_remote(ONE, None, at(1), 1);
    let _ = table.add_remote(signalled(2, "f"));
    let _ = table.add_remote(signalled(3, "F"));
    let _ = table.learn_remote(ONE, None, at(4), 1);
    let _ = table.add_remote(signalled(5, "f"));
    // One upgrade into a group that is there, one into a group of its own, which then grows.
    let _ = table.learn_remote(ONE, None, at(6), 1);
    let _ = table.add_remote(signalled(6, "f"));
    let _ = table.learn_remote(ONE, None, at(7), 1);
    let _ = table.add_remote(signalled(7, "g"));
    let _ = table.add_remote(signalled(8, "g"));
    // The first of a group goes; what comes later still finds the group.
    let _ = table.remove_remote(RemoteId(1));
    let _ = table.add_remote(signalled(9, "f"));
    assert_eq!(table.remotes().len(), 8);
    for one in table.remotes() {
        for other in table.remotes() {
            let [same_key, same_text] =
                [one.foundation_key == other.foundation_key, one.foundation == other.foundation];
            assert_eq!(same_key, same_text, "{one:?} {other:?}");
        }
    }
}

#[test]
fn the_sixty_fifth_local_candidate_is_refused() {
    let mut table = Candidates::new();
    for number in 0..MAX_LOCAL_CANDIDATES as u32 {
        assert!(matches!(table.add_local(host(number)), AddedLocal::New(_)));
    }
    assert_eq!(table.add_local(host(1000)), AddedLocal::Full);
    assert_eq!(table.add_local(host(0)), AddedLocal::Redundant(LocalId(0)));
    assert_eq!(table.locals().len(), MAX_LOCAL_CANDIDATES);
}

#[test]
fn signalled_and_learned_candidates_have_limits_of_their_own() {
    let mut table = Candidates::new();
    let learned = 1000..1000 + MAX_PEER_REFLEXIVE as u32;
    for number in learned.clone() {
        assert!(matches!(table.learn_remote(ONE, None, at(number), 1), AddedRemote::New(_)));
    }
    assert_eq!(table.learn_remote(ONE, None, at(2000), 1), AddedRemote::Full);
    for number in 0..MAX_REMOTE_CANDIDATES as u32 - 1 {
        assert!(matches!(table.add_remote(signalled(number, "f")), AddedRemote::New(_)));
    }
    // An upgrade counts as signalled and makes room for another learned one.
    assert!(matches!(table.add_remote(signalled(learned.start, "f")), AddedRemote::Upgraded(_)));
    assert!(matches!(table.learn_remote(ONE, None, at(2000), 1), AddedRemote::New(_)));
    assert_eq!(table.add_remote(signalled(3000, "f")), AddedRemote::Full);
    assert_eq!(table.add_remote(signalled(2000, "f")), AddedRemote::Full);
    assert_eq!(table.find_remote(ONE, None, at(2000)).unwrap().origin, Origin::Learned);
    assert!(matches!(table.add_remote(signalled(0, "f")), AddedRemote::Known(_)));
    assert_eq!(table.remotes().len(), MAX_REMOTE_CANDIDATES + MAX_PEER_REFLEXIVE);
}

#[test]
fn keys_run_out_without_being_reused() {
    let mut table = Candidates::new();
    for number in 0..u32::from(u16::MAX) {
        let id = number as u16;
        assert_eq!(table.add_local(host(0)), AddedLocal::New(LocalId(id)));
        assert_eq!(table.learn_remote(ONE, None, at(0), 1), AddedRemote::New(RemoteId(id)));
        let _ = table.remove_local(LocalId(id));
        table.clear_remotes();
    }
    assert_eq!(table.add_local(host(0)), AddedLocal::Full);
    assert_eq!(table.learn_remote(ONE, None, at(0), 1), AddedRemote::Full);
    assert_eq!(table.add_remote(signalled(0, "f")), AddedRemote::Full);
}

#[test]
fn a_learned_candidate_costs_nothing_that_is_known_until_it_is_signalled() {
    let mut table = Candidates::new();
    let AddedRemote::New(id) = table.learn_remote(ONE, None, at(1), 7) else { panic!("nobody had it") };
    assert_eq!(table.remote(id).unwrap().network, Network::default());
    let network = Network { id: None, cost: Some(50) };
    assert_eq!(table.add_remote(NewRemote { network, ..signalled(1, "f") }), AddedRemote::Upgraded(id));
    assert_eq!(table.remote(id).unwrap().network, network);
}
