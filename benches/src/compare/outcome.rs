//! What a race came to ([`Outcome`]): figures per contestant, as JSON and as a table.

use serde::{Deserialize, Serialize};

use super::{
    job::Job,
    machine::Machine,
    measured::{Measured, Percentiles},
    plan::{Figure, Plan},
    race::{Lane, Race},
};
use crate::rounds::{median, ratios, spread};

/// Everything that is known of a race.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// What was compared.
    pub title: String,
    /// What counts.
    pub figure: Figure,
    /// The contestant whose rate is 1.0.
    pub base: String,
    /// On what.
    pub machine: Machine,
    /// Busy loops that ran beside.
    pub busy: u32,
    /// One per contestant, in the order of their offers.
    pub rows: Vec<Row>,
    /// Who failed, and why.
    pub failed: Vec<(String, String)>,
}

/// One contestant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Exactly what it does.
    pub about: String,
    /// What it did in every round.
    pub job: Job,
    /// Operations per second, median.
    pub rate: f64,
    /// Its rate to that of the base in the same round; `None` if the base did not run.
    pub ratio: Option<Ratio>,
    /// Processor time per operation, all threads, median.
    pub cpu_ns: f64,
    /// Latencies; of each the median over the rounds.
    pub latency: Option<Percentiles>,
    /// Most memory, median.
    pub peak_memory_bytes: f64,
    /// User-space instructions per operation, if that was what counted.
    pub instructions: Option<f64>,
    /// Every round.
    pub rounds: Vec<Measured>,
}

/// The ratios of all rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// In the middle.
    pub median: f64,
    /// The smallest.
    pub low: f64,
    /// The largest.
    pub high: f64,
}

impl Outcome {
    /// What `race` came to.
    pub fn new(plan: &Plan, machine: Machine, busy: u32, race: Race) -> Self {
        let base = race.lanes.iter().position(|lane| lane.job.contestant == plan.base);
        let rounds = race.lanes.iter().map(|lane| lane.rounds.len()).min().unwrap_or(0);
        let rate = |lane: &Lane, round| lane.rounds.get(round).map_or(0.0, Measured::rate);
        let rates: Vec<Vec<f64>> = (0..rounds)
            .map(|round| race.lanes.iter().map(|lane| rate(lane, round)).collect())
            .collect();
        let ratio = |at| {
            let ratios = ratios(&rates, at, base?);
            let (low, high) = spread(&ratios);
            (!ratios.is_empty()).then(|| Ratio { median: median(&ratios), low, high })
        };
        let all: Vec<Option<Ratio>> = (0..race.lanes.len()).map(ratio).collect();
        let rows = race.lanes.into_iter().zip(all).map(|(lane, ratio)| Row::new(lane, ratio));
        Self {
            title: plan.title.clone(),
            figure: plan.figure,
            base: plan.base.clone(),
            machine,
            busy,
            rows: rows.collect(),
            failed: race.failed,
        }
    }
}

impl Row {
    fn new(lane: Lane, ratio: Option<Ratio>) -> Self {
        let Lane { entrant, job, rounds, instructions } = lane;
        let of = |figure: &dyn Fn(&Measured) -> f64| {
            median(&rounds.iter().map(figure).collect::<Vec<_>>())
        };
        let latencies: Vec<Percentiles> = rounds.iter().filter_map(|each| each.latency).collect();
        let percentile = |which: fn(&Percentiles) -> u64| {
            median(&latencies.iter().map(|each| which(each) as f64).collect::<Vec<_>>()) as u64
        };
        let latency = (!latencies.is_empty()).then(|| Percentiles {
            p50_ns: percentile(|each| each.p50_ns),
            p99_ns: percentile(|each| each.p99_ns),
            p999_ns: percentile(|each| each.p999_ns),
        });
        Self {
            name: entrant.offer.name,
            about: entrant.offer.about,
            rate: of(&Measured::rate),
            ratio,
            cpu_ns: of(&Measured::cpu_ns_per_operation),
            latency,
            peak_memory_bytes: of(&|each| each.peak_memory_bytes as f64),
            instructions,
            job,
            rounds,
        }
    }
}
