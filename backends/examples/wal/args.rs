//! The command line: [`Args`].

use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum, value_parser};
use ringzero::{Choice, Config, Limits, SEGMENT_UNIT_BYTES};

use crate::{format::FRAGMENT_BYTES, writer::Pace};

/// Writes every line of a file durably to a new log, with group commit, then reads the log back and
/// compares it with the input.
///
/// Lines may be empty or of any length and hold any bytes; a line counts as committed when the
/// datasync that covers it has completed. An existing log is never overwritten. The log stays where
/// it is when the program ends: it is yours to keep or remove.
///
/// Exit code 0: the last line says `verified N of N records`. 1: an error, with what to do.
#[derive(Debug, Parser)]
#[command(name = "wal")]
pub(crate) struct Args {
    /// The input: one record per line; - for standard input.
    pub(crate) file: PathBuf,
    /// The folder in which the log is created.
    #[arg(long, default_value = ".")]
    pub(crate) dir: PathBuf,
    /// The log's file name [default: the input's with .wal appended; stdin.wal].
    #[arg(long)]
    pub(crate) name: Option<PathBuf>,
    /// What carries out the I/O.
    #[arg(long, value_enum, default_value_t = BackendArg::Auto)]
    pub(crate) backend: BackendArg,
    /// How many clients commit at the same time; their datasyncs share system calls.
    #[arg(long, default_value_t = 64, value_parser = value_parser!(u32).range(1..=16_384))]
    pub(crate) committers: u32,
    /// How many lines a client appends before each of its datasyncs.
    #[arg(long, default_value_t = 16, value_parser = value_parser!(u32).range(1..))]
    pub(crate) sync_every: u32,
    /// Makes the log a folder of segments of this size, prepared ahead with written zeros: faster
    /// commits. In bytes, or with K, M or G behind; a multiple of 4K, at least 128K.
    #[arg(long, value_name = "BYTES", value_parser = segment_bytes)]
    pub(crate) segment_size: Option<u64>,
}

fn segment_bytes(text: &str) -> Result<u64, String> {
    const LEAST: u64 = 2 * FRAGMENT_BYTES as u64;
    let units = [('K', 10), ('M', 20), ('G', 30)];
    let unit = units.iter().find_map(|(unit, bits)| Some((text.strip_suffix(*unit)?, *bits)));
    let (digits, bits) = unit.unwrap_or((text, 0));
    let count: u64 = digits.parse().map_err(|error| format!("{error}"))?;
    count
        .checked_mul(1 << bits)
        .filter(|it| i64::try_from(*it).is_ok())
        .filter(|it| *it >= LEAST && it.is_multiple_of(SEGMENT_UNIT_BYTES))
        .ok_or_else(|| "a multiple of 4K is needed, at least 128K".to_owned())
}

/// [`Choice`], on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum BackendArg {
    /// The best that works on this machine.
    Auto,
    /// io_uring, or an error.
    Uring,
    /// System calls on a thread of its own.
    Worker,
    /// System calls inside the submitting call; every datasync is a call of its own.
    Sync,
}

impl Args {
    /// The path of the log.
    pub(crate) fn log_path(&self) -> PathBuf {
        let name = match (&self.name, self.file.file_name()) {
            (Some(name), _) => name.clone(),
            (None, Some(file)) if self.file != Path::new("-") => {
                let mut name = file.to_os_string();
                name.push(".wal");
                name.into()
            }
            _ => "stdin.wal".into(),
        };
        self.dir.join(name)
    }

    /// How the committers work.
    pub(crate) fn pace(&self) -> Pace {
        Pace { committers: self.committers as usize, lines_per_commit: self.sync_every }
    }

    /// A backend for one log, with room for all committers at once where that is possible. Where
    /// it is not, the writer waits for completions in between.
    pub(crate) fn config(&self) -> Config {
        /// Below the most that [`Limits`] allows, and below that of every io_uring queue.
        const MOST: u64 = 32_000;
        let wanted = u64::from(self.committers) * (u64::from(self.sync_every) + 1);
        let limits = Limits {
            files: 1,
            operations_common: wanted.clamp(1_024, MOST) as u32,
            ..Limits::default()
        };
        let backend = match self.backend {
            BackendArg::Auto => Choice::Auto,
            BackendArg::Uring => Choice::Uring,
            BackendArg::Worker => Choice::Worker,
            BackendArg::Sync => Choice::Sync,
        };
        Config { limits, backend, ..Config::default() }
    }
}
