use std::{boxed::Box, collections::BTreeMap, format, vec, vec::Vec};

use super::*;
use crate::{
    NoMemory, StaticMemory,
    table::exercise::{Random, Step, TestMemory, depth, every_sequence, long_run},
};

/// The bytes of one operation in one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    block: u32,
    at: usize,
    byte_count: usize,
}

/// What was placed and not released.
#[derive(Debug)]
struct Live {
    place: Place,
    data: Vec<u8>,
    parts: Vec<Part>,
}

/// What one file has: its operations, its open block and how far that is filled.
#[derive(Debug, Default)]
struct File {
    live: Vec<Live>,
    open: Option<(u32, usize)>,
}

impl File {
    /// The blocks it holds, and how many operations have bytes in each.
    fn blocks(&self) -> BTreeMap<u32, u32> {
        let mut blocks = BTreeMap::new();
        if let Some((block, _)) = self.open {
            blocks.insert(block, 0);
        }
        for part in self.live.iter().flat_map(|live| &live.parts) {
            *blocks.entry(part.block).or_insert(0) += 1;
        }
        blocks
    }
}

/// Where data is to go: the part in the open block, if any, and the sizes of those in fresh ones.
struct Plan {
    in_open: Option<Part>,
    in_fresh: Vec<usize>,
}

struct State<const N: usize> {
    ring: BufferRing<[Block; N], TestMemory>,
    packings: Vec<Packing>,
    model: Vec<File>,
    share: usize,
    block_bytes: usize,
    peak: usize,
    next_byte: u8,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Place(usize, usize, Fit),
    /// Ends the operation that the file placed so many operations ago, from its oldest.
    Release(usize, usize),
    /// Ends the oldest operation of the file and those behind it that lie in the same one block.
    ReleaseRun(usize),
    Close(usize),
}

impl<const N: usize> State<N> {
    fn new(block_bytes: usize, share: usize, file_count: usize) -> Self {
        let memory = TestMemory::new(N * block_bytes);
        let slots = [Block::EMPTY; N];
        Self {
            ring: BufferRing::new(
                slots,
                memory,
                block_bytes as u32,
                share as u32,
                file_count as u32,
            ),
            packings: vec![Packing::EMPTY; file_count],
            model: (0..file_count).map(|_| File::default()).collect(),
            share,
            block_bytes,
            peak: 0,
            next_byte: 0,
        }
    }

    fn held(&self) -> Vec<usize> {
        self.model.iter().map(|file| file.blocks().len()).collect()
    }

    /// Blocks a file may still take: what is left of its share, and of the common ones.
    fn available(&self, file: usize) -> usize {
        let held = self.held();
        let common = N - self.share * held.len();
        let common_used: usize = held.iter().map(|held| held.saturating_sub(self.share)).sum();
        self.share.saturating_sub(held[file]) + common - common_used
    }

    fn plan(&self, file: usize, byte_count: usize, fit: Fit) -> Plan {
        let in_open = self.model[file].open.and_then(|(block, fill)| {
            let room = self.block_bytes - fill;
            // An empty open block is as good as a fresh one.
            let begins_here = byte_count <= room || fill == 0 || fit == Fit::Packed;
            let part = Part { block, at: fill, byte_count: byte_count.min(room) };
            (begins_here && room > 0).then_some(part)
        });
        let mut rest = byte_count - in_open.map_or(0, |part| part.byte_count);
        let mut in_fresh = Vec::new();
        while rest > 0 {
            in_fresh.push(rest.min(self.block_bytes));
            rest -= rest.min(self.block_bytes);
        }
        Plan { in_open, in_fresh }
    }

