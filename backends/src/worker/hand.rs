//! [`Hand`]: one I/O thread, seen from the caller's side.
//!
//! Requests go in and answers come out without a lock, a wait or an allocation. The one system call
//! is the wake-up of a thread that is parked, and it is made once for all that was pushed before
//! [`Hand::ring`].
//!
//! Invariants: `in_flight` requests were pushed and their answers not popped; both queues have a
//! slot for each request that the engine can have with an executor, so neither is ever full.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
};

use ringzero_core::{
    BoxedQueue, Errno,
    handoff::{Consumer, Producer, SpscQueue, SpscSlot},
};

use super::{
    message::{Answer, Request},
    waiter::Waiter,
    work::{Shared, Work},
};
use crate::{config::WORKER_SLOT_BYTES, error::errno_of, platform, setup_error::SetupError};

const _: () = assert!(
    size_of::<SpscSlot<Request>>() + size_of::<SpscSlot<Answer>>() <= WORKER_SLOT_BYTES,
    "`Config::check` counts the queues"
);

/// Of a thread that makes one system call after the other.
const STACK_BYTES: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Hand {
    requests: Producer<BoxedQueue<Request>>,
    answers: Consumer<BoxedQueue<Answer>>,
    shared: Arc<Shared>,
    in_flight: u32,
    /// Pushed since the doorbell was last rung.
    unannounced: u32,
    /// `None` only while it is dropped.
    thread: Option<JoinHandle<()>>,
}

impl Hand {
    /// Starts a thread that takes up to `request_count` requests at a time. It has every signal
    /// blocked: handlers of the host never run on it, and SIGXFSZ of one of its writes ends
    /// nothing.
    ///
    /// # Errors
    /// `Memory`, `NoThread`, `Other`.
    pub(super) fn start(request_count: u32, waiter: &Arc<Waiter>) -> Result<Self, SetupError> {
        let (requests, inbox) = queue(request_count)?;
        let (outbox, answers) = queue(request_count)?;
        let shared = Arc::new(Shared::default());
        let (same, waiter) = (Arc::clone(&shared), Arc::clone(waiter));
        let work = Work { requests: inbox, answers: outbox, shared: same, waiter };
        let builder = thread::Builder::new().name("ringzero-io".to_owned());
        let builder = builder.stack_size(STACK_BYTES);
        let thread = platform::with_signals_blocked(|| builder.spawn(|| work.run()))
            .map_err(|error| SetupError::of_thread(errno_of(&error)))?;
        Ok(Self { requests, answers, shared, in_flight: 0, unannounced: 0, thread: Some(thread) })
    }

    /// Requests that it has not answered, as far as answers were popped.
    #[inline]
    pub(super) const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Queues a request; the thread may begin it at once, and does after [`Hand::ring`].
    ///
    /// # Errors
    /// The queue is full, which its size rules out.
    #[inline]
    pub(super) fn push(&mut self, request: Request) -> Result<(), Request> {
        self.requests.push(request)?;
        self.in_flight += 1;
        self.unannounced += 1;
        Ok(())
    }

    /// Wakes the thread if it sleeps and something was pushed.
    #[inline]
    pub(super) fn ring(&mut self) {
        if self.unannounced > 0 {
            self.unannounced = 0;
            self.wake();
        }
    }

    #[inline]
    fn wake(&self) {
        if self.shared.doorbell.ring()
            && let Some(thread) = &self.thread
        {
            thread.thread().unpark();
        }
    }

    /// The oldest answer.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<Answer> {
        let answer = self.answers.pop()?;
        self.in_flight -= 1;
        Some(answer)
    }

    /// Whether an answer can be popped.
    pub(super) fn has_answer(&mut self) -> bool {
        !self.answers.is_empty()
    }

    /// Nothing is begun any more. The thread ends after the request it has begun, if any.
    pub(super) fn stop(&self) {
        self.shared.stop();
        self.wake();
    }

    /// Whether the thread reads no memory of the engine and names no file, now and, once stopped,
    /// later: it has nothing, or has ended.
    pub(super) fn is_at_rest(&self) -> bool {
        self.in_flight == 0 || self.shared.has_ended()
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.stop();
        // Without a request it ends as soon as it runs. Otherwise a disk may never answer: then the
        // thread keeps what it needs, and ends by itself if it ever can.
        if self.is_at_rest()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

type Ends<T> = (Producer<BoxedQueue<T>>, Consumer<BoxedQueue<T>>);

/// A queue with at least `slot_count` slots.
fn queue<T: Copy + 'static>(slot_count: u32) -> Result<Ends<T>, SetupError> {
    let slot_count = slot_count.next_power_of_two() as usize;
    let mut slots = Vec::new();
    slots
        .try_reserve_exact(slot_count)
        .map_err(|_| SetupError::Memory(Errno::new(platform::number::NOMEM)))?;
    slots.resize_with(slot_count, SpscSlot::new);
    Ok(SpscQueue::new(slots.into_boxed_slice()).split_owned())
}
