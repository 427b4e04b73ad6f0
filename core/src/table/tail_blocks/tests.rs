//! Every length and alignment of a small table; what is behind and beside stays as it was.
//!
//! # Safety
//! Each table lives no longer than the memory beside it, which nobody else uses.
#![allow(unsafe_code)]

use super::*;
use crate::exercise::{TestMemory, UNTOUCHED};

const SKIP: usize = 64;
const COUNT: u32 = 3;
const BLOCK: u32 = 32;
const BEHIND: usize = 16;

fn three() -> (TestMemory, TailBlocks) {
    let memory = TestMemory::new(SKIP + (COUNT * BLOCK) as usize + BEHIND);
    // SAFETY: callers keep the memory until they are done with the table, and use only that.
    let blocks = unsafe { TailBlocks::new(&memory, SKIP, (COUNT, BLOCK)) };
    (memory, blocks)
}

#[test]
fn a_block_holds_what_it_was_filled_with_and_zeros_behind_and_touches_nothing_else() {
    for file in 0..COUNT {
        for alignment in [1_u32, 8, 16, BLOCK] {
            for len in 0..=alignment as usize {
                let (memory, mut blocks) = three();
                let bytes = [7; BLOCK as usize];
                let piece = blocks.fill(file, &bytes[..len], alignment).expect("it fits");
                let begin = SKIP + (file * BLOCK) as usize;
                assert_eq!(memory.offset_of(piece.base), begin);
                assert_eq!(piece.byte_count, alignment as usize);
                assert_eq!(blocks.bytes(file, len), &bytes[..len]);
                let expected = |at: usize| match at.checked_sub(begin) {
                    Some(at) if at < len => 7,
                    Some(at) if at < alignment as usize => 0,
                    _ => UNTOUCHED,
                };
                let all = memory.bytes();
                assert!(all.iter().enumerate().all(|(at, byte)| *byte == expected(at)), "{all:?}");
            }
        }
    }
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let (memory, mut blocks) = three();
    assert!(blocks.fill(COUNT, &[1], 8).is_none(), "no such file");
    assert!(blocks.fill(0, &[1; 9], 8).is_none(), "longer than the alignment");
    assert!(blocks.fill(0, &[1], 2 * BLOCK).is_none(), "a larger alignment than a block");
    assert!(blocks.bytes(COUNT, 1).is_empty() && blocks.bytes(0, 33).is_empty());
    assert!(memory.bytes().iter().all(|byte| *byte == UNTOUCHED));
}

#[test]
fn an_alignment_is_taken_up_to_a_block_and_only_where_memory_has_it() {
    let (memory, blocks) = three();
    assert!([1, 8].into_iter().all(|alignment| blocks.are_aligned(alignment)));
    assert!(!blocks.are_aligned(2 * BLOCK));
    // SAFETY: as above.
    let shifted = unsafe { TailBlocks::new(&memory, SKIP + 4, (COUNT, BLOCK)) };
    assert!(shifted.are_aligned(4) && !shifted.are_aligned(8));
    // SAFETY: as above.
    let none = unsafe { TailBlocks::new(&memory, SKIP, (COUNT + 1, BLOCK)) };
    assert!(!none.are_aligned(1), "the memory is too small");
}
