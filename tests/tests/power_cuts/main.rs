//! Power cuts on real file systems: what a successful datasync covers is there afterwards.
//!
//! For each file system and backend the work is done once, on a device that logs. Then its power is
//! cut at many points of the log, half of them at the very moment of a promise: an image is put
//! together that this cut may leave, mounted (the journal recovers; without one e2fsck does its
//! work), and every record that a datasync had promised until then has to be in it, whole, and
//! nothing foreign before the end of the log. See `ringzero_tests::power` for the device.
//!
//! Two controls show that the checks see a loss: records whose append has completed but that no
//! datasync covers, and a device that takes flushes for an empty word.
//!
//! `RINGZERO_CUTS`: cuts per file system and backend. `RINGZERO_SEED`: the seed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

#[path = "../../../backends/examples/wal/format/mod.rs"]
mod format;

mod check;
mod stream;
mod workload;

use std::{io, path::Path};

use ringzero::Config;
use ringzero_tests::{
    power::{Cache, FileSystem, Image, Log, Mounted, Volume, after_cut},
    random::{Random, number_from_env},
    real::{Mode, Sync, Uring},
    skip::skip,
};
use tempfile::TempDir;

use check::{Found, look_for, promised_at};
use workload::{Promise, Promised, Workload};

const GROUPS: u32 = 240;
const CUTS: u64 = 26;

/// What was written to a device, and what was promised meanwhile.
struct Recording {
    file_system: FileSystem,
    base: Image,
    log: Log,
    promises: Vec<Promise>,
}

impl Recording {
    /// Works on a new device through a backend of mode `M`. `None`, and the reason printed, where
    /// that is not possible.
    fn make<M: Mode>(file_system: FileSystem, promised: Promised, seed: u64) -> Option<Self> {
        let what = format!("power cuts of {} under {}", file_system.name(), M::NAME);
        let io = match M::build(&Config::default()) {
            Ok(io) => io,
            Err(reason) => {
                skip(&what, reason);
                return None;
            }
        };
        let program = Path::new(env!("CARGO_BIN_EXE_power-device"));
        let volume = match Volume::mount(program, file_system) {
            Ok(volume) => volume,
            Err(reason) => {
                skip(&what, reason);
                return None;
            }
        };
        let promises = Workload::new(io, &volume, promised, seed).run(GROUPS);
        let (base, log) = volume.unmount().expect("unmounted");
        Some(Self { file_system, base, log, promises })
    }

    /// A moment to cut the power: just when something was promised, or any.
    fn moment(&self, random: &mut Random) -> u64 {
        if random.chance(500) {
            self.promises[random.below(self.promises.len() as u64) as usize].position
        } else {
            let ends = self.log.ends();
            ends[random.below(ends.len() as u64) as usize]
        }
    }

    /// Cuts the power once and says what is left.
    ///
    /// # Errors
    /// What is left is no file system.
    fn cut(&self, cache: Cache, random: &mut Random) -> io::Result<Found> {
        let position = self.moment(random);
        let promised = promised_at(&self.promises, position);
        let folder = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new())?;
        let (image, root) = (folder.path().join("image"), folder.path().join("mounted"));
        std::fs::create_dir(&root)?;
        after_cut(&self.base, &self.log, position, cache, random).store(&image)?;
        self.file_system.repair(&image)?;
        let mounted = Mounted::new(self.file_system, &image, &root)?;
        let found = look_for(mounted.path(), &promised);
        mounted.unmount()?;
        found.map_err(io::Error::other)
    }
}

fn print_row(recording: &Recording, backend: &str, what: &str, cuts: u64, found: Found) {
    let Found { promised, present, lost } = found;
    println!(
        "| {} | {backend} | {what} | {} promises | {} requests | {cuts} cuts | {promised} records \
         promised | {present} found | {lost} lost |",
        recording.file_system.name(),
        recording.promises.len(),
        recording.log.ends().len(),
    );
}

/// What a datasync promised survives every cut.
fn keeps_promises<M: Mode>(file_system: FileSystem) {
    let seed = number_from_env("RINGZERO_SEED", 0x5EED);
    let Some(recording) = Recording::make::<M>(file_system, Promised::ByDatasync, seed) else {
        return;
    };
    let cuts = number_from_env("RINGZERO_CUTS", CUTS);
    let mut found = Found::default();
    for cut in 0..cuts {
        let mut random = Random::new(seed + cut);
        let left = recording.cut(Cache::Honest, &mut random);
        let left = left.unwrap_or_else(|error| panic!("seed {seed:#x}, cut {cut}: {error}"));
        assert_eq!(left.lost, 0, "seed {seed:#x}, cut {cut}: {left:?}");
        found.add(left);
    }
    assert!(found.promised > 0, "nothing was promised");
    print_row(&recording, M::NAME, "datasync", cuts, found);
}

macro_rules! power_cuts {
    ($($backend:ident: $mode:ty),* $(,)?) => {
        $(mod $backend {
            use super::*;

            #[test]
            fn ext4() {
                keeps_promises::<$mode>(FileSystem::Ext4);
            }

            #[test]
            fn ext4_without_journal() {
                keeps_promises::<$mode>(FileSystem::Ext4WithoutJournal);
            }

            #[test]
            fn xfs() {
                keeps_promises::<$mode>(FileSystem::Xfs);
            }
        })*
    };
}

power_cuts! {
    sync: Sync,
    uring: Uring,
}
