//! [`Log`]: the reference log, a program that keeps to the contract, and what it knows to be safe.
//!
//! It appends records, syncs, resumes after a failed append, and either sends again what failed, in
//! order, or abandons it. It takes nothing for safe but what a delivered datasync covers.
//!
//! [`Discipline::Reckless`] is the control: a log that takes for safe what was merely written.

use std::collections::VecDeque;

use ringzero::{SimBackend, StorageIoError, StorageIoExt};
use ringzero_core::{IoFd, StorageIo};

use crate::record::{self, History, Recovered};

/// When the log takes a record for safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Discipline {
    /// When a datasync that covers it was delivered with success.
    Sound,
    /// When its write was delivered.
    Reckless,
}

/// What the log does with what failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Sends it again. Records may be in several fragments.
    Retry,
    /// Forgets it and appends other records in its place. A record is one fragment: half of one
    /// could read on in what was left there.
    Abandon,
}

#[derive(Clone, Debug)]
struct Fragment {
    number: u32,
    is_first: bool,
    is_last: bool,
    bytes: Vec<u8>,
}

/// A record of the stream.
#[derive(Debug)]
struct Live {
    number: u32,
    payload: Vec<u8>,
    /// Where it begins, once its first fragment was accepted.
    offset: u64,
    /// The token of its last fragment, once that was accepted.
    last_token: Option<u64>,
    /// A fragment failed and was not sent again.
    has_failed: bool,
}

/// A log over one backend.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) fd: IoFd,
    discipline: Discipline,
    policy: Policy,
    live: Vec<Live>,
    /// Not accepted yet.
    queue: VecDeque<Fragment>,
    /// Accepted, not delivered.
    owed: VecDeque<(u64, Fragment)>,
    /// Delivered with an error, and not sent again.
    failed: VecDeque<Fragment>,
    syncs: Vec<u64>,
    /// Appends that failed, and no datasync that covers them was delivered since.
    unreported: Vec<u64>,
    /// The newest token of an append, and of a datasync that succeeded.
    newest_append: u64,
    newest_sync: u64,
    /// The newest record that is safe; 0 if none is.
    durable: u32,
    /// What was appended, in its place: of what failed, up to where something else was.
    appended: Vec<u8>,
    /// The backend's durable tail when last asked.
    durable_tail: u64,
}

impl Log {
    /// A log that goes on behind what a recovery found.
    pub(crate) fn new(
        fd: IoFd,
        bytes: &[u8],
        recovered: Recovered,
        discipline: Discipline,
        policy: Policy,
    ) -> Self {
        let live = |found: record::Found| Live {
            number: found.number,
            payload: found.payload,
            offset: found.offset,
            last_token: Some(0),
            has_failed: false,
        };
        let live: Vec<Live> = recovered.records.into_iter().map(live).collect();
        Self {
            fd,
            discipline,
            policy,
            durable: live.last().map_or(0, |record| record.number),
            live,
            queue: VecDeque::new(),
            owed: VecDeque::new(),
            failed: VecDeque::new(),
            syncs: Vec::new(),
            unreported: Vec::new(),
            newest_append: 0,
            newest_sync: 0,
            appended: bytes.to_vec(),
            durable_tail: 0,
        }
    }

    /// The same file, registered again.
    pub(crate) fn registered_again(&mut self, fd: IoFd) {
        (self.fd, self.durable_tail) = (fd, 0);
        self.requeue();
    }

    /// What was appended below the backend's durable tail, which never moves back.
    pub(crate) fn appended_durably(&mut self, io: &SimBackend) -> Result<&[u8], String> {
        let before = self.durable_tail;
        self.durable_tail = io.durable_tail(self.fd).map_err(|error| format!("tail: {error}"))?;
        let (now, tail) = (self.durable_tail, io.tail(self.fd));
        if now < before || tail.is_ok_and(|tail| now > tail) {
            return Err(format!("the durable tail is {now}, after {before}; the tail is {tail:?}"));
        }
        let appended = self.appended.get(..now as usize);
        appended.ok_or_else(|| format!("the durable tail is {now}, beyond what was appended"))
    }

    /// The newest record that is safe.
    pub(crate) fn durable(&self) -> u32 {
        self.durable
    }

    /// Whether an append failed and nothing was done about it.
    pub(crate) fn is_broken(&self) -> bool {
        !self.failed.is_empty()
    }

    /// Whether nothing is owed and everything that was written is safe.
    pub(crate) fn is_settled(&self) -> bool {
        self.owed.is_empty() && self.syncs.is_empty() && self.newest_append < self.newest_sync
    }

