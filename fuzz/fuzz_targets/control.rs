//! The control of the fuzzer: a claim that is not so, which it must refute.
//!
//! The claim: no episode has both an answer of success from `resume_append` and a datasync that
//! fails. A script that refutes it chooses limits and rates of faults, and then dozens of calls.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringzero_tests::{
    choices::Choices,
    episode::{Episode, Trace},
};

fuzz_target!(|bytes: &[u8]| {
    let mut episode = Episode::new(Choices::scripted(bytes), Trace::Silent);
    episode.run(u64::MAX).expect("what the contract allows");
    let counts = episode.counts();
    assert!(counts.resumed == 0 || counts.failed_syncs == 0, "resumed, and a datasync failed");
});
