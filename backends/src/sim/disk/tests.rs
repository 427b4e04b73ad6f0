//! The disk by itself: who is told of an error, what a sync covers, what a crash leaves.
//!
//! # Mutations
//! | changed | red |
//! |---|---|
//! | a later sync makes lost bytes durable | `what_was_lost_…`, `of_two_overlapping_syncs_…` |
//! | a sync covers what comes while it runs | `a_sync_covers_…` |
//! | an error is told for ever | `each_open_file_…`, `of_two_overlapping_syncs_…` |
//! | an error is told to one open file only | `each_open_file_…` |
//! | nothing is torn | `a_crash_keeps_drops_and_tears_…` |
//! | nothing under way gets through | `a_write_under_way_…`, `a_truncation_under_way_…` |
//! | the size after a truncation is durable at once | `a_truncation_is_durable_…` |
//! | it is the smallest or the largest, none between | that, and `a_crash_leaves_any_size_…` |
//! | a hole goes beyond the end | `a_hole_is_zeros_…` |

use std::collections::BTreeSet;

use super::*;

/// A disk with one file that durably holds `content`, and the file twice open.
fn opened(content: &[u8]) -> (SimDisk, SimFile, SimFile) {
    let disk = SimDisk::new();
    let file = disk.create("file", content);
    let other = disk.open("file").unwrap();
    (disk, file, other)
}

fn crashes(disk: &SimDisk) -> BTreeSet<Vec<u8>> {
    let crash = |seed| disk.crash(std::iter::empty(), &mut Random::new(seed));
    (0..2_000).map(|seed| crash(seed).read("file").unwrap()).collect()
}

fn sync(disk: &SimDisk, file: &mut SimFile) -> Outcome {
    let stamp = disk.begin_sync(file.inode());
    file.end_sync(stamp)
}

const EIO: Outcome = Err(Errno::IO);

#[test]
fn of_two_overlapping_syncs_of_one_open_file_one_gets_the_error_and_one_a_false_success() {
    let (disk, mut file, _) = opened(&[]);
    disk.write(0, 0, &[1; 16 * 512]).unwrap();
    let first = disk.begin_sync(0);
    disk.fail_write_back(0, Errno::IO, &mut Random::new(1));
    let second = disk.begin_sync(0);
    assert_eq!(file.end_sync(second), EIO, "whoever asks first");
    assert_eq!(file.end_sync(first), Ok(0), "the other: a false success");
    assert!(crashes(&disk).iter().any(|image| image.contains(&0)), "and bytes are lost");
}

#[test]
fn each_open_file_is_told_once() {
    let (disk, mut file, mut other) = opened(&[]);
    disk.write(0, 0, b"lost").unwrap();
    disk.fail_write_back(0, Errno::IO, &mut Random::new(1));
    assert_eq!(sync(&disk, &mut file), EIO);
    assert_eq!(sync(&disk, &mut file), Ok(0), "told once");
    assert_eq!(sync(&disk, &mut other), EIO, "each of them");
    let mut late = disk.open("file").unwrap();
    assert_eq!(sync(&disk, &mut late), Ok(0), "others were told before it was opened");
    disk.fail_write_back(0, Errno::NOSPC, &mut Random::new(1));
    let mut later = disk.open("file").unwrap();
    assert_eq!(sync(&disk, &mut later), Err(Errno::NOSPC), "nobody was told of this one");
}

#[test]
fn what_was_lost_is_seen_by_readers_and_never_made_durable_until_it_is_written_again() {
    // A seed with which the one sector is lost.
    let seed = (0..).find(|seed| Random::new(*seed).below(1_000) >= 500).unwrap();
    let (disk, mut file, _) = opened(&[]);
    disk.write(0, 0, b"lost").unwrap();
    disk.fail_write_back(0, Errno::IO, &mut Random::new(seed));
    assert_eq!(sync(&disk, &mut file), EIO);
    assert_eq!(sync(&disk, &mut file), Ok(0));
    assert_eq!(disk.read("file").unwrap(), b"lost");
    assert!(crashes(&disk).contains(&vec![0; 4]), "the size is durable, the bytes are not");
    disk.write(0, 0, b"kept").unwrap();
    assert_eq!(sync(&disk, &mut file), Ok(0));
    assert_eq!(crashes(&disk), BTreeSet::from([b"kept".to_vec()]));
}

