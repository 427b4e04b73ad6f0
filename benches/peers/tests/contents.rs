//! Every contestant's file holds exactly the records of its job, as the harness checks it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

use std::{fs, path::Path};

use ringzero_benches::compare::{
    content::{Rest, check, overwritten},
    contestant::Contestant,
    job::{Access, Job, Place, Target, Workload},
    measured::Contents,
};
use ringzero_peers::contestants;

const BLOCK: u32 = 4096;

fn job(workload: Workload, record_bytes: u32, operations: u64) -> Job {
    Job {
        contestant: String::new(),
        workload,
        path: "file".into(),
        files: 1,
        operations,
        record_bytes,
        in_flight: 64,
        committers: 16,
        phases: 1,
        stagger_ns: 0,
        target: Target::Extending,
        access: Access::Buffered,
        place: Place::Strided,
        file_bytes: 0,
        threads: 1,
    }
}

/// Runs `job` by everyone who can, and gives each one's file to `check`.
fn everyone(job: &Job, prepare: impl Fn(&Path), check: impl Fn(&Contestant, &Path)) {
    let everyone = contestants();
    let able = everyone.iter().filter(|each| each.workloads.contains(&job.workload));
    let mut count = 0;
    for contestant in able {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let path = folder.path().join("file");
        fs::write(&path, []).unwrap();
        prepare(&path);
        let job = Job { path: path.clone(), contestant: contestant.name.into(), ..job.clone() };
        let measured = (contestant.run)(&job);
        let measured = measured.unwrap_or_else(|error| panic!("{}: {error}", contestant.name));
        if measured.contents == Contents::Records {
            assert_eq!(measured.operations, job.operations, "{}", contestant.name);
            check(contestant, &path);
            count += 1;
        }
    }
    assert!(count >= 1, "somebody's contents were checked");
}

fn holds_all(job: &Job, rest: Rest) -> impl Fn(&Contestant, &Path) {
    move |contestant, path| {
        let checked = check(path, job.record_bytes, 0..job.operations, rest);
        checked.unwrap_or_else(|error| panic!("{}: {error}", contestant.name));
    }
}

#[test]
fn appends_are_all_there_in_order() {
    for in_flight in [1, 64, 4096] {
        // Not a multiple of a merged write's records.
        let job = Job { in_flight, ..job(Workload::Appends, 128, 10_001) };
        everyone(&job, |_| (), holds_all(&job, Rest::End));
    }
}

#[test]
fn sequential_blocks_are_all_there_in_order() {
    let job = Job { in_flight: 32, ..job(Workload::Sequential, BLOCK, 1_003) };
    everyone(&job, |_| (), holds_all(&job, Rest::End));
}

#[test]
fn large_records_are_all_there_in_order() {
    let job = Job { in_flight: 256, ..job(Workload::Burst, 64 << 10, 300) };
    everyone(&job, |_| (), holds_all(&job, Rest::End));
}

#[test]
fn overwrites_leave_the_last_version_of_each_block() {
    let (blocks, access) = (256, Access::Direct);
    for in_flight in [1, 32] {
        let job = Job {
            in_flight,
            access,
            target: Target::Records,
            file_bytes: blocks * u64::from(BLOCK),
            ..job(Workload::Overwrites, BLOCK, blocks)
        };
        let prepare = |path: &Path| fs::write(path, vec![1; job.file_bytes as usize]).unwrap();
        everyone(&job, prepare, |contestant, path| {
            let checked = check(path, BLOCK, overwritten(blocks, job.operations), Rest::End);
            checked.unwrap_or_else(|error| panic!("{}: {error}", contestant.name));
        });
    }
}

#[test]
fn commits_are_all_there_in_order() {
    for committers in [1, 16] {
        let job = Job { committers, ..job(Workload::Commits, 256, 203) };
        everyone(&job, |_| (), holds_all(&job, Rest::End));
    }
}

#[test]
fn commits_of_committers_released_in_turn_fill_a_segment() {
    let file_bytes = 1 << 17;
    let job = Job {
        phases: 2,
        stagger_ns: 2_000_000,
        target: Target::ZeroWritten,
        file_bytes,
        ..job(Workload::Commits, 256, 200)
    };
    let prepare = |path: &Path| fs::write(path, vec![0; file_bytes as usize]).unwrap();
    everyone(&job, prepare, holds_all(&job, Rest::ZerosTo(file_bytes)));
}

#[test]
fn who_idles_writes_nothing() {
    let job = job(Workload::Idle, 128, 0);
    everyone(
        &job,
        |_| (),
        |contestant, path| {
            assert_eq!(fs::metadata(path).unwrap().len(), 0, "{}", contestant.name);
        },
    );
}

#[test]
fn names_are_unique() {
    let everyone = contestants();
    let mut names: Vec<&str> = everyone.iter().map(|each| each.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), everyone.len());
}
