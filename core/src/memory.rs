//! Memory that a kernel, a device or another thread may read or write while an operation is in
//! flight: [`StableMemory`], and a piece of it: [`Piece`].
//!
//! # Safety
//! Moving a value and `mem::forget` are safe code, so memory that an executor still reads can be
//! neither inline in a struct nor a plain borrow. It is owned behind a pointer, or `'static`.
#![allow(unsafe_code)]

use core::ptr::NonNull;

/// Memory with an address that does not change and that nobody else writes.
///
/// # Safety
/// From construction until drop, `base` gives the same pointer, aligned for [`Piece`], to
/// `byte_count` initialised bytes that are valid for reads and writes through it, however the value
/// itself is moved, and that nothing but the engine and its executor writes. If the value is
/// forgotten they stay valid for ever.
///
/// ```
/// use ringzero_core::{StableMemory, StaticMemory};
///
/// let memory = StaticMemory::new(Box::leak(vec![0; 64].into()));
/// let base = memory.base();
/// let moved = memory;
/// assert_eq!(moved.base(), base);
/// assert!((57..=64).contains(&moved.byte_count()));
/// ```
pub unsafe trait StableMemory {
    /// The first byte.
    fn base(&self) -> NonNull<u8>;
    /// How many bytes.
    fn byte_count(&self) -> usize;
}

/// `'static` memory, as from a `static` or `Box::leak`.
///
/// ```
/// use ringzero_core::StaticMemory;
///
/// // From a `static`, or leaked: either way nobody else can reach it.
/// let _memory = StaticMemory::new(Box::leak(vec![0; 4_096].into()));
/// ```
#[derive(Debug)]
pub struct StaticMemory {
    base: NonNull<u8>,
    byte_count: usize,
}

// SAFETY: the bytes were borrowed exclusively and for ever; the pointer is the only way to them.
unsafe impl Send for StaticMemory {}

impl StaticMemory {
    /// Takes the memory for good. Up to 7 bytes at its front are left unused for alignment.
    pub fn new(memory: &'static mut [u8]) -> Self {
        let skip = memory.as_ptr().align_offset(align_of::<Piece>()).min(memory.len());
        let memory = memory.get_mut(skip..).unwrap_or_default();
        Self { byte_count: memory.len(), base: NonNull::from(memory).cast() }
    }
}

// SAFETY: `new` took a `'static` exclusive borrow and aligned its start.
unsafe impl StableMemory for StaticMemory {
    fn base(&self) -> NonNull<u8> {
        self.base
    }

    fn byte_count(&self) -> usize {
        self.byte_count
    }
}

/// No memory: for an engine whose every request is executed inside the call that submits it.
///
/// ```
/// use ringzero_core::{NoMemory, StableMemory};
///
/// assert_eq!(NoMemory.byte_count(), 0);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct NoMemory;

// SAFETY: zero bytes at a dangling, aligned pointer.
unsafe impl StableMemory for NoMemory {
    fn base(&self) -> NonNull<u8> {
        NonNull::<Piece>::dangling().cast()
    }

    fn byte_count(&self) -> usize {
        0
    }
}

/// One contiguous piece of a request's data; laid out like POSIX `struct iovec` (sys/uio.h).
///
/// ```
/// use ringzero_core::Piece;
///
/// // An array of them is what writev(2) takes.
/// assert_eq!(size_of::<Piece>(), 2 * size_of::<usize>());
/// assert_eq!(Piece::EMPTY.byte_count, 0);
/// ```
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Piece {
    /// The first byte.
    pub base: *const u8,
    /// How many bytes.
    pub byte_count: usize,
}

impl Piece {
    /// A piece of no bytes.
    pub const EMPTY: Self = Self { base: NonNull::dangling().as_ptr(), byte_count: 0 };
}

