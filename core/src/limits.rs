//! How much of everything: [`Limits`]. Each bound is a sum with a reason per term.
//!
//! Worked example, the defaults with 16 files:
//!
//! ```text
//! operations = 16 files × 64 guaranteed + 4096 common          =  5,120 slots of 64 bytes
//! blocks     = 16 files ×  2 guaranteed +   64 common          =     96 blocks of 64 KiB
//! vectors    = 16 files ×  2 append requests + 16 for writes   =     48 arrays of 17 pieces
//! memory     = 96 × 65,536 + 16 × 4,096 + 48 × 17 × 16         = 6,370,048 bytes, touched lazily
//! max_write  = (2 + 64) × 65,536                               = 4,325,376 bytes
//! ```

use crate::memory::Piece;

/// Most operations one engine can have accepted and not delivered.
///
/// A request id keeps the slot in 15 bits, and io_uring's completion queue ends at 65,536 entries
/// (io_uring_setup(2), EINVAL): this and [`MAX_FILES`] together, rounded up to a power of two, fit.
///
/// ```
/// use ringzero_core::{Limits, LimitsError, limits::MAX_OPERATIONS};
///
/// let limits = Limits { operations_common: MAX_OPERATIONS, ..Limits::default() };
/// assert_eq!(limits.check(), Err(LimitsError::Operations), "with those of each file");
/// ```
pub const MAX_OPERATIONS: u32 = 32_767;
/// Most files one engine can have registered.
///
/// ```
/// use ringzero_core::{Limits, LimitsError, limits::MAX_FILES};
///
/// let limits = Limits { files: MAX_FILES + 1, ..Limits::default() };
/// assert_eq!(limits.check(), Err(LimitsError::Files));
/// ```
pub const MAX_FILES: u32 = 4_096;
/// Most bytes one request carries: enough for 16 blocks of 64 KiB, where merging stops paying.
///
/// ```
/// use ringzero_core::{Limits, limits::MAX_REQUEST_BYTES};
///
/// let blocks = MAX_REQUEST_BYTES / Limits::default().block_bytes;
/// assert_eq!(blocks, 16, "of the default size make a request");
/// ```
pub const MAX_REQUEST_BYTES: u32 = 1 << 20;
/// Most pieces one vectored request carries: `MAX_REQUEST_BYTES` of 64 KiB blocks, plus one since
/// a request may start inside a block.
///
/// ```
/// use ringzero_core::{Limits, limits::{MAX_REQUEST_BYTES, PIECES_PER_VECTOR}};
///
/// // A request of default blocks that begins inside one.
/// let blocks = MAX_REQUEST_BYTES / Limits::default().block_bytes + 1;
/// assert_eq!(blocks as usize, PIECES_PER_VECTOR);
/// ```
pub const PIECES_PER_VECTOR: usize = 17;
/// Append requests in flight per file. With one, a wake-up is wasted per batch; three gain nothing.
///
/// ```
/// use ringzero_core::limits::APPEND_LANES;
///
/// assert_eq!(APPEND_LANES, 2, "one in the kernel, one on its way there");
/// ```
pub const APPEND_LANES: usize = 2;
/// The largest alignment that a file can be registered with, if blocks are as large: a page, which
/// is what O_DIRECT asks for at most (statx(2), STATX_DIOALIGN, on the file systems of Linux).
///
/// ```
/// use ringzero_core::{Limits, limits::LARGEST_ALIGNMENT};
///
/// assert_eq!(Limits::default().tail_block_bytes(), LARGEST_ALIGNMENT);
/// ```
pub const LARGEST_ALIGNMENT: u32 = 4_096;

const VECTORS_FOR_WRITES: u32 = 16;
const SMALLEST_BLOCK_BYTES: u32 = 512;
const LARGEST_BLOCK_BYTES: u32 = MAX_REQUEST_BYTES;
const LARGEST_MEMORY_BYTES: u64 = 1 << 40;

