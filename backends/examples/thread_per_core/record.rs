//! [`Record`]: what cores hand over to each other and what their logs consist of. It says where it
//! comes from, where it belongs and its number on that way, so a log can be checked.

/// Bytes of a record in a log.
pub(crate) const RECORD_BYTES: usize = 24;

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// The core that produced it.
    pub(crate) from: u32,
    /// The core whose log it belongs to.
    pub(crate) to: u32,
    /// Its number among the records from this core to that one, from 0 on.
    pub(crate) number: u64,
}

impl Record {
    /// The record as a log has it: the two cores, the number, and a sum over all, little-endian.
    pub(crate) fn bytes(self) -> [u8; RECORD_BYTES] {
        let cores = u64::from(self.from) | u64::from(self.to) << 32;
        let words = [cores, self.number, mixed(cores ^ mixed(self.number))];
        let mut bytes = [0; RECORD_BYTES];
        let fields = words.into_iter().flat_map(u64::to_le_bytes);
        bytes.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        bytes
    }

    /// The record with these bytes; `None` if they are none.
    pub(crate) fn parse(bytes: &[u8; RECORD_BYTES]) -> Option<Self> {
        let word = |at| bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        let (cores, number) = (word(0)?, word(8)?);
        let record = Self { from: cores as u32, to: (cores >> 32) as u32, number };
        (record.bytes() == *bytes).then_some(record)
    }
}

/// A number that looks unrelated to `number`.
pub(crate) const fn mixed(number: u64) -> u64 {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 8
}
