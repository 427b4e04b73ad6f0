//! What the scripted backend of `wal_writer` answers beyond the eight methods: waiting and tails by
//! the script, and nothing that the log does not use.

use std::{fs::File, io, time::Duration};

use ringzero::{
    Claim, EventSource, FileStatus, IoFd, Stats, StorageIoError, StorageIoExt, WaitHandle,
};
use ringzero_core::StorageIo;

use super::{NOT_ASKED_FOR, SEGMENT_BYTES, Scripted, format, next};

impl EventSource for Scripted {
    fn wait_handle(&mut self) -> io::Result<WaitHandle> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn prepare_wait(&mut self) -> Result<bool, StorageIoError> {
        Ok(false)
    }
}

impl StorageIoExt for Scripted {
    type File = File;

    fn wait(&mut self, min: usize, _: Option<Duration>) -> Result<usize, StorageIoError> {
        let min = min.min(self.pending_count());
        loop {
            for _ in 0..next(&mut self.random, 20) {
                let Some((token, operation)) = self.accepted.pop_front() else { break };
                self.execute(token, operation);
            }
            for _ in 0..next(&mut self.random, 4).min(self.late.len() as u64) {
                let at = next(&mut self.random, self.late.len() as u64) as usize;
                self.finished.push(self.late.swap_remove(at));
            }
            if self.finished.len() >= min {
                return Ok(self.finished.len());
            }
        }
    }

    fn tail(&self, _: IoFd) -> Result<u64, StorageIoError> {
        Ok(self.log.len() as u64)
    }

    fn room(&self, _: IoFd) -> Result<u64, StorageIoError> {
        Ok(self.segments.map_or(u64::MAX, |(_, _, accepted)| SEGMENT_BYTES - accepted))
    }

    fn alignment(&self, _: IoFd) -> Result<u32, StorageIoError> {
        Ok(1)
    }

    fn resume_append(&mut self, _: IoFd) -> Result<u64, StorageIoError> {
        Ok(self.log.len() as u64)
    }

    fn max_write(&self) -> usize {
        format::FRAGMENT_BYTES
    }

    fn can_accept(&self, _: IoFd, _: usize) -> Result<(), StorageIoError> {
        Ok(())
    }

    fn register_segment(&mut self, _: File, _: u64, _: u64) -> Result<IoFd, StorageIoError> {
        let (handle, count, accepted) = self.segments.as_mut().ok_or(StorageIoError::QueueFull)?;
        (*count, *accepted) = (*count + 1, 0);
        self.is_header_next = true;
        Ok(*handle)
    }

    fn register_directory(&mut self, _: File) -> Result<IoFd, StorageIoError> {
        Err(NOT_ASKED_FOR)
    }

    fn submit_fsync(&mut self, _: IoFd) -> Result<u64, StorageIoError> {
        Err(NOT_ASKED_FOR)
    }

    fn submit_allocate(&mut self, _: IoFd, _: u64, _: u64) -> Result<u64, StorageIoError> {
        Err(NOT_ASKED_FOR)
    }

    fn submit_truncate(&mut self, _: IoFd, _: u64) -> Result<u64, StorageIoError> {
        Err(NOT_ASKED_FOR)
    }

    fn submit_punch(&mut self, _: IoFd, _: u64, _: u64) -> Result<u64, StorageIoError> {
        Err(NOT_ASKED_FOR)
    }

    fn submit_close(&mut self, _: IoFd) -> Result<u64, StorageIoError> {
        Err(NOT_ASKED_FOR)
    }

    fn durable_tail(&self, _: IoFd) -> Result<u64, StorageIoError> {
        Ok(0)
    }

    fn max_claim(&self) -> usize {
        0
    }

    fn claim_write(&mut self, _: IoFd, _: usize, _: u64) -> Result<Claim<'_>, StorageIoError> {
        Err(StorageIoError::BufferExhausted)
    }

    fn claim_append(&mut self, _: IoFd, _: usize) -> Result<Claim<'_>, StorageIoError> {
        Err(StorageIoError::BufferExhausted)
    }

    fn submit_writev(&mut self, fd: IoFd, it: &[&[u8]], at: u64) -> Result<u64, StorageIoError> {
        self.submit_write(fd, &it.concat(), at)
    }

    fn submit_appendv(&mut self, fd: IoFd, it: &[&[u8]]) -> Result<u64, StorageIoError> {
        self.submit_append(fd, &it.concat())
    }

    fn stats(&self) -> Stats {
        Stats::default()
    }

    fn file_status(&self, _: IoFd) -> Result<FileStatus, StorageIoError> {
        Ok(FileStatus::default())
    }

    // The log is only written.
    fn submit_read(&mut self, _: IoFd, _: usize, _: u64) -> Result<u64, StorageIoError> {
        Err(StorageIoError::Closed)
    }

    fn read_bytes(&self, _: u64, _: usize) -> Result<&[u8], StorageIoError> {
        Err(StorageIoError::Closed)
    }

    fn release_read(&mut self, _: u64) -> Result<(), StorageIoError> {
        Err(StorageIoError::Closed)
    }

    fn shutdown(&mut self, _: Duration) -> Result<(), StorageIoError> {
        Ok(())
    }
}
