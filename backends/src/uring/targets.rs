//! [`Targets`]: what the entries of a request name: the file, by slot or descriptor, and the block,
//! by registered buffer or address.
//!
//! Registered slots spare the kernel a lookup per request, registered buffers the pinning of pages;
//! both are optional, and requests do without where the kernel refuses (io_uring_register(2)).
//!
//! Worked example: 3 GiB of memory are registered as buffers 0, 1 and 2 of 1 GiB each (the most per
//! buffer). A piece at byte 2^30 + 512 is in buffer 1. Blocks are at most 1 MiB and powers of two,
//! so none lies in two buffers; a piece that did would go out by address.
//!
//! # Safety
//! Registering buffers hands their addresses to the kernel. Their pages are pinned until the ring
//! is closed, and the kernel has references of its own to them: unmapping them early would lose
//! what is written or read, not corrupt memory that somebody else has by then.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, RawFd};

use io_uring::{IoUring, Submitter, squeue::Flags};
use ringzero_core::{Errno, FileSlot, Piece, StableMemory};

use super::abilities::Abilities;
use crate::{
    error::errno_of,
    files::Entry,
    platform::{self, Descriptor, Reading},
};

/// The largest buffer that can be registered: io_uring_register(2), IORING_REGISTER_BUFFERS.
const BUFFER_BYTES: usize = 1 << 30;

/// What names a file in an entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// A registered slot or a descriptor.
    pub(super) number: i32,
    /// Which of the two.
    pub(super) flags: Flags,
    /// Flags of pwritev2(2) for its writes.
    pub(super) rw_flags: i32,
    /// What a read has besides in the entry's flags; `None` if it is refused.
    pub(super) reading: Option<Flags>,
    /// What a durable write has besides in the entry's flags; `None` if it takes none.
    pub(super) durable: Option<Flags>,
}

impl Target {
    /// The same for a read, unless it is refused.
    #[inline]
    pub(super) fn reading(self) -> Option<Self> {
        Some(Self { flags: self.flags | self.reading?, ..self })
    }

    /// The same for a durable write.
    #[inline]
    pub(super) fn durable(self) -> Self {
        let flags = self.flags | self.durable.unwrap_or(Flags::empty());
        Self { flags, rw_flags: self.rw_flags | libc::RWF_DSYNC, ..self }
    }
}

/// The memory that is registered.
#[derive(Clone, Copy, Debug)]
struct Buffers {
    base: usize,
    byte_count: usize,
}

#[derive(Debug)]
pub(super) struct Targets {
    files: Box<[Option<Target>]>,
    /// The files themselves, also of those that go by a registered slot.
    descriptors: Box<[Option<Descriptor>]>,
    has_slots: bool,
    buffers: Buffers,
    pub(super) abilities: Abilities,
    /// The ring's own descriptor.
    ring: RawFd,
}

impl Targets {
    /// No file yet; `count` slots if the kernel grants them, else descriptors, and why.
    pub(super) fn new(uring: &IoUring, count: u32) -> (Self, Option<Errno>) {
        let submitter = uring.submitter();
        // IORING_RSRC_REGISTER_SPARSE, since Linux 5.19.
        let refused = submitter.register_files_sparse(count).err();
        let targets = Self {
            files: vec![None; count as usize].into(),
            descriptors: vec![None; count as usize].into(),
            has_slots: refused.is_none(),
            buffers: Buffers { base: 0, byte_count: 0 },
            abilities: Abilities::of(&submitter),
            ring: uring.as_raw_fd(),
        };
        (targets, refused.map(|error| errno_of(&error)))
    }

    /// Registers `memory`, all of it.
    ///
    /// # Errors
    /// Those of io_uring_register(2); requests then go out by address.
    pub(super) fn register_buffers(
        &mut self,
        submitter: &Submitter<'_>,
        memory: &impl StableMemory,
    ) -> Result<(), Errno> {
        let (base, byte_count) = (memory.base().as_ptr(), memory.byte_count());
        let buffers: Vec<_> = (0..byte_count)
            .step_by(BUFFER_BYTES)
            .map(|at| libc::iovec {
                iov_base: base.wrapping_add(at).cast(),
                iov_len: BUFFER_BYTES.min(byte_count - at),
            })
            .collect();
        // SAFETY: the ranges are parts of memory that is mapped now. The kernel pins its pages and
        // keeps them until the ring is closed, whenever the memory is unmapped (file header).
        let registered = unsafe { submitter.register_buffers(&buffers) };
        registered.map_err(|error| errno_of(&error))?;
        self.buffers = Buffers { base: base as usize, byte_count };
        Ok(())
    }

