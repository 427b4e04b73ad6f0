//! [`SimFaults`]: what goes wrong on the disk, and how often; and [`SimCounts`]: how often it did.
//!
//! What a request will meet is decided when it is handed over: its [`Fate`]. What that does to the
//! bytes is the disk's business.

use ringzero_core::{Alteration, Errno};

use super::random::Random;

/// How often what happens to requests. Each rate is per mille of those it speaks of.
///
/// ```
/// use ringzero::SimFaults;
///
/// let slow_and_full = SimFaults { slow: 300, refused: 50, ..SimFaults::default() };
/// assert_eq!(SimFaults::default(), SimFaults::HARMLESS);
/// # assert_ne!(slow_and_full, SimFaults::default());
///
/// // From the quiet to the worst.
/// let all = [SimFaults::NONE, SimFaults::HARMLESS, SimFaults::FULL, SimFaults::DYING];
/// assert!(all.iter().all(|faults| faults.lost <= SimFaults::ALL.lost));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimFaults {
    /// Writes and reads cut short: some bytes are written or read, and the answer says how many.
    pub short: u16,
    /// Writes and reads answered EINTR, EAGAIN or ECANCELED, without a byte written or read; and
    /// alterations, which do nothing then. The engine sends them again; above some hundred per
    /// mille one may meet it too often in a row, and fails.
    pub retried: u16,
    /// Requests that end inside the call that hands them over.
    pub at_once: u16,
    /// Requests that take fifty times as long.
    pub slow: u16,
    /// Ends of a write at which some sectors of the file become durable by themselves.
    pub written_back: u16,
    /// Data-syncs beside which someone else's begins, on a descriptor of their own.
    pub foreign_sync: u16,
    /// Writes that fail with ENOSPC, EDQUOT or EFBIG. Some of the bytes may have been written. And
    /// allocations that fail with ENOSPC.
    pub refused: u16,
    /// Writes that fail with EIO. Some of the bytes may have been written. And alterations that do
    /// so, and do nothing.
    pub lost: u16,
    /// Data-syncs that fail with EIO, ENOSPC or EDQUOT: of what was not durable yet, some becomes
    /// durable and the rest is dropped, and a further data-sync says 0; or with ECANCELED, and
    /// nothing happens.
    pub sync_failed: u16,
    /// Ends of a write at which writing the file back by itself fails: what was not durable is
    /// dropped as above. The next data-sync of each open file says so, once.
    pub write_back_failed: u16,
    /// Reads that fail with EIO.
    pub read_failed: u16,
    /// Requests that do not end until they are released.
    pub hung: u16,
}

impl SimFaults {
    /// Nothing: every request does what it is asked, later.
    pub const NONE: Self = Self {
        short: 0,
        retried: 0,
        at_once: 0,
        slow: 0,
        written_back: 0,
        foreign_sync: 0,
        refused: 0,
        lost: 0,
        sync_failed: 0,
        write_back_failed: 0,
        read_failed: 0,
        hung: 0,
    };

    /// What no caller may ever notice. The default.
    pub const HARMLESS: Self = Self {
        short: 150,
        retried: 80,
        at_once: 100,
        slow: 50,
        written_back: 50,
        foreign_sync: 100,
        ..Self::NONE
    };

    /// A device, or a quota, that is full now and then. Files stay usable.
    pub const FULL: Self = Self { refused: 80, ..Self::HARMLESS };

    /// A device that loses writes.
    pub const DYING: Self = Self {
        lost: 10,
        sync_failed: 60,
        write_back_failed: 20,
        read_failed: 20,
        ..Self::HARMLESS
    };

    /// Everything that a file can meet, but nothing hangs.
    pub const ALL: Self = Self { refused: 40, ..Self::DYING };
}

impl Default for SimFaults {
    fn default() -> Self {
        Self::HARMLESS
    }
}

/// What has happened so far.
///
/// ```
/// use ringzero::{Config, SimBackend};
///
/// let counts = SimBackend::new(&Config::default(), 1)?.counts();
/// assert_eq!(counts.writes, 0, "a test that means to meet faults asks whether it did");
/// # Ok::<(), ringzero::SetupError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimCounts {
    /// Writes handed over.
    pub writes: u64,
    /// Reads handed over.
    pub reads: u64,
    /// Reads that failed with EIO.
    pub reads_failed: u64,
    /// Data-syncs handed over, apart from those that a write carries.
    pub syncs: u64,
    /// Writes handed over that carry the data-sync of what they write. Writes, too.
    pub durable_writes: u64,
    /// Alterations handed over.
    pub alterations: u64,
    /// Writes and reads cut short.
    pub short: u64,
    /// Writes, reads and alterations answered EINTR, EAGAIN or ECANCELED.
    pub retried: u64,
    /// Requests that ended inside the call.
    pub at_once: u64,
    /// Times that sectors became durable by themselves.
    pub written_back: u64,
    /// Data-syncs of someone else.
    pub foreign_syncs: u64,
    /// Writes that failed with ENOSPC, EDQUOT or EFBIG, and allocations with ENOSPC.
    pub refused: u64,
    /// Writes and alterations that failed with EIO.
    pub lost: u64,
    /// Data-syncs that were answered with an error.
    pub syncs_failed: u64,
    /// Times that writing back by itself failed.
    pub write_backs_failed: u64,
    /// Requests that hung.
    pub hung: u64,
    /// Writes that failed with EINVAL, because they were not aligned as their file asks for.
    pub misaligned: u64,
}

