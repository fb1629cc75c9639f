//! The outstanding requests of one room. Small and bounded, so a scan finds what it looks for.

use alloc::vec::Vec;
use core::time::Duration;

use super::schedule::{RTO, Schedule};
use crate::base::Instant;
use crate::wire::TransactionId;

/// A request that waits for its answer, with what its owner wants to remember of it.
#[derive(Debug)]
pub(crate) struct Transaction<P> {
    pub(crate) id: TransactionId,
    pub(crate) purpose: P,
    pub(crate) schedule: Schedule,
}

/// What time has brought.
pub(crate) enum Due<P> {
    /// To be sent again, unchanged.
    Retransmit { id: TransactionId, purpose: P, transmission: u8 },
    /// Nothing came, and nothing will be accepted any more.
    Expired { purpose: P },
}

#[derive(Debug)]
pub(crate) struct Transactions<P> {
    entries: Vec<Transaction<P>>,
    limit: usize,
}

impl<P: Copy> Transactions<P> {
    /// At most `limit` requests are remembered: when there are more, the oldest is forgotten, a cancelled one first.
    pub(crate) fn new(limit: usize) -> Self {
        Self { entries: Vec::new(), limit }
    }

    /// A request with this id is on its way for the first time.
    pub(crate) fn start(&mut self, now: Instant, id: TransactionId, purpose: P) {
        self.start_with_rto(now, RTO, id, purpose);
    }

    /// The same over a connection.
    pub(crate) fn start_once(&mut self, now: Instant, id: TransactionId, purpose: P) {
        self.add(id, purpose, Schedule::once(now));
    }

    /// The same with a retransmission timeout of its own.
    pub(crate) fn start_with_rto(&mut self, now: Instant, rto: Duration, id: TransactionId, purpose: P) {
        self.add(id, purpose, Schedule::start(now, rto));
    }

    fn add(&mut self, id: TransactionId, purpose: P, schedule: Schedule) {
        if self.entries.len() >= self.limit {
            let oldest = self
                .entries
                .iter()
                .enumerate()
                .min_by_key(|(_, t)| (!t.schedule.is_cancelled(), t.schedule.first_sent()));
            if let Some((index, _)) = oldest {
                self.entries.remove(index);
            }
        }
        self.entries.push(Transaction { id, purpose, schedule });
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What the requests are for that wait for their answers.
    pub(crate) fn purposes(&self) -> impl Iterator<Item = &P> {
        self.entries.iter().map(|t| &t.purpose)
    }

    pub(crate) fn get(&self, id: TransactionId) -> Option<&Transaction<P>> {
        self.entries.iter().find(|t| t.id == id)
    }

    /// Removes a request, since its answer has come.
    pub(crate) fn take(&mut self, id: TransactionId) -> Option<Transaction<P>> {
        let index = self.entries.iter().position(|t| t.id == id)?;
        Some(self.entries.swap_remove(index))
    }

    /// Stops the retransmission of those that `which` names; their answers are still accepted.
    pub(crate) fn cancel(&mut self, which: impl Fn(&P) -> bool) {
        self.entries.iter_mut().filter(|t| which(&t.purpose)).for_each(|t| t.schedule.cancel());
    }

    /// Forgets those that `which` names.
    pub(crate) fn forget(&mut self, which: impl Fn(&P) -> bool) {
        self.entries.retain(|t| !which(&t.purpose));
    }

    /// The next thing that is due at `now`: one at a time, the earliest first.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Due<P>> {
        let index = self
            .entries
            .iter()
            .enumerate()
            .map(|(index, t)| (next_event(&t.schedule), index))
            .min()
            .filter(|(at, _)| *at <= now)?
            .1;
        let entry = self.entries.get_mut(index)?;
        // One that is past its end is not sent again, however late we are polled: a burst helps nobody.
        if entry.schedule.expiry() <= now {
            let Transaction { purpose, .. } = self.entries.swap_remove(index);
            return Some(Due::Expired { purpose });
        }
        entry.schedule.on_retransmitted(now);
        let (id, purpose, transmission) = (entry.id, entry.purpose, entry.schedule.transmissions());
        Some(Due::Retransmit { id, purpose, transmission })
    }

    /// When [`Self::due`] will have something.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.entries.iter().map(|t| next_event(&t.schedule)).min()
    }
}

fn next_event(schedule: &Schedule) -> Instant {
    schedule.next_transmission().map_or(schedule.expiry(), |next| next.min(schedule.expiry()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> TransactionId {
        TransactionId([n; 12])
    }

    #[test]
    fn more_than_the_limit_forgets_the_oldest() {
        let mut table = Transactions::new(2);
        for n in 0..3 {
            table.start(Instant::from_millis(u64::from(n)), id(n), ());
        }
        assert!(table.get(id(0)).is_none());
        assert!(table.take(id(1)).is_some() && table.take(id(2)).is_some());
    }

    #[test]
    fn a_long_sleep_expires_without_a_burst() {
        let mut table = Transactions::new(8);
        table.start(Instant::ZERO, id(1), 'a');
        table.start(Instant::ZERO, id(2), 'b');
        let late = Instant::from_millis(600_000);
        let mut expired = 0;
        while let Some(due) = table.due(late) {
            assert!(matches!(due, Due::Expired { .. }));
            expired += 1;
        }
        assert_eq!((expired, table.next_deadline()), (2, None));
    }

    #[test]
    fn retransmissions_come_in_time_and_carry_the_same_id() {
        let mut table = Transactions::new(8);
        table.start(Instant::ZERO, id(1), 'a');
        assert!(table.due(Instant::from_millis(499)).is_none());
        let Some(Due::Retransmit { id: again, purpose, transmission }) = table.due(Instant::from_millis(500))
        else {
            panic!("nothing is due at 500 ms")
        };
        assert_eq!((again, purpose, transmission), (id(1), 'a', 2));
        assert_eq!(table.next_deadline(), Some(Instant::from_millis(1_500)));
    }
}
