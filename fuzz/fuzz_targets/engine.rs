//! Bytes as a script: the engine over a disk with faults, against the model written from the
//! contract. Every decision of an episode (the limits, the calls, the faults, the order in which
//! requests end) is taken from the bytes.
//!
//! A crash is an answer, completion or byte that the contract does not allow, or a panic of the
//! engine. `tests/tests/fuzz_corpus.rs` says how to replay it with a stable compiler.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringzero_tests::{
    choices::Choices,
    episode::{Episode, Trace},
};

fuzz_target!(|bytes: &[u8]| {
    let mut episode = Episode::new(Choices::scripted(bytes), Trace::Silent);
    if let Err(reason) = episode.run(u64::MAX) {
        panic!("{reason}");
    }
});
