//! The loop of a world: agents are polled, datagrams and signals arrive, time jumps to the next thing.

use core::time::Duration;

use floe_core::candidate::Address;
use floe_core::{
    Candidate, CandidateType, ComponentId, Credentials, Datagram, Event, MAX_TRANSMIT, Output, Query,
    Received, SendError, Unresolved,
};

use super::{PeerId, World};
use crate::{Delivery, Instant};

/// How many steps may happen at one moment: far more than datagrams ever arrive at once.
const MAX_STEPS_WITHOUT_TIME: u32 = 10_000;

/// Something on its way from one peer's application to the other's.
pub(super) struct Signal {
    at: Instant,
    to: PeerId,
    news: News,
}

enum News {
    Credentials(Credentials),
    Candidate(Candidate),
    EndOfCandidates,
}

/// What a world runs towards. It does nothing until it is told within which time.
#[must_use = "say within which time"]
pub struct Goal<'w> {
    world: &'w mut World,
    reached: fn(&World) -> bool,
}

impl Goal<'_> {
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
    pub fn run_until(&mut self, reached: fn(&Self) -> bool) -> Goal<'_> {
        Goal { world: self, reached }
    }

    /// Runs for so long, whatever happens.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now() + time;
        while self.step(end) {}
    }

    /// Sends `data` over the path of a peer, if it has one.
    ///
    /// # Errors
    /// As the agent says.
    pub fn send(&mut self, from: PeerId, data: &[u8]) -> Result<(), SendError> {
        let now = self.now();
        let peer = self.peer_mut(from);
        let mut scratch = [0; MAX_TRANSMIT];
        let transmit = peer.agent.send(now, ComponentId::FIRST, data, &mut scratch)?;
        let (from, remote) = (peer.live_address(transmit.socket), transmit.remote);
        if let Some(from) = from {
            self.network.send(from, remote, data);
        }
        Ok(())
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

    pub(super) fn signal_credentials(&mut self, from: PeerId) {
        let peer = self.peer(from);
        if !peer.story.credentials {
            return;
        }
        let credentials = peer.agent.local_credentials();
        let told = if peer.story.right_password {
            Ok(credentials.clone())
        } else {
            Credentials::new(credentials.ufrag(), "somebody-elses-password-123")
        };
        if let Ok(told) = told {
            self.signal(from, News::Credentials(told));
        }
    }

    /// Goes on to the next thing that happens; `false` when there is none until `end`, which it then is.
    ///
    /// # Panics
    /// When an agent asks to be polled again and again without time moving on.
    fn step(&mut self, end: Instant) -> bool {
        let before = self.now();
        let mut wake = self.settle();
        wake.extend(self.network.next_event());
        wake.extend(self.signals.iter().map(|s| s.at));
        let next = wake.into_iter().min().unwrap_or(end).max(self.now());
        if next >= end {
            while let Some(delivery) = self.network.advance(end) {
                self.deliver(delivery);
            }
            self.settle();
            return false;
        }
        while let Some(delivery) = self.network.advance(next) {
            self.deliver(delivery);
        }
        self.bring_signals();
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

    fn drain(&mut self, id: PeerId) -> Option<Instant> {
        let now = self.now();
        let mut scratch = [0; MAX_TRANSMIT];
        loop {
            let peer = self.peer_mut(id);
            match peer.agent.poll(now, &mut scratch) {
                Output::Transmit(transmit) => {
                    if let Some(from) = peer.live_address(transmit.socket) {
                        self.network.send(from, transmit.remote, transmit.contents);
                    }
                }
                Output::Event(event) => self.on_event(id, event),
                Output::Resolve(query) => self.on_query(id, &query),
                Output::Wait(until) => return until,
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
        match &event {
            Event::LocalCandidate(candidate) if told => {
                let candidate = self.named(id, candidate.clone());
                self.signal(id, News::Candidate(candidate));
            }
            Event::GatheringDone if told => self.signal(id, News::EndOfCandidates),
            _ => {}
        }
        self.peer_mut(id).events.push((now, event));
    }

    /// The candidate with a name in place of its address, if this peer's are to be so.
    fn named(&mut self, id: PeerId, mut candidate: Candidate) -> Candidate {
        if self.peer(id).names
            && candidate.kind == CandidateType::Host
            && let Address::Ip(address) = candidate.address
        {
            let name = format!("host-{}.local", self.names.len());
            self.names.push((name.clone(), address.ip()));
            candidate.address = Address::Name { name, port: address.port() };
        }
        candidate
    }

    fn on_query(&mut self, id: PeerId, query: &Query) {
        let now = self.now();
        let found: Vec<_> =
            self.names.iter().filter(|(name, _)| *name == query.name).map(|(_, ip)| *ip).collect();
        let answer = if found.is_empty() { Err(Unresolved) } else { Ok(&found[..]) };
        let answered = self.agent(id).resolved(now, query.id, answer);
        debug_assert!(answered.is_ok(), "it was asked just now");
    }

    fn signal(&mut self, from: PeerId, news: News) {
        let peer = self.peer(from);
        let at = self.now() + peer.story.delay;
        self.signals.extend(peer.other.map(|to| Signal { at, to, news }));
    }

    /// Whether any was due.
    fn bring_signals(&mut self) -> bool {
        let now = self.now();
        let (due, later): (Vec<_>, Vec<_>) =
            core::mem::take(&mut self.signals).into_iter().partition(|s| s.at <= now);
        self.signals = later;
        let any = !due.is_empty();
        for Signal { to, news, .. } in due {
            let agent = self.agent(to);
            // What the agent does not take is part of the story: it says so in its report.
            let _ = match news {
                News::Credentials(credentials) => agent.set_remote_credentials(now, credentials),
                News::Candidate(candidate) => agent.add_remote_candidate(now, &candidate),
                News::EndOfCandidates => {
                    agent.end_of_remote_candidates(now);
                    Ok(())
                }
            };
        }
        any
    }

    fn deliver(&mut self, delivery: Delivery) {
        let Delivery { at, host, local, remote, mut bytes } = delivery;
        let Some(peer) = self.peers.iter_mut().find(|p| p.is_on(host)) else { return };
        let Some(socket) = peer.live_socket(host, local) else { return };
        if let Received::Data { payload, .. } =
            peer.agent.receive(at, Datagram::new(socket, remote, &mut bytes))
        {
            let payload = payload.to_vec();
            peer.inbox.push(payload);
        }
        // An agent is polled after every call: an answer must not wait for what else happens at this moment.
        let index = self.peers.iter().position(|p| p.is_on(host));
        if let Some(index) = index {
            self.drain(PeerId(index));
        }
    }
}
