//! [`Choices`]: where a random test takes its decisions from: a seed, or a string of bytes.
//!
//! With a seed it is [`Random`], number for number. With bytes it is a script: each choice takes as
//! many bytes as its bound needs, so a fuzzer that changes a byte changes one decision. A script is
//! shared: whoever has a part of it takes the next bytes. Behind its end every choice is the last
//! of its range, and nothing happens by chance.
//!
//! # Example
//! Of the bytes `80 ff`, `below(10)` takes `80` and is 5 (0x80 * 10 / 256), `chance(999)` takes
//! `ff` and is true (0xff * 1000 / 256 = 996); then the script is over, and `below(10)` is 9.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::random::Random;

/// A source of decisions.
#[derive(Clone, Debug)]
pub enum Choices {
    /// Without end.
    Seeded(Random),
    /// As long as there are bytes.
    Scripted(Script),
}

/// Bytes, and how many of them were taken. A clone takes from the same.
#[derive(Clone, Debug)]
pub struct Script {
    bytes: Arc<[u8]>,
    taken: Arc<AtomicUsize>,
}

impl Script {
    /// The next byte.
    fn next(&self) -> Option<u8> {
        // One thread at a time takes from a script; the lock of the disk sees to that.
        let at = self.taken.load(Ordering::Relaxed);
        let byte = *self.bytes.get(at)?;
        self.taken.store(at + 1, Ordering::Relaxed);
        Some(byte)
    }
}

impl Choices {
    /// The decisions of this seed.
    pub const fn seeded(seed: u64) -> Self {
        Self::Seeded(Random::new(seed))
    }

    /// The decisions that these bytes spell.
    pub fn scripted(bytes: &[u8]) -> Self {
        Self::Scripted(Script { bytes: bytes.into(), taken: Arc::default() })
    }

    /// A source for somebody else: of a seed of its own, or the same bytes.
    pub fn part(&mut self) -> Self {
        match self {
            Self::Seeded(random) => Self::seeded(random.next()),
            Self::Scripted(script) => Self::Scripted(script.clone()),
        }
    }

    /// A number below `bound` (at least 1, at most 2^32).
    pub fn below(&mut self, bound: u64) -> u64 {
        let script = match self {
            Self::Seeded(random) => return random.below(bound),
            Self::Scripted(script) => script,
        };
        let mut value = 0_u64;
        let mut bits = 0;
        while bound > 1 << bits {
            let Some(byte) = script.next() else { return bound - 1 };
            value = (value << 8) | u64::from(byte);
            bits += 8;
        }
        (value * bound) >> bits
    }

    /// True `per_mille` times in a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        match self {
            Self::Seeded(random) => random.chance(per_mille),
            Self::Scripted(script) => {
                script.next().is_some_and(|byte| u64::from(byte) * 1000 / 256 < per_mille)
            }
        }
    }

    /// Whether a script was taken to its end.
    pub fn is_over(&self) -> bool {
        match self {
            Self::Seeded(_) => false,
            Self::Scripted(script) => script.taken.load(Ordering::Relaxed) >= script.bytes.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_numbers_of_its_generator() {
        let mut choices = Choices::seeded(7);
        let mut random = Random::new(7);
        for bound in [1, 2, 300, 1 << 32] {
            assert_eq!(choices.below(bound), random.below(bound));
        }
        assert_eq!(choices.chance(500), random.chance(500));
        let mut part = choices.part();
        assert_eq!(part.below(1000), Random::new(random.next()).below(1000));
        assert!(!choices.is_over());
    }

    #[test]
    fn a_choice_takes_the_bytes_that_its_bound_needs() {
        let mut choices = Choices::scripted(&[0x80, 0xff, 0x80, 0, 1, 2, 3]);
        assert_eq!(choices.below(1), 0, "no byte");
        assert_eq!(choices.below(10), 5, "80");
        assert_eq!(choices.below(256), 255, "ff");
        assert_eq!(choices.below(257), 128, "80 00");
        assert_eq!(choices.below(1 << 24), 0x01_0203, "01 02 03");
        assert!(choices.is_over());
    }

    #[test]
    fn every_number_of_a_range_can_be_chosen() {
        for bound in [2_u64, 6, 20, 200, 256] {
            let all: std::collections::BTreeSet<u64> =
                (0..=255).map(|byte| Choices::scripted(&[byte]).below(bound)).collect();
            assert!(all.into_iter().eq(0..bound), "{bound}");
        }
    }

    #[test]
    fn a_part_of_a_script_takes_from_the_same_bytes() {
        let mut choices = Choices::scripted(&[0, 255]);
        let mut part = choices.part();
        assert_eq!(part.below(256), 0);
        assert_eq!(choices.below(256), 255);
        assert!(part.is_over());
    }

    #[test]
    fn behind_the_end_nothing_happens_by_chance() {
        let mut choices = Choices::scripted(&[]);
        assert!(!choices.chance(1000));
        assert_eq!(choices.below(10), 9);
    }
}
