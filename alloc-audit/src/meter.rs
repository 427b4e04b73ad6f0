//! The meter: what one thread counts, and the entry point of the allocator.
//!
//! Invariants:
//! - The thread-local state is const-initialised and needs no drop, so it is reachable from the
//!   first to the last instruction of a thread, and reaching it never allocates.
//! - While [`OwnWork`] lives, calls on this thread belong to the meter and are counted nowhere; so
//!   recording an offence cannot record itself, and the zones are never borrowed twice.
//! - [`record`] does not unwind: counting wraps, and what could panic runs inside `catch_unwind`.
//!
//! [`record`] is called by the allocator, the rest by the zones.

use crate::action::Action;
use crate::call::Call;
use crate::counts::Counts;
use crate::offence::Offence;
use crate::open_zones::{Key, OpenZones};
use crate::process;
use crate::report::Report;
use crate::trace::Trace;
use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::io::Write;
use std::mem::{ManuallyDrop, needs_drop};
use std::panic::catch_unwind;

thread_local! {
    static METER: Meter = const { Meter::new() };
}

struct Meter {
    totals: Cell<Counts>,
    /// How many [`OwnWork`] guards live.
    own_work_depth: Cell<u32>,
    /// Calls made during own work, for the probe.
    own_calls: Cell<u64>,
    /// Whether some open zone wants more than counting; spares the common call the zones.
    is_watchful: Cell<bool>,
    /// Not dropped with the thread: zones may be open, or leaked, while it is torn down.
    zones: RefCell<ManuallyDrop<OpenZones>>,
}

const _: () = assert!(!needs_drop::<Meter>());

impl Meter {
    const fn new() -> Self {
        Self {
            totals: Cell::new(Counts::ZERO),
            own_work_depth: Cell::new(0),
            own_calls: Cell::new(0),
            is_watchful: Cell::new(false),
            zones: RefCell::new(ManuallyDrop::new(OpenZones::new())),
        }
    }

    fn start_own_work(&self) -> OwnWork<'_> {
        self.own_work_depth.set(self.own_work_depth.get().wrapping_add(1));
        OwnWork { meter: self }
    }

    /// Runs `change` on the zones as own work; none if they are being changed further up the stack.
    fn change_zones<T>(&self, change: impl FnOnce(&mut OpenZones) -> T) -> Option<T> {
        let _own_work = self.start_own_work();
        let mut zones = self.zones.try_borrow_mut().ok()?;
        let result = change(&mut zones);
        self.is_watchful.set(zones.are_watchful());
        Some(result)
    }

    /// What an offence sets off beyond counting.
    #[cold]
    #[inline(never)]
    fn watch(&self, call: &Call) {
        let _own_work = self.start_own_work();
        let offence = Offence::new(*call, Trace::capture());
        let demands_abort = self.change_zones(|zones| {
            zones.keep(&offence);
            zones.demand_abort()
        });
        if demands_abort == Some(true) {
            abort(&offence);
        }
    }
}

/// While it lives, calls on this thread are the meter's own.
struct OwnWork<'meter> {
    meter: &'meter Meter,
}

impl Drop for OwnWork<'_> {
    fn drop(&mut self) {
        let depth = &self.meter.own_work_depth;
        depth.set(depth.get().wrapping_sub(1));
    }
}

/// Counts `call` for thread and process, and tells the zones open on this thread. Never unwinds.
#[inline]
pub(crate) fn record(call: &Call) {
    let is_own_work = METER.try_with(|meter| {
        if meter.own_work_depth.get() > 0 {
            meter.own_calls.set(meter.own_calls.get().wrapping_add(1));
            return true;
        }
        meter.totals.set(meter.totals.get().with(call));
        if meter.is_watchful.get() {
            meter.watch(call);
        }
        false
    });
    // Without thread-local state the call still belongs to the process.
    if is_own_work != Ok(true) {
        process::count(call);
    }
}

/// The calling thread's totals.
pub(crate) fn thread_totals() -> Counts {
    METER.try_with(|meter| meter.totals.get()).unwrap_or_default()
}

/// Opens a zone on the calling thread; none if the thread's state is out of reach.
pub(crate) fn open(action: Action) -> Option<Key> {
    METER
        .try_with(|meter| meter.change_zones(|zones| zones.open(action, meter.totals.get())))
        .ok()
        .flatten()
}

/// Closes a zone on the calling thread; none if it is not open there.
pub(crate) fn close(key: Key) -> Option<Report> {
    METER
        .try_with(|meter| meter.change_zones(|zones| zones.close(key, meter.totals.get())))
        .ok()
        .flatten()
        .flatten()
}

/// Makes one allocation and one deallocation, and tells whether both reached [`record`].
pub(crate) fn probe() -> bool {
    METER
        .try_with(|meter| {
            let _own_work = meter.start_own_work();
            let before = meter.own_calls.get();
            // Hidden from the optimiser, which may otherwise remove the pair.
            drop(black_box(Box::new(black_box(0_u8))));
            meter.own_calls.get().wrapping_sub(before) >= 2
        })
        .unwrap_or(false)
}

/// Prints `offence` to standard error and ends the process.
///
/// Size first, since resolving the place is the part that can fail. Goes to the real standard error
/// even in a test harness: capturing it takes a lock that the interrupted code may hold.
fn abort(offence: &Offence) -> ! {
    let _ = catch_unwind(|| {
        let mut stderr = std::io::stderr();
        let _ = writeln!(stderr, "allocation audit: {offence}, inside an abort zone");
        if let Some(place) = offence.place() {
            let _ = writeln!(stderr, "allocation audit: in {place}");
        }
        let _ = write!(stderr, "{}", offence.trace());
    });
    std::process::abort()
}
