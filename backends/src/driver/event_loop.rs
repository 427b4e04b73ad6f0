//! The driver in somebody else's event loop: handing over, and then sleeping there.
//!
//! As a `wait`, but that the sleep is not here. Order: everything that may run goes out; the handle
//! is armed; then answers are looked for again. An answer that came before the arming is found by
//! the look, and one that comes after it makes the handle readable; so none is lost. What the look
//! starts is answered under the same arming.
//!
//! Worked example: an append and a datasync. The append goes out and the handle is armed. Its
//! answer makes the handle readable; the loop polls, which delivers the append and hands over the
//! data-sync; the next call arms the handle for that.

use std::io;

use ringzero_core::StorageIoError;

use super::{Driver, Transport};
use crate::{error::errno_of, platform::WaitHandle};

impl<T: Transport> Driver<T> {
    /// What an event loop sleeps on.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn wait_handle(&mut self) -> io::Result<WaitHandle> {
        self.transport.notifier().map(WaitHandle::of)
    }

    /// Hands over what may run, and arms the handle. Returns whether the loop may sleep.
    ///
    /// # Errors
    /// As `prepare_wait`.
    pub(crate) fn prepare_wait(&mut self) -> Result<bool, StorageIoError> {
        if self.engine().is_closed() {
            return Ok(self.engine().deliverable() == 0);
        }
        self.transport.notifier().map_err(|error| StorageIoError::Io(errno_of(&error)))?;
        // Not armed yet: what completes inside these calls makes nothing readable.
        self.transport.disarm();
        self.flush()?;
        self.transport.admit_answers();
        self.look()?;
        if self.engine().deliverable() == 0 {
            self.transport.arm().map_err(StorageIoError::Io)?;
            self.look()?;
        }
        let may_sleep = self.may_sleep();
        if !may_sleep {
            self.transport.disarm();
        }
        Ok(may_sleep)
    }

    /// Takes the answers in, and hands over what follows from them: everything, if nothing can be
    /// polled.
    fn look(&mut self) -> Result<(), StorageIoError> {
        self.collect();
        if self.engine().deliverable() == 0 {
            self.start();
        }
        self.transport.hand_over().map(drop).map_err(StorageIoError::Io)
    }

    /// Whether nothing can be polled, and if something is pending, an answer will come.
    fn may_sleep(&mut self) -> bool {
        // What the executor did not take is answered by nobody.
        let kept = if self.transport.is_polled() { 0 } else { self.transport.queued() };
        let engine = self.engine();
        let is_answered = engine.pending_count() == 0 || engine.in_flight() as usize > kept;
        engine.deliverable() == 0 && is_answered
    }
}
