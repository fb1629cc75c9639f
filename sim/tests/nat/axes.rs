//! Mapping, filtering and ports: RFC 4787 §4 and §5 as tables.

use core::net::SocketAddr;

use floe_sim::{DropReason, Filtering, NatConfig, PortAssignment};

use crate::lab::{FILTERINGS, Lab, MAPPINGS, SECOND, SEQUENTIAL};

#[test]
fn a_mapping_is_shared_by_the_flows_that_it_should_be() {
    // Whether A:2 and B:1 see the address that A:1 saw, whatever the filter and the ports (RFC 4787 §4.1).
    let shared = [[true, true], [true, false], [false, false]];
    for (mapping, shared) in MAPPINGS.into_iter().zip(shared) {
        for filtering in FILTERINGS {
            for ports in [PortAssignment::Preserving, SEQUENTIAL, PortAssignment::Random] {
                let mut lab = Lab::new(NatConfig::new(mapping, filtering).with_port_assignment(ports));
                let seen = [0, 1, 2].map(|to| lab.out(to));
                assert_eq!([seen[1] == seen[0], seen[2] == seen[0]], shared, "{mapping:?} {ports:?}");
                assert_eq!([0, 1, 2].map(|to| lab.out(to)), seen, "the mapping is kept");
                assert!(seen.iter().all(|seen| seen.ip() == lab.net.external_address(lab.nat).unwrap()));
            }
        }
    }
}

#[test]
fn a_filter_lets_in_whom_it_should() {
    // Who comes in at the mapping that was made by sending to A:1 (RFC 4787 §5).
    let admitted = [[true, true, true], [true, true, false], [true, false, false]];
    for (filtering, admitted) in FILTERINGS.into_iter().zip(admitted) {
        for mapping in MAPPINGS {
            let mut lab = Lab::new(NatConfig::new(mapping, filtering));
            let mapped = lab.out(0);
            assert_eq!(
                [0, 1, 2].map(|from| lab.comes_in(from, mapped)),
                admitted,
                "{mapping:?} {filtering:?}"
            );
            let filtered = admitted.iter().filter(|admitted| !**admitted).count() as u64;
            assert_eq!(lab.dropped(DropReason::Filtered), filtered);
            // What was turned away has changed nothing.
            assert_eq!([0, 1, 2].map(|from| lab.comes_in(from, mapped)), admitted);
        }
    }
}

#[test]
fn the_filter_opens_for_each_that_is_sent_to() {
    let mut lab = Lab::new(NatConfig::port_restricted());
    let mapped = lab.out(0);
    assert!(!lab.comes_in(2, mapped));
    lab.out(2);
    assert!(lab.comes_in(2, mapped) && lab.comes_in(0, mapped) && !lab.comes_in(1, mapped));
}

#[test]
fn the_internal_side_sees_the_outer_address_and_its_own() {
    let mut lab = Lab::new(NatConfig::full_cone());
    let mapped = lab.out(0);
    let (stranger, inside) = (lab.outside[2], lab.inside);
    lab.net.send(stranger, mapped, b"x");
    let got = lab.net.advance(lab.net.now()).unwrap();
    assert_eq!((got.host, got.local, got.remote), (inside.0, inside.1, stranger.1));
}

#[test]
fn nothing_comes_in_where_nothing_is_mapped() {
    let mut lab = Lab::new(NatConfig::full_cone());
    let mapped = lab.out(0);
    let other = SocketAddr::new(mapped.ip(), mapped.port() + 1);
    assert!(!lab.comes_in(0, other));
    assert_eq!(lab.dropped(DropReason::NoMapping), 1);
}

#[test]
fn ports_are_assigned_as_configured() {
    let symmetric = |ports| NatConfig::symmetric().with_port_assignment(ports);
    let mut lab = Lab::new(symmetric(PortAssignment::Preserving));
    assert_eq!([0, 1, 2].map(|to| lab.out(to).port()), [5000, 5001, 5002]);
    // Two hosts with the same port: the second gets the next one (RFC 4787 REQ-3: no overloading).
    let mut lab = Lab::new(NatConfig::full_cone());
    let neighbour = lab.neighbour(5000);
    assert_eq!(lab.out(0).port(), 5000);
    assert_eq!(lab.send(neighbour, lab.outside[0].1).unwrap().port(), 5001);

    let mut lab = Lab::new(symmetric(SEQUENTIAL).with_ports(2000..=2999));
    let ports = [0, 1, 2].map(|to| lab.out(to).port() - 2000);
    assert_eq!(ports.map(|port| (port + 1000 - ports[0]) % 1000), [0, 2, 4]);

    let mut lab = Lab::new(symmetric(PortAssignment::Random));
    let ports = [0, 1, 2].map(|to| lab.out(to).port());
    assert!(ports.windows(2).all(|pair| pair[0].abs_diff(pair[1]) > 2), "{ports:?}");
    assert!(ports.iter().all(|port| *port >= 1024));
}

#[test]
fn a_nat_runs_out_of_ports_and_recovers() {
    for ports in [PortAssignment::Preserving, SEQUENTIAL, PortAssignment::Random] {
        let config = NatConfig::symmetric().with_port_assignment(ports).with_ports(6000..=6001);
        let mut lab = Lab::new(config.with_lifetime(SECOND));
        let mut seen = [lab.out(0).port(), lab.out(1).port()];
        seen.sort_unstable();
        assert_eq!(seen, [6000, 6001]);
        assert_eq!(lab.send(lab.inside, lab.outside[2].1), None);
        assert_eq!(lab.dropped(DropReason::PortsExhausted), 1);
        lab.wait(SECOND);
        assert!(lab.send(lab.inside, lab.outside[2].1).is_some());
    }
    #[expect(clippy::reversed_empty_ranges, reason = "a range without ports is the point")]
    let mut lab = Lab::new(NatConfig::full_cone().with_ports(9..=1));
    assert_eq!(lab.send(lab.inside, lab.outside[0].1), None);
}

#[test]
fn the_mapped_address_is_what_a_datagram_would_show_and_opens_what_it_would_open() {
    for mapping in MAPPINGS {
        let mut lab = Lab::new(NatConfig::new(mapping, Filtering::AddressAndPortDependent));
        let [(host, local), (_, towards)] = [lab.inside, lab.outside[0]];
        let told = lab.net.mapped_address(host, local, towards).unwrap();
        assert!(lab.comes_in(0, told) && !lab.comes_in(1, told));
        assert_eq!(lab.out(0), told);
        let (public, at) = lab.outside[0];
        assert_eq!(lab.net.mapped_address(public, at, lab.outside[2].1), Ok(at));
    }
}
