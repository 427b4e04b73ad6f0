//! [`WakerTable`]: tokens as futures, for executors of one thread.
//!
//! A token goes in when it is waited for, and its completion comes in through the table, which is a
//! [`CompletionSink`]: hand it to `poll_completions`. It is not an executor, and polls nothing.
//!
//! A slot is free, or belongs to one token:
//!
//! ```text
//!            completion(token)          complete(token)            poll
//!    free ─────────────────────► waited ────────────────► done ────────────► free
//!                                  │  ▲                     │
//!                    drop          │  │ completion(token)   │ drop ────────► free
//!                                  ▼  │
//!                               abandoned ── complete(token) ─────────────► free
//! ```
//!
//! Dropping a future neither cancels nor frees the operation: nothing can. Its slot stays until the
//! completion has come, so that this is taken for what it is, quietly.
//!
//! Slots of tokens whose completion is to come are in chains, by a hash of the token: finding one
//! takes one step on average, and at most as many as there are slots. Worked example, four slots:
//! tokens 1, 4 and 7 hash to chains 1, 1 and 2. Chain 1 is slot 1 (token 4), slot 0 (token 1);
//! chain 2 is slot 2; slot 3 is free. The completion of token 1 unlinks slot 0 from behind slot 1.
//!
//! Invariants: every slot is on exactly one of the free chain and the chains of tokens, or is done
//! and belongs to a future; `free_count` is the length of the free chain. A future that exists owns
//! its slot, so the slot's index is enough to find it.
//!
//! A waker is the executor's code, and may call back into the table: while one is woken, cloned or
//! dropped here, every slot is in one of the states above.

use core::{
    cell::Cell,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use crate::{CompletionSink, Errno, IoCompletion, Slots, StorageIoError};

/// No slot.
const NIL: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Free,
    Waited,
    Abandoned,
    Done,
}

/// Memory for one token of a [`WakerTable`].
///
/// ```
/// use ringzero_core::{WakerSlot, WakerTable};
///
/// let _table = WakerTable::new([const { WakerSlot::new() }; 64]);
/// ```
pub struct WakerSlot {
    token: Cell<u64>,
    result: Cell<i32>,
    state: Cell<State>,
    /// Behind it on its chain.
    next: Cell<u32>,
    /// Of the chain that has this slot's number; which has nothing else to do with this slot.
    head: Cell<u32>,
    waker: Cell<Option<Waker>>,
}

impl WakerSlot {
    /// A free slot.
    pub const fn new() -> Self {
        Self {
            token: Cell::new(0),
            result: Cell::new(0),
            state: Cell::new(State::Free),
            next: Cell::new(NIL),
            head: Cell::new(NIL),
            waker: Cell::new(None),
        }
    }
}

impl Default for WakerSlot {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WakerSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("WakerSlot");
        fields.field("token", &self.token).field("state", &self.state).finish_non_exhaustive()
    }
}

/// Turns tokens into futures, without an allocation. See the module for its states.
///
/// For one thread: neither the table nor its futures are shared between threads. Storage is
/// `[WakerSlot; N]`, `&mut [WakerSlot]`, or (feature `alloc`) `Box<[WakerSlot]>`. As many slots as
/// the backend has operations (`Limits::operation_count`) are enough, if each token is waited for
/// once and no future is forgotten: a forgotten one keeps its slot.
///
/// ```
/// use core::{future::Future, pin::pin, task::{Context, Poll, Waker}};
/// use ringzero_core::{CompletionSink, IoCompletion, StorageIoError, WakerSlot, WakerTable};
///
/// let table = WakerTable::new([const { WakerSlot::new() }; 2]);
/// let mut context = Context::from_waker(Waker::noop());
///
/// let mut append = pin!(table.completion(7)?);
/// assert_eq!(append.as_mut().poll(&mut context), Poll::Pending);
/// // What a backend's `poll_completions(&mut &table)` does:
/// (&table).take(&[IoCompletion { token: 7, result: 100 }]);
/// let done = IoCompletion { token: 7, result: 100 };
/// assert_eq!(append.as_mut().poll(&mut context), Poll::Ready(done));
///
/// // A full table refuses; the operation goes on.
/// let (first, second) = (table.completion(8)?, table.completion(9)?);
/// assert_eq!(table.completion(10).err(), Some(StorageIoError::QueueFull));
/// drop(first);
/// assert_eq!(table.room(), 0, "its completion is still to come");
/// (&table).take(&[IoCompletion { token: 8, result: 0 }]);
/// assert_eq!((table.room(), table.unclaimed_count()), (1, 0));
/// # drop(second);
/// # Ok::<(), StorageIoError>(())
/// ```
pub struct WakerTable<S> {
    slots: S,
    /// Chains of tokens, a power of two, less one.
    chain_mask: u32,
    free: Cell<u32>,
    free_count: Cell<u32>,
    unclaimed_count: Cell<u64>,
}