#[test]
fn a_sync_covers_what_took_effect_before_it_began() {
    let (disk, mut file, _) = opened(b"aaaa");
    disk.write(0, 0, b"bbbb").unwrap();
    let stamp = disk.begin_sync(0);
    disk.write(0, 0, b"cccc").unwrap();
    assert_eq!(file.end_sync(stamp), Ok(0));
    let images = crashes(&disk);
    assert!(images.contains(&b"bbbb"[..]) && images.contains(&b"cccc"[..]));
    assert!(images.iter().flatten().all(|byte| matches!(byte, b'b' | b'c')), "{images:?}");
}

#[test]
fn a_crash_keeps_drops_and_tears_what_is_not_synced_and_nothing_else() {
    let (disk, mut file, _) = opened(&[b'a'; 1_024]);
    disk.write(0, 0, &[b'b'; 100]).unwrap();
    assert_eq!(sync(&disk, &mut file), Ok(0));
    disk.write(0, 500, &[b'c'; 100]).unwrap();
    disk.write(0, 500, &[b'd'; 100]).unwrap();
    let images = crashes(&disk);
    let mut places = [const { BTreeSet::new() }; 2];
    for image in &images {
        assert_eq!(image.len(), 1_024);
        assert!(image[..100].iter().all(|byte| *byte == b'b'), "synced");
        assert!(image[100..500].iter().chain(&image[600..]).all(|byte| *byte == b'a'));
        places[0].insert(image[500..512].to_vec());
        places[1].insert(image[512..600].to_vec());
    }
    for (place, len) in places.iter().zip([12, 88]) {
        for byte in *b"acd" {
            assert!(place.contains(&vec![byte; len]), "any version");
        }
        assert!(place.iter().any(|bytes| bytes.first() != bytes.last()), "torn");
    }
    let is_mixed = |image: &Vec<u8>| image[500] != image[599];
    assert!(images.iter().any(is_mixed), "sectors by themselves");
}

#[test]
fn a_crash_leaves_any_size_since_the_last_sync() {
    let (disk, _, _) = opened(b"aaaa");
    disk.write(0, 4, &[b'b'; 60]).unwrap();
    disk.cut_back(0, 40);
    let images = crashes(&disk);
    let sizes: BTreeSet<usize> = images.iter().map(Vec::len).collect();
    assert_eq!((sizes.first(), sizes.last()), (Some(&4), Some(&64)));
    assert!(sizes.len() > 50, "{sizes:?}");
    let is_right = |image: &Vec<u8>| {
        let written = |byte: &u8| matches!(byte, 0 | b'b');
        image.starts_with(b"aaaa") && image[4..].iter().all(written)
    };
    assert!(images.iter().all(is_right), "bytes never written are zero");
}

#[test]
fn a_truncation_is_durable_after_a_sync_and_may_be_undone_before() {
    let (disk, mut file, _) = opened(&[b'a'; 2_000]);
    disk.alter(0, Alteration::Truncate { len: 700 }).unwrap();
    let sizes: BTreeSet<usize> = crashes(&disk).iter().map(Vec::len).collect();
    assert_eq!((sizes.first(), sizes.last()), (Some(&700), Some(&2_000)), "either, or between");
    assert!(sizes.len() > 50, "{sizes:?}");
    let stamp = disk.begin_sync(0);
    file.end_sync(stamp).unwrap();
    assert!(crashes(&disk).iter().all(|image| *image == [b'a'; 700]));

    disk.alter(0, Alteration::Truncate { len: 1_500 }).unwrap();
    assert_eq!(disk.read("file").unwrap(), [vec![b'a'; 700], vec![0; 800]].concat());
    let is_right =
        |image: &Vec<u8>| image[..700] == [b'a'; 700] && image[700..].iter().all(|byte| *byte == 0);
    assert!(crashes(&disk).iter().all(is_right), "what was cut off never comes back");
    let large = Alteration::Truncate { len: SimDisk::LARGEST_FILE_BYTES + 1 };
    assert_eq!(disk.alter(0, large), Err(Errno::FBIG));
}

