//! [`Driver`]: one ring working for one engine: turning the wheel, with and without sleeping.
//!
//! Order of a turn ("regroup"): answers come in; continuations and data-syncs go out at once; a new
//! group starts only if it is due (`Engine::is_group_due`: as a rule, if nothing is deliverable),
//! so that callers who react to the same batch of completions travel together; entries are handed
//! over; what completed inside that call comes in too.
//!
//! Worked example: 64 appends fly as one request, 64 syncs wait behind them, 10 more appends came
//! meanwhile. The answer makes the 64 appends deliverable: this turn sends the one data-sync that
//! serves all 64 and leaves the 10 where they are; they go at the caller's next flush, or when a
//! poll or wait finds nothing to deliver.
//!
//! Nothing here decides what a request or an answer means, and nothing here opens or closes files
//! (`lifecycle`).

use std::{
    mem::ManuallyDrop,
    thread,
    time::{Duration, Instant},
};

use ringzero_core::{Boxed, Engine, Errno, StorageIoError};

use super::{
    bound::{Access, Owner},
    ring::{Ring, Wake},
    targets::Targets,
};
use crate::{memory::Region, platform, registry::Registry, report::Note};

/// How long to do without a kernel that is short of something and has nothing of ours.
const SHORTAGE_NAP: Duration = Duration::from_millis(1);

/// How a drive ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// What it was for.
    Done,
    /// The time was up.
    TimedOut,
    /// A signal handler ran.
    Signal,
    /// Nothing can come any more.
    Stalled,
}

/// What a drive does about a signal handler that ran while it slept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnSignal {
    Return,
    GoOn,
}

pub(super) struct Driver {
    pub(super) ring: Ring,
    pub(super) targets: Targets,
    pub(super) owner: Owner,
    pub(super) drop_deadline: Duration,
    pub(super) notes: Vec<Note>,
    /// Engine, files and the memory that the kernel reads: dropped by hand, or leaked.
    pub(super) registry: ManuallyDrop<Registry<Region>>,
}

impl Driver {
    /// Lets the calling thread in; in the thread-bound mode it becomes the owner if there is none.
    ///
    /// # Errors
    /// `Io(EEXIST)`: another thread owns the ring. `Io`: the ring cannot be enabled.
    #[inline]
    pub(super) fn enter(&mut self) -> Result<(), StorageIoError> {
        match self.owner.access()? {
            Access::Granted => Ok(()),
            Access::Unclaimed => self.claim(),
        }
    }

    #[cold]
    fn claim(&mut self) -> Result<(), StorageIoError> {
        self.ring.enable().map_err(StorageIoError::Io)?;
        self.owner.claim();
        Ok(())
    }

    /// Whether the calling thread may ask. Claims nothing.
    ///
    /// # Errors
    /// `Io(EEXIST)`.
    #[inline]
    pub(super) fn look(&self) -> Result<(), StorageIoError> {
        self.owner.access().map(|_| ())
    }

    #[inline]
    pub(super) fn engine(&self) -> &Engine<Boxed<Region>> {
        &self.registry.engine
    }

    #[inline]
    pub(super) fn engine_mut(&mut self) -> &mut Engine<Boxed<Region>> {
        &mut self.registry.engine
    }

    /// Queues everything that may run. Returns the number of requests.
    #[inline]
    fn start(&mut self) -> usize {
        if !self.engine().has_ready() {
            return 0;
        }
        let mut executor = self.ring.executor(&self.targets);
        self.registry.engine.start(platform::now_ns(), &mut executor)
    }

    /// Queues continuations and data-syncs.
    #[inline]
    fn proceed(&mut self) -> usize {
        if !self.engine().has_urgent() {
            return 0;
        }
        let mut executor = self.ring.executor(&self.targets);
        self.registry.engine.proceed(platform::now_ns(), &mut executor)
    }

    /// Takes the answers in, and queues what follows from them at once.
    #[inline]
    pub(super) fn collect(&mut self) {
        self.ring.reap(&mut self.registry.engine);
        self.proceed();
    }

    /// Hands everything that may run to the kernel. Returns the number of requests that it took.
    ///
    /// # Errors
    /// The kernel refused for good.
    #[inline]
    pub(super) fn flush(&mut self) -> Result<usize, Errno> {
        let mut handed_over = 0;
        // Each round fills the submission queue, and ends the loop unless entries were taken: those
        // are in flight until they are reaped, and the engine bounds what is in flight.
        loop {
            let started = self.start();
            let taken = self.ring.submit()?;
            // A polling thread takes entries when it comes round: for it, queued is handed over.
            let count = if self.ring.is_polled() { started } else { taken };
            handed_over += count;
            if count == 0 || !self.engine().has_ready() {
                return Ok(handed_over);
            }
        }
    }

    /// One turn of a poll. Never sleeps; enters the kernel at most three times.
    #[inline]
    pub(super) fn turn(&mut self) {
        if self.ring.is_flagged() {
            // Works on what waits for this thread; queued entries go along.
            let _ = self.ring.submit();
        }
        self.collect();
        if self.registry.engine.is_group_due() {
            self.start();
        }
        // An error here leaves the entries queued for the next call; flush and wait report it.
        if self.ring.queued() > 0 && self.ring.submit().is_ok() {
            self.collect();
            let _ = self.ring.submit();
        }
    }

    /// Starts everything and sleeps, over and over, until `is_done` or the time is up.
    ///
    /// Sleeps only while the kernel has a request of ours: entries that it did not take, for lack
    /// of memory, wake nobody.
    ///
    /// # Errors
    /// The kernel refused for good.
    pub(super) fn drive(
        &mut self,
        until: Option<Instant>,
        on_signal: OnSignal,
        is_done: impl Fn(&Engine<Boxed<Region>>) -> bool,
    ) -> Result<Ending, Errno> {
        loop {
            self.collect();
            if is_done(self.engine()) {
                self.ring.submit()?;
                return Ok(Ending::Done);
            }
            let started = self.start();
            if self.engine().in_flight() == 0 {
                // What the executor refused has ended at once, and may have made room for more.
                if is_done(self.engine()) {
                    return Ok(Ending::Done);
                }
                if started == 0 {
                    return Ok(Ending::Stalled);
                }
                continue;
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                self.ring.submit()?;
                self.collect();
                self.ring.submit()?;
                let is_done = is_done(self.engine());
                return Ok(if is_done { Ending::Done } else { Ending::TimedOut });
            }
            match self.ring.sleep(left)? {
                Wake::Look => {}
                Wake::Signal if on_signal == OnSignal::GoOn => {}
                Wake::Signal => {
                    self.collect();
                    self.ring.submit()?;
                    return Ok(Ending::Signal);
                }
                Wake::Busy => thread::sleep(left.map_or(SHORTAGE_NAP, |it| it.min(SHORTAGE_NAP))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, uring::tests::backend};

    #[test]
    fn a_drive_that_nothing_can_end_does_not_sleep() {
        let Some(mut backend) = backend(&Config::default()) else { return };
        let driver = backend.driver().unwrap();
        let begin = Instant::now();
        assert_eq!(driver.drive(None, OnSignal::GoOn, |_| false), Ok(Ending::Stalled));
        assert!(begin.elapsed() < Duration::from_secs(1));
    }
}
