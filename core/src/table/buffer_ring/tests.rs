//! Mutations of the structure, one at a time; each turned at least one test here red: place: begins
//! at 0; fill: forget fill += len, forget references += 1; copy: no byte, one byte too few;
//! release: first block only, one block too many at the seam, the open block is freed too, the open
//! block is not reset, reset although referenced, idle block beyond the share kept, idle block of
//! the share given back; release_references: always one; give_back: forget in_use -= 1, forget the
//! block; take: forget in_use += 1; reserve_over: no link, open block stays where it was, idle
//! block kept, idle stream kept, room not checked; blocks_for: rounded down, one too many for whole
//! blocks; new: memory for some blocks is enough; idle_count: an open block is idle, no block is
//! idle; close_idle: also what is filled; close: an empty block is not given back, fill stays, a
//! referenced block is given back; in_use_peak not kept, in_use_peak follows in_use; piece: seam
//! belongs to the block before, beyond the block, at is 0; address: block ignored; is_inside: one
//! byte too many, a full block is not one; is_in_one_block: a full block is not one; place_at: seam
//! belongs to the next block; whole: any place; reserve: forget fill, forget references;
//! copy_over: returns where it began, link not followed, second block not from its start; room_for
//! and room_in_stream (what a claim is shown): the idle block not first, not second, fresh blocks
//! in another order, what the chain holds forgotten, an idle stream's block forgotten, another
//! free block.
//!
//! Stayed green, because nothing can tell: `take` without the reset of the record (a free block has
//! no references and its link is not followed), and `reserve_over` without `close` (after
//! `close_idle` it only clears what is set two lines below).

pub(super) mod model;

use std::{boxed::Box, vec, vec::Vec};

use super::*;
use crate::{
    NoMemory, StaticMemory,
    exercise::{Random, Step, TestMemory, depth, every_sequence, long_run},
};
use model::{State, bytes_of};

impl<S: Slots<Block>, M: StableMemory> BufferRing<S, M> {
    /// Operations of a file with bytes in one of its blocks.
    fn references(&self, packing: &Packing, block: u32) -> u32 {
        let record = self.blocks.records.at(block);
        if packing.open == block { packing.references } else { record.references }
    }
}

impl<const N: usize> BufferRing<[Block; N], TestMemory> {
    /// Places in one step or, every second time, reserves first and then fills with two copies.
    fn place_somehow(
        &mut self,
        packing: &mut Packing,
        chain: &mut Chain,
        data: &[u8],
    ) -> Option<Place> {
        let foreseen = self.room_for(packing, chain, data.len());
        let place = self.place_in_steps(packing, chain, data);
        if data.len() <= self.block_bytes as usize {
            let taken = place.and_then(|place| self.whole(place, data.len() as u32));
            assert_eq!(
                foreseen.map(|it| it.base),
                taken.map(|it| it.base),
                "what a claim is shown"
            );
            assert!(foreseen.is_none_or(|it| it.byte_count == data.len()));
        }
        place
    }

    fn place_in_steps(
        &mut self,
        packing: &mut Packing,
        chain: &mut Chain,
        data: &[u8],
    ) -> Option<Place> {
        if data[0].is_multiple_of(2) {
            return self.place(packing, chain, data);
        }
        let before = self.memory.bytes();
        let place = self.reserve(packing, chain, data.len())?;
        assert_eq!(before, self.memory.bytes(), "to reserve writes nothing");
        let (head, tail) = data.split_at(data.len() * 2 / 3);
        let behind = self.copy_over(place, head).expect("reserved");
        self.copy_over(behind, tail).expect("reserved");
        Some(place)
    }

    /// The same with appends.
    fn extend_somehow(
        &mut self,
        chain: &mut Chain,
        packing: &mut Packing,
        data: &[u8],
        offset: u64,
    ) -> Option<()> {
        // Of an idle stream the first bytes may be what the file has before its tail.
        let lead = if chain.is_empty() { data.len() / 2 } else { 0 };
        let len = data.len() - lead;
        if len > self.block_bytes as usize {
            return self.extend_in_steps(chain, packing, data, offset);
        }
        let foreseen = self.room_in_stream(chain, packing, (lead as u32, len));
        let extended = self.extend_in_steps(chain, packing, data, offset);
        assert_eq!(foreseen.is_some(), extended.is_some(), "a claim is given what is accepted");
        let mut position = offset + lead as u64;
        for part in foreseen.into_iter().flatten().filter(|part| part.byte_count > 0) {
            let taken = self.piece_of(chain, position, part.byte_count as u32).expect("taken");
            assert_eq!((taken.base, taken.byte_count), (part.base, part.byte_count));
            position += part.byte_count as u64;
        }
        assert!(foreseen.is_none() || position == offset + data.len() as u64);
        extended
    }

