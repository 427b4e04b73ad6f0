//! Records per second beside one `pwrite` per record: appends of 128 bytes with up to 4,096
//! accepted at a time, and of 4 KiB with up to 32. Each contestant writes the same bytes to a fresh
//! file, which is read back afterwards.
//!
//! Contestants take turns within each round, in rotating order; what is printed is the median over
//! the rounds of the ratio to `pwrite` within the round, and its spread. The clock runs from the
//! first record to the last completion; nobody syncs. Reading back is outside of it.
//!
//! It fails if one is below its least ratio to `pwrite`: of 128-byte records, io_uring 4 on the
//! first directory and 3 on tmpfs, and the sync backend that merges until the flush 4 on both.
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
    Config, StorageIo, StorageIoExt, SyncBackend, SyncConfig, SyncMode, UringBackend,
    WorkerBackend, to_io_error,
};
use ringzero_benches::{
    Failure,
    rounds::{median, ratios, spread},
    workload::{self, Place, Shape},
};

const CONTESTANTS: [&str; 5] =
    ["pwrite", "sync backend", "sync, until flush", "worker backend", "io_uring backend"];
const TMPFS: &str = "/dev/shm";

#[derive(Parser)]
#[command(about = "appends beside one pwrite per record")]
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
    let mut missed = compare_all(&arguments, &arguments.dir, 4.0)?;
    if Path::new(TMPFS).is_dir() {
        missed += compare_all(&arguments, Path::new(TMPFS), 3.0)?;
    } else {
        println!("skipped tmpfs: there is no {TMPFS}");
    }
    if missed > 0 { Err(format!("{missed} below the least ratio").into()) } else { Ok(()) }
}

/// Prints the tables of one directory. Returns how many ratios were too low.
fn compare_all(arguments: &Arguments, directory: &Path, uring: f64) -> Result<u32, Failure> {
    let least = [("io_uring backend", uring), ("sync, until flush", 4.0)];
    let small = compare::<128>(arguments, directory, (4_096, arguments.records), &least)?;
    let large = compare::<4_096>(arguments, directory, (32, arguments.records / 4), &[])?;
    Ok(small + large)
}

/// Prints one table: so many records of so many bytes, in a window. Returns how many ratios were
/// too low.
fn compare<const BYTES: usize>(
    arguments: &Arguments,
    directory: &Path,
    (window, records): (u64, u64),
    least: &[(&str, f64)],
) -> Result<u32, Failure> {
    let mut rates = Vec::new();
    for round in 0..arguments.rounds {
        let mut rate = vec![0.0; CONTESTANTS.len()];
        for turn in 0..CONTESTANTS.len() {
            let contestant = (round + turn) % CONTESTANTS.len();
            if let Some(entry) = rate.get_mut(contestant) {
                *entry = run::<BYTES>(contestant, directory, window, records)?;
            }
        }
        rates.push(rate);
    }
    println!(
        "{}: {} rounds of {records} records of {BYTES} bytes, {window} accepted",
        directory.display(),
        arguments.rounds,
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
        if let Some((_, least)) = least.iter().find(|(of, least)| *of == name && ratio < *least) {
            println!("  below the least ratio of {least}×");
            missed += 1;
        }
    }
    Ok(missed)
}

/// Records per second of one contestant.
fn run<const BYTES: usize>(
    contestant: usize,
    directory: &Path,
    window: u64,
    records: u64,
) -> Result<f64, Failure> {
    let file = tempfile::tempfile_in(directory)?;
    let copy = file.try_clone()?;
    let shape = Shape { window, place: Place::Tail };
    let config = Config::default();
    let merging = Config { sync: SyncConfig { mode: SyncMode::UntilFlush }, ..Config::default() };
    let seconds = match contestant {
        0 => {
            let begin = Instant::now();
            workload::run_pwrite::<BYTES>(&file, shape, records)?;
            begin.elapsed().as_secs_f64()
        }
        1 => through::<BYTES>(SyncBackend::new(&config)?, file, shape, records)?,
        2 => through::<BYTES>(SyncBackend::new(&merging)?, file, shape, records)?,
        3 => through::<BYTES>(WorkerBackend::new(&config)?, file, shape, records)?,
        _ => through::<BYTES>(UringBackend::new(&config)?, file, shape, records)?,
    };
    check(&copy, records * BYTES as u64)?;
    Ok(records as f64 / seconds)
}

/// Seconds for the records through a backend.
fn through<const BYTES: usize>(
    mut io: impl StorageIo + StorageIoExt,
    file: File,
    shape: Shape,
    records: u64,
) -> Result<f64, Failure> {
    let fd = io.register_fd(file).map_err(to_io_error)?;
    let begin = Instant::now();
    workload::run::<BYTES>(&mut io, fd, shape, records)?;
    Ok(begin.elapsed().as_secs_f64())
}

/// Every byte is there, and no more.
fn check(file: &File, expected: u64) -> Result<(), Failure> {
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
    if total == expected { Ok(()) } else { Err(format!("{total} of {expected} bytes").into()) }
}
