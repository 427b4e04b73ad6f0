//! A table of wakers in static memory, once with its slots inline and once over a slice; and every
//! function of it and of its futures, for the two proofs.
//!
//! The wakers do nothing: what an executor's do is its own.

use core::{
    future::Future,
    hint::black_box,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use ringzero_core::{Completion, CompletionSink, IoCompletion, Slots, WakerSlot, WakerTable};

const SLOTS: usize = 3;

fn slots() -> [WakerSlot; SLOTS] {
    [const { WakerSlot::new() }; SLOTS]
}

/// Whether three slots take three tokens, give each its result, and refuse a fourth.
pub fn works() -> bool {
    let table = WakerTable::new(slots());
    let [Ok(mut first), Ok(dropped), Ok(mut last)] = [1, 2, 3].map(|it| table.completion(it))
    else {
        return false;
    };
    let is_refused = table.completion(4).is_err();
    let was_early = poll(&mut first).is_ready();
    drop(dropped);
    let batch = [3, 2, 1, 9].map(|token| IoCompletion { token, result: 10 * token as i32 });
    let taken = (&table).take(&batch);
    is_refused
        && !was_early
        && taken == batch.len()
        && poll(&mut first) == Poll::Ready(IoCompletion { token: 1, result: 10 })
        && poll(&mut last) == Poll::Ready(IoCompletion { token: 3, result: 30 })
        && (table.room(), table.unclaimed_count()) == (SLOTS, 1)
}

/// Every function, with inputs about which the compiler knows nothing.
pub fn exercise() {
    on(&WakerTable::new(slots()));
    let mut memory = slots();
    on(&WakerTable::new(black_box(memory.as_mut_slice())));
    black_box(WakerSlot::default());
}

fn on<S: Slots<WakerSlot>>(table: &WakerTable<S>) {
    for _ in 0..black_box(4) {
        let first = black_box(table).completion(black_box(1));
        let second = black_box(table).completion(black_box(1));
        if let Ok(mut future) = first {
            let _ = black_box(poll(black_box(&mut future)));
            let completion = IoCompletion { token: black_box(1), result: black_box(0) };
            let _ = black_box(black_box(table).complete(completion));
            black_box(black_box(&mut &*table).take(black_box(&[completion])));
            let _ = black_box(poll(black_box(&mut future)));
            drop(black_box(future));
        }
        drop(black_box(second));
        black_box(black_box(table).room());
        black_box(black_box(table).unclaimed_count());
    }
}

fn poll<S: Slots<WakerSlot>>(future: &mut Completion<'_, S>) -> Poll<IoCompletion> {
    Pin::new(future).poll(&mut Context::from_waker(black_box(Waker::noop())))
}
