//! Small writes over many files and by many threads: [`run`].
//!
//! Each thread has a backend of its own and files of its own. Its write `i` goes to file
//! `i % files`; writes of one file follow the job's place, over a bounded range of the file.

use std::{fs::File, path::Path, sync::Barrier, thread};

use ringzero::{IoFd, StorageIo, StorageIoError, StorageIoExt, to_io_error};

use super::{
    Run,
    backend::{self, Kind},
    records::drive,
};
use crate::{
    Failure,
    compare::{
        content::Record,
        job::{Access, Job},
        measured::Measured,
    },
    contestants::{files, place},
};

/// Each thread does its share of the operations. They begin together; the time is that of the one
/// that takes longest, the processor time that of the process until then.
pub(super) fn run(job: &Job, kind: Kind) -> Result<Measured, Failure> {
    let barrier = Barrier::new(job.threads as usize);
    let share = Job { operations: job.operations / u64::from(job.threads), ..job.clone() };
    let run = |thread| {
        let what = Spread { thread, barrier: &barrier };
        backend::with(&share, kind, &what).map_err(|error| error.to_string())
    };
    let run = &run;
    let ends: Vec<_> = thread::scope(|scope| {
        let begin = |thread| scope.spawn(move || run(thread));
        let handles: Vec<_> = (0..job.threads).map(begin).collect();
        handles.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });
    let mut total = Measured { operations: job.operations, bytes: job.bytes(), ..<_>::default() };
    for end in ends {
        let end = end.map_err(|_| "a thread panicked")??;
        total.elapsed_ns = total.elapsed_ns.max(end.elapsed_ns);
        total.cpu_ns = total.cpu_ns.max(end.cpu_ns);
        total.peak_memory_bytes = total.peak_memory_bytes.max(end.peak_memory_bytes);
    }
    Ok(total)
}

/// What one thread does.
struct Spread<'a> {
    thread: u32,
    barrier: &'a Barrier,
}

impl Run for Spread<'_> {
    fn run<I: StorageIo + StorageIoExt<File = File>>(
        &self,
        job: &Job,
        mut io: I,
    ) -> Result<Measured, Failure> {
        let fds = self.register(job, &mut io);
        // All threads come here, so that nobody waits for one that failed.
        self.barrier.wait();
        let fds = fds?;
        let mut record = Record::new(job.record_bytes);
        let file_count = fds.len() as u64;
        drive(job, &mut io, |io, index| {
            let Some(fd) = fds.get((index % file_count) as usize) else {
                return Err(StorageIoError::BadFd);
            };
            let position = index / file_count % place::RANDOM_RECORDS;
            io.submit_write(*fd, record.of(index), place::offset_of(job, position))
        })
    }
}

impl Spread<'_> {
    fn register<I: StorageIo>(&self, job: &Job, io: &mut I) -> Result<Vec<IoFd>, Failure> {
        let open = |index: u32| {
            let is_device = job.path == Path::new("/dev/null");
            let path = if is_device { job.path.clone() } else { job.path_of(index) };
            let file = files::open_path(&path, Access::Buffered)?;
            Ok(io.register_fd(file).map_err(to_io_error)?)
        };
        (self.thread * job.files..(self.thread + 1) * job.files).map(open).collect()
    }
}
