//! The boxes that have a common name, NATs behind NATs, pools of addresses, and firewalls without a NAT.

use core::time::Duration;

use floe_core::nat::{
    Access, FilteringBehaviour as F, Finding, HairpinBehaviour as H, MappingBehaviour as M, NatBehaviour,
    WhyUnknown,
};
use floe_sim::{
    Attachment, Firewall, LinkConfig, NatConfig, Network, Pooling, PortAssignment, Preset, RouterConfig,
};

use crate::lab::{Lab, RTT};

/// Mapping, filter, hairpinning and whether the port is kept; `None` where UDP does not get out.
fn expected(preset: &Preset) -> Option<(M, F, Finding<H>, bool)> {
    let (one, each) = (M::EndpointIndependent, M::AddressAndPortDependent);
    let strict = F::AddressAndPortDependent;
    let masked = Finding::Unknown(WhyUnknown::Masked);
    Some(match preset.name {
        "full_cone" => (one, F::EndpointIndependent, Finding::Known(H::No), true),
        "address_restricted" => (one, F::AddressDependent, Finding::Known(H::No), true),
        "port_restricted" => (one, strict, Finding::Known(H::No), true),
        "easy" => (one, strict, Finding::Known(H::ExternalSource), true),
        "carrier_grade" => (one, F::EndpointIndependent, Finding::Known(H::ExternalSource), false),
        "symmetric" | "hard" => (each, strict, masked, false),
        "corporate_udp_blocked" | "https_only" => return None,
        other => panic!("what is {other}?"),
    })
}

fn check(found: &NatBehaviour, expected: Option<(M, F, Finding<H>, bool)>, what: &str) {
    let Some((mapping, filtering, hairpin, preserved)) = expected else {
        assert_eq!(found.traits.access, Finding::Known(Access::NoUdp), "{what}");
        assert_eq!(found.traits.mapping, Finding::Unknown(WhyUnknown::NoAnswer), "{what}");
        return;
    };
    assert_eq!(found.traits.access, Finding::Known(Access::Translated), "{what}");
    assert_eq!(found.traits.mapping, Finding::Known(mapping), "{what}");
    assert_eq!(found.traits.filtering, Finding::Known(filtering), "{what}");
    assert_eq!(found.traits.hairpin, hairpin, "{what}");
    assert_eq!(found.port_preserved, Finding::Known(preserved), "{what}");
}

fn behind(seed: u64, router: RouterConfig) -> Lab {
    let mut net = Network::seeded(seed);
    let router = net.add_router(Attachment::Public, router);
    Lab::in_network(net, seed, Attachment::Behind(router))
}

#[test]
fn every_preset_is_found_out_with_and_without_loss() {
    for preset in Preset::ALL {
        for (loss, seeds) in [(0.0, 1), (0.1, 20), (0.2, 20)] {
            for seed in 0..seeds {
                let mut lab = behind(seed, preset.router());
                lab.net.set_link(LinkConfig::rtt(RTT).with_loss(loss));
                check(
                    &lab.discover(),
                    expected(&preset),
                    &format!("{}, loss {loss}, seed {seed}", preset.name),
                );
            }
        }
    }
}

/// Of two NATs in a row, each axis shows the stricter one.
#[test]
fn nats_behind_nats_are_as_strict_as_the_stricter_one() {
    for inner in Preset::ALL {
        for outer in Preset::ALL {
            let mut net = Network::seeded(2);
            let outside = net.add_router(Attachment::Public, outer.router());
            let inside = net.add_router(Attachment::Behind(outside), inner.router());
            let found = Lab::in_network(net, 2, Attachment::Behind(inside)).discover();
            let what = format!("{} behind {}", inner.name, outer.name);
            match (expected(&inner), expected(&outer)) {
                (Some((m, f, ..)), Some((n, g, ..))) => {
                    assert_eq!(found.traits.mapping, Finding::Known(m.max(n)), "{what}");
                    assert_eq!(found.traits.filtering, Finding::Known(f.max(g)), "{what}");
                }
                _ => assert_eq!(found.traits.access, Finding::Known(Access::NoUdp), "{what}"),
            }
        }
    }
}

#[test]
fn a_stateful_firewall_is_no_nat_and_a_strict_filter() {
    let firewall = RouterConfig::default().with_firewall(Firewall::STATEFUL);
    let found = behind(3, firewall).discover();
    assert_eq!(found.traits.access, Finding::Known(Access::Direct));
    assert_eq!(found.traits.mapping, Finding::Known(M::EndpointIndependent));
    assert_eq!(found.traits.filtering, Finding::Known(F::AddressAndPortDependent));
    assert_eq!(found.traits.hairpin, Finding::Unknown(WhyUnknown::NotTranslated));
}

/// RFC 5780 §7.5: the server answers to another port of the address that asked, and here the sockets have different ones.
#[test]
fn arbitrary_pooling_leaves_the_lifetime_unknown_and_nothing_else() {
    let nat = NatConfig::port_restricted().with_addresses(8, Pooling::Arbitrary);
    let mut unknown = 0;
    for seed in 0..10 {
        let found = behind(seed, nat.clone().into()).with_lifetime(60, 5).discover();
        assert_eq!(found.traits.mapping, Finding::Known(M::EndpointIndependent), "{found:?}");
        assert_eq!(found.traits.filtering, Finding::Known(F::AddressAndPortDependent), "{found:?}");
        unknown += u32::from(found.lifetime == Finding::Unknown(WhyUnknown::SeveralAddresses));
    }
    assert!(unknown >= 7, "{unknown}");
}

/// It forgets all mappings while the filter is tried: the mapping is compared with a fresh one.
#[test]
fn a_nat_that_reboots_meanwhile_does_not_look_stricter() {
    let mut net = Network::seeded(5);
    let nat = NatConfig::port_restricted().with_port_assignment(PortAssignment::Random);
    let router = net.add_nat(nat);
    let mut lab = Lab::in_network(net, 5, Attachment::Behind(router));
    let mut rebooted = false;
    let found = lab.discover_with(|lab, elapsed| {
        if elapsed > Duration::from_secs(8) && !rebooted {
            rebooted = true;
            lab.net.reboot(router);
        }
    });
    assert!(rebooted);
    assert_eq!(found.traits.mapping, Finding::Known(M::EndpointIndependent));
    assert_eq!(found.traits.filtering, Finding::Known(F::AddressAndPortDependent));
}

/// RFC 5780 §3.6: MAPPED-ADDRESS is rewritten on its way, the masked one is not.
#[test]
fn a_payload_rewriting_box_is_told() {
    let found = Lab::behind(6, NatConfig::full_cone().with_payload_rewriting()).discover();
    assert_eq!(found.rewrites_payload, Finding::Known(true));
    assert_eq!(found.traits.mapping, Finding::Known(M::EndpointIndependent));
}
