//! [`Sectors`]: one file's bytes, as a reader sees them and as a power cut may leave them.
//!
//! Every write leaves a *version* of each 512-byte sector that it touched, stamped with the order
//! in which it took effect. What is *durable* is one image; what has not become durable is a list
//! of versions per sector, and of sizes. A crash chooses, for each such sector by itself, the
//! durable bytes, any version, or a part of one and the rest of another; and any size from the
//! smallest to the largest that the file had since.
//!
//! It knows nothing of requests, calls or errors: the disk says what becomes durable and what is
//! lost.
//!
//! Worked example: `aaaa` is durable; `bbbb` and then `cccc` are written over it. A crash leaves
//! `aaaa`, `bbbb`, `cccc`, or a mixture such as `ccaa`. A sync that began between the two writes
//! and succeeds makes `bbbb` durable: after that a crash never leaves `aaaa`.
//!
//! Invariants: the versions of a sector are in the order of their stamps, and so are the sizes;
//! lost versions come before those that are not; the bytes at and beyond the size are zero in the
//! newest version of a sector.

use std::collections::BTreeMap;

use super::random::Random;

/// Bytes of a sector: what a power cut leaves whole on a device, more often than not.
pub(super) const SECTOR_BYTES: usize = 512;

type Sector = [u8; SECTOR_BYTES];

const ZEROS: Sector = [0; SECTOR_BYTES];

/// The bytes of a sector at one time, not known to be durable.
#[derive(Clone, Debug)]
struct Version {
    stamp: u64,
    /// Writing it back failed: nobody will try again, but the attempt may have got through.
    is_lost: bool,
    bytes: Box<Sector>,
}

/// One file's bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Sectors {
    /// What a reader sees.
    current: Vec<u8>,
    durable: Vec<u8>,
    durable_size: u64,
    versions: BTreeMap<u64, Vec<Version>>,
    sizes: Vec<(u64, u64)>,
    stamp: u64,
}

impl Sectors {
    /// A file that durably holds `content`.
    pub(super) fn new(content: Vec<u8>) -> Self {
        Self {
            durable: content.clone(),
            durable_size: content.len() as u64,
            current: content,
            ..Self::default()
        }
    }

    /// What a reader sees.
    pub(super) fn current(&self) -> &[u8] {
        &self.current
    }

    /// The order of what took effect last. Only grows.
    pub(super) const fn stamp(&self) -> u64 {
        self.stamp
    }

    /// Everything that a reader sees is durable.
    pub(super) fn is_clean(&self) -> bool {
        self.versions.is_empty() && self.sizes.is_empty()
    }

