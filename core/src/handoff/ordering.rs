//! Every memory ordering of the handoff, by name: what it is for, and which one it pairs with.
//!
//! A name is used in one place. The models weaken each, one at a time, and expect a failure: an
//! ordering that is stronger than needed, or a guarantee without a model, shows there.

use core::sync::atomic::Ordering;

// The queue.

/// The written position moves: the values below it are in their slots.
pub(super) const PUBLISH: Ordering = Ordering::Release;
/// The consumer looks at the written position. Pairs with [`PUBLISH`].
pub(super) const SEE_PUBLISHED: Ordering = Ordering::Acquire;
/// The read position moves: the consumer is done with the slots below it.
pub(super) const FREE: Ordering = Ordering::Release;
/// The producer looks at the read position. Pairs with [`FREE`].
pub(super) const SEE_FREED: Ordering = Ordering::Acquire;
/// The producer is gone: its last position is published.
pub(super) const LEAVE_PRODUCER: Ordering = Ordering::Release;
/// The consumer asks whether the producer is gone. Pairs with [`LEAVE_PRODUCER`].
pub(super) const SEE_PRODUCER_LEFT: Ordering = Ordering::Acquire;
/// The consumer is gone: it is done with everything it popped.
pub(super) const LEAVE_CONSUMER: Ordering = Ordering::Release;
/// The producer asks whether the consumer is gone. Pairs with [`LEAVE_CONSUMER`].
pub(super) const SEE_CONSUMER_LEFT: Ordering = Ordering::Acquire;

// The doorbell.

/// The sleeper arms. Acquires from every ring before; releases to the ring that finds it armed.
pub(super) const ARM: Ordering = Ordering::AcqRel;
/// Somebody rings. Releases what was published to the sleeper; acquires from the arming it finds.
pub(super) const RING: Ordering = Ordering::AcqRel;
/// The sleeper asks whether to sleep on. Pairs with [`RING`].
pub(super) const SEE_RING: Ordering = Ordering::Acquire;
/// The sleeper is awake. Acquires from every ring before.
pub(super) const DISARM: Ordering = Ordering::Acquire;
