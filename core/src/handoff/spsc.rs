//! [`SpscQueue`]: a bounded queue between two threads, one that pushes and one that pops.
//!
//! One [`Producer`] and one [`Consumer`] exist per queue, and their types keep it so: both are made
//! at once, from a queue that is given away for good, and neither can be cloned or shared.
//!
//! Positions count up and wrap at 2³²; the slot is the position modulo the capacity, a power of
//! two. `written − read` is the number of values. Worked example with capacity 4: written 1, read
//! 2³² − 2 → 3 values, in slots 2, 3, 0; room for one, in slot 1.
//!
//! Each side writes one position, on a cache line of its own, and remembers what it last saw of the
//! other's. It looks again only when by that memory the queue is full (or empty), so a side that
//! works through a backlog does not touch the other's line.
//!
//! What it is not: it never waits, and wakes nobody (`doorbell` is for that).
//!
//! # Safety
//! Invariants, kept by the two ends, each alone in writing its position:
//! - `read ≤ written ≤ read + capacity`, as distances that wrap.
//! - Slots of positions in `read..written` hold values, and only the consumer touches them. All
//!   others are the producer's.
//! - A slot changes hands only by a position published with release and seen with acquire.
//!
//! The queue lives where no end can outlive it and nobody can move it: behind `&'static`, or in an
//! `Arc` (feature `alloc`). Forgetting an end leaves everything as it is.
#![allow(unsafe_code)]

use core::{cell::Cell, marker::PhantomData, mem::MaybeUninit};

use super::{
    ordering::{
        FREE, LEAVE_CONSUMER, LEAVE_PRODUCER, PUBLISH, SEE_CONSUMER_LEFT, SEE_FREED,
        SEE_PRODUCER_LEFT, SEE_PUBLISHED,
    },
    sync::{AtomicU32, UnsafeCell},
};
use crate::Slots;

/// Memory for one value of a [`SpscQueue`].
///
/// ```
/// use ringzero_core::handoff::{SpscQueue, SpscSlot};
///
/// let queue = SpscQueue::new([SpscSlot::<u32>::new(), SpscSlot::new()]);
/// assert_eq!(queue.capacity(), 2);
/// ```
#[derive(Debug)]
pub struct SpscSlot<T>(UnsafeCell<MaybeUninit<T>>);

// SAFETY: a slot alone gives no access to its value; the ends of a queue do, one at a time, which
// moves the value from thread to thread.
unsafe impl<T: Send> Sync for SpscSlot<T> {}

impl<T> SpscSlot<T> {
    /// An empty slot.
    pub fn new() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }
}

impl<T> Default for SpscSlot<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// A cache line of its own: 128 bytes, because lines are that long on some processors and fetched
/// in pairs on others.
#[derive(Debug)]
#[repr(align(128))]
struct Side {
    /// Where this side is.
    position: AtomicU32,
    /// [`PRESENT`] or [`GONE`].
    presence: AtomicU32,
}

const PRESENT: u32 = 0;
const GONE: u32 = 1;

impl Side {
    fn new(position: u32) -> Self {
        Self { position: AtomicU32::new(position), presence: AtomicU32::new(PRESENT) }
    }
}

/// A queue that has not been given to its two threads yet: `split` it.
///
/// ```
/// use ringzero_core::handoff::{SpscQueue, SpscSlot};
///
/// let queue = SpscQueue::new([(); 5].map(|()| SpscSlot::<u32>::new()));
/// assert_eq!(queue.capacity(), 4, "a power of two");
/// ```
#[derive(Debug)]
pub struct SpscQueue<T, S> {
    /// The producer's: the position of the next value.
    written: Side,
    /// The consumer's: the position of the oldest value.
    read: Side,
    slots: S,
    capacity: u32,
    /// Where both positions begin.
    start: u32,
    value: PhantomData<SpscSlot<T>>,
}

