//! The same three kinds of submission, executed inside the call that submits them.
//!
//! For an executor that always answers at once. The data goes from the caller's slice straight to
//! the executor: no copy and no block. Admission, the meaning of answers, failure and delivery are
//! the ones of the queued forms. Do not mix the two forms on one engine.

use super::{
    Engine,
    admission::range_end,
    executor::Executor,
    operation::{Kind, Operation},
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
        let Some(slot) = self.files.live(fd) else {
            return self.submit_gated(fd, Kind::Write, data.len());
        };
        let end = range_end(self.max_write, data.len(), offset)?;
        if data.is_empty() {
            return self.accept_finished(slot, Kind::Write, 0, 0);
        }
        let (index, token) = self.accept_inline(slot, Kind::Write, data.len())?;
        let file = self.files.records.at_mut(slot);
        file.tail = file.tail.max(end);
        file.write_end = file.write_end.max(end);
        if let Err(errno) = self.execute(slot, token, index, data, offset, executor) {
            self.end_inline(slot, index, token, errno);
            if !errno.keeps_file_usable() {
                self.fail_file(slot, errno, index);
            }
        }
        Ok(token)
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
        let Some(slot) = self.files.live(fd) else {
            return self.submit_gated(fd, Kind::Append, data.len());
        };
        let Some(offset) = self.append_offset(slot, data.len())? else {
            return self.accept_cancelled(slot, Kind::Append, data.len());
        };
        if data.is_empty() {
            return self.accept_finished(slot, Kind::Append, 0, 0);
        }
        let (index, token) = self.accept_inline(slot, Kind::Append, data.len())?;
        let end = offset + data.len() as u64;
        self.files.records.at_mut(slot).tail = end;
        if let Err(errno) = self.execute(slot, token, index, data, offset, executor) {
            let file = self.files.records.at_mut(slot);
            file.sent_end = file.sent_end.max(end);
            self.end_inline(slot, index, token, errno);
            self.append_failed(slot, index, offset, errno);
        }
        Ok(token)
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

    /// Accepts an operation as finished with success, which it is when the call returns unless
    /// [`Engine::end_inline`] says otherwise.
    #[inline]
    fn accept_inline(
        &mut self,
        slot: u32,
        kind: Kind,
        len: usize,
    ) -> Result<(u32, u64), StorageIoError> {
        let file = self.files.records.at_mut(slot);
        let Some(index) = self.operations.claim(&mut file.held) else {
            return Err(self.refuse_full());
        };
        let token = self.next_token(len);
        *self.operations.records.at_mut(index) = Operation {
            token,
            len: len as u32,
            result: len as i32,
            file: slot as u16,
            kind,
            ..Operation::EMPTY
        };
        self.finished.push(&mut self.operations.records, index);
        Ok((index, token))
    }

    #[cold]
    fn end_inline(&mut self, slot: u32, index: u32, token: u64, errno: Errno) {
        self.operations.records.at_mut(index).result = -errno.number();
        self.record_failure(slot, token, errno);
    }

    /// Writes all of `data`, with the same bounds on retries as a queued write.
    #[inline]
    fn execute<E: Executor>(
        &mut self,
        slot: u32,
        token: u64,
        index: u32,
        data: &[u8],
        offset: u64,
        executor: &mut E,
    ) -> Result<(), Errno> {
        let id = RequestId::new(token, index);
        let mut piece = Piece::EMPTY;
        let mut rest = data;
        let mut offset = offset;
        let mut attempts = 0;
        loop {
            self.stats.write_requests += 1;
            let pieces = Pieces::of(rest, &mut piece);
            let outcome = executor.write(id, FileSlot::at(slot), pieces, offset);
            debug_assert!(outcome.is_some(), "an inline executor answers at once");
            match judge(outcome.unwrap_or(Err(Errno::IO)), attempts) {
                Verdict::Progress(byte_count) => {
                    let Some(behind) = rest.get(byte_count as usize..).filter(|r| !r.is_empty())
                    else {
                        return Ok(());
                    };
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
        }
    }
}
