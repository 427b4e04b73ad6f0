//! Models of the doorbell, alone and with queues. A thread that parks and is not woken is a
//! deadlock, which loom reports.
//!
//! loom runs an unpark together with its ring, and lets it carry what the ringing thread did: more
//! than a platform promises. So what `is_armed` and `disarm` promise is shown by models that do not
//! park: there, a lost wake-up is a thread that yields for ever. And a thread that parks joins
//! nobody, because loom takes an unpark that comes late for the end of the join.

use std::sync::Arc;

use loom::{
    sync::atomic::{AtomicU32, Ordering},
    thread::{self, JoinHandle, Thread},
};

use crate::{
    buffer::Buffer,
    handoff::{
        Owned,
        doorbell::Doorbell,
        queue,
        spsc::{Consumer, Producer},
    },
};

/// The last position before the wrap.
const LAST: u32 = u32::MAX;

/// The next value; `None` when none will ever come. Sleeps meanwhile.
fn next<const N: usize>(consumer: &mut Consumer<Owned<N>>, doorbell: &Doorbell) -> Option<u32> {
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
                thread::park();
            }
        }
        doorbell.disarm();
    }
}

fn ring(doorbell: &Doorbell, sleeper: &Thread) {
    if doorbell.ring() {
        sleeper.unpark();
    }
}

/// Queues a value for which there is room, and rings.
fn hand_over<const N: usize>(
    producer: &mut Producer<Owned<N>>,
    value: u32,
    doorbell: &Doorbell,
    sleeper: &Thread,
) {
    producer.push(value).expect("room");
    ring(doorbell, sleeper);
}

/// A value and the end, each with a ring of its own.
pub(crate) fn a_sleeper_is_woken_by_a_value_and_by_the_end() {
    let (mut producer, mut consumer) = queue::<1>(LAST);
    let doorbell = Arc::new(Doorbell::new());
    let (ringers, sleeper) = (doorbell.clone(), thread::current());
    thread::spawn(move || {
        hand_over(&mut producer, 1, &ringers, &sleeper);
        drop(producer);
        ring(&ringers, &sleeper);
    });
    assert_eq!([(); 2].map(|()| next(&mut consumer, &doorbell)), [Some(1), None]);
}

/// Shutdown while something is queued and the sleeper knows of nothing: one ring for all.
pub(crate) fn a_batch_and_the_end_need_one_ring() {
    let (mut producer, mut consumer) = queue::<2>(LAST);
    let doorbell = Arc::new(Doorbell::new());
    let (ringers, sleeper) = (doorbell.clone(), thread::current());
    thread::spawn(move || {
        (1..=2).for_each(|value| producer.push(value).expect("room"));
        drop(producer);
        ring(&ringers, &sleeper);
    });
    assert_eq!([(); 3].map(|()| next(&mut consumer, &doorbell)), [Some(1), Some(2), None]);
}

/// A control: who does not look again after arming sleeps for ever in some execution.
pub(crate) fn a_sleeper_that_does_not_look_again() {
    let (mut producer, mut consumer) = queue::<1>(LAST);
    let doorbell = Arc::new(Doorbell::new());
    let (ringers, sleeper) = (doorbell.clone(), thread::current());
    thread::spawn(move || hand_over(&mut producer, 1, &ringers, &sleeper));
    while consumer.pop().is_none() {
        doorbell.arm();
        while doorbell.is_armed() {
            thread::park();
        }
    }
}

/// The two doorbells of a backend with a worker.
struct Doorbells {
    work: Doorbell,
    done: Doorbell,
}

/// A backend with a worker: a buffer goes out with a request and comes back with an outcome, and
/// each side sleeps until the other has something. Then the backend closes.
fn ping_pong(rounds: u32) {
    let (mut requests, mut inbox) = queue::<1>(LAST);
    let (mut outbox, mut outcomes) = queue::<1>(0);
    let doorbells = Arc::new(Doorbells { work: Doorbell::new(), done: Doorbell::new() });
    let buffer = Buffer::new(0);
    let (workers, waiter, workers_buffer) = (doorbells.clone(), thread::current(), buffer.clone());
    let worker = thread::spawn(move || {
        for round in 1..=rounds {
            assert_eq!(next(&mut inbox, &workers.work), Some(round));
            workers_buffer.write(10 * workers_buffer.read());
            hand_over(&mut outbox, round, &workers.done, &waiter);
        }
        assert_eq!(next(&mut inbox, &workers.work), None);
    });
    for round in 1..=rounds {
        buffer.write(round);
        hand_over(&mut requests, round, &doorbells.work, worker.thread());
        assert_eq!(next(&mut outcomes, &doorbells.done), Some(round));
        assert_eq!(buffer.read(), 10 * round);
    }
    drop(requests);
    ring(&doorbells.work, worker.thread());
}

