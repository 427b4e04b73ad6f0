//! Floor 2: [`Engine`]. Everything that a guarantee speaks of is decided here.
//!
//! The way of a byte: the caller's slice → a block (the one copy) → the executor. Nothing flows
//! back: a submission never reads a completion, a completion never touches the caller's memory.
//!
//! | file | noun |
//! |---|---|
//! | `operation`, `file`, `lane`, `gap` | the records, and what is true of them |
//! | `storage` | the memory an engine is built from |
//! | `executor` | the interface to a driver |
//! | `admission` | may this submission be taken? |
//! | `content` | what a submission brings |
//! | `claim` | memory to be filled before it is submitted |
//! | `order` | does this write overlap something in flight? |
//! | `write`, `append`, `sync` | accepting, starting and finishing each kind |
//! | `alter` | allocating, truncating, punching holes, closing |
//! | `stream` | ranges of a file's append stream → requests |
//! | `tail_block` | where such a range ends, on a file with an alignment |
//! | `fuse` | a range and the data-sync of it → one request |
//! | `run` | adjacent positional writes → one request |
//! | `read` | reads, and their bytes until they are released |
//! | `retry` | what an answer means |
//! | `failure` | what fails with what |
//! | `schedule` | which file goes next; answers → the kind they belong to |
//! | `inline` | the same three kinds executed inside the call that submits them |
//! | `delivery` | finished operations → the caller |
//! | `lifecycle` | registration, closing, shutdown |
//! | `stats`, `status` | numbers |

pub(crate) mod executor;
pub(crate) mod file;
pub(crate) mod operation;
pub(crate) mod stats;
pub(crate) mod storage;

mod admission;
mod alter;
mod append;
pub(crate) mod claim;
mod content;
mod delivery;
mod failure;
mod fuse;
mod gap;
mod inline;
mod lane;
mod lifecycle;
mod order;
mod read;
mod retry;
mod run;
mod schedule;
mod status;
mod stream;
mod sync;
mod tail_block;
mod write;

pub use lifecycle::Registration;

use crate::{
    Limits, LimitsError,
    table::{
        buffer_ring::BufferRing, completion_queue::CompletionQueue, fd_table::FdTable, fifo::Fifo,
        piece_table::PieceTable, range_index::RangeIndex, records::Records, slab::Slab,
        tail_blocks::TailBlocks,
    },
};
use file::OpenFile;
use operation::Operation;
use stats::Stats;
use storage::{Parts, Storage};

