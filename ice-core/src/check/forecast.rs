//! What is known of the NATs on both sides, and what it says of single pairs. A forecast may be stale (RFC 5780 §1): it decides
//! when a pair has its turn, and nothing that is heard from the peer is ever held against a pair.

use alloc::boxed::Box;

use super::pair::{Outlook, PairState};
use super::{Checks, Context};
use crate::base::PairId;
use crate::candidate::{CandidateType, LocalCandidate, Origin, RemoteCandidate};
use crate::nat::{NatBehaviour, NatTraits, Prospect, prospect};
use crate::trace::CheckFailure;

/// What becomes of pairs that cannot work, as far as is known of the NATs on both sides
/// ([`Agent::set_nat_behaviour`](crate::Agent::set_nat_behaviour)).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum HopelessPairs {
    /// They are checked when nothing else is left to be checked for the first time. What was measured may be stale, and a check is cheap.
    #[default]
    Last,
    /// They fail at once, unless the peer is heard on them. This spares the checks, and the time in which a nomination waits for better pairs:
    /// at the price of a pair that could have worked, if what was measured is not true any more, or was a STUN server that is down and looked like
    /// UDP that is blocked (RFC 5780 §4.2).
    Skip,
}

#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Forecast {
    pub(crate) ours: NatBehaviour,
    pub(crate) theirs: NatBehaviour,
    pub(crate) hopeless: HopelessPairs,
}

impl Forecast {
    /// What it says of two NATs as a whole, with the words for ours and the peer's; nothing where nothing is known of ours, and nothing
    /// speaks against the two.
    pub(crate) fn verdict(&self) -> Option<(Prospect, NatTraits, NatTraits)> {
        let prospect = prospect(&self.ours, &self.theirs);
        let says = prospect != Prospect::Possible || self.ours.traits != NatTraits::UNKNOWN;
        says.then_some((prospect, self.ours.traits, self.theirs.traits))
    }

    /// Of one pair. Ours counts where it was measured from the same address, the peer's where its server saw the same one.
    fn outlook(&self, local: &LocalCandidate, remote: &RemoteCandidate) -> Outlook {
        let is_sent_through_nats =
            local.kind == CandidateType::Host && local.tcp.is_none() && remote.origin == Origin::Signalled;
        let is_ours = self.ours.local.is_some_and(|measured| measured.ip() == local.base.ip());
        let is_theirs = self.theirs.mapped.is_some_and(|measured| measured.ip() == remote.address.ip());
        let ours = if is_ours { self.ours } else { NatBehaviour::UNKNOWN };
        let theirs = if is_theirs { self.theirs } else { NatBehaviour::UNKNOWN };
        let is_poor = match remote.kind {
            CandidateType::ServerReflexive => prospect(&ours, &theirs) != Prospect::Possible,
            // A relay is on the far side of our NAT, too, and has none of its own.
            CandidateType::Relayed => prospect(&ours, &NatBehaviour::UNKNOWN) == Prospect::WeHaveNoUdp,
            _ => false,
        };
        if is_poor && is_sent_through_nats { Outlook::Poor } else { Outlook::Fair }
    }
}

impl Checks {
    pub(crate) fn forecast(&self) -> Option<&Forecast> {
        self.forecast.as_deref()
    }

    /// Something new is known of a NAT: every pair that waits is judged anew.
    pub(crate) fn set_forecast(&mut self, cx: &mut Context<'_>, forecast: Forecast) {
        self.forecast = Some(Box::new(forecast));
        let pairs: alloc::vec::Vec<PairId> = self.set.iter().map(|p| p.id).collect();
        for id in pairs {
            self.judge(cx, id);
        }
        self.consider_nominations(cx);
    }

    /// Gives a pair its outlook.
    pub(super) fn judge(&mut self, cx: &mut Context<'_>, id: PairId) {
        let Some(forecast) = &self.forecast else { return };
        let Some(pair) = self.set.get(id) else { return };
        let (Some(local), Some(remote)) =
            (cx.candidates.local(pair.local), cx.candidates.remote(pair.remote))
        else {
            return;
        };
        let outlook = forecast.outlook(local, remote);
        let skips = forecast.hopeless == HopelessPairs::Skip;
        // RFC 8445 §8.1.2: once a pair is selected, no others are checked.
        let is_closed = self.is_closed(pair.component);
        let Some(pair) = self.set.get_mut(id) else { return };
        pair.outlook = outlook;
        let state = pair.state;
        if skips && pair.is_poor() && pair.is_waiting_or_frozen() {
            self.set_state(cx, id, PairState::Failed(CheckFailure::Hopeless));
        } else if !pair.is_poor() && !is_closed && state == PairState::Failed(CheckFailure::Hopeless) {
            self.set_state(cx, id, PairState::Waiting);
        }
    }
}
