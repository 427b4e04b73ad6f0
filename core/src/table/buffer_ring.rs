//! [`BufferRing`]: the blocks that data is copied into, once, on its way to the executor.
//!
//! Blocks have one size and a stable address. A file's appends lie densely in a [`chain`] of
//! blocks; its positional writes are packed into an open block of their own, and a block of those
//! goes back to the free ones when the last write with bytes in it has ended. Data longer than what
//! is left goes on in the next block.
//!
//! Worked example with blocks of 8 bytes (in life: 64 KiB). Writes of 5, 5 and 2 bytes land at
//! block 0 byte 0, block 1 byte 0 (they do not fit in the rest of block 0, but in a fresh one: so
//! each leaves as one contiguous piece) and block 1 byte 5. References: block 0 has one, block 1
//! has two. When the first write has ended block 0 is free; when the others have too, block 1 has
//! no reference left but is open: it is filled from its start again. A write of 20 bytes takes
//! three fresh blocks, linked, and leaves 4 bytes of the third for the next.
//!
//! Invariants: a block on no file's account is free; `references` counts the operations with bytes
//! in the block, in its record or, while it is open, in the `Packing` that has it open; an open
//! block with no references has `fill == 0`; `at < block_bytes`.
//!
//! # Safety
//! The kernel reads the bytes of writes in flight and writes those of reads in flight, so Rust
//! holds no reference to these. Rust writes bytes only where no operation owns them yet (`copy`,
//! under `&mut`), and refers to bytes that the kernel wrote only when the read has ended (`bytes`).
//! Every address is checked against the memory's size where it is made.
#![allow(unsafe_code)]

use core::ptr::NonNull;

use super::{
    list::{Links, Node},
    records::{NIL, Records},
    slab::Slab,
};
use crate::{Piece, Slots, StableMemory};
use chain::Chain;

/// The record of one block. Opaque; storage is filled with [`Block::EMPTY`].
///
/// ```
/// let blocks = [ringzero_core::Block::EMPTY; 4];
/// assert_eq!(blocks.len(), 4);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Block {
    links: Links,
    references: u32,
}

impl Block {
    /// A block in no use.
    pub const EMPTY: Self = Self { links: Links::NONE, references: 0 };
}

impl Node for Block {
    fn links(&self) -> &Links {
        &self.links
    }

    fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }
}

/// What one file has of the ring: its open block, how far that is filled and by how many
/// operations, how many blocks it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packing {
    open: u32,
    fill: u32,
    references: u32,
    held: u32,
}

impl Packing {
    pub(crate) const EMPTY: Self = Self { open: NIL, fill: 0, references: 0, held: 0 };

    /// No open block; what is held stays so.
    pub(crate) const fn emptied(&self) -> Self {
        Self { held: self.held, ..Self::EMPTY }
    }
}

/// Where an operation's data begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) block: u32,
    pub(crate) at: u32,
}

impl Place {
    /// Nowhere: there is no data, or it is found otherwise.
    pub(crate) const NONE: Self = Self { block: NIL, at: 0 };
}

#[derive(Debug)]
pub(crate) struct BufferRing<S, M> {
    blocks: Slab<Block, S>,
    memory: M,
    block_bytes: u32,
    block_shift: u32,
    usable_count: u32,
    in_use: u32,
    pub(crate) in_use_peak: u32,
}

impl<S: Slots<Block>, M: StableMemory> BufferRing<S, M> {
    /// All blocks free. `block_bytes` is a power of two. With less memory than the blocks need,
    /// nothing can be placed.
    pub(crate) fn new(slots: S, memory: M, block_bytes: u32, share: u32, file_count: u32) -> Self {
        let blocks = Slab::new(Records::new(slots, Block::EMPTY), share, file_count);
        let block_shift = block_bytes.trailing_zeros();
        let fits = memory.byte_count() >> block_shift;
        let count = blocks.records.count();
        let usable_count = if fits >= count as usize { count } else { 0 };
        Self { blocks, memory, block_bytes, block_shift, usable_count, in_use: 0, in_use_peak: 0 }
    }

