//! Has our own NAT moved the selected flow to another address? The answer to a consent check tells (RFC 8445 §7.2.5.3, RFC 7675 §5.1).
//! The peer goes on sending to where we were, and nobody tells it but a nomination or a restart.

use core::net::SocketAddr;
use core::time::Duration;

use super::pair::PairStats;
use super::role::Role;
use super::{Checks, Context};
use crate::base::{Instant, PairId};

/// What a consent check's answer says of where we are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Whereabouts {
    /// Where the pair was found valid, or nobody can tell.
    Known,
    /// Elsewhere, and a nomination lets the peer follow.
    Mending,
    /// Elsewhere, and without renomination only a restart lets the peer know (RFC 8445 §8.1.1).
    Moved,
}

/// RFC 7675 §5.1: consent checks are 4 s apart at the least; browsers ask every 2.5 s all the same, and others every 2 s. What comes
/// sooner, by more than a network delays one, is the nomination once more (RFC 8445 §14.3: after 500 ms and 1 s, if one or two were lost).
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1_500);
/// The longest interval of who keeps to RFC 7675's 5 s: 6 s, with what the network adds.
const USUAL_RHYTHM: Duration = Duration::from_secs(7);
const USUAL_INTERVAL: Duration = Duration::from_secs(6);
/// What the network may delay a request by, besides.
const LATENESS: Duration = Duration::from_secs(1);

impl PairStats {
    /// A request has come so long after the one before, when a pair was selected: checks are over, whatever distances they had.
    pub(super) fn on_received_after(&mut self, gap: Option<Duration>) {
        self.rhythm = gap.filter(|gap| *gap >= SHORTEST_INTERVAL).or(self.rhythm);
    }

    /// When the peer will have sent its next request on this pair, if it asks for consent there: RFC 7675 §5.1 draws each interval from
    /// 0.8 to 1.2 of a basic one, so none is longer than any other and a half.
    fn request_due(&self) -> Option<Instant> {
        let interval = self.rhythm.map(|it| if it <= USUAL_RHYTHM { USUAL_INTERVAL } else { it * 3 / 2 })?;
        Some(self.last_received? + interval + LATENESS)
    }
}

impl Checks {
    /// The peer has answered a consent check of this pair, and sees us at `mapped`. If that is not where the selected pair was
    /// found valid, our NAT has moved us, and what the peer has selected leads to where we are no more.
    ///
    /// Where both sides renominate, the peer learns of the new address by our checks (RFC 8445 §7.3.1.3). If we control, it is to choose it: the
    /// pair is nominated anew, from there.
    pub(crate) fn on_consent_mapped(
        &mut self,
        cx: &Context<'_>,
        id: PairId,
        mapped: SocketAddr,
    ) -> Whereabouts {
        let Some(pair) = self.set.get(id) else { return Whereabouts::Known };
        let known = pair.valid().and_then(|valid| cx.candidates.local(valid.local));
        let has_moved = known.is_some_and(|local| local.address != mapped);
        if !has_moved || self.selected(pair.component) != Some(id) {
            return Whereabouts::Known;
        }
        if !self.renominates {
            return Whereabouts::Moved;
        }
        if self.role == Role::Controlling {
            self.number(id);
            self.enqueue(id);
        }
        Whereabouts::Mending
    }

    /// When something of the peer's own must have come on this pair, if its last datagram there came at `heard` and it can still reach us.
    /// `None` if it asks for no consent there, so that its silence says nothing.
    pub(crate) fn expects_by(&self, id: PairId, heard: Option<Instant>) -> Option<Instant> {
        let stats = &self.set.get(id)?.stats;
        let due = stats.request_due()?;
        let interval = due.since(stats.last_received?);
        Some(due.max(heard.map_or(due, |at| at + interval)))
    }
}