    /// How requests name `file`.
    #[inline]
    pub(super) fn of(&self, file: FileSlot) -> Option<Target> {
        self.files.get(file.index()).copied().flatten()
    }

    /// The registered buffer that all of `piece` is in.
    #[inline]
    pub(super) fn buffer_of(&self, piece: &Piece) -> Option<u16> {
        let begin = (piece.base as usize).wrapping_sub(self.buffers.base);
        if begin >= self.buffers.byte_count {
            return None;
        }
        let index = begin / BUFFER_BYTES;
        let last = begin.saturating_add(piece.byte_count).saturating_sub(1);
        if last >= self.buffers.byte_count || last / BUFFER_BYTES != index {
            return None;
        }
        u16::try_from(index).ok()
    }

    /// Takes a file in. Answers why it goes by descriptor although slots are there.
    pub(super) fn insert(
        &mut self,
        submitter: &Submitter<'_>,
        slot: FileSlot,
        entry: &Entry,
    ) -> Option<Errno> {
        let Some(target) = self.files.get_mut(slot.index()) else { return Some(Errno::BADF) };
        if let Some(place) = self.descriptors.get_mut(slot.index()) {
            *place = Some(Descriptor::of(entry.file()));
        }
        let descriptor = entry.file().as_raw_fd();
        let durable = (entry.durable_flags() != 0).then_some(if entry.is_direct() {
            // The kernel tries it inside io_uring_enter(2), but comes back before the device has
            // answered; what would block goes to a kernel worker.
            Flags::empty()
        } else {
            // IOSQE_ASYNC gives it to a kernel worker at once: without, RWF_DSYNC on a buffered
            // file of XFS stays in io_uring_enter(2) for the whole sync.
            Flags::ASYNC
        });
        let reading = match platform::reading(entry.file()) {
            Reading::Inside => Some(Flags::empty()),
            Reading::Apart => Some(Flags::ASYNC),
            Reading::Refused => None,
        };
        let (number, rw_flags) = (descriptor, entry.rw_flags());
        let by_descriptor = Target { number, flags: Flags::empty(), rw_flags, reading, durable };
        *target = Some(by_descriptor);
        if !self.has_slots {
            return None;
        }
        match submitter.register_files_update(slot.index() as u32, &[descriptor]) {
            Ok(_) => {
                let number = slot.index() as i32;
                *target = Some(Target { number, flags: Flags::FIXED_FILE, ..by_descriptor });
                None
            }
            Err(error) => Some(errno_of(&error)),
        }
    }

    /// The file itself.
    pub(super) fn descriptor_of(&self, file: FileSlot) -> Option<Descriptor> {
        self.descriptors.get(file.index()).copied().flatten()
    }

    /// Makes the kernel forget a file on which no I/O is left: its registered slot is a reference
    /// that would keep it open. Does not wait.
    pub(super) fn vacate(&self, slot: FileSlot) {
        /// `struct io_uring_files_update` of linux/io_uring.h.
        #[repr(C)]
        struct FilesUpdate {
            offset: u32,
            reserved: u32,
            descriptors: u64,
        }
        const IORING_REGISTER_FILES_UPDATE: libc::c_uint = 6;
        if self.of(slot).is_none_or(|target| target.flags != Flags::FIXED_FILE) {
            return;
        }
        let no_file: RawFd = -1;
        let (offset, descriptors) = (slot.index() as u32, (&raw const no_file).addr() as u64);
        let update = FilesUpdate { offset, reserved: 0, descriptors };
        // SAFETY: the ring is open, and the call reads one update of the kernel's layout and the
        // one descriptor that it points to (io_uring_register(2)); both outlive it.
        unsafe {
            libc::syscall(
                libc::SYS_io_uring_register,
                self.ring,
                IORING_REGISTER_FILES_UPDATE,
                &raw const update,
                1,
            )
        };
    }

