//! The axes on which NATs differ, each independent of the others.

use core::time::Duration;

/// Which flows of one internal address and port share an external port (RFC 4787 §4.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Mapping {
    /// All of them.
    EndpointIndependent,
    /// Those to the same remote address.
    AddressDependent,
    /// Those to the same remote address and port.
    AddressAndPortDependent,
}

/// Who may send in through a mapping (RFC 4787 §5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Filtering {
    /// Anyone.
    EndpointIndependent,
    /// Addresses that were sent to, from any of their ports.
    AddressDependent,
    /// Addresses and ports that were sent to.
    AddressAndPortDependent,
}

/// How the external port of a new mapping is chosen (RFC 4787 §4.2.1). No two mappings share an external address and
/// port, but for `Overloading`: if the first choice is taken, the next higher free port is used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PortAssignment {
    /// The internal port. With [`Pooling::Arbitrary`] it is looked for on the other external addresses too, before
    /// another port is taken.
    Preserving,
    /// The last one of the same external address plus `step`; the first is random.
    Sequential {
        /// The distance from one new mapping to the next. Zero counts as one.
        step: u16,
    },
    /// Any.
    Random,
    /// Any of a contiguous block that belongs to the internal address alone, as in carriers' NATs (RFC 6888 §4, RFC 7422).
    /// Blocks are given out from the lowest port, and kept until a reboot. Where a block is full, or no whole
    /// one is left, nothing more is mapped.
    Block {
        /// Ports in a block. Zero counts as one.
        size: u16,
    },
    /// The internal port, whoever else has it, and whether or not it is one of those that may be used. What comes in belongs to
    /// the mapping that sent last to that very address and port; if none did, to that address; and if none did that, to the
    /// mapping that sent last. So when two hosts send from the same port to the same remote, only the later one is
    /// answered (which is why RFC 4787 REQ-3 forbids it).
    Overloading,
}

/// Which external address a new mapping gets, if there are several (RFC 4787 §4.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Pooling {
    /// An internal address always has the same, for UDP and TCP alike; that after it has the next. Where its ports have run out,
    /// nothing more is mapped, whatever the others have left (REQ-2).
    Paired,
    /// Any; if it has no port left, the next that has one.
    Arbitrary,
}

/// What becomes of a datagram from the inside to an external address of the NAT itself (RFC 4787 §6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Hairpin {
    /// It is dropped.
    None,
    /// It comes back in and shows the sender's internal address. The filter still judges it by
    /// the sender's external one.
    InternalSource,
    /// It comes back in and shows the sender's external address, as RFC 4787 REQ-9 wants it.
    ExternalSource,
}

/// Which datagrams restart the lifetime of a mapping (RFC 4787 §4.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Refresh {
    /// Those that go out.
    Outbound,
    /// Those that come in, past the filter.
    Inbound,
    /// Both.
    Both,
}

/// How long a connection of TCP is known that is idle, and its mapping lives (RFC 5382 §5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TcpLifetimes {
    /// One that both sides have opened, counted from its last segment, either way. A mapping lives as long while it has one.
    pub established: Duration,
    /// One that is being opened, or has been closed: what was sent before may have to be sent again.
    pub transitory: Duration,
}

impl TcpLifetimes {
    /// The least that RFC 5382 REQ-5 allows: 2 hours 4 minutes, and 4 minutes.
    pub const REQUIRED: Self =
        Self { established: Duration::from_secs(7_440), transitory: Duration::from_secs(240) };
}

/// How a datagram that is not let in is answered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DatagramRefusal {
    /// Not at all.
    Silent,
    /// By ICMP, with "port unreachable".
    Unreachable,
}

/// How a request to connect that is not let in is answered (RFC 5382 §4.3). Who is told gives up, even if the other side is
/// about to connect likewise, which is why RFC 5382 REQ-4 wants six seconds of patience.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SynRefusal {
    /// Not at all.
    Silent,
    /// By ICMP, with "port unreachable".
    Unreachable {
        /// How long the NAT waits for a request in the other direction, which makes it say nothing.
        after: Duration,
    },
    /// By a TCP reset.
    Reset {
        /// How long the NAT waits for a request in the other direction, which makes it say nothing.
        after: Duration,
    },
}
