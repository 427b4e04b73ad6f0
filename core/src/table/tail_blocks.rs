//! [`TailBlocks`]: one block of stable memory per file, for the end of its append stream.
//!
//! Only files with an alignment use theirs. It holds the bytes of the file from the last aligned
//! position before some end of the stream up to that end, and zeros behind them, so that a request
//! which ends there can end aligned; the next one takes the bytes before the end from here. What
//! that is good for, and when a block may be filled again, is the engine's business.
//!
//! Worked example, alignment 512: the stream ends at 1,300. The block holds the 276 bytes from
//! 1,024 on, and 236 zeros.
//!
//! # Safety
//! The table has sole use of its part of the memory, between the blocks and the piece arrays. Every
//! slot is checked against `count` where an address is made, every length against `block_bytes`. A
//! block is not filled while a kernel may read it: see `engine/tail_block.rs`.
#![allow(unsafe_code)]

use core::ptr::NonNull;

use crate::{Piece, StableMemory};

#[derive(Debug)]
pub(crate) struct TailBlocks {
    base: NonNull<u8>,
    count: u32,
    block_bytes: u32,
}

// SAFETY: the pointer is to memory that only this table uses, and the engine owns both.
unsafe impl Send for TailBlocks {}

impl TailBlocks {
    /// `count` blocks of `block_bytes` each in `memory`, behind its first `skip_bytes`; none if the
    /// memory is too small for them.
    ///
    /// # Safety
    /// The memory outlives the table, and nobody else uses these bytes of it.
    pub(crate) unsafe fn new<M: StableMemory>(
        memory: &M,
        skip_bytes: usize,
        (count, block_bytes): (u32, u32),
    ) -> Self {
        let byte_count = count as usize * block_bytes as usize;
        let fits = memory.byte_count().saturating_sub(skip_bytes) >= byte_count;
        let skip_bytes = skip_bytes.min(memory.byte_count());
        // SAFETY: at most the memory's size.
        let base = unsafe { memory.base().add(skip_bytes) };
        Self { base, count: if fits { count } else { 0 }, block_bytes }
    }

    /// Whether there are blocks, and each begins at a multiple of `alignment` and is no smaller.
    pub(crate) fn are_aligned(&self, alignment: u32) -> bool {
        self.count > 0
            && alignment <= self.block_bytes
            && self.base.as_ptr().addr() & (alignment as usize - 1) == 0
    }

    /// The first `byte_count` bytes of the block of `file`, if it has so many.
    fn address(&self, file: u32, byte_count: usize) -> Option<NonNull<u8>> {
        if file >= self.count || byte_count > self.block_bytes as usize {
            return None;
        }
        // SAFETY: `new` counted only blocks that lie inside the memory.
        Some(unsafe { self.base.add(file as usize * self.block_bytes as usize) })
    }

    /// Fills the first `alignment` bytes of the block of `file`: `bytes`, and zeros behind them.
    /// Returns them as a piece of a request. `None`, and nothing changed, if they do not fit.
    pub(crate) fn fill(&mut self, file: u32, bytes: &[u8], alignment: u32) -> Option<Piece> {
        let byte_count = alignment as usize;
        let padding = byte_count.checked_sub(bytes.len())?;
        let to = self.address(file, byte_count)?;
        // SAFETY: inside the block (`address`, and `bytes` is no longer than `byte_count`); no
        // kernel reads it now (header), and `bytes` lies elsewhere, since the table hands out no
        // slice that outlives a borrow of it.
        unsafe { to.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
        // SAFETY: `bytes.len() + padding` is `byte_count`, which is inside the block.
        let behind = unsafe { to.add(bytes.len()) };
        // SAFETY: as above.
        unsafe { behind.write_bytes(0, padding) };
        Some(Piece { base: to.as_ptr(), byte_count })
    }

    /// The first `byte_count` bytes that the block of `file` was filled with.
    pub(crate) fn bytes(&self, file: u32, byte_count: usize) -> &[u8] {
        match self.address(file, byte_count) {
            // SAFETY: inside the block, which `fill` alone writes, and that needs `&mut`. The
            // memory was valid, so initialised, before.
            Some(base) => unsafe { core::slice::from_raw_parts(base.as_ptr(), byte_count) },
            None => &[],
        }
    }
}

#[cfg(test)]
mod tests;
