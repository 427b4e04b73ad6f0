//! The table against a model, by random calls; and what single calls promise.
//!
//! # Mutations
//! | edit | red |
//! |---|---|
//! | `complete` wakes nobody | `the_table_does_what_its_model_does`, `the_last_waker_is_woken` |
//! | `complete` leaves the slot on its chain | a chain becomes a ring: the tests do not end |
//! | a dropped future that is done keeps its slot | the model, `what_is_done_and_never_polled_..` |
//! | `unlink` takes the whole chain | the model |
//! | `poll` keeps the first waker | `the_last_waker_is_woken`, `a_waker_may_complete_..` |
//! | `poll` does not look again after it set the waker | `a_waker_may_complete_..` |
//! | the sink takes one completion less | the model, `a_table_without_slots_..` |
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use core::sync::atomic::AtomicU32;
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    task::Wake,
    vec::Vec,
};

use proptest::prelude::*;
use static_assertions::{assert_impl_all, assert_not_impl_any};

use super::*;

type Inline<const N: usize> = WakerTable<[WakerSlot; N]>;

assert_impl_all!(Inline<2>: Send);
assert_not_impl_any!(Inline<2>: Sync);
assert_not_impl_any!(Completion<'static, [WakerSlot; 2]>: Send, Sync);

fn table<const N: usize>() -> Inline<N> {
    WakerTable::new([const { WakerSlot::new() }; N])
}

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicU32);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Count {
    fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

fn poll<S: Slots<WakerSlot>>(
    future: &mut Completion<'_, S>,
    count: &Arc<Count>,
) -> Option<IoCompletion> {
    let waker = Waker::from(Arc::clone(count));
    match Pin::new(future).poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(completion) => Some(completion),
        Poll::Pending => None,
    }
}

#[derive(Clone, Copy, Debug)]
enum Call {
    Register(u64),
    Complete(u64),
    Poll(u64),
    Drop(u64),
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let call = (0..12_u64, 0..4).prop_map(|(token, kind)| match kind {
        0 => Call::Register(token),
        1 => Call::Complete(token),
        2 => Call::Poll(token),
        _ => Call::Drop(token),
    });
    proptest::collection::vec(call, 0..200)
}

/// What is known of a token that has a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Waited {
        is_polled: bool,
    },
    Abandoned,
    Done(i32),
    /// Its future has said so, and has no slot any more.
    Said(i32),
}

/// The table beside its model.
struct Pair<'a, S: Slots<WakerSlot>> {
    table: &'a WakerTable<S>,
    futures: BTreeMap<u64, (Completion<'a, S>, Arc<Count>)>,
    known: BTreeMap<u64, Known>,
    unclaimed: u64,
    capacity: usize,
}

impl<S: Slots<WakerSlot>> Pair<'_, S> {
    fn room(&self) -> usize {
        let takes_slot = |known: &&Known| !matches!(known, Known::Said(_));
        self.capacity - self.known.values().filter(takes_slot).count()
    }

    fn call(&mut self, call: Call, result: i32) {
        match call {
            Call::Register(token) => self.register(token),
            Call::Complete(token) => self.complete(token, result),
            Call::Poll(token) => self.poll(token),
            Call::Drop(token) => {
                if self.futures.remove(&token).is_none() {
                    return;
                }
                match self.known[&token] {
                    Known::Waited { .. } => _ = self.known.insert(token, Known::Abandoned),
                    _ => _ = self.known.remove(&token),
                }
            }
        }
        assert_eq!(self.table.room(), self.room());
        assert_eq!(self.table.unclaimed_count(), self.unclaimed);
    }

    fn register(&mut self, token: u64) {
        let room = self.room();
        let expected = match self.known.get(&token) {
            Some(Known::Waited { .. }) => Err(StorageIoError::Io(Errno::EXIST)),
            Some(Known::Abandoned) => Ok(()),
            // A token is given out once: what is done is not waited for again.
            Some(Known::Done(_) | Known::Said(_)) => return,
            None if room == 0 => Err(StorageIoError::QueueFull),
            None => Ok(()),
        };
        let answer = self.table.completion(token);
        assert_eq!(answer.as_ref().map(|_| ()).map_err(|error| *error), expected);
        if let Ok(future) = answer {
            self.futures.insert(token, (future, Arc::default()));
            self.known.insert(token, Known::Waited { is_polled: false });
        }
    }

    fn complete(&mut self, token: u64, result: i32) {
        let mut sink = self.table;
        assert_eq!(sink.take(&[IoCompletion { token, result }]), 1);
        match self.known.get(&token) {
            Some(Known::Waited { is_polled }) => {
                assert_eq!(self.futures[&token].1.get(), u32::from(*is_polled), "woken once");
                self.known.insert(token, Known::Done(result));
            }
            Some(Known::Abandoned) => _ = self.known.remove(&token),
            Some(Known::Done(_) | Known::Said(_)) | None => self.unclaimed += 1,
        }
    }

    fn poll(&mut self, token: u64) {
        let Some((future, count)) = self.futures.get_mut(&token) else { return };
        let said = poll(future, count);
        let expected = match self.known[&token] {
            Known::Done(result) | Known::Said(result) => {
                self.known.insert(token, Known::Said(result));
                Some(IoCompletion { token, result })
            }
            _ => {
                self.known.insert(token, Known::Waited { is_polled: true });
                None
            }
        };
        assert_eq!(said, expected);
    }
}

