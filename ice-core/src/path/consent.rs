//! RFC 7675: may we send here? Only an authenticated answer says yes, for 30 seconds. Requests for it
//! go every 4 to 6 seconds, or less often under an idle [`Profile`], each once; they also keep NAT bindings alive (RFC 8445 §11).

use core::time::Duration;

use smallvec::SmallVec;

use super::Profile;
use crate::base::{Instant, Random};
use crate::wire::{RoleClaim, TransactionId};

/// RFC 7675 §5.1: consent ends this long after the last answer.
pub(crate) const CONSENT_LIFETIME: Duration = Duration::from_secs(30);
/// RFC 7675 §5.1: 5 s, randomised by 0.8 to 1.2; never under 4 s.
const INTERVAL_MILLIS: core::ops::Range<u64> = 4_000..6_000;
/// How many requests are remembered: all that fit into the lifetime at the shortest interval.
const MAX_OUTSTANDING: usize = 8;
/// As many requests in a row without an answer call a path degraded: at 10 % loss each way, once in about
/// 28 checks; a path that is really gone is told of within 18 s, 12 s before consent ends.
const DEGRADED_AFTER: u8 = 2;

/// Consent to send on one flow.
#[derive(Debug)]
pub(crate) struct Consent {
    granted_until: Instant,
    /// When we stop hoping for an answer; later than the grant only while consent is being regained.
    gives_up_at: Instant,
    /// When the last request went out, or what stands for one.
    asked: Instant,
    /// What was drawn then for the next one.
    drawn: Duration,
    outstanding: SmallVec<[Outstanding; MAX_OUTSTANDING]>,
    unanswered: u8,
    /// Smoothed over the answers that there were, so that a delay that wavers does not move the choice.
    rtt: Option<Duration>,
    /// Unanswered checks, of a thousand, each counting an eighth.
    loss_per_mille: u16,
}

/// A request that waits for its answer.
#[derive(Debug)]
struct Outstanding {
    id: TransactionId,
    sent: Instant,
    /// The role that it claimed.
    claim: RoleClaim,
}

/// What an answer, or the lack of one, says of a path's health.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HealthChange {
    Degraded,
    Recovered,
}

impl Consent {
    /// An authenticated answer to a connectivity check came in at `now`: that is consent too (RFC 7675 §4.1).
    pub(crate) fn granted(now: Instant, random: &mut Random) -> Self {
        let until = now + CONSENT_LIFETIME;
        Self {
            granted_until: until,
            gives_up_at: until,
            asked: now,
            drawn: draw(random),
            outstanding: SmallVec::new(),
            unanswered: 0,
            rtt: None,
            loss_per_mille: 0,
        }
    }

    /// What consent there was is not remembered: it is to be asked for anew, at once.
    pub(crate) fn forgotten(now: Instant) -> Self {
        Self {
            granted_until: now,
            gives_up_at: now + CONSENT_LIFETIME,
            asked: now,
            drawn: Duration::ZERO,
            outstanding: SmallVec::new(),
            unanswered: 0,
            rtt: None,
            loss_per_mille: 0,
        }
    }

    /// Of a lite agent, which asks for none and needs none (RFC 7675 §1).
    pub(crate) fn not_asked() -> Self {
        let never = Instant::MAX;
        Self {
            granted_until: never,
            gives_up_at: never,
            asked: never,
            drawn: Duration::ZERO,
            outstanding: SmallVec::new(),
            unanswered: 0,
            rtt: None,
            loss_per_mille: 0,
        }
    }

    pub(crate) fn is_granted(&self, now: Instant) -> bool {
        now < self.granted_until
    }

    pub(crate) fn is_over(&self, now: Instant) -> bool {
        now >= self.gives_up_at
    }

    /// Whether so many requests went unanswered that the path is called degraded.
    pub(crate) fn is_degraded(&self) -> bool {
        self.unanswered >= DEGRADED_AFTER
    }

    /// Whether no request has gone unanswered since the last answer.
    pub(crate) fn was_answered(&self) -> bool {
        self.unanswered == 0
    }

    /// The flow is to be used from `now` on. If consent has lapsed meanwhile it is asked for again at once
    /// (RFC 7675 §5.1: regained before data flows).
    pub(crate) fn on_wanted(&mut self, now: Instant) {
        if !self.is_granted(now) {
            self.gives_up_at = now + CONSENT_LIFETIME;
            (self.asked, self.drawn) = (now, Duration::ZERO);
        }
    }

