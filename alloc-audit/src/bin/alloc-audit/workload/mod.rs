//! The rows of the table: [`Workload`].
//!
//! A workload sets its files up, then runs a steady state of many rounds inside zones: each round
//! ends with nothing pending, and is followed by one that does the same again. What a round expects
//! is exact; that the backend met what the workload is about is proved at the end.

mod appends;
mod claims;
mod closing;
mod control;
mod failed_files;
mod full_device;
mod full_disk;
mod lives;
mod moves;
mod questions;
mod reads;
mod refusals;
mod sinks;
mod syncs;
mod waits;
mod writes;

use crate::stage::{Stage, Stop};
pub(crate) use control::ALLOCATED_BYTES as CONTROL_BYTES;

/// One row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&mut Stage) -> Result<(), Stop>,
}

/// Every workload but the control.
pub(crate) fn all() -> [Workload; 15] {
    [
        Workload { name: "writes", run: writes::run },
        Workload { name: "appends", run: appends::run },
        Workload { name: "reads", run: reads::run },
        Workload { name: "claims, gathered", run: claims::run },
        Workload { name: "datasyncs", run: syncs::run },
        Workload { name: "waits", run: waits::run },
        Workload { name: "sinks", run: sinks::run },
        Workload { name: "questions", run: questions::run },
        Workload { name: "refusals", run: refusals::run },
        Workload { name: "full device", run: full_device::run },
        Workload { name: "full disk", run: full_disk::run },
        Workload { name: "failed files", run: failed_files::run },
        Workload { name: "moves", run: moves::run },
        Workload { name: "closing", run: closing::run },
        Workload { name: "lives", run: lives::run },
    ]
}

/// The workload that allocates on purpose.
pub(crate) fn control() -> Workload {
    Workload { name: "control", run: control::run }
}
