//! What is left after a cut: the records of each file, compared with what was written.

use std::path::Path;

use crate::{
    chain::{CHAIN, Release},
    format::{Seal, recover},
    stream::{fragments, record},
    workload::{Promise, path},
};

/// How many records were promised at the moment of a cut, and how many of these were there.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    pub(crate) promised: u64,
    /// Whole records, promised or not.
    pub(crate) present: u64,
    /// Promised, and not there.
    pub(crate) lost: u64,
}

impl Found {
    pub(crate) fn add(&mut self, other: Self) {
        self.promised += other.promised;
        self.present += other.present;
        self.lost += other.lost;
    }
}

/// How many records of each file were promised at `position`, by the number of the file.
pub(crate) fn promised_at(promises: &[Promise], position: u64) -> Vec<u64> {
    let promises = || promises.iter().filter(|promise| promise.file != CHAIN);
    let file_count = promises().map(|promise| promise.file + 1).max().unwrap_or(0);
    let mut promised = vec![0; file_count as usize];
    for promise in promises().filter(|promise| promise.position <= position) {
        let most = &mut promised[promise.file as usize];
        *most = promise.record_count.max(*most);
    }
    promised
}

/// How many records of the chain were promised at `position`, and how many of them may be gone.
pub(crate) fn chain_at(promises: &[Promise], releases: &[Release], position: u64) -> (u64, u64) {
    let promises = promises.iter().filter(|it| it.file == CHAIN && it.position <= position);
    let releases = releases.iter().filter(|it| it.position <= position);
    let promised = promises.map(|promise| promise.record_count).max().unwrap_or(0);
    (promised, releases.map(|release| release.record_count).max().unwrap_or(0))
}

/// Looks for the records of each file in the file system at `root`.
///
/// # Errors
/// A whole record that is not the one written there.
pub(crate) fn look_for(root: &Path, promised: &[u64]) -> Result<Found, String> {
    let mut found = Found::default();
    for (file, &promised) in (0..).zip(promised) {
        let content = std::fs::read(path(root, file)).unwrap_or_default();
        let recovered = recover(&content);
        let whole = &content[..recovered.byte_count as usize];
        let expected = (0..recovered.record_count)
            .flat_map(|number| fragments(Seal::NONE, &record(file, number)))
            .flatten();
        if !expected.eq(whole.iter().copied()) {
            return Err(format!("something foreign in file {file}"));
        }
        found.add(Found {
            promised,
            present: recovered.record_count,
            lost: promised.saturating_sub(recovered.record_count),
        });
    }
    Ok(found)
}
