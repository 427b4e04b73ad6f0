//! The control: everything is right, except that one poll goes into a sink without room, which
//! allocates inside the zone. The audit must find exactly that.

use ringzero::{CompletionSink, IoCompletion};

use crate::stage::{Stage, Stop};

const COMPLETIONS: usize = 3;

/// What the audit must find: 3 completions of 16 bytes.
pub(crate) const ALLOCATED_BYTES: usize = COMPLETIONS * size_of::<IoCompletion>();

/// Grows whenever something is delivered.
#[derive(Default)]
struct Growing {
    completions: Vec<IoCompletion>,
}

impl CompletionSink for Growing {
    #[inline(never)]
    fn take(&mut self, batch: &[IoCompletion]) -> usize {
        self.completions.reserve_exact(batch.len());
        self.completions.extend_from_slice(batch);
        batch.len()
    }
}

pub(crate) fn run(stage: &mut Stage) -> Result<(), Stop> {
    let fd = stage.follow("log")?;
    let mut sink = Growing::default();
    stage.measured(|session| {
        for len in 1..=COMPLETIONS {
            session.append(fd, len)?;
        }
        session.wait_for_all()?;
        session.poll_into(&mut sink);
        session.take(&sink.completions)
    })
}
