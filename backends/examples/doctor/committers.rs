//! Committers that each wait for their own datasync: [`commit`].
//!
//! A closed loop on one thread: a committer appends a record and submits a datasync, and begins its
//! next commit when it learns that this one is durable. How many share a datasync is the backend's
//! affair.

use std::{
    collections::VecDeque,
    io,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use ringzero::{Backend, Errno, IoCompletion, IoFd, StorageIoError};

use crate::{failure::Failure, platform};

/// Bytes of a record.
pub(crate) const RECORD_BYTES: usize = 256;
/// Latencies are kept to three digits, up to this one.
const LONGEST_NS: u64 = 60_000_000_000;
/// How long nothing may happen before it is looked whether the user still waits.
const PATIENCE: Duration = Duration::from_millis(100);

/// What the committers did.
#[derive(Debug)]
pub(crate) struct Committed {
    /// How long the commits took, in nanoseconds.
    pub(crate) latency: Histogram<u64>,
    /// How long all of it took.
    elapsed: Duration,
}

impl Committed {
    /// Commits per second.
    pub(crate) fn rate(&self) -> f64 {
        self.latency.len() as f64 / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// A place to record latencies in.
///
/// # Errors
/// Never: the bounds are right.
pub(crate) fn latencies() -> Result<Histogram<u64>, Failure> {
    let histogram = Histogram::new_with_bounds(1, LONGEST_NS, 3);
    histogram.map_err(|error| Failure::new(error, "report this as a bug"))
}

/// One file, and who waits for it.
struct Log {
    fd: IoFd,
    /// The oldest datasync is the next to complete.
    waiting: VecDeque<(u64, Instant)>,
}

impl Log {
    /// Begins commits of so many committers, until `end`.
    fn begin(&mut self, io: &mut dyn Backend, count: usize, end: Instant) -> Result<(), Failure> {
        for _ in 0..count {
            let now = Instant::now();
            // At least one; a backend that executes at once may take long for many.
            let is_over = now >= end && !self.waiting.is_empty();
            if is_over || platform::is_interrupted() {
                break;
            }
            match io.submit_append(self.fd, &[0xA5; RECORD_BYTES]) {
                Ok(_) => self.waiting.push_back((io.submit_datasync(self.fd)?, now)),
                // The file is as long as it may be.
                Err(StorageIoError::Io(Errno::FBIG)) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Commits for about `time`, with `committers` on each of the files, which are segments; until the
/// end of a segment at most.
///
/// # Errors
/// Any error of the backend, and of any record or datasync.
pub(crate) fn commit(
    io: &mut dyn Backend,
    files: &[IoFd],
    committers: usize,
    time: Duration,
) -> Result<Committed, Failure> {
    let mut logs: Vec<Log> = files
        .iter()
        .map(|fd| Log { fd: *fd, waiting: VecDeque::with_capacity(committers) })
        .collect();
    let mut latency = latencies()?;
    // The first datasync of a file is a full one, and finds the device asleep.
    round(io, &mut logs, 1, Instant::now(), &mut latency)?;
    latency.reset();
    let began = Instant::now();
    let end = began + time;
    round(io, &mut logs, committers, end, &mut latency)?;
    Ok(Committed { latency, elapsed: began.elapsed() })
}

/// All committers begin, and begin again until `end`; until nobody waits.
fn round(
    io: &mut dyn Backend,
    logs: &mut [Log],
    committers: usize,
    end: Instant,
    latency: &mut Histogram<u64>,
) -> Result<(), Failure> {
    let mut completions: Vec<IoCompletion> = Vec::with_capacity(2 * committers * logs.len());
    for log in &mut *logs {
        log.begin(io, committers, end)?;
    }
    while io.pending_count() > 0 {
        io.wait(1, Some(PATIENCE))?;
        completions.clear();
        io.poll_completions(&mut completions);
        let now = Instant::now();
        for completion in &completions {
            if completion.result < 0 {
                return Err(io::Error::from_raw_os_error(-completion.result).into());
            }
        }
        for log in &mut *logs {
            let mut learnt = 0;
            for completion in &completions {
                if log.waiting.front().is_some_and(|(token, _)| *token == completion.token) {
                    let began = log.waiting.pop_front().map_or(now, |(_, began)| began);
                    latency.saturating_record((now - began).as_nanos() as u64);
                    learnt += 1;
                }
            }
            if now < end {
                log.begin(io, learnt, end)?;
            }
        }
    }
    Ok(())
}
