//! The simulated backend in an event loop: what would be slept for happens in virtual time.
//!
//! So whoever prepares is told not to sleep, as long as time alone brings something. When all that
//! is left hangs, a loop sleeps, as it would beside a disk that hangs, until it is let go on, or
//! more is handed over.

use std::{io, sync::Arc};

use ringzero_core::StorageIoError;

use super::SimBackend;
use crate::{
    error::to_io_error,
    event_source::{EventSource, WaitHandle},
    platform::Notifier,
};

impl EventSource for SimBackend {
    /// Made readable by [`SimBackend::release`], and by a flush that hands over something.
    fn wait_handle(&mut self) -> io::Result<WaitHandle> {
        let driver = self.driver.get_mut().map_err(to_io_error)?;
        let notifier = match driver.notifier.take() {
            Some(notifier) => notifier,
            None => Arc::new(Notifier::new()?),
        };
        Ok(WaitHandle::of(driver.notifier.insert(notifier)))
    }

    /// Hands over what may run, and lets virtual time pass until something can be polled. Answers
    /// `true` only if nothing is pending, or nothing that does not hang.
    fn prepare_wait(&mut self) -> Result<bool, StorageIoError> {
        let driver = self.driver.get_mut()?;
        driver.notifier.iter().for_each(|it| it.drain());
        driver.is_armed = driver.wait(1, None) == 0;
        Ok(driver.is_armed)
    }
}

static_assertions::assert_impl_all!(SimBackend: EventSource);
