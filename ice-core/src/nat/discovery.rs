//! The discovery itself: which question goes next, and when a step is over. What answers mean is in `evidence`, what comes in
//! is read in `inbox`, and the search for the lifetime is `binding`.

use alloc::collections::VecDeque;
use core::net::SocketAddr;
use core::time::Duration;

use super::behaviour::NatBehaviour;
use super::binding::Binding;
use super::config::{DiscoveryConfig, DiscoveryError, Spot};
use super::evidence::{Evidence, Other, Place, Reply, Side, Stage};
use crate::base::{Instant, Random, SocketId};
use crate::transaction::{Due, Transactions};
use crate::wire::{ChangeRequest, Class, MessageWriter, Method, TransactionId};

/// The largest datagram that a discovery sends, in bytes.
pub const MAX_PROBE: usize = 64;
/// How long an answer is waited for: five transmissions, the last after 7.5 s, and 4 s more (RFC 8489 §6.2.1 with RTO
/// 500 ms, Rc 5 and Rm 8).
pub const SILENCE: Duration = Duration::from_millis(11_500);
/// RFC 5780 §5: at most ten new transactions a second.
pub(super) const PACE: Duration = Duration::from_millis(100);
/// How many questions are out at the most: those of the lifetime's burst.
const MAX_QUESTIONS: usize = 16;

/// What a question is for, and so where it goes and what is in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Question {
    /// Test I of RFC 5780 §4.3 and §4.4, for either socket.
    Contact(Side),
    /// Tests II and III of §4.4: an answer from another place is asked for.
    From(Place),
    /// Tests II and III of §4.3, and whether the place answers at all.
    At(Place),
    /// §3.4: from one socket to the mapping of the other.
    Loop(Side),
    /// §4.6: from the first socket, to have a fresh mapping.
    Refresh,
    /// §4.6: from the second socket, with an answer to this port.
    Redirect(u16),
}

/// Finds out what NAT there is between two sockets and a STUN server (RFC 5780). The [room's front page](super) has an example.
///
/// It has no sockets and no clock: [`poll`](Self::poll) it until it says [`DiscoveryOutput::Wait`], hand it what comes in on its
/// sockets ([`receive`](Self::receive)), and poll again. The same seed and the same inputs give the same outputs. It says
/// [`DiscoveryOutput::Done`] by [`DiscoveryConfig::longest_run`], if it is polled when it asks for it.
///
/// First both sockets ask the server where it sees them. Then, at the same time, the filter is tried with answers from
/// the server's other port and address, and hairpinning with datagrams between the two sockets. Then the other addresses
/// are asked themselves, which shows the mapping, and that they answer at all. Last comes the lifetime.
///
/// A server that lies can make it send a few dozen datagrams of 20 to 28 bytes to addresses of the server's choice: its
/// OTHER-ADDRESS and those that it calls the mapped ones of our two sockets. It has no other influence than on the result.
#[derive(Debug)]
pub struct Discovery {
    pub(super) config: DiscoveryConfig,
    pub(super) now: Instant,
    pub(super) evidence: Evidence,
    pub(super) waiting: VecDeque<Question>,
    pub(super) out: Transactions<Question>,
    /// When the step is over, once nothing waits to be asked.
    pub(super) until: Instant,
    pub(super) binding: Option<Binding>,
    pub(super) send_failures: u32,
    random: Dice,
    next_slot: Instant,
}

/// What a [`Discovery`] wants.
#[derive(PartialEq, Eq, Debug)]
pub enum DiscoveryOutput<'s> {
    /// Send this.
    Transmit(Probe<'s>),
    /// Nothing until then, unless something comes in.
    Wait(Instant),
    /// It is over, and this is the result. It says so each time from now on.
    Done(NatBehaviour),
}

/// A datagram to be sent.
#[derive(PartialEq, Eq, Debug)]
pub struct Probe<'s> {
    /// From which socket.
    pub socket: SocketId,
    /// Where to.
    pub remote: SocketAddr,
    /// Its payload, in the caller's buffer.
    pub contents: &'s [u8],
}

/// Randomness that prints nothing of its state.
struct Dice(Random);

impl core::fmt::Debug for Dice {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Random")
    }
}

