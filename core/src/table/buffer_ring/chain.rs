//! [`Chain`]: the blocks of one file's append stream.
//!
//! Appends are dense: byte `p` of the file, for any `p` accepted and not yet finished, lies `p -
//! base` bytes into the chain, in block `(p - base) / block_bytes`. So nothing has to be remembered
//! per append, a request is any range of the stream, and finishing up to a position frees whole
//! blocks.
//!
//! Worked example with blocks of 8 bytes: appends of 5, 5 and 2 bytes at tail 100. `base` is 100;
//! block A holds 100..108, block B 108..112. When everything below 107 is finished A stays; below
//! 110, A is free and `base` is 108. When all is finished B stays open, empty, for the next append,
//! and `base` will be wherever that begins.
//!
//! Invariants: `fill == 0` exactly when the stream has no unfinished byte; `head` leads along
//! `next` to `open`; the chain's blocks are on the file's account (`Packing::held`).

use super::{BufferRing, Packing, Place};
use crate::{
    Piece, Slots, StableMemory,
    table::{buffer_ring::Block, records::NIL},
};

/// What one file's stream has of the ring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain {
    base: u64,
    head: u32,
    open: u32,
    fill: u32,
}

impl Chain {
    pub(crate) const EMPTY: Self = Self { base: 0, head: NIL, open: NIL, fill: 0 };

    /// Whether it holds no byte.
    pub(crate) const fn is_empty(&self) -> bool {
        self.fill == 0
    }

    /// The block that is being filled, `NIL` if there is none.
    pub(super) const fn open_block(&self) -> u32 {
        self.open
    }
}

impl<S: Slots<Block>, M: StableMemory> BufferRing<S, M> {
    /// Copies `data` (at least one byte), which goes to `offset` of the file, behind what the chain
    /// holds. `None`, and nothing changed, when the file can have no more blocks. Of fresh ones the
    /// last may be the open block of the file's writes, if that holds nothing.
    #[inline]
    pub(crate) fn extend(
        &mut self,
        chain: &mut Chain,
        packing: &mut Packing,
        data: &[u8],
        offset: u64,
    ) -> Option<()> {
        if chain.fill == 0 {
            chain.base = offset;
        }
        let place = Place { block: chain.open, at: chain.fill };
        // `NIL` is no block, so this finds a missing, a full and a strange block all at once.
        if self.is_inside(place, data.len()) {
            self.copy(place, data)?;
            chain.fill += data.len() as u32;
            return Some(());
        }
        self.extend_over(chain, packing, data)
    }

    #[cold]
    fn extend_over(&mut self, chain: &mut Chain, packing: &mut Packing, data: &[u8]) -> Option<()> {
        let first = self.grow(chain, packing, data.len())?;
        self.copy_over(first, data)?;
        Some(())
    }

    /// Takes room for `len` bytes (at least one) of the stream, as [`BufferRing::extend`] does, and
    /// leaves in there what is in there. Returns where it begins.
    #[inline]
    pub(crate) fn extend_room(
        &mut self,
        chain: &mut Chain,
        packing: &mut Packing,
        len: usize,
        offset: u64,
    ) -> Option<Place> {
        if chain.fill == 0 {
            chain.base = offset;
        }
        let place = Place { block: chain.open, at: chain.fill };
        if self.is_inside(place, len) {
            chain.fill += len as u32;
            return Some(place);
        }
        self.grow(chain, packing, len)
    }

    /// Takes room for `len` more bytes behind what the chain holds.
    #[cold]
    fn grow(&mut self, chain: &mut Chain, packing: &mut Packing, len: usize) -> Option<Place> {
        if !self.can_extend(chain, packing, len) {
            return None;
        }
        let before = Place { block: chain.open, at: chain.fill };
        let mut rest = len;
        while rest > 0 {
            if chain.open == NIL || chain.fill == self.block_bytes {
                if self.blocks.available(packing.held) == 0 {
                    self.close_idle(packing);
                }
                let block = self.take(packing)?;
                if chain.open == NIL {
                    chain.head = block;
                } else {
                    self.blocks.records.at_mut(chain.open).links.next = block;
                }
                (chain.open, chain.fill) = (block, 0);
            }
            let part = rest.min((self.block_bytes - chain.fill) as usize);
            chain.fill += part as u32;
            rest -= part;
        }
        Some(if before.block == NIL { Place { block: chain.head, at: 0 } } else { before })
    }

