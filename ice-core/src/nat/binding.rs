//! How long a mapping lives (RFC 5780 §4.6). The first socket makes a mapping and then is silent; after a while the
//! second one asks the server to answer to that mapping (RESPONSE-PORT). Whether the answer comes through tells of one
//! idle time, and a binary search of all.
//!
//! Both bounds of the result are safe: the mapping was used last when its own answer came in, or when its own question
//! went out, whichever way the NAT counts.

use core::time::Duration;

use super::behaviour::{Finding, LifetimeRange, WhyUnknown};
use super::discovery::{Discovery, Question, SILENCE};
use super::evidence::Reply;
use super::search::Search;
use crate::base::Instant;

/// How many idle times are tried at the most: enough for an hour to within two seconds.
pub(super) const MAX_TRIALS: u8 = 12;
/// How often the second socket asks, so that loss is hardly ever taken for an expired mapping. New transactions, not repeated
/// ones: doubling would blur the idle time.
pub(super) const BURST: u8 = 8;
/// How long the last of them is waited for.
pub(super) const ANSWER_WAIT: Duration = Duration::from_secs(2);
/// For how long after the first answer others to the same question may come, which may count as use of the mapping.
pub(super) const LATE: Duration = Duration::from_secs(4);

/// The mapping under test.
#[derive(Debug)]
pub(super) struct Binding {
    search: Search,
    phase: Phase,
    /// Whether a redirected answer has ever come: else its absence says nothing.
    proven: bool,
    /// How long the mapping is left alone in this trial.
    idle: Duration,
    /// What the last trial said; it counts when the server is seen to be there still.
    verdict: Option<Verdict>,
    /// When the first socket sent last.
    sent: Instant,
    /// When something came in to it last, and when its question was answered.
    heard: Instant,
    answered: Instant,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// The first socket asks, and makes or keeps its mapping.
    Refreshing,
    /// It is silent, to be asked for at this port of the NAT.
    Quiet {
        port: u16,
    },
    /// The second socket asks.
    Probing {
        first: Option<Instant>,
        last: Instant,
    },
    Over,
}

#[derive(Clone, Copy, Debug)]
enum Verdict {
    Alive(Duration),
    Gone { idle: Duration, until: Duration },
}

impl Discovery {
    pub(super) fn begin_lifetime(&mut self) {
        let Some(search) = self.config.lifetime else { return };
        self.binding = Some(Binding {
            search: Search::new(search, MAX_TRIALS),
            phase: Phase::Refreshing,
            proven: false,
            idle: Duration::ZERO,
            verdict: None,
            sent: self.now,
            heard: self.now,
            answered: self.now,
        });
        self.ask_for_mapping();
    }

    /// Lets time pass. False when the search is over.
    pub(super) fn settle_lifetime(&mut self) -> bool {
        let is_silent = self.is_silent();
        let Some(binding) = &mut self.binding else { return false };
        match binding.phase {
            Phase::Over => return false,
            Phase::Refreshing if is_silent => self.end_lifetime(Finding::Unknown(WhyUnknown::ServerGone)),
            Phase::Quiet { port } if is_silent => {
                binding.phase = Phase::Probing { first: None, last: self.now };
                self.waiting.extend([Question::Redirect(port); BURST as usize]);
            }
            Phase::Probing { first, last } if is_silent => {
                let (idle, until) = (first.unwrap_or(last).since(binding.heard), last.since(binding.sent));
                let round_trip = binding.answered.since(binding.sent);
                if binding.proven {
                    binding.verdict = Some(Verdict::Gone { idle, until: until + round_trip });
                    self.ask_for_mapping();
                } else {
                    self.end_lifetime(Finding::Unknown(WhyUnknown::Ignored));
                }
            }
            _ => {}
        }
        self.binding.as_ref().is_some_and(|binding| !matches!(binding.phase, Phase::Over))
    }

