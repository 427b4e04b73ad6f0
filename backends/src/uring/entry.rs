//! Entries of the submission queue: [`write`], [`read`] and [`sync`], laid out by hand, and
//! [`alteration`].
//!
//! The builders of the `io-uring` crate zero an entry, set it field by field and copy it. This is
//! written in one go, where it belongs. It is `struct io_uring_sqe` of linux/io_uring.h (shown in
//! io_uring_enter(2)), with the unions resolved for writes, reads and syncs; the tests compare
//! every byte with what the builders make.
//!
//! # Safety
//! Making an entry is harmless; whoever pushes it answers for what it points to.
#![allow(unsafe_code)]

use io_uring::{
    opcode::{
        Close, Fallocate, Fsync, Ftruncate, Read, ReadFixed, Readv, Write, WriteFixed, Writev,
    },
    squeue::{Entry, Flags},
    types::{Fd, FsyncFlags},
};
use ringzero_core::{Alteration, Piece, RequestId};

use super::targets::Target;
use crate::platform::Descriptor;

/// The data of a write, or the room of a read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    /// By address.
    Piece(&'a Piece),
    /// In the registered buffer with this index.
    Registered(&'a Piece, u16),
    /// The array of pieces, by its address.
    Array(&'a [Piece]),
}

/// The layout, in the order of the kernel's.
#[repr(C)]
#[derive(Default)]
struct Sqe {
    opcode: u8,
    /// IOSQE_FIXED_FILE and IOSQE_ASYNC, either, or none.
    flags: u8,
    ioprio: u16,
    /// A descriptor, or a registered slot.
    fd: i32,
    offset: u64,
    /// Of the data, or of the array of pieces.
    address: u64,
    /// Bytes, or pieces.
    count: u32,
    /// RWF_* of a write; IORING_FSYNC_DATASYNC, or none, of a sync.
    operation_flags: u32,
    user_data: u64,
    /// The registered buffer, 0 for none.
    buffer: u16,
    personality: u16,
    file_index: u32,
    address3: u64,
    reserved: u64,
}

static_assertions::assert_eq_size!(Sqe, Entry);
static_assertions::assert_eq_align!(Sqe, Entry);

impl Sqe {
    #[inline]
    const fn build(self) -> Entry {
        // SAFETY: both have the kernel's layout, of the same size and alignment (asserted above),
        // and consist of integers, for which every value is valid.
        unsafe { std::mem::transmute::<Self, Entry>(self) }
    }
}

/// Writes `source`, of `byte_count` bytes, at `offset`.
#[inline]
pub(super) fn write(
    target: Target,
    source: Source<'_>,
    byte_count: u32,
    offset: u64,
    id: RequestId,
) -> Entry {
    let operation_flags = target.rw_flags as u32;
    let codes = [Write::CODE, WriteFixed::CODE, Writev::CODE];
    Sqe { operation_flags, ..transfer(codes, target, source, (byte_count, offset), id) }.build()
}

/// Reads `byte_count` bytes from `offset` on into `room`.
#[inline]
pub(super) fn read(
    target: Target,
    room: Source<'_>,
    byte_count: u32,
    offset: u64,
    id: RequestId,
) -> Entry {
    let codes = [Read::CODE, ReadFixed::CODE, Readv::CODE];
    transfer(codes, target, room, (byte_count, offset), id).build()
}

/// What writes and reads have in common. The codes are those for a piece by address, for one in a
/// registered buffer, and for an array.
#[inline]
fn transfer(
    [piece_code, registered_code, array_code]: [u8; 3],
    target: Target,
    data: Source<'_>,
    (byte_count, offset): (u32, u64),
    id: RequestId,
) -> Sqe {
    let (opcode, address, count, buffer) = match data {
        Source::Piece(piece) => (piece_code, piece.base as u64, byte_count, 0),
        Source::Registered(piece, buffer) => {
            (registered_code, piece.base as u64, byte_count, buffer)
        }
        Source::Array(pieces) => (array_code, pieces.as_ptr() as u64, pieces.len() as u32, 0),
    };
    Sqe {
        opcode,
        flags: target.flags.bits(),
        fd: target.number,
        offset,
        address,
        count,
        user_data: id.to_u64(),
        buffer,
        ..Sqe::default()
    }
}

/// Syncs the data, or everything.
#[inline]
pub(super) fn sync(target: Target, extent: FsyncFlags, id: RequestId) -> Entry {
    let Target { number, flags, .. } = target;
    Sqe {
        opcode: Fsync::CODE,
        flags: flags.bits(),
        fd: number,
        operation_flags: extent.bits(),
        user_data: id.to_u64(),
        ..Sqe::default()
    }
    .build()
}

/// Alters the file; made by the builders, because it is seldom. A close names the descriptor, since
/// a registered slot is a reference of its own, and goes to a kernel worker at once: what a last
/// reference leaves to be done may take long.
pub(super) fn alteration(
    target: Target,
    descriptor: Descriptor,
    what: Alteration,
    id: RequestId,
) -> Entry {
    let Target { number, flags, .. } = target;
    let punch = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    let fallocate =
        |mode, offset, len| Fallocate::new(Fd(number), len).offset(offset).mode(mode).build();
    let (entry, flags) = match what {
        Alteration::Allocate { offset, len } => {
            (fallocate(libc::FALLOC_FL_KEEP_SIZE, offset, len), flags)
        }
        Alteration::Punch { offset, len } => (fallocate(punch, offset, len), flags),
        Alteration::Truncate { len } => (Ftruncate::new(Fd(number), len).build(), flags),
        Alteration::Close => (Close::new(Fd(descriptor.number())).build(), Flags::ASYNC),
    };
    entry.flags(flags).user_data(id.to_u64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr::without_provenance;

    const ID: RequestId = RequestId::from_u64(0x0123_4567_89AB_CDEF);
    const FD: i32 = 0x1234_5678;
    const RW_FLAGS: i32 = 0x21;
    const OFFSET: u64 = 0x3456_789A_BCDE_F012;
    const TARGETS: [Target; 2] = [target(Flags::empty(), 0), target(Flags::FIXED_FILE, RW_FLAGS)];

    const fn target(flags: Flags, rw_flags: i32) -> Target {
        Target { number: FD, flags, rw_flags, reading: None, durable: None }
    }

    fn bytes(entry: Entry) -> [u8; 64] {
        // SAFETY: an entry consists of integers, without padding, 64 bytes of them.
        unsafe { std::mem::transmute::<Entry, [u8; 64]>(entry) }
    }

    fn assert_same(made: Entry, target: Target, built: Entry) {
        assert_eq!(bytes(made), bytes(built.user_data(ID.to_u64()).flags(target.flags)));
    }

    #[test]
    fn every_byte_is_what_the_builders_make_of_a_write() {
        let (base, byte_count) = (without_provenance(0x7FFF_1234_5678), 0x00FE_DCBA);
        let piece = Piece { base, byte_count };
        let array = [piece, piece, piece];
        let count = byte_count as u32;
        for target in TARGETS {
            let built = Write::new(Fd(FD), base, count).offset(OFFSET).rw_flags(target.rw_flags);
            let made = write(target, Source::Piece(&piece), count, OFFSET, ID);
            assert_same(made, target, built.build());

            let built = WriteFixed::new(Fd(FD), base, count, 0xABCD);
            let built = built.offset(OFFSET).rw_flags(target.rw_flags);
            let made = write(target, Source::Registered(&piece, 0xABCD), count, OFFSET, ID);
            assert_same(made, target, built.build());

            let built = Writev::new(Fd(FD), array.as_ptr().cast(), 3);
            let built = built.offset(OFFSET).rw_flags(target.rw_flags);
            let made = write(target, Source::Array(&array), 3 * count, OFFSET, ID);
            assert_same(made, target, built.build());
        }
    }

    #[test]
    fn every_byte_is_what_the_builders_make_of_a_read() {
        let (base, byte_count) = (without_provenance(0x7FFF_1234_5678), 0x00FE_DCBA);
        let piece = Piece { base, byte_count };
        let array = [piece, piece, piece];
        let (room, count) = (base.cast_mut(), byte_count as u32);
        for target in TARGETS {
            let made = read(target, Source::Piece(&piece), count, OFFSET, ID);
            let built = Read::new(Fd(FD), room, count).offset(OFFSET);
            assert_same(made, target, built.build());

            let made = read(target, Source::Registered(&piece, 0xABCD), count, OFFSET, ID);
            let built = ReadFixed::new(Fd(FD), room, count, 0xABCD).offset(OFFSET);
            assert_same(made, target, built.build());

            let made = read(target, Source::Array(&array), 3 * count, OFFSET, ID);
            let built = Readv::new(Fd(FD), array.as_ptr().cast(), 3).offset(OFFSET);
            assert_same(made, target, built.build());
        }
    }

    #[test]
    fn every_byte_is_what_the_builders_make_of_a_sync() {
        for target in TARGETS {
            for extent in [FsyncFlags::empty(), FsyncFlags::DATASYNC] {
                let built = Fsync::new(Fd(FD)).flags(extent).build();
                assert_same(sync(target, extent, ID), target, built);
            }
        }
    }
}
