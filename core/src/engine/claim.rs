//! [`Claim`]: memory of a backend, to be filled before it is submitted, so that nothing is copied.
//!
//! A claim takes nothing but the borrow of its backend. It looks where the blocks *would* put so
//! many bytes, checks everything that a submission checks, and changes nothing; so dropping or
//! forgetting it leaves no trace, because there is none. While it lives nothing else can be done
//! with the backend, so what it saw is still so when it is submitted: then the same code as for
//! every submission takes that very room.
//!
//! Worked example with blocks of 8 bytes: the stream has 5 bytes in block A, and block C is the
//! next free one. A claim of 6 bytes to append has two parts: A 5..8 and C 0..3. Submitting it
//! takes C, and from then on the bytes are the operation's.
//!
//! # Safety
//! The parts are in blocks of the engine behind `host`, which is borrowed exclusively for as long
//! as the claim lives, and promises to keep it ([`ClaimHost`]). They belong to no operation: free
//! blocks, and what is behind the filled part of an open one. So no request has them, and none can
//! be made meanwhile: no kernel and no thread reads or writes them. [`Claim::parts`] makes
//! references that end before [`Claim::submit`], which consumes the claim, hands them to an
//! operation; the claim itself holds raw pointers only. The two parts are in different blocks. The
//! bytes are initialised, as [`StableMemory`](crate::StableMemory) promises.
#![allow(unsafe_code)]

use core::{fmt, marker::PhantomData};

use super::{
    Engine,
    admission::range_end,
    content::Filled,
    file::{Gate, Health},
    storage::Storage,
};
use crate::{Errno, IoFd, Piece, StorageIoError};

/// What a claim is for.
#[derive(Clone, Copy, Debug)]
enum Target {
    Write { offset: u64 },
    Append { offset: u64 },
}

/// A backend, or another driver of an [`Engine`], of which memory can be claimed.
///
/// # Safety
/// `claim_engine` gives the same engine every time, and that engine is dropped or replaced by
/// neither of the two functions.
///
/// ```
/// use ringzero_core::{Claim, ClaimHost, Engine, IoFd, Storage, StorageIoError};
///
/// /// A driver: an engine, and how many bytes were claimed and submitted.
/// struct Driver<S: Storage> {
///     engine: Engine<S>,
///     byte_count: usize,
/// }
///
/// // SAFETY: `engine` is replaced by neither function.
/// unsafe impl<S: Storage> ClaimHost for Driver<S> {
///     type Storage = S;
///
///     fn claim_engine(&mut self) -> Result<&mut Engine<S>, StorageIoError> {
///         Ok(&mut self.engine)
///     }
///     fn claim_submitted(&mut self, _: IoFd, _: u64, _: u64, parts: [&[u8]; 2]) {
///         self.byte_count += parts.concat().len();
///     }
/// }
///
/// fn zeros<S: Storage>(driver: &mut Driver<S>, log: IoFd) -> Result<[u64; 2], StorageIoError> {
///     let appended = Claim::append(driver, log, 64)?.submit()?;
///     Ok([appended, Claim::write(driver, log, 64, 0)?.submit()?])
/// }
/// ```
pub unsafe trait ClaimHost {
    /// The memory of its engine.
    type Storage: Storage;

    /// Its engine.
    ///
    /// # Errors
    /// `Closed` in a forked child, or another reason why it may not be used.
    fn claim_engine(&mut self) -> Result<&mut Engine<Self::Storage>, StorageIoError>;

    /// A claim was submitted, as an operation with this token at this offset of the file. The bytes
    /// are those of `parts`, one behind the other.
    fn claim_submitted(&mut self, fd: IoFd, token: u64, offset: u64, parts: [&[u8]; 2]);
}

// SAFETY: it is the engine, and does nothing to itself.
unsafe impl<S: Storage> ClaimHost for Engine<S> {
    type Storage = S;

    fn claim_engine(&mut self) -> Result<&mut Self, StorageIoError> {
        Ok(self)
    }

    fn claim_submitted(&mut self, _: IoFd, _: u64, _: u64, _: [&[u8]; 2]) {}
}

/// A [`ClaimHost`] of any kind.
trait Host {
    fn accept(&mut self, fd: IoFd, target: Target, len: usize) -> Result<u64, StorageIoError>;
    fn submitted(&mut self, fd: IoFd, token: u64, offset: u64, parts: [&[u8]; 2]);
}

impl<H: ClaimHost> Host for H {
    fn accept(&mut self, fd: IoFd, target: Target, len: usize) -> Result<u64, StorageIoError> {
        let engine = self.claim_engine()?;
        match target {
            Target::Write { offset } => engine.accept_write(fd, Filled(len), offset),
            Target::Append { .. } => engine.accept_append(fd, Filled(len)),
        }
    }

