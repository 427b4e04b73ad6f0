//! What the `alloc` feature adds: boxed slices as storage, and `Vec` as a sink.

use alloc::{boxed::Box, vec::Vec};

use crate::{CompletionSink, IoCompletion, Slots};

impl<T> Slots<T> for Box<[T]> {
    #[inline]
    fn as_slice(&self) -> &[T] {
        self
    }

    #[inline]
    fn as_mut_slice(&mut self) -> &mut [T] {
        self
    }
}

/// Takes everything. Grows only when the caller left no room: that allocation is the caller's own.
impl CompletionSink for Vec<IoCompletion> {
    #[inline]
    fn take(&mut self, batch: &[IoCompletion]) -> usize {
        self.extend_from_slice(batch);
        batch.len()
    }
}
