//! The queue equals a deque whatever is done to its ends, from any position; two threads get
//! everything once and in order; a thread that sleeps at a doorbell is woken. What depends on
//! memory ordering is not shown here but by the models (`tests/tests/loom_handoff`).
//!
//! Mutations of the structure, one at a time; each turned at least one test here red: push: never
//! full, believes that no room is left; room one more; pop: never empty, believes that nothing is
//! there, frees before it reads, frees nothing; closed with values left; an end that says nothing
//! when dropped; positions that stop at 2³² − 1; the mask is the capacity; ring: changes nothing,
//! never says to wake; arm or disarm does nothing.

use std::{boxed::Box, collections::VecDeque, sync::Arc, thread, vec::Vec};

use static_assertions::{assert_impl_all, assert_not_impl_any};

use super::{
    Consumer, Doorbell, Producer, SharedQueue, SpscQueue, SpscSlot,
    spsc::{ends, sealed::Sealed},
};
use crate::{
    Slots,
    exercise::{Step, depth, every_sequence, long_run},
};

/// Storage sized at run time; the tests run without the feature `alloc` too.
#[derive(Debug)]
struct Memory(Box<[SpscSlot<u16>]>);

impl crate::slots::sealed::Sealed for Memory {}

impl Slots<SpscSlot<u16>> for Memory {
    fn as_slice(&self) -> &[SpscSlot<u16>] {
        &self.0
    }

    fn as_mut_slice(&mut self) -> &mut [SpscSlot<u16>] {
        &mut self.0
    }
}

type Queue = SpscQueue<u16, Memory>;

/// As the `Arc` of the feature `alloc`, so that a million queues of a test leak nothing.
#[derive(Clone, Debug)]
struct Owned(Arc<Queue>);

impl Sealed for Owned {
    type Home = Queue;

    fn share(home: Queue) -> Self {
        Self(Arc::new(home))
    }
}

impl SharedQueue for Owned {
    type Value = u16;
    type Slots = Memory;

    fn queue(&self) -> &Queue {
        &self.0
    }
}

fn split(slot_count: u32, start: u32) -> (Producer<Owned>, Consumer<Owned>) {
    let slots = (0..slot_count).map(|_| SpscSlot::new()).collect();
    ends(Queue::starting_at(Memory(slots), start))
}

struct State {
    producer: Option<Producer<Owned>>,
    consumer: Option<Consumer<Owned>>,
    capacity: usize,
    model: VecDeque<u16>,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Push(u16),
    Pop,
    AskRoom,
    AskCount,
    DropProducer,
    DropConsumer,
}

impl State {
    fn new(slot_count: u32, capacity: usize, start: u32) -> Self {
        let (producer, consumer) = split(slot_count, start);
        assert_eq!(
            (producer.capacity() as usize, consumer.capacity() as usize),
            (capacity, capacity)
        );
        let (producer, consumer) = (Some(producer), Some(consumer));
        Self { producer, consumer, capacity, model: VecDeque::new() }
    }

    fn push(&mut self, value: u16) -> bool {
        let Some(producer) = &mut self.producer else { return false };
        if self.model.len() == self.capacity {
            assert_eq!(producer.push(value), Err(value), "a full queue gives the value back");
            return false;
        }
        assert_eq!(producer.push(value), Ok(()));
        self.model.push_back(value);
        true
    }

    fn pop(&mut self) -> bool {
        let Some(consumer) = &mut self.consumer else { return false };
        let popped = consumer.pop();
        assert_eq!(popped, self.model.pop_front());
        popped.is_some()
    }

    /// Asking changes what the ends remember, so it is an operation of its own.
    fn step(&mut self, operation: Operation) -> Step {
        let did = match operation {
            Operation::Push(value) => self.push(value),
            Operation::Pop => self.pop(),
            Operation::AskRoom => self.producer.as_mut().is_some_and(|producer| {
                assert_eq!(producer.room() as usize, self.capacity - self.model.len());
                true
            }),
            Operation::AskCount => self.consumer.as_mut().is_some_and(|consumer| {
                assert_eq!(consumer.count() as usize, self.model.len());
                assert_eq!(consumer.is_empty(), self.model.is_empty());
                let is_over = self.producer.is_none() && self.model.is_empty();
                assert_eq!(consumer.is_closed(), is_over);
                true
            }),
            Operation::DropProducer => self.producer.take().is_some(),
            Operation::DropConsumer => self.consumer.take().is_some(),
        };
        if let Some(producer) = &self.producer {
            assert_eq!(producer.is_closed(), self.consumer.is_none());
        }
        if did { Step::Changed } else { Step::Nothing }
    }
}

#[test]
fn every_short_sequence_on_up_to_five_slots_equals_a_deque() {
    let operations = [
        Operation::Push(1),
        Operation::Push(2),
        Operation::Pop,
        Operation::AskRoom,
        Operation::AskCount,
        Operation::DropProducer,
        Operation::DropConsumer,
    ];
    let mut run = 0;
    for (slot_count, capacity) in [(0, 0), (1, 1), (2, 2), (3, 2), (4, 4), (5, 4)] {
        for start in [0, u32::MAX - 1] {
            let new = || State::new(slot_count, capacity, start);
            run += every_sequence(&operations, depth(6), new, State::step);
        }
    }
    assert!(run > 10_000 || cfg!(miri), "{run} sequences");
}