    pub(super) fn on_lifetime_sent(&mut self, question: Question) {
        let Some(binding) = &mut self.binding else { return };
        match (&mut binding.phase, question) {
            (Phase::Refreshing, Question::Refresh) => binding.sent = self.now,
            (Phase::Probing { first, last }, Question::Redirect(_)) => {
                first.get_or_insert(self.now);
                *last = self.now;
                self.until = self.now + ANSWER_WAIT;
            }
            _ => {}
        }
    }

    /// Something has come to the first socket from the server: it may have been use of the mapping.
    pub(super) fn on_first_used(&mut self) {
        let Some(binding) = &mut self.binding else { return };
        if matches!(binding.phase, Phase::Quiet { .. }) && self.now.since(binding.answered) <= LATE {
            binding.heard = self.now;
            self.until = self.now + binding.idle;
        }
    }

    /// The first socket's own question was answered.
    pub(super) fn on_refreshed(&mut self, reply: Reply) {
        let second = self.evidence.second.seen().map(|mapped| mapped.ip());
        let Some(binding) = &mut self.binding else { return };
        if !matches!(binding.phase, Phase::Refreshing) {
            return;
        }
        let mapped = match reply {
            Reply::Seen(mapped) => mapped,
            Reply::Refused(code) => return self.end_lifetime(Finding::Unknown(WhyUnknown::Refused(code))),
            _ => return self.end_lifetime(Finding::Unknown(WhyUnknown::NoMappedAddress)),
        };
        (binding.heard, binding.answered) = (self.now, self.now);
        match binding.verdict.take() {
            Some(Verdict::Alive(idle)) => binding.search.on_alive(idle),
            Some(Verdict::Gone { idle, until }) => binding.search.on_gone(idle, until),
            None => {}
        }
        if second != Some(mapped.ip()) {
            // RFC 5780 §7.5: the answer goes to the address that the second socket is seen at.
            return self.end_lifetime(Finding::Unknown(WhyUnknown::SeveralAddresses));
        }
        let idle = if binding.proven { binding.search.next_trial() } else { Some(Duration::ZERO) };
        let Some(idle) = idle else {
            let range = binding.search.range();
            return self.end_lifetime(Finding::Known(range));
        };
        binding.idle = idle;
        binding.phase = Phase::Quiet { port: mapped.port() };
        self.out.forget(|_| true);
        self.waiting.clear();
        self.until = self.now + idle;
    }

    /// The answer to the second socket's question has come to the first one: the mapping lives.
    pub(super) fn on_redirected(&mut self) {
        let Some(binding) = &mut self.binding else { return };
        let Phase::Probing { first: Some(first), .. } = binding.phase else { return };
        binding.proven = true;
        binding.verdict = Some(Verdict::Alive(first.since(binding.heard)));
        self.ask_for_mapping();
    }

    /// It has come back to the second one.
    pub(super) fn on_not_redirected(&mut self, reply: Reply) {
        let Some(binding) = &mut self.binding else { return };
        let Phase::Probing { first: Some(first), last } = binding.phase else { return };
        match reply {
            Reply::Refused(code) => self.end_lifetime(Finding::Unknown(WhyUnknown::Refused(code))),
            _ if !binding.proven => self.end_lifetime(Finding::Unknown(WhyUnknown::Ignored)),
            // RFC 5780 §4.6: the second socket has got the mapping's place, so the mapping is gone.
            _ => {
                let (idle, until) = (first.since(binding.heard), last.since(binding.sent));
                binding.verdict = Some(Verdict::Gone { idle, until });
                self.ask_for_mapping();
            }
        }
    }

    fn ask_for_mapping(&mut self) {
        let Some(binding) = &mut self.binding else { return };
        binding.phase = Phase::Refreshing;
        self.out.forget(|_| true);
        self.waiting.clear();
        self.waiting.extend([Question::Refresh; 2]);
        self.until = self.now + SILENCE;
    }

    fn end_lifetime(&mut self, found: Finding<LifetimeRange>) {
        self.evidence.lifetime = found;
        if let Some(binding) = &mut self.binding {
            binding.phase = Phase::Over;
        }
    }
}
