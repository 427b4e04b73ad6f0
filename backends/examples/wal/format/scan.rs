//! A segment from its beginning: [`Scanner`] steps through it, [`recover`] says where it ends.
//!
//! The scanner keeps no bytes: whoever drives it shows it what lies at [`Scanner::offset`], in
//! pieces of any size from [`FRAGMENT_BYTES`](super::FRAGMENT_BYTES) up.

use super::fragment::{Damage, Part, decode};

/// What lies at the scanner's offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// A fragment. The scanner stands behind it now.
    Fragment {
        /// Which part of its record it is.
        part: Part,
        /// The bytes of the record in it.
        payload: &'a [u8],
        /// The bytes of the fragment, head included.
        byte_count: usize,
    },
    /// The bytes end before the fragment does: show at least so many, or take it as the end.
    Short {
        /// Bytes from the scanner's offset on.
        needed_bytes: usize,
    },
    /// No fragment. The scanner stays where it is.
    Damaged(Damage),
}

/// Steps through a segment and counts its whole records.
///
/// Invariants: `whole_bytes ≤ offset`; they are equal exactly when the scanner is between records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scanner {
    offset: u64,
    whole_bytes: u64,
    record_count: u64,
}

impl Scanner {
    /// A scanner at the beginning of a segment.
    pub(crate) const fn new() -> Self {
        Self { offset: 0, whole_bytes: 0, record_count: 0 }
    }

    /// Where in the segment the next fragment begins.
    pub(crate) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Whole records so far.
    pub(crate) const fn record_count(&self) -> u64 {
        self.record_count
    }

    /// Takes the fragment with which `bytes`, the segment from [`Scanner::offset`] on, begin.
    pub(crate) fn step<'a>(&mut self, bytes: &'a [u8]) -> Step<'a> {
        let step = decode(bytes);
        if let Step::Fragment { part, byte_count, .. } = step {
            let is_between = self.whole_bytes == self.offset;
            if part.begins_record() != is_between {
                return Step::Damaged(Damage::Order);
            }
            self.offset += byte_count as u64;
            if part.ends_record() {
                self.whole_bytes = self.offset;
                self.record_count += 1;
            }
        }
        step
    }

    /// What the segment holds, if `rest_bytes` lie behind the scanner that are no whole fragment.
    pub(crate) const fn recovered(&self, rest_bytes: usize) -> Recovered {
        let is_clean = rest_bytes == 0 && self.whole_bytes == self.offset;
        let tail = if is_clean { Tail::Clean } else { Tail::CutOff };
        Recovered { record_count: self.record_count, byte_count: self.whole_bytes, tail }
    }
}

/// What a segment holds: the whole records at its beginning, and how it goes on behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// Whole records.
    pub(crate) record_count: u64,
    /// Where the last of them ends.
    pub(crate) byte_count: u64,
    /// What is behind.
    pub(crate) tail: Tail,
}

/// What follows the last whole record of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing.
    Clean,
    /// The beginning of a record.
    CutOff,
    /// Something else.
    Damaged(Damage),
}

/// Finds the whole records with which `segment` begins.
#[allow(dead_code, reason = "for programs that hold the segment in memory")]
pub(crate) fn recover(segment: &[u8]) -> Recovered {
    let mut scanner = Scanner::new();
    let mut rest = segment;
    loop {
        match scanner.step(rest) {
            Step::Fragment { byte_count, .. } => rest = rest.get(byte_count..).unwrap_or_default(),
            Step::Short { .. } => return scanner.recovered(rest.len()),
            Step::Damaged(damage) => {
                let tail = Tail::Damaged(damage);
                return Recovered { tail, ..scanner.recovered(rest.len()) };
            }
        }
    }
}
