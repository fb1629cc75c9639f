use std::net::SocketAddr;
use std::time::Duration;

use floe_core::{
    Agent, AgentConfig, ComponentId, Datagram, Event, Instant, MAX_TRANSMIT, Output, Received, Role, SendError,
    Socket, SocketId, Unresolved,
};

/// Two agents, a network in which a datagram takes 20 ms, and signalling that takes no time.
struct Pair {
    now: Instant,
    agents: [Agent; 2],
    events: [Vec<Event>; 2],
    received: [Vec<Vec<u8>>; 2],
    /// Whose, its name, and where it is bound.
    sockets: Vec<(usize, SocketId, SocketAddr)>,
    in_flight: Vec<(Instant, SocketAddr, SocketAddr, Vec<u8>)>,
    /// What is sent from these addresses is lost.
    muted: Vec<SocketAddr>,
    /// Whether events are signalled to the other side.
    signals: bool,
}

impl Pair {
    /// The first agent controls. They know each other's credentials.
    fn new(config: AgentConfig) -> Self {
        let [controlling, controlled] = [Role::Controlling, Role::Controlled].map(|role| {
            let seed = [role as u8; 32]; // A real one comes from the system's generator.
            Agent::new(AgentConfig { role, ..config.clone() }, seed).unwrap()
        });
        let mut pair = Self {
            now: Instant::ZERO,
            agents: [controlling, controlled],
            events: Default::default(),
            received: Default::default(),
            sockets: Vec::new(),
            in_flight: Vec::new(),
            muted: Vec::new(),
            signals: true,
        };
        for side in 0..2 {
            let theirs = pair.agents[1 - side].local_credentials().clone();
            pair.agents[side].set_remote_credentials(pair.now, theirs).unwrap();
        }
        pair
    }

    /// A socket of this side in network 1, 2, ...
    fn socket_up(&mut self, side: usize, network: u8) -> SocketId {
        let id = SocketId(self.sockets.len() as u32);
        let local = SocketAddr::from(([10, 0, network, side as u8 + 1], 5000));
        self.sockets.push((side, id, local));
        self.agents[side].socket_up(self.now, Socket::udp(id, local)).unwrap();
        id
    }

    fn run_for(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        loop {
            // Signals of one side may give the other something to do.
            self.poll(0);
            self.poll(1);
            let wake = [self.poll(0), self.poll(1)];
            let arrivals = self.in_flight.iter().map(|(at, ..)| *at);
            let next = wake.into_iter().flatten().chain(arrivals).min();
            let Some(next) = next.filter(|at| *at <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            self.deliver();
        }
    }

    /// Drains one agent: everything that it wants now; when to poll it again, if nothing happens before.
    fn poll(&mut self, side: usize) -> Option<Instant> {
        let mut scratch = [0; MAX_TRANSMIT];
        loop {
            match self.agents[side].poll(self.now, &mut scratch) {
                Output::Transmit(t) => {
                    let (socket, remote, bytes) = (t.socket, t.remote, t.contents.to_vec());
                    self.transmit(socket, remote, bytes);
                }
                Output::Event(event) => {
                    if self.signals {
                        self.signal(1 - side, &event);
                    }
                    self.events[side].push(event);
                }
                Output::Resolve(query) => {
                    self.agents[side].resolved(self.now, query.id, Err(Unresolved)).unwrap();
                }
                Output::Socket(request) => panic!("no server was given: {request:?}"),
                Output::Wait(until) => return until,
                Output::Closed => return None,
            }
        }
    }

    /// What an event means to the other side.
    fn signal(&mut self, to: usize, event: &Event) {
        let (now, peer) = (self.now, &mut self.agents[to]);
        match event {
            Event::LocalCandidate { stream, candidate } => {
                peer.add_stream_candidate(now, *stream, candidate).unwrap();
            }
            Event::CandidateRemoved { stream, candidate } => {
                peer.remove_remote_candidate(now, *stream, candidate).unwrap();
            }
            Event::Restarted { credentials, answers } => {
                peer.accept_credentials(now, credentials.clone(), answers.as_deref()).unwrap();
            }
            _ => {}
        }
    }

    fn send(&mut self, side: usize, payload: &[u8]) -> Result<(), SendError> {
        let mut scratch = [0; MAX_TRANSMIT];
        let t = self.agents[side].send(self.now, ComponentId::FIRST, payload, &mut scratch)?;
        let (socket, remote, bytes) = (t.socket, t.remote, t.contents.to_vec());
        self.transmit(socket, remote, bytes);
        Ok(())
    }

    fn transmit(&mut self, socket: SocketId, remote: SocketAddr, bytes: Vec<u8>) {
        let Some((.., from)) = self.sockets.iter().find(|s| s.1 == socket) else { return };
        if !self.muted.contains(from) {
            self.in_flight.push((self.now + Duration::from_millis(20), *from, remote, bytes));
        }
    }

    fn deliver(&mut self) {
        while let Some(due) = self.in_flight.iter().position(|(at, ..)| *at <= self.now) {
            let (_, from, to, mut bytes) = self.in_flight.remove(due);
            let Some(&(side, id, _)) = self.sockets.iter().find(|s| s.2 == to) else { continue };
            if let Received::Data { payload, .. } =
                self.agents[side].receive(self.now, Datagram::new(id, from, &mut bytes))
            {
                self.received[side].push(payload.to_vec());
            }
            self.poll(side);
        }
    }
}

