//! The recommended caller's loop, for everything but commits: [`Records`].
//!
//! Submit until the window is full or the backend refuses for now; wait for one completion, which
//! hands over what was submitted; poll; look at each.

use std::{fs::File, io, time::Instant};

use ringzero::{IoCompletion, IoFd, StorageIo, StorageIoError, StorageIoExt, to_io_error};

use super::{Call, Run};
use crate::{
    Failure,
    compare::{
        content::{Record, make_record, shuffled},
        job::{Job, Place, Target, Workload},
        measured::Measured,
        meter::{Latency, Meter},
    },
    contestants::{files, place::offset_of},
};

/// Records through a backend.
pub(super) struct Records {
    pub(super) call: Call,
}

impl Run for Records {
    fn run<I: StorageIo + StorageIoExt<File = File>>(
        &self,
        job: &Job,
        mut io: I,
    ) -> Result<Measured, Failure> {
        let fd = register(&mut io, job)?;
        let measured = match self.call {
            Call::Claim => in_claims(job, &mut io, fd)?,
            Call::Append | Call::Write | Call::AppendMade => self.copied(job, &mut io, fd)?,
        };
        let stats = io.stats();
        io.deregister_fd(fd).map_err(to_io_error)?;
        let merged = job.operations as f64 / stats.write_requests.max(1) as f64;
        Ok(measured.with_note(format!("{merged:.1} records per kernel write")))
    }
}

impl Records {
    /// Each record made in a buffer of its own, from which the backend copies it.
    fn copied<I: StorageIo + StorageIoExt>(
        &self,
        job: &Job,
        io: &mut I,
        fd: IoFd,
    ) -> Result<Measured, Failure> {
        let bytes = u64::from(job.record_bytes);
        let mut record = Record::new(job.record_bytes);
        match job.workload {
            Workload::Overwrites => {
                let blocks = job.file_bytes / bytes;
                timed(job, io, |io, index| {
                    io.submit_write(fd, record.of(index), shuffled(index, blocks) * bytes)
                })
            }
            Workload::Discards if job.place != Place::Adjacent || self.call == Call::Write => {
                drive(job, io, |io, index| {
                    io.submit_write(fd, record.of(index), offset_of(job, index))
                })
            }
            _ if self.call == Call::Write => {
                drive(job, io, |io, index| io.submit_write(fd, record.of(index), index * bytes))
            }
            _ if self.call == Call::AppendMade => {
                drive(job, io, |io, index| io.submit_append(fd, record.made(index)))
            }
            _ => drive(job, io, |io, index| io.submit_append(fd, record.of(index))),
        }
    }
}

/// Each record made where the backend sends it from: no buffer, no copy.
fn in_claims<I: StorageIo + StorageIoExt>(
    job: &Job,
    io: &mut I,
    fd: IoFd,
) -> Result<Measured, Failure> {
    drive(job, io, |io, index| {
        let mut claim = io.claim_append(fd, job.record_bytes as usize)?;
        make_record(claim.parts(), index);
        claim.submit()
    })
}

/// The job's file, registered as what it is.
pub(super) fn register<I: StorageIo + StorageIoExt<File = File>>(
    io: &mut I,
    job: &Job,
) -> Result<IoFd, Failure> {
    let file = files::open(job)?;
    let fd = match job.target {
        Target::ZeroWritten => io.register_segment(file, 0, job.file_bytes),
        Target::Extending | Target::Records => io.register_fd(file),
    };
    Ok(fd.map_err(to_io_error)?)
}

/// Whether the backend said *later*.
pub(super) const fn is_later(error: StorageIoError) -> bool {
    matches!(error, StorageIoError::QueueFull | StorageIoError::BufferExhausted)
}

/// The loop.
pub(super) fn drive<I: StorageIo + StorageIoExt>(
    job: &Job,
    io: &mut I,
    mut submit: impl FnMut(&mut I, u64) -> Result<u64, StorageIoError>,
) -> Result<Measured, Failure> {
    let (window, count) = (u64::from(job.in_flight), job.operations);
    let expected = job.record_bytes as i32;
    let mut completions: Vec<IoCompletion> = Vec::with_capacity(job.in_flight as usize);
    let (mut submitted, mut completed) = (0, 0);
    let meter = Meter::start()?;
    while completed < count {
        let end = count.min(completed + window);
        while submitted < end {
            match submit(io, submitted) {
                Ok(_) => submitted += 1,
                Err(error) if is_later(error) => break,
                Err(error) => return Err(to_io_error(error).into()),
            }
        }
        // Hands over and sleeps in one call: there is nothing else to do.
        io.wait(1, None).map_err(to_io_error)?;
        completions.clear();
        io.poll_completions(&mut completions);
        for completion in &completions {
            if completion.result != expected {
                return Err(io::Error::from_raw_os_error(-completion.result).into());
            }
        }
        completed += completions.len() as u64;
    }
    meter.stop(job)
}

/// The loop, and how long each operation took: from before its submission to after the poll that
/// delivered it.
fn timed<I: StorageIo + StorageIoExt>(
    job: &Job,
    io: &mut I,
    mut submit: impl FnMut(&mut I, u64) -> Result<u64, StorageIoError>,
) -> Result<Measured, Failure> {
    let (window, count) = (u64::from(job.in_flight), job.operations);
    let expected = job.record_bytes as i32;
    let mut completions: Vec<IoCompletion> = Vec::with_capacity(job.in_flight as usize);
    let mut began: Vec<(u64, Instant)> = Vec::with_capacity(job.in_flight as usize);
    let mut latency = Latency::new()?;
    let (mut submitted, mut completed) = (0, 0);
    let meter = Meter::start()?;
    while completed < count {
        let end = count.min(completed + window);
        while submitted < end {
            let now = Instant::now();
            match submit(io, submitted) {
                Ok(token) => began.push((token, now)),
                Err(error) if is_later(error) => break,
                Err(error) => return Err(to_io_error(error).into()),
            }
            submitted += 1;
        }
        // Hands over and sleeps in one call: there is nothing else to do.
        io.wait(1, None).map_err(to_io_error)?;
        completions.clear();
        io.poll_completions(&mut completions);
        let now = Instant::now();
        for completion in &completions {
            if completion.result != expected {
                return Err(io::Error::from_raw_os_error(-completion.result).into());
            }
            let position = began.iter().position(|(token, _)| *token == completion.token);
            let position = position.ok_or("a completion that nobody waits for")?;
            latency.record(now - began.swap_remove(position).1);
        }
        completed += completions.len() as u64;
    }
    let mut measured = meter.stop(job)?;
    measured.latency = latency.percentiles();
    Ok(measured)
}
