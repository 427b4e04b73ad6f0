//! [`Shared`]: one backend that several threads use, and wait for without holding its lock.
//!
//! A thread submits under the lock, and then waits for its token. It takes in what there is, for
//! everybody; if its own is not there, one such thread sleeps on the backend's handle, and the
//! others until somebody has taken something in. So the lock is held for what a call computes, and
//! never for what a device does.
//!
//! Whoever polls while another one sleeps ends the arming that this one relies on. No wake-up is
//! lost, because whoever polls either prepares again, or wakes the sleeper: if there is something
//! to poll again, or if what the sleeper waits for is there. And because preparing makes the handle
//! unreadable, a sleeper that was woken is woken again by whoever prepares before it is back.
//!
//! A write that fails when nobody looks makes everything *failed*: whoever submitted it believes
//! that the bytes are there.
//!
//! Invariants, while the lock is free: a token is in `awaited` from its acceptance until its caller
//! has taken its result, and every other one is of a write that nobody waits for; if somebody is
//! `Asleep` the handle is armed or readable, and if somebody is `Woken` it is readable.

use std::{
    collections::BTreeMap,
    io,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use ringzero::{
    Errno, EventSource, IoCompletion, StorageIoError, StorageIoExt, WaitHandle, to_io_error,
};
use ringzero_core::StorageIo;

/// Who sleeps on the handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sleeper {
    Nobody,
    Asleep(Wanted),
    /// Told to come back, and not back yet.
    Woken,
}

/// What a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Outcome(u64),
    /// Any completion: it gives an operation and its memory back.
    Room,
}

/// A backend behind a lock.
#[derive(Debug)]
pub struct Shared<B> {
    state: Mutex<State<B>>,
    /// Something was taken in, or given back.
    changed: Condvar,
    handle: WaitHandle,
}

/// What the lock protects.
#[derive(Debug)]
pub struct State<B> {
    /// The backend. Nothing but [`Shared`] polls it.
    pub io: B,
    /// The first error of a write, or what the caller has put here: nothing is answered any more.
    pub failed: Option<Errno>,
    /// Of reads, syncs and truncates: what their callers wait for.
    awaited: BTreeMap<u64, Option<Result<u32, Errno>>>,
    polled: Vec<IoCompletion>,
    sleeper: Sleeper,
    /// Threads that wait for `changed`.
    others: u32,
}

/// The lock, held.
pub type Guard<'a, B> = MutexGuard<'a, State<B>>;

impl<B> State<B> {
    /// # Errors
    /// The first error that nobody waited for.
    pub fn check(&self) -> io::Result<()> {
        match self.failed {
            Some(errno) => Err(to_io_error(StorageIoError::Io(errno))),
            None => Ok(()),
        }
    }
}

impl<B: StorageIo + StorageIoExt + EventSource> State<B> {
    /// Polls, and keeps each result for whoever waits for it.
    fn take_in(&mut self) {
        self.io.poll_completions(&mut self.polled);
        let is_any = !self.polled.is_empty();
        for completion in self.polled.drain(..) {
            match self.awaited.get_mut(&completion.token) {
                Some(place) => *place = Some(completion.outcome()),
                None => self.failed = self.failed.or(completion.outcome().err()),
            }
        }
        if let Sleeper::Asleep(wanted) = self.sleeper {
            let is_there = match wanted {
                Wanted::Outcome(token) => matches!(self.awaited.get(&token), Some(Some(_))),
                Wanted::Room => is_any,
            };
            // Polling has ended the arming.
            if is_there || !matches!(self.io.prepare_wait(), Ok(true)) {
                self.sleeper = Sleeper::Woken;
            }
        }
    }
}

