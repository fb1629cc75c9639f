//! Pairs whose messages go over a connection (RFC 6544 §7): it is opened in the turn of the first check, and what happens to it
//! happens to the pair. The agent opens and closes; this file says when one is wanted.

use super::pair::PairState;
use super::{Checks, Context, Effect, Pair, Progress};
use crate::base::{PairId, StreamEnd, Tuple};
use crate::candidate::TcpType;
use crate::trace::CheckFailure;
use crate::transaction::BindingRequest;

/// What carries the messages of a pair.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Link {
    /// Datagrams: nothing is to be opened.
    Datagrams,
    /// A connection that is not there.
    Closed,
    /// A connection that was asked for.
    Opening,
    /// A connection.
    Open,
}

impl Link {
    pub(super) fn of(tcp: Option<TcpType>) -> Self {
        if tcp.is_some() { Self::Closed } else { Self::Datagrams }
    }
}

impl Checks {
    /// The connection of this flow is open: checks that have waited for it go next.
    pub(crate) fn on_connected(&mut self, tuple: Tuple) {
        let Self { set, ready, .. } = self;
        for pair in set.iter_mut().filter(|p| p.tuple == tuple && p.link == Link::Opening) {
            pair.link = Link::Open;
            if matches!(pair.state, PairState::InProgress { .. }) {
                ready.push(pair.id);
            }
        }
    }

    /// The connection of this flow is gone, or could not be opened.
    pub(crate) fn on_disconnected(&mut self, cx: &mut Context<'_>, tuple: Tuple, why: CheckFailure) {
        let hit = |p: &Pair| p.tuple == tuple && matches!(p.link, Link::Opening | Link::Open);
        while let Some(id) = self.set.first(hit) {
            if let Some(pair) = self.set.get_mut(id) {
                pair.link = Link::Closed;
            }
            if self.set.get(id).is_some_and(|p| !matches!(p.state, PairState::Failed(_))) {
                self.fail(cx, id, why);
            }
        }
        self.consider_nominations(cx);
    }

    /// Whether checks still have a use for the connection of this flow: after its component is decided only paths do
    /// (RFC 6544 §8).
    pub(crate) fn uses_connection(&self, tuple: Tuple) -> bool {
        let wanted = |p: &Pair| {
            p.tuple == tuple
                && !matches!(p.state, PairState::Failed(_))
                && (p.is_wanted()
                    || match p.state {
                        PairState::Succeeded(_) => !self.is_concluded(p.component),
                        _ => !self.is_closed(p.component),
                    })
        };
        self.set.iter().any(wanted)
    }

    /// The next check whose connection has opened since it was due.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Option<BindingRequest> {
        while !self.ready.is_empty() {
            let id = self.ready.remove(0);
            let waits = |p: &Pair| matches!(p.state, PairState::InProgress { .. });
            if self.set.get(id).is_some_and(waits)
                && let Some(request) = self.send(cx, id)
            {
                return Some(request);
            }
        }
        None
    }

    /// Whether a request for this pair can go out at once. If its connection is not there, it is asked for, in the slot that the
    /// request would have had (RFC 6544 §4.1).
    pub(super) fn has_link(&mut self, cx: &mut Context<'_>, id: PairId) -> bool {
        let Some(pair) = self.set.get_mut(id) else { return false };
        match pair.link {
            Link::Datagrams | Link::Open => return true,
            Link::Opening => {}
            Link::Closed => {
                let may_open =
                    cx.candidates.local(pair.local).is_some_and(|l| l.tcp == Some(TcpType::Active));
                if !may_open {
                    self.fail(cx, id, CheckFailure::Disconnected(StreamEnd::Ended));
                    return false;
                }
                pair.link = Link::Opening;
                pair.stats.first_request.get_or_insert(cx.now);
                self.effects.push_back(Effect::Connect(id));
                self.next_slot = cx.now + self.pacing.ta();
                self.progress = Progress::Started;
            }
        }
        self.set_state(cx, id, PairState::InProgress { since: cx.now });
        false
    }
}
