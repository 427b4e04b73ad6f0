//! Where writes are done: inside the call that submits them, or by kernel workers ([`Placement`]).
//!
//! Measured, not guessed: 4 KiB writes one at a time through the default ring, on a thread of their
//! own, and afterwards a look at which kernel workers that thread has. No datasync is among them,
//! which always needs one. A loop of plain writes beside it shows what the detour costs.

use std::{
    fs::File,
    io, thread,
    time::{Duration, Instant},
};

use ringzero::{Backend, IoFd, open};

use crate::{
    failure::Failure, folder::SEGMENT_BYTES, platform, platform::WriterClock, variant::Variant,
};

const WRITE_BYTES: usize = 4_096;
const PATIENCE: Duration = Duration::from_millis(100);
/// Percent of the processor time: from here on it is workers who write.
const MOST_OF_IT: f64 = 25.0;

/// What is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The end of a file.
    End,
    /// Blocks that were written before.
    Written,
    /// The same, past the page cache.
    Direct,
}

impl Place {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::End, Self::Written, Self::Direct];

    /// What it is called.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::End => "growing file",
            Self::Written => "written blocks",
            Self::Direct => "O_DIRECT, written",
        }
    }
}

/// What one kind of write met.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placement {
    /// Kernel workers, and their part of the processor time; `None` where it is not told.
    pub(crate) workers: Option<(usize, f64)>,
    /// How long a write alone took, in nanoseconds.
    pub(crate) write_ns: f64,
}

/// The same writes, through the ring and by plain calls.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// To what.
    pub(crate) place: Place,
    /// `None` without io_uring, or where there is no such file.
    pub(crate) ring: Option<Placement>,
    /// `None` where there is no such file.
    pub(crate) plain: Option<Placement>,
}

impl Placement {
    /// In words.
    pub(crate) fn describe(&self) -> String {
        match self.workers {
            None => "not told here".to_owned(),
            Some((0, _)) => "in the call, no kernel worker".to_owned(),
            Some((count, share)) => {
                let share = share * 100.0;
                let plural = if count == 1 { "" } else { "s" };
                if share < MOST_OF_IT {
                    format!("mostly in the call, {share:.0} % of CPU in workers")
                } else {
                    format!("by {count} kernel worker{plural}, {share:.0} % of CPU there")
                }
            }
        }
    }

    /// Measures writes to a file.
    ///
    /// # Errors
    /// Any error of the backend or of a write.
    pub(crate) fn measure(
        variant: Variant,
        file: File,
        place: Place,
        time: Duration,
    ) -> Result<Self, Failure> {
        // Kernel workers are named after the thread they work for: a new one has none yet.
        let measured =
            thread::scope(|scope| scope.spawn(|| measure_here(variant, file, place, time)).join());
        measured.unwrap_or_else(|_| Err(io::Error::other("its thread ended early").into()))
    }
}

fn measure_here(
    variant: Variant,
    file: File,
    place: Place,
    time: Duration,
) -> Result<Placement, Failure> {
    let mut io = open(&variant.config()).map_err(io::Error::other)?.io;
    let fd = io.register_segment(file, 0, SEGMENT_BYTES)?;
    let clock = WriterClock::start();
    let began = Instant::now();
    let count = write(&mut *io, fd, place, began + time)?;
    let elapsed = began.elapsed();
    let workers = clock.and_then(|clock| clock.stop());
    io.deregister_fd(fd)?;
    Ok(Placement { workers, write_ns: elapsed.as_nanos() as f64 / count.max(1) as f64 })
}

/// One write after another, to the end of the file or of the time.
fn write(io: &mut dyn Backend, fd: IoFd, place: Place, end: Instant) -> Result<u64, Failure> {
    let mut completions = Vec::with_capacity(1);
    let most = SEGMENT_BYTES / WRITE_BYTES as u64;
    for number in 0..most {
        if Instant::now() >= end || platform::is_interrupted() {
            return Ok(number);
        }
        match place {
            Place::End => io.submit_append(fd, &[0xA5; WRITE_BYTES])?,
            Place::Written | Place::Direct => {
                io.submit_write(fd, &[0xA5; WRITE_BYTES], number * WRITE_BYTES as u64)?
            }
        };
        while io.pending_count() > 0 {
            io.wait(1, Some(PATIENCE))?;
            io.poll_completions(&mut completions);
        }
        if let Some(failed) = completions.iter().find(|completion| completion.result < 0) {
            return Err(io::Error::from_raw_os_error(-failed.result).into());
        }
        completions.clear();
    }
    Ok(most)
}
