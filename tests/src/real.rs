//! [`Real`]: the backends of the crate `ringzero` over files of the operating system.

use std::{
    fs::{File, OpenOptions},
    marker::PhantomData,
    path::{Path, PathBuf},
    time::Duration,
};

use ringzero::{
    Backend, Config, EventSource, SetupError, SyncBackend, SyncConfig, SyncMode, UringBackend,
    UringConfig, UringMode, WorkerBackend, WorkerConfig,
};
use ringzero_core::{StorageIo, StorageIoExt};
use tempfile::TempDir;

use crate::fixture::{Fixture, Place, Setup};

/// One way to build a backend.
pub trait Mode: Sized {
    /// What is built.
    type Backend: StorageIo<File = File> + StorageIoExt<File = File> + EventSource + 'static;
    /// What is printed.
    const NAME: &'static str;
    /// See [`Fixture::IS_INLINE`].
    const IS_INLINE: bool;
    /// See [`Fixture::HAS_EXECUTOR`].
    const HAS_EXECUTOR: bool;

    /// Builds it.
    ///
    /// # Errors
    /// Why this machine cannot.
    fn build(config: &Config) -> Result<Self::Backend, SetupError>;
}

/// A fixture that names its mode, so that a test can build it over a directory of its own, or look
/// at why it cannot be built.
pub trait OfMode: Fixture {
    /// Its mode.
    type Mode: Mode + Send + 'static;
}

impl<M: Mode + Send + 'static> OfMode for Real<M> {
    type Mode = M;
}

