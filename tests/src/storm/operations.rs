//! [`Operations`]: what the writer does, by seed.

use crate::random::Random;

/// Where positional writes go: few enough bytes that they overlap all the time.
const WRITTEN_BYTES: u64 = 128 << 10;

/// One operation. The bytes of number `n` are `pattern(n + 1, position)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// An append of so many bytes.
    Append {
        /// Bytes; at least 1.
        len: usize,
    },
    /// A positional write.
    Write {
        /// Where in the file.
        offset: u64,
        /// Bytes; at least 1.
        len: usize,
    },
    /// A datasync of the file that is appended to.
    Datasync,
}

/// The sequence of a seed; it does not end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operations(Random);

impl Operations {
    /// The sequence of this seed.
    pub(super) const fn new(seed: u64) -> Self {
        Self(Random::new(seed))
    }
}

impl Iterator for Operations {
    type Item = Operation;

    fn next(&mut self) -> Option<Operation> {
        let random = &mut self.0;
        // One in twenty takes several blocks.
        let most = if random.chance(50) { 20_000 } else { 1_000 };
        let len = 1 + random.below(most) as usize;
        Some(match random.below(1_000) {
            0..4 => Operation::Datasync,
            4..600 => Operation::Append { len },
            _ => Operation::Write { offset: random.below(WRITTEN_BYTES), len },
        })
    }
}