fn play<S: Slots<WakerSlot>>(slots: S, calls: &[Call]) {
    let capacity = slots.as_slice().len();
    let table = WakerTable::new(slots);
    let (futures, known) = (BTreeMap::new(), BTreeMap::new());
    let mut pair = Pair { table: &table, futures, known, unclaimed: 0, capacity };
    for (call, result) in calls.iter().zip(0..) {
        pair.call(*call, result);
    }
}

proptest! {
    #[test]
    fn the_table_does_what_its_model_does(calls in calls()) {
        play([const { WakerSlot::new() }; 1], &calls);
        play([const { WakerSlot::new() }; 5], &calls);
        play([const { WakerSlot::new() }; 8], &calls);
        let slots: &mut [WakerSlot] = &mut [const { WakerSlot::new() }; 3];
        play(slots, &calls);
    }
}

#[test]
fn the_worked_example_of_the_header_is_true() {
    let table = table::<4>();
    let chain = |token: u64| {
        let head = core::ptr::from_ref(table.head(token).unwrap());
        (0..4).find(|index| core::ptr::eq(head, &table.slots[*index].head)).unwrap()
    };
    assert_eq!([1, 4, 7].map(chain), [1, 1, 2]);
    let futures = [1, 4, 7].map(|token| table.completion(token).unwrap());
    assert_eq!((table.slots[1].head.get(), table.slots[1].next.get()), (1, 0));
    assert_eq!((table.slots[2].head.get(), table.free.get()), (2, 3));
    table.complete(IoCompletion { token: 1, result: 0 }).unwrap();
    assert_eq!((table.slots[1].head.get(), table.slots[1].next.get()), (1, NIL));
    drop(futures);
}

#[test]
fn a_table_without_slots_refuses_and_counts() {
    let slots: &mut [WakerSlot] = &mut [];
    let table = WakerTable::new(slots);
    assert_eq!(table.completion(1).err(), Some(StorageIoError::QueueFull));
    let completion = IoCompletion { token: 1, result: 5 };
    assert_eq!(table.complete(completion), Err(completion), "given back");
    assert_eq!((&table).take(&[completion; 3]), 3);
    assert_eq!((table.room(), table.unclaimed_count()), (0, 3));
}

#[test]
fn a_future_that_is_dropped_is_waited_for_again_or_forgotten_when_it_is_done() {
    let table = table::<1>();
    drop(table.completion(3).unwrap());
    let mut again = table.completion(3).unwrap();
    let count = Arc::default();
    assert_eq!(poll(&mut again, &count), None);
    drop(again);
    table.complete(IoCompletion { token: 3, result: 1 }).unwrap();
    assert_eq!((count.get(), table.room()), (0, 1), "nobody is woken");
    assert_eq!(Arc::strong_count(&count), 1, "its waker is dropped with it");
}

#[test]
fn what_is_done_and_never_polled_gives_its_slot_back() {
    let table = table::<1>();
    let future = table.completion(3).unwrap();
    table.complete(IoCompletion { token: 3, result: 1 }).unwrap();
    assert_eq!(table.room(), 0);
    drop(future);
    assert_eq!(table.room(), 1);
}

#[test]
fn the_last_waker_is_woken() {
    let table = table::<1>();
    let mut future = table.completion(3).unwrap();
    let counts: [Arc<Count>; 3] = Default::default();
    for count in &counts {
        assert_eq!(poll(&mut future, count), None);
    }
    assert_eq!(poll(&mut future, &counts[2]), None, "the same again");
    table.complete(IoCompletion { token: 3, result: 0 }).unwrap();
    assert_eq!(counts.map(|count| count.get()), [0, 0, 1]);
}

std::thread_local! {
    static TABLE: Inline<1> = table();
}

/// A waker that completes a token of the table when it is dropped: the worst that the code of an
/// executor may do.
struct Completer;

impl Wake for Completer {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Completer {
    fn drop(&mut self) {
        TABLE.with(|table| table.complete(IoCompletion { token: 3, result: 9 })).unwrap();
    }
}

#[test]
fn a_waker_may_complete_what_is_polled() {
    TABLE.with(|table| {
        let mut future = table.completion(3).unwrap();
        let waker = Waker::from(Arc::new(Completer));
        let said = Pin::new(&mut future).poll(&mut Context::from_waker(&waker));
        assert_eq!(said, Poll::Pending);
        drop(waker);
        // The next waker replaces it.
        let count = Arc::default();
        assert_eq!(poll(&mut future, &count), Some(IoCompletion { token: 3, result: 9 }));
        assert_eq!((Arc::strong_count(&count), table.room()), (1, 1));
    });
}
