//! A backend in tokio's current-thread runtime: tasks await their commits, and one task, the
//! driver, sleeps on the wait handle for all of them.
//!
//! The driver sleeps beside tokio's sockets and timers, in the same epoll. Tasks that submit tell
//! it so; it runs when they all have, hands over what they submitted as one batch, and sleeps.
//!
//! ```text
//! cargo run --release -p ringzero --example tokio_loop
//! ```
//!
//! # Safety
//! tokio is told that a descriptor stays open for as long as it is registered.
#![allow(unsafe_code)]
#![allow(clippy::print_stdout, reason = "the program's output")]

use std::{
    cell::RefCell,
    convert::Infallible,
    error::Error,
    fs,
    future::poll_fn,
    io,
    pin::pin,
    rc::Rc,
    task::{Poll, ready},
};

use ringzero::{Backend, Config, IoFd, StorageIoError, WakerSlot, WakerTable, open, to_io_error};
use tokio::{
    io::{Interest, unix::AsyncFd},
    runtime::Builder,
    sync::Notify,
    task::{LocalSet, spawn_local, yield_now},
};

/// A `LocalSet` runs 61 tasks before it looks at the driver again; more would be two groups.
const TASKS: usize = 32;
const COMMITS: usize = 50;
const RECORD_BYTES: usize = 16;

/// What all tasks share, on one thread. Never borrowed over an `await`.
struct Log {
    io: RefCell<Box<dyn Backend>>,
    fd: IoFd,
    /// One slot for the one commit that each task waits for.
    table: WakerTable<[WakerSlot; TASKS]>,
    /// The driver has something to hand over.
    submitted: Notify,
}

impl Log {
    /// Appends a record; returns when it is durable.
    async fn commit(&self, record: &[u8]) -> Result<(), StorageIoError> {
        let token = {
            let mut io = self.io.borrow_mut();
            io.submit_append(self.fd, record)?;
            io.submit_datasync(self.fd)?
        };
        // Before any poll can deliver it: the driver is another task.
        let synced = self.table.completion(token)?;
        self.submitted.notify_one();
        synced.await.outcome().map(drop).map_err(StorageIoError::Io)
    }

    /// Hands over, sleeps, and wakes whom it concerns. For as long as it is polled.
    async fn drive(&self) -> io::Result<Infallible> {
        let handle = self.io.borrow_mut().wait_handle()?;
        // SAFETY: the descriptor stays open, and the same, until the handle is dropped.
        let handle = unsafe { AsyncFd::register_with_interest(handle, Interest::READABLE) }?;
        loop {
            self.io.borrow_mut().poll_completions(&mut &self.table);
            // The last call before the sleep. The tasks that were woken run first, and submit:
            // after that the driver comes round again.
            let may_sleep = self.io.borrow_mut().prepare_wait().map_err(to_io_error)?;
            if !may_sleep {
                yield_now().await;
                continue;
            }
            let mut submitted = pin!(self.submitted.notified());
            poll_fn(|context| {
                if submitted.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Ok::<(), io::Error>(()));
                }
                // What tokio knows is forgotten before the handle is armed again.
                ready!(handle.poll_read_ready(context))?.clear_ready();
                Poll::Ready(Ok(()))
            })
            .await?;
        }
    }
}

/// Runs the driver until `work` is done.
async fn driven<T>(log: &Log, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let (mut work, mut driver) = (pin!(work), pin!(log.drive()));
    poll_fn(|context| {
        if let Poll::Ready(result) = work.as_mut().poll(context) {
            return Poll::Ready(result);
        }
        let failure = ready!(driver.as_mut().poll(context));
        Poll::Ready(failure.map(|never| match never {}))
    })
    .await
}

/// One task writes its records, each after the one before is safe.
async fn write_records(log: Rc<Log>, task: usize) -> Result<(), StorageIoError> {
    for commit in 0..COMMITS {
        let record = format!("{task:07} {commit:07}\n");
        log.commit(record.as_bytes()).await?;
    }
    Ok(())
}

pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("log");
    let opened = open(&Config::default())?;
    let (mut io, kind) = (opened.io, opened.report.backend);
    let fd = io.register_fd(fs::File::create_new(&path)?)?;
    let table = WakerTable::new([const { WakerSlot::new() }; TASKS]);
    let log = Rc::new(Log { io: RefCell::new(io), fd, table, submitted: Notify::new() });

    let runtime = Builder::new_current_thread().enable_io().build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let spawn = |task| spawn_local(write_records(Rc::clone(&log), task));
        let tasks: Vec<_> = (0..TASKS).map(spawn).collect();
        let all = async {
            for task in tasks {
                task.await?.map_err(to_io_error)?;
            }
            Ok(())
        };
        driven(&log, all).await
    })?;

    // Every record is there once, and the file holds nothing else.
    let bytes = fs::read(&path)?;
    let mut records: Vec<_> = bytes.chunks(RECORD_BYTES).map(String::from_utf8_lossy).collect();
    records.sort();
    let expected = (0..TASKS).flat_map(|task| (0..COMMITS).map(move |it| (task, it)));
    let expected = expected.map(|(task, commit)| format!("{task:07} {commit:07}\n"));
    assert!(records.iter().map(|record| record.as_ref()).eq(expected));
    let stats = log.io.borrow().stats();
    let syncs = stats.sync_requests + stats.durable_writes;
    let commits = TASKS * COMMITS;
    println!("tokio_loop: {commits} commits of {TASKS} tasks on {kind}, {syncs} data-syncs");
    Ok(())
}
