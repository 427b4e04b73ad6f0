//! [`Driver`]: one transport working for one engine: turning the wheel, with and without sleeping.
//!
//! Order of a turn ("regroup"): answers come in; continuations and data-syncs go out at once; a new
//! group starts only if it is due (`Engine::is_group_due`: as a rule, if nothing is deliverable),
//! so that callers who react to the same batch of completions travel together; requests are handed
//! over; what completed inside that call comes in too.
//!
//! Worked example: 64 appends fly as one request, 64 syncs wait behind them, 10 more appends came
//! meanwhile. The answer makes the 64 appends deliverable: this turn sends the one data-sync that
//! serves all 64 and leaves the 10 where they are; they go at the caller's next flush, or when a
//! poll or wait finds nothing to deliver.
//!
//! Nothing here decides what a request or an answer means, nor how it travels.
//!
//! | file | noun |
//! |---|---|
//! | `transport` | the interface to io_uring, or to worker threads |
//! | `lifecycle` | opening and closing; who frees the memory |
//! | `event_loop` | handing over, and then sleeping somewhere else |
//! | `interface` | the traits, for a backend with a driver |

mod event_loop;
pub(crate) mod interface;
mod lifecycle;
mod transport;

use std::{
    mem::ManuallyDrop,
    thread,
    time::{Duration, Instant},
};

use ringzero_core::{CompletionSink, Errno, StorageIoError};

pub(crate) use transport::{QueuedEngine, Transport, Wake};

use crate::{config::Config, memory::Region, platform, registry::Registry};

/// How long to do without an executor that is short of something and has nothing of ours.
const SHORTAGE_NAP: Duration = Duration::from_millis(1);

/// When `timeout` is over. `None` if that is beyond what the clock can tell: no deadline.
fn deadline(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}

/// How a drive ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
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
pub(crate) enum OnSignal {
    Return,
    GoOn,
}

/// What the backends with requests in flight have in common. See the header.
pub(crate) struct Driver<T: Transport> {
    pub(crate) transport: T,
    /// Engine, files and the memory that the executor reads: dropped by hand, or leaked.
    registry: ManuallyDrop<Registry<Region>>,
    drop_deadline: Duration,
}

impl<T: Transport> Driver<T> {
    pub(crate) fn new(config: &Config, transport: T, registry: Registry<Region>) -> Self {
        let registry = ManuallyDrop::new(registry);
        Self { transport, registry, drop_deadline: config.drop_deadline }
    }

    #[inline]
    pub(crate) fn engine(&self) -> &QueuedEngine {
        &self.registry.engine
    }

    #[inline]
    pub(crate) fn engine_mut(&mut self) -> &mut QueuedEngine {
        &mut self.registry.engine
    }

    /// Queues everything that may run. Returns the number of requests.
    #[inline]
    fn start(&mut self) -> usize {
        if !self.engine().has_ready() {
            return 0;
        }
        let mut executor = self.transport.executor();
        self.registry.engine.start(platform::now_ns(), &mut executor)
    }

    /// Queues continuations and data-syncs.
    #[inline]
    fn proceed(&mut self) -> usize {
        if !self.engine().has_urgent() {
            return 0;
        }
        let mut executor = self.transport.executor();
        self.registry.engine.proceed(platform::now_ns(), &mut executor)
    }

    /// Takes the answers in, and queues what follows from them at once.
    #[inline]
    fn collect(&mut self) {
        self.transport.reap(&mut self.registry.engine);
        self.proceed();
    }

    /// Hands everything that may run to the executor. Returns the number of requests that it took.
    ///
    /// # Errors
    /// `Closed`: after shutdown. `Io`: the executor refused for good.
    #[inline]
    pub(crate) fn flush(&mut self) -> Result<usize, StorageIoError> {
        if self.engine().is_closed() {
            return Err(StorageIoError::Closed);
        }
        let mut handed_over = 0;
        // Each round fills the queue, and ends the loop unless requests were taken: those are in
        // flight until they are reaped, and the engine bounds what is in flight.
        loop {
            let started = self.start();
            let taken = self.transport.hand_over().map_err(StorageIoError::Io)?;
            let count = if self.transport.is_polled() { started } else { taken };
            handed_over += count;
            if count == 0 || !self.engine().has_ready() {
                return Ok(handed_over);
            }
        }
    }

    /// One turn, and then what is finished goes into `out`.
    #[inline]
    pub(crate) fn poll(&mut self, out: &mut dyn CompletionSink) {
        if !self.engine().is_closed() {
            self.turn();
        }
        self.engine_mut().deliver(out);
    }

    /// One turn of a poll. Never sleeps.
    #[inline]
    fn turn(&mut self) {
        self.transport.disarm();
        self.transport.admit_answers();
        self.collect();
        if self.registry.engine.is_group_due() {
            self.start();
        }
        // An error here leaves the requests queued for the next call; flush and wait report it.
        if self.transport.queued() > 0 && self.transport.hand_over().is_ok() {
            self.collect();
            let _ = self.transport.hand_over();
        }
    }

    /// Sleeps until `min` completions can be polled, or all that are pending, or the time is up.
    /// Returns how many can be polled.
    ///
    /// # Errors
    /// The executor refused for good.
    pub(crate) fn wait(
        &mut self,
        min: usize,
        timeout: Option<Duration>,
    ) -> Result<usize, StorageIoError> {
        if !self.engine().is_closed() {
            let is_enough = |engine: &QueuedEngine| {
                let deliverable = engine.deliverable();
                deliverable >= min || deliverable == engine.pending_count()
            };
            let until = timeout.and_then(deadline);
            self.drive(until, OnSignal::Return, is_enough).map_err(StorageIoError::Io)?;
            self.release_idle();
        }
        Ok(self.engine().deliverable())
    }

    /// Starts everything and sleeps, over and over, until `is_done` or the time is up.
    ///
    /// Sleeps only while the executor has a request of ours: what it did not take wakes nobody.
    ///
    /// # Errors
    /// The executor refused for good.
    pub(crate) fn drive(
        &mut self,
        until: Option<Instant>,
        on_signal: OnSignal,
        is_done: impl Fn(&QueuedEngine) -> bool,
    ) -> Result<Ending, Errno> {
        loop {
            self.collect();
            if is_done(self.engine()) {
                self.transport.hand_over()?;
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
                self.transport.hand_over()?;
                self.collect();
                self.transport.hand_over()?;
                let is_done = is_done(self.engine());
                return Ok(if is_done { Ending::Done } else { Ending::TimedOut });
            }
            match self.transport.sleep(left)? {
                Wake::Look => {}
                Wake::Signal if on_signal == OnSignal::GoOn => {}
                Wake::Signal => {
                    self.collect();
                    self.transport.hand_over()?;
                    return Ok(Ending::Signal);
                }
                Wake::Busy => thread::sleep(left.map_or(SHORTAGE_NAP, |it| it.min(SHORTAGE_NAP))),
            }
        }
    }
}
