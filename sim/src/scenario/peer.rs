//! One side of a scenario: where it lives, how its agent is set up, what its signalling tells of it.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::sync::{Arc, Mutex};

use floe_core::{
    Agent, AgentConfig, CandidateFilter, ComponentId, Credentials, Event, RemoteError, Role, Socket, SocketId,
};

use super::carriers::Carriers;
use super::{PeerId, StunId, Timeline, TurnId};
use crate::{Attachment, Family, HostId, Instant, Network, RouterConfig, StreamKind};

/// What a peer is to be. Made by [`open`], [`behind`] or [`at`].
#[derive(Clone, Debug)]
pub struct PeerSpec {
    pub(super) place: Place,
    pub(super) config: AgentConfig,
    pub(super) role: Option<Role>,
    pub(super) dead_addresses: usize,
    pub(super) addresses: usize,
    pub(super) port: u16,
    pub(super) dual_stack: bool,
    pub(super) by_nat64: bool,
    pub(super) reflexive: bool,
    pub(super) virtual_relay: bool,
    pub(super) names: bool,
    pub(super) servers: Vec<ServerUse>,
    pub(super) transports: Transports,
    pub(super) story: Story,
}

/// Where a peer is plugged in.
#[derive(Clone, Debug)]
pub(super) enum Place {
    At(Attachment),
    /// Behind a router of its own.
    Behind(Box<RouterConfig>),
}

/// What a peer's own sockets are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Transports {
    Udp,
    Both,
    Tcp,
}

/// Which server a peer asks, and how.
#[derive(Clone, Debug)]
pub(super) enum ServerUse {
    Stun(StunId),
    Turn(TurnId, TurnReach),
}

/// How a peer reaches a TURN server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TurnReach {
    /// Over datagrams.
    Udp,
    /// Over TCP.
    Tcp,
    /// Over TLS at port 443, which firewalls let through.
    Tls,
}

/// What signalling tells the other side of a peer, and when.
#[derive(Clone, Debug)]
pub(super) struct Story {
    pub(super) credentials_delay: Duration,
    pub(super) candidates_delay: Duration,
    pub(super) credentials: Told,
    pub(super) candidates: bool,
    pub(super) removals: bool,
    pub(super) pacing: bool,
}

/// Which credentials signalling tells as those of a peer.
#[derive(Clone, Debug)]
pub(super) enum Told {
    Nothing,
    Right,
    WrongPassword,
    Of(Credentials),
}

/// A host on the public network, with one address.
pub fn open() -> PeerSpec {
    at(Attachment::Public)
}

/// A host that is plugged in there: perhaps behind a router that others are behind, too.
pub fn at(place: Attachment) -> PeerSpec {
    PeerSpec {
        place: Place::At(place),
        config: AgentConfig::default(),
        role: None,
        dead_addresses: 0,
        addresses: 1,
        port: 0,
        dual_stack: false,
        by_nat64: false,
        reflexive: false,
        virtual_relay: false,
        names: false,
        servers: Vec::new(),
        transports: Transports::Udp,
        story: Story {
            credentials_delay: Duration::ZERO,
            candidates_delay: Duration::ZERO,
            credentials: Told::Right,
            candidates: true,
            removals: true,
            pacing: true,
        },
    }
}

/// A host behind a router of its own, which may be a NAT.
pub fn behind(router: impl Into<RouterConfig>) -> PeerSpec {
    PeerSpec { place: Place::Behind(Box::new(router.into())), ..open() }
}

impl PeerSpec {
    /// With this configuration; its role counts, too.
    #[must_use]
    pub fn with(mut self, config: AgentConfig) -> Self {
        self.role = Some(config.role);
        self.config = config;
        self
    }

    /// With this configuration, in the role that [`World::pair`](super::World::pair) gives it.
    #[must_use]
    pub fn with_config(mut self, config: AgentConfig) -> Self {
        self.config = config;
        self
    }

    /// In this role.
    #[must_use]
    pub fn with_role(mut self, role: Role) -> Self {
        self.role = Some(role);
        self
    }