/// The capacities of an engine, fixed when it is built.
///
/// Nothing grows afterwards. What is *guaranteed* is set aside for each file, registered or not,
/// so that a stalled file cannot stop another; what is *common* goes to whoever comes first.
///
/// ```
/// use ringzero_core::{Limits, LimitsError};
///
/// // Four files, 256 KiB of blocks for each, and nothing in common.
/// let limits = Limits {
///     files: 4,
///     operations_per_file: 256,
///     operations_common: 0,
///     blocks_per_file: 4,
///     blocks_common: 0,
///     block_bytes: 64 << 10,
/// };
/// assert_eq!(limits.check(), Ok(()));
/// assert_eq!((limits.operation_count(), limits.block_count()), (1_024, 16));
/// assert!(limits.memory_bytes() > 1 << 20);
/// assert!(limits.max_write() >= 4 * (64 << 10));
///
/// // What an engine's tables and an executor are sized by.
/// assert_eq!(limits.request_count(), 1_024 + 4);
/// assert_eq!((limits.range_count(), limits.queue_count()), (4_096, 4));
/// assert!(limits.vector_count() >= 8);
/// assert_eq!(limits.tail_block_bytes(), 4_096);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Files that can be registered at once (1 to [`MAX_FILES`]).
    pub files: u32,
    /// Operations each file can always have accepted and not yet delivered (at least 1).
    pub operations_per_file: u32,
    /// Operations beyond the guaranteed ones, for any file.
    pub operations_common: u32,
    /// Blocks each file can always hold (at least 1; 2 lets one fill while one is in flight).
    pub blocks_per_file: u32,
    /// Blocks beyond the guaranteed ones, for any file.
    pub blocks_common: u32,
    /// Bytes per block: a power of two, 512 to 1 MiB ([`MAX_REQUEST_BYTES`]).
    pub block_bytes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            files: 16,
            operations_per_file: 64,
            operations_common: 4_096,
            blocks_per_file: 2,
            blocks_common: 64,
            block_bytes: 64 << 10,
        }
    }
}

/// Which limit is out of range, and the range.
///
/// ```
/// use ringzero_core::{Limits, LimitsError};
///
/// let error = Limits { block_bytes: 1_000, ..Limits::default() }.check();
/// assert_eq!(error, Err(LimitsError::BlockBytes), "no power of two");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror_no_std::Error)]
pub enum LimitsError {
    /// `files` is 0 or above [`MAX_FILES`].
    #[error("limits.files must be 1 to {MAX_FILES}")]
    Files,
    /// `operations_per_file` is 0.
    #[error("limits.operations_per_file must be at least 1")]
    OperationsPerFile,
    /// The sum of all operations is above [`MAX_OPERATIONS`].
    #[error("files × operations_per_file + operations_common must be at most {MAX_OPERATIONS}")]
    Operations,
    /// `blocks_per_file` is 0.
    #[error("limits.blocks_per_file must be at least 1")]
    BlocksPerFile,
    /// `block_bytes` is no power of two from 512 to 1 MiB.
    #[error("limits.block_bytes must be a power of two from 512 to 1048576")]
    BlockBytes,
    /// The blocks add up to more than 1 TiB, or more than this machine can address.
    #[error("the blocks add up to more memory than can be addressed (at most 1 TiB)")]
    Memory,
    /// A table handed in is not of the size that these limits say, or the memory is smaller.
    #[error("the storage handed in is not of the size that the limits say")]
    Storage,
}

impl core::error::Error for LimitsError {}

impl Limits {
    /// Checks every bound.
    ///
    /// # Errors
    /// The first bound that is out of range.
    pub const fn check(&self) -> Result<(), LimitsError> {
        if self.files == 0 || self.files > MAX_FILES {
            return Err(LimitsError::Files);
        }
        if self.operations_per_file == 0 {
            return Err(LimitsError::OperationsPerFile);
        }
        let operations =
            self.files as u64 * self.operations_per_file as u64 + self.operations_common as u64;
        if operations > MAX_OPERATIONS as u64 {
            return Err(LimitsError::Operations);
        }
        if self.blocks_per_file == 0 {
            return Err(LimitsError::BlocksPerFile);
        }
        if !self.block_bytes.is_power_of_two()
            || self.block_bytes < SMALLEST_BLOCK_BYTES
            || self.block_bytes > LARGEST_BLOCK_BYTES
        {
            return Err(LimitsError::BlockBytes);
        }
        let blocks = self.files as u64 * self.blocks_per_file as u64 + self.blocks_common as u64;
        // `blocks` is below 2^45 and `block_bytes` at most 2^24: compare without multiplying. What
        // is behind the blocks is below 2^25: `MAX_FILES` tail blocks, and arrays.
        if blocks > LARGEST_MEMORY_BYTES / self.block_bytes as u64
            || blocks >= u32::MAX as u64
            || blocks * self.block_bytes as u64 + (1 << 25) > usize::MAX as u64 / 2
        {
            return Err(LimitsError::Memory);
        }
        Ok(())
    }

