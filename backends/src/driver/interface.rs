//! The traits of a backend, for one with a [`Driver`]: [`through_driver!`].
//!
//! A macro, because most of them are another crate's: nothing here may implement them for every
//! backend at once. A backend is a struct with one field, `driver: ProcessBound<Driver<_>>`.
//! Submissions, starts and closing are a use by the calling thread; registration and questions are
//! not.
//!
//! # Safety
//! `ClaimHost` asks that a claim finds the same engine as long as it lives: a driver has one, from
//! construction to drop.
#![allow(unsafe_code)]

use ringzero_core::{Boxed, ClaimHost, IoFd, StorageIoError};

use super::{Driver, QueuedEngine, Transport};
use crate::{fork::ProcessBound, memory::Region};

impl<T: Transport> ProcessBound<Driver<T>> {
    /// The driver, for a call that submits or starts: the calling thread is its user.
    #[inline]
    pub(crate) fn enter(&mut self) -> Result<&mut Driver<T>, StorageIoError> {
        let driver = self.get_mut()?;
        driver.transport.enter()?;
        Ok(driver)
    }

    /// The driver, for a registration.
    pub(crate) fn register(&mut self) -> Result<&mut Driver<T>, StorageIoError> {
        let driver = self.get_mut()?;
        driver.transport.look()?;
        Ok(driver)
    }

    /// The driver, for a call that only asks.
    pub(crate) fn look(&self) -> Result<&Driver<T>, StorageIoError> {
        let driver = self.get()?;
        driver.transport.look()?;
        Ok(driver)
    }
}

// SAFETY: the engine is a field, and nothing here touches the field itself.
unsafe impl<T: Transport> ClaimHost for ProcessBound<Driver<T>> {
    type Storage = Boxed<Region>;

    fn claim_engine(&mut self) -> Result<&mut QueuedEngine, StorageIoError> {
        Ok(self.enter()?.engine_mut())
    }

    fn claim_submitted(&mut self, _: IoFd, _: u64, _: u64, _: [&[u8]; 2]) {}
}

