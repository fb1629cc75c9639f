//! Local candidates that the application knows of besides its sockets' own.

use core::net::{IpAddr, SocketAddr};

use super::{Agent, Life};
use crate::base::{Instant, SocketId};
use crate::gather::SocketError;

impl Agent {
    /// The application knows that `server` sees `socket` as `address`: a server-reflexive candidate
    /// (RFC 8445 §5.1.1.2). One that is redundant (§5.1.3), or that
    /// [`local_filter`](super::AgentConfig::local_filter) does not let through, is ignored. It may come at any time,
    /// before and after other candidates have been signalled.
    ///
    /// # Errors
    /// If the socket is not up, or the address cannot be its candidate.
    pub fn add_server_reflexive(
        &mut self,
        now: Instant,
        socket: SocketId,
        address: SocketAddr,
        server: SocketAddr,
    ) -> Result<(), SocketError> {
        self.add_reflexive(now, socket, address, Some(server.ip()))
    }

    /// The application knows that what is sent to `address` reaches `socket`, without having asked a STUN server: a
    /// 1:1 NAT, or a port mapping made by hand or by PCP, NAT-PMP or UPnP. It is signalled as a server-reflexive
    /// candidate. Otherwise as [`add_server_reflexive`](Self::add_server_reflexive).
    ///
    /// # Errors
    /// If the socket is not up, or the address cannot be its candidate.
    pub fn add_mapped(
        &mut self,
        now: Instant,
        socket: SocketId,
        address: SocketAddr,
    ) -> Result<(), SocketError> {
        self.add_reflexive(now, socket, address, None)
    }

    fn add_reflexive(
        &mut self,
        now: Instant,
        socket: SocketId,
        address: SocketAddr,
        server: Option<IpAddr>,
    ) -> Result<(), SocketError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(SocketError::Ended);
        }
        self.gather();
        let added = self.gatherer.add_reflexive(&mut self.candidates, socket, address, server)?;
        if let Some(base) = added.lent {
            let (checks, mut cx) = self.checks_and_context();
            checks.on_local_candidate(&mut cx, base);
        }
        if let Some(id) = added.announced {
            self.announce(id);
        }
        Ok(())
    }
}
