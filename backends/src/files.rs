//! Which open file is in which slot of the engine: [`Files`], and who is let in.
//!
//! It decides whether a file may be registered and keeps it open; it does no I/O. What it takes by
//! value it closes on every error.
//!
//! Invariants: a slot has an entry from registration until the engine has given the slot back, so
//! also while it closes; no two entries have the same identity; no entry is in append mode.

use std::{fs::File, mem};

use ringzero_core::{Errno, FileSlot, Limits, Registration, StorageIoError};

use crate::{
    error::errno_of,
    platform::{self, Identity, Inspection, Kind, number},
    setup_error::SetupError,
};

/// What a file is registered for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// Writes anywhere; appends at the end it has now, if it has one.
    WholeFile,
    /// Syncs of a directory.
    Directory,
    /// Writes anywhere; appends from `tail` on, and never beyond `limit`.
    Segment { tail: u64, limit: u64 },
}

/// One registered file.
#[derive(Debug)]
pub(crate) struct Entry {
    file: File,
    identity: Identity,
    rw_flags: i32,
    is_direct: bool,
    durable_flags: i32,
}

impl Entry {
    /// The open file.
    #[inline]
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// What every write of this file carries as flags of pwritev2(2): RWF_NOAPPEND if it was opened
    /// in append mode and the kernel has the flag, else 0.
    #[inline]
    pub(crate) fn rw_flags(&self) -> i32 {
        self.rw_flags
    }

    /// Whether its data must be aligned in memory: it was opened with O_DIRECT.
    pub(crate) fn is_direct(&self) -> bool {
        self.is_direct
    }

    /// What a write of this file carries besides that also syncs what it writes: RWF_DSYNC, or 0
    /// where that is not to be relied on.
    #[inline]
    pub(crate) fn durable_flags(&self) -> i32 {
        self.durable_flags
    }

    /// Forgets the file: its descriptor was closed by somebody else.
    pub(crate) fn forget(self) {
        mem::forget(self.file);
    }

    /// Cuts the file to `byte_count`, if it is longer: fstat(2), ftruncate(2).
    ///
    /// # Errors
    /// Those of the calls.
    pub(crate) fn cut_back(&self, byte_count: u64) -> Result<(), Errno> {
        // A write that failed may have moved the tail beyond the end of the file.
        let metadata = self.file.metadata().map_err(|error| errno_of(&error))?;
        if metadata.len() <= byte_count {
            return Ok(());
        }
        self.file.set_len(byte_count).map_err(|error| errno_of(&error))
    }
}

/// A file that may be registered, and nothing about it changed so far.
#[derive(Debug)]
pub(crate) struct Admitted {
    file: File,
    identity: Identity,
    is_append_mode: bool,
    is_direct: bool,
    /// What the engine is to know of it.
    pub(crate) registration: Registration,
    /// Its bytes in `Registration::lead`.
    pub(crate) lead: Vec<u8>,
}

impl Admitted {
    /// Leaves append mode, and is ready to be put in a slot.
    ///
    /// # Errors
    /// Append mode cannot be left; the file is closed.
    pub(crate) fn into_entry(self) -> Result<Entry, Errno> {
        let Self { file, identity, is_append_mode, is_direct, .. } = self;
        let durable_flags = match identity.kind {
            Kind::Regular => platform::durable_write_flags(&file),
            Kind::Device | Kind::Directory | Kind::Other => 0,
        };
        let (file, rw_flags) = match is_append_mode {
            true => (platform::leave_append_mode(file)?, platform::keep_position_flags()),
            false => (file, 0),
        };
        Ok(Entry { file, identity, rw_flags, is_direct, durable_flags })
    }
}

/// The files of one backend, by slot.
#[derive(Debug)]
pub(crate) struct Files {
    entries: Box<[Option<Entry>]>,
}

impl Files {
    /// An empty table of `limits.files` slots.
    ///
    /// # Errors
    /// `SetupError::Memory`.
    pub(crate) fn new(limits: &Limits) -> Result<Self, SetupError> {
        let mut entries = Vec::new();
        entries
            .try_reserve_exact(limits.files as usize)
            .map_err(|_| SetupError::Memory(Errno::new(number::NOMEM)))?;
        entries.resize_with(limits.files as usize, || None);
        Ok(Self { entries: entries.into_boxed_slice() })
    }

    /// Decides whether `file` may be registered for `purpose`. Changes nothing.
    ///
    /// # Errors
    /// The file is closed. EINVAL: a pipe, socket or terminal, a directory for another purpose or
    /// anything else for that one, or a segment that ends before it begins. EBADF: not open for
    /// writing. EBUSY: registered already, or still closing. Of a file opened with O_DIRECT:
    /// EINVAL, what it asks for is not to be had; EBADF, its tail is inside a block and it is not
    /// open for reading. Others of fstat(2), statx(2) and pread(2).
    pub(crate) fn admit(&self, file: File, purpose: Purpose) -> Result<Admitted, StorageIoError> {
        let inspection = platform::inspect(&file).map_err(StorageIoError::Io)?;
        let registration = match (inspection.kind, purpose) {
            (Kind::Directory, Purpose::Directory) => Registration::directory(),
            (Kind::Other | Kind::Directory, _) | (_, Purpose::Directory) => {
                return Err(StorageIoError::Io(Errno::INVAL));
            }
            _ if !inspection.is_writable => return Err(StorageIoError::Io(Errno::BADF)),
            (_, Purpose::Segment { tail, limit }) => Registration::segment(tail, limit)?,
            (Kind::Regular, Purpose::WholeFile) => Registration::file(inspection.byte_count),
            (Kind::Device, Purpose::WholeFile) => Registration::device(),
        };
        let identity = inspection.identity;
        if self.entries.iter().flatten().any(|entry| entry.identity == identity) {
            return Err(StorageIoError::Io(Errno::BUSY));
        }
        let Inspection { is_append_mode, is_direct, .. } = inspection;
        let alignment = if is_direct { platform::alignment(&file) } else { Ok(1) };
        let alignment = alignment.map_err(StorageIoError::Io)?;
        let registration = registration.aligned(alignment)?;
        let lead = platform::read_lead(&file, registration.lead(), alignment);
        let lead = lead.map_err(StorageIoError::Io)?;
        Ok(Admitted { file, identity, is_append_mode, is_direct, registration, lead })
    }

    /// Puts a file in the slot that the engine gave it.
    pub(crate) fn insert(&mut self, slot: FileSlot, entry: Entry) {
        if let Some(place) = self.entries.get_mut(slot.index()) {
            *place = Some(entry);
        }
    }

    /// The file in a slot.
    #[inline]
    pub(crate) fn get(&self, slot: FileSlot) -> Option<&Entry> {
        self.entries.get(slot.index())?.as_ref()
    }

    /// Takes the file out of a slot.
    pub(crate) fn remove(&mut self, slot: FileSlot) -> Option<Entry> {
        self.entries.get_mut(slot.index())?.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_back_never_extends() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(100).unwrap();
        let files = Files::new(&Limits::default()).unwrap();
        let entry = files.admit(file, Purpose::WholeFile).unwrap().into_entry().unwrap();
        for (byte_count, expected) in [(200, 100), (100, 100), (40, 40)] {
            entry.cut_back(byte_count).unwrap();
            assert_eq!(entry.file().metadata().unwrap().len(), expected);
        }
    }
}
