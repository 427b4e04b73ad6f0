//! [`Crew`]: the I/O threads of one backend, as the driver uses them.
//!
//! Invariant: a request is with the thread that its file's route names, and the counts of routes
//! and hands agree.

use std::{
    io, mem,
    sync::Arc,
    time::{Duration, Instant},
};

use ringzero_core::{
    Alteration, Errno, Executor, FileSlot, Outcome, Pieces, PiecesMut, RequestId, StorageIoError,
    SyncKind, WriteKind,
};

use super::{
    hand::Hand,
    message::{Job, Request, Target},
    routes::Routes,
    waiter::Waiter,
};
use crate::{
    config::Config,
    driver::{QueuedEngine, Transport, Wake},
    files::Entry,
    platform::{Descriptor, Notifier},
    setup_error::SetupError,
};

#[derive(Debug)]
pub(super) struct Crew {
    hands: Box<[Hand]>,
    routes: Routes,
    waiter: Arc<Waiter>,
    /// Pushed and not announced.
    queued: usize,
    /// Whether an answer makes the notifier readable.
    is_armed: bool,
}

impl Crew {
    /// Starts the threads of a configuration that passed its check.
    ///
    /// # Errors
    /// `Memory`, `NoThread`, `Other`. Threads that were started end.
    pub(super) fn start(config: &Config) -> Result<Self, SetupError> {
        let waiter = Arc::new(Waiter::default());
        let request_count = config.limits.request_count();
        let hands = (0..config.worker.threads).map(|_| Hand::start(request_count, &waiter));
        Ok(Self {
            hands: hands.collect::<Result<_, _>>()?,
            routes: Routes::new(config.limits.files),
            waiter,
            queued: 0,
            is_armed: false,
        })
    }
}

/// Queues requests for the length of one call of the engine.
pub(super) struct WorkerExecutor<'a>(&'a mut Crew);

impl WorkerExecutor<'_> {
    #[inline]
    fn push(
        &mut self,
        id: RequestId,
        file: FileSlot,
        job: Job,
        kind: WriteKind,
    ) -> Option<Outcome> {
        let Crew { hands, routes, queued, .. } = &mut *self.0;
        let loads = hands.iter().map(Hand::in_flight);
        let Some((target, thread)) = routes.choose(file, loads) else {
            return Some(Err(Errno::BADF));
        };
        let target = match kind {
            WriteKind::Plain => target,
            WriteKind::Durable => target.durable(),
        };
        let pushed = hands.get_mut(thread).map(|it| it.push(Request { id, file, target, job }));
        if !matches!(pushed, Some(Ok(()))) {
            debug_assert!(false, "a request without a slot");
            // The engine comes back with a write.
            return Some(Err(Errno::AGAIN));
        }
        routes.sent(file);
        *queued += 1;
        None
    }
}

impl Executor for WorkerExecutor<'_> {
    /// The queues have a slot for each request that there can be.
    #[inline]
    fn room(&self) -> usize {
        usize::MAX
    }

    #[inline]
    fn can_write_durably(&self, file: FileSlot) -> bool {
        self.0.routes.target(file).is_some_and(|target| target.durable_flags != 0)
    }

    #[inline]
    fn write(
        &mut self,
        id: RequestId,
        file: FileSlot,
        pieces: Pieces<'_>,
        offset: u64,
        kind: WriteKind,
    ) -> Option<Outcome> {
        self.push(id, file, Job::write(pieces, offset), kind)
    }

    #[inline]
    fn read(
        &mut self,
        id: RequestId,
        file: FileSlot,
        pieces: PiecesMut<'_>,
        offset: u64,
    ) -> Option<Outcome> {
        self.push(id, file, Job::read(&pieces, offset), WriteKind::Plain)
    }

    #[inline]
    fn sync(&mut self, id: RequestId, file: FileSlot, kind: SyncKind) -> Option<Outcome> {
        self.push(id, file, Job::Sync(kind), WriteKind::Plain)
    }

    fn alter(&mut self, id: RequestId, file: FileSlot, what: Alteration) -> Option<Outcome> {
        self.push(id, file, Job::Alter(what), WriteKind::Plain)
    }
}

impl Transport for Crew {
    type Executor<'a> = WorkerExecutor<'a>;

    /// Any thread, at any time.
    #[inline]
    fn enter(&mut self) -> Result<(), StorageIoError> {
        Ok(())
    }

    #[inline]
    fn look(&self) -> Result<(), StorageIoError> {
        Ok(())
    }

    fn attach(&mut self, slot: FileSlot, entry: &Entry) {
        let descriptor = Descriptor::of(entry.file());
        let (rw_flags, durable_flags) = (entry.rw_flags(), entry.durable_flags());
        self.routes.attach(slot, Target { descriptor, rw_flags, durable_flags });
    }

    fn detach(&mut self, slot: FileSlot) {
        self.routes.detach(slot);
    }

    #[inline]
    fn executor(&mut self) -> WorkerExecutor<'_> {
        WorkerExecutor(self)
    }

    #[inline]
    fn queued(&mut self) -> usize {
        self.queued
    }

    /// A thread that is awake takes what is in its queue.
    #[inline]
    fn is_polled(&self) -> bool {
        true
    }

    #[inline]
    fn hand_over(&mut self) -> Result<usize, Errno> {
        if self.queued > 0 {
            self.hands.iter_mut().for_each(Hand::ring);
        }
        Ok(mem::take(&mut self.queued))
    }

    #[inline]
    fn admit_answers(&mut self) {}

    fn notifier(&mut self) -> io::Result<&Arc<Notifier>> {
        self.waiter.notifier()
    }

    fn arm(&mut self) -> Result<(), Errno> {
        self.waiter.arm_notifier();
        self.is_armed = true;
        Ok(())
    }

    #[inline]
    fn disarm(&mut self) {
        if mem::take(&mut self.is_armed) {
            self.waiter.disarm_notifier();
        }
    }

    #[inline]
    fn reap(&mut self, engine: &mut QueuedEngine) {
        for hand in &mut self.hands {
            while let Some(answer) = hand.pop() {
                self.routes.answered(answer.file);
                engine.complete(answer.id, answer.outcome);
            }
        }
    }

    fn sleep(&mut self, timeout: Option<Duration>) -> Result<Wake, Errno> {
        self.hand_over()?;
        let hands = &mut self.hands;
        self.waiter.sleep(timeout, || hands.iter_mut().any(Hand::has_answer));
        Ok(Wake::Look)
    }

    fn retire(&mut self, engine: &mut QueuedEngine, until: Option<Instant>) -> bool {
        loop {
            self.reap(engine);
            if self.hands.iter().all(Hand::is_at_rest) {
                return true;
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                self.hands.iter().for_each(Hand::stop);
                return false;
            }
            let hands = &mut self.hands;
            self.waiter.sleep(left, || hands.iter_mut().any(Hand::has_answer));
        }
    }
}
