//! A configuration that follows from what was measured: [`Advice`]. Pure.
//!
//! The defaults are good ones, and figures of a few seconds are rough: something else is advised
//! only where it was at least [`WORTH_IT`] times as good. Backends whose calls wait for the device
//! are advised only where nothing else works: not to wait is what the library is for.

use std::fmt::{self, Display, Formatter};

use ringzero::{Choice, Config, SyncConfig, SyncMode, UringConfig, UringMode, WorkerConfig};

use crate::{
    figures,
    rates::{COMMITTERS, Rates, Row, Target},
    variant::{Variant, limits},
};

/// How much better something must be than the usual.
pub(crate) const WORTH_IT: f64 = 1.15;
/// A kernel thread that polls takes one processor for itself.
const PROCESSORS_FOR_SQPOLL: usize = 4;
const DEFAULT_BLOCK_BYTES: u32 = 64 << 10;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures<'a> {
    /// Commits per second of each backend that works.
    pub(crate) rates: &'a Rates,
    /// Commits per second to several files, by threads of a worker backend; the fewest first.
    pub(crate) threads: &'a [(u32, f64)],
    /// Bytes per second of small appends, by block size.
    pub(crate) blocks: &'a [(u32, f64)],
    /// Processors that the program may use.
    pub(crate) processors: usize,
}

/// Something chosen, and why.
#[derive(Clone, Debug)]
struct Chosen<T> {
    what: T,
    why: String,
}

/// What to configure.
#[derive(Clone, Debug)]
pub(crate) struct Advice {
    backend: Chosen<Variant>,
    mode: String,
    buffers: String,
    threads: Chosen<u32>,
    block_bytes: Chosen<u32>,
    is_segment: Chosen<bool>,
}

impl Advice {
    /// What follows from these figures; nothing, where no backend works.
    pub(crate) fn from(figures: &Figures<'_>) -> Option<Self> {
        let rates = figures.rates;
        let best = preferred(rates, figures.processors)?;
        Some(Self {
            backend: Chosen { what: best.variant, why: why_backend(best, rates) },
            mode: why_mode(best, rates, figures.processors),
            buffers: why_buffers(best, rates),
            threads: threads(figures.threads),
            block_bytes: block_bytes(figures.blocks),
            is_segment: segment(best),
        })
    }

    /// Which backend it is about.
    pub(crate) const fn variant(&self) -> Variant {
        self.backend.what
    }

    /// The configuration. What is printed is the same, in Rust.
    pub(crate) fn config(&self) -> Config {
        let of_variant = self.variant().config();
        let backend = match of_variant.backend {
            Choice::Uring => Choice::Auto,
            other => other,
        };
        Config {
            backend,
            uring: of_variant.uring,
            sync: of_variant.sync,
            worker: WorkerConfig { threads: self.threads.what },
            limits: limits(self.block_bytes.what),
            ..Config::default()
        }
    }
}

/// The first in the order of preference, unless a later one is worth it.
fn preferred(rates: &Rates, processors: usize) -> Option<&Row> {
    let is_free = |row: &&Row| !row.variant.blocks_the_caller();
    let is_affordable =
        |row: &&Row| row.variant != Variant::UringSqPoll || processors >= PROCESSORS_FOR_SQPOLL;
    let first_or_better = |best: Option<&'_ Row>, row: &Row| {
        best.is_none_or(|best| row.score() >= WORTH_IT * best.score())
    };
    let mut best = None;
    for row in rates.rows.iter().filter(is_free).filter(is_affordable) {
        if first_or_better(best, row) {
            best = Some(row);
        }
    }
    if best.is_none() {
        for row in &rates.rows {
            if first_or_better(best, row) {
                best = Some(row);
            }
        }
    }
    best
}