    /// With so many addresses, each with a socket, and so a host candidate, for every component.
    #[must_use]
    pub fn with_addresses(mut self, addresses: usize) -> Self {
        self.addresses = addresses;
        self
    }

    /// Its first socket of each address has this port, instead of one that no other socket of the world has.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// With an IPv6 address besides. Those behind a [dual-stack](crate::RouterConfig::dual_stack) router have one anyway.
    #[must_use]
    pub fn dual_stack(mut self) -> Self {
        self.dual_stack = true;
        self
    }

    /// Knows the IPv4 addresses of its servers only, and has no IPv4: it asks them at those that DNS64 makes of them. Otherwise who has
    /// no IPv4 asks by IPv6.
    #[must_use]
    pub fn through_nat64(mut self) -> Self {
        self.by_nat64 = true;
        self
    }

    /// With so many addresses more, of a higher preference, that lead nowhere.
    #[must_use]
    pub fn with_dead_addresses(mut self, addresses: usize) -> Self {
        self.dead_addresses = addresses;
        self
    }

    /// With a TCP socket besides for every address and component: a listener, and connections from the same address.
    #[must_use]
    pub fn with_tcp(mut self) -> Self {
        self.transports = Transports::Both;
        self
    }

    /// With TCP sockets, and none for datagrams.
    #[must_use]
    pub fn tcp_only(mut self) -> Self {
        self.transports = Transports::Tcp;
        self
    }

    /// Knows how its NAT shows it to the world, as if a STUN server had told.
    #[must_use]
    pub fn with_reflexive_candidate(mut self) -> Self {
        self.reflexive = true;
        self
    }

    /// Asks this STUN server.
    #[must_use]
    pub fn asking(mut self, server: StunId) -> Self {
        self.servers.push(ServerUse::Stun(server));
        self
    }

    /// Asks this TURN server, over UDP, as [`TURN_USER`](super::TURN_USER).
    #[must_use]
    pub fn using(self, server: TurnId) -> Self {
        self.using_over(server, TurnReach::Udp)
    }

    /// Asks this TURN server in this way.
    #[must_use]
    pub fn using_over(mut self, server: TurnId, reach: TurnReach) -> Self {
        self.servers.push(ServerUse::Turn(server, reach));
        self
    }

    /// Tells the other side of relayed candidates only, and takes no other paths.
    #[must_use]
    pub fn relay_only(mut self) -> Self {
        self.config.local_filter = CandidateFilter::relay_only();
        self
    }

    /// Has a way of its own to the outside: a virtual relay, which is a socket on another, public host.
    #[must_use]
    pub fn with_virtual_relay(mut self) -> Self {
        self.virtual_relay = true;
        self
    }

    /// Its host candidates are signalled with names, as browsers do. The world's table of names resolves them, unless
    /// it was told otherwise: see [`World::forget_names`](super::World::forget_names).
    #[must_use]
    pub fn with_names(mut self) -> Self {
        self.names = true;
        self
    }

    /// What is told of it takes so long to reach the other side.
    #[must_use]
    pub fn signalled_after(self, delay: Duration) -> Self {
        self.credentials_signalled_after(delay).candidates_signalled_after(delay)
    }

    /// Its credentials take so long to reach the other side.
    #[must_use]
    pub fn credentials_signalled_after(mut self, delay: Duration) -> Self {
        self.story.credentials_delay = delay;
        self
    }

    /// Each of its candidates takes so long to reach the other side.
    #[must_use]
    pub fn candidates_signalled_after(mut self, delay: Duration) -> Self {
        self.story.candidates_delay = delay;
        self
    }

    /// Nothing is told of it at all.
    #[must_use]
    pub fn never_signalled(mut self) -> Self {
        self.story = Story { credentials: Told::Nothing, candidates: false, ..self.story };
        self
    }

    /// Its credentials are told, its candidates are not.
    #[must_use]
    pub fn without_signalled_candidates(mut self) -> Self {
        self.story.candidates = false;
        self
    }

