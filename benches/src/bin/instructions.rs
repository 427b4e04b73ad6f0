//! User-space instructions per operation, counted by valgrind, beside a limit and a baseline.
//!
//! Without arguments it measures every case and prints a table. It fails if a case is above its
//! limit (what the project promises), or more than 5 % above its line in
//! `benches/instructions.baseline` (what it cost when somebody last looked), or if a guarded case
//! has no line or a line no guarded case. `--update` writes what was measured to that file. With a
//! case and a count it runs that case: that is the child it measures.
//!
//! What is counted, of all cases but two: everything the process does per operation, the caller's
//! loop included.
//!
//! - The 64-byte *writes* go to `/dev/null`, with 64 accepted at a time: 128 bytes apart so that
//!   nothing merges, adjacent, or at random multiples of 64 within 1 GiB, so that most fall between
//!   others that are in flight.
//! - The *appends* go to a file on tmpfs: of 128 bytes with 4,096 accepted at a time, of 4 KiB
//!   with 64. Nobody makes the bytes: a copied append takes them from one constant, a *claimed* one
//!   sends what was in its memory. So the difference of the two is what a claim saves, or costs.
//! - *datasync*: submit, wait, poll, one sync at a time, on a file on tmpfs.
//! - *poll of 32*: only the call of `poll_completions`, which finds 32 answers of the kernel to
//!   writes that did not merge, tells the engine, and delivers 32 completions into a `Vec`. Per
//!   call, not per completion.
//! - *wait*: only the call of `wait(1, None)`, which hands the one accepted write over, enters the
//!   kernel and takes the answer in.
//!
//! Of the worker backend both threads are counted, and how often one waits for the other varies
//! from run to run: by a tenth for writes that do not merge. So no line guards its cases, only
//! their limits do. The counts depend a little on the compiler and on the C library (the plain
//! loop shows that): update the baseline with them, in a commit of its own.
#![allow(clippy::print_stdout)]

use std::{
    env,
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
};

use clap::Parser;
use ringzero::{
    Config, IoFd, StorageIo, StorageIoExt, SyncBackend, UringBackend, UringConfig, UringMode,
    WorkerBackend, to_io_error,
};
use ringzero_benches::{
    Failure,
    baseline::{Baseline, TOLERANCE},
    callgrind::{self, Extent},
    workload::{self, Place, Shape},
};

/// One measured case.
struct Case {
    name: &'static str,
    what: &'static str,
    limit: f64,
    extent: Extent,
    guard: Guard,
}

/// Whether a line of the baseline guards a case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guard {
    Line,
    /// It varies more than the tolerance from run to run.
    LimitOnly,
}

const fn steady(name: &'static str, what: &'static str, limit: f64) -> Case {
    Case { name, what, limit, extent: Extent::Whole, guard: Guard::Line }
}

const fn varying(name: &'static str, what: &'static str, limit: f64) -> Case {
    Case { guard: Guard::LimitOnly, ..steady(name, what, limit) }
}

const fn within(name: &'static str, what: &'static str, function: &'static str) -> Case {
    Case { extent: Extent::Within(function), ..steady(name, what, f64::INFINITY) }
}

const CASES: [Case; 17] = [
    steady("pwrite", "plain pwrite loop, 64 B", f64::INFINITY),
    steady("sync-write", "sync backend, 64 B write", 180.0),
    steady("sync-append", "sync backend, 128 B append", 180.0),
    steady("uring-write", "io_uring, 64 B write, strided", 380.0),
    steady("uring-write-adjacent", "io_uring, 64 B write, adjacent", 285.0),
    steady("uring-write-random", "io_uring, 64 B write, random", 450.0),
    steady("uring-bound-write", "io_uring thread-bound, 64 B strided", 390.0),
    steady("uring-append", "io_uring, 128 B packed append", 210.0),
    steady("uring-claim", "io_uring, 128 B append, claimed", f64::INFINITY),
    steady("uring-append-4k", "io_uring, 4 KiB append", f64::INFINITY),
    steady("uring-claim-4k", "io_uring, 4 KiB append, claimed", f64::INFINITY),
    steady("uring-datasync", "io_uring, datasync", f64::INFINITY),
    within("uring-poll-32", "io_uring, poll of 32 completions", "measured_poll"),
    within("uring-wait", "io_uring, wait for one write", "measured_wait"),
    varying("worker-write", "worker, 64 B write, strided", 850.0),
    varying("worker-write-adjacent", "worker, 64 B write, adjacent", 320.0),
    varying("worker-append", "worker, 128 B packed append", 235.0),
];

const STRIDED: Shape = Shape { window: 64, place: Place::Every(128) };
const ADJACENT: Shape = Shape { window: 64, place: Place::Every(64) };
const RANDOM: Shape = Shape { window: 64, place: Place::Scattered(30) };
const APPEND: Shape = Shape { window: 4_096, place: Place::Tail };
const LARGE_APPEND: Shape = Shape { window: 64, place: Place::Tail };

#[derive(Parser)]
#[command(about = "User-space instructions per operation")]
struct Arguments {
    /// Write what was measured to the baseline
    #[arg(long, conflicts_with = "case")]
    update: bool,
    /// Run this case, unmeasured
    #[arg(requires = "count")]
    case: Option<String>,
    /// Operations of the case
    count: Option<u64>,
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    match (&arguments.case, arguments.count) {
        (Some(case), Some(count)) => run_case(case, count),
        _ => measure_all(arguments.update),
    }
}

fn baseline_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.baseline")
}

