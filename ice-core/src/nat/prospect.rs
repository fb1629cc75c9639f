//! What two NATs' behaviours say of a direct connection between server-reflexive candidates: a pure function, which plays out
//! what both sides would send. What is unknown is taken to be as friendly as can be, so that it never speaks against a pair.

use super::behaviour::{
    Access, FilteringBehaviour, Finding, HairpinBehaviour, MappingBehaviour, NatBehaviour, NatTraits,
};

/// Whether two sockets behind these NATs can meet at the addresses that servers have seen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Prospect {
    /// Nothing that is known speaks against it.
    Possible,
    /// Datagrams over UDP do not get out at all on our side.
    WeHaveNoUdp,
    /// Nor on the peer's.
    PeerHasNoUdp,
    /// Each mapping or filter waits for an address of the other side that nobody can know beforehand: at least one NAT maps us
    /// anew for each peer, and the other one lets in only whom it has sent to.
    NoCommonGround,
    /// Both are behind one address, and that NAT does not hairpin.
    NoHairpin,
}

/// Whether `ours` and `theirs` can meet at the addresses that servers have seen (RFC 4787 §4.1, §5, §6). Both are what was
/// measured at some time: a NAT may have become stricter, and another network may have taken its place.
pub fn prospect(ours: &NatBehaviour, theirs: &NatBehaviour) -> Prospect {
    let (us, them) = (&ours.traits, &theirs.traits);
    if us.access == Finding::Known(Access::NoUdp) {
        return Prospect::WeHaveNoUdp;
    }
    if them.access == Finding::Known(Access::NoUdp) {
        return Prospect::PeerHasNoUdp;
    }
    let is_same = |(a, b): (core::net::SocketAddr, core::net::SocketAddr)| a.ip() == b.ip();
    if ours.mapped.zip(theirs.mapped).is_some_and(is_same) {
        let none = Finding::Known(HairpinBehaviour::No);
        let is_dropped = us.hairpin == none || them.hairpin == none;
        return if is_dropped { Prospect::NoHairpin } else { Prospect::Possible };
    }
    if meet(Manner::of(us), Manner::of(them)) { Prospect::Possible } else { Prospect::NoCommonGround }
}

/// A NAT with what is unknown filled in.
#[derive(Clone, Copy)]
struct Manner {
    mapping: MappingBehaviour,
    filtering: FilteringBehaviour,
}

/// External ports of one side: 0 is the one that its server has seen, and others are made as the peer's are sent to. More than
/// these only ever come of a chase without end, in which each new port asks for another.
const PORTS: u8 = 4;

impl Manner {
    fn of(traits: &NatTraits) -> Self {
        Self {
            mapping: traits.mapping.known().unwrap_or(MappingBehaviour::EndpointIndependent),
            filtering: traits.filtering.known().unwrap_or(FilteringBehaviour::EndpointIndependent),
        }
    }

    /// From which port it sends to a port of the peer's.
    const fn port_towards(self, peer: u8) -> u8 {
        match self.mapping {
            MappingBehaviour::EndpointIndependent => 0,
            MappingBehaviour::AddressDependent => 1,
            MappingBehaviour::AddressAndPortDependent => 1 + peer,
        }
    }

    /// Whether what comes from a port of the peer's to one of its own is let in, when it has sent to those in `sent`.
    fn admits(self, own: u8, peer: u8, sent: Ports) -> bool {
        let opened = |to: u8| sent.has(to) && self.port_towards(to) == own;
        match self.filtering {
            FilteringBehaviour::EndpointIndependent => true,
            FilteringBehaviour::AddressDependent => (0..PORTS).any(opened),
            FilteringBehaviour::AddressAndPortDependent => opened(peer),
        }
    }
}

/// A set of ports.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ports(u8);

impl Ports {
    const fn has(self, port: u8) -> bool {
        port < PORTS && self.0 & (1 << port) != 0
    }

    fn add(&mut self, port: u8) {
        if port < PORTS {
            self.0 |= 1 << port;
        }
    }
}

/// Both send to where the other's server has seen it, and back to wherever something comes from (RFC 8445 §7.3.1.4), until nobody
/// learns anything new. They have met if each sends from where the other sends to.
fn meet(a: Manner, b: Manner) -> bool {
    let (mut of_b, mut of_a) = (Ports(1), Ports(1));
    loop {
        let before = (of_b, of_a);
        for port in (0..PORTS).filter(|&port| before.0.has(port)) {
            let from = a.port_towards(port);
            if b.admits(port, from, of_a) {
                of_a.add(from);
            }
        }
        for port in (0..PORTS).filter(|&port| before.1.has(port)) {
            let from = b.port_towards(port);
            if a.admits(port, from, of_b) {
                of_b.add(from);
            }
        }
        if before == (of_b, of_a) {
            break;
        }
    }
    let is_flow = |port: u8| {
        let from = a.port_towards(port);
        of_b.has(port) && of_a.has(from) && b.port_towards(from) == port
    };
    (0..PORTS).any(is_flow)
}

