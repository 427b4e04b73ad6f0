//! Room for the data of a positional operation: taken in one step, filled in another.
//!
//! In the open block if that has room for all of it; if not, in fresh blocks, linked, of which the
//! last is the open one from then on. Each block touched has one reference more, as long as the
//! operation lasts.

use super::{Block, BufferRing, Packing, Place, chain::Chain};
use crate::{Piece, Slots, StableMemory};

impl<S: Slots<Block>, M: StableMemory> BufferRing<S, M> {
    /// [`BufferRing::place`] where the open block has no room for it.
    #[cold]
    pub(super) fn place_over(
        &mut self,
        packing: &mut Packing,
        chain: &mut Chain,
        data: &[u8],
    ) -> Option<Place> {
        let first = self.reserve(packing, chain, data.len())?;
        self.copy_over(first, data)?;
        Some(first)
    }

    /// Takes room for `len` bytes (at least one) of a positional operation in the file's blocks, as
    /// [`BufferRing::place`] does, and leaves in there what is in there: zeros or old bytes.
    /// `None`, and nothing changed, when the file can have no more.
    #[inline]
    pub(crate) fn reserve(
        &mut self,
        packing: &mut Packing,
        chain: &mut Chain,
        len: usize,
    ) -> Option<Place> {
        let place = Place { block: packing.open, at: packing.fill };
        if self.is_inside(place, len) {
            packing.fill += len as u32;
            packing.references += 1;
            return Some(place);
        }
        self.reserve_over(packing, chain, len)
    }

    #[cold]
    fn reserve_over(
        &mut self,
        packing: &mut Packing,
        chain: &mut Chain,
        len: usize,
    ) -> Option<Place> {
        self.close_idle(packing);
        let fresh = self.blocks_for(len);
        if fresh > self.blocks.available(packing.held) {
            self.close_chain(chain, packing);
        }
        if !self.has_memory() || fresh > self.blocks.available(packing.held) {
            return None;
        }
        let mut rest = len;
        let mut first = None;
        while rest > 0 {
            let block = self.take(packing)?;
            if first.is_none() {
                first = Some(Place { block, at: 0 });
            } else {
                self.blocks.records.at_mut(packing.open).links.next = block;
            }
            self.close(packing);
            let part = rest.min(self.block_bytes as usize);
            *packing = Packing { open: block, fill: part as u32, references: 1, ..*packing };
            rest -= part;
        }
        first
    }

    /// The room that [`BufferRing::reserve`] would take for `len` bytes, at least one and at most a
    /// block: it is in one block, and no request has it. Changes nothing.
    pub(crate) fn room_for(&self, packing: &Packing, chain: &Chain, len: usize) -> Option<Piece> {
        let len = u32::try_from(len).ok()?;
        let open = Place { block: packing.open, at: packing.fill };
        if let Some(room) = self.whole(open, len) {
            return Some(room);
        }
        let block = match self.blocks.available(packing.held) {
            // What an idle stream has is given up then.
            0 if chain.is_empty() => chain.open_block(),
            0 => return None,
            _ => self.blocks.next_free(),
        };
        self.whole(Place { block, at: 0 }, len)
    }

    /// Copies `data` to `place` and on into the blocks linked behind it. No request has the room.
    /// Returns where what follows belongs.
    pub(crate) fn copy_over(&mut self, mut place: Place, data: &[u8]) -> Option<Place> {
        let mut rest = data;
        loop {
            let part = rest.len().min(self.block_bytes.saturating_sub(place.at) as usize);
            let (head, tail) = rest.split_at_checked(part)?;
            self.copy(place, head)?;
            place.at += part as u32;
            if tail.is_empty() {
                return Some(place);
            }
            place = Place { block: self.blocks.records.at(place.block).links.next, at: 0 };
            rest = tail;
        }
    }
}