/// The sans-IO storage engine.
///
/// Four verbs drive it: *submit*, *start* (hand what may run to an [`Executor`](crate::Executor)),
/// *complete* (an answer came) and *deliver* (finished operations go to the caller). After a round
/// of `complete`, call [`Engine::proceed`]: continuations and syncs go at once, new groups wait for
/// the next `start`, so that callers who react to completions travel together.
///
/// # Example
/// A program without an allocator and with an executor of its own: a RAM disk of 64 bytes.
///
/// ```
/// use ringzero_core::{
///     Engine, Executor, FileSlot, Inline, IoCompletion, Limits, Outcome, Parts, Pieces,
///     Registration, RequestId, SliceSink, SyncKind, WriteKind,
/// };
///
/// struct RamDisk([u8; 64]);
///
/// impl Executor for RamDisk {
///     fn room(&self) -> usize {
///         usize::MAX
///     }
///     fn write(
///         &mut self,
///         _: RequestId,
///         _: FileSlot,
///         data: Pieces<'_>,
///         at: u64,
///         _: WriteKind,
///     ) -> Option<Outcome> {
///         let bytes = data.iter().flatten();
///         let disk = self.0.iter_mut().skip(at as usize);
///         Some(Ok(disk.zip(bytes).map(|(to, from)| *to = *from).count() as u32))
///     }
///     fn sync(&mut self, _: RequestId, _: FileSlot, _: SyncKind) -> Option<Outcome> {
///         Some(Ok(0))
///     }
/// }
///
/// const LIMITS: Limits = Limits {
///     files: 1,
///     operations_per_file: 8,
///     operations_common: 0,
///     blocks_per_file: 2,
///     blocks_common: 0,
///     block_bytes: 512,
/// };
/// type Tables = Inline<
///     { LIMITS.files as usize },
///     { LIMITS.queue_count() as usize },
///     { LIMITS.operation_count() as usize },
///     { LIMITS.range_count() as usize },
///     { LIMITS.block_count() as usize },
/// >;
/// # let memory: &'static mut [u8] = Box::leak(vec![0; LIMITS.memory_bytes() + 7].into());
/// // `memory` is a `&'static mut [u8]` of `LIMITS.memory_bytes() + 7` bytes.
/// let mut engine = Engine::<Tables>::new(&LIMITS, Parts::inline(memory))?;
/// let mut disk = RamDisk([0; 64]);
///
/// let (log, _) = engine.register(Registration::file(0))?;
/// engine.submit_append(log, b"one ")?;
/// engine.submit_append(log, b"two")?;
/// let synced = engine.submit_datasync(log)?;
///
/// // Both appends leave as one write; the sync follows once they are in.
/// let now_ns = 0;
/// let requests = engine.start(now_ns, &mut disk) + engine.proceed(now_ns, &mut disk);
/// assert_eq!(requests, 2);
///
/// let mut memory = [IoCompletion::default(); 8];
/// let mut sink = SliceSink::new(&mut memory);
/// engine.deliver(&mut sink);
/// assert_eq!(sink.filled().last(), Some(&IoCompletion { token: synced, result: 0 }));
/// assert_eq!(&disk.0[..8], b"one two\0");
///
/// // Straight from the caller's slice and inside the call, for who may wait:
/// engine.write_inline(log, b"ONE", 0, &mut disk)?;
/// engine.append_inline(log, b"!", &mut disk)?;
/// engine.datasync_inline(log, &mut disk)?;
/// assert_eq!(&disk.0[..8], b"ONE two!");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # The other verbs
/// Over an executor that answers later, as a kernel does.
///
/// ```
/// # use ringzero_core::{
/// #     Alteration, Claim, Engine, Executor, FileSlot, FileStatus, Inline, IoCompletion, Limits,
/// #     Outcome, Parts, Pieces, PiecesMut, Registration, RequestId, SliceSink, SyncKind,
/// #     WriteKind,
/// # };
/// # const LIMITS: Limits = Limits {
/// #     files: 1,
/// #     operations_per_file: 8,
/// #     operations_common: 0,
/// #     blocks_per_file: 4,
/// #     blocks_common: 0,
/// #     block_bytes: 512,
/// # };
/// # type Tables = Inline<
/// #     { LIMITS.files as usize },
/// #     { LIMITS.queue_count() as usize },
/// #     { LIMITS.operation_count() as usize },
/// #     { LIMITS.range_count() as usize },
/// #     { LIMITS.block_count() as usize },
/// # >;
/// # let memory: &'static mut [u8] = Box::leak(vec![0; LIMITS.memory_bytes() + 7].into());
/// /// A device that answers later: requests and what it will say. All it holds is `x`.
/// struct Device(Vec<(RequestId, Outcome)>);
///
/// impl Device {
///     fn later(&mut self, id: RequestId, byte_count: u32) -> Option<Outcome> {
///         self.0.push((id, Ok(byte_count)));
///         None
///     }
/// }
///
/// impl Executor for Device {
///     fn room(&self) -> usize {
///         8 - self.0.len()
///     }
///     fn write(
///         &mut self,
///         id: RequestId,
///         _: FileSlot,
///         data: Pieces<'_>,
///         _: u64,
///         _: WriteKind,
///     ) -> Option<Outcome> {
///         self.later(id, data.byte_count())
///     }
///     fn read(
///         &mut self,
///         id: RequestId,
///         _: FileSlot,
///         room: PiecesMut<'_>,
///         _: u64,
///     ) -> Option<Outcome> {
///         let byte_count = room.byte_count();
///         room.into_iter_mut().flatten().for_each(|byte| *byte = b'x');
///         self.later(id, byte_count)
///     }
///     fn sync(&mut self, id: RequestId, _: FileSlot, _: SyncKind) -> Option<Outcome> {
///         self.later(id, 0)
///     }
///     fn alter(&mut self, id: RequestId, _: FileSlot, _: Alteration) -> Option<Outcome> {
///         self.later(id, 0)
///     }
/// }
///
/// /// Turns the wheel until everything is delivered, and gives the last result.
/// fn drive(engine: &mut Engine<Tables>, device: &mut Device) -> i32 {
///     let (now_ns, mut last) = (0, 0);
///     while engine.pending_count() > 0 {
///         if engine.is_group_due() || engine.has_ready() {
///             engine.start(now_ns, device);
///         }
///         for (id, outcome) in std::mem::take(&mut device.0) {
///             engine.complete(id, outcome);
///         }
///         if engine.has_urgent() {
///             engine.proceed(now_ns, device);
///         }
///         let mut memory = [IoCompletion::default(); 8];
///         let mut sink = SliceSink::new(&mut memory);
///         if engine.deliverable() > 0 {
///             engine.deliver(&mut sink);
///         }
///         last = sink.filled().last().map_or(last, |completion| completion.result);
///     }
///     assert_eq!(engine.in_flight(), 0);
///     last
/// }
///
/// let mut engine = Engine::<Tables>::new(&LIMITS, Parts::inline(memory))?;
/// let mut device = Device(Vec::new());
/// let (log, slot) = engine.register_behind(Registration::file(0), &[])?;
/// assert_eq!((engine.file_slot(log)?, engine.file_slots().count()), (slot, 1));
/// assert_eq!(engine.alignment(log)?, 1);
///
/// // Writes, gathered and claimed ones too, and a sync behind them.
/// engine.can_accept(log, engine.max_write())?;
/// engine.submit_write(log, b"head", 0)?;
/// engine.submit_writev(log, &[b"ta", b"il"], 4)?;
/// engine.submit_appendv(log, &[b"len", b"data"])?;
/// assert!(engine.max_claim() <= engine.limits().block_bytes as usize);
/// let mut claim = Claim::append(&mut engine, log, 4)?;
/// claim.copy_in(0, b"more");
/// claim.submit()?;
/// Claim::write(&mut engine, log, 4, 4)?.submit()?;
/// engine.submit_fsync(log)?;
/// assert_eq!((engine.tail(log)?, engine.durable_tail(log)?), (19, 0));
/// assert_eq!(drive(&mut engine, &mut device), 0);
/// assert_eq!(engine.durable_tail(log)?, 19);
/// assert_eq!(engine.status(log, 0)?, FileStatus::default(), "nothing failed, nothing pends");
/// assert_eq!(engine.resume_append(log)?, 19, "so there is nothing to resume");
///
/// // A read keeps its bytes until it is released.
/// let token = engine.submit_read(log, 4, 0)?;
/// assert_eq!(drive(&mut engine, &mut device), 4);
/// assert_eq!(engine.read_bytes(token, 0)?, b"xxxx");
/// engine.release_read(token)?;
///
/// // Alterations, one after the other.
/// engine.submit_allocate(log, 0, 4_096)?;
/// drive(&mut engine, &mut device);
/// engine.submit_punch(log, 0, 8)?;
/// drive(&mut engine, &mut device);
/// engine.submit_truncate(log, 8)?;
/// drive(&mut engine, &mut device);
/// assert_eq!((engine.tail(log)?, engine.stats().submitted), (8, 10));
///
/// // Closing in two steps, with I/O on its way; `submit_close` is the same with a token.
/// engine.submit_append(log, b"last")?;
/// assert!(engine.room(log)? > 0);
/// let slot = engine.begin_close(log)?;
/// assert!(!engine.is_idle(slot) && !engine.was_closed(slot));
/// drive(&mut engine, &mut device);
/// assert_eq!(engine.next_idle_closing(), Some(slot));
/// assert_eq!(engine.finish_close(slot), None, "nothing is to be cut off");
/// let (log, _) = engine.register(Registration::file(0))?;
/// engine.submit_close(log)?;
/// # engine.start(0, &mut device);
///
/// // The end: nothing is taken any more, and what is unfinished ends with ETIMEDOUT.
/// engine.close_admission();
/// engine.abandon();
/// assert!(engine.is_closed());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Engine<S: Storage> {
    operations: Slab<Operation, S::Operations>,
    files: FdTable<OpenFile, S::Files>,
    blocks: BufferRing<S::Blocks, S::Memory>,
    tail_blocks: TailBlocks,
    vectors: PieceTable,
    ranges: RangeIndex<S::Ranges>,
    finished: CompletionQueue,
    ready: Fifo<u16, S::Queue>,
    urgent: Fifo<u16, S::Queue>,
    limits: Limits,
    max_write: usize,
    next_token: u64,
    now_ns: u64,
    in_flight: u32,
    /// Polls in a row that left the next group where it was.
    passed_over: u8,
    is_closed: bool,
    stats: Stats,
}

