//! The order of runs: one to try each contestant out, then rounds in rotating order ([`Race`]).

use std::time::Duration;

use super::{
    job::Job,
    measured::Measured,
    plan::{self, Plan},
    trial::{self, Entrant},
};
use crate::{
    Failure,
    callgrind::{self, Extent},
};

/// Operations of the first try.
const FEW: u64 = 256;
/// A try that took this part of the wanted time tells how many operations fill it.
const ENOUGH: f64 = 0.1;
/// Most operations of one try more than of the one before.
const GROWTH: f64 = 16.0;

/// One contestant in the race.
#[derive(Debug)]
pub struct Lane {
    /// Who runs it.
    pub entrant: Entrant,
    /// What it does in every round; how many operations was found by trying.
    pub job: Job,
    /// What each round took. As many as rounds were run.
    pub rounds: Vec<Measured>,
    /// User-space instructions per operation, if they were counted.
    pub instructions: Option<f64>,
}

/// Contestants that run the same plan.
#[derive(Debug)]
pub struct Race {
    /// Who is in it.
    pub lanes: Vec<Lane>,
    /// Who failed, and why; out of the race from then on.
    pub failed: Vec<(String, String)>,
}

impl Race {
    /// Tries everyone out who can do `plan`: with few operations, then with more, until one run
    /// takes about `wanted`. `tell` hears who is tried.
    pub fn line_up(
        plan: &Plan,
        entrants: Vec<Entrant>,
        wanted: Duration,
        mut tell: impl FnMut(&str),
    ) -> Self {
        let mut race = Self { lanes: Vec::new(), failed: Vec::new() };
        for entrant in entrants {
            if plan.job(&entrant.offer, FEW).is_none() {
                continue;
            }
            tell(&entrant.offer.name);
            match best_job(plan, &entrant, wanted) {
                Ok(job) => race.lanes.push(Lane::new(entrant, job)),
                Err(error) => race.failed.push((entrant.offer.name, error.to_string())),
            }
        }
        race
    }

    /// Counts everyone's user-space instructions per operation of `plan`, one run and no rounds:
    /// the count does not depend on what else the machine does.
    pub fn count(plan: &Plan, entrants: Vec<Entrant>, mut tell: impl FnMut(&str)) -> Self {
        let mut race = Self { lanes: Vec::new(), failed: Vec::new() };
        for entrant in entrants {
            let Some(job) = plan.job(&entrant.offer, FEW) else { continue };
            tell(&entrant.offer.name);
            match instructions(&entrant, &job) {
                Ok(count) => {
                    let lane = Lane::new(entrant, job);
                    race.lanes.push(Lane { instructions: Some(count), ..lane });
                }
                Err(error) => race.failed.push((entrant.offer.name, error.to_string())),
            }
        }
        race
    }

    /// One round: everyone once, beginning with lane `first`. Who fails is out.
    pub fn round(&mut self, first: usize, mut tell: impl FnMut(&str)) {
        let count = self.lanes.len();
        let mut losers = Vec::new();
        for turn in 0..count {
            let at = (first + turn) % count;
            let Some(lane) = self.lanes.get_mut(at) else { continue };
            tell(&lane.job.contestant);
            match trial::run(&lane.entrant.program, &lane.job) {
                Ok(measured) => lane.rounds.push(measured),
                Err(error) => losers.push((lane.job.contestant.clone(), error.to_string())),
            }
        }
        self.lanes.retain(|lane| losers.iter().all(|(name, _)| *name != lane.job.contestant));
        self.failed.append(&mut losers);
    }
}

impl Lane {
    fn new(entrant: Entrant, job: Job) -> Self {
        Self { entrant, job, rounds: Vec::new(), instructions: None }
    }
}

/// The job with the best window, long enough.
fn best_job(plan: &Plan, entrant: &Entrant, wanted: Duration) -> Result<Job, Failure> {
    let mut best: Option<(f64, Job)> = None;
    for window in plan.windows(&entrant.offer) {
        let mut job = plan.job(&entrant.offer, FEW).ok_or("it does not do this")?;
        job.in_flight = window;
        let rate = calibrate(&mut job, plan, entrant, wanted)?;
        if best.as_ref().is_none_or(|(best, _)| rate > *best) {
            best = Some((rate, job));
        }
    }
    best.map(|(_, job)| job).ok_or_else(|| "no window to try".into())
}

fn instructions(entrant: &Entrant, job: &Job) -> Result<f64, Failure> {
    let job = serde_json::to_string(job)?;
    callgrind::per_operation(&entrant.program, &["count", &job], Extent::Whole)
}

/// Finds how many operations take about `wanted`. Returns the rate.
fn calibrate(
    job: &mut Job,
    plan: &Plan,
    entrant: &Entrant,
    wanted: Duration,
) -> Result<f64, Failure> {
    if plan.is_idle() {
        trial::run(&entrant.program, job)?;
        return Ok(1.0);
    }
    plan::set_operations(job, FEW.max(u64::from(job.in_flight.max(job.committers)) * 4));
    loop {
        let measured = trial::run(&entrant.program, job)?;
        if let Some(latency) = measured.latency {
            job.stagger_ns = latency.p50_ns / u64::from(job.phases);
        }
        let part = measured.elapsed_ns as f64 / wanted.as_nanos() as f64;
        let before = job.operations;
        let factor = if part > ENOUGH { 1.0 / part } else { GROWTH };
        plan::set_operations(job, ((before as f64 * factor) as u64).max(FEW));
        if part > ENOUGH || job.operations == before {
            return Ok(measured.rate());
        }
    }
}
