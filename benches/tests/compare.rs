//! `compare` from its command line to its files, with tiny runs.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::{fs, path::Path, process::Command};

use ringzero::{Config, UringBackend};
use ringzero_benches::compare::{
    job::Job,
    outcome::Outcome,
    plan::{Arrivals, Name, Plan, Segment},
    trial::{self, Entrant},
};

fn compare(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_compare")).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text.into_owned())
}

#[test]
fn a_workload_ends_in_a_table_json_and_a_chart() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().to_str().unwrap();
    let out = folder.path().join("out");
    let mut names = vec!["std", "std-merged-64k", "sync", "worker"];
    if UringBackend::new(&Config::default()).is_ok() {
        names.extend(["raw", "uring"]);
    }
    let only = names.join(",");
    let arguments = ["--workload", "w1", "--rounds", "1", "--run-ms", "5"];
    let places = ["--dir", directory, "--out", out.to_str().unwrap(), "--only", &only];
    let (succeeded, table) = compare(&[arguments, places].concat());
    assert!(succeeded, "{table}");
    let outcome: Outcome =
        serde_json::from_str(&fs::read_to_string(out.join("w1.json")).unwrap()).unwrap();
    let chart = fs::read_to_string(out.join("w1.svg")).unwrap();
    assert!(chart.starts_with("<svg") && chart.trim_end().ends_with("</svg>"), "{chart}");
    assert_eq!(outcome.rows.len(), names.len());
    for row in &outcome.rows {
        assert!(names.contains(&row.name.as_str()) && row.rate > 0.0, "{row:?}");
        assert!(table.contains(&row.name) && chart.contains(&row.name), "{}", row.name);
        assert_eq!(row.rounds.len(), 1);
    }
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(left, [out], "nothing else is left behind");
}

#[test]
fn what_cannot_be_run_ends_in_an_error_that_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().to_str().unwrap();
    let nowhere = folder.path().join("none");
    let (succeeded, text) =
        compare(&["--workload", "w1", "--dir", nowhere.to_str().unwrap(), "--out", directory]);
    assert!(!succeeded && text.contains("none"), "{text}");
    let (succeeded, text) = compare(&["child", "{}"]);
    assert!(!succeeded && text.contains("contestant"), "{text}");
}

#[test]
fn records_made_in_claims_over_two_blocks_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_compare"));
    let arrivals = Arrivals { committers: 1, phases: 1, segment: Segment::Extending };
    let plan = Plan::new(Name::W1, arrivals, folder.path());
    let has_ring = UringBackend::new(&Config::default()).is_ok();
    let mut names = Vec::new();
    for Entrant { offer, .. } in trial::entrants(program).unwrap() {
        if offer.name.ends_with("-claim") && (has_ring || !offer.name.starts_with("uring")) {
            let job = plan.job(&offer, 10_000).unwrap();
            // A block of 64 KiB ends inside a record, and more than a block is under way.
            trial::run(program, &Job { record_bytes: 200, ..job }).unwrap();
            names.push(offer.name);
        }
    }
    assert!(names.len() >= 2, "{names:?}");
}
