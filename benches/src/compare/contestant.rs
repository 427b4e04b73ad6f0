//! A way to do a workload ([`Contestant`]), and the protocol by which an executable offers and runs
//! several of them.
//!
//! | arguments | answer on stdout |
//! |---|---|
//! | `list` | the [`Offer`]s, a JSON array |
//! | `child JOB` | one run of [`Job`] `JOB` (JSON): the [`Measured`], one line of JSON |
//! | `count JOB N` | the same with `N` operations instead: what valgrind is put around |
//!
//! An executable of other contestants (tokio-uring and the like) calls [`serve`] with its own list;
//! the parent runs it exactly as it runs itself. A child that fails says why on stderr and exits
//! with an error.
#![allow(clippy::print_stdout)]

use std::env;

use serde::{Deserialize, Serialize};

use super::{
    job::{Access, Job, Workload},
    measured::Measured,
};
use crate::Failure;

/// A way to do some workloads.
#[derive(Clone, Copy, Debug)]
pub struct Contestant {
    /// Its name in tables, unique.
    pub name: &'static str,
    /// Exactly what it does, in a sentence.
    pub about: &'static str,
    /// What it can do.
    pub workloads: &'static [Workload],
    /// How it can open files for [`Workload::Commits`]; the other workloads leave no choice.
    pub access: &'static [Access],
    /// How many operations it keeps under way in [`Workload::Appends`].
    pub window: Window,
    /// Does it.
    pub run: fn(&Job) -> Result<Measured, Failure>,
}

/// How many operations a contestant keeps under way where the workload leaves the choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Window {
    /// As many as the workload allows.
    Full,
    /// What works best for it: 64, 256, 1,024 and 4,096 are tried.
    Best,
}

/// What an executable says of one of its contestants; see [`Contestant`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Its name.
    pub name: String,
    /// Exactly what it does.
    pub about: String,
    /// What it can do.
    pub workloads: Vec<Workload>,
    /// How it can open files for commits.
    pub access: Vec<Access>,
    /// How many operations it keeps under way.
    pub window: Window,
}

impl Contestant {
    /// What the parent needs to know.
    pub fn offer(&self) -> Offer {
        Offer {
            name: self.name.to_owned(),
            about: self.about.to_owned(),
            workloads: self.workloads.to_vec(),
            access: self.access.to_vec(),
            window: self.window,
        }
    }
}

/// Answers `list`, `child` and `count`. Returns whether the arguments of this process were one of
/// them.
///
/// # Errors
/// The job is not readable, names nobody, or failed.
pub fn serve(contestants: &[Contestant]) -> Result<bool, Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["list"] => {
            let offers: Vec<Offer> = contestants.iter().map(Contestant::offer).collect();
            println!("{}", serde_json::to_string_pretty(&offers)?);
        }
        ["child", job] => run(contestants, &serde_json::from_str(job)?)?,
        ["count", job, operations] => {
            let job: Job = serde_json::from_str(job)?;
            run(contestants, &Job { operations: operations.parse()?, ..job })?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn run(contestants: &[Contestant], job: &Job) -> Result<(), Failure> {
    let contestant = contestants.iter().find(|each| each.name == job.contestant);
    let contestant =
        contestant.ok_or_else(|| format!("no contestant is called {}", job.contestant))?;
    println!("{}", serde_json::to_string(&(contestant.run)(job)?)?);
    Ok(())
}
