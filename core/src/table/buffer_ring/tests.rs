use std::{
    boxed::Box,
    collections::{BTreeMap, VecDeque},
    vec,
    vec::Vec,
};

use super::*;
use crate::{
    NoMemory, StaticMemory,
    table::exercise::{Random, Step, TestMemory, depth, every_sequence, long_run},
};

/// The bytes of one write in one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    block: u32,
    at: usize,
    byte_count: usize,
}

/// A write that was placed and not released.
#[derive(Debug)]
struct Write {
    place: Place,
    data: Vec<u8>,
    parts: Vec<Part>,
}

/// An append stream: its blocks, and where in the file the first of them begins. Bytes below
/// `finished` are finished; `bytes` holds the others, up to the tail.
#[derive(Debug)]
struct Stream {
    blocks: VecDeque<u32>,
    base: u64,
    finished: u64,
    bytes: VecDeque<u8>,
}

impl Stream {
    fn tail(&self) -> u64 {
        self.finished + self.bytes.len() as u64
    }
}

/// What one file has: its writes, their open block and how far that is filled, and its stream.
#[derive(Debug)]
pub(super) struct File {
    writes: Vec<Write>,
    open: Option<(u32, usize)>,
    stream: Stream,
}

impl File {
    fn new() -> Self {
        let stream =
            Stream { blocks: VecDeque::new(), base: 0, finished: 100, bytes: VecDeque::new() };
        Self { writes: Vec::new(), open: None, stream }
    }

    /// The blocks of its writes, and how many writes have bytes in each.
    fn write_blocks(&self) -> BTreeMap<u32, u32> {
        let mut blocks = BTreeMap::new();
        if let Some((block, _)) = self.open {
            blocks.insert(block, 0);
        }
        for part in self.writes.iter().flat_map(|write| &write.parts) {
            *blocks.entry(part.block).or_insert(0) += 1;
        }
        blocks
    }

    /// Every block it holds.
    fn blocks(&self) -> Vec<u32> {
        self.write_blocks().into_keys().chain(self.stream.blocks.iter().copied()).collect()
    }
}

pub(super) struct State<const N: usize> {
    pub(super) ring: BufferRing<[Block; N], TestMemory>,
    pub(super) packings: Vec<Packing>,
    pub(super) chains: Vec<Chain>,
    model: Vec<File>,
    share: usize,
    block_bytes: usize,
    peak: usize,
    next_byte: u8,
}

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

impl<const N: usize> State<N> {
    pub(super) fn new(block_bytes: usize, share: usize, file_count: usize) -> Self {
        let memory = TestMemory::new(N * block_bytes);
        let (share_count, files) = (share as u32, file_count as u32);
        Self {
            ring: BufferRing::new(
                [Block::EMPTY; N],
                memory,
                block_bytes as u32,
                share_count,
                files,
            ),
            packings: vec![Packing::EMPTY; file_count],
            chains: vec![Chain::EMPTY; file_count],
            model: (0..file_count).map(|_| File::new()).collect(),
            share,
            block_bytes,
            peak: 0,
            next_byte: 0,
        }
    }

    pub(super) fn held(&self) -> Vec<usize> {
        self.model.iter().map(|file| file.blocks().len()).collect()
    }

    /// Unfinished writes and unfinished bytes of the stream of a file.
    pub(super) fn unfinished(&self, file: usize) -> (usize, usize) {
        (self.model[file].writes.len(), self.model[file].stream.bytes.len())
    }

    /// Blocks a file may still take: what is left of its share, and of the common ones.
    fn available(&self, file: usize) -> usize {
        let held = self.held();
        let common = N - self.share * held.len();
        let common_used: usize = held.iter().map(|held| held.saturating_sub(self.share)).sum();
        self.share.saturating_sub(held[file]) + common - common_used
    }