    /// Operation slots in all: the guaranteed ones of every file and the common ones.
    pub const fn operation_count(&self) -> u32 {
        self.files * self.operations_per_file + self.operations_common
    }

    /// Blocks in all: the guaranteed ones of every file and the common ones.
    pub const fn block_count(&self) -> u32 {
        self.files * self.blocks_per_file + self.blocks_common
    }

    /// Requests that an executor can have at one time: one per operation, and a second one for each
    /// file, since one long append may occupy both lanes of its file.
    pub const fn request_count(&self) -> u32 {
        self.operation_count() + self.files
    }

    /// Piece arrays: two append requests per file, and a few for long positional writes. A request
    /// that finds none left goes out one piece at a time.
    pub const fn vector_count(&self) -> u32 {
        self.files * APPEND_LANES as u32 + VECTORS_FOR_WRITES
    }

    /// Buckets of the overlap index: four per operation, rounded up to a power of two.
    pub const fn range_count(&self) -> u32 {
        (self.operation_count() * 4).next_power_of_two()
    }

    /// Slots of each queue of files: every file once, rounded up to a power of two.
    pub const fn queue_count(&self) -> u32 {
        self.files.next_power_of_two()
    }

    /// Bytes of a file's tail block, and the largest alignment that a file can be registered with:
    /// a block, [`LARGEST_ALIGNMENT`] at most.
    pub const fn tail_block_bytes(&self) -> u32 {
        if self.block_bytes < LARGEST_ALIGNMENT { self.block_bytes } else { LARGEST_ALIGNMENT }
    }

    /// Bytes of stable memory: the blocks, one tail block per file, then the piece arrays.
    pub const fn memory_bytes(&self) -> usize {
        self.block_count() as usize * self.block_bytes as usize
            + self.files as usize * self.tail_block_bytes() as usize
            + self.vector_count() as usize * PIECES_PER_VECTOR * size_of::<Piece>()
    }

