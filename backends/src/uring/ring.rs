//! [`Ring`]: the two queues, and when to enter the kernel.
//!
//! Invariants:
//! - requests in flight never exceed the entries of the completion queue (`setup` sized it, the
//!   engine counts), so it cannot overflow;
//! - the kernel is entered only to hand entries over, to sleep, or because the queue is flagged;
//!   what is waiting is never left because a call found nothing new to do;
//! - only [`Ring::sleep`] and [`Ring::outlast`] sleep.
//!
//! # Safety
//! Two raw enters, with arguments of the kernel's own layout, or none.
#![allow(unsafe_code)]

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
    sync::atomic::{Ordering, fence},
    time::Duration,
};

use io_uring::{
    EnterFlags, IoUring, Submitter,
    types::{SubmitArgs, Timespec},
};
use ringzero_core::{Boxed, Engine, Errno, RequestId, StableMemory, outcome_from_raw};

use super::{
    executor::UringExecutor,
    setup::{Delivery, Made},
    targets::Targets,
};
use crate::{driver::Wake, error::errno_of};

/// The longest sleep, a hundred years: the kernel adds it to its clock of 64-bit nanoseconds.
const LONGEST_SLEEP: Duration = Duration::from_secs(100 * 365 * 86_400);

pub(super) struct Ring {
    uring: IoUring,
    delivery: Delivery,
    is_polled: bool,
    is_disabled: bool,
    /// Whether a completion signals the eventfd.
    is_armed: bool,
}

impl Ring {
    pub(super) fn new(made: Made) -> Self {
        let Made { uring, delivery, is_disabled, notes: _, owner: _ } = made;
        let is_polled = uring.params().is_setup_sqpoll();
        Self { uring, delivery, is_polled, is_disabled, is_armed: false }
    }

    /// For setting up what goes with it.
    pub(super) const fn uring(&self) -> &IoUring {
        &self.uring
    }

