//! Server-reflexive candidates (RFC 8445 §5.1.1.2): each socket asks each STUN server of its family which address it is
//! seen from. This file owns the servers, the questions that are out and the bindings that are kept alive. It writes no
//! message and makes no candidate.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use smallvec::SmallVec;

use super::doubt::Doubts;
use crate::base::{Instant, Random, SocketId, Tuple};
use crate::candidate::{MAX_LOCAL_CANDIDATES, Token, is_transport_address};
use crate::transaction::{Due, RTO, Transactions};
use crate::wire::TransactionId;

/// How many STUN servers an agent asks: each costs a transaction for each socket, one in each Ta, together with the
/// checks (RFC 8445 §14.1).
pub const MAX_STUN_SERVERS: usize = 8;
/// How long [`Event::GatheringDone`](crate::Event::GatheringDone) waits for servers at the most. Later answers still give candidates.
pub const GATHERING_PATIENCE: Duration = Duration::from_secs(5);
/// Tr (RFC 8445 §11): at which distance a server is asked again, so that the NAT keeps the mapping.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// A server that has not answered so many requests, the last after 3.5 s, is called silent.
const SILENT_AFTER: u32 = 4;
/// How many times its RTO a question has that is asked anew, before what was seen last is told without an answer: it was repeated
/// once by then, and the repetition has had as long as the first. The server may be down while the mapping lives, and a restart is
/// in a hurry.
const FAIR_CHANCE: u32 = 2;
/// One question for each socket and server.
const MAX_QUESTIONS: usize = MAX_LOCAL_CANDIDATES * MAX_STUN_SERVERS;

#[derive(Debug)]
pub(crate) struct Inquiries {
    servers: SmallVec<[Server; 2]>,
    /// Those to be asked, by which socket.
    waiting: VecDeque<Tuple>,
    out: Transactions<Question>,
    bindings: Vec<Binding>,
    /// What was seen before a restart, and is asked anew.
    pub(super) doubts: Doubts,
    /// Those who are asked for the first time. The end of gathering waits for them.
    awaited: Vec<Tuple>,
    /// Until when the end of gathering waits.
    round: Option<Instant>,
    /// Whose turn the last Ta was.
    had_last_slot: bool,
}

/// A server, and how it has done.
#[derive(Clone, Copy, Debug)]
struct Server {
    address: SocketAddr,
    /// Requests, each transmission counted.
    asked: u32,
    answered: u32,
}

#[derive(Clone, Copy, Debug)]
struct Question {
    tuple: Tuple,
    asked: Instant,
}

/// What a server has seen, and what the NAT has therefore mapped.
#[derive(Clone, Copy, Debug)]
struct Binding {
    tuple: Tuple,
    mapped: SocketAddr,
    refresh: Instant,
}

/// A Binding request to be written and sent: neither signed nor named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Inquiry {
    pub(crate) tuple: Tuple,
    pub(crate) id: TransactionId,
    pub(crate) transmission: u8,
}

/// What an answer comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Answered {
    pub(crate) rtt: Duration,
    /// What this server had seen before a restart, if that was in doubt until now.
    pub(crate) doubted: Option<SocketAddr>,
}

/// Servers of which none has answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Silence {
    pub(crate) server: SocketAddr,
    pub(crate) servers: u32,
    pub(crate) requests: u32,
}

impl Default for Inquiries {
    fn default() -> Self {
        Self {
            servers: SmallVec::new(),
            waiting: VecDeque::new(),
            out: Transactions::new(MAX_QUESTIONS),
            bindings: Vec::new(),
            doubts: Doubts::default(),
            awaited: Vec::new(),
            round: None,
            had_last_slot: false,
        }
    }
}

