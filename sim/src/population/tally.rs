//! What many sessions came to.

use core::time::Duration;
use std::collections::BTreeMap;

use super::{Outcome, Session};

/// The sum over sessions. Tallies of parts add up to that of the whole, in any order.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Tally {
    /// Sessions that selected a direct pair.
    pub direct: Times,
    /// Those that selected a relayed one.
    pub relayed: Times,
    /// Those that selected none, by what the agent said was the cause: [`Cause::name`](floe_core::Cause::name), or `none-told`.
    pub failed: BTreeMap<&'static str, u64>,
    /// By the homes of the two hosts, the smaller index first: how many sessions were direct, relayed, failed.
    pub by_homes: BTreeMap<[usize; 2], [u64; 3]>,
    /// Datagrams that all hosts sent until their session was decided.
    pub datagrams: u64,
}

/// When sessions of one kind had a usable path, and when a selected one.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Times {
    usable: Vec<Duration>,
    selected: Vec<Duration>,
}

impl Tally {
    /// One session more.
    pub fn add(&mut self, session: &Session) {
        let column = match session.outcome {
            Outcome::Direct { usable, selected } => {
                self.direct.add(usable, selected);
                0
            }
            Outcome::Relayed { usable, selected } => {
                self.relayed.add(usable, selected);
                1
            }
            Outcome::Failed { cause } => {
                *self.failed.entry(cause.map_or("none-told", |cause| cause.name())).or_default() += 1;
                2
            }
        };
        let mut homes = session.homes;
        homes.sort_unstable();
        if let Some(count) = self.by_homes.entry(homes).or_default().get_mut(column) {
            *count += 1;
        }
        self.datagrams += session.datagrams;
    }

    /// Those of another tally besides.
    pub fn merge(&mut self, other: Self) {
        self.direct.merge(other.direct);
        self.relayed.merge(other.relayed);
        for (cause, count) in other.failed {
            *self.failed.entry(cause).or_default() += count;
        }
        for (homes, counts) in other.by_homes {
            let ours = self.by_homes.entry(homes).or_default();
            for (ours, theirs) in ours.iter_mut().zip(counts) {
                *ours += theirs;
            }
        }
        self.datagrams += other.datagrams;
    }

    /// Brings the times into order, so that tallies of the same sessions are equal however they were added up.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        for times in [&mut self.direct, &mut self.relayed] {
            times.usable.sort_unstable();
            times.selected.sort_unstable();
        }
        self
    }

    /// How many sessions there were.
    pub fn sessions(&self) -> u64 {
        self.direct.count() + self.relayed.count() + self.failures()
    }

    /// How many have failed.
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    /// The times of all that connected, in order.
    #[must_use]
    pub fn connected(&self) -> Times {
        let mut all = self.direct.clone();
        all.merge(self.relayed.clone());
        all.usable.sort_unstable();
        all.selected.sort_unstable();
        all
    }
}

impl Times {
    fn add(&mut self, usable: Duration, selected: Duration) {
        self.usable.push(usable);
        self.selected.push(selected);
    }

    fn merge(&mut self, other: Self) {
        self.usable.extend(other.usable);
        self.selected.extend(other.selected);
    }

    /// How many sessions.
    pub fn count(&self) -> u64 {
        self.selected.len() as u64
    }

    /// By which time this share of them, from 0 to 1, had a usable path. `None`: there are none. Of a [sorted](Tally::sorted) tally.
    pub fn usable(&self, share: f64) -> Option<Duration> {
        percentile(&self.usable, share)
    }

    /// By which time this share of them, from 0 to 1, had selected one. `None`: there are none. Of a [sorted](Tally::sorted) tally.
    pub fn selected(&self, share: f64) -> Option<Duration> {
        percentile(&self.selected, share)
    }

    /// All times to a usable path, in order if the tally is.
    pub fn all_usable(&self) -> &[Duration] {
        &self.usable
    }

    /// All times to a selected path, in order if the tally is.
    pub fn all_selected(&self) -> &[Duration] {
        &self.selected
    }
}

/// The nearest rank: the smallest value that at least this share does not exceed.
fn percentile(sorted: &[Duration], share: f64) -> Option<Duration> {
    let last = sorted.len().checked_sub(1)?;
    let rank = (share.clamp(0.0, 1.0) * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1).min(last)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(millis: u64) -> Session {
        let time = Duration::from_millis(millis);
        let outcome = if millis.is_multiple_of(3) {
            Outcome::Relayed { usable: time, selected: time * 2 }
        } else {
            Outcome::Direct { usable: time, selected: time * 2 }
        };
        Session { homes: [millis as usize % 2, 0], outcome, datagrams: 1 }
    }

    #[test]
    fn parts_add_up_to_the_whole_in_any_order() {
        let mut whole = Tally::default();
        (1..=100).for_each(|n| whole.add(&session(n)));
        whole.add(&Session { homes: [1, 1], outcome: Outcome::Failed { cause: None }, datagrams: 7 });
        let mut parts = [Tally::default(), Tally::default()];
        parts[0].add(&Session { homes: [1, 1], outcome: Outcome::Failed { cause: None }, datagrams: 7 });
        (1..=100).rev().for_each(|n| parts[n as usize % 2].add(&session(n)));
        let [mut first, second] = parts;
        first.merge(second);
        assert_eq!(first.sorted(), whole.clone().sorted());
        assert_eq!((whole.sessions(), whole.failures(), whole.datagrams), (101, 1, 107));
        assert_eq!(whole.by_homes.get(&[0, 1]), Some(&[33, 17, 0]));
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let mut tally = Tally::default();
        (1..=100).rev().for_each(|n| tally.add(&session(n)));
        let times = tally.sorted().connected();
        let at = |share| times.usable(share).map(|time| time.as_millis());
        assert_eq!([0.0, 0.5, 0.505, 0.99, 1.0].map(at), [1, 50, 51, 99, 100].map(Some));
        assert_eq!(times.selected(0.5), Some(Duration::from_millis(100)));
        assert_eq!(Times::default().usable(0.5), None);
    }
}