    /// A record for the end of the log.
    pub(crate) fn push(&mut self, number: u32, filler_bytes: usize, most: usize) {
        let previous = self.live.last().map_or(0, |record| record.number);
        let payload = record::payload(number, previous, filler_bytes);
        let most = if self.policy == Policy::Retry { most } else { usize::MAX };
        let fragments = record::fragments(&payload, most);
        let count = fragments.len();
        let fragments = fragments.into_iter().enumerate();
        self.queue.extend(fragments.map(|(at, bytes)| Fragment {
            number,
            is_first: at == 0,
            is_last: at + 1 == count,
            bytes,
        }));
        let (offset, last_token, has_failed) = (0, None, false);
        self.live.push(Live { number, payload, offset, last_token, has_failed });
    }

    fn live_mut(&mut self, number: u32) -> Option<&mut Live> {
        self.live.iter_mut().rev().find(|record| record.number == number)
    }

    /// Submits what waits, as far as it is taken.
    pub(crate) fn pump(
        &mut self,
        io: &mut SimBackend,
        history: &mut History,
    ) -> Result<(), String> {
        while self.failed.is_empty()
            && let Some(fragment) = self.queue.front()
        {
            let tail = io.tail(self.fd).map_err(|error| format!("tail: {error}"))?;
            let token = match io.submit_append(self.fd, &fragment.bytes) {
                Ok(token) => token,
                Err(StorageIoError::QueueFull | StorageIoError::BufferExhausted) => return Ok(()),
                // The file failed, and that was delivered.
                Err(StorageIoError::Io(_)) => return Ok(()),
                Err(error) => return Err(format!("append: {error}")),
            };
            let Some(fragment) = self.queue.pop_front() else { break };
            self.appended.truncate(tail as usize);
            self.appended.extend_from_slice(&fragment.bytes);
            let number = fragment.number;
            if let Some(record) = self.live_mut(number) {
                // Of a record that is sent again in part, the beginning is where it was.
                if fragment.is_first {
                    record.offset = tail;
                }
                record.has_failed = false;
                if fragment.is_last {
                    record.last_token = Some(token);
                }
                history.accepted(number, &record.payload, record.offset);
            }
            self.newest_append = token;
            self.owed.push_back((token, fragment));
        }
        Ok(())
    }

    /// Submits a datasync.
    pub(crate) fn sync(&mut self, io: &mut SimBackend) {
        if self.discipline == Discipline::Sound
            && let Ok(token) = io.submit_datasync(self.fd)
        {
            self.syncs.push(token);
        }
    }

    /// A completion was delivered. Whether it was of this log.
    pub(crate) fn delivered(&mut self, token: u64, result: i32) -> Result<bool, String> {
        if let Some(at) = self.syncs.iter().position(|sync| *sync == token) {
            self.syncs.remove(at);
            let covered = self.unreported.iter().position(|append| *append < token);
            if result == 0 && covered.is_some() {
                return Err(format!("datasync {token} hides {:?}", self.unreported));
            }
            self.unreported.retain(|append| *append > token);
            if result == 0 {
                self.newest_sync = token;
                self.safe_before(token);
            }
            return Ok(true);
        }
        if !self.owed.iter().any(|(owed, _)| *owed == token) {
            return Ok(false);
        }
        let Some((first, fragment)) = self.owed.pop_front() else { return Ok(false) };
        if first != token {
            return Err(format!("append {token} delivered before {first}"));
        }
        if result < 0 {
            if let Some(record) = self.live_mut(fragment.number) {
                record.has_failed = true;
                record.last_token = None;
            }
            self.unreported.push(token);
            self.failed.push_back(fragment);
        } else if !self.failed.is_empty() {
            return Err(format!("append {token} succeeded behind one that failed"));
        } else if result as usize != fragment.bytes.len() {
            return Err(format!("append {token} of {} says {result}", fragment.bytes.len()));
        } else if self.discipline == Discipline::Reckless {
            self.safe_before(token + 1);
        }
        Ok(true)
    }

    /// Everything accepted before this token is safe, up to what failed.
    fn safe_before(&mut self, token: u64) {
        let is_covered = |record: &&Live| {
            record.last_token.is_some_and(|last| last < token) && !record.has_failed
        };
        if let Some(record) = self.live.iter().take_while(is_covered).last() {
            self.durable = self.durable.max(record.number);
        }
    }

    /// After a failed append: goes on where it began. Whether that was possible.
    pub(crate) fn resume(&mut self, io: &mut SimBackend) -> bool {
        if self.failed.is_empty() || !self.owed.is_empty() || io.resume_append(self.fd).is_err() {
            return false;
        }
        self.requeue();
        true
    }

    /// Puts what failed in front of what waits, or forgets both.
    pub(crate) fn requeue(&mut self) {
        if self.failed.is_empty() {
            return;
        }
        let failed = std::mem::take(&mut self.failed);
        match self.policy {
            Policy::Retry => failed.into_iter().rev().for_each(|it| self.queue.push_front(it)),
            Policy::Abandon => {
                let waits = |number| self.queue.iter().any(|fragment| fragment.number == number);
                self.live.retain(|record| !record.has_failed && !waits(record.number));
                self.queue.clear();
            }
        }
    }
}
