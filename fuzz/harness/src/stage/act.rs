//! What each action of a script does.

use core::net::SocketAddr;

use floe_core::candidate::CandidateType;
use floe_core::{Candidate, ComponentId, Instant, MAX_TRANSMIT, SocketId, Tuple};

use super::{Outcome, Stage};
use crate::forge::{self, CONFLICT, ELSEWHERE, POOR, Variant};
use crate::places::{Place, address};
use crate::script::{Action, Step, pick};
use core::time::Duration;

impl Stage {
    pub(super) fn act(&mut self, step: &Step) {
        let at = if step.late { self.now - Duration::from_secs(3) } else { self.now };
        match &step.action {
            Action::Wake {} => self.now = self.now.max(self.wake.unwrap_or(self.now)),
            Action::Sleep { millis } => self.sleep(Duration::from_millis((*millis).into())),
            Action::Jump { power } => self.jump(Duration::from_nanos(1 << (power % LONGEST_JUMP))),
            Action::Request { place, shape, tie_breaker, priority } => {
                self.request(at, *place, *shape, *tie_breaker, *priority);
            }
            Action::Requests { place, shape, count } => {
                for n in 0..(*count).min(MOST_AT_ONCE) {
                    let place = Place { remote: place.remote.wrapping_add(n), ..*place };
                    self.request(at, place, *shape, 0, n);
                    self.poll_unless(step.unpolled);
                }
            }
            Action::Answer { which, place, shape, mapped } => {
                let answered = self.answer(at, *which, *place, *shape, |stage, tuple, id, peer| {
                    let mapped = if *mapped == 0 { stage.local_of(tuple.socket) } else { address(*mapped) };
                    stage.forge.success(id, peer, *shape, mapped)
                });
                if let Some(tuple) = answered {
                    self.answered.insert(tuple, self.now);
                }
            }
            Action::Refuse { which, place, shape, code } => {
                let code = pick(CODES, *code);
                self.answer(at, *which, *place, *shape, |stage, _, id, peer| {
                    stage.forge.error(id, peer, *shape, code)
                });
            }
            Action::Indication { place } => {
                let mut bytes = self.forge.indication();
                self.receive(at, tuple(*place), &mut bytes, false);
            }
            Action::Raw { place, repair, bytes } => {
                let (tuple, mut bytes) = self.raw(*place, *repair, bytes);
                self.stranger(at, tuple, &mut bytes);
            }
            Action::Data { place, first, length } => {
                let mut bytes = vec![*first; (*length).into()];
                self.stranger(at, tuple(*place), &mut bytes);
            }
            Action::Reflect { which, place, flip } => {
                let mut bytes = self.sent.get(usize::from(*which)).cloned().unwrap_or_default();
                if let Some(byte) = bytes.get_mut(usize::from(flip / 8)) {
                    *byte ^= 1 << (flip % 8);
                }
                self.stranger(at, tuple(*place), &mut bytes);
            }
            Action::Stray { place, shape, ours, theirs, number } => {
                self.stray(at, *place, *shape, [*ours, *theirs, *number]);
            }
            command => self.command(at, command),
        }
    }