    /// For registrations.
    pub(super) fn submitter(&self) -> Submitter<'_> {
        self.uring.submitter()
    }

    /// Whether a kernel thread takes entries by itself.
    pub(super) const fn is_polled(&self) -> bool {
        self.is_polled
    }

    /// Enables a ring that was made disabled. The calling thread is its only user from here on
    /// (io_uring_setup(2), IORING_SETUP_SINGLE_ISSUER).
    ///
    /// # Errors
    /// Those of io_uring_register(2).
    pub(super) fn enable(&mut self) -> Result<(), Errno> {
        if self.is_disabled {
            let enabled = self.submitter().register_enable_rings();
            enabled.map_err(|error| errno_of(&error))?;
            self.is_disabled = false;
        }
        Ok(())
    }

    /// What fills the submission queue. Its drop makes the entries visible.
    #[inline]
    pub(super) fn executor<'a>(&'a mut self, targets: &'a Targets) -> UringExecutor<'a> {
        UringExecutor::new(self.uring.submission(), targets)
    }

    /// Entries that the kernel has not taken.
    #[inline]
    pub(super) fn queued(&mut self) -> usize {
        self.uring.submission().len()
    }

    /// Whether completions wait for a call of the owner to work on them: IORING_SQ_TASKRUN,
    /// io_uring_setup(2), IORING_SETUP_TASKRUN_FLAG.
    #[inline]
    pub(super) fn is_flagged(&mut self) -> bool {
        let queue = self.uring.submission();
        // The queue cannot overflow by the count of requests; if it did, only the kernel could
        // bring the rest.
        queue.cq_overflow() || self.delivery == Delivery::Flagged && queue.taskrun()
    }

    /// Hands queued entries over, without sleeping, if there are any or if the queue is flagged.
    /// Returns how many the kernel took; the rest stays queued.
    ///
    /// # Errors
    /// What is not a passing shortage (`is_passing`).
    #[inline]
    pub(super) fn submit(&mut self) -> Result<usize, Errno> {
        if self.queued() == 0 && !self.is_flagged() {
            return Ok(0);
        }
        // Passes GETEVENTS if the queue is flagged, and SQ_WAKEUP if the polling thread sleeps;
        // enters for nothing else while it does not.
        match self.uring.submit() {
            Ok(count) => Ok(count),
            Err(error) if is_passing(&error) => Ok(0),
            Err(error) => Err(errno_of(&error)),
        }
    }

    /// Hands queued entries over and sleeps until there is a completion, for at most `timeout`.
    /// Without one no timer is set.
    ///
    /// To be called only if entries are queued or the kernel has requests. It sleeps only after
    /// *all* entries were taken: io_uring_enter(2) returns early with what it could take otherwise.
    ///
    /// # Errors
    /// What is not a passing shortage.
    pub(super) fn sleep(&mut self, timeout: Option<Duration>) -> Result<Wake, Errno> {
        let result = match timeout {
            None => self.uring.submit_and_wait(1),
            Some(timeout) => {
                let timespec = Timespec::from(timeout.min(LONGEST_SLEEP));
                let arguments = SubmitArgs::new().timespec(&timespec);
                self.uring.submitter().submit_with_args(1, &arguments)
            }
        };
        let wake = wake(result)?;
        // A call that took entries answers with their number, even if a signal ended its sleep. It
        // shows in a sleep that ended without a completion and without entries left to take. (Or
        // the time was up: the same to whoever cares about signals.)
        let was_cut_short =
            wake == Wake::Look && self.uring.completion().is_empty() && self.queued() == 0;
        Ok(if was_cut_short { Wake::Signal } else { wake })
    }

    /// Sleeps like [`Ring::sleep`] but leaves queued entries where they are.
    ///
    /// # Errors
    /// What is not a passing shortage.
    pub(super) fn outlast(&mut self, timeout: Duration) -> Result<Wake, Errno> {
        let timespec = Timespec::from(timeout.min(LONGEST_SLEEP));
        let arguments = SubmitArgs::new().timespec(&timespec);
        let flags = (EnterFlags::GETEVENTS | EnterFlags::EXT_ARG).bits();
        // SAFETY: with EXT_ARG the argument is a `struct io_uring_getevents_arg`
        // (io_uring_enter(2)), which `SubmitArgs` is, transparently; it and the time it points to
        // live until the call returns.
        wake(unsafe { self.uring.submitter().enter(0, 1, flags, Some(&arguments)) })
    }

    /// Completions signal this eventfd, while the ring is armed. It is not.
    ///
    /// # Errors
    /// Those of io_uring_register(2).
    pub(super) fn register(&mut self, eventfd: BorrowedFd<'_>) -> io::Result<()> {
        self.uring.completion().disable_eventfd();
        self.submitter().register_eventfd(eventfd.as_raw_fd())
    }

    /// From here on completions signal the eventfd, once for each batch. Those that came before are
    /// let in, and are to be reaped after this.
    ///
    /// With deferred work the kernel signals when work comes to a list that was empty, and not when
    /// the work is done: what was on the list before signals no more, so it is done here. The list
    /// is empty then, and the next to come signals.
    ///
    /// # Errors
    /// What is not a passing shortage.
    pub(super) fn arm(&mut self) -> Result<(), Errno> {
        self.uring.completion().enable_eventfd();
        self.is_armed = true;
        // The kernel publishes a completion and then looks whether to signal; here it is the other
        // way round. Without this, each could be too early for the other.
        fence(Ordering::SeqCst);
        if self.delivery == Delivery::Kernel {
            return Ok(());
        }
        let flags = EnterFlags::GETEVENTS.bits();
        // SAFETY: without an argument there is nothing that the kernel reads or writes.
        wake(unsafe { self.uring.submitter().enter::<()>(0, 0, flags, None) }).map(drop)
    }

    /// Completions signal nothing any more.
    #[inline]
    pub(super) fn disarm(&mut self) {
        if self.is_armed {
            self.is_armed = false;
            self.uring.completion().disable_eventfd();
        }
    }

    /// Tells the engine every answer that is there, at most as many as the queue holds.
    #[inline]
    pub(super) fn reap<M: StableMemory>(&mut self, engine: &mut Engine<Boxed<M>>) {
        // Reads the tail once; its drop gives all entries back at once.
        for answer in self.uring.completion() {
            let id = RequestId::from_u64(answer.user_data());
            // Told apart here, the common answer is never put together as an outcome.
            match outcome_from_raw(answer.result()) {
                Ok(byte_count) => engine.complete(id, Ok(byte_count)),
                Err(errno) => engine.complete(id, Err(errno)),
            }
        }
    }
}

fn wake(result: io::Result<usize>) -> Result<Wake, Errno> {
    match result {
        Ok(_) => Ok(Wake::Look),
        Err(error) => match error.raw_os_error() {
            Some(libc::ETIME) => Ok(Wake::Look),
            Some(libc::EINTR) => Ok(Wake::Signal),
            _ if is_passing(&error) => Ok(Wake::Busy),
            _ => Err(errno_of(&error)),
        },
    }
}

/// Errors of io_uring_enter(2) after which the same call may succeed: EAGAIN (no memory for a
/// request), EBUSY (completions must be reaped first), EINTR, ENOMEM.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EBUSY | libc::EINTR | libc::ENOMEM))
}