/// `SyncBackend` in one mode.
macro_rules! sync_mode {
    ($(#[$doc:meta])* $mode:ident, $name:literal, $is_inline:literal, $when:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $mode;

        impl Mode for $mode {
            type Backend = SyncBackend;
            const NAME: &'static str = $name;
            const IS_INLINE: bool = $is_inline;
            const HAS_EXECUTOR: bool = false;

            fn build(config: &Config) -> Result<SyncBackend, SetupError> {
                SyncBackend::new(&Config { sync: SyncConfig { mode: $when }, ..*config })
            }
        }
    };
}

sync_mode!(
    /// Executes inside the submitting call.
    Sync,
    "sync",
    true,
    SyncMode::Immediate
);
sync_mode!(
    /// Executes inside the next flush, merged.
    SyncMerged,
    "sync, until flush",
    false,
    SyncMode::UntilFlush
);

/// `WorkerBackend` with so many threads.
macro_rules! worker_mode {
    ($(#[$doc:meta])* $mode:ident, $name:literal, $threads:literal) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $mode;

        impl Mode for $mode {
            type Backend = WorkerBackend;
            const NAME: &'static str = $name;
            const IS_INLINE: bool = false;
            const HAS_EXECUTOR: bool = true;

            fn build(config: &Config) -> Result<WorkerBackend, SetupError> {
                let worker = WorkerConfig { threads: $threads };
                WorkerBackend::new(&Config { worker, ..*config })
            }
        }
    };
}

worker_mode!(
    /// One worker thread.
    Worker,
    "worker",
    1
);
worker_mode!(
    /// A few worker threads.
    WorkerFew,
    "worker, three threads",
    3
);

/// `UringBackend` in one mode.
macro_rules! uring_mode {
    ($(#[$doc:meta])* $mode:ident, $name:literal, $uring:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $mode;

        impl Mode for $mode {
            type Backend = UringBackend;
            const NAME: &'static str = $name;
            const IS_INLINE: bool = false;
            const HAS_EXECUTOR: bool = true;

            fn build(config: &Config) -> Result<UringBackend, SetupError> {
                UringBackend::new(&Config { uring: $uring, ..*config })
            }
        }
    };
}

uring_mode!(
    /// io_uring as it is by default.
    Uring,
    "uring",
    UringConfig::default()
);
uring_mode!(
    /// io_uring bound to its first thread, with a short submission queue.
    UringBound,
    "uring, thread-bound",
    UringConfig { mode: UringMode::ThreadBound, sq_entries: 8, ..UringConfig::default() }
);
uring_mode!(
    /// io_uring with a kernel thread that takes submissions.
    UringSqPoll,
    "uring, sqpoll",
    UringConfig {
        mode: UringMode::SqPoll { idle: Duration::from_millis(20) },
        ..UringConfig::default()
    }
);
uring_mode!(
    /// io_uring with registered buffers and the shortest submission queue.
    UringFixed,
    "uring, registered buffers",
    UringConfig { register_buffers: true, sq_entries: 1, ..UringConfig::default() }
);

/// A backend of the mode that has this name; `None` if none has.
pub fn by_name(name: &str, config: &Config) -> Option<Result<Box<dyn Backend>, SetupError>> {
    fn boxed<M: Mode>(config: &Config) -> Result<Box<dyn Backend>, SetupError> {
        Ok(Box::new(M::build(config)?))
    }
    let build = match name {
        Sync::NAME => boxed::<Sync>,
        SyncMerged::NAME => boxed::<SyncMerged>,
        Worker::NAME => boxed::<Worker>,
        WorkerFew::NAME => boxed::<WorkerFew>,
        Uring::NAME => boxed::<Uring>,
        UringBound::NAME => boxed::<UringBound>,
        UringSqPoll::NAME => boxed::<UringSqPoll>,
        UringFixed::NAME => boxed::<UringFixed>,
        _ => return None,
    };
    Some(build(config))
}

/// Opens a file for reading and writing with O_DIRECT.
///
/// # Errors
/// Why its file system cannot.
pub fn open_direct(path: &Path) -> Result<File, String> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(libc::O_DIRECT);
    options.open(path).map_err(|error| format!("O_DIRECT of {}: {error}", path.display()))
}

/// The configuration of `setup`.
pub fn config(setup: &Setup) -> Config {
    Config {
        limits: setup.limits,
        close_deadline: setup.close_deadline,
        drop_deadline: setup.drop_deadline,
        ..Config::default()
    }
}

/// A backend of mode `M` and a directory that is removed afterwards.
#[derive(Debug)]
pub struct Real<M> {
    directory: TempDir,
    mode: PhantomData<M>,
}

impl<M> Real<M> {
    /// Where a file of this name is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Over a directory that exists.
    pub fn in_directory(directory: TempDir) -> Self {
        Self { directory, mode: PhantomData }
    }
}

/// A fixture that names its mode, so that a test can build the backend over files of its own.
pub trait InMode: Fixture {
    /// Its mode.
    type Mode: Mode + 'static;
}

impl<M: Mode + 'static> InMode for Real<M> {
    type Mode = M;
}

impl<M: Mode> Fixture for Real<M> {
    type File = File;
    type Backend = M::Backend;
    const NAME: &'static str = M::NAME;
    const IS_INLINE: bool = M::IS_INLINE;
    const HAS_EXECUTOR: bool = M::HAS_EXECUTOR;

    fn at(place: Place) -> Result<Self, String> {
        M::build(&config(&Setup::default())).map_err(|error| error.to_string())?;
        let directory = match place {
            Place::Disk => TempDir::new(),
            Place::Memory => TempDir::new_in("/dev/shm"),
        };
        Ok(Self::in_directory(directory.map_err(|error| error.to_string())?))
    }

    fn backend(&self, setup: &Setup) -> M::Backend {
        M::build(&config(setup)).expect("it could be built a moment ago")
    }

    fn create(&self, name: &str, content: &[u8]) -> File {
        std::fs::write(self.path(name), content).expect("written");
        OpenOptions::new().read(true).write(true).open(self.path(name)).expect("opened")
    }

    fn open_appending(&self, name: &str) -> File {
        OpenOptions::new().append(true).open(self.path(name)).expect("opened")
    }

    fn open_direct(&self, name: &str) -> Result<File, String> {
        open_direct(&self.path(name))
    }

    fn open_for_reading(&self, name: &str) -> File {
        File::open(self.path(name)).expect("opened")
    }

    fn open_pipe(&self) -> File {
        let (_reader, writer) = std::io::pipe().expect("a pipe");
        File::from(std::os::fd::OwnedFd::from(writer))
    }

    fn open_directory(&self) -> File {
        File::open(self.directory.path()).expect("opened")
    }

    fn open_device(&self) -> File {
        OpenOptions::new().write(true).open("/dev/null").expect("opened")
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).expect("read")
    }
}
