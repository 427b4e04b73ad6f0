//! A log from its beginning: [`Scanner`] steps through it, [`recover`] says where it ends.
//!
//! The scanner keeps no bytes: whoever drives it shows it what comes next, in pieces of any size
//! from [`FRAGMENT_BYTES`](super::FRAGMENT_BYTES) up.

use super::{
    fragment::{Damage, Part, decode},
    segment::{HEADER_BYTES, Header, Seal},
};

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

/// Steps through a log and counts its whole records.
///
/// A log of one file is just stepped through. Of a log of segments, each is entered, in the order
/// of their numbers, and stepped through until there is no fragment.
///
/// Invariants: `whole_bytes ≤ offset`; they are equal exactly when the scanner is between records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scanner {
    /// Of the segment entered last.
    seal: Seal,
    /// The log whose segments these are, once one was entered.
    log: Option<u64>,
    offset: u64,
    whole_bytes: u64,
    record_count: u64,
    fragment_count: u64,
}

impl Scanner {
    /// A scanner at the beginning of a log.
    pub(crate) const fn new() -> Self {
        Self {
            seal: Seal::NONE,
            log: None,
            offset: 0,
            whole_bytes: 0,
            record_count: 0,
            fragment_count: 0,
        }
    }

    /// Goes on in the segment that has the number `sequence` and begins with `bytes`, and says
    /// whether that is possible: it has a header of this number, and goes on just where the scanner
    /// is. The first one may begin anywhere between two records of its log. The next fragment is
    /// [`HEADER_BYTES`] into it.
    #[allow(dead_code, reason = "for programs that know of segments")]
    pub(crate) fn enter(&mut self, sequence: u32, bytes: &[u8]) -> bool {
        let Some(header) = Header::decode(bytes).filter(|header| header.sequence == sequence)
        else {
            return false;
        };
        let here = (self.record_count, self.fragment_count);
        let there = (header.records_before, header.fragments_before);
        if self.log.is_some_and(|log| log != header.log || here != there) {
            return false;
        }
        (self.record_count, self.fragment_count) = there;
        (self.log, self.seal) = (Some(header.log), header.seal());
        let is_between = self.whole_bytes == self.offset;
        self.offset += HEADER_BYTES as u64;
        if is_between {
            self.whole_bytes = self.offset;
        }
        true
    }

    /// Bytes of headers and fragments so far: where in a log of one file the next fragment begins.
    pub(crate) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Whole records so far, those before the first segment included.
    pub(crate) const fn record_count(&self) -> u64 {
        self.record_count
    }

    /// Takes the fragment with which `bytes`, what lies behind the last one, begin.
    pub(crate) fn step<'a>(&mut self, bytes: &'a [u8]) -> Step<'a> {
        let step = decode(self.seal, bytes);
        if let Step::Fragment { part, byte_count, .. } = step {
            let is_between = self.whole_bytes == self.offset;
            if part.begins_record() != is_between {
                return Step::Damaged(Damage::Order);
            }
            self.offset += byte_count as u64;
            self.fragment_count += 1;
            if part.ends_record() {
                self.whole_bytes = self.offset;
                self.record_count += 1;
            }
        }
        step
    }

    /// What the log holds, if `rest_bytes` lie behind the scanner that are no whole fragment.
    pub(crate) const fn recovered(&self, rest_bytes: usize) -> Recovered {
        let is_clean = rest_bytes == 0 && self.whole_bytes == self.offset;
        let tail = if is_clean { Tail::Clean } else { Tail::CutOff };
        Recovered { record_count: self.record_count, byte_count: self.whole_bytes, tail }
    }
}

/// What a log holds: the whole records at its beginning, and how it goes on behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// Whole records.
    pub(crate) record_count: u64,
    /// Where the last of them ends.
    pub(crate) byte_count: u64,
    /// What is behind.
    pub(crate) tail: Tail,
}

/// What follows the last whole record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing.
    Clean,
    /// The beginning of a record.
    CutOff,
    /// Something else.
    Damaged(Damage),
}

/// Finds the whole records with which `log`, of one file, begins.
#[allow(dead_code, reason = "for programs that hold the segment in memory")]
pub(crate) fn recover(log: &[u8]) -> Recovered {
    let mut scanner = Scanner::new();
    let mut rest = log;
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
