//! Every function of the engine, of the handoff and of the table of wakers, called with inputs
//! about which the compiler knows nothing: the engine's own state, handles, data, lengths, offsets,
//! request ids, outcomes, what a sink takes.
//!
//! That it *runs* proves little. That it *links* proves that none of it can reach a panic, whatever
//! the inputs are. A structure test of the workspace checks that no public function of the engine
//! is missing here.
//!
//! What the proof does not say: it holds for optimised builds without overflow checks and debug
//! assertions, which exist to panic. Formatting (`Debug`, `Display`) is not part of the engine's
//! work and is not called. What an executor or a sink does is their own.

use core::hint::black_box;

use ringzero_core::{
    Claim, CompletionSink, Engine, Errno, Executor, IoCompletion, IoFd, Outcome, Registration,
    RequestId, SliceSink, Storage, StorageIoError, outcome_from_raw,
};

use crate::{handoff, tables, waker_table};

/// Everything, on an engine with inline tables and on one over slices of unknown length; the
/// handoff; and the table of wakers.
pub fn all<E: Executor>(executor: &mut E, sink: &mut dyn CompletionSink) {
    if let Some(engine) = tables::inline_engine() {
        on(engine, executor, sink);
    }
    if let Some(mut engine) = tables::borrowed_engine() {
        on(&mut engine, executor, sink);
    }
    handoff::exercise();
    waker_table::exercise();
}

fn on<S: Storage, E: Executor>(
    engine: &mut Engine<S>,
    executor: &mut E,
    sink: &mut dyn CompletionSink,
) {
    let _ = black_box(Registration::segment(black_box(0), black_box(0)));
    let direct = Registration::file(black_box(8)).aligned(black_box(8));
    let direct = direct.unwrap_or(Registration::device());
    black_box(direct.lead());
    let kinds = [Registration::file(black_box(0)), Registration::device(), direct];
    for registration in kinds {
        let Ok((fd, _)) = black_box(unknown(engine).register(black_box(registration))) else {
            continue;
        };
        let _ = black_box(unknown(engine).register_behind(black_box(registration), data()));
        submit(unknown(engine), fd);
        start_and_complete(unknown(engine), executor);
        deliver(unknown(engine), sink);
        let _ = black_box(unknown(engine).read_bytes(black_box(4), black_box(1)));
        let _ = black_box(unknown(engine).release_read(black_box(4)));
        execute_inline(unknown(engine), fd, executor);
        ask(unknown(engine), fd);
        let _ = black_box(unknown(engine).resume_append(black_box(fd)));
        alter(unknown(engine), fd, executor);
    }
    close(unknown(engine), sink);
}

/// The engine, in a state that may be any.
fn unknown<S: Storage>(engine: &mut Engine<S>) -> &mut Engine<S> {
    black_box(engine)
}

/// Bytes of unknown number at an unknown address.
fn data() -> &'static [u8] {
    black_box(b"any bytes".as_slice())
}

fn submit<S: Storage>(engine: &mut Engine<S>, fd: IoFd) {
    let _ = black_box(unknown(engine).submit_write(black_box(fd), data(), black_box(7)));
    let _ = black_box(unknown(engine).submit_append(black_box(fd), data()));
    let several = [data(), data(), data()];
    let slices = black_box(several.as_slice());
    let _ = black_box(unknown(engine).submit_writev(black_box(fd), slices, black_box(7)));
    let _ = black_box(unknown(engine).submit_appendv(black_box(fd), slices));
    let _ = black_box(unknown(engine).submit_datasync(black_box(fd)));
    let _ = black_box(unknown(engine).submit_read(black_box(fd), black_box(7), black_box(3)));
    claim(Claim::write(unknown(engine), black_box(fd), black_box(5), black_box(7)));
    claim(Claim::append(unknown(engine), black_box(fd), black_box(5)));
}

fn claim(claim: Result<Claim<'_>, StorageIoError>) {
    let Ok(mut claim) = black_box(claim) else { return };
    black_box(claim.byte_count());
    black_box(claim.parts());
    black_box(claim.copy_in(black_box(1), data()));
    let _ = black_box(claim.submit());
}