impl<S: Slots<WakerSlot>> WakerTable<S> {
    /// A table in which nothing is waited for. What the slots held is forgotten; more than 2³¹ are
    /// not used.
    pub fn new(mut slots: S) -> Self {
        let count = u32::try_from(slots.as_slice().len()).unwrap_or(1 << 31).min(1 << 31);
        let mut free = NIL;
        for (index, slot) in (0..count).zip(slots.as_mut_slice()).rev() {
            *slot = WakerSlot::new();
            slot.next.set(free);
            free = index;
        }
        Self {
            slots,
            chain_mask: count.checked_ilog2().map_or(0, |shift| (1 << shift) - 1),
            free: Cell::new(free),
            free_count: Cell::new(count),
            unclaimed_count: Cell::new(0),
        }
    }

    /// How many tokens more can be waited for.
    #[inline]
    pub fn room(&self) -> usize {
        self.free_count.get() as usize
    }

    /// Completions that came, through the [`CompletionSink`], for tokens that nobody waited for,
    /// and were dropped for that. Not among them: those whose future was dropped.
    #[inline]
    pub fn unclaimed_count(&self) -> u64 {
        self.unclaimed_count.get()
    }

    /// The completion of `token`, which is to come: to be called before the poll that delivers it,
    /// so, as a rule, right after the submission. A token whose future was dropped before its
    /// completion came can be waited for again.
    ///
    /// # Errors
    /// `QueueFull`: no slot is free; the operation goes on, and this may be called again. A caller
    /// that must not come into that position asks for [`room`](WakerTable::room) before it submits.
    /// `Io(EEXIST)`: there is a future for the token already.
    pub fn completion(&self, token: u64) -> Result<Completion<'_, S>, StorageIoError> {
        if let Some((index, slot)) = self.find(token) {
            if slot.state.get() == State::Waited {
                return Err(StorageIoError::Io(Errno::EXIST));
            }
            slot.state.set(State::Waited);
            return Ok(Completion { table: self, place: Place::Slot(index) });
        }
        let index = self.free.get();
        let Some(slot) = self.slot(index) else { return Err(StorageIoError::QueueFull) };
        self.free.set(slot.next.get());
        self.free_count.set(self.free_count.get().wrapping_sub(1));
        slot.token.set(token);
        slot.state.set(State::Waited);
        if let Some(head) = self.head(token) {
            slot.next.set(head.replace(index));
        }
        Ok(Completion { table: self, place: Place::Slot(index) })
    }

    /// Takes a completion in, and wakes whoever waits for it.
    ///
    /// # Errors
    /// Nobody waits for its token, and nobody did: the completion is given back.
    ///
    /// ```
    /// use ringzero_core::{IoCompletion, StorageIoError, WakerSlot, WakerTable};
    ///
    /// let table = WakerTable::new([const { WakerSlot::new() }; 2]);
    /// let seven = table.completion(7)?;
    /// assert_eq!(table.complete(IoCompletion { token: 7, result: 0 }), Ok(()));
    /// let eight = IoCompletion { token: 8, result: 0 };
    /// assert_eq!(table.complete(eight), Err(eight), "nobody waits for it");
    /// # drop(seven);
    /// # Ok::<(), StorageIoError>(())
    /// ```
    pub fn complete(&self, completion: IoCompletion) -> Result<(), IoCompletion> {
        let Some((index, slot)) = self.find(completion.token) else { return Err(completion) };
        self.unlink(index, slot);
        if slot.state.get() == State::Abandoned {
            drop(self.release(index, slot));
            return Ok(());
        }
        slot.result.set(completion.result);
        slot.state.set(State::Done);
        if let Some(waker) = slot.waker.take() {
            waker.wake();
        }
        Ok(())
    }

    #[inline]
    fn slot(&self, index: u32) -> Option<&WakerSlot> {
        self.slots.as_slice().get(index as usize)
    }

    /// Where the chain of a token begins. There is one if there are slots.
    #[inline]
    fn head(&self, token: u64) -> Option<&Cell<u32>> {
        // Fibonacci hashing: the high half of a product with 2⁶⁴ divided by the golden ratio.
        let hash = (token.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32;
        self.slot(hash & self.chain_mask).map(|slot| &slot.head)
    }

    /// The slot of a token whose completion is to come.
    fn find(&self, token: u64) -> Option<(u32, &WakerSlot)> {
        let mut index = self.head(token)?.get();
        while let Some(slot) = self.slot(index) {
            if slot.token.get() == token {
                return Some((index, slot));
            }
            index = slot.next.get();
        }
        None
    }

    /// Takes a slot off the chain of its token.
    fn unlink(&self, index: u32, slot: &WakerSlot) {
        let Some(mut link) = self.head(slot.token.get()) else { return };
        while link.get() != index {
            let Some(before) = self.slot(link.get()) else { return };
            link = &before.next;
        }
        link.set(slot.next.get());
    }

    /// Gives back a slot that is on no chain. Its waker is to be dropped after that.
    fn release(&self, index: u32, slot: &WakerSlot) -> Option<Waker> {
        slot.state.set(State::Free);
        slot.next.set(self.free.replace(index));
        self.free_count.set(self.free_count.get().wrapping_add(1));
        slot.waker.take()
    }
}

