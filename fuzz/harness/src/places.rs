//! Addresses by number: one byte of the input names one, so that a mutation finds another that means something.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use floe_core::SocketId;

/// Where a datagram comes from or goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// Which socket of ours; see [`own`].
    pub socket: u8,
    /// Which address of theirs; see [`address`].
    pub remote: u8,
}

impl Place {
    /// The socket's name.
    pub fn socket_id(self) -> SocketId {
        SocketId(self.socket.into())
    }

    /// Their address.
    pub fn remote_address(self) -> SocketAddr {
        address(self.remote)
    }
}

/// An address of the peer, of a third party, or one that nobody should send to.
pub fn address(number: u8) -> SocketAddr {
    let last = u16::from(number);
    let v6 = |first| IpAddr::V6(Ipv6Addr::new(first, 0xdb8, 0, 0, 0, 0, 0, last));
    let (ip, port) = match number {
        0 => (v4([10, 0, 0, 2]), 5_000),
        1 => (v4([203, 0, 113, 7]), 40_000),
        2..160 => (v4([10, 1, 0, number]), 4_000),
        // One host with many ports.
        160..200 => (v4([192, 0, 2, 7]), 1_000 + last),
        200..230 => (v6(0x2001), 5_000),
        230..246 => (v6(0xfe80), 5_000),
        246 => (v4([10, 0, 0, 1]), 5_000),
        247 => (v4([127, 0, 0, 1]), 9),
        248 => (v4([0, 0, 0, 0]), 1),
        249 => (v4([255, 255, 255, 255]), u16::MAX),
        250 => (v4([224, 0, 0, 1]), 5_000),
        251 => (v4([10, 0, 0, 2]), 0),
        252 => (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 1),
        253 => (IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1)), 5_000),
        254 => (IpAddr::V6(Ipv4Addr::new(10, 0, 0, 2).to_ipv6_mapped()), 5_000),
        255 => (v6(0x2001), 0),
    };
    SocketAddr::new(ip, port)
}

/// What a socket of ours is bound to.
pub fn own(number: u8) -> SocketAddr {
    let last = u16::from(number);
    match number {
        0 => SocketAddr::new(v4([10, 0, 0, 1]), 5_000),
        1 => SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 1)), 5_000),
        2 => SocketAddr::new(v4([10, 0, 0, 1]), 5_001),
        3 => SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 1, 1)), 5_000),
        4..200 => SocketAddr::new(v4([10, 2, 0, number]), 5_000 + last),
        // The peer's, and those that are no transport address.
        200.. => address(number),
    }
}

fn v4(octets: [u8; 4]) -> IpAddr {
    Ipv4Addr::from(octets).into()
}
