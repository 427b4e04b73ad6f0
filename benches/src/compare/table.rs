//! An [`Outcome`] as an aligned table: its `Display`.

use std::fmt;

use super::{
    machine::Machine,
    measured::Percentiles,
    outcome::{Outcome, Ratio, Row},
    plan::Figure,
};

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { kernel, processors, file_system, .. } = &self.machine;
        writeln!(f, "{}", self.title)?;
        write!(f, "{file_system}, Linux {kernel}, {processors} processors")?;
        if self.figure == Figure::Instructions {
            writeln!(f)?;
            for row in &self.rows {
                let count = row.instructions.unwrap_or_default();
                writeln!(f, "{:<24} {count:>9.1} user instructions per operation", row.name)?;
            }
        } else {
            let rounds = self.rows.first().map_or(0, |row| row.rounds.len());
            writeln!(f, ", {} busy loops beside, {rounds} rounds", self.busy)?;
            writeln!(f, "×: rate to that of {} in the same round, median (spread)", self.base)?;
            writeln!(
                f,
                "{:<24} {:>6} {:>10} {:>7} {:>15} {:>9} {:>9} {:>9} {:>9} {:>8}",
                "contestant",
                "window",
                "ops/s",
                "×",
                "spread",
                "CPU ns/op",
                "p50 µs",
                "p99 µs",
                "p99.9 µs",
                "peak MiB"
            )?;
            for row in &self.rows {
                write_row(f, row)?;
            }
        }
        for (name, reason) in &self.failed {
            writeln!(f, "{name:<24} FAILED: {reason}")?;
        }
        Ok(())
    }
}

fn write_row(f: &mut fmt::Formatter<'_>, row: &Row) -> fmt::Result {
    write!(f, "{:<24} {:>6}", row.name, row.job.in_flight)?;
    if row.rounds.iter().all(|round| round.operations == 0) {
        write!(f, " {:>10}", "-")?;
    } else {
        write!(f, " {:>10.0}", row.rate)?;
    }
    match row.ratio {
        Some(Ratio { median, low, high }) => {
            write!(f, " {median:>7.2} {:>15}", format!("({low:.2}..{high:.2})"))?;
        }
        None => write!(f, " {:>7} {:>15}", "-", "-")?,
    }
    write!(f, " {:>9.0}", row.cpu_ns)?;
    match row.latency {
        Some(Percentiles { p50_ns, p99_ns, p999_ns }) => {
            for ns in [p50_ns, p99_ns, p999_ns] {
                write!(f, " {:>9.1}", ns as f64 / 1e3)?;
            }
        }
        None => write!(f, " {:>9} {:>9} {:>9}", "-", "-", "-")?,
    }
    let notes = row.rounds.last().map(|last| last.notes.join("; ")).unwrap_or_default();
    writeln!(f, " {:>8.1}  {notes}", row.peak_memory_bytes / f64::from(1 << 20))
}
