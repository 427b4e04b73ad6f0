//! [`UringExecutor`]: requests of the engine → entries of the submission queue.
//!
//! Fills entries and nothing else: the kernel sees them when the executor is dropped (which moves
//! the queue's tail, once for all of them) and takes them at the next enter. No links, no
//! IOSQE_IO_DRAIN and never offset −1: order is the engine's business, because io_uring_enter(2),
//! IORING_OP_FSYNC, promises none between requests.
//!
//! # Safety
//! An entry holds raw addresses. `Executor::write` is handed [`Pieces`], and `Executor::read`
//! [`PiecesMut`], whose bytes, and whose array if it has several elements, stay where they are
//! until the request is answered (and are the request's alone if it is a read); the memory is the
//! engine's, which the driver leaks rather than frees while the kernel holds a request. An executor
//! is handed to `start` and `proceed` only, never to a submission that is executed inline: there
//! the pieces are the caller's, and end with the call.
#![allow(unsafe_code)]

use io_uring::{
    squeue::{Entry, SubmissionQueue},
    types::FsyncFlags,
};
use ringzero_core::{
    Alteration, Errno, Executor, FileSlot, Outcome, Piece, Pieces, PiecesMut, RequestId, SyncKind,
    WriteKind,
};

use super::{
    entry::{self, Source},
    targets::Targets,
};
use crate::platform;

/// Fills the submission queue for the length of one call of the engine.
pub(super) struct UringExecutor<'a> {
    queue: SubmissionQueue<'a>,
    targets: &'a Targets,
}

impl<'a> UringExecutor<'a> {
    pub(super) const fn new(queue: SubmissionQueue<'a>, targets: &'a Targets) -> Self {
        Self { queue, targets }
    }

    /// How an entry names these pieces.
    #[inline]
    fn source<'p>(&self, pieces: &'p [Piece]) -> Source<'p> {
        match pieces {
            [piece] => match self.targets.buffer_of(piece) {
                None => Source::Piece(piece),
                Some(buffer) => Source::Registered(piece, buffer),
            },
            array => Source::Array(array),
        }
    }

    /// Queues a request. The engine asks for room first, so the queue is never full here; if it
    /// were, EAGAIN makes the engine come back with the write.
    ///
    /// # Safety
    /// What the entry points to stays where it is until the request is answered.
    #[inline]
    unsafe fn push(&mut self, entry: &Entry) -> Option<Outcome> {
        // SAFETY: the caller's promise.
        let pushed = unsafe { self.queue.push(entry) };
        if pushed.is_ok() { None } else { Some(Err(Errno::AGAIN)) }
    }
}

impl Executor for UringExecutor<'_> {
    #[inline]
    fn room(&self) -> usize {
        self.queue.capacity().saturating_sub(self.queue.len())
    }

    #[inline]
    fn can_write_durably(&self, file: FileSlot) -> bool {
        self.targets.of(file).is_some_and(|target| target.durable.is_some())
    }

    #[inline]
    fn write(
        &mut self,
        id: RequestId,
        file: FileSlot,
        pieces: Pieces<'_>,
        offset: u64,
        kind: WriteKind,
    ) -> Option<Outcome> {
        let Some(target) = self.targets.of(file) else { return Some(Err(Errno::BADF)) };
        let target = match kind {
            WriteKind::Plain => target,
            WriteKind::Durable => target.durable(),
        };
        let source = self.source(pieces.as_raw());
        let entry = entry::write(target, source, pieces.byte_count(), offset, id);
        // SAFETY: bytes and array stay until the request is answered (`Executor::write`); layouts
        // of `Piece` and `iovec` agree (asserted in `platform`).
        unsafe { self.push(&entry) }
    }

    #[inline]
    fn read(
        &mut self,
        id: RequestId,
        file: FileSlot,
        pieces: PiecesMut<'_>,
        offset: u64,
    ) -> Option<Outcome> {
        let Some(target) = self.targets.of(file) else { return Some(Err(Errno::BADF)) };
        let Some(target) = target.reading() else { return Some(Err(Errno::OPNOTSUPP)) };
        let source = self.source(pieces.as_raw());
        let entry = entry::read(target, source, pieces.byte_count(), offset, id);
        // SAFETY: bytes and array stay, the bytes nobody else's, until the request is answered
        // (`Executor::read`); layouts as above.
        unsafe { self.push(&entry) }
    }

    #[inline]
    fn sync(&mut self, id: RequestId, file: FileSlot, kind: SyncKind) -> Option<Outcome> {
        let Some(target) = self.targets.of(file) else { return Some(Err(Errno::BADF)) };
        let extent = match kind {
            SyncKind::Data => FsyncFlags::DATASYNC,
            SyncKind::Full => FsyncFlags::empty(),
        };
        // SAFETY: the entry points to nothing.
        unsafe { self.push(&entry::sync(target, extent, id)) }
    }

    /// What the ring cannot do is done here and now (`abilities`).
    fn alter(&mut self, id: RequestId, file: FileSlot, what: Alteration) -> Option<Outcome> {
        let (Some(target), Some(descriptor)) =
            (self.targets.of(file), self.targets.descriptor_of(file))
        else {
            return Some(Err(Errno::BADF));
        };
        if what == Alteration::Close {
            self.targets.vacate(file);
        }
        if self.targets.abilities.has(what) {
            // SAFETY: the entry points to nothing.
            return unsafe { self.push(&entry::alteration(target, descriptor, what, id)) };
        }
        // SAFETY: the files' table keeps the file open.
        let open = unsafe { descriptor.file() };
        // SAFETY: nothing of the file follows a close, and its table forgets it
        // (`Registry::release`).
        Some(unsafe { platform::alter(&open, what) })
    }
}
