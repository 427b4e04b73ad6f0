//! Records one after another or all over the file, many under way, nobody syncs (W1, W1s, W2, W3,
//! W5, W6); and, as [`commits`], each with a data-sync of its own (W4).
//!
//! As many tasks as operations may be under way. A task keeps one buffer, takes the number of the
//! next record, makes it, awaits its write (and then the sync, if it is a committer), and goes on
//! until there are no more. Nothing is spawned or allocated per operation.

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
        job::{Job, Place, Workload},
        measured::Measured,
        meter::{Latency, Meter},
    },
};

use crate::{
    runtime::{PeerFile, Room, Runtime},
    tasks::Tasks,
};

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
    run::<R>(job, job.in_flight, Durability::Written)
}

/// Writes all records of `job`, each followed by a data-sync of its committer.
///
/// # Errors
/// The runtime cannot be set up, or the first failure of an operation.
pub(crate) fn commits<R: Runtime>(job: &Job) -> Result<Measured, Failure> {
    run::<R>(job, job.committers, Durability::Synced)
}

/// What the tasks of a program share.
struct Shared<F> {
    file: F,
    job: Job,
    durability: Durability,
    next: Cell<u64>,
    latency: RefCell<Option<Latency>>,
}

fn run<R: Runtime>(job: &Job, tasks: u32, durability: Durability) -> Result<Measured, Failure> {
    let room = Room {
        in_flight: tasks,
        buffers: tasks as usize,
        bytes: job.record_bytes as usize,
        access: job.access,
    };
    R::run(room, program::<R>(job.clone(), room, durability))?
}

async fn program<R: Runtime>(
    job: Job,
    room: Room,
    durability: Durability,
) -> Result<Measured, Failure> {
    let file = R::File::open(&job.path, room).await?;
    let latency = match job.workload {
        Workload::Overwrites | Workload::Commits => Some(Latency::new()?),
        _ => None,
    };
    let latency = RefCell::new(latency);
    let shared = Rc::new(Shared { file, job, durability, next: Cell::new(0), latency });
    let mut buffers = Vec::new();
    for _ in 0..room.buffers {
        let mut buffer = shared.file.buffer()?;
        R::File::data(&mut buffer).fill(content::FILL);
        buffers.push(buffer);
    }
    let tasks = Rc::new(Tasks::default());
    let meter = Meter::start()?;
    for buffer in buffers {
        tasks.spawn::<R>(records(Rc::clone(&shared), buffer));
    }
    tasks.ended().await?;
    let mut measured = meter.stop(&shared.job)?;
    measured.latency = shared.latency.borrow().as_ref().and_then(Latency::percentiles);
    Ok(measured)
}

/// One task: record after record, until there are no more.
async fn records<F: PeerFile>(shared: Rc<Shared<F>>, mut buffer: F::Buffer) -> io::Result<()> {
    let bytes = shared.job.record_bytes as usize;
    loop {
        let index = shared.next.get();
        if index == shared.job.operations {
            return Ok(());
        }
        shared.next.set(index + 1);
        content::stamp_record(F::data(&mut buffer), index);
        let began = shared.latency.borrow().is_some().then(Instant::now);
        let written = shared.file.write(&mut buffer, bytes, offset(&shared.job, index)).await?;
        if written != bytes {
            return Err(io::ErrorKind::WriteZero.into());
        }
        if shared.durability == Durability::Synced {
            shared.file.sync_data().await?;
        }
        if let (Some(began), Some(latency)) = (began, shared.latency.borrow_mut().as_mut()) {
            latency.record(began.elapsed());
        }
    }
}

/// Where record `index` goes.
fn offset(job: &Job, index: u64) -> u64 {
    let bytes = u64::from(job.record_bytes);
    match job.place {
        Place::Adjacent => index * bytes,
        Place::Strided => 2 * index * bytes,
        Place::Random => content::shuffled(index, job.file_bytes / bytes) * bytes,
    }
}
