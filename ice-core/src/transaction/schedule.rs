//! When a request is sent again. RFC 8489 §6.2.1 with RTO 500 ms: transmissions at 0, 0.5, 1.5, 3.5,
//! 7.5, 15.5 and 31.5 s, then a wait of 16 RTO. RFC 8445 §14.3 lets an agent choose its own formula
//! as long as RTO is never under 500 ms; its own, which grows with the number of pairs, turns the loss
//! of one packet into a session that is lost.

use core::time::Duration;

use crate::base::Instant;

/// The first retransmission timeout.
pub(crate) const RTO: Duration = Duration::from_millis(500);
/// Rc: how often a request is transmitted at the most.
pub(crate) const MAX_TRANSMISSIONS: u8 = 7;
/// From the first transmission of a request until nothing is expected of it any more; also the
/// patience of RFC 8863 §4.
pub(crate) const PATIENCE: Duration = Duration::from_millis(39_500);

/// Six doubled distances between seven transmissions, and Rm = 16 after the last.
const EXPIRY_IN_RTOS: u32 = 63 + 16;

/// Where one request stands in its schedule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    rto: Duration,
    first: Instant,
    last: Instant,
    transmissions: u8,
    cancelled: bool,
}

impl Schedule {
    /// The first transmission is at `now`. `rto` is [`RTO`], or more.
    pub(crate) fn start(now: Instant, rto: Duration) -> Self {
        Self { rto, first: now, last: now, transmissions: 1, cancelled: false }
    }

    /// Over a connection, which loses nothing: sent once, and waited for as long (RFC 8489 §6.2.2).
    pub(crate) fn once(now: Instant) -> Self {
        Self { transmissions: MAX_TRANSMISSIONS, ..Self::start(now, RTO) }
    }

    pub(crate) fn first_sent(&self) -> Instant {
        self.first
    }

    pub(crate) fn transmissions(&self) -> u8 {
        self.transmissions
    }

    /// No more transmissions; an answer is still welcome (RFC 8445 §7.3.1.4).
    pub(crate) fn cancel(&mut self) {
        self.cancelled = true;
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled
    }

    pub(crate) fn on_retransmitted(&mut self, now: Instant) {
        self.last = now;
        self.transmissions = self.transmissions.saturating_add(1);
    }

    /// When it is to be sent again, if ever.
    pub(crate) fn next_transmission(&self) -> Option<Instant> {
        if self.cancelled || self.transmissions >= MAX_TRANSMISSIONS {
            return None;
        }
        Some(self.last + self.rto * (1 << (self.transmissions - 1)))
    }

    /// When an answer is no longer accepted.
    pub(crate) fn expiry(&self) -> Instant {
        self.first + self.rto * EXPIRY_IN_RTOS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn transmissions_double_their_distance_seven_times() {
        let mut schedule = Schedule::start(Instant::ZERO, RTO);
        let mut times = Vec::new();
        while let Some(next) = schedule.next_transmission() {
            times.push(next.as_millis());
            schedule.on_retransmitted(next);
        }
        assert_eq!(times, [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
        assert_eq!(schedule.transmissions(), 7);
        assert_eq!(schedule.expiry(), Instant::ZERO + PATIENCE);
        assert_eq!(PATIENCE, Duration::from_millis(39_500));
    }

    #[test]
    fn over_a_connection_it_is_sent_once_and_waited_for_as_long() {
        let schedule = Schedule::once(Instant::ZERO);
        assert_eq!((schedule.next_transmission(), schedule.expiry()), (None, Instant::ZERO + PATIENCE));
    }

    #[test]
    fn a_longer_timeout_stretches_all() {
        let mut schedule = Schedule::start(Instant::ZERO, RTO * 2);
        assert_eq!(schedule.next_transmission(), Some(Instant::from_millis(1_000)));
        schedule.on_retransmitted(Instant::from_millis(1_000));
        assert_eq!(schedule.next_transmission(), Some(Instant::from_millis(3_000)));
        assert_eq!(schedule.expiry(), Instant::from_millis(79_000));
    }

    #[test]
    fn a_cancelled_request_is_not_sent_again_and_still_waits() {
        let mut schedule = Schedule::start(Instant::ZERO, RTO);
        schedule.cancel();
        assert_eq!(schedule.next_transmission(), None);
        assert_eq!(schedule.expiry(), Instant::from_millis(39_500));
    }
}