#[test]
fn a_truncation_under_way_may_have_got_through() {
    let (disk, ..) = opened(&[b'a'; 2_000]);
    let mut sizes = BTreeSet::new();
    for seed in 0..500 {
        let under_way = [(0, Effect::Alter(Alteration::Truncate { len: 700 }))].into_iter();
        let image = disk.crash(under_way, &mut Random::new(seed)).read("file").unwrap();
        assert!(image.iter().all(|byte| *byte == b'a' || *byte == 0));
        sizes.insert(image.len());
    }
    assert_eq!((sizes.first(), sizes.last()), (Some(&700), Some(&2_000)));
}

#[test]
fn a_hole_is_zeros_up_to_the_end_and_durable_after_a_sync() {
    let (disk, mut file, _) = opened(&[b'a'; 2_000]);
    disk.alter(0, Alteration::Punch { offset: 600, len: 9_000 }).unwrap();
    let expected = [vec![b'a'; 600], vec![0; 1_400]].concat();
    assert_eq!(disk.read("file").unwrap(), expected);
    assert!(crashes(&disk).iter().any(|image| *image != expected), "control: not before");
    let stamp = disk.begin_sync(0);
    file.end_sync(stamp).unwrap();
    assert!(crashes(&disk).iter().all(|image| *image == expected));
    disk.alter(0, Alteration::Punch { offset: 5_000, len: 10 }).unwrap();
    assert_eq!(disk.read("file").unwrap(), expected, "nothing is there");
}

#[test]
fn a_write_under_way_may_have_got_through_in_part() {
    let (disk, _, _) = opened(&[b'a'; 2_048]);
    let data = [b'b'; 1_024];
    let mut seen = BTreeSet::new();
    for seed in 0..500 {
        let under_way = std::iter::once((0, Effect::Write(512, &data)));
        let image = disk.crash(under_way, &mut Random::new(seed)).read("file").unwrap();
        assert!(image[..512].iter().chain(&image[1_536..]).all(|byte| *byte == b'a'));
        seen.insert((image[512], image[1_535]));
    }
    let all = [(b'a', b'a'), (b'a', b'b'), (b'b', b'a'), (b'b', b'b')];
    assert_eq!(seen, BTreeSet::from(all));
}

#[test]
fn the_disk_after_a_crash_is_durable_and_has_no_errors_to_tell() {
    let (disk, _, _) = opened(&[]);
    disk.write(0, 0, &[1; 2_000]).unwrap();
    disk.fail_write_back(0, Errno::IO, &mut Random::new(1));
    let after = disk.crash(std::iter::empty(), &mut Random::new(2));
    assert_eq!(crashes(&after), BTreeSet::from([after.read("file").unwrap()]));
    let mut file = after.open("file").unwrap();
    assert_eq!(sync(&after, &mut file), Ok(0));
}

#[test]
fn a_file_has_a_largest_size() {
    let (disk, _, _) = opened(&[]);
    assert_eq!(disk.write(0, SimDisk::LARGEST_FILE_BYTES - 1, b"ab"), Err(Errno::FBIG));
    assert_eq!(disk.write(0, u64::MAX, b"ab"), Err(Errno::FBIG));
    assert_eq!(disk.read("file").unwrap(), b"");
}
