//! [`Random`]: the one source of chance in a simulation. A pure function of its seed.

/// Pseudo-random numbers (SplitMix64: Steele, Lea, Flood, *Fast splittable pseudorandom number
/// generators*, 2014).
#[derive(Clone, Copy, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed(self.0)
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub(super) const fn below(&mut self, bound: u64) -> u64 {
        let number = self.next();
        if bound == 0 { 0 } else { number % bound }
    }

    /// True `per_mille` times in a thousand.
    pub(super) const fn chance(&mut self, per_mille: u16) -> bool {
        self.below(1_000) < per_mille as u64
    }

    /// One of `choices`; `None` if there is none.
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        let at = self.below(choices.len() as u64);
        choices.get(at as usize).copied()
    }
}

/// A number whose every bit depends on every bit of `number`.
pub(super) const fn mixed(number: u64) -> u64 {
    let mut z = number;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_come_as_often_as_they_say() {
        let mut random = Random::new(1);
        for per_mille in [0, 250, 1_000] {
            let hits = (0..10_000).filter(|_| random.chance(per_mille)).count() as i64;
            assert!((hits - i64::from(per_mille) * 10).abs() < 300, "{per_mille}: {hits}");
        }
    }

    #[test]
    fn no_bound_panics() {
        assert_eq!(Random::new(1).below(0), 0);
        assert_eq!(Random::new(1).pick::<u8>(&[]), None);
    }
}