    fn new_data(&mut self, byte_count: usize) -> Vec<u8> {
        let data = (0..byte_count).map(|_| {
            self.next_byte = self.next_byte.wrapping_add(1);
            self.next_byte
        });
        data.collect()
    }

    /// Whether the file may have so many fresh blocks, once it gave up what is idle; and never not
    /// within its share.
    fn admits(&self, file: usize, fresh: usize) -> bool {
        let fits = fresh <= self.available(file);
        let within_share = self.held()[file] + fresh <= self.share;
        assert!(fits || !within_share, "a file within its share is never refused");
        fits
    }

    /// An open block with nothing in it goes back.
    fn give_up_idle_block(&mut self, file: usize) {
        self.model[file].open = self.model[file].open.filter(|(_, fill)| *fill > 0);
    }

    fn give_up_idle_stream(&mut self, file: usize) {
        if self.model[file].stream.bytes.is_empty() {
            self.model[file].stream.blocks.clear();
        }
    }

    fn place(&mut self, file: usize, byte_count: usize) -> Step {
        let data = self.new_data(byte_count);
        let open = self.model[file].open.filter(|(_, fill)| fill + byte_count <= self.block_bytes);
        let fresh = if open.is_some() { 0 } else { byte_count.div_ceil(self.block_bytes) };
        if open.is_none() {
            self.give_up_idle_block(file);
            if fresh > self.available(file) {
                self.give_up_idle_stream(file);
            }
        }
        let mut in_use: Vec<u32> = self.model.iter().flat_map(File::blocks).collect();
        let fits = self.admits(file, fresh);
        let before = (!fits).then(|| self.ring.memory.bytes());
        let place = self.ring.place(&mut self.packings[file], &mut self.chains[file], &data);
        assert_eq!(place.is_some(), fits);
        let Some(place) = place else {
            assert_eq!(before, Some(self.ring.memory.bytes()), "no byte was written");
            return Step::Nothing;
        };

        let mut parts = Vec::new();
        if let Some((block, fill)) = open {
            parts.push(Part { block, at: fill, byte_count });
        }
        for (skip, part) in (0..).zip(data.chunks(self.block_bytes)).take(fresh) {
            let piece = self.ring.piece(place, skip * self.block_bytes as u32, 1);
            let block = self.fresh_block(piece, &mut in_use);
            parts.push(Part { block, at: 0, byte_count: part.len() });
        }
        let (first, last) = (parts[0], parts[parts.len() - 1]);
        assert_eq!(place, Place { block: first.block, at: first.at as u32 });
        self.model[file].writes.push(Write { place, data, parts });
        self.model[file].open = Some((last.block, last.at + last.byte_count));
        self.peak = self.peak.max(self.held().iter().sum());
        Step::Changed
    }

    /// The block that a piece is the beginning of, which nobody had.
    fn fresh_block(&self, piece: Option<Piece>, in_use: &mut Vec<u32>) -> u32 {
        let offset = self.ring.memory.offset_of(piece.expect("a place").base);
        let block = (offset / self.block_bytes) as u32;
        assert_eq!(offset % self.block_bytes, 0, "a fresh block is filled from its start");
        assert!(!in_use.contains(&block), "no block is given twice");
        in_use.push(block);
        block
    }

    fn release(&mut self, file: usize, position: usize) -> Step {
        if position >= self.model[file].writes.len() {
            return Step::Nothing;
        }
        let Write { place, data, .. } = self.model[file].writes.remove(position);
        self.ring.release(&mut self.packings[file], place, data.len() as u32);
        self.empty_if_unreferenced(file)
    }

    fn release_run(&mut self, file: usize) -> Step {
        let writes = &mut self.model[file].writes;
        let Some(block) = writes.first().map(|write| write.place.block) else {
            return Step::Nothing;
        };
        let lies_in = |write: &&Write| matches!(write.parts[..], [part] if part.block == block);
        let count = writes.iter().take_while(lies_in).count();
        if count == 0 {
            return Step::Nothing;
        }
        writes.drain(..count);
        self.ring.release_references(&mut self.packings[file], block, count as u32);
        self.empty_if_unreferenced(file)
    }

