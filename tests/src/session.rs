//! [`Session`]: a backend and everything it has delivered, with each token checked.
//!
//! Every test goes through it, so in every test each token is new, is delivered exactly once, and
//! `pending_count` is what is owed.

use std::{collections::BTreeMap, time::Duration};

use ringzero_core::{IoCompletion, IoFd, StorageIo, StorageIoError, StorageIoExt};

use crate::{
    fixture::{Fixture, Place, Setup},
    skip::skip,
};

/// Long enough for any machine; reached only by a test that fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A backend and what it delivered.
#[derive(Debug)]
pub struct Session<F: Fixture> {
    /// The backend.
    pub io: F::Backend,
    /// Its files.
    pub fixture: F,
    /// Results by token.
    pub results: BTreeMap<u64, i32>,
    /// Tokens in the order of delivery.
    pub delivered: Vec<u64>,
    last_token: u64,
    accepted: usize,
}

impl<F: Fixture> Session<F> {
    /// A backend of `setup` in `place`; `None`, and the reason printed, where it cannot run.
    pub fn at(place: Place, setup: &Setup) -> Option<Self> {
        match F::at(place) {
            Ok(fixture) => Some(Self::over(fixture, setup)),
            Err(reason) => {
                skip(format!("{}: {reason}", F::NAME));
                None
            }
        }
    }

    /// A backend of `setup` over a fixture.
    pub fn over(fixture: F, setup: &Setup) -> Self {
        let io = fixture.backend(setup);
        let results = BTreeMap::new();
        Self { io, fixture, results, delivered: Vec::new(), last_token: 0, accepted: 0 }
    }

    /// Makes a file and registers it.
    pub fn open(&mut self, name: &str, content: &[u8]) -> IoFd {
        let file = self.fixture.create(name, content);
        self.io.register_fd(file).expect("registered")
    }

    fn counted(&mut self, answer: Result<u64, StorageIoError>) -> Result<u64, StorageIoError> {
        if let Ok(token) = answer {
            assert!(token > self.last_token, "token {token} after {}", self.last_token);
            self.last_token = token;
            self.accepted += 1;
        }
        assert_eq!(self.io.pending_count(), self.accepted - self.delivered.len(), "pending_count");
        answer
    }

    /// Submits a write.
    ///
    /// # Errors
    /// What the backend answers.
    pub fn write(&mut self, fd: IoFd, data: &[u8], offset: u64) -> Result<u64, StorageIoError> {
        let answer = self.io.submit_write(fd, data, offset);
        self.counted(answer)
    }

    /// Submits an append.
    ///
    /// # Errors
    /// What the backend answers.
    pub fn append(&mut self, fd: IoFd, data: &[u8]) -> Result<u64, StorageIoError> {
        let answer = self.io.submit_append(fd, data);
        self.counted(answer)
    }

    /// Submits a write of several slices.
    ///
    /// # Errors
    /// What the backend answers.
    pub fn writev(
        &mut self,
        fd: IoFd,
        slices: &[&[u8]],
        offset: u64,
    ) -> Result<u64, StorageIoError> {
        let answer = self.io.submit_writev(fd, slices, offset);
        self.counted(answer)
    }

    /// Submits an append of several slices.
    ///
    /// # Errors
    /// What the backend answers.
    pub fn appendv(&mut self, fd: IoFd, slices: &[&[u8]]) -> Result<u64, StorageIoError> {
        let answer = self.io.submit_appendv(fd, slices);
        self.counted(answer)
    }

    /// Claims memory, fills and submits it, all in `claim`.
    ///
    /// # Errors
    /// What that answers.
    pub fn claimed(
        &mut self,
        claim: impl FnOnce(&mut F::Backend) -> Result<u64, StorageIoError>,
    ) -> Result<u64, StorageIoError> {
        let answer = claim(&mut self.io);
        self.counted(answer)
    }