    fn submitted(&mut self, fd: IoFd, token: u64, offset: u64, parts: [&[u8]; 2]) {
        self.claim_submitted(fd, token, offset, parts);
    }
}

/// Memory of a backend for one write or append: fill it, then submit it.
///
/// From [`StorageIoExt::claim_write`](crate::StorageIoExt::claim_write) and
/// [`claim_append`](crate::StorageIoExt::claim_append). It borrows the backend, so nothing else can
/// be submitted meanwhile:
///
/// ```compile_fail,E0499
/// # use ringzero_core::{IoFd, StorageIoError, StorageIo, StorageIoExt};
/// fn two_at_once<S: StorageIo + StorageIoExt>(io: &mut S, log: IoFd) {
///     let claim = io.claim_append(log, 8);
///     let other = io.submit_append(log, b"in between");
///     drop(claim);
/// }
/// ```
///
/// Submitting gives it away, so what is on its way cannot be changed:
///
/// ```compile_fail,E0382
/// # use ringzero_core::Claim;
/// fn too_late(mut claim: Claim<'_>) {
///     let token = claim.submit();
///     claim.copy_in(0, b"too late");
/// }
/// ```
///
/// Dropping it instead gives it back and leaves no trace.
///
/// ```
/// use ringzero_core::{IoFd, StorageIoError, StorageIoExt};
///
/// /// A record of zeros with a header, made where it leaves from.
/// fn zeros<S: StorageIoExt>(io: &mut S, log: IoFd, len: usize) -> Result<u64, StorageIoError> {
///     let mut claim = io.claim_append(log, 4 + len)?;
///     let copied = claim.copy_in(0, &(len as u32).to_le_bytes());
///     assert_eq!(claim.byte_count() - copied, len);
///     claim.parts().into_iter().flatten().skip(copied).for_each(|byte| *byte = 0);
///     claim.submit()
/// }
/// ```
#[must_use = "a claim that is not submitted writes nothing"]
pub struct Claim<'a> {
    host: &'a mut dyn Host,
    fd: IoFd,
    target: Target,
    parts: [Piece; 2],
    memory: PhantomData<&'a mut [u8]>,
}

impl<'a> Claim<'a> {
    /// Claims memory of `host` for a write of `len` bytes at `offset`.
    ///
    /// # Errors
    /// As [`StorageIoExt::claim_write`](crate::StorageIoExt::claim_write).
    ///
    /// ```
    /// use ringzero_core::{Claim, Engine, IoFd, Storage, StorageIoError};
    ///
    /// fn zeros<S: Storage>(engine: &mut Engine<S>, log: IoFd) -> Result<u64, StorageIoError> {
    ///     Claim::write(engine, log, 64, 0)?.submit()
    /// }
    /// ```
    pub fn write<H: ClaimHost>(
        host: &'a mut H,
        fd: IoFd,
        len: usize,
        offset: u64,
    ) -> Result<Self, StorageIoError> {
        let part = host.claim_engine()?.room_for_write(fd, len, offset)?;
        let (target, parts) = (Target::Write { offset }, [part, Piece::EMPTY]);
        Ok(Self { host, fd, target, parts, memory: PhantomData })
    }

    /// Claims memory of `host` for an append of `len` bytes.
    ///
    /// # Errors
    /// As [`StorageIoExt::claim_append`](crate::StorageIoExt::claim_append).
    ///
    /// ```
    /// use ringzero_core::{Claim, Engine, IoFd, Storage, StorageIoError};
    ///
    /// fn zeros<S: Storage>(engine: &mut Engine<S>, log: IoFd) -> Result<u64, StorageIoError> {
    ///     Claim::append(engine, log, 64)?.submit()
    /// }
    /// ```
    pub fn append<H: ClaimHost>(
        host: &'a mut H,
        fd: IoFd,
        len: usize,
    ) -> Result<Self, StorageIoError> {
        let (offset, parts) = host.claim_engine()?.room_for_append(fd, len)?;
        Ok(Self { host, fd, target: Target::Append { offset }, parts, memory: PhantomData })
    }

    /// How many bytes it has.
    pub const fn byte_count(&self) -> usize {
        self.parts[0].byte_count + self.parts[1].byte_count
    }

    /// The memory: the second part follows the first one in the file. That of a write is in one
    /// part, and the second is empty; that of an append may be in two, because appends lie densely
    /// in blocks.
    ///
    /// It holds zeros or the bytes of earlier operations, of any file. What is not overwritten is
    /// written as it is.
    pub fn parts(&mut self) -> [&mut [u8]; 2] {
        self.parts.map(|part| {
            // SAFETY: initialised bytes of a block that is valid for as long as the host is
            // borrowed, that no operation has, and of which this borrow of the claim makes the only
            // reference; see the header.
            unsafe { core::slice::from_raw_parts_mut(part.base.cast_mut(), part.byte_count) }
        })
    }

