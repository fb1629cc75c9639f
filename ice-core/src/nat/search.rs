//! The binary search for the lifetime of a mapping (RFC 5780 §4.6), without time or messages: which idle time to try next,
//! and what the trials so far say.

use core::time::Duration;

use super::behaviour::LifetimeRange;
use super::config::LifetimeSearch;

#[derive(Clone, Copy, Debug)]
pub(super) struct Search {
    resolution: Duration,
    /// The mapping has outlived this.
    low: Duration,
    /// Nothing longer is tried.
    high: Duration,
    /// It was seen to be gone after this.
    gone: Option<Duration>,
    trials: u8,
    limit: u8,
}

impl Search {
    pub(super) fn new(search: LifetimeSearch, limit: u8) -> Self {
        let (resolution, high) = (search.resolution, search.longest);
        Self { resolution, low: Duration::ZERO, high, gone: None, trials: 0, limit }
    }

    /// For how long to leave the mapping alone next; `None` when it is known well enough.
    pub(super) fn next_trial(&mut self) -> Option<Duration> {
        let width = self.high.saturating_sub(self.low);
        if width <= self.resolution || self.trials >= self.limit {
            return None;
        }
        self.trials += 1;
        Some(self.low + width / 2)
    }

    /// The mapping was there after this time.
    pub(super) fn on_alive(&mut self, idle: Duration) {
        self.low = self.low.max(idle);
    }

    /// It was gone when a trial of `idle` was made, and by `until` at the latest.
    pub(super) fn on_gone(&mut self, idle: Duration, until: Duration) {
        self.high = self.high.min(idle);
        self.gone = Some(self.gone.map_or(until, |gone| gone.min(until)));
    }

    pub(super) fn range(&self) -> LifetimeRange {
        LifetimeRange { at_least: self.low, at_most: self.gone }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the search says of a mapping of this lifetime, and after how many trials.
    fn search(lifetime: u64) -> (LifetimeRange, u32) {
        let [longest, resolution, lifetime] = [300, 5, lifetime].map(Duration::from_secs);
        let mut search = Search::new(LifetimeSearch { longest, resolution }, 16);
        let mut trials = 0;
        while let Some(idle) = search.next_trial() {
            trials += 1;
            match idle < lifetime {
                true => search.on_alive(idle),
                false => search.on_gone(idle, idle),
            }
        }
        (search.range(), trials)
    }

    #[test]
    fn it_closes_in_on_any_lifetime() {
        for lifetime in 1..=400 {
            let (range, trials) = search(lifetime);
            let lifetime = Duration::from_secs(lifetime);
            assert!(range.at_least <= lifetime, "{range:?}");
            match range.at_most {
                Some(most) => assert!(lifetime <= most && most - range.at_least <= Duration::from_secs(5)),
                None => assert!(range.at_least >= Duration::from_secs(295), "{range:?}"),
            }
            assert_eq!(trials, 6);
        }
    }

    #[test]
    fn contradictions_end_it() {
        let mut search = Search::new(LifetimeSearch::default(), 16);
        search.on_gone(Duration::from_secs(10), Duration::from_secs(11));
        search.on_alive(Duration::from_secs(200));
        assert_eq!(search.next_trial(), None);
    }
}
