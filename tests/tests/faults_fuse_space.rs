//! Guarantees 5, 6 and 7 over a file system that refuses writes and leaves the file usable: no
//! room, no quota, too large, malformed.
//!
//! # Mutations
//! | removed or changed | red |
//! |---|---|
//! | the tail is put back | `an_append_…`, `a_file_whose_append_…`, all modes |
//! | what is behind a failed append is cancelled | `an_append_…`, all but `sync` |
//! | cut at close | `a_file_whose_append_…`, all modes |
//! | failures are noted for syncs | `an_append_…`, `a_write_…`, all modes |
//! | continuation of writes | `neighbours_…`, all but `sync` |
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_core::{Errno, StorageIo, StorageIoError, StorageIoExt};
use ringzero_tests::{
    conformance,
    fixture::Setup,
    fuse::{self, Action, Of, Rule},
    random::bytes,
    real::InMode,
};

const CANCELED: i32 = -Errno::CANCELED.number();
const REFUSALS: [Errno; 4] = [Errno::NOSPC, Errno::DQUOT, Errno::FBIG, Errno::INVAL];

/// A record of 100 bytes for this place.
fn record(id: u64) -> Vec<u8> {
    bytes(id + 1, id * 100, 100)
}

fn records(ids: std::ops::Range<u64>) -> Vec<u8> {
    ids.flat_map(record).collect()
}

fn an_append_without_room_ends_the_prefix_until_it_is_resumed<F: InMode>() {
    let Some(mut s) = fuse::open::<F::Mode>(&Setup::default()) else { return };
    let shared = s.shared();
    for errno in REFUSALS {
        let fd = s.open_anew("log", &[]);
        let sync = s.sync(fd).unwrap();
        assert_eq!(s.wait_for(sync), 0);
        // The third record, wherever its request begins: the first is whole, the second torn.
        let good: Vec<u64> = (0..2).map(|id| s.append(fd, &record(id)).unwrap()).collect();
        s.drain();
        shared.script(Rule::once("log", Of::Writes, Action::Torn(50, errno)));
        // If it was taken apart, it goes out again alone.
        shared.script(Rule::once("log", Of::WriteAt(200), Action::Torn(70, errno)));
        let bad: Vec<u64> = (2..6).map(|id| s.append(fd, &record(id)).unwrap()).collect();
        let covering = s.sync(fd).unwrap();
        let later = s.sync(fd).unwrap();
        s.drain();
        assert_eq!([s.result(good[0]), s.result(good[1])], [100, 100]);
        let results: Vec<i32> = bad.iter().map(|&token| s.result(token)).collect();
        assert_eq!(results, [-errno.number(), CANCELED, CANCELED, CANCELED], "{errno}");
        assert_eq!(s.result(covering), -errno.number(), "the first datasync reports it");
        assert_eq!(s.result(later), 0, "and the next speaks for everything else");
        assert_eq!(shared.sync_count("log"), 2, "the first datasync after it made no call");

        let refused = Err(StorageIoError::Io(errno));
        assert_eq!(s.append(fd, &record(2)), refused);
        assert_eq!(s.append(fd, &record(2)), refused, "until it is resumed");
        assert_eq!(s.io.tail(fd), Ok(200), "where the failed append began");
        assert!(shared.read("log")[..200] == records(0..2));
        assert_eq!(s.io.resume_append(fd), Ok(200));
        shared.state().rules.clear();
        let again: Vec<u64> = (2..4).map(|id| s.append(fd, &record(id)).unwrap()).collect();
        let sync = s.sync(fd).unwrap();
        s.drain();
        assert_eq!([again[0], again[1], sync].map(|token| s.result(token)), [100, 100, 0]);
        assert!(shared.read("log").starts_with(&records(0..4)));
        s.io.deregister_fd(fd).unwrap();
        assert!(shared.read("log") == records(0..4), "{errno}: cut back to the tail");
    }
}

