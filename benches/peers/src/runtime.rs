//! [`Runtime`] and [`PeerFile`]: what the programs ask of a library, so that each program is
//! written once and every library runs the same one.
//!
//! Static dispatch only: nothing here costs an allocation or a virtual call. What a library forces
//! on its callers (an allocation per operation, memory it consumes) happens inside its own
//! implementation, and its file's header says so.

use std::{future::Future, io, path::Path};

use ringzero_benches::compare::job::Access;

/// The buffers a program takes, told before the runtime starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Operations in flight at most.
    pub(crate) in_flight: u32,
    /// Buffers that are taken at most.
    pub(crate) buffers: usize,
    /// Bytes of each.
    pub(crate) bytes: usize,
    /// How the file is opened.
    pub(crate) access: Access,
}

impl Room {
    /// Where the data of a buffer start: at a page, or at a cache line.
    pub(crate) fn alignment(self) -> usize {
        match self.access {
            Access::Buffered => 64,
            Access::Direct => 4096,
        }
    }

    /// The flags of open(2) beside the access mode.
    pub(crate) fn flags(self) -> i32 {
        match self.access {
            Access::Buffered => 0,
            Access::Direct => libc::O_DIRECT,
        }
    }
}

/// A library's executor on this thread.
pub(crate) trait Runtime: 'static {
    /// Its file.
    type File: PeerFile;

    /// Runs a program to its end on a new executor of this thread.
    ///
    /// # Errors
    /// The executor could not be set up.
    fn run<P>(room: Room, program: P) -> io::Result<P::Output>
    where
        P: Future + 'static,
        P::Output: 'static;

    /// Starts a task beside the caller; it runs to its end though nobody awaits it.
    fn spawn(task: impl Future<Output = ()> + 'static);
}

/// A library's open file.
pub(crate) trait PeerFile: Sized + 'static {
    /// Owned memory in the form the library wants.
    type Buffer: 'static;

    /// Opens an existing file for writing, without truncating it.
    fn open(path: &Path, room: Room) -> impl Future<Output = io::Result<Self>>;

    /// One of the buffers of the program's [`Room`].
    ///
    /// # Errors
    /// More were asked for than the room has.
    fn buffer(&self) -> io::Result<Self::Buffer>;

    /// The data of a buffer, to be filled.
    fn data(buffer: &mut Self::Buffer) -> &mut [u8];

    /// Writes the first `bytes` of a buffer at `offset`; returns how many were written.
    fn write(
        &self,
        buffer: &mut Self::Buffer,
        bytes: usize,
        offset: u64,
    ) -> impl Future<Output = io::Result<usize>>;

    /// fdatasync(2).
    fn sync_data(&self) -> impl Future<Output = io::Result<()>>;
}

/// What a buffer of which the memory is away, or a table of them that is used up, is answered with.
pub(crate) fn no_memory() -> io::Error {
    io::Error::from(io::ErrorKind::OutOfMemory)
}
