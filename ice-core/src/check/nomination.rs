//! When the controlling agent stops looking and nominates: a pure function of what is known. The
//! checks ask it whenever something has changed; it remembers nothing.

use core::time::Duration;

use crate::base::Instant;

/// How the controlling agent chooses the pair to nominate (RFC 8445 §8.1.1 leaves it to us).
///
/// Whichever is chosen, one pair is nominated, once. Data may flow on a valid pair before that.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Nomination {
    /// As soon as waiting cannot pay: at once when no better pair is left, else when each better pair
    /// has had one round trip of the best valid pair since its first request (600 ms at least if
    /// the valid pair is relayed).
    #[default]
    Fast,
    /// When each better pair has been decided or has had two seconds (three transmissions) since its
    /// first request.
    Regular,
}

/// The best valid pair of a component.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Best {
    pub(crate) rtt: Duration,
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
        Nomination::Fast if best.relayed => best.rtt.max(FAST_RELAYED),
        Nomination::Fast => best.rtt,
        Nomination::Regular => REGULAR,
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
