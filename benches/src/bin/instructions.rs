//! User-space instructions per operation, the caller's loop included, counted by valgrind.
//!
//! Without arguments it measures every case, prints a table with the limit of each, and fails if
//! one is above its limit. With a case and a count it runs that case: that is the child it
//! measures.
//!
//! The 64-byte writes go to `/dev/null`, 128 bytes apart so that nothing merges (the filter, the
//! order and the handles are all in play), with 64 accepted at a time. The 128-byte appends go to a
//! file on tmpfs, 4,096 accepted at a time. Of the worker backend both threads are counted, and how
//! often one waits for the other varies from run to run: by a tenth for writes that do not merge.
#![allow(clippy::print_stdout)]

use std::{
    env,
    fs::{File, OpenOptions},
    path::Path,
};

use ringzero::{
    Config, StorageIo, StorageIoExt, SyncBackend, UringBackend, UringConfig, UringMode,
    WorkerBackend, to_io_error,
};
use ringzero_benches::{
    Failure, callgrind,
    workload::{self, Place, Shape},
};

/// One measured case.
struct Case {
    name: &'static str,
    what: &'static str,
    limit: f64,
}

const CASES: [Case; 10] = [
    Case { name: "pwrite", what: "plain pwrite loop, 64 B", limit: f64::INFINITY },
    Case { name: "sync-write", what: "sync backend, 64 B write", limit: 220.0 },
    Case { name: "uring-write", what: "io_uring, 64 B write, strided", limit: 420.0 },
    Case { name: "uring-write-adjacent", what: "io_uring, 64 B write, adjacent", limit: 420.0 },
    Case { name: "uring-bound-write", what: "io_uring thread-bound, 64 B strided", limit: 420.0 },
    Case { name: "uring-append", what: "io_uring, 128 B packed append", limit: 230.0 },
    Case { name: "worker-write", what: "worker, 64 B write, strided", limit: 850.0 },
    Case { name: "worker-write-adjacent", what: "worker, 64 B write, adjacent", limit: 320.0 },
    Case { name: "worker-append", what: "worker, 128 B packed append", limit: 235.0 },
    Case { name: "sync-append", what: "sync backend, 128 B append", limit: f64::INFINITY },
];

const STRIDED: Shape = Shape { window: 64, place: Place::Every(128) };
const ADJACENT: Shape = Shape { window: 64, place: Place::Every(64) };
const APPEND: Shape = Shape { window: 4_096, place: Place::Tail };

fn main() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(case), Some(count)) => run_case(&case, count.parse()?),
        (None, _) => measure_all(),
        _ => Err("usage: instructions [CASE COUNT]".into()),
    }
}

fn measure_all() -> Result<(), Failure> {
    let program = env::current_exe()?;
    println!("{:<40} {:>12} {:>8}", "user-space instructions per operation", "measured", "limit");
    let mut exceeded = 0;
    for Case { name, what, limit } in CASES {
        let measured = callgrind::per_operation(&program, &[name])?;
        let limit_text = if limit.is_finite() { format!("{limit:.0}") } else { "-".to_owned() };
        println!("{what:<40} {measured:>12.1} {limit_text:>8}");
        exceeded += u32::from(measured > limit);
    }
    if exceeded > 0 {
        return Err(format!("{exceeded} above the limit").into());
    }
    Ok(())
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
        "uring-write-adjacent" => write(UringBackend::new(&config)?, ADJACENT, count),
        "uring-bound-write" => write(UringBackend::new(&bound)?, STRIDED, count),
        "worker-write" => write(WorkerBackend::new(&config)?, STRIDED, count),
        "worker-write-adjacent" => write(WorkerBackend::new(&config)?, ADJACENT, count),
        "worker-append" => append(WorkerBackend::new(&config)?, count),
        "uring-append" => append(UringBackend::new(&config)?, count),
        _ => Err(format!("no such case: {case}").into()),
    }
}

fn null() -> Result<File, Failure> {
    Ok(OpenOptions::new().write(true).open("/dev/null")?)
}

fn write(mut io: impl StorageIo + StorageIoExt, shape: Shape, count: u64) -> Result<(), Failure> {
    let fd = io.register_fd(null()?).map_err(to_io_error)?;
    workload::run::<64>(&mut io, fd, shape, count)
}

fn append(mut io: impl StorageIo + StorageIoExt, count: u64) -> Result<(), Failure> {
    let directory =
        if Path::new("/dev/shm").is_dir() { "/dev/shm".into() } else { env::temp_dir() };
    let file = tempfile::tempfile_in(directory)?;
    let fd = io.register_fd(file).map_err(to_io_error)?;
    workload::run::<128>(&mut io, fd, APPEND, count)
}
