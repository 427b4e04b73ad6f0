//! [`Buffers`]: memory that two threads use in turn, as plain reads and writes.
//!
//! # Safety
//! Whoever holds the index of a buffer, because it came out of a queue, may use it. The program is
//! there to be watched while it does; its control breaks the rule on purpose, once, with whole
//! aligned words, under a sanitizer that reports it.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;

/// Buffers of eight words.
#[derive(Debug)]
pub(crate) struct Buffers(Box<[UnsafeCell<[u64; WORDS]>]>);

const WORDS: usize = 8;

// SAFETY: the threads take turns, by messages.
unsafe impl Sync for Buffers {}

impl Buffers {
    pub(crate) fn new(count: u32) -> Self {
        Self((0..count).map(|_| UnsafeCell::new([0; WORDS])).collect())
    }

    /// Writes every word of a buffer.
    pub(crate) fn fill(&self, index: u32, value: u64) {
        let words = self.0[index as usize].get();
        // SAFETY: it is this thread's turn.
        unsafe { words.write([value; WORDS]) };
    }

    /// What every word of a buffer is.
    ///
    /// # Panics
    /// When the words differ.
    pub(crate) fn content(&self, index: u32) -> u64 {
        let words = self.0[index as usize].get();
        // SAFETY: it is this thread's turn.
        let words = unsafe { words.read() };
        assert_eq!(words, [words[0]; WORDS], "a torn buffer");
        words[0]
    }
}