    /// The longest write or append that can ever be accepted: all blocks that one file can hold,
    /// and no more than a completion's `i32` can tell. Of an append to a file with an alignment it
    /// is up to one byte less than that alignment shorter.
    pub const fn max_write(&self) -> usize {
        let blocks = self.blocks_per_file as u64 + self.blocks_common as u64;
        let bytes = blocks * self.block_bytes as u64;
        if bytes > i32::MAX as u64 { i32::MAX as usize } else { bytes as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exercise::{Random, long_run};

    #[test]
    fn the_most_requests_fit_the_largest_completion_queue() {
        assert!((MAX_OPERATIONS + MAX_FILES).next_power_of_two() <= 65_536);
    }

    #[test]
    fn the_worked_example_of_the_header_is_true() {
        let limits = Limits::default();
        assert_eq!(limits.check(), Ok(()));
        assert_eq!(limits.operation_count(), 5_120);
        assert_eq!(limits.block_count(), 96);
        assert_eq!(limits.vector_count(), 48);
        if size_of::<usize>() == 8 {
            assert_eq!(limits.memory_bytes(), 6_370_048);
        }
        assert_eq!(limits.max_write(), 4_325_376);
        assert_eq!(limits.range_count(), 32_768);
    }

    #[test]
    fn zero_and_absurd_sizes_are_refused_without_overflow() {
        let ok = Limits::default();
        let all = u32::MAX;
        let cases = [
            (Limits { files: 0, ..ok }, LimitsError::Files),
            (Limits { files: all, ..ok }, LimitsError::Files),
            (Limits { operations_per_file: 0, ..ok }, LimitsError::OperationsPerFile),
            (Limits { operations_per_file: all, ..ok }, LimitsError::Operations),
            (Limits { operations_common: all, ..ok }, LimitsError::Operations),
            (Limits { blocks_per_file: 0, ..ok }, LimitsError::BlocksPerFile),
            (Limits { blocks_per_file: all, ..ok }, LimitsError::Memory),
            (Limits { blocks_common: all, ..ok }, LimitsError::Memory),
            (Limits { block_bytes: 0, ..ok }, LimitsError::BlockBytes),
            (Limits { block_bytes: 1000, ..ok }, LimitsError::BlockBytes),
            (Limits { block_bytes: 256, ..ok }, LimitsError::BlockBytes),
            (Limits { block_bytes: 1 << 31, ..ok }, LimitsError::BlockBytes),
        ];
        for (limits, error) in cases {
            assert_eq!(limits.check(), Err(error), "{limits:?}");
        }
        let edge = Limits { files: 4_096, operations_per_file: 7, operations_common: 4_095, ..ok };
        assert_eq!(edge.check(), Ok(()));
        assert_eq!(edge.operation_count(), MAX_OPERATIONS);
    }

    /// Each bound once at its last good value and once one beyond.
    #[test]
    fn every_bound_admits_its_edge_and_nothing_beyond() {
        let one = Limits {
            files: 1,
            operations_per_file: 1,
            operations_common: 0,
            blocks_per_file: 1,
            blocks_common: 0,
            block_bytes: 512,
        };
        let tib = LARGEST_MEMORY_BYTES;
        let cases = [
            (one, Ok(())),
            (Limits { files: MAX_FILES, ..one }, Ok(())),
            (Limits { files: MAX_FILES + 1, ..one }, Err(LimitsError::Files)),
            (Limits { operations_common: MAX_OPERATIONS - 1, ..one }, Ok(())),
            (Limits { operations_common: MAX_OPERATIONS, ..one }, Err(LimitsError::Operations)),
            (Limits { block_bytes: LARGEST_BLOCK_BYTES, ..one }, Ok(())),
            (Limits { block_bytes: 1 << 25, ..one }, Err(LimitsError::BlockBytes)),
            (Limits { blocks_common: (tib >> 9) as u32, ..one }, Err(LimitsError::Memory)),
            (
                Limits { files: 4, blocks_per_file: u32::MAX, blocks_common: u32::MAX, ..one },
                Err(LimitsError::Memory),
            ),
        ];
        for (limits, expected) in cases {
            assert_eq!(limits.check(), expected, "{limits:?}");
        }
        let largest = Limits { blocks_common: (tib >> 9) as u32 - 1, ..one };
        let fits = size_of::<usize>() == 8;
        assert_eq!(largest.check(), if fits { Ok(()) } else { Err(LimitsError::Memory) });
    }

    #[test]
    fn what_passes_the_check_adds_up_without_overflow_and_within_the_stated_bounds() {
        let mut passed = 0;
        long_run("limits", |random: &mut Random| {
            // Of any magnitude: small numbers as often as large ones.
            let mut number = || (random.next() as u32) >> random.below(32);
            let limits = Limits {
                files: number(),
                operations_per_file: number(),
                operations_common: number(),
                blocks_per_file: number(),
                blocks_common: number(),
                block_bytes: 1 << (number() % 25),
            };
            if limits.check().is_ok() {
                passed += 1;
                sums_are_right(limits);
            }
        });
        assert!(passed > 100 || cfg!(miri), "{passed} passed");
    }

    /// The same sums in 128 bits.
    fn sums_are_right(limits: Limits) {
        let Limits { files, operations_per_file, blocks_per_file, .. } = limits;
        let [files, per_file, blocks] =
            [files, operations_per_file, blocks_per_file].map(u128::from);
        let operations = files * per_file + u128::from(limits.operations_common);
        assert_eq!(u128::from(limits.operation_count()), operations);
        assert!(operations <= u128::from(MAX_OPERATIONS));
        let block_bytes = u128::from(limits.block_bytes);
        let block_count = files * blocks + u128::from(limits.blocks_common);
        assert_eq!(u128::from(limits.block_count()), block_count);
        let vectors = u128::from(limits.vector_count());
        let array = PIECES_PER_VECTOR * size_of::<Piece>();
        let tail_blocks = files * block_bytes.min(4_096);
        let memory = block_count * block_bytes + tail_blocks + vectors * array as u128;
        assert_eq!(limits.memory_bytes() as u128, memory);
        assert!(memory <= isize::MAX as u128, "no object is larger");
        let of_one_file = (blocks + u128::from(limits.blocks_common)) * block_bytes;
        assert_eq!(limits.max_write() as u128, of_one_file.min(i32::MAX as u128));
        assert!(limits.range_count().is_power_of_two() && limits.queue_count().is_power_of_two());
        assert!(limits.range_count() >= 4 * limits.operation_count());
        assert!(limits.queue_count() >= limits.files && limits.vector_count() < 0xFFFF);
    }
}
