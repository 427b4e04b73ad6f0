//! A queue between two threads in static memory, once with its slots inline and once over a slice;
//! and every function of it and of the doorbell, for the two proofs.

use core::{hint::black_box, mem::MaybeUninit};

use ringzero_core::handoff::{Consumer, Doorbell, Producer, SharedQueue, SpscQueue, SpscSlot};

use crate::embedded::once::Once;

const SLOTS: usize = 5;

type Slots = [SpscSlot<u32>; SLOTS];
type InlineQueue = SpscQueue<u32, Slots>;
type SliceQueue = SpscQueue<u32, &'static mut [SpscSlot<u32>]>;

fn slots() -> Slots {
    [(); SLOTS].map(|()| SpscSlot::new())
}

/// `None` at the second call.
fn inline_queue() -> Option<&'static mut InlineQueue> {
    static QUEUE: Once<MaybeUninit<InlineQueue>> = Once::new(MaybeUninit::uninit());
    Some(QUEUE.take()?.write(SpscQueue::new(slots())))
}

/// `None` at the second call.
fn slice_queue() -> Option<&'static mut SliceQueue> {
    static MEMORY: Once<MaybeUninit<Slots>> = Once::new(MaybeUninit::uninit());
    static QUEUE: Once<MaybeUninit<SliceQueue>> = Once::new(MaybeUninit::uninit());
    let slots: &'static mut [SpscSlot<u32>] = MEMORY.take()?.write(slots());
    Some(QUEUE.take()?.write(SpscQueue::new(black_box(slots))))
}

/// Whether five slots take four values, give them back in order, and say when they are done.
pub fn works() -> bool {
    let Some((mut producer, mut consumer)) = inline_queue().map(SpscQueue::split) else {
        return false;
    };
    let doorbell = Doorbell::new();
    doorbell.arm();
    let pushed = [1, 2, 3, 4, 5].map(|value| producer.push(value));
    let woken = [doorbell.ring(), doorbell.ring()];
    drop(producer);
    let is_early = consumer.is_closed();
    let popped = [(); 5].map(|()| consumer.pop());
    pushed == [Ok(()), Ok(()), Ok(()), Ok(()), Err(5)]
        && woken == [true, false]
        && popped == [Some(1), Some(2), Some(3), Some(4), None]
        && !is_early
        && consumer.is_closed()
}

/// Every function, with inputs about which the compiler knows nothing.
pub fn exercise() {
    if let Some(queue) = inline_queue() {
        black_box(queue.capacity());
        ends(black_box(queue).split());
    }
    if let Some(queue) = slice_queue() {
        black_box(queue.capacity());
        ends(black_box(queue).split());
    }
    black_box(SpscSlot::<u32>::default());
    let doorbell = Doorbell::default();
    black_box(&doorbell).arm();
    black_box(black_box(&doorbell).is_armed());
    black_box(black_box(&doorbell).ring());
    black_box(&doorbell).disarm();
}

fn ends<Q: SharedQueue<Value = u32>>((mut producer, mut consumer): (Producer<Q>, Consumer<Q>)) {
    black_box(black_box(&mut producer).capacity());
    black_box(black_box(&mut producer).room());
    let _ = black_box(black_box(&mut producer).push(black_box(1)));
    let _ = black_box(black_box(&mut producer).push(black_box(2)));
    black_box(black_box(&mut producer).is_closed());
    black_box(black_box(&mut consumer).capacity());
    black_box(black_box(&mut consumer).count());
    black_box(black_box(&mut consumer).is_empty());
    black_box(black_box(&mut consumer).pop());
    black_box(black_box(&mut consumer).pop());
    black_box(black_box(&mut consumer).is_closed());
    drop(black_box(producer));
    drop(black_box(consumer));
}