    /// Copies `data` to `position`, over the seam of the two parts if it must. Returns how many
    /// bytes: fewer than all where the claim ends before.
    pub fn copy_in(&mut self, position: usize, data: &[u8]) -> usize {
        let [front, back] = self.parts();
        let behind = position.saturating_sub(front.len());
        let front = front.get_mut(position..).unwrap_or_default();
        let copied = copy_front(front, data);
        let rest = data.get(copied..).unwrap_or_default();
        copied + copy_front(back.get_mut(behind..).unwrap_or_default(), rest)
    }

    /// Submits what it was filled with, and returns the token. From here on it is as if the bytes
    /// had been given to `submit_write` or `submit_append`.
    ///
    /// # Errors
    /// Everything was checked when it was claimed, and nothing can have changed since, but for one:
    /// `Closed` in a process forked in between.
    pub fn submit(self) -> Result<u64, StorageIoError> {
        let byte_count = self.byte_count();
        let Self { host, fd, target, parts, .. } = self;
        let token = host.accept(fd, target, byte_count);
        debug_assert!(matches!(token, Ok(_) | Err(StorageIoError::Closed)), "{token:?}");
        let token = token?;
        let (Target::Write { offset } | Target::Append { offset }) = target;
        let bytes = parts.map(|part| {
            // SAFETY: as in `parts`; from here on they are only read, here and by a kernel, and
            // the operation that has them now is not delivered before this call returns.
            unsafe { core::slice::from_raw_parts(part.base, part.byte_count) }
        });
        host.submitted(fd, token, offset, bytes);
        Ok(token)
    }
}

/// Copies as many bytes as there are on both sides, and says how many.
fn copy_front(to: &mut [u8], from: &[u8]) -> usize {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    to.len().min(from.len())
}

impl fmt::Debug for Claim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fd, target, .. } = self;
        f.debug_struct("Claim").field("fd", fd).field("target", target).finish_non_exhaustive()
    }
}

impl<S: Storage> Engine<S> {
    /// The longest claim, in bytes: one block.
    pub const fn max_claim(&self) -> usize {
        if self.blocks.has_memory() { self.limits.block_bytes as usize } else { 0 }
    }

    /// The file of a claim, if it takes one of this length.
    fn claimable(&mut self, fd: IoFd, len: usize) -> Result<u32, StorageIoError> {
        if self.is_closed {
            return Err(StorageIoError::Closed);
        }
        let slot = self.known(fd)?;
        let file = self.files.records.at(slot);
        match (file.health, file.gate) {
            (Health::Announced(errno), _) => return Err(StorageIoError::Io(errno)),
            (_, Gate::SyncsOnly) => return Err(StorageIoError::Io(Errno::INVAL)),
            (Health::Sound, Gate::Altering) => return Err(self.refuse_full()),
            _ => {}
        }
        if len > self.max_claim() {
            return Err(StorageIoError::Io(Errno::MSGSIZE));
        }
        Ok(slot)
    }

    /// Where the bytes of a write would be placed, if it would be accepted now.
    fn room_for_write(
        &mut self,
        fd: IoFd,
        len: usize,
        offset: u64,
    ) -> Result<Piece, StorageIoError> {
        let slot = self.claimable(fd, len)?;
        let end = range_end(self.max_write, len, offset)?;
        let file = self.files.records.at(slot);
        if file.beyond_floor(offset | len as u64) != 0 {
            return Err(StorageIoError::Io(Errno::INVAL));
        }
        if self.operations.available(file.held) == 0 {
            return Err(self.refuse_full());
        }
        if len == 0 {
            return Ok(Piece::EMPTY);
        }
        if end > file.tail && !file.appends.is_empty() {
            return Err(self.refuse_full());
        }
        match self.blocks.room_for(&file.packing, &file.chain, len) {
            Some(room) => Ok(room),
            None => Err(self.refuse_exhausted()),
        }
    }

    /// Where the bytes of an append would go in the file and in memory, if it would be accepted
    /// now.
    fn room_for_append(
        &mut self,
        fd: IoFd,
        len: usize,
    ) -> Result<(u64, [Piece; 2]), StorageIoError> {
        let slot = self.claimable(fd, len)?;
        // One that will be cancelled is filled like any other.
        self.append_offset(slot, len)?;
        let file = self.files.records.at(slot);
        if self.operations.available(file.held) == 0 {
            return Err(self.refuse_full());
        }
        if len == 0 {
            return Ok((file.tail, [Piece::EMPTY; 2]));
        }
        // The first one is packed behind the bytes before it in its block.
        let is_first = file.appends.is_empty() && file.chain.is_empty();
        let lead = if is_first { file.beyond_floor(file.tail) } else { 0 };
        match self.blocks.room_in_stream(&file.chain, &file.packing, (lead, len)) {
            Some(parts) => Ok((file.tail, parts)),
            None => Err(self.refuse_exhausted()),
        }
    }
}
