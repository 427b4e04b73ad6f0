//! Where write `index` of a job goes: [`offset_of`].

use crate::compare::{
    content::shuffled,
    job::{Job, Place},
};

/// Random writes are spread over this many records.
pub const RANDOM_RECORDS: u64 = 1 << 16;

/// Bytes from the start of the file, for jobs that name a [`Place`].
#[inline]
pub const fn offset_of(job: &Job, index: u64) -> u64 {
    let bytes = job.record_bytes as u64;
    match job.place {
        Place::Adjacent => index * bytes,
        Place::Strided => index * 2 * bytes,
        Place::Random => shuffled(index, RANDOM_RECORDS) * 2 * bytes,
    }
}
