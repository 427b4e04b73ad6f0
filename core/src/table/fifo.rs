//! [`Fifo`]: a bounded queue of small values.
//!
//! A full queue gives the value back. The capacity is the largest power of two that the storage
//! holds, so that no index is ever divided.

use super::{cursor::Cursor, records::Records};
use crate::Slots;

#[derive(Debug)]
pub(crate) struct Fifo<T, S> {
    records: Records<T, S>,
    cursor: Cursor,
}

impl<T: Copy, S: Slots<T>> Fifo<T, S> {
    pub(crate) fn new(slots: S, empty: T) -> Self {
        let records = Records::new(slots, empty);
        let cursor = Cursor::new(records.count());
        Self { records, cursor }
    }

    #[inline]
    pub(crate) fn count(&self) -> u32 {
        self.cursor.count()
    }

    #[inline]
    pub(crate) fn push(&mut self, value: T) -> Result<(), T> {
        match self.cursor.advance_write() {
            Some(slot) => {
                *self.records.at_mut(slot) = value;
                Ok(())
            }
            None => Err(value),
        }
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<T> {
        let slot = self.cursor.advance_read()?;
        Some(*self.records.at(slot))
    }
}

#[cfg(test)]
mod tests;
