//! The control of the fuzzer: a claim that is not so, which it must refute.
//!
//! The claim: of the datasyncs of an episode all succeed, or all fail. A script that refutes it
//! chooses the limits and the rates of faults first, and then some dozens of calls.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringzero_tests::{
    choices::Choices,
    counts::Met,
    episode::{Episode, Trace},
};

fuzz_target!(|bytes: &[u8]| {
    let mut episode = Episode::new(Choices::scripted(bytes), Trace::Silent);
    episode.run(u64::MAX).expect("what the contract allows");
    let counts = episode.counts();
    assert!(
        counts[Met::FailedSync] == 0 || counts[Met::FailedSync] == counts[Met::Sync],
        "one datasync succeeded, and one failed"
    );
});
