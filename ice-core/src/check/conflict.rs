//! What is remembered of a role conflict until it has been repaired on both sides (RFC 8445 §7.2.5.1, §7.3.1.1): datagrams
//! that the network held back or doubled must not open it again.

use alloc::collections::VecDeque;

use crate::wire::{RoleClaim, TransactionId};

/// How many refused requests, and how many old tie-breakers of the peer, are remembered, the latest: a conflict takes a
/// round trip or two to repair, and a peer sends one new check each Ta (RFC 8445 §7.3.1.1).
pub(crate) const MAX_REFUSED: usize = 16;

#[derive(Clone, Debug, Default)]
pub(super) struct Conflict {
    /// Requests that were answered with 487, so that copies of them get the same answer.
    refused: VecDeque<TransactionId>,
    /// The tie-breaker in the peer's latest requests.
    claim: Option<u64>,
    /// Those that it had before.
    old_claims: VecDeque<u64>,
}

/// When a request was sent, judged by the tie-breaker in it: the peer takes a new one when it gives in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Era {
    Known,
    New,
    Past,
}

impl Conflict {
    pub(super) fn refuse(&mut self, id: TransactionId) {
        push_bounded(&mut self.refused, id);
    }

    pub(super) fn was_refused(&self, id: TransactionId) -> bool {
        self.refused.contains(&id)
    }

    pub(super) fn on_claim(&mut self, claim: Option<RoleClaim>) -> Era {
        let Some(number) = claim.map(RoleClaim::tie_breaker) else { return Era::Known };
        if self.old_claims.contains(&number) {
            return Era::Past;
        }
        match self.claim.replace(number) {
            Some(last) if last != number => {
                push_bounded(&mut self.old_claims, last);
                Era::New
            }
            _ => Era::Known,
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> (usize, usize) {
        (self.refused.len(), self.old_claims.len())
    }
}

fn push_bounded<T>(ring: &mut VecDeque<T>, item: T) {
    if ring.len() >= MAX_REFUSED {
        ring.pop_front();
    }
    ring.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_before_the_peer_gave_in_is_recognised() {
        let mut conflict = Conflict::default();
        let mut on = |number| conflict.on_claim(Some(RoleClaim::Controlled(number)));
        assert_eq!(
            [on(7), on(7), on(9), on(7), on(9)],
            [Era::Known, Era::Known, Era::New, Era::Past, Era::Known]
        );
    }
}
