//! [`Abilities`]: which alterations of a file the kernel's rings carry out.
//!
//! What they do not is done by a system call of the same meaning inside the call that hands the
//! request over, which then waits for it; a note says so. IORING_OP_FALLOCATE and IORING_OP_CLOSE
//! are as old as what the ring itself needs (Linux 5.6), IORING_OP_FTRUNCATE is of Linux 6.9:
//! io_uring_enter(2).

use io_uring::{
    Probe, Submitter,
    opcode::{Close, Fallocate, Ftruncate},
};
use ringzero_core::Alteration;

use crate::report::Note;

/// What an alteration is called, and the operation that carries it out.
const OPERATIONS: [(u8, &str); 3] = [
    (Fallocate::CODE, "IORING_OP_FALLOCATE"),
    (Ftruncate::CODE, "IORING_OP_FTRUNCATE"),
    (Close::CODE, "IORING_OP_CLOSE"),
];

const fn operation(what: Alteration) -> usize {
    match what {
        Alteration::Allocate { .. } | Alteration::Punch { .. } => 0,
        Alteration::Truncate { .. } => 1,
        Alteration::Close => 2,
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Abilities {
    has: [bool; OPERATIONS.len()],
}

impl Abilities {
    /// None.
    #[cfg(test)]
    pub(super) const NONE: Self = Self { has: [false; OPERATIONS.len()] };

    /// Asks the kernel: IORING_REGISTER_PROBE of io_uring_register(2). One that does not answer has
    /// none.
    pub(super) fn of(submitter: &Submitter<'_>) -> Self {
        let mut probe = Probe::new();
        let is_answered = submitter.register_probe(&mut probe).is_ok();
        Self { has: OPERATIONS.map(|(code, _)| is_answered && probe.is_supported(code)) }
    }

    /// Whether a ring carries it out.
    pub(super) fn has(&self, what: Alteration) -> bool {
        self.has.get(operation(what)).copied().unwrap_or(false)
    }

    /// What the rings do without.
    pub(super) fn notes(&self) -> impl Iterator<Item = Note> {
        let lacks = OPERATIONS.into_iter().zip(self.has).filter(|(_, has)| !has);
        lacks.map(|((_, name), _)| Note::OperationMissing(name))
    }
}