#[cfg(test)]
mod tests {
    use FilteringBehaviour as F;
    use MappingBehaviour as M;
    use alloc::string::String;

    use super::super::WhyUnknown;
    use super::*;

    const MAPPINGS: [M; 3] = [M::EndpointIndependent, M::AddressDependent, M::AddressAndPortDependent];
    const FILTERINGS: [F; 3] = [F::EndpointIndependent, F::AddressDependent, F::AddressAndPortDependent];

    fn nat(mapping: M, filtering: F, host: u8) -> NatBehaviour {
        let traits = NatTraits {
            access: Finding::Known(Access::Translated),
            mapping: Finding::Known(mapping),
            filtering: Finding::Known(filtering),
            hairpin: Finding::Known(HairpinBehaviour::No),
        };
        NatBehaviour::of_peer(([203, 0, 113, host], 4000).into(), traits)
    }

    /// All pairs of mapping and filtering. A row is one side's, a column the other's; `+` for can meet.
    #[test]
    fn what_can_meet_is_a_table() {
        let kinds = || MAPPINGS.into_iter().flat_map(|m| FILTERINGS.map(|f| (m, f)));
        let table: alloc::vec::Vec<String> = kinds()
            .map(|(m, f)| {
                let cell = |(n, g)| match prospect(&nat(m, f, 1), &nat(n, g, 2)) {
                    Prospect::Possible => '+',
                    Prospect::NoCommonGround => '.',
                    _ => '?',
                };
                kinds().map(cell).collect()
            })
            .collect();
        // Columns: mapping independent, by address, by address and port; within each the filter likewise.
        let expected = [
            "+++++++++", // full cone
            "+++++++++", // address-restricted cone
            "+++......", // port-restricted cone
            "++.++.++.", // mapping by address
            "++.+..+..",
            "++.......",
            "++.++....", // mapping by address and port
            "++.+.....",
            "++.......",
        ];
        assert_eq!(table, expected);
    }

    #[test]
    fn it_is_the_same_from_both_sides() {
        for (m, f) in MAPPINGS.into_iter().flat_map(|m| FILTERINGS.map(|f| (m, f))) {
            for (n, g) in MAPPINGS.into_iter().flat_map(|m| FILTERINGS.map(|f| (m, f))) {
                let (one, other) = (nat(m, f, 1), nat(n, g, 2));
                assert_eq!(prospect(&one, &other), prospect(&other, &one), "{m:?} {f:?} {n:?} {g:?}");
            }
        }
    }

    #[test]
    fn what_is_unknown_never_speaks_against_a_pair() {
        let strict = nat(M::AddressAndPortDependent, F::AddressAndPortDependent, 1);
        assert_eq!(prospect(&strict, &NatBehaviour::UNKNOWN), Prospect::Possible);
        let other = nat(M::AddressAndPortDependent, F::AddressAndPortDependent, 2);
        let mut half = strict;
        half.traits.filtering = Finding::Unknown(WhyUnknown::NoOtherAddress);
        assert_eq!(prospect(&half, &other), Prospect::NoCommonGround, "no filter would help here");
        half.traits.mapping = Finding::Unknown(WhyUnknown::NoOtherAddress);
        assert_eq!(prospect(&half, &other), Prospect::Possible);
    }

    #[test]
    fn udp_and_hairpinning_come_first() {
        let friendly = nat(M::EndpointIndependent, F::EndpointIndependent, 1);
        let mut blocked = NatBehaviour::UNKNOWN;
        blocked.traits.access = Finding::Known(Access::NoUdp);
        assert_eq!(prospect(&blocked, &friendly), Prospect::WeHaveNoUdp);
        assert_eq!(prospect(&friendly, &blocked), Prospect::PeerHasNoUdp);
        assert_eq!(prospect(&friendly, &friendly), Prospect::NoHairpin);
        let strict = nat(M::AddressAndPortDependent, F::AddressAndPortDependent, 1);
        let mut hairpins = strict;
        hairpins.traits.hairpin = Finding::Unknown(WhyUnknown::Masked);
        assert_eq!(prospect(&hairpins, &hairpins), Prospect::Possible);
    }
}
