//! [`CutStorage`]: a storage over the simulated disk, of which images are taken while redb works,
//! each what a power cut at that moment leaves.
//!
//! A moment is before any call that redb makes: writes are on their way then, and what they have
//! become in an image is decided by its seed. redb does not notice.
//!
//! Two things redb takes for granted, and images are none that lack them: that it was not the very
//! making of the database that was cut short (what is left then is refused as no database), and
//! that the length after a cut is one that it has set. ext4 and XFS change it in one transaction;
//! the simulated disk may leave any length between, since `submit_truncate` promises no more.

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use redb::{Database, StorageBackend};
use ringzero::{Config, SimBackend, SimCounts, SimDisk, SimFaults};
use ringzero_tests::random::Random;

use crate::{
    program::{look, open_database},
    state::Progress,
    storage::{RingzeroStorage, limits},
};

/// The name of the file on the disk.
pub const FILE: &str = "database";

/// What a sync does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discipline {
    /// What it should.
    Syncs,
    /// Nothing, successfully: tests must notice.
    OnlySaysSo,
}

/// A disk after a power cut, and what may be found there.
#[derive(Debug)]
pub struct Image {
    /// The disk.
    pub disk: SimDisk,
    /// At the moment of the cut.
    pub progress: Progress,
}

/// Where and how often images are taken.
#[derive(Debug)]
pub struct Cuts {
    /// Moments and seeds of images.
    pub random: Random,
    /// So many calls per mille.
    pub per_mille: u64,
    /// What a sync does.
    pub discipline: Discipline,
    /// What the program has achieved.
    pub progress: Arc<Mutex<Progress>>,
    /// Every length that redb has set.
    pub lengths: BTreeSet<u64>,
    /// Those taken.
    pub images: Vec<Image>,
}

impl Cuts {
    /// Cuts by a seed, so many calls per mille, under a program.
    pub fn new(
        seed: u64,
        per_mille: u64,
        discipline: Discipline,
        progress: &Arc<Mutex<Progress>>,
    ) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            random: Random::new(seed),
            per_mille,
            discipline,
            progress: Arc::clone(progress),
            lengths: BTreeSet::new(),
            images: Vec::new(),
        }))
    }
}

/// A storage of which images are taken.
#[derive(Clone, Debug)]
pub struct CutStorage {
    storage: RingzeroStorage<SimBackend>,
    cuts: Arc<Mutex<Cuts>>,
}

impl CutStorage {
    /// The file of a disk, which meets `faults`, through a new backend.
    ///
    /// # Errors
    /// What the backend refuses the file with.
    pub fn new(
        disk: &SimDisk,
        seed: u64,
        faults: SimFaults,
        cuts: &Arc<Mutex<Cuts>>,
    ) -> io::Result<Self> {
        let config = Config { limits: limits(), ..Config::default() };
        let mut io = SimBackend::on(&config, disk, seed).map_err(io::Error::other)?;
        io.inject(faults);
        let file = disk.open(FILE).unwrap_or_else(|| disk.create(FILE, b""));
        let storage = RingzeroStorage::new(io, file)?;
        Ok(Self { storage, cuts: Arc::clone(cuts) })
    }

    /// Takes an image now, if the database is made.
    pub fn take_image(&self) {
        let mut cuts = lock(&self.cuts);
        let progress = look(&cuts.progress).clone();
        let mut is_whole = false;
        while progress.is_made && !is_whole {
            let seed = cuts.random.next();
            let disk = self.storage.with(|io| io.crash_image(seed));
            let len = disk.read(FILE).unwrap_or_default().len() as u64;
            is_whole = cuts.lengths.contains(&len);
            if is_whole {
                cuts.images.push(Image { disk, progress: progress.clone() });
            }
        }
    }

    /// What the disk did to this storage.
    pub fn counts(&self) -> SimCounts {
        self.storage.with(|io| io.counts())
    }

    /// Takes an image now and then.
    fn pass(&self) {
        let is_now = {
            let mut cuts = lock(&self.cuts);
            let per_mille = cuts.per_mille;
            cuts.random.chance(per_mille)
        };
        if is_now {
            self.take_image();
        }
    }
}

/// Whoever panicked.
pub fn lock(cuts: &Mutex<Cuts>) -> MutexGuard<'_, Cuts> {
    cuts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens the database on a disk as after a power cut, and finds it in a state that the cut may
/// leave, undamaged and fit for more.
///
/// # Errors
/// What is wrong with it.
pub fn check(image: &Image, seed: u64) -> Result<(), String> {
    let cuts = Cuts::new(seed, 0, Discipline::Syncs, &Arc::default());
    let storage = CutStorage::new(&image.disk, seed, SimFaults::HARMLESS, &cuts)
        .map_err(|error| format!("registering: {error}"))?;
    let mut database = open_database(storage).map_err(|error| format!("opening: {error}"))?;
    image.progress.recognise(&database)?;
    is_sound(&mut database)
}

fn is_sound(database: &mut Database) -> Result<(), String> {
    match database.check_integrity() {
        Ok(true) => Ok(()),
        Ok(false) => Err("damage was found".to_owned()),
        Err(error) => Err(format!("checking: {error}")),
    }
}

impl StorageBackend for CutStorage {
    fn len(&self) -> io::Result<u64> {
        self.storage.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.pass();
        self.storage.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.pass();
        lock(&self.cuts).lengths.insert(len);
        self.storage.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.pass();
        let discipline = lock(&self.cuts).discipline;
        match discipline {
            Discipline::Syncs => self.storage.sync_data(),
            Discipline::OnlySaysSo => Ok(()),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.pass();
        self.storage.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.storage.close()
    }
}