fn alter<S: Storage, E: Executor>(engine: &mut Engine<S>, fd: IoFd, executor: &mut E) {
    let (offset, len) = black_box((4_096, 512));
    let _ = black_box(unknown(engine).submit_fsync(black_box(fd)));
    let _ = black_box(unknown(engine).submit_allocate(black_box(fd), offset, len));
    start_and_complete(unknown(engine), executor);
    let _ = black_box(unknown(engine).submit_truncate(black_box(fd), len));
    start_and_complete(unknown(engine), executor);
    let _ = black_box(unknown(engine).submit_punch(black_box(fd), offset, len));
    start_and_complete(unknown(engine), executor);
    let _ = black_box(unknown(engine).submit_close(black_box(fd)));
    start_and_complete(unknown(engine), executor);
}

fn execute_inline<S: Storage, E: Executor>(engine: &mut Engine<S>, fd: IoFd, executor: &mut E) {
    let offset = black_box(7);
    let _ = black_box(unknown(engine).write_inline(black_box(fd), data(), offset, executor));
    let _ = black_box(unknown(engine).append_inline(black_box(fd), data(), executor));
    let _ = black_box(unknown(engine).datasync_inline(black_box(fd), executor));
}

fn start_and_complete<S: Storage, E: Executor>(engine: &mut Engine<S>, executor: &mut E) {
    black_box(unknown(engine).has_ready());
    black_box(unknown(engine).start(black_box(1), executor));
    let outcomes: [Outcome; 3] = [Ok(1), Err(Errno::new(black_box(28))), outcome_from_raw(-4)];
    for outcome in black_box(outcomes) {
        let id = RequestId::from_u64(black_box(65_536));
        unknown(engine).complete(black_box(id), black_box(outcome));
    }
    black_box(unknown(engine).is_group_due());
    black_box(unknown(engine).has_urgent());
    black_box(unknown(engine).proceed(black_box(2), executor));
}

fn deliver<S: Storage>(engine: &mut Engine<S>, sink: &mut dyn CompletionSink) {
    let mut memory = [IoCompletion::default(); 3];
    let mut slice = SliceSink::new(black_box(memory.as_mut_slice()));
    black_box(unknown(engine).deliver(black_box(&mut slice)));
    black_box(slice.filled());
    slice.clear();
    let mut vec = heapless::Vec::<IoCompletion, 3>::new();
    black_box(unknown(engine).deliver(black_box(&mut vec)));
    black_box(unknown(engine).deliver(sink));
}

fn ask<S: Storage>(engine: &mut Engine<S>, fd: IoFd) {
    black_box(unknown(engine).limits());
    black_box(unknown(engine).max_write());
    black_box(unknown(engine).max_claim());
    black_box(unknown(engine).pending_count());
    black_box(unknown(engine).deliverable());
    black_box(unknown(engine).in_flight());
    black_box(unknown(engine).is_closed());
    black_box(unknown(engine).stats().kernel_requests());
    let _ = black_box(unknown(engine).tail(black_box(fd)));
    let _ = black_box(unknown(engine).durable_tail(black_box(fd)));
    let _ = black_box(unknown(engine).room(black_box(fd)));
    let _ = black_box(unknown(engine).alignment(black_box(fd)));
    let _ = black_box(unknown(engine).can_accept(black_box(fd), black_box(9)));
    let _ = black_box(unknown(engine).status(black_box(fd), black_box(3)));
    let _ = black_box(unknown(engine).file_slot(black_box(fd)));
}

/// The cold path: nothing of it may panic either.
fn close<S: Storage>(engine: &mut Engine<S>, sink: &mut dyn CompletionSink) {
    let Ok((fd, slot)) = unknown(engine).register(Registration::file(black_box(0))) else {
        return;
    };
    let _ = black_box(unknown(engine).begin_close(black_box(fd)));
    black_box(unknown(engine).next_idle_closing());
    black_box(unknown(engine).was_closed(black_box(slot)));
    if black_box(unknown(engine).is_idle(black_box(slot))) {
        black_box(unknown(engine).finish_close(black_box(slot)));
    }
    for slot in unknown(engine).file_slots() {
        black_box(slot);
    }
    unknown(engine).close_admission();
    unknown(engine).abandon();
    black_box(unknown(engine).deliver(sink));
}
