//! Does the selected pair still live? The controlling side asks when the peer checks from elsewhere: it may have lost the
//! interface that the pair ended at, and no way to say so. The controlled side, whose selected pair is gone, gives the other cause
//! to ask. Both only where a pair can be replaced without a restart.
//!
//! What is asked are checks, at the pace of all checks: RFC 7675 §5.1 permits those at any time, and forbids consent checks that come
//! closer than four seconds.

use core::time::Duration;

use super::conclusion::Conclusion;
use super::role::Role;
use super::schedule::repeat_at;
use super::{Checks, ComponentChecks, Effect, Pair};
use crate::base::{ComponentId, Instant, PairId};
use crate::transaction::RTO;

/// A selected pair may be dead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Doubt {
    pair: PairId,
    since: Instant,
    stage: Stage,
}

/// How far the question has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// So many requests are out, and the next one goes then.
    Asking { asked: u8, next: Instant },
    /// All are out; if there is no answer until then, the pair is silent.
    Waiting { until: Instant },
    /// There was no answer, and so it is known.
    Silent,
}

/// How many requests have to go unanswered: at 10 % loss each way one live pair in 770 is taken for a silent one, at 30 % one in
/// 15. That costs a change to another that lives.
const QUESTIONS: u8 = 4;
/// RFC 7675 §5.1: consent checks are never closer. What comes sooner is a check that wants something.
const CONSENT_PERIOD: Duration = Duration::from_secs(4);
/// How long the controlled side asks for a nomination: as long as the other would repeat one.
const PATIENCE: Duration = Duration::from_secs(10);

impl Checks {
    /// Controlling: an authenticated request has come in on this pair, and `before` was the last one. If it is a check, and
    /// from another address than the selected pair has, that one is in doubt, and whether this one would do is to be known, too.
    /// Each is asked half a second after it was last checked at the earliest, so that no peer makes us check much more than we
    /// would; who has moved checks again and again.
    pub(super) fn on_checked(&mut self, now: Instant, id: PairId, before: Option<Instant>) {
        let is_consent = before.is_some_and(|last| now >= last + CONSENT_PERIOD);
        if is_consent || self.role != Role::Controlling || !self.renominates {
            return;
        }
        let Some(checked) = self.set.get(id) else { return };
        let Some(selected) = self.selected(checked.component).and_then(|id| self.set.get(id)) else { return };
        if selected.remote == checked.remote {
            return;
        }
        let (pair, component) = (selected.id, checked.component);
        let is_stale = checked.valid().is_some() && repeat_at(checked) <= now;
        let may_ask = repeat_at(selected) <= now;
        let Some(of) = self.components.iter_mut().find(|c| c.component == component) else { return };
        let is_open = |known: &Doubt| known.pair == pair && known.stage != Stage::Silent;
        if !of.doubt.as_ref().is_some_and(is_open) && may_ask {
            of.doubt = Some(Doubt { pair, since: now, stage: Stage::Asking { asked: 0, next: now } });
        }
        if of.doubt.is_some_and(|doubt| doubt.pair == pair) && is_stale {
            self.enqueue(id);
        }
    }

    /// The pair that is to be asked next, of one stream.
    pub(super) fn next_question(&self, now: Instant, stream: usize) -> Option<PairId> {
        let of_stream = self.doubts().filter(|(of, _)| usize::from(of.stream) == stream);
        let due = |doubt: &Doubt| matches!(doubt.stage, Stage::Asking { next, .. } if next <= now);
        of_stream.map(|(_, doubt)| doubt).find(due).map(|doubt| doubt.pair)
    }

    /// When the next question goes, if there is one to ask.
    pub(super) fn next_question_at(&self) -> Option<Instant> {
        let next = |(_, doubt): (_, Doubt)| match doubt.stage {
            Stage::Asking { next, .. } => Some(next),
            Stage::Waiting { .. } | Stage::Silent => None,
        };
        self.doubts().filter_map(next).min()
    }

    /// When a silence will have lasted long enough.
    pub(super) fn next_silence(&self) -> Option<Instant> {
        let until = |(_, doubt): (_, Doubt)| match doubt.stage {
            Stage::Waiting { until } => Some(until),
            Stage::Asking { .. } | Stage::Silent => None,
        };
        self.doubts().filter_map(until).min()
    }

    /// Whether this pair is selected and may be dead.
    pub(super) fn is_doubted(&self, id: PairId) -> bool {
        self.doubts().any(|(_, doubt)| doubt.pair == id)
    }

    /// A check of this pair goes out.
    pub(super) fn on_asked(&mut self, now: Instant, id: PairId) {
        let ta = self.pacing.ta();
        // The way there and back may take longer than it did.
        let patience = self.set.get(id).and_then(Pair::valid).map_or(RTO, |valid| 2 * valid.rtt + ta);
        for doubt in self.components.iter_mut().filter_map(|c| c.doubt.as_mut()).filter(|d| d.pair == id) {
            doubt.stage = match doubt.stage {
                Stage::Asking { asked, .. } if asked + 1 < QUESTIONS => {
                    Stage::Asking { asked: asked + 1, next: now + ta }
                }
                Stage::Asking { .. } => Stage::Waiting { until: now + patience },
                stage => stage,
            };
        }
    }

    /// A check of this pair that was `sent` then is answered.
    pub(super) fn on_life(&mut self, id: PairId, sent: Instant) {
        for of in &mut self.components {
            of.doubt = of.doubt.filter(|d| d.pair != id || sent < d.since);
        }
    }

    /// Lets time pass: who has not answered is silent, and who was not nominated is not going to be.
    pub(super) fn settle_doubts(&mut self, now: Instant) {
        for of in &mut self.components {
            if let Some(doubt) = of.doubt_of_selected()
                && matches!(doubt.stage, Stage::Waiting { until } if until <= now)
            {
                self.effects.push_back(Effect::Silent(doubt.pair));
                of.doubt = Some(Doubt { stage: Stage::Silent, ..doubt });
            }
            of.reopened = of.reopened.filter(|since| now < *since + PATIENCE);
        }
    }

    /// Controlled: the pairs that data goes on for want of a selected one. They are checked until the peer nominates,
    /// which may not know that the selected one is gone.
    pub(super) fn makeshifts(&self) -> impl Iterator<Item = &Pair> {
        let open = |c: &&ComponentChecks| c.reopened.is_some() && c.conclusion == Conclusion::Open;
        let controlled = self.role == Role::Controlled && self.renominates;
        self.components.iter().filter(open).filter(move |_| controlled).filter_map(|c| {
            let pairs = self.set.iter().filter(|p| p.component == c.component);
            pairs
                .filter_map(|p| Some((p, p.valid()?.priority)))
                .max_by_key(|(_, value)| *value)
                .map(|(p, _)| p)
        })
    }

    fn doubts(&self) -> impl Iterator<Item = (ComponentId, Doubt)> {
        self.components.iter().filter_map(|c| Some((c.component, c.doubt_of_selected()?)))
    }
}

impl ComponentChecks {
    /// Another pair may have been selected since it was raised.
    fn doubt_of_selected(&self) -> Option<Doubt> {
        self.doubt.filter(|doubt| self.conclusion == Conclusion::Selected { pair: doubt.pair })
    }
}
