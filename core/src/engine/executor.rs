//! [`Executor`]: what carries requests out. The whole interface between the engine and a driver.
//!
//! An executor decides nothing. It is given a write, a read, a sync or an alteration, and either
//! has done it when the call returns (`Some(outcome)`) or answers later through `Engine::complete`
//! (`None`). It may carry requests out in any order and all at once: the engine hands out only what
//! may run now.

use crate::{
    Errno, Pieces, PiecesMut,
    id::{FileSlot, RequestId},
};

/// What an executor says of a request: the bytes written or read (0 for anything else), or the
/// error.
///
/// A write may report fewer bytes than asked; the engine sends the rest again.
///
/// ```
/// use ringzero_core::{Errno, Outcome};
///
/// let short: Outcome = Ok(100); // of 128: the engine sends the other 28 again
/// let full: Outcome = Err(Errno::NOSPC);
/// assert_ne!(short, full);
/// ```
pub type Outcome = Result<u32, Errno>;

/// The outcome in the kernel's form: a count, or a negative error number.
///
/// ```
/// use ringzero_core::{Errno, outcome_from_raw};
///
/// assert_eq!(outcome_from_raw(128), Ok(128));
/// assert_eq!(outcome_from_raw(-5), Err(Errno::new(5)));
/// ```
#[inline]
pub const fn outcome_from_raw(result: i32) -> Outcome {
    if result >= 0 { Ok(result as u32) } else { Err(Errno::new(result.wrapping_neg())) }
}

/// What a write must have done when it is answered with success.
///
/// ```
/// use ringzero_core::WriteKind;
///
/// /// The flags of a pwritev2(2) for it, on Linux.
/// const fn flags(kind: WriteKind) -> i32 {
///     match kind {
///         WriteKind::Plain => 0,
///         WriteKind::Durable => 2, // RWF_DSYNC
///     }
/// }
/// assert_ne!(flags(WriteKind::Plain), flags(WriteKind::Durable));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteKind {
    /// Its bytes are in the file.
    Plain,
    /// They are durable too, and what is needed to read them back: a write and a data-sync of its
    /// own range in one, as RWF_DSYNC of pwritev2(2) does it. If it is short, that is said of what
    /// was written.
    Durable,
}

/// How much a sync must make durable.
///
/// ```
/// use ringzero_core::SyncKind;
///
/// fn sync(file: &std::fs::File, kind: SyncKind) -> std::io::Result<()> {
///     match kind {
///         SyncKind::Data => file.sync_data(),
///         SyncKind::Full => file.sync_all(),
///     }
/// }
/// # let _ = sync;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncKind {
    /// The data and what is needed to read it back: fdatasync(2).
    Data,
    /// All metadata too: fsync(2). The first sync after registration, so that it also covers what
    /// was written through the same file before.
    Full,
}

/// What is to be done to a file, other than to write or sync it.
///
/// ```
/// use ringzero_core::{Alteration, Errno, Outcome};
///
/// /// Alters a file that is a vector.
/// fn alter(file: &mut Vec<u8>, what: Alteration) -> Outcome {
///     match what {
///         Alteration::Allocate { .. } => {}
///         Alteration::Truncate { len } => file.resize(len as usize, 0),
///         Alteration::Punch { offset, len } => {
///             file.iter_mut().skip(offset as usize).take(len as usize).for_each(|byte| *byte = 0);
///         }
///         Alteration::Close => return Err(Errno::OPNOTSUPP),
///     }
///     Ok(0)
/// }
/// let mut file = vec![1; 4];
/// assert_eq!(alter(&mut file, Alteration::Punch { offset: 1, len: 2 }), Ok(0));
/// assert_eq!(alter(&mut file, Alteration::Truncate { len: 5 }), Ok(0));
/// assert_eq!(file, [1, 0, 0, 1, 0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alteration {
    /// Reserves blocks for a range; neither size nor contents change: fallocate(2) with
    /// FALLOC_FL_KEEP_SIZE.
    Allocate {
        /// Where the range begins.
        offset: u64,
        /// Its bytes, at least one.
        len: u64,
    },
    /// Makes the file this long; what is added is zeros: ftruncate(2).
    Truncate {
        /// Bytes from the start of the file.
        len: u64,
    },
    /// Makes a range zeros and gives its blocks back; the size stays: fallocate(2) with
    /// FALLOC_FL_PUNCH_HOLE and FALLOC_FL_KEEP_SIZE.
    Punch {
        /// Where the range begins.
        offset: u64,
        /// Its bytes, at least one.
        len: u64,
    },
    /// Closes it: close(2). No request of the file follows. Whatever is answered but EOPNOTSUPP,
    /// EINVAL, EAGAIN or ECANCELED, the descriptor is gone (close(2), "Dealing with error
    /// returns"), and `Engine::was_closed` says so.
    Close,
}

