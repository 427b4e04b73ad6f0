//! Tells what this machine gives for storage I/O in a directory, and which [`ringzero::Config`]
//! follows from it.
//!
//! ```text
//! cargo run --release -p ringzero --example doctor -- DIR
//! ```
//!
//! | file | noun |
//! |---|---|
//! | `args` | the command line |
//! | `session`, `budget` | time, progress bar, output |
//! | `folder` | the directory, and files in it that have no name |
//! | `machine` (`proc_facts`, `mounts`, `file_systems`) | what the system says about itself |
//! | `variant`, `trial` | backends and flags, and whether they work here |
//! | `survey` (`committers`, `placement`, `stream`) | what is measured |
//! | `rates`, `histogram`, `advice` | what follows from it |
//! | `screen`, `chart`, `snippet`, `figures`, `failure` | how it is shown |
//! | `platform` | what differs by operating system |
//!
//! Nothing is left behind: every file loses its name as soon as it is open, and Ctrl-C ends the
//! program between two measurements.

mod advice;
mod args;
mod budget;
mod chart;
mod committers;
mod failure;
mod figures;
mod file_systems;
mod folder;
mod histogram;
mod machine;
mod mounts;
mod placement;
mod platform;
mod proc_facts;
mod rates;
mod screen;
mod session;
mod snippet;
mod stream;
mod survey;
mod trial;
mod variant;

use std::{
    fs,
    io::{Write, stderr},
    process::ExitCode,
    thread,
};

use clap::Parser;
use ringzero::{Config, open};

use crate::{
    advice::{Advice, Figures},
    args::Args,
    chart::Chart,
    failure::Failure,
    folder::Folder,
    placement::{Comparison, Placement},
    rates::median,
    screen::{Ink, heading, series},
    session::Session,
    snippet::Snippet,
    survey::Survey,
    trial::{Trial, Verdict},
    variant::Variant,
};

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // If this cannot be said, the exit code still says it.
            let _ = writeln!(stderr(), "{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    let machine = machine::machine();
    platform::catch_signals();
    let folder = Folder::open(&args.folder)?;
    let mut session = Session::start(args.duration());
    let ink = session.ink;
    let mut text = heading("Machine", "", ink);
    text.extend(machine.iter().map(|fact| fact.line(ink)));
    text += &heading("Directory", &folder.path().to_string_lossy(), ink);
    text.extend(machine::directory(&folder).iter().map(|fact| fact.line(ink)));
    session.print(&text)?;

    let trials = Variant::ALL.map(|variant| Trial::of(variant, &folder));
    session.print(&backends(&trials, ink))?;
    let whole = trials.iter().filter(|trial| trial.is_whole());
    let variants = whole.map(|trial| trial.variant).collect();
    let mut survey = Survey::new(&mut session, &folder, variants)?;
    measure(&mut survey, ink, args)
}

/// Measures, and prints each result when it is there.
fn measure(survey: &mut Survey<'_>, ink: Ink, args: &Args) -> Result<(), Failure> {
    let caveat = if machine::is_busy() {
        "from the figures above; the machine was busy: repeat when it is quiet"
    } else {
        "from the figures above, to copy"
    };
    let latencies = survey.latencies()?;
    let about = "one committer: append 256 bytes, datasync, wait · bars are logarithmic";
    let mut text = heading("Latency of a datasync", about, ink);
    text += &screen::latencies(&latencies.each_ref().map(|(it, all)| (*it, all)), ink);
    survey.session().print(&text)?;

    let placements = survey.placements()?;
    survey.session().print(&writes(&placements, ink))?;

    let rates = survey.rates()?;
    let about = "256 bytes and a datasync each, by number of committers · * best";
    let mut text = heading("Commits per second", about, ink);
    text += &screen::rates(&rates, ink);
    survey.session().print(&text)?;

    let (threads, blocks) = (survey.threads()?, survey.blocks()?);
    survey.session().print(&sizes(&threads, &blocks, ink))?;

    let processors = thread::available_parallelism().map_or(1, usize::from);
    let figures = Figures { rates: &rates, threads: &threads, blocks: &blocks, processors };
    if let Some(advice) = Advice::from(&figures) {
        let mut text = heading("Recommended", caveat, ink);
        text += &format!("\n{}", Snippet(&advice));
        survey.session().print(&text)?;
    }
    if let Some(path) = &args.svg {
        let [(_, growing), (_, segment)] = &latencies;
        let chart = Chart { latencies: [growing, segment], rates: &rates }.draw()?;
        fs::write(path, chart).map_err(|error| Failure::of_chart(path, &error))?;
    }
    Ok(())
}

fn backends(trials: &[Trial], ink: Ink) -> String {
    let about = "each set up, and exercised with a write and a sync in the directory";
    let mut text = heading("Backends", about, ink);
    for Trial { variant, verdict } in trials {
        let mark = match verdict {
            Verdict::Works(notes) if notes.is_empty() => ink.good("✓"),
            Verdict::Works(_) => ink.bad("!"),
            Verdict::Refused(_) | Verdict::Failed(_) => ink.bad("✗"),
        };
        for (number, line) in screen::wrapped(&verdict.to_string(), 66, ' ').iter().enumerate() {
            let (mark, name) = if number == 0 { (&*mark, variant.name()) } else { (" ", "") };
            text += &format!("  {mark} {name:29}{line}\n");
        }
    }
    let chosen =
        open(&Config::default()).map_or_else(|it| it.to_string(), |it| it.report.to_string());
    let chosen = format!("→ ringzero::open(&Config::default()) gives: {chosen}");
    for line in screen::wrapped(&chosen, 96, ' ') {
        text += &format!("  {}\n", ink.faint(&line));
    }
    text
}

fn writes(rows: &[Comparison], ink: Ink) -> String {
    let mut text = heading("Who writes", "4 KiB writes alone, without datasync", ink);
    let head = format!("  {:20}{:45}{:>13}{:>17}", "", "io_uring", "each", "plain pwrite");
    text += &format!("{}\n", ink.faint(&head));
    let time = |it: Option<Placement>| it.map_or("–".to_owned(), |it| figures::time(it.write_ns));
    for Comparison { place, ring, plain } in rows {
        let by = ring.map_or("not to be had".to_owned(), |ring| ring.describe());
        let times = format!("{:>13}{:>17}", time(*ring), time(*plain));
        text += &format!("  {:20}{by:45}{times}\n", place.name());
    }
    text
}

fn sizes(threads: &[(u32, Vec<f64>)], blocks: &[(u32, Vec<f64>)], ink: Ink) -> String {
    let mut text = heading("Threads and blocks", "medians of three rounds", ink);
    let plural = |count: u32| if count == 1 { "thread" } else { "threads" };
    let cells = threads.iter().map(|(threads, rates)| {
        (
            format!("{threads} {}", plural(*threads)),
            format!("{}/s", figures::compact(median(rates))),
        )
    });
    let name = "commits, worker, 4 files × 16";
    text += &series(name, &cells.collect::<Vec<_>>(), ink);
    let cells = blocks.iter().map(|(bytes, rates)| {
        (figures::bytes((*bytes).into()), format!("{}/s", figures::bytes(median(rates) as u64)))
    });
    text += &series("appends of 1 KiB, blocks of", &cells.collect::<Vec<_>>(), ink);
    text
}
