//! [`Random`]: a small seeded generator (SplitMix64), and where seeds come from.

/// Pseudo-random numbers: a pure function of the seed.
#[derive(Clone, Copy, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits. Steele, Lea, Flood: Fast splittable pseudorandom number generators.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound` (at least 1).
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// True `per_mille` times in a thousand.
    pub const fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }
}

/// The number in the environment variable `name`, else `default`. Decimal, or hexadecimal with 0x.
///
/// # Panics
/// If the variable is set and is no number.
pub fn number_from_env(name: &str, default: u64) -> u64 {
    let Ok(text) = std::env::var(name) else { return default };
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.unwrap_or_else(|_| panic!("{name}={text} is no number"))
}

/// The byte of write number `id` at position `at` of a file. Never zero, never the poison of freed
/// memory, and different for another write or another position nearly always.
pub const fn pattern(id: u64, at: u64) -> u8 {
    let mixed = (id ^ at.rotate_left(40)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    let byte = (mixed >> 56) as u8;
    if byte == 0 || byte == crate::heap::POISON { 0x5A } else { byte }
}

/// `len` bytes of [`pattern`] for a write of number `id` at `offset`.
pub fn bytes(id: u64, offset: u64, len: usize) -> Vec<u8> {
    (0..len as u64).map(|i| pattern(id, offset + i)).collect()
}