impl<S> fmt::Debug for WakerTable<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("WakerTable");
        fields.field("room", &self.free_count).field("unclaimed", &self.unclaimed_count);
        fields.finish_non_exhaustive()
    }
}

/// Takes everything. Completions that nobody waits for are counted and dropped; whoever wants them
/// calls [`WakerTable::complete`] for each.
impl<S: Slots<WakerSlot>> CompletionSink for &WakerTable<S> {
    fn take(&mut self, batch: &[IoCompletion]) -> usize {
        for completion in batch {
            if self.complete(*completion).is_err() {
                self.unclaimed_count.set(self.unclaimed_count.get().wrapping_add(1));
            }
        }
        batch.len()
    }
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// In the table.
    Slot(u32),
    /// Taken out of it.
    Here(IoCompletion),
}

/// A future: the completion of one token. See [`WakerTable::completion`].
///
/// Polled again after it was ready, it says the same again.
///
/// ```
/// use ringzero_core::{StorageIoError, WakerSlot, WakerTable};
///
/// type Table = WakerTable<[WakerSlot; 8]>;
///
/// /// In an executor of one thread whose loop polls completions into `table`.
/// async fn written(table: &Table, token: u64) -> Result<u32, StorageIoError> {
///     let completion = table.completion(token)?.await;
///     completion.outcome().map_err(StorageIoError::Io)
/// }
/// # let _ = written;
/// ```
#[must_use = "futures do nothing unless polled"]
pub struct Completion<'a, S: Slots<WakerSlot>> {
    table: &'a WakerTable<S>,
    place: Place,
}

impl<S: Slots<WakerSlot>> Future for Completion<'_, S> {
    type Output = IoCompletion;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<IoCompletion> {
        let this = self.get_mut();
        let index = match this.place {
            Place::Here(completion) => return Poll::Ready(completion),
            Place::Slot(index) => index,
        };
        let Some(slot) = this.table.slot(index) else { return Poll::Pending };
        if slot.state.get() != State::Done {
            let before = slot.waker.take();
            let waker = match before {
                Some(same) if same.will_wake(context.waker()) => same,
                other => {
                    let waker = context.waker().clone();
                    drop(other);
                    waker
                }
            };
            slot.waker.set(Some(waker));
            // The completion may have come from the code of a waker.
            if slot.state.get() != State::Done {
                return Poll::Pending;
            }
        }
        let completion = IoCompletion { token: slot.token.get(), result: slot.result.get() };
        this.place = Place::Here(completion);
        drop(this.table.release(index, slot));
        Poll::Ready(completion)
    }
}

impl<S: Slots<WakerSlot>> Drop for Completion<'_, S> {
    fn drop(&mut self) {
        let Place::Slot(index) = self.place else { return };
        let Some(slot) = self.table.slot(index) else { return };
        drop(if slot.state.get() == State::Done {
            self.table.release(index, slot)
        } else {
            slot.state.set(State::Abandoned);
            slot.waker.take()
        });
    }
}

impl<S: Slots<WakerSlot>> fmt::Debug for Completion<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completion").field("place", &self.place).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
