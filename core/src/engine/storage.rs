//! What an engine is built from: [`Parts`], described by a [`Storage`].
//!
//! One type parameter bundles the six kinds of memory, so that no signature above lists them.

use super::{file::OpenFile, operation::Operation};
use crate::{Limits, LimitsError, Slots, StableMemory, StaticMemory, table::buffer_ring::Block};

/// Which memory each table of an engine is in.
///
/// ```
/// use ringzero_core::{Block, OpenFile, Operation, StaticMemory, Storage};
///
/// /// The many tables on the heap, those of a single file inline.
/// struct OneFile;
///
/// impl Storage for OneFile {
///     type Operations = &'static mut [Operation];
///     type Files = [OpenFile; 1];
///     type Blocks = &'static mut [Block];
///     type Ranges = &'static mut [u32];
///     type Queue = [u16; 1];
///     type Memory = StaticMemory;
/// }
/// ```
pub trait Storage {
    /// [`Limits::operation_count`] records.
    type Operations: Slots<Operation>;
    /// `Limits::files` records.
    type Files: Slots<OpenFile>;
    /// [`Limits::block_count`] records.
    type Blocks: Slots<Block>;
    /// [`Limits::range_count`] buckets.
    type Ranges: Slots<u32>;
    /// [`Limits::queue_count`] file slots each.
    type Queue: Slots<u16>;
    /// [`Limits::memory_bytes`] bytes, or none if everything is executed inline.
    type Memory: StableMemory;
}

/// The memory of an engine, handed over when it is built.
///
/// ```
/// use ringzero_core::{Block, Borrowed, Engine, Limits, OpenFile, Operation, Parts, StaticMemory};
///
/// let limits = Limits { files: 1, operations_common: 0, blocks_common: 0, ..Limits::default() };
/// let parts: Parts<Borrowed<'_>> = Parts {
///     operations: &mut [Operation::EMPTY; 64],
///     files: &mut [OpenFile::EMPTY; 1],
///     blocks: &mut [Block::EMPTY; 2],
///     ranges: &mut [0; 256],
///     ready: &mut [0; 1],
///     urgent: &mut [0; 1],
///     memory: StaticMemory::new(&mut []), // everything is executed inline
/// };
/// assert_eq!(Engine::new(&limits, parts)?.pending_count(), 0);
/// # Ok::<(), ringzero_core::LimitsError>(())
/// ```
#[derive(Debug)]
pub struct Parts<S: Storage> {
    /// One record per operation.
    pub operations: S::Operations,
    /// One record per file.
    pub files: S::Files,
    /// One record per block.
    pub blocks: S::Blocks,
    /// The buckets of the overlap index.
    pub ranges: S::Ranges,
    /// Files with something to start.
    pub ready: S::Queue,
    /// Files with something to continue.
    pub urgent: S::Queue,
    /// The blocks, and the piece arrays behind them.
    pub memory: S::Memory,
}

impl<S: Storage> Parts<S> {
    /// Checks that every part is as large as `limits` needs.
    pub(crate) fn check(&self, limits: &Limits) -> Result<(), LimitsError> {
        let memory = self.memory.byte_count();
        let fits = self.operations.as_slice().len() == limits.operation_count() as usize
            && self.files.as_slice().len() == limits.files as usize
            && self.blocks.as_slice().len() == limits.block_count() as usize
            && self.ranges.as_slice().len() == limits.range_count() as usize
            && self.ready.as_slice().len() == limits.queue_count() as usize
            && self.urgent.as_slice().len() == limits.queue_count() as usize
            && (memory == 0 || memory >= limits.memory_bytes());
        if fits { Ok(()) } else { Err(LimitsError::Storage) }
    }
}

/// Everything inline and static: for programs without an allocator.
///
/// The parameters are [`Limits::files`], [`Limits::queue_count`], [`Limits::operation_count`],
/// [`Limits::range_count`] and [`Limits::block_count`]; a mismatch is refused by `Engine::new`.
///
/// ```
/// use ringzero_core::{Engine, Inline, Limits, Parts};
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
/// assert!(Engine::<Tables>::new(&LIMITS, Parts::inline(&mut [])).is_ok());
/// ```
#[derive(Debug)]
pub struct Inline<
    const FILES: usize,
    const QUEUE: usize,
    const OPERATIONS: usize,
    const RANGES: usize,
    const BLOCKS: usize,
>;

impl<
    const FILES: usize,
    const QUEUE: usize,
    const OPERATIONS: usize,
    const RANGES: usize,
    const BLOCKS: usize,
> Storage for Inline<FILES, QUEUE, OPERATIONS, RANGES, BLOCKS>
{
    type Operations = [Operation; OPERATIONS];
    type Files = [OpenFile; FILES];
    type Blocks = [Block; BLOCKS];
    type Ranges = [u32; RANGES];
    type Queue = [u16; QUEUE];
    type Memory = StaticMemory;
}

impl<
    const FILES: usize,
    const QUEUE: usize,
    const OPERATIONS: usize,
    const RANGES: usize,
    const BLOCKS: usize,
> Parts<Inline<FILES, QUEUE, OPERATIONS, RANGES, BLOCKS>>
{
    /// Empty inline tables, and `memory` for the data.
    pub fn inline(memory: &'static mut [u8]) -> Self {
        Self {
            operations: [Operation::EMPTY; OPERATIONS],
            files: [OpenFile::EMPTY; FILES],
            blocks: [Block::EMPTY; BLOCKS],
            ranges: [0; RANGES],
            ready: [0; QUEUE],
            urgent: [0; QUEUE],
            memory: StaticMemory::new(memory),
        }
    }
}

/// Slices handed in by the caller.
///
/// ```
/// use ringzero_core::{Borrowed, Engine, Limits, LimitsError, Parts, StaticMemory};
///
/// let parts: Parts<Borrowed<'_>> = Parts {
///     operations: &mut [],
///     files: &mut [],
///     blocks: &mut [],
///     ranges: &mut [],
///     ready: &mut [],
///     urgent: &mut [],
///     memory: StaticMemory::new(&mut []),
/// };
/// let refused = Engine::new(&Limits::default(), parts).err();
/// assert_eq!(refused, Some(LimitsError::Storage), "slices of other lengths than the limits say");
/// ```
#[derive(Debug)]
pub struct Borrowed<'a>(core::marker::PhantomData<&'a ()>);

impl<'a> Storage for Borrowed<'a> {
    type Operations = &'a mut [Operation];
    type Files = &'a mut [OpenFile];
    type Blocks = &'a mut [Block];
    type Ranges = &'a mut [u32];
    type Queue = &'a mut [u16];
    type Memory = StaticMemory;
}