impl<T: Copy, S: Slots<SpscSlot<T>>> SpscQueue<T, S> {
    /// An empty queue whose capacity is the largest power of two that fits `slots` (0 for none).
    pub fn new(slots: S) -> Self {
        Self::starting_at(slots, 0)
    }

    /// As [`SpscQueue::new`], with the positions starting anywhere (so that a test reaches the
    /// wrap).
    pub(crate) fn starting_at(slots: S, start: u32) -> Self {
        let slot_count = u32::try_from(slots.as_slice().len()).unwrap_or(u32::MAX);
        let capacity = slot_count.checked_ilog2().map_or(0, |shift| 1 << shift);
        let (written, read) = (Side::new(start), Side::new(start));
        Self { written, read, slots, capacity, start, value: PhantomData }
    }

    /// How many values fit.
    #[inline]
    pub const fn capacity(&self) -> u32 {
        self.capacity
    }

    #[inline]
    pub(super) fn slot(&self, position: u32) -> Option<&SpscSlot<T>> {
        let index = position & self.capacity.wrapping_sub(1);
        self.slots.as_slice().get(index as usize)
    }
}

impl<T: Copy, S: Slots<SpscSlot<T>>> SpscQueue<T, S> {
    /// The two ends of a queue that is lent for ever.
    ///
    /// A queue on the stack cannot be split, since an end could outlive it, or be forgotten:
    /// ```compile_fail,E0597
    /// use ringzero_core::handoff::{SpscQueue, SpscSlot};
    /// let mut queue = SpscQueue::new([SpscSlot::<u32>::new(), SpscSlot::new()]);
    /// let (producer, consumer) = queue.split();
    /// ```
    /// Nor can a queue be split twice:
    /// ```compile_fail,E0382
    /// use ringzero_core::handoff::{SpscQueue, SpscSlot};
    /// let queue = SpscQueue::new([SpscSlot::<u32>::new(), SpscSlot::new()]);
    /// let queue: &'static mut _ = Box::leak(Box::new(queue));
    /// let (producer, consumer) = queue.split();
    /// let (second, _) = queue.split();
    /// ```
    /// Nor is there a second producer:
    /// ```compile_fail,E0599
    /// # use ringzero_core::handoff::{SpscQueue, SpscSlot};
    /// # let queue = SpscQueue::new([SpscSlot::<u32>::new(), SpscSlot::new()]);
    /// # let queue: &'static mut _ = Box::leak(Box::new(queue));
    /// let (producer, consumer) = queue.split();
    /// let second = producer.clone();
    /// ```
    /// Split once it works:
    /// ```
    /// use ringzero_core::handoff::{SpscQueue, SpscSlot};
    /// let queue = SpscQueue::new([SpscSlot::<u32>::new(), SpscSlot::new()]);
    /// let queue: &'static mut _ = Box::leak(Box::new(queue));
    /// let (mut producer, mut consumer) = queue.split();
    /// assert_eq!(producer.push(7), Ok(()));
    /// assert_eq!(consumer.pop(), Some(7));
    /// ```
    pub fn split(&'static mut self) -> (Producer<&'static Self>, Consumer<&'static Self>) {
        ends(self)
    }
}

/// Where a queue may be while two threads use it: `&'static`, or (feature `alloc`) an `Arc`.
///
/// ```
/// use ringzero_core::handoff::{Producer, SharedQueue, SpscQueue, SpscSlot};
///
/// /// For a queue of `u32` wherever it is.
/// fn push_all<Q: SharedQueue<Value = u32>>(to: &mut Producer<Q>, values: &[u32]) -> usize {
///     values.iter().take_while(|value| to.push(**value).is_ok()).count()
/// }
/// /// How many values fit into the queue behind `place`.
/// fn capacity_of<Q: SharedQueue>(place: &Q) -> u32 {
///     place.queue().capacity()
/// }
///
/// let queue = SpscQueue::new([SpscSlot::new(), SpscSlot::new()]);
/// let (mut producer, _consumer) = Box::leak(Box::new(queue)).split();
/// assert_eq!(push_all(&mut producer, &[1, 2, 3]), 2);
/// # let _ = capacity_of::<&'static SpscQueue<u32, [SpscSlot<u32>; 2]>>;
/// ```
pub trait SharedQueue: sealed::Sealed {
    /// What is handed over.
    type Value: Copy;
    /// The storage of the queue.
    type Slots: Slots<SpscSlot<Self::Value>>;
    /// The queue.
    fn queue(&self) -> &SpscQueue<Self::Value, Self::Slots>;
}