    /// Forgets a file on which no I/O is left.
    pub(super) fn remove(&mut self, submitter: &Submitter<'_>, slot: FileSlot) {
        const NO_FILE: RawFd = -1;
        let Some(target) = self.files.get_mut(slot.index()) else { return };
        if target.take().is_some_and(|target| target.flags == Flags::FIXED_FILE) {
            // If this failed, the kernel would keep the file open until the slot is used again.
            let _ = submitter.register_files_update(slot.index() as u32, &[NO_FILE]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt};

    use super::*;
    use crate::{
        config::{Config, UringConfig},
        uring::tests::backend,
    };
    use ringzero_core::StorageIo;

    /// The buffer of the piece at `at` of memory of 3 GiB and a little.
    fn buffer_at(at: usize, byte_count: usize) -> Option<u16> {
        let base = 0x7000_0000_0000;
        let buffers = Buffers { base, byte_count: 3 * BUFFER_BYTES + 4_096 };
        let targets = Targets {
            files: Box::default(),
            descriptors: Box::default(),
            has_slots: false,
            buffers,
            abilities: Abilities::NONE,
            ring: -1,
        };
        let base = std::ptr::without_provenance(base.wrapping_add(at));
        targets.buffer_of(&Piece { base, byte_count })
    }

    #[test]
    fn the_worked_example_of_the_header_is_true() {
        assert_eq!(buffer_at(BUFFER_BYTES + 512, 512), Some(1));
    }

    #[test]
    fn a_piece_is_in_the_one_buffer_that_holds_all_of_it() {
        const GIB: usize = BUFFER_BYTES;
        for (at, byte_count, buffer) in [
            (0, 1, Some(0)),
            (0, GIB, Some(0)),
            (0, GIB + 1, None),
            (GIB - 1, 1, Some(0)),
            (GIB - 1, 2, None),
            (2 * GIB, 4_096, Some(2)),
            (3 * GIB, 4_096, Some(3)),
            (3 * GIB, 4_097, None),
            (3 * GIB + 4_096, 1, None),
            (usize::MAX, 1, None),
            (0, usize::MAX, None),
        ] {
            assert_eq!(buffer_at(at, byte_count), buffer, "{byte_count} bytes at {at}");
        }
    }

    #[test]
    fn a_durable_write_goes_to_a_kernel_worker() {
        // IOSQE_ASYNC is bit 4 of an entry's flags, RWF_DSYNC bit 1 of pwritev2(2)'s.
        let durable = Some(Flags::ASYNC);
        let plain =
            Target { number: 3, flags: Flags::FIXED_FILE, rw_flags: 32, reading: None, durable };
        let Target { number, flags, rw_flags, .. } = plain.durable();
        let expected = (3, Flags::FIXED_FILE.bits() | 1 << 4, 34);
        assert_eq!((number, flags.bits(), rw_flags), expected);
    }

    /// A file in the folder for temporary files, registered, and what its durable writes have
    /// besides. `None` if there is no ring.
    fn registered(options: &mut OpenOptions) -> Option<Target> {
        let mut backend = backend(&Config::default())?;
        let folder = tempfile::tempdir().unwrap();
        let Ok(file) = options.create(true).open(folder.path().join("log")) else { return None };
        backend.register_fd(file).unwrap();
        let driver = backend.driver.enter().unwrap();
        let slot = driver.engine().file_slots().next().unwrap();
        driver.transport.targets.of(slot)
    }

    #[test]
    fn only_buffered_files_give_durable_writes_to_a_kernel_worker() {
        let buffered = registered(OpenOptions::new().write(true));
        let mut direct = OpenOptions::new();
        direct.read(true).write(true).custom_flags(libc::O_DIRECT);
        match (buffered, registered(&mut direct)) {
            (Some(Target { durable: Some(buffered), .. }), Some(direct)) => {
                assert_eq!(buffered, Flags::ASYNC);
                assert_eq!(direct.durable, Some(Flags::empty()));
            }
            _ => println!("skipped: no ring, no O_DIRECT, or no RWF_DSYNC in the folder there"),
        }
    }

    #[test]
    fn files_and_blocks_are_used_by_what_the_kernel_registered() {
        let uring = UringConfig { register_buffers: true, ..UringConfig::default() };
        let Some(mut backend) = backend(&Config { uring, ..Config::default() }) else { return };
        let folder = tempfile::tempdir().unwrap();
        backend.register_fd(std::fs::File::create(folder.path().join("log")).unwrap()).unwrap();
        if !backend.notes().is_empty() {
            println!("skipped: {:?}", backend.notes());
            return;
        }
        let driver = backend.driver.enter().unwrap();
        let slot = driver.engine().file_slots().next().unwrap();
        let targets = &driver.transport.targets;
        let target = targets.of(slot).unwrap();
        assert_eq!((target.number, target.flags), (0, Flags::FIXED_FILE));
        assert_eq!(targets.buffers.byte_count, Config::default().limits.memory_bytes());
    }
}
