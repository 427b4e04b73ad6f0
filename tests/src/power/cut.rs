//! What a cut leaves: [`after_cut`].
//!
//! Worked example: write A to sectors 0 and 1, flush, write B to sectors 1 and 2, write C to sector
//! 1, cut. Sector 0 has A; sector 1 has A, B or C; sector 2 has B or what was there before A.

use std::collections::BTreeMap;

use super::{
    image::Image,
    log::{Entry, Log},
};
use crate::random::Random;

/// What the device makes of a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// It puts everything before on the medium.
    Honest,
    /// Nothing: so many of the latest requests are not on the medium yet, flushed or not.
    Lying {
        /// How many.
        request_count: usize,
    },
}

impl Cache {
    /// How many of `entries`, the first ones, are on the medium for certain.
    fn settled(self, entries: &[Entry]) -> usize {
        match self {
            Self::Honest => {
                entries.iter().rposition(|entry| *entry == Entry::Flush).map_or(0, |at| at + 1)
            }
            Self::Lying { request_count } => entries.len().saturating_sub(request_count),
        }
    }
}

/// What is on a medium that held `base`, with sectors of `sector_bytes`, whose power was cut when
/// the log was at `position`.
///
/// # Panics
/// If a write is not one of whole sectors.
pub fn after_cut(
    (base, log): (&Image, &Log),
    sector_bytes: usize,
    position: u64,
    cache: Cache,
    random: &mut Random,
) -> Image {
    let entries = log.until(position);
    let (settled, volatile) = entries.split_at(cache.settled(entries));
    let mut image = base.clone();
    for entry in settled {
        if let Entry::Write { offset, data } = entry {
            image.write(*offset, log.data(data));
        }
    }
    for (sector, versions) in versions(log, volatile, sector_bytes, random) {
        let version = versions[random.below(versions.len() as u64) as usize];
        image.write(sector * sector_bytes as u64, version);
    }
    image
}

/// The volatile sectors that reach the medium, with all that was written to each. How many do is
/// a matter of chance too: none, all, or a part.
fn versions<'a>(
    log: &'a Log,
    volatile: &[Entry],
    sector_bytes: usize,
    random: &mut Random,
) -> BTreeMap<u64, Vec<&'a [u8]>> {
    let mut versions: BTreeMap<u64, Vec<&[u8]>> = BTreeMap::new();
    for entry in volatile {
        let Entry::Write { offset, data } = entry else { continue };
        let data = log.data(data);
        assert!(offset.is_multiple_of(sector_bytes as u64), "{offset}");
        assert!(data.len().is_multiple_of(sector_bytes), "{}", data.len());
        for (sector, bytes) in (offset / sector_bytes as u64..).zip(data.chunks(sector_bytes)) {
            versions.entry(sector).or_default().push(bytes);
        }
    }
    let per_mille = 250 * random.below(5);
    versions.retain(|_, _| random.chance(per_mille));
    versions
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::power::log::LogWriter;

    /// The first bytes of three sectors after many cuts at the end of the example of the header.
    fn outcomes(cache: Cache) -> BTreeSet<[u8; 3]> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut writer = LogWriter::create(&path).unwrap();
        writer.write(0, &[b'A'; 1_024]).unwrap();
        writer.flush().unwrap();
        writer.write(512, &[b'B'; 1_024]).unwrap();
        writer.write(512, &[b'C'; 512]).unwrap();
        let log = Log::load(&path).unwrap();
        let mut base = Image::new(1_536);
        base.write(0, &[b'0'; 1_536]);
        let outcome = |seed| {
            let image = after_cut((&base, &log), 512, u64::MAX, cache, &mut Random::new(seed));
            let mut bytes = [0; 1_536];
            image.read(0, &mut bytes);
            for sector in bytes.chunks(512) {
                assert!(sector.iter().all(|byte| *byte == sector[0]), "a torn sector");
            }
            [bytes[0], bytes[512], bytes[1_024]]
        };
        (0..500).map(outcome).collect()
    }

    fn all_of(first: &[u8], second: &[u8], third: &[u8]) -> BTreeSet<[u8; 3]> {
        let pairs = first.iter().flat_map(|a| second.iter().map(move |b| (*a, *b)));
        pairs.flat_map(|(a, b)| third.iter().map(move |c| [a, b, *c])).collect()
    }

    #[test]
    fn a_cut_leaves_everything_that_it_may_and_nothing_else() {
        assert_eq!(outcomes(Cache::Honest), all_of(b"A", b"ABC", b"0B"));
    }

    #[test]
    fn a_device_that_lies_forgets_what_was_flushed() {
        // The flush is an entry of the log too.
        let lying = |request_count| outcomes(Cache::Lying { request_count });
        assert_eq!(lying(2), all_of(b"A", b"ABC", b"0B"));
        assert_eq!(lying(4), all_of(b"0A", b"0ABC", b"0B"));
    }
}
