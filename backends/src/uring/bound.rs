//! [`Owner`]: which thread may use a ring.
//!
//! Not std's `ThreadId`: `thread::current` may allocate on the first call of a thread that std did
//! not start, and submissions never allocate. Not the kernel's thread id: it is given out again.
//!
//! Invariant: a number names one thread for the life of the process. Called by the driver, once per
//! call of the interface in the thread-bound mode.

use std::{
    cell::Cell,
    num::NonZeroU64,
    sync::atomic::{AtomicU64, Ordering},
};

use ringzero_core::{Errno, StorageIoError};

static LAST: AtomicU64 = AtomicU64::new(0);

thread_local! {
    // Const and without a destructor: no allocation at first use, and there until the thread ends.
    static NUMBER: Cell<Option<NonZeroU64>> = const { Cell::new(None) };
}

/// The number of the calling thread.
#[inline]
fn this_thread() -> NonZeroU64 {
    NUMBER.with(|number| number.get().unwrap_or_else(|| take_number(number)))
}

#[cold]
fn take_number(number: &Cell<Option<NonZeroU64>>) -> NonZeroU64 {
    // Counting from 1, so the addition ends after 2^64 threads.
    let taken = LAST.fetch_add(1, Ordering::Relaxed).saturating_add(1);
    let taken = NonZeroU64::new(taken).unwrap_or(NonZeroU64::MAX);
    number.set(Some(taken));
    taken
}

/// Whose a ring is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Any thread's, at any time.
    Anyone,
    /// The thread's that uses it first.
    FirstUser,
    /// This thread's.
    Thread(NonZeroU64),
}

/// Whether the calling thread may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Granted,
    /// Nobody owns the ring yet.
    Unclaimed,
}

impl Owner {
    /// What the calling thread may do.
    ///
    /// # Errors
    /// `Io(EEXIST)`: another thread owns the ring; the answer of the kernel, io_uring_setup(2),
    /// IORING_SETUP_SINGLE_ISSUER.
    #[inline]
    pub(super) fn access(self) -> Result<Access, StorageIoError> {
        match self {
            Self::Anyone => Ok(Access::Granted),
            Self::FirstUser => Ok(Access::Unclaimed),
            Self::Thread(number) if number == this_thread() => Ok(Access::Granted),
            Self::Thread(_) => Err(StorageIoError::Io(Errno::EXIST)),
        }
    }

    /// The calling thread becomes the owner, if the ring waits for one.
    pub(super) fn claim(&mut self) {
        if *self == Self::FirstUser {
            *self = Self::Thread(this_thread());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn the_first_user_owns_it_and_everybody_else_is_refused() {
        let mut owner = Owner::FirstUser;
        let elsewhere = |owner: Owner| thread::spawn(move || owner.access()).join().unwrap();
        assert_eq!(owner.access(), Ok(Access::Unclaimed));
        assert_eq!(elsewhere(owner), Ok(Access::Unclaimed));
        owner.claim();
        assert_eq!(owner.access(), Ok(Access::Granted));
        assert_eq!(elsewhere(owner), Err(StorageIoError::Io(Errno::EXIST)));
    }

    #[test]
    fn what_is_anyones_is_not_claimed() {
        let mut owner = Owner::Anyone;
        owner.claim();
        assert_eq!(owner, Owner::Anyone);
        assert_eq!(thread::spawn(move || owner.access()).join().unwrap(), Ok(Access::Granted));
    }

    #[test]
    fn a_thread_that_ended_leaves_its_number_to_nobody() {
        let numbers: Vec<_> = (0..8).map(|_| thread::spawn(this_thread).join().unwrap()).collect();
        for (index, number) in numbers.iter().enumerate() {
            assert!(!numbers[..index].contains(number), "{numbers:?}");
        }
    }
}
