//! An async executor in a hundred lines: tasks await their commits, and where all of them wait, it
//! sleeps in the backend's own `wait`.
//!
//! A task submits and awaits a token; `WakerTable` is where the completion meets it. Nothing here
//! knows which backend it is. The tasks of one turn travel together: 64 commits and one data-sync.
//!
//! ```text
//! cargo run --release -p ringzero --example own_executor
//! ```
#![allow(clippy::print_stdout, reason = "the program's output")]

use std::{
    cell::RefCell,
    error::Error,
    fs,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use ringzero::{Backend, Config, Errno, IoFd, StorageIoError, WakerSlot, WakerTable, open};

const TASKS: usize = 64;
const COMMITS: usize = 50;
const RECORD_BYTES: usize = 16;

/// What all tasks share. They run on one thread, so a `RefCell` that is never held over an `await`
/// is all the protection it needs.
struct Log {
    io: RefCell<Box<dyn Backend>>,
    fd: IoFd,
    /// One slot for the one commit that each task waits for.
    table: WakerTable<[WakerSlot; TASKS]>,
}

impl Log {
    /// Appends a record; returns when it is durable.
    async fn commit(&self, record: &[u8]) -> Result<(), StorageIoError> {
        let token = {
            let mut io = self.io.borrow_mut();
            io.submit_append(self.fd, record)?;
            io.submit_datasync(self.fd)?
        };
        // Right after the submission, so before any poll can deliver it. The append's own token is
        // waited for by nobody: the data-sync speaks for it.
        let synced = self.table.completion(token)?.await;
        synced.outcome().map(drop).map_err(StorageIoError::Io)
    }
}

/// One task writes its records, each after the one before is safe.
async fn write_records(log: &Log, task: usize) -> Result<(), StorageIoError> {
    for commit in 0..COMMITS {
        let record = format!("{task:07} {commit:07}\n");
        log.commit(record.as_bytes()).await?;
    }
    Ok(())
}

/// Says that a task can go on.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

type Task<'a> = Pin<Box<dyn Future<Output = Result<(), StorageIoError>> + 'a>>;

/// Runs all tasks to their end. Returns how often it slept.
fn run(log: &Log, tasks: Vec<Task<'_>>) -> Result<u64, StorageIoError> {
    let mut tasks: Vec<_> =
        tasks.into_iter().map(|task| (task, Arc::new(Flag(AtomicBool::new(true))))).collect();
    let mut sleeps = 0;
    loop {
        let mut failure = None;
        tasks.retain_mut(|(task, flag)| {
            if !flag.0.swap(false, Ordering::Acquire) {
                return true;
            }
            let waker = Waker::from(Arc::clone(flag));
            match task.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Pending => true,
                Poll::Ready(result) => {
                    failure = failure.or(result.err());
                    false
                }
            }
        });
        if let Some(error) = failure {
            return Err(error);
        }
        if tasks.is_empty() {
            return Ok(sleeps);
        }
        // Every task waits: hand over, sleep until there is something, and wake whom it concerns.
        let mut io = log.io.borrow_mut();
        if io.pending_count() == 0 {
            // They wait for something else, which this executor does not have.
            return Err(StorageIoError::Io(Errno::INVAL));
        }
        io.wait(1, None)?;
        sleeps += 1;
        io.poll_completions(&mut &log.table);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("log");
    let opened = open(&Config::default())?;
    let (mut io, kind) = (opened.io, opened.report.backend);
    let fd = io.register_fd(fs::File::create_new(&path)?)?;
    let table = WakerTable::new([const { WakerSlot::new() }; TASKS]);
    let log = Log { io: RefCell::new(io), fd, table };

    let tasks = (0..TASKS).map(|task| Box::pin(write_records(&log, task)) as Task<'_>).collect();
    let sleeps = run(&log, tasks)?;

    // Every record is there once, and the file holds nothing else.
    let bytes = fs::read(&path)?;
    let mut records: Vec<_> = bytes.chunks(RECORD_BYTES).map(String::from_utf8_lossy).collect();
    records.sort();
    let expected = (0..TASKS).flat_map(|task| (0..COMMITS).map(move |it| (task, it)));
    let expected = expected.map(|(task, commit)| format!("{task:07} {commit:07}\n"));
    assert!(records.iter().map(|record| record.as_ref()).eq(expected));
    let commits = TASKS * COMMITS;
    println!("own_executor: {commits} commits of {TASKS} tasks on {kind}, {sleeps} sleeps");
    Ok(())
}
