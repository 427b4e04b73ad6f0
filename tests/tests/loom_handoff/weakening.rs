//! [`Named`] orderings, and a [`Weakening`] of one of them, in force for one thread at a time.
//!
//! loom runs all threads of a model on the thread that explores it, so a thread-local holds.

use std::{cell::Cell, sync::atomic::Ordering};

/// An ordering and the name it has in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: &'static str,
    pub(crate) ordering: Ordering,
}

/// What is made weaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weakening {
    /// The ordering of this name.
    Ordering(&'static str, Ordering),
    /// The read-modify-write with this ordering becomes a load and then a store.
    Torn(&'static str),
}

thread_local! {
    static IN_FORCE: Cell<Option<Weakening>> = const { Cell::new(None) };
}

impl Named {
    pub(crate) const fn new(name: &'static str, ordering: Ordering) -> Self {
        Self { name, ordering }
    }

    /// The ordering in this exploration.
    pub(crate) fn effective(self) -> Ordering {
        match IN_FORCE.get() {
            Some(Weakening::Ordering(name, ordering)) if name == self.name => ordering,
            _ => self.ordering,
        }
    }

    /// Whether the read-modify-write with this ordering is none in this exploration.
    pub(crate) fn is_torn(self) -> bool {
        IN_FORCE.get() == Some(Weakening::Torn(self.name))
    }

    /// Every ordering that is weaker.
    pub(crate) fn weaker(self) -> &'static [Ordering] {
        match self.ordering {
            Ordering::AcqRel => &[Ordering::Acquire, Ordering::Release, Ordering::Relaxed],
            Ordering::Acquire | Ordering::Release => &[Ordering::Relaxed],
            _ => &[],
        }
    }
}

/// Runs `body` with `weakening` in force.
pub(crate) fn with<R>(weakening: Weakening, body: impl FnOnce() -> R) -> R {
    struct Restore;
    impl Drop for Restore {
        fn drop(&mut self) {
            IN_FORCE.set(None);
        }
    }
    IN_FORCE.set(Some(weakening));
    let _restore = Restore;
    body()
}