    fn place(&mut self, file: usize, byte_count: usize, fit: Fit) -> Step {
        let plan = self.plan(file, byte_count, fit);
        let fits = plan.in_fresh.len() <= self.available(file);
        let within_share = self.held()[file] + plan.in_fresh.len() <= self.share;
        assert!(fits || !within_share, "a file within its share is never refused");
        assert_eq!(self.ring.can_place(&self.packings[file], byte_count as u32, fit), fits);

        let data: Vec<u8> = (0..byte_count).map(|i| self.next_byte.wrapping_add(i as u8)).collect();
        if !fits {
            let traces = |state: &Self| (state.text(), state.ring.memory.bytes());
            let before = traces(self);
            assert_eq!(self.ring.place(&mut self.packings[file], &data, fit), None);
            assert!(before == traces(self), "a refused call leaves no trace");
            return Step::Nothing;
        }
        let place = self.ring.place(&mut self.packings[file], &data, fit).expect("there is room");
        self.next_byte = self.next_byte.wrapping_add(byte_count as u8);

        let mut parts: Vec<Part> = plan.in_open.into_iter().collect();
        let mut skip = parts.iter().map(|part| part.byte_count).sum::<usize>();
        let held = self.model.iter().flat_map(|file| file.blocks().into_keys());
        let mut in_use: Vec<u32> = held.collect();
        for byte_count in plan.in_fresh {
            let piece = self.ring.piece(place, skip as u32, 1).expect("a place");
            let offset = self.ring.memory.offset_of(piece.base);
            let part = Part { block: (offset / self.block_bytes) as u32, at: 0, byte_count };
            assert_eq!(offset % self.block_bytes, 0, "a fresh block is filled from its start");
            assert!(!in_use.contains(&part.block), "no block is given twice");
            in_use.push(part.block);
            parts.push(part);
            skip += byte_count;
        }
        let (first, last) = (parts[0], parts[parts.len() - 1]);
        assert_eq!(place, Place { block: first.block, at: first.at as u32 });
        self.model[file].live.push(Live { place, data, parts });
        self.model[file].open = Some((last.block, last.at + last.byte_count));
        self.peak = self.peak.max(self.held().iter().sum());
        Step::Changed
    }

    fn release(&mut self, file: usize, position: usize) -> Step {
        if position >= self.model[file].live.len() {
            return Step::Nothing;
        }
        let Live { place, data, .. } = self.model[file].live.remove(position);
        self.ring.release(&mut self.packings[file], place, data.len() as u32);
        self.empty_if_unreferenced(file)
    }

    fn release_run(&mut self, file: usize) -> Step {
        let live = &mut self.model[file].live;
        let Some(block) = live.first().map(|live| live.place.block) else { return Step::Nothing };
        let lies_in = |live: &&Live| matches!(live.parts[..], [part] if part.block == block);
        let count = live.iter().take_while(lies_in).count();
        if count == 0 {
            return Step::Nothing;
        }
        live.drain(..count);
        self.ring.release_references(&mut self.packings[file], block, count as u32);
        self.empty_if_unreferenced(file)
    }

    /// An open block in which nothing is left is filled from its start again.
    fn empty_if_unreferenced(&mut self, file: usize) -> Step {
        let model = &mut self.model[file];
        let blocks = model.blocks();
        model.open =
            model.open.map(|(block, fill)| (block, if blocks[&block] == 0 { 0 } else { fill }));
        Step::Changed
    }

    fn act(&mut self, operation: Operation) -> Step {
        match operation {
            Operation::Place(file, byte_count, fit) => self.place(file, byte_count, fit),
            Operation::Release(file, position) => self.release(file, position),
            Operation::ReleaseRun(file) => self.release_run(file),
            Operation::Close(file) => {
                let had = self.model[file].open.take();
                self.ring.close(&mut self.packings[file]);
                if had.is_some() { Step::Changed } else { Step::Nothing }
            }
        }
    }

    fn step(&mut self, operation: Operation) -> Step {
        let step = self.act(operation);
        self.check_accounts();
        self.model.iter().flat_map(|file| &file.live).for_each(|live| self.read_back(live));
        step
    }

    /// The invariants of the header, and the accounts of every file.
    fn check_accounts(&self) {
        let blocks: Vec<_> = self.model.iter().map(File::blocks).collect();
        let held: Vec<u32> = blocks.iter().map(|blocks| blocks.len() as u32).collect();
        assert_eq!(self.ring.in_use, held.iter().sum());
        assert_eq!(self.ring.in_use_peak as usize, self.peak);
        let free = self.ring.blocks.check(&held);
        for (file, packing) in self.packings.iter().enumerate() {
            let (open, fill) = self.model[file].open.unwrap_or((NIL, 0));
            let expected = (open, fill as u32, held[file]);
            assert_eq!((packing.open, packing.fill, packing.held), expected);
            for (&block, &references) in &blocks[file] {
                assert!(!free.contains(&block), "held and free");
                assert_eq!(self.ring.blocks.records.at(block).references, references);
                assert!(references > 0 || (block == open && fill == 0), "held for nothing");
            }
        }
    }