#[test]
fn a_long_random_run_across_the_wrap_equals_a_deque() {
    for (slot_count, capacity) in [(1, 1), (2, 2), (64, 64), (100, 64)] {
        let mut state = State::new(slot_count, capacity, u32::MAX - 100);
        let (mut full, mut empty) = (0, 0);
        long_run("spsc", |random| {
            let value = random.next() as u16;
            state.step(match (random.adds(), random.below(8)) {
                (_, 0) => Operation::AskRoom,
                (_, 1) => Operation::AskCount,
                (true, _) => Operation::Push(value),
                (false, _) => Operation::Pop,
            });
            full += usize::from(state.model.len() == capacity);
            empty += usize::from(state.model.is_empty());
        });
        assert!(cfg!(miri) || full.min(empty) > 100, "{full} {empty}");
        drop(state.producer.take());
        let mut consumer = state.consumer.take().expect("nobody dropped it");
        let rest: Vec<u16> = core::iter::from_fn(|| consumer.pop()).collect();
        assert_eq!(state.model, rest, "what is queued outlives the producer");
        assert!(consumer.is_closed());
    }
}

#[test]
fn the_worked_example_of_the_header_is_true() {
    let (mut producer, mut consumer) = split(4, u32::MAX - 1);
    (0..3).for_each(|value| producer.push(value).expect("room"));
    assert_eq!((producer.room(), consumer.count()), (1, 3));
    let queue = Queue::new(Memory([(); 4].map(|()| SpscSlot::new()).into()));
    let address = |position| queue.slot(position).map(core::ptr::from_ref);
    let addresses = [u32::MAX - 1, u32::MAX, 0, 1].map(address);
    assert_eq!(addresses, [2, 3, 0, 1].map(address));
    assert!([0, 1, 2].iter().all(|&at| address(at) < address(at + 1)), "in order");
}

/// Values between the two threads; each crosses the wrap.
const COUNT: u32 = if cfg!(miri) { 300 } else { 50_000 };

#[test]
fn two_threads_hand_everything_over_once_and_in_order() {
    for slot_count in [1, 2, 64] {
        let (mut producer, mut consumer) = split(slot_count, u32::MAX - COUNT / 2);
        let pushing = thread::spawn(move || {
            for value in 0..COUNT {
                while producer.push(value as u16).is_err() {
                    thread::yield_now();
                }
            }
        });
        let mut popped = 0;
        while !consumer.is_closed() {
            match consumer.pop() {
                Some(value) => {
                    assert_eq!(value, popped as u16);
                    popped += 1;
                }
                None => thread::yield_now(),
            }
        }
        assert_eq!(popped, COUNT);
        pushing.join().expect("the producer's thread");
    }
}

#[test]
fn a_thread_that_sleeps_at_a_doorbell_is_woken_each_time() {
    let (mut producer, mut consumer) = split(4, 0);
    let doorbell = Arc::new(Doorbell::new());
    let sleepers = doorbell.clone();
    let sleeper = thread::spawn(move || {
        let mut popped = 0;
        while !consumer.is_closed() {
            if let Some(value) = consumer.pop() {
                assert_eq!(value, popped as u16);
                popped += 1;
                continue;
            }
            sleepers.arm();
            if consumer.is_empty() && !consumer.is_closed() {
                while sleepers.is_armed() {
                    thread::park();
                }
            }
            sleepers.disarm();
        }
        popped
    });
    let ring = || {
        if doorbell.ring() {
            sleeper.thread().unpark();
        }
    };
    for value in 0..COUNT / 8 {
        while producer.push(value as u16).is_err() {
            thread::yield_now();
        }
        ring();
    }
    drop(producer);
    ring();
    assert_eq!(sleeper.join().expect("the sleeper's thread"), COUNT / 8);
}

#[test]
fn a_ring_is_told_to_wake_once_per_arming() {
    let doorbell = Doorbell::default();
    assert!(!doorbell.is_armed() && !doorbell.ring(), "quiet at first");
    doorbell.arm();
    assert!(doorbell.is_armed());
    assert_eq!((doorbell.ring(), doorbell.is_armed(), doorbell.ring()), (true, false, false));
    doorbell.arm();
    doorbell.disarm();
    assert!(!doorbell.is_armed() && !doorbell.ring(), "nobody sleeps");
}

#[test]
fn a_queue_that_is_lent_for_ever_is_split_without_an_allocation() {
    let slots: &'static mut [SpscSlot<u8>] = Box::leak(Box::new([(); 3].map(|()| SpscSlot::new())));
    let queue = Box::leak(Box::new(SpscQueue::new(slots)));
    assert_eq!(queue.capacity(), 2);
    let (mut producer, mut consumer) = queue.split();
    assert_eq!([5, 6, 7].map(|value| producer.push(value)), [Ok(()), Ok(()), Err(7)]);
    drop(producer);
    assert!(!consumer.is_closed(), "two are left");
    assert_eq!([(); 3].map(|()| consumer.pop()), [Some(5), Some(6), None]);
    assert!(consumer.is_closed());
}

type Static<T> = &'static SpscQueue<T, &'static mut [SpscSlot<T>]>;

assert_impl_all!(Producer<Static<u8>>: Send);
assert_impl_all!(Consumer<Static<u8>>: Send);
assert_not_impl_any!(Producer<Static<u8>>: Sync, Clone, Copy);
assert_not_impl_any!(Consumer<Static<u8>>: Sync, Clone, Copy);
// What may not leave its thread is not handed over.
assert_not_impl_any!(Producer<Static<*const u8>>: Send);
assert_not_impl_any!(Consumer<Static<*const u8>>: Send);
assert_not_impl_any!(SpscSlot<*const u8>: Sync);
assert_impl_all!(Doorbell: Send, Sync);
