//! `is`, the ICE of str0m, in two columns, because its front page leaves open whether `handle_timeout` is also to follow
//! `handle_packet`. As `is` it is called only when the time has come that `poll_timeout` said. As `is-eager` it is called
//! after each packet too, as str0m's own `Rtc::handle_input` does: that is faster in simulated time, and lets checks
//! go out closer to each other than Ta.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use is::stun::{StunMessage, StunPacket, TransId};
use is::{Candidate, DefaultSha1HmacProvider, IceAgent, IceAgentEvent, IceCreds, Protocol, Sha1HmacProvider};

use crate::contender::{Agent, Codec, Credentials, Engine, Fields, Limits, News, Outbox, Setup};

/// `is` that waits for its timer.
pub(super) struct Is;

impl Engine for Is {
    const NAME: &'static str = "is";
    const PACKAGE: &'static str = "is";
    const NOTES: &'static [&'static str] = &[
        "does not check FINGERPRINT on messages that come in, which saves it a CRC in the parse rows",
        "its codec is given USERNAME in one piece; its agent puts it together for each request",
        "`NominatedSend` is all that it says of its pairs: the first one counts as usable, the last one as selected",
        "`handle_timeout` is called when `poll_timeout` says so, and at no other time",
    ];
    type Codec = IsCodec;
    type Agent = IsSide<false>;
}

/// `is` as str0m drives it.
pub(super) struct IsEager;

impl Engine for IsEager {
    const NAME: &'static str = "is-eager";
    const PACKAGE: &'static str = "is";
    const NOTES: &'static [&'static str] = &["`is` with a `handle_timeout` after each packet, as str0m does"];
    type Codec = IsCodec;
    type Agent = IsSide<true>;
}

pub(super) struct IsCodec {
    fields: Fields,
    id: TransId,
    username: String,
}

fn hmac(key: &[u8], payloads: &[&[u8]]) -> [u8; 20] {
    DefaultSha1HmacProvider.sha1_hmac(key, payloads)
}

impl Codec for IsCodec {
    #[expect(clippy::expect_used, reason = "the judge has looked at the request")]
    fn new(fields: &Fields, request: &[u8]) -> Self {
        let id = StunMessage::parse(request).expect("a well-formed request").trans_id();
        let username = format!("{}:{}", fields.receiver, fields.sender);
        Self { fields: *fields, id, username }
    }

    fn verify(&self, message: &[u8]) -> bool {
        StunMessage::parse(message)
            .is_ok_and(|message| black_box(&message).verify(self.fields.password.as_bytes(), hmac))
    }

    fn write_request(&self, buffer: &mut [u8]) -> usize {
        let Fields { tie_breaker, priority, password, .. } = self.fields;
        StunMessage::binding_request(&self.username, self.id, true, tie_breaker, priority, false)
            .to_bytes(Some(password.as_bytes()), buffer, hmac)
            .unwrap_or_default()
    }

    fn write_response(&self, buffer: &mut [u8]) -> usize {
        StunMessage::binding_reply(self.id, self.fields.mapped)
            .to_bytes(Some(self.fields.password.as_bytes()), buffer, hmac)
            .unwrap_or_default()
    }
}

pub(super) struct IsSide<const EAGER: bool> {
    agent: IceAgent,
    epoch: Instant,
    usable: bool,
}

impl<const EAGER: bool> Agent for IsSide<EAGER> {
    type Signal = Candidate;

    fn new(setup: &Setup) -> Self {
        fastrand::seed(u64::from(setup.seed));
        let epoch = Instant::now();
        let mut agent = IceAgent::new(credentials(setup.local));
        agent.set_controlling(setup.controlling);
        agent.set_remote_credentials(credentials(setup.remote));
        if setup.limits == Limits::Raised {
            agent.set_max_candidate_pairs(2_500);
        }
        Self { agent, epoch, usable: false }
    }

    #[expect(clippy::expect_used, reason = "the harness only has addresses that `is` takes")]
    fn start(&mut self, bases: &[SocketAddr], signals: &mut Vec<Candidate>) {
        for &base in bases {
            let candidate = Candidate::host(base, Protocol::Udp).expect("a host candidate");
            signals.extend(self.agent.add_local_candidate(candidate).cloned());
        }
    }

    fn add_remote(&mut self, signal: Candidate) {
        self.agent.add_remote_candidate(signal);
    }

    fn receive(&mut self, now: u64, from: SocketAddr, to: SocketAddr, bytes: &mut [u8]) {
        let Ok(message) = StunMessage::parse(bytes) else { return };
        let packet = StunPacket { proto: Protocol::Udp, source: from, destination: to, message };
        let at = self.epoch + Duration::from_nanos(now);
        black_box(self.agent.handle_packet(at, packet));
        if EAGER {
            self.agent.handle_timeout(at);
        }
    }

    fn drive(&mut self, now: u64, out: &mut impl Outbox) -> Option<u64> {
        let at = self.epoch + Duration::from_nanos(now);
        loop {
            while let Some(transmit) = self.agent.poll_transmit() {
                out.send(transmit.source, transmit.destination, &transmit.contents);
            }
            while let Some(event) = self.agent.poll_event() {
                if let IceAgentEvent::NominatedSend { source, destination, .. } = event {
                    if !self.usable {
                        self.usable = true;
                        out.tell(News::Usable);
                    }
                    out.tell(News::Selected { local: source, remote: destination });
                }
            }
            match self.agent.poll_timeout() {
                Some(due) if due > at => return u64::try_from((due - self.epoch).as_nanos()).ok(),
                // `None` before the first `handle_timeout`.
                _ => self.agent.handle_timeout(at),
            }
        }
    }
}

fn credentials(given: Credentials) -> IceCreds {
    IceCreds { ufrag: given.ufrag.to_owned(), pass: given.password.to_owned() }
}
