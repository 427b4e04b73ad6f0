//! The scripts that the fuzz target `engine` starts from, each judged by the model: what a fuzzer
//! would find at once, every test run finds.
//!
//! `RINGZERO_SCRIPT=FILE` runs this one script instead, each call printed; with `RINGZERO_TRACE`
//! each request too. That is how a crash of the fuzzer is looked at.
//!
//! # Mutations
//! Removed from the engine, one at a time. Seeds: how many of them go red here (not counted is
//! `two-losses`, the crash of the last line). Executions: of `proofs/fuzz` until its first crash,
//! without seeds.
//!
//! | removed | seeds | executions |
//! |---|---|---|
//! | the barrier of a datasync (`start_syncs`) | 6 | 5,180 |
//! | the continuation of a short write (`advance`) | 4 | 5,373 |
//! | a failed file (`fail_file`) | 2 | 7,714 |
//! | the tail put back after a failed append (`append_failed`) | 2 | 6,123 |
//! | the order of overlapping writes (`overlaps`) | 5 | 8,311 |
//! | the error of a datasync (`sync_answered`) | 2 | 10,677 |
//! | the failures that a datasync covers (`record_failure`) | 4 | 20,642 |
//! | who shares a datasync (`fly`) | 5 | 9,631 |
//! | the announcement of a second loss (`fail_file`) | 0 | 37,688, with seeds |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use ringzero_tests::{
    choices::Choices,
    episode::{Counts, Episode, Trace},
};

fn run(path: &Path, trace: Trace) -> Counts {
    let script = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut episode = Episode::new(Choices::scripted(&script), trace);
    if let Err(reason) = episode.run(u64::MAX) {
        panic!("{}: {reason}\n{:?}", path.display(), episode.stats());
    }
    episode.counts()
}

#[test]
fn every_script_of_the_corpus_is_what_the_contract_allows() {
    if let Some(path) = std::env::var_os("RINGZERO_SCRIPT") {
        println!("{:?}", run(Path::new(&path), Trace::Calls));
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds");
    let mut scripts: Vec<PathBuf> =
        fs::read_dir(folder).expect("the seeds").map(|entry| entry.unwrap().path()).collect();
    scripts.sort();
    let mut total = Counts::default();
    for script in &scripts {
        let counts = run(script, Trace::Silent);
        println!("{}: {counts:?}", script.file_name().unwrap().display());
        assert!(counts.calls > 0, "{} is empty", script.display());
        total += counts;
    }
    // Controls: the scripts reach what they are for.
    assert!(total.good > 0 && total.failed > 0, "{total:?}");
    assert!(total.syncs > total.failed_syncs && total.failed_syncs > 0, "{total:?}");
    assert!(total.resumed > 0 && total.lost_files > 0, "{total:?}");
}
