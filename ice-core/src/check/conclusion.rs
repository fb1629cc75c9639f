//! How a component's checks end (RFC 8445 §8.1): the controlling side nominates one valid pair, the
//! controlled side follows, and the pair is selected.

use core::time::Duration;

use smallvec::SmallVec;

use super::connection::Link;
use super::nomination::{Best, Decision, Rival, decide};
use super::pair::{PairNomination, PairState, Standing};
use super::role::Role;
use super::{Checks, Context, Effect, Pair};
use crate::base::{ComponentId, Instant, PairId};
use crate::trace::{CheckFailure, TraceEvent};
use crate::transaction::PATIENCE;

/// How far a component is from its selected pair.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Conclusion {
    Open,
    /// Controlling only: this pair's check is being repeated with USE-CANDIDATE.
    Nominating {
        pair: PairId,
        since: Instant,
    },
    Selected {
        pair: PairId,
    },
    /// The selected pair is gone and none takes its place: only a restart helps (RFC 8445 §8.1.1).
    Lost {
        why: CheckFailure,
    },
}

/// How long an unanswered nomination is repeated while another valid pair stands by: some twenty requests.
/// The peer may have heard one of them, so changing our mind early could leave the two ends apart.
const NOMINATION_PATIENCE: Duration = Duration::from_secs(10);

impl Checks {
    pub(crate) fn selected(&self, component: ComponentId) -> Option<PairId> {
        self.components.iter().find(|c| c.component == component).and_then(|c| match c.conclusion {
            Conclusion::Selected { pair } => Some(pair),
            _ => None,
        })
    }

    /// Whether a pair of the component was ever selected: then its checks are over.
    pub(crate) fn is_concluded(&self, component: ComponentId) -> bool {
        let over = |c: &Conclusion| matches!(c, Conclusion::Selected { .. } | Conclusion::Lost { .. });
        self.components.iter().any(|c| c.component == component && over(&c.conclusion))
    }

    /// Why the component's selected pair was lost, if it was.
    pub(crate) fn lost(&self, component: ComponentId) -> Option<CheckFailure> {
        self.components.iter().find(|c| c.component == component).and_then(|c| match c.conclusion {
            Conclusion::Lost { why } => Some(why),
            _ => None,
        })
    }

    /// Whether a check of this pair carries USE-CANDIDATE: while we nominate it, and ever after. The latter
    /// matters when we have become controlling with a pair selected, and the peer may not have it.
    pub(super) fn is_nominated_by_us(&self, id: PairId) -> bool {
        let selected = || self.set.get(id).and_then(|p| self.selected(p.component)) == Some(id);
        self.role == Role::Controlling
            && (self.nominating().chain(self.renominating()).any(|n| n == id) || selected())
    }

    /// The pairs whose nomination is under way.
    pub(super) fn nominating(&self) -> impl Iterator<Item = PairId> {
        self.components.iter().filter_map(|c| match c.conclusion {
            Conclusion::Nominating { pair, .. } => Some(pair),
            _ => None,
        })
    }

    /// Controlling: nominates where the policy says that waiting cannot pay, and gives up a nomination that
    /// nobody answers.
    pub(super) fn consider_nominations(&mut self, cx: &mut Context<'_>) {
        if self.role != Role::Controlling {
            return;
        }
        self.give_up_renominations(cx.now);
        for index in 0..self.components.len() {
            let Some(of) = self.components.get(index) else { return };
            let (component, conclusion) = (of.component, of.conclusion);
            if let Conclusion::Nominating { pair, since } = conclusion
                && since + self.nomination_patience(component) <= cx.now
            {
                // RFC 8445 §7.2.5.3.4 would fail the whole checklist; another valid pair is worth more.
                self.fail(cx, pair, CheckFailure::NominationUnanswered);
            }
            if let Some((best, Decision::Nominate)) = self.decision(component, cx.now) {
                self.nominate(cx, component, best);
            }
        }
    }

    pub(super) fn next_nomination_deadline(&self, now: Instant) -> Option<Instant> {
        if self.role != Role::Controlling {
            return None;
        }
        let deadline = |c: &super::ComponentChecks| match c.conclusion {
            Conclusion::Nominating { since, .. } => Some(since + self.nomination_patience(c.component)),
            Conclusion::Selected { .. } | Conclusion::Lost { .. } => None,
            Conclusion::Open => match self.decision(c.component, now)? {
                (_, Decision::Nominate) => Some(now),
                (_, Decision::WaitUntil(until)) => Some(until),
                (_, Decision::WaitForChecks) => None,
            },
        };
        self.components.iter().filter_map(deadline).chain(self.next_renomination_deadline()).min()
    }

