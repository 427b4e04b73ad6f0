//! Ours, what a user would write by hand, and what a user would pick instead, side by side. The
//! method is told in `ringzero_benches::compare`.
//!
//! `compare --workload w4 --committers 64 --target zero-written --dir D --rounds 5 --peers PATH`
#![allow(clippy::print_stdout)]

use std::{
    env, fs,
    path::PathBuf,
    process::{Child, Command},
    time::Duration,
};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use ringzero_benches::{
    Failure,
    compare::{
        chart, contestant,
        growth::Growth,
        machine::Machine,
        outcome::Outcome,
        plan::{Arrivals, Figure, Name, Plan, Segment},
        race::Race,
        trial::{self, Entrant},
    },
    contestants,
};

#[derive(Parser)]
#[command(about = "Contestants side by side: rates, processor time, latencies, memory")]
struct Arguments {
    /// What is compared
    #[arg(long, value_enum)]
    workload: Name,
    /// A directory on the file system that is measured
    #[arg(long, default_value_os_t = env::temp_dir())]
    dir: PathBuf,
    /// Rounds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Where `<workload>.json` and `<workload>.svg` are put
    #[arg(long, default_value = "out")]
    out: PathBuf,
    /// An executable with further contestants; may be given more than once
    #[arg(long)]
    peers: Vec<PathBuf>,
    /// The contestant whose rate is 1.0, if not the usual one
    #[arg(long)]
    base: Option<String>,
    /// Only these contestants
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// About how long each run is to take, in milliseconds
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    run_ms: u64,
    /// Committers of w4
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    committers: u32,
    /// The file of w4
    #[arg(long, value_enum, default_value = "extending")]
    target: Segment,
    /// Groups in which the committers of w4 are released
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    phases: u32,
    /// Busy loops beside
    #[arg(long, default_value_t = 0)]
    busy: u32,
}

fn main() -> Result<(), Failure> {
    if contestant::serve(&contestants::all())? {
        return Ok(());
    }
    if env::args().nth(1).as_deref() == Some("spin") {
        spin();
        return Ok(());
    }
    let arguments = Arguments::parse();
    let entrants = entrants(&arguments)?;
    let directory = tempfile::tempdir_in(&arguments.dir)?;
    let arrivals = Arrivals {
        committers: arguments.committers,
        phases: arguments.phases,
        segment: arguments.target,
    };
    let mut plan = Plan::new(arguments.workload, arrivals, directory.path());
    if let Some(base) = &arguments.base {
        plan.base.clone_from(base);
    }
    fs::create_dir_all(&arguments.out)?;
    let busy = BusyLoops::start(arguments.busy)?;
    if arguments.workload == Name::Growth {
        return grow(&arguments, &plan, &entrants);
    }
    let race = race(&arguments, &plan, entrants)?;
    drop(busy);
    let outcome = Outcome::new(&plan, Machine::here(&arguments.dir), arguments.busy, race);
    print!("{outcome}");
    let path = arguments.out.join(format!("{}.json", plan.id));
    fs::write(&path, serde_json::to_string_pretty(&outcome)?)?;
    println!("written: {}", path.display());
    if !outcome.rows.is_empty() {
        let path = path.with_extension("svg");
        fs::write(&path, chart::draw(&outcome)?)?;
        println!("written: {}", path.display());
    }
    if outcome.failed.is_empty() { Ok(()) } else { Err("contestants failed".into()) }
}

fn entrants(arguments: &Arguments) -> Result<Vec<Entrant>, Failure> {
    let mut entrants = trial::entrants(&env::current_exe()?)?;
    for program in &arguments.peers {
        entrants.extend(trial::entrants(program)?);
    }
    if !arguments.only.is_empty() {
        entrants.retain(|entrant| arguments.only.contains(&entrant.offer.name));
    }
    Ok(entrants)
}

fn grow(arguments: &Arguments, plan: &Plan, entrants: &[Entrant]) -> Result<(), Failure> {
    let bar = ProgressBar::new_spinner();
    let machine = Machine::here(&arguments.dir);
    let growth = Growth::measure(plan, entrants, machine, arguments.rounds, |what| {
        bar.inc(1);
        bar.set_message(what.to_owned());
    })?;
    bar.finish_and_clear();
    print!("{growth}");
    let path = arguments.out.join("growth.json");
    fs::write(&path, serde_json::to_string_pretty(&growth)?)?;
    println!("written: {}", path.display());
    Ok(())
}

fn race(arguments: &Arguments, plan: &Plan, entrants: Vec<Entrant>) -> Result<Race, Failure> {
    let style = ProgressStyle::with_template("{elapsed} {bar:30} {pos}/{len} {msg}")?;
    let bar = ProgressBar::new(entrants.len() as u64).with_style(style);
    if plan.figure == Figure::Instructions {
        return Ok(Race::count(plan, entrants, |name| {
            bar.inc(1);
            bar.set_message(format!("counting {name}"));
        }));
    }
    let wanted = Duration::from_millis(arguments.run_ms);
    let mut race = Race::line_up(plan, entrants, wanted, |name| {
        bar.inc(1);
        bar.set_message(format!("trying {name}"));
    });
    bar.set_length(race.lanes.len() as u64 * u64::from(arguments.rounds));
    bar.set_position(0);
    for round in 0..arguments.rounds {
        race.round(round as usize, |name| {
            bar.inc(1);
            bar.set_message(format!("round {}: {name}", round + 1));
        });
    }
    bar.finish_and_clear();
    Ok(race)
}

/// Processes that do nothing but use a processor, until dropped.
struct BusyLoops(Vec<Child>);

impl BusyLoops {
    fn start(count: u32) -> Result<Self, Failure> {
        let mut loops = Self(Vec::new());
        for _ in 0..count {
            loops.0.push(Command::new(env::current_exe()?).arg("spin").spawn()?);
        }
        Ok(loops)
    }
}

impl Drop for BusyLoops {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // One that is gone already is as good.
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// Uses a processor until the parent is gone.
fn spin() {
    let parent = std::os::unix::process::parent_id();
    while std::os::unix::process::parent_id() == parent {
        for _ in 0..1_000_000 {
            std::hint::spin_loop();
        }
    }
}
