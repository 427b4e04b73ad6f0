//! [`Session`]: a backend, every call of which is counted and every answer checked.
//!
//! All memory is taken in [`Session::new`]: whatever is found inside a zone is the backend's own.
//!
//! Invariants:
//! - `owed` holds what was accepted and not yet delivered, oldest first; its length is the
//!   backend's `pending_count` after every call;
//! - tokens only grow, and each is delivered once, with the result it must have.

use std::{mem, time::Duration};

use ringzero::{
    Backend, CompletionSink, Errno, IoCompletion, IoFd, Limits, SliceSink, StorageIoError,
};

use crate::{
    shadow::{Shadow, data},
    wrong::{Wrong, ensure, equal},
};

/// Long enough for any machine; reached only when something is wrong.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a completion must say.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expected {
    /// That many bytes; 0 for a sync.
    Bytes(usize),
    Failure(Errno),
    /// That many bytes as long as there is room; then once ENOSPC, then ECANCELED.
    BytesUntilFull(usize),
}

/// An operation that was accepted.
#[derive(Clone, Copy, Debug)]
struct Owed {
    token: u64,
    expected: Expected,
}

/// What a session did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Calls of the interface, of whatever kind.
    pub(crate) calls: u64,
    /// Submissions that were accepted.
    pub(crate) accepted: u64,
    /// Completions delivered and found right.
    pub(crate) completions: u64,
}

pub(crate) struct Session {
    io: Box<dyn Backend>,
    pub(crate) tally: Tally,
    owed: Vec<Owed>,
    batch: Vec<IoCompletion>,
    shadows: Vec<Shadow>,
    last_token: u64,
    is_full: bool,
}

impl Session {
    pub(crate) fn new(io: Box<dyn Backend>, limits: &Limits) -> Self {
        let operation_count = limits.operation_count() as usize;
        Self {
            io,
            tally: Tally::default(),
            owed: Vec::with_capacity(operation_count),
            batch: Vec::with_capacity(operation_count),
            shadows: Vec::with_capacity(limits.files as usize),
            last_token: 0,
            is_full: false,
        }
    }

    /// The backend, for one call.
    pub(crate) fn io(&mut self) -> &mut dyn Backend {
        self.tally.calls += 1;
        &mut *self.io
    }

    /// What was accepted and not delivered.
    pub(crate) fn owed_count(&self) -> usize {
        self.owed.len()
    }

    /// Whether an append of [`Expected::BytesUntilFull`] failed since appends were last resumed.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Keeps a copy of a file from here on.
    pub(crate) fn follow(&mut self, shadow: Shadow) {
        self.shadows.push(shadow);
    }

    pub(crate) fn shadows(&self) -> &[Shadow] {
        &self.shadows
    }

    fn shadow(&mut self, fd: IoFd) -> Result<&mut Shadow, Wrong> {
        let found = self.shadows.iter_mut().find(|shadow| shadow.fd == fd);
        found.ok_or(Wrong::untrue("the file has a shadow"))
    }

    /// Where the file ends, by its shadow.
    pub(crate) fn end_of(&mut self, fd: IoFd) -> Result<u64, Wrong> {
        self.shadow(fd).map(|shadow| shadow.end())
    }

    fn check_pending(&mut self) -> Result<(), Wrong> {
        let pending = self.io().pending_count();
        equal("pending_count", pending as i64, self.owed.len() as i64)
    }

    /// A submission that must have been accepted, and will end as expected.
    #[track_caller]
    pub(crate) fn owe(
        &mut self,
        answer: Result<u64, StorageIoError>,
        expected: Expected,
    ) -> Result<(), Wrong> {
        let token = answer?;
        ensure(token > self.last_token, "a token is new")?;
        ensure(self.owed.len() < self.owed.capacity(), "no more is accepted than the limits say")?;
        self.last_token = token;
        self.tally.accepted += 1;
        self.owed.push(Owed { token, expected });
        self.check_pending()
    }

    /// A call that must have been refused, with this error and without a trace.
    #[track_caller]
    pub(crate) fn refused<T>(
        &mut self,
        answer: Result<T, StorageIoError>,
        expected: StorageIoError,
    ) -> Result<(), Wrong> {
        let found = answer.err();
        if found != Some(expected) {
            return Err(Wrong::answer("a refusal", found, Some(expected)));
        }
        self.check_pending()
    }

    /// Submits until it is accepted: polls while the answer is *later*.
    #[track_caller]
    fn accept(
        &mut self,
        expected: Expected,
        submit: impl Fn(&mut dyn Backend) -> Result<u64, StorageIoError>,
    ) -> Result<(), Wrong> {
        loop {
            match submit(self.io()) {
                Err(StorageIoError::QueueFull | StorageIoError::BufferExhausted) => {
                    let ready_count = self.io().wait(1, Some(PATIENCE))?;
                    ensure(ready_count > 0, "later means that something ends")?;
                    self.poll()?;
                }
                answer => return self.owe(answer, expected),
            }
        }
    }

