//! What went wrong and what to do about it, for the person at the terminal: [`Failure`].

use std::{
    fmt::{self, Display, Formatter},
    io::{Error, ErrorKind},
};

const LOOK: &str = "if it happens again, look at the system log (dmesg)";

/// Ends the program with exit code 1. Printed as `error: ..` and `help: ..`.
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

    /// `what`, an attempt to read, met an operating-system error.
    pub(crate) fn reading(what: impl Display, error: &Error) -> Self {
        let help = match error.kind() {
            ErrorKind::NotFound => "check the path; - is standard input",
            ErrorKind::PermissionDenied => "check the permissions",
            ErrorKind::IsADirectory => "name a file, or - for standard input",
            _ => LOOK,
        };
        Self::new(format_args!("{what}: {error}"), help)
    }

    /// `what`, an attempt to create or write, met an operating-system error.
    pub(crate) fn writing(what: impl Display, error: &Error) -> Self {
        let help = match error.kind() {
            ErrorKind::NotFound => "create the folder first, or choose another: --dir",
            ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::NotADirectory => "choose a folder that can be written to: --dir",
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "free some space, or choose a folder on another device: --dir"
            }
            _ => LOOK,
        };
        Self::new(format_args!("{what}: {error}"), help)
    }

    /// The same failure, and what it led to.
    pub(crate) fn with(self, consequence: impl Display) -> Self {
        Self { what: format!("{}; {consequence}", self.what), help: self.help }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}\nhelp: {}", self.what, self.help)
    }
}
