//! [`BufferRing`]: the blocks that data is copied into, once, on its way to the executor.
//!
//! Blocks have one size and a stable address. Each file has at most one *open* block into which the
//! next write or append is packed; a block goes back to the free ones when the last operation with
//! bytes in it has ended. Data longer than what is left goes on in the next block of a chain.
//!
//! Worked example with blocks of 8 bytes (in life: 64 KiB). Appends of 5, 5 and 2 bytes land at
//! block 0 byte 0, block 0 byte 5 (3 bytes there, 2 in block 1) and block 1 byte 2. References:
//! block 0 has two, block 1 has two. When the first two appends have ended block 0 is free; when
//! the third has too, block 1 has no reference left but is open: it is filled from its start again.
//!
//! A positional write that would straddle two blocks but fits in one starts a fresh block
//! ([`Fit::Whole`]): it then leaves as one contiguous piece. Appends always use what is left
//! ([`Fit::Packed`]), so that the bytes of a stream stay dense.
//!
//! Invariants: a block on no file's account is free; `references` counts the operations with bytes
//! in the block; an open block with no references has `fill == 0`; `at < block_bytes`.
//!
//! # Safety
//! Rust never holds a reference to the blocks' bytes beyond one call: the kernel reads them while
//! operations are in flight. Bytes are written only in `place`, into a part of a block that no
//! operation owns yet. Every address is checked against the memory's size where it is made.
#![allow(unsafe_code)]

use core::ptr::NonNull;

use super::{
    list::{Links, Node},
    records::{NIL, Records},
    slab::Slab,
};
use crate::{Piece, Slots, StableMemory};

/// The record of one block. Opaque; storage is filled with [`Block::EMPTY`].
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

/// What one file has of the ring: its open block, how far that is filled, how many blocks it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packing {
    open: u32,
    fill: u32,
    held: u32,
}

impl Packing {
    pub(crate) const EMPTY: Self = Self { open: NIL, fill: 0, held: 0 };
}

/// Where an operation's data begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) block: u32,
    pub(crate) at: u32,
}