    /// What the policy says of a component that is open and has a valid pair.
    fn decision(&self, component: ComponentId, now: Instant) -> Option<(PairId, Decision)> {
        if !self.components.iter().any(|c| c.component == component && c.conclusion == Conclusion::Open) {
            return None;
        }
        let pairs = self.set.iter().filter(|p| p.component == component);
        let (best, valid) =
            pairs.clone().filter_map(|p| p.valid().map(|v| (p, v))).max_by_key(|(_, v)| v.priority)?;
        // A frozen pair whose foundation is being checked is spoken for by the pair that leads it.
        let rivals = pairs
            .filter(|p| p.priority > best.priority && p.is_undecided())
            .filter(|p| p.state != PairState::Frozen || !self.is_spoken_for(p.foundation, now))
            // One that cannot work, as far as is known, has its turn last, and is then waited for as if it had had it in time.
            .map(|p| if p.is_poor() && p.stats.first_request.is_some() { best } else { p })
            .map(|p| Rival { first_request: p.stats.first_request });
        // A way over TCP is second to one over UDP, as a relay is.
        let view = Best { rtt: valid.rtt, relayed: valid.relayed || best.link != Link::Datagrams };
        Some((best.id, decide(self.policy, now, view, rivals)))
    }

    /// RFC 8445 §8.1.1: the check that made the pair valid is repeated with USE-CANDIDATE, before all others.
    fn nominate(&mut self, cx: &mut Context<'_>, component: ComponentId, pair: PairId) {
        self.conclude_with(component, Conclusion::Nominating { pair, since: cx.now });
        self.number(pair);
        self.triggered.retain(|&t| t != pair);
        self.triggered.push_front(pair);
    }

    /// Controlling: the peer nominated this pair while it was, and it is valid now. The peer may have selected it, or
    /// may never have heard that we agree; the choice is ours by now, and we make the same one aloud.
    pub(super) fn adopt_nomination(&mut self, cx: &mut Context<'_>, id: PairId) {
        let is_open = |c: &super::ComponentChecks| c.conclusion == Conclusion::Open;
        if let Some(component) = self.set.get(id).map(|p| p.component)
            && self.components.iter().any(|c| c.component == component && is_open(c))
        {
            self.nominate(cx, component, id);
        }
    }

    /// Either side: the nominated flag of a valid pair is set (RFC 8445 §7.2.5.3.4, §7.3.1.5). Of several pairs that
    /// the same side nominated, the one of highest priority is selected (§8.1.1).
    pub(super) fn on_nominated(&mut self, cx: &mut Context<'_>, id: PairId, standing: Standing) {
        let Some(component) = self.set.get(id).map(|p| p.component) else { return };
        // The network may have held back an earlier nomination of the same pair.
        let heard = standing;
        let standing = self.set.get(id).map_or(standing, |p| p.nomination.raised_to(standing));
        let of_other = |p: &Pair| match p.nomination {
            PairNomination::Done(standing) if p.component == component && p.id != id => Some(standing),
            _ => None,
        };
        if self.set.iter().filter_map(of_other).any(|other| other > standing) {
            return;
        }
        for overruled in self.set.iter_mut().filter(|p| of_other(p).is_some_and(|other| other < standing)) {
            overruled.nomination = PairNomination::None;
        }
        self.on_renominated(component, id, heard);
        let Some(pair) = self.set.get_mut(id) else { return };
        let is_news = !matches!(pair.nomination, PairNomination::Done(_));
        pair.nomination = PairNomination::Done(standing);
        if is_news {
            cx.tracer.emit(cx.now, TraceEvent::Nominated { pair: id });
            self.effects.push_back(Effect::Nominated(id));
        }
        self.select_best(cx, component);
    }

    /// Selects the nominated pair of the highest priority; whether there is one.
    pub(super) fn select_best(&mut self, cx: &mut Context<'_>, component: ComponentId) -> bool {
        let is_nominated = |p: &&Pair| matches!(p.nomination, PairNomination::Done(_));
        let best = self
            .set
            .iter()
            .filter(|p| p.component == component)
            .filter(is_nominated)
            .filter_map(|p| p.valid().map(|v| (v.priority, p.id)))
            .max_by_key(|(priority, _)| *priority);
        let Some((_, best)) = best else { return false };
        if self.selected(component) != Some(best) {
            self.select(cx, component, best);
        }
        true
    }

    /// RFC 8445 §8.1.2: what was not checked yet goes; what is out is not sent again.
    fn select(&mut self, cx: &mut Context<'_>, component: ComponentId, selected: PairId) {
        self.conclude_with(component, Conclusion::Selected { pair: selected });
        if self.renominates {
            self.transactions.forget(|t| t.pair == selected);
            self.triggered.retain(|&id| id != selected);
            cx.tracer.emit(cx.now, TraceEvent::Selected { pair: selected });
            self.effects.push_back(Effect::Selected(selected));
            return;
        }
        self.set.conclude(component, cx.candidates);
        let set = &self.set;
        self.triggered.retain(|&id| id != selected && set.get(id).is_some());
        self.transactions.forget(|t| t.pair == selected);
        let open = |p: &Pair| {
            p.component == component && matches!(p.state, PairState::InProgress { .. }) && !p.is_wanted()
        };
        while let Some(id) = self.set.first(open) {
            self.transactions.cancel(|t| t.pair == id);
            self.set_state(cx, id, PairState::Failed(CheckFailure::Concluded));
        }
        cx.tracer.emit(cx.now, TraceEvent::Selected { pair: selected });
        self.effects.push_back(Effect::Selected(selected));
    }

