//! Whether the cost of an operation grows ([`Growth`]): with the number of operations, of files, of
//! operations under way, with a random order; and what a second thread adds.
//!
//! Writes of 64 bytes that cannot merge. All series but the one over files write to `/dev/null`, so
//! that nothing but ours and the way into the kernel is measured; the one over files writes to
//! files of `--dir`, best a tmpfs. Results are checked, files are not read back.

use std::{fmt, path::Path};

use serde::{Deserialize, Serialize};

use super::{
    job::{Job, Place},
    machine::Machine,
    measured::Measured,
    plan::Plan,
    trial::{self, Entrant},
};
use crate::{Failure, rounds::median};

const MANY: u64 = 1_000_000;

/// All points.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Growth {
    /// On what.
    pub machine: Machine,
    /// In the order in which they are printed.
    pub points: Vec<Point>,
}

/// One contestant at one point of a series.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Point {
    /// What grows.
    pub series: String,
    /// How much of it: "64 files".
    pub label: String,
    /// What is done.
    pub job: Job,
    /// Time per operation, median.
    pub wall_ns: f64,
    /// Processor time per operation, median.
    pub cpu_ns: f64,
    /// Every round.
    pub rounds: Vec<Measured>,
}

impl Growth {
    /// Runs all points, in `rounds` rounds. `tell` hears what runs.
    ///
    /// # Errors
    /// The first contestant that fails.
    pub fn measure(
        plan: &Plan,
        entrants: &[Entrant],
        machine: Machine,
        rounds: u32,
        mut tell: impl FnMut(&str),
    ) -> Result<Self, Failure> {
        let mut points = Vec::new();
        let mut programs = Vec::new();
        for entrant in entrants {
            let Some(job) = plan.job(&entrant.offer, MANY) else { continue };
            for (series, label, job) in series(&job) {
                let (wall_ns, cpu_ns, rounds) = (0.0, 0.0, Vec::new());
                points.push(Point { series, label, job, wall_ns, cpu_ns, rounds });
                programs.push(&entrant.program);
            }
        }
        for round in 0..rounds as usize {
            for turn in 0..points.len() {
                let at = (round + turn) % points.len();
                let (Some(point), Some(program)) = (points.get_mut(at), programs.get(at)) else {
                    continue;
                };
                tell(&format!("round {}: {}, {}", round + 1, point.job.contestant, point.label));
                point.rounds.push(trial::run(program, &point.job)?);
            }
        }
        for point in &mut points {
            let of = |figure: fn(&Measured) -> f64| {
                median(&point.rounds.iter().map(figure).collect::<Vec<_>>())
            };
            point.wall_ns = of(|measured| 1e9 / measured.rate());
            point.cpu_ns = of(Measured::cpu_ns_per_operation);
        }
        Ok(Self { machine, points })
    }
}

/// Every point of a contestant: series, label, job.
fn series(job: &Job) -> Vec<(String, String, Job)> {
    let device = Job { path: Path::new("/dev/null").to_owned(), ..job.clone() };
    let mut points = Vec::new();
    let mut add = |series: &str, label, job| points.push((series.to_owned(), label, job));
    for operations in [1_000, 10_000, 100_000, 1_000_000, 10_000_000] {
        let job = Job { operations, ..device.clone() };
        add("operations", format!("{operations} operations"), job);
    }
    for in_flight in [1, 4, 16, 64, 256, 1_024] {
        let job = Job { in_flight, ..device.clone() };
        add("in flight", format!("{in_flight} in flight"), job);
    }
    for place in [Place::Strided, Place::Random] {
        let label = format!("{place:?}").to_lowercase();
        add("order", label, Job { place, ..device.clone() });
    }
    for files in [1, 4, 16, 64] {
        let job = Job { files, operations: MANY / 4, ..job.clone() };
        add("files", format!("{files} files"), job);
    }
    for threads in [1, 2] {
        let operations = MANY * u64::from(threads);
        let job = Job { threads, operations, ..device.clone() };
        add("threads", format!("{threads} threads"), job);
    }
    points
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { kernel, processors, file_system, .. } = &self.machine;
        writeln!(f, "Cost per 64-byte write; {file_system}, Linux {kernel}, {processors} cpus")?;
        writeln!(
            f,
            "{:<16} {:<12} {:<20} {:>12} {:>12}",
            "contestant", "series", "point", "wall ns/op", "CPU ns/op"
        )?;
        for point in &self.points {
            writeln!(
                f,
                "{:<16} {:<12} {:<20} {:>12.1} {:>12.1}",
                point.job.contestant, point.series, point.label, point.wall_ns, point.cpu_ns
            )?;
        }
        Ok(())
    }
}