impl Inquiries {
    /// Takes note of a server; whether it is a new one.
    pub(crate) fn add(&mut self, address: SocketAddr) -> Result<bool, ServerError> {
        if !is_transport_address(address) {
            return Err(ServerError::NotATransportAddress(address));
        }
        if self.servers.iter().any(|s| s.address == address) {
            return Ok(false);
        }
        if self.servers.len() >= MAX_STUN_SERVERS {
            return Err(ServerError::TooMany);
        }
        self.servers.push(Server { address, asked: 0, answered: 0 });
        Ok(true)
    }

    /// The socket is to ask all servers of its family, or the one that is `new`.
    pub(crate) fn ask(&mut self, now: Instant, socket: SocketId, local: SocketAddr, new: Option<SocketAddr>) {
        let fits = |s: &&Server| {
            s.address.is_ipv4() == local.is_ipv4() && new.is_none_or(|address| address == s.address)
        };
        let before = self.waiting.len();
        self.waiting.extend(self.servers.iter().filter(fits).map(|s| Tuple { socket, remote: s.address }));
        if self.waiting.len() > before {
            self.awaited.extend(self.waiting.iter().skip(before));
            self.on_wait(now);
        }
    }

    /// A restart: the socket asks all servers of its family anew.
    pub(super) fn ask_all_again(&mut self, now: Instant, socket: SocketId, local: SocketAddr) {
        let of_family = self.servers.iter().filter(|s| s.address.is_ipv4() == local.is_ipv4());
        let tuples: SmallVec<[Tuple; 4]> = of_family.map(|s| Tuple { socket, remote: s.address }).collect();
        for tuple in tuples {
            let seen = self.bindings.iter().find(|b| b.tuple == tuple).map(|b| b.mapped);
            self.ask_again(now, tuple, seen);
        }
    }

    /// A restart: this server is asked anew, at once. What it has seen is in doubt until it answers.
    pub(super) fn ask_again(&mut self, now: Instant, tuple: Tuple, seen: Option<SocketAddr>) {
        // One that has just been asked is about to answer. One that was asked before that may not be asked again for seconds.
        let is_fresh = self.out.purposes().any(|q| q.tuple == tuple && now < q.asked + RTO);
        if !is_fresh && !self.waiting.contains(&tuple) {
            self.out.forget(|q| q.tuple == tuple);
            self.waiting.push_back(tuple);
        }
        for binding in self.bindings.iter_mut().filter(|b| b.tuple == tuple) {
            binding.refresh = Instant::MAX;
        }
        // Whoever has never answered keeps nobody waiting for longer than it does already.
        if let Some(seen) = seen {
            let until = now + if is_fresh { FAIR_CHANCE * RTO } else { GATHERING_PATIENCE };
            self.doubts.add(tuple, seen, until);
            self.on_wait(now);
        }
    }

    /// These sockets are gone, with all that was asked from them.
    pub(crate) fn on_sockets_gone(&mut self, gone: impl Fn(SocketId) -> bool) {
        self.waiting.retain(|t| !gone(t.socket));
        self.out.forget(|q| gone(q.tuple.socket));
        self.bindings.retain(|b| !gone(b.tuple.socket));
        self.awaited.retain(|t| !gone(t.socket));
        self.doubts.on_sockets_gone(gone);
    }

