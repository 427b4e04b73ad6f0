//! Durable commits on a ring: each linked to its own sync ([`linked`]), or in groups.
//!
//! A group is all committers that wait when the last group is durable: their records side by side
//! in one buffer, one write, one sync, one system call. There is one group at a time.

use std::time::Instant;

use super::ring::{Form, Ring, expect};
use crate::{
    Failure,
    compare::{
        content::{ALIGNMENT, Record},
        job::Job,
        measured::Measured,
    },
    contestants::{
        committers::Committers,
        files,
        group::{self, Log},
    },
};

/// Each commit is a write linked to an fdatasync of its own: the 1.0 of commits.
pub(super) fn linked(job: &Job) -> Result<Measured, Failure> {
    let file = files::open(job)?;
    let bytes = u64::from(job.record_bytes);
    let mut record = Record::new(job.record_bytes);
    let mut ring = Ring::new(&file, job.committers, job.record_bytes)?;
    let mut committers = Committers::start(job)?;
    while !committers.are_done() {
        while let Some((committer, index)) = committers.next_commit() {
            ring.fill(committer, 0, record.of(index));
            let name = u64::from(committer);
            ring.push_write(committer, job.record_bytes, index * bytes, Form::Linked, name)?;
            ring.push_datasync(name)?;
        }
        let want = usize::from(!committers.are_arriving());
        let mut now = None;
        // A write that fails or is short posts a completion too, and is no 0.
        ring.turn(want, |committer, result| {
            expect(result, 0)?;
            committers.learns(committer as u32, *now.get_or_insert_with(Instant::now));
            Ok(())
        })?;
    }
    committers.stop(job)
}

/// How a group becomes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// A write linked to an fdatasync.
    Datasync,
    /// One write with RWF_DSYNC, by a kernel worker.
    Durable,
    /// One O_DIRECT write with RWF_DSYNC; the tail block is padded with zeros, and written again
    /// by the next group.
    DirectDurable,
}

/// Groups.
pub(super) fn groups(job: &Job, manner: Manner) -> Result<Measured, Failure> {
    let file = files::open(job)?;
    let group_bytes = job.committers * job.record_bytes;
    let slot_bytes = (group_bytes as usize + ALIGNMENT).next_multiple_of(ALIGNMENT) as u32;
    let ring = Ring::new(&file, 1, slot_bytes)?;
    group::run(job, &mut RingLog { ring, manner, kept: 0 })
}

/// One buffer on a ring.
struct RingLog {
    ring: Ring,
    manner: Manner,
    /// Bytes of the tail block at the front of the buffer, already durable.
    kept: usize,
}

impl Log for RingLog {
    fn put(&mut self, at: usize, record: &[u8]) {
        self.ring.fill(0, self.kept + at, record);
    }

    fn commit(&mut self, bytes: usize, offset: u64) -> Result<(), Failure> {
        let end = self.kept + bytes;
        let (written, form) = match self.manner {
            Manner::Datasync => (end, Form::Linked),
            Manner::Durable => (end, Form::DurableAsync),
            Manner::DirectDurable => (end.next_multiple_of(ALIGNMENT), Form::Durable),
        };
        if let Some(padding) = self.ring.slot(0).get_mut(end..written) {
            padding.fill(0);
        }
        self.ring.push_write(0, written as u32, offset - self.kept as u64, form, 0)?;
        let mut expected = written as u32;
        if self.manner == Manner::Datasync {
            self.ring.push_datasync(0)?;
            expected = 0;
        }
        let mut is_done = false;
        while !is_done {
            self.ring.turn(1, |_, result| {
                is_done = true;
                expect(result, expected)
            })?;
        }
        if self.manner == Manner::DirectDurable {
            let kept = end % ALIGNMENT;
            self.ring.slot(0).copy_within(end - kept..end, 0);
            self.kept = kept;
        }
        Ok(())
    }
}