    fn extend_in_steps(
        &mut self,
        chain: &mut Chain,
        packing: &mut Packing,
        data: &[u8],
        offset: u64,
    ) -> Option<()> {
        if data[0].is_multiple_of(2) {
            return self.extend(chain, packing, data, offset);
        }
        let before = self.memory.bytes();
        let place = self.extend_room(chain, packing, data.len(), offset)?;
        assert_eq!(before, self.memory.bytes(), "to reserve writes nothing");
        let (head, tail) = data.split_at(data.len() * 2 / 3);
        let behind = self.copy_over(place, head).expect("reserved");
        self.copy_over(behind, tail).expect("reserved");
        Some(())
    }
}

/// One thing done to the ring, mostly by the file with the number that comes first.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    /// A write of so many bytes.
    Place(usize, usize),
    /// Ends the write that the file placed so many writes ago, from its oldest.
    Release(usize, usize),
    /// Ends the oldest write of the file and those behind it that lie in the same one block.
    ReleaseRun(usize),
    /// Nothing more is packed into the open block.
    Close(usize),
    /// An append of so many bytes.
    Extend(usize, usize),
    /// So many more bytes of the stream are finished.
    Finish(usize, usize),
    /// The stream ends here, whatever is unfinished: the file's tail goes back.
    Drain(usize),
    CloseChain(usize),
}

/// What a second file does while the first one is exercised.
pub(super) const OTHER: [Operation; 4] = [
    Operation::Place(1, 1),
    Operation::Extend(1, 5),
    Operation::Release(1, 0),
    Operation::Finish(1, 5),
];

/// Every sequence of these operations, on `N` blocks and two files.
pub(super) fn exhaust<const N: usize>(
    (block_bytes, share): (usize, usize),
    operations: &[&[Operation]],
    full_depth: usize,
) {
    let new = || State::<N>::new(block_bytes, share, 2);
    let run = every_sequence(&operations.concat(), depth(full_depth), new, State::step);
    assert!(run > 500 || cfg!(miri), "{run} sequences");
}

/// Writes of file 0 of these sizes, any of its three oldest ended, and the open block closed.
fn writes(sizes: &[usize]) -> Vec<Operation> {
    let mut operations: Vec<_> = sizes.iter().map(|size| Operation::Place(0, *size)).collect();
    operations.extend((0..3).map(|position| Operation::Release(0, position)));
    operations.extend([Operation::ReleaseRun(0), Operation::Close(0)]);
    operations
}

#[test]
fn every_short_sequence_of_writes_keeps_every_byte_until_released() {
    exhaust::<3>((4, 1), &[&writes(&[1, 3, 6]), &OTHER], 5);
    exhaust::<4>((4, 2), &[&writes(&[3, 8]), &OTHER], 5);
    exhaust::<5>((2, 1), &[&writes(&[1, 7]), &OTHER], 5);
}

#[test]
fn every_longer_sequence_of_writes_of_few_sizes_keeps_every_byte_until_released() {
    exhaust::<3>((4, 1), &[&writes(&[3])], 8);
    exhaust::<3>((4, 1), &[&writes(&[2, 6])], 7);
}

#[test]
fn a_long_random_run_of_four_files_keeps_every_byte_until_it_is_finished() {
    const BLOCKS: usize = 24;
    let mut state = State::<BLOCKS>::new(64, 2, 4);
    let (mut refused, mut all_used, mut all_free, mut steps) = ([0, 0], 0, 0, 0);
    long_run("buffer ring", |random: &mut Random| {
        // One file is greedy: it asks as often as the other three together.
        let file = random.below(6).saturating_sub(2);
        let (writes, bytes) = state.unfinished(file);
        let longest = random.pick(&[20, 64, 300]);
        let size = 1 + random.below(longest);
        let operation = match (random.adds(), random.below(32)) {
            (_, 0) => Operation::Close(file),
            (_, 1) => Operation::CloseChain(file),
            (true, 2..=16) => Operation::Place(file, size),
            (true, _) => Operation::Extend(file, size),
            // Mostly the oldest, as in life.
            (false, 2..=3) => Operation::Release(file, random.below(writes.max(1))),
            (false, 4..=7) => Operation::ReleaseRun(file),
            (false, 8..=16) => Operation::Release(file, 0),
            (false, 17) => Operation::Drain(file),
            (false, 18..=22) => Operation::Finish(file, bytes),
            (false, _) => Operation::Finish(file, size),
        };
        let step = state.act(operation);
        match (operation, step) {
            (Operation::Place(..), Step::Nothing) => refused[0] += 1,
            (Operation::Extend(..), Step::Nothing) => refused[1] += 1,
            _ => {}
        }
        state.check_accounts();
        if let Some(write) = state.model[file].writes.last() {
            state.read_back_write(write);
        }
        let (_, bytes) = state.unfinished(file);
        state.read_back_stream(file, [0, bytes / 2].into_iter().filter(|from| *from < bytes));
        if steps % 32 == 0 {
            (0..4).for_each(|file| state.read_back(file));
        }
        steps += 1;
        let in_use: usize = state.held().iter().sum();
        all_used += usize::from(in_use == BLOCKS);
        all_free += usize::from((0..4).all(|file| state.unfinished(file) == (0, 0)));
    });
    let seen = [refused[0], refused[1], all_used, all_free];
    assert!(cfg!(miri) || seen.iter().all(|times| *times > 20), "{seen:?}");
}

