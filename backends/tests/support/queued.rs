//! What the tests of backends with requests in flight share, whichever executor they have.
#![allow(dead_code, reason = "not every test binary uses all of this")]

use std::{fs::File, path::Path, time::Duration};

use ringzero::{Backend, IoCompletion};
use ringzero_tests::{
    confine::volume::{FileSystem, Volume},
    skip::skip,
};

/// A file system whose writes can be made to stall, or the reason why there is none here.
pub(crate) fn volume() -> Option<Volume> {
    let volume = Volume::mount(FileSystem::Ext4);
    volume.map_err(|reason| skip(format!("needs a loop-mounted ext4: {reason}"))).ok()
}

/// A new file for reading and writing.
pub(crate) fn create(path: &Path) -> File {
    File::options().read(true).write(true).create_new(true).open(path).unwrap()
}

/// Waits for everything that is owed. A backend that never answers fails the test.
pub(crate) fn finish(io: &mut impl Backend) -> Vec<IoCompletion> {
    let mut completions = Vec::new();
    while io.pending_count() > 0 {
        let count = io.wait(1, Some(Duration::from_secs(20))).unwrap();
        assert_ne!(count, 0, "{} operations are not answered", io.pending_count());
        io.poll_completions(&mut completions);
    }
    completions
}
