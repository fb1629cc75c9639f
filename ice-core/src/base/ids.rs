//! Names for the things that an agent juggles. All are plain numbers and never reused, so that a
//! stale one finds nothing instead of the wrong thing.

use core::fmt;
use core::net::SocketAddr;

/// A socket (or anything else that carries datagrams), named by the driver.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct SocketId(pub u32);

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

/// A candidate pair, for as long as the agent lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PairId(pub u32);

impl fmt::Display for PairId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
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