    /// An answer to a connectivity check of this flow.
    pub(crate) fn on_check_answered(&mut self, now: Instant) -> Option<HealthChange> {
        self.granted_until = self.granted_until.max(now + CONSENT_LIFETIME);
        self.gives_up_at = self.granted_until;
        let recovered = self.unanswered >= DEGRADED_AFTER;
        self.unanswered = 0;
        recovered.then_some(HealthChange::Recovered)
    }

    /// The answer to a consent check; `None` if there is no such request. Gives the round-trip time.
    pub(crate) fn on_response(
        &mut self,
        now: Instant,
        id: TransactionId,
    ) -> Option<(Duration, Option<HealthChange>)> {
        // RFC 7675 §5.1: what has ended is not revived, whether or not anyone has noticed.
        if self.is_over(now) {
            return None;
        }
        let index = self.outstanding.iter().position(|o| o.id == id)?;
        let sent = self.outstanding.remove(index).sent;
        // Its own request counts no more as unanswered, and older ones were lost: that is history.
        self.outstanding.retain(|o| o.sent > sent);
        let rtt = now.since(sent);
        // RFC 6298 §2.3: a new measurement counts an eighth.
        self.rtt = Some(self.rtt.map_or(rtt, |before| (7 * before + rtt) / 8));
        self.loss_per_mille -= self.loss_per_mille / 8;
        Some((now.since(sent), self.on_check_answered(now)))
    }

    /// The application has seen trouble, or that there is none.
    pub(crate) fn note(&mut self, trouble: bool) -> Option<HealthChange> {
        let before = self.is_degraded();
        self.unanswered = if trouble { self.unanswered.max(DEGRADED_AFTER) } else { 0 };
        match (before, self.is_degraded()) {
            (false, true) => Some(HealthChange::Degraded),
            (true, false) => Some(HealthChange::Recovered),
            _ => None,
        }
    }

    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    pub(crate) fn loss_per_mille(&self) -> u16 {
        self.loss_per_mille
    }

    pub(crate) fn awaits(&self, id: TransactionId) -> bool {
        self.outstanding.iter().any(|o| o.id == id)
    }

    /// Takes out the request with this id: what role it claimed.
    pub(crate) fn take_claim(&mut self, id: TransactionId) -> Option<RoleClaim> {
        let index = self.outstanding.iter().position(|o| o.id == id)?;
        Some(self.outstanding.remove(index).claim)
    }

    /// The next consent check, if it is time, and what the silence since the last one means.
    pub(crate) fn poll_check(
        &mut self,
        now: Instant,
        profile: Profile,
        claim: RoleClaim,
        random: &mut Random,
    ) -> Option<(TransactionId, Option<HealthChange>)> {
        if now < self.next_check(profile) || self.is_over(now) {
            return None;
        }
        let before = self.unanswered;
        if !self.outstanding.is_empty() {
            self.unanswered = self.unanswered.saturating_add(1);
            self.loss_per_mille = self.loss_per_mille - self.loss_per_mille / 8 + 125;
        }
        if self.outstanding.len() >= MAX_OUTSTANDING {
            self.outstanding.remove(0);
        }
        let id = TransactionId(random.transaction_id());
        self.outstanding.push(Outstanding { id, sent: now, claim });
        (self.asked, self.drawn) = (now, draw(random));
        let degraded = before < DEGRADED_AFTER && self.unanswered >= DEGRADED_AFTER;
        Some((id, degraded.then_some(HealthChange::Degraded)))
    }

    pub(crate) fn next_deadline(&self, profile: Profile) -> Instant {
        self.next_check(profile).min(self.gives_up_at)
    }

    fn next_check(&self, profile: Profile) -> Instant {
        let calm = self.outstanding.is_empty() && self.unanswered == 0;
        self.asked + profile.interval(self.drawn, calm)
    }
}

