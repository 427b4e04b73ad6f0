//! The command line: [`Args`].

use std::{path::PathBuf, time::Duration};

use clap::{Parser, value_parser};

/// Tells what this machine gives for storage I/O in a directory: what works, how fast a datasync
/// is, what group commit makes of it, and which configuration of ringzero follows from that.
///
/// Files of at most 16 MiB are written, a few at a time; they have no name once they are open, so
/// that nothing is left behind, whatever happens. Other load on the machine or the device shows in
/// the figures.
///
/// Exit code 0: everything was measured. 1: an error, with what to do.
#[derive(Debug, Parser)]
#[command(name = "doctor")]
pub(crate) struct Args {
    /// The directory that the program's files will be in.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// How long to measure.
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Draws the latencies and the commits per second into this file, too.
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

impl Args {
    /// How long to measure.
    pub(crate) const fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}