/// Whether data may begin in the rest of a block that is too small for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    Packed,
    Whole,
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
        let fits = (memory.byte_count() >> block_shift) as u32;
        let usable_count = fits.min(blocks.records.count());
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

    /// Fresh blocks that `len` bytes need, and how many of the bytes go to the open one.
    #[inline]
    fn need(&self, packing: &Packing, len: u32, fit: Fit) -> (u32, u32) {
        let room = if packing.open == NIL { 0 } else { self.block_bytes - packing.fill };
        if len <= room {
            return (0, len);
        }
        // An open block with nothing in it is as good as a fresh one.
        let first = if fit == Fit::Packed || packing.fill == 0 { room } else { 0 };
        ((len - first).div_ceil(self.block_bytes), first)
    }

    /// Whether there is any memory at all.
    pub(crate) const fn has_memory(&self) -> bool {
        self.usable_count > 0
    }

    /// Whether `place` would find room.
    pub(crate) fn can_place(&self, packing: &Packing, len: u32, fit: Fit) -> bool {
        self.usable_count > 0
            && self.need(packing, len, fit).0 <= self.blocks.available(packing.held)
    }

    /// Copies `data` (at least one byte) into the file's blocks. `None`, and nothing changed, when
    /// the file can have no more blocks.
    #[inline]
    pub(crate) fn place(&mut self, packing: &mut Packing, data: &[u8], fit: Fit) -> Option<Place> {
        let place = Place { block: packing.open, at: packing.fill };
        // `NIL` is no block, so this finds a missing, a full and a strange block all at once.
        if self.is_inside(place, data.len()) {
            self.fill(packing, data)?;
            return Some(place);
        }
        self.place_over(packing, data, fit)
    }

    /// Whether `len` bytes at `place` lie inside one block of the memory.
    #[inline]
    const fn is_inside(&self, place: Place, len: usize) -> bool {
        place.block < self.usable_count && place.at as usize + len <= self.block_bytes as usize
    }

    /// Copies `data` into the open block, if it has room for it.
    #[inline]
    fn fill(&mut self, packing: &mut Packing, data: &[u8]) -> Option<()> {
        let to = self.address(Place { block: packing.open, at: packing.fill }, data.len())?;
        // SAFETY: `to` is valid for `data.len()` bytes (`address`). No operation owns them yet, so
        // no kernel reads them; only the ring points to its memory, so the slices are disjoint.
        unsafe { to.as_ptr().copy_from_nonoverlapping(data.as_ptr(), data.len()) };
        packing.fill += data.len() as u32;
        self.blocks.records.at_mut(packing.open).references += 1;
        Some(())
    }

    #[cold]
    fn place_over(&mut self, packing: &mut Packing, data: &[u8], fit: Fit) -> Option<Place> {
        let (fresh, first) = self.need(packing, data.len() as u32, fit);
        if self.usable_count == 0 || fresh > self.blocks.available(packing.held) {
            return None;
        }
        let mut rest = data;
        let mut place = None;
        if first > 0 {
            place = Some(Place { block: packing.open, at: packing.fill });
            let (head, tail) = rest.split_at_checked(first as usize)?;
            self.fill(packing, head)?;
            rest = tail;
        }
        while !rest.is_empty() {
            let block = self.blocks.claim(&mut packing.held)?;
            self.in_use += 1;
            self.in_use_peak = self.in_use_peak.max(self.in_use);
            *self.blocks.records.at_mut(block) = Block::EMPTY;
            if place.is_some() {
                self.blocks.records.at_mut(packing.open).links.next = block;
            } else {
                place = Some(Place { block, at: 0 });
            }
            self.close(packing);
            packing.open = block;
            packing.fill = 0;
            let part = rest.len().min(self.block_bytes as usize);
            let (head, tail) = rest.split_at_checked(part)?;
            self.fill(packing, head)?;
            rest = tail;
        }
        place
    }

    /// Ends the use of the open block for packing; it is free at once if nothing refers to it.
    pub(crate) fn close(&mut self, packing: &mut Packing) {
        let open = core::mem::replace(&mut packing.open, NIL);
        packing.fill = 0;
        if open != NIL && self.blocks.records.at(open).references == 0 {
            self.in_use -= 1;
            self.blocks.release(open, &mut packing.held);
        }
    }

    /// Gives back the `len` bytes (at least one) of an operation that has ended.
    #[inline]
    pub(crate) fn release(&mut self, packing: &mut Packing, place: Place, len: u32) {
        let mut block = place.block;
        let mut beyond = u64::from(place.at) + u64::from(len);
        loop {
            let next = self.release_references(packing, block, 1);
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

    /// Gives back `count` references to one block, and returns the next block of its chain.
    #[inline]
    pub(crate) fn release_references(
        &mut self,
        packing: &mut Packing,
        block: u32,
        count: u32,
    ) -> u32 {
        let record = self.blocks.records.at_mut(block);
        let next = record.links.next;
        debug_assert!(record.references >= count, "a block was given back twice");
        record.references = record.references.saturating_sub(count);
        if record.references == 0 {
            if block == packing.open {
                packing.fill = 0;
            } else {
                self.in_use = self.in_use.saturating_sub(1);
                self.blocks.release(block, &mut packing.held);
            }
        }
        next
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

    /// The contiguous piece that begins `skip` bytes into an operation's data, at most
    /// `byte_count` long. `None` only if the place is no place.
    #[inline]
    pub(crate) fn piece(&self, place: Place, skip: u32, byte_count: u32) -> Option<Piece> {
        let mut block = place.block;
        let mut at = place.at as u64 + skip as u64;
        while at >= self.block_bytes as u64 {
            block = self.blocks.records.at(block).links.next;
            at -= self.block_bytes as u64;
        }
        let at = at as u32;
        let byte_count = byte_count.min(self.block_bytes - at);
        let base = self.address(Place { block, at }, byte_count as usize)?;
        Some(Piece { base: base.as_ptr(), byte_count: byte_count as usize })
    }
}

#[cfg(test)]
mod tests;
