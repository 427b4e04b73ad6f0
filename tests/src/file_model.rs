//! [`FileModel`]: what the contract says of one registration of one file.

use std::collections::VecDeque;

use ringzero_core::{Errno, StorageIoError};

use crate::{
    content::{Content, Span},
    disk::{FileState, Injected},
    ensure,
    model::Verdict,
    traffic::is_retried,
};

pub(crate) const CANCELED: i32 = -Errno::CANCELED.number();

/// One write or append, from acceptance until a sync has looked at it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) token: u64,
    pub(crate) span: Span,
    pub(crate) is_append: bool,
    /// How often appends had been resumed when it was accepted.
    pub(crate) epoch: u64,
    pub(crate) result: Option<i32>,
}

/// What is known of the append stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Sound,
    /// An append failed with this error, delivered; it began here.
    Broken(Errno, u64),
}

/// One registration of one file.
#[derive(Debug)]
pub struct FileModel {
    pub(crate) content: Content,
    pub(crate) tail: u64,
    pub(crate) write_end: u64,
    pub(crate) entries: VecDeque<Entry>,
    pub(crate) appends: VecDeque<u64>,
    pub(crate) syncs: VecDeque<u64>,
    pub(crate) stream: Stream,
    pub(crate) epoch: u64,
    pub(crate) failed: Option<Errno>,
    pub(crate) owed: usize,
    pub(crate) highest: u64,
    /// It was deregistered.
    pub is_closed: bool,
}

impl FileModel {
    /// A file that has this content when it is registered.
    pub fn new(image: &[u8]) -> Self {
        Self {
            content: Content::new(image),
            tail: image.len() as u64,
            write_end: 0,
            entries: VecDeque::new(),
            appends: VecDeque::new(),
            syncs: VecDeque::new(),
            stream: Stream::Sound,
            epoch: 0,
            failed: None,
            owed: 0,
            highest: image.len() as u64,
            is_closed: false,
        }
    }

    /// Accepted and not delivered.
    pub fn owed(&self) -> usize {
        self.owed
    }

    /// Whether this token is a datasync that is owed.
    pub fn is_sync(&self, token: u64) -> bool {
        self.syncs.contains(&token)
    }

    /// Whether its failure was delivered.
    pub fn failed(&self) -> Option<Errno> {
        self.failed
    }
}

impl FileModel {
    /// Whether the disk gave this file an error that fails it.
    pub fn is_lost(disk: &FileState) -> bool {
        let is_fatal = |injected: &Injected| match injected.offset {
            None => true,
            Some(_) => !injected.errno.keeps_file_usable() && !is_retried(injected.errno),
        };
        disk.injected.iter().any(is_fatal)
    }

    pub(crate) fn write_failed(
        &mut self,
        token: u64,
        span: Span,
        is_append: bool,
        result: i32,
        disk: &FileState,
    ) -> Verdict {
        if result == CANCELED {
            let is_behind = is_append && self.stream != Stream::Sound;
            ensure!(is_behind || Self::is_lost(disk), "G7: {token} cancelled, but nothing failed");
            if is_append && self.stream == Stream::Sound {
                self.stream = Stream::Broken(Errno::CANCELED, span.offset);
            }
            return Ok(());
        }
        let errno = Errno::new(-result);
        ensure!(
            !is_append || self.stream == Stream::Sound,
            "G5: append {token} behind a failed one says {errno}"
        );
        // G4: of a request, the first unfinished write is charged.
        let is_charged = |injected: &Injected| {
            let begins = |at| at >= span.offset && at < span.offset + span.len;
            injected.errno == errno && injected.offset.is_some_and(begins)
        };
        ensure!(disk.injected.iter().any(is_charged), "G4: {token} {span:?} says {errno}");
        if is_append {
            self.stream = Stream::Broken(errno, span.offset);
        }
        if !errno.keeps_file_usable() && self.failed.is_none() {
            self.failed = Some(errno);
        }
        Ok(())
    }

