//! [`Stage`]: one cell's backend, folder and zones; and [`Stop`], why a cell ends early.
//!
//! What happens outside of [`Stage::measured`] is set-up, and may allocate.

use std::{
    fs::{File, OpenOptions},
    io, mem,
    path::{Path, PathBuf},
    thread,
};

use ringzero::{IoFd, StorageIoError};
use ringzero_alloc_audit::{Action, NotInstalled, Report, Zone};
use tempfile::TempDir;

use crate::{
    backend::{Column, LIMITS},
    session::Session,
    shadow::Shadow,
    wrong::{Wrong, ensure, equal},
};

/// Why a cell ends before its time.
#[derive(Debug)]
pub(crate) enum Stop {
    /// This machine does not have what it takes.
    Skipped(String),
    Wrong(String),
}

impl From<Wrong> for Stop {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong.to_string())
    }
}

impl From<StorageIoError> for Stop {
    #[track_caller]
    fn from(error: StorageIoError) -> Self {
        Self::from(Wrong::from(error))
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Wrong(format!("a file of the workload: {error}"))
    }
}

impl From<NotInstalled> for Stop {
    fn from(error: NotInstalled) -> Self {
        Self::Wrong(error.to_string())
    }
}

pub(crate) struct Stage {
    // In the order of dropping: first the backend, then its files.
    pub(crate) session: Session,
    pub(crate) column: Column,
    folder: TempDir,
    reports: Vec<Report>,
}

impl Stage {
    /// A new backend, and an empty folder in the directory for temporary files.
    ///
    /// # Errors
    /// `Skipped`: the backend cannot be built here.
    pub(crate) fn new(column: &Column) -> Result<Self, Stop> {
        let io = column.build().map_err(Stop::Skipped)?;
        let session = Session::new(io, &LIMITS);
        Ok(Self { session, column: *column, folder: TempDir::new()?, reports: Vec::new() })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes an empty file.
    pub(crate) fn create(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).open(self.path(name))
    }

    /// Makes an empty file and registers it.
    pub(crate) fn register(&mut self, name: &str) -> Result<IoFd, Stop> {
        let file = self.create(name)?;
        Ok(self.session.io().register_fd(file)?)
    }

    /// Makes an empty file, registers it and follows it in a shadow.
    pub(crate) fn follow(&mut self, name: &str) -> Result<IoFd, Stop> {
        let fd = self.register(name)?;
        self.session.follow(Shadow::new(fd, self.path(name)));
        Ok(fd)
    }

    /// Runs `work` inside a zone.
    pub(crate) fn measured(
        &mut self,
        work: impl FnOnce(&mut Session) -> Result<(), Wrong>,
    ) -> Result<(), Stop> {
        let zone = Zone::enter(Action::Report)?;
        let result = work(&mut self.session);
        self.reports.push(zone.finish());
        Ok(result?)
    }

    /// Runs `work` on another thread, inside a zone there.
    pub(crate) fn measured_elsewhere(
        &mut self,
        work: impl FnOnce(&mut Session) -> Result<(), Wrong> + Send,
    ) -> Result<(), Stop> {
        let session = &mut self.session;
        let inside = move || {
            let zone = Zone::enter(Action::Report)?;
            let result = work(session);
            Ok::<_, NotInstalled>((result, zone.finish()))
        };
        let joined = thread::scope(|scope| {
            let spawned = thread::Builder::new().spawn_scoped(scope, inside);
            spawned.map(|thread| thread.join())
        });
        let Ok(outcome) = joined? else {
            return Err(Stop::Wrong("the other thread panicked".to_owned()));
        };
        let (result, report) = outcome?;
        self.reports.push(report);
        Ok(result?)
    }

    /// What the backend met must include what the workload is about.
    pub(crate) fn prove(&mut self, what: &'static str, count: u64) -> Result<(), Stop> {
        Ok(ensure(count > 0, what)?)
    }

    /// Nothing is owed, the backend counted what the session counted, and every followed file has
    /// the right content.
    pub(crate) fn settle(&mut self) -> Result<(), Stop> {
        equal("owed at the end", self.session.owed_count() as i64, 0)?;
        let stats = self.session.io().stats();
        let tally = self.session.tally;
        equal("stats().submitted", stats.submitted as i64, tally.accepted as i64)?;
        equal("stats().completed", stats.completed as i64, tally.completions as i64)?;
        for shadow in self.session.shadows() {
            shadow.compare()??;
        }
        Ok(())
    }

    /// What the zones saw so far.
    pub(crate) fn take_reports(&mut self) -> Vec<Report> {
        mem::take(&mut self.reports)
    }
}

/// Opens a device for writing.
///
/// # Errors
/// `Skipped`: this machine has no such device, or does not let us.
pub(crate) fn device(path: &str) -> Result<File, Stop> {
    let opened = OpenOptions::new().write(true).open(Path::new(path));
    opened.map_err(|error| Stop::Skipped(format!("{path} cannot be opened: {error}")))
}