    /// An open block in which nothing is left is filled from its start again.
    fn empty_if_unreferenced(&mut self, file: usize) -> Step {
        let model = &mut self.model[file];
        let blocks = model.write_blocks();
        let fill_of = |block, fill| if blocks[&block] == 0 { 0 } else { fill };
        model.open = model.open.map(|(block, fill)| (block, fill_of(block, fill)));
        Step::Changed
    }

    fn extend(&mut self, file: usize, byte_count: usize) -> Step {
        let data = self.new_data(byte_count);
        let stream = &mut self.model[file].stream;
        if stream.bytes.is_empty() {
            // As if a write had moved the tail since: appends need not follow what is finished.
            stream.finished += 3;
            stream.base = stream.finished;
        }
        let end = stream.blocks.len() * self.block_bytes;
        let room = end - (stream.tail() - stream.base) as usize;
        let fresh = byte_count.saturating_sub(room).div_ceil(self.block_bytes);
        let idle = usize::from(self.model[file].open.is_some_and(|(_, fill)| fill == 0));
        let can_extend = self.ring.can_extend(&self.chains[file], &self.packings[file], byte_count);
        assert_eq!(can_extend, fresh <= self.available(file) + idle);
        if fresh > self.available(file) {
            self.give_up_idle_block(file);
        }
        let fits = self.admits(file, fresh);
        let before = (!fits).then(|| self.ring.memory.bytes());
        let mut in_use: Vec<u32> = self.model.iter().flat_map(File::blocks).collect();
        let offset = self.model[file].stream.tail();
        let (chain, packing) = (&mut self.chains[file], &mut self.packings[file]);
        let extended = self.ring.extend(chain, packing, &data, offset);
        assert_eq!((extended.is_some(), can_extend), (fits, fits));
        if !fits {
            assert_eq!(before, Some(self.ring.memory.bytes()), "no byte was written");
            return Step::Nothing;
        }
        for _ in 0..fresh {
            let Stream { blocks, base, .. } = &self.model[file].stream;
            let begin = base + (blocks.len() * self.block_bytes) as u64;
            let piece = self.ring.piece_of(&self.chains[file], begin, 1);
            let block = self.fresh_block(piece, &mut in_use);
            self.model[file].stream.blocks.push_back(block);
        }
        self.model[file].stream.bytes.extend(data);
        self.peak = self.peak.max(self.held().iter().sum());
        Step::Changed
    }

    fn finish(&mut self, file: usize, byte_count: usize) -> Step {
        let stream = &mut self.model[file].stream;
        if byte_count > stream.bytes.len() {
            return Step::Nothing;
        }
        if byte_count == stream.bytes.len() {
            return self.drain(file, byte_count);
        }
        stream.bytes.drain(..byte_count);
        stream.finished += byte_count as u64;
        while stream.finished - stream.base >= self.block_bytes as u64 && stream.blocks.len() > 1 {
            stream.blocks.pop_front();
            stream.base += self.block_bytes as u64;
        }
        let (chain, packing) = (&mut self.chains[file], &mut self.packings[file]);
        self.ring.shorten(chain, packing, stream.finished);
        Step::Changed
    }

    /// The stream is finished up to `byte_count` more bytes, and what is behind them is dropped.
    fn drain(&mut self, file: usize, byte_count: usize) -> Step {
        self.ring.drain(&mut self.chains[file], &mut self.packings[file]);
        let stream = &mut self.model[file].stream;
        stream.finished += byte_count as u64;
        stream.bytes.clear();
        stream.blocks = stream.blocks.pop_back().into_iter().collect();
        Step::Changed
    }