    /// The address of `len` bytes at `place`, if they lie inside one block of the memory.
    #[inline]
    fn address(&self, place: Place, len: usize) -> Option<NonNull<u8>> {
        if !self.is_inside(place, len) {
            debug_assert!(self.usable_count == 0, "{place:?} + {len} is in no block");
            return None;
        }
        let offset = ((place.block as usize) << self.block_shift) + place.at as usize;
        // SAFETY: `block < usable_count` and `at + len <= block_bytes`, so the offset is inside the
        // memory, whose extent `StableMemory` vouches for.
        Some(unsafe { self.memory.base().add(offset) })
    }

    /// The `len` bytes at `place`; none if they lie in no block.
    fn slice(&self, place: Place, len: usize) -> &[u8] {
        match self.address(place, len) {
            // SAFETY: `address` is valid for `len` bytes, which were valid, so initialised, before.
            // Whatever writes bytes needs `&mut self`; a kernel writes those of reads in flight,
            // which nobody asks for.
            Some(base) => unsafe { core::slice::from_raw_parts(base.as_ptr(), len) },
            None => &[],
        }
    }

    /// Whether there is any memory at all.
    pub(crate) const fn has_memory(&self) -> bool {
        self.usable_count > 0
    }

    /// Copies the `data` of a positional write (at least one byte) into the file's blocks. `None`,
    /// and nothing changed, when the file can have no more.
    #[inline]
    pub(crate) fn place(
        &mut self,
        packing: &mut Packing,
        chain: &mut Chain,
        data: &[u8],
    ) -> Option<Place> {
        let place = Place { block: packing.open, at: packing.fill };
        // `NIL` is no block, so this finds a missing, a full and a strange block all at once.
        if self.is_inside(place, data.len()) {
            self.copy(place, data)?;
            packing.fill += data.len() as u32;
            packing.references += 1;
            return Some(place);
        }
        self.place_over(packing, chain, data)
    }

    /// Whether `len` bytes at `place` lie inside one block of the memory.
    #[inline]
    const fn is_inside(&self, place: Place, len: usize) -> bool {
        place.block < self.usable_count && place.at as usize + len <= self.block_bytes as usize
    }

    /// Copies `data` to `place`, if it fits in there.
    #[inline]
    fn copy(&mut self, place: Place, data: &[u8]) -> Option<()> {
        let to = self.address(place, data.len())?;
        // SAFETY: `to` is valid for `data.len()` bytes (`address`). No operation owns them yet, so
        // no kernel reads them; only the ring points to its memory, so the slices are disjoint.
        unsafe { to.as_ptr().copy_from_nonoverlapping(data.as_ptr(), data.len()) };
        Some(())
    }

    /// Blocks that `len` bytes fill, the last one perhaps in part.
    const fn blocks_for(&self, len: usize) -> u32 {
        ((len as u64 + self.block_bytes as u64 - 1) >> self.block_shift) as u32
    }

    /// Takes a fresh block for a file.
    fn take(&mut self, packing: &mut Packing) -> Option<u32> {
        let block = self.blocks.claim(&mut packing.held)?;
        *self.blocks.records.at_mut(block) = Block::EMPTY;
        self.in_use += 1;
        self.in_use_peak = self.in_use_peak.max(self.in_use);
        Some(block)
    }

    /// Gives a block back.
    #[inline(never)]
    fn give_back(&mut self, packing: &mut Packing, block: u32) {
        self.in_use = self.in_use.saturating_sub(1);
        self.blocks.release(block, &mut packing.held);
    }

    /// Open blocks that hold nothing (0 or 1).
    const fn idle_count(&self, packing: &Packing) -> u32 {
        (packing.open != NIL && packing.fill == 0) as u32
    }

    /// Frees the open block, which holds nothing, if it is not of the file's share: others may
    /// need it.
    fn close_beyond_share(&mut self, packing: &mut Packing) {
        if self.blocks.is_beyond_share(packing.held) {
            self.close(packing);
        }
    }

    /// Frees the open block if it holds nothing.
    fn close_idle(&mut self, packing: &mut Packing) {
        if packing.fill == 0 {
            self.close(packing);
        }
    }

