//! Whether another path than the selected one should be nominated: asked of the controlling side, towards a peer that
//! renominates. The measure is the policy's; the patience is here, and is a pure function.

use core::time::Duration;

use super::Agent;
use crate::base::{ComponentId, Instant, PairId};
use crate::check::{Nomination, PathMeasure, Role};

/// After a change away from a path that was degraded nothing but another degradation changes it again for this long: a path that
/// loses every other check would draw the two sides to and fro.
const HOLD: Duration = Duration::from_secs(30);
/// How long a pair must have been the best by priority: a change is made once, not pair by pair.
const ROUND: Duration = Duration::from_millis(500);
/// How long the application's measure must have called another path better.
const SETTLED: Duration = Duration::from_secs(5);

/// What is remembered of a component from one look to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Inclination {
    /// No change before this, unless the selected path is degraded.
    held_until: Instant,
    /// Which path is better, and since when.
    towards: Option<(PairId, Instant)>,
}

/// A path as the policy values it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Valued {
    pub(super) pair: PairId,
    pub(super) value: u64,
    pub(super) degraded: bool,
}

/// What to do about a component.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Stay,
    /// Look again then.
    Later(Instant),
    Change(PairId),
}

/// How much better another path has to be, and for how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Caution {
    pub(super) settled: Duration,
    /// One part of so many of the selected path's value; 0 for none.
    pub(super) margin: u64,
}

impl Caution {
    fn of(policy: Nomination) -> Self {
        match policy {
            Nomination::Application(_) => Self { settled: SETTLED, margin: 8 },
            // Priorities do not waver, but better pairs come in one after the other.
            _ => Self { settled: ROUND, margin: 0 },
        }
    }
}

impl Inclination {
    /// Whether to change from `selected` to one of `others`.
    pub(super) fn judge(
        &mut self,
        now: Instant,
        caution: Caution,
        selected: Valued,
        others: impl Iterator<Item = Valued>,
    ) -> Verdict {
        let best = others.filter(|other| !other.degraded).max_by_key(|other| (other.value, other.pair));
        let Some(best) = best else {
            self.towards = None;
            return Verdict::Stay;
        };
        if selected.degraded {
            *self = Self { held_until: now + HOLD, towards: None };
            return Verdict::Change(best.pair);
        }
        let margin = selected.value.checked_div(caution.margin).unwrap_or(0);
        if best.value <= selected.value.saturating_add(margin) {
            self.towards = None;
            return Verdict::Stay;
        }
        let since = match self.towards {
            Some((pair, since)) if pair == best.pair => since,
            _ => now,
        };
        self.towards = Some((best.pair, since));
        let ripe = (since + caution.settled).max(self.held_until);
        if ripe <= now { Verdict::Change(best.pair) } else { Verdict::Later(ripe) }
    }
}

impl Agent {
    /// The peer has said whether it understands renomination (`ice-options:renomination`). It counts only with a policy of
    /// ours that renominates.
    pub fn set_remote_renomination(&mut self, now: Instant, understood: bool) {
        self.advance(now);
        let both = understood && self.policy.renominates();
        self.generations.set_renominates(both);
        self.paths.set_standby(both);
    }

    /// Whether the selected pair can be replaced by another nomination, from either side, without a restart.
    pub fn renominates(&self) -> bool {
        self.generations.current.checks.renominates()
    }

    /// Looks at all components whether another path should be nominated; when to look again.
    pub(super) fn consider_renominations(&mut self) {
        self.next_inclination = None;
        if !self.renominates() || self.role() != Role::Controlling {
            return;
        }
        for index in 0..self.components.len() {
            let Some(&component) = self.components.get(index) else { return };
            match self.verdict(index, component) {
                Verdict::Stay => {}
                Verdict::Later(at) => {
                    self.next_inclination = self.next_inclination.into_iter().chain([at]).min();
                }
                Verdict::Change(pair) => {
                    let (checks, mut cx) = self.checks_and_context();
                    checks.renominate(&mut cx, pair);
                }
            }
        }
    }

