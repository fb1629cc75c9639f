//! Our NAT has moved the selected flow, and no nomination can tell the peer: a restart is asked for as soon as the peer's silence
//! shows that it does not reach us any more, and not when its consent has ended.

use core::net::SocketAddr;

use smallvec::SmallVec;

use super::{Agent, Cause, Event};
use crate::base::{ComponentId, Instant, PairId};
use crate::check::Whereabouts;

/// The selected pair of a component leads the peer to where we are no more, as far as an answer of its shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Moved {
    component: ComponentId,
    pair: PairId,
    /// Where the peer sees us now.
    mapped: SocketAddr,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// The old address may still lead to us. Look again then; with the next answer, if nothing is expected of the peer.
    Watching(Instant),
    /// It does not.
    Cut,
}

impl Moved {
    /// The peer may have begun to ask for consent since.
    fn look_again(&mut self, now: Instant) {
        if self.stage == Stage::Watching(Instant::MAX) {
            self.stage = Stage::Watching(now);
        }
    }
}

impl Stage {
    fn is_due(self, now: Instant) -> bool {
        match self {
            Self::Watching(at) => at <= now,
            // Until something is heard.
            Self::Cut => true,
        }
    }
}

/// One for each component.
pub(super) type Moves = SmallVec<[Moved; 1]>;

impl Agent {
    /// A consent check of this pair was answered, and the peer sees us at `mapped`.
    pub(super) fn on_consent_mapped(&mut self, pair: PairId, mapped: SocketAddr) {
        let (checks, cx) = self.checks_and_context();
        let whereabouts = checks.on_consent_mapped(&cx, pair, mapped);
        let known = self.moves.iter_mut().find(|m| m.pair == pair);
        match (whereabouts, known) {
            (Whereabouts::Moved, Some(known)) if known.mapped == mapped => known.look_again(self.now),
            (Whereabouts::Moved, _) => {
                let Some(component) = self.generations.current.checks.pair(pair).map(|p| p.component) else {
                    return;
                };
                self.moves.retain(|m| m.component != component);
                self.moves.push(Moved { component, pair, mapped, stage: Stage::Watching(self.now) });
            }
            (Whereabouts::Known | Whereabouts::Mending, Some(known)) => {
                // It was moved back: what may yet be lost is to be told again.
                if known.stage == Stage::Cut {
                    self.watch.on_selected();
                }
                self.moves.retain(|m| m.pair != pair);
            }
            (Whereabouts::Known | Whereabouts::Mending, None) => {}
        }
    }

    /// Lets time pass: whether the peer still reaches us where we were. Its own requests tell, and its data; its answers come to where we
    /// ask from.
    pub(super) fn consider_moves(&mut self) {
        let Self { moves, generations, paths, .. } = self;
        let checks = &generations.current.checks;
        moves.retain(|m| checks.selected(m.component) == Some(m.pair));
        let mut news = None;
        for moved in moves.iter_mut().filter(|m| m.stage.is_due(self.now)) {
            let heard = paths.traffic_of(moved.component, moved.pair).last_received;
            let before = moved.stage;
            moved.stage = match checks.expects_by(moved.pair, heard) {
                Some(until) if until <= self.now => Stage::Cut,
                Some(until) => Stage::Watching(until),
                None => Stage::Watching(Instant::MAX),
            };
            match (before, moved.stage) {
                (Stage::Watching(_), Stage::Cut) => news = Some(moved.mapped),
                // It was late: the next silence is to be told again.
                (Stage::Cut, Stage::Watching(_)) => self.watch.on_selected(),
                _ => {}
            }
        }
        let Some(mapped) = news else { return };
        if self.watch.asks_for_restart() {
            self.events.push_back(Event::RestartNeeded(Cause::MappingChanged { mapped }));
        }
        if self.restart_by_itself {
            // It can only fail where nothing needs it.
            let _ = self.restart(self.now);
        }
    }

    /// When [`Self::consider_moves`] will have something to do.
    pub(super) fn next_move(&self) -> Option<Instant> {
        let watched = self.moves.iter().filter_map(|m| match m.stage {
            Stage::Watching(at) => Some(at),
            Stage::Cut => None,
        });
        watched.min().filter(|at| *at < Instant::MAX)
    }

    /// Where we are now, if the peer does not reach us there.
    pub(super) fn cut_off_at(&self) -> Option<SocketAddr> {
        self.moves.iter().find(|m| m.stage == Stage::Cut).map(|m| m.mapped)
    }
}
