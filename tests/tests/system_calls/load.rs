//! [`Load`]: the hot path at work, with nothing else in between: thousands of calls of all kinds,
//! refusals and failures included, on few slots and blocks, and polls only.
//!
//! It allocates nothing after it was made, prints nothing and never waits otherwise: what a watch
//! records is the backend's.

use std::{
    fs::File,
    hint,
    time::{Duration, Instant},
};

use ringzero_core::{
    Errno, IoCompletion, IoFd, Limits, SliceSink, StorageIo, StorageIoError, StorageIoExt,
};
use ringzero_tests::{
    fixture::{Fixture, Place, SMALL, Setup},
    random::Random,
    session::PATIENCE,
};

/// Of what a datasync of a disk may cost.
const DISK_SYNCS: u64 = 40;
const SEGMENT_BYTES: u64 = 10_000;

/// What came of the calls.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) accepted: u64,
    pub(crate) succeeded: u64,
    /// ENOSPC of `/dev/full`, EINVAL of a datasync of `/dev/null`.
    pub(crate) failed: u64,
    pub(crate) cancelled: u64,
    /// `QueueFull`, `BufferExhausted`.
    pub(crate) later: u64,
    /// Every other refusal.
    pub(crate) refused: u64,
    /// Results of which no call can be the cause.
    pub(crate) strange: u64,
}

impl Tally {
    pub(crate) const fn delivered(&self) -> u64 {
        self.succeeded + self.failed + self.cancelled + self.strange
    }
}

struct Files {
    log: IoFd,
    data: IoFd,
    disk: IoFd,
    segment: IoFd,
    /// Every write and append fails.
    full: IoFd,
    /// Every datasync fails, so the first fails the file.
    broken: IoFd,
    closed: IoFd,
}

/// A backend, files of all kinds, and what came of it.
pub(crate) struct Load<F: Fixture> {
    pub(crate) io: F::Backend,
    pub(crate) tally: Tally,
    files: Files,
    data: Vec<u8>,
    random: Random,
    disk_syncs: u64,
    /// A read that was not released.
    reading: Option<u64>,
    /// Accepted by the files where everything fails.
    doomed: u64,
    _folders: [F; 2],
}

impl<F: Fixture<File = File>> Load<F> {
    /// Makes everything; the last that is not the hot path.
    ///
    /// # Errors
    /// Why this machine cannot.
    pub(crate) fn new() -> Result<Self, String> {
        let folders = [F::at(Place::Memory)?, F::at(Place::Disk)?];
        let [memory, disk] = &folders;
        let setup = Setup::with(Limits { files: 6, ..SMALL });
        let closed = memory.backend(&setup).register_fd(memory.create("closed", &[]));
        let closed = closed.expect("registered, in a backend that is dropped");
        let mut io = memory.backend(&setup);
        let device = |path| File::options().write(true).open(path).expect("opened");
        let mut register = |file| io.register_fd(file).expect("registered");
        let log = register(memory.create("log", &[]));
        let data = register(memory.create("data", &[]));
        let disk = register(disk.create("disk", &[]));
        let broken = register(device("/dev/null"));
        let segment = memory.create("segment", &[]);
        let segment = io.register_segment(segment, 0, SEGMENT_BYTES).expect("registered");
        let full = io.register_segment(device("/dev/full"), 0, 1 << 40).expect("registered");
        let files = Files { log, data, disk, segment, full, broken, closed };
        let data = vec![0xA5; io.max_write() + 1];
        let (random, tally) = (Random::new(0xCA11), Tally::default());
        Ok(Self {
            io,
            tally,
            files,
            data,
            random,
            disk_syncs: 0,
            reading: None,
            doomed: 0,
            _folders: folders,
        })
    }

    /// Submits until `count` were accepted and `is_enough`, with flushes, polls and questions in
    /// between, and polls until nothing is owed; or for so long that the test fails.
    pub(crate) fn run(&mut self, count: u64, is_enough: impl Fn(&Tally) -> bool) {
        let begin = Instant::now();
        while self.tally.accepted < count || !is_enough(&self.tally) {
            if begin.elapsed() > PATIENCE {
                break;
            }
            // How fast a device fails must not decide what share of the load that is.
            let is_doomed = self.random.below(8) == 0 && self.doomed * 4 < self.tally.accepted;
            let answer = if is_doomed { self.submit_doomed() } else { self.submit() };
            self.doomed += u64::from(is_doomed && answer.is_ok());
            match answer {
                Ok(_) => self.tally.accepted += 1,
                Err(StorageIoError::QueueFull | StorageIoError::BufferExhausted) => {
                    self.tally.later += 1;
                }
                Err(_) => self.tally.refused += 1,
            }
            self.ask();
            match self.random.below(8) {
                0 => self.tally.strange += u64::from(self.io.flush().is_err()),
                1 => self.poll(),
                _ => {}
            }
        }
        self.finish();
    }

