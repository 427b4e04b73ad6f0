//! Models of the queue alone. Who finds it full or empty yields and tries again.

use loom::thread;

use crate::{
    buffer::Buffer,
    handoff::{
        Owned, queue,
        spsc::{Consumer, Producer},
    },
};

/// The last position before the wrap.
const LAST: u32 = u32::MAX;

fn push<const N: usize>(producer: &mut Producer<Owned<N>>, value: u32) {
    while producer.push(value).is_err() {
        thread::yield_now();
    }
}

fn pop<const N: usize>(consumer: &mut Consumer<Owned<N>>) -> u32 {
    loop {
        if let Some(value) = consumer.pop() {
            return value;
        }
        thread::yield_now();
    }
}

/// Three values through two slots, across the wrap of the positions.
pub(crate) fn everything_arrives_once_and_in_order() {
    let (mut producer, mut consumer) = queue::<2>(LAST);
    let pushing = thread::spawn(move || (1..=3).for_each(|value| push(&mut producer, value)));
    let popped = [(); 3].map(|()| pop(&mut consumer));
    assert_eq!(popped, [1, 2, 3]);
    assert_eq!(consumer.pop(), None);
    pushing.join().expect("the producer");
}

/// One slot: every push needs the pop before it.
pub(crate) fn a_slot_is_not_written_before_it_has_been_read() {
    let (mut producer, mut consumer) = queue::<1>(LAST);
    let pushing = thread::spawn(move || (1..=3).for_each(|value| push(&mut producer, value)));
    assert_eq!([(); 3].map(|()| pop(&mut consumer)), [1, 2, 3]);
    pushing.join().expect("the producer");
}

/// A buffer goes out with a request, comes back with an outcome, and is written again.
pub(crate) fn a_buffer_goes_out_and_comes_back() {
    let (mut requests, mut inbox) = queue::<1>(LAST);
    let (mut outbox, mut outcomes) = queue::<1>(0);
    let buffer = Buffer::new(0);
    let workers = buffer.clone();
    let worker = thread::spawn(move || {
        for round in 1..=2 {
            assert_eq!(pop(&mut inbox), round);
            assert_eq!(workers.read(), round);
            workers.write(10 * round);
            push(&mut outbox, round);
        }
    });
    for round in 1..=2 {
        buffer.write(round);
        push(&mut requests, round);
        assert_eq!(pop(&mut outcomes), round);
        assert_eq!(buffer.read(), 10 * round);
    }
    worker.join().expect("the worker");
}

/// Nobody waits: a full queue refuses, an empty one gives nothing, and what either side was told
/// of room and count holds.
pub(crate) fn full_and_empty_are_told_across_the_wrap() {
    let (mut producer, mut consumer) = queue::<2>(LAST);
    let pushing = thread::spawn(move || {
        let mut accepted = vec![];
        for value in 1..=2 {
            producer.push(value).expect("nothing was pushed before");
            accepted.push(value);
        }
        let has_room = producer.room() > 0;
        match producer.push(3) {
            Ok(()) => accepted.push(3),
            Err(value) => assert_eq!((value, has_room), (3, false), "given back, and only if full"),
        }
        accepted
    });
    let mut popped = vec![];
    for _ in 0..2 {
        let count = consumer.count();
        assert!(count <= 2);
        match consumer.pop() {
            Some(value) => popped.push(value),
            None => assert_eq!(count, 0),
        }
    }
    let accepted = pushing.join().expect("the producer");
    popped.extend(std::iter::from_fn(|| consumer.pop()));
    assert_eq!(popped, accepted);
    assert!(consumer.is_closed());
}

/// The producer leaves with two values queued.
pub(crate) fn what_is_queued_outlives_the_producer() {
    let (mut producer, mut consumer) = queue::<2>(LAST);
    let pushing = thread::spawn(move || (1..=2).for_each(|value| push(&mut producer, value)));
    let mut popped = vec![];
    while !consumer.is_closed() {
        match consumer.pop() {
            Some(value) => popped.push(value),
            None => thread::yield_now(),
        }
    }
    assert_eq!(popped, [1, 2], "closed means that nothing is left");
    pushing.join().expect("the producer");
}

/// The consumer takes one of the values and leaves; the producer pushes on until it notices, and
/// then has the consumer's buffer for itself.
pub(crate) fn a_consumer_that_left_has_let_go() {
    let (mut producer, mut consumer) = queue::<1>(LAST);
    let buffer = Buffer::new(7);
    let consumers = buffer.clone();
    let popping = thread::spawn(move || {
        let popped = consumer.pop();
        assert_eq!(consumers.read(), 7);
        drop(consumer);
        popped
    });
    let mut accepted = 0;
    for value in 1..=2 {
        accepted += u32::from(producer.push(value).is_ok());
    }
    while !producer.is_closed() {
        thread::yield_now();
    }
    buffer.write(8);
    let room = producer.room();
    let popped = popping.join().expect("the consumer");
    assert!(popped.is_none_or(|value| value == 1));
    assert_eq!(room, 1 + u32::from(popped.is_some()) - accepted);
}
