//! The source files of the handoff, the very same ones, over an atomic and a cell that loom
//! watches; and a place for a queue.

use std::sync::Arc;

use self::spsc::{Consumer, Producer, SharedQueue, SpscQueue, SpscSlot, ends, sealed::Sealed};

#[path = "../../../core/src/handoff/doorbell.rs"]
#[allow(dead_code, unreachable_pub, reason = "public in the crate it is from")]
pub(crate) mod doorbell;
#[path = "../../../core/src/handoff/spsc.rs"]
#[allow(dead_code, unreachable_pub, reason = "public in the crate it is from")]
pub(crate) mod spsc;

#[path = "../../../core/src/handoff/ordering.rs"]
mod true_ordering;

/// The orderings as the source files name them. They keep their names, so that one of them can be
/// weakened while the others stay what they are.
pub(crate) mod ordering {
    use super::true_ordering;
    use crate::weakening::Named;

    macro_rules! named {
        ($($name:ident)*) => {
            $(pub(crate) const $name: Named = Named::new(stringify!($name), true_ordering::$name);)*
            /// All of them.
            pub(crate) const ALL: &[Named] = &[$($name),*];
        };
    }
    named!(
        PUBLISH SEE_PUBLISHED FREE SEE_FREED
        LEAVE_PRODUCER SEE_PRODUCER_LEFT LEAVE_CONSUMER SEE_CONSUMER_LEFT
        ARM RING SEE_RING DISARM
    );
}

/// The atomic and the cell as the source files name them.
mod sync {
    pub(super) use loom::cell::UnsafeCell;
    use loom::sync::atomic::{AtomicU32 as Watched, Ordering};

    use crate::weakening::Named;

    /// An atomic to which orderings come with their names.
    #[derive(Debug)]
    pub(super) struct AtomicU32(Watched);

    impl AtomicU32 {
        pub(super) fn new(value: u32) -> Self {
            Self(Watched::new(value))
        }

        pub(super) fn load(&self, order: Named) -> u32 {
            self.0.load(order.effective())
        }

        pub(super) fn store(&self, value: u32, order: Named) {
            // When an execution has failed, ends are dropped outside of it.
            if !std::thread::panicking() {
                self.0.store(value, order.effective());
            }
        }

        pub(super) fn swap(&self, value: u32, order: Named) -> u32 {
            if !order.is_torn() {
                return self.0.swap(value, order.effective());
            }
            let before = self.0.load(Ordering::Acquire);
            self.0.store(value, Ordering::Release);
            before
        }
    }
}

type Queue<const N: usize> = SpscQueue<u32, [SpscSlot<u32>; N]>;

/// Where a model's queue is: an `Arc` of which loom knows nothing, so that it adds no ordering of
/// its own to what the ends do.
#[derive(Clone, Debug)]
pub(crate) struct Owned<const N: usize>(Arc<Queue<N>>);

impl<const N: usize> Sealed for Owned<N> {
    type Home = Queue<N>;

    fn share(home: Queue<N>) -> Self {
        Self(Arc::new(home))
    }
}

impl<const N: usize> SharedQueue for Owned<N> {
    type Value = u32;
    type Slots = [SpscSlot<u32>; N];

    fn queue(&self) -> &Queue<N> {
        &self.0
    }
}

/// The ends of a queue of `N` slots whose positions begin at `start`.
pub(crate) fn queue<const N: usize>(start: u32) -> (Producer<Owned<N>>, Consumer<Owned<N>>) {
    ends(SpscQueue::starting_at(std::array::from_fn(|_| SpscSlot::new()), start))
}