impl<S: Storage> Engine<S> {
    /// Builds an engine. Nothing is allocated here or later.
    ///
    /// With memory of zero bytes only the inline forms of the submissions are of use.
    ///
    /// # Errors
    /// A limit out of range, or a part of another size than the limits say.
    #[allow(unsafe_code)]
    pub fn new(limits: &Limits, parts: Parts<S>) -> Result<Self, LimitsError> {
        limits.check()?;
        parts.check(limits)?;
        let Parts { operations, files, blocks, ranges, ready, urgent, memory } = parts;
        let block_bytes = limits.block_count() as usize * limits.block_bytes as usize;
        let tail_blocks = (limits.files, limits.tail_block_bytes());
        let skip_bytes = block_bytes + tail_blocks.0 as usize * tail_blocks.1 as usize;
        // SAFETY: the buffer ring below owns the memory, uses only its first `block_bytes`, and
        // is dropped together with the table; the arrays begin behind the tail blocks.
        let tail_blocks = unsafe { TailBlocks::new(&memory, block_bytes, tail_blocks) };
        // SAFETY: as above: nothing else is behind the tail blocks.
        let vectors = unsafe { PieceTable::new(&memory, skip_bytes, limits.vector_count()) };
        Ok(Self {
            operations: Slab::new(
                Records::new(operations, Operation::EMPTY),
                limits.operations_per_file,
                limits.files,
            ),
            files: FdTable::new(Records::new(files, OpenFile::EMPTY)),
            blocks: BufferRing::new(
                blocks,
                memory,
                limits.block_bytes,
                limits.blocks_per_file,
                limits.files,
            ),
            tail_blocks,
            vectors,
            ranges: RangeIndex::new(ranges),
            finished: CompletionQueue::new(),
            ready: Fifo::new(ready, 0),
            urgent: Fifo::new(urgent, 0),
            limits: *limits,
            max_write: limits.max_write(),
            next_token: 1,
            now_ns: 0,
            in_flight: 0,
            passed_over: 0,
            is_closed: false,
            stats: Stats::default(),
        })
    }

    /// The capacities it was built with.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Operations accepted and not yet delivered.
    #[inline]
    pub const fn pending_count(&self) -> usize {
        (self.next_token - 1 - self.stats.completed) as usize
    }

    /// Requests that the executor has and has not answered.
    #[inline]
    pub const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Whether shutdown has begun.
    #[inline]
    pub const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// The longest write or append that can ever be accepted, in bytes. For an append to a file
    /// with an alignment it is one byte less than the alignment shorter: its first block may begin
    /// with bytes that are there already.
    #[inline]
    pub const fn max_write(&self) -> usize {
        self.max_write
    }
}
