//! [`Transport`]: how requests of the engine reach whoever executes them, and how answers come
//! back.
//!
//! Each method answers one question of the mechanics. What a request or an answer means, what may
//! run and what must wait is not here: the engine knows. Two implement it, the rings of io_uring
//! and the queues of worker threads; the driver is the only caller.
//!
//! A request is *queued* by the executor, then *handed over*, then answered once.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use ringzero_core::{Boxed, Engine, Errno, Executor, FileSlot, StorageIoError};

use crate::{files::Entry, memory::Region, platform::Notifier};

/// The engine of a driver: its tables are boxed, its data is on pages of its own.
pub(crate) type QueuedEngine = Engine<Boxed<Region>>;

/// How a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// There are answers, or the time is up, or a part of the requests was taken.
    Look,
    /// By a signal handler.
    Signal,
    /// The executor is short of something; nobody slept.
    Busy,
}

/// Carries requests out of the process's hot loop, and answers back in.
pub(crate) trait Transport {
    /// What queues requests for the length of one call of the engine.
    type Executor<'a>: Executor
    where
        Self: 'a;

    /// The calling thread uses the transport from here on.
    ///
    /// # Errors
    /// Why it may not.
    fn enter(&mut self) -> Result<(), StorageIoError>;

    /// Whether the calling thread might use it. Changes nothing.
    ///
    /// # Errors
    /// Why it may not.
    fn look(&self) -> Result<(), StorageIoError>;

    /// Takes a file in: requests may name its slot from here on.
    fn attach(&mut self, slot: FileSlot, entry: &Entry);

    /// Forgets a file. The executor names it no more, but for requests that it has already.
    fn detach(&mut self, slot: FileSlot);

    /// What queues requests.
    fn executor(&mut self) -> Self::Executor<'_>;

    /// Requests queued and not handed over.
    fn queued(&mut self) -> usize;

    /// Whether the other side takes queued requests by itself, when it comes round. Then queued
    /// counts as handed over.
    fn is_polled(&self) -> bool;

    /// Hands over what is queued. Returns how many requests the executor took; the rest stays
    /// queued. Never sleeps.
    ///
    /// # Errors
    /// The executor refused for good.
    fn hand_over(&mut self) -> Result<usize, Errno>;

    /// What an event loop sleeps on. Made by the first call.
    ///
    /// # Errors
    /// Those of the system.
    fn notifier(&mut self) -> io::Result<&Arc<Notifier>>;

    /// The notifier is not readable, and the next answer makes it so. Lets answers in that came
    /// before: they are to be reaped after this, and may have made nothing readable. Never sleeps.
    ///
    /// To be called only after [`Transport::notifier`].
    ///
    /// # Errors
    /// The executor refused for good.
    fn arm(&mut self) -> Result<(), Errno>;

    /// Answers make nothing readable any more.
    fn disarm(&mut self);

    /// Lets answers in that wait for a call of this thread. Never sleeps.
    fn admit_answers(&mut self);

    /// Tells the engine every answer that is in.
    fn reap(&mut self, engine: &mut QueuedEngine);

    /// Hands over what is queued and sleeps until there is an answer, for at most `timeout`. To be
    /// called only while requests are queued or with the executor.
    ///
    /// # Errors
    /// The executor refused for good.
    fn sleep(&mut self, timeout: Option<Duration>) -> Result<Wake, Errno>;

    /// Waits for what was handed over, until then at most, and tells the engine the answers; hands
    /// over nothing more. Returns whether nobody reads the engine's memory any more, now or later.
    /// If not, nothing is begun any more that can be kept from beginning.
    fn retire(&mut self, engine: &mut QueuedEngine, until: Option<Instant>) -> bool;
}
