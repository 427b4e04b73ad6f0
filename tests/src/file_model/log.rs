//! [`Log`]: every write, append and alteration accepted on one registration, in order.

use std::ops::Range;

use crate::content::Change;

/// What was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Write,
    Append,
    Alteration,
}

/// One write, append or alteration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) token: u64,
    pub(crate) kind: Kind,
    pub(crate) change: Change,
    /// How often appends had been resumed when it was accepted.
    pub(crate) epoch: u64,
    /// What was delivered.
    pub(crate) result: Option<i32>,
}

impl Entry {
    pub(crate) fn is_good(&self) -> bool {
        self.result.is_some_and(|result| result >= 0)
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.result.is_some_and(|result| result < 0)
    }
}

/// All of them, in the order of their tokens.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: Vec<Entry>,
    /// Those before this one were seen by a datasync.
    settled: usize,
}

impl Log {
    pub(crate) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// The entry of a token.
    pub(crate) fn find_mut(&mut self, token: u64) -> Option<&mut Entry> {
        let at = self.entries.binary_search_by_key(&token, |entry| entry.token).ok()?;
        self.entries.get_mut(at)
    }

    pub(crate) fn all(&self) -> &[Entry] {
        &self.entries
    }

    /// Those accepted before a token.
    pub(crate) fn before(&self, token: u64) -> &[Entry] {
        &self.entries[..self.entries.partition_point(|entry| entry.token < token)]
    }

    /// The next one accepted before a token that no datasync has seen: now one has.
    pub(crate) fn settle_before(&mut self, token: u64) -> Option<Entry> {
        let entry = *self.entries.get(self.settled).filter(|entry| entry.token < token)?;
        self.settled += 1;
        Some(entry)
    }

    /// Those that no datasync has seen.
    pub(crate) fn unsettled(&self) -> &[Entry] {
        &self.entries[self.settled..]
    }

    /// Whether one that was not delivered yet may change something in a range.
    pub(crate) fn is_changing(&self, range: &Range<u64>) -> bool {
        let is_open = |entry: &&Entry| entry.result.is_none() && entry.change.touches(range);
        self.entries.iter().rev().any(|entry| is_open(&entry))
    }
}
