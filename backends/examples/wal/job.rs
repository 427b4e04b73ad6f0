//! All around the loop: [`write`] sets up what it needs, audits it, and says what a failure means.

use std::{
    fs::File,
    path::Path,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use ringzero::{Backend, Errno, IoFd, Report, Stats, open};
use ringzero_alloc_audit::{Action, Report as AllocationReport, audit};

use crate::{
    args::Args,
    failure::Failure,
    lines::{Digest, Lines, WINDOW_BYTES},
    log_file,
    progress::Progress,
    segments::Segments,
    source::Source,
    writer::{Log, Stop, Tally, Writer},
};

/// A log that holds all of the input, and how it came to be.
pub(crate) struct Written {
    /// Which backend wrote it, and why.
    pub(crate) backend: Report,
    /// How much was written.
    pub(crate) tally: Tally,
    /// How long the loop took.
    pub(crate) elapsed: Duration,
    /// Nanoseconds from a batch's first line to the completion of its datasync.
    pub(crate) latency: Histogram<u64>,
    /// The backend's counters.
    pub(crate) stats: Stats,
    /// What the loop did with the allocator.
    pub(crate) allocations: AllocationReport,
    /// Length and checksum of the input.
    pub(crate) digest: Digest,
    /// The input.
    pub(crate) source: Source,
}

/// Commits all of `source` to a new log.
///
/// # Errors
/// The first failure. What of the log is left then is told with it.
pub(crate) fn write(args: &Args, source: Source, path: &Path) -> Result<Written, Failure> {
    let config = args.config();
    let opened = open(&config).map_err(|error| {
        let help = "--backend auto takes whatever works on this machine";
        Failure::new(format_args!("cannot set up the backend: {error}"), help)
    })?;
    let mut io = opened.io;
    let mut segments =
        args.segment_size.map(|byte_count| Segments::create(path, byte_count)).transpose()?;
    let log = match &mut segments {
        Some(segments) => Log::Segments(segments),
        None => Log::File(register(&mut *io, log_file::create(path)?, path)?),
    };

    let progress = Progress::start("writing", source.byte_count());
    let mut writer = Writer::new(&mut *io, &config.limits, log, args.pace(), progress.counter())
        .map_err(|error| Failure::new(error, "report this as a bug"))?;
    let mut lines = Lines::new(source, WINDOW_BYTES);
    let began = Instant::now();
    let (result, allocations) = audit(Action::Report, || writer.run(&mut lines))
        .map_err(|error| Failure::new(error, "report this as a bug"))?;
    let elapsed = began.elapsed();
    if result.is_err() {
        writer.drain();
    }
    let (tally, latency, log) = writer.into_results();
    drop((progress, segments));

    let stats = io.stats();
    let closed = log.map_or(Ok(()), |log| io.deregister_fd(log));
    drop(io);
    result.map_err(|stop| explain(stop, tally, path))?;
    closed.map_err(|error| {
        let what = format_args!("all {} lines are committed, but the log", tally.committed);
        Failure::new(format_args!("{what} cannot be closed: {error}"), "see the system log (dmesg)")
    })?;
    let (backend, digest, source) = (opened.report, lines.digest(), lines.into_source());
    Ok(Written { backend, tally, elapsed, latency, stats, allocations, digest, source })
}

/// Hands the new log to the backend, or removes it.
fn register(io: &mut dyn Backend, file: File, path: &Path) -> Result<IoFd, Failure> {
    io.register_fd(file).map_err(|error| {
        log_file::discard_empty(path);
        let what = format_args!("cannot write to {}: {error}", path.display());
        Failure::new(what, "choose a folder on an ordinary file system: --dir")
    })
}

/// What a failure of the loop means for the lines, the log and the person who reads this.
///
/// Where the file is sound, it is cut back to whole records and synced first. Where a device failed
/// nothing is touched: only what was committed before is known to be there.
fn explain(stop: Stop, tally: Tally, path: &Path) -> Failure {
    let is_sound = match stop {
        Stop::Input(_) | Stop::Segment(_) => true,
        Stop::Append(errno) => errno.keeps_file_usable(),
        Stop::Datasync(_) | Stop::Refused(_) | Stop::Unmatched => false,
    };
    let failure = reason(stop);
    let (committed, log) = (tally.committed, path.display());
    if !is_sound {
        return failure.with(format_args!(
            "{committed} lines are committed; what {log} holds beyond them is unknown"
        ));
    }
    match log_file::cut_back(path) {
        Ok(recovered) if recovered.record_count == 0 => {
            failure.with(format_args!("no line was committed, and {log} is removed"))
        }
        Ok(recovered) => failure.with(format_args!(
            "{committed} lines were committed before; {log} holds the first {} lines now, whole \
             and synced, and nothing else",
            recovered.record_count
        )),
        Err(error) => failure.with(format_args!(
            "{committed} lines are committed; {log} could not be cut back behind its last whole \
             record: {error}",
        )),
    }
}

fn reason(stop: Stop) -> Failure {
    const LOOK: &str = "look at the device (dmesg), then write a new log, elsewhere if need be";
    match stop {
        Stop::Input(error) => Failure::reading("cannot read the input", &error),
        Stop::Segment(error) => Failure::writing("cannot prepare a segment", &error),
        Stop::Append(errno @ (Errno::NOSPC | Errno::DQUOT)) => Failure::new(
            format_args!("the device of the log is full: {errno}"),
            "free some space or choose a folder on another device (--dir), then write a new log",
        ),
        Stop::Append(errno @ Errno::FBIG) => Failure::new(
            format_args!("the log may not grow any further: {errno}"),
            "raise the limit on the size of files (ulimit -f), then write a new log",
        ),
        Stop::Append(errno) => Failure::new(format_args!("an append failed: {errno}"), LOOK),
        Stop::Datasync(errno) => Failure::new(format_args!("a datasync failed: {errno}"), LOOK),
        Stop::Refused(error) => {
            Failure::new(format_args!("the backend refused: {error}"), "report this as a bug")
        }
        Stop::Unmatched => Failure::new("completions got lost", "report this as a bug"),
    }
}
