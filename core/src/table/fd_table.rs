//! [`FdTable`]: handles with generations → file slots.
//!
//! A handle holds a slot and the serial under which the file was registered; serials are never used
//! twice (engine number and registration number), so a handle of the past or of another engine
//! matches nothing. Each slot has two serials: `live`, which admits submissions, and `known`, which
//! answers questions. A file that failed or was closed loses `live` only, so the hot path finds
//! stale, failed and closed files by the same one compare.
//!
//! States of a slot: free (`known == 0`) → open (`live == known`) ⇄ gated (`live == 0`: failed, or
//! being altered) → closing (handle dead: `known == CLOSING`, the slot waits for its last I/O) →
//! free.

use core::sync::atomic::{AtomicU32, Ordering};

use super::records::Records;
use crate::{Slots, id::IoFd};

/// The serial of a slot whose handle is dead but whose last I/O has not ended. No handle has it:
/// registration numbers start at 1.
const CLOSING: u64 = u64::MAX << 32;

/// Both serials of a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Serials {
    live: u64,
    known: u64,
}

impl Serials {
    pub(crate) const FREE: Self = Self { live: 0, known: 0 };
}

/// A record with serials.
pub(crate) trait Entry: Copy {
    fn serials(&self) -> &Serials;
    fn serials_mut(&mut self) -> &mut Serials;
}

#[derive(Debug)]
pub(crate) struct FdTable<T, S> {
    pub(crate) records: Records<T, S>,
    engine: u32,
    registered: u32,
}

/// Engines built so far in this process; their numbers start at 1.
static ENGINES: AtomicU32 = AtomicU32::new(0);

impl<T: Entry, S: Slots<T>> FdTable<T, S> {
    pub(crate) fn new(records: Records<T, S>) -> Self {
        // ORDERING: the number only has to be unique.
        let engine = ENGINES.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        Self { records, engine, registered: 0 }
    }

    /// The slot of a handle that admits submissions.
    #[inline]
    pub(crate) fn live(&self, fd: IoFd) -> Option<u32> {
        let slot = fd.slot as u32;
        (self.records.at_bounded(slot)?.serials().live == fd.serial).then_some(slot)
    }

    /// The record of a handle that admits submissions.
    #[inline]
    pub(crate) fn live_mut(&mut self, fd: IoFd) -> Option<&mut T> {
        let record = self.records.at_bounded_mut(u32::from(fd.slot))?;
        if record.serials().live == fd.serial { Some(record) } else { None }
    }

    /// The slot of a handle that is registered, failed or not.
    #[inline]
    pub(crate) fn known(&self, fd: IoFd) -> Option<u32> {
        let slot = fd.slot as u32;
        (self.records.at_bounded(slot)?.serials().known == fd.serial).then_some(slot)
    }

    /// A free slot, or `None` when the table is full.
    pub(crate) fn free_slot(&self) -> Option<u32> {
        (0..self.records.count()).find(|&slot| self.records.at(slot).serials().known == 0)
    }

    /// Makes a handle for a free slot. `None` when this engine has used up its serials.
    pub(crate) fn open(&mut self, slot: u32) -> Option<IoFd> {
        self.registered = self.registered.checked_add(1)?;
        let serial = (self.engine as u64) << 32 | self.registered as u64;
        *self.records.at_mut(slot).serials_mut() = Serials { live: serial, known: serial };
        Some(IoFd { serial, slot: slot as u16 })
    }

    /// Stops submissions on the fast path; the handle stays known.
    pub(crate) fn gate(&mut self, slot: u32) {
        self.records.at_mut(slot).serials_mut().live = 0;
    }

    /// Submissions are admitted again, if the handle is alive.
    pub(crate) fn ungate(&mut self, slot: u32) {
        let serials = self.records.at_mut(slot).serials_mut();
        if serials.known != CLOSING {
            serials.live = serials.known;
        }
    }

    /// The handle is dead; the slot is not free yet.
    pub(crate) fn close(&mut self, slot: u32) {
        *self.records.at_mut(slot).serials_mut() = Serials { live: 0, known: CLOSING };
    }

    /// Whether the slot has a file, its handle dead or alive.
    pub(crate) fn is_used(&self, slot: u32) -> bool {
        self.records.at(slot).serials().known != 0
    }

    pub(crate) fn is_closing(&self, slot: u32) -> bool {
        self.records.at(slot).serials().known == CLOSING
    }

    /// The slot is free again.
    pub(crate) fn free(&mut self, slot: u32) {
        *self.records.at_mut(slot).serials_mut() = Serials::FREE;
    }
}

#[cfg(test)]
mod tests;