pub(crate) mod sealed {
    /// Only the places this crate knows. The ends rest on every clone giving the same queue at
    /// every call, and on `Home` being exclusive: what is shared has not been shared before.
    pub trait Sealed: Clone {
        /// The queue before it is shared.
        type Home;
        /// Gives up the exclusive possession, for good.
        fn share(home: Self::Home) -> Self;
    }
}

impl<T, S> sealed::Sealed for &'static SpscQueue<T, S> {
    type Home = &'static mut SpscQueue<T, S>;

    fn share(home: Self::Home) -> Self {
        home
    }
}

impl<T: Copy, S: Slots<SpscSlot<T>>> SharedQueue for &'static SpscQueue<T, S> {
    type Value = T;
    type Slots = S;

    #[inline]
    fn queue(&self) -> &SpscQueue<T, S> {
        self
    }
}

/// The two ends of a queue.
pub(crate) fn ends<Q: SharedQueue>(home: Q::Home) -> (Producer<Q>, Consumer<Q>) {
    let queue = Q::share(home);
    let start = queue.queue().start;
    let same = queue.clone();
    let producer = Producer { queue: same, written: start, read: start, one_thread: PhantomData };
    let consumer = Consumer { queue, written: start, read: start, one_thread: PhantomData };
    (producer, consumer)
}

/// The end that pushes. Dropping it closes the queue; what is queued can still be popped.
///
/// ```
/// use ringzero_core::handoff::{SpscQueue, SpscSlot};
///
/// let queue = SpscQueue::new([SpscSlot::<u32>::new(), SpscSlot::new()]);
/// let (mut producer, consumer) = Box::leak(Box::new(queue)).split();
/// assert_eq!((producer.room(), producer.capacity()), (2, 2));
/// assert_eq!([1, 2, 3].map(|value| producer.push(value)), [Ok(()), Ok(()), Err(3)]);
/// drop(consumer);
/// assert!(producer.is_closed(), "nobody will pop them");
/// ```
#[derive(Debug)]
pub struct Producer<Q: SharedQueue> {
    queue: Q,
    /// Where the next value goes.
    written: u32,
    /// The consumer's position as last seen.
    read: u32,
    one_thread: PhantomData<Cell<()>>,
}

impl<Q: SharedQueue> Producer<Q> {
    /// Queues a value, visible to the other thread from now on, with all that this thread wrote
    /// before.
    ///
    /// # Errors
    /// The value, when the queue is full. A consumer that is gone is not noticed here: see
    /// [`Producer::is_closed`].
    #[inline]
    pub fn push(&mut self, value: Q::Value) -> Result<(), Q::Value> {
        if self.remembered_room() == 0 && self.room() == 0 {
            return Err(value);
        }
        let queue = self.queue.queue();
        let Some(slot) = queue.slot(self.written) else {
            return Err(value);
        };
        // SAFETY: the position is below `read + capacity`, so the slot is the producer's, and
        // there is one producer. `SEE_FREED` made the consumer's last read of it happen before.
        slot.0.with_mut(|value_slot| unsafe { value_slot.write(MaybeUninit::new(value)) });
        self.written = self.written.wrapping_add(1);
        queue.written.position.store(self.written, PUBLISH);
        Ok(())
    }

    /// How many values can be pushed at once, at least: the consumer may free more meanwhile.
    #[inline]
    pub fn room(&mut self) -> u32 {
        self.read = self.queue.queue().read.position.load(SEE_FREED);
        self.remembered_room()
    }

