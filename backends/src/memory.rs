//! The memory of an engine: [`Region`] for the data, and [`tables`] for the records.
//!
//! Neither aborts: what cannot be had is an error.
//!
//! # Safety
//! A [`Region`] owns its pages alone from `new` until `drop`; the pointer does not change
//! meanwhile.
#![allow(unsafe_code)]

use std::ptr::NonNull;

use ringzero_core::{Block, Boxed, Errno, Limits, OpenFile, Operation, Parts, StableMemory};

use crate::{platform, setup_error::SetupError};

/// Zeroed, page-aligned memory that takes up room only where it was touched.
///
/// Dropping it gives it back to the system; forget it while a kernel may still read it.
#[derive(Debug)]
pub(crate) struct Region {
    base: NonNull<u8>,
    byte_count: usize,
}

// SAFETY: the region owns its pages, and a page belongs to no thread.
unsafe impl Send for Region {}

impl Region {
    /// Maps `byte_count` bytes, at least 1.
    ///
    /// # Errors
    /// Those of mmap(2).
    pub(crate) fn new(byte_count: usize) -> Result<Self, Errno> {
        Ok(Self { base: platform::map_zeroed(byte_count)?, byte_count })
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: `new` mapped exactly this range, and no reference into it outlives the region.
        unsafe { platform::unmap(self.base, self.byte_count) };
    }
}

// SAFETY: the pages are mapped readable and writable from `new` until `drop`, page-aligned, and
// belong to the region alone. Forgetting the region leaves them mapped.
unsafe impl StableMemory for Region {
    #[inline]
    fn base(&self) -> NonNull<u8> {
        self.base
    }

    #[inline]
    fn byte_count(&self) -> usize {
        self.byte_count
    }
}

/// Boxed tables for limits that passed their check, and `memory` for the data.
///
/// # Errors
/// `SetupError::Memory`: the allocator has none left.
pub(crate) fn tables<M: StableMemory>(
    limits: &Limits,
    memory: M,
) -> Result<Parts<Boxed<M>>, SetupError> {
    Ok(Parts {
        operations: table(limits.operation_count(), Operation::EMPTY)?,
        files: table(limits.files, OpenFile::EMPTY)?,
        blocks: table(limits.block_count(), Block::EMPTY)?,
        ranges: table(limits.range_count(), 0)?,
        ready: table(limits.queue_count(), 0)?,
        urgent: table(limits.queue_count(), 0)?,
        memory,
    })
}

fn table<T: Copy>(count: u32, empty: T) -> Result<Box<[T]>, SetupError> {
    let mut records = Vec::new();
    records
        .try_reserve_exact(count as usize)
        .map_err(|_| SetupError::Memory(Errno::new(platform::number::NOMEM)))?;
    records.resize(count as usize, empty);
    Ok(records.into_boxed_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_zeroed_aligned_and_writable_to_its_last_byte() {
        for byte_count in [1, 4_096, 6_370_048] {
            let region = Region::new(byte_count).unwrap();
            assert_eq!(region.byte_count(), byte_count);
            assert_eq!(region.base().as_ptr() as usize % 4_096, 0);
            // SAFETY: offset `byte_count - 1` is within the region.
            let last = unsafe { region.base().add(byte_count - 1) };
            // SAFETY: mapped and initialised by the system.
            assert_eq!(unsafe { last.read() }, 0);
            // SAFETY: mapped writable.
            unsafe { last.write(7) };
            // SAFETY: as above.
            assert_eq!(unsafe { last.read() }, 7);
        }
    }

    #[test]
    fn a_region_that_cannot_be_had_is_an_error() {
        assert!(Region::new(usize::MAX / 4).is_err());
    }

    #[test]
    fn a_table_that_cannot_be_had_is_an_error() {
        // 2^48 bytes: more than a process can address.
        assert!(table(u32::MAX, [0_u8; 1 << 16]).is_err());
    }
}