fn why_backend(best: &Row, rates: &Rates) -> String {
    let versus = |other| {
        rates.of(other).map(|row| (row.variant.name(), figures::ratio(best.score() / row.score())))
    };
    let uring = Variant::ALL.into_iter().filter(|it| it.config().backend == Choice::Uring);
    match best.variant {
        Variant::Worker => match uring.filter_map(versus).next() {
            Some((name, ratio)) => format!("worker threads: {ratio} times the commits/s of {name}"),
            None => "io_uring does not work here, worker threads do".to_owned(),
        },
        Variant::Sync | Variant::SyncUntilFlush => {
            "nothing else works here; its calls wait for the device".to_owned()
        }
        _ => match versus(Variant::Worker) {
            Some((_, ratio)) => {
                format!("io_uring, else what works: {ratio} times the commits/s of worker threads")
            }
            None => "io_uring, else what works; worker threads do not work here".to_owned(),
        },
    }
}

fn why_mode(best: &Row, rates: &Rates, processors: usize) -> String {
    let against = |variant| {
        let row = rates.of(variant)?;
        Some(figures::ratio(row.score() / rates.of(Variant::Uring)?.score()))
    };
    let said = |name: &str, variant| match against(variant) {
        Some(ratio) => format!("{name} {ratio} times the commits/s"),
        None => format!("{name} does not work here"),
    };
    let bound = said("bound to one thread", Variant::UringBound);
    let polled = said("SQPOLL", Variant::UringSqPoll);
    match best.variant {
        Variant::UringBound => format!("{bound} of the default; stay on one thread"),
        Variant::UringSqPoll => format!("{polled} of the default; it keeps a processor busy"),
        _ if processors < PROCESSORS_FOR_SQPOLL => {
            format!("{bound}, {polled}; it needs a processor of its own")
        }
        _ => format!("{bound}, {polled}: not worth what they cost"),
    }
}

fn why_buffers(best: &Row, rates: &Rates) -> String {
    let usual = rates.of(Variant::Uring).map(Row::score);
    match (rates.of(Variant::UringRegistered).map(Row::score), usual) {
        (Some(registered), Some(usual)) => {
            let ratio = figures::ratio(registered / usual);
            match best.variant {
                Variant::UringRegistered => format!("{ratio} times the commits/s; pins all blocks"),
                _ => format!("{ratio} times the commits/s: not worth pinning all blocks"),
            }
        }
        _ => "the kernel refuses to register them here".to_owned(),
    }
}

/// The fewest threads that are nearly as good as any number.
fn threads(rates: &[(u32, f64)]) -> Chosen<u32> {
    let best = rates.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
    let enough = rates.iter().find(|(_, rate)| rate * WORTH_IT >= best);
    let one = rates.first().map_or(0.0, |(_, rate)| *rate);
    match (enough, rates.last()) {
        (Some((1, _)), Some((most, rate))) => {
            let ratio = figures::ratio(rate / one);
            let why = format!("with four files, {most} threads gave {ratio} times as much");
            Chosen { what: 1, why }
        }
        (Some((threads, rate)), _) => {
            let ratio = figures::ratio(rate / one);
            let why = format!("with four files, {ratio} times as much as one thread");
            Chosen { what: *threads, why }
        }
        _ => Chosen { what: 1, why: "worker threads do not work here".to_owned() },
    }
}

/// The default, unless another size is worth it.
fn block_bytes(rates: &[(u32, f64)]) -> Chosen<u32> {
    let usual = rates.iter().find(|(size, _)| *size == DEFAULT_BLOCK_BYTES);
    let usual = usual.map_or(0.0, |(_, rate)| *rate);
    let best = rates.iter().copied().max_by(|(_, a), (_, b)| a.total_cmp(b));
    let size = |bytes: u32| figures::bytes(bytes.into());
    match best {
        Some((what, rate)) if what != DEFAULT_BLOCK_BYTES && rate >= WORTH_IT * usual => {
            let (ratio, usual) = (figures::ratio(rate / usual), size(DEFAULT_BLOCK_BYTES));
            Chosen { what, why: format!("small appends: {ratio} times the bytes/s of {usual}") }
        }
        _ => {
            let others = rates.iter().filter(|(size, _)| *size != DEFAULT_BLOCK_BYTES);
            let others: Vec<String> = others
                .map(|(bytes, rate)| {
                    format!("{} gave {} times", size(*bytes), figures::ratio(rate / usual))
                })
                .collect();
            let why = format!("small appends: {} the bytes/s", others.join(", "));
            Chosen { what: DEFAULT_BLOCK_BYTES, why }
        }
    }
}

