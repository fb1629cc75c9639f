//! Servers that cannot do everything, or stop in the middle: each result is right, or unknown with its reason.

use core::net::SocketAddr;
use core::time::Duration;

use floe_core::nat::{
    Access, DiscoveryConfig, FilteringBehaviour, Finding, HairpinBehaviour, MappingBehaviour, WhyUnknown,
};
use floe_sim::server::{Fault, Request, StunServer};
use floe_sim::{Hairpin, NatConfig};

use crate::lab::Lab;

#[test]
fn a_server_with_one_address_gives_a_partial_result() {
    let nat = NatConfig::full_cone().with_hairpin(Hairpin::ExternalSource);
    let mut lab = Lab::behind(1, nat);
    *lab.stun.server() = StunServer::new();
    let found = lab.discover();
    assert_eq!(found.traits.access, Finding::Known(Access::Translated));
    assert_eq!(found.traits.mapping, Finding::Unknown(WhyUnknown::NoOtherAddress));
    assert_eq!(found.traits.filtering, Finding::Unknown(WhyUnknown::NoOtherAddress));
    assert_eq!(found.traits.hairpin, Finding::Known(HairpinBehaviour::ExternalSource));
    assert_eq!(found.port_preserved, Finding::Known(true));
}

#[test]
fn an_other_address_that_does_not_answer_is_no_filter() {
    let mut lab = Lab::behind(2, NatConfig::full_cone());
    let other: SocketAddr = "198.51.100.77:9999".parse().unwrap();
    *lab.stun.server() = StunServer::with_other(lab.stun.address(), other).unwrap();
    let found = lab.discover();
    assert_eq!(found.traits.mapping, Finding::Unknown(WhyUnknown::OtherSilent));
    assert_eq!(found.traits.filtering, Finding::Unknown(WhyUnknown::OtherSilent));
}

#[test]
fn a_blocked_network_is_told_from_a_refusal() {
    let mut lab = Lab::behind(3, NatConfig::full_cone());
    let (server, host) = (lab.stun.host(), lab.host);
    lab.net.block(host, server);
    let found = lab.discover();
    assert_eq!(found.traits.access, Finding::Known(Access::NoUdp));
    assert_eq!(found.traits.mapping, Finding::Unknown(WhyUnknown::NoAnswer));
    assert_eq!(found.mapped, None);

    let mut lab = Lab::behind(3, NatConfig::full_cone());
    for _ in 0..8 {
        lab.stun.server().add_fault(Fault::next(Request::Binding).answered_with(401));
    }
    assert_eq!(lab.discover().traits.access, Finding::Unknown(WhyUnknown::Refused(401)));
}

/// The worst that could happen: silence of a dead server, taken for a strict filter.
#[test]
fn a_server_that_dies_half_way_makes_no_strict_nat() {
    for after in [100, 200, 500, 5_000] {
        let mut lab = Lab::behind(4, NatConfig::full_cone());
        let found = lab.discover_with(|lab, elapsed| {
            if elapsed >= Duration::from_millis(after) {
                let (server, host) = (lab.stun.host(), lab.host);
                lab.net.block(host, server);
            }
        });
        let filtering = found.traits.filtering;
        let gone = Finding::Unknown(WhyUnknown::ServerGone);
        let open = Finding::Known(FilteringBehaviour::EndpointIndependent);
        assert!(filtering == gone || filtering == open, "after {after} ms: {filtering:?}");
        let mapping = found.traits.mapping;
        let one = Finding::Known(MappingBehaviour::EndpointIndependent);
        assert!(mapping == one || matches!(mapping, Finding::Unknown(_)), "after {after} ms: {mapping:?}");
    }
}

#[test]
fn one_socket_is_enough_for_mapping_and_filter() {
    let mut lab = Lab::behind(5, NatConfig::symmetric()).with_lifetime(60, 5);
    let config = DiscoveryConfig { second: None, ..lab.config() };
    let found = lab.run(config, |_, _| {});
    assert_eq!(found.traits.mapping, Finding::Known(MappingBehaviour::AddressAndPortDependent));
    assert_eq!(found.traits.filtering, Finding::Known(FilteringBehaviour::AddressAndPortDependent));
    assert_eq!(found.traits.hairpin, Finding::Unknown(WhyUnknown::OneSocket));
    assert_eq!(found.lifetime, Finding::Unknown(WhyUnknown::OneSocket));
}
