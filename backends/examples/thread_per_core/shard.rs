//! [`Shard`]: what one core does. It owns a backend, a log and its ends of the queues, and shares
//! nothing: records for another core's log travel through the queue to that core, which appends
//! them.
//!
//! The loop never waits, so it cannot deadlock: a core whose outbox is full goes on emptying its
//! inboxes.

use std::{
    error::Error,
    fs::File,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use ringzero::{
    Backend, BackendKind, Config, IoCompletion, IoFd, Limits, Stats, StorageIo, StorageIoError,
    StorageIoExt, open,
};

use crate::{
    mesh::{Ends, Inbox, Outbox},
    record::{RECORD_BYTES, Record, mixed},
};

/// Records taken from one source before it is another's turn.
const RECORDS_PER_TURN: usize = 64;
const RECORDS_PER_COMMIT: u64 = 8_192;

/// Why a core stopped.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// How much a core produces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// For how long.
    pub(crate) duration: Duration,
    /// No more than this, however fast it is.
    pub(crate) most_records: u64,
}

/// What a core did.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) backend: BackendKind,
    /// Records produced here, by destination.
    pub(crate) sent: Vec<u64>,
    /// Records in this core's log, all durable.
    pub(crate) appended: u64,
    pub(crate) elapsed: Duration,
    pub(crate) stats: Stats,
}

/// One core's share of everything.
pub(crate) struct Shard {
    number: u32,
    io: Box<dyn Backend>,
    backend: BackendKind,
    log: IoFd,
    inboxes: Vec<Inbox>,
    /// By destination.
    outboxes: Vec<Option<Outbox>>,
    sent: Vec<u64>,
    appended: u64,
    /// Records that a datasync was submitted for, and its token while it is on its way.
    covered: u64,
    commit: Option<u64>,
    completions: Vec<IoCompletion>,
}

impl Shard {
    /// To be called on the thread that will run it: what the backend starts inherits its processor.
    pub(crate) fn open(number: u32, log: &Path, ends: Ends) -> Result<Self, Failure> {
        let limits = Limits { files: 1, ..Limits::default() };
        let mut opened = open(&Config { limits, ..Config::default() })?;
        let log = opened.io.register_fd(File::create_new(log)?)?;
        let Ends { outboxes, inboxes } = ends;
        Ok(Self {
            number,
            io: opened.io,
            backend: opened.report.backend,
            log,
            inboxes,
            sent: vec![0; outboxes.len()],
            outboxes,
            appended: 0,
            covered: 0,
            commit: None,
            completions: Vec::with_capacity(1_024),
        })
    }

    /// Produces, then goes on until nothing more can come and all of the log is durable.
    pub(crate) fn run(mut self, load: Load) -> Result<Report, Failure> {
        let began = Instant::now();
        let mut produced = 0;
        while produced < load.most_records && began.elapsed() < load.duration {
            let upto = (produced + RECORDS_PER_TURN as u64).min(load.most_records);
            let before = produced;
            while produced < upto && self.produce(produced)? {
                produced += 1;
            }
            self.turn(produced > before)?;
        }
        // Closes the queues: each core sees when it has everything that will ever come.
        self.outboxes.clear();
        while !self.inboxes.iter_mut().all(Inbox::is_closed)
            || self.covered < self.appended
            || self.io.pending_count() > 0
        {
            self.turn(false)?;
        }
        self.io.deregister_fd(self.log)?;
        Ok(Report {
            backend: self.backend,
            sent: self.sent,
            appended: self.appended,
            elapsed: began.elapsed(),
            stats: self.io.stats(),
        })
    }

    /// One turn of the loop, after producing.
    fn turn(&mut self, has_produced: bool) -> Result<(), Failure> {
        let has_taken = self.take_in()?;
        self.begin_commit()?;
        self.io.flush()?;
        self.io.poll_completions(&mut self.completions);
        let is_idle = !has_produced && !has_taken && self.completions.is_empty();
        for completion in self.completions.drain(..) {
            completion.outcome().map_err(StorageIoError::Io)?;
            self.commit.take_if(|token| *token == completion.token);
        }
        if is_idle {
            // What carries out this core's I/O may need the core.
            thread::yield_now();
        }
        Ok(())
    }

    /// The record with this number among all that this core produces. False if there is no room
    /// for it now, here or at the core it belongs to: nothing has happened then.
    fn produce(&mut self, number: u64) -> Result<bool, Failure> {
        let to = (mixed(number) % self.sent.len() as u64) as usize;
        let (Some(outbox), Some(sent)) = (self.outboxes.get_mut(to), self.sent.get_mut(to)) else {
            return Ok(false);
        };
        let record = Record { from: self.number, to: to as u32, number: *sent };
        let is_taken = match outbox {
            None if !has_room(&*self.io, self.log)? => false,
            None => {
                self.io.submit_append(self.log, &record.bytes())?;
                self.appended += 1;
                true
            }
            Some(outbox) => match outbox.push(record) {
                Ok(()) => true,
                Err(_) if outbox.is_closed() => return Err(format!("core {to} is gone").into()),
                Err(_) => false,
            },
        };
        *sent += u64::from(is_taken);
        Ok(is_taken)
    }

    /// Appends what other cores have for this one. Says whether there was anything.
    fn take_in(&mut self) -> Result<bool, Failure> {
        let before = self.appended;
        for inbox in &mut self.inboxes {
            for _ in 0..RECORDS_PER_TURN {
                // Only what can be appended is taken out of the queue.
                if !has_room(&*self.io, self.log)? {
                    return Ok(self.appended > before);
                }
                let Some(record) = inbox.pop() else { break };
                self.io.submit_append(self.log, &record.bytes())?;
                self.appended += 1;
            }
        }
        Ok(self.appended > before)
    }

    /// A datasync for every so many records, and for the last ones. One at a time.
    fn begin_commit(&mut self) -> Result<(), Failure> {
        let uncovered = self.appended - self.covered;
        let is_last = self.outboxes.is_empty() && self.inboxes.iter_mut().all(Inbox::is_closed);
        let is_due = uncovered >= RECORDS_PER_COMMIT || is_last && uncovered > 0;
        if self.commit.is_none() && is_due {
            match self.io.submit_datasync(self.log) {
                Ok(token) => (self.commit, self.covered) = (Some(token), self.appended),
                Err(StorageIoError::QueueFull) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Whether an append of a record would be accepted now.
fn has_room(io: &dyn Backend, log: IoFd) -> Result<bool, Failure> {
    match io.can_accept(log, RECORD_BYTES) {
        Ok(()) => Ok(true),
        Err(StorageIoError::QueueFull | StorageIoError::BufferExhausted) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
