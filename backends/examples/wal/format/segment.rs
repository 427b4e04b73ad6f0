//! Whose a segment is: [`Header`], with which it begins, and [`Seal`], with which its checksums do.
//!
//! ```text
//! header     bytes  0..8   "rz-segm1"
//!            bytes  8..16  log        u64 LE   the same in all segments of a log
//!            bytes 16..20  sequence   u32 LE   also its name; no two lives of a file have the same
//!            bytes 20..24  crc        u32 LE   CRC32C of the other 36 bytes
//!            bytes 24..32  records    u64 LE   whole records of the log before this segment
//!            bytes 32..40  fragments  u64 LE   fragments of the log before this segment
//! ```
//!
//! It is appended like everything else, together with the first fragment, so it needs no sync of
//! its own: without it the segment holds nothing.

/// Bytes of a segment before its first fragment.
pub(crate) const HEADER_BYTES: usize = 40;

const MAGIC: [u8; 8] = *b"rz-segm1";

/// The CRC32C of a log's and a segment's number, with which every checksum in it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seal(u32);

impl Seal {
    /// Of a log that is one growing file and has no segments.
    pub(crate) const NONE: Self = Self(0);

    /// Of the segment `sequence` of `log`.
    pub(crate) fn new(log: u64, sequence: u32) -> Self {
        Self(crc32c::crc32c_append(crc32c::crc32c(&log.to_le_bytes()), &sequence.to_le_bytes()))
    }

    pub(super) const fn crc(self) -> u32 {
        self.0
    }
}

/// What a segment begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// A number that no other log has, by chance.
    pub(crate) log: u64,
    /// Which segment of the log it is.
    pub(crate) sequence: u32,
    /// Whole records before it.
    pub(crate) records_before: u64,
    /// Fragments before it.
    pub(crate) fragments_before: u64,
}

impl Header {
    /// The seal of what follows.
    pub(crate) fn seal(&self) -> Seal {
        Seal::new(self.log, self.sequence)
    }

    /// The bytes to begin with.
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let (log, sequence) = (self.log.to_le_bytes(), self.sequence.to_le_bytes());
        let (records, fragments) =
            (self.records_before.to_le_bytes(), self.fragments_before.to_le_bytes());
        let checked: [&[u8]; 5] = [&MAGIC, &log, &sequence, &records, &fragments];
        let crc = checked.iter().fold(0, |crc, bytes| crc32c::crc32c_append(crc, bytes));
        let crc = crc.to_le_bytes();
        let parts: [&[u8]; 6] = [&MAGIC, &log, &sequence, &crc, &records, &fragments];
        let mut encoded = [0; HEADER_BYTES];
        for (to, from) in encoded.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        encoded
    }

    /// Reads what `segment` begins with; `None` if that is no header.
    pub(crate) fn decode(segment: &[u8]) -> Option<Self> {
        let (encoded, _) = segment.split_first_chunk::<HEADER_BYTES>()?;
        let (_, rest) = encoded.split_first_chunk::<8>()?;
        let (log, rest) = rest.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let (_, rest) = rest.split_first_chunk::<4>()?;
        let (records, rest) = rest.split_first_chunk()?;
        let header = Self {
            log: u64::from_le_bytes(*log),
            sequence: u32::from_le_bytes(*sequence),
            records_before: u64::from_le_bytes(*records),
            fragments_before: u64::from_le_bytes(*rest.first_chunk()?),
        };
        // The same bytes again: beginning and checksum too.
        (header.encode() == *encoded).then_some(header)
    }
}
