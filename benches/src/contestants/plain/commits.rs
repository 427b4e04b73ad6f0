//! Durable commits with `pwrite` and `fdatasync`: one by one, in groups, and a thread per
//! committer.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use crate::{
    Failure,
    compare::{
        content::Record,
        job::Job,
        measured::Measured,
        meter::{Latency, Meter},
    },
    contestants::{
        committers::{Committers, release_after},
        files,
        group::{self, Log},
    },
};

/// One thread, each commit by itself, the committers in turn.
pub(super) fn one_by_one(job: &Job) -> Result<Measured, Failure> {
    let file = files::open(job)?;
    let bytes = u64::from(job.record_bytes);
    let mut record = Record::new(job.record_bytes);
    let mut waiting = Vec::with_capacity(job.committers as usize);
    let mut committers = Committers::start(job)?;
    while !committers.are_done() {
        while let Some(one) = committers.next_commit() {
            waiting.push(one);
        }
        for (committer, index) in waiting.drain(..) {
            file.write_all_at(record.of(index), index * bytes)?;
            file.sync_data()?;
            committers.learns(committer, Instant::now());
        }
    }
    committers.stop(job)
}

/// One thread: the records of all that wait in one pwrite, one fdatasync.
pub(super) fn groups(job: &Job) -> Result<Measured, Failure> {
    let buffer = vec![0; (job.committers * job.record_bytes) as usize];
    group::run(job, &mut FileLog { file: files::open(job)?, buffer })
}

struct FileLog {
    file: File,
    buffer: Vec<u8>,
}

impl Log for FileLog {
    fn put(&mut self, at: usize, record: &[u8]) {
        if let Some(room) = self.buffer.get_mut(at..at + record.len()) {
            room.copy_from_slice(record);
        }
    }

    fn commit(&mut self, bytes: usize, offset: u64) -> Result<(), Failure> {
        self.file.write_all_at(self.buffer.get(..bytes).unwrap_or_default(), offset)?;
        Ok(self.file.sync_data()?)
    }
}

/// A thread per committer; the offset of each record is taken from a common counter.
pub(super) fn threads(job: &Job) -> Result<Measured, Failure> {
    let file = files::open(job)?;
    let next = AtomicU64::new(0);
    let barrier = Barrier::new(job.committers as usize + 1);
    let mut latency = Latency::new()?;
    let (meter, recorded) = thread::scope(|scope| {
        let handles: Vec<_> = (0..job.committers)
            .map(|committer| {
                let (file, next, barrier) = (&file, &next, &barrier);
                scope.spawn(move || commit_alone(job, committer, file, next, barrier))
            })
            .collect();
        barrier.wait();
        let meter = Meter::start();
        let recorded: Vec<_> = handles.into_iter().map(thread::ScopedJoinHandle::join).collect();
        (meter, recorded)
    });
    let mut measured = meter?.stop(job)?;
    for thread in recorded {
        latency.add(&thread.map_err(|_| "a committer panicked")??)?;
    }
    measured.latency = latency.percentiles();
    Ok(measured)
}

/// What one thread does.
fn commit_alone(
    job: &Job,
    committer: u32,
    file: &File,
    next: &AtomicU64,
    barrier: &Barrier,
) -> Result<Latency, String> {
    let mut record = Record::new(job.record_bytes);
    let mut latency = Latency::new().map_err(|error| error.to_string())?;
    barrier.wait();
    let release = Instant::now() + release_after(job, committer);
    while Instant::now() < release {
        thread::yield_now();
    }
    let mut began = Instant::now();
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= job.operations {
            return Ok(latency);
        }
        file.write_all_at(record.of(index), index * u64::from(job.record_bytes))
            .and_then(|()| file.sync_data())
            .map_err(|error| error.to_string())?;
        let now = Instant::now();
        latency.record(now - began);
        began = now;
    }
}
