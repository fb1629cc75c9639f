//! What a NAT forgets, and what keeps it from doing so (RFC 4787 §4.3).

use core::net::SocketAddr;
use core::time::Duration;

use floe_sim::{
    DropReason, LinkConfig, Mapping, NatConfig, PortAssignment, Refresh, StreamKind, TcpLifetimes,
};

use crate::lab::{FILTERINGS, Lab, SECOND, SEQUENTIAL};

#[test]
fn an_unused_mapping_is_gone_and_the_next_has_another_port() {
    for ports in [SEQUENTIAL, PortAssignment::Random] {
        let config = NatConfig::full_cone().with_port_assignment(ports).with_lifetime(30 * SECOND);
        let mut lab = Lab::new(config);
        let first = lab.out(0);
        lab.wait(30 * SECOND - Duration::from_nanos(1));
        assert!(lab.comes_in(0, first), "to the last nanosecond");
        lab.wait(Duration::from_nanos(1));
        assert!(!lab.comes_in(0, first));
        assert_eq!(lab.dropped(DropReason::NoMapping), 1);
        assert_ne!(lab.out(0), first);
    }
}

#[test]
fn a_mapping_is_refreshed_in_the_configured_directions_only() {
    // Whether the mapping outlives its 30 s if it is used at 20 s and looked at again at 40 s (RFC 4787 §4.3).
    let table =
        [(Refresh::Outbound, true, false), (Refresh::Inbound, false, true), (Refresh::Both, true, true)];
    for (refresh, by_outbound, by_inbound) in table {
        for filtering in FILTERINGS {
            let config = NatConfig::new(Mapping::EndpointIndependent, filtering)
                .with_lifetime(30 * SECOND)
                .with_refresh(refresh);
            let mut lab = Lab::new(config.clone());
            let mapped = lab.out(0);
            lab.wait(20 * SECOND);
            lab.out(0);
            lab.wait(20 * SECOND);
            assert_eq!(lab.comes_in(0, mapped), by_outbound, "{refresh:?} {filtering:?} out");

            let mut lab = Lab::new(config);
            let mapped = lab.out(0);
            lab.wait(20 * SECOND);
            assert!(lab.comes_in(0, mapped));
            lab.wait(20 * SECOND);
            assert_eq!(lab.comes_in(0, mapped), by_inbound, "{refresh:?} {filtering:?} in");
        }
    }
}

#[test]
fn lifetimes_that_are_drawn_are_spread_over_their_range() {
    const COUNT: u16 = 40;
    let config = NatConfig::full_cone().with_lifetime(30 * SECOND).with_lifetime_jitter(10 * SECOND);
    let mut lab = Lab::new(config);
    let mapped: Vec<SocketAddr> = (0..COUNT)
        .map(|n| {
            let neighbour = lab.neighbour(6000 + n);
            lab.send(neighbour, lab.outside[0].1).unwrap()
        })
        .collect();
    let living = |lab: &mut Lab| mapped.iter().filter(|at| lab.comes_in(0, **at)).count();
    lab.wait(30 * SECOND - Duration::from_nanos(1));
    assert_eq!(living(&mut lab), usize::from(COUNT));
    lab.wait(5 * SECOND);
    let half = living(&mut lab);
    assert!((10..=30).contains(&half), "{half} of {COUNT} live for 35 s");
    lab.wait(5 * SECOND + Duration::from_nanos(2));
    assert_eq!(living(&mut lab), 0);
}

#[test]
fn what_the_filter_turns_away_refreshes_nothing() {
    let config = NatConfig::port_restricted().with_lifetime(30 * SECOND).with_refresh(Refresh::Both);
    let mut lab = Lab::new(config);
    let mapped = lab.out(0);
    lab.wait(20 * SECOND);
    assert!(!lab.comes_in(1, mapped));
    lab.wait(10 * SECOND);
    assert!(!lab.comes_in(0, mapped));
    assert_eq!((lab.dropped(DropReason::Filtered), lab.dropped(DropReason::NoMapping)), (1, 1));
}

#[test]
fn an_entry_of_the_filter_expires_by_itself() {
    let mut lab = Lab::new(NatConfig::port_restricted().with_lifetime(30 * SECOND));
    let mapped = lab.out(0);
    lab.wait(20 * SECOND);
    assert!(lab.comes_in(0, mapped), "which does not refresh it");
    lab.out(1);
    lab.wait(10 * SECOND);
    assert!(!lab.comes_in(0, mapped) && lab.comes_in(1, mapped));
    assert_eq!(lab.dropped(DropReason::Filtered), 1);
}

#[test]
fn a_reboot_forgets_everything() {
    let mut lab = Lab::new(NatConfig::full_cone().with_port_assignment(PortAssignment::Random));
    let mapped = lab.out(0);
    lab.net.reboot(lab.nat);
    assert!(!lab.comes_in(0, mapped));
    assert_ne!(lab.out(0), mapped);
}

