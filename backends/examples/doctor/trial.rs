//! Whether a backend works here: [`Trial`].
//!
//! It is set up as [`ringzero::open`] does it, which tries a small twin out on a temporary file;
//! then it writes and syncs a file in the directory itself, which may be on another file system,
//! and what is in the file is looked at.

use std::{
    fmt::{self, Display, Formatter},
    io::{self, Read, Seek, SeekFrom},
    time::Duration,
};

use ringzero::{Backend, Note, SetupError, open, to_io_error};

use crate::{folder::Folder, variant::Variant};

const DATA: &[u8] = b"a write and a sync by the doctor";
const PATIENCE: Duration = Duration::from_secs(5);

/// One variant, tried.
#[derive(Debug)]
pub(crate) struct Trial {
    /// Which one.
    pub(crate) variant: Variant,
    /// What came of it.
    pub(crate) verdict: Verdict,
}

/// What came of a trial.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It wrote and synced; it does without these.
    Works(Vec<Note>),
    /// It could not be set up, and why.
    Refused(SetupError),
    /// It was set up, and a write or sync in the directory failed.
    Failed(io::Error),
}

impl Trial {
    /// Tries a variant.
    pub(crate) fn of(variant: Variant, folder: &Folder) -> Self {
        let verdict = match open(&variant.config()) {
            Err(error) => Verdict::Refused(error),
            Ok(mut opened) => match exercise(&mut *opened.io, folder) {
                Ok(()) => Verdict::Works(opened.report.notes),
                Err(error) => Verdict::Failed(error),
            },
        };
        Self { variant, verdict }
    }

    /// Whether it works, and with all that it was asked for.
    pub(crate) fn is_whole(&self) -> bool {
        let Verdict::Works(notes) = &self.verdict else { return false };
        let is_missed = |note: &Note| matches!(note, Note::BuffersNotRegistered(_));
        !notes.iter().any(is_missed)
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Works(notes) if notes.is_empty() => f.write_str("works"),
            Self::Works(notes) => {
                f.write_str("works, but ")?;
                let notes: Vec<String> = notes.iter().map(Note::to_string).collect();
                f.write_str(&notes.join("; "))
            }
            Self::Refused(error) => error.fmt(f),
            Self::Failed(error) => {
                write!(f, "set up, but a write and a sync in the directory failed: {error}")
            }
        }
    }
}

fn exercise(io: &mut dyn Backend, folder: &Folder) -> io::Result<()> {
    let file = folder.new_file()?;
    let mut reader = file.try_clone()?;
    let fd = io.register_fd(file).map_err(to_io_error)?;
    io.submit_append(fd, DATA).map_err(to_io_error)?;
    io.submit_datasync(fd).map_err(to_io_error)?;
    let mut completions = Vec::new();
    while io.pending_count() > 0 {
        if io.wait(1, Some(PATIENCE)).map_err(to_io_error)? == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        io.poll_completions(&mut completions);
    }
    if let Some(failed) = completions.iter().find(|completion| completion.result < 0) {
        return Err(io::Error::from_raw_os_error(-failed.result));
    }
    io.deregister_fd(fd).map_err(to_io_error)?;
    let mut found = Vec::new();
    reader.seek(SeekFrom::Start(0))?;
    reader.read_to_end(&mut found)?;
    if found == DATA { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}