    /// Submits a datasync.
    ///
    /// # Errors
    /// What the backend answers.
    pub fn sync(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
        let answer = self.io.submit_datasync(fd);
        self.counted(answer)
    }

    /// Submits a read.
    ///
    /// # Errors
    /// What the backend answers.
    pub fn read(&mut self, fd: IoFd, len: usize, offset: u64) -> Result<u64, StorageIoError> {
        let answer = self.io.submit_read(fd, len, offset);
        self.counted(answer)
    }

    /// Waits for a read that succeeds, and releases it: its bytes.
    pub fn bytes_of(&mut self, token: u64) -> Vec<u8> {
        let result = self.wait_for(token);
        assert!(result >= 0, "read {token} failed with {result}");
        let mut bytes = Vec::new();
        loop {
            let part = self.io.read_bytes(token, bytes.len()).expect("a read that was delivered");
            if part.is_empty() {
                break;
            }
            bytes.extend_from_slice(part);
        }
        assert_eq!(bytes.len(), result as usize, "as many bytes as the completion says");
        self.io.release_read(token).expect("not released before");
        bytes
    }

    /// Submits anything else.
    ///
    /// # Errors
    /// What the backend answers.
    pub fn submit(
        &mut self,
        submit: impl FnOnce(&mut F::Backend) -> Result<u64, StorageIoError>,
    ) -> Result<u64, StorageIoError> {
        let answer = submit(&mut self.io);
        self.counted(answer)
    }

    /// Takes completions into a sink of any kind and counts them.
    pub fn take(&mut self, batch: &[IoCompletion]) {
        for completion in batch {
            let before = self.results.insert(completion.token, completion.result);
            assert_eq!(before, None, "token {} delivered twice", completion.token);
            assert!(completion.token <= self.last_token, "a token never given out");
            self.delivered.push(completion.token);
        }
        assert_eq!(self.io.pending_count(), self.accepted - self.delivered.len(), "pending_count");
    }

    /// Polls once. How many came.
    pub fn poll(&mut self) -> usize {
        let mut batch = Vec::new();
        self.io.poll_completions(&mut batch);
        self.take(&batch);
        batch.len()
    }

    /// Waits until something can be polled. A signal may end a wait early: then it waits again.
    fn wait_for_some(&mut self) {
        for _ in 0..20 {
            if self.io.wait(1, Some(PATIENCE)).expect("waited") > 0 {
                return;
            }
        }
        panic!("{} owed, and nothing comes: {:?}", self.io.pending_count(), self.io.stats());
    }

    /// Waits until nothing is owed.
    pub fn drain(&mut self) {
        while self.io.pending_count() > 0 {
            self.wait_for_some();
            self.poll();
        }
    }

    /// Waits for one token.
    pub fn wait_for(&mut self, token: u64) -> i32 {
        loop {
            if let Some(&result) = self.results.get(&token) {
                return result;
            }
            self.wait_for_some();
            self.poll();
        }
    }

    /// The result of a token that was delivered.
    pub fn result(&self, token: u64) -> i32 {
        *self.results.get(&token).unwrap_or_else(|| panic!("token {token} was not delivered"))
    }

    /// Submits until it is accepted, polling while the answer is *later*.
    ///
    /// # Errors
    /// Every other answer.
    pub fn retry(
        &mut self,
        mut submit: impl FnMut(&mut Self) -> Result<u64, StorageIoError>,
    ) -> Result<u64, StorageIoError> {
        loop {
            match submit(self) {
                Err(StorageIoError::QueueFull | StorageIoError::BufferExhausted) => {
                    self.wait_for_some();
                    self.poll();
                }
                answer => return answer,
            }
        }
    }

    /// Where in the order of delivery a token came.
    pub fn position(&self, token: u64) -> usize {
        let position = self.delivered.iter().position(|&known| known == token);
        position.unwrap_or_else(|| panic!("token {token} was not delivered"))
    }
}
