//! Registration, closing, shutdown: the cold path.
//!
//! Closing a file takes two steps, because I/O may be on its way: after [`Engine::begin_close`] the
//! handle is dead and what was accepted goes on; when [`Engine::is_idle`] says so,
//! [`Engine::finish_close`] frees the slot; the same after [`Engine::submit_close`]. Completions
//! that wait for delivery stay; they keep operation slots of the file's share until they are
//! polled.

use core::ops::Range;

use super::{
    Engine,
    admission::MAX_OFFSET,
    file::{AppendGate, Gate, OpenFile},
    operation::{HAS_BYTES, Kind, ORPHAN, Stage},
    order,
    storage::Storage,
};
use crate::{
    Errno, FileSlot, IoFd, StorageIoError,
    table::{range_index::Chained, records::NIL},
};

/// How a file is registered.
///
/// ```
/// use ringzero_core::Registration;
///
/// let log = Registration::file(10_000).aligned(4_096)?;
/// assert_eq!(log.lead(), 8_192..10_000, "to be written again with what is appended first");
/// let segment = Registration::segment(0, 1 << 20)?;
/// assert_eq!(segment.lead(), 0..0);
/// assert!(Registration::segment(2, 1).is_err(), "the tail is above the limit");
/// let (_disk, _folder) = (Registration::device(), Registration::directory());
/// # Ok::<(), ringzero_core::StorageIoError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Registration {
    tail: u64,
    limit: u64,
    mask: u32,
    append_gate: AppendGate,
    is_segment: bool,
    gate: Gate,
}

impl Registration {
    /// A file of `byte_count` bytes: appends go to its end.
    pub const fn file(byte_count: u64) -> Self {
        let append_gate = AppendGate::Open;
        let (gate, is_segment) = (Gate::Open, false);
        Self { tail: byte_count, limit: MAX_OFFSET, mask: 0, append_gate, is_segment, gate }
    }

    /// Appends go to `tail` and never cross `limit`; the file is never cut back.
    ///
    /// # Errors
    /// `Io(EINVAL)` if `tail` is above `limit` or `limit` above `i64::MAX`.
    pub const fn segment(tail: u64, limit: u64) -> Result<Self, StorageIoError> {
        if tail > limit || limit > MAX_OFFSET {
            return Err(StorageIoError::Io(Errno::INVAL));
        }
        let (append_gate, gate) = (AppendGate::Open, Gate::Open);
        Ok(Self { tail, limit, mask: 0, append_gate, is_segment: true, gate })
    }

    /// A device: positional writes only, since it has no end.
    pub const fn device() -> Self {
        let (append_gate, gate, is_segment) = (AppendGate::Never, Gate::Open, true);
        Self { tail: MAX_OFFSET, limit: MAX_OFFSET, mask: 0, append_gate, is_segment, gate }
    }

    /// A directory: syncs only, and all of them full ones.
    pub const fn directory() -> Self {
        Self { gate: Gate::SyncsOnly, ..Self::device() }
    }

    /// The same, of a file that is written in wholes of `alignment` bytes at multiples of it, from
    /// memory at multiples of it, as one that was opened with O_DIRECT.
    ///
    /// Positional writes must keep to that themselves; appends may be of any length.
    ///
    /// # Errors
    /// `Io(EINVAL)`: `alignment` is no power of two, or the limit no multiple of it.
    pub const fn aligned(self, alignment: u32) -> Result<Self, StorageIoError> {
        if !alignment.is_power_of_two() {
            return Err(StorageIoError::Io(Errno::INVAL));
        }
        let mask = alignment - 1;
        let beyond = self.limit & mask as u64;
        if beyond != 0 && self.limit != MAX_OFFSET {
            return Err(StorageIoError::Io(Errno::INVAL));
        }
        let limit = self.limit - beyond;
        let tail = if self.tail > limit { limit } else { self.tail };
        Ok(Self { tail, limit, mask, ..self })
    }

    /// Bytes of the file before its tail that share an aligned block with it: what
    /// [`Engine::register_behind`] is to be given.
    pub const fn lead(&self) -> Range<u64> {
        self.tail & !(self.mask as u64)..self.tail
    }
}

impl<S: Storage> Engine<S> {
    /// Takes a file in. The executor's own table is indexed by the slot.
    ///
    /// # Errors
    /// `QueueFull`: no slot is free. `Closed`: after shutdown. As [`Engine::register_behind`] if
    /// there is an alignment.
    pub fn register(
        &mut self,
        registration: Registration,
    ) -> Result<(IoFd, FileSlot), StorageIoError> {
        self.register_behind(registration, &[])
    }