fn measure_all(is_update: bool) -> Result<(), Failure> {
    let program = env::current_exe()?;
    let known = match is_update {
        true => Baseline::default(),
        false => Baseline::parse(&fs::read_to_string(baseline_path())?)?,
    };
    let title = "user-space instructions per operation";
    println!("{title:<40} {:>12} {:>10} {:>8}", "measured", "baseline", "limit");
    let mut guarded = Vec::new();
    let mut reasons = Vec::new();
    for Case { name, what, limit, extent, guard } in CASES {
        let measured = callgrind::per_operation(&program, &[name], extent)?;
        let limit_text = if limit.is_finite() { format!("{limit:.0}") } else { "-".to_owned() };
        let line = known.of(name);
        let line_text = line.map_or("-".to_owned(), |known| format!("{known:.0}"));
        println!("{what:<40} {measured:>12.1} {line_text:>10} {limit_text:>8}");
        if measured > limit {
            reasons.push(format!("{name}: {measured:.1} instructions, the limit is {limit:.0}"));
        }
        if guard == Guard::Line {
            guarded.push((name.to_owned(), measured));
        }
        if line.is_some_and(|known| measured < known * (1.0 - TOLERANCE)) {
            println!("  less than the baseline says: keep it with --update");
        }
    }
    let measured: Baseline = guarded.into_iter().collect();
    if is_update {
        fs::write(baseline_path(), measured.to_string())?;
    } else {
        let findings = known.findings(&measured);
        reasons.extend(findings.iter().map(ToString::to_string));
        if !findings.is_empty() {
            reasons.push(
                "if that is meant: cargo run --release -p ringzero-benches --bin instructions -- \
                 --update, and commit benches/instructions.baseline"
                    .to_owned(),
            );
        }
    }
    reasons.iter().for_each(|reason| println!("{reason}"));
    match reasons.len() {
        0 => Ok(()),
        _ => Err("instructions are above what they may be".into()),
    }
}

fn run_case(case: &str, count: u64) -> Result<(), Failure> {
    let config = Config::default();
    let bound = Config {
        uring: UringConfig { mode: UringMode::ThreadBound, ..UringConfig::default() },
        ..Config::default()
    };
    match case {
        "pwrite" => workload::run_pwrite::<64>(&null()?, STRIDED, count),
        "sync-write" => write(SyncBackend::new(&config)?, STRIDED, count),
        "sync-append" => append(SyncBackend::new(&config)?, count),
        "uring-write" => write(UringBackend::new(&config)?, STRIDED, count),
        "uring-write-random" => write(UringBackend::new(&config)?, RANDOM, count),
        "uring-write-adjacent" => write(UringBackend::new(&config)?, ADJACENT, count),
        "uring-bound-write" => write(UringBackend::new(&bound)?, STRIDED, count),
        "worker-write" => write(WorkerBackend::new(&config)?, STRIDED, count),
        "worker-write-adjacent" => write(WorkerBackend::new(&config)?, ADJACENT, count),
        "worker-append" => append(WorkerBackend::new(&config)?, count),
        "uring-append" => append(UringBackend::new(&config)?, count),
        "uring-datasync" => {
            let (mut io, fd) = on_tmpfs(UringBackend::new(&config)?)?;
            workload::run_datasyncs(&mut io, fd, count)
        }
        "uring-poll-32" => {
            let (mut io, fd) = on_null(UringBackend::new(&config)?)?;
            workload::run_polls(&mut io, fd, 32, count)
        }
        "uring-wait" => {
            let (mut io, fd) = on_null(UringBackend::new(&config)?)?;
            workload::run_waits(&mut io, fd, count)
        }
        _ => run_claim_case(case, count),
    }
}

/// Apart from the others, so that the compiler makes of those what it makes of them alone.
#[inline(never)]
fn run_claim_case(case: &str, count: u64) -> Result<(), Failure> {
    let (mut io, fd) = on_tmpfs(UringBackend::new(&Config::default())?)?;
    match case {
        "uring-append-4k" => workload::run::<4_096>(&mut io, fd, LARGE_APPEND, count),
        "uring-claim" => workload::run_claims::<128>(&mut io, fd, APPEND.window, count),
        "uring-claim-4k" => workload::run_claims::<4_096>(&mut io, fd, LARGE_APPEND.window, count),
        _ => Err(format!("no such case: {case}").into()),
    }
}

fn null() -> Result<File, Failure> {
    Ok(OpenOptions::new().write(true).open("/dev/null")?)
}

fn on_null<I: StorageIo>(mut io: I) -> Result<(I, IoFd), Failure> {
    let fd = io.register_fd(null()?).map_err(to_io_error)?;
    Ok((io, fd))
}

fn on_tmpfs<I: StorageIo>(mut io: I) -> Result<(I, IoFd), Failure> {
    let directory =
        if Path::new("/dev/shm").is_dir() { "/dev/shm".into() } else { env::temp_dir() };
    let fd = io.register_fd(tempfile::tempfile_in(directory)?).map_err(to_io_error)?;
    Ok((io, fd))
}

fn write(io: impl StorageIo + StorageIoExt, shape: Shape, count: u64) -> Result<(), Failure> {
    let (mut io, fd) = on_null(io)?;
    workload::run::<64>(&mut io, fd, shape, count)
}

fn append(io: impl StorageIo + StorageIoExt, count: u64) -> Result<(), Failure> {
    let (mut io, fd) = on_tmpfs(io)?;
    workload::run::<128>(&mut io, fd, APPEND, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_baseline_guards_exactly_the_steady_cases() {
        let text = fs::read_to_string(baseline_path()).unwrap();
        let known = Baseline::parse(&text).unwrap();
        let steady = CASES.iter().filter(|case| case.guard == Guard::Line);
        let mut names = steady.map(|case| case.name).collect::<Vec<_>>();
        names.sort_unstable();
        assert_eq!(known.cases().collect::<Vec<_>>(), names);
        assert_eq!(known.to_string(), text, "as --update writes it");
    }
}