    /// What the application does. Whatever is wrong with it is an error value.
    fn command(&mut self, at: Instant, action: &Action) {
        let ended = self.closed || self.failed;
        let taken = match action {
            Action::SocketUp { socket, bound, component } => {
                let component = ComponentId { stream: 0, component: (*component).into() };
                self.socket_up(at, super::socket(*socket, *bound, component))
            }
            Action::Credentials { whose } => {
                let credentials = match whose % 4 {
                    0..=1 => self.forge.peer(0),
                    2 => &self.forge.ours,
                    _ => self.forge.peer(1),
                };
                let credentials = credentials.credentials.clone();
                let are_own = whose % 4 == 2;
                let taken = self.agent.set_remote_credentials(at, credentials).is_ok();
                assert!(!(are_own && taken), "it took its own credentials for the peer's");
                self.signalled |= taken;
                taken
            }
            Action::Candidate { address: number, kind, priority, foundation } => {
                self.candidate(at, address(*number), *kind, *priority, *foundation)
            }
            Action::Candidates { address: first, count } => {
                let add = |n: u8| self.candidate(at, address(first.wrapping_add(n)), n, !n, n);
                (0..*count).map(add).filter(|taken| *taken).count() > 0
            }
            Action::Line { text } => {
                let line = core::str::from_utf8(text).ok().and_then(|line| line.parse::<Candidate>().ok());
                line.is_some_and(|candidate| self.agent.add_remote_candidate(at, &candidate).is_ok())
            }
            Action::EndOfCandidates {} => {
                self.agent.end_of_remote_candidates(at);
                false
            }
            Action::Reflexive { socket, mapped, server } => {
                let (socket, mapped, server) =
                    (SocketId((*socket).into()), address(*mapped), address(*server));
                self.agent.add_server_reflexive(at, socket, mapped, server).is_ok()
            }
            Action::Send { component, first, length } => {
                let component = ComponentId { stream: 0, component: (*component).into() };
                self.send(at, component, &vec![*first; (*length).into()])
            }
            Action::SendFailed { place } => {
                self.agent.send_failed(at, tuple(*place));
                false
            }
            Action::Close {} => {
                self.agent.close(at);
                if !self.closed {
                    self.servers.on_end(self.now);
                }
                self.closed = true;
                false
            }
            Action::Server { which, how } => self.server(at, *which, *how),
            Action::SocketAnswer { which, how } => self.socket_answer(at, *which, *how),
            Action::StreamAnswer { which, how, bytes } => {
                self.stream_answer(at, *which, *how, bytes);
                false
            }
            later => self.signalling(at, later),
        };
        assert!(!(ended && taken), "it has ended and took {action:?}");
    }

    /// Sends data; whether the agent lets it.
    pub(super) fn send(&mut self, at: Instant, component: ComponentId, payload: &[u8]) -> bool {
        let mut scratch = [0; MAX_TRANSMIT];
        let Ok(transmit) = self.agent.send(at, component, payload, &mut scratch) else { return false };
        assert_eq!(transmit.contents, payload);
        let tuple = Tuple { socket: transmit.socket, remote: transmit.remote };
        self.has_consent(tuple);
        true
    }

    /// Some names stand for an address of the peer, some are not known.
    #[expect(clippy::expect_used, reason = "an answer to what was asked just now")]
    pub(super) fn on_query(&mut self, query: &floe_core::Query) {
        let addresses = [address(query.id.0 as u8).ip()];
        let answer = if query.id.0 % 3 == 2 { Err(floe_core::Unresolved) } else { Ok(&addresses[..]) };
        self.agent.resolved(self.now, query.id, answer).expect("it was asked");
        self.agent.resolved(self.now, query.id, answer).expect_err("it was answered");
    }

    /// Lets time pass, and polls whenever the agent wants to be.
    fn sleep(&mut self, time: Duration) {
        let end = self.now + time;
        self.poll();
        while let Some(next) = self.wake.filter(|at| *at <= end) {
            if self.effort == 0 {
                break;
            }
            self.effort -= 1;
            self.now = self.now.max(next);
            self.poll();
        }
        self.now = end;
    }

    fn jump(&mut self, time: Duration) {
        self.now = (self.now + time).min(END_OF_TIME);
    }

    fn poll_unless(&mut self, unpolled: bool) {
        if !unpolled {
            self.poll();
        }
    }

    fn request(&mut self, at: Instant, place: Place, shape: u8, tie_breaker: u8, priority: u8) {
        let claim = self.claim(shape & CONFLICT != 0, tie_breaker);
        let mut bytes =
            self.forge.request(shape, claim, u32::from(priority) * 0x0101_0101, Variant::default());
        self.receive(at, tuple(place), &mut bytes, true);
    }

