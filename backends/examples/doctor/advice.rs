//! A configuration that follows from what was measured: [`Advice`]. Pure.
//!
//! The defaults are good ones, and figures of a few seconds are rough: something else is advised
//! only where it was clearly better ([`Ratio::is_worth_it`]). Backends whose calls wait for the
//! device are advised only where nothing else works: not to wait is what the library is for.

use ringzero::{Choice, Config, WorkerConfig};

use crate::{
    figures,
    rates::{Rates, Ratio, Row},
    variant::{Variant, limits},
};

/// A kernel thread that polls takes one processor for itself.
const PROCESSORS_FOR_SQPOLL: usize = 4;
/// The default size of a block.
pub(crate) const DEFAULT_BLOCK_BYTES: u32 = 64 << 10;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures<'a> {
    /// Commits per second of each backend that works.
    pub(crate) rates: &'a Rates,
    /// Commits per second to four files, in several rounds, by threads of a worker backend; the
    /// fewest threads first.
    pub(crate) threads: &'a [(u32, Vec<f64>)],
    /// Bytes per second of small appends, in several rounds, by block size.
    pub(crate) blocks: &'a [(u32, Vec<f64>)],
    /// Processors that the program may use.
    pub(crate) processors: usize,
}

/// Something chosen, and why: a sentence without its full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen<T> {
    /// What.
    pub(crate) what: T,
    /// Why.
    pub(crate) why: String,
}

/// What to configure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Advice {
    /// Which backend.
    pub(crate) backend: Chosen<Variant>,
    /// Why io_uring's mode is that of the variant.
    pub(crate) why_mode: String,
    /// Why buffers are registered in it, or not.
    pub(crate) why_buffers: String,
    /// Why the sync backend's mode is that of the variant.
    pub(crate) why_sync: String,
    /// Threads of a worker backend.
    pub(crate) threads: Chosen<u32>,
    /// Bytes per block.
    pub(crate) block_bytes: Chosen<u32>,
    /// Whether a log is better written to segments.
    pub(crate) segments: Chosen<bool>,
}

impl Advice {
    /// What follows from these figures; nothing, where no backend works.
    pub(crate) fn from(figures: &Figures<'_>) -> Option<Self> {
        let Figures { rates, threads, blocks, processors } = *figures;
        let best = preferred(rates, processors)?;
        Some(Self {
            backend: Chosen { what: best.variant, why: why_backend(best, rates) },
            why_mode: why_mode(best.variant, rates),
            why_buffers: why_buffers(best.variant, rates),
            why_sync: why_sync(best.variant),
            threads: choose_threads(threads),
            block_bytes: choose_block_bytes(blocks),
            segments: choose_segments(rates),
        })
    }

    /// The configuration.
    pub(crate) fn config(&self) -> Config {
        let Config { backend, uring, sync, .. } = self.backend.what.config();
        Config {
            // Where the program runs later, io_uring may be forbidden.
            backend: if backend == Choice::Uring { Choice::Auto } else { backend },
            uring,
            sync,
            worker: WorkerConfig { threads: self.threads.what },
            limits: limits(self.block_bytes.what),
            ..Config::default()
        }
    }
}

/// The first in the order of preference, unless a later one is worth it.
fn preferred(rates: &Rates, processors: usize) -> Option<&Row> {
    let is_affordable =
        |row: &&Row| row.variant != Variant::UringSqPoll || processors >= PROCESSORS_FOR_SQPOLL;
    let better = |best, row| match best {
        Some(best) if !Row::to(row, best).is_worth_it() => Some(best),
        _ => Some(row),
    };
    let (waiting, free): (Vec<_>, Vec<_>) =
        rates.rows.iter().filter(is_affordable).partition(|row| row.variant.blocks_the_caller());
    let candidates = if free.is_empty() { waiting } else { free };
    candidates.into_iter().fold(None, better)
}

fn why_backend(best: &Row, rates: &Rates) -> String {
    let to = |other| Some(times(best.to(rates.of(other)?)));
    match best.variant {
        Variant::Worker => match to(Variant::Uring) {
            Some(times) => format!("Worker threads: {times} the commits/s of io_uring"),
            None => "Worker threads: io_uring does not work here".to_owned(),
        },
        Variant::Sync | Variant::SyncUntilFlush => {
            "Nothing else works here; its calls wait for the device".to_owned()
        }
        _ => match rates.of(Variant::Worker) {
            None => "io_uring, else what works: worker threads do not work here".to_owned(),
            Some(worker) if worker.to(best).median > 1.0 => {
                let times = times(worker.to(best));
                format!("io_uring, else what works: worker threads {times} as fast, not clearly")
            }
            Some(worker) => {
                let times = times(best.to(worker));
                format!("io_uring, else what works: {times} the commits/s of worker threads")
            }
        },
    }
}

