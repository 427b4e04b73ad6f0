//! [`Fixture`]: one backend in one mode, files for it, and a look at their bytes.
//!
//! Every conformance test is a function generic over this trait; `conformance!` makes one `#[test]`
//! of it for each fixture. A fixture that this machine cannot run says why and the test passes
//! with that reason printed.

use std::time::Duration;

use ringzero_core::{Limits, StorageIo, StorageIoExt};

use crate::{
    choices::Choices,
    disk::{Disk, Node, ScriptedFile},
    random::number_from_env,
    script::{Order, Rough},
    scripted::ScriptedBackend,
};

/// How a backend of a test is built.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Its capacities.
    pub limits: Limits,
    /// How long `deregister_fd` waits.
    pub close_deadline: Duration,
    /// How long dropping waits; zero: not at all.
    pub drop_deadline: Duration,
}

/// Few and small: capacities are reached within a handful of calls.
///
/// 4 files; 8 operations each and 16 common; 2 blocks of 512 bytes each and 4 common; so at most
/// 3,072 bytes per write.
pub const SMALL: Limits = Limits {
    files: 4,
    operations_per_file: 8,
    operations_common: 16,
    blocks_per_file: 2,
    blocks_common: 4,
    block_bytes: 512,
};

impl Default for Setup {
    fn default() -> Self {
        Self::with(SMALL)
    }
}

impl Setup {
    /// With these limits, and deadlines that a test never reaches unless it means to.
    pub const fn with(limits: Limits) -> Self {
        let deadline = Duration::from_secs(30);
        Self { limits, close_deadline: deadline, drop_deadline: deadline }
    }
}

/// The alignment of files of the scripted and the simulated disk that are opened with O_DIRECT.
pub const DIRECT_ALIGNMENT: u32 = 512;

/// Where files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The directory for temporary files: a disk, as a rule.
    Disk,
    /// A tmpfs.
    Memory,
}

/// One backend in one mode.
pub trait Fixture: Sized {
    /// What it registers.
    type File;
    /// The backend.
    type Backend: StorageIo<File = Self::File> + StorageIoExt<File = Self::File> + 'static;
    /// What is printed.
    const NAME: &'static str;
    /// Executes inside `submit_*`: nothing is queued when a call returns.
    const IS_INLINE: bool;
    /// Requests are carried out by somebody else, so they may be in flight when a call returns.
    const HAS_EXECUTOR: bool;

    /// Files in `place`.
    ///
    /// # Errors
    /// Why it cannot run on this machine.
    fn at(place: Place) -> Result<Self, String>;

    /// A new backend.
    fn backend(&self, setup: &Setup) -> Self::Backend;

    /// Makes a file with this content and opens it for writing.
    fn create(&self, name: &str, content: &[u8]) -> Self::File;

    /// Opens an existing file for writing, in append mode.
    fn open_appending(&self, name: &str) -> Self::File;

    /// Opens an existing file for reading and writing with O_DIRECT.
    ///
    /// # Errors
    /// Why this machine cannot.
    fn open_direct(&self, name: &str) -> Result<Self::File, String>;

    /// Opens an existing file for reading only.
    fn open_for_reading(&self, name: &str) -> Self::File;

    /// Something that is open but no file and no device.
    fn open_pipe(&self) -> Self::File;

    /// A directory.
    fn open_directory(&self) -> Self::File;

    /// A device without an end, to which any offset can be written.
    fn open_device(&self) -> Self::File;

    /// The bytes of a file.
    fn read(&self, name: &str) -> Vec<u8>;
}

/// The scripted executor. `ROUGH`: requests are shuffled, delayed, cut short, sent back to try
/// again, and answered inside the call, at random; none of which a caller may notice.
#[derive(Debug)]
pub struct Scripted<const ROUGH: bool> {
    /// Its disk.
    pub disk: Disk,
}

impl<const ROUGH: bool> Fixture for Scripted<ROUGH> {
    type File = ScriptedFile;
    type Backend = ScriptedBackend;
    const NAME: &'static str = if ROUGH { "scripted, rough" } else { "scripted" };
    const IS_INLINE: bool = false;
    const HAS_EXECUTOR: bool = true;

    fn at(_place: Place) -> Result<Self, String> {
        let disk = Disk::default();
        if ROUGH {
            let seed = number_from_env("RINGZERO_SEED", 0x5EED);
            let mut state = disk.state();
            state.rough = Some(Rough::harmless(seed));
            state.order = Order::Shuffled(Choices::seeded(seed ^ 1));
        }
        Ok(Self { disk })
    }

    fn backend(&self, setup: &Setup) -> ScriptedBackend {
        ScriptedBackend::new(&self.disk, setup)
    }

    fn create(&self, name: &str, content: &[u8]) -> ScriptedFile {
        self.disk.create(name, Node::Regular, content)
    }

    fn open_appending(&self, name: &str) -> ScriptedFile {
        self.disk.open(name)
    }

    fn open_direct(&self, name: &str) -> Result<ScriptedFile, String> {
        Ok(self.disk.open_direct(name, DIRECT_ALIGNMENT))
    }

    fn open_for_reading(&self, name: &str) -> ScriptedFile {
        let content = self.disk.read(name);
        self.disk.create(&format!("{name}, read only"), Node::ReadOnly, &content)
    }

    fn open_pipe(&self) -> ScriptedFile {
        self.disk.create("pipe", Node::Other, &[])
    }

    fn open_directory(&self) -> ScriptedFile {
        self.disk.create("directory", Node::Directory, &[])
    }

    fn open_device(&self) -> ScriptedFile {
        self.disk.create("device", Node::Device, &[])
    }

    fn read(&self, name: &str) -> Vec<u8> {
        self.disk.read(name)
    }
}