    /// Takes a file in whose tail may be inside an aligned block. `lead` are the bytes that the
    /// file has in [`Registration::lead`]: they are written again with what is appended first.
    ///
    /// # Errors
    /// `QueueFull`: no slot is free. `Closed`: after shutdown. `Io(EINVAL)`: `lead` is of another
    /// length; or the alignment is above [`Limits::tail_block_bytes`](crate::Limits), or above that
    /// of the engine's memory.
    pub fn register_behind(
        &mut self,
        registration: Registration,
        lead: &[u8],
    ) -> Result<(IoFd, FileSlot), StorageIoError> {
        if self.is_closed {
            return Err(StorageIoError::Closed);
        }
        let Some(slot) = self.files.free_slot() else { return Err(self.refuse_full()) };
        let Range { start, end } = registration.lead();
        let Registration { tail, limit, mask, append_gate, is_segment, gate } = registration;
        if mask > 0 {
            let fits = self.tail_blocks.are_aligned(mask + 1) && lead.len() as u64 == end - start;
            if !fits || self.tail_blocks.fill(slot, lead, mask + 1).is_none() {
                return Err(StorageIoError::Io(Errno::INVAL));
            }
        }
        let file = self.files.records.at_mut(slot);
        *file = OpenFile {
            tail,
            limit,
            mask,
            max_append: (self.max_write as u32).saturating_sub(mask),
            append_gate,
            is_segment,
            gate,
            sent_end: tail,
            settled_end: tail,
            // What earlier registrations left for delivery still holds its operation slots.
            held: file.held,
            orphans: file.orphans,
            // And reads that were not released hold theirs, and blocks.
            kept_reads: file.kept_reads,
            packing: file.packing.emptied(),
            // The file queues may still name the slot; they find nothing to do.
            is_ready: file.is_ready,
            is_urgent: file.is_urgent,
            ..OpenFile::EMPTY
        };
        let Some(fd) = self.files.open(slot) else { return Err(self.refuse_full()) };
        if gate == Gate::SyncsOnly {
            self.files.gate(slot);
        }
        Ok((fd, FileSlot::at(slot)))
    }

    /// Begins to close a file. The handle is `BadFd` from here on; what was accepted goes on.
    ///
    /// # Errors
    /// `BadFd`. `Closed`: after shutdown, which closes every file.
    pub fn begin_close(&mut self, fd: IoFd) -> Result<FileSlot, StorageIoError> {
        if self.is_closed {
            return Err(StorageIoError::Closed);
        }
        let slot = self.known(fd)?;
        self.files.close(slot);
        Ok(FileSlot::at(slot))
    }

    /// Whether the executor has closed the file: whoever holds its descriptor forgets it.
    pub fn was_closed(&self, file: FileSlot) -> bool {
        self.files.records.at(u32::from(file.0)).was_closed
    }

    /// Whether everything accepted on the file has ended.
    pub fn is_idle(&self, file: FileSlot) -> bool {
        self.files.records.at(u32::from(file.0)).is_idle()
    }

    /// Frees the slot of an idle file; does nothing while it is not idle. `Some(byte_count)`: the
    /// file is to be cut back to that size, because a failed append wrote beyond the tail.
    pub fn finish_close(&mut self, file: FileSlot) -> Option<u64> {
        let slot = u32::from(file.0);
        if !self.is_idle(file) {
            debug_assert!(false, "closed with I/O on its way");
            return None;
        }
        let record = self.files.records.at_mut(slot);
        self.blocks.close(&mut record.packing);
        self.blocks.close_chain(&mut record.chain, &mut record.packing);
        let cut = record.cut();
        let mut orphans = 0;
        self.finished.for_each_mut(&mut self.operations.records, |operation| {
            if operation.file == file.0 {
                operation.flags = ORPHAN | operation.flags & HAS_BYTES;
                orphans += 1;
            }
        });
        self.files.records.at_mut(slot).orphans = orphans;
        self.files.free(slot);
        cut
    }

    /// A file whose close has begun and whose last I/O has ended by now.
    pub fn next_idle_closing(&self) -> Option<FileSlot> {
        let is_over =
            |file: &FileSlot| self.files.is_closing(u32::from(file.0)) && self.is_idle(*file);
        self.file_slots().find(is_over)
    }

    /// Takes nothing more: submissions and registrations answer `Closed` from here on.
    pub fn close_admission(&mut self) {
        self.is_closed = true;
        for slot in 0..self.files.records.count() {
            self.files.gate(slot);
        }
    }

    /// Ends everything unfinished with ETIMEDOUT. The executor may still read the data: the memory
    /// must be leaked while [`Engine::in_flight`] is not 0. Answers that come later are dropped.
    pub fn abandon(&mut self) {
        self.close_admission();
        for slot in 0..self.files.records.count() {
            for kind in [Kind::Append, Kind::Write, Kind::Sync, Kind::Read] {
                while let Some(index) = self.pop_unfinished(slot, kind) {
                    if kind == Kind::Write {
                        // The index goes on to find the reads that are kept.
                        let link = self.operations.records.at(index).link();
                        let file = self.files.records.at_mut(slot);
                        let records = &mut self.operations.records;
                        order::leave(records, &mut self.ranges, file, (index, link));
                    }
                    let operation = self.operations.records.at_mut(index);
                    operation.stage = Stage::Done;
                    operation.run = 0;
                    operation.flags = 0;
                    operation.result = -Errno::TIMEDOUT.number();
                    self.finished.push(&mut self.operations.records, index);
                }
            }
            let file = self.files.records.at_mut(slot);
            (file.write_next, file.read_next) = (NIL, NIL);
            file.again = 0;
            (file.blocked, file.blocked_reads) = (0, 0);
            file.flying = 0;
            file.altering = NIL;
            file.durable_obstacles = 0;
            file.lanes = OpenFile::EMPTY.lanes;
        }
    }

    fn pop_unfinished(&mut self, slot: u32, kind: Kind) -> Option<u32> {
        let file = self.files.records.at_mut(slot);
        let list = match kind {
            Kind::Append => &mut file.appends,
            Kind::Write => &mut file.writes,
            Kind::Sync | Kind::Alter => &mut file.syncs,
            Kind::Read => &mut file.reads,
        };
        list.pop_front(&mut self.operations.records)
    }
}
