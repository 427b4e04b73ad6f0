//! What a zone saw, read after it ended.
//!
//! It owns no heap memory: moving or dropping a report inside another zone is no offence there.

use crate::OFFENCE_CAPACITY;
use crate::action::Action;
use crate::counts::Counts;
use crate::offence::Offence;
use heapless::Vec as FixedVec;
use std::fmt;

/// The first offences of a zone.
pub(crate) type Offences = FixedVec<Offence, OFFENCE_CAPACITY>;

/// The counts of one zone, and its first offences if it was entered with [`Action::Report`].
///
/// `Display` prints the counts and, one per line, each kept offence with its place.
#[derive(Debug, Clone)]
#[must_use = "a zone proves nothing until its report is checked"]
pub struct Report {
    action: Action,
    counts: Counts,
    offences: Offences,
}

impl Report {
    pub(crate) fn new(action: Action, counts: Counts, offences: Offences) -> Self {
        Self { action, counts, offences }
    }

    /// True if the zone saw no allocation, no reallocation and no deallocation.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.counts.is_clean()
    }

    /// Calls of `alloc` and `alloc_zeroed`.
    #[must_use]
    pub fn allocations(&self) -> u64 {
        self.counts.allocations
    }

    /// Calls of `realloc`.
    #[must_use]
    pub fn reallocations(&self) -> u64 {
        self.counts.reallocations
    }

    /// Calls of `dealloc`.
    #[must_use]
    pub fn deallocations(&self) -> u64 {
        self.counts.deallocations
    }

    /// All totals, bytes included.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The first [`OFFENCE_CAPACITY`] offences in the order they happened.
    ///
    /// Empty unless the zone was entered with [`Action::Report`]: an empty slice proves nothing,
    /// ask [`Report::is_clean`].
    #[must_use]
    pub fn offences(&self) -> &[Offence] {
        &self.offences
    }

    /// The first offence: where to look when a check fails. See [`Report::offences`].
    #[must_use]
    pub fn first_offence(&self) -> Option<&Offence> {
        self.offences.first()
    }

    /// Checks that the zone was clean.
    ///
    /// # Panics
    ///
    /// If it was not, with the counts, the kept offences' sizes and places, and the first stack.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert!(
            self.is_clean(),
            "the zone is not clean: {self}{}",
            self.first_offence().map(|first| format!("\n{}", first.trace())).unwrap_or_default()
        );
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.counts)?;
        for offence in &self.offences {
            write!(formatter, "\n  {offence}")?;
            match offence.place() {
                Some(place) => write!(formatter, ", in {place}")?,
                None => write!(formatter, ", place unknown (no symbols)")?,
            }
        }
        if !self.is_clean() && self.action == Action::Count {
            write!(formatter, "\n  (only counted: Action::Report shows the places)")?;
        }
        Ok(())
    }
}