    /// Every byte of an operation is read back from where the model says it is, from any start.
    fn read_back(&self, live: &Live) {
        let mut skip = 0;
        for part in &live.parts {
            for inside in [0, part.byte_count / 2, part.byte_count - 1] {
                let behind = part.at + inside + 1;
                let behind = Place { block: part.block, at: behind as u32 };
                let place_at = self.ring.place_at(live.place, (skip + inside + 1) as u32);
                assert_eq!(place_at, behind, "right behind the byte before, in its block");
                let rest = live.data.len() - skip - inside;
                let from = skip + inside;
                let piece = self.ring.piece(live.place, from as u32, rest as u32).expect("a place");
                assert_eq!(piece.byte_count, part.byte_count - inside, "to the end of the block");
                let offset = part.block as usize * self.block_bytes + part.at + inside;
                assert_eq!(self.ring.memory.offset_of(piece.base), offset);
                assert_eq!(bytes_of(piece), live.data[from..from + piece.byte_count]);
                let one = self.ring.piece(live.place, from as u32, 1).expect("a place");
                assert_eq!((one.base, one.byte_count), (piece.base, 1), "no longer than asked");
            }
            skip += part.byte_count;
        }
        assert_eq!(skip, live.data.len());
        let is_in_one_block = self.ring.is_in_one_block(live.place, skip as u32);
        assert_eq!(is_in_one_block, live.parts.len() == 1);
        let whole = self.ring.whole(live.place, skip as u32).map(bytes_of);
        assert_eq!(whole, is_in_one_block.then(|| live.data.clone()));
    }

    fn text(&self) -> std::string::String {
        format!("{:?} {:?}", self.ring, self.packings)
    }
}

fn bytes_of(piece: Piece) -> Vec<u8> {
    // SAFETY: the piece came from a ring that lives, and nobody writes meanwhile.
    unsafe { core::slice::from_raw_parts(piece.base, piece.byte_count) }.to_vec()
}

/// Every sequence in which file 0 places these sizes in both ways and ends any of its three oldest
/// operations, while file 1 does what `other` says.
fn exhaust<const N: usize>(
    (block_bytes, share): (usize, usize),
    sizes: &[usize],
    other: &[Operation],
    full_depth: usize,
) {
    let mut operations = other.to_vec();
    for &byte_count in sizes {
        operations
            .extend([Fit::Packed, Fit::Whole].map(|fit| Operation::Place(0, byte_count, fit)));
    }
    operations.extend((0..3).map(|position| Operation::Release(0, position)));
    operations.extend([Operation::ReleaseRun(0), Operation::Close(0)]);
    let new = || State::<N>::new(block_bytes, share, 2);
    let run = every_sequence(&operations, depth(full_depth), new, State::step);
    assert!(run > 500 || cfg!(miri), "{run} sequences");
}

/// What a second file does.
const OTHER: [Operation; 4] = [
    Operation::Place(1, 1, Fit::Packed),
    Operation::Place(1, 5, Fit::Whole),
    Operation::Release(1, 0),
    Operation::Close(1),
];

#[test]
fn every_short_sequence_of_two_files_keeps_every_byte_until_released() {
    exhaust::<3>((4, 1), &[1, 3, 6], &OTHER, 5);
    exhaust::<4>((4, 2), &[3, 8], &OTHER, 5);
    exhaust::<5>((2, 1), &[1, 7], &OTHER, 5);
}

#[test]
fn every_longer_sequence_of_few_sizes_keeps_every_byte_until_released() {
    exhaust::<3>((4, 1), &[3], &[], 8);
    exhaust::<3>((4, 1), &[6], &OTHER[..1], 7);
}

#[test]
fn a_long_random_run_of_four_files_keeps_every_byte_until_released() {
    const BLOCKS: usize = 40;
    let mut state = State::<BLOCKS>::new(64, 2, 4);
    let (mut refused, mut all_used, mut all_free, mut steps) = (0, 0, 0, 0);
    long_run("buffer ring", |random: &mut Random| {
        // One file is greedy: it asks as often as the other three together.
        let file = random.below(6).saturating_sub(2);
        let live = state.model[file].live.len();
        let operation = match (random.adds(), random.below(16)) {
            (_, 0) => Operation::Close(file),
            (true, _) => {
                let longest = random.pick(&[6, 20, 64, 300]);
                let fit = random.pick(&[Fit::Packed, Fit::Whole]);
                Operation::Place(file, 1 + random.below(longest), fit)
            }
            // Mostly the oldest, as in life.
            (false, 1..=3) => Operation::ReleaseRun(file),
            (false, 4..=11) => Operation::Release(file, 0),
            (false, _) => Operation::Release(file, random.below(live.max(1))),
        };
        let step = state.act(operation);
        refused += usize::from(matches!((operation, step), (Operation::Place(..), Step::Nothing)));
        state.check_accounts();
        if let Some(live) = state.model[file].live.last() {
            state.read_back(live);
        }
        if steps % 16 == 0 {
            state.model.iter().flat_map(|file| &file.live).for_each(|live| state.read_back(live));
        }
        steps += 1;
        let in_use: usize = state.held().iter().sum();
        all_used += usize::from(in_use == BLOCKS);
        all_free += usize::from(in_use <= 4 && state.model.iter().all(|file| file.live.is_empty()));
    });
    let seen = [refused, all_used, all_free];
    assert!(cfg!(miri) || seen.iter().all(|times| *times > 20), "{seen:?}");
}

