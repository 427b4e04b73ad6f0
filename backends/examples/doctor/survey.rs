//! All measurements, one after another: [`Survey`].
//!
//! What is compared with each other is measured in turns, several rounds, and the median counts: a
//! neighbour that is busy for a second disturbs a round of all, not all rounds of one.

use std::{fs::File, io, time::Duration};

use hdrhistogram::Histogram;
use ringzero::{Backend, Config, IoFd, open};

use crate::{
    committers::{commit, latencies},
    failure::Failure,
    folder::{Folder, SEGMENT_BYTES, Segment},
    placement::{Comparison, Place, Placement},
    rates::{COMMITTERS, Rates, Row, Target},
    session::Session,
    stream::stream,
    variant::Variant,
};

const ROUNDS: usize = 3;
const THREADS: [u32; 3] = [1, 2, 4];
const BLOCK_BYTES: [u32; 3] = [16 << 10, 64 << 10, 256 << 10];
const FILES: usize = 4;
const COMMITTERS_PER_FILE: usize = 16;

/// Weights of one measurement of each kind.
const LATENCY: u32 = 80;
const PLACEMENT: u32 = 8;
const RATE: u32 = 3;
const SERIES: u32 = 6;

/// Where and with what is measured.
pub(crate) struct Survey<'a> {
    session: &'a mut Session,
    folder: &'a Folder,
    segment: Segment,
    variants: Vec<Variant>,
}

impl<'a> Survey<'a> {
    /// Prepares a segment, and divides the time.
    ///
    /// # Errors
    /// The segment cannot be written.
    pub(crate) fn new(
        session: &'a mut Session,
        folder: &'a Folder,
        variants: Vec<Variant>,
    ) -> Result<Self, Failure> {
        let segment = folder.new_segment()?;
        let cells = (ROUNDS * Target::ALL.len() * COMMITTERS.len() * variants.len()) as u32;
        let series = (ROUNDS * (THREADS.len() + BLOCK_BYTES.len())) as u32;
        session.weigh(2 * LATENCY + 6 * PLACEMENT + cells * RATE + series * SERIES);
        Ok(Self { session, folder, segment, variants })
    }

    /// Where results are printed.
    pub(crate) const fn session(&self) -> &Session {
        self.session
    }

    /// How long one committer waits for its datasync, on each target: with plain system calls.
    ///
    /// # Errors
    /// A measurement failed, or a signal came.
    pub(crate) fn latencies(&mut self) -> Result<[(Target, Histogram<u64>); 2], Failure> {
        let mut measured = Target::ALL.map(|target| Ok((target, latencies()?)));
        for (slot, target) in measured.iter_mut().zip(Target::ALL) {
            let time = self.session.next("latency of a datasync", LATENCY)?;
            let mut io = started(&Variant::Sync.config())?;
            let file = self.file(target)?;
            *slot = on(&mut *io, vec![file], |io, files| commit(io, files, 1, time))
                .map(|committed| (target, committed.latency));
        }
        let [growing, segment] = measured;
        Ok([growing?, segment?])
    }

    /// Where writes are done, through the ring and by plain calls.
    ///
    /// # Errors
    /// As [`Survey::latencies`].
    pub(crate) fn placements(&mut self) -> Result<Vec<Comparison>, Failure> {
        let mut rows = Vec::with_capacity(Place::ALL.len());
        for place in Place::ALL {
            let ring = self.placement(place, Variant::Uring)?;
            let plain = self.placement(place, Variant::Sync)?;
            rows.push(Comparison { place, ring, plain });
        }
        Ok(rows)
    }

    fn placement(&mut self, place: Place, by: Variant) -> Result<Option<Placement>, Failure> {
        let time = self.session.next("where writes are done", PLACEMENT)?;
        let file = match (place, &self.segment.direct) {
            (Place::End, _) => self.folder.new_file()?,
            (Place::Written, _) => self.segment.file.try_clone()?,
            (Place::Direct, Ok(file)) => file.try_clone()?,
            (Place::Direct, Err(_)) => return Ok(None),
        };
        if !self.variants.contains(&by) {
            return Ok(None);
        }
        Placement::measure(by, file, place, time).map(Some)
    }