    pub(crate) fn sync_delivered(&mut self, token: u64, result: i32, disk: &FileState) -> Verdict {
        let first = self.syncs.pop_front();
        ensure!(first == Some(token), "G6: sync {token} delivered before {first:?}");
        let mut covered = None;
        while let Some(entry) = self.entries.front().filter(|entry| entry.token < token) {
            let Some(result) = entry.result else {
                return Err(format!("G6: sync {token} delivered before {}", entry.token));
            };
            if result < 0 {
                covered = covered.or(Some(result));
            }
            self.content.settle(entry.span, result >= 0);
            self.entries.pop_front();
        }
        match (result, covered) {
            (0, None) => {
                let later: Vec<Span> = self.entries.iter().map(|entry| entry.span).collect();
                self.content.check_durable(&disk.durable, &later)
            }
            (0, Some(error)) => Err(format!("G6: sync {token} hides the failure {error}")),
            (_, Some(error)) => {
                ensure!(result == error, "G6: sync {token} says {result}, first failure {error}");
                Ok(())
            }
            (CANCELED, None) => {
                ensure!(Self::is_lost(disk), "G7: sync {token} cancelled, but nothing failed");
                Ok(())
            }
            (_, None) => {
                let errno = Errno::new(-result);
                let is_its_own = |i: &Injected| {
                    let seen = if i.errno == Errno::CANCELED { Errno::IO } else { i.errno };
                    i.offset.is_none() && seen == errno
                };
                ensure!(disk.injected.iter().any(is_its_own), "G6: sync {token} says {errno}");
                self.failed = self.failed.or(Some(errno));
                Ok(())
            }
        }
    }

    /// What `resume_append` answered.
    ///
    /// # Errors
    /// Why that is not allowed.
    pub fn resumed(&mut self, answer: Result<u64, StorageIoError>) -> Verdict {
        match (answer, self.stream) {
            (Ok(tail), Stream::Broken(_, begin)) => {
                let expected = begin.max(self.write_end);
                ensure!(tail == expected, "G5: resumed at {tail}, not {expected}");
                self.tail = tail;
                self.epoch += 1;
                self.stream = Stream::Sound;
                Ok(())
            }
            (Ok(tail), Stream::Sound) => {
                ensure!(tail == self.tail, "G5: tail {tail}, not {}", self.tail);
                Ok(())
            }
            // The failure is on its way to the caller.
            (Err(StorageIoError::QueueFull), Stream::Sound) => {
                ensure!(!self.appends.is_empty(), "G5: nothing failed, and nothing is owed");
                Ok(())
            }
            // Cancelled, because the file failed: that is on its way too.
            (Err(StorageIoError::Io(_)), _) => Ok(()),
            (Err(error), _) => Err(format!("G5: resume_append says {error:?}")),
        }
    }

    /// What `tail` answered while no append has failed.
    ///
    /// # Errors
    /// Why that is not allowed.
    pub fn tail_is(&self, tail: u64) -> Verdict {
        ensure!(tail == self.tail, "G5: tail {tail}, not {}", self.tail);
        Ok(())
    }

    /// Everything of this registration was delivered, and the file (closed or not) holds `image`.
    ///
    /// # Errors
    /// The first byte that is not allowed.
    pub fn settled(&mut self, image: &[u8], is_cut: bool) -> Verdict {
        ensure!(self.owed == 0, "the model lost count");
        for entry in std::mem::take(&mut self.entries) {
            self.content.settle(entry.span, entry.result.is_some_and(|result| result >= 0));
        }
        ensure!(image.len() as u64 <= self.highest, "G3: {} bytes long", image.len());
        if is_cut && self.failed.is_none() {
            let tail = match self.stream {
                Stream::Sound => self.tail,
                Stream::Broken(_, begin) => begin.max(self.write_end),
            };
            ensure!(image.len() as u64 <= tail, "G5: {} bytes, the tail is {tail}", image.len());
        }
        self.content.check_all(image)
    }
}
