//! Neither the caller's thread nor an I/O thread allocates or frees while there is work.
//!
//! The totals of the whole process are compared, so this is the only test of its binary. (The audit
//! binary counts the caller's thread, call by call.)
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail")]

use std::{alloc::System, thread, time::Duration};

use ringzero::{
    Config, IoCompletion, IoFd, StorageIo, StorageIoError, StorageIoExt, WorkerBackend,
    WorkerConfig,
};
use ringzero_alloc_audit::{CountingAllocator, process_totals};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new(System);

/// Work of every kind, with both sides asleep now and then.
fn work(io: &mut WorkerBackend, files: &[IoFd], completions: &mut Vec<IoCompletion>) {
    for round in 0..500_u64 {
        for file in files {
            for answer in [
                io.submit_append(*file, &[1; 100]),
                io.submit_write(*file, &[2; 9_000], 0),
                io.submit_write(*file, &[3; 10], 1 << 20 | round),
                io.submit_datasync(*file),
            ] {
                assert!(!matches!(answer, Err(StorageIoError::Io(_))), "{answer:?}");
            }
        }
        io.flush().unwrap();
        let count = if round % 7 == 0 { usize::MAX } else { 1 };
        io.wait(count, Some(Duration::from_secs(20))).unwrap();
        completions.clear();
        io.poll_completions(completions);
        assert!(completions.iter().all(|it| it.result >= 0), "{completions:?}");
    }
    while io.pending_count() > 0 {
        io.wait(1, None).unwrap();
        completions.clear();
        io.poll_completions(completions);
    }
}

#[test]
fn no_thread_allocates_while_there_is_work() {
    let folder = tempfile::tempdir().unwrap();
    for threads in [1, 3] {
        let config = Config { worker: WorkerConfig { threads }, ..Config::default() };
        let mut io = WorkerBackend::new(&config).unwrap();
        let files: Vec<_> = (0..4)
            .map(|number| folder.path().join(format!("{threads} {number}")))
            .map(|path| io.register_fd(std::fs::File::create(path).unwrap()).unwrap())
            .collect();
        let mut completions = Vec::with_capacity(8_192);
        // A thread that just started may still be setting itself up.
        io.submit_append(files[0], b"hello").unwrap();
        io.wait(1, None).unwrap();
        thread::sleep(Duration::from_millis(50));
        let before = process_totals().unwrap();
        work(&mut io, &files, &mut completions);
        assert_eq!(process_totals().unwrap(), before, "{threads} threads");
    }
    // Control: what another thread allocates is seen.
    let before = process_totals().unwrap();
    thread::spawn(|| drop(std::hint::black_box(vec![0_u8; 100]))).join().unwrap();
    assert_ne!(process_totals().unwrap(), before);
}