    /// The room that [`BufferRing::extend_room`] would take for `len` bytes, at least one and at
    /// most a block, that follow `lead` others: in one block or in two. No request has it. Changes
    /// nothing.
    #[inline]
    pub(crate) fn room_in_stream(
        &self,
        chain: &Chain,
        packing: &Packing,
        (lead, len): (u32, usize),
    ) -> Option<[Piece; 2]> {
        let open = Place { block: chain.open, at: chain.fill + lead };
        match self.whole(open, len as u32) {
            Some(room) => Some([room, Piece::EMPTY]),
            None => self.room_over(chain, packing, (lead, len)),
        }
    }

    /// [`BufferRing::room_in_stream`] where the open block has no room for all of it.
    #[cold]
    fn room_over(
        &self,
        chain: &Chain,
        packing: &Packing,
        (lead, len): (u32, usize),
    ) -> Option<[Piece; 2]> {
        if !self.can_extend(chain, packing, lead as usize + len) {
            return None;
        }
        // Fresh blocks in the order in which `grow` takes them.
        let idle = if packing.fill == 0 { packing.open } else { NIL };
        let free = self.blocks.next_free();
        let fresh = match self.blocks.available(packing.held) {
            0 => [idle, NIL],
            1 => [free, idle],
            _ => [free, self.blocks.records.at(free).links.next],
        };
        let [first, second] = if chain.open == NIL { fresh } else { [chain.open, fresh[0]] };
        let at = chain.fill + lead;
        let front = (len as u64).min(u64::from(self.block_bytes.saturating_sub(at))) as u32;
        let rest = len as u32 - front;
        let part = |block, at, len| match len {
            0 => Some(Piece::EMPTY),
            _ => self.whole(Place { block, at }, len),
        };
        Some([part(first, at, front)?, part(second, 0, rest)?])
    }

    /// Fresh blocks that `len` more bytes need.
    fn fresh_for_chain(&self, chain: &Chain, len: usize) -> u32 {
        let room = if chain.open == NIL { 0 } else { self.block_bytes - chain.fill };
        self.blocks_for(len.saturating_sub(room as usize))
    }

    /// Whether `extend` would find room.
    pub(crate) fn can_extend(&self, chain: &Chain, packing: &Packing, len: usize) -> bool {
        let available = self.blocks.available(packing.held) + self.idle_count(packing);
        self.has_memory() && self.fresh_for_chain(chain, len) <= available
    }

    /// The contiguous piece that begins at byte `position` of the file, at most `byte_count` long.
    #[inline]
    pub(crate) fn piece_of(&self, chain: &Chain, position: u64, byte_count: u32) -> Option<Piece> {
        let place = self.place_of(chain, position);
        let byte_count = byte_count.min(self.block_bytes - place.at);
        let base = self.address(place, byte_count as usize)?;
        Some(Piece { base: base.as_ptr(), byte_count: byte_count as usize })
    }

    /// The `byte_count` bytes from byte `position` of the file on, if they lie in one block.
    pub(crate) fn bytes_of(&self, chain: &Chain, position: u64, byte_count: u32) -> &[u8] {
        self.slice(self.place_of(chain, position), byte_count as usize)
    }

    /// Where byte `position` of the file lies.
    #[inline]
    fn place_of(&self, chain: &Chain, position: u64) -> Place {
        let mut block = chain.head;
        let mut at = position.wrapping_sub(chain.base);
        while at >= u64::from(self.block_bytes) {
            block = self.blocks.records.at(block).links.next;
            at -= u64::from(self.block_bytes);
        }
        Place { block, at: at as u32 }
    }

    /// Everything below `position` is finished: frees the blocks that hold nothing else.
    #[inline]
    pub(crate) fn shorten(&mut self, chain: &mut Chain, packing: &mut Packing, position: u64) {
        while chain.head != chain.open
            && position.wrapping_sub(chain.base) >= u64::from(self.block_bytes)
        {
            let next = self.blocks.records.at(chain.head).links.next;
            self.give_back(packing, chain.head);
            chain.head = next;
            chain.base += u64::from(self.block_bytes);
        }
    }

    /// The whole stream is finished: all but the open block are free, and that one is empty.
    #[inline]
    pub(crate) fn drain(&mut self, chain: &mut Chain, packing: &mut Packing) {
        while chain.head != chain.open {
            let next = self.blocks.records.at(chain.head).links.next;
            self.give_back(packing, chain.head);
            chain.head = next;
        }
        chain.fill = 0;
        if self.blocks.is_beyond_share(packing.held) {
            self.close_chain(chain, packing);
        }
    }

    /// Frees the open block too, if the stream is finished: the file closes, or needs it elsewhere.
    pub(crate) fn close_chain(&mut self, chain: &mut Chain, packing: &mut Packing) {
        if chain.fill == 0 && chain.open != NIL {
            self.give_back(packing, chain.open);
            *chain = Chain::EMPTY;
        }
    }
}

#[cfg(test)]
mod tests;
