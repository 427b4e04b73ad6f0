//! What the `alloc` feature adds to the handoff: a queue sized at run time, owned by its two ends
//! ([`BoxedQueue`]).

use alloc::{boxed::Box, sync::Arc};

use crate::{
    Slots,
    handoff::{
        Consumer, Producer, SharedQueue, SpscQueue, SpscSlot,
        spsc::{ends, sealed::Sealed},
    },
};

/// A queue between two threads, sized at run time and owned by its two ends:
/// `Producer<BoxedQueue<T>>` and `Consumer<BoxedQueue<T>>`.
///
/// ```
/// use ringzero_core::{
///     BoxedQueue,
///     handoff::{Consumer, SpscQueue},
/// };
///
/// let (mut producer, consumer) = SpscQueue::<u32, _>::boxed(8).split_owned();
/// producer.push(7).expect("room");
/// let other = std::thread::spawn(move || {
///     let mut consumer: Consumer<BoxedQueue<u32>> = consumer;
///     consumer.pop()
/// });
/// assert_eq!(other.join().expect("the thread ends"), Some(7));
/// ```
pub type BoxedQueue<T> = Arc<SpscQueue<T, Box<[SpscSlot<T>]>>>;

impl<T: Copy> SpscQueue<T, Box<[SpscSlot<T>]>> {
    /// A queue whose capacity is the largest power of two not above `slot_count`.
    ///
    /// ```
    /// use ringzero_core::handoff::SpscQueue;
    ///
    /// assert_eq!(SpscQueue::<u32, _>::boxed(9).capacity(), 8);
    /// ```
    pub fn boxed(slot_count: u32) -> Self {
        Self::new((0..slot_count).map(|_| SpscSlot::new()).collect())
    }
}

impl<T: Copy, S: Slots<SpscSlot<T>> + 'static> SpscQueue<T, S> {
    /// The two ends, which own the queue together: it is freed with the last of them.
    ///
    /// ```
    /// use ringzero_core::handoff::SpscQueue;
    ///
    /// let (mut producer, mut consumer) = SpscQueue::boxed(2).split_owned();
    /// assert_eq!(producer.push('a'), Ok(()));
    /// drop(producer);
    /// assert_eq!((consumer.pop(), consumer.is_closed()), (Some('a'), true));
    /// ```
    pub fn split_owned(self) -> (Producer<Arc<Self>>, Consumer<Arc<Self>>) {
        ends(self)
    }
}

impl<T, S> Sealed for Arc<SpscQueue<T, S>> {
    type Home = SpscQueue<T, S>;

    fn share(home: Self::Home) -> Self {
        Self::new(home)
    }
}

impl<T: Copy, S: Slots<SpscSlot<T>> + 'static> SharedQueue for Arc<SpscQueue<T, S>> {
    type Value = T;
    type Slots = S;

    #[inline]
    fn queue(&self) -> &SpscQueue<T, S> {
        self
    }
}
