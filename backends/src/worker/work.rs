//! [`Work`]: what an I/O thread does: takes requests, carries them out one by one, answers each.
//!
//! Parks when there is nothing to do, at once: spinning would take a core from the caller on small
//! machines. Decides nothing: EINTR, a short write, an error are answered as they are.
//!
//! Invariants:
//! - nothing is begun after the backend stopped the thread, but for a request that it was about to
//!   begin at that moment; what is queued then is dropped unanswered;
//! - the last thing it does is to say that it has ended: from then on it reads no memory of the
//!   engine and names no file.
//!
//! # Safety
//! Carries out requests, whose bytes and files are in place until they are answered (`message`).
#![allow(unsafe_code)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use ringzero_core::{
    BoxedQueue,
    handoff::{Consumer, Doorbell, Producer},
};

use super::{
    message::{Answer, Request},
    waiter::Waiter,
};

/// What both sides of an I/O thread look at, beside the queues.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Where the I/O thread sleeps.
    pub(super) doorbell: Doorbell,
    is_stopped: AtomicBool,
    has_ended: AtomicBool,
}

impl Shared {
    /// Nothing is begun any more. The doorbell is to be rung after that.
    pub(super) fn stop(&self) {
        self.is_stopped.store(true, Ordering::Release);
    }

    fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Acquire)
    }

    /// Whether the I/O thread is done with everything. What it did before is visible.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }
}

/// The I/O thread's side.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) requests: Consumer<BoxedQueue<Request>>,
    pub(super) answers: Producer<BoxedQueue<Answer>>,
    pub(super) shared: Arc<Shared>,
    pub(super) waiter: Arc<Waiter>,
}

impl Work {
    /// Works until it is stopped.
    pub(super) fn run(mut self) {
        while !self.shared.is_stopped() {
            match self.requests.pop() {
                Some(request) => self.carry_out(&request),
                None => self.rest(),
            }
        }
        self.shared.has_ended.store(true, Ordering::Release);
    }

    fn carry_out(&mut self, request: &Request) {
        // SAFETY: the request is not answered yet, so its bytes and its file are in place; a
        // close is the last one of its file (`message`).
        let answer = unsafe { request.carry_out() };
        // The queue has a slot for each request that can be under way.
        let pushed = self.answers.push(answer);
        debug_assert!(pushed.is_ok(), "an answer without a slot");
        self.waiter.ring();
    }

    /// Parks until there is something to do.
    fn rest(&mut self) {
        let Self { requests, shared, .. } = self;
        shared.doorbell.arm();
        if requests.is_empty() && !shared.is_stopped() {
            while shared.doorbell.is_armed() {
                thread::park();
            }
        }
        shared.doorbell.disarm();
    }
}
