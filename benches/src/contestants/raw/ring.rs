//! The hand-written side's ring ([`Ring`]): one registered file, one registered buffer divided into
//! slots, submissions handed over and completions reaped in batches.
//!
//! SINGLE_ISSUER and DEFER_TASKRUN: the best flags for a loop of one thread that submits and waits
//! in the same call. The buffer is never freed, so nothing that is in flight when a run fails can
//! touch memory of others.
//!
//! # Safety
//! The kernel reads slots of a buffer that lives as long as the process, at addresses within it
//! that [`Ring::push_write`] checks. A slot that is written while it is in flight would send other
//! bytes, which the check of the file finds; it would not be undefined: the kernel is no thread of
//! this program.
#![allow(unsafe_code)]

use std::{alloc::Layout, fs::File, io, os::fd::AsRawFd};

use io_uring::{
    IoUring, opcode,
    squeue::{Entry, Flags},
    types::{Fixed, FsyncFlags},
};

use crate::{Failure, compare::content::ALIGNMENT};

/// What a write is beside a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Alone.
    Plain,
    /// The entry behind it starts when it is done, and it posts no completion if it succeeds.
    Linked,
    /// RWF_DSYNC, carried out by a kernel worker (IOSQE_ASYNC), so that handing it over cannot
    /// block.
    DurableAsync,
    /// RWF_DSYNC, begun in the call that hands it over.
    Durable,
}

/// A ring, its file and its buffer.
pub(super) struct Ring {
    ring: IoUring,
    buffer: &'static mut [u8],
    slot_bytes: usize,
    is_registered: bool,
}

impl Ring {
    /// A ring for `file` with a buffer of `slots` slots. At most two entries per slot fit between
    /// two turns.
    ///
    /// # Errors
    /// The kernel has no io_uring, or too little memory.
    pub(super) fn new(file: &File, slots: u32, slot_bytes: u32) -> Result<Self, Failure> {
        let entries = (slots * 2).clamp(8, 32_768).next_power_of_two();
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_submit_all()
            .build(entries)?;
        ring.submitter().register_files(&[file.as_raw_fd()])?;
        let buffer = leaked(slots as usize * slot_bytes as usize)?;
        let vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        // SAFETY: the buffer lives as long as the process.
        let registered = unsafe { ring.submitter().register_buffers(&[vector]) };
        let slot_bytes = slot_bytes as usize;
        Ok(Self { ring, buffer, slot_bytes, is_registered: registered.is_ok() })
    }

    /// The bytes of slot `slot`.
    #[inline]
    pub(super) fn slot(&mut self, slot: u32) -> &mut [u8] {
        let begin = slot as usize * self.slot_bytes;
        self.buffer.get_mut(begin..begin + self.slot_bytes).unwrap_or_default()
    }

    /// Puts `record` at `at` bytes of slot `slot`.
    #[inline]
    pub(super) fn fill(&mut self, slot: u32, at: usize, record: &[u8]) {
        if let Some(room) = self.slot(slot).get_mut(at..at + record.len()) {
            room.copy_from_slice(record);
        }
    }

    /// Queues a write of the first `bytes` bytes of slot `slot`, known as `name`.
    ///
    /// # Errors
    /// The submission queue is full, or the slot is shorter.
    #[inline]
    pub(super) fn push_write(
        &mut self,
        slot: u32,
        bytes: u32,
        offset: u64,
        form: Form,
        name: u64,
    ) -> io::Result<()> {
        let (is_registered, data) = (self.is_registered, self.slot(slot));
        if data.len() < bytes as usize {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let (flags, rw_flags) = match form {
            Form::Plain => (Flags::empty(), 0),
            Form::Linked => (Flags::IO_LINK | Flags::SKIP_SUCCESS, 0),
            Form::DurableAsync => (Flags::ASYNC, libc::RWF_DSYNC),
            Form::Durable => (Flags::empty(), libc::RWF_DSYNC),
        };
        let pointer = data.as_ptr();
        let entry = if is_registered {
            let write = opcode::WriteFixed::new(Fixed(0), pointer, bytes, 0);
            write.offset(offset).rw_flags(rw_flags).build()
        } else {
            let write = opcode::Write::new(Fixed(0), pointer, bytes);
            write.offset(offset).rw_flags(rw_flags).build()
        };
        self.push(&entry.flags(flags).user_data(name))
    }

    /// Queues an fdatasync, known as `name`.
    ///
    /// # Errors
    /// The submission queue is full.
    #[inline]
    pub(super) fn push_datasync(&mut self, name: u64) -> io::Result<()> {
        let sync = opcode::Fsync::new(Fixed(0)).flags(FsyncFlags::DATASYNC);
        self.push(&sync.build().user_data(name))
    }

    #[inline]
    fn push(&mut self, entry: &Entry) -> io::Result<()> {
        let mut queue = self.ring.submission();
        // SAFETY: the entry's memory is in the buffer, which lives as long as the process.
        let pushed = unsafe { queue.push(entry) };
        pushed.map_err(|_| io::Error::from(io::ErrorKind::StorageFull))
    }

    /// Hands over what is queued, sleeps until `want` completions are there, and gives each to
    /// `each` by name and result. One system call.
    ///
    /// # Errors
    /// What io_uring_enter(2) says, or the first error of `each`.
    #[inline]
    pub(super) fn turn(
        &mut self,
        want: usize,
        mut each: impl FnMut(u64, i32) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match self.ring.submit_and_wait(want) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
        for completion in self.ring.completion() {
            each(completion.user_data(), completion.result())?;
        }
        Ok(())
    }
}

/// Memory that is never freed, touched and aligned for O_DIRECT.
fn leaked(bytes: usize) -> Result<&'static mut [u8], Failure> {
    let layout = Layout::from_size_align(bytes.max(1), ALIGNMENT)?;
    // SAFETY: the layout is not empty.
    let memory = unsafe { std::alloc::alloc_zeroed(layout) };
    if memory.is_null() {
        return Err("no memory for the buffer".into());
    }
    // SAFETY: the memory was just allocated with this size, is zeroed, and never freed.
    Ok(unsafe { std::slice::from_raw_parts_mut(memory, bytes) })
}

/// The result of a write of `bytes` bytes, or of a sync with 0: all of it, or an error.
///
/// # Errors
/// What the kernel said; a short write.
#[inline]
pub(super) fn expect(result: i32, bytes: u32) -> Result<(), Failure> {
    match result {
        result if result < 0 => Err(io::Error::from_raw_os_error(-result).into()),
        result if result as u32 != bytes => Err("a short write".into()),
        _ => Ok(()),
    }
}
