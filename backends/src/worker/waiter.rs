//! [`Waiter`]: where the caller's thread sleeps, in `wait` or in an event loop of its own, and how
//! an I/O thread wakes it.
//!
//! Not the park of `std::thread`: its token is the host's, and a `wait` would take or leave one.
//! The lock is taken only by who sleeps, and by an I/O thread that was told to wake somebody; polls
//! and submissions know nothing of it.
//!
//! No wake-up is lost: the sleeper looks again after it armed the doorbell, and asks whether it is
//! still armed under the lock; who disarms it by ringing takes the lock before it notifies, so
//! either the sleeper has not asked yet, or it sleeps.
//!
//! An event loop sleeps on the handle of the notifier instead of the condition. It arms the same
//! doorbell, looks again, and sleeps in a call that is not ours; who disarms the doorbell by
//! ringing makes the handle readable, which it stays. So there is one signal for each arming at
//! most, and none once the loop is awake and has disarmed it.

use std::{
    io,
    sync::{
        Arc, Condvar, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ringzero_core::handoff::Doorbell;

use crate::platform::Notifier;

/// One sleeper, any number of threads that wake it.
#[derive(Debug, Default)]
pub(super) struct Waiter {
    doorbell: Doorbell,
    lock: Mutex<()>,
    rung: Condvar,
    /// Made when it is first asked for.
    notifier: OnceLock<Arc<Notifier>>,
    /// Whether who armed the doorbell last sleeps on the notifier. Set before arming, so it is
    /// visible to whoever rings and finds the doorbell armed. (Or what was set for a later sleep
    /// is: then that one looked after the ring, or ends early for no reason.)
    is_on_notifier: AtomicBool,
}

impl Waiter {
    /// Sleeps until somebody rings, for at most `timeout`; not at all if `is_due` when it is about
    /// to. May end early for no reason.
    pub(super) fn sleep(&self, timeout: Option<Duration>, is_due: impl FnOnce() -> bool) {
        self.is_on_notifier.store(false, Ordering::Relaxed);
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

    /// What an event loop sleeps on.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn notifier(&self) -> io::Result<&Arc<Notifier>> {
        if let Some(notifier) = self.notifier.get() {
            return Ok(notifier);
        }
        let notifier = Arc::new(Notifier::new()?);
        Ok(self.notifier.get_or_init(|| notifier))
    }

    /// Whoever rings next makes the notifier readable, which it is not now. To be followed by a
    /// look for what was published before.
    pub(super) fn arm_notifier(&self) {
        if let Some(notifier) = self.notifier.get() {
            notifier.drain();
            self.is_on_notifier.store(true, Ordering::Relaxed);
            self.doorbell.arm();
        }
    }

    /// Nobody sleeps on the notifier.
    pub(super) fn disarm_notifier(&self) {
        self.doorbell.disarm();
    }

    /// To be called after something was published that a sleeper may wait for.
    pub(super) fn ring(&self) {
        if !self.doorbell.ring() {
            return;
        }
        if self.is_on_notifier.load(Ordering::Relaxed) {
            self.notifier.get().into_iter().for_each(|it| it.notify());
        } else {
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.rung.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{thread, time::Instant};

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
