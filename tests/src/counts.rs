//! [`Counts`]: how often each thing worth meeting was [`Met`] in random episodes.
//!
//! A test that judges random calls is worth what they reach, so it asks at its end for
//! [`Counts::missing`].

use std::{fmt, ops::Index};

/// What a random episode can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// A call.
    Call,
    /// An operation that succeeded.
    Good,
    /// One that did not.
    Failed,
    /// A datasync, delivered.
    Sync,
    /// Of them, one with an error.
    FailedSync,
    /// One that asked for all metadata.
    FullSync,
    /// An append stream taken up again.
    Resumed,
    /// A file that failed before it was closed.
    LostFile,
    /// One that met more than one error which fails it.
    LostTwice,
    /// Requests answered in part, and continued.
    Continued,
    /// Requests sent back, and sent again.
    SentAgain,
    /// A write or append of several slices.
    Gathered,
    /// A claim that was submitted.
    Claimed,
    /// A claim in two parts.
    ClaimedInTwoParts,
    /// A claim dropped instead.
    ClaimDropped,
    /// A claim refused.
    ClaimRefused,
    /// A read that succeeded.
    Read,
    /// One that came to the end of the file.
    ReadShort,
    /// One that began when a write or append that it overlaps had ended.
    ReadWaited,
    /// One that failed.
    ReadFailed,
    /// One of a failed file.
    ReadOfFailedFile,
    /// One of a file one of whose appends had failed and was not resumed.
    ReadOfBrokenStream,
    /// One released after its file was closed.
    ReadOutlivedFile,
    /// A write accepted over a read that had not ended.
    WriteBehindRead,
    /// An allocation that succeeded.
    Allocated,
    /// A truncation to less.
    Shortened,
    /// A truncation to more.
    Lengthened,
    /// A truncation of a file one of whose appends had failed and was not resumed.
    TruncatedBrokenStream,
    /// A hole.
    Punched,
    /// A close with a token.
    Closed,
    /// An alteration that failed.
    AlterationFailed,
    /// One cancelled because the file failed.
    AlterationCancelled,
    /// One refused by a failed file.
    AlterationRefused,
    /// One refused for now, because of another.
    AlterationLater,
    /// A write, append or read refused for now, because of a truncation or a hole.
    LaterThanAlteration,
    /// A durable tail that moved on.
    DurableTailMoved,
    /// A durable tail that a truncation moved back.
    DurableTailCut,
}

impl Met {
    /// All of them, in order.
    pub const ALL: [Self; 37] = [
        Self::Call,
        Self::Good,
        Self::Failed,
        Self::Sync,
        Self::FailedSync,
        Self::FullSync,
        Self::Resumed,
        Self::LostFile,
        Self::LostTwice,
        Self::Continued,
        Self::SentAgain,
        Self::Gathered,
        Self::Claimed,
        Self::ClaimedInTwoParts,
        Self::ClaimDropped,
        Self::ClaimRefused,
        Self::Read,
        Self::ReadShort,
        Self::ReadWaited,
        Self::ReadFailed,
        Self::ReadOfFailedFile,
        Self::ReadOfBrokenStream,
        Self::ReadOutlivedFile,
        Self::WriteBehindRead,
        Self::Allocated,
        Self::Shortened,
        Self::Lengthened,
        Self::TruncatedBrokenStream,
        Self::Punched,
        Self::Closed,
        Self::AlterationFailed,
        Self::AlterationCancelled,
        Self::AlterationRefused,
        Self::AlterationLater,
        Self::LaterThanAlteration,
        Self::DurableTailMoved,
        Self::DurableTailCut,
    ];
}

/// How often.
#[derive(Clone, Copy)]
pub struct Counts([u64; Met::ALL.len()]);

impl Default for Counts {
    fn default() -> Self {
        Self([0; Met::ALL.len()])
    }
}

impl Counts {
    /// Once more.
    pub fn add(&mut self, met: Met) {
        self.0[met as usize] += 1;
    }

    /// Once more, if `is_met`.
    pub fn add_if(&mut self, is_met: bool, met: Met) {
        self.0[met as usize] += u64::from(is_met);
    }

    /// What was never met.
    pub fn missing(&self) -> Vec<Met> {
        Met::ALL.into_iter().filter(|met| self[*met] == 0).collect()
    }
}

impl Index<Met> for Counts {
    type Output = u64;

    fn index(&self, met: Met) -> &u64 {
        &self.0[met as usize]
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, count)| *sum += count);
    }
}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(Met::ALL.iter().map(|met| (met, self[*met]))).finish()
    }
}
