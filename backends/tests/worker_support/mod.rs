//! What the tests of worker threads share: backends with one thread and with several, files, a file
//! system that can be made to stall, and a count of the I/O threads that are alive.
//!
//! What cannot run on a machine says why and is skipped; where `RINGZERO_REQUIRE_ALL` is set, that
//! is a failure.
#![allow(dead_code, reason = "not every test binary uses all of this")]

#[path = "../support/queued.rs"]
mod queued;

use std::{
    fs,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use ringzero::{
    Config, IoCompletion, IoFd, Limits, StorageIo, StorageIoExt, WorkerBackend, WorkerConfig,
};

#[allow(unused_imports, reason = "not every test binary uses all of this")]
pub(crate) use queued::{create, finish, volume};

pub(crate) const SHORT: Duration = Duration::from_millis(100);
pub(crate) const LONG: Duration = Duration::from_secs(15);
/// Of what does not sleep, on a machine that is busy otherwise.
pub(crate) const SOON: Duration = Duration::from_secs(3);

/// Four files, and 64 operations each.
pub(crate) const SMALL: Limits = Limits {
    files: 4,
    operations_per_file: 64,
    operations_common: 0,
    blocks_per_file: 16,
    blocks_common: 0,
    block_bytes: 4_096,
};

/// Small limits and so many threads.
pub(crate) fn config(threads: u32) -> Config {
    Config { limits: SMALL, worker: WorkerConfig { threads }, ..Config::default() }
}

/// Whether `duration` is at least `expected` and not much more.
pub(crate) fn about(duration: Duration, expected: Duration) -> bool {
    duration >= expected && duration < expected + Duration::from_secs(5)
}

/// Appends and syncs one record, and waits for both.
pub(crate) fn commit(io: &mut WorkerBackend, file: IoFd, data: &[u8]) {
    let append = io.submit_append(file, data).unwrap();
    let sync = io.submit_datasync(file).unwrap();
    let mut completions = Vec::new();
    let begin = Instant::now();
    while completions.len() < 2 {
        assert!(begin.elapsed() < LONG, "not answered: {completions:?}");
        io.wait(1, Some(SHORT)).unwrap();
        io.poll_completions(&mut completions);
    }
    let expected = [
        IoCompletion { token: append, result: data.len() as i32 },
        IoCompletion { token: sync, result: 0 },
    ];
    assert_eq!(completions, expected);
}

/// The kernel's numbers of the I/O threads of this process.
pub(crate) fn io_threads() -> Vec<i32> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let is_ours = |path: &Path| {
        fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == "ringzero-io")
    };
    let number = |path: &Path| path.file_name()?.to_str()?.parse().ok();
    let paths = tasks.filter_map(|task| Some(task.ok()?.path()));
    paths.filter(|path| is_ours(path)).filter_map(|path| number(&path)).collect()
}

/// How many of them are in a call that does not end: state D of proc(5).
pub(crate) fn stuck_count() -> usize {
    let is_stuck = |number: &i32| {
        let status = fs::read_to_string(format!("/proc/self/task/{number}/status"));
        status.is_ok_and(|status| status.lines().any(|line| line.starts_with("State:\tD")))
    };
    io_threads().iter().filter(|number| is_stuck(number)).count()
}

/// Waits until so many I/O threads are stuck.
pub(crate) fn are_stuck_soon(count: usize) -> bool {
    let begin = Instant::now();
    while stuck_count() != count {
        if begin.elapsed() > LONG {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
    true
}

/// Lets one test at a time look at the threads of the process. None is there at the beginning.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(are_left_soon(0), "{:?}", io_threads());
    turn
}

/// Waits until so many I/O threads are left.
pub(crate) fn are_left_soon(count: usize) -> bool {
    let begin = Instant::now();
    while io_threads().len() != count {
        if begin.elapsed() > LONG {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
    true
}
