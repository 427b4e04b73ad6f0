//! [`PieceTable`]: arrays of pieces at stable addresses, for vectored requests.
//!
//! A kernel thread may read the array of a vectored write while it runs (io_uring(7) promises to
//! have consumed it at submission, SQPOLL submits later), so arrays live in the same stable memory
//! as the blocks, behind them, and belong to one request until it is answered. Free arrays form a
//! chain through their own first element.
//!
//! # Safety
//! The table has sole use of the part of the memory behind the blocks. Every array index is checked
//! against `count` where an address is made, and every element index against `PIECES_PER_VECTOR`.
#![allow(unsafe_code)]

use core::ptr::NonNull;

use crate::{Piece, StableMemory, limits::PIECES_PER_VECTOR};

/// The index that means "no array".
pub(crate) const NO_VECTOR: u16 = u16::MAX;

#[derive(Debug)]
pub(crate) struct PieceTable {
    base: NonNull<Piece>,
    count: u16,
    fresh: u16,
    free: u16,
}

// SAFETY: the pointer is to memory that only this table uses, and the engine owns both.
unsafe impl Send for PieceTable {}

impl PieceTable {
    /// A table of at most `count` arrays in `memory` behind its first `skip_bytes`.
    ///
    /// # Safety
    /// The memory outlives the table, and nobody else uses it from `skip_bytes` on.
    pub(crate) unsafe fn new<M: StableMemory>(memory: &M, skip_bytes: usize, count: u32) -> Self {
        let behind = memory.byte_count().saturating_sub(skip_bytes);
        let fits = behind / (PIECES_PER_VECTOR * size_of::<Piece>());
        let skip_bytes = skip_bytes.min(memory.byte_count());
        // SAFETY: at most the memory's size; block sizes keep the alignment of its start.
        let base = unsafe { memory.base().add(skip_bytes) }.cast();
        let count = fits.min(count as usize).min(NO_VECTOR as usize) as u16;
        Self { base, count, fresh: 0, free: NO_VECTOR }
    }

    #[inline]
    fn element(&self, vector: u16, index: usize) -> Option<NonNull<Piece>> {
        if vector >= self.count || index >= PIECES_PER_VECTOR {
            return None;
        }
        // SAFETY: `new` counted only arrays that lie inside the memory.
        Some(unsafe { self.base.add(vector as usize * PIECES_PER_VECTOR + index) })
    }

    pub(crate) fn claim(&mut self) -> Option<u16> {
        if let Some(first) = self.element(self.free, 0) {
            let vector = self.free;
            // SAFETY: a free array's first element was written by `release`.
            self.free = unsafe { first.read() }.byte_count as u16;
            return Some(vector);
        }
        if self.fresh >= self.count {
            return None;
        }
        self.fresh += 1;
        Some(self.fresh - 1)
    }

    pub(crate) fn release(&mut self, vector: u16) {
        if let Some(first) = self.element(vector, 0) {
            // SAFETY: inside the memory (`element`), and its request has been answered.
            unsafe { first.write(Piece { byte_count: self.free as usize, ..Piece::EMPTY }) };
            self.free = vector;
        }
    }

    /// Writes one element of an array that is claimed and not yet with an executor.
    pub(crate) fn set(&mut self, vector: u16, index: usize, piece: Piece) {
        if let Some(element) = self.element(vector, index) {
            // SAFETY: inside the memory (`element`); the array is not yet with an executor.
            unsafe { element.write(piece) };
        }
    }

    /// The first `count` elements, all of which were `set`.
    pub(crate) fn get(&self, vector: u16, count: usize) -> &[Piece] {
        match self.element(vector, 0) {
            // SAFETY: the array lies inside the memory, its first `count` elements were written,
            // and an executor only reads them.
            Some(first) => unsafe {
                core::slice::from_raw_parts(first.as_ptr(), count.min(PIECES_PER_VECTOR))
            },
            None => &[],
        }
    }
}

#[cfg(test)]
mod tests;
