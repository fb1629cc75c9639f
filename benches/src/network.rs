//! Two agents in one thread, and a network between them that takes half of the round-trip time. The clock jumps from
//! one thing that happens to the next.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use crate::contender::{Agent, Credentials, Limits, News, Outbox, Setup};

/// Which pairs work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reachable {
    /// All.
    Every,
    /// The last candidate of either side with the last of the other: the pair of the lowest priority.
    LastOnly,
}

/// The conditions of one session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scenario {
    /// Host candidates of each side, each on an address of its own.
    pub candidates: u32,
    /// Which pairs work.
    pub reachable: Reachable,
    /// How many pairs an agent may try.
    pub limits: Limits,
}

/// 40 ms.
pub const ROUND_TRIP: u64 = 40_000_000;
/// A session that has not connected after 200 s never will.
pub const CUT_OFF: u64 = 200_000_000_000;

/// Of the controlling side, then of the controlled one: fragments of ten characters make a check of 100 bytes.
pub const CREDENTIALS: [Credentials; 2] = [
    Credentials { ufrag: "evtjh6vYx1", password: "VOkJxbRl1RmTxUkAvJxBt5wQ" },
    Credentials { ufrag: "Zk8vP2mQ0s", password: "asd88fgpdd777uzjYhagZgX3" },
];

/// Where the candidate `index` of a side is.
pub fn address(side: usize, index: u32) -> SocketAddr {
    let [.., index] = index.to_be_bytes();
    SocketAddr::from(([10, 1 + u8::from(side != 0), 0, 1 + index], 4_000))
}

/// Which candidate of its side an address belongs to.
pub fn index_of(address: SocketAddr) -> u32 {
    match address.ip() {
        IpAddr::V4(ip) => u32::from(ip.octets()[3]).saturating_sub(1),
        IpAddr::V6(_) => 0,
    }
}

/// Bytes that a datagram may have: no message of a check comes near it.
const MAX_DATAGRAM: usize = 128;

/// A datagram on its way.
#[derive(Clone, Copy)]
pub struct Packet {
    at: u64,
    /// The side that it goes to.
    pub side: usize,
    /// Its source.
    pub from: SocketAddr,
    /// Its destination.
    pub to: SocketAddr,
    bytes: [u8; MAX_DATAGRAM],
    length: usize,
}

impl Packet {
    /// The payload.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Looks on while a session runs.
pub trait Spectator {
    /// A datagram was sent; it may not arrive.
    fn sent(&mut self, _now: u64, _packet: &Packet) {}
    /// A datagram has arrived, and what followed at once is over.
    fn arrived(&mut self, _now: u64, _packet: &Packet) {}
    /// An agent has spoken.
    fn told(&mut self, _now: u64, _side: usize, _news: News) {}
    /// Whether there is nothing more to see.
    fn has_seen_enough(&self) -> bool {
        false
    }
}

/// Nobody: for the runs that are measured.
pub(crate) struct Nobody;
impl Spectator for Nobody {}

/// The network, and what one side's output does to it.
struct Link<'a, S> {
    now: u64,
    side: usize,
    scenario: &'a Scenario,
    wire: &'a mut VecDeque<Packet>,
    spectator: &'a mut S,
}

impl<S: Spectator> Outbox for Link<'_, S> {
    fn send(&mut self, from: SocketAddr, to: SocketAddr, contents: &[u8]) {
        let at = self.now + ROUND_TRIP / 2;
        let mut packet =
            Packet { at, side: 1 - self.side, from, to, bytes: [0; MAX_DATAGRAM], length: contents.len() };
        if let Some(bytes) = packet.bytes.get_mut(..contents.len()) {
            bytes.copy_from_slice(contents);
        }
        self.spectator.sent(self.now, &packet);
        let last = self.scenario.candidates - 1;
        let works = match self.scenario.reachable {
            Reachable::Every => true,
            Reachable::LastOnly => index_of(from) == last && index_of(to) == last,
        };
        if works {
            self.wire.push_back(packet);
        }
    }

    fn tell(&mut self, news: News) {
        self.spectator.told(self.now, self.side, news);
    }
}

/// Runs sessions of one scenario. It keeps its buffers, so that the network allocates nothing from the second on.
pub struct Session<A: Agent> {
    scenario: Scenario,
    bases: [Vec<SocketAddr>; 2],
    signals: [Vec<A::Signal>; 2],
    wire: VecDeque<Packet>,
}

/// What is left of a session: connected agents, and when they want to be called.
pub struct Outcome<A> {
    /// The controlling and the controlled agent.
    pub agents: [A; 2],
    /// The time.
    pub now: u64,
}

impl<A: Agent> Session<A> {
    /// No session yet.
    pub fn new(scenario: Scenario) -> Self {
        let bases = [0, 1].map(|side| (0..scenario.candidates).map(|index| address(side, index)).collect());
        Self { scenario, bases, signals: [Vec::new(), Vec::new()], wire: VecDeque::new() }
    }

    /// A session from the making of its agents, through all that happens up to and at `until`, to their end.
    pub fn run(&mut self, until: u64) {
        let _ = self.watch(until, &mut Nobody);
    }

    /// The same, watched.
    pub fn watch(&mut self, until: u64, spectator: &mut impl Spectator) -> Outcome<A> {
        self.wire.clear();
        let mut agents = [0, 1].map(|side| A::new(&setup(side, self.scenario.limits)));
        for ((agent, bases), signals) in agents.iter_mut().zip(&self.bases).zip(&mut self.signals) {
            agent.start(bases, signals);
        }
        let [controlling, controlled] = &mut agents;
        let [of_controlling, of_controlled] = &mut self.signals;
        of_controlling.drain(..).for_each(|signal| controlled.add_remote(signal));
        of_controlled.drain(..).for_each(|signal| controlling.add_remote(signal));

        let mut now = 0;
        let mut due = [Some(0), Some(0)];
        loop {
            for (side, (agent, due)) in agents.iter_mut().zip(&mut due).enumerate() {
                if due.is_some_and(|due| due <= now) {
                    *due = agent.drive(now, &mut self.link(now, side, spectator));
                }
            }
            while self.wire.front().is_some_and(|packet| packet.at <= now)
                && let Some(mut packet) = self.wire.pop_front()
            {
                let Packet { side, from, to, length, .. } = packet;
                if let (Some(agent), Some(due)) = (agents.get_mut(side), due.get_mut(side)) {
                    agent.receive(now, from, to, packet.bytes.get_mut(..length).unwrap_or_default());
                    *due = agent.drive(now, &mut self.link(now, side, spectator));
                }
                spectator.arrived(now, &packet);
            }
            let next = due.iter().flatten().copied().chain(self.wire.front().map(|packet| packet.at)).min();
            match next {
                Some(next) if next <= until && !spectator.has_seen_enough() => now = next,
                _ => return Outcome { agents, now },
            }
        }
    }

    fn link<'a, S>(&'a mut self, now: u64, side: usize, spectator: &'a mut S) -> Link<'a, S> {
        Link { now, side, scenario: &self.scenario, wire: &mut self.wire, spectator }
    }
}

fn setup(side: usize, limits: Limits) -> Setup {
    let [controlling, controlled] = CREDENTIALS;
    let (local, remote) = if side == 0 { (controlling, controlled) } else { (controlled, controlling) };
    Setup { controlling: side == 0, seed: if side == 0 { 1 } else { 2 }, local, remote, limits }
}
