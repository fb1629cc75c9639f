//! What is known of a NAT, on the axes of RFC 4787, and why the rest is not. It says nothing of how it was found out.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

/// Something that was measured, or why it was not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Finding<T> {
    /// It was like this when it was measured (RFC 5780 §4: an upper bound on how friendly the NAT is).
    Known(T),
    /// It could not be measured.
    Unknown(WhyUnknown),
}

impl<T: Copy> Finding<T> {
    /// The value, if it is known.
    pub const fn known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }
}

/// Why a test has no result.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum WhyUnknown {
    /// The test was not asked for.
    NotAsked,
    /// It is still to come, or under way.
    NotYet,
    /// The discovery was stopped before the test was through.
    Stopped,
    /// The server has not answered over UDP.
    NoAnswer,
    /// The server answered with this error code (RFC 8489 §14.8): 420 where it does not have what the test needs.
    Refused(u16),
    /// The server's answer names no XOR-MAPPED-ADDRESS.
    NoMappedAddress,
    /// The server has no OTHER-ADDRESS: it has one address only (RFC 5780 §4.3).
    NoOtherAddress,
    /// Its OTHER-ADDRESS is not another address and port of the same family.
    OtherAddressUnusable,
    /// The server answers at its first address, but not at the other ones.
    OtherSilent,
    /// CHANGE-REQUEST or RESPONSE-PORT was ignored: the answer came from, or to, where it always does.
    Ignored,
    /// The server answered at first, and then no more.
    ServerGone,
    /// The test takes a second socket, and there was none, or it got no answer.
    OneSocket,
    /// There is no NAT to be measured.
    NotTranslated,
    /// The mapping and the filter hide it: what was sent could not have come back either way.
    Masked,
    /// The NAT gives our sockets different addresses, and the server can answer to one of them only.
    SeveralAddresses,
    /// Time jumped: the questions were not asked as often as their silence would have to mean something.
    Interrupted,
}

impl fmt::Display for WhyUnknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAsked => "it was not asked for",
            Self::NotYet => "it is not measured yet",
            Self::Stopped => "the measurement was stopped",
            Self::NoAnswer => "the server did not answer",
            Self::Refused(420) => "the server does not support the test",
            Self::Refused(code) => return write!(f, "the server refused with error {code}"),
            Self::NoMappedAddress => "the server's answer names no address",
            Self::NoOtherAddress => "the server has one address only",
            Self::OtherAddressUnusable => "the server's other address is none",
            Self::OtherSilent => "the server does not answer at its other address",
            Self::Ignored => "the server ignored what the test asks for",
            Self::ServerGone => "the server stopped answering",
            Self::OneSocket => "it takes two sockets that get answers",
            Self::NotTranslated => "there is no NAT",
            Self::Masked => "the mapping and the filter hide it",
            Self::SeveralAddresses => "the NAT gives our sockets different addresses",
            Self::Interrupted => "the measurement was interrupted",
        })
    }
}

/// How the way to the server is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Access {
    /// The server sees the socket at its own address: no NAT, though perhaps a firewall that filters.
    Direct,
    /// The server sees another address.
    Translated,
    /// No answer came over UDP at all: it is blocked. A server that is down looks the same (RFC 5780 §4.2).
    NoUdp,
}

/// Which flows of a socket share an external address and port (RFC 4787 §4.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MappingBehaviour {
    /// All of them.
    EndpointIndependent,
    /// Those to the same address.
    AddressDependent,
    /// Those to the same address and port.
    AddressAndPortDependent,
}

/// Who may send in through a mapping (RFC 4787 §5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FilteringBehaviour {
    /// Anyone.
    EndpointIndependent,
    /// Addresses that were sent to, from any port.
    AddressDependent,
    /// Addresses and ports that were sent to.
    AddressAndPortDependent,
}

/// What becomes of a datagram that is sent from behind the NAT to another mapping of it (RFC 4787 §6).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HairpinBehaviour {
    /// It does not arrive.
    No,
    /// It arrives, and shows the sender's internal address.
    InternalSource,
    /// It arrives, and shows the sender's mapping, as RFC 4787 REQ-9 wants it.
    ExternalSource,
}

/// How long a mapping lives without traffic.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LifetimeRange {
    /// It was still there after this time.
    pub at_least: Duration,
    /// It was gone after this time; `None` if it outlived the longest that was tried.
    pub at_most: Option<Duration>,
}

/// The axes that decide whether two NATs can meet: what an application may signal of its own NAT.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct NatTraits {
    /// The way to the server.
    pub access: Finding<Access>,
    /// RFC 5780 §4.3.
    pub mapping: Finding<MappingBehaviour>,
    /// RFC 5780 §4.4.
    pub filtering: Finding<FilteringBehaviour>,
    /// RFC 5780 §3.4.
    pub hairpin: Finding<HairpinBehaviour>,
}

impl NatTraits {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self {
        access: Finding::Unknown(WhyUnknown::NotAsked),
        mapping: Finding::Unknown(WhyUnknown::NotAsked),
        filtering: Finding::Unknown(WhyUnknown::NotAsked),
        hairpin: Finding::Unknown(WhyUnknown::NotAsked),
    };
}

