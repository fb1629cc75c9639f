//! Percentiles of measured times.

use std::time::Duration;

use serde::Serialize;

use crate::millis::Millis;

/// A distribution in a few numbers, by the nearest-rank method: each is a time that was measured.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub(crate) struct Percentiles {
    /// Half of all times are no longer than this.
    pub(crate) p50: Millis,
    /// Nine in ten are no longer than this.
    pub(crate) p90: Millis,
    /// 99 in 100 are no longer than this.
    pub(crate) p99: Millis,
    /// The longest.
    pub(crate) max: Millis,
}

impl Percentiles {
    /// `None` if nothing was measured. The order of `times` does not matter.
    pub(crate) fn of(mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        let max = *times.last()?;
        // The smallest time that at least `percent` % of all times do not exceed.
        let rank = |percent: usize| (times.len() * percent).div_ceil(100).saturating_sub(1);
        let at = |percent| Millis(times.get(rank(percent)).copied().unwrap_or(max));
        Some(Self { p50: at(50), p90: at(90), p99: at(99), max: Millis(max) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_millis(millis: impl IntoIterator<Item = u64>) -> Option<[u128; 4]> {
        let Percentiles { p50, p90, p99, max } =
            Percentiles::of(millis.into_iter().map(Duration::from_millis).collect())?;
        Some([p50, p90, p99, max].map(|time| time.0.as_millis()))
    }

    #[test]
    fn they_are_nearest_ranks_of_what_was_measured() {
        assert_eq!(of_millis([]), None);
        assert_eq!(of_millis([7]), Some([7, 7, 7, 7]));
        assert_eq!(of_millis([2, 1]), Some([1, 2, 2, 2]));
        assert_eq!(of_millis(1..=10), Some([5, 9, 10, 10]));
        assert_eq!(of_millis((1..=100).rev()), Some([50, 90, 99, 100]));
        assert_eq!(of_millis(1..=1_000), Some([500, 900, 990, 1_000]));
    }
}
