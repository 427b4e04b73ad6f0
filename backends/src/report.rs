//! What was set up, and why nothing better: [`Report`]. Plain data that prints itself.

use std::fmt::{self, Display, Formatter};

use ringzero_core::Errno;

use crate::{config::UringMode, setup_error::SetupError};

/// Which backend it is.
///
/// ```
/// use ringzero::{BackendKind, UringMode};
///
/// assert_eq!(BackendKind::Uring(UringMode::ThreadBound).to_string(), "io_uring (thread-bound)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackendKind {
    /// io_uring, and how its completions arrive.
    Uring(UringMode),
    /// Worker threads.
    Worker,
    /// Executes inside the submitting call.
    Sync,
}

impl Display for BackendKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uring(UringMode::Interrupt) => "io_uring",
            Self::Uring(UringMode::ThreadBound) => "io_uring (thread-bound)",
            Self::Uring(UringMode::SqPoll { .. }) => "io_uring (SQPOLL)",
            Self::Worker => "worker",
            Self::Sync => "sync",
        })
    }
}

/// A backend that would have been better, and why it is not used.
///
/// ```
/// use ringzero::{BackendKind, Config, Downgrade, open};
///
/// for Downgrade { from, reason } in open(&Config::default())?.report.downgrades {
///     eprintln!("{from} would be better: {reason}");
///     assert_ne!(from, BackendKind::Sync, "nothing is worse");
/// }
/// # Ok::<(), ringzero::SetupError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Downgrade {
    /// What would have been better.
    pub from: BackendKind,
    /// Why it is not used.
    pub reason: SetupError,
}

/// Something the backend does without. No guarantee depends on it.
///
/// ```
/// use ringzero::Note;
///
/// assert_eq!(
///     Note::EntriesHalved { from: 256, to: 128 }.to_string(),
///     "with a submission queue of 128 entries, not 256: the kernel grants no more memory",
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror_no_std::Error)]
#[non_exhaustive]
pub enum Note {
    /// The kernel does not know a set-up flag.
    #[error("without {0}, which this kernel does not know")]
    FlagDropped(&'static str),
    /// The kernel had no memory for the queue asked for.
    #[error(
        "with a submission queue of {to} entries, not {from}: the kernel grants no more memory"
    )]
    EntriesHalved {
        /// Asked for.
        from: u32,
        /// Granted.
        to: u32,
    },
    /// The blocks are not registered with the kernel.
    #[error("without registered buffers: {0}")]
    BuffersNotRegistered(Errno),
    /// The files are not registered with the kernel.
    #[error("without registered files: {0}")]
    FilesNotRegistered(Errno),
    /// The kernel's rings do not have an operation: what it is for is done by a system call inside
    /// the call that hands it over, which waits for it.
    #[error("without {0}, which this kernel does not know: calls may wait for it")]
    OperationMissing(&'static str),
    /// No temporary file could be written and synced to try the backend out.
    #[error("not tried out: {0}")]
    NotExercised(SetupError),
}

/// What [`open`](crate::open) set up.
///
/// ```
/// use ringzero::{BackendKind, Downgrade, Report, SetupError, UringMode};
///
/// let from = BackendKind::Uring(UringMode::Interrupt);
/// let report = Report {
///     backend: BackendKind::Worker,
///     downgrades: vec![Downgrade { from, reason: SetupError::NotOnThisPlatform }],
///     notes: vec![],
/// };
/// assert_eq!(
///     report.to_string(),
///     "worker; not io_uring: this operating system does not have it",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What is used.
    pub backend: BackendKind,
    /// What would have been better, best first.
    pub downgrades: Vec<Downgrade>,
    /// What it does without.
    pub notes: Vec<Note>,
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.backend)?;
        for Downgrade { from, reason } in &self.downgrades {
            write!(f, "; not {from}: {reason}")?;
        }
        self.notes.iter().try_for_each(|note| write!(f, "; {note}"))
    }
}