    pub(super) fn act(&mut self, operation: Operation) -> Step {
        match operation {
            Operation::Place(file, byte_count) => self.place(file, byte_count),
            Operation::Release(file, position) => self.release(file, position),
            Operation::ReleaseRun(file) => self.release_run(file),
            Operation::Close(file) => {
                let had = self.model[file].open.take();
                self.ring.close(&mut self.packings[file]);
                if had.is_some() { Step::Changed } else { Step::Nothing }
            }
            Operation::Extend(file, byte_count) => self.extend(file, byte_count),
            Operation::Finish(file, byte_count) => self.finish(file, byte_count),
            Operation::Drain(file) if self.model[file].stream.bytes.is_empty() => Step::Nothing,
            Operation::Drain(file) => self.drain(file, 0),
            Operation::CloseChain(file) => {
                let before = self.model[file].stream.blocks.len();
                self.give_up_idle_stream(file);
                self.ring.close_chain(&mut self.chains[file], &mut self.packings[file]);
                let has_closed = self.model[file].stream.blocks.len() < before;
                if has_closed { Step::Changed } else { Step::Nothing }
            }
        }
    }

    pub(super) fn step(&mut self, operation: Operation) -> Step {
        let step = self.act(operation);
        self.check_accounts();
        (0..self.model.len()).for_each(|file| self.read_back(file));
        step
    }

    /// The invariants of both headers, and the accounts of every file.
    pub(super) fn check_accounts(&self) {
        let blocks: Vec<_> = self.model.iter().map(File::blocks).collect();
        let held: Vec<u32> = blocks.iter().map(|blocks| blocks.len() as u32).collect();
        assert_eq!(self.ring.in_use, held.iter().sum());
        assert_eq!(self.ring.in_use_peak as usize, self.peak);
        let free = self.ring.blocks.check(&held);
        assert!(blocks.iter().flatten().all(|block| !free.contains(block)), "held and free");
        for (file, packing) in self.packings.iter().enumerate() {
            let (open, fill) = self.model[file].open.unwrap_or((NIL, 0));
            let expected = (open, fill as u32, held[file]);
            assert_eq!((packing.open, packing.fill, packing.held), expected);
            for (block, references) in self.model[file].write_blocks() {
                assert_eq!(self.ring.blocks.records.at(block).references, references);
                assert!(references > 0 || (block == open && fill == 0), "held for nothing");
            }
            let Stream { blocks, base, bytes, .. } = &self.model[file].stream;
            let fill = if bytes.is_empty() {
                0
            } else {
                let end = self.model[file].stream.tail() - base;
                end as usize - (blocks.len() - 1) * self.block_bytes
            };
            let chain = self.ring.check_chain(&self.chains[file], fill as u32);
            assert_eq!(*blocks, chain, "the stream's blocks, in order");
        }
    }

    /// Every byte that is not finished is read back from where the model says it is.
    pub(super) fn read_back(&self, file: usize) {
        self.model[file].writes.iter().for_each(|write| self.read_back_write(write));
        let every = 0..self.model[file].stream.bytes.len();
        self.read_back_stream(file, every);
    }

    /// From any start in the write.
    fn read_back_write(&self, write: &Write) {
        let mut skip = 0;
        for part in &write.parts {
            for inside in [0, part.byte_count / 2, part.byte_count - 1] {
                let from = skip + inside;
                let behind = Place { block: part.block, at: (part.at + inside + 1) as u32 };
                let place_at = self.ring.place_at(write.place, from as u32 + 1);
                assert_eq!(place_at, behind, "right behind the byte before, in its block");
                let rest = (write.data.len() - from) as u32;
                let piece = self.ring.piece(write.place, from as u32, rest).expect("a place");
                assert_eq!(piece.byte_count, part.byte_count - inside, "to the end of the block");
                let offset = part.block as usize * self.block_bytes + part.at + inside;
                assert_eq!(self.ring.memory.offset_of(piece.base), offset);
                assert_eq!(bytes_of(piece), write.data[from..from + piece.byte_count]);
                let one = self.ring.piece(write.place, from as u32, 1).expect("a place");
                assert_eq!((one.base, one.byte_count), (piece.base, 1), "no longer than asked");
            }
            skip += part.byte_count;
        }
        assert_eq!(skip, write.data.len());
        let is_in_one_block = self.ring.is_in_one_block(write.place, skip as u32);
        assert_eq!(is_in_one_block, write.parts.len() == 1);
        assert!(is_in_one_block || skip > self.block_bytes, "what fits in a block is in one");
        let whole = self.ring.whole(write.place, skip as u32).map(bytes_of);
        assert_eq!(whole, is_in_one_block.then(|| write.data.clone()));
    }

