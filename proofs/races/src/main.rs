//! Two threads over ringzero's handoff, to be watched by the thread sanitizer.
//!
//! Only atomics of the handoff order what the threads do: who waits spins and yields, nothing is
//! locked and nobody parks. The standard library itself is not watched, and the sanitizer does not
//! understand the fence with which an `Arc` is freed, so what is shared here is leaked.
//!
//! With any argument one thread writes a buffer after it has given it away: the control, which the
//! sanitizer must report.

mod buffers;

use std::thread;

use ringzero_core::handoff::{Consumer, Doorbell, Producer, SpscQueue, SpscSlot};

use buffers::Buffers;

/// Values per queue of [`stream`], and rounds of [`ping_pong`].
const COUNT: u64 = 50_000;
/// Buffers of [`ping_pong`].
const BUFFERS: u32 = 3;

/// Whether everybody keeps to the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manners {
    Good,
    WritesWhatItGaveAway,
}

fn main() {
    let manners = match std::env::args().nth(1) {
        None => Manners::Good,
        Some(_) => Manners::WritesWhatItGaveAway,
    };
    for slot_count in [1, 2, 64] {
        stream(slot_count);
    }
    let served = ping_pong(manners);
    let left = leaving();
    println!("{} values, {served} buffers both ways, {left} consumers that left", 3 * COUNT);
}

type Queue<T> = &'static SpscQueue<T, Box<[SpscSlot<T>]>>;

fn leak<T>(value: T) -> &'static mut T {
    Box::leak(Box::new(value))
}

fn queue<T: Copy>(slot_count: u32) -> (Producer<Queue<T>>, Consumer<Queue<T>>) {
    leak(SpscQueue::boxed(slot_count)).split()
}

fn push<T: Copy>(producer: &mut Producer<Queue<T>>, value: T) {
    while producer.push(value).is_err() {
        thread::yield_now();
    }
}

/// Sleeps at a doorbell, as far as a thread can that does not park.
fn pop<T: Copy>(consumer: &mut Consumer<Queue<T>>, doorbell: &Doorbell) -> Option<T> {
    loop {
        if let Some(value) = consumer.pop() {
            return Some(value);
        }
        doorbell.arm();
        if consumer.is_closed() {
            return None;
        }
        if consumer.is_empty() {
            while doorbell.is_armed() {
                thread::yield_now();
            }
        }
        doorbell.disarm();
    }
}

/// Values of several words, in order, until the producer leaves.
fn stream(slot_count: u32) {
    let (mut producer, mut consumer) = queue(slot_count);
    let pushing = thread::spawn(move || {
        for value in 0..COUNT {
            push(&mut producer, [value; 4]);
        }
    });
    let mut expected = 0;
    while !consumer.is_closed() {
        match consumer.pop() {
            Some(value) => {
                assert_eq!(value, [expected; 4]);
                expected += 1;
            }
            None => thread::yield_now(),
        }
    }
    assert_eq!(expected, COUNT);
    pushing.join().expect("the producer");
}

/// Buffers go out with requests, are rewritten by a worker, come back, and are used again.
fn ping_pong(manners: Manners) -> u64 {
    let (mut requests, mut inbox) = queue(BUFFERS + 1);
    let (mut outbox, mut outcomes) = queue(BUFFERS + 1);
    let [work, done] = leak([Doorbell::new(), Doorbell::new()]) as &_;
    let buffers: &'static Buffers = leak(Buffers::new(BUFFERS));
    let worker = thread::spawn(move || {
        let mut served = 0;
        while let Some(index) = pop(&mut inbox, work) {
            buffers.fill(index, buffers.content(index) + 1);
            push(&mut outbox, index);
            let _ = done.ring();
            served += 1;
        }
        served
    });
    for round in 0..COUNT {
        for index in 0..BUFFERS {
            buffers.fill(index, round);
            push(&mut requests, index);
            let _ = work.ring();
        }
        if manners == Manners::WritesWhatItGaveAway && round == COUNT / 2 {
            buffers.fill(0, round);
        }
        for _ in 0..BUFFERS {
            let index = pop(&mut outcomes, done).expect("the worker is there");
            assert!(manners != Manners::Good || buffers.content(index) == round + 1);
        }
    }
    drop(requests);
    let _ = work.ring();
    worker.join().expect("the worker")
}

/// A consumer takes some and leaves; then its buffer is the producer's.
fn leaving() -> u64 {
    let mut left = 0;
    for round in 0..1_000 {
        let (mut producer, mut consumer) = queue(4);
        let buffers: &'static Buffers = leak(Buffers::new(1));
        let popping = thread::spawn(move || {
            for _ in 0..round % 4 {
                let _ = consumer.pop();
            }
            buffers.fill(0, buffers.content(0) + 1);
            drop(consumer);
        });
        while !producer.is_closed() {
            let _ = producer.push(0);
            thread::yield_now();
        }
        left += buffers.content(0);
        popping.join().expect("the consumer");
    }
    left
}