    /// That a candidate of it is gone is not told.
    #[must_use]
    pub fn without_signalled_removals(mut self) -> Self {
        self.story.removals = false;
        self
    }

    /// Its `ice-pacing` is not told.
    #[must_use]
    pub fn without_signalled_pacing(mut self) -> Self {
        self.story.pacing = false;
        self
    }

    /// Signalling mixes up its password.
    #[must_use]
    pub fn with_wrong_password_signalled(mut self) -> Self {
        self.story.credentials = Told::WrongPassword;
        self
    }

    /// Signalling tells these as its credentials: perhaps those of another session.
    #[must_use]
    pub fn with_credentials_signalled(mut self, credentials: Credentials) -> Self {
        self.story.credentials = Told::Of(credentials);
        self
    }
}

/// One side of a running scenario.
pub(super) struct Peer {
    pub(super) name: &'static str,
    pub(super) agent: Agent,
    pub(super) host: HostId,
    pub(super) names: bool,
    pub(super) other: Option<PeerId>,
    pub(super) story: Story,
    pub(super) events: Vec<(Instant, Event)>,
    pub(super) inbox: Vec<Vec<u8>>,
    pub(super) untaken: Vec<(Instant, RemoteError)>,
    /// Whether an offer to restart waits for its answer.
    pub(super) offering: bool,
    /// By `SocketId`; the dead ones come first. The host is the peer's own, or that of its virtual relay.
    sockets: Vec<(HostId, SocketAddr)>,
    dead: usize,
    /// What its agent has asked for.
    pub(super) carriers: Carriers,
}

/// Where a STUN server would stand. Nobody lives there.
pub(super) const STUN_SERVER: SocketAddr =
    SocketAddr::new(IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 1)), 3478);