    /// Polls until nothing is owed, or for so long that the test fails.
    pub(crate) fn finish(&mut self) {
        let begin = Instant::now();
        while self.io.pending_count() > 0 && begin.elapsed() < PATIENCE {
            self.poll();
            hint::spin_loop();
        }
    }

    fn submit(&mut self) -> Result<u64, StorageIoError> {
        let (io, files) = (&mut self.io, &self.files);
        let some = &self.data[..self.random.below(700) as usize];
        let offset = self.random.below(1 << 16);
        match self.random.below(30) {
            0..=9 => io.submit_append(files.log, some),
            10..=17 => io.submit_write(files.data, some, offset),
            18 => io.submit_datasync(files.log),
            19 => io.submit_datasync(files.data),
            20..=21 => io.submit_append(files.disk, some),
            22 if self.disk_syncs < DISK_SYNCS => {
                self.disk_syncs += 1;
                io.submit_datasync(files.disk)
            }
            23 => io.submit_append(files.segment, some),
            24 => io.submit_append(files.closed, some),
            25 => io.submit_write(files.data, &self.data, 0),
            26 => io.submit_write(files.data, some, u64::MAX),
            27..=28 => self.read(),
            _ => io.submit_append(files.log, &[]),
        }
    }

    /// Looks at the last read and releases it, and submits the next.
    fn read(&mut self) -> Result<u64, StorageIoError> {
        if let Some(token) = self.reading {
            // It may be under way still.
            if self.io.read_bytes(token, 0).is_err() {
                return Err(StorageIoError::QueueFull);
            }
            self.tally.strange += u64::from(self.io.release_read(token).is_err());
            self.reading = None;
        }
        let answer = self.io.submit_read(self.files.data, 500, self.random.below(1 << 16));
        self.reading = answer.ok();
        answer
    }

    fn submit_doomed(&mut self) -> Result<u64, StorageIoError> {
        let (io, files) = (&mut self.io, &self.files);
        match self.random.below(4) {
            0 => io.submit_write(files.full, b"never", self.random.below(1 << 16)),
            1 => io.submit_append(files.full, b"never"),
            2 => io.resume_append(files.full).and(Err(StorageIoError::Closed)),
            _ => io.submit_datasync(files.broken),
        }
    }

    /// The questions that a hot loop asks.
    fn ask(&mut self) {
        let files = &self.files;
        let is_answered = self.io.tail(files.log).is_ok()
            && self.io.room(files.segment).is_ok()
            && self.io.can_accept(files.closed, 1) == Err(StorageIoError::BadFd)
            && self.io.pending_count() as u64 == self.tally.accepted - self.tally.delivered();
        self.tally.strange += u64::from(!is_answered);
    }

    /// Takes at most seven completions, sometimes none.
    fn poll(&mut self) {
        let mut memory = [IoCompletion::default(); 7];
        let room = self.random.below(8) as usize;
        let mut sink = SliceSink::new(&mut memory[..room]);
        self.io.poll_completions(&mut sink);
        for completion in sink.filled() {
            match completion.outcome() {
                Ok(_) => self.tally.succeeded += 1,
                Err(Errno::NOSPC | Errno::INVAL) => self.tally.failed += 1,
                Err(Errno::CANCELED) => self.tally.cancelled += 1,
                Err(_) => self.tally.strange += 1,
            }
        }
    }

    /// `count` times: `batch` appends to a file in memory, handed over and polled for.
    pub(crate) fn append(&mut self, count: u64, batch: u64) {
        for _ in 0..count {
            for _ in 0..batch {
                let answer = self.io.submit_append(self.files.log, &self.data[..40]);
                self.tally.accepted += u64::from(answer.is_ok());
            }
            self.tally.strange += u64::from(self.io.flush().is_err());
            self.finish();
        }
    }

    /// Ten times: submits what takes a disk a while, and waits for it.
    pub(crate) fn wait(&mut self) {
        for _ in 0..10 {
            let submitted = self.io.submit_datasync(self.files.disk).is_ok();
            self.tally.accepted += u64::from(submitted);
            let waited = self.io.wait(1, Some(Duration::from_secs(1)));
            self.tally.strange += u64::from(!submitted || waited.is_err());
            self.finish();
        }
    }
}
