//! Seeded chance: the only source of it in a simulated world.

use core::time::Duration;

use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

/// A stream of random numbers. One seed yields several independent streams, so that a change to
/// one part of a world (say, a link that loses more) leaves the choices of the others as they were.
pub(crate) struct Dice(ChaCha12Rng);

impl Dice {
    /// The stream called `name` of `seed`.
    pub(crate) fn new(seed: u64, name: u8) -> Self {
        let mut bytes = [name; 32];
        for (byte, of_seed) in bytes.iter_mut().zip(seed.to_le_bytes()) {
            *byte = of_seed;
        }
        Self(ChaCha12Rng::from_seed(bytes))
    }

    /// The same for each of many things of one kind, which so do not change each other's choices.
    pub(crate) fn of(seed: u64, name: u8, number: u64) -> Self {
        let mut bytes = [name; 32];
        let both = seed.to_le_bytes().into_iter().chain(number.to_le_bytes());
        bytes.iter_mut().zip(both).for_each(|(byte, of_both)| *byte = of_both);
        Self(ChaCha12Rng::from_seed(bytes))
    }

    /// True with this probability. A certain answer takes nothing from the stream.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        if probability >= 1.0 {
            return true;
        }
        // 53 bits: every value of the quotient is exact. A NaN counts as zero.
        probability > 0.0 && ((self.0.next_u64() >> 11) as f64) < probability * (1_u64 << 53) as f64
    }

    /// A time from zero to `longest`, both included. Zero takes nothing from the stream.
    pub(crate) fn up_to(&mut self, longest: Duration) -> Duration {
        let nanos = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
        match nanos {
            0 => Duration::ZERO,
            u64::MAX => Duration::from_nanos(self.0.next_u64()),
            _ => Duration::from_nanos(self.0.next_u64() % (nanos + 1)),
        }
    }

    /// A number below `limit`, near enough to uniform; zero if the limit is.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        self.0.next_u32() % limit.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_repeated_by_its_seed_and_name_only() {
        let draw = |seed, name| Dice::new(seed, name).below(u32::MAX);
        assert_eq!(draw(1, 0), draw(1, 0));
        assert_ne!(draw(1, 0), draw(2, 0));
        assert_ne!(draw(1, 0), draw(1, 1));
        let of = |number| Dice::of(1, 0, number).below(u32::MAX);
        assert!(of(0) == of(0) && of(0) != of(1) && of(1) != draw(1, 0));
    }

    #[test]
    fn the_ends_of_chance_are_certain() {
        let mut dice = Dice::new(3, 0);
        assert!((0..1000).all(|_| dice.chance(1.0) && !dice.chance(0.0) && !dice.chance(f64::NAN)));
        assert!(dice.chance(7.0) && !dice.chance(-7.0));
        assert_eq!(dice.below(u32::MAX), Dice::new(3, 0).below(u32::MAX), "nothing was drawn");
    }

    #[test]
    fn a_drawn_time_stays_in_its_range_and_reaches_both_ends() {
        let mut dice = Dice::new(4, 0);
        let mut drawn: Vec<u64> =
            (0..200).map(|_| dice.up_to(Duration::from_nanos(2)).as_nanos() as u64).collect();
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn, [0, 1, 2]);
    }
}
