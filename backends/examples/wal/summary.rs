//! What is printed when all lines are committed: [`Summary`].

use std::{
    fmt::{self, Display, Formatter},
    path::Path,
};

use indicatif::{HumanBytes, HumanCount};
use ringzero::BackendKind;

use crate::job::Written;

/// The figures of one run.
pub(crate) struct Summary<'a> {
    /// Where the log is.
    pub(crate) log: &'a Path,
    /// What was done.
    pub(crate) written: &'a Written,
}

impl Display for Summary<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Written { backend, tally, elapsed, latency, stats, allocations, digest, .. } =
            self.written;
        let seconds = elapsed.as_secs_f64();
        // Too short to be measured is no rate.
        let rate = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        writeln!(f, "backend      {backend}")?;
        writeln!(f, "log          {} (kept: yours to keep or remove)", self.log.display())?;
        writeln!(f, "records      {}", HumanCount(tally.records))?;
        writeln!(
            f,
            "bytes        {} of input, {} in the log",
            HumanCount(digest.byte_count),
            HumanCount(tally.bytes)
        )?;
        if tally.segments > 0 {
            writeln!(f, "segments     {}", HumanCount(tally.segments))?;
        }
        writeln!(
            f,
            "throughput   {} records/s, {} commits/s, {}/s ({seconds:.3} s)",
            Rate(rate(tally.records)),
            Rate(rate(tally.commits)),
            HumanBytes(rate(tally.bytes) as u64),
        )?;
        let at = |quantile| Milliseconds(latency.value_at_quantile(quantile));
        writeln!(
            f,
            "latency      p50 {}, p99 {}, p99.9 {}, longest {} (from first line to durable)",
            at(0.5),
            at(0.99),
            at(0.999),
            Milliseconds(latency.max()),
        )?;
        writeln!(
            f,
            "kernel       {} writes for {} appends, {} syncs ({} by a write) for {} commits",
            HumanCount(stats.write_requests),
            HumanCount(tally.appends),
            HumanCount(stats.sync_requests + stats.durable_writes),
            HumanCount(stats.durable_writes),
            HumanCount(tally.commits),
        )?;
        if backend.backend == BackendKind::Sync && stats.sync_requests > 1 {
            writeln!(
                f,
                "             (sync shares no syncs: a larger --sync-every makes it faster)"
            )?;
        }
        write!(f, "allocations  {} in the loop", allocations.allocations())
    }
}

/// A number per second, shown with a decimal place where that matters.
struct Rate(f64);

impl Display for Rate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            0.0 => f.write_str("0"),
            rate if rate < 100.0 => write!(f, "{rate:.1}"),
            rate => HumanCount(rate as u64).fmt(f),
        }
    }
}

/// Nanoseconds, shown as milliseconds.
struct Milliseconds(u64);

impl Display for Milliseconds {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} ms", self.0 as f64 / 1e6)
    }
}