fn a_file_whose_append_failed_is_cut_back_when_it_is_closed<F: InMode>() {
    let Some(mut s) = fuse::open::<F::Mode>(&Setup::default()) else { return };
    let shared = s.shared();
    for errno in REFUSALS {
        let fd = s.open_anew("log", &[]);
        let good = s.append(fd, &record(0)).unwrap();
        s.drain();
        shared.script(Rule::once("log", Of::Writes, Action::Short(60)));
        shared.script(Rule::once("log", Of::Writes, Action::Fail(errno)));
        let bad = s.append(fd, &record(1)).unwrap();
        s.drain();
        assert_eq!([s.result(good), s.result(bad)], [100, -errno.number()]);
        assert_eq!(shared.read("log").len(), 160, "control: the failed append left bytes");
        s.io.deregister_fd(fd).unwrap();
        assert!(shared.read("log") == record(0));
    }
}

fn a_write_without_room_fails_alone<F: InMode>() {
    let Some(mut s) = fuse::open::<F::Mode>(&Setup::default()) else { return };
    let shared = s.shared();
    for errno in REFUSALS {
        let fd = s.open_anew("data", &[1; 4_000]);
        shared.script(Rule::once("data", Of::WriteAt(1_000), Action::Fail(errno)));
        let before = s.write(fd, &record(0), 0).unwrap();
        let bad = s.write(fd, &bytes(50, 1_000, 100), 1_000).unwrap();
        let beside = s.write(fd, &bytes(20, 2_000, 100), 2_000).unwrap();
        s.drain();
        let results = [before, bad, beside].map(|token| s.result(token));
        assert_eq!(results, [100, -errno.number(), 100], "{errno}");
        let after = s.write(fd, &bytes(30, 3_000, 100), 3_000).unwrap();
        let append = s.append(fd, &bytes(40, 4_000, 100)).unwrap();
        let reports = s.sync(fd).unwrap();
        s.drain();
        assert_eq!([s.result(after), s.result(append)], [100, 100], "the file is usable");
        assert_eq!(s.result(reports), -errno.number());
        assert_eq!(shared.sync_count("data"), 0, "it reports without a call");
        let speaks = s.sync(fd).unwrap();
        assert_eq!(s.wait_for(speaks), 0);
        assert_eq!(shared.sync_count("data"), 1);
        let mut expected = vec![1; 4_100];
        expected[..100].copy_from_slice(&record(0));
        for (id, at) in [(20, 2_000), (30, 3_000), (40, 4_000)] {
            expected[at..at + 100].copy_from_slice(&bytes(id, at as u64, 100));
        }
        assert!(shared.read("data") == expected);
        assert!(shared.state().file("data").durable == expected, "all of it is durable");
        assert_eq!(s.io.file_status(fd).unwrap().failed, None);
        s.io.deregister_fd(fd).unwrap();
        assert!(shared.read("data") == expected);
    }
}

fn neighbours_of_a_write_without_room_succeed<F: InMode>() {
    // Adjacent writes may travel as one request; of it, only the one that has no room fails.
    let Some(mut s) = fuse::open::<F::Mode>(&Setup::default()) else { return };
    let shared = s.shared();
    for errno in REFUSALS {
        let fd = s.open_anew("data", &[1; 800]);
        shared.script(Rule::once("data", Of::WriteAt(0), Action::Short(300)));
        shared.script(Rule::times("data", Of::WriteAt(300), Action::Fail(errno), 2));
        let tokens: Vec<u64> =
            (0..6).map(|id| s.write(fd, &record(id), id * 100).unwrap()).collect();
        s.drain();
        let results: Vec<i32> = tokens.iter().map(|&token| s.result(token)).collect();
        let is_merged = shared.write_count("data") < 8;
        println!("{}: {} requests, {results:?}", F::NAME, shared.write_count("data"));
        let expected = [100, 100, 100, -errno.number(), 100, 100];
        assert_eq!(results, expected, "merged: {is_merged}");
        let image = shared.read("data");
        assert!(image[..300] == records(0..3) && image[400..600] == records(4..6));
        assert!(image[300..400] == [1; 100] && image[600..] == [1; 200]);
        s.io.deregister_fd(fd).unwrap();
    }
}

conformance!(
    @real
    an_append_without_room_ends_the_prefix_until_it_is_resumed,
    a_file_whose_append_failed_is_cut_back_when_it_is_closed,
    a_write_without_room_fails_alone,
    neighbours_of_a_write_without_room_succeed,
);
