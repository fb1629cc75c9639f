//! The loop of a world: agents are polled, datagrams and signals arrive, time jumps to the next thing.

use core::time::Duration;

use floe_core::{ComponentId, Datagram, Event, MAX_TRANSMIT, Output, Received, SendError, Tuple};

use super::peer::Peer;
use super::signalling::News;
use super::traffic::Arrival;
use super::{PeerId, World};
use crate::{Clock, Delivery, Happening, IcmpError, Instant};

/// How many steps may happen at one moment: far more than datagrams ever arrive at once.
const MAX_STEPS_WITHOUT_TIME: u32 = 10_000;

/// What a world runs towards. It does nothing until it is told within which time.
#[must_use = "say within which time"]
pub struct Goal<'w, F> {
    world: &'w mut World,
    reached: F,
}

impl<F: Fn(&World) -> bool> Goal<'_, F> {
    /// Runs until the goal is reached.
    ///
    /// # Panics
    /// When it is not reached within `time` from now; the seed and the timeline are printed.
    #[expect(clippy::panic, reason = "a goal that is missed ends the test")]
    pub fn within(self, time: Duration) {
        let end = self.world.now() + time;
        while !(self.reached)(self.world) {
            let in_time = self.world.step(end);
            if !in_time && !(self.reached)(self.world) {
                panic!("not reached within {time:?}");
            }
        }
    }
}