    /// Puts `data` at `offset`. The end is below the largest size that memory can hold.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        self.stamp += 1;
        let begin = offset as usize;
        let end = begin + data.len();
        if end > self.current.len() {
            self.current.resize(end, 0);
            self.sizes.push((self.stamp, end as u64));
        }
        if let Some(place) = self.current.get_mut(begin..end) {
            place.copy_from_slice(data);
        }
        self.note_versions(begin, end);
    }

    /// Makes the file `byte_count` long; what is added is zeros.
    pub(super) fn truncate(&mut self, byte_count: u64) {
        let end = self.current.len();
        if byte_count == end as u64 {
            return;
        }
        self.stamp += 1;
        self.current.resize(byte_count as usize, 0);
        self.sizes.push((self.stamp, byte_count));
        self.note_versions(byte_count as usize, end);
    }

    /// Makes zeros of what the file has of a range.
    pub(super) fn punch(&mut self, offset: u64, byte_count: u64) {
        let end = offset.saturating_add(byte_count).min(self.current.len() as u64);
        let byte_count = end.saturating_sub(offset);
        self.write(offset, &vec![0; byte_count as usize]);
    }

    fn note_versions(&mut self, begin: usize, end: usize) {
        for number in begin / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES) {
            let bytes = Box::new(sector_of(&self.current, number));
            let version = Version { stamp: self.stamp, is_lost: false, bytes };
            self.versions.entry(number as u64).or_default().push(version);
        }
    }

    /// Makes durable what took effect up to `stamp` and is not lost.
    pub(super) fn make_durable(&mut self, stamp: u64) {
        let Self { versions, durable, .. } = self;
        versions.retain(|number, versions| settle(durable, *number, versions, stamp));
        self.settle_size(stamp);
    }

    /// Makes durable what took effect in the sectors of a range and is not lost, and the size.
    pub(super) fn make_range_durable(&mut self, (begin, end): (u64, u64)) {
        let sector_bytes = SECTOR_BYTES as u64;
        let numbers = begin / sector_bytes..end.div_ceil(sector_bytes);
        let Self { versions, durable, stamp, .. } = self;
        versions.retain(|number, versions| {
            !numbers.contains(number) || settle(durable, *number, versions, *stamp)
        });
        self.settle_size(self.stamp);
    }

    /// Makes some sectors durable as they are now, by chance, and perhaps the size.
    pub(super) fn make_some_durable(&mut self, random: &mut Random) {
        let Self { versions, durable, stamp, .. } = self;
        versions.retain(|number, versions| {
            random.chance(500) || settle(durable, *number, versions, *stamp)
        });
        if random.chance(500) {
            self.settle_size(self.stamp);
        }
    }

    /// Writing back what took effect up to `stamp` failed: of each sector that was not durable, by
    /// chance, it became durable, or it never will.
    pub(super) fn lose(&mut self, stamp: u64, random: &mut Random) {
        let Self { versions, durable, .. } = self;
        versions.retain(|number, versions| {
            if random.chance(500) {
                return settle(durable, *number, versions, stamp);
            }
            for version in versions.iter_mut().filter(|version| version.stamp <= stamp) {
                version.is_lost = true;
            }
            true
        });
    }

    fn settle_size(&mut self, stamp: u64) {
        let count = self.sizes.partition_point(|(at, _)| *at <= stamp);
        if let Some((_, size)) = self.sizes.drain(..count).next_back() {
            self.durable_size = size;
        }
    }

    /// What a power cut at this moment leaves.
    pub(super) fn crash(&self, random: &mut Random) -> Vec<u8> {
        // Now and then everything arrived, or nothing but what had to.
        let (keeps_all, keeps_none) = (random.chance(125), random.chance(125));
        let size = self.size_after_crash(random, (keeps_all, keeps_none));
        let mut image = self.durable.clone();
        for (number, versions) in &self.versions {
            let old = sector_of(&self.durable, *number as usize);
            let newest = versions.last().map_or(old, |version| *version.bytes);
            let survivor = if keeps_all {
                newest
            } else if keeps_none {
                continue;
            } else {
                survivor(&old, versions, random)
            };
            put_sector(&mut image, *number, &survivor);
        }
        image.resize(size as usize, 0);
        image
    }

    fn size_after_crash(&self, random: &mut Random, (all, none): (bool, bool)) -> u64 {
        let sizes = self.sizes.iter().map(|(_, size)| *size);
        let (mut least, mut most) = (self.durable_size, self.durable_size);
        for size in sizes.clone() {
            least = least.min(size);
            most = most.max(size);
        }
        match random.below(4) {
            _ if all => self.current.len() as u64,
            _ if none => self.durable_size,
            0 => least,
            1 => most,
            _ => least + random.below(most - least + 1),
        }
    }
}

/// Makes the newest version up to `stamp` durable that is not lost. Whether versions are left.
fn settle(durable: &mut Vec<u8>, number: u64, versions: &mut Vec<Version>, stamp: u64) -> bool {
    let settles = |version: &Version| version.stamp <= stamp && !version.is_lost;
    if let Some(at) = versions.iter().rposition(settles)
        && let Some(version) = versions.drain(..=at).next_back()
    {
        put_sector(durable, number, &version.bytes);
    }
    !versions.is_empty()
}

/// What is left of a sector: one of its versions, the old bytes, or a part of one and a part of
/// another.
fn survivor(old: &Sector, versions: &[Version], random: &mut Random) -> Sector {
    let mut any = || match versions.get(random.below(versions.len() as u64 + 1) as usize) {
        Some(version) => *version.bytes,
        None => *old,
    };
    let (mut survivor, other) = (any(), any());
    if random.chance(500) {
        let torn_at = random.below(SECTOR_BYTES as u64) as usize;
        for (byte, other) in survivor.iter_mut().zip(other).skip(torn_at) {
            *byte = other;
        }
    }
    survivor
}

/// The bytes of a sector; zeros where the image has none.
fn sector_of(image: &[u8], number: usize) -> Sector {
    let mut sector = ZEROS;
    let bytes = image.get(number * SECTOR_BYTES..).unwrap_or_default();
    for (to, from) in sector.iter_mut().zip(bytes) {
        *to = *from;
    }
    sector
}

fn put_sector(image: &mut Vec<u8>, number: u64, sector: &Sector) {
    let begin = number as usize * SECTOR_BYTES;
    let end = begin + SECTOR_BYTES;
    if image.len() < end {
        image.resize(end, 0);
    }
    if let Some(place) = image.get_mut(begin..end) {
        place.copy_from_slice(sector);
    }
}
