//! The same three kinds of submission, executed inside the call that submits them.
//!
//! For an executor that always answers at once. The data goes from the caller's slice straight to
//! the executor: no copy and no block. Admission, the meaning of answers, failure and delivery are
//! the ones of the queued forms. While a file has unfinished operations of the queued form, the
//! inline forms are refused with `QueueFull`; of a file with an alignment always, with
//! `Io(EINVAL)`: a caller's slice is aligned by chance only.

use super::{
    Engine,
    admission::range_end,
    executor::{Executor, Outcome, WriteKind},
    file::AppendGate,
    operation::Kind,
    retry::{Verdict, judge},
    storage::Storage,
};
use crate::{Errno, FileSlot, IoFd, Piece, Pieces, RequestId, StorageIoError};

impl<S: Storage> Engine<S> {
    /// [`Engine::submit_write`], executed before it returns.
    ///
    /// # Errors
    /// As there; never `BufferExhausted`.
    #[inline]
    pub fn write_inline<E: Executor>(
        &mut self,
        fd: IoFd,
        data: &[u8],
        offset: u64,
        executor: &mut E,
    ) -> Result<u64, StorageIoError> {
        let Some(file) = self.files.live_mut(fd) else {
            return self.submit_gated(fd, Kind::Write, data.len());
        };
        if file.mask != 0 {
            return Err(StorageIoError::Io(Errno::INVAL));
        }
        let end = range_end(self.max_write, data.len(), offset)?;
        if data.is_empty() {
            return self.accept_finished(u32::from(fd.slot), Kind::Write, 0, 0);
        }
        if file.has_queued() {
            return Err(self.refuse_full());
        }
        if !self.operations.reserve(&mut file.held) {
            return Err(self.refuse_full());
        }
        if end > file.write_end {
            file.write_end = end;
            file.tail = file.tail.max(end);
        }
        file.is_unsynced = true;
        self.execute(fd, Kind::Write, data, offset, executor)
    }

    /// [`Engine::submit_append`], executed before it returns.
    ///
    /// # Errors
    /// As there; never `BufferExhausted`.
    #[inline]
    pub fn append_inline<E: Executor>(
        &mut self,
        fd: IoFd,
        data: &[u8],
        executor: &mut E,
    ) -> Result<u64, StorageIoError> {
        let Some(file) = self.files.live_mut(fd) else {
            return self.submit_gated(fd, Kind::Append, data.len());
        };
        if file.mask != 0 {
            return Err(StorageIoError::Io(Errno::INVAL));
        }
        let offset = file.tail;
        let has_room = data.len() <= file.max_append as usize
            && data.len() as u64 <= file.limit.saturating_sub(offset);
        if file.append_gate != AppendGate::Open || !has_room || data.is_empty() {
            return self.append_otherwise(fd, data.len());
        }
        if file.has_queued() {
            return Err(self.refuse_full());
        }
        if !self.operations.reserve(&mut file.held) {
            return Err(self.refuse_full());
        }
        file.tail = offset + data.len() as u64;
        file.is_unsynced = true;
        self.execute(fd, Kind::Append, data, offset, executor)
    }

    /// [`Engine::submit_datasync`], executed before it returns.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn datasync_inline<E: Executor>(
        &mut self,
        fd: IoFd,
        executor: &mut E,
    ) -> Result<u64, StorageIoError> {
        let token = self.submit_datasync(fd)?;
        // Nothing is ever unfinished here, so the barrier is open.
        self.proceed(self.now_ns, executor);
        Ok(token)
    }

    /// Accepts the operation, for which a record is reserved, and executes it. The record says
    /// success until proven otherwise.
    #[inline(always)]
    fn execute<E: Executor>(
        &mut self,
        fd: IoFd,
        kind: Kind,
        data: &[u8],
        offset: u64,
        executor: &mut E,
    ) -> Result<u64, StorageIoError> {
        let token = self.next_token;
        self.next_token += 1;
        self.stats.bytes += data.len() as u64;
        self.stats.write_requests += 1;
        let (index, operation) = self.operations.take();
        operation.token = token;
        operation.result = data.len() as i32;
        operation.file = fd.slot;
        operation.flags = 0;
        self.finished.push(&mut self.operations.records, index);
        let mut piece = Piece::EMPTY;
        let pieces = Pieces::of(data, &mut piece);
        let id = RequestId::new(token, index);
        let outcome = executor.write(id, FileSlot(fd.slot), pieces, offset, WriteKind::Plain);
        if outcome != Some(Ok(data.len() as u32)) {
            let first = outcome.unwrap_or(Err(Errno::IO));
            if let Err(errno) = self.go_on(id, fd.slot, first, data, offset, executor) {
                self.fail_inline(u32::from(fd.slot), kind, index, offset, errno);
            }
        }
        Ok(token)
    }

    /// Sends the rest after a short or failed write, with the same bounds on retries as a queued
    /// write has.
    #[cold]
    fn go_on<E: Executor>(
        &mut self,
        id: RequestId,
        slot: u16,
        first: Outcome,
        data: &[u8],
        offset: u64,
        executor: &mut E,
    ) -> Result<(), Errno> {
        let mut piece = Piece::EMPTY;
        let (mut outcome, mut rest, mut offset) = (first, data, offset);
        let mut attempts = 0;
        loop {
            match judge(outcome, attempts) {
                Verdict::Progress(byte_count) => {
                    let behind = rest.get(byte_count as usize..).unwrap_or_default();
                    if behind.is_empty() {
                        return Ok(());
                    }
                    self.stats.short_results += 1;
                    rest = behind;
                    offset += u64::from(byte_count);
                    attempts = 0;
                }
                Verdict::Again => {
                    self.stats.retries += 1;
                    attempts += 1;
                }
                Verdict::Failed(errno) => return Err(errno),
            }
            self.stats.write_requests += 1;
            let pieces = Pieces::of(rest, &mut piece);
            let answer = executor.write(id, FileSlot(slot), pieces, offset, WriteKind::Plain);
            outcome = answer.unwrap_or(Err(Errno::IO));
        }
    }

    #[cold]
    fn fail_inline(&mut self, slot: u32, kind: Kind, index: u32, offset: u64, errno: Errno) {
        let operation = self.operations.records.at_mut(index);
        let (token, len) = (operation.token, operation.result as u64);
        operation.result = -errno.number();
        self.record_failure(slot, token, errno);
        if kind == Kind::Append {
            let file = self.files.records.at_mut(slot);
            file.sent_end = file.sent_end.max(offset + len);
            self.append_failed(slot, index, offset, errno);
        } else if !errno.keeps_file_usable() {
            self.fail_file(slot, errno, index);
        }
    }
}
