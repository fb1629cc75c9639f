//! Who reaches whom: neighbours, private addresses, hairpins (RFC 4787 §6), and when NATs act on the way.

use core::net::{Ipv4Addr, SocketAddr};

use floe_sim::{Attachment, DropReason, Family, Filtering, Hairpin, LinkConfig, Mapping, NatConfig, Network};

use crate::lab::{FILTERINGS, Lab, SECOND, SEQUENTIAL, bind};

#[test]
fn neighbours_meet_by_hairpin_if_the_nat_has_it() {
    for (hairpin, filtering) in [Hairpin::None, Hairpin::InternalSource, Hairpin::ExternalSource]
        .into_iter()
        .flat_map(|hairpin| FILTERINGS.map(|filtering| (hairpin, filtering)))
    {
        let config = NatConfig::new(Mapping::EndpointIndependent, filtering).with_hairpin(hairpin);
        let mut lab = Lab::new(config);
        let neighbour = lab.neighbour(6000);
        let mapped = lab.out(0);
        let neighbour_mapped = lab.send(neighbour, lab.outside[0].1).unwrap();
        let is_open = filtering == Filtering::EndpointIndependent;
        let first = lab.send(neighbour, mapped);
        let second = lab.send(lab.inside, neighbour_mapped);
        let shown = match hairpin {
            Hairpin::None => [None, None],
            Hairpin::InternalSource => [Some(neighbour.1), Some(lab.inside.1)],
            Hairpin::ExternalSource => [Some(neighbour_mapped), Some(mapped)],
        };
        // A strict filter judges the first by its external source, to which nobody has sent yet.
        assert_eq!([first, second], [shown[0].filter(|_| is_open), shown[1]], "{hairpin:?} {filtering:?}");
        assert_eq!(lab.dropped(DropReason::NoHairpin), if hairpin == Hairpin::None { 2 } else { 0 });
    }
}

#[test]
fn neighbours_meet_by_their_private_addresses() {
    let mut lab = Lab::new(NatConfig::symmetric());
    let neighbour = lab.neighbour(6000);
    assert_eq!(lab.send(neighbour, lab.inside.1), Some(neighbour.1));
}

#[test]
fn a_private_address_means_something_behind_its_own_nat_only() {
    for overlapping in [false, true] {
        let config = NatConfig { overlapping, ..NatConfig::full_cone() };
        let mut lab = Lab::new(config.clone());
        let nat = lab.net.add_nat(config);
        let hosts = [(); 2].map(|()| lab.net.add_host(Attachment::Behind(nat)));
        let [twin, other] = hosts.map(|host| bind(&mut lab.net, host, 5001));
        assert_eq!(twin.1.ip() == lab.inside.1.ip(), overlapping);
        for (from, to) in [(lab.inside, other.1), (lab.outside[0], other.1), (other, lab.inside.1)] {
            // With overlap the last finds the twin's address, where nobody has bound that port.
            assert_eq!(lab.send(from, to), None);
        }
        let no_route = lab.net.counters().dropped_for(DropReason::NoRoute);
        let not_bound = lab.net.counters().dropped_for(DropReason::NotBound);
        assert_eq!((no_route, not_bound), if overlapping { (2, 1) } else { (3, 0) });
        // They do meet through the outside.
        let mapped = lab.out(0);
        assert!(lab.send(other, mapped).is_some());
    }
}

#[test]
fn a_private_address_of_elsewhere_costs_a_mapping_and_one_of_here_does_not() {
    let mut lab = Lab::new(NatConfig::symmetric().with_port_assignment(SEQUENTIAL).with_ports(2000..=2999));
    let next = |lab: &mut Lab, to: usize| (lab.out(to).port() - 2000 + 1000) % 1000;
    let first = next(&mut lab, 0);
    let local = SocketAddr::new([10, 0, 0, 200].into(), 9);
    assert_eq!(lab.send(lab.inside, local), None);
    assert_eq!(next(&mut lab, 1), (first + 2) % 1000);
    let elsewhere = SocketAddr::new([192, 168, 77, 1].into(), 9);
    assert_eq!(lab.send(lab.inside, elsewhere), None);
    assert_eq!(next(&mut lab, 2), (first + 6) % 1000);
}

#[test]
fn a_lost_datagram_has_opened_the_nat() {
    let mut lab = Lab::new(NatConfig::port_restricted());
    let mapped = lab.out(0);
    lab.net.set_link_from(lab.inside.0, lab.outside[2].0, LinkConfig::default().with_loss(1.0));
    assert_eq!(lab.send(lab.inside, lab.outside[2].1), None);
    assert_eq!(lab.net.counters().dropped_for(DropReason::Loss), 1);
    assert!(lab.comes_in(2, mapped));
}

#[test]
fn the_filter_judges_on_arrival() {
    let mut lab = Lab::new(NatConfig::port_restricted());
    let mapped = lab.out(0);
    lab.net.set_link(LinkConfig::one_way(SECOND));
    let stranger = lab.outside[2];
    lab.net.send(stranger, mapped, b"early");
    lab.net.send(lab.inside, stranger.1, b"opens");
    let got = [(); 2].map(|()| lab.net.advance(lab.net.now() + SECOND).map(|delivery| delivery.host));
    assert_eq!(got, [Some(lab.inside.0), Some(stranger.0)]);
}

#[test]
fn ipv6_passes_by_the_nat() {
    let mut lab = Lab::new(NatConfig::symmetric());
    let [inside, outside] = [lab.inside.0, lab.outside[0].0].map(|host| {
        let address = lab.net.add_address(host, Family::V6);
        (host, lab.net.bind(host, Some(SocketAddr::new(address, 7000))).unwrap())
    });
    assert_eq!(lab.send(inside, outside.1), Some(inside.1));
    assert_eq!(lab.send(outside, inside.1), Some(outside.1));
}

#[test]
fn a_nat_can_be_given_its_address_once() {
    let mut net = Network::seeded(1);
    let first = net.add_nat_at(Ipv4Addr::new(203, 0, 113, 1), NatConfig::full_cone()).unwrap();
    assert!(net.add_nat_at(Ipv4Addr::new(203, 0, 113, 1), NatConfig::full_cone()).is_err());
    let second = net.add_nat(NatConfig::full_cone());
    let [first, second] = [first, second].map(|nat| net.external_address(nat).unwrap());
    assert_eq!([first, second], [Ipv4Addr::new(203, 0, 113, 1), Ipv4Addr::new(203, 0, 113, 2)]);
}