#[test]
fn the_worked_example_of_the_header_is_true() {
    let mut state = State::<4>::new(8, 4, 1);
    for byte_count in [5, 5, 2] {
        assert_eq!(state.step(Operation::Place(0, byte_count, Fit::Packed)), Step::Changed);
    }
    let places: Vec<_> =
        state.model[0].live.iter().map(|live| (live.place.block, live.place.at)).collect();
    assert_eq!(places, [(0, 0), (0, 5), (1, 2)]);
    let references = |state: &State<4>, block| state.ring.blocks.records.at(block).references;
    assert_eq!((references(&state, 0), references(&state, 1)), (2, 2));
    state.step(Operation::Release(0, 0));
    state.step(Operation::Release(0, 0));
    assert_eq!(state.ring.in_use, 1, "block 0 is free");
    state.step(Operation::Release(0, 0));
    let Packing { open, fill, held } = state.packings[0];
    assert_eq!((open, fill, held), (1, 0, 1), "block 1 is filled from its start again");
}

#[test]
fn whole_data_leaves_as_one_piece_and_packed_data_leaves_no_gap() {
    for (fit, piece_count) in [(Fit::Whole, 1), (Fit::Packed, 2)] {
        let mut state = State::<4>::new(8, 4, 1);
        state.step(Operation::Place(0, 5, fit));
        state.step(Operation::Place(0, 6, fit));
        assert_eq!(state.model[0].live[1].parts.len(), piece_count);
    }
}

#[test]
fn the_longest_data_finds_room_once_all_else_has_ended() {
    // Otherwise "later" would be never: all the blocks that one file can hold, and the open one
    // is empty but held.
    for fit in [Fit::Packed, Fit::Whole] {
        let mut state = State::<4>::new(8, 1, 2);
        let longest = 3 * 8;
        state.step(Operation::Place(0, 1, Fit::Packed));
        assert_eq!(state.step(Operation::Place(0, longest, fit)), Step::Nothing, "not yet");
        state.step(Operation::Release(0, 0));
        assert_eq!(state.step(Operation::Place(0, longest, fit)), Step::Changed, "{fit:?}");
        assert_eq!(state.step(Operation::Place(1, 8, fit)), Step::Changed, "the other's share");
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
    let mut packing = Packing::EMPTY;
    for fit in [Fit::Packed, Fit::Whole] {
        for data in [&b"a"[..], b"eight by", b"more than eight bytes, 24"] {
            assert!(!ring.can_place(&packing, data.len() as u32, fit));
            assert_eq!(ring.place(&mut packing, data, fit), None);
        }
    }
    assert_eq!((packing.open, packing.held, ring.in_use), (NIL, 0, 0));
    assert!(!ring.has_memory());
}

#[test]
fn data_in_static_memory_stays_where_it_is_when_the_ring_moves() {
    // The memory may begin anywhere: up to 7 bytes of it are left unused.
    for skip in 0..9 {
        let memory = Box::leak(vec![0; 3 * 8 + 8 + skip].into_boxed_slice());
        let memory = StaticMemory::new(&mut memory[skip..]);
        assert!(memory.base().cast::<Piece>().is_aligned());
        let mut ring = BufferRing::new([Block::EMPTY; 3], memory, 8, 3, 1);
        let mut packing = Packing::EMPTY;
        let data = b"over two blocks";
        let place = ring.place(&mut packing, data, Fit::Packed).expect("room");
        let before = ring.piece(place, 0, 15).expect("a place");
        let mut ring = Box::new(ring);
        let after = ring.piece(place, 0, 15).expect("a place");
        assert_eq!((after.base, after.byte_count), (before.base, 8));
        let rest = ring.piece(place, 8, 7).expect("a place");
        assert_eq!([bytes_of(after), bytes_of(rest)].concat(), data);
        ring.release(&mut packing, place, 15);
        assert_eq!((ring.in_use, packing.fill), (1, 0));
    }
}
