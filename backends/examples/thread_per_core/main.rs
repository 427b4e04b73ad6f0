//! One backend and one log per core, nothing shared: records produced on one core for the log of
//! another travel through a queue between the two.
//!
//! ```text
//! cargo run --release -p ringzero --example thread_per_core -- [--seconds N] [--cores N]
//! ```
//!
//! | file | noun |
//! |---|---|
//! | `shard` | what one core does: produce, take in, commit, poll |
//! | `mesh` | the queues, one for each ordered pair of cores |
//! | `record` | what travels, and what the logs consist of |
//! | `platform` | processors, and binding a thread to one |
//!
//! At the end every log is read back: all that was sent to its core is there, once and in order.
//! The logs are temporary.

mod mesh;
mod platform;
mod record;
mod shard;

use std::{
    fs::File,
    io::{BufReader, Read, Write, stdout},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use clap::{Parser, value_parser};

use crate::{
    record::{RECORD_BYTES, Record},
    shard::{Failure, Load, Report, Shard},
};

/// Bytes of all logs together, at most.
const MOST_BYTES: u64 = 512 << 20;

/// Runs one backend per core, each with a log of its own, and shows what each core does.
#[derive(Debug, Parser)]
#[command(name = "thread_per_core")]
struct Args {
    /// For how long the cores produce; shorter if the logs reach 512 MiB before.
    #[arg(long, default_value = "2", value_parser = seconds)]
    seconds: Duration,
    /// How many threads; more than there are cores share them [default: one per core].
    #[arg(long, value_parser = value_parser!(u32).range(1..=64))]
    cores: Option<u32>,
    /// Where the folder with the logs is made and removed [default: that for temporary files].
    #[arg(long)]
    dir: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}"))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn main() -> Result<(), Failure> {
    let args = Args::parse();
    let processors = platform::processors();
    let count = args.cores.map_or(processors.len().clamp(1, 64), |cores| cores as usize);
    let folder = match &args.dir {
        Some(dir) => tempfile::tempdir_in(dir)?,
        None => tempfile::tempdir()?,
    };
    let logs: Vec<PathBuf> =
        (0..count).map(|number| folder.path().join(format!("core-{number}"))).collect();
    let load = Load {
        duration: args.seconds,
        most_records: MOST_BYTES / RECORD_BYTES as u64 / count as u64,
    };

    let reports = run(&processors, &logs, load)?;
    let mut records = 0;
    for (to, log) in logs.iter().enumerate() {
        let sent: Vec<u64> =
            reports.iter().map(|report| report.sent.get(to).copied().unwrap_or(0)).collect();
        records += check(to as u32, log, &sent)?;
    }
    print(&reports)?;
    writeln!(stdout(), "all logs read back: {records} records, each once and in order")?;
    folder.close()?;
    Ok(())
}

/// Runs a shard per log, each on a thread of its own. The first failure, if there is one.
fn run(processors: &[usize], logs: &[PathBuf], load: Load) -> Result<Vec<Report>, Failure> {
    let places = logs.iter().zip(mesh::mesh(logs.len())).enumerate();
    thread::scope(|scope| {
        let threads: Vec<_> = places
            .map(|(number, (log, ends))| {
                let processor = processors.iter().cycle().nth(number).copied();
                scope.spawn(move || {
                    let place = match processor.map(|at| platform::pin(at).map(|()| at)) {
                        Some(Ok(processor)) => format!("on processor {processor}"),
                        Some(Err(reason)) => format!("unpinned ({reason})"),
                        None => "unpinned".to_owned(),
                    };
                    writeln!(stdout(), "core {number}: {place}")?;
                    Shard::open(number as u32, log, ends)?.run(load)
                })
            })
            .collect();
        // Each thread ends by itself: one whose partner is gone notices.
        let ended: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
        ended.into_iter().map(|end| end.map_err(|_| "a core panicked")?).collect()
    })
}

/// Reads a log back. `sent` is how many records each core says it sent here.
fn check(to: u32, log: &Path, sent: &[u64]) -> Result<u64, Failure> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(log)?);
    let mut found = vec![0; sent.len()];
    let mut bytes = [0; RECORD_BYTES];
    let records = file.get_ref().metadata()?.len() / RECORD_BYTES as u64;
    for at in 0..records {
        file.read_exact(&mut bytes)?;
        let record = Record::parse(&bytes).filter(|record| record.to == to);
        let next = record.and_then(|record| found.get_mut(record.from as usize));
        match (record, next) {
            (Some(record), Some(next)) if record.number == *next => *next += 1,
            _ => return Err(format!("record {at} of core {to}'s log is wrong: {record:?}").into()),
        }
    }
    let is_whole = file.read(&mut bytes)? == 0;
    if is_whole && found == sent {
        return Ok(records);
    }
    Err(format!("core {to}'s log has {found:?} records by origin, and was sent {sent:?}").into())
}

fn print(reports: &[Report]) -> Result<(), Failure> {
    let mut all_per_second = 0.0;
    for (number, report) in reports.iter().enumerate() {
        let produced: u64 = report.sent.iter().sum();
        let own = report.sent.get(number).copied().unwrap_or(0);
        let per_second = report.appended as f64 / report.elapsed.as_secs_f64();
        all_per_second += per_second;
        writeln!(
            stdout(),
            "core {number}: {:>6.0} records/ms durable in its log ({}); {produced} produced, {} of \
             them for other cores; {} appended by {} writes, {} datasyncs",
            per_second / 1e3,
            report.backend,
            produced - own,
            report.appended,
            report.stats.write_requests,
            report.stats.sync_requests,
        )?;
    }
    writeln!(stdout(), "all   : {:>6.0} records/ms", all_per_second / 1e3)?;
    Ok(())
}
