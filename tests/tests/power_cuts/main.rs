//! Power cuts on real file systems: what a successful datasync covers is there afterwards.
//!
//! For each file system and backend the work is done once, on a device that logs. Then its power is
//! cut at many points of the log, half of them at the very moment of a promise: an image is put
//! together that this cut may leave, mounted (the journal recovers; without one e2fsck does its
//! work), and every record that a datasync had promised until then has to be in it, whole, and
//! nothing foreign before the end of the log. See `ringzero_tests::power` for the device.
//!
//! Two controls show that the checks see a loss: records whose append has completed but that no
//! datasync covers, and a device that takes flushes for an empty word. It is printed how many cuts
//! of each lost something.
//!
//! `RINGZERO_CUTS`: cuts per file system and backend; a quarter as many per control.
//! `RINGZERO_SEED`: the seed.
//!
//! # Mutations
//! | removed | red at |
//! |---|---|
//! | fdatasync in `platform::sync` | cut 0 of every file system, sync |
//! | the OS call in the engine's `fly` (answers 0 itself) | cut 0, all |
//! | IORING_OP_FSYNC (a NOP in its place) | cut 0, uring |
//! | RWF_DSYNC of a durable write | cut 0 of every file system, uring |
//! | the barrier (`oldest_token` is never in the way) | cut 0, uring |
//! | its limit for syncs that share a call (`sync.token > barrier`) | cuts 1 to 18, uring |
//! | a data-sync answers for those it did not fly for | cut 0, uring |
//! | the tail is one byte too low, inline | cut 0, sync |
//! | the wait for the last datasync of a segment before the next | cuts 1 to 9, sync and uring |
//! | the sync of a new segment before its rename | cuts 2 to 19, sync |
//! | the seal in the checksums of the chain | cut 0 of every file system, sync |
//!
//! Not seen: fdatasync instead of fsync as the first data-sync of a file. On Linux the two differ
//! in times and permissions only, which no record needs. The sync of the folder after a segment was
//! renamed: the first data-sync of the renamed file commits the rename too, on these file systems;
//! POSIX does not say so. With the sync backend nothing waits, so it
//! has no barrier to remove.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

#[allow(dead_code, reason = "the program uses the rest")]
#[path = "../../../backends/examples/wal/format/mod.rs"]
mod format;

mod chain;
mod check;
mod stream;
mod workload;

use std::{io, path::Path};

use ringzero::Config;
use ringzero_tests::{
    power::{Cache, FileSystem, Image, Log, Mounted, Volume, after_cut},
    random::{Random, number_from_env},
    real::{Mode, Sync, Uring, Worker},
    skip::skip,
};
use tempfile::TempDir;

use chain::{Release, look_for_chain};
use check::{Found, chain_at, look_for, promised_at};
use workload::{Promise, Promised, Workload};

const GROUPS: u32 = 320;
const CUTS: u64 = 26;
const REQUESTS_LOST_BY_LYING: usize = 24;

/// What was written to a device, and what was promised meanwhile.
struct Recording {
    file_system: FileSystem,
    base: Image,
    log: Log,
    promises: Vec<Promise>,
    releases: Vec<Release>,
}

impl Recording {
    /// Works on a new device through a backend of mode `M`. `None`, and the reason printed, where
    /// that is not possible.
    fn make<M: Mode>(file_system: FileSystem, promised: Promised, seed: u64) -> Option<Self> {
        let what = format!("power cuts of {} under {}", file_system.name(), M::NAME);
        let io = match M::build(&Config::default()) {
            Ok(io) => io,
            Err(reason) => {
                skip(format!("{what}: {reason}"));
                return None;
            }
        };
        let program = Path::new(env!("CARGO_BIN_EXE_power-device"));
        let volume = match Volume::mount(program, file_system) {
            Ok(volume) => volume,
            Err(reason) => {
                skip(format!("{what}: needs root, FUSE and loop devices: {reason}"));
                return None;
            }
        };
        let (promises, releases) = Workload::new(io, &volume, promised, seed).run(GROUPS);
        let (base, log) = volume.unmount().expect("unmounted");
        Some(Self { file_system, base, log, promises, releases })
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
        let (of_chain, released) = chain_at(&self.promises, &self.releases, position);
        let folder = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new())?;
        let (image, root) = (folder.path().join("image"), folder.path().join("mounted"));
        std::fs::create_dir(&root)?;
        let sector_bytes = self.file_system.sector_bytes();
        after_cut((&self.base, &self.log), sector_bytes, position, cache, random).store(&image)?;
        self.file_system.repair(&image)?;
        let mounted = Mounted::new(self.file_system, &image, &root)?;
        let chain = look_for_chain(mounted.path(), of_chain, released);
        let found = look_for(mounted.path(), &promised).and_then(|mut found| {
            found.add(chain?);
            Ok(found)
        });
        mounted.unmount()?;
        found.map_err(io::Error::other)
    }

    /// How many of so many cuts lose what was promised; on a device that lies that may be all of
    /// the file system.
    fn losing_cuts(&self, cuts: u64, cache: Cache, seed: u64) -> u64 {
        let is_losing = |cut: &u64| match self.cut(cache, &mut Random::new(seed + cut)) {
            Ok(found) => found.lost > 0,
            Err(error) => {
                assert_ne!(cache, Cache::Honest, "seed {seed:#x}, cut {cut}: {error}");
                true
            }
        };
        (0..cuts).filter(is_losing).count() as u64
    }
}

/// What a datasync promised survives every cut; what it did not promise may be lost.
fn keeps_promises<M: Mode>(file_system: FileSystem) {
    let seed = number_from_env("RINGZERO_SEED", 0x5EED);
    let cuts = number_from_env("RINGZERO_CUTS", CUTS);
    let Some(recording) = Recording::make::<M>(file_system, Promised::ByDatasync, seed) else {
        return;
    };
    let mut found = Found::default();
    for cut in 0..cuts {
        let left = recording.cut(Cache::Honest, &mut Random::new(seed + cut));
        let left = left.unwrap_or_else(|error| panic!("seed {seed:#x}, cut {cut}: {error}"));
        assert_eq!(left.lost, 0, "seed {seed:#x}, cut {cut}: {left:?}");
        found.add(left);
    }
    assert!(found.promised > 0, "nothing was promised");
    assert!(recording.releases.len() > 3, "nothing was recycled");

    let control_cuts = cuts.div_ceil(4);
    let lying = Cache::Lying { request_count: REQUESTS_LOST_BY_LYING };
    let lying = recording.losing_cuts(control_cuts, lying, seed);
    let unsynced = Recording::make::<M>(file_system, Promised::ByAppend, seed);
    let unsynced = unsynced.expect("it was possible a moment ago");
    let unsynced = unsynced.losing_cuts(control_cuts, Cache::Honest, seed);
    println!(
        "| {} | {} | {} datasyncs, {} recycled, {} requests | {cuts} cuts | {} records \
         promised, {} found, {} lost | controls: {unsynced} of {control_cuts} cuts lose \
         without a datasync, {lying} on a \
         device that lies |",
        file_system.name(),
        M::NAME,
        recording.promises.len(),
        recording.releases.len(),
        recording.log.ends().len(),
        found.promised,
        found.present,
        found.lost,
    );
    assert_ne!(lying, 0, "a lying device lost nothing");
    assert_ne!(unsynced, 0, "without a datasync nothing was lost");
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

            #[test]
            fn btrfs() {
                keeps_promises::<$mode>(FileSystem::Btrfs);
            }
        })*
    };
}

power_cuts! {
    sync: Sync,
    worker: Worker,
    uring: Uring,
}
