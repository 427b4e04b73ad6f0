//! Commits in groups, one group at a time, by a thread that has nothing else to do: [`run`].

use std::time::Instant;

use super::committers::Committers;
use crate::{
    Failure,
    compare::{content::Record, job::Job, measured::Measured},
};

/// A log that can make a group of records durable.
pub trait Log {
    /// Puts a record `at` bytes from the beginning of the group.
    fn put(&mut self, at: usize, record: &[u8]);

    /// Writes the `bytes` bytes of the group at `offset` of the file and makes them durable.
    ///
    /// # Errors
    /// What the system says.
    fn commit(&mut self, bytes: usize, offset: u64) -> Result<(), Failure>;
}

/// Commits in groups: all committers that may begin when the last group is durable.
///
/// # Errors
/// The first failure.
pub fn run(job: &Job, log: &mut impl Log) -> Result<Measured, Failure> {
    let bytes = job.record_bytes as usize;
    let mut record = Record::new(job.record_bytes);
    let mut group = Vec::with_capacity(job.committers as usize);
    let (mut offset, mut groups) = (0, 0_u64);
    let mut committers = Committers::start(job)?;
    while !committers.are_done() {
        while let Some((committer, index)) = committers.next_commit() {
            log.put(group.len() * bytes, record.of(index));
            group.push(committer);
        }
        if group.is_empty() {
            // Somebody is still to be released.
            std::hint::spin_loop();
            continue;
        }
        log.commit(group.len() * bytes, offset)?;
        offset += (group.len() * bytes) as u64;
        groups += 1;
        let now = Instant::now();
        for committer in group.drain(..) {
            committers.learns(committer, now);
        }
    }
    let per_group = job.operations as f64 / groups as f64;
    Ok(committers.stop(job)?.with_note(format!("{per_group:.1} commits per group")))
}
