//! What went wrong and what to do about it, for the person at the terminal: [`Failure`].

use std::{
    fmt::{self, Display, Formatter},
    io::{Error, ErrorKind},
    path::Path,
};

use ringzero::{StorageIoError, to_io_error};

/// Ends the program with exit code 1. Printed as `error: …` and `help: …`.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    help: String,
}

impl Failure {
    /// `what` happened; `help` says what to do.
    pub(crate) fn new(what: impl Display, help: impl Display) -> Self {
        Self { what: what.to_string(), help: help.to_string() }
    }

    /// A signal asked to end.
    pub(crate) fn interrupted() -> Self {
        Self::new("interrupted", "nothing was left behind; --seconds N makes it shorter")
    }

    /// The chart cannot be written.
    pub(crate) fn of_chart(path: &Path, error: &Error) -> Self {
        let what = format_args!("cannot write the chart to {}: {error}", path.display());
        Self::new(what, "all figures are above; choose another file: --svg")
    }

    /// The directory cannot be used.
    pub(crate) fn of_folder(what: &str, folder: &Path, error: &Error) -> Self {
        let help = match error.kind() {
            ErrorKind::NotFound => "create the directory first, or name another",
            ErrorKind::NotADirectory => "name a directory, the one that your files will be in",
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                "name a directory that can be written to"
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "free 100 MB there, or name another"
            }
            _ => "name a directory on a file system that takes ordinary files",
        };
        Self::new(format_args!("{what} {}: {error}", folder.display()), help)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let help = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "free 100 MB in the directory, or name another"
            }
            ErrorKind::FileTooLarge => "files of 16 MiB are needed: raise the limit (ulimit -f)",
            _ => "if it happens again, look at the system log (dmesg)",
        };
        Self::new(format_args!("a measurement failed: {error}"), help)
    }
}

impl From<StorageIoError> for Failure {
    fn from(error: StorageIoError) -> Self {
        to_io_error(error).into()
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}\nhelp: {}", self.what, self.help)
    }
}
