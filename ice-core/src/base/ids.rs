//! Names for the things that an agent juggles. All are plain numbers and never reused, so that a
//! stale one finds nothing instead of the wrong thing.

use core::fmt;
use core::net::SocketAddr;

/// A socket (or anything else that carries datagrams), named by the driver.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct SocketId(pub u32);

impl SocketId {
    /// The names from here on are the agent's, for sockets that it asks for itself. Drivers name theirs below.
    pub const FIRST_OF_AGENT: Self = Self(1 << 31);

    /// Whether it is one that the agent has given.
    pub const fn is_of_agent(self) -> bool {
        self.0 >= Self::FIRST_OF_AGENT.0
    }
}

/// A byte stream (TCP, or TLS over it), named by the agent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StreamId(pub u32);

/// A network interface, named by the driver: the system's number for it, for instance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct InterfaceId(pub u32);

/// One component of one data stream (RFC 8445 §4): what a path is found for.
///
/// The default is component 1 of stream 0, which is all that most applications need.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ComponentId {
    /// The data stream, counted from 0 in the order of the session description.
    pub stream: u16,
    /// The component within the stream, 1 to 256 (RFC 8445 §5.1.2.1).
    pub component: u16,
}

impl ComponentId {
    /// Component 1 of stream 0.
    pub const FIRST: Self = Self { stream: 0, component: 1 };
}

impl Default for ComponentId {
    fn default() -> Self {
        Self::FIRST
    }
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.stream, self.component)
    }
}

/// A candidate pair, for as long as the agent lives: the generation's number and its own in one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PairId(pub u32);

impl PairId {
    /// Of which generation of its agent the pair is: 0 until the first restart (RFC 8445 §9).
    pub const fn generation(self) -> u16 {
        (self.0 >> Self::NUMBER_BITS) as u16
    }

    pub(crate) const fn first_of(generation: u16) -> Self {
        Self((generation as u32) << Self::NUMBER_BITS)
    }

    /// The next name of the same generation, if there is one.
    pub(crate) const fn next(self) -> Option<Self> {
        let next = Self(self.0.wrapping_add(1));
        if next.generation() == self.generation() { Some(next) } else { None }
    }

    /// After it the numbers begin anew: whoever had them is long gone.
    pub(crate) const LAST_GENERATION: u16 = 0xFFF;

    const NUMBER_BITS: u32 = 20;
}

impl fmt::Display for PairId {
    /// `#7`, and after a restart `#1.7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0 & ((1 << Self::NUMBER_BITS) - 1);
        match self.generation() {
            0 => write!(f, "#{number}"),
            generation => write!(f, "#{generation}.{number}"),
        }
    }
}

/// Where datagrams of one flow go: out of this socket to that address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tuple {
    /// Our end.
    pub socket: SocketId,
    /// The peer's transport address as we see it.
    pub remote: SocketAddr,
}
