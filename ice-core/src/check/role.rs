//! Who decides: the two roles, and the repair when both sides want the same one.

use core::fmt;

use crate::wire::RoleClaim;

/// The part that an agent plays (RFC 8445 §6.1.1). The controlling agent nominates.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Role {
    /// Nominates the pair that is used. By custom the offerer, or the one who calls.
    #[default]
    Controlling,
    /// Follows the peer's nomination.
    Controlled,
}

impl Role {
    /// The other one.
    pub fn opposite(self) -> Self {
        match self {
            Self::Controlling => Self::Controlled,
            Self::Controlled => Self::Controlling,
        }
    }

    pub(crate) fn claim(self, tie_breaker: u64) -> RoleClaim {
        match self {
            Self::Controlling => RoleClaim::Controlling(tie_breaker),
            Self::Controlled => RoleClaim::Controlled(tie_breaker),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Controlling => "controlling",
            Self::Controlled => "controlled",
        })
    }
}

/// What a request's claim means for us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// The roles differ, as they should.
    NoConflict,
    /// We change our role and go on with the request.
    WeYield,
    /// The peer is to change its role: answer 487.
    PeerYields,
}

/// RFC 8445 §7.3.1.1. The larger tie-breaker controls. On a tie the controlling agent stays and sends
/// 487, and the controlled agent becomes controlling.
pub(crate) fn judge(role: Role, tie_breaker: u64, claim: Option<RoleClaim>) -> Verdict {
    match (role, claim) {
        (Role::Controlling, Some(RoleClaim::Controlling(theirs))) if tie_breaker >= theirs => {
            Verdict::PeerYields
        }
        (Role::Controlling, Some(RoleClaim::Controlling(_))) => Verdict::WeYield,
        (Role::Controlled, Some(RoleClaim::Controlled(theirs))) if tie_breaker >= theirs => Verdict::WeYield,
        (Role::Controlled, Some(RoleClaim::Controlled(_))) => Verdict::PeerYields,
        _ => Verdict::NoConflict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_tie_breaker_ends_up_controlling() {
        use RoleClaim::{Controlled as Cd, Controlling as Cg};
        let table = [
            (Role::Controlling, 5, Some(Cg(4)), Verdict::PeerYields),
            (Role::Controlling, 5, Some(Cg(5)), Verdict::PeerYields),
            (Role::Controlling, 5, Some(Cg(6)), Verdict::WeYield),
            (Role::Controlled, 5, Some(Cd(4)), Verdict::WeYield),
            (Role::Controlled, 5, Some(Cd(5)), Verdict::WeYield),
            (Role::Controlled, 5, Some(Cd(6)), Verdict::PeerYields),
            (Role::Controlling, 5, Some(Cd(9)), Verdict::NoConflict),
            (Role::Controlled, 5, Some(Cg(9)), Verdict::NoConflict),
            (Role::Controlled, 5, None, Verdict::NoConflict),
        ];
        for (role, ours, claim, expected) in table {
            assert_eq!(judge(role, ours, claim), expected, "{role} {ours} against {claim:?}");
        }
    }
}
