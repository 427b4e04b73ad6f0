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
};

/// What [`open`] returns.
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

/// Sets up the best backend that works here: io_uring, else sync.
///
/// With a [`Choice`] other than `Auto`, that one or none.
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
/// `SetupError::Config`, `SetupError::Memory`; with `Choice::Uring` also why there is no io_uring.
pub fn open(config: &Config) -> Result<Opened, SetupError> {
    config.check()?;
    let from = BackendKind::Uring(config.uring.mode);
    let downgrades = match config.backend {
        Choice::Sync => vec![],
        Choice::Uring => return ring::open(config),
        Choice::Auto => match ring::open(config) {
            Ok(opened) => return Ok(opened),
            Err(reason) => vec![Downgrade { from, reason }],
        },
    };
    // There is nothing to fall back to, and a folder for temporary files that cannot be written
    // says nothing about the caller's files.
    let tried =
        SyncBackend::new(&probe::twin_of(config)).and_then(|mut it| probe::exercise(&mut it));
    let notes = tried.err().map(Note::NotExercised).into_iter().collect();
    let report = Report { backend: BackendKind::Sync, downgrades, notes };
    Ok(Opened { io: Box::new(SyncBackend::new(config)?), report })
}