    /// How many questions are to be asked, or are out.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len() + self.out.len()
    }

    /// Something else is waited for as well, and no longer than this.
    pub(crate) fn on_wait(&mut self, now: Instant) {
        self.round = self.round.max(Some(now + GATHERING_PATIENCE));
    }

    /// Gathering has used a Ta.
    pub(crate) fn on_slot_taken(&mut self) {
        self.had_last_slot = true;
    }

    /// Lets time pass: bindings that `matter` are refreshed when they are due.
    pub(crate) fn on_time(&mut self, now: Instant, matter: impl Fn(SocketId) -> bool) {
        for binding in self.bindings.iter_mut().filter(|b| b.refresh <= now && matter(b.tuple.socket)) {
            // Until the answer says when the next one is due.
            binding.refresh = Instant::MAX;
            self.waiting.push_back(binding.tuple);
        }
    }

    /// Whether nobody was ever asked, and so nothing is to be kept alive.
    pub(crate) fn are_unused(&self) -> bool {
        self.bindings.is_empty()
    }

    /// Whether something waits to be asked in the next Ta.
    pub(crate) fn wants_slot(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether the checks, if they have something, come first now: both take turns.
    pub(crate) fn yields(&self) -> bool {
        self.had_last_slot
    }

    /// The checks have used a Ta.
    pub(crate) fn on_slot_used(&mut self) {
        self.had_last_slot = false;
    }

    /// The next new question. It uses the Ta that is free.
    pub(crate) fn begin(&mut self, now: Instant, ta: Duration, random: &mut Random) -> Option<Inquiry> {
        let tuple = self.waiting.pop_front()?;
        let id = TransactionId(random.transaction_id());
        let rto = self.rto(ta);
        self.out.start_with_rto(now, rto, id, Question { tuple, asked: now });
        self.doubts.on_asked(tuple, now + FAIR_CHANCE * rto);
        self.on_slot_taken();
        self.count(tuple.remote, |server| &mut server.asked);
        Some(Inquiry { tuple, id, transmission: 1 })
    }

    /// The next question that is asked again.
    pub(crate) fn repeat(&mut self, now: Instant) -> Option<Inquiry> {
        while let Some(due) = self.out.due(now) {
            match due {
                Due::Retransmit { id, purpose: Question { tuple, .. }, transmission } => {
                    self.count(tuple.remote, |server| &mut server.asked);
                    return Some(Inquiry { tuple, id, transmission });
                }
                Due::Expired { purpose } => {
                    self.awaited.retain(|t| *t != purpose.tuple);
                    self.bindings.retain(|b| b.tuple != purpose.tuple);
                }
            }
        }
        None
    }

    /// Whether a response is the answer to a question: of this transaction, and from where it went.
    pub(crate) fn awaits(&self, id: TransactionId, from: Tuple) -> bool {
        self.out.get(id).is_some_and(|t| t.purpose.tuple == from)
    }

    /// The answer: the address that the server has seen, if it told.
    pub(crate) fn on_answer(
        &mut self,
        now: Instant,
        id: TransactionId,
        mapped: Option<SocketAddr>,
    ) -> Option<Answered> {
        let Question { tuple, asked } = self.out.take(id)?.purpose;
        self.count(tuple.remote, |server| &mut server.answered);
        self.awaited.retain(|t| *t != tuple);
        self.bindings.retain(|b| b.tuple != tuple);
        // A TURN server that was asked once more has an allocation, which keeps its mapping alive.
        let is_known = self.servers.iter().any(|s| s.address == tuple.remote);
        if let Some(mapped) = mapped.filter(|_| is_known) {
            self.bindings.push(Binding { tuple, mapped, refresh: now + KEEPALIVE });
        }
        Some(Answered { rtt: now.since(asked), doubted: self.doubts.take(tuple) })
    }

    /// A socket whose server was asked anew and is silent, and where it was seen before.
    pub(crate) fn take_overdue(&mut self, now: Instant) -> Option<(SocketId, SocketAddr)> {
        self.doubts.take_due(now)
    }

    /// Whether the end of gathering is to be told now, which is asked for once. `waits`: for something else.
    pub(crate) fn take_end(&mut self, now: Instant, waits: bool) -> bool {
        let is_over = |until: &Instant| *until <= now || self.is_idle() && !waits;
        if self.round.as_ref().is_some_and(is_over) {
            self.round = None;
            self.awaited.clear();
            return true;
        }
        false
    }

    /// Whether the end of gathering is still to come.
    pub(crate) fn is_under_way(&self) -> bool {
        self.round.is_some()
    }

    /// When there will be something to do. A new question waits for `slot`.
    pub(crate) fn next_deadline(&self, slot: Instant, matter: impl Fn(SocketId) -> bool) -> Option<Instant> {
        let kept = self.bindings.iter().filter(|b| matter(b.tuple.socket)).map(|b| b.refresh);
        let waits = self.wants_slot().then_some(slot);
        let deadlines = kept.chain(waits).chain(self.out.next_deadline()).chain(self.round);
        let deadlines = deadlines.chain(self.doubts.next_deadline());
        deadlines.min().filter(|at| *at < Instant::MAX)
    }

    /// The servers, if all of those that were asked are silent.
    pub(crate) fn silence(&self) -> Option<Silence> {
        let asked = || self.servers.iter().filter(|s| s.asked > 0);
        let is_silent = |s: &Server| s.answered == 0 && s.asked >= SILENT_AFTER;
        let server = asked().next().filter(|_| asked().all(is_silent))?.address;
        let requests = asked().fold(0_u32, |sum, s| sum.saturating_add(s.asked));
        Some(Silence { server, servers: u32::try_from(asked().count()).unwrap_or(u32::MAX), requests })
    }

    /// Whether a server sees this socket there.
    pub(super) fn sees(&self, socket: SocketId, address: SocketAddr) -> bool {
        self.bindings.iter().any(|b| (b.tuple.socket, b.mapped) == (socket, address))
    }

    /// What two servers of different addresses say of one socket: whether both see the same (RFC 4787 §4.1).
    /// `None` if there are no two.
    pub(crate) fn maps_alike(&self) -> Option<bool> {
        let others = |a: &Binding, b: &Binding| {
            a.tuple.socket == b.tuple.socket && a.tuple.remote.ip() != b.tuple.remote.ip()
        };
        let mut alike = None;
        for (index, one) in self.bindings.iter().enumerate() {
            for other in self.bindings.iter().skip(index + 1).filter(|b| others(one, b)) {
                alike = Some(alike.unwrap_or(true) && one.mapped == other.mapped);
            }
        }
        alike
    }

    /// RFC 8445 §14.3, with one candidate for each question.
    fn rto(&self, ta: Duration) -> Duration {
        RTO.max(ta * u32::try_from(self.waiting() + 1).unwrap_or(u32::MAX))
    }

    fn is_idle(&self) -> bool {
        self.awaited.is_empty() && self.doubts.is_empty()
    }

    fn count(&mut self, address: SocketAddr, field: impl Fn(&mut Server) -> &mut u32) {
        if let Some(server) = self.servers.iter_mut().find(|s| s.address == address) {
            let field = field(server);
            *field = field.saturating_add(1);
        }
    }
}

