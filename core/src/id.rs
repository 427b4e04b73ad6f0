//! Names for things: a registered file ([`IoFd`]) and one request to an executor ([`RequestId`]).
//!
//! Both carry what is needed to notice that they are stale. Neither can be made by a caller.
//!
//! Worked example: engine 3 registers a file in slot 7 as its 41st registration. The handle is slot
//! 7 with serial `3 << 32 | 41`. After deregistration slot 7 is given to registration 42; the old
//! handle still says 41, and a handle of engine 4 never says 3, so one 64-bit compare per call
//! finds both.

/// A file registered with a backend. Opaque; copy it freely.
///
/// Valid from `register_fd` until `deregister_fd`, and refused with `BadFd` for ever after.
///
/// ```
/// use ringzero_core::{IoFd, StorageIo, StorageIoError};
///
/// /// Two files of one backend: handles are small and copied freely.
/// #[derive(Clone, Copy)]
/// struct Files {
///     log: IoFd,
///     table: IoFd,
/// }
///
/// fn sync<S: StorageIo>(io: &mut S, files: Files) -> Result<[u64; 2], StorageIoError> {
///     Ok([io.submit_datasync(files.log)?, io.submit_datasync(files.table)?])
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct IoFd {
    pub(crate) serial: u64,
    pub(crate) slot: u16,
}

impl core::fmt::Debug for IoFd {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "IoFd({}@{:x})", self.slot, self.serial)
    }
}

/// The position of a file in the table, from 0. What an executor indexes its own files by.
///
/// ```
/// use ringzero_core::FileSlot;
///
/// /// What an executor finds its own files by.
/// fn descriptor(table: &[i32], file: FileSlot) -> Option<i32> {
///     table.get(file.index()).copied()
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileSlot(pub(crate) u16);

impl FileSlot {
    /// The index into a table of `limits.files` entries.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    pub(crate) const fn at(index: u32) -> Self {
        Self(index as u16)
    }
}

/// One request handed to an executor; it comes back with the outcome.
///
/// Holds the low 48 bits of the token of the operation that leads the request, and its slot; or,
/// for a part of an append stream, those of a serial number, and file and lane. An answer that
/// arrives after its place was given to another request matches nothing and is dropped. Ids fit the
/// 64-bit user data of an io_uring entry and are never [`RequestId::NONE`].
///
/// ```
/// use ringzero_core::RequestId;
///
/// let user_data = 0x0001_0007; // what the kernel gives back
/// let id = (user_data != RequestId::NONE).then(|| RequestId::from_u64(user_data));
/// assert_eq!(id.map(RequestId::to_u64), Some(user_data));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(u64);

/// Set in the ids of streams; slots end below it (`limits::MAX_OPERATIONS`), and so do two lanes
/// for each file (`limits::MAX_FILES`).
const STREAM: u64 = 0x8000;

impl RequestId {
    /// A value no request ever has, free for an executor's own entries.
    pub const NONE: u64 = u64::MAX;

    /// The id of the request led by the operation in `slot` with `token`.
    #[inline]
    pub(crate) const fn new(token: u64, slot: u32) -> Self {
        Self(token << 16 | slot as u64)
    }

    /// The id of a request for a part of a file's append stream, in one of its lanes. `serial` is
    /// used once.
    #[inline]
    pub(crate) fn of_stream(serial: u64, file: u16, lane: usize) -> Self {
        Self(serial << 16 | STREAM | u64::from(file) << 1 | lane as u64)
    }

    /// The file and the lane, if it is of a stream.
    #[inline]
    pub(crate) const fn stream(self) -> Option<(u32, usize)> {
        let low = self.0 & 0xFFFF;
        if low & STREAM == 0 {
            return None;
        }
        Some((((low & !STREAM) >> 1) as u32, (low & 1) as usize))
    }

    /// The value to hand to a kernel or queue.
    #[inline]
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// The id with this value. A value that no request has is dropped by `Engine::complete`.
    #[inline]
    pub const fn from_u64(value: u64) -> Self {
        Self(value)
    }

    /// The slot of the leading operation.
    #[inline]
    pub(crate) const fn slot(self) -> u32 {
        (self.0 & 0xFFFF) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{APPEND_LANES, MAX_FILES, MAX_OPERATIONS};

    #[test]
    fn an_id_is_never_none_and_gives_its_slot_back() {
        // Slots end below 0x8000 (`limits::MAX_OPERATIONS`), so the low half is never all ones.
        for slot in [0, 1, MAX_OPERATIONS - 1] {
            for token in [1, u64::MAX >> 16, u64::MAX] {
                let id = RequestId::new(token, slot);
                assert_eq!(id.slot(), slot);
                assert_ne!(id.to_u64(), RequestId::NONE);
                assert_eq!(RequestId::from_u64(id.to_u64()), id);
            }
        }
    }

    #[test]
    fn ids_of_one_slot_differ_until_the_low_48_bits_of_the_token_come_round() {
        for slot in [0, MAX_OPERATIONS - 1] {
            for token in [1, 2, 0xFFFF, 0x1_0000, (1 << 48) - 1] {
                let id = RequestId::new(token, slot);
                for later in (1..=16).chain([1 << 16, 1 << 47, (1 << 48) - 1]) {
                    assert_ne!(RequestId::new(token + later, slot), id, "{token} + {later}");
                }
                assert_eq!(RequestId::new(token + (1 << 48), slot), id);
            }
        }
    }

    #[test]
    fn an_id_of_a_stream_gives_its_file_and_lane_back_and_is_no_id_of_an_operation() {
        for file in 0..MAX_FILES {
            for lane in 0..APPEND_LANES {
                for serial in [0, 1, u64::MAX >> 16, u64::MAX] {
                    let id = RequestId::of_stream(serial, file as u16, lane);
                    assert_eq!(id.stream(), Some((file, lane)));
                    assert!(id.slot() >= MAX_OPERATIONS, "no operation is in that slot");
                    assert_ne!(id.to_u64(), RequestId::NONE);
                    assert_ne!(RequestId::of_stream(serial.wrapping_add(1), file as u16, lane), id);
                }
            }
        }
        for slot in 0..MAX_OPERATIONS {
            assert_eq!(RequestId::new(u64::MAX, slot).stream(), None);
        }
    }

    #[test]
    fn every_file_slot_is_an_index_and_fits_a_handle() {
        assert!(MAX_FILES - 1 <= u32::from(u16::MAX));
        for index in 0..MAX_FILES {
            assert_eq!(FileSlot::at(index).index(), index as usize);
        }
    }

    #[test]
    fn a_handle_says_what_it_is() {
        let fd = IoFd { serial: 3 << 32 | 41, slot: 7 };
        assert_eq!(std::format!("{fd:?}"), "IoFd(7@300000029)");
        assert_ne!(fd, IoFd { serial: 3 << 32 | 42, ..fd });
        assert_ne!(fd, IoFd { slot: 8, ..fd });
    }
}