/// The data of one request: one piece, or several.
///
/// The *bytes* stay where they are until the request is answered. The *array* of several pieces
/// does too, so a kernel may be given its address.
///
/// ```
/// use ringzero_core::Pieces;
///
/// /// For an executor that is done when it returns.
/// fn copied(pieces: Pieces<'_>) -> Vec<u8> {
///     let mut bytes = Vec::with_capacity(pieces.byte_count() as usize);
///     pieces.iter().for_each(|piece| bytes.extend_from_slice(piece));
///     bytes
/// }
///
/// /// For a kernel that reads later: address and length of an array of `struct iovec`.
/// fn vector(pieces: Pieces<'_>) -> (*const core::ffi::c_void, usize) {
///     (pieces.as_raw().as_ptr().cast(), pieces.as_raw().len())
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Pieces<'a> {
    pieces: &'a [Piece],
    byte_count: u32,
}

impl<'a> Pieces<'a> {
    /// # Safety
    /// Every piece is readable for `'a`, nobody writes it meanwhile, and `byte_count` is their sum.
    #[inline]
    pub(crate) const unsafe fn new(pieces: &'a [Piece], byte_count: u32) -> Self {
        Self { pieces, byte_count }
    }

    /// Bytes in all, at least 1.
    #[inline]
    pub const fn byte_count(&self) -> u32 {
        self.byte_count
    }

    /// The pieces with their addresses, for an executor that reads them after this call: the bytes
    /// are unchanged until the request is answered, and so is the array itself if it has more than
    /// one element.
    #[inline]
    pub const fn as_raw(&self) -> &'a [Piece] {
        self.pieces
    }

    /// The bytes, for an executor that is done with them when this call returns.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        self.pieces.iter().map(|piece| {
            // SAFETY: `new` was promised that each piece is readable and unwritten for `'a`.
            unsafe { core::slice::from_raw_parts(piece.base, piece.byte_count) }
        })
    }
}

impl<'a> Pieces<'a> {
    /// The bytes of a slice as one piece, kept in `piece`.
    #[inline]
    pub(crate) fn of(data: &'a [u8], piece: &'a mut Piece) -> Self {
        *piece = Piece { base: data.as_ptr(), byte_count: data.len() };
        // SAFETY: `data` is a shared borrow for `'a`. Callers pass at most `i32::MAX` bytes.
        unsafe { Self::new(core::slice::from_ref(piece), data.len() as u32) }
    }
}

/// Room for the data of a read: one piece, or several. As [`Pieces`], for writing.
///
/// ```
/// use ringzero_core::PiecesMut;
///
/// /// For an executor that is done when it returns: bytes that `source` could give.
/// fn fill(pieces: PiecesMut<'_>, source: &[u8]) -> usize {
///     let room = pieces.into_iter_mut().flatten();
///     room.zip(source).map(|(to, from)| *to = *from).count()
/// }
///
/// /// For a kernel that writes later: how many pieces, and how many bytes.
/// fn shape(pieces: &PiecesMut<'_>) -> (usize, u32) {
///     (pieces.as_raw().len(), pieces.byte_count())
/// }
/// ```
#[derive(Debug)]
pub struct PiecesMut<'a> {
    pieces: &'a [Piece],
    byte_count: u32,
}

impl<'a> PiecesMut<'a> {
    /// # Safety
    /// Every piece is readable and writable for `'a`, through its pointer, nobody else touches it
    /// meanwhile, no two overlap, and `byte_count` is their sum.
    #[inline]
    pub(crate) const unsafe fn new(pieces: &'a [Piece], byte_count: u32) -> Self {
        Self { pieces, byte_count }
    }

    /// Bytes in all, at least 1.
    #[inline]
    pub const fn byte_count(&self) -> u32 {
        self.byte_count
    }

    /// The pieces with their addresses, for an executor that writes to them after this call: the
    /// bytes are nobody else's until the request is answered, and the array itself is unchanged if
    /// it has more than one element.
    #[inline]
    pub const fn as_raw(&self) -> &'a [Piece] {
        self.pieces
    }

    /// The room, for an executor that is done with it when this call returns.
    pub fn into_iter_mut(self) -> impl Iterator<Item = &'a mut [u8]> {
        self.pieces.iter().map(|piece| {
            // SAFETY: `new` was promised that each piece is writable, and nobody else's, for `'a`;
            // it is handed out once, because this takes the only `PiecesMut`.
            unsafe { core::slice::from_raw_parts_mut(piece.base.cast_mut(), piece.byte_count) }
        })
    }
}
