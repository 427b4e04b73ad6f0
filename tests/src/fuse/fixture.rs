//! [`Fused`]: one backend in one mode over files of a [`Mount`].
//!
//! What is read for checks comes from the mount's memory, not through the kernel.

use std::{
    fs::{File, OpenOptions},
    marker::PhantomData,
    time::{Duration, Instant},
};

use ringzero_core::{IoFd, StorageIo};

use super::{
    mount::{Mount, Options},
    state::Shared,
};
use crate::{
    fixture::{Fixture, Place, Setup},
    real::{Mode, config, open_direct},
    session::{PATIENCE, Session},
    skip::skip,
};

/// A backend of mode `M` and a mount.
#[derive(Debug)]
pub struct Fused<M> {
    /// The mount.
    pub mount: Mount,
    mode: PhantomData<fn() -> M>,
}

impl<M: Mode> Fused<M> {
    /// Over a mount with these options.
    ///
    /// # Errors
    /// Why it cannot run on this machine.
    pub fn with(options: Options) -> Result<Self, String> {
        M::build(&config(&Setup::default())).map_err(|error| error.to_string())?;
        let mount = Mount::new(options).map_err(|error| format!("no FUSE mount: {error}"))?;
        Ok(Self { mount, mode: PhantomData })
    }
}

/// A backend of `setup` over a mount of its own; `None`, and the reason printed, where this machine
/// cannot.
///
/// # Panics
/// It cannot, and `RINGZERO_REQUIRE_ALL` is set.
pub fn open<M: Mode>(setup: &Setup) -> Option<Session<Fused<M>>> {
    open_with(setup, Options::default())
}

/// The same, over a mount with options.
///
/// # Panics
/// As [`open`].
pub fn open_with<M: Mode>(setup: &Setup, options: Options) -> Option<Session<Fused<M>>> {
    match Fused::with(options) {
        Ok(fixture) => Some(Session::over(fixture, setup)),
        Err(reason) => {
            skip(format!("{}: {reason}", M::NAME));
            None
        }
    }
}

impl<M: Mode> Session<Fused<M>> {
    /// The mount's files, script and log.
    pub fn shared(&self) -> Shared {
        self.fixture.mount.shared.clone()
    }

    /// Opens a file as on a new mount: with an empty log and no rule.
    pub fn open_anew(&mut self, name: &str, content: &[u8]) -> IoFd {
        let shared = self.shared();
        shared.state().log.clear();
        shared.state().rules.clear();
        self.open(name, content)
    }

    /// Hands over what was submitted, and polls until `count` requests are held.
    ///
    /// More than once: before a kernel worker gets a write, io_uring polls the file 128 times, in
    /// the thread-bound mode each time in a call of this thread.
    ///
    /// # Panics
    /// They are not within [`PATIENCE`].
    pub fn poll_until_held(&mut self, count: usize) {
        let shared = self.shared();
        self.io.flush().expect("flushed");
        let begin = Instant::now();
        while shared.state().held().len() < count {
            assert!(begin.elapsed() < PATIENCE, "held: {:?}", shared.state().log);
            if self.poll() == 0 {
                std::thread::sleep(Duration::from_micros(50));
            }
        }
    }
}

impl<M: Mode> Fixture for Fused<M> {
    type File = File;
    type Backend = M::Backend;
    const NAME: &'static str = M::NAME;
    const IS_INLINE: bool = M::IS_INLINE;
    const HAS_EXECUTOR: bool = M::HAS_EXECUTOR;

    fn at(_place: Place) -> Result<Self, String> {
        Self::with(Options::default())
    }

    fn backend(&self, setup: &Setup) -> M::Backend {
        M::build(&config(setup)).expect("it could be built a moment ago")
    }

    fn create(&self, name: &str, content: &[u8]) -> File {
        self.mount.create(name, content)
    }

    fn open_appending(&self, name: &str) -> File {
        OpenOptions::new().append(true).open(self.mount.path(name)).expect("opened")
    }

    fn open_direct(&self, name: &str) -> Result<File, String> {
        open_direct(&self.mount.path(name))
    }

    fn open_for_reading(&self, name: &str) -> File {
        File::open(self.mount.path(name)).expect("opened")
    }

    fn open_pipe(&self) -> File {
        let (_reader, writer) = std::io::pipe().expect("a pipe");
        File::from(std::os::fd::OwnedFd::from(writer))
    }

    fn open_directory(&self) -> File {
        File::open(self.mount.path("")).expect("opened")
    }

    fn open_device(&self) -> File {
        OpenOptions::new().write(true).open("/dev/null").expect("opened")
    }

    fn read(&self, name: &str) -> Vec<u8> {
        self.mount.shared.read(name)
    }
}
