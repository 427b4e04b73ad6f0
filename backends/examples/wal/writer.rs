//! The loop: lines in, commits out. [`Writer`].
//!
//! Every committer appends a batch of lines, submits a datasync and waits for it; then it takes the
//! next batch. The committers differ in nothing but what they wait for, so a committer is an entry
//! in the list of commits under way. Datasyncs of several committers share system calls inside the
//! backend: that is group commit, and nothing here has to arrange it, other than that *all*
//! committers whose commit has completed submit again before the next flush.
//!
//! A log of segments: where the next fragment does not fit any more, everything in the segment is
//! committed, and only when that is known to be durable does the log go on in the next. So of two
//! segments that hold records, the first is whole after every crash.
//!
//! [`Writer::run`] does not allocate: the lists are sized for everything that the backend can have
//! accepted, and the histogram for every latency up to [`LONGEST_NS`].
//!
//! Invariants:
//! - `commits` holds at most one entry per committer, in the order of submission; `appends` holds
//!   the token of every append accepted and not completed, in that order, in which they complete.
//! - What is committed is a prefix of the input: a commit counts when its datasync succeeded and
//!   no append before it failed.

use std::{
    collections::VecDeque,
    io,
    time::{Duration, Instant},
};

use hdrhistogram::{CreationError, Histogram};
use ringzero::{Backend, Errno, IoCompletion, IoFd, Limits, StorageIoError};

use crate::{
    format::{HEAD_BYTES, Header, Seal},
    lines::Lines,
    progress::Counter,
    segments::Segments,
    source::Source,
};

/// Longer latencies count as this long.
const LONGEST_NS: u64 = 600_000_000_000;

/// Why the loop ended before the input did.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The input could not be read.
    Input(io::Error),
    /// The next segment could not be made.
    Segment(io::Error),
    /// An append failed, or was refused for good.
    Append(Errno),
    /// A datasync failed, or was refused for good.
    Datasync(Errno),
    /// The backend refused something that it should not refuse.
    Refused(StorageIoError),
    /// A completion is missing, or one came that nobody waits for.
    Unmatched,
}

/// How much the writer did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Lines accepted by the backend, in whole.
    pub(crate) records: u64,
    /// Bytes accepted by the backend.
    pub(crate) bytes: u64,
    /// Fragments accepted by the backend, and headers of segments.
    pub(crate) appends: u64,
    /// Segments begun.
    pub(crate) segments: u64,
    /// Datasyncs that succeeded, each for a batch of lines.
    pub(crate) commits: u64,
    /// Lines that are committed: the first ones of the input.
    pub(crate) committed: u64,
}

/// A datasync that was submitted and has not completed.
struct Commit {
    token: u64,
    began: Instant,
    appends_before: u64,
    records_before: u64,
}

/// How the committers work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Committers.
    pub(crate) committers: usize,
    /// Lines per commit.
    pub(crate) lines_per_commit: u32,
}

/// Where the records go.
pub(crate) enum Log<'a> {
    /// To the end of a file.
    File(IoFd),
    /// To one segment after the other.
    Segments(&'a mut Segments),
}

/// Writes lines to one log through one backend.
pub(crate) struct Writer<'a> {
    io: &'a mut dyn Backend,
    /// What is written to now; `None` before the first segment.
    log: Option<IoFd>,
    /// Of what is written to now.
    seal: Seal,
    segments: Option<&'a mut Segments>,
    pace: Pace,
    counter: &'a Counter,
    commits: VecDeque<Commit>,
    appends: VecDeque<u64>,
    finished: Vec<IoCompletion>,
    /// When the first line of the batch that has no datasync yet was taken.
    batch_began: Option<Instant>,
    tally: Tally,
    completed_appends: u64,
    failure: Option<Stop>,
    /// Appends before this one succeeded.
    first_failed_append: u64,
    latency: Histogram<u64>,
}

