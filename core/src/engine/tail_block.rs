//! Where an append stream ends inside a block, on a file with an alignment (O_DIRECT).
//!
//! Such a file is written in whole aligned blocks, appends have any length. A request for `begin..
//! end` of the stream goes out for the blocks that this touches. In front are the bytes that the
//! file has already before `begin`; behind `end` are zeros. The next request begins in the block
//! where this one ended, and writes that block again, with more in it.
//!
//! - *In front*: the chain of the stream begins at a multiple of the alignment. While appends are
//!   unfinished it keeps the block in which the oldest of them begins; when all are finished it is
//!   given back as ever, and what is before the tail in its block is in the file's *tail block*,
//!   from where the next append brings it along ([`Engine::append_inside_block`]).
//! - *Behind*: the block in which a request ends goes out from the tail block, a copy, because the
//!   next append is packed into the chain's block while a kernel reads the request, and a file
//!   system that computes checksums of what it writes must not see it change.
//! - A request that ends inside a block flies alone or behind one that does not, and the next one
//!   waits for it: two would write the same block, in any order. So the tail block is filled only
//!   while no request in flight ends in it.
//! - After a failure the tail goes back to where the failed append began: the tail block is filled
//!   from the chain, as it was then ([`Engine::keep_tail_block`]). If a positional write ended
//!   beyond, the tail is there, and aligned.
//!
//! Worked example, alignment 512, tail 0. Append A of 700 bytes: the request is 0..1,024, from the
//! chain's bytes 0..512 and the tail block (188 bytes of A, 324 zeros). B of 100 bytes comes
//! meanwhile and is packed behind A; it waits. When A has ended, 512..1,024 goes out: 188 bytes of
//! A, 100 of B, 224 zeros. When B has ended, the chain is empty, and the tail block holds these 288
//! bytes. Closing cuts the file to 800 bytes.
//!
//! # Writing a block again never tears what a data-sync covered
//! Let a sync have covered the file up to T, inside a block. Every later version of that block that
//! is handed over (with more appends, after a short result, after a failure) begins with the same
//! bytes up to T: they come from the chain or the tail block, which got them when they were
//! accepted and change no byte that is there, and a rewind ends at or behind T, since what a sync
//! covered did not fail. So the durable version and each one on its way agree on every byte before
//! T. A power cut leaves each sector of the block old, new, or torn into a part of each: before T
//! all of these are the same. What is behind T was covered by no sync. A positional write that
//! changes bytes before T changes whole blocks: it ends beyond the tail and moves it (no stream
//! request writes that block again), or it ends at or before the block's begin, or it waits for the
//! appends in flight, and those accepted later begin in a later block.
//!
//! The file itself is longer than the stream by up to one byte less than the alignment, zeros,
//! until it is closed; after a power cut a recovery finds these.

use super::{Engine, content::Content, run::Gathered, storage::Storage};
use crate::{IoFd, Piece, StorageIoError};

impl<S: Storage> Engine<S> {
    /// The first append behind a tail that is inside a block: the chain begins with the bytes
    /// before the tail.
    #[cold]
    pub(super) fn append_inside_block<C: Content>(
        &mut self,
        fd: IoFd,
        content: C,
    ) -> Result<u64, StorageIoError> {
        let slot = u32::from(fd.slot);
        let file = self.files.records.at_mut(slot);
        let (begin, byte_count) = (file.floor(file.tail), file.beyond_floor(file.tail));
        let lead = self.tail_blocks.bytes(slot, byte_count as usize);
        if self.blocks.extend(&mut file.chain, &mut file.packing, lead, begin).is_none() {
            return Err(self.refuse_exhausted());
        }
        // Not empty any more, so this does not come here again.
        let answer = self.accept_append(fd, content);
        if answer.is_err() {
            let file = self.files.records.at_mut(slot);
            self.blocks.drain(&mut file.chain, &mut file.packing);
        }
        answer
    }

    /// Adds the block in which the stream's request ends, inside of it, at `end`: a copy of what is
    /// before that, and zeros. `false` if the request has no room for it: then it goes with the
    /// next.
    #[cold]
    pub(super) fn push_tail_block(&mut self, gathered: &mut Gathered, slot: u32, end: u64) -> bool {
        match self.fill_tail_block(slot, end) {
            Some(piece) => self.push_piece(gathered, piece),
            None => false,
        }
    }

    /// The stream ends at `end` for now, because what is behind failed: keeps what the block has
    /// before that.
    #[cold]
    pub(super) fn keep_tail_block(&mut self, slot: u32, end: u64) {
        if self.files.records.at(slot).beyond_floor(end) != 0 {
            self.fill_tail_block(slot, end);
        }
    }

    /// Fills the tail block from the chain, up to `end`. No request in flight ends in it: one that
    /// does is the newest, and nothing is sent behind it or cancelled before it has ended.
    fn fill_tail_block(&mut self, slot: u32, end: u64) -> Option<Piece> {
        let file = self.files.records.at(slot);
        let (begin, byte_count) = (file.floor(end), file.beyond_floor(end));
        let bytes = self.blocks.bytes_of(&file.chain, begin, byte_count);
        debug_assert!(bytes.len() == byte_count as usize, "a part of the chain is missing");
        self.tail_blocks.fill(slot, bytes, file.mask + 1)
    }
}
