//! fio, if it is in `PATH`: not a library, but the tool that storage people compare with.
//!
//! It runs as a process of its own with its own clock, so a run is measured by its report:
//!
//! - Time: its `runtime`, in whole milliseconds; a short run is told coarsely.
//! - Processor time: its `usr_cpu` and `sys_cpu` of its own threads. What kernel workers did for
//!   its ring is not among it, unlike for the others: this flatters fio on buffered files.
//! - Peak memory: not told, 0.
//! - Contents: bytes of its own, so nothing is checked but that it wrote as many as it should.
//!
//! | workload | what it does |
//! |---|---|
//! | appends, sequential | io_uring, registered buffers and file, no `fallocate` |
//! | overwrites | the same with O_DIRECT, each block once in random order |
//! | commits | a thread per committer: `pwrite`, then `fdatasync` |
//!
//! Latencies are those of completions, of commits those of the syncs. Each committer has a part of
//! the file of its own, and its last commit is not synced.
//!
//! Submits in batches of a quarter of the queue and reaps what is there; in appends and sequential
//! it keeps no latencies (`gtod_reduce`), which is its fastest way.

use std::{
    env, io,
    process::{Command, Output},
};

use ringzero_benches::{
    Failure,
    compare::{
        contestant::{Contestant, Window},
        job::{Access, Job, Workload},
        measured::{Contents, Measured, Percentiles},
    },
};
use serde_json::Value;

/// fio as a contestant.
pub(crate) const CONTESTANT: Contestant = Contestant {
    name: "fio",
    about: "fio with io_uring, registered buffers and file; commits by threads with fdatasync",
    workloads: &[Workload::Appends, Workload::Sequential, Workload::Overwrites, Workload::Commits],
    access: &[Access::Buffered],
    window: Window::Best,
    run,
};

/// Whether there is an executable of that name where the system looks for one.
pub(crate) fn is_installed() -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join("fio").is_file())
}

fn run(job: &Job) -> Result<Measured, Failure> {
    let mut command = Command::new("fio");
    command.args(["--name=job", "--output-format=json", "--group_reporting", "--thread"]);
    command.args(["--fallocate=none", "--invalidate=0"]);
    command.arg(format!("--filename={}", job.path.display()));
    command.arg(format!("--bs={}", job.record_bytes)).args(match job.workload {
        Workload::Commits => commits(job),
        _ => stream(job),
    });
    let Output { status, stdout, stderr } = command.output()?;
    if !status.success() {
        return Err(format!("fio: {}", String::from_utf8_lossy(&stderr)).into());
    }
    // Warnings may stand before the report.
    let begin = stdout.iter().position(|byte| *byte == b'{').unwrap_or_default();
    let report: Value = serde_json::from_slice(stdout.get(begin..).unwrap_or_default())?;
    measured(job, report.pointer("/jobs/0").unwrap_or(&Value::Null))
}

/// Many under way from one thread.
fn stream(job: &Job) -> Vec<String> {
    let depth = job.in_flight;
    let mut options: Vec<String> =
        ["--ioengine=io_uring", "--fixedbufs=1", "--registerfiles=1"].map(String::from).into();
    options.push(format!("--iodepth={depth}"));
    options.push(format!("--iodepth_batch_submit={}", (depth / 4).max(1)));
    options.push(format!("--iodepth_batch_complete_max={depth}"));
    let (kind, size): (&[&str], u64) = match job.workload {
        // Within the file, over and over until all operations are done.
        Workload::Overwrites => {
            (&["--rw=randwrite", "--random_generator=lfsr", "--direct=1"], job.file_bytes)
        }
        _ => (&["--rw=write", "--gtod_reduce=1"], job.bytes()),
    };
    options.extend(kind.iter().copied().map(String::from));
    options.push(format!("--size={size}"));
    options.push(format!("--io_size={}", job.bytes()));
    options
}

/// A thread per committer, each in its own part of the file.
fn commits(job: &Job) -> Vec<String> {
    let each = job.operations / u64::from(job.committers) * u64::from(job.record_bytes);
    let mut options: Vec<String> =
        ["--ioengine=psync", "--rw=write", "--fdatasync=1"].map(String::from).into();
    options.push(format!("--numjobs={}", job.committers));
    options.push(format!("--size={each}"));
    options.push(format!("--offset_increment={each}"));
    options
}

/// What the report says, as the harness says it.
fn measured(job: &Job, report: &Value) -> Result<Measured, Failure> {
    let number = |path: &str| report.pointer(path).and_then(Value::as_f64);
    let missing = || io::Error::other("fio's report is not as expected");
    let operations = number("/write/total_ios").ok_or_else(missing)? as u64;
    let committers = u64::from(job.committers);
    let expected = match job.workload {
        Workload::Commits => job.operations / committers * committers,
        _ => job.operations,
    };
    if operations != expected {
        return Err(format!("fio wrote {operations} records, not {expected}").into());
    }
    let percent = number("/usr_cpu").ok_or_else(missing)? + number("/sys_cpu").unwrap_or_default();
    let latency = match job.workload {
        Workload::Overwrites => percentiles(report.pointer("/write/clat_ns/percentile")),
        Workload::Commits => percentiles(report.pointer("/sync/lat_ns/percentile")),
        _ => None,
    };
    let notes = ["contents not checked", "kernel workers' CPU and memory not counted"];
    Ok(Measured {
        elapsed_ns: (number("/write/runtime").ok_or_else(missing)? * 1e6) as u64,
        operations,
        bytes: operations * u64::from(job.record_bytes),
        // Per cent of the time of all its threads together.
        cpu_ns: (number("/job_runtime").ok_or_else(missing)? * 1e6 * percent / 100.0) as u64,
        peak_memory_bytes: 0,
        latency,
        contents: Contents::Foreign,
        notes: notes.map(String::from).into(),
    })
}

fn percentiles(report: Option<&Value>) -> Option<Percentiles> {
    let at = |percent: &str| report?.get(percent)?.as_u64();
    Some(Percentiles {
        p50_ns: at("50.000000")?,
        p99_ns: at("99.000000")?,
        p999_ns: at("99.900000")?,
    })
}

#[cfg(test)]
mod tests;