    /// From these bytes of the stream on.
    pub(super) fn read_back_stream(&self, file: usize, from: impl Iterator<Item = usize>) {
        let Stream { blocks, base, finished, bytes } = &self.model[file].stream;
        for from in from {
            let position = finished + from as u64;
            let into = (position - base) as usize;
            let (block, at) = (blocks[into / self.block_bytes], into % self.block_bytes);
            let rest = bytes.len() - from;
            let piece = self.ring.piece_of(&self.chains[file], position, rest as u32);
            let piece = piece.expect("a place");
            assert_eq!(piece.byte_count, rest.min(self.block_bytes - at), "to the block's end");
            let offset = block as usize * self.block_bytes + at;
            assert_eq!(self.ring.memory.offset_of(piece.base), offset);
            let expected = bytes.iter().skip(from).take(piece.byte_count);
            assert!(bytes_of(piece).iter().eq(expected));
            let one = self.ring.piece_of(&self.chains[file], position, 1).expect("a place");
            assert_eq!((one.base, one.byte_count), (piece.base, 1), "no longer than asked");
        }
    }
}

pub(super) fn bytes_of(piece: Piece) -> Vec<u8> {
    // SAFETY: the piece came from a ring that lives, and nobody writes meanwhile.
    unsafe { core::slice::from_raw_parts(piece.base, piece.byte_count) }.to_vec()
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
    let references = |state: &State<5>, block| state.ring.blocks.records.at(block).references;
    for byte_count in [5, 5, 2] {
        assert_eq!(state.step(Operation::Place(0, byte_count)), Step::Changed);
    }
    assert_eq!(places(&state), [(0, 0), (1, 0), (1, 5)]);
    assert_eq!((references(&state, 0), references(&state, 1)), (1, 2));
    state.step(Operation::Release(0, 0));
    assert_eq!(state.held(), [1], "block 0 is free");
    state.step(Operation::Release(0, 0));
    state.step(Operation::Release(0, 0));
    let Packing { open, fill, held } = state.packings[0];
    assert_eq!((open, fill, held), (1, 0, 1), "block 1 is filled from its start again");
    state.step(Operation::Place(0, 20));
    assert_eq!((state.packings[0].fill, state.packings[0].held), (4, 3));
}

#[test]
fn the_longest_data_finds_room_once_all_else_has_ended() {
    // Otherwise "later" would be never: it is all the blocks that one file can hold, and the open
    // blocks of its writes and of its stream are empty, but held.
    let longest = 3 * 8;
    for data in [Operation::Place(0, longest), Operation::Extend(0, longest)] {
        let mut state = State::<4>::new(8, 1, 2);
        state.step(Operation::Place(0, 1));
        state.step(Operation::Extend(0, 1));
        assert_eq!(state.step(data), Step::Nothing, "not yet");
        state.step(Operation::Release(0, 0));
        assert_eq!(state.step(data), Step::Nothing, "not yet");
        state.step(Operation::Finish(0, 1));
        assert_eq!(state.step(data), Step::Changed, "{data:?}");
        assert_eq!(state.step(Operation::Place(1, 8)), Step::Changed, "the other's share");
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
