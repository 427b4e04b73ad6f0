//! Zones: stretches of code on one thread whose allocator calls are counted.
//!
//! Zones nest. A zone covers its whole extent: what happens in an inner zone is counted, and kept
//! as an offence, in every zone around it too. Each open zone applies its own action, so one open
//! abort zone makes every call fatal, whatever is nested in it; no zone grants an exemption.
//!
//! A zone is not a scope for other threads: the guard cannot be sent, and threads spawned inside
//! start without zones.

use crate::action::Action;
use crate::counts::Counts;
use crate::open_zones::Key;
use crate::report::Report;
use crate::{meter, process};
use std::fmt;
use std::marker::PhantomData;

/// The guard of a zone: from [`Zone::enter`] on, this thread's allocator calls are offences.
///
/// Dropped without [`Zone::finish`], it ends the zone and discards what was seen. Forgotten with
/// `mem::forget`, it leaves the zone open until the thread ends.
///
/// It stays on its thread:
///
/// ```compile_fail,E0277
/// use ringzero_alloc_audit::Zone;
/// fn send<T: Send>() {}
/// send::<Zone>();
/// ```
#[derive(Debug)]
#[must_use = "the zone ends when its guard is dropped"]
pub struct Zone {
    key: Key,
    not_send: PhantomData<*const ()>,
}

impl Zone {
    /// Opens a zone on the calling thread.
    ///
    /// # Errors
    ///
    /// [`NotInstalled`] if this program's global allocator is not a
    /// [`CountingAllocator`](crate::CountingAllocator); no zone is open then.
    pub fn enter(action: Action) -> Result<Self, NotInstalled> {
        require_installed()?;
        let key = meter::open(action).ok_or(NotInstalled)?;
        Ok(Self { key, not_send: PhantomData })
    }

    /// Ends the zone and returns what it saw.
    ///
    /// # Panics
    ///
    /// Never, unless this crate's own bookkeeping is wrong.
    pub fn finish(self) -> Report {
        // The guard's own drop then finds nothing left to close.
        match meter::close(self.key) {
            Some(report) => report,
            None => unreachable!("a zone stays open on its thread as long as its guard lives"),
        }
    }
}

impl Drop for Zone {
    fn drop(&mut self) {
        let _ = meter::close(self.key);
    }
}

/// Runs `work` inside a zone, and returns its result with the report.
///
/// If `work` panics, the zone ends and the panic goes on.
///
/// # Errors
///
/// [`NotInstalled`], as for [`Zone::enter`]; `work` was not run then.
pub fn audit<T>(action: Action, work: impl FnOnce() -> T) -> Result<(T, Report), NotInstalled> {
    let zone = Zone::enter(action)?;
    let result = work();
    Ok((result, zone.finish()))
}

/// Whether this program's global allocator is a [`CountingAllocator`](crate::CountingAllocator).
///
/// Found out by allocating a box and seeing whether the meter moved, each time it is asked.
#[must_use]
pub fn is_installed() -> bool {
    meter::probe()
}

/// The totals of the whole process since it started, threads that have ended included.
///
/// # Errors
///
/// [`NotInstalled`], as for [`Zone::enter`].
pub fn process_totals() -> Result<Counts, NotInstalled> {
    require_installed()?;
    Ok(process::read())
}

/// The totals of the calling thread since it started.
///
/// # Errors
///
/// [`NotInstalled`], as for [`Zone::enter`].
pub fn thread_totals() -> Result<Counts, NotInstalled> {
    require_installed()?;
    Ok(meter::thread_totals())
}

fn require_installed() -> Result<(), NotInstalled> {
    if is_installed() { Ok(()) } else { Err(NotInstalled) }
}

/// This program's global allocator is not a [`CountingAllocator`](crate::CountingAllocator), so
/// there is nothing to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotInstalled;

impl fmt::Display for NotInstalled {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(
            "the counting allocator is not installed: add `#[global_allocator] static ALLOCATOR: \
             CountingAllocator = CountingAllocator::new(System);` to this program",
        )
    }
}

impl std::error::Error for NotInstalled {}
