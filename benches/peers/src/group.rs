//! Group commit by hand (W4): committers put their records into one buffer and await a task that
//! writes what has gathered with one write and one data-sync, then wakes them all.
//!
//! What a careful user of a runtime would write. After it has woken the committers the writer
//! yields once, so each of them can put in its next record before the next group leaves: the groups
//! hold everybody and do not fall apart into phases. Two buffers take turns; nothing is allocated
//! per commit.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io, mem,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Instant,
};

use ringzero_benches::{
    Failure,
    compare::{
        content::Record,
        job::Job,
        measured::Measured,
        meter::{Latency, Meter},
    },
};

use crate::{
    runtime::{PeerFile, Room, Runtime},
    tasks::{Tasks, released, yield_now},
};

/// What committers and writer share.
///
/// Invariant: the gathering buffer holds records `gathered − filled / record_bytes .. gathered`.
struct Group<F: PeerFile> {
    file: F,
    job: Job,
    /// Takes the next records.
    gathering: RefCell<F::Buffer>,
    /// Bytes in it.
    filled: Cell<usize>,
    /// Records put in so far.
    gathered: Cell<u64>,
    /// Records that are durable.
    durable: Cell<u64>,
    committers: RefCell<Vec<Waker>>,
    writer: RefCell<Option<Waker>>,
    groups: Cell<u64>,
    latency: RefCell<Latency>,
}

/// Writes all records of `job`, as many as have gathered with each write and data-sync.
///
/// # Errors
/// The runtime cannot be set up, or the first failure of an operation.
pub(crate) fn commits<R: Runtime>(job: &Job) -> Result<Measured, Failure> {
    let bytes = job.committers as usize * job.record_bytes as usize;
    let room = Room { in_flight: job.committers, buffers: 2, bytes, access: job.access };
    R::run(room, program::<R>(job.clone(), room))?
}

async fn program<R: Runtime>(job: Job, room: Room) -> Result<Measured, Failure> {
    let file = R::File::open(&job.path, room).await?;
    let spare = file.buffer()?;
    let committers = job.committers;
    let group = Rc::new(Group {
        gathering: RefCell::new(file.buffer()?),
        file,
        job,
        filled: Cell::new(0),
        gathered: Cell::new(0),
        durable: Cell::new(0),
        committers: RefCell::new(Vec::with_capacity(committers as usize)),
        writer: RefCell::default(),
        groups: Cell::new(0),
        latency: RefCell::new(Latency::new()?),
    });
    let tasks = Rc::new(Tasks::default());
    let meter = Meter::start()?;
    for committer in 0..committers {
        let began = meter.began();
        tasks.spawn::<R>(Rc::clone(&group).commit_all(committer, began));
    }
    tasks.spawn::<R>(Rc::clone(&group).write_all(spare));
    tasks.ended().await?;
    let mut measured = meter.stop(&group.job)?;
    measured.latency = group.latency.borrow().percentiles();
    let per_group = group.job.operations as f64 / group.groups.get().max(1) as f64;
    Ok(measured.with_note(format!("{per_group:.1} commits per sync")))
}

impl<F: PeerFile> Group<F> {
    /// A committer: one commit after the other, until there are no more.
    async fn commit_all(self: Rc<Self>, committer: u32, began: Instant) -> io::Result<()> {
        released(&self.job, committer, began).await;
        let mut record = Record::new(self.job.record_bytes);
        while self.gathered.get() < self.job.operations {
            let began = Instant::now();
            let index = self.gathered.get();
            self.put(record.of(index));
            poll_fn(|context| self.poll_durable(index, context)).await;
            self.latency.borrow_mut().record(began.elapsed());
        }
        Ok(())
    }

    fn put(&self, record: &[u8]) {
        let filled = self.filled.get();
        let mut gathering = self.gathering.borrow_mut();
        let room = F::data(&mut gathering).get_mut(filled..filled + record.len());
        room.unwrap_or_default().copy_from_slice(record);
        self.filled.set(filled + record.len());
        self.gathered.set(self.gathered.get() + 1);
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }

    fn poll_durable(&self, index: u64, context: &Context<'_>) -> Poll<()> {
        if index < self.durable.get() {
            return Poll::Ready(());
        }
        self.committers.borrow_mut().push(context.waker().clone());
        Poll::Pending
    }

    /// The writer: one group after the other, until all is durable.
    async fn write_all(self: Rc<Self>, mut spare: F::Buffer) -> io::Result<()> {
        while self.durable.get() < self.job.operations {
            poll_fn(|context| self.poll_gathered(context)).await;
            let bytes = self.filled.replace(0);
            let gathered = self.gathered.get();
            mem::swap(&mut spare, &mut *self.gathering.borrow_mut());
            let offset = self.durable.get() * u64::from(self.job.record_bytes);
            if self.file.write(&mut spare, bytes, offset).await? != bytes {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.file.sync_data().await?;
            self.durable.set(gathered);
            self.groups.set(self.groups.get() + 1);
            for committer in self.committers.borrow_mut().drain(..) {
                committer.wake();
            }
            yield_now().await;
        }
        Ok(())
    }

    fn poll_gathered(&self, context: &Context<'_>) -> Poll<()> {
        if self.filled.get() > 0 {
            return Poll::Ready(());
        }
        self.writer.replace(Some(context.waker().clone()));
        Poll::Pending
    }
}
