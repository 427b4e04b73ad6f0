//! Every ordering of the handoff, made weaker, and every read-modify-write of the doorbell, taken
//! apart: which model goes red, and how it says so. An ordering that could be weaker without a
//! model noticing would fail here.

use std::sync::atomic::Ordering::{self, Acquire, Relaxed, Release};

use crate::{
    handoff::ordering,
    model,
    weakening::{self, Weakening},
};

/// A read or a write that is not ordered with another one of the same memory.
const RACE: &str = "Causality violation";
/// A thread that sleeps and is woken by nobody.
const DEADLOCK: &str = "deadlock";
/// A thread that waits without sleeping, for ever.
pub(crate) const NO_END: &str = "Model exceeded maximum number of branches";

/// The ordering, what it becomes, the model that goes red, and what is found.
const ORDERINGS: &[(&str, Ordering, &str, &str)] = &[
    ("PUBLISH", Relaxed, "everything_arrives_once_and_in_order", RACE),
    ("SEE_PUBLISHED", Relaxed, "everything_arrives_once_and_in_order", RACE),
    ("FREE", Relaxed, "a_slot_is_not_written_before_it_has_been_read", RACE),
    ("SEE_FREED", Relaxed, "a_slot_is_not_written_before_it_has_been_read", RACE),
    ("LEAVE_PRODUCER", Relaxed, "what_is_queued_outlives_the_producer", "closed means"),
    ("SEE_PRODUCER_LEFT", Relaxed, "what_is_queued_outlives_the_producer", "closed means"),
    ("LEAVE_CONSUMER", Relaxed, "a_consumer_that_left_has_let_go", RACE),
    ("SEE_CONSUMER_LEFT", Relaxed, "a_consumer_that_left_has_let_go", RACE),
    ("ARM", Relaxed, "a_sleeper_is_woken_by_a_value_and_by_the_end", DEADLOCK),
    ("ARM", Release, "a_sleeper_is_woken_by_a_value_and_by_the_end", DEADLOCK),
    ("ARM", Acquire, "who_wakes_sees_what_the_sleeper_did", "who wakes sees the name"),
    ("RING", Relaxed, "a_sleeper_is_woken_by_a_value_and_by_the_end", DEADLOCK),
    ("RING", Acquire, "a_sleeper_is_woken_by_a_value_and_by_the_end", DEADLOCK),
    ("RING", Release, "who_wakes_sees_what_the_sleeper_did", "who wakes sees the name"),
    ("SEE_RING", Relaxed, "who_was_rung_for_sees_what_was_published", "who was rung for sees"),
    ("DISARM", Relaxed, "who_gives_up_sees_what_was_published", "who gives up sees"),
];

/// The same for a sleeper on a handle.
const OF_A_HANDLE: &[(&str, Ordering, &str, &str)] = &[
    ("ARM", Relaxed, "a_loop_is_signalled_once_for_an_arming", NO_END),
    ("ARM", Release, "a_loop_is_signalled_once_for_an_arming", NO_END),
    ("ARM", Acquire, "a_sleeper_that_moves_to_a_handle_is_woken_there", NO_END),
    ("RING", Relaxed, "a_loop_is_signalled_once_for_an_arming", NO_END),
    ("RING", Acquire, "a_loop_is_signalled_once_for_an_arming", NO_END),
    ("RING", Release, "a_sleeper_that_moves_to_a_handle_is_woken_there", NO_END),
];

/// The read-modify-write with this ordering, as a load and a store.
const TORN: &[(&str, &str, &str)] = &[
    ("ARM", "a_sleeper_is_woken_by_a_value_and_by_the_end", DEADLOCK),
    ("RING", "a_sleeper_is_woken_by_a_value_and_by_the_end", DEADLOCK),
    ("DISARM", "who_gave_up_is_rung_for_the_next_time", NO_END),
    ("ARM", "a_loop_is_signalled_once_for_an_arming", NO_END),
    ("RING", "a_loop_is_signalled_once_for_an_arming", NO_END),
];

#[track_caller]
fn turns_red(weakening: Weakening, name: &str, finding: &str) {
    let exploration = weakening::with(weakening, || model(name).explore());
    let failure = exploration.failure.unwrap_or_default();
    println!("{weakening:?}: {name} fails in execution {}", exploration.executions);
    assert!(failure.contains(finding), "{weakening:?}: {name} finds {failure:?}, not {finding:?}");
}

#[test]
fn every_ordering_is_needed() {
    for &(ordering, weaker, name, finding) in ORDERINGS.iter().chain(OF_A_HANDLE) {
        turns_red(Weakening::Ordering(ordering, weaker), name, finding);
    }
}

#[test]
fn every_way_to_weaken_an_ordering_is_in_the_table() {
    let all = ordering::ALL.iter();
    let all: Vec<_> =
        all.flat_map(|named| named.weaker().iter().map(|weaker| (named.name, *weaker))).collect();
    let table: Vec<_> = ORDERINGS.iter().map(|(name, weaker, ..)| (*name, *weaker)).collect();
    let is_missing = |way: &&(&str, Ordering)| !table.contains(way);
    assert_eq!(all.iter().find(is_missing), None);
    assert_eq!(all.len(), table.len());
}

#[test]
fn every_read_modify_write_is_needed() {
    for &(ordering, name, finding) in TORN {
        turns_red(Weakening::Torn(ordering), name, finding);
    }
}