impl World {
    /// Runs until `reached` says so: see [`Goal::within`].
    pub fn run_until<F: Fn(&Self) -> bool>(&mut self, reached: F) -> Goal<'_, F> {
        Goal { world: self, reached }
    }

    /// Runs for so long, whatever happens.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now() + time;
        while self.step(end) {}
    }

    /// Does this when it is `when`, after what arrives at that time; if that is past, at the next step.
    ///
    /// ```
    /// # use floe_sim::Instant;
    /// # use floe_sim::scenario::{World, open, secs};
    /// let mut world = World::seeded(1);
    /// let [alice, _] = world.pair(open(), open());
    /// world.at(Instant::ZERO + secs(5), move |world| {
    ///     world.interface_up(alice);
    /// });
    /// ```
    pub fn at(&mut self, when: Instant, what: impl FnOnce(&mut Self) + 'static) {
        self.scripts.push(when, Box::new(what));
    }

    fn run_scripts(&mut self) {
        let now = self.now();
        while let Some((_, script)) = self.scripts.pop_until(now) {
            script(self);
        }
    }

    /// A peer's host sleeps for so long: its agent does nothing, and nothing reaches it. What signalling brings waits.
    pub fn sleep(&mut self, peer: PeerId, time: Duration, clock: Clock) {
        self.note(format!("{} sleeps for {time:?}", self.peer(peer).name));
        let (host, until) = (self.host(peer), self.now() + time);
        self.network.sleep(host, until, clock);
    }

    /// What a peer's clock says.
    pub fn clock(&self, peer: PeerId) -> Instant {
        self.network.clock(self.host(peer))
    }

    /// Sends `data` over the path of a peer, if it has one.
    ///
    /// # Errors
    /// As the agent says.
    pub fn send(&mut self, from: PeerId, data: &[u8]) -> Result<(), SendError> {
        self.send_for(from, ComponentId::FIRST, data)
    }

    /// Sends `data` over the path of one component of a peer, if it has one.
    ///
    /// # Errors
    /// As the agent says.
    pub fn send_for(&mut self, id: PeerId, component: ComponentId, data: &[u8]) -> Result<(), SendError> {
        self.dispatch(id, component, data).map(|_| ())
    }

    /// The same, and whether it went into a stream.
    pub(super) fn dispatch(
        &mut self,
        id: PeerId,
        component: ComponentId,
        data: &[u8],
    ) -> Result<bool, SendError> {
        let now = self.clock(id);
        let peer = self.peer_mut(id);
        let mut scratch = [0; MAX_TRANSMIT];
        let transmit = peer.agent.send(now, component, data, &mut scratch)?;
        let stream = transmit.stream;
        if let Some(stream) = stream {
            self.write_to_stream(id, stream, transmit.contents);
        } else if let Some(from) = peer.live_address(transmit.socket) {
            self.network.send(from, transmit.remote, transmit.contents);
        }
        Ok(stream.is_some())
    }

    /// A datagram from outside of the story reaches a peer's first living socket at this moment.
    pub fn inject(&mut self, to: PeerId, from: core::net::SocketAddr, bytes: &[u8]) {
        let peer = self.peer(to);
        let Some(local) = (0..)
            .map_while(|n| peer.address(floe_core::SocketId(n)))
            .find(|a| peer.live_socket(peer.host, *a).is_some())
        else {
            return;
        };
        let host = peer.host;
        self.deliver(Delivery { at: self.now(), host, local, remote: from, bytes: bytes.to_vec() });
    }

    /// Goes on to the next thing that happens; `false` when there is none until `end`, which it then is.
    ///
    /// # Panics
    /// When an agent asks to be polled again and again without time moving on.
    pub(super) fn step(&mut self, end: Instant) -> bool {
        let before = self.now();
        let mut wake = self.settle();
        wake.extend(self.network.next_event());
        wake.extend(self.signals.iter().map(|s| self.due(s)));
        wake.extend(self.scripts.next_at());
        wake.extend(self.next_traffic());
        wake.extend(self.next_of_servers());
        wake.extend(self.peers.iter().filter_map(|p| p.carriers.next_deadline()));
        let next = wake.into_iter().min().unwrap_or(end).max(self.now());
        if next >= end {
            while let Some(happening) = self.network.advance_all(end) {
                self.happen(happening);
            }
            self.advance_servers();
            self.advance_carriers();
            self.run_scripts();
            self.settle();
            return false;
        }
        while let Some(happening) = self.network.advance_all(next) {
            self.happen(happening);
        }
        self.advance_servers();
        self.advance_carriers();
        self.run_scripts();
        self.bring_signals();
        self.send_traffic();
        self.idle = if self.now() > before { 0 } else { self.idle + 1 };
        assert!(self.idle < MAX_STEPS_WITHOUT_TIME, "an agent spins at {before}");
        true
    }

    /// Polls every agent until it waits, and brings signals that take no time. Tells when each wants to be woken.
    fn settle(&mut self) -> Vec<Instant> {
        loop {
            let wake = (0..self.peers.len()).filter_map(|index| self.drain(PeerId(index))).collect();
            if !self.bring_signals() {
                return wake;
            }
        }
    }

    pub(super) fn drain(&mut self, id: PeerId) -> Option<Instant> {
        let host = self.host(id);
        if let Some(wakes) = self.network.sleeps_until(host) {
            return Some(wakes);
        }
        let now = self.clock(id);
        let mut scratch = [0; MAX_TRANSMIT];
        loop {
            let peer = self.peer_mut(id);
            match peer.agent.poll(now, &mut scratch) {
                Output::Transmit(transmit) => {
                    if let Some(stream) = transmit.stream {
                        self.write_to_stream(id, stream, transmit.contents);
                    } else if let Some(from) = peer.live_address(transmit.socket) {
                        self.network.send(from, transmit.remote, transmit.contents);
                    }
                }
                Output::Event(event) => self.on_event(id, event),
                Output::Resolve(query) => self.on_query(id, &query),
                Output::Socket(request) => self.on_socket_request(id, &request),
                Output::Wait(until) => return until.map(|until| self.network.when(host, until)),
                Output::Closed => return None,
            }
        }
    }

    fn on_event(&mut self, id: PeerId, event: Event) {
        let now = self.now();
        let name = self.peer(id).name;
        if let Ok(mut timeline) = self.timeline.lock() {
            timeline.tell(now, name, event.clone());
        }
        let told = self.peer(id).story.candidates;
        let removals_told = self.peer(id).story.removals;
        match &event {
            Event::LocalCandidate { stream, candidate } if told => {
                let candidate = self.named(id, candidate.clone());
                self.signal(id, News::Candidate(*stream, candidate));
            }
            Event::CandidateRemoved { stream, candidate } if told && removals_told => {
                let candidate = self.named(id, candidate.clone());
                self.signal(id, News::Removed(*stream, candidate));
            }
            Event::Restarted { answers, .. } if !self.uses_offers => {
                self.signal_credentials(id, answers.clone());
            }
            // Only of who has said that it will not roam, by `end_of_local_candidates`.
            Event::EndOfCandidates { ufrag } if told => {
                self.signal(id, News::EndOfCandidates(ufrag.clone()));
            }
            _ => {}
        }
        self.peer_mut(id).events.push((now, event));
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Datagram(delivery) => self.deliver(delivery),
            Happening::Icmp(error) => self.on_icmp(&error),
            Happening::Stream(event) => {
                if !self.tell_peers(&event) {
                    self.tell_servers(&event);
                }
            }
        }
    }

    /// As a driver does it: the socket returns an error, and the agent is told of the tuple.
    fn on_icmp(&mut self, error: &IcmpError) {
        let of = |peer: &Peer| peer.live_socket(error.host, error.local);
        let Some((index, socket)) =
            self.peers.iter().enumerate().find_map(|(index, peer)| Some((index, of(peer)?)))
        else {
            return;
        };
        let now = self.clock(PeerId(index));
        self.peer_mut(PeerId(index)).agent.send_failed(now, Tuple { socket, remote: error.remote });
        self.drain(PeerId(index));
    }

    fn deliver(&mut self, delivery: Delivery) {
        if self.deliver_to_server(&delivery) {
            return;
        }
        let Delivery { host, local, remote, mut bytes, .. } = delivery;
        let Some(index) = self.peers.iter().position(|p| p.is_on(host)) else {
            if let Some(puppet) = self.puppets.iter().position(|p| p.host == host) {
                self.on_puppet_heard(puppet, local, remote, bytes);
            }
            return;
        };
        let at = self.clock(PeerId(index));
        let peer = self.peer_mut(PeerId(index));
        let Some(socket) = peer.live_socket(host, local) else {
            self.on_traffic(&bytes, Arrival::Astray);
            return;
        };
        match peer.agent.receive(at, Datagram::new(socket, remote, &mut bytes)) {
            Received::Data { payload, .. } => {
                let payload = payload.to_vec();
                if !self.on_traffic(&payload, Arrival::Delivered) {
                    self.peer_mut(PeerId(index)).inbox.push(payload);
                }
            }
            Received::Consumed => {}
            Received::Dropped(_) | Received::Unclaimed(_) => {
                self.on_traffic(&bytes, Arrival::Unclaimed);
            }
        }
        // An agent is polled after every call: an answer must not wait for what else happens at this moment.
        self.drain(PeerId(index));
    }
}
