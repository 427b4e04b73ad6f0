//! [`Buffer`]: owned memory that goes to the kernel and comes back, its data at an aligned address.
//!
//! The runtimes want memory by value and give it back with the result; a task keeps one buffer for
//! its whole life, so no operation pays for an allocation here. Safe code only: a few bytes more
//! than needed are taken, and the data start at the first aligned one. Example: 4,096 bytes aligned
//! to 4,096 at address 0x1010 take 8,191 bytes; the data are bytes 4,080 to 8,175 of them.

use std::ops::{DerefMut, Range};

/// Owned memory `M`, away while the kernel has it, and where in it the data are.
#[derive(Debug)]
pub(crate) struct Buffer<M> {
    memory: Option<M>,
    start: usize,
    bytes: usize,
}

/// Memory enough for `bytes` at an address aligned to `alignment`.
pub(crate) fn memory(bytes: usize, alignment: usize) -> Vec<u8> {
    vec![0; bytes + alignment - 1]
}

impl<M: DerefMut<Target = [u8]>> Buffer<M> {
    /// The aligned `bytes` inside of `memory`, which [`memory`] made.
    pub(crate) fn new(memory: M, bytes: usize, alignment: usize) -> Self {
        let start = memory.as_ptr().align_offset(alignment);
        Self { memory: Some(memory), start, bytes }
    }

    /// The data, to be filled. Empty while the memory is away.
    pub(crate) fn data(&mut self) -> &mut [u8] {
        let range = self.range(self.bytes);
        self.memory.as_deref_mut().and_then(|memory| memory.get_mut(range)).unwrap_or_default()
    }

    /// Where the first `bytes` of the data are in the memory.
    pub(crate) fn range(&self, bytes: usize) -> Range<usize> {
        self.start..self.start + bytes
    }

    /// The memory, for the kernel. `None` while it is away.
    pub(crate) fn take(&mut self) -> Option<M> {
        self.memory.take()
    }

    /// The memory is back.
    pub(crate) fn give_back(&mut self, memory: M) {
        self.memory = Some(memory);
    }
}