/// One round.
pub(crate) fn a_backend_and_its_worker_wake_each_other() {
    ping_pong(1);
}

/// Two rounds: the buffer is rewritten, and each doorbell is armed after it was rung.
pub(crate) fn a_backend_and_its_worker_wake_each_other_again() {
    ping_pong(2);
}

/// Two threads ring for one sleeper, which waits for both. What each publishes is one relaxed
/// store, so only the doorbell makes it visible.
pub(crate) fn one_sleeper_is_woken_by_two() {
    let doorbell = Arc::new(Doorbell::new());
    let published = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
    for index in 0..2 {
        let (doorbell, published) = (doorbell.clone(), published.clone());
        let sleeper = thread::current();
        thread::spawn(move || {
            published[index].store(1, Ordering::Relaxed);
            ring(&doorbell, &sleeper);
        });
    }
    loop {
        doorbell.arm();
        if published.iter().all(|flag| flag.load(Ordering::Relaxed) == 1) {
            break;
        }
        while doorbell.is_armed() {
            thread::park();
        }
    }
}

/// Pushes one value and rings, in a thread of its own, which says what the ring said.
fn push_and_ring(mut producer: Producer<Owned<1>>, doorbell: &Arc<Doorbell>) -> JoinHandle<bool> {
    let doorbell = doorbell.clone();
    thread::spawn(move || {
        producer.push(1).expect("room");
        doorbell.ring()
    })
}

/// Looks again after arming, waits without parking while nobody rings, then has to find the value.
fn arm_and_find(consumer: &mut Consumer<Owned<1>>, doorbell: &Doorbell) {
    doorbell.arm();
    if consumer.pop().is_some() {
        return;
    }
    while doorbell.is_armed() {
        thread::yield_now();
    }
    assert!(consumer.pop().is_some(), "who was rung for sees the value");
}

pub(crate) fn who_was_rung_for_sees_what_was_published() {
    let (producer, mut consumer) = queue(LAST);
    let doorbell = Arc::new(Doorbell::new());
    let pushing = push_and_ring(producer, &doorbell);
    arm_and_find(&mut consumer, &doorbell);
    pushing.join().expect("the producer");
}

/// The sleeper gives up, without having looked, and then sleeps again.
pub(crate) fn who_gave_up_is_rung_for_the_next_time() {
    let (producer, mut consumer) = queue(LAST);
    let doorbell = Arc::new(Doorbell::new());
    let pushing = push_and_ring(producer, &doorbell);
    doorbell.arm();
    doorbell.disarm();
    arm_and_find(&mut consumer, &doorbell);
    pushing.join().expect("the producer");
}

/// The sleeper gives up, and finds what was published before a ring that was meant for it.
pub(crate) fn who_gives_up_sees_what_was_published() {
    let (producer, mut consumer) = queue(LAST);
    let doorbell = Arc::new(Doorbell::new());
    let pushing = push_and_ring(producer, &doorbell);
    doorbell.arm();
    doorbell.disarm();
    let popped = consumer.pop();
    let was_rung = pushing.join().expect("the producer");
    assert!(popped.is_some() || !was_rung, "who gives up sees the value");
}

/// Who is told to wake sees what the sleeper wrote before it armed, such as who it is.
pub(crate) fn who_wakes_sees_what_the_sleeper_did() {
    let doorbell = Arc::new(Doorbell::new());
    let name = Arc::new(AtomicU32::new(0));
    let (sleepers, sleepers_name) = (doorbell.clone(), name.clone());
    let sleeper = thread::spawn(move || {
        sleepers_name.store(1, Ordering::Relaxed);
        sleepers.arm();
    });
    if doorbell.ring() {
        assert_eq!(name.load(Ordering::Relaxed), 1, "who wakes sees the name");
    }
    sleeper.join().expect("the sleeper");
}