fn why_mode(best: Variant, rates: &Rates) -> String {
    let said = |variant: Variant| {
        let ratio = rates.of(variant).zip(rates.of(Variant::Uring)).map(|(a, b)| a.to(b));
        match ratio {
            Some(ratio) => format!("{} {}", variant.short_name(), times(ratio)),
            None => format!("no {} here", variant.short_name()),
        }
    };
    let (bound, polled) = (said(Variant::UringBound), said(Variant::UringSqPoll));
    match best {
        Variant::UringBound => format!("Bound to one thread, but {bound} as fast as the default"),
        Variant::UringSqPoll => {
            format!("Keeps a processor busy, but {polled} as fast as the default")
        }
        _ => format!("Free to move between threads: {bound}, {polled} as fast"),
    }
}

fn why_buffers(best: Variant, rates: &Rates) -> String {
    let Some(registered) = rates.of(Variant::UringRegistered) else {
        return "The kernel refuses to register them here".to_owned();
    };
    let ratio = rates.of(Variant::Uring).map(|usual| times(registered.to(usual)));
    let ratio = ratio.unwrap_or_else(|| "not".to_owned());
    match best {
        Variant::UringRegistered => format!("{ratio} the commits/s; all blocks are pinned"),
        _ => format!("{ratio} the commits/s with them: not worth pinning all blocks"),
    }
}

fn why_sync(best: Variant) -> String {
    match best {
        Variant::SyncUntilFlush => "Merging until the flush gave clearly more commits/s",
        _ => "Merging until the flush gave no more, or not clearly",
    }
    .to_owned()
}

/// The fewest threads that no other number beats.
fn choose_threads(figures: &[(u32, Vec<f64>)]) -> Chosen<u32> {
    let Some(((_, one), (most, last))) = figures.first().zip(figures.last()) else {
        return Chosen { what: 1, why: "Worker threads do not work here".to_owned() };
    };
    let is_beaten =
        |rates: &[f64]| figures.iter().any(|(_, others)| Ratio::of(others, rates).is_worth_it());
    let enough = figures.iter().find(|(_, rates)| !is_beaten(rates));
    match enough {
        Some((what, rates)) if *what > 1 => {
            let times = times(Ratio::of(rates, one));
            Chosen {
                what: *what,
                why: format!("With four files: {times} the commits/s of one thread"),
            }
        }
        _ => {
            let times = times(Ratio::of(last, one));
            let why = format!("With four files, {most} threads give {times} the commits/s of one");
            Chosen { what: 1, why }
        }
    }
}

/// The default, unless another size is worth it.
fn choose_block_bytes(figures: &[(u32, Vec<f64>)]) -> Chosen<u32> {
    let usual = figures.iter().find(|(size, _)| *size == DEFAULT_BLOCK_BYTES);
    let Some((_, usual)) = usual else {
        return Chosen { what: DEFAULT_BLOCK_BYTES, why: "The default".to_owned() };
    };
    let others = figures.iter().filter(|(size, _)| *size != DEFAULT_BLOCK_BYTES);
    let others: Vec<_> = others.map(|(size, rates)| (*size, Ratio::of(rates, usual))).collect();
    let worth_it = others.iter().filter(|(_, ratio)| ratio.is_worth_it());
    let size = |bytes: u32| figures::bytes(bytes.into());
    match worth_it.max_by(|(_, a), (_, b)| a.median.total_cmp(&b.median)) {
        Some((what, ratio)) => {
            let (times, usual) = (times(*ratio), size(DEFAULT_BLOCK_BYTES));
            Chosen {
                what: *what,
                why: format!("Bytes/s of small appends: {times} those of {usual}"),
            }
        }
        None => {
            let others = others
                .iter()
                .map(|(bytes, ratio)| format!("{} with {}", times(*ratio), size(*bytes)));
            let others: Vec<String> = others.collect();
            let why = format!("Bytes/s of small appends: {}", others.join(", "));
            Chosen { what: DEFAULT_BLOCK_BYTES, why }
        }
    }
}

fn choose_segments(rates: &Rates) -> Chosen<bool> {
    let ratio = rates.segment_to_growing();
    let what = ratio.is_worth_it();
    let doubt = if !what && ratio.median > 1.0 { ", not clearly" } else { "" };
    Chosen { what, why: format!("{} the commits/s of a growing file{doubt}", times(ratio)) }
}

fn times(ratio: Ratio) -> String {
    format!("{} times", figures::ratio(ratio.median))
}
