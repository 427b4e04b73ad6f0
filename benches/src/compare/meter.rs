//! The clock of a run ([`Meter`]) and of its operations ([`Latency`]).
//!
//! A contestant sets everything up, starts the meter, submits its first operation, and stops the
//! meter when it has learnt of the last one. Tearing down is outside.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::{
    job::Job,
    measured::{Contents, Measured, Percentiles},
    usage,
};
use crate::Failure;

/// Longer latencies count as this long.
const LONGEST_NS: u64 = 60_000_000_000;

/// Measures from [`Meter::start`] to [`Meter::stop`].
#[derive(Debug)]
pub struct Meter {
    began: Instant,
    cpu_ns: u64,
}

impl Meter {
    /// Starts the clock.
    ///
    /// # Errors
    /// The system does not tell the processor time.
    pub fn start() -> Result<Self, Failure> {
        Ok(Self { cpu_ns: usage::cpu_ns()?, began: Instant::now() })
    }

    /// When the clock was started.
    pub const fn began(&self) -> Instant {
        self.began
    }

    /// Stops the clock after all operations of `job`.
    ///
    /// # Errors
    /// The system does not tell processor time or memory.
    pub fn stop(self, job: &Job) -> Result<Measured, Failure> {
        let elapsed = self.began.elapsed();
        let cpu_ns = usage::cpu_ns()?.saturating_sub(self.cpu_ns);
        Ok(Measured {
            elapsed_ns: elapsed.as_nanos() as u64,
            operations: job.operations,
            bytes: job.bytes(),
            cpu_ns,
            peak_memory_bytes: usage::peak_memory_bytes()?,
            latency: None,
            contents: Contents::Records,
            notes: Vec::new(),
        })
    }
}

/// How long single operations took. Recording costs some nanoseconds and never allocates.
#[derive(Debug)]
pub struct Latency {
    histogram: Histogram<u64>,
}

impl Latency {
    /// Nothing recorded yet.
    ///
    /// # Errors
    /// Never: the bounds are constants in range.
    pub fn new() -> Result<Self, Failure> {
        Ok(Self { histogram: Histogram::new_with_bounds(100, LONGEST_NS, 3)? })
    }

    /// Records one operation.
    #[inline]
    pub fn record(&mut self, took: Duration) {
        self.histogram.saturating_record(took.as_nanos() as u64);
    }

    /// Takes over what another thread recorded.
    ///
    /// # Errors
    /// Never: all have the same bounds.
    pub fn add(&mut self, other: &Self) -> Result<(), Failure> {
        Ok(self.histogram.add(&other.histogram)?)
    }

    /// What was recorded; `None` if nothing was.
    pub fn percentiles(&self) -> Option<Percentiles> {
        (!self.histogram.is_empty()).then(|| Percentiles {
            p50_ns: self.histogram.value_at_quantile(0.5),
            p99_ns: self.histogram.value_at_quantile(0.99),
            p999_ns: self.histogram.value_at_quantile(0.999),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::job::example;

    #[test]
    fn a_meter_tells_the_time_and_the_work_of_its_job() {
        let meter = Meter::start().unwrap();
        std::thread::sleep(Duration::from_millis(2));
        let measured = meter.stop(&example()).unwrap();
        assert!(measured.elapsed_ns >= 2_000_000);
        assert_eq!((measured.operations, measured.bytes), (100, 12_800));
        assert!(measured.peak_memory_bytes > 0);
    }

    #[test]
    fn percentiles_are_of_all_threads() {
        let (mut one, mut other) = (Latency::new().unwrap(), Latency::new().unwrap());
        assert_eq!(one.percentiles(), None);
        for microseconds in 1..=500 {
            one.record(Duration::from_micros(microseconds));
            other.record(Duration::from_micros(microseconds + 500));
        }
        one.add(&other).unwrap();
        let found = one.percentiles().unwrap();
        let is_near = |value: u64, microseconds: u64| value.abs_diff(microseconds * 1_000) < 2_000;
        assert!(is_near(found.p50_ns, 500) && is_near(found.p99_ns, 990), "{found:?}");
    }
}