impl Peer {
    #[expect(
        clippy::expect_used,
        reason = "a world that cannot be set up is a fault of the test, and ends it"
    )]
    pub(super) fn new(
        name: &'static str,
        role: Role,
        spec: PeerSpec,
        (network, place): (&mut Network, Attachment),
        seed: (u64, usize),
        timeline: Option<&Arc<Mutex<Timeline>>>,
    ) -> Self {
        let now = network.now();
        let host = network.add_host(place);
        let extra = (spec.dead_addresses + spec.addresses).saturating_sub(1);
        for _ in 0..extra {
            let has_v4 = network.addresses(host).any(|ip| ip.is_ipv4());
            network.add_address(host, if has_v4 { Family::V4 } else { Family::V6 });
        }
        if spec.dual_stack {
            network.add_address(host, Family::V6);
        }
        let config = AgentConfig { role: spec.role.unwrap_or(role), ..spec.config };
        let mut agent = Agent::new(config, agent_seed(seed)).expect("a valid configuration");
        if let Some(timeline) = timeline {
            agent.set_observer(Timeline::observer(timeline, name));
        }
        let addresses: Vec<_> = network.addresses(host).collect();
        let (mut sockets, mut carriers) = (Vec::new(), Carriers::default());
        let components = agent.components().to_vec();
        let of_address = |&ip: &IpAddr| components.iter().map(move |&component| (ip, component));
        let udp = addresses.iter().flat_map(of_address).filter(|_| spec.transports != Transports::Tcp);
        for (number, (ip, component)) in (0..).zip(udp) {
            let port = if component == ComponentId::FIRST { spec.port } else { 0 };
            let local = network.bind(host, Some(SocketAddr::new(ip, port))).expect("a free port");
            let socket = Socket::udp(SocketId(number), local).component(component);
            agent.socket_up(now, socket).expect("a new socket");
            sockets.push((host, local));
        }
        for (number, &(host, local)) in (0..).zip(&sockets).filter(|_| spec.reflexive) {
            if let Ok(mapped) = network.mapped_address(host, local, STUN_SERVER) {
                agent
                    .add_server_reflexive(now, SocketId(number), mapped, STUN_SERVER)
                    .expect("a known socket");
            }
        }
        if spec.virtual_relay {
            let relay = network.add_host(Attachment::Public);
            let local = network.bind(relay, None).expect("a free port");
            let id = SocketId(u32::try_from(sockets.len()).unwrap_or(u32::MAX));
            agent.socket_up(now, Socket::virtual_relay(id, local)).expect("a new socket");
            sockets.push((relay, local));
        }
        let tcp = addresses.iter().skip(spec.dead_addresses).flat_map(of_address);
        for (ip, component) in tcp.filter(|_| spec.transports != Transports::Udp) {
            let local = network.listen(host, SocketAddr::new(ip, 0), StreamKind::Tcp).expect("a free port");
            let socket = Socket::tcp(carriers.add_listener(local), local).component(component);
            agent.socket_up(now, socket).expect("a new socket");
        }
        Self {
            name,
            agent,
            host,
            names: spec.names,
            other: None,
            story: spec.story,
            events: Vec::new(),
            inbox: Vec::new(),
            untaken: Vec::new(),
            offering: false,
            sockets,
            dead: spec.dead_addresses * components.len(),
            carriers,
        }
    }

    /// When the first such event came.
    pub(super) fn when(&self, wanted: impl Fn(&Event) -> bool) -> Option<Instant> {
        self.events.iter().find(|(_, e)| wanted(e)).map(|(at, _)| *at)
    }

    /// Whether what reaches this host is for this peer.
    pub(super) fn is_on(&self, host: HostId) -> bool {
        self.host == host || self.sockets.iter().any(|(h, _)| *h == host)
    }

    /// A socket more, that the agent is to be told of by this name.
    pub(super) fn add_socket(&mut self, local: SocketAddr) -> SocketId {
        self.sockets.push((self.host, local));
        SocketId(u32::try_from(self.sockets.len() - 1).unwrap_or(u32::MAX))
    }

    /// Its virtual relay.
    pub(super) fn relay(&self) -> Option<(SocketId, (HostId, SocketAddr))> {
        let all = (0..).map(SocketId).zip(self.sockets.iter().copied());
        all.into_iter().find(|(_, (host, _))| *host != self.host)
    }

    /// The sockets that were ever bound to an address of the host.
    pub(super) fn sockets_at(&self, ip: IpAddr) -> Vec<(SocketId, SocketAddr)> {
        let all = (0..).map(SocketId).zip(self.sockets.iter().copied());
        all.filter(|(_, (host, local))| *host == self.host && local.ip() == ip)
            .map(|(id, (_, local))| (id, local))
            .collect()
    }

    /// That of the first living socket.
    pub(super) fn first_address(&self) -> Option<SocketAddr> {
        self.sockets.get(self.dead).map(|(_, local)| *local)
    }

    /// The address of a socket.
    pub(super) fn address(&self, socket: SocketId) -> Option<SocketAddr> {
        self.sockets.get(usize::try_from(socket.0).ok()?).map(|(_, local)| *local)
    }

    /// Where a socket is that is alive.
    pub(super) fn live_address(&self, socket: SocketId) -> Option<(HostId, SocketAddr)> {
        if let Some(local) = self.carriers.address(socket) {
            return Some((self.host, local));
        }
        let index = usize::try_from(socket.0).ok()?;
        self.sockets.get(index).copied().filter(|_| index >= self.dead)
    }

    /// The socket at a place, if it is alive.
    pub(super) fn live_socket(&self, host: HostId, local: SocketAddr) -> Option<SocketId> {
        if let Some(socket) = self.carriers.socket_at(local).filter(|_| host == self.host) {
            return Some(socket);
        }
        let index =
            self.sockets.iter().position(|&s| s == (host, local)).filter(|&index| index >= self.dead)?;
        u32::try_from(index).ok().map(SocketId)
    }
}

/// A seed of its own for each agent of each world.
fn agent_seed((world, index): (u64, usize)) -> [u8; 32] {
    let mut seed = [0; 32];
    let words = [world, index as u64, 0x666c_6f65, 1];
    for (place, byte) in seed.iter_mut().zip(words.into_iter().flat_map(u64::to_le_bytes)) {
        *place = byte;
    }
    seed
}
