//! Mapping, filtering and hairpinning, on every combination of a NAT's axes, and with loss.

use core::time::Duration;

use floe_core::nat::{
    Access, FilteringBehaviour, Finding, HairpinBehaviour, MappingBehaviour, NatBehaviour, WhyUnknown,
};
use floe_sim::{Attachment, Filtering, Hairpin, LinkConfig, Mapping, NatConfig, Network, PortAssignment};

use crate::lab::{Lab, RTT};

const MAPPINGS: [(Mapping, MappingBehaviour); 3] = [
    (Mapping::EndpointIndependent, MappingBehaviour::EndpointIndependent),
    (Mapping::AddressDependent, MappingBehaviour::AddressDependent),
    (Mapping::AddressAndPortDependent, MappingBehaviour::AddressAndPortDependent),
];
const FILTERINGS: [(Filtering, FilteringBehaviour); 3] = [
    (Filtering::EndpointIndependent, FilteringBehaviour::EndpointIndependent),
    (Filtering::AddressDependent, FilteringBehaviour::AddressDependent),
    (Filtering::AddressAndPortDependent, FilteringBehaviour::AddressAndPortDependent),
];
const HAIRPINS: [(Hairpin, HairpinBehaviour); 3] = [
    (Hairpin::None, HairpinBehaviour::No),
    (Hairpin::InternalSource, HairpinBehaviour::InternalSource),
    (Hairpin::ExternalSource, HairpinBehaviour::ExternalSource),
];
const PORTS: [PortAssignment; 3] =
    [PortAssignment::Preserving, PortAssignment::Sequential { step: 2 }, PortAssignment::Random];

/// Every NAT of the axes, with what is to be found out of it.
fn nats() -> impl Iterator<Item = (NatConfig, Expected)> {
    let pairs = MAPPINGS.into_iter().flat_map(|m| FILTERINGS.map(|f| (m, f)));
    let all = pairs.flat_map(|(m, f)| HAIRPINS.map(|h| (m, f, h)));
    all.flat_map(|((mapping, m), (filtering, f), (hairpin, h))| {
        PORTS.map(|ports| {
            let nat = NatConfig::new(mapping, filtering).with_hairpin(hairpin).with_port_assignment(ports);
            // Neither socket knows the mapping that the other one sends from.
            let masked =
                m != MappingBehaviour::EndpointIndependent && f != FilteringBehaviour::EndpointIndependent;
            let hairpin = if masked { Finding::Unknown(WhyUnknown::Masked) } else { Finding::Known(h) };
            (
                nat,
                Expected {
                    mapping: m,
                    filtering: f,
                    hairpin,
                    preserved: ports == PortAssignment::Preserving,
                },
            )
        })
    })
}

#[derive(Clone, Copy)]
struct Expected {
    mapping: MappingBehaviour,
    filtering: FilteringBehaviour,
    hairpin: Finding<HairpinBehaviour>,
    preserved: bool,
}

impl Expected {
    fn check(&self, found: &NatBehaviour, what: &str) {
        assert_eq!(found.traits.access, Finding::Known(Access::Translated), "{what}");
        assert_eq!(found.traits.mapping, Finding::Known(self.mapping), "{what}");
        assert_eq!(found.traits.filtering, Finding::Known(self.filtering), "{what}");
        assert_eq!(found.traits.hairpin, self.hairpin, "{what}");
        assert_eq!(found.port_preserved, Finding::Known(self.preserved), "{what}");
        assert_eq!(found.rewrites_payload, Finding::Known(false), "{what}");
        assert_eq!(found.lifetime, Finding::Unknown(WhyUnknown::NotAsked), "{what}");
    }
}

#[test]
fn every_combination_is_found_out() {
    for (nat, expected) in nats() {
        let found = Lab::behind(1, nat.clone()).discover();
        expected.check(&found, &format!("{nat:?}"));
    }
}

#[test]
fn loss_both_ways_changes_no_result() {
    for (index, (nat, expected)) in nats().enumerate() {
        for (step, loss) in [(0, 0.1), (1, 0.2)] {
            for seed in 0..5 {
                let seed = 1000 * step + 100 * seed + index as u64;
                let mut lab = Lab::behind(seed, nat.clone());
                lab.net.set_link(LinkConfig::rtt(RTT).with_loss(loss));
                expected.check(&lab.discover(), &format!("seed {seed}, loss {loss}: {nat:?}"));
            }
        }
    }
}

#[test]
fn bad_links_change_no_result() {
    for (index, (nat, expected)) in nats().enumerate() {
        let mut lab = Lab::behind(index as u64, nat.clone());
        let link = LinkConfig::rtt(Duration::from_millis(400)).with_jitter(Duration::from_millis(150));
        lab.net.set_link(link.with_duplication(0.3).with_reordering(0.2, Duration::from_millis(700)));
        expected.check(&lab.discover(), &format!("{nat:?}"));
    }
}

#[test]
fn without_a_nat_the_filter_is_measured_still() {
    let mut lab = Lab::in_network(Network::seeded(3), 3, Attachment::Public);
    let found = lab.discover();
    assert_eq!(found.traits.access, Finding::Known(Access::Direct));
    assert_eq!(found.traits.mapping, Finding::Known(MappingBehaviour::EndpointIndependent));
    assert_eq!(found.traits.filtering, Finding::Known(FilteringBehaviour::EndpointIndependent));
    assert_eq!(found.traits.hairpin, Finding::Unknown(WhyUnknown::NotTranslated));
    assert_eq!(found.mapped, found.local);
}

/// Two questions, and two plain ones in the worst of cases: an open NAT is known after a handful of round trips.
#[test]
fn where_everything_is_answered_it_takes_no_waiting() {
    let mut lab = Lab::behind(4, NatConfig::full_cone().with_hairpin(Hairpin::ExternalSource));
    let start = lab.net.now();
    lab.discover();
    let took = lab.net.now().since(start);
    assert!(took < Duration::from_millis(1_000), "{took:?}");
    assert!(lab.sent <= 12, "{}", lab.sent);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = || {
        let mut lab = Lab::behind(5, NatConfig::symmetric());
        lab.net.set_link(LinkConfig::rtt(RTT).with_loss(0.2));
        lab.net.record(true);
        let found = lab.discover();
        (found, lab.net.log().to_vec())
    };
    assert!(run() == run());
}