    fn verdict(&mut self, index: usize, component: ComponentId) -> Verdict {
        let Some(selected) = self.generations.current.checks.selected(component) else {
            return Verdict::Stay;
        };
        let value = |pair| self.valued(component, pair);
        let Some(now_selected) = value(selected) else { return Verdict::Stay };
        let others = self.paths.measured(self.now, component).filter(|m| m.pair != selected);
        let others: smallvec::SmallVec<[Valued; 8]> = others.filter_map(|m| value(m.pair)).collect();
        let caution = Caution::of(self.policy);
        let Some(inclination) = self.inclinations.get_mut(index) else { return Verdict::Stay };
        inclination.judge(self.now, caution, now_selected, others.into_iter())
    }

    fn valued(&self, component: ComponentId, pair: PairId) -> Option<Valued> {
        let measured = self.paths.measured(self.now, component).find(|m| m.pair == pair)?;
        let path = self.path_of(pair)?;
        let generation = self.generations.of(pair)?;
        let ends = generation.checks.pair(pair)?;
        // What is sent leaves by the base, whatever the mapped address is called (RFC 8445 §7.2.5.3.2).
        let local = generation.candidates.local(ends.local);
        let remote = generation.candidates.remote(ends.remote);
        let measure = PathMeasure {
            priority: path.priority,
            local_type: path.local_type,
            remote_type: path.remote_type,
            rtt: measured.rtt.unwrap_or(path.rtt),
            loss_per_mille: measured.loss_per_mille,
            degraded: measured.degraded,
            local_network_cost: local.and_then(|it| it.network.cost),
            remote_network_cost: remote.and_then(|it| it.network.cost),
        };
        let value = match self.policy {
            Nomination::Application(preference) => (preference.0)(&measure),
            _ => measure.priority,
        };
        Some(Valued { pair, value, degraded: measure.degraded })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIORITY: Caution = Caution { settled: Duration::ZERO, margin: 0 };
    const APPLICATION: Caution = Caution { settled: SETTLED, margin: 8 };

    fn path(pair: u32, value: u64) -> Valued {
        Valued { pair: PairId(pair), value, degraded: false }
    }

    fn degraded(pair: u32, value: u64) -> Valued {
        Valued { degraded: true, ..path(pair, value) }
    }

    #[test]
    fn the_verdicts() {
        let change = Verdict::Change(PairId(2));
        // caution, selected, other, verdict
        let table = [
            (PRIORITY, path(1, 100), path(2, 101), change),
            (PRIORITY, path(1, 100), path(2, 100), Verdict::Stay),
            (PRIORITY, path(1, 100), degraded(2, 900), Verdict::Stay),
            (PRIORITY, degraded(1, 100), path(2, 5), change),
            (PRIORITY, degraded(1, 100), degraded(2, 900), Verdict::Stay),
            (APPLICATION, path(1, 80), path(2, 90), Verdict::Stay),
            (APPLICATION, path(1, 80), path(2, 91), Verdict::Later(Instant::from_millis(5_000))),
            (APPLICATION, degraded(1, 80), path(2, 5), change),
        ];
        for (caution, selected, other, expected) in table {
            let verdict = Inclination::default().judge(Instant::ZERO, caution, selected, [other].into_iter());
            assert_eq!(verdict, expected, "{caution:?} {selected:?} {other:?}");
        }
    }

    #[test]
    fn a_measure_that_wavers_changes_nothing_and_one_that_stays_does() {
        let mut inclination = Inclination::default();
        let mut at = |ms, value| {
            inclination.judge(
                Instant::from_millis(ms),
                APPLICATION,
                path(1, 80),
                [path(2, value)].into_iter(),
            )
        };
        assert_eq!(at(0, 200), Verdict::Later(Instant::from_millis(5_000)));
        assert_eq!(at(4_000, 85), Verdict::Stay);
        assert_eq!(at(5_000, 200), Verdict::Later(Instant::from_millis(10_000)));
        assert_eq!(at(10_000, 200), Verdict::Change(PairId(2)));
    }

    #[test]
    fn a_path_that_recovers_does_not_draw_the_choice_back_at_once() {
        let mut inclination = Inclination::default();
        let away = inclination.judge(Instant::ZERO, PRIORITY, degraded(1, 9), [path(2, 5)].into_iter());
        assert_eq!(away, Verdict::Change(PairId(2)));
        let mut back =
            |ms| inclination.judge(Instant::from_millis(ms), PRIORITY, path(2, 5), [path(1, 9)].into_iter());
        assert_eq!(back(1_000), Verdict::Later(Instant::from_millis(30_000)));
        assert_eq!(back(30_000), Verdict::Change(PairId(1)));
    }
}