impl<'a> Writer<'a> {
    /// A writer to `log`, for `io`, a backend built with `limits`. A file is registered already.
    ///
    /// # Errors
    /// Never: the histogram's bounds are constants in range.
    pub(crate) fn new(
        io: &'a mut dyn Backend,
        limits: &Limits,
        log: Log<'a>,
        pace: Pace,
        counter: &'a Counter,
    ) -> Result<Self, CreationError> {
        let operation_count = limits.operation_count() as usize;
        let (log, segments) = match log {
            Log::File(fd) => (Some(fd), None),
            Log::Segments(segments) => (None, Some(segments)),
        };
        Ok(Self {
            io,
            log,
            seal: Seal::NONE,
            segments,
            pace,
            counter,
            commits: VecDeque::with_capacity(pace.committers),
            appends: VecDeque::with_capacity(operation_count),
            finished: Vec::with_capacity(operation_count),
            batch_began: None,
            tally: Tally::default(),
            completed_appends: 0,
            failure: None,
            first_failed_append: u64::MAX,
            latency: Histogram::new_with_bounds(1_000, LONGEST_NS, 3)?,
        })
    }

    /// Commits all of the input. Returns when the last line is committed, or at the first failure;
    /// then [`Writer::drain`].
    ///
    /// # Errors
    /// The first failure.
    pub(crate) fn run(&mut self, lines: &mut Lines<Source>) -> Result<(), Stop> {
        loop {
            while self.commits.len() < self.pace.committers && !lines.is_finished() {
                self.submit_batch(lines)?;
            }
            if self.commits.is_empty() {
                return Ok(());
            }
            self.io.flush().map_err(Stop::Refused)?;
            let commits = self.tally.commits;
            while self.tally.commits == commits {
                self.turn()?;
            }
        }
    }

    /// Submits the next lines of one committer, and its datasync.
    fn submit_batch(&mut self, lines: &mut Lines<Source>) -> Result<(), Stop> {
        let mut lines_left = self.pace.lines_per_commit;
        while lines_left > 0 && !lines.is_finished() {
            if lines.advance() {
                let log = self.log_with_room(lines.fragment_bytes())?;
                self.batch_began.get_or_insert_with(Instant::now);
                self.append(log, lines.fragment(self.seal))?;
                if lines.part().ends_record() {
                    self.tally.records += 1;
                    lines_left -= 1;
                }
            } else {
                if !lines.source().is_ready() {
                    // Nobody knows when the next line comes: what is there does not wait for it.
                    self.commit_everything()?;
                    lines_left = self.pace.lines_per_commit;
                }
                lines.refill().map_err(Stop::Input)?;
            }
        }
        self.commit()
    }

    /// What to append so many bytes to: the next segment, if they do not fit into this one.
    fn log_with_room(&mut self, byte_count: usize) -> Result<IoFd, Stop> {
        if let Some(log) = self.log {
            let room = self.io.room(log).map_err(Stop::Refused)?;
            if room >= byte_count as u64 || self.segments.is_none() {
                return Ok(log);
            }
            self.commit_everything()?;
            self.io.deregister_fd(log).map_err(Stop::Refused)?;
            self.log = None;
        }
        self.begin_segment()
    }

    fn begin_segment(&mut self) -> Result<IoFd, Stop> {
        let missing = StorageIoError::BadFd;
        let segments = self.segments.as_mut().ok_or(Stop::Refused(missing))?;
        let segment = segments.next().map_err(Stop::Segment)?;
        let header = Header {
            log: segments.log,
            sequence: segment.sequence,
            records_before: self.tally.records,
            fragments_before: self.tally.appends - self.tally.segments,
        };
        let log = self.io.register_segment(segment.file, 0, segment.byte_count);
        let log = log.map_err(Stop::Refused)?;
        (self.log, self.seal) = (Some(log), header.seal());
        self.append(log, &header.encode())?;
        self.tally.segments += 1;
        Ok(log)
    }

    fn append(&mut self, log: IoFd, fragment: &[u8]) -> Result<(), Stop> {
        let token = loop {
            match self.io.submit_append(log, fragment) {
                Ok(token) => break token,
                Err(error) => self.make_room(error, Stop::Append)?,
            }
        };
        self.appends.push_back(token);
        self.tally.appends += 1;
        self.tally.bytes += fragment.len() as u64;
        Ok(())
    }

