//! [`FileModel`]: what the contract says of one registration of one file.

mod alterations;
mod durable;
mod log;
mod reads;

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
};

use ringzero_core::{Errno, StorageIoError};

use crate::{
    content::{Change, Content, Span},
    disk::{FileState, Injected},
    ensure,
    model::Verdict,
    traffic::is_retried,
};
use alterations::Owed;
use durable::Durable;
use log::{Entry, Log};
pub(crate) use {durable::Sync, log::Kind, reads::Reading};

pub(crate) const CANCELED: i32 = -Errno::CANCELED.number();

/// What is known of the append stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Sound,
    /// An append failed with this error, delivered.
    Broken(Errno),
}

/// One registration of one file.
#[derive(Debug)]
pub struct FileModel {
    initial: Vec<u8>,
    content: Content,
    pub(crate) log: Log,
    pub(crate) tail: u64,
    /// Every positional write ends here or before, since the last truncation.
    pub(crate) write_end: u64,
    /// The same, ever.
    pub(crate) furthest_write: u64,
    pub(crate) appends: VecDeque<u64>,
    pub(crate) syncs: VecDeque<Sync>,
    durable: Durable,
    pub(crate) reads: BTreeMap<u64, Reading>,
    /// Reads that were delivered and not released.
    pub(crate) kept: usize,
    altering: VecDeque<Owed>,
    /// Alterations of the disk that are known here.
    altered_count: usize,
    pub(crate) stream: Stream,
    pub(crate) epoch: u64,
    pub(crate) failed: Option<Errno>,
    /// Failures of writes that a datasync reported.
    pub(crate) reported: Vec<Errno>,
    pub(crate) owed: usize,
    pub(crate) highest: u64,
    /// It was deregistered.
    pub is_closed: bool,
}

impl FileModel {
    /// A file that has this content when it is registered.
    pub fn new(image: &[u8]) -> Self {
        Self {
            initial: image.to_vec(),
            content: Content::new(image),
            log: Log::default(),
            tail: image.len() as u64,
            write_end: 0,
            furthest_write: 0,
            appends: VecDeque::new(),
            syncs: VecDeque::new(),
            durable: Durable::default(),
            reads: BTreeMap::new(),
            kept: 0,
            altering: VecDeque::new(),
            altered_count: 0,
            stream: Stream::Sound,
            epoch: 0,
            failed: None,
            reported: Vec::new(),
            owed: 0,
            highest: image.len() as u64,
            is_closed: false,
        }
    }

    /// Accepted and not delivered.
    pub fn owed(&self) -> usize {
        self.owed
    }

    /// Operation slots that it holds: what is owed, and reads that were not released.
    pub(crate) fn held(&self) -> usize {
        self.owed + self.kept
    }

    /// Whether this token is a datasync that is owed.
    pub fn is_sync(&self, token: u64) -> bool {
        self.syncs.iter().any(|sync| sync.token == token)
    }

    /// Whether this token is a read that is owed.
    pub fn is_read(&self, token: u64) -> bool {
        self.reads.contains_key(&token)
    }

    /// Whether a write, append or alteration is owed that may change something in a range.
    pub fn is_changing(&self, range: &Range<u64>) -> bool {
        self.log.is_changing(range)
    }

    /// Whether the failure of an append was delivered, and appends were not resumed.
    pub fn is_broken(&self) -> bool {
        self.stream != Stream::Sound
    }

    /// Whether its failure was delivered.
    pub fn failed(&self) -> Option<Errno> {
        self.failed
    }

    /// A write, append or alteration was accepted.
    pub(crate) fn log_change(&mut self, token: u64, kind: Kind, change: Change) {
        let (epoch, result) = (self.epoch, None);
        self.log.push(Entry { token, kind, change, epoch, result });
    }

    /// A write or append was accepted.
    pub(crate) fn bytes_accepted(&mut self, token: u64, kind: Kind, span: Span) {
        let end = span.offset + span.len;
        self.highest = self.highest.max(end);
        if kind == Kind::Append {
            self.appends.push_back(token);
            self.tail = end;
        } else if span.len > 0 {
            self.write_end = self.write_end.max(end);
            self.furthest_write = self.furthest_write.max(end);
            self.tail = self.tail.max(end);
        }
        self.log_change(token, kind, Change::Write(span));
    }

