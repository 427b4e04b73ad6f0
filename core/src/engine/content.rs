//! What a submission brings, and how that gets into the file's blocks: [`Content`].
//!
//! | content | of | its bytes |
//! |---|---|---|
//! | a slice | `submit_write`, `submit_append` | are copied |
//! | [`Slices`] | `submit_writev`, `submit_appendv` | are copied, without gaps |
//! | [`Filled`] | a claim | are there |
//!
//! Admission is the same for all of them, and so is everything that comes after.

use crate::{
    Block, Slots, StableMemory,
    table::buffer_ring::{BufferRing, Packing, Place, chain::Chain},
};

/// The data of a write or an append.
pub(super) trait Content: Copy {
    /// How many bytes.
    fn byte_count(self) -> usize;

    /// Puts the bytes, at least one, into the file's blocks; see [`BufferRing::place`].
    fn place<S: Slots<Block>, M: StableMemory>(
        self,
        blocks: &mut BufferRing<S, M>,
        packing: &mut Packing,
        chain: &mut Chain,
    ) -> Option<Place>;

    /// Puts the bytes, at least one, behind the file's stream; see [`BufferRing::extend`].
    fn extend<S: Slots<Block>, M: StableMemory>(
        self,
        blocks: &mut BufferRing<S, M>,
        chain: &mut Chain,
        packing: &mut Packing,
        offset: u64,
    ) -> Option<()>;
}

impl Content for &[u8] {
    #[inline(always)]
    fn byte_count(self) -> usize {
        self.len()
    }

    #[inline(always)]
    fn place<S: Slots<Block>, M: StableMemory>(
        self,
        blocks: &mut BufferRing<S, M>,
        packing: &mut Packing,
        chain: &mut Chain,
    ) -> Option<Place> {
        blocks.place(packing, chain, self)
    }

    #[inline(always)]
    fn extend<S: Slots<Block>, M: StableMemory>(
        self,
        blocks: &mut BufferRing<S, M>,
        chain: &mut Chain,
        packing: &mut Packing,
        offset: u64,
    ) -> Option<()> {
        blocks.extend(chain, packing, self, offset)
    }
}

/// So many bytes that are where they will be placed: a claim was filled with them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filled(pub(super) usize);

impl Content for Filled {
    fn byte_count(self) -> usize {
        self.0
    }

    fn place<S: Slots<Block>, M: StableMemory>(
        self,
        blocks: &mut BufferRing<S, M>,
        packing: &mut Packing,
        chain: &mut Chain,
    ) -> Option<Place> {
        blocks.reserve(packing, chain, self.0)
    }

    fn extend<S: Slots<Block>, M: StableMemory>(
        self,
        blocks: &mut BufferRing<S, M>,
        chain: &mut Chain,
        packing: &mut Packing,
        offset: u64,
    ) -> Option<()> {
        blocks.extend_room(chain, packing, self.0, offset).map(|_| ())
    }
}

/// Several slices, one behind the other. Any of them may be empty.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slices<'a> {
    slices: &'a [&'a [u8]],
    byte_count: usize,
}

impl<'a> Slices<'a> {
    /// More bytes than a `usize` can count are too many for every check that follows.
    pub(super) fn new(slices: &'a [&'a [u8]]) -> Self {
        let add = |sum: usize, slice: &&[u8]| sum.saturating_add(slice.len());
        Self { slices, byte_count: slices.iter().fold(0, add) }
    }

    /// Copies the bytes to `place` and on.
    fn copy<S: Slots<Block>, M: StableMemory>(
        self,
        blocks: &mut BufferRing<S, M>,
        mut place: Place,
    ) -> Option<()> {
        for slice in self.slices {
            place = blocks.copy_over(place, slice)?;
        }
        Some(())
    }
}

impl Content for Slices<'_> {
    fn byte_count(self) -> usize {
        self.byte_count
    }

    fn place<S: Slots<Block>, M: StableMemory>(
        self,
        blocks: &mut BufferRing<S, M>,
        packing: &mut Packing,
        chain: &mut Chain,
    ) -> Option<Place> {
        let place = blocks.reserve(packing, chain, self.byte_count)?;
        self.copy(blocks, place)?;
        Some(place)
    }

    fn extend<S: Slots<Block>, M: StableMemory>(
        self,
        blocks: &mut BufferRing<S, M>,
        chain: &mut Chain,
        packing: &mut Packing,
        offset: u64,
    ) -> Option<()> {
        let place = blocks.extend_room(chain, packing, self.byte_count, offset)?;
        self.copy(blocks, place)
    }
}