impl Default for NatTraits {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

/// What a [`Discovery`](super::Discovery) has found of one socket's way to one server. It holds for the moment, the port and the
/// server (RFC 5780 §1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct NatBehaviour {
    /// The address of the socket that was measured.
    pub local: Option<SocketAddr>,
    /// Where the server saw it.
    pub mapped: Option<SocketAddr>,
    /// What decides who can be met.
    pub traits: NatTraits,
    /// RFC 5780 §4.6.
    pub lifetime: Finding<LifetimeRange>,
    /// Whether the mapping has the socket's own port (RFC 4787 §4.2.1).
    pub port_preserved: Finding<bool>,
    /// Whether something on the way rewrites addresses in payloads (RFC 5780 §3.6).
    pub rewrites_payload: Finding<bool>,
}

impl NatBehaviour {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self {
        local: None,
        mapped: None,
        traits: NatTraits::UNKNOWN,
        lifetime: Finding::Unknown(WhyUnknown::NotAsked),
        port_preserved: Finding::Unknown(WhyUnknown::NotAsked),
        rewrites_payload: Finding::Unknown(WhyUnknown::NotAsked),
    };

    /// What the peer has signalled of its NAT: where its server saw it, and the axes.
    pub const fn of_peer(mapped: SocketAddr, traits: NatTraits) -> Self {
        Self { mapped: Some(mapped), traits, ..Self::UNKNOWN }
    }
}

impl Default for NatBehaviour {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

impl fmt::Display for NatTraits {
    /// In words that follow "our NAT" or "the peer's NAT": what it maps, and whom it lets in.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.access, self.mapping) {
            (Finding::Known(Access::NoUdp), _) => return f.write_str("lets no UDP through"),
            (Finding::Known(Access::Direct), _) => f.write_str("is a firewall at the most")?,
            (_, Finding::Known(mapping)) => write!(f, "maps each socket to {mapping}")?,
            (_, Finding::Unknown(why)) => write!(f, "maps in an unknown way ({why})")?,
        }
        match self.filtering {
            Finding::Known(filtering) => write!(f, " and lets in {filtering}"),
            Finding::Unknown(why) => write!(f, "; whom it lets in is unknown ({why})"),
        }
    }
}

impl fmt::Display for MappingBehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EndpointIndependent => "one address and port for all",
            Self::AddressDependent => "another port for each address",
            Self::AddressAndPortDependent => "another port for each address and port",
        })
    }
}

impl fmt::Display for FilteringBehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EndpointIndependent => "anyone",
            Self::AddressDependent => "only addresses that were sent to",
            Self::AddressAndPortDependent => "only addresses and ports that were sent to",
        })
    }
}

impl fmt::Display for HairpinBehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::No => "two hosts behind it do not meet through it",
            Self::InternalSource => {
                "two hosts behind it meet through it, and see each other's internal addresses"
            }
            Self::ExternalSource => "two hosts behind it meet through it",
        })
    }
}

impl fmt::Display for LifetimeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at_most {
            Some(most) => {
                let rounded_up = most.as_secs() + u64::from(most.subsec_nanos() > 0);
                write!(f, "{} to {rounded_up} s", self.at_least.as_secs())
            }
            None => write!(f, "{} s or more", self.at_least.as_secs()),
        }
    }
}

impl fmt::Display for NatBehaviour {
    /// One line for each thing that was asked for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.traits.access {
            Finding::Known(Access::NoUdp) => {
                return f.write_str("no answer came over UDP: it is blocked, or the server is down");
            }
            Finding::Unknown(why) => return write!(f, "nothing is known of the NAT: {why}"),
            Finding::Known(Access::Direct) => f.write_str("there is no NAT on the way to the server")?,
            Finding::Known(Access::Translated) => match self.traits.mapping {
                Finding::Known(mapping) => write!(f, "the NAT maps a socket to {mapping}")?,
                Finding::Unknown(why) => write!(f, "there is a NAT; how it maps is unknown: {why}")?,
            },
        }
        let NatTraits { filtering, hairpin, .. } = self.traits;
        match filtering {
            Finding::Known(filtering) => write!(f, "\nit lets in {filtering}")?,
            Finding::Unknown(WhyUnknown::NotAsked) => {}
            Finding::Unknown(why) => write!(f, "\nwhom it lets in is unknown: {why}")?,
        }
        match hairpin {
            Finding::Known(hairpin) => write!(f, "\n{hairpin}")?,
            Finding::Unknown(WhyUnknown::NotAsked | WhyUnknown::NotTranslated) => {}
            Finding::Unknown(why) => {
                write!(f, "\nwhether two hosts behind it meet through it is unknown: {why}")?;
            }
        }
        if let (Finding::Known(preserved), Finding::Known(Access::Translated)) =
            (self.port_preserved, self.traits.access)
        {
            f.write_str(if preserved { "\nthe port is kept" } else { "\nthe port is another one" })?;
        }
        if self.rewrites_payload == Finding::Known(true) {
            f.write_str("\nsomething on the way rewrites addresses within datagrams")?;
        }
        match self.lifetime {
            Finding::Known(lifetime) => write!(f, "\na mapping lives {lifetime} without traffic"),
            Finding::Unknown(WhyUnknown::NotAsked) => Ok(()),
            Finding::Unknown(why) => write!(f, "\nhow long a mapping lives is unknown: {why}"),
        }
    }
}
