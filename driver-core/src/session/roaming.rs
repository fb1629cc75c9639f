//! What changes around a session while it lives: sockets come and go with the host's addresses, servers are added, and the
//! application knows how its data does.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use floe_core::server::IceServer;
use floe_core::{
    CandidateFilter, ComponentId, Profile, ServerError, Socket, SocketError, SocketId, TurnServer,
};

use super::Session;
use crate::error::{Unused, UnusedReason};
use crate::interfaces::{self, Selection, Usable};
use crate::shared::{Life, State};
use crate::socket::{self, Origin, Port};
use crate::{AsyncDatagram, Runtime};

/// What has changed in a session because the host's addresses have: see [`Session::follow_interfaces`].
#[derive(Debug, Default)]
pub struct Followed {
    /// Where sockets were bound.
    pub up: Vec<SocketAddr>,
    /// Where sockets were closed.
    pub down: Vec<SocketAddr>,
    /// What is not used, and why.
    pub unused: Vec<Unused>,
}

impl<R: Runtime> Session<R> {
    /// The UDP sockets that are open, and where they are bound; without the listeners beside them, and without those that the engine has asked for to reach its servers.
    pub fn sockets(&self) -> Vec<(SocketId, SocketAddr)> {
        self.shared().with(|state| {
            let ours = state.ports.iter().filter(|port| port.origin() != Origin::Engine);
            ours.map(|port| (port.id(), port.local())).collect()
        })
    }

    /// Binds one more UDP socket, and a listener beside it if [`Config::tcp`](crate::Config::tcp) says so, whatever the policy says: to an address of this host, port 0 for any. What candidates come of it
    /// is told by events.
    ///
    /// # Errors
    /// If it cannot be bound, or cannot be a candidate, or the session has ended. The session goes on as it was.
    pub fn socket_up(&self, address: SocketAddr) -> Result<SocketId, UnusedReason> {
        self.shared().with(|state| state.open(&self.handle.runtime, address, Origin::Application))
    }

    /// Closes a socket, with the listener beside it and the connections of that; or only these, by the listener's name, which a
    /// [`Path`](floe_core::Path) over TCP has. Its candidates are taken back by events, and if it carried the data, the best path that is left does:
    /// see [`Agent::socket_down`](floe_core::Agent::socket_down).
    ///
    /// # Errors
    /// If there is no such socket, or the session has ended.
    pub fn socket_down(&self, socket: SocketId) -> Result<(), SocketError> {
        self.shared().with(|state| state.close(socket))
    }

    /// Another filter for our own candidates, as from relay only to everything: see
    /// [`Agent::set_local_filter`](floe_core::Agent::set_local_filter).
    ///
    /// # Errors
    /// If the session has ended.
    pub fn set_local_filter(&self, filter: CandidateFilter) -> Result<(), SocketError> {
        self.shared().command(|agent, now| agent.set_local_filter(now, filter))
    }

    /// Asks these servers too, whose names are looked up: see [`Agent::add_ice_server`](floe_core::Agent::add_ice_server). To be
    /// told before anybody asks, they are given when the session is bound ([`Config::servers`](crate::Config::servers)).
    ///
    /// # Errors
    /// If they cannot be asked.
    pub fn add_ice_server(&self, server: &IceServer) -> Result<(), ServerError> {
        self.shared().command(|agent, now| agent.add_ice_server(now, server))
    }

    /// Asks this STUN server for server-reflexive candidates: see [`Agent::add_stun_server`](floe_core::Agent::add_stun_server).
    ///
    /// # Errors
    /// If it cannot be asked.
    pub fn add_stun_server(&self, server: SocketAddr) -> Result<(), ServerError> {
        self.shared().command(|agent, now| agent.add_stun_server(now, server))
    }

    /// Asks this TURN server for relayed candidates: see [`Agent::add_turn_server`](floe_core::Agent::add_turn_server). Over TLS, it
    /// has to show a certificate that [`Config::tls`](crate::Config::tls) trusts.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub fn add_turn_server(&self, server: TurnServer) -> Result<(), ServerError> {
        self.shared().command(|agent, now| agent.add_turn_server(now, server))
    }

    /// The host's addresses may have changed: binds those that the session's [`InterfacePolicy`](crate::InterfacePolicy) now
    /// allows besides, then closes the sockets of those that it does not any more. What was bound by
    /// [`socket_up`](Self::socket_up) stays. Call it when the system tells of a change, or now and then.
    ///
    /// It asks the system for its interfaces, which takes about a millisecond and does not yield. If the system does not tell, or
    /// the session has ended, nothing changes.
    pub fn follow_interfaces(&self) -> Followed {
        let interfaces = interfaces::of_this_host();
        if interfaces.is_empty() {
            return Followed::default();
        }
        self.shared().with(|state| {
            let selection = interfaces::select(&interfaces, &state.policy);
            state.follow(&self.handle.runtime, selection)
        })
    }

    /// The application has had an answer of its own over the path: see [`Agent::note_alive`](floe_core::Agent::note_alive).
    pub fn note_alive(&self) {
        self.shared().command(|agent, now| agent.note_alive(now, ComponentId::FIRST));
    }

    /// The application misses its answers: see [`Agent::note_trouble`](floe_core::Agent::note_trouble).
    pub fn note_trouble(&self) {
        self.shared().command(|agent, now| agent.note_trouble(now, ComponentId::FIRST));
    }

    /// How closely paths are watched from now on: see [`Agent::set_profile`](floe_core::Agent::set_profile).
    pub fn set_profile(&self, profile: Profile) {
        self.shared().command(|agent, now| agent.set_profile(now, profile));
    }

    /// How closely paths are watched at this moment.
    pub fn profile(&self) -> Profile {
        self.shared().with(|state| state.agent.profile())
    }
}

