//! floe, as the front page of `floe-core` drives it.

use std::hint::black_box;
use std::net::SocketAddr;

use floe_core::wire::{Class, IntegrityKey, Message, MessageWriter, Method, RoleClaim, TransactionId};
use floe_core::{
    Agent as FloeAgent, AgentConfig, Candidate, Credentials as FloeCredentials, Datagram, Event, Instant,
    MAX_TRANSMIT, Output, Path, Reach, Role, Socket, SocketId,
};

use crate::contender::{Agent, Codec, Credentials, Engine, Fields, Limits, News, Outbox, Setup};
use crate::network::{address, index_of};

/// floe.
pub(super) struct Floe;

impl Engine for Floe {
    const NAME: &'static str = "floe";
    const PACKAGE: &'static str = "floe-core";
    const NOTES: &'static [&'static str] = &[
        "keeps the keyed state of the HMAC for each password (`IntegrityKey`): three SHA-1 blocks for a 100-byte message",
    ];
    type Codec = FloeCodec;
    type Agent = FloeSide;
}

pub(super) struct FloeCodec {
    fields: Fields,
    key: IntegrityKey,
}

impl Codec for FloeCodec {
    fn new(fields: &Fields, _request: &[u8]) -> Self {
        Self { fields: *fields, key: IntegrityKey::short_term(fields.password) }
    }

    fn verify(&self, message: &[u8]) -> bool {
        Message::parse(message).is_ok_and(|message| black_box(&message).verify(&self.key).is_ok())
    }

    fn write_request(&self, buffer: &mut [u8]) -> usize {
        let fields = &self.fields;
        MessageWriter::new(buffer, Class::Request, Method::BINDING, TransactionId(fields.id))
            .username(fields.receiver, fields.sender)
            .priority(fields.priority)
            .role(RoleClaim::Controlling(fields.tie_breaker))
            .sign(&self.key)
            .unwrap_or_default()
    }

    fn write_response(&self, buffer: &mut [u8]) -> usize {
        MessageWriter::new(buffer, Class::Success, Method::BINDING, TransactionId(self.fields.id))
            .xor_mapped_address(self.fields.mapped)
            .sign(&self.key)
            .unwrap_or_default()
    }
}

pub(super) struct FloeSide {
    agent: FloeAgent,
    side: usize,
}

impl Agent for FloeSide {
    type Signal = Candidate;

    #[expect(clippy::expect_used, reason = "the harness only has setups that floe takes")]
    fn new(setup: &Setup) -> Self {
        let config = AgentConfig {
            role: if setup.controlling { Role::Controlling } else { Role::Controlled },
            reach: match setup.limits {
                Limits::Shipped => Reach::default(),
                Limits::Raised => Reach::Wide,
            },
            credentials: Some(credentials(setup.local)),
            ..AgentConfig::default()
        };
        let mut agent = FloeAgent::new(config, [setup.seed; 32]).expect("a valid configuration");
        agent
            .set_remote_credentials(Instant::ZERO, credentials(setup.remote))
            .expect("the first remote credentials");
        Self { agent, side: usize::from(!setup.controlling) }
    }

    #[expect(clippy::expect_used, reason = "the harness only has addresses that floe takes")]
    fn start(&mut self, bases: &[SocketAddr], signals: &mut Vec<Candidate>) {
        for (id, &base) in (0..).zip(bases) {
            self.agent
                .socket_up(Instant::ZERO, Socket::udp(SocketId(id), base))
                .expect("a socket of its own address");
        }
        let mut scratch = [0; MAX_TRANSMIT];
        loop {
            match self.agent.poll(Instant::ZERO, &mut scratch) {
                Output::Event(Event::LocalCandidate { candidate, .. }) => signals.push(candidate),
                Output::Event(_) | Output::Transmit(_) | Output::Resolve(_) | Output::Socket(_) => {}
                Output::Wait(_) | Output::Closed => return,
            }
        }
    }

    #[expect(clippy::expect_used, reason = "the harness only signals candidates that floe takes")]
    fn add_remote(&mut self, signal: Candidate) {
        self.agent.add_remote_candidate(Instant::ZERO, &signal).expect("a host candidate");
    }

    fn receive(&mut self, now: u64, from: SocketAddr, to: SocketAddr, bytes: &mut [u8]) {
        let socket = SocketId(index_of(to));
        black_box(self.agent.receive(Instant::from_nanos(now), Datagram::new(socket, from, bytes)));
    }

    fn drive(&mut self, now: u64, out: &mut impl Outbox) -> Option<u64> {
        let mut scratch = [0; MAX_TRANSMIT];
        loop {
            match self.agent.poll(Instant::from_nanos(now), &mut scratch) {
                Output::Transmit(transmit) => {
                    let from = address(self.side, transmit.socket.0);
                    out.send(from, transmit.remote, transmit.contents);
                }
                Output::Event(Event::PathUsable(_)) => out.tell(News::Usable),
                Output::Event(Event::PathSelected(path)) => out.tell(selected(&path)),
                Output::Event(_) | Output::Resolve(_) | Output::Socket(_) => {}
                Output::Wait(until) => return until.map(Instant::as_nanos),
                Output::Closed => return None,
            }
        }
    }
}

fn selected(path: &Path) -> News {
    News::Selected { local: path.base, remote: path.remote }
}

#[expect(clippy::expect_used, reason = "the harness only has credentials that RFC 8839 allows")]
fn credentials(given: Credentials) -> FloeCredentials {
    FloeCredentials::new(given.ufrag, given.password).expect("valid credentials")
}
