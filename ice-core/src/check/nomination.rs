//! When the controlling agent stops looking and nominates: a pure function of what is known. The
//! checks ask it whenever something has changed; it remembers nothing.

use core::fmt;
use core::time::Duration;

use crate::base::Instant;
use crate::candidate::CandidateType;

/// How the controlling agent chooses the pair to nominate (RFC 8445 §8.1.1 leaves it to us).
///
/// `Fast` and `Regular` nominate one pair, once. The other two begin as `Fast` does, and change to a better pair later where
/// the peer has said that it understands that (`ice-options:renomination`); where it has not, they are `Fast`. Data may flow on
/// a valid pair before any nomination.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Nomination {
    /// As soon as waiting cannot pay: at once when no better pair is left, else when each better pair
    /// has had one round trip of the best valid pair since its first request (600 ms at least if
    /// the valid pair is relayed, or goes over TCP).
    #[default]
    Fast,
    /// When each better pair has been decided or has had two seconds (three transmissions) since its
    /// first request.
    Regular,
    /// A pair that has come to be better replaces the selected one: of higher priority (so a direct one for a relayed one), or
    /// healthy where the selected one is degraded. Some next-best pairs are kept alive for that.
    Renominate,
    /// The same, and the application says what is better.
    Application(Preference),
}

impl Nomination {
    /// Whether it nominates again where the peer understands that.
    pub(crate) fn renominates(self) -> bool {
        matches!(self, Self::Renominate | Self::Application(_))
    }
}

/// The application's own measure of a path: the greater, the better. A path replaces the selected one when it is
/// better by an eighth, and has been for five seconds; at once where the selected one is degraded. So paths that are much alike do not take
/// turns.
#[derive(Clone, Copy)]
pub struct Preference(pub fn(&PathMeasure) -> u64);

impl Preference {
    /// The path of the lower round-trip time, relayed or not, when it is lower by an eighth.
    pub const LOWER_RTT: Self = Self(|path| u64::MAX / 1_000_000 / (path.rtt.as_micros() as u64).max(1));
}

impl PartialEq for Preference {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::fn_addr_eq(self.0, other.0)
    }
}

impl Eq for Preference {}

impl fmt::Debug for Preference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Preference(..)")
    }
}

/// What is known of a valid pair, for a [`Preference`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PathMeasure {
    /// RFC 8445 §6.1.2.3, of the valid pair: the engine's own measure.
    pub priority: u64,
    /// What kind of candidate our end is.
    pub local_type: CandidateType,
    /// What kind of candidate the peer's end is.
    pub remote_type: CandidateType,
    /// Smoothed over the consent checks that were answered; before the first, that of the check.
    pub rtt: Duration,
    /// Consent checks that were not answered, of a thousand, the latest counting most.
    pub loss_per_mille: u16,
    /// Whether the last two went unanswered.
    pub degraded: bool,
    /// What our end's network costs, 0 to [`MAX_NETWORK_COST`](crate::candidate::MAX_NETWORK_COST), if the driver has said so with
    /// [`Socket::at_cost`](crate::Socket::at_cost): that of the socket which the pair is sent from.
    pub local_network_cost: Option<u16>,
    /// What the peer's end's network costs by its own word (`network-cost`), in the same bounds. Nobody has told for an end that was
    /// learned from a check.
    pub remote_network_cost: Option<u16>,
}

/// The best valid pair of a component.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Best {
    pub(crate) rtt: Duration,
    /// Or over TCP.
    pub(crate) relayed: bool,
}

/// A pair that would be better and is not decided yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rival {
    /// When its first request went out, if it did.
    pub(crate) first_request: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Decision {
    /// Now.
    Nominate,
    /// Ask again then, if nothing happens before.
    WaitUntil(Instant),
    /// A better pair has not been checked yet; that it is will be news.
    WaitForChecks,
}

/// Whether to nominate `best` although `rivals` are open.
pub(crate) fn decide(
    policy: Nomination,
    now: Instant,
    best: Best,
    rivals: impl IntoIterator<Item = Rival>,
) -> Decision {
    let patience = match policy {
        Nomination::Regular => REGULAR,
        _ if best.relayed => best.rtt.max(FAST_RELAYED),
        _ => best.rtt,
    };
    let mut until = now;
    for rival in rivals {
        match rival.first_request {
            Some(first) => until = until.max(first + patience),
            None => return Decision::WaitForChecks,
        }
    }
    if until <= now { Decision::Nominate } else { Decision::WaitUntil(until) }
}

/// A direct path is worth one retransmission (500 ms) and a round trip more than a relayed one.
const FAST_RELAYED: Duration = Duration::from_millis(600);
/// Three transmissions (0, 0.5 and 1.5 s) and time for the answer to the last.
const REGULAR: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_waits_as_long_as_it_says() {
        use Decision::{Nominate, WaitForChecks, WaitUntil};
        let at = Instant::from_millis;
        let open = |ms| Some(Rival { first_request: Some(at(ms)) });
        let unsent = Some(Rival { first_request: None });
        // policy, now, rtt, relayed, rivals, decision
        let table = [
            (Nomination::Fast, 40, 40, false, [None, None], Nominate),
            (Nomination::Fast, 40, 40, false, [open(0), None], Nominate),
            (Nomination::Fast, 40, 40, false, [open(0), open(10)], WaitUntil(at(50))),
            (Nomination::Fast, 40, 40, false, [open(0), unsent], WaitForChecks),
            (Nomination::Fast, 40, 40, true, [open(10), None], WaitUntil(at(610))),
            (Nomination::Fast, 40, 40, true, [None, None], Nominate),
            (Nomination::Fast, 900, 700, true, [open(250), None], WaitUntil(at(950))),
            (Nomination::Regular, 40, 40, false, [None, None], Nominate),
            (Nomination::Regular, 40, 40, false, [open(0), open(30)], WaitUntil(at(2_030))),
            (Nomination::Regular, 2_030, 40, false, [open(0), open(30)], Nominate),
            (Nomination::Regular, 2_030, 40, false, [unsent, open(30)], WaitForChecks),
        ];
        for (policy, now, rtt, relayed, rivals, expected) in table {
            let best = Best { rtt: Duration::from_millis(rtt), relayed };
            let got = decide(policy, at(now), best, rivals.into_iter().flatten());
            assert_eq!(got, expected, "{policy:?} at {now} ms, rtt {rtt}, relayed {relayed}, {rivals:?}");
        }
    }
}
