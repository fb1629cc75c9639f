//! STUN and TURN servers in a scenario: each on a public host of its own, with faults and inspection as the scenario likes.

use core::net::{IpAddr, SocketAddr};

use super::World;
use super::peer::{Peer, ServerUse, TurnReach};
use crate::server::{StunServer, TurnConfig, TurnServer};
use crate::{Delivery, HostId, Instant, StreamEvent, StunHost, TurnHost};

/// A STUN server of a world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StunId(usize);

/// A TURN server of a world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TurnId(usize);

/// The user that every TURN server of a world has, and the password.
pub const TURN_USER: (&str, &str) = ("floe", "the-password-of-the-relay");

/// The servers of a world.
#[derive(Default)]
pub(super) struct Servers {
    stun: Vec<StunHost>,
    turn: Vec<TurnHost>,
}

#[expect(
    clippy::expect_used,
    reason = "a world that cannot be set up, or is asked for another's server, ends the test"
)]
impl World {
    /// A STUN server, with the second address and port of RFC 5780.
    pub fn stun_server(&mut self) -> StunId {
        let stun = StunHost::new(&mut self.network).expect("a free address");
        self.note(format!("a STUN server at {}", stun.address()));
        self.servers.stun.push(stun);
        StunId(self.servers.stun.len() - 1)
    }

    /// A TURN server that relays IPv4 and IPv6 for [`TURN_USER`].
    pub fn turn_server(&mut self) -> TurnId {
        self.turn_server_with(|_| {})
    }

    /// A TURN server that is set up otherwise.
    ///
    /// # Panics
    /// If the configuration cannot be served.
    pub fn turn_server_with(&mut self, change: impl FnOnce(&mut TurnConfig)) -> TurnId {
        let mut seed = [0x74; 32];
        let number = self.servers.turn.len() as u64;
        for (place, byte) in seed.iter_mut().zip([self.seed, number].into_iter().flat_map(u64::to_le_bytes)) {
            *place = byte;
        }
        let (name, password) = TURN_USER;
        let turn = TurnHost::new(&mut self.network, seed, |config| {
            config.users.push((name.to_owned(), password.to_owned()));
            change(config);
        });
        let turn = turn.expect("a configuration that can be served");
        self.note(format!("a TURN server at {}", turn.address()));
        self.servers.turn.push(turn);
        TurnId(self.servers.turn.len() - 1)
    }

    /// A STUN server itself.
    pub fn stun(&mut self, id: StunId) -> &mut StunServer {
        self.servers.stun.get_mut(id.0).expect("a server of this world").server()
    }

    /// A TURN server itself.
    pub fn turn(&mut self, id: TurnId) -> &mut TurnServer {
        self.servers.turn.get_mut(id.0).expect("a server of this world").server()
    }

    /// Where a STUN server is asked, over IPv4.
    pub fn stun_address(&self, id: StunId) -> SocketAddr {
        self.servers.stun.get(id.0).expect("a server of this world").address()
    }

    /// Where a TURN server is asked, over IPv4.
    pub fn turn_address(&self, id: TurnId) -> SocketAddr {
        self.servers.turn.get(id.0).expect("a server of this world").address()
    }

    /// Where a STUN server lives, so that it can be cut off.
    pub fn stun_host(&self, id: StunId) -> HostId {
        self.servers.stun.get(id.0).expect("a server of this world").host()
    }

    /// Where a TURN server lives, so that it can be cut off.
    pub fn turn_host(&self, id: TurnId) -> HostId {
        self.servers.turn.get(id.0).expect("a server of this world").host()
    }

    /// A TURN server is started anew: it knows no allocation and no nonce any more.
    pub fn restart_turn(&mut self, id: TurnId) {
        self.note("the TURN server is started anew");
        let turn = self.servers.turn.get_mut(id.0).expect("a server of this world");
        turn.restart(&mut self.network);
    }
}

impl World {
    /// An agent is to ask a server.
    #[expect(clippy::expect_used, reason = "a server of a world is one that can be asked")]
    pub(super) fn tell_of_server(&self, peer: &mut Peer, server: &ServerUse, by_nat64: bool) {
        let now = self.now();
        let has_v4 = self.network.addresses(peer.host).any(|ip| ip.is_ipv4());
        let prefix = self.network.nat64_prefix_at(peer.host).filter(|_| by_nat64);
        // Every server has an address of each family.
        let reached = |v4: SocketAddr, all: &[SocketAddr]| match (has_v4, prefix, v4.ip()) {
            (false, Some(prefix), IpAddr::V4(ip)) => SocketAddr::new(prefix.synthesize(ip).into(), v4.port()),
            (false, None, _) => all.iter().copied().find(SocketAddr::is_ipv6).unwrap_or(v4),
            _ => v4,
        };
        let agent = &mut peer.agent;
        let (user, password) = TURN_USER;
        match *server {
            ServerUse::Stun(id) => {
                let all = self.servers.stun.get(id.0).map_or(&[][..], StunHost::addresses);
                agent.add_stun_server(now, reached(self.stun_address(id), all))
            }
            ServerUse::Turn(id, reach) => {
                let all = self.servers.turn.get(id.0).map_or(&[][..], TurnHost::addresses);
                let address = reached(self.turn_address(id), all);
                let server = match reach {
                    TurnReach::Udp => floe_core::TurnServer::udp(address, user, password),
                    TurnReach::Tcp => floe_core::TurnServer::tcp(address, user, password),
                    TurnReach::Tls => {
                        let web = SocketAddr::new(address.ip(), 443);
                        floe_core::TurnServer::tls(web, "turn.floe.test", user, password)
                    }
                };
                agent.add_turn_server(now, server)
            }
        }
        .expect("a server that can be asked");
    }

    /// Whether what has arrived was for a server.
    pub(super) fn deliver_to_server(&mut self, delivery: &Delivery) -> bool {
        let Self { servers: Servers { stun, turn }, network, .. } = self;
        stun.iter_mut().any(|stun| stun.on_delivery(network, delivery))
            || turn.iter_mut().any(|turn| turn.on_delivery(network, delivery))
    }

    /// Something has happened to a stream that is not a peer's.
    pub(super) fn tell_servers(&mut self, event: &StreamEvent) {
        for turn in &mut self.servers.turn {
            turn.on_stream(&mut self.network, event);
        }
    }

    /// When something of a server ends.
    pub(super) fn next_of_servers(&self) -> Option<Instant> {
        self.servers.turn.iter().filter_map(TurnHost::next_deadline).min()
    }

    /// Lets servers end what is over.
    pub(super) fn advance_servers(&mut self) {
        for turn in &mut self.servers.turn {
            turn.advance(&mut self.network);
        }
    }
}