impl<B: StorageIo + StorageIoExt + EventSource> Shared<B> {
    /// A backend of which nothing is pending.
    ///
    /// # Errors
    /// Why it has no handle.
    pub fn new(mut io: B) -> io::Result<Self> {
        let handle = io.wait_handle()?;
        let (awaited, polled) = (BTreeMap::new(), Vec::with_capacity(64));
        let state =
            State { io, failed: None, awaited, polled, sleeper: Sleeper::Nobody, others: 0 };
        Ok(Self { state: Mutex::new(state), changed: Condvar::new(), handle })
    }

    /// The backend, between two calls.
    pub fn lock(&self) -> Guard<'_, B> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until somebody has taken something in, or given something back.
    fn wait_for_others<'a>(&self, mut state: Guard<'a, B>) -> Guard<'a, B> {
        state.others += 1;
        state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.others -= 1;
        state
    }

    /// Tells those who wait for others. Costs a system call, which most changes concern nobody for.
    fn tell_others(&self, state: &State<B>) {
        if state.others > 0 {
            self.changed.notify_all();
        }
    }

    /// Takes in what there is; if nothing is, after a sleep.
    fn progress<'a>(&'a self, mut state: Guard<'a, B>, wanted: Wanted) -> io::Result<Guard<'a, B>> {
        let prepared = state.io.prepare_wait();
        if let Ok(true) = prepared {
            if state.sleeper != Sleeper::Nobody {
                self.keep_waking(&state);
                return Ok(self.wait_for_others(state));
            }
            state.sleeper = Sleeper::Asleep(wanted);
            drop(state);
            let slept = self.handle.sleep(None);
            state = self.lock();
            state.sleeper = Sleeper::Nobody;
            slept?;
        }
        state.take_in();
        self.keep_waking(&state);
        self.tell_others(&state);
        prepared.map_err(to_io_error)?;
        Ok(state)
    }

    /// The handle was drained, perhaps of a wake-up.
    fn keep_waking(&self, state: &State<B>) {
        if state.sleeper == Sleeper::Woken {
            self.handle.wake();
        }
    }

    /// Calls until it is accepted, making room meanwhile. Returns the token.
    ///
    /// # Errors
    /// What the call is refused with for good, and a failure that nobody waited for.
    pub fn submit(
        &self,
        mut call: impl FnMut(&mut B) -> Result<u64, StorageIoError>,
    ) -> io::Result<(Guard<'_, B>, u64)> {
        let mut state = self.lock();
        loop {
            state.check()?;
            match call(&mut state.io) {
                Err(StorageIoError::QueueFull | StorageIoError::BufferExhausted) => {
                    if state.io.pending_count() > 0 {
                        state = self.progress(state, Wanted::Room)?;
                    } else if !state.awaited.is_empty() {
                        // Reads that others have not released yet.
                        state = self.wait_for_others(state);
                    } else {
                        return Err(io::ErrorKind::OutOfMemory.into());
                    }
                }
                answer => return Ok((state, answer.map_err(to_io_error)?)),
            }
        }
    }

    /// The same, and waits for the result, which `take` is given under the lock, with the token.
    ///
    /// # Errors
    /// As [`Shared::submit`], and those of `take`.
    pub fn call<T>(
        &self,
        call: impl FnMut(&mut B) -> Result<u64, StorageIoError>,
        take: impl FnOnce(&mut State<B>, u64, Result<u32, Errno>) -> io::Result<T>,
    ) -> io::Result<T> {
        let (mut state, token) = self.submit(call)?;
        state.awaited.insert(token, None);
        let outcome = loop {
            match state.awaited.get(&token) {
                Some(Some(outcome)) => break *outcome,
                _ => state = self.progress(state, Wanted::Outcome(token))?,
            }
        };
        state.awaited.remove(&token);
        let taken = take(&mut state, token, outcome);
        self.tell_others(&state);
        taken
    }

    /// Waits until nothing is pending.
    ///
    /// # Errors
    /// The backend's.
    pub fn drain(&self) -> io::Result<Guard<'_, B>> {
        let mut state = self.lock();
        while state.io.pending_count() > 0 {
            state = self.progress(state, Wanted::Room)?;
        }
        Ok(state)
    }
}
