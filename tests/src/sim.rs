//! [`Sim`]: `SimBackend` over its disk in memory, meeting only what no caller may notice.

use ringzero::{SimBackend, SimDisk, SimFile};

use crate::{
    fixture::{DIRECT_ALIGNMENT, Fixture, Place, Setup},
    random::number_from_env,
    real::config,
};

/// The simulated disk. `RINGZERO_SEED` chooses what it does.
#[derive(Debug)]
pub struct Sim {
    /// Its disk.
    pub disk: SimDisk,
}

impl Fixture for Sim {
    type File = SimFile;
    type Backend = SimBackend;
    const NAME: &'static str = "sim";
    const IS_INLINE: bool = false;
    const HAS_EXECUTOR: bool = true;

    fn at(_: Place) -> Result<Self, String> {
        Ok(Self { disk: SimDisk::new() })
    }

    fn backend(&self, setup: &Setup) -> SimBackend {
        let seed = number_from_env("RINGZERO_SEED", 0x51);
        SimBackend::on(&config(setup), &self.disk, seed).expect("limits in range")
    }

    fn create(&self, name: &str, content: &[u8]) -> SimFile {
        self.disk.create(name, content)
    }

    fn open_appending(&self, name: &str) -> SimFile {
        self.disk.open(name).expect("it exists")
    }

    fn open_direct(&self, name: &str) -> Result<SimFile, String> {
        Ok(self.disk.open(name).expect("it exists").direct(DIRECT_ALIGNMENT))
    }

    fn open_for_reading(&self, name: &str) -> SimFile {
        self.disk.open_read_only(name).expect("it exists")
    }

    fn open_pipe(&self) -> SimFile {
        self.disk.create_pipe("pipe")
    }

    fn open_directory(&self) -> SimFile {
        self.disk.create_directory("directory")
    }

    fn open_device(&self) -> SimFile {
        self.disk.create_device("device")
    }

    fn read(&self, name: &str) -> Vec<u8> {
        self.disk.read(name).expect("it exists")
    }
}