impl Alteration {
    /// Whether nothing else of the file may be under way.
    pub(crate) const fn is_exclusive(self) -> bool {
        !matches!(self, Self::Allocate { .. })
    }
}

/// Carries requests out.
///
/// An executor that touches a request's bytes after the call that handed it over relies on the
/// program around it: the engine is kept (or its memory leaked) until `Engine::in_flight` is 0, and
/// `Engine::complete` is called only with ids that the executor itself has answered.
///
/// ```
/// use ringzero_core::{
///     Alteration, Executor, FileSlot, Outcome, Pieces, PiecesMut, RequestId, SyncKind, WriteKind,
/// };
///
/// /// Files that are vectors, and requests that are done at once.
/// struct Memory(Vec<Vec<u8>>);
///
/// impl Executor for Memory {
///     fn room(&self) -> usize {
///         usize::MAX
///     }
///     fn can_write_durably(&self, _: FileSlot) -> bool {
///         true
///     }
///     fn write(
///         &mut self,
///         _: RequestId,
///         file: FileSlot,
///         pieces: Pieces<'_>,
///         offset: u64,
///         _: WriteKind,
///     ) -> Option<Outcome> {
///         let (file, end) = (&mut self.0[file.index()], offset as usize);
///         file.resize(file.len().max(end + pieces.byte_count() as usize), 0);
///         let to = file.iter_mut().skip(offset as usize);
///         to.zip(pieces.iter().flatten()).for_each(|(to, from)| *to = *from);
///         Some(Ok(pieces.byte_count()))
///     }
///     fn read(
///         &mut self,
///         _: RequestId,
///         file: FileSlot,
///         pieces: PiecesMut<'_>,
///         offset: u64,
///     ) -> Option<Outcome> {
///         let from = self.0[file.index()].iter().skip(offset as usize);
///         let to = pieces.into_iter_mut().flatten();
///         Some(Ok(to.zip(from).map(|(to, from)| *to = *from).count() as u32))
///     }
///     fn sync(&mut self, _: RequestId, _: FileSlot, _: SyncKind) -> Option<Outcome> {
///         Some(Ok(0))
///     }
///     fn alter(&mut self, _: RequestId, file: FileSlot, what: Alteration) -> Option<Outcome> {
///         if let Alteration::Truncate { len } = what {
///             self.0[file.index()].resize(len as usize, 0);
///         }
///         Some(Ok(0))
///     }
/// }
/// # let _ = Memory(vec![]).room();
/// ```
pub trait Executor {
    /// How many more requests it takes now. The engine asks before each request and hands over
    /// none while this is 0.
    fn room(&self) -> usize;

    /// Whether it carries out a write that is [`WriteKind::Durable`] on this file, and does so
    /// where it would carry out a data-sync: one that does not execute inside its calls must not
    /// wait in [`Executor::write`] for that.
    fn can_write_durably(&self, _file: FileSlot) -> bool {
        false
    }

    /// Writes all of `pieces` to `file` from `offset` on. `kind` is [`WriteKind::Plain`] unless
    /// [`Executor::can_write_durably`].
    ///
    /// `Some` if that is already done. On `None` the executor owes one `Engine::complete` with
    /// this id, and may read the pieces' bytes (and the array, if it has several elements) at
    /// their addresses until then.
    fn write(
        &mut self,
        id: RequestId,
        file: FileSlot,
        pieces: Pieces<'_>,
        offset: u64,
        kind: WriteKind,
    ) -> Option<Outcome>;

    /// Reads from `file`, from `offset` on, into all of `pieces`. Fewer bytes than asked mean that
    /// the rest is asked for again; none at all, that the file ends there.
    ///
    /// `Some` if that is already done. On `None` the executor owes one `Engine::complete` with this
    /// id, and may write the pieces' bytes (and read the array, if it has several elements) at
    /// their addresses until then. An executor that only writes leaves this out: reads fail with
    /// EOPNOTSUPP.
    fn read(
        &mut self,
        _id: RequestId,
        _file: FileSlot,
        _pieces: PiecesMut<'_>,
        _offset: u64,
    ) -> Option<Outcome> {
        Some(Err(Errno::OPNOTSUPP))
    }

    /// Makes durable what was written to `file` before this call. Otherwise like
    /// [`Executor::write`].
    fn sync(&mut self, id: RequestId, file: FileSlot, kind: SyncKind) -> Option<Outcome>;

    /// Alters `file`. Otherwise like [`Executor::write`].
    ///
    /// One that cannot answers EOPNOTSUPP: the completion says so, except that of a close, which is
    /// then left to whoever calls `Engine::finish_close`; so is cutting back, if the truncation
    /// before it was answered so too.
    fn alter(&mut self, _id: RequestId, _file: FileSlot, _what: Alteration) -> Option<Outcome> {
        Some(Err(Errno::OPNOTSUPP))
    }
}