/// Why a server was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ServerError {
    /// Nothing can be asked there: unspecified, multicast, or port 0.
    NotATransportAddress(SocketAddr),
    /// The agent has as many as it asks ([`MAX_STUN_SERVERS`]).
    TooMany,
    /// The agent has no way to ask this URI's server: `stuns:`, and `turns:` over UDP.
    Unsupported(Token),
    /// A username of this many bytes; 508 fit (RFC 8489 §14.3).
    UsernameTooLong(usize),
    /// The agent is lite, and has host candidates only (RFC 8445 §5.2).
    HostOnly,
    /// The agent is closed or has failed.
    Ended,
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotATransportAddress(address) => write!(f, "no server can be asked at {address}"),
            Self::TooMany => write!(f, "an agent asks {MAX_STUN_SERVERS} servers of a kind at the most"),
            Self::Unsupported(uri) => write!(f, "{uri} is not supported: STUN over TLS, or TURN over DTLS"),
            Self::UsernameTooLong(bytes) => write!(f, "the username has {bytes} bytes, and 508 fit"),
            Self::HostOnly => f.write_str("a lite agent has host candidates only (RFC 8445 section 5.2)"),
            Self::Ended => f.write_str("the agent has ended"),
        }
    }
}

impl core::error::Error for ServerError {}