/// `StorageIo`, `StorageIoExt` and `EventSource` for a backend whose field `driver` is a
/// `ProcessBound<Driver>`.
macro_rules! through_driver {
    ($backend:ty) => {
        const _: () = {
            use ringzero_core::{
                Claim, CompletionSink, FileStatus, IoFd, Stats, StorageIo, StorageIoError,
                StorageIoExt,
            };
            use std::{fs::File, io, time::Duration};
            use $crate::{
                error::to_io_error,
                event_source::{EventSource, WaitHandle},
                files::Purpose,
            };

            impl StorageIo for $backend {
                type File = File;

                fn register_fd(&mut self, file: File) -> Result<IoFd, StorageIoError> {
                    self.driver.register()?.register(file, Purpose::WholeFile)
                }

                fn deregister_fd(&mut self, fd: IoFd) -> Result<(), StorageIoError> {
                    self.driver.enter()?.deregister(fd)
                }

                #[inline]
                fn submit_write(
                    &mut self,
                    fd: IoFd,
                    data: &[u8],
                    offset: u64,
                ) -> Result<u64, StorageIoError> {
                    self.driver.enter()?.engine_mut().submit_write(fd, data, offset)
                }

                #[inline]
                fn submit_append(&mut self, fd: IoFd, data: &[u8]) -> Result<u64, StorageIoError> {
                    self.driver.enter()?.engine_mut().submit_append(fd, data)
                }

                #[inline]
                fn submit_datasync(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
                    self.driver.enter()?.engine_mut().submit_datasync(fd)
                }

                #[inline]
                fn flush(&mut self) -> Result<usize, StorageIoError> {
                    self.driver.enter()?.flush()
                }

                /// Delivers nothing to a thread that may not use the backend.
                #[inline]
                fn poll_completions(&mut self, out: &mut dyn CompletionSink) {
                    if let Ok(driver) = self.driver.enter() {
                        driver.poll(out);
                    }
                }

                #[inline]
                fn pending_count(&self) -> usize {
                    self.driver.peek().engine().pending_count()
                }
            }

            impl StorageIoExt for $backend {
                type File = File;

                fn wait(
                    &mut self,
                    min: usize,
                    timeout: Option<Duration>,
                ) -> Result<usize, StorageIoError> {
                    self.driver.enter()?.wait(min, timeout)
                }

                fn tail(&self, fd: IoFd) -> Result<u64, StorageIoError> {
                    self.driver.look()?.engine().tail(fd)
                }

                fn room(&self, fd: IoFd) -> Result<u64, StorageIoError> {
                    self.driver.look()?.engine().room(fd)
                }

                fn alignment(&self, fd: IoFd) -> Result<u32, StorageIoError> {
                    self.driver.look()?.engine().alignment(fd)
                }

                fn resume_append(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
                    self.driver.enter()?.engine_mut().resume_append(fd)
                }

                fn max_write(&self) -> usize {
                    self.driver.peek().engine().max_write()
                }

                fn can_accept(&self, fd: IoFd, len: usize) -> Result<(), StorageIoError> {
                    self.driver.look()?.engine().can_accept(fd, len)
                }

                fn register_segment(
                    &mut self,
                    file: File,
                    tail: u64,
                    limit: u64,
                ) -> Result<IoFd, StorageIoError> {
                    self.driver.register()?.register(file, Purpose::Segment { tail, limit })
                }

                fn register_directory(&mut self, file: File) -> Result<IoFd, StorageIoError> {
                    self.driver.register()?.register(file, Purpose::Directory)
                }

                fn submit_fsync(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
                    self.driver.enter()?.engine_mut().submit_fsync(fd)
                }

                fn submit_allocate(
                    &mut self,
                    fd: IoFd,
                    offset: u64,
                    len: u64,
                ) -> Result<u64, StorageIoError> {
                    self.driver.enter()?.engine_mut().submit_allocate(fd, offset, len)
                }

                fn submit_truncate(&mut self, fd: IoFd, len: u64) -> Result<u64, StorageIoError> {
                    self.driver.enter()?.engine_mut().submit_truncate(fd, len)
                }

                fn submit_punch(
                    &mut self,
                    fd: IoFd,
                    offset: u64,
                    len: u64,
                ) -> Result<u64, StorageIoError> {
                    self.driver.enter()?.engine_mut().submit_punch(fd, offset, len)
                }

                fn submit_close(&mut self, fd: IoFd) -> Result<u64, StorageIoError> {
                    self.driver.enter()?.engine_mut().submit_close(fd)
                }

                fn durable_tail(&self, fd: IoFd) -> Result<u64, StorageIoError> {
                    self.driver.look()?.engine().durable_tail(fd)
                }

                fn max_claim(&self) -> usize {
                    self.driver.peek().engine().max_claim()
                }

                fn claim_write(
                    &mut self,
                    fd: IoFd,
                    len: usize,
                    offset: u64,
                ) -> Result<Claim<'_>, StorageIoError> {
                    Claim::write(&mut self.driver, fd, len, offset)
                }

                fn claim_append(
                    &mut self,
                    fd: IoFd,
                    len: usize,
                ) -> Result<Claim<'_>, StorageIoError> {
                    Claim::append(&mut self.driver, fd, len)
                }

                fn submit_writev(
                    &mut self,
                    fd: IoFd,
                    slices: &[&[u8]],
                    offset: u64,
                ) -> Result<u64, StorageIoError> {
                    self.driver.enter()?.engine_mut().submit_writev(fd, slices, offset)
                }

                fn submit_appendv(
                    &mut self,
                    fd: IoFd,
                    slices: &[&[u8]],
                ) -> Result<u64, StorageIoError> {
                    self.driver.enter()?.engine_mut().submit_appendv(fd, slices)
                }

                fn stats(&self) -> Stats {
                    self.driver.peek().engine().stats()
                }

                fn file_status(&self, fd: IoFd) -> Result<FileStatus, StorageIoError> {
                    self.driver.look()?.status(fd)
                }

                fn submit_read(
                    &mut self,
                    fd: IoFd,
                    len: usize,
                    offset: u64,
                ) -> Result<u64, StorageIoError> {
                    self.driver.enter()?.engine_mut().submit_read(fd, len, offset)
                }

                fn read_bytes(&self, token: u64, skip: usize) -> Result<&[u8], StorageIoError> {
                    self.driver.look()?.engine().read_bytes(token, skip)
                }

                fn release_read(&mut self, token: u64) -> Result<(), StorageIoError> {
                    self.driver.enter()?.engine_mut().release_read(token)
                }

                fn shutdown(&mut self, deadline: Duration) -> Result<(), StorageIoError> {
                    self.driver.enter()?.shutdown(deadline)
                }
            }

            impl EventSource for $backend {
                fn wait_handle(&mut self) -> io::Result<WaitHandle> {
                    self.driver.enter().map_err(to_io_error)?.wait_handle()
                }

                fn prepare_wait(&mut self) -> Result<bool, StorageIoError> {
                    self.driver.enter()?.prepare_wait()
                }
            }
        };
    };
}

pub(crate) use through_driver;
