//! Reads over a file system that shortens them, sends them back, loses them and answers late.
//!
//! io_uring reads nothing here: after a short answer the kernel goes on at the wrong place (see
//! `platform::linux::reading`), so that is refused.
//!
//! # Mutations
//! | removed or changed | red |
//! |---|---|
//! | an error of a read is noted for syncs | `a_lost_read_is_an_error_of_its_own`, all modes |
//! | a read that fails keeps its blocks | `a_lost_read_...`, all modes |
//! | io_uring: reads on FUSE are refused | `io_uring_reads_nothing_from_fuse`, 4 modes |
//! | reads are refused on a failed file | `a_failed_file_can_be_read`, all modes |
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)]

use ringzero_core::{Errno, IoFd, StorageIoError, StorageIoExt};
use ringzero_tests::{
    conformance,
    fixture::Setup,
    fuse::{self, Action, Fused, Of, Rule},
    random::bytes,
    real::{InMode, Mode},
    session::Session,
};

const CONTENT: usize = 100_000;

/// A file of `CONTENT` bytes, in the modes that read.
fn session<M: Mode>() -> Option<(Session<Fused<M>>, IoFd)> {
    if M::NAME.starts_with("uring") {
        return None;
    }
    file::<M>()
}

fn file<M: Mode>() -> Option<(Session<Fused<M>>, IoFd)> {
    let mut s = fuse::open::<M>(&Setup::default())?;
    let fd = s.open_anew("file", &bytes(9, 0, CONTENT));
    Some((s, fd))
}

fn a_read_gives_what_the_file_system_has<F: InMode>() {
    let Some((mut s, fd)) = session::<F::Mode>() else { return };
    let content = bytes(9, 0, CONTENT);
    for (offset, len) in [(0, 100), (50_000, 3_000), (99_990, 100), (100_000, 5)] {
        let token = s.read(fd, len, offset).unwrap();
        let end = CONTENT.min(offset as usize + len);
        assert!(s.bytes_of(token) == content[offset as usize..end], "{len} at {offset}");
    }
    let asked = s.shared().state().requests("file").len();
    assert!(asked > 0, "control: the file system was asked");
    let data = bytes(2, 60_000, 500);
    s.write(fd, &data, 60_000).unwrap();
    let token = s.read(fd, 500, 60_000).unwrap();
    assert!(s.bytes_of(token) == data);
}

fn a_short_read_goes_on_where_it_ended<F: InMode>() {
    let Some((mut s, fd)) = session::<F::Mode>() else { return };
    s.shared().script(Rule::times("file", Of::Reads, Action::Short(100), 5));
    let token = s.read(fd, 1_000, 3_000).unwrap();
    let seen = s.bytes_of(token);
    assert!(seen == bytes(9, 0, CONTENT)[3_000..4_000]);
    let asked = s.shared().state().requests("file").len();
    assert!(asked >= 6, "control: {asked} requests");
}

fn a_lost_read_is_an_error_of_its_own<F: InMode>() {
    let Some((mut s, fd)) = session::<F::Mode>() else { return };
    let content = bytes(9, 0, CONTENT);
    // More often than there is room for reads that would keep theirs.
    for round in 0..12 {
        s.shared().script(Rule::times("file", Of::Reads, Action::Fail(Errno::IO), 1_000));
        let token = s.read(fd, 512, round * 512).unwrap();
        assert_eq!(s.wait_for(token), -Errno::IO.number(), "{}", F::NAME);
        let refused = Err(StorageIoError::Io(Errno::INVAL));
        assert_eq!(s.io.release_read(token), refused, "nothing to release");
        s.shared().state().rules.clear();
        let token = s.read(fd, 512, round * 512).unwrap();
        assert!(s.bytes_of(token) == content[round as usize * 512..][..512], "it is there again");
    }
    let sync = s.sync(fd).unwrap();
    assert_eq!(s.wait_for(sync), 0, "no write failed");
    assert!(s.shared().state().fault_count >= 12, "control");
}

fn a_failed_file_can_be_read<F: InMode>() {
    let Some((mut s, fd)) = session::<F::Mode>() else { return };
    let content = bytes(9, 0, CONTENT);
    s.shared().script(Rule::once("file", Of::Syncs, Action::Fail(Errno::IO)));
    let sync = s.sync(fd).unwrap();
    assert_eq!(s.wait_for(sync), -Errno::IO.number());
    assert_eq!(s.write(fd, b"x", 0), Err(StorageIoError::Io(Errno::IO)), "control: it is failed");
    for at in [0, 40_000, 99_000] {
        let token = s.read(fd, 1_000, at).unwrap();
        assert!(s.bytes_of(token) == content[at as usize..][..1_000]);
    }
}

fn io_uring_reads_nothing_from_fuse<F: InMode>() {
    if !F::NAME.starts_with("uring") {
        return;
    }
    let Some((mut s, fd)) = file::<F::Mode>() else { return };
    let token = s.read(fd, 100, 0).unwrap();
    assert_eq!(s.wait_for(token), -Errno::OPNOTSUPP.number());
    let write = s.write(fd, &[1; 100], 0).unwrap();
    let sync = s.sync(fd).unwrap();
    assert_eq!((s.wait_for(write), s.wait_for(sync)), (100, 0), "everything else goes on");
}

conformance!(
    @real
    io_uring_reads_nothing_from_fuse,
    a_read_gives_what_the_file_system_has,
    a_short_read_goes_on_where_it_ended,
    a_lost_read_is_an_error_of_its_own,
    a_failed_file_can_be_read,
);