    /// A write, append or alteration was delivered.
    pub(crate) fn change_delivered(
        &mut self,
        token: u64,
        result: i32,
        disk: &FileState,
    ) -> Verdict {
        let settled = self.log.unsettled().first().is_none_or(|entry| token < entry.token);
        let Some(entry) = self.log.find_mut(token).filter(|_| !settled) else {
            return Err(format!("G6: token {token} after its sync"));
        };
        entry.result = Some(result);
        let Entry { kind, change, epoch, .. } = *entry;
        let Change::Write(span) = change else {
            return self.alteration_delivered(token, result, disk);
        };
        if kind == Kind::Append {
            let first = self.appends.pop_front();
            ensure!(first == Some(token), "G5: append {token} delivered before {first:?}");
            if epoch < self.epoch {
                // Accepted behind a failed one, and resumed before this was delivered.
                ensure!(result == CANCELED, "G5: append {token} behind a failed one: {result}");
                return Ok(());
            }
        }
        if result >= 0 {
            ensure!(result as u64 == span.len, "G3: {result} of {} bytes", span.len);
            ensure!(
                kind == Kind::Write || self.stream == Stream::Sound,
                "G5: append {token} succeeded after one had failed"
            );
            return Ok(());
        }
        self.write_failed(token, (kind, span), result, disk)
    }
}

impl FileModel {
    /// Whether the disk gave this file an error that fails it.
    pub fn is_lost(disk: &FileState) -> bool {
        Self::loss_count(disk) > 0
    }

    /// How many such errors there were.
    pub fn loss_count(disk: &FileState) -> usize {
        let is_fatal = |injected: &Injected| match injected.offset {
            None => true,
            Some(_) => !injected.errno.keeps_file_usable() && !is_retried(injected.errno),
        };
        disk.injected.iter().filter(|injected| is_fatal(injected)).count()
    }

    fn write_failed(
        &mut self,
        token: u64,
        (kind, span): (Kind, Span),
        result: i32,
        disk: &FileState,
    ) -> Verdict {
        let is_append = kind == Kind::Append;
        if result == CANCELED {
            let is_behind = is_append && self.stream != Stream::Sound;
            ensure!(is_behind || Self::is_lost(disk), "G7: {token} cancelled, but nothing failed");
            if is_append && self.stream == Stream::Sound {
                self.stream_broken(token, span.offset, Errno::CANCELED);
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
            self.stream_broken(token, span.offset, errno);
        }
        if !errno.keeps_file_usable() && self.failed.is_none() {
            self.failed = Some(errno);
        }
        Ok(())
    }

    /// The delivery of an append that began at `begin` says that the stream is broken.
    fn stream_broken(&mut self, token: u64, begin: u64, errno: Errno) {
        self.stream = Stream::Broken(errno);
        self.tail = self.tail_after_failure(token, begin);
        self.syncs.iter_mut().for_each(|sync| sync.put_back(begin));
    }

    pub(crate) fn sync_delivered(&mut self, token: u64, result: i32, disk: &FileState) -> Verdict {
        let first = self.syncs.pop_front();
        let Some(sync) = first.filter(|first| first.token == token) else {
            return Err(format!("G6: sync {token} delivered before {first:?}"));
        };
        let mut covered = None;
        while let Some(entry) = self.log.settle_before(token) {
            let Some(result) = entry.result else {
                return Err(format!("G6: sync {token} delivered before {}", entry.token));
            };
            if result < 0 && entry.kind != Kind::Alteration {
                covered = covered.or(Some(result));
            }
            self.content.settle(entry.change, result >= 0);
        }
        match (result, covered) {
            (0, None) => {
                self.durable.synced(sync);
                let unsettled = self.log.unsettled();
                let later: Vec<Change> = unsettled.iter().map(|entry| entry.change).collect();
                self.content.check_durable(&disk.durable, &later)
            }
            (0, Some(error)) => Err(format!("G6: sync {token} hides the failure {error}")),
            (_, Some(error)) => {
                ensure!(result == error, "G6: sync {token} says {result}, first failure {error}");
                self.reported.push(Errno::new(-error));
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
            (Ok(tail), stream) => {
                ensure!(tail == self.tail, "G5: tail {tail}, not {}", self.tail);
                self.epoch += u64::from(stream != Stream::Sound);
                self.stream = Stream::Sound;
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
        while let Some(entry) = self.log.settle_before(u64::MAX) {
            self.content.settle(entry.change, entry.is_good());
        }
        ensure!(image.len() as u64 <= self.highest, "G3: {} bytes long", image.len());
        if is_cut && self.failed.is_none() {
            let (len, tail) = (image.len() as u64, self.tail);
            ensure!(len <= tail, "G5: {len} bytes, the tail is {tail}");
        }
        self.content.check_all(image)
    }
}
