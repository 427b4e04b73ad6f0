//! The zones open on one thread, and what an offence does to each.
//!
//! It knows nothing of threads or allocators: the meter owns one and tells it of every offence.
//!
//! Invariants:
//! - Keys grow in the order of entering and are never used again.
//! - A zone keeps the offences of its whole extent, those of zones nested in it included.

use crate::action::Action;
use crate::counts::Counts;
use crate::offence::Offence;
use crate::report::{Offences, Report};

/// Names one open zone on its thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(u64);

struct OpenZone {
    key: Key,
    action: Action,
    at_entry: Counts,
    offences: Offences,
}

impl OpenZone {
    /// True while an offence needs more than counting here.
    fn is_watchful(&self) -> bool {
        match self.action {
            Action::Count => false,
            Action::Report => !self.offences.is_full(),
            Action::Abort => true,
        }
    }
}

/// The open zones, outermost first as long as guards are dropped in order.
pub(crate) struct OpenZones {
    zones: Vec<OpenZone>,
    next_key: u64,
}

impl OpenZones {
    pub(crate) const fn new() -> Self {
        Self { zones: Vec::new(), next_key: 0 }
    }

    /// Opens a zone on a thread whose totals are `now`.
    pub(crate) fn open(&mut self, action: Action, now: Counts) -> Key {
        let key = Key(self.next_key);
        self.next_key = self.next_key.wrapping_add(1);
        self.zones.push(OpenZone { key, action, at_entry: now, offences: Offences::new() });
        key
    }

    /// Closes the zone `key` on a thread whose totals are `now`; none if it is not open.
    pub(crate) fn close(&mut self, key: Key, now: Counts) -> Option<Report> {
        let index = self.zones.iter().rposition(|zone| zone.key == key)?;
        let OpenZone { action, at_entry, offences, .. } = self.zones.remove(index);
        if self.zones.is_empty() {
            // The owner is never dropped, so give the memory back while nothing is open.
            self.zones = Vec::new();
        }
        Some(Report::new(action, now.since(&at_entry), offences))
    }

    /// True while an offence needs more than counting in some zone.
    pub(crate) fn are_watchful(&self) -> bool {
        self.zones.iter().any(OpenZone::is_watchful)
    }

    /// True if some zone wants an offence to end the process.
    pub(crate) fn demand_abort(&self) -> bool {
        self.zones.iter().any(|zone| zone.action == Action::Abort)
    }

    /// Keeps `offence` in every zone that reports and has room.
    pub(crate) fn keep(&mut self, offence: &Offence) {
        for zone in self.zones.iter_mut().filter(|zone| zone.action == Action::Report) {
            // A full zone keeps its first offences.
            let _ = zone.offences.push(offence.clone());
        }
    }
}
