//! What the ring of a few files must hold, written with std's collections; and the step that does
//! an operation to both and compares.
//!
//! # Safety
//! [`bytes_of`] reads pieces of a ring that its caller borrows.
#![allow(unsafe_code)]

use std::{
    collections::{BTreeMap, VecDeque},
    vec,
    vec::Vec,
};

use super::*;
use crate::exercise::{Step, TestMemory};

/// The bytes of one write in one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    block: u32,
    at: usize,
    byte_count: usize,
}

/// A write that was placed and not released.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) place: Place,
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
pub(in crate::table::buffer_ring) struct File {
    pub(super) writes: Vec<Write>,
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

pub(in crate::table::buffer_ring) struct State<const N: usize> {
    pub(in crate::table::buffer_ring) ring: BufferRing<[Block; N], TestMemory>,
    pub(in crate::table::buffer_ring) packings: Vec<Packing>,
    pub(in crate::table::buffer_ring) chains: Vec<Chain>,
    pub(super) model: Vec<File>,
    share: usize,
    block_bytes: usize,
    peak: usize,
    next_byte: u8,
}

impl<const N: usize> State<N> {
    pub(in crate::table::buffer_ring) fn new(
        block_bytes: usize,
        share: usize,
        file_count: usize,
    ) -> Self {
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

    pub(in crate::table::buffer_ring) fn held(&self) -> Vec<usize> {
        self.model.iter().map(|file| file.blocks().len()).collect()
    }

    /// Unfinished writes and unfinished bytes of the stream of a file.
    pub(in crate::table::buffer_ring) fn unfinished(&self, file: usize) -> (usize, usize) {
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
        let (packing, chain) = (&mut self.packings[file], &mut self.chains[file]);
        let place = self.ring.place_somehow(packing, chain, &data);
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

    /// An open block of which the last write ended is filled from its start again, or goes back if
    /// it is not of the file's share.
    fn empty_if_unreferenced(&mut self, file: usize) -> Step {
        let model = &mut self.model[file];
        if let Some((block, fill)) = model.open
            && fill > 0
            && model.write_blocks()[&block] == 0
        {
            let is_of_share = model.blocks().len() <= self.share;
            model.open = is_of_share.then_some((block, 0));
        }
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
        if can_extend && fresh > self.available(file) {
            self.give_up_idle_block(file);
        }
        let fits = self.admits(file, fresh);
        let before = (!fits).then(|| self.ring.memory.bytes());
        let mut in_use: Vec<u32> = self.model.iter().flat_map(File::blocks).collect();
        let offset = self.model[file].stream.tail();
        let (chain, packing) = (&mut self.chains[file], &mut self.packings[file]);
        let extended = self.ring.extend_somehow(chain, packing, &data, offset);
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
        if self.model[file].blocks().len() > self.share {
            self.give_up_idle_stream(file);
        }
        Step::Changed
    }

    pub(in crate::table::buffer_ring) fn act(&mut self, operation: Operation) -> Step {
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

    pub(in crate::table::buffer_ring) fn step(&mut self, operation: Operation) -> Step {
        let step = self.act(operation);
        self.check_accounts();
        (0..self.model.len()).for_each(|file| self.read_back(file));
        step
    }

    /// The invariants of both headers, and the accounts of every file.
    pub(in crate::table::buffer_ring) fn check_accounts(&self) {
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
                assert_eq!(self.ring.references(packing, block), references);
                assert!(references > 0 || (block == open && fill == 0), "held for nothing");
            }
            let is_idle = self.unfinished(file) == (0, 0);
            assert!(!is_idle || held[file] as usize <= self.share, "idle, and beyond its share");
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
    pub(in crate::table::buffer_ring) fn read_back(&self, file: usize) {
        self.model[file].writes.iter().for_each(|write| self.read_back_write(write));
        let every = 0..self.model[file].stream.bytes.len();
        self.read_back_stream(file, every);
    }

    /// From any start in the write.
    pub(super) fn read_back_write(&self, write: &Write) {
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
    pub(in crate::table::buffer_ring) fn read_back_stream(
        &self,
        file: usize,
        from: impl Iterator<Item = usize>,
    ) {
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

pub(in crate::table::buffer_ring) fn bytes_of(piece: Piece) -> Vec<u8> {
    // SAFETY: the piece came from a ring that lives, and nobody writes meanwhile.
    unsafe { core::slice::from_raw_parts(piece.base, piece.byte_count) }.to_vec()
}
