//! [`Waiter`]: where the caller's thread sleeps in `wait`, and how an I/O thread wakes it.
//!
//! Not the park of `std::thread`: its token is the host's, and a `wait` would take or leave one.
//! The lock is taken only by who sleeps, and by an I/O thread that was told to wake somebody; polls
//! and submissions know nothing of it.
//!
//! No wake-up is lost: the sleeper looks again after it armed the doorbell, and asks whether it is
//! still armed under the lock; who disarms it by ringing takes the lock before it notifies, so
//! either the sleeper has not asked yet, or it sleeps.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

use ringzero_core::handoff::Doorbell;

/// One sleeper, any number of threads that wake it.
#[derive(Debug, Default)]
pub(super) struct Waiter {
    doorbell: Doorbell,
    lock: Mutex<()>,
    rung: Condvar,
}

impl Waiter {
    /// Sleeps until somebody rings, for at most `timeout`; not at all if `is_due` when it is about
    /// to. May end early for no reason.
    pub(super) fn sleep(&self, timeout: Option<Duration>, is_due: impl FnOnce() -> bool) {
        self.doorbell.arm();
        if !is_due() {
            // Nothing is protected by the lock, so nothing is wrong after a panic.
            let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
            if self.doorbell.is_armed() {
                match timeout {
                    None => drop(self.rung.wait(guard)),
                    Some(timeout) => drop(self.rung.wait_timeout(guard, timeout)),
                }
            }
        }
        self.doorbell.disarm();
    }

    /// To be called after something was published that a sleeper may wait for.
    pub(super) fn ring(&self) {
        if self.doorbell.ring() {
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.rung.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::Arc, thread, time::Instant};

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn what_is_due_keeps_the_sleeper_awake_and_the_time_ends_a_sleep() {
        let waiter = Waiter::default();
        let begin = Instant::now();
        waiter.sleep(Some(LONG), || true);
        waiter.sleep(Some(Duration::ZERO), || false);
        assert!(begin.elapsed() < LONG);
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(20) {
            waiter.sleep(Some(Duration::from_millis(20)), || false);
        }
        // Nobody sleeps any more: a ring finds nobody to wake.
        assert!(!waiter.doorbell.ring());
    }

    #[test]
    fn a_ring_between_the_last_look_and_the_sleep_is_not_lost() {
        let waiter = Arc::new(Waiter::default());
        let begin = Instant::now();
        waiter.sleep(Some(LONG), || {
            let same = Arc::clone(&waiter);
            thread::spawn(move || same.ring()).join().unwrap();
            false
        });
        assert!(begin.elapsed() < LONG);
    }
}
