//! Peers that roam: interfaces of their hosts come and go while the agents live, as a driver would see it.

use core::net::{IpAddr, SocketAddr};

use floe_core::{Socket, SocketId};

use super::peer::STUN_SERVER;
use super::{PeerId, World};
use crate::{Attachment, Family, RouterConfig};

impl World {
    /// An interface of a peer goes down: it loses this address, its sockets there are closed, and its agent is told of each
    /// ([`socket_down`](floe_core::Agent::socket_down)). Signalling tells the other side of the candidates that are gone, unless
    /// [it does not](super::PeerSpec::without_signalled_removals).
    ///
    /// # Panics
    /// If the peer does not have the address.
    #[expect(clippy::expect_used, reason = "a scenario that is wrong ends")]
    pub fn interface_down(&mut self, peer: PeerId, address: IpAddr) {
        self.note(format!("{} loses {address}", self.peer(peer).name));
        let (now, host) = (self.clock(peer), self.host(peer));
        for (socket, local) in self.peer(peer).sockets_at(address) {
            // An address may be lost, come back and be lost again, with other sockets.
            if self.network.close(host, local) {
                self.agent(peer).socket_down(now, socket).expect("a socket that is up");
            }
        }
        for (socket, local) in self.peer(peer).carriers.listeners_at(address) {
            if self.network.unlisten(host, local) {
                self.agent(peer).socket_down(now, socket).expect("a socket that is up");
            }
        }
        assert!(self.network.remove_address(host, address), "the peer has no address {address}");
    }

    /// A new interface of a peer comes up: it gets a public address, and a socket there for each component, which its agent is told
    /// of ([`socket_up`](floe_core::Agent::socket_up)). The candidates are signalled as all of them.
    pub fn interface_up(&mut self, peer: PeerId) -> IpAddr {
        self.plug_in(peer, Attachment::Public)
    }

    /// The same at this place.
    pub fn interface_up_at(&mut self, peer: PeerId, place: Attachment) -> IpAddr {
        self.plug_in(peer, place)
    }

    /// The same behind a new router. The peer knows how that shows it to the world, as if a STUN server had told.
    ///
    /// # Panics
    /// If its agent takes no more candidates.
    #[expect(clippy::expect_used, reason = "a scenario that is wrong ends")]
    pub fn interface_up_behind(&mut self, peer: PeerId, router: impl Into<RouterConfig>) -> IpAddr {
        let router = self.network.add_router(Attachment::Public, router);
        let address = self.plug_in(peer, Attachment::Behind(router));
        let (now, host) = (self.clock(peer), self.host(peer));
        for (socket, local) in self.peer(peer).sockets_at(address) {
            if let Ok(mapped) = self.network.mapped_address(host, local, STUN_SERVER) {
                let agent = self.agent(peer);
                agent.add_server_reflexive(now, socket, mapped, STUN_SERVER).expect("room for a candidate");
            }
        }
        address
    }

    /// A peer loses its virtual relay, and nothing else. For the rest see [`Self::interface_down`].
    ///
    /// # Panics
    /// If it has none.
    #[expect(clippy::expect_used, reason = "a scenario that is wrong ends")]
    pub fn relay_down(&mut self, peer: PeerId) {
        self.note(format!("{} loses its relay", self.peer(peer).name));
        let (socket, (host, local)) = self.peer(peer).relay().expect("a virtual relay");
        let now = self.clock(peer);
        self.network.close(host, local);
        self.agent(peer).socket_down(now, socket).expect("a relay that is up");
    }

    #[expect(clippy::expect_used, reason = "a world without free ports is a fault of the test, and ends it")]
    fn plug_in(&mut self, peer: PeerId, place: Attachment) -> IpAddr {
        let (now, host) = (self.clock(peer), self.host(peer));
        let address = self.network.add_interface(host, place, Family::V4);
        self.note(format!("{} gets {address}", self.peer(peer).name));
        for component in self.agent(peer).components().to_vec() {
            let local = self.network.bind(host, Some(SocketAddr::new(address, 0))).expect("a free port");
            let id: SocketId = self.peer_mut(peer).add_socket(local);
            let socket = Socket::udp(id, local).component(component);
            self.agent(peer).socket_up(now, socket).expect("a new socket");
        }
        address
    }
}
