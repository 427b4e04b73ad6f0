//! [`open`]: the best backend that works here, and the reasons why nothing better does.
//!
//! It tries and does not guess: a backend counts as working when a small twin of it was set up and
//! carried out a write and a sync (`probe`). No guarantee depends on the choice.

use std::fmt;

use crate::{
    config::{Choice, Config},
    probe,
    report::{BackendKind, Downgrade, Note, Report},
    ring,
    setup_error::SetupError,
    storage_io::Backend,
    sync::SyncBackend,
    worker::WorkerBackend,
};

/// What [`open`] returns.
///
/// ```
/// use ringzero::{BackendKind, Choice, Config, Opened, open};
///
/// let Opened { io, report } = open(&Config { backend: Choice::Sync, ..Config::default() })?;
/// assert_eq!((report.backend, io.pending_count()), (BackendKind::Sync, 0));
/// # Ok::<(), ringzero::SetupError>(())
/// ```
pub struct Opened {
    /// The backend.
    pub io: Box<dyn Backend>,
    /// Which one it is, and why nothing better.
    pub report: Report,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("report", &self.report).finish_non_exhaustive()
    }
}

/// Sets up the best backend that works here: io_uring, else worker threads, else sync.
///
/// With a [`Choice`] other than `Auto`, that one or none. Worker threads inherit the processors and
/// the scheduling of the calling thread: see [`WorkerBackend::new`].
///
/// ```
/// use ringzero::{Config, open};
///
/// let mut opened = open(&Config::default())?;
/// println!("{}", opened.report);
/// assert_eq!(opened.io.pending_count(), 0);
/// # Ok::<(), ringzero::SetupError>(())
/// ```
///
/// # Errors
/// `SetupError::Config`, `SetupError::Memory`; with `Choice::Uring` or `Choice::Worker` also why
/// that one does not work here.
pub fn open(config: &Config) -> Result<Opened, SetupError> {
    config.check()?;
    match config.backend {
        Choice::Auto => best(config),
        Choice::Uring => ring::open(config),
        Choice::Worker => worker(config),
        Choice::Sync => sync(config),
    }
}

type SetUp = fn(&Config) -> Result<Opened, SetupError>;

/// The first that works, and why those before it do not.
fn best(config: &Config) -> Result<Opened, SetupError> {
    let better: [(BackendKind, SetUp); 2] =
        [(BackendKind::Uring(config.uring.mode), ring::open), (BackendKind::Worker, worker)];
    let mut downgrades = Vec::new();
    let mut found = None;
    for (from, set_up) in better {
        match set_up(config) {
            Ok(opened) => {
                found = Some(opened);
                break;
            }
            Err(reason) => downgrades.push(Downgrade { from, reason }),
        }
    }
    let mut opened = found.map_or_else(|| sync(config), Ok)?;
    opened.report.downgrades = downgrades;
    Ok(opened)
}

/// Tries out a small twin, and sets up the caller's own.
fn worker(config: &Config) -> Result<Opened, SetupError> {
    let mut twin = WorkerBackend::new(&probe::twin_of(config))?;
    probe::exercise(&mut twin)?;
    drop(twin);
    let report = Report { backend: BackendKind::Worker, downgrades: vec![], notes: vec![] };
    Ok(Opened { io: Box::new(WorkerBackend::new(config)?), report })
}

/// There is nothing to fall back to, and a folder for temporary files that cannot be written says
/// nothing about the caller's files: a trial that fails is only noted.
fn sync(config: &Config) -> Result<Opened, SetupError> {
    let tried =
        SyncBackend::new(&probe::twin_of(config)).and_then(|mut it| probe::exercise(&mut it));
    let notes = tried.err().map(Note::NotExercised).into_iter().collect();
    let report = Report { backend: BackendKind::Sync, downgrades: vec![], notes };
    Ok(Opened { io: Box::new(SyncBackend::new(config)?), report })
}
