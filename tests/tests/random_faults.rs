//! A million random operations under random faults, each judged by the model.
//!
//! `RINGZERO_SEED` chooses the seed, `RINGZERO_OPERATIONS` how many. A failure prints both and the
//! episode; each episode has its own seed, so that it can be run alone (`RINGZERO_EPISODE`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_tests::{
    choices::Choices,
    counts::{Counts, Met},
    episode::{Episode, Trace},
    random::number_from_env,
};

const CALLS_PER_EPISODE: u64 = 1_500;

#[test]
fn a_million_random_operations_under_faults_are_what_the_contract_allows() {
    let seed = number_from_env("RINGZERO_SEED", 0x00C0_FFEE);
    let wanted = number_from_env("RINGZERO_OPERATIONS", 1_000_000);
    let only = number_from_env("RINGZERO_EPISODE", u64::MAX);
    let mut total = Counts::default();
    let mut number = if only == u64::MAX { 0 } else { only };
    while total[Met::Call] < wanted {
        let own_seed = seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let trace = if only == u64::MAX { Trace::Silent } else { Trace::Calls };
        let mut episode = Episode::new(Choices::seeded(own_seed), trace);
        if let Err(reason) = episode.run(CALLS_PER_EPISODE) {
            let call = episode.counts()[Met::Call];
            panic!(
                "{reason}\nRINGZERO_SEED={seed:#x} RINGZERO_EPISODE={number} call {call}\n{:?}",
                episode.stats()
            );
        }
        total += episode.counts();
        number += 1;
        if only != u64::MAX {
            return;
        }
    }
    println!("RINGZERO_SEED={seed:#x}: {number} episodes, {total:?}");
    // Controls: the calls did what they are for.
    assert!(total[Met::Good] * 10 > total[Met::Call], "{total:?}");
    assert!(total[Met::Failed] * 200 > total[Met::Call], "{total:?}");
    assert!(total[Met::Sync] * 100 > total[Met::Call], "{total:?}");
    assert!(total[Met::FailedSync] > total[Met::Sync] / 200, "{total:?}");
    assert!(total.missing().is_empty(), "never met: {:?}", total.missing());
}
