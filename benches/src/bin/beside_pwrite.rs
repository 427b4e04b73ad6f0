//! Records per second beside one `pwrite` per record: 128-byte appends, up to 4,096 accepted at a
//! time, each contestant writing the same bytes to a fresh file and read back afterwards.
//!
//! Contestants take turns within each round, in rotating order; what is printed is the median over
//! the rounds of the ratio to `pwrite` within the round, and its spread. The clock runs from the
//! first record to the last completion; nobody syncs. Reading back is outside of it.
//!
//! It fails if io_uring is below 4 times `pwrite` on the first directory or 3 times on tmpfs.
#![allow(clippy::print_stdout)]

use std::{
    env,
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
    time::Instant,
};

use clap::Parser;
use ringzero::{
    Config, StorageIo, StorageIoExt, SyncBackend, UringBackend, WorkerBackend, to_io_error,
};
use ringzero_benches::{
    Failure,
    rounds::{median, ratios, spread},
    workload::{self, Place, Shape},
};

const RECORD_BYTES: usize = 128;
const SHAPE: Shape = Shape { window: 4_096, place: Place::Tail };
const CONTESTANTS: [&str; 4] = ["pwrite", "sync backend", "worker backend", "io_uring backend"];
const TMPFS: &str = "/dev/shm";

#[derive(Parser)]
#[command(about = "128-byte appends beside one pwrite per record")]
struct Arguments {
    /// A directory on the local disk
    #[arg(long, default_value_os_t = env::temp_dir())]
    dir: PathBuf,
    /// Rounds, at least 5
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Records per contestant and round
    #[arg(long, default_value_t = 400_000)]
    records: u64,
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    if arguments.rounds < 5 || arguments.records == 0 {
        return Err("at least 5 rounds and 1 record".into());
    }
    let mut missed = compare(&arguments, &arguments.dir, 4.0)?;
    if Path::new(TMPFS).is_dir() {
        missed += compare(&arguments, Path::new(TMPFS), 3.0)?;
    } else {
        println!("skipped tmpfs: there is no {TMPFS}");
    }
    if missed > 0 { Err(format!("{missed} below the target").into()) } else { Ok(()) }
}

/// Prints one table. Returns how many targets were missed.
fn compare(arguments: &Arguments, directory: &Path, target: f64) -> Result<u32, Failure> {
    let mut rates = Vec::new();
    for round in 0..arguments.rounds {
        let mut rate = vec![0.0; CONTESTANTS.len()];
        for turn in 0..CONTESTANTS.len() {
            let contestant = (round + turn) % CONTESTANTS.len();
            if let Some(entry) = rate.get_mut(contestant) {
                *entry = run(contestant, directory, arguments.records)?;
            }
        }
        rates.push(rate);
    }
    println!(
        "{}: {} rounds of {} records of {RECORD_BYTES} bytes",
        directory.display(),
        arguments.rounds,
        arguments.records
    );
    let mut missed = 0;
    for (contestant, name) in CONTESTANTS.into_iter().enumerate() {
        let rate: Vec<f64> =
            rates.iter().filter_map(|round| round.get(contestant)).copied().collect();
        let ratio = ratios(&rates, contestant, 0);
        let (low, high) = spread(&ratio);
        let ratio = median(&ratio);
        let millions = median(&rate) / 1e6;
        println!("  {name:<18} {millions:>7.2} M/s  {ratio:>6.2}× ({low:.2} to {high:.2})");
        if name == "io_uring backend" && ratio < target {
            println!("  below the target of {target}×");
            missed += 1;
        }
    }
    Ok(missed)
}

/// Records per second of one contestant.
fn run(contestant: usize, directory: &Path, records: u64) -> Result<f64, Failure> {
    let file = tempfile::tempfile_in(directory)?;
    let copy = file.try_clone()?;
    let config = Config::default();
    let seconds = match contestant {
        0 => {
            let begin = Instant::now();
            workload::run_pwrite::<RECORD_BYTES>(&file, SHAPE, records)?;
            begin.elapsed().as_secs_f64()
        }
        1 => through(SyncBackend::new(&config)?, file, records)?,
        2 => through(WorkerBackend::new(&config)?, file, records)?,
        _ => through(UringBackend::new(&config)?, file, records)?,
    };
    check(&copy, records)?;
    Ok(records as f64 / seconds)
}

/// Seconds for the records through a backend.
fn through(
    mut io: impl StorageIo + StorageIoExt,
    file: File,
    records: u64,
) -> Result<f64, Failure> {
    let fd = io.register_fd(file).map_err(to_io_error)?;
    let begin = Instant::now();
    workload::run::<RECORD_BYTES>(&mut io, fd, SHAPE, records)?;
    Ok(begin.elapsed().as_secs_f64())
}

/// Every byte is there, and no more.
fn check(file: &File, records: u64) -> Result<(), Failure> {
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut buffer = vec![0; 1 << 20];
    let mut total = 0;
    std::io::Seek::rewind(&mut reader)?;
    loop {
        let count = reader.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        if buffer.iter().take(count).any(|byte| *byte != 0x5A) {
            return Err("wrong bytes in the file".into());
        }
        total += count as u64;
    }
    let expected = records * RECORD_BYTES as u64;
    if total == expected { Ok(()) } else { Err(format!("{total} of {expected} bytes").into()) }
}