impl<R: Runtime> State<R> {
    /// Binds what is selected and not bound, and closes what is not selected any more.
    pub(super) fn follow(&mut self, runtime: &R, selection: Selection) -> Followed {
        if self.life != Life::Open {
            return Followed::default();
        }
        let mut followed = Followed {
            unused: selection.skipped.into_iter().map(Unused::from).collect(),
            ..Default::default()
        };
        for Usable { interface, address } in &selection.usable {
            let is_there = |port: &Port<R::Socket>| {
                port.origin() != Origin::Engine && place(port.local()) == place(*address)
            };
            if self.ports.iter().any(is_there) {
                continue;
            }
            match self.open(runtime, *address, Origin::Policy) {
                Ok(id) => followed.up.extend(self.port(id).map(|port| port.local())),
                Err(reason) => {
                    tracing::debug!(target: "floe", %address, %reason, "address not used");
                    followed.unused.push(Unused {
                        interface: interface.clone(),
                        address: address.ip(),
                        reason,
                    });
                }
            }
        }
        let is_gone = |port: &&Port<R::Socket>| {
            port.origin() == Origin::Policy
                && !selection.usable.iter().any(|usable| place(usable.address) == place(port.local()))
        };
        let gone: Vec<_> = self.ports.iter().filter(is_gone).map(|port| (port.id(), port.local())).collect();
        for (id, local) in gone {
            if self.close(id).is_ok() {
                followed.down.push(local);
            }
        }
        followed
    }

    /// Opens a socket and tells the engine of it.
    fn open(&mut self, runtime: &R, address: SocketAddr, origin: Origin) -> Result<SocketId, UnusedReason> {
        if self.life != Life::Open {
            return Err(UnusedReason::Engine(SocketError::Ended));
        }
        let register = || {
            let socket = runtime.register(socket::open(address)?)?;
            let bound = socket.local_addr()?;
            Ok((Arc::new(socket), bound))
        };
        let (socket, bound) = register().map_err(UnusedReason::Socket)?;
        let (id, now) = (self.fresh_socket_id(), self.now());
        let up = Socket::udp(id, socket::without_zone(bound));
        self.agent.socket_up(now, up).map_err(UnusedReason::Engine)?;
        self.ports.push(Port::new(id, socket, bound, origin));
        self.on_ports_changed();
        if self.tcp {
            self.listen_beside(runtime, id);
        }
        Ok(id)
    }

    /// Tells the engine that a socket is gone, and closes it.
    fn close(&mut self, socket: SocketId) -> Result<(), SocketError> {
        if self.life != Life::Open {
            return Err(SocketError::Ended);
        }
        let now = self.now();
        self.agent.socket_down(now, socket)?;
        self.ports.retain(|port| port.id() != socket);
        self.close_listeners(socket);
        self.on_ports_changed();
        Ok(())
    }
}

/// What makes two sockets the same to a policy: the address, and on which link it is.
fn place(address: SocketAddr) -> (IpAddr, u32) {
    match address {
        SocketAddr::V6(v6) => (address.ip(), v6.scope_id()),
        SocketAddr::V4(_) => (address.ip(), 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Puppet, shared};

    fn allowed(addresses: &[&str]) -> Selection {
        let usable = |address: &&str| Usable { interface: "lo".into(), address: address.parse().unwrap() };
        Selection { usable: addresses.iter().map(usable).collect(), skipped: Vec::new() }
    }

    #[test]
    fn sockets_follow_what_the_policy_allows_and_what_came_by_hand_stays() {
        shared().with(|state| {
            let mut follow = |addresses| {
                let followed = state.follow(&Puppet, allowed(addresses));
                let by_hand = state.ports.iter().filter(|port| port.origin() == Origin::Application).count();
                (followed.up.len(), followed.down.len(), followed.unused.len(), by_hand, state.ports.len())
            };
            let here: &[&str] = &["127.0.0.1:0"];
            assert_eq!(follow(here), (1, 0, 0, 0, 1));
            assert_eq!(follow(here), (0, 0, 0, 0, 1));
            assert_eq!(follow(&[]), (0, 1, 0, 0, 0));
            // Not an address of this host: nothing is lost by it.
            assert_eq!(follow(&["127.0.0.1:0", "192.0.2.1:0"]), (1, 0, 1, 0, 1));
            let by_hand = state.open(&Puppet, "127.0.0.1:0".parse().unwrap(), Origin::Application).unwrap();
            let mut follow = |addresses| {
                let followed = state.follow(&Puppet, allowed(addresses));
                let left: Vec<_> = state.ports.iter().map(Port::id).collect();
                (followed.up.len(), followed.down.len(), left)
            };
            assert_eq!(follow(&[]), (0, 1, vec![by_hand]));
            // There is a socket on the address.
            assert_eq!(follow(here), (0, 0, vec![by_hand]));
        });
    }

    #[test]
    fn a_name_of_a_socket_is_not_used_again() {
        shared().with(|state| {
            let mut names: Vec<_> = (0..5)
                .map(|_| {
                    let id = state.open(&Puppet, "127.0.0.1:0".parse().unwrap(), Origin::Policy).unwrap();
                    state.close(id).unwrap();
                    id
                })
                .collect();
            names.dedup();
            assert_eq!(names.len(), 5);
            assert_eq!(state.close(SocketId(0)), Err(SocketError::UnknownSocket(SocketId(0))));
        });
    }
}
