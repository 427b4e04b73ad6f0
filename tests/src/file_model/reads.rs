//! Reads of a file: what they may return.
//!
//! A read shows what was accepted before it and succeeded, and nothing that was accepted after it;
//! of what failed before it, any bytes. It ends at the tail at its acceptance, earlier only where
//! the file may end earlier, because something accepted before has failed.

use std::ops::Range;

use ringzero_core::Errno;

use super::{
    CANCELED, FileModel,
    log::{Entry, Kind},
};
use crate::{
    content::{Change, Content},
    disk::{Ask, FileState},
    ensure,
    model::Verdict,
};

/// A read that is owed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) offset: u64,
    /// How many bytes were asked for.
    pub(crate) len: u64,
    /// Where it ends, at the end of the file at the latest.
    pub(crate) end: u64,
    /// How often appends had been resumed when it was accepted.
    pub(crate) epoch: u64,
}

impl FileModel {
    /// A read was delivered that showed these bytes.
    pub(crate) fn read_delivered(
        &mut self,
        token: u64,
        result: i32,
        bytes: &[u8],
        disk: &FileState,
    ) -> Verdict {
        let Some(reading) = self.reads.remove(&token) else {
            return Err(format!("{token} is no read that is owed"));
        };
        let range = reading.offset..reading.end;
        if result < 0 {
            let errno = Errno::new(-result);
            let is_its_own = |(ask, seen): &(Ask, Errno)| {
                let seen = if *seen == Errno::CANCELED { Errno::IO } else { *seen };
                matches!(ask, Ask::Read { offset, .. } if range.contains(offset)) && seen == errno
            };
            ensure!(disk.harmless.iter().any(is_its_own), "read {token} {range:?} says {errno}");
            return Ok(());
        }
        ensure!(bytes.len() as i32 == result, "read {token} says {result}, shows {}", bytes.len());
        self.kept += 1;
        let mut content = Content::of_part(&self.initial, range.clone());
        let mut most_end = reading.end;
        for entry in self.log.before(token) {
            let is_open = entry.result.is_none() && entry.change.touches(&range);
            ensure!(!is_open, "read {token} {range:?} delivered before {entry:?}");
            content.settle(entry.change, entry.is_good());
            most_end = self.end_after(entry, &reading).unwrap_or(most_end);
        }
        // The file ends at the tail, unless something failed that was to make it longer.
        let has_failure = self.log.before(token).iter().any(Entry::has_failed);
        let least_end = if has_failure { range.end.min(content.least_end()) } else { range.end };
        let end = range.start + bytes.len() as u64;
        let may_end = least_end.max(range.start)..=most_end.max(range.start);
        ensure!(may_end.contains(&end), "read {token} {range:?} ends at {end}, not in {may_end:?}");
        content.check_bytes(bytes).map_err(|what| format!("read {token} {range:?}: {what}"))
    }

    /// Where a read ends at the latest because of an earlier entry, if that says anything.
    fn end_after(&self, entry: &Entry, reading: &Reading) -> Option<u64> {
        match (entry.kind, entry.change) {
            // The tail goes back to where it began, or behind what was written beyond; but not that
            // of a file that failed, which cancels appends.
            (Kind::Append, Change::Write(span))
                if entry.has_failed()
                    && entry.result != Some(CANCELED)
                    && entry.epoch == reading.epoch =>
            {
                Some(reading.end.min(span.offset.max(self.furthest_write)))
            }
            (_, Change::Truncate(_)) if entry.is_good() => Some(reading.end),
            _ => None,
        }
    }

    /// How many bytes the read of this token asked for, if one is owed.
    pub fn read_len(&self, token: u64) -> Option<u64> {
        self.reads.get(&token).map(|reading| reading.len)
    }

    /// Whether a read is owed that touches a range.
    pub fn is_reading(&self, range: &Range<u64>) -> bool {
        self.reads.values().any(|read| read.offset < range.end && range.start < read.end)
    }

    /// The caller gave the bytes of a read back.
    pub fn released(&mut self) {
        self.kept -= 1;
    }
}
