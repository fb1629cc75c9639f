//! A filter that was narrowed: what was told under the one before is not told again at a restart.

use smallvec::SmallVec;

use super::{Gatherer, Socket, untold};
use crate::candidate::{CandidateType, Candidates, LocalCandidate, LocalId};

impl Gatherer {
    /// Whether the filter lets this candidate through, as it is now. A host candidate where there is no NAT is as public as the
    /// reflexive candidate that it stands for.
    pub(crate) fn lets_through(&self, local: &LocalCandidate) -> bool {
        let (socket, address) = (local.socket, local.address);
        let is_used = |s: &Socket| self.filter.admits_base(s.local().ip(), s.interface());
        let is_seen = || self.vouched.contains(&(socket, address)) || self.inquiries.sees(socket, address);
        let admits = |kind| self.filter.admits(kind, address.ip());
        let is_told = admits(local.kind)
            || local.kind == CandidateType::Host && admits(CandidateType::ServerReflexive) && is_seen();
        is_told && self.socket(socket).is_some_and(is_used)
    }

    /// A restart: what the filter keeps out by now is left out of the `candidates` of the new generation, or hidden in it if a
    /// candidate is left that is checked from there (RFC 8445 §6.1.2.4). Nor is its address told as the related one of others (RFC 8839 §5.1).
    pub(crate) fn leave_out_filtered(&self, candidates: &mut Candidates) {
        let kept_out =
            |candidates: &Candidates, which: fn(CandidateType) -> bool| -> SmallVec<[LocalId; 8]> {
                let locals = candidates.locals().iter().filter(|l| which(l.kind) && !self.lets_through(l));
                locals.map(|l| l.id).collect()
            };
        for id in kept_out(candidates, |kind| kind != CandidateType::Host) {
            candidates.remove_local(id);
        }
        for id in kept_out(candidates, |kind| kind == CandidateType::Host) {
            let Some(base) = candidates.local(id).map(|l| (l.socket, l.tcp, l.base)) else { continue };
            let is_needed =
                candidates.locals().iter().any(|l| l.id != id && (l.socket, l.tcp, l.base) == base);
            if is_needed {
                candidates.hide(id);
            } else {
                candidates.remove_local(id);
            }
        }
        let tells_base = |l: &LocalCandidate| self.socket(l.socket).is_some_and(|s| self.tells_of(*s));
        candidates.set_related(|l| match l.kind {
            CandidateType::ServerReflexive if !tells_base(l) => Some(untold(l.address)),
            _ => l.related,
        });
    }
}