    /// Commits per second, of all that works.
    ///
    /// # Errors
    /// As [`Survey::latencies`].
    pub(crate) fn rates(&mut self) -> Result<Rates, Failure> {
        let mut rows: Vec<Row> = self.variants.iter().map(|variant| Row::new(*variant)).collect();
        for round in 0..ROUNDS {
            for row in &mut rows {
                let name = row.variant.short_name();
                let mut io = started(&row.variant.config())?;
                for target in Target::ALL {
                    for (column, committers) in COMMITTERS.into_iter().enumerate() {
                        let what = format_args!("commits/s, {} of {ROUNDS}: {name}", round + 1);
                        let time = self.session.next(what, RATE)?;
                        let file = self.file(target)?;
                        let committed = on(&mut *io, vec![file], |io, files| {
                            commit(io, files, committers, time)
                        })?;
                        row.add(target, column, committed.rate());
                    }
                }
            }
        }
        Ok(Rates { rows })
    }

    /// Commits per second to several files, by threads of a worker backend.
    ///
    /// # Errors
    /// As [`Survey::latencies`].
    pub(crate) fn threads(&mut self) -> Result<Vec<(u32, Vec<f64>)>, Failure> {
        if !self.variants.contains(&Variant::Worker) {
            return Ok(Vec::new());
        }
        self.series(THREADS, "worker threads", |survey, threads, time| {
            let mut io = started(&Variant::Worker.with_threads(threads))?;
            let files = (0..FILES).map(|_| survey.folder.new_file()).collect::<io::Result<_>>()?;
            let run =
                |io: &mut dyn Backend, files: &[IoFd]| commit(io, files, COMMITTERS_PER_FILE, time);
            Ok(on(&mut *io, files, run)?.rate())
        })
    }

    /// Bytes per second of small appends, by block size, of the best that works.
    ///
    /// # Errors
    /// As [`Survey::latencies`].
    pub(crate) fn blocks(&mut self) -> Result<Vec<(u32, Vec<f64>)>, Failure> {
        let Some(variant) = self.variants.first().copied() else { return Ok(Vec::new()) };
        self.series(BLOCK_BYTES, "block sizes", |survey, block_bytes, time| {
            let mut io = started(&variant.with_block_bytes(block_bytes))?;
            let file = survey.folder.new_file()?;
            on(&mut *io, vec![file], |io, files| match files {
                [fd] => stream(io, *fd, time),
                _ => Ok(0.0),
            })
        })
    }

    /// Several rounds over some choices, and their figures.
    fn series<const COUNT: usize>(
        &mut self,
        choices: [u32; COUNT],
        what: &str,
        measure: impl Fn(&Self, u32, Duration) -> Result<f64, Failure>,
    ) -> Result<Vec<(u32, Vec<f64>)>, Failure> {
        let mut found = choices.map(|choice| (choice, Vec::with_capacity(ROUNDS)));
        for _ in 0..ROUNDS {
            for (choice, rates) in &mut found {
                let time = self.session.next(what, SERIES)?;
                rates.push(measure(self, *choice, time)?);
            }
        }
        Ok(found.to_vec())
    }

    fn file(&self, target: Target) -> io::Result<File> {
        match target {
            Target::Growing => self.folder.new_file(),
            Target::Segment => self.segment.file.try_clone(),
        }
    }
}

fn started(config: &Config) -> Result<Box<dyn Backend>, Failure> {
    Ok(open(config).map_err(io::Error::other)?.io)
}

/// Does something with files, each registered from its beginning to the size of a segment.
fn on<T>(
    io: &mut dyn Backend,
    files: Vec<File>,
    what: impl FnOnce(&mut dyn Backend, &[IoFd]) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut registered = Vec::with_capacity(files.len());
    for file in files {
        registered.push(io.register_segment(file, 0, SEGMENT_BYTES)?);
    }
    let done = what(io, &registered);
    for fd in registered {
        io.deregister_fd(fd)?;
    }
    done
}
