//! The simulator at rest: two peers behind a NAT each that say little for a long time. How many simulated seconds a real one holds.

use core::time::Duration;
use std::error::Error;
use std::net::SocketAddr;

use floe_core::candidate::Candidate;
use floe_core::{Agent, AgentConfig, Datagram, Event, MAX_TRANSMIT, Output, Profile, Role, Socket, SocketId};
use floe_sim::{Attachment, HostId, Instant, LinkConfig, NatConfig, Network, Protocol};

/// Simulated seconds in one iteration.
pub const SECONDS: u32 = 1_000_000;
const KEEPALIVE: Duration = Duration::from_secs(15);

/// A quiet world, and the protocol of both peers in it.
pub struct Quiet<P> {
    net: Network,
    players: [((HostId, SocketAddr), P); 2],
}

impl Quiet<Keepalive> {
    /// Two that send each other a byte every 15 s.
    ///
    /// # Errors
    /// None with the NATs that there are.
    pub fn keepalives() -> Result<Self, Box<dyn Error>> {
        let (net, sockets) = world();
        let [(alice, alice_seen), (bob, bob_seen)] = sockets?;
        let peer = |to| Keepalive { to, next: Instant::ZERO, heard: 0 };
        Ok(Self { net, players: [(alice, peer(bob_seen)), (bob, peer(alice_seen))] })
    }

    /// How many keepalives have come.
    pub fn heard(&self) -> u64 {
        self.players.iter().map(|(_, peer)| peer.heard).sum()
    }
}

impl Quiet<Ice> {
    /// Two agents of floe with this profile, connected.
    ///
    /// # Errors
    /// If they do not connect.
    pub fn agents(profile: Profile) -> Result<Self, Box<dyn Error>> {
        let (net, sockets) = world();
        let [alice, bob] = sockets?;
        let alice = (alice.0, Ice::new(Role::Controlling, profile, (alice.0.1, alice.1))?);
        let bob = (bob.0, Ice::new(Role::Controlled, profile, (bob.0.1, bob.1))?);
        let mut quiet = Self { net, players: [alice, bob] };
        let [(_, alice), (_, bob)] = &mut quiet.players;
        alice.meet(bob)?;
        bob.meet(alice)?;
        let end = Instant::ZERO + Duration::from_secs(10);
        quiet.net.play_until(&mut quiet.players, end, |all| all.iter().all(|(_, peer)| peer.is_selected))?;
        if quiet.are_connected() { Ok(quiet) } else { Err("they have not connected".into()) }
    }

    /// Whether both have a path, and had it all the time.
    pub fn are_connected(&self) -> bool {
        self.players.iter().all(|(_, peer)| peer.is_selected && !peer.has_lost)
    }
}

impl<P: Protocol> Quiet<P> {
    /// A million simulated seconds pass.
    ///
    /// # Errors
    /// A peer does not let them.
    pub fn step(&mut self) -> Result<(), floe_sim::Restless> {
        let end = self.net.now() + Duration::from_secs(u64::from(SECONDS));
        self.net.play(&mut self.players, end)
    }
}

/// A socket, and how it is seen.
type Seen = ((HostId, SocketAddr), SocketAddr);

fn world() -> (Network, Result<[Seen; 2], &'static str>) {
    let mut net = Network::seeded(1);
    net.set_link(LinkConfig::rtt(Duration::from_millis(40)));
    let (_, server) = net.add_socket(Attachment::Public);
    let mut peer = || {
        let nat = net.add_nat(NatConfig::port_restricted());
        let (host, local) = net.add_socket(Attachment::Behind(nat));
        net.mapped_address(host, local, server).map(|seen| ((host, local), seen)).map_err(|_| "no port")
    };
    let peers = peer().and_then(|alice| Ok([alice, peer()?]));
    (net, peers)
}

/// Sends a byte every 15 s.
pub struct Keepalive {
    to: SocketAddr,
    next: Instant,
    heard: u64,
}

impl Protocol for Keepalive {
    fn poll_transmit(&mut self, now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
        if self.next > now {
            return None;
        }
        self.next = now + KEEPALIVE;
        Some((self.to, vec![0]))
    }

    fn receive(&mut self, _now: Instant, _from: SocketAddr, _bytes: &[u8]) {
        self.heard += 1;
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.next)
    }
}

/// An agent of floe with one socket, as the simulator plays it.
pub struct Ice {
    agent: Agent,
    scratch: [u8; MAX_TRANSMIT],
    candidates: Vec<Candidate>,
    wake: Option<Instant>,
    is_selected: bool,
    has_lost: bool,
}

impl Ice {
    fn new(
        role: Role,
        profile: Profile,
        (local, mapped): (SocketAddr, SocketAddr),
    ) -> Result<Self, Box<dyn Error>> {
        let config = AgentConfig { role, ..AgentConfig::default() };
        let mut agent = Agent::new(config, [u8::from(role == Role::Controlling); 32])?;
        agent.socket_up(Instant::ZERO, Socket::udp(SocketId(0), local))?;
        agent.add_mapped(Instant::ZERO, SocketId(0), mapped)?;
        agent.set_profile(Instant::ZERO, profile);
        let scratch = [0; MAX_TRANSMIT];
        let mut this =
            Self { agent, scratch, candidates: Vec::new(), wake: None, is_selected: false, has_lost: false };
        // Nothing is sent before the peer is known.
        this.poll_transmit(Instant::ZERO);
        Ok(this)
    }

    fn meet(&mut self, other: &Self) -> Result<(), Box<dyn Error>> {
        self.agent.set_remote_credentials(Instant::ZERO, other.agent.local_credentials().clone())?;
        for candidate in &other.candidates {
            self.agent.add_remote_candidate(Instant::ZERO, candidate)?;
        }
        Ok(())
    }
}

impl Protocol for Ice {
    fn poll_transmit(&mut self, now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
        loop {
            match self.agent.poll(now, &mut self.scratch) {
                Output::Transmit(transmit) => return Some((transmit.remote, transmit.contents.to_vec())),
                Output::Event(Event::LocalCandidate { candidate, .. }) => self.candidates.push(candidate),
                Output::Event(Event::PathSelected { .. }) => self.is_selected = true,
                Output::Event(Event::PathLost { .. }) => self.has_lost = true,
                Output::Wait(until) => {
                    self.wake = until;
                    return None;
                }
                Output::Closed => return None,
                _ => {}
            }
        }
    }

    fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        self.agent.receive(now, Datagram::new(SocketId(0), from, &mut bytes));
    }

    fn deadline(&self) -> Option<Instant> {
        self.wake
    }
}
