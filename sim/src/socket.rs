//! Which ports of which hosts are bound.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeSet;

use crate::address::HostId;

/// Why a socket could not be bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BindError {
    /// The host has no such address, or no address at all.
    NotAnAddress,
    /// The host has another socket there.
    InUse,
    /// Every ephemeral port of this address is bound.
    NoPortLeft,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAnAddress => "the host does not have this address",
            Self::InUse => "another socket is bound there",
            Self::NoPortLeft => "every ephemeral port of this address is bound",
        })
    }
}

impl core::error::Error for BindError {}

/// The bound sockets of all hosts.
#[derive(Default)]
pub(crate) struct Sockets {
    bound: BTreeSet<(HostId, SocketAddr)>,
    ephemeral: u16,
}

impl Sockets {
    /// Binds `port` of the address, or an ephemeral one if it is zero. The address is known to be the host's.
    pub(crate) fn bind(&mut self, host: HostId, ip: IpAddr, port: u16) -> Result<SocketAddr, BindError> {
        if port != 0 {
            let address = SocketAddr::new(ip, port);
            return if self.bound.insert((host, address)) { Ok(address) } else { Err(BindError::InUse) };
        }
        // One count for the whole world: in a small one, a port number tells the socket.
        for _ in 0..EPHEMERAL_COUNT {
            let address = SocketAddr::new(ip, FIRST_EPHEMERAL + self.ephemeral);
            self.ephemeral = (self.ephemeral + 1) % EPHEMERAL_COUNT;
            if self.bound.insert((host, address)) {
                return Ok(address);
            }
        }
        Err(BindError::NoPortLeft)
    }

    pub(crate) fn is_bound(&self, host: HostId, address: SocketAddr) -> bool {
        self.bound.contains(&(host, address))
    }

    pub(crate) fn close(&mut self, host: HostId, address: SocketAddr) -> bool {
        self.bound.remove(&(host, address))
    }

    pub(crate) fn close_all_at(&mut self, host: HostId, ip: IpAddr) {
        self.bound.retain(|(owner, address)| *owner != host || address.ip() != ip);
    }
}

/// The dynamic ports (RFC 6335 §6).
const FIRST_EPHEMERAL: u16 = 49152;
const EPHEMERAL_COUNT: u16 = 16384;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ephemeral_ports_run_out_and_are_never_given_twice() {
        let mut sockets = Sockets::default();
        let ip = IpAddr::from([192, 0, 2, 1]);
        for _ in 0..EPHEMERAL_COUNT {
            assert!(sockets.bind(HostId(0), ip, 0).is_ok());
        }
        assert_eq!(sockets.bind(HostId(0), ip, 0), Err(BindError::NoPortLeft));
        assert!(sockets.bind(HostId(1), ip, 0).is_ok());
        assert!(sockets.close(HostId(0), SocketAddr::new(ip, 50_000)));
        assert_eq!(sockets.bind(HostId(0), ip, 0), Ok(SocketAddr::new(ip, 50_000)));
    }
}
