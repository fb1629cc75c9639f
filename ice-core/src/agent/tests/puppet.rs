//! A peer on strings: it sends exactly what a test wants, rightly signed or not.

use super::*;
use crate::base::{SocketId, StreamId};
use crate::wire::{Class, Message, MessageWriter, Method, RoleClaim, TransactionId};

/// An agent and what stands in for its peer.
pub(super) struct Stage {
    pub(super) agent: Agent,
    pub(super) now: Instant,
    pub(super) events: Vec<Event>,
    /// What the agent has sent and nobody has looked at.
    pub(super) sent: Vec<(SocketAddr, Vec<u8>)>,
    /// The same over streams.
    pub(super) streamed: Vec<(StreamId, Vec<u8>)>,
    pub(super) queries: Vec<Query>,
    pub(super) requests: Vec<SocketRequest>,
    pub(super) credentials: Credentials,
    key: IntegrityKey,
    counter: u64,
}

pub(super) const PEER: SocketAddr =
    SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, 2)), 5000);

impl Stage {
    /// An agent with one socket that knows the credentials of its peer, and no candidate of it.
    pub(super) fn new(config: AgentConfig) -> Self {
        let mut stage = Self::without_credentials(config);
        let credentials = stage.credentials.clone();
        stage.agent.set_remote_credentials(stage.now, credentials).unwrap();
        stage
    }

    pub(super) fn without_credentials(config: AgentConfig) -> Self {
        let mut agent = Agent::new(config, [3; 32]).unwrap();
        agent.socket_up(Instant::ZERO, Socket::udp(SocketId(0), address(0))).unwrap();
        let credentials = Credentials::new("peer", "the-password-of-the-peer").unwrap();
        let key = IntegrityKey::short_term(credentials.password());
        let mut stage = Self {
            agent,
            now: Instant::ZERO,
            events: Vec::new(),
            sent: Vec::new(),
            streamed: Vec::new(),
            queries: Vec::new(),
            requests: Vec::new(),
            credentials,
            key,
            counter: 0,
        };
        stage.poll();
        stage
    }

    /// The candidates that were told, without their username fragments.
    pub(super) fn told(&self) -> Vec<String> {
        let line = |e: &Event| match e {
            Event::LocalCandidate { candidate, .. } => {
                candidate.to_string().split(" ufrag ").next().map(String::from)
            }
            _ => None,
        };
        self.events.iter().filter_map(line).collect()
    }

    pub(super) fn add_candidate(&mut self, address: SocketAddr, priority: u32) {
        let line =
            format!("candidate:{priority} 1 UDP {priority} {} {} typ host", address.ip(), address.port());
        self.agent.add_remote_candidate(self.now, &line.parse().unwrap()).unwrap();
    }

    /// Polls until the agent waits.
    pub(super) fn poll(&mut self) {
        let mut scratch = [0; MAX_TRANSMIT];
        loop {
            match self.agent.poll(self.now, &mut scratch) {
                Output::Transmit(t) => match t.stream {
                    Some(stream) => self.streamed.push((stream, t.contents.to_vec())),
                    None => self.sent.push((t.remote, t.contents.to_vec())),
                },
                Output::Event(e) => self.events.push(e),
                Output::Resolve(query) => self.queries.push(query),
                Output::Socket(request) => self.requests.push(request),
                Output::Wait(_) | Output::Closed => return,
            }
        }
    }

