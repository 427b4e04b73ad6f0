//! Records one after another or all over the file, many under way, nobody syncs (W1, W1s, W2, W3,
//! W5, W6); the same [`merged`] by hand (W1, W2); and [`commits`], each with a data-sync of its own
//! (W4).
//!
//! As many tasks as writes may be under way. A task keeps one buffer, takes the number of the next
//! record (merged: of as many as make 64 KiB), makes it there, awaits its write (and then the sync,
//! if it is a committer), and goes on until there are no more. Nothing is spawned or allocated per
//! operation, and there is no copy: other contestants copy each record, these make it in place.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    time::Instant,
};

use ringzero_benches::{
    Failure,
    compare::{
        content,
        job::{Job, Workload},
        measured::Measured,
        meter::{Latency, Meter},
    },
    contestants::place::offset_of,
};

use crate::{
    runtime::{PeerFile, Room, Runtime},
    tasks::{Tasks, released},
};

/// Bytes of a merged write; more gain little.
const MERGED_BYTES: u32 = 64 << 10;
/// Merged writes under way: one in the kernel, one on its way, two being filled.
const MERGED_IN_FLIGHT: u32 = 4;

/// What happens to each record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Durability {
    /// It is written.
    Written,
    /// It is written, then the file is synced, whatever other committers do.
    Synced,
}

/// Writes all records of `job`.
///
/// # Errors
/// The runtime cannot be set up, or the first failure of an operation.
pub(crate) fn writes<R: Runtime>(job: &Job) -> Result<Measured, Failure> {
    run::<R>(job, job.in_flight, Program { durability: Durability::Written, per_write: 1 })
}

/// Writes all records of `job`, 64 KiB of them with each write.
///
/// # Errors
/// The runtime cannot be set up, or the first failure of an operation.
pub(crate) fn merged<R: Runtime>(job: &Job) -> Result<Measured, Failure> {
    let per_write = u64::from((MERGED_BYTES / job.record_bytes).max(1));
    run::<R>(job, MERGED_IN_FLIGHT, Program { durability: Durability::Written, per_write })
}

/// Writes all records of `job`, each followed by a data-sync of its committer.
///
/// # Errors
/// The runtime cannot be set up, or the first failure of an operation.
pub(crate) fn commits<R: Runtime>(job: &Job) -> Result<Measured, Failure> {
    run::<R>(job, job.committers, Program { durability: Durability::Synced, per_write: 1 })
}

/// What each task does.
#[derive(Clone, Copy, Debug)]
struct Program {
    durability: Durability,
    /// Records that one write takes.
    per_write: u64,
}

/// What the tasks of a program share.
struct Shared<F> {
    file: F,
    job: Job,
    program: Program,
    began: Instant,
    next: Cell<u64>,
    latency: RefCell<Option<Latency>>,
}

fn run<R: Runtime>(job: &Job, tasks: u32, program: Program) -> Result<Measured, Failure> {
    let room = Room {
        in_flight: tasks,
        buffers: tasks as usize,
        bytes: job.record_bytes as usize * program.per_write as usize,
        access: job.access,
    };
    R::run(room, all::<R>(job.clone(), room, program))?
}

async fn all<R: Runtime>(job: Job, room: Room, program: Program) -> Result<Measured, Failure> {
    let file = R::File::open(&job.path, room).await?;
    let latency = match job.workload {
        Workload::Overwrites | Workload::Commits => Some(Latency::new()?),
        _ => None,
    };
    let mut buffers = Vec::new();
    for _ in 0..room.buffers {
        let mut buffer = file.buffer()?;
        R::File::data(&mut buffer).fill(content::FILL);
        buffers.push(buffer);
    }
    let tasks = Rc::new(Tasks::default());
    let meter = Meter::start()?;
    let shared = Rc::new(Shared {
        file,
        job,
        program,
        began: meter.began(),
        next: Cell::new(0),
        latency: RefCell::new(latency),
    });
    for (task, buffer) in (0..).zip(buffers) {
        tasks.spawn::<R>(records(Rc::clone(&shared), task, buffer));
    }
    tasks.ended().await?;
    let mut measured = meter.stop(&shared.job)?;
    measured.latency = shared.latency.borrow().as_ref().and_then(Latency::percentiles);
    Ok(measured)
}

/// One task: record after record, until there are no more.
async fn records<F: PeerFile>(
    shared: Rc<Shared<F>>,
    task: u32,
    mut buffer: F::Buffer,
) -> io::Result<()> {
    let Shared { file, job, program, next, latency, .. } = &*shared;
    released(job, task, shared.began).await;
    let record_bytes = job.record_bytes as usize;
    loop {
        let first = next.get();
        let count = program.per_write.min(job.operations - first);
        if count == 0 {
            return Ok(());
        }
        next.set(first + count);
        let began = latency.borrow().is_some().then(Instant::now);
        let records = F::data(&mut buffer).chunks_exact_mut(record_bytes);
        for (index, record) in (first..first + count).zip(records) {
            content::stamp_record(record, index);
        }
        let bytes = record_bytes * count as usize;
        if file.write(&mut buffer, bytes, offset(job, first)).await? != bytes {
            return Err(io::ErrorKind::WriteZero.into());
        }
        if program.durability == Durability::Synced {
            file.sync_data().await?;
        }
        if let (Some(began), Some(latency)) = (began, latency.borrow_mut().as_mut()) {
            latency.record(began.elapsed());
        }
    }
}

/// Where record `index` goes.
fn offset(job: &Job, index: u64) -> u64 {
    let bytes = u64::from(job.record_bytes);
    match job.workload {
        Workload::Overwrites => content::shuffled(index, job.file_bytes / bytes) * bytes,
        Workload::Discards => offset_of(job, index),
        _ => index * bytes,
    }
}
