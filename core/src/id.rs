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
/// Holds the low 48 bits of the token of the operation that leads the request, and its slot. An
/// answer that arrives after its slot was given to another operation matches no token and is
/// dropped. Ids fit the 64-bit user data of an io_uring entry and are never [`RequestId::NONE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(u64);

impl RequestId {
    /// A value no request ever has, free for an executor's own entries.
    pub const NONE: u64 = u64::MAX;

    /// The id of the request led by the operation in `slot` with `token`.
    #[inline]
    pub(crate) const fn new(token: u64, slot: u32) -> Self {
        Self(token << 16 | slot as u64)
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
    use super::RequestId;

    #[test]
    fn an_id_is_never_none_and_gives_its_slot_back() {
        // Slots end below 0x8000 (`limits::MAX_OPERATIONS`), so the low half is never all ones.
        for slot in [0, 1, 0x7FFF] {
            for token in [1, u64::MAX >> 16, u64::MAX] {
                let id = RequestId::new(token, slot);
                assert_eq!(id.slot(), slot);
                assert_ne!(id.to_u64(), RequestId::NONE);
            }
        }
    }
}