    /// Lets time pass, poll by poll.
    pub(super) fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        let mut scratch = [0; MAX_TRANSMIT];
        loop {
            match self.agent.poll(self.now, &mut scratch) {
                Output::Transmit(t) => match t.stream {
                    Some(stream) => self.streamed.push((stream, t.contents.to_vec())),
                    None => self.sent.push((t.remote, t.contents.to_vec())),
                },
                Output::Event(e) => self.events.push(e),
                Output::Resolve(query) => self.queries.push(query),
                Output::Socket(request) => self.requests.push(request),
                Output::Wait(Some(next)) if next < end => self.now = self.now.max(next),
                Output::Wait(_) | Output::Closed => break,
            }
        }
        self.now = end;
        self.poll();
    }

    pub(super) fn receive(&mut self, from: SocketAddr, bytes: &[u8]) -> Outcome {
        let mut bytes = bytes.to_vec();
        Outcome::from(self.agent.receive(self.now, Datagram::new(SocketId(0), from, &mut bytes)))
    }

    pub(super) fn fresh_id(&mut self) -> TransactionId {
        self.counter += 1;
        let mut id = [0x55; 12];
        id[..8].copy_from_slice(&self.counter.to_be_bytes());
        TransactionId(id)
    }

    /// A check of the peer, as it should be.
    pub(super) fn request(&mut self, claim: RoleClaim, use_candidate: bool) -> Vec<u8> {
        let id = self.fresh_id();
        let mut buffer = [0; 256];
        let ours = self.agent.local_credentials().clone();
        let mut message = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id)
            .username(ours.ufrag(), self.credentials.ufrag())
            .priority(1_862_270_975)
            .role(claim);
        if use_candidate {
            message = message.use_candidate();
        }
        let length = message.sign(&IntegrityKey::short_term(ours.password())).unwrap();
        buffer[..length].to_vec()
    }

    /// A check for other credentials of the agent, as somebody whose fragment is `theirs` sends it.
    pub(super) fn request_to(&mut self, ours: &Credentials, theirs: &str, claim: RoleClaim) -> Vec<u8> {
        let id = self.fresh_id();
        let mut buffer = [0; 256];
        let message = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id)
            .username(ours.ufrag(), theirs)
            .priority(1_862_270_975)
            .role(claim);
        let length = message.sign(&IntegrityKey::short_term(ours.password())).unwrap();
        buffer[..length].to_vec()
    }

    /// The success response of the peer to a request of the agent, seen from `mapped`.
    pub(super) fn response(&self, request: &[u8], mapped: SocketAddr) -> Vec<u8> {
        let id = Message::parse(request).unwrap().transaction_id();
        let mut buffer = [0; 256];
        let message = MessageWriter::new(&mut buffer, Class::Success, Method::BINDING, id);
        let length = message.xor_mapped_address(mapped).sign(&self.key).unwrap();
        buffer[..length].to_vec()
    }

    pub(super) fn error(&self, request: &[u8], error: crate::wire::ErrorCode<'_>, signed: bool) -> Vec<u8> {
        let id = Message::parse(request).unwrap().transaction_id();
        let mut buffer = [0; 256];
        let message = MessageWriter::new(&mut buffer, Class::Error, Method::BINDING, id).error_code(error);
        let length =
            if signed { message.sign(&self.key) } else { message.finish_with_fingerprint() }.unwrap();
        buffer[..length].to_vec()
    }

    /// The next request that the agent has sent to `to`, unanswered so far.
    pub(super) fn take_request(&mut self, to: SocketAddr) -> Option<Vec<u8>> {
        let is_request = |bytes: &[u8]| Message::parse(bytes).unwrap().class() == Class::Request;
        let index = self.sent.iter().position(|(remote, bytes)| *remote == to && is_request(bytes))?;
        Some(self.sent.remove(index).1)
    }

    /// Answers everything that the agent has asked at `to`.
    pub(super) fn answer_all(&mut self, to: SocketAddr) {
        while let Some(request) = self.take_request(to) {
            let response = self.response(&request, address(0));
            self.receive(to, &response);
        }
        self.poll();
    }

    pub(super) fn selected(&self) -> Option<SocketAddr> {
        self.agent.selected_path(ComponentId::FIRST).map(|p| p.remote)
    }
}

/// [`Received`] without its borrow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    Data,
    Consumed,
    Dropped(crate::trace::DropReason),
    Unclaimed,
}

impl From<Received<'_>> for Outcome {
    fn from(received: Received<'_>) -> Self {
        match received {
            Received::Data { .. } => Self::Data,
            Received::Consumed => Self::Consumed,
            Received::Dropped(reason) => Self::Dropped(reason),
            Received::Unclaimed(_) => Self::Unclaimed,
        }
    }
}
