//! [`Life`]: the file of a program from a recovery to a power cut, and what is known of it: what
//! was accepted, in order, and how much of that a datasync covers.

use ringzero::{Errno, SimBackend, StorageIoExt};
use ringzero_core::IoFd;
use ringzero_tests::content::{Change, Content};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Write,
    Append,
    Alteration,
}

/// What was accepted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operation {
    pub(super) token: u64,
    pub(super) kind: Kind,
    pub(super) change: Change,
    pub(super) result: Option<i32>,
}

impl Operation {
    fn has_failed(&self) -> bool {
        self.result.is_some_and(|result| result < 0)
    }

    /// Whether it may have changed something.
    fn may_count(&self) -> bool {
        self.kind != Kind::Alteration || !self.has_failed()
    }
}

/// The file, from a recovery to a power cut.
pub(super) struct Life {
    pub(super) io: SimBackend,
    pub(super) fd: IoFd,
    /// Of this registration: what a reader saw first, and what was accepted since.
    pub(super) initial: Vec<u8>,
    pub(super) log: Vec<Operation>,
    /// Operations before this one are covered by a datasync that succeeded.
    pub(super) settled: usize,
    /// What those left.
    pub(super) durable: Content,
    /// Changes through earlier registrations that no datasync of theirs covers.
    pub(super) old: Vec<Change>,
    pub(super) syncs: Vec<u64>,
    /// Token, first byte, and where it ends at the latest.
    pub(super) reads: Vec<(u64, u64, u64)>,
    pub(super) close: Option<u64>,
    /// The last token before appends were taken up again.
    pub(super) resumed_at: u64,
    /// Where anything accepted may end.
    pub(super) furthest: u64,
    pub(super) has_failure: bool,
}

impl Life {
    pub(super) fn tail(&self) -> Result<u64, String> {
        self.io.tail(self.fd).map_err(|error| format!("tail: {error}"))
    }

    pub(super) fn is_failed(&self) -> bool {
        self.io.file_status(self.fd).is_ok_and(|status| status.failed.is_some())
    }

    pub(super) fn accepted(&mut self, token: u64, kind: Kind, change: Change) {
        let end = match change {
            Change::Write(span) => span.offset + span.len,
            Change::Truncate(end) => end,
            Change::Punch(..) | Change::Nothing => 0,
        };
        self.furthest = self.furthest.max(end);
        self.log.push(Operation { token, kind, change, result: None });
    }

    fn has_broken_stream(&self) -> bool {
        self.io.file_status(self.fd).is_ok_and(|status| status.append_failed.is_some())
    }

    pub(super) fn resume(&mut self) {
        if self.has_broken_stream() && self.io.resume_append(self.fd).is_ok() {
            // What is owed of the appends behind the failed one is cancelled.
            self.resumed_at = self.log.last().map_or(0, |operation| operation.token);
        }
    }

    /// Changes that no datasync covers.
    pub(super) fn later(&self) -> Vec<Change> {
        let open = self.log[self.settled..].iter().filter(|operation| operation.may_count());
        let open = open.map(|operation| operation.change);
        self.old.iter().copied().chain(open).filter(|change| *change != Change::Nothing).collect()
    }

    pub(super) fn settle_before(&mut self, token: u64) -> Result<(), String> {
        while let Some(operation) = self.log.get(self.settled).filter(|it| it.token < token) {
            let Some(result) = operation.result else {
                return Err(format!("{token} delivered before {operation:?}"));
            };
            self.durable.settle(operation.change, result >= 0);
            self.settled += 1;
        }
        Ok(())
    }

    /// What a read showed is what was accepted before it and succeeded.
    pub(super) fn check_read(&mut self, at: usize, result: i32) -> Result<(), String> {
        let (token, begin, end) = self.reads.swap_remove(at);
        if result < 0 {
            return if result == -Errno::IO.number() { Ok(()) } else { Err(format!("{result}")) };
        }
        let mut seen = Vec::new();
        while seen.len() < result as usize {
            let part = self.io.read_bytes(token, seen.len()).map_err(|error| error.to_string())?;
            seen.extend_from_slice(part);
        }
        self.io.release_read(token).map_err(|error| error.to_string())?;
        let mut content = Content::of_part(&self.initial, begin..end);
        for operation in self.log.iter().take_while(|operation| operation.token < token) {
            content.settle(operation.change, operation.result.is_some_and(|result| result >= 0));
        }
        let missing = (end - begin) as i32 - result;
        if missing < 0 || missing > 0 && !self.has_failure {
            return Err(format!("a read of {begin}..{end} returns {result}"));
        }
        content.check_bytes(&seen).map_err(|what| format!("a read of {begin}..{end}: {what}"))
    }

    /// Whether what a cut left of the file is allowed.
    pub(super) fn check(&self, image: &[u8], alignment: u64) -> Result<(), String> {
        self.durable.check_cut(image, &self.later())?;
        let most = self.furthest.next_multiple_of(alignment);
        if image.len() as u64 > most {
            return Err(format!("{} bytes, nothing ends beyond {most}", image.len()));
        }
        Ok(())
    }

    /// Whether what was appended at a position is there. While the status says that an append
    /// failed, those that are owed may have.
    pub(super) fn check_appended(&self, at: u64, byte: Option<u8>) -> Result<(), String> {
        let position = at..at + 1;
        let is_broken = self.has_broken_stream();
        let counts = self.log.iter().rev().filter(|operation| operation.may_count());
        for operation in counts.filter(|operation| operation.change.touches(&position)) {
            if operation.change.may_leave(at, byte) {
                return Ok(());
            }
            let is_behind = is_broken || operation.token <= self.resumed_at;
            let is_unknown = is_behind && operation.result.is_none();
            if operation.kind == Kind::Append && !operation.has_failed() && !is_unknown {
                return Err(format!("lost: byte {at} is {byte:?}, after {operation:?}"));
            }
        }
        Ok(())
    }
}
