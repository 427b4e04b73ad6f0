//! Mutations of the structure, one at a time; each turned at least one test here red: extend: base
//! stays, base always new, forget fill += len; extend_over: forget fill += part, no link, head
//! stays, a full open block is not left, idle block of the writes kept, room not checked;
//! can_extend: idle block not counted, memory not asked; piece_of: base ignored by one, seam
//! belongs to the block before, beyond the block; shorten: nothing, one byte late, one byte early,
//! one block only, base stays, block not given back; drain: only the head is freed, fill stays,
//! idle block beyond the share kept, idle block of the share given back; close_chain: also what is
//! unfinished, block not given back, chain stays.

use std::vec::Vec;

use super::*;
use crate::{
    exercise::Step,
    table::buffer_ring::tests::{OTHER, Operation, exhaust, model::State},
};

impl<S: Slots<Block>, M: StableMemory> BufferRing<S, M> {
    /// Checks the invariants of the header, given how far the open block is filled, and returns the
    /// blocks of the chain in order.
    pub(crate) fn check_chain(&self, chain: &Chain, fill: u32) -> Vec<u32> {
        assert_eq!(chain.head == NIL, chain.open == NIL, "both ends or none");
        assert_eq!(chain.fill, fill);
        let (mut blocks, mut block) = (Vec::new(), chain.head);
        while block != NIL {
            assert!(!blocks.contains(&block), "a circle");
            assert_eq!(self.blocks.records.at(block).references, 0, "streams count no references");
            blocks.push(block);
            block =
                if block == chain.open { NIL } else { self.blocks.records.at(block).links.next };
        }
        assert_eq!(blocks.last().copied().unwrap_or(NIL), chain.open, "the open block is last");
        blocks
    }
}

/// Appends of file 0 of these sizes, finished in these steps, and what else befalls a stream.
fn appends(sizes: &[usize], steps: &[usize]) -> Vec<Operation> {
    let mut operations: Vec<_> = sizes.iter().map(|size| Operation::Extend(0, *size)).collect();
    operations.extend(steps.iter().map(|step| Operation::Finish(0, *step)));
    operations.extend([Operation::Drain(0), Operation::CloseChain(0)]);
    operations
}

#[test]
fn every_short_sequence_of_appends_keeps_every_byte_until_finished() {
    exhaust::<3>((4, 1), &[&appends(&[1, 4, 7], &[1, 4, 5]), &OTHER], 5);
    exhaust::<4>((4, 2), &[&appends(&[3, 8], &[3, 8, 2]), &OTHER], 5);
    exhaust::<5>((2, 1), &[&appends(&[1, 7], &[1, 2, 7]), &OTHER], 5);
}

#[test]
fn every_longer_sequence_of_appends_of_few_sizes_keeps_every_byte_until_finished() {
    exhaust::<3>((4, 1), &[&appends(&[3, 4], &[1, 4])], 7);
    exhaust::<5>((2, 2), &[&appends(&[3], &[1, 3])], 8);
}

#[test]
fn every_short_sequence_of_writes_and_appends_of_one_file_keeps_every_byte() {
    let writes = [Operation::Place(0, 3), Operation::Place(0, 6), Operation::Release(0, 0)];
    exhaust::<3>((4, 1), &[&appends(&[3, 6], &[3, 6]), &writes, &OTHER[..1]], 5);
}

#[test]
fn the_worked_example_of_the_header_is_true() {
    let mut state = State::<3>::new(8, 3, 1);
    for (byte_count, offset) in [(5, 100), (5, 105), (2, 110)] {
        let data = [7; 5];
        let (chain, packing) = (&mut state.chains[0], &mut state.packings[0]);
        state.ring.extend(chain, packing, &data[..byte_count], offset).expect("room");
    }
    let State { ring, chains, packings, .. } = &mut state;
    let (chain, packing) = (&mut chains[0], &mut packings[0]);
    assert_eq!((chain.base, ring.check_chain(chain, 4)), (100, [0, 1].to_vec()));
    ring.shorten(chain, packing, 107);
    assert_eq!((chain.base, ring.check_chain(chain, 4)), (100, [0, 1].to_vec()));
    ring.shorten(chain, packing, 110);
    assert_eq!((chain.base, ring.check_chain(chain, 4)), (108, [1].to_vec()));
    ring.drain(chain, packing);
    assert_eq!((ring.check_chain(chain, 0), ring.in_use), ([1].to_vec(), 1));
    ring.extend(chain, packing, b"next", 500).expect("room");
    assert_eq!((chain.base, ring.check_chain(chain, 4)), (500, [1].to_vec()));
}

#[test]
fn a_stream_of_many_blocks_is_freed_block_by_block() {
    let mut state = State::<6>::new(4, 6, 1);
    assert_eq!(state.step(Operation::Extend(0, 24)), Step::Changed);
    let held = [3, 1, 4, 4, 4, 7].map(|byte_count| {
        assert_eq!(state.step(Operation::Finish(0, byte_count)), Step::Changed);
        state.held()[0]
    });
    assert_eq!(held, [6, 5, 4, 3, 2, 1]);
}

#[test]
fn a_stream_ends_at_the_last_byte_that_a_file_can_have() {
    let mut state = State::<3>::new(4, 3, 1);
    let State { ring, chains, packings, .. } = &mut state;
    let (chain, packing) = (&mut chains[0], &mut packings[0]);
    let begin = i64::MAX as u64 - 10;
    ring.extend(chain, packing, b"ten bytes.", begin).expect("room");
    ring.shorten(chain, packing, begin + 9);
    let piece = ring.piece_of(chain, begin + 9, 1).expect("a place");
    assert_eq!(crate::table::buffer_ring::tests::model::bytes_of(piece), b".");
}
