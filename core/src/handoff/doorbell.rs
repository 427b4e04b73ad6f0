//! [`Doorbell`]: how a thread sleeps until another one has something for it, without losing a
//! wake-up.
//!
//! It is one word with two states, and it does not sleep: parking and unparking a thread is the
//! driver's. One thread sleeps at a doorbell, any number may ring.
//!
//! ```text
//! sleeper                              who has something
//!   arm()                                publish it (push)
//!   look again; if there is something,   if ring() { unpark the sleeper }
//!     disarm() and take it
//!   while is_armed() { park }
//!   disarm(), look again
//! ```
//!
//! # Why no wake-up is lost
//! `arm` and `ring` both change the same word by read-modify-write, so one comes first, and the
//! second reads what the first wrote. If `arm` is first, `ring` finds the doorbell armed, returns
//! true, and the sleeper is unparked. If `ring` is first, `arm` acquires from it, and the look that
//! follows sees what was published before it. Both at once:
//!
//! ```text
//! arm first:   S arm: quiet → armed    P push    P ring: armed → quiet, true    P unparks S
//! ring first:  P push    P ring: quiet → quiet, false    S arm: quiet → armed    S sees the value
//! ```
//!
//! With a plain store to arm and a plain load to ring, both could be too early: the sleeper's store
//! waits in its processor while it looks at the queue (empty), and the other thread's push waits in
//! its own while it looks at the doorbell (quiet). Each missed the other, and the sleeper sleeps
//! for ever. A fence that is sequentially consistent on both sides would do as well; the models
//! could not tell, because to them such an access is an acquire and a release and no more.
//!
//! `disarm` is a read-modify-write too. A plain store would cut the chain from a ring before it to
//! the next `arm`: S arms, P publishes and rings (true), S disarms without having looked, arms
//! again, does not see the value, and sleeps, woken once by the unpark of then and never again.

use super::{
    ordering::{ARM, DISARM, RING, SEE_RING},
    sync::AtomicU32,
};

/// Nobody sleeps, or who slept has been rung for.
const QUIET: u32 = 0;
/// Somebody sleeps, or is about to.
const ARMED: u32 = 1;

/// One word through which a sleeping thread is woken. See the module for the protocol.
///
/// ```
/// use ringzero_core::handoff::Doorbell;
///
/// let bell = Doorbell::new();
/// assert!(!bell.ring(), "nobody sleeps");
/// bell.arm(); // then look for work once more, then sleep
/// assert!(bell.is_armed());
/// assert!(bell.ring(), "somebody does: wake them");
/// assert!(!bell.is_armed());
/// bell.disarm();
/// ```
#[derive(Debug)]
pub struct Doorbell {
    state: AtomicU32,
}

impl Default for Doorbell {
    fn default() -> Self {
        Self::new()
    }
}

impl Doorbell {
    /// Quiet.
    pub fn new() -> Self {
        Self { state: AtomicU32::new(QUIET) }
    }

    /// The sleeper is about to sleep. It has to look for work once more before it does.
    ///
    /// What was published before any earlier [`Doorbell::ring`] is visible from here on; what the
    /// sleeper did before is visible to the ring that finds the doorbell armed.
    #[inline]
    pub fn arm(&self) {
        self.state.swap(ARMED, ARM);
    }

    /// Whether nobody has rung since [`Doorbell::arm`]: the sleeper may sleep on.
    ///
    /// When it is false, what was published before the ring is visible.
    #[inline]
    pub fn is_armed(&self) -> bool {
        self.state.load(SEE_RING) == ARMED
    }

    /// The sleeper is awake, whatever woke it. What was published before any earlier
    /// [`Doorbell::ring`] is visible from here on.
    #[inline]
    pub fn disarm(&self) {
        self.state.swap(QUIET, DISARM);
    }

    /// To be called after publishing. True: somebody sleeps or is about to, and has to be woken by
    /// the caller; nobody else will be told so. What the sleeper did before it armed is visible.
    #[inline]
    #[must_use = "the sleeper must be woken when this is true"]
    pub fn ring(&self) -> bool {
        self.state.swap(QUIET, RING) == ARMED
    }
}