fn draw(random: &mut Random) -> Duration {
    Duration::from_millis(random.within(INTERVAL_MILLIS))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTIVE: Profile = Profile::Active;
    const CLAIM: RoleClaim = RoleClaim::Controlled(1);

    fn start() -> (Consent, Random) {
        let mut random = Random::new([1; 32]);
        (Consent::granted(Instant::ZERO, &mut random), random)
    }

    #[test]
    fn consent_ends_thirty_seconds_after_the_last_answer() {
        let (mut consent, mut random) = start();
        let at = consent.next_deadline(ACTIVE);
        let (id, _) = consent.poll_check(at, ACTIVE, CLAIM, &mut random).unwrap();
        assert!(consent.on_response(at + Duration::from_millis(40), id).is_some());
        let end = at + Duration::from_millis(30_040);
        assert!(consent.is_granted(end - Duration::from_nanos(1)));
        assert!(!consent.is_granted(end) && consent.is_over(end));
    }

    #[test]
    fn checks_are_four_to_six_seconds_apart_and_never_repeat_an_id() {
        let (mut consent, mut random) = start();
        let (mut last, mut ids) = (Instant::ZERO, alloc::vec::Vec::new());
        for _ in 0..200 {
            let at = consent.next_deadline(ACTIVE);
            let distance = at.since(last);
            assert!((Duration::from_secs(4)..=Duration::from_secs(6)).contains(&distance), "{distance:?}");
            assert!(consent.poll_check(at - Duration::from_millis(1), ACTIVE, CLAIM, &mut random).is_none());
            let (id, _) = consent.poll_check(at, ACTIVE, CLAIM, &mut random).unwrap();
            assert!(!ids.contains(&id));
            ids.push(id);
            consent.on_response(at, id).unwrap();
            last = at;
        }
    }

    /// RFC 7675 §5.1 has a basic interval of our choice, drawn from by 0.8 to 1.2, and not under 4 s.
    #[test]
    fn idle_checks_are_ten_to_fifteen_seconds_apart_while_they_are_answered_and_four_to_six_while_not() {
        let (mut consent, mut random) = start();
        let mut last = Instant::ZERO;
        for round in 0..200 {
            let at = consent.next_deadline(Profile::Idle);
            let answered_so_far = round % 3 != 2;
            let bounds = if answered_so_far { 10..=15 } else { 4..=6 };
            let distance = at.since(last);
            assert!(*bounds.start() <= distance.as_secs(), "{round}: {distance:?}");
            assert!(distance <= Duration::from_secs(*bounds.end()), "{round}: {distance:?}");
            let (id, _) = consent.poll_check(at, Profile::Idle, CLAIM, &mut random).unwrap();
            if round % 3 != 1 {
                consent.on_response(at, id).unwrap();
            }
            last = at;
        }
    }

    /// The application knows of trouble before a check is due.
    #[test]
    fn trouble_ends_the_long_intervals_of_an_idle_flow_until_a_check_is_answered() {
        let (mut consent, mut random) = start();
        consent.note(true);
        let at = consent.next_deadline(Profile::Idle);
        assert!(at <= Instant::from_millis(6_000), "{at}");
        let (id, _) = consent.poll_check(at, Profile::Idle, CLAIM, &mut random).unwrap();
        consent.on_response(at, id).unwrap();
        assert!(consent.next_deadline(Profile::Idle) >= at + Duration::from_secs(10));
    }

    #[test]
    fn two_unanswered_checks_degrade_and_an_answer_recovers() {
        let (mut consent, mut random) = start();
        let mut changes = alloc::vec::Vec::new();
        let mut last = None;
        for _ in 0..4 {
            let at = consent.next_deadline(ACTIVE);
            let (id, change) = consent.poll_check(at, ACTIVE, CLAIM, &mut random).unwrap();
            changes.push(change);
            last = Some((at, id));
        }
        assert_eq!(changes, [None, None, Some(HealthChange::Degraded), None]);
        let (at, id) = last.unwrap();
        assert_eq!(consent.on_response(at, id).unwrap().1, Some(HealthChange::Recovered));
    }

    #[test]
    fn the_memory_of_unanswered_checks_is_bounded() {
        let (mut consent, mut random) = start();
        consent.gives_up_at = Instant::MAX;
        let mut first = None;
        for _ in 0..20 {
            let at = consent.next_deadline(ACTIVE);
            let (id, _) = consent.poll_check(at, ACTIVE, CLAIM, &mut random).unwrap();
            first.get_or_insert(id);
        }
        assert_eq!(consent.outstanding.len(), MAX_OUTSTANDING);
        assert!(!consent.awaits(first.unwrap()));
    }
}