    /// Ends the use of the open block for packing; it is free at once if nothing refers to it.
    pub(crate) fn close(&mut self, packing: &mut Packing) {
        let open = core::mem::replace(&mut packing.open, NIL);
        let references = core::mem::take(&mut packing.references);
        packing.fill = 0;
        if open == NIL {
            return;
        }
        if references == 0 {
            self.give_back(packing, open);
        } else {
            self.blocks.records.at_mut(open).references = references;
        }
    }

    /// Gives back the `len` bytes (at least one) of an operation that has ended.
    #[inline]
    pub(crate) fn release(&mut self, packing: &mut Packing, place: Place, len: u32) {
        if self.is_in_one_block(place, len) {
            self.release_references(packing, place.block, 1);
        } else {
            self.release_chain(packing, place, len);
        }
    }

    #[inline(never)]
    fn release_chain(&mut self, packing: &mut Packing, place: Place, len: u32) {
        let mut block = place.block;
        let mut beyond = u64::from(place.at) + u64::from(len);
        loop {
            let next = self.blocks.records.at(block).links.next;
            self.release_references(packing, block, 1);
            if beyond <= u64::from(self.block_bytes) {
                return;
            }
            beyond -= u64::from(self.block_bytes);
            block = next;
        }
    }

    /// Whether `len` bytes at `place` lie in one block.
    #[inline]
    pub(crate) const fn is_in_one_block(&self, place: Place, len: u32) -> bool {
        place.at as u64 + len as u64 <= self.block_bytes as u64
    }

    /// Gives back `count` references to one block.
    #[inline(always)]
    pub(crate) fn release_references(&mut self, packing: &mut Packing, block: u32, count: u32) {
        if block == packing.open {
            debug_assert!(packing.references >= count, "a block was given back twice");
            packing.references = packing.references.wrapping_sub(count);
            if packing.references == 0 {
                packing.fill = 0;
                self.close_beyond_share(packing);
            }
            return;
        }
        let record = self.blocks.records.at_mut(block);
        debug_assert!(record.references >= count, "a block was given back twice");
        record.references = record.references.wrapping_sub(count);
        if record.references == 0 {
            self.give_back(packing, block);
        }
    }

    /// All of an operation's data, if it lies in one block.
    #[inline]
    pub(crate) fn whole(&self, place: Place, len: u32) -> Option<Piece> {
        if !self.is_inside(place, len as usize) {
            return None;
        }
        let base = self.address(place, len as usize)?;
        Some(Piece { base: base.as_ptr(), byte_count: len as usize })
    }

    /// Where the byte that is `skip` bytes into an operation's data lies, or would.
    #[inline]
    pub(crate) fn place_at(&self, place: Place, skip: u32) -> Place {
        let mut block = place.block;
        let mut at = u64::from(place.at) + u64::from(skip);
        while at > u64::from(self.block_bytes) {
            block = self.blocks.records.at(block).links.next;
            at -= u64::from(self.block_bytes);
        }
        Place { block, at: at as u32 }
    }

    /// Where the byte that is `skip` bytes into an operation's data lies.
    #[inline]
    fn place_before(&self, place: Place, skip: u32) -> Place {
        let mut block = place.block;
        let mut at = u64::from(place.at) + u64::from(skip);
        while at >= u64::from(self.block_bytes) {
            block = self.blocks.records.at(block).links.next;
            at -= u64::from(self.block_bytes);
        }
        Place { block, at: at as u32 }
    }

    /// The contiguous bytes from `skip` on of an operation's data, at most `byte_count`.
    pub(crate) fn bytes(&self, place: Place, skip: u32, byte_count: u32) -> &[u8] {
        let Place { block, at } = self.place_before(place, skip);
        let byte_count = byte_count.min(self.block_bytes - at);
        self.slice(Place { block, at }, byte_count as usize)
    }

    /// The contiguous piece that begins `skip` bytes into an operation's data, at most
    /// `byte_count` long. `None` only if the place is no place.
    #[inline]
    pub(crate) fn piece(&self, place: Place, skip: u32, byte_count: u32) -> Option<Piece> {
        let Place { block, at } = self.place_before(place, skip);
        let byte_count = byte_count.min(self.block_bytes - at);
        let base = self.address(Place { block, at }, byte_count as usize)?;
        Some(Piece { base: base.as_ptr(), byte_count: byte_count as usize })
    }
}

pub(crate) mod chain;
mod room;

#[cfg(test)]
mod tests;
