//! What the `alloc` feature adds: storage sized at run time ([`Boxed`], and tables of wakers), and
//! `Vec` as a sink.

use alloc::{boxed::Box, vec, vec::Vec};
use core::marker::PhantomData;

use crate::{
    Block, CompletionSink, IoCompletion, Limits, LimitsError, OpenFile, Operation, Parts, Slots,
    StableMemory, Storage, WakerSlot, WakerTable,
};

impl<T> crate::slots::sealed::Sealed for Box<[T]> {}

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

impl WakerTable<Box<[WakerSlot]>> {
    /// A table for `slot_count` tokens at a time.
    ///
    /// ```
    /// use ringzero_core::{IoCompletion, WakerTable};
    ///
    /// let table = WakerTable::boxed(16);
    /// let done = IoCompletion { token: 7, result: 0 };
    /// assert_eq!(table.complete(done), Err(done), "nobody waits for it");
    /// ```
    pub fn boxed(slot_count: u32) -> Self {
        Self::new((0..slot_count).map(|_| WakerSlot::new()).collect())
    }
}

/// Boxed tables, and data memory of type `M`.
///
/// ```
/// use ringzero_core::{Boxed, Engine, Limits, Parts, StaticMemory};
///
/// let limits = Limits { files: 2, ..Limits::default() };
/// let memory = Box::leak(vec![0; limits.memory_bytes() + 7].into());
/// let parts = Parts::boxed(&limits, StaticMemory::new(memory))?;
/// let engine = Engine::<Boxed<StaticMemory>>::new(&limits, parts)?;
/// assert_eq!(engine.limits(), &limits);
/// # Ok::<(), ringzero_core::LimitsError>(())
/// ```
#[derive(Debug)]
pub struct Boxed<M>(PhantomData<M>);

impl<M: StableMemory> Storage for Boxed<M> {
    type Operations = Box<[Operation]>;
    type Files = Box<[OpenFile]>;
    type Blocks = Box<[Block]>;
    type Ranges = Box<[u32]>;
    type Queue = Box<[u16]>;
    type Memory = M;
}

impl<M: StableMemory> Parts<Boxed<M>> {
    /// Tables for `limits`, and `memory` for the data.
    ///
    /// # Errors
    /// What [`Limits::check`] finds.
    ///
    /// ```
    /// use ringzero_core::{Limits, NoMemory, Parts};
    ///
    /// let limits = Limits::default();
    /// let parts = Parts::boxed(&limits, NoMemory)?;
    /// assert_eq!(parts.operations.len(), limits.operation_count() as usize);
    /// # Ok::<(), ringzero_core::LimitsError>(())
    /// ```
    pub fn boxed(limits: &Limits, memory: M) -> Result<Self, LimitsError> {
        limits.check()?;
        Ok(Self {
            operations: vec![Operation::EMPTY; limits.operation_count() as usize].into(),
            files: vec![OpenFile::EMPTY; limits.files as usize].into(),
            blocks: vec![Block::EMPTY; limits.block_count() as usize].into(),
            ranges: vec![0; limits.range_count() as usize].into(),
            ready: vec![0; limits.queue_count() as usize].into(),
            urgent: vec![0; limits.queue_count() as usize].into(),
            memory,
        })
    }
}
