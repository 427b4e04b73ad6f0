//! One fragment: its head written, and read back together with the payload.
//!
//! It knows nothing of its neighbours; that parts come in order is [`Scanner`](super::Scanner)'s
//! business.

use super::{Step, segment::Seal};

/// Bytes of a fragment before its payload.
pub(crate) const HEAD_BYTES: usize = 8;
/// Most bytes of one fragment: one block of a backend with default limits.
pub(crate) const FRAGMENT_BYTES: usize = 64 << 10;
/// Most bytes of payload in one fragment.
pub(crate) const MAX_PAYLOAD_BYTES: usize = FRAGMENT_BYTES - HEAD_BYTES;

const IS_FRAGMENT: u32 = 1 << 29;
const CONTINUES: u32 = 1 << 30;
const IS_CONTINUED: u32 = 1 << 31;
const LENGTH_MASK: u32 = IS_FRAGMENT - 1;

/// Which part of its record a fragment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// The beginning of a long one.
    First,
    /// Neither the beginning nor the end of a long one.
    Middle,
    /// The end of a long one.
    Last,
}

impl Part {
    /// Whether the record begins with this fragment.
    pub(crate) const fn begins_record(self) -> bool {
        matches!(self, Self::Whole | Self::First)
    }

    /// Whether the record ends with this fragment.
    pub(crate) const fn ends_record(self) -> bool {
        matches!(self, Self::Whole | Self::Last)
    }

    const fn bits(self) -> u32 {
        match self {
            Self::Whole => 0,
            Self::First => IS_CONTINUED,
            Self::Middle => CONTINUES | IS_CONTINUED,
            Self::Last => CONTINUES,
        }
    }

    const fn of_bits(word: u32) -> Self {
        match (word & CONTINUES != 0, word & IS_CONTINUED != 0) {
            (false, false) => Self::Whole,
            (false, true) => Self::First,
            (true, true) => Self::Middle,
            (true, false) => Self::Last,
        }
    }
}

/// What is wrong with the bytes of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// A length beyond [`MAX_PAYLOAD_BYTES`], or without the bit that every fragment has.
    Length,
    /// The checksum does not match.
    Checksum,
    /// A fragment continues nothing, or what it should continue is missing its end.
    Order,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Length => "an impossible length",
            Self::Checksum => "a wrong checksum",
            Self::Order => "the parts of a record out of order",
        })
    }
}

/// The head of the fragment that carries `payload` in a segment of this seal; `None` if that is
/// longer than [`MAX_PAYLOAD_BYTES`].
pub(crate) fn encode_head(seal: Seal, part: Part, payload: &[u8]) -> Option<[u8; HEAD_BYTES]> {
    let byte_count = u32::try_from(payload.len()).ok()?;
    if payload.len() > MAX_PAYLOAD_BYTES {
        return None;
    }
    let length = (byte_count | IS_FRAGMENT | part.bits()).to_le_bytes();
    let crc = checksum(seal, length, payload).to_le_bytes();
    let ([a, b, c, d], [e, f, g, h]) = (length, crc);
    Some([a, b, c, d, e, f, g, h])
}

/// Reads the fragment with which `bytes`, of a segment of this seal, begin.
pub(super) fn decode(seal: Seal, bytes: &[u8]) -> Step<'_> {
    let Some((&[a, b, c, d, e, f, g, h], rest)) = bytes.split_first_chunk::<HEAD_BYTES>() else {
        return Step::Short { needed_bytes: HEAD_BYTES };
    };
    let length = [a, b, c, d];
    let word = u32::from_le_bytes(length);
    let payload_bytes = (word & LENGTH_MASK) as usize;
    if word & IS_FRAGMENT == 0 || payload_bytes > MAX_PAYLOAD_BYTES {
        return Step::Damaged(Damage::Length);
    }
    let byte_count = HEAD_BYTES + payload_bytes;
    let Some(payload) = rest.get(..payload_bytes) else {
        return Step::Short { needed_bytes: byte_count };
    };
    if checksum(seal, length, payload) != u32::from_le_bytes([e, f, g, h]) {
        return Step::Damaged(Damage::Checksum);
    }
    Step::Fragment { part: Part::of_bits(word), payload, byte_count }
}

fn checksum(seal: Seal, length: [u8; 4], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(seal.crc(), &length), payload)
}