impl Discovery {
    /// A discovery that draws its transaction ids from `seed`: who knows it can forge answers.
    ///
    /// # Errors
    /// If a value of `config` is out of its range.
    pub fn new(config: DiscoveryConfig, seed: [u8; 32]) -> Result<Self, DiscoveryError> {
        config.check()?;
        Ok(Self {
            now: Instant::ZERO,
            evidence: Evidence::new(config.first.local, config.lifetime.is_some()),
            waiting: VecDeque::new(),
            out: Transactions::new(MAX_QUESTIONS),
            until: Instant::ZERO,
            binding: None,
            send_failures: 0,
            random: Dice(Random::new(seed)),
            next_slot: Instant::ZERO,
            config,
        })
    }

    /// What is to be done now. The first call begins the discovery; a `now` that goes backwards is taken for the latest one seen.
    pub fn poll<'s>(&mut self, now: Instant, scratch: &'s mut [u8; MAX_PROBE]) -> DiscoveryOutput<'s> {
        self.advance(now);
        if self.evidence.stage == Stage::Unstarted {
            self.enter(Stage::Contact);
        }
        self.settle();
        while let Some((question, id)) = self.next_question() {
            let Some((spot, remote)) = self.way(question) else { continue };
            let Some(length) = write(question, id, scratch) else { continue };
            self.on_sent(question);
            let contents = scratch.get(..length).unwrap_or_default();
            return DiscoveryOutput::Transmit(Probe { socket: spot.socket, remote, contents });
        }
        match self.next_deadline() {
            Some(at) => DiscoveryOutput::Wait(at),
            None => DiscoveryOutput::Done(self.behaviour()),
        }
    }

    /// What is known so far.
    pub fn behaviour(&self) -> NatBehaviour {
        self.evidence.behaviour()
    }

    /// Ends the discovery at once: what is not known yet stays unknown ([`WhyUnknown::Stopped`](super::WhyUnknown::Stopped)).
    pub fn stop(&mut self, now: Instant) {
        self.advance(now);
        if self.evidence.stage != Stage::Done {
            self.evidence.stopped = true;
            // The stage stays what it was, so that silence which was not waited for is not believed.
            self.waiting.clear();
            self.out.forget(|_| true);
        }
    }

    /// How often sending has failed.
    pub fn send_failures(&self) -> u32 {
        self.send_failures
    }

    /// Whether nothing is asked any more.
    pub fn is_over(&self) -> bool {
        self.evidence.stopped || self.evidence.stage == Stage::Done
    }

    pub(super) fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// The steps that are over give way to the next ones.
    fn settle(&mut self) {
        while !self.is_over() && self.is_step_over() {
            let next = match self.evidence.stage {
                Stage::Unstarted => Stage::Contact,
                Stage::Contact if self.evidence.first.seen().is_some() => Stage::Filters,
                Stage::Filters => Stage::Places,
                Stage::Places => Stage::Lifetime,
                Stage::Contact | Stage::Lifetime | Stage::Done => Stage::Done,
            };
            self.enter(next);
        }
    }

    fn enter(&mut self, stage: Stage) {
        let seen = &mut self.evidence;
        seen.stage = stage;
        self.out.forget(|_| true);
        self.waiting.clear();
        self.until = self.now + SILENCE;
        let has_other = matches!(seen.other, Other::At(_));
        let loops = seen.is_translated() && seen.second.seen().is_some();
        let has_second = seen.second.seen().is_some();
        // All twice, the second time if no answer has come by then: loss of a fifth of all datagrams silences ten
        // transmissions once in thirty thousand times, and five once in two hundred.
        for _ in 0..2 {
            match stage {
                Stage::Contact => {
                    self.waiting.push_back(Question::Contact(Side::First));
                    self.waiting.extend(self.config.second.map(|_| Question::Contact(Side::Second)));
                }
                Stage::Filters => {
                    if has_other {
                        self.waiting.extend([Place::OtherBoth, Place::OtherPort].map(Question::From));
                    }
                    if loops {
                        self.waiting.extend([Side::First, Side::Second].map(Question::Loop));
                    }
                }
                Stage::Places if has_other => {
                    let places = [Place::Main, Place::OtherAddress, Place::OtherBoth, Place::OtherPort];
                    self.waiting.extend(places.map(Question::At));
                }
                _ => {}
            }
        }
        if stage == Stage::Lifetime && has_second {
            self.begin_lifetime();
        }
    }

    fn is_step_over(&mut self) -> bool {
        if self.evidence.stage == Stage::Lifetime {
            return !self.settle_lifetime();
        }
        self.has_all_answers() || self.is_silent()
    }

    /// All has been asked, and the wait is over.
    pub(super) fn is_silent(&self) -> bool {
        self.waiting.is_empty() && self.now >= self.until
    }

    fn has_all_answers(&self) -> bool {
        let seen = &self.evidence;
        let is_answered = |reply: &Reply| *reply != Reply::Nothing;
        match seen.stage {
            Stage::Unstarted => true,
            Stage::Contact => match seen.first {
                Reply::Nothing => false,
                Reply::Seen(_) => self.config.second.is_none() || is_answered(&seen.second),
                _ => true,
            },
            Stage::Filters => {
                let [port, both] = &seen.changed;
                let refused = matches!(port, Reply::Refused(_) | Reply::Ignored);
                let filters = !matches!(seen.other, Other::At(_)) || is_answered(both) || refused;
                let loops = seen.hairpin.is_some() || !seen.is_translated() || seen.second.seen().is_none();
                filters && loops
            }
            Stage::Places => !matches!(seen.other, Other::At(_)) || seen.places.iter().all(is_answered),
            Stage::Lifetime | Stage::Done => false,
        }
    }

    /// The next one to be sent: again, or for the first time.
    fn next_question(&mut self) -> Option<(Question, TransactionId)> {
        if self.is_over() {
            return None;
        }
        while let Some(due) = self.out.due(self.now) {
            if let Due::Retransmit { id, purpose, .. } = due {
                return Some((purpose, id));
            }
        }
        if self.now < self.next_slot {
            return None;
        }
        let question = self.waiting.pop_front()?;
        let id = TransactionId(self.random.0.transaction_id());
        match question {
            // A second transmission would tell of another idle time.
            Question::Redirect(_) => self.out.start_once(self.now, id, question),
            _ => self.out.start(self.now, id, question),
        }
        self.next_slot = self.now + PACE;
        self.until = self.until.max(self.now + SILENCE);
        Some((question, id))
    }

    fn on_sent(&mut self, question: Question) {
        let count = |counter: &mut u8| *counter = counter.saturating_add(1);
        let [port, both] = &mut self.evidence.asked;
        match question {
            Question::From(Place::OtherPort) => count(port),
            Question::From(_) => count(both),
            Question::Loop(_) => count(&mut self.evidence.loops),
            Question::Refresh | Question::Redirect(_) => self.on_lifetime_sent(question),
            Question::Contact(_) | Question::At(_) => {}
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        if self.is_over() {
            return None;
        }
        let step = self.waiting.is_empty().then_some(self.until);
        let slot = (!self.waiting.is_empty()).then_some(self.next_slot);
        step.into_iter().chain(slot).chain(self.out.next_deadline()).min()
    }

    /// From where and where to a question goes.
    pub(super) fn way(&self, question: Question) -> Option<(Spot, SocketAddr)> {
        let seen = &self.evidence;
        let server = self.config.server;
        match question {
            Question::Contact(side) => Some((self.spot(side)?, server)),
            Question::From(_) | Question::Refresh => Some((self.config.first, server)),
            Question::At(place) => Some((self.config.first, self.address(place)?)),
            Question::Loop(Side::First) => Some((self.config.first, seen.second.seen()?)),
            Question::Loop(Side::Second) => Some((self.config.second?, seen.first.seen()?)),
            Question::Redirect(_) => Some((self.config.second?, server)),
        }
    }

    pub(super) fn spot(&self, side: Side) -> Option<Spot> {
        match side {
            Side::First => Some(self.config.first),
            Side::Second => self.config.second,
        }
    }

    /// One of the server's four addresses (RFC 5780 §6.1).
    pub(super) fn address(&self, place: Place) -> Option<SocketAddr> {
        let main = self.config.server;
        let Other::At(other) = self.evidence.other else { return (place == Place::Main).then_some(main) };
        Some(match place {
            Place::Main => main,
            Place::OtherPort => SocketAddr::new(main.ip(), other.port()),
            Place::OtherAddress => SocketAddr::new(other.ip(), main.port()),
            Place::OtherBoth => other,
        })
    }
}

/// Without a FINGERPRINT, which RFC 5780 §5 wants only on ports that carry something else as well: the answer has none then, and so can
/// still be read when something on the way has rewritten an address in it (§3.6).
fn write(question: Question, id: TransactionId, scratch: &mut [u8; MAX_PROBE]) -> Option<usize> {
    let message = MessageWriter::new(scratch, Class::Request, Method::BINDING, id);
    let message = match question {
        Question::From(place) => {
            message.change_request(ChangeRequest { ip: place == Place::OtherBoth, port: true })
        }
        Question::Redirect(port) => message.response_port(port),
        _ => message,
    };
    message.finish().ok()
}
