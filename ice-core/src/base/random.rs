//! Seeded randomness: the only source that the engine has. The same seed gives the same passwords,
//! tie-breakers and transaction ids, byte for byte, on every machine.

use alloc::string::String;
use core::ops::Range;

use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

/// ChaCha12, seeded by the application. Who knows the seed can forge this agent's traffic: a real
/// agent's seed comes from the system's generator (RFC 8445 §19, RFC 7675 §5.1).
pub struct Random(ChaCha12Rng);

impl Random {
    /// A generator that yields the same numbers for the same seed.
    pub fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// A number from the whole range of `u64`.
    pub fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A STUN transaction id: 96 bits, unguessable (RFC 8489 §5).
    pub fn transaction_id(&mut self) -> [u8; 12] {
        let mut id = [0; 12];
        self.0.fill_bytes(&mut id);
        id
    }

    /// `length` characters of RFC 8839's `ice-char` alphabet, 6 bits of randomness each.
    pub fn ice_chars(&mut self, length: usize) -> String {
        (0..length).map(|_| ice_char(self.0.next_u32())).collect()
    }

    /// A number in `range`, near enough to uniform for timers; the start of an empty one.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        let width = range.end.saturating_sub(range.start).max(1);
        range.start.saturating_add(self.0.next_u64() % width)
    }
}

/// RFC 8839 §5.1: ice-char = ALPHA / DIGIT / "+" / "/"; 64 of them, so six bits choose one evenly.
fn ice_char(bits: u32) -> char {
    let index = (bits & 63) as u8;
    char::from(match index {
        0..=25 => b'A' + index,
        26..=51 => b'a' + (index - 26),
        52..=61 => b'0' + (index - 52),
        62 => b'+',
        _ => b'/',
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let [mut one, mut two, mut other] = [[1; 32], [1; 32], [2; 32]].map(Random::new);
        assert_eq!(one.ice_chars(24), two.ice_chars(24));
        assert_eq!(one.transaction_id(), two.transaction_id());
        assert_ne!(one.number(), other.number());
    }

    #[test]
    fn the_stream_is_the_one_that_was_promised() {
        // A change here changes every recorded trace: it wants a line in the changelog.
        assert_eq!(Random::new([7; 32]).ice_chars(8), "2Fjq2+Jz");
    }

    #[test]
    fn every_character_is_an_ice_char_and_all_of_them_occur() {
        let text = Random::new([3; 32]).ice_chars(4096);
        let mut seen: alloc::vec::Vec<char> = text.chars().collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 64);
        assert!(seen.iter().all(|c| c.is_ascii_alphanumeric() || "+/".contains(*c)));
    }

    #[test]
    fn within_stays_within() {
        let mut random = Random::new([9; 32]);
        assert!((0..1000).all(|_| (4000..6000).contains(&random.within(4000..6000))));
        assert_eq!(random.within(5..5), 5);
    }
}
