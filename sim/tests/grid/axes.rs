//! The axes of a box, the two sides of a cell, and the presets by their names, as they are documented.

/// On what a mapping (RFC 4787 §4.1) or a filter (§5) depends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dependence {
    Independent,
    Address,
    AddressAndPort,
}

/// How external ports are chosen (RFC 4787 §4.2.1). Blocks have 512 ports, from the lowest on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ports {
    Preserving,
    Sequential(u16),
    Random,
    Block,
    Overloading,
}

/// Which external address an internal one gets (RFC 4787 §4.1). Paired ones are given in turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pooling {
    Paired,
    Arbitrary,
}

/// RFC 4787 §6.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hairpin {
    None,
    InternalSource,
    ExternalSource,
}

/// What a box lets out: everything, TCP, or TCP to port 443.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Firewall {
    Open,
    TcpOnly,
    WebOnly,
}

/// A box that hosts are behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Axes {
    pub(crate) mapping: Dependence,
    pub(crate) filtering: Dependence,
    pub(crate) ports: Ports,
    pub(crate) addresses: u16,
    pub(crate) pooling: Pooling,
    pub(crate) hairpin: Hairpin,
    pub(crate) firewall: Firewall,
}

/// Where the two sides are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// Each behind a box of its own.
    Apart,
    /// The same, and the left learns nothing of the right before the right has had time to check everything.
    ApartLate,
    /// Both behind the left's box.
    Same { isolated: bool },
}

/// The TURN server that both have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Relay {
    None,
    Udp,
    Tcp,
    Tls,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Case {
    pub(crate) left: Axes,
    pub(crate) right: Axes,
    pub(crate) place: Place,
    pub(crate) relay: Relay,
}

/// In the order of the grid.
pub(crate) const PRESETS: [(&str, Axes); 9] = [
    ("full_cone", FULL_CONE),
    ("address_restricted", Axes { filtering: Dependence::Address, ..FULL_CONE }),
    ("port_restricted", PORT_RESTRICTED),
    ("symmetric", SYMMETRIC),
    (
        "carrier_grade",
        Axes { ports: Ports::Block, addresses: 2, hairpin: Hairpin::ExternalSource, ..FULL_CONE },
    ),
    ("easy", Axes { hairpin: Hairpin::ExternalSource, ..PORT_RESTRICTED }),
    ("hard", Axes { ports: Ports::Sequential(2), ..SYMMETRIC }),
    ("corporate_udp_blocked", Axes { firewall: Firewall::TcpOnly, ..PORT_RESTRICTED }),
    ("https_only", Axes { firewall: Firewall::WebOnly, ..PORT_RESTRICTED }),
];

pub(crate) const FULL_CONE: Axes = Axes {
    mapping: Dependence::Independent,
    filtering: Dependence::Independent,
    ports: Ports::Preserving,
    addresses: 1,
    pooling: Pooling::Paired,
    hairpin: Hairpin::None,
    firewall: Firewall::Open,
};

pub(crate) const PORT_RESTRICTED: Axes = Axes { filtering: Dependence::AddressAndPort, ..FULL_CONE };

pub(crate) const SYMMETRIC: Axes =
    Axes { mapping: Dependence::AddressAndPort, ports: Ports::Random, ..PORT_RESTRICTED };

/// The axes of a preset.
pub(crate) fn axes(name: &str) -> Axes {
    let Some((_, axes)) = PRESETS.iter().find(|(known, _)| *known == name) else {
        unreachable!("no preset is called {name}")
    };
    *axes
}
