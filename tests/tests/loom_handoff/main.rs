//! Models of the handoff: every way in which two or three threads can interleave, and every value
//! that each load may then give, is run by loom, on the very source files of `core/src/handoff`.
//!
//! | model | executions | shows |
//! |---|---|---|
//! | `everything_arrives_once_and_in_order` | 19,524 | three values through two slots |
//! | `a_slot_is_not_written_before_it_has_been_read` | 18,748 | three values through one slot |
//! | `a_buffer_goes_out_and_comes_back` | 2,644 | its bytes are visible, both ways, twice |
//! | `full_and_empty_are_told_across_the_wrap` | 4,138 | refusals, room and count are true |
//! | `what_is_queued_outlives_the_producer` | 770 | closed means that nothing is left |
//! | `a_consumer_that_left_has_let_go` | 142 | the producer may have its buffers back |
//! | `a_sleeper_is_woken_by_a_value_and_by_the_end` | 2,682 | no lost wake-up |
//! | `a_batch_and_the_end_need_one_ring` | 4,652 | shutdown while something is queued |
//! | `a_backend_and_its_worker_wake_each_other` | 22,365 | both sides sleep and ring; a buffer |
//! | `a_backend_and_its_worker_wake_each_other_again` | 19,613 | two rounds, ≤ 4 preemptions |
//! | `one_sleeper_is_woken_by_two` | 7,161 | two threads ring at one doorbell |
//! | `who_was_rung_for_sees_what_was_published` | 71 | what `is_armed` promises |
//! | `who_gave_up_is_rung_for_the_next_time` | 174 | a time-out and a second sleep |
//! | `who_gives_up_sees_what_was_published` | 30 | what `disarm` promises |
//! | `who_wakes_sees_what_the_sleeper_did` | 4 | what `ring` promises |
//! | `a_loop_is_signalled_once_for_an_arming` | 4,763 | a sleeper on a handle, ≤ 5 preemptions |
//! | `a_sleeper_that_moves_to_a_handle_is_woken_there` | 408 | after a time-out elsewhere |
//!
//! The positions of requests cross the wrap at 2³². Two models have a bound on preemptions: without
//! one the first did not end in a minute, and the other one has 107,130 executions. The figures are
//! of loom 0.7.3; each test prints its own.
//!
//! `weakenings` makes each ordering weaker, one at a time, and names the model that goes red. That
//! the meter works is shown there, by a sleeper that does not look again after arming, and by one
//! that drains its handle after arming.
//!
//! What this is not: loom treats a sequentially consistent access as acquire and release, keeps the
//! last seven stores of an atomic, and runs an unpark together with the ring before it. An `Arc` is
//! the real one; that it frees the queue once is not modelled.
//!
//! # Mutations
//! Edits of `spsc` and `doorbell`, one at a time, and a model that went red. No test with real
//! threads noticed two of them (*).
//!
//! | edit | model |
//! |---|---|
//! | `push` publishes before it writes (*) | `everything_arrives_once_and_in_order` |
//! | `push` takes the queue for not full | `a_slot_is_not_written_before_it_has_been_read` |
//! | `push` believes that no room is left | `everything_arrives_once_and_in_order` |
//! | room is one more | `full_and_empty_are_told_across_the_wrap` |
//! | `pop` frees before it reads | `a_slot_is_not_written_before_it_has_been_read` |
//! | `pop` frees nothing | `a_buffer_goes_out_and_comes_back` |
//! | `pop` takes the queue for not empty | `full_and_empty_are_told_across_the_wrap` |
//! | `pop` believes that nothing is there | `who_was_rung_for_sees_what_was_published` |
//! | `is_closed` looks at the position first (*) | `what_is_queued_outlives_the_producer` |
//! | `is_closed` does not mind what is left | `a_batch_and_the_end_need_one_ring` |
//! | a dropped producer says nothing | `a_sleeper_is_woken_by_a_value_and_by_the_end` |
//! | a dropped consumer says nothing | `a_consumer_that_left_has_let_go` |
//! | positions stop at 2³² − 1 | `everything_arrives_once_and_in_order` |
//! | the mask is the capacity | `a_buffer_goes_out_and_comes_back` |
//! | `ring` looks and changes nothing | `one_sleeper_is_woken_by_two` |
//! | `ring` never says to wake | `a_backend_and_its_worker_wake_each_other` |
//! | `arm` does nothing | `one_sleeper_is_woken_by_two` |
//! | `disarm` does nothing | `who_gives_up_sees_what_was_published` |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

mod buffer;
mod doorbell_models;
mod explore;
mod handle_models;
mod handoff;
mod queue_models;
mod weakening;
mod weakenings;

// What the queue's source names at the root of its crate.
use ringzero_core::Slots;

use crate::{
    doorbell_models as doorbell, explore::Model, handle_models as handle, queue_models as queue,
};

macro_rules! models {
    ($($module:ident::$name:ident $(, preemptions: $bound:literal)?;)*) => {
        $(#[test]
        fn $name() {
            model(stringify!($name)).holds();
        })*

        /// Every model that must hold.
        const MODELS: &[Model] = &[$(Model {
            name: stringify!($name),
            run: $module::$name,
            preemptions: bound!($($bound)?),
        }),*];
    };
}

macro_rules! bound {
    () => {
        None
    };
    ($bound:literal) => {
        Some($bound)
    };
}

models! {
    queue::everything_arrives_once_and_in_order;
    queue::a_slot_is_not_written_before_it_has_been_read;
    queue::a_buffer_goes_out_and_comes_back;
    queue::full_and_empty_are_told_across_the_wrap;
    queue::what_is_queued_outlives_the_producer;
    queue::a_consumer_that_left_has_let_go;
    doorbell::a_sleeper_is_woken_by_a_value_and_by_the_end;
    doorbell::a_batch_and_the_end_need_one_ring;
    doorbell::a_backend_and_its_worker_wake_each_other;
    doorbell::a_backend_and_its_worker_wake_each_other_again, preemptions: 4;
    doorbell::one_sleeper_is_woken_by_two;
    doorbell::who_was_rung_for_sees_what_was_published;
    doorbell::who_gave_up_is_rung_for_the_next_time;
    doorbell::who_gives_up_sees_what_was_published;
    doorbell::who_wakes_sees_what_the_sleeper_did;
    handle::a_loop_is_signalled_once_for_an_arming, preemptions: 5;
    handle::a_sleeper_that_moves_to_a_handle_is_woken_there;
}

/// The model of this name.
fn model(name: &str) -> Model {
    *MODELS.iter().find(|model| model.name == name).expect("a model of this name")
}

#[test]
fn a_wake_up_that_is_lost_is_found() {
    let name = "a_sleeper_that_does_not_look_again";
    let run = doorbell::a_sleeper_that_does_not_look_again;
    let failure = Model { name, run, preemptions: None }.explore().failure;
    assert!(failure.is_some_and(|failure| failure.starts_with("deadlock")));
}

#[test]
fn a_signal_that_is_lost_is_found() {
    let name = "a_loop_that_drains_after_arming";
    let run = handle::a_loop_that_drains_after_arming;
    let failure = Model { name, run, preemptions: None }.explore().failure;
    assert!(failure.is_some_and(|failure| failure.contains(weakenings::NO_END)));
}