    /// Submits a datasync for the lines since the last one, if there are any.
    fn commit(&mut self) -> Result<(), Stop> {
        let Some(log) = self.log else { return Ok(()) };
        let Some(began) = self.batch_began.take() else { return Ok(()) };
        let token = loop {
            match self.io.submit_datasync(log) {
                Ok(token) => break token,
                Err(error) => self.make_room(error, Stop::Datasync)?,
            }
        };
        let Tally { appends, records, .. } = self.tally;
        let (appends_before, records_before) = (appends, records);
        self.commits.push_back(Commit { token, began, appends_before, records_before });
        Ok(())
    }

    fn commit_everything(&mut self) -> Result<(), Stop> {
        self.commit()?;
        while !self.commits.is_empty() {
            self.turn()?;
        }
        Ok(())
    }

    /// A submission was refused. Waits for a completion if that may help.
    fn make_room(&mut self, error: StorageIoError, stop: fn(Errno) -> Stop) -> Result<(), Stop> {
        match error {
            StorageIoError::QueueFull | StorageIoError::BufferExhausted
                if self.io.pending_count() > 0 =>
            {
                self.turn()
            }
            StorageIoError::Io(errno) => Err(stop(errno)),
            _ => Err(Stop::Refused(error)),
        }
    }

    /// Sleeps until something is finished, and takes note of all that is.
    fn turn(&mut self) -> Result<(), Stop> {
        if self.io.pending_count() == 0 {
            return Err(Stop::Unmatched);
        }
        self.io.wait(1, None).map_err(Stop::Refused)?;
        self.reap();
        self.failure.take().map_or(Ok(()), Err)
    }

    fn reap(&mut self) {
        let mut finished = std::mem::take(&mut self.finished);
        self.io.poll_completions(&mut finished);
        let now = Instant::now();
        for completion in finished.drain(..) {
            if self.appends.front() == Some(&completion.token) {
                self.appends.pop_front();
                self.append_completed(completion);
            } else {
                self.datasync_completed(completion, now);
            }
        }
        self.finished = finished;
        let Tally { bytes, appends, records, committed, .. } = self.tally;
        // In bytes of input: no heads, but newlines. Headers of segments are a little more.
        self.counter.set(bytes - appends * HEAD_BYTES as u64 + records, committed);
    }

    fn append_completed(&mut self, completion: IoCompletion) {
        if let Err(errno) = completion.outcome() {
            self.first_failed_append = self.first_failed_append.min(self.completed_appends);
            self.failure.get_or_insert(Stop::Append(errno));
        }
        self.completed_appends += 1;
    }

    fn datasync_completed(&mut self, completion: IoCompletion, now: Instant) {
        // The front one, unless the backend lets datasyncs overtake each other.
        let at = self.commits.iter().position(|commit| commit.token == completion.token);
        let Some(commit) = at.and_then(|at| self.commits.remove(at)) else {
            self.failure.get_or_insert(Stop::Unmatched);
            return;
        };
        match completion.outcome() {
            Ok(_) if commit.appends_before <= self.first_failed_append => {
                self.tally.commits += 1;
                self.tally.committed = self.tally.committed.max(commit.records_before);
                self.latency.saturating_record(nanoseconds(now - commit.began));
            }
            Ok(_) => {}
            Err(errno) => {
                self.failure.get_or_insert(Stop::Datasync(errno));
            }
        }
    }

    /// After a failure: waits for everything that is under way. Commits among it still count.
    pub(crate) fn drain(&mut self) {
        while self.io.pending_count() > 0 && self.io.wait(1, None).is_ok() {
            self.reap();
        }
    }

    /// How much was done, and nanoseconds per commit: from taking a batch's first line to the
    /// completion of its datasync. And what is still registered.
    pub(crate) fn into_results(self) -> (Tally, Histogram<u64>, Option<IoFd>) {
        (self.tally, self.latency, self.log)
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