#[test]
fn the_worked_example_of_the_header_is_true() {
    let mut state = State::<5>::new(8, 5, 1);
    let places = |state: &State<5>| {
        let places = state.model[0].writes.iter().map(|write| (write.place.block, write.place.at));
        places.collect::<Vec<_>>()
    };
    let references = |state: &State<5>, block| state.ring.references(&state.packings[0], block);
    for byte_count in [5, 5, 2] {
        assert_eq!(state.step(Operation::Place(0, byte_count)), Step::Changed);
    }
    assert_eq!(places(&state), [(0, 0), (1, 0), (1, 5)]);
    assert_eq!((references(&state, 0), references(&state, 1)), (1, 2));
    state.step(Operation::Release(0, 0));
    assert_eq!(state.held(), [1], "block 0 is free");
    state.step(Operation::Release(0, 0));
    state.step(Operation::Release(0, 0));
    let Packing { open, fill, held, .. } = state.packings[0];
    assert_eq!((open, fill, held), (1, 0, 1), "block 1 is filled from its start again");
    state.step(Operation::Place(0, 20));
    assert_eq!((state.packings[0].fill, state.packings[0].held), (4, 3));
}

#[test]
fn the_longest_data_finds_room_once_all_else_has_ended() {
    // Otherwise "later" would be never: it is all the blocks that one file can hold, while the open
    // blocks of its writes and of its stream, and those of another file, may still be held empty.
    for (share, longest) in [(1, 4 * 8), (2, 3 * 8)] {
        for data in [Operation::Place(0, longest), Operation::Extend(0, longest)] {
            let mut state = State::<5>::new(8, share, 2);
            for file in [0, 1] {
                assert_eq!(state.step(Operation::Place(file, 1)), Step::Changed);
                assert_eq!(state.step(Operation::Extend(file, 1)), Step::Changed);
            }
            let [release, finish] = [Operation::Release(0, 0), Operation::Finish(0, 1)];
            for end in [Operation::Release(1, 0), release, Operation::Finish(1, 1), finish] {
                assert_eq!(state.step(data), Step::Nothing, "before {end:?}");
                assert_eq!(state.step(end), Step::Changed);
            }
            assert_eq!(state.step(data), Step::Changed, "{data:?} with a share of {share}");
            assert_eq!(state.step(Operation::Place(1, 8)), Step::Changed, "the other's share");
        }
    }
}

#[test]
fn with_less_memory_than_the_blocks_need_nothing_can_be_placed() {
    for byte_count in [0, 1, 8, 3 * 8 - 1] {
        let mut ring = BufferRing::new([Block::EMPTY; 3], TestMemory::new(byte_count), 8, 3, 1);
        refuses_everything(&mut ring);
    }
    refuses_everything(&mut BufferRing::new([Block::EMPTY; 3], NoMemory, 8, 3, 1));
    refuses_everything(&mut BufferRing::new([Block::EMPTY; 0], TestMemory::new(64), 8, 0, 1));
}

fn refuses_everything<const N: usize, M: StableMemory>(ring: &mut BufferRing<[Block; N], M>) {
    let (mut packing, mut chain) = (Packing::EMPTY, Chain::EMPTY);
    for data in [&b"a"[..], b"eight by", b"more than eight bytes, 24"] {
        assert_eq!(ring.place(&mut packing, &mut chain, data), None);
        assert!(!ring.can_extend(&chain, &packing, data.len()));
        assert_eq!(ring.extend(&mut chain, &mut packing, data, 7), None);
    }
    assert_eq!((packing.open, packing.held, ring.in_use), (NIL, 0, 0));
    assert!(!ring.has_memory());
}

#[test]
fn data_in_static_memory_stays_where_it_is_when_the_ring_moves() {
    // The memory may begin anywhere: up to 7 bytes of it are left unused.
    for skip in 0..9 {
        let memory = Box::leak(vec![0; 4 * 8 + 8 + skip].into_boxed_slice());
        let memory = StaticMemory::new(&mut memory[skip..]);
        assert!(memory.base().cast::<Piece>().is_aligned());
        let mut ring = BufferRing::new([Block::EMPTY; 4], memory, 8, 4, 1);
        let (mut packing, mut chain) = (Packing::EMPTY, Chain::EMPTY);
        let data = b"over two blocks";
        let place = ring.place(&mut packing, &mut chain, data).expect("room");
        ring.extend(&mut chain, &mut packing, data, 50).expect("room");
        let before = ring.piece(place, 0, 15).expect("a place");
        let ring = Box::new(ring);
        let after = ring.piece(place, 0, 15).expect("a place");
        assert_eq!((after.base, after.byte_count), (before.base, 8));
        let rest = ring.piece(place, 8, 7).expect("a place");
        assert_eq!([bytes_of(after), bytes_of(rest)].concat(), data);
        let of_stream = [50, 58].map(|position| ring.piece_of(&chain, position, 8).expect("one"));
        assert!(of_stream.map(bytes_of).concat().starts_with(data));
    }
}
