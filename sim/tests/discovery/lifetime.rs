//! How long a mapping lives (RFC 5780 §4.6), whatever refreshes it.

use core::time::Duration;

use floe_core::nat::{Finding, LifetimeRange, WhyUnknown};
use floe_sim::{Filtering, LinkConfig, Mapping, NatConfig, PortAssignment, Refresh};

use crate::lab::{Lab, RTT};

const SECOND: Duration = Duration::from_secs(1);

fn range(lab: &mut Lab) -> LifetimeRange {
    let found = lab.discover();
    found.lifetime.known().unwrap_or_else(|| panic!("{found:?}"))
}

/// The bounds are true, and close.
fn check(range: LifetimeRange, lifetime: u64, what: &str) {
    let lifetime = SECOND * lifetime as u32;
    let most = range.at_most.unwrap_or_else(|| panic!("{what}: {range:?}"));
    // What comes back passes the NAT a little before it is here.
    assert!(range.at_least <= lifetime + RTT && lifetime <= most, "{what}: {range:?}");
    assert!(most - range.at_least <= 7 * SECOND, "{what}: {range:?}");
}

#[test]
fn every_lifetime_is_found_whatever_refreshes_it() {
    let mappings = [Mapping::EndpointIndependent, Mapping::AddressAndPortDependent];
    let filterings = [Filtering::EndpointIndependent, Filtering::AddressAndPortDependent];
    for refresh in [Refresh::Outbound, Refresh::Inbound, Refresh::Both] {
        for (mapping, filtering) in mappings.into_iter().flat_map(|m| filterings.map(|f| (m, f))) {
            for ports in [PortAssignment::Preserving, PortAssignment::Random] {
                for lifetime in [20, 60, 120, 250] {
                    let nat = NatConfig::new(mapping, filtering)
                        .with_lifetime(SECOND * lifetime as u32)
                        .with_refresh(refresh)
                        .with_port_assignment(ports);
                    let range = range(&mut Lab::behind(7, nat.clone()).with_lifetime(300, 5));
                    check(range, lifetime, &format!("{nat:?}"));
                }
            }
        }
    }
}

#[test]
fn loss_does_not_shorten_it() {
    for seed in 0..40 {
        let nat = NatConfig::port_restricted().with_refresh(Refresh::Both).with_lifetime(90 * SECOND);
        let mut lab = Lab::behind(seed, nat).with_lifetime(300, 5);
        lab.net.set_link(LinkConfig::rtt(RTT).with_loss(0.15));
        check(range(&mut lab), 90, &format!("seed {seed}"));
    }
}

#[test]
fn what_outlives_the_search_has_no_upper_bound() {
    let nat = NatConfig::symmetric().with_lifetime(1_000 * SECOND);
    let found = range(&mut Lab::behind(8, nat).with_lifetime(100, 5));
    assert!(found.at_least >= 95 * SECOND && found.at_most.is_none(), "{found:?}");
}

#[test]
fn a_server_that_answers_to_no_other_port_leaves_it_unknown() {
    let mut lab = Lab::behind(9, NatConfig::full_cone()).with_lifetime(300, 5);
    lab.stun.server().answer_other_ports(false);
    assert_eq!(lab.discover().lifetime, Finding::Unknown(WhyUnknown::Refused(420)));
}

#[test]
fn a_server_that_dies_in_between_makes_no_short_lifetime() {
    let nat = NatConfig::full_cone().with_lifetime(200 * SECOND);
    let mut lab = Lab::behind(10, nat).with_lifetime(300, 5);
    let found = lab.discover_with(|lab, elapsed| {
        if elapsed > 400 * SECOND {
            let (server, host) = (lab.stun.host(), lab.host);
            lab.net.block(host, server);
        }
    });
    assert_eq!(found.lifetime, Finding::Unknown(WhyUnknown::ServerGone));
    assert!(found.traits.mapping.known().is_some(), "what was known stays known");
}