    /// Writes into a followed file.
    #[track_caller]
    pub(crate) fn write(&mut self, fd: IoFd, len: usize, offset: u64) -> Result<(), Wrong> {
        let data = data(len, self.last_token);
        self.accept(Expected::Bytes(len), |io| io.submit_write(fd, data, offset))?;
        self.shadow(fd)?.write(data, offset)
    }

    /// Appends to a followed file, and checks the tail before and after.
    #[track_caller]
    pub(crate) fn append(&mut self, fd: IoFd, len: usize) -> Result<(), Wrong> {
        let end = self.end_of(fd)?;
        let tail = self.io().tail(fd)?;
        equal("the tail before an append", tail as i64, end as i64)?;
        let data = data(len, self.last_token);
        self.accept(Expected::Bytes(len), |io| io.submit_append(fd, data))?;
        self.shadow(fd)?.write(data, end)?;
        let tail = self.io().tail(fd)?;
        equal("the tail after an append", tail as i64, (end + len as u64) as i64)
    }

    /// A write into a followed file that the workload submitted itself.
    #[track_caller]
    pub(crate) fn wrote(
        &mut self,
        answer: Result<u64, StorageIoError>,
        fd: IoFd,
        data: &[u8],
        offset: u64,
    ) -> Result<(), Wrong> {
        self.owe(answer, Expected::Bytes(data.len()))?;
        self.shadow(fd)?.write(data, offset)
    }

    /// A part of a write into a followed file that the workload submitted itself.
    pub(crate) fn shadow_write(&mut self, fd: IoFd, data: &[u8], at: u64) -> Result<(), Wrong> {
        self.shadow(fd)?.write(data, at)
    }

    /// Submits a datasync that must succeed.
    #[track_caller]
    pub(crate) fn sync(&mut self, fd: IoFd) -> Result<(), Wrong> {
        self.accept(Expected::Bytes(0), |io| io.submit_datasync(fd))
    }

    #[track_caller]
    pub(crate) fn flush(&mut self) -> Result<usize, Wrong> {
        Ok(self.io().flush()?)
    }

    /// Checks what was delivered.
    pub(crate) fn take(&mut self, completions: &[IoCompletion]) -> Result<(), Wrong> {
        for completion in completions {
            let place = self.owed.iter().position(|owed| owed.token == completion.token);
            let Some(index) = place else {
                return Err(Wrong::untrue("a completion is owed, once"));
            };
            let Owed { expected, .. } = self.owed.remove(index);
            self.check_result(completion.result, expected)?;
            self.tally.completions += 1;
        }
        self.check_pending()
    }

    fn check_result(&mut self, result: i32, expected: Expected) -> Result<(), Wrong> {
        let full = -Errno::NOSPC.number();
        let expected = match expected {
            Expected::Bytes(len) => len as i64,
            Expected::Failure(errno) => i64::from(-errno.number()),
            Expected::BytesUntilFull(_) if self.is_full => i64::from(-Errno::CANCELED.number()),
            Expected::BytesUntilFull(_) if result == full => {
                self.is_full = true;
                return Ok(());
            }
            Expected::BytesUntilFull(len) => len as i64,
        };
        equal("the result of an operation", i64::from(result), expected)
    }

    /// Polls into a `Vec` with room for everything. How many came.
    pub(crate) fn poll(&mut self) -> Result<usize, Wrong> {
        let mut batch = mem::take(&mut self.batch);
        batch.clear();
        self.io().poll_completions(&mut batch);
        let count = batch.len();
        let taken = self.take(&batch);
        // Back before anything else: dropping it here would be an offence of this program.
        self.batch = batch;
        taken.map(|()| count)
    }

    /// Polls into a sink with room for `N`. How many came.
    pub(crate) fn poll_few<const N: usize>(&mut self) -> Result<usize, Wrong> {
        let mut room = [IoCompletion::default(); N];
        let mut sink = SliceSink::new(&mut room);
        self.io().poll_completions(&mut sink);
        self.take(sink.filled())?;
        Ok(sink.filled().len())
    }

    /// Polls into a sink of the workload's own, which hands what it took to [`Session::take`].
    pub(crate) fn poll_into(&mut self, sink: &mut dyn CompletionSink) {
        self.io().poll_completions(sink);
    }

    /// Waits until everything accepted has ended and nothing was delivered yet.
    #[track_caller]
    pub(crate) fn wait_for_all(&mut self) -> Result<(), Wrong> {
        let ready_count = self.io().wait(usize::MAX, Some(PATIENCE))?;
        equal("ended after waiting for all", ready_count as i64, self.owed.len() as i64)
    }

    /// Waits and polls until nothing is owed.
    #[track_caller]
    pub(crate) fn drain(&mut self) -> Result<(), Wrong> {
        while !self.owed.is_empty() {
            let ready_count = self.io().wait(1, Some(PATIENCE))?;
            ensure(ready_count > 0, "what is owed comes")?;
            self.poll()?;
        }
        Ok(())
    }

    /// Takes appends again. Answers the tail.
    #[track_caller]
    pub(crate) fn resume(&mut self, fd: IoFd) -> Result<u64, Wrong> {
        self.is_full = false;
        Ok(self.io().resume_append(fd)?)
    }
}