    /// The peer answers a request that the agent has sent, if it has sent so many. The flow, if that may be the
    /// peer's consent.
    fn answer(
        &mut self,
        at: Instant,
        which: u8,
        place: Place,
        shape: u8,
        write: impl FnOnce(&Self, Tuple, floe_core::wire::TransactionId, usize) -> Vec<u8>,
    ) -> Option<Tuple> {
        let &(asked, id, peer) = self.asked.get(usize::from(which) % super::MEMORY)?;
        let mut bytes = write(self, asked, id, peer);
        let from = if shape & ELSEWHERE != 0 { tuple(place) } else { asked };
        if shape & POOR != 0 {
            self.stranger(at, from, &mut bytes);
            return None;
        }
        self.receive(at, from, &mut bytes, true);
        (from == asked).then_some(asked)
    }

    /// Bytes of somebody who has no password.
    pub(crate) fn raw(&self, place: Place, repair: u8, bytes: &[u8]) -> (Tuple, Vec<u8>) {
        let mut bytes = bytes.to_vec();
        if let (true, Some((_, id, _))) = (repair & 1 != 0, self.asked.front()) {
            bytes.iter_mut().skip(8).zip(id.0).for_each(|(to, from)| *to = from);
        }
        if repair & 2 != 0 {
            forge::add_fingerprint(&mut bytes);
        } else if repair & 4 != 0 {
            forge::repair(&mut bytes);
        }
        (tuple(place), bytes)
    }

    /// A datagram that nobody has signed: it is never taken, unless as a keepalive.
    pub(crate) fn stranger(&mut self, at: Instant, tuple: Tuple, bytes: &mut [u8]) -> Outcome {
        let is_keepalive = floe_core::wire::Message::parse(bytes)
            .is_ok_and(|message| message.class() == floe_core::wire::Class::Indication);
        let outcome = self.receive(at, tuple, bytes, false);
        assert!(outcome != Outcome::Consumed || is_keepalive, "taken from a stranger: {bytes:02x?}");
        outcome
    }

    fn candidate(
        &mut self,
        at: Instant,
        address: SocketAddr,
        kind: u8,
        priority: u8,
        foundation: u8,
    ) -> bool {
        let kinds = [
            CandidateType::Host,
            CandidateType::ServerReflexive,
            CandidateType::PeerReflexive,
            CandidateType::Relayed,
        ];
        let kind = pick(kinds, kind);
        let priority = u32::from(priority.max(1)) * 0x0101_0101;
        let line =
            format!("candidate:{foundation} 1 UDP {priority} {} {} typ {kind}", address.ip(), address.port());
        let candidate = line.parse().expect("a good line");
        self.agent.add_remote_candidate(at, &candidate).is_ok()
    }

    /// The time.
    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// How many bytes the agent sends when it is polled now, to how many.
    pub(crate) fn drain(&mut self) -> Vec<(Tuple, usize)> {
        let mut scratch = [0; MAX_TRANSMIT];
        let mut sent = Vec::new();
        while let floe_core::Output::Transmit(transmit) = self.agent.poll(self.now, &mut scratch) {
            self.on_transmit(&transmit);
            let tuple = Tuple { socket: transmit.socket, remote: transmit.remote };
            sent.push((tuple, transmit.contents.len()));
        }
        sent
    }
}

pub(super) fn tuple(place: Place) -> Tuple {
    Tuple { socket: place.socket_id(), remote: place.remote_address() }
}

/// Two hundred years: behind it, deadlines run into the end of what an `Instant` can tell.
const END_OF_TIME: Instant = Instant::from_nanos(6_000_000_000_000_000_000);
/// 2^54 ns are two hundred days.
const LONGEST_JUMP: u8 = 55;
/// More in one step teach nothing that two steps do not.
const MOST_AT_ONCE: u8 = 80;
/// What a refusal says. 403 revokes consent, 487 is a conflict of roles.
const CODES: [u16; 9] = [487, 403, 400, 401, 420, 438, 500, 300, 699];