fn segment(best: &Row) -> Chosen<bool> {
    let ratio = best.mean(Target::Segment) / best.mean(Target::Growing);
    let [growing, segment] = Target::ALL.map(|target| {
        let rates = best.rates(target).into_iter().zip(COMMITTERS);
        rates.filter(|(_, count)| *count == 64).map(|(rate, _)| rate).sum::<f64>()
    });
    let why = format!(
        "{} times the commits/s of a growing file ({} and {} with 64 committers)",
        figures::ratio(ratio),
        figures::compact(segment),
        figures::compact(growing),
    );
    Chosen { what: ratio >= WORTH_IT, why }
}

/// The configuration as a function in Rust, formatted as rustfmt would.
impl Display for Advice {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let config = self.config();
        if matches!(config.uring.mode, UringMode::SqPoll { .. }) {
            writeln!(f, "use std::time::Duration;\n")?;
        }
        let own: &[&str] = match config.backend {
            Choice::Sync => &["SyncConfig", "SyncMode"],
            Choice::Worker => &["WorkerConfig"],
            _ => &["UringConfig", "UringMode", "WorkerConfig"],
        };
        writeln!(f, "use ringzero::{{Choice, Config, Limits, {}}};\n", own.join(", "))?;
        writeln!(f, "pub fn storage_config() -> Config {{\n    Config {{")?;
        writeln!(f, "        // {}.", self.backend.why)?;
        writeln!(f, "        backend: Choice::{:?},", config.backend)?;
        match config.backend {
            Choice::Sync => write_sync(f, config.sync)?,
            Choice::Worker => {}
            _ => self.write_uring(f, config.uring)?,
        }
        if config.backend != Choice::Sync {
            writeln!(f, "        // {}.", self.threads.why)?;
            writeln!(f, "        worker: WorkerConfig {{ threads: {} }},", config.worker.threads)?;
        }
        self.write_limits(f)?;
        writeln!(f, "        ..Config::default()\n    }}\n}}\n")?;
        self.write_segment(f)
    }
}

impl Advice {
    fn write_uring(&self, f: &mut Formatter<'_>, uring: UringConfig) -> fmt::Result {
        let mode = match uring.mode {
            UringMode::SqPoll { idle } => {
                format!("SqPoll {{ idle: Duration::from_millis({}) }}", idle.as_millis())
            }
            other => format!("{other:?}"),
        };
        writeln!(f, "        uring: UringConfig {{")?;
        writeln!(f, "            // {}.", self.mode)?;
        writeln!(f, "            mode: UringMode::{mode},")?;
        writeln!(f, "            // {}.", self.buffers)?;
        writeln!(f, "            register_buffers: {},", uring.register_buffers)?;
        writeln!(f, "            ..UringConfig::default()\n        }},")
    }

    fn write_limits(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Chosen { what, why } = &self.block_bytes;
        writeln!(f, "        limits: Limits {{\n            // {why}.")?;
        writeln!(f, "            block_bytes: {} << 10,", what >> 10)?;
        if *what != DEFAULT_BLOCK_BYTES {
            writeln!(f, "            blocks_common: {},", limits(*what).blocks_common)?;
        }
        writeln!(f, "            ..Limits::default()\n        }},")
    }

    fn write_segment(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Chosen { what: is_segment, why } = &self.is_segment;
        if *is_segment {
            writeln!(f, "// A log in segments: yes. {why}.")?;
            writeln!(f, "//     let file = prepare_segment(path, BYTES, |_, _| ())?;")?;
            writeln!(f, "//     let log = io.register_segment(file, 0, BYTES)?;")
        } else {
            writeln!(f, "// A log in segments: no. {why}.")?;
            writeln!(f, "//     let log = io.register_fd(File::create_new(path)?)?;")
        }
    }
}

fn write_sync(f: &mut Formatter<'_>, sync: SyncConfig) -> fmt::Result {
    let why = match sync.mode {
        SyncMode::Immediate => "each call writes; merging until the flush gained nothing",
        SyncMode::UntilFlush => "merging until the flush gave more commits/s",
    };
    writeln!(
        f,
        "        // {why}.\n        sync: SyncConfig {{ mode: SyncMode::{:?} }},",
        sync.mode
    )
}
