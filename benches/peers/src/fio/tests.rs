//! What is made of fio's report.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::path::PathBuf;

use ringzero_benches::compare::job::{Place, Target};
use serde_json::json;

use super::*;

fn job(workload: Workload) -> Job {
    Job {
        contestant: "fio".into(),
        workload,
        path: PathBuf::from("somewhere/file"),
        files: 1,
        operations: 1_602,
        record_bytes: 256,
        in_flight: 64,
        committers: 16,
        phases: 1,
        stagger_ns: 0,
        target: Target::Extending,
        access: Access::Buffered,
        place: Place::Adjacent,
        file_bytes: 0,
        threads: 1,
    }
}

fn report(total: u64) -> Value {
    json!({
        "usr_cpu": 10.0, "sys_cpu": 40.0, "job_runtime": 400,
        "write": { "runtime": 25, "total_ios": total },
        "sync": { "lat_ns": { "percentile": {
            "50.000000": 1_000, "99.000000": 2_000, "99.900000": 3_000 } } },
    })
}

#[test]
fn a_report_of_commits_is_that_of_all_threads() {
    // 1,602 commits of 16 committers are 100 of each.
    let measured = measured(&job(Workload::Commits), &report(1_600)).unwrap();
    assert_eq!((measured.operations, measured.bytes), (1_600, 409_600));
    assert_eq!((measured.elapsed_ns, measured.cpu_ns), (25_000_000, 200_000_000));
    let latency = measured.latency.unwrap();
    assert_eq!((latency.p50_ns, latency.p99_ns, latency.p999_ns), (1_000, 2_000, 3_000));
    assert_eq!(measured.contents, Contents::Foreign);
}

#[test]
fn a_report_of_fewer_records_is_an_error() {
    assert!(measured(&job(Workload::Appends), &report(1_601)).is_err());
    assert!(measured(&job(Workload::Appends), &report(1_602)).is_ok());
    assert!(measured(&job(Workload::Appends), &Value::Null).is_err());
}

#[test]
fn overwrites_stay_within_the_file() {
    let options = stream(&Job { file_bytes: 4_096, ..job(Workload::Overwrites) });
    assert!(options.contains(&"--size=4096".into()), "{options:?}");
    assert!(options.contains(&format!("--io_size={}", 1_602 * 256)), "{options:?}");
}