/// What a write will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// All of it.
    Whole,
    /// So many bytes from its beginning, and says so.
    Short(u32),
    /// So many bytes from there on, and says this error.
    Torn { begin: u32, byte_count: u32, errno: Errno },
}

impl SimFaults {
    /// What a write of `byte_count` bytes will do.
    pub(super) fn of_write(
        &self,
        byte_count: u32,
        random: &mut Random,
        counts: &mut SimCounts,
    ) -> Fate {
        counts.writes += 1;
        if byte_count > 1 && random.chance(self.short) {
            counts.short += 1;
            return Fate::Short(1 + random.below(u64::from(byte_count) - 1) as u32);
        }
        let (errnos, tears) = if random.chance(self.retried) {
            counts.retried += 1;
            ([Errno::INTR, Errno::AGAIN, Errno::CANCELED], false)
        } else if random.chance(self.refused) {
            counts.refused += 1;
            ([Errno::NOSPC, Errno::DQUOT, Errno::FBIG], true)
        } else if random.chance(self.lost) {
            counts.lost += 1;
            ([Errno::IO; 3], true)
        } else {
            return Fate::Whole;
        };
        let errno = random.pick(&errnos).unwrap_or(Errno::IO);
        if !tears || random.chance(400) {
            return Fate::Torn { begin: 0, byte_count: 0, errno };
        }
        // All of it now and then: a write that failed may still have done everything.
        let begin = if random.chance(500) { 0 } else { random.below(u64::from(byte_count)) as u32 };
        let rest = byte_count - begin;
        let byte_count =
            if random.chance(300) { rest } else { random.below(u64::from(rest) + 1) as u32 };
        Fate::Torn { begin, byte_count, errno }
    }

    /// What a read of `byte_count` bytes will say: so many bytes, or an error.
    pub(super) fn of_read(
        &self,
        byte_count: u32,
        random: &mut Random,
        counts: &mut SimCounts,
    ) -> Result<u32, Errno> {
        counts.reads += 1;
        if byte_count > 1 && random.chance(self.short) {
            counts.short += 1;
            return Ok(1 + random.below(u64::from(byte_count) - 1) as u32);
        }
        if random.chance(self.retried) {
            counts.retried += 1;
            let errnos = [Errno::INTR, Errno::AGAIN, Errno::CANCELED];
            return Err(random.pick(&errnos).unwrap_or(Errno::INTR));
        }
        if random.chance(self.read_failed) {
            counts.reads_failed += 1;
            return Err(Errno::IO);
        }
        Ok(byte_count)
    }

    /// The error with which the data-sync that a write carries will fail, if the write does not.
    pub(super) fn of_durable_write(
        &self,
        random: &mut Random,
        counts: &mut SimCounts,
    ) -> Option<Errno> {
        counts.durable_writes += 1;
        if !random.chance(self.sync_failed) {
            return None;
        }
        random.pick(&[Errno::IO, Errno::NOSPC, Errno::DQUOT])
    }

    /// The error with which an alteration will fail, doing nothing.
    pub(super) fn of_alteration(
        &self,
        what: Alteration,
        random: &mut Random,
        counts: &mut SimCounts,
    ) -> Option<Errno> {
        counts.alterations += 1;
        if random.chance(self.retried) {
            counts.retried += 1;
            return random.pick(&[Errno::INTR, Errno::AGAIN, Errno::CANCELED]);
        }
        if matches!(what, Alteration::Allocate { .. }) && random.chance(self.refused) {
            counts.refused += 1;
            return Some(Errno::NOSPC);
        }
        if random.chance(self.lost) {
            counts.lost += 1;
            return Some(Errno::IO);
        }
        None
    }

    /// The error with which a data-sync will fail.
    pub(super) fn of_sync(&self, random: &mut Random, counts: &mut SimCounts) -> Option<Errno> {
        counts.syncs += 1;
        if !random.chance(self.sync_failed) {
            return None;
        }
        random.pick(&[Errno::IO, Errno::NOSPC, Errno::DQUOT, Errno::CANCELED])
    }
}
