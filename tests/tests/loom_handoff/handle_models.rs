//! Models of a sleeper in an event loop: it arms the doorbell, looks again, and sleeps on a handle,
//! which whoever rings makes readable.
//!
//! The protocol is that of the worker backend's `Waiter`; doorbell and queue are the true ones. A
//! poll of a handle promises nothing about what was published before the signal, so all that is the
//! handle's is relaxed here. Who waits for it yields: a lost wake-up is a model without an end.

use std::sync::Arc;

use loom::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
};

use crate::handoff::{
    Owned,
    doorbell::Doorbell,
    queue,
    spsc::{Consumer, Producer},
};

/// The last position before the wrap.
const LAST: u32 = u32::MAX;

/// One place to sleep at, with a handle or without.
struct Place {
    doorbell: Doorbell,
    /// Readable while it is not 0.
    signals: AtomicU32,
    is_on_handle: AtomicU32,
}

impl Place {
    fn new() -> Arc<Self> {
        let [signals, is_on_handle] = [0; 2].map(AtomicU32::new);
        Arc::new(Self { doorbell: Doorbell::new(), signals, is_on_handle })
    }

    fn drain(&self) -> u32 {
        self.signals.swap(0, Relaxed)
    }

    fn arm(&self) {
        self.is_on_handle.store(1, Relaxed);
        self.doorbell.arm();
    }

    fn sleep(&self) {
        while self.signals.load(Relaxed) == 0 {
            thread::yield_now();
        }
    }

    /// Publishes a value and rings.
    fn hand_over<const N: usize>(&self, producer: &mut Producer<Owned<N>>, value: u32) {
        producer.push(value).expect("room");
        if self.doorbell.ring() && self.is_on_handle.load(Relaxed) == 1 {
            self.signals.fetch_add(1, Relaxed);
        }
    }
}

/// What a loop did until it had a value.
#[derive(Default)]
struct Tally {
    armings: u32,
    signals: u32,
}

/// The next value. Sleeps on the handle meanwhile.
fn next<const N: usize>(
    consumer: &mut Consumer<Owned<N>>,
    place: &Place,
    tally: &mut Tally,
) -> u32 {
    loop {
        if let Some(value) = consumer.pop() {
            return value;
        }
        tally.signals += place.drain();
        tally.armings += 1;
        place.arm();
        if consumer.is_empty() {
            place.sleep();
        }
        place.doorbell.disarm();
    }
}

/// Two values, each with a ring of its own: both arrive, and no arming is signalled twice.
pub(crate) fn a_loop_is_signalled_once_for_an_arming() {
    let (mut producer, mut consumer) = queue::<2>(LAST);
    let place = Place::new();
    let ringers = place.clone();
    let pushing = thread::spawn(move || {
        ringers.hand_over(&mut producer, 1);
        ringers.hand_over(&mut producer, 2);
    });
    let mut tally = Tally::default();
    assert_eq!([(); 2].map(|()| next(&mut consumer, &place, &mut tally)), [1, 2]);
    pushing.join().expect("the producer");
    tally.signals += place.drain();
    assert!(tally.signals <= tally.armings, "an arming signals once");
}

/// The sleeper slept elsewhere first, until its time was up, and sleeps on the handle then.
pub(crate) fn a_sleeper_that_moves_to_a_handle_is_woken_there() {
    let (mut producer, mut consumer) = queue::<1>(LAST);
    let place = Place::new();
    let ringers = place.clone();
    let pushing = thread::spawn(move || ringers.hand_over(&mut producer, 1));
    place.doorbell.arm();
    place.doorbell.disarm();
    assert_eq!(next(&mut consumer, &place, &mut Tally::default()), 1);
    pushing.join().expect("the producer");
}

/// A control: who drains the handle after arming takes the signal that was meant to wake it.
pub(crate) fn a_loop_that_drains_after_arming() {
    let (mut producer, mut consumer) = queue::<1>(LAST);
    let place = Place::new();
    let ringers = place.clone();
    thread::spawn(move || ringers.hand_over(&mut producer, 1));
    while consumer.pop().is_none() {
        place.arm();
        if consumer.is_empty() {
            place.drain();
            place.sleep();
        }
    }
}