    /// A pair of this component failed: it cannot be the one that is nominated or selected.
    pub(super) fn on_pair_lost(
        &mut self,
        cx: &mut Context<'_>,
        component: ComponentId,
        id: PairId,
        why: CheckFailure,
    ) {
        self.end_renomination(component, id);
        let of = self.components.iter().find(|c| c.component == component);
        match of.map(|c| c.conclusion) {
            Some(Conclusion::Nominating { pair, .. }) if pair == id => {
                self.conclude_with(component, Conclusion::Open);
            }
            // A peer that nominated several pairs has chosen all of them: the next best takes over.
            Some(Conclusion::Selected { pair }) if pair == id && self.renominates => {
                self.conclude_with(component, Conclusion::Open);
                self.effects.push_back(Effect::Reopened(component));
                self.reopen(cx.now, component);
            }
            Some(Conclusion::Selected { pair }) if pair == id && !self.select_best(cx, component) => {
                self.conclude_with(component, Conclusion::Lost { why });
            }
            _ => {}
        }
        self.tell_unselected(component, why);
    }

    /// Tells, once, that what was selected is gone and that nothing can follow it.
    fn tell_unselected(&mut self, component: ComponentId, why: CheckFailure) {
        let may_follow = |p: &Pair| p.component == component && (p.valid().is_some() || p.is_undecided());
        let hope = self.set.iter().any(may_follow);
        let Some(of) = self.components.iter_mut().find(|c| c.component == component) else { return };
        let is_over = match of.conclusion {
            Conclusion::Lost { .. } => true,
            Conclusion::Open => !hope,
            Conclusion::Nominating { .. } | Conclusion::Selected { .. } => false,
        };
        if is_over && core::mem::take(&mut of.was_selected) {
            self.effects.push_back(Effect::Unselected(why));
        }
    }

    /// RFC 8445 §7.3.1.1: priorities change with the role, and only the controlling side nominates.
    pub(super) fn switch_role(&mut self, cx: &mut Context<'_>) {
        self.role = self.role.opposite();
        self.tenure.end();
        self.revalue(cx);
        for of in self.components.iter_mut().filter(|c| matches!(c.conclusion, Conclusion::Nominating { .. }))
        {
            of.conclusion = Conclusion::Open;
        }
        self.forget_renominations();
        self.confirm_selection();
        self.repeat_old_claims(cx);
        self.follow_adopted(cx);
        cx.tracer.emit(cx.now, TraceEvent::RoleSwitched { controlling: self.role == Role::Controlling });
        self.effects.push_back(Effect::RoleSwitched(self.role));
    }

    /// The peer, which claims the same role, may not know of our selection, and as the controlling side we are to tell
    /// it: the selected pair is checked again, with USE-CANDIDATE.
    pub(super) fn confirm_selection(&mut self) {
        if self.role == Role::Controlling {
            let selected: SmallVec<[PairId; 1]> =
                self.components.iter().filter_map(|c| self.selected(c.component)).collect();
            for pair in selected {
                self.number(pair);
                self.enqueue(pair);
            }
        }
    }

    /// Controlled again: what the peer nominated before, and we adopted for a moment, is its choice once more.
    fn follow_adopted(&mut self, cx: &mut Context<'_>) {
        if self.role != Role::Controlled {
            return;
        }
        let wanted = |p: &Pair| match p.nomination {
            PairNomination::Wanted(standing) if p.valid().is_some() => Some((p.id, standing)),
            _ => None,
        };
        let adopted: SmallVec<[_; 2]> = self.set.iter().filter_map(wanted).collect();
        for (id, standing) in adopted {
            self.on_nominated(cx, id, standing);
        }
    }

    /// What is out claims the role that we had. It is not sent again, lest it turn the peer around once more; its
    /// pair is checked anew in its turn.
    fn repeat_old_claims(&mut self, cx: &mut Context<'_>) {
        self.transactions.cancel(|_| true);
        let open = |p: &Pair| matches!(p.state, PairState::InProgress { .. });
        while let Some(id) = self.set.first(open) {
            self.set_state(cx, id, PairState::Waiting);
        }
    }

    /// Priorities have changed.
    pub(super) fn revalue(&mut self, cx: &mut Context<'_>) {
        self.set.revalue(self.role, cx.candidates);
        self.effects.push_back(Effect::Revalued);
    }

    fn conclude_with(&mut self, component: ComponentId, conclusion: Conclusion) {
        if let Some(of) = self.components.iter_mut().find(|c| c.component == component) {
            of.conclusion = conclusion;
            match conclusion {
                Conclusion::Selected { .. } => of.was_selected = true,
                _ => of.renomination = None,
            }
        }
    }

    fn nomination_patience(&self, component: ComponentId) -> Duration {
        let valid = self.set.iter().filter(|p| p.component == component && p.valid().is_some()).count();
        if valid > 1 { NOMINATION_PATIENCE } else { PATIENCE }
    }
}
