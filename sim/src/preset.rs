//! The boxes that have a common name.

use crate::{NatConfig, RouterConfig};

/// A NAT, or a NAT with a firewall, by its common name.
///
/// | name | mapping | filtering | ports | external addresses | hairpin | mappings of UDP live | firewall |
/// |---|---|---|---|---|---|---|---|
/// | `full_cone` | endpoint-independent | endpoint-independent | preserved | 1 | none | 2 min | none |
/// | `address_restricted` | endpoint-independent | address-dependent | preserved | 1 | none | 2 min | none |
/// | `port_restricted` | endpoint-independent | address- and port-dependent | preserved | 1 | none | 2 min | none |
/// | `symmetric` | address- and port-dependent | address- and port-dependent | random | 1 | none | 2 min | none |
/// | `carrier_grade` | endpoint-independent | endpoint-independent | blocks of 512 | 2, paired | external source | 5 min | none |
/// | `easy` | endpoint-independent | address- and port-dependent | preserved | 1 | external source | 2 min | none |
/// | `hard` | address- and port-dependent | address- and port-dependent | sequential, by 2 | 1 | none | 2 min | none |
/// | `corporate_udp_blocked` | endpoint-independent | address- and port-dependent | preserved | 1 | none | 2 min | lets TCP and TLS out |
/// | `https_only` | endpoint-independent | address- and port-dependent | preserved | 1 | none | 2 min | lets TLS to port 443 out |
///
/// What goes out refreshes a mapping, in all of them, and what comes in does not; those of TCP live as RFC 5382 REQ-5 has it; who is
/// not let in is not told. Each axis can be changed: `NatConfig::easy().with_refresh(Refresh::Both)`.
///
/// ```
/// # use floe_sim::{Attachment, Network, Preset};
/// let mut net = Network::seeded(7);
/// for preset in Preset::ALL {
///     net.add_router(Attachment::Public, preset.router());
/// }
/// assert_eq!(Preset::named("hard").map(|preset| preset.name), Some("hard"));
/// assert_eq!(Preset::named("soft"), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Preset {
    /// Its common name, in the way of an identifier.
    pub name: &'static str,
    /// Its axes, in a line.
    pub summary: &'static str,
    which: Which,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Which {
    FullCone,
    AddressRestricted,
    PortRestricted,
    Symmetric,
    CarrierGrade,
    Easy,
    Hard,
    CorporateUdpBlocked,
    HttpsOnly,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self {
            name: "full_cone",
            summary: "one mapping for all remotes, anyone may send in",
            which: Which::FullCone,
        },
        Self {
            name: "address_restricted",
            summary: "one mapping for all remotes, addresses that were sent to may send in",
            which: Which::AddressRestricted,
        },
        Self {
            name: "port_restricted",
            summary: "one mapping for all remotes, addresses and ports that were sent to may send in",
            which: Which::PortRestricted,
        },
        Self {
            name: "symmetric",
            summary: "a mapping for each remote address and port, at random ports, only that one may send in",
            which: Which::Symmetric,
        },
        Self {
            name: "carrier_grade",
            summary: "one mapping for all remotes, anyone may send in, a block of ports for each subscriber, \
                      two external addresses, hairpins",
            which: Which::CarrierGrade,
        },
        Self { name: "easy", summary: "port_restricted that hairpins", which: Which::Easy },
        Self { name: "hard", summary: "symmetric with sequential ports", which: Which::Hard },
        Self {
            name: "corporate_udp_blocked",
            summary: "port_restricted with a firewall that lets no UDP through",
            which: Which::CorporateUdpBlocked,
        },
        Self {
            name: "https_only",
            summary: "port_restricted with a firewall that lets TLS to port 443 out and nothing else",
            which: Which::HttpsOnly,
        },
    ];

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name == name)
    }

    /// The box itself.
    pub fn router(&self) -> RouterConfig {
        match self.which {
            Which::FullCone => NatConfig::full_cone().into(),
            Which::AddressRestricted => NatConfig::address_restricted().into(),
            Which::PortRestricted => NatConfig::port_restricted().into(),
            Which::Symmetric => NatConfig::symmetric().into(),
            Which::CarrierGrade => NatConfig::carrier_grade().into(),
            Which::Easy => NatConfig::easy().into(),
            Which::Hard => NatConfig::hard().into(),
            Which::CorporateUdpBlocked => RouterConfig::corporate_udp_blocked(),
            Which::HttpsOnly => RouterConfig::https_only(),
        }
    }
}
