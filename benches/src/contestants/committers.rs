//! The committers of a closed loop ([`Committers`]): who may begin a commit now, and how long each
//! commit took.
//!
//! Every contestant for `commits` takes its work from here, so they all release committers alike.
//! A committer begins its next commit in the moment it learns that its last one is durable;
//! the latency of a commit is the time between these two moments, waiting for a group included.

use std::time::{Duration, Instant};

use crate::{
    Failure,
    compare::{
        job::Job,
        measured::Measured,
        meter::{Latency, Meter},
    },
};

/// Who may begin, who is under way, who is not released yet.
#[derive(Debug)]
pub struct Committers {
    meter: Meter,
    latency: Latency,
    /// When each committer may begin its next commit; `None` while one is under way.
    since: Vec<Option<Instant>>,
    /// Committers that may begin, in the order in which they learnt it.
    ready: Vec<u32>,
    /// Committers not released yet, the next one last.
    unreleased: Vec<u32>,
    operations: u64,
    begun: u64,
    done: u64,
}

impl Committers {
    /// Starts the clock; the first group is released.
    ///
    /// # Errors
    /// The system does not tell the processor time.
    pub fn start(job: &Job) -> Result<Self, Failure> {
        let latency = Latency::new()?;
        let count = job.committers.max(1);
        let mut unreleased: Vec<u32> = (0..count).rev().collect();
        unreleased.sort_by_key(|committer| std::cmp::Reverse(committer % job.phases.max(1)));
        let ready = Vec::with_capacity(count as usize);
        let meter = Meter::start()?;
        let since = (0..count)
            .map(|committer| Some(meter.began() + release_after(job, committer)))
            .collect();
        let operations = job.operations;
        let mut committers =
            Self { meter, latency, since, ready, unreleased, operations, begun: 0, done: 0 };
        committers.release();
        Ok(committers)
    }

    /// Whether every commit is durable.
    #[inline]
    pub const fn are_done(&self) -> bool {
        self.done == self.operations
    }

    /// Whether some are not released yet: then nobody may sleep.
    #[inline]
    pub fn are_arriving(&self) -> bool {
        !self.unreleased.is_empty()
    }

    /// The next committer that may begin, and the number of its record.
    #[inline]
    pub fn next_commit(&mut self) -> Option<(u32, u64)> {
        if self.begun == self.operations {
            return None;
        }
        if !self.unreleased.is_empty() {
            self.release();
        }
        let committer = self.ready.pop()?;
        let index = self.begun;
        self.begun += 1;
        Some((committer, index))
    }

    /// The commit of `committer` is durable, and it learns it `now`.
    #[inline]
    pub fn learns(&mut self, committer: u32, now: Instant) {
        if let Some(since) = self.since.get_mut(committer as usize) {
            let began = since.replace(now).unwrap_or(now);
            self.latency.record(now.saturating_duration_since(began));
        }
        self.done += 1;
        self.ready.push(committer);
    }

    /// Stops the clock.
    ///
    /// # Errors
    /// The system does not tell what was used.
    pub fn stop(self, job: &Job) -> Result<Measured, Failure> {
        let mut measured = self.meter.stop(job)?;
        measured.latency = self.latency.percentiles();
        Ok(measured)
    }

    fn release(&mut self) {
        let now = Instant::now();
        while let Some(committer) = self.unreleased.last() {
            let since = self.since.get(*committer as usize).copied().flatten();
            if since.is_some_and(|since| since > now) {
                break;
            }
            self.ready.extend(self.unreleased.pop());
        }
    }
}

/// How long after the start committer `committer` is released.
pub fn release_after(job: &Job, committer: u32) -> Duration {
    Duration::from_nanos(u64::from(committer % job.phases.max(1)) * job.stagger_ns)
}