#[test]
fn links_and_cuts_between_hosts_hold_through_nats() {
    let config = NatConfig::full_cone().with_lifetime(30 * SECOND).with_refresh(Refresh::Both);
    let mut lab = Lab::new(config);
    let mapped = lab.out(0);
    let (stranger, inside) = (lab.outside[2], lab.inside);
    lab.net.set_link_from(stranger.0, inside.0, LinkConfig::one_way(SECOND));
    lab.net.send(stranger, mapped, b"x");
    assert_eq!(lab.net.next_event(), Some(lab.net.now() + SECOND));
    lab.net.block(stranger.0, inside.0);
    lab.wait(20 * SECOND);
    assert_eq!(lab.net.counters().dropped_for(DropReason::Blocked), 1);
    // What was cut off has not refreshed the mapping.
    lab.wait(10 * SECOND);
    assert!(!lab.comes_in(0, mapped));
}

#[test]
fn a_mapping_for_tcp_lives_as_long_as_its_connection_lets_it() {
    let config = NatConfig::full_cone();
    let TcpLifetimes { established, transitory } = config.tcp_lifetimes;
    // Whether somebody listens, whether the connection is closed again, and how long strangers can connect (RFC 5382 REQ-5).
    for (listens, closes, lifetime) in
        [(false, false, transitory), (true, false, established), (true, true, transitory)]
    {
        for (wait, gets_in) in [(lifetime - Duration::from_nanos(1), true), (lifetime, false)] {
            let mut lab = Lab::new(config.clone());
            let [(server, at), (stranger, from)] = [lab.outside[0], lab.outside[2]];
            let (host, local) = lab.inside;
            lab.net.listen(host, local, StreamKind::Tcp).unwrap();
            if listens {
                lab.net.listen(server, at, StreamKind::Tcp).unwrap();
            }
            let stream = lab.net.connect(host, Some(local), at, StreamKind::Tcp).unwrap();
            lab.wait(Duration::ZERO);
            if closes {
                assert!(lab.net.close_stream(stream));
            }
            lab.wait(wait);
            let mapped = SocketAddr::new(lab.net.external_address(lab.nat).unwrap().into(), local.port());
            lab.net.connect(stranger, Some(from), mapped, StreamKind::Tcp).unwrap();
            let got_in = lab.net.advance_all(lab.net.now()).is_some();
            assert_eq!(got_in, gets_in, "listens {listens}, closes {closes}");
        }
    }
}

#[test]
fn a_connection_between_neighbours_is_no_matter_of_their_nat() {
    let config = NatConfig::full_cone();
    let transitory = config.tcp_lifetimes.transitory;
    let mut lab = Lab::new(config);
    let [(_, at), (stranger, from)] = [lab.outside[0], lab.outside[2]];
    let (host, local) = lab.inside;
    let (neighbour, _) = lab.neighbour(6000);
    lab.net.listen(host, local, StreamKind::Tcp).unwrap();
    // It makes a mapping. Nobody listens there.
    lab.net.connect(host, Some(local), at, StreamKind::Tcp).unwrap();
    lab.wait(Duration::ZERO);
    lab.net.connect(neighbour, None, local, StreamKind::Tcp).unwrap();
    lab.wait(transitory);
    let mapped = SocketAddr::new(lab.net.external_address(lab.nat).unwrap().into(), local.port());
    lab.net.connect(stranger, Some(from), mapped, StreamKind::Tcp).unwrap();
    assert_eq!(lab.net.advance_all(lab.net.now()), None);
}

#[test]
fn the_end_of_a_connection_from_before_a_reboot_is_not_that_of_another() {
    let mut lab = Lab::new(NatConfig::full_cone());
    let [(server, at), (_, from), (other, other_at)] = lab.outside;
    let (host, local) = lab.inside;
    lab.net.listen(host, local, StreamKind::Tcp).unwrap();
    lab.net.listen(server, at, StreamKind::Tcp).unwrap();
    lab.net.listen(other, other_at, StreamKind::Tcp).unwrap();
    let old = lab.net.connect(host, Some(local), at, StreamKind::Tcp).unwrap();
    lab.wait(SECOND);
    lab.net.reboot(lab.nat);
    lab.net.connect(host, Some(local), other_at, StreamKind::Tcp).unwrap();
    lab.wait(SECOND);
    assert!(lab.net.close_stream(old));
    lab.wait(TcpLifetimes::REQUIRED.transitory);
    let mapped = SocketAddr::new(lab.net.external_address(lab.nat).unwrap().into(), local.port());
    lab.net.connect(server, Some(from), mapped, StreamKind::Tcp).unwrap();
    assert!(lab.net.advance_all(lab.net.now()).is_some());
}