    #[inline]
    fn remembered_room(&self) -> u32 {
        self.queue.queue().capacity - self.written.wrapping_sub(self.read)
    }

    /// How many values fit in all.
    #[inline]
    pub fn capacity(&self) -> u32 {
        self.queue.queue().capacity
    }

    /// Whether the consumer was dropped: what is queued and what is pushed from now on is popped by
    /// nobody. What the consumer's thread did before is visible. Once true, it stays true.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.queue.queue().read.presence.load(SEE_CONSUMER_LEFT) == GONE
    }
}

impl<Q: SharedQueue> Drop for Producer<Q> {
    fn drop(&mut self) {
        self.queue.queue().written.presence.store(GONE, LEAVE_PRODUCER);
    }
}

/// The end that pops. Dropping it closes the queue; the producer may still push, to nobody.
///
/// ```
/// use ringzero_core::handoff::{SpscQueue, SpscSlot};
///
/// let queue = SpscQueue::new([SpscSlot::<u32>::new(), SpscSlot::new()]);
/// let (mut producer, mut consumer) = Box::leak(Box::new(queue)).split();
/// assert!(consumer.is_empty());
/// producer.push(1).expect("room");
/// assert_eq!((consumer.count(), consumer.capacity()), (1, 2));
/// drop(producer);
/// assert!(!consumer.is_closed(), "there is one to pop");
/// assert_eq!(consumer.pop(), Some(1));
/// assert!(consumer.is_closed());
/// ```
#[derive(Debug)]
pub struct Consumer<Q: SharedQueue> {
    queue: Q,
    /// The producer's position as last seen.
    written: u32,
    /// Where the oldest value is.
    read: u32,
    one_thread: PhantomData<Cell<()>>,
}

impl<Q: SharedQueue> Consumer<Q> {
    /// Takes the oldest value, if there is one, and sees all that the producer's thread wrote
    /// before it pushed it.
    #[inline]
    pub fn pop(&mut self) -> Option<Q::Value> {
        if self.remembered_count() == 0 && self.count() == 0 {
            return None;
        }
        let queue = self.queue.queue();
        let slot = queue.slot(self.read)?;
        // SAFETY: the position is below `written`, so the slot is the consumer's, and there is one
        // consumer. `SEE_PUBLISHED` made the producer's write of it happen before.
        let value = slot.0.with(|value_slot| unsafe { value_slot.read() });
        self.read = self.read.wrapping_add(1);
        queue.read.position.store(self.read, FREE);
        // SAFETY: every slot below `written` was filled by `push`; a `T` that is `Copy` may be read
        // from it.
        Some(unsafe { value.assume_init() })
    }

    /// How many values can be popped at once, at least: the producer may push more meanwhile.
    #[inline]
    pub fn count(&mut self) -> u32 {
        self.written = self.queue.queue().written.position.load(SEE_PUBLISHED);
        self.remembered_count()
    }

    /// Whether there is nothing to pop.
    #[inline]
    pub fn is_empty(&mut self) -> bool {
        self.count() == 0
    }

    #[inline]
    fn remembered_count(&self) -> u32 {
        self.written.wrapping_sub(self.read)
    }

    /// How many values fit in all.
    #[inline]
    pub fn capacity(&self) -> u32 {
        self.queue.queue().capacity
    }

    /// Whether the producer was dropped and everything it pushed has been popped: nothing will ever
    /// come again. Once true, it stays true.
    ///
    /// The producer's presence is looked at first and its position after that, so a value pushed
    /// just before the drop is never overlooked.
    #[inline]
    pub fn is_closed(&mut self) -> bool {
        self.queue.queue().written.presence.load(SEE_PRODUCER_LEFT) == GONE && self.is_empty()
    }
}

impl<Q: SharedQueue> Drop for Consumer<Q> {
    fn drop(&mut self) {
        self.queue.queue().read.presence.store(GONE, LEAVE_CONSUMER);
    }
}
